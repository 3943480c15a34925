"""open_workspace: what it opens, what it refuses, what it says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import revops_analysis
from revops_analysis import Workspace, open_workspace
from revops_analysis.errors import ConfigurationError
from revops_analysis.project import Project
from revops_analysis.sources import load as loading
from revops_analysis.sources.load import load_source
from revops_analysis.sources.profile import load_profile

PROFILE = """
kind: files
data_through: 2026-09-30
tables:
  opportunities: {file: deals.csv}
"""
DEALS = """opportunity_id,name,type,stage,amount,created_at,close_date
o1,<script>alert(1)</script>,new,Closed Won,1000,2026-01-10,2026-07-15
o2,plain,new,Closed Lost,500,2026-01-10,2026-08-15
"""


@pytest.fixture
def project(tmp_path: Path, project_root: Path) -> Project:
    """A project of its own, with one small source `tiny` that is loaded."""
    home = Project(tmp_path)
    sources = home.params / "sources"
    sources.mkdir(parents=True)
    shutil.copy(project_root / "params" / "definitions.yml", home.definitions_file)
    (sources / "tiny.yml").write_text(PROFILE)
    (sources / "deals.csv").write_text(DEALS)
    load_source(load_profile("tiny", home), home)
    return home


def test_a_loaded_source_opens_as_of_a_day(project: Project) -> None:
    ws = open_workspace("tiny", as_of="2026-09-30", project=project.root)
    assert isinstance(ws, Workspace)
    assert (ws.source, ws.as_of.isoformat(), ws.project.root) == ("tiny", "2026-09-30", project.root)
    assert ws.deals.count().execute() == 2
    assert ws.at("2026-07-31").deals.status.to_pyarrow().to_pylist().count("won") == 1
    assert isinstance(ws.at("2026-07-31"), Workspace)
    assert ws.notes[0].startswith("No accounts")


def test_metrics_are_one_call_away(project: Project) -> None:
    ws = open_workspace("tiny", as_of="2026-09-30", project=project)
    frame = ws.metric("win_rate", period="2026-Q3")
    assert frame.value.tolist() == [0.5]
    assert ws.metric_result("win_rate", period="2026-Q3").frame.equals(frame)
    assert "win_rate" in set(ws.metrics.to_frame().name)
    with pytest.raises(ConfigurationError, match="win_rate"):
        ws.metric("winrate")


def test_a_source_is_also_known_by_the_path_of_its_profile(project: Project, tmp_path: Path) -> None:
    path = project.params / "sources" / "tiny.yml"
    assert open_workspace(path, as_of="2026-09-30", project=project).source == "tiny"
    other = tmp_path / "elsewhere.yml"
    shutil.copy(path, other)
    with pytest.raises(ConfigurationError, match=r"revops load .*elsewhere\.yml"):
        open_workspace(other, as_of="2026-09-30", project=project)


def test_one_load_is_picked_by_its_hash(project: Project) -> None:
    first = open_workspace("tiny", as_of="2026-09-30", project=project).data_hash
    (project.params / "sources" / "deals.csv").write_text(DEALS.replace("500", "700"))
    second = load_source(load_profile("tiny", project), project).warehouse.content_hash
    assert open_workspace("tiny", as_of="2026-09-30", project=project).data_hash == second != first
    assert open_workspace("tiny", as_of="2026-09-30", data_hash=first[:8], project=project).data_hash == first
    with pytest.raises(ConfigurationError, match="No load of tiny"):
        open_workspace("tiny", as_of="2026-09-30", data_hash="feed", project=project)


def test_what_was_never_loaded_says_the_command(project: Project) -> None:
    (project.params / "sources" / "other.yml").write_text(PROFILE)
    with pytest.raises(ConfigurationError, match="revops load other"):
        open_workspace("other", as_of="2026-09-30", project=project)
    with pytest.raises(ConfigurationError, match="did you mean tiny"):
        open_workspace("tini", as_of="2026-09-30", project=project)


def test_as_of_must_be_given_and_within_the_data(project: Project) -> None:
    with pytest.raises(TypeError, match="as_of"):
        open_workspace("tiny", project=project)  # type: ignore[call-arg]
    with pytest.raises(ConfigurationError, match="as_of is missing"):
        open_workspace("tiny", as_of="", project=project)
    with pytest.raises(ConfigurationError, match=r"2026-10-01(.|\n)*2026-09-30"):
        open_workspace("tiny", as_of="2026-10-01", project=project)


def test_a_changed_profile_is_said(project: Project) -> None:
    path = project.params / "sources" / "tiny.yml"
    path.write_text(PROFILE.replace("2026-09-30", "2026-09-29"))
    ws = open_workspace("tiny", as_of="2026-09-29", project=project)
    assert "was changed after this load" in ws.notes[0]
    assert "revops load tiny" in ws.notes[0]


def test_the_sample_is_made_on_first_use(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = []

    def make(profile: object, home: Project) -> object:
        made.append(profile)
        return load_source(load_profile("tiny", home), home)

    monkeypatch.setattr(loading, "load_source", make)
    (project.params / "sources" / "sample.yml").write_text("kind: sample\n")
    open_workspace("sample", as_of="2026-09-30", project=project)
    assert len(made) == 1
    shown = capsys.readouterr()
    assert "sample company" in shown.err
    assert shown.out == ""


def test_a_notebook_shows_facts_and_escapes_data(project: Project) -> None:
    words = project.definitions_file.read_text()
    project.definitions_file.write_text(words.replace('version: "2026.1"', 'version: "<b>&"'))
    ws = open_workspace("tiny", as_of="2026-09-30", project=project)
    shown = ws._repr_html_()
    assert "2026-09-30" in shown
    assert "&lt;b&gt;&amp;" in shown
    assert "<b>" not in shown
    assert "as of 2026-09-30" in repr(ws)


def test_importing_the_package_stays_cheap() -> None:
    heavy = "{'pandas', 'ibis', 'duckdb', 'pydantic', 'sklearn', 'great_expectations'}"
    code = f"import sys, revops_analysis; print(sorted({heavy} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
    assert "open_workspace" in dir(revops_analysis)
    with pytest.raises(AttributeError, match="open_workspaces"):
        _ = revops_analysis.open_workspaces
