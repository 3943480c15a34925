"""A run can be rendered again to the last byte, and where it cannot, the input that differs is named."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from end_to_end.commands import revops
from reporting.fakes import gate_with
from reporting.projects import chapter_notebook, load_deals, make_project
from reporting.test_run import Quiet
from revops_analysis.errors import ConfigurationError
from revops_analysis.project import Project
from revops_analysis.reporting.checker import Checker
from revops_analysis.reporting.inputs import hash_bytes
from revops_analysis.reporting.preparation import RunRequest
from revops_analysis.reporting.run import run_report
from revops_analysis.reporting.trust.comparison import compare
from revops_analysis.reporting.trust.past_run import read_past_run
from revops_analysis.reporting.trust.verify import Difference, Verification, verify_run


@pytest.fixture(autouse=True)
def _gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer for the gate, which has tests of its own and needs four seconds to be imported."""
    monkeypatch.setattr(Checker, "validate", lambda *_: gate_with())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = make_project(tmp_path_factory.mktemp("project"), {"only": chapter_notebook("only")})
    (made.params / "playbook.yml").write_text("plays: {stalled: {owner: Sales, fix: Call.}}\n")
    return made


@pytest.fixture(scope="module")
def rendered(project: Project) -> Path:
    """The run that all tests here copy or read: rendered once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checker, "validate", lambda *_: gate_with())
        request = RunRequest("tiny", "tiny", dt.date(2026, 9, 30), project.reports)
        return run_report(request, project, Quiet()).folder


@pytest.fixture
def run(rendered: Path, tmp_path: Path) -> Path:
    """A copy of the run, to alter."""
    return Path(shutil.copytree(rendered, tmp_path / rendered.name))


def _compared(run: Path, rendered: Path) -> Verification:
    """The answer for an altered copy of a run; rendering it again gives `rendered`, as the test above it shows."""
    past = read_past_run(run)
    return Verification(past, (), past.altered, True, compare(run, rendered))


def _named(found: Verification) -> dict[str, Difference]:
    assert found.verdict == "inputs differ"
    assert found.exit_code == 2
    return {item.input: item for item in found.differences}


def test_a_run_is_reproduced_after_the_project_moved_on(project: Project, rendered: Path) -> None:
    """Words, notebook, playbook, rules, profile and newest data are others by now; the run has kept its own."""
    moved = [
        project.definitions_file,
        project.notebooks / "only.ipynb",
        project.playbook_file,
        project.expectations / "opportunities.json",
        project.params / "sources" / "tiny.yml",
    ]
    texts = {path: path.read_text() for path in moved}
    try:
        for path, text in texts.items():
            path.write_text(f"{text.replace('1234567.5', '1').replace('currency: USD', 'currency: EUR')}\n")
        load_deals(project, stage="Solution")
        before = sorted(project.reports.rglob("*")), sorted(project.warehouse.rglob("*"))
        found = verify_run(rendered / "index.html", project, Quiet())
        after = sorted(project.reports.rglob("*")), sorted(project.warehouse.rglob("*"))
    finally:
        load_deals(project)
        for path, text in texts.items():
            path.write_text(text)
    assert found.comparison is not None
    assert (found.verdict, found.exit_code, found.comparison.different) == ("identical", 0, ())
    assert found.comparison.files > 10
    assert (found.altered, found.same_machine) == ((), True)
    assert after == before


def test_a_changed_page_and_figure_are_named_with_both_values(rendered: Path, run: Path) -> None:
    page = run / "only.html"
    page.write_text(page.read_text().replace("1,234,568", "9,234,568"))
    figures = run / "key_figures.json"
    figures.write_text(figures.read_text().replace('"1234567.50"', '"9234567.50"'))
    table = run / "tables" / "only_accounts.csv"
    table.write_bytes(table.read_bytes().replace(b"20000.00", b"20000.01"))
    found = _compared(run, rendered)
    assert found.comparison is not None
    assert (found.verdict, found.exit_code) == ("different", 4)
    assert found.comparison.different == found.altered == ("key_figures.json", "only.html", "tables/only_accounts.csv")
    moved = {(item.place, item.then, item.now) for item in found.comparison.figures}
    assert moved == {("open_pipeline: value", "9234567.50", "1234567.50"), ("line 3, amount", "20000.01", "20000.00")}


def test_on_another_machine_only_the_figures_must_agree(rendered: Path, run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    picture = run / "figures" / "only_bars.svg"
    picture.write_bytes(picture.read_bytes().replace(b"</svg>", b"<!-- drawn elsewhere --></svg>"))
    manifest["files"]["figures/only_bars.svg"] = hash_bytes(picture.read_bytes())
    (run / "manifest.json").write_text(json.dumps(manifest))
    here = _compared(run, rendered)
    elsewhere = replace(here, same_machine=False)
    assert here.verdict == "different"
    assert (elsewhere.verdict, elsewhere.exit_code) == ("equal figures", 0)
    assert here.comparison is not None
    assert here.comparison.different == ("figures/only_bars.svg", "manifest.json")


def test_data_that_are_no_longer_kept_are_named(project: Project, rendered: Path) -> None:
    digest = json.loads((rendered / "manifest.json").read_text())["data"]["hash"]
    file = project.warehouse / "tiny" / f"{digest}.duckdb"
    file.rename(file.with_suffix(".away"))
    try:
        named = _named(verify_run(rendered, project, Quiet()))
    finally:
        file.with_suffix(".away").rename(file)
    assert list(named) == ["warehouse/tiny"]
    assert digest in named["warehouse/tiny"].now


def _rewrite(run: Path, alter: dict[str, object]) -> None:
    """Another past for a run: its manifest says that some inputs were others."""
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["inputs"] |= alter
    manifest["run"]["git_commit"] = "a" * 40
    manifest["libraries"]["duckdb"] = "1.5.0"
    (run / "manifest.json").write_text(json.dumps(manifest))


def test_another_code_and_another_library_are_named(project: Project, run: Path) -> None:
    _rewrite(run, {"package": "0" * 64, "environment": "1" * 64})
    named = _named(verify_run(run, project, Quiet()))
    assert list(named) == ["code", "library duckdb"]
    assert "commit aaaaaaaaaaaa, code 000000000000" in named["code"].then
    assert "git worktree add ../then " + "a" * 40 in named["code"].fix
    assert named["library duckdb"].then == "1.5.0"


def test_definitions_that_are_not_those_of_the_run_are_named(project: Project, run: Path) -> None:
    kept = run / "inputs" / "definitions.json"
    kept.unlink()
    text = project.definitions_file.read_text()
    try:
        project.definitions_file.write_text(text.replace("reporting_currency: USD", "reporting_currency: EUR"))
        found = verify_run(run, project, Quiet())
    finally:
        project.definitions_file.write_text(text)
    assert list(_named(found)) == ["definitions"]
    assert found.altered == ("inputs/definitions.json",)


def test_a_notebook_that_is_not_that_of_the_run_is_named(project: Project, run: Path) -> None:
    kept = run / "inputs" / "notebooks" / "only.ipynb"
    kept.write_text(kept.read_text().replace("1234567.5", "1"))
    found = verify_run(run, project, Quiet())
    assert "notebook" in next(iter(_named(found).values())).now
    assert found.altered == ("inputs/notebooks/only.ipynb",)


def test_what_is_no_run_is_refused(project: Project, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no rendered run"):
        verify_run(tmp_path, project, Quiet())


def test_the_command_says_what_differs_and_ends_with_its_code(project: Project, run: Path) -> None:
    _rewrite(run, {"package": "0" * 64})
    answer = revops(project.root, "verify", str(run))
    assert answer.code == 2
    assert "these inputs differ" in answer.stdout
    assert "git worktree add" in answer.stdout
    document = json.loads(revops(project.root, "verify", str(run), "--format", "json").stdout)
    assert (document["verdict"], document["files"]) == ("inputs differ", None)
    assert document["differences"][0]["input"] == "code"
    assert document["altered"] == ["manifest.json"]
    assert revops(project.root, "verify", str(run / "tables")).code == 2
