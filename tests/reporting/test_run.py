"""A run is whole or not there, the same bytes every time, and says what went wrong."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from reporting.fakes import gate_with
from reporting.projects import chapter_notebook, load_deals, make_project
from reporting.watchers import Quiet
from revops_analysis.errors import ConfigurationError, DataRefusedError
from revops_analysis.project import Project
from revops_analysis.reporting import assembly, run
from revops_analysis.reporting.preparation import RunRequest
from revops_analysis.reporting.run import run_report


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Answers for the gate, which has tests of its own and needs four seconds to be imported."""
    from revops_analysis.reporting.checker import Checker

    answer = {"failing": ""}
    monkeypatch.setattr(Checker, "validate", lambda *_: gate_with(answer["failing"]))
    return answer


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    chapters = {name: chapter_notebook(name, title=f"Chapter {name}") for name in ("first", "second")}
    return make_project(tmp_path_factory.mktemp("project"), chapters)


def _request(reports: Path, **other: object) -> RunRequest:
    return RunRequest("tiny", "tiny", dt.date(2026, 9, 30), reports, **other)  # type: ignore[arg-type]


def _tree(folder: Path) -> dict[str, bytes]:
    """Every file's bytes, the manifest without its `run` section."""
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    manifest = json.loads(files["manifest.json"])
    del manifest["run"]
    files["manifest.json"] = json.dumps(manifest).encode()
    return files


def test_a_run_is_the_same_bytes_whatever_the_workers(
    project: Project, gate: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVOPS_SMTP_PASSWORD", "hunter2-Sesam")
    one = run_report(_request(tmp_path / "one", workers=1), project, Quiet())
    two = run_report(_request(tmp_path / "two", workers=2), project, Quiet())
    first, second = _tree(one.folder), _tree(two.folder)
    assert sorted(first) == sorted(second)
    assert [name for name in first if first[name] != second[name]] == []
    assert {
        "index.html",
        "first.html",
        "first.ipynb",
        "second.html",
        "gate.html",
        "gate.json",
        "key_figures.json",
        "manifest.json",
        "summary.json",
        "tables/first_accounts.csv",
        "figures/first_bars.svg",
        "figures/first_bars.png",
    } <= set(first)
    everything = b"".join(first.values())
    assert str(tmp_path).encode() not in everything
    assert b"hunter2" not in everything
    assert b"<script>alert(1)" not in b"".join(content for name, content in first.items() if name.endswith(".html"))


def test_the_same_inputs_use_the_folder_again(project: Project, gate: dict[str, str], tmp_path: Path) -> None:
    """The one folder is also looked at for what manifest, key figures and the list of runs say."""
    first = run_report(_request(tmp_path), project, Quiet())
    written = {path: path.stat().st_mtime_ns for path in first.folder.rglob("*")}
    watcher = Quiet()
    again = run_report(_request(tmp_path), project, watcher)
    assert (first.reused, again.reused) == (False, True)
    assert first.folder == again.folder
    assert {path: path.stat().st_mtime_ns for path in again.folder.rglob("*")} == written
    assert watcher.cells == {}
    assert first.folder.relative_to(tmp_path).parts[:4] == ("tiny", "tiny", "2026-09-30", "2026-Q3")
    assert (first.folder.parent / "latest").resolve() == first.folder
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".writing")] == []
    _check_documents(first, tmp_path)
    _check_that_what_a_crash_left_out_is_made_up_for(first, project)
    _check_summary(first.folder)


def _check_that_what_a_crash_left_out_is_made_up_for(result: run.RunResult, project: Project) -> None:
    """The run was published, and the process ended before `latest` and the list of runs knew of it."""
    reports, latest = result.folder.parents[4], result.folder.parent / "latest"
    latest.unlink()
    page = reports / "index.html"
    page.write_text(page.read_text().replace(result.folder.name, "another"))
    assert run_report(_request(reports), project, Quiet()).reused
    assert latest.resolve() == result.folder
    listed = page.read_text()
    assert f"2026-Q3/{result.folder.name}/index.html" in listed
    assert "another" not in listed


def _check_documents(result: run.RunResult, reports: Path) -> None:
    manifest = json.loads((result.folder / "manifest.json").read_text())
    assert manifest["input_hash"][:8] == result.folder.name
    assert manifest["inputs"]["parameters"]["first"]["period"] == "2026-Q3"
    assert manifest["gate"]["passed"] is True
    assert manifest["seeds"] == {"first": 0, "second": 0}
    assert set(manifest["run"]) == {"started_at", "seconds", "phases", "workers", "git_commit", "machine"}
    figures = json.loads((result.folder / "key_figures.json").read_text())
    assert list(figures) == [
        "schema", "command", "source", "data_hash", "as_of", "period", "definitions", "currency", "seed", "warnings",
        "rows",
    ]  # fmt: skip
    assert figures["rows"][0]["value"] == "1234567.50"
    assert "No targets were supplied." in figures["warnings"]
    first = (result.folder / "index.html").read_text()
    assert "Nothing was looked for, or could be: no sign that all is well." in first
    listed = (reports / "index.html").read_text()
    assert f"tiny/tiny/2026-09-30/2026-Q3/{result.folder.name}/index.html" in listed


def _check_summary(folder: Path) -> None:
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["schema"] == "revops.summary/1"
    first = summary["chapters"][0]
    assert (first["name"], first["title"], first["findings"]) == ("first", "Chapter first", [])
    assert [(row["title"], row["value"]) for row in first["headline"]] == [("Open pipeline", "1234567.50")]
    words = {"name": "bars", "title": "Bars", "alt": "Two bars, the second twice as high."}
    paths = {"svg_path": "figures/first_bars.svg", "png_path": "figures/first_bars.png"}
    assert first["figures"] == [words | paths]


def test_another_input_gets_another_folder(project: Project, gate: dict[str, str], tmp_path: Path) -> None:
    from revops_analysis.reporting.preparation import prepare

    def folder(**other: object) -> Path:
        return prepare(_request(tmp_path, **other), project, Quiet()).folder

    plain = folder()
    assert folder() == plain
    assert folder(workers=7) == plain
    assert folder(period="2026-Q2") != plain
    assert folder(allow_invalid=True) != plain
    notebook = project.notebooks / "first.ipynb"
    text = notebook.read_text()
    notebook.write_text(text.replace("1234567.5", "7654321.5"))
    changed = folder()
    notebook.write_text(text)
    assert changed != plain
    load_deals(project, stage="Solution")
    after_load = folder()
    load_deals(project)
    assert after_load != plain
    again = folder()
    assert again not in (plain, after_load)  # the same data, but the gate compares them with another load
    assert folder() == again


def test_a_source_can_be_loaded_first_and_its_rows_are_told(project: Project, tmp_path: Path) -> None:
    from revops_analysis.reporting.preparation import prepare

    (tmp_path / "deals.csv").write_text("opportunity_id,stage,amount\n1,Discovery,5\n2,Nowhere,5\n", encoding="utf-8")
    (project.params / "sources").mkdir(exist_ok=True)
    (project.params / "sources" / "crm.yml").write_text(
        f"kind: files\nroot: {tmp_path}\ndata_through: 2026-09-30\ntables: {{opportunities: {{file: deals.csv}}}}\n",
        encoding="utf-8",
    )
    asked = RunRequest("tiny", "crm", dt.date(2026, 9, 30), tmp_path / "reports", load=True)
    watcher = Quiet()
    prepared = prepare(asked, project, watcher)
    assert prepared.warehouse.source == "crm"
    assert watcher.phases == ["Loading crm"]
    assert watcher.rows == 1
    assert watcher.steps > 0


def test_two_runs_at_once_make_one_folder(project: Project, gate: dict[str, str], tmp_path: Path) -> None:
    results: list[run.RunResult] = []

    def go() -> None:
        results.append(run_report(_request(tmp_path), project, Quiet()))

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.reused for result in results) == [False, True]
    assert results[0].folder == results[1].folder
    assert len(list(results[0].folder.parent.iterdir())) == 2  # the folder and `latest`


def test_a_failed_chapter_is_named_and_the_others_finish(gate: dict[str, str], tmp_path: Path) -> None:
    chapters = {
        "good": chapter_notebook("good"),
        "divides": chapter_notebook("divides", "1 / 0"),
        "leaves": chapter_notebook("leaves", "import sys; sys.exit(0)"),
        "dies": chapter_notebook("dies", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
        "sleeps": chapter_notebook("sleeps", "import time; time.sleep(60)"),
    }
    names = "".join(f"  - {name}\n" for name in chapters)
    report = f"title: Trouble\nnotebooks:\n{names}cell_timeout_seconds: 2\npdf: never\n"
    project = make_project(tmp_path / "project", chapters, report)
    result = run_report(_request(tmp_path / "reports"), project, Quiet())
    assert set(result.failed) == {"divides", "leaves", "dies", "sleeps"}
    assert result.failed["divides"] == "ZeroDivisionError: division by zero"
    assert "ended early" in result.failed["leaves"]
    assert "kernel died" in result.failed["dies"]
    assert "longer than 2 seconds" in result.failed["sleeps"]
    index = result.page.read_text()
    assert "The chapter “A chapter” did not finish: ZeroDivisionError" in index
    assert "ZeroDivisionError" in (result.folder / "divides.html").read_text()
    assert "did not finish" not in (result.folder / "good.html").read_text()
    for name in result.failed:  # what came before the failure is kept, in its place, and so is the rest of the notebook
        kept = json.loads((result.folder / f"{name}.ipynb").read_text())["cells"]
        ids = [cell["id"] for cell in kept]
        assert ids == ["title", "parameters", "injected-parameters", *(f"cell-{number}" for number in range(6))]
        assert kept[6]["outputs"], name
        assert not kept[8]["outputs"], name
    rows = json.loads((result.folder / "key_figures.json").read_text())["rows"]
    assert [row["metric"] for row in rows] == ["open_pipeline", "win_rate"]
    assert not (result.folder.parent / "latest").exists()
    again = run_report(_request(tmp_path / "reports"), project, Quiet())
    assert not again.reused


def test_refused_data_publish_nothing_but_the_gate(project: Project, gate: dict[str, str], tmp_path: Path) -> None:
    gate["failing"] = "critical"
    with pytest.raises(DataRefusedError, match="stages are known") as refusal:
        run_report(_request(tmp_path), project, Quiet())
    assert refusal.value.exit_code == 3
    assert not (tmp_path / "tiny" / "tiny").exists()
    assert not (tmp_path / "index.html").exists()
    assert [path.name for path in (tmp_path / "tiny" / "gate").rglob("gate.*")] != []


def test_allowed_invalid_data_are_marked_on_every_page(project: Project, gate: dict[str, str], tmp_path: Path) -> None:
    gate["failing"] = "critical"
    result = run_report(_request(tmp_path, allow_invalid=True), project, Quiet())
    pages = [path for path in result.folder.glob("*.html") if path.name != "gate.html"]
    assert len(pages) == 3
    notebooks = list(result.folder.glob("*.ipynb"))
    assert len(notebooks) == 2
    assert all("did not pass its checks: 1 rule failed" in page.read_text() for page in [*pages, *notebooks])


def test_allowing_invalid_does_not_mark_valid_data(project: Project, gate: dict[str, str], tmp_path: Path) -> None:
    result = run_report(_request(tmp_path, allow_invalid=True), project, Quiet())
    assert "did not pass" not in result.page.read_text()


def test_a_report_may_refuse_warnings(gate: dict[str, str], tmp_path: Path) -> None:
    report = "title: Strict\nnotebooks: [first]\ngate:\n  refuse_on: warning\npdf: never\n"
    project = make_project(tmp_path / "project", {"first": chapter_notebook("first")}, report)
    gate["failing"] = "warning"
    with pytest.raises(DataRefusedError):
        run_report(_request(tmp_path / "reports"), project, Quiet())


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"report": "nope"}, "no such report"),
        ({"source": "nope"}, "no source"),
        ({"as_of": dt.date(2026, 10, 1)}, "after what the data cover"),
        ({"period": "2026-Q9"}, "2026-Q9"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_runs(
    project: Project, tmp_path: Path, other: dict[str, object], message: str
) -> None:
    asked: dict[str, object] = {"report": "tiny", "source": "tiny", "as_of": dt.date(2026, 9, 30), "reports": tmp_path}
    with pytest.raises(ConfigurationError, match=message):
        run_report(RunRequest(**{**asked, **other}), project, Quiet())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_the_registries_modules_are_listed_without_importing_them() -> None:
    script = """
import sys
from revops_analysis.reporting.run import registered_modules
listed = list(registered_modules())
found = sorted(set(listed) & set(sys.modules))
print(len(listed), found)
import importlib
for name in listed:
    importlib.import_module(name)
missing = [name for name in sys.modules if name.startswith(("revops_analysis.metrics", "revops_analysis.findings"))]
print(sorted(missing) == sorted(listed))
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    first, second = done.stdout.strip().splitlines()
    assert int(first.split()[0]) > 30
    assert first.endswith("[]")
    assert second == "True"


def test_engines_that_work_at_one_time_share_the_memory(tmp_path: Path) -> None:
    names = ("first", "second", "third")
    project = make_project(tmp_path / "project", {name: chapter_notebook(name, title=name) for name in names})
    asked = [run._at_one_time(_request(tmp_path, workers=workers), project) for workers in (1, 2, 8)]
    assert asked == [2, 3, 4]  # the gate beside them


@pytest.mark.parametrize(("assessed", "said"), [([], assembly.NOBODY_LOOKED), (["nrr_decline"], "No findings.")])
def test_no_findings_is_said_only_where_somebody_looked(assessed: list[str], said: str) -> None:
    assert said in assembly._top_findings([{"findings": [], "assessed": assessed}])
