"""`params/schedule.yml` is refused, with its line, before anything could run wrongly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reporting.schedule.cases import ENTRY, HEAD, make_scheduled, write_schedule
from revops_analysis.errors import ConfigurationError
from revops_analysis.project import Project
from revops_analysis.reporting.schedule.entries import load_schedule


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_scheduled(tmp_path_factory.mktemp("home") / "project")


def test_an_entry_reads_with_its_defaults(project: Project) -> None:
    write_schedule(project)
    schedule = load_schedule(project)
    entry = schedule.entries[0]
    assert (entry.condition, entry.period, entry.keep_runs) == ("always", None, 12)
    assert entry.begins.isoformat() == "2026-07-01T04:00:00+00:00"
    assert schedule.told_of_failure(entry).to == ("ops@example.com",)
    write_schedule(project, {"failures": {"to": "own@example.com"}})
    schedule = load_schedule(project)
    assert schedule.told_of_failure(schedule.entries[0]).to == ("own@example.com",)
    assert schedule.told_of_data(schedule.entries[0]).to == ("crm@example.com",)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"cron": "0 7 * * 1"}, r"entries\.0\.cron: weekdays go by name[\s\S]*line 4"),
        ({"crom": "0 7 * * *"}, r"Unknown key crom[\s\S]*line 4"),
        ({"time_zone": "America/Bosten"}, "no time zone of that name"),
        ({"time_zone": "../../etc/passwd"}, "no time zone of that name"),
        ({"as_of": "today"}, "as_of"),
        ({"condition": "if finding at least grave"}, "condition"),
        ({"keep_runs": 0}, "keep_runs"),
        ({"starts": "soon"}, "starts"),
        ({"name": "Monthly report"}, "make a name"),
        ({"report": "tinny"}, r"schedule of monthly cannot run: There is no such report[\s\S]*line 4"),
        ({"source": "nowhere"}, "schedule of monthly cannot run"),
        ({"recipients": {"lists": "bord"}}, "no list bord; did you mean board"),
        ({"recipients": {"list": "board"}}, r"Unknown key list[\s\S]*one of to, lists"),
        ({"recipients": {}}, "nobody is named"),
        ({"recipients": {"to": "no address"}}, "not a mail address"),
        ({"failures": {"to": "emea@example.com"}}, "may see a part of the company only"),
        ({"data_owner": {"lists": "regions"}}, "may see a part of the company only"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(project: Project, changed: dict[str, Any], words: str) -> None:
    write_schedule(project, changed)
    with pytest.raises(ConfigurationError, match=words) as caught:
        load_schedule(project)
    assert "schedule.yml line" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD.replace("data_owner", "data_owners") + "  []\n", "Unknown key data_owners"),
        ("entries: []\n", "failures"),
        (HEAD + f"  - {ENTRY}\n  - {ENTRY}\n".replace("False", "false"), "monthly is named twice"),
        (HEAD + "  - &a {name: *a}\n", ""),
        ("- 1\n", ""),
        ("failures: !!python/object/apply:os.system [ls]\n", ""),
    ],
)
def test_a_wrong_file_is_refused(project: Project, text: str, words: str) -> None:
    (project.params / "schedule.yml").write_text(text)
    with pytest.raises(ConfigurationError, match=words):
        load_schedule(project)


def test_no_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Nothing is scheduled"):
        load_schedule(Project(tmp_path))


def test_the_file_of_the_project_is_right(project_root: Path) -> None:
    assert load_schedule(Project(project_root)).entries
