"""The command: results on stdout, the rest on stderr, and an exit code for each ending."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from reporting.fakes import gate_with
from reporting.projects import chapter_notebook, load_deals, make_project
from revops_analysis.cli import main
from revops_analysis.project import Project
from revops_analysis.reporting.checker import Checker

HELP = ("load", "validate", "report", "email", "metric", "sources")


@dataclass(frozen=True)
class Answer:
    returncode: int
    stdout: str
    stderr: str


Revops = Callable[..., Answer]


@pytest.fixture
def revops(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Revops:
    """Run the command as its entry point does, in this process: the libraries are imported once for all tests."""

    def run(*arguments: str, home: Path | None = None) -> Answer:
        monkeypatch.delenv("REVOPS_DEBUG", raising=False)
        if home is not None:
            monkeypatch.setenv("REVOPS_HOME", str(home))
        monkeypatch.setattr(sys, "argv", ["revops", *arguments])
        capsys.readouterr()
        try:
            main()
            code: object = 0
        except SystemExit as ending:
            code = ending.code or 0
        printed = capsys.readouterr()
        return Answer(int(str(code)), printed.out, printed.err)

    return run


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    chapters = {"good": chapter_notebook("good"), "bad": chapter_notebook("bad", "1 / 0")}
    made = make_project(tmp_path_factory.mktemp("project"), chapters)
    (made.params / "reports" / "wrong.yml").write_text("title: Wrong\nnotebooks: [good]\ncolour: red\n")
    return made


def test_help_lists_the_commands_with_examples(revops: Revops) -> None:
    answer = revops("--help")
    assert answer.returncode == 0
    assert all(name in answer.stdout for name in HELP)
    for name in ("load", "validate", "report", "email", "metric"):
        assert "Example: revops" in revops(name, "--help").stdout


def test_help_imports_no_heavy_library() -> None:
    code = (
        "import sys; sys.argv = ['revops', '--help']\n"
        "from revops_analysis.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'pandas', 'numpy', 'ibis', 'duckdb', 'matplotlib', 'papermill', 'great_expectations', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stderr.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["report", "nope", "--source", "tiny", "--as-of", "2026-09-30"], ["no such report", "one of tiny, wrong"]),
        (["report", "wrong", "--source", "tiny", "--as-of", "2026-09-30"], ["Unknown key colour", "wrong.yml line 3"]),
        (["report", "tiny", "--source", "nope", "--as-of", "2026-09-30"], ["no source nope"]),
        (["report", "tiny", "--source", "tiny", "--as-of", "30.9.2026"], ["as_of is not a day", "30.9.2026"]),
        (["report", "tiny", "--source", "tiny", "--as-of", "2027-01-01"], ["after what the data cover", "2026-09-30"]),
        (["report", "tiny", "--source", "tiny"], ["--as-of"]),
        (["report", "tiny", "--source", "tiny", "--as-of", "2026-09-30", "--period", "2026-Q7"], ["2026-Q7"]),
        (["metric"], ["NAME is missing", "--list"]),
        (["metric", "win_rat", "--source", "tiny", "--as-of", "2026-09-30"], ["Unknown metric", "win_rat"]),
        (["nonsense"], ["nonsense"]),
    ],
)
def test_wrong_use_ends_with_2_and_says_what_to_do(
    revops: Revops, project: Project, arguments: list[str], words: list[str]
) -> None:
    answer = revops(*arguments, home=project.root)
    assert answer.returncode == 2, answer.stderr
    assert answer.stdout == ""
    assert "Traceback" not in answer.stderr
    assert all(word in answer.stderr for word in words)


def test_an_error_has_a_traceback_only_on_demand(project: Project) -> None:
    """The one test in a process of its own: what the installed command prints."""
    command = [sys.executable, "-c", "from revops_analysis.cli import main; main()"]
    command += ["report", "nope", "--source", "tiny", "--as-of", "2026-09-30"]
    environment = {**os.environ, "REVOPS_HOME": str(project.root), "REVOPS_DEBUG": "1"}
    debugged = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert "Traceback" in debugged.stderr
    assert "no such report" in debugged.stderr  # without it, see the wrong uses above


def test_a_metric_is_printed_in_three_ways(revops: Revops, project: Project) -> None:
    asked = ["metric", "deals_won", "--source", "tiny", "--as-of", "2026-09-30"]
    table = revops(*asked, home=project.root)
    assert table.returncode == 0, table.stderr
    assert "deals_won" in table.stdout
    document = json.loads(revops(*asked, "--format", "json", home=project.root).stdout)
    assert document["command"] == "metric deals_won"
    assert (document["source"], document["as_of"], document["period"]) == ("tiny", "2026-09-30", "2026-Q3")
    assert document["rows"] == [
        {
            "metric": "deals_won",
            "dims": {},
            "value": 1,
            "unit": "count",
            "low": None,
            "high": None,
            "n": 1,
            "reason": None,
        }
    ]
    rows = revops(*asked, "--format", "csv", home=project.root).stdout.splitlines()
    assert rows == ["metric,period,value,unit,low,high,n,reason", "deals_won,2026-Q3,1,count,,,1,"]


def test_the_list_of_metrics_is_complete(revops: Revops) -> None:
    listed = revops("metric", "--list", "--format", "csv").stdout
    assert "win_rate," in listed
    assert "win_rate" in revops("metric", "--list").stdout


def test_a_failed_chapter_ends_with_4_and_the_page_is_the_only_result(
    revops: Revops, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checker, "validate", lambda *_: gate_with())
    arguments = ["report", "tiny", "--source", "tiny", "--as-of", "2026-09-30", "--out", str(tmp_path)]
    answer = revops(*arguments, home=project.root)
    assert answer.returncode == 4, answer.stderr
    assert "The chapter bad failed: ZeroDivisionError" in answer.stderr
    page = Path(answer.stdout.strip())
    assert page.name == "index.html"
    assert page.is_file()


def test_refused_data_end_with_3_and_name_the_page(
    revops: Revops, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checker, "validate", lambda *_: gate_with("critical"))  # `validate` below asks the real one
    load_deals(project, stage="No such stage")
    try:
        arguments = ["report", "tiny", "--source", "tiny", "--as-of", "2026-09-30", "--out", str(tmp_path)]
        answer = revops(*arguments, home=project.root)
        assert answer.returncode == 3, answer.stderr
        assert answer.stdout == ""
        assert "gate.html" in answer.stderr
        assert not (tmp_path / "tiny" / "tiny").exists()
        checked = revops("validate", "tiny", "--out", str(tmp_path), home=project.root)
        assert checked.returncode == 3
        assert "critical failed" in checked.stdout
    finally:
        load_deals(project)


def test_a_new_source_is_written_and_its_path_printed(revops: Revops, project: Project, tmp_path: Path) -> None:
    (tmp_path / "deals.csv").write_text("deal_id,stage,amount\n1,Closed Won,5\n", encoding="utf-8")
    new = ("sources", "new", "--from", str(tmp_path), "--data-through")
    answer = revops(*new, "2026-09-30", "acme", home=project.root)
    assert answer.returncode == 0
    assert answer.stdout.strip().endswith("acme.yml")
    assert "data_through: 2026-09-30" in (project.params / "sources" / "acme.yml").read_text(encoding="utf-8")
    wrong = revops(*new, "30/09/2026", "b", home=project.root)
    assert wrong.returncode == 2
