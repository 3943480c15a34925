"""One report from beginning to end: check, run, collect, publish. The whole run reads on this page."""

from __future__ import annotations

import ast
import json
import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from revops_analysis.errors import DataRefusedError
from revops_analysis.project import Project
from revops_analysis.reporting.checker import Checker
from revops_analysis.reporting.exports import PERSONAL_DATA
from revops_analysis.reporting.key_figures import dump_json
from revops_analysis.reporting.manifest import MANIFEST, ThisRun, manifest, now, run_section
from revops_analysis.reporting.personal import hide_people
from revops_analysis.reporting.preparation import Preparation, RunRequest, Watcher, prepare, wants_pdf
from revops_analysis.reporting.printing.printer import Printer
from revops_analysis.reporting.publish import (
    is_listed,
    only_one,
    point_latest,
    publish,
    staging_folder,
    write_file,
)
from revops_analysis.reporting.spec import load_report
from revops_analysis.reporting.trust.kept_inputs import keep_inputs
from revops_analysis.tables.memory import share_of

if TYPE_CHECKING:
    from revops_analysis.reporting.kernels import KernelServer
    from revops_analysis.reporting.runner import Outcome
    from revops_analysis.validation.result import GateResult


@dataclass(frozen=True)
class RunResult:
    """Where the run is, whether it was there already, and which chapters failed (name → what went wrong)."""

    folder: Path
    reused: bool
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def page(self) -> Path:
        """The run's first page."""
        return self.folder / "index.html"


class _Clock:
    """Seconds by phase."""

    def __init__(self) -> None:
        self.started_at: datetime = now()
        self._started = time.monotonic()
        self.phases: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.phases[name] = time.monotonic() - began

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started


def run_report(request: RunRequest, project: Project, watcher: Watcher) -> RunResult:
    """Render a report, or find the folder that the same inputs made before.

    Raises ConfigurationError for a wrong request and DataRefusedError when the gate refuses the data, in which case
    nothing is published but the gate's own page. A failed chapter is no exception: see `RunResult.failed`.
    """
    from revops_analysis.reporting.kernels import KernelServer

    clock = _Clock()
    spec = load_report(request.report, project)
    printer = Printer(wanted=wants_pdf(request, spec), needed=request.pdf or spec.pdf == "always")
    memory = share_of(_at_one_time(request, project))
    kernels = {"REVOPS_HOME": str(project.root), PERSONAL_DATA: spec.personal_data, **memory}
    with printer, KernelServer(imports_of(request.report, project), kernels) as server, Checker(memory) as checker:
        printer.require()
        if request.load:
            checker.warm_up()
        with clock.phase("prepare"):
            prepared = prepare(request, project, watcher)
        with only_one(request.reports, prepared.inputs.hash):
            if is_complete(prepared.folder) and not printer.can_add_to(prepared.folder / MANIFEST):
                return _published(prepared, {}, reused=True)
            return _render(prepared, project, (server, checker, printer), (clock, watcher))


def _at_one_time(request: RunRequest, project: Project) -> int:
    """How many engines work at one time: those of the chapters that run beside each other, and that of the gate."""
    return min(_workers(request), len(load_report(request.report, project).notebooks)) + 1


def _workers(request: RunRequest) -> int:
    return request.workers or len(os.sched_getaffinity(0))


def _render(
    prepared: Preparation,
    project: Project,
    helpers: tuple[KernelServer, Checker, Printer],
    telling: tuple[_Clock, Watcher],
) -> RunResult:
    clock, watcher = telling
    server, checker, printer = helpers
    with staging_folder(prepared.request.reports) as staged:
        printer.warm_up()
        gate, outcomes = _check_and_run(prepared, project, (server, checker, staged), telling)
        watcher.say("Writing the pages")
        with clock.phase("pages"):
            from revops_analysis.reporting.assembly import assemble

            write_gate(gate, staged, prepared)
            outcomes, masked = hide_people(prepared, outcomes, staged)
            assembled = assemble(prepared, gate_summary(gate, prepared), outcomes, staged, printer)
            keep_inputs(prepared, project, staged)
        document = manifest(prepared, gate_summary(gate, prepared), assembled.chapters, staged)
        document["pdf"] = assembled.pdf.to_json()
        document["personal_data"] = {"shown": masked is None, "masked": masked}
        if assembled.pdf.reason and printer.wanted:
            watcher.say(f"There is no PDF: {assembled.pdf.reason}")
        this = ThisRun(clock.started_at, clock.seconds, clock.phases, _workers(prepared.request))
        document["run"] = run_section(this, project)
        (staged / MANIFEST).write_text(dump_json(document), encoding="utf-8")
        publish(staged, prepared.folder)
    return _published(prepared, {outcome.name: outcome.error for outcome in outcomes if outcome.error})


def _check_and_run(
    prepared: Preparation,
    project: Project,
    where: tuple[KernelServer, Checker, Path],
    telling: tuple[_Clock, Watcher],
) -> tuple[GateResult, list[Outcome]]:
    """Check the data while the chapters run: nothing they make leaves the staging folder if the gate refuses.

    The check keeps one core busy for about as long as the chapters need, so waiting for it would double the time.
    """
    from revops_analysis.reporting.runner import import_machinery

    clock, watcher = telling
    server, checker, staged = where
    import_machinery()
    watcher.say("Checking the data and running the chapters")
    with ThreadPoolExecutor(max_workers=2) as pool, clock.phase("gate and chapters"):
        running = pool.submit(run_all_chapters, prepared, staged, server, watcher)
        for module in ("revops_analysis.reporting.assembly", "nbconvert.exporters"):  # what the pages need
            pool.submit(import_module, module)
        try:
            with clock.phase("gate"):
                gate = check_data(prepared, project, checker)
        except BaseException:
            server.end_kernels()
            raise
        return gate, running.result()


def _published(prepared: Preparation, failed: Mapping[str, str], *, reused: bool = False) -> RunResult:
    """Point `latest` to the run and list it; also one that was there, because a crash may have come before that."""
    reports = prepared.request.reports
    if not failed:
        point_latest(prepared.folder)
    if not (reused and is_listed(reports, prepared.folder)):
        from revops_analysis.reporting.assembly import write_list_of_runs

        with only_one(reports, "index"):
            write_list_of_runs(reports)
    return RunResult(prepared.folder, reused=reused, failed=failed)


def is_complete(folder: Path) -> bool:
    """True for a published run in which no chapter failed; a failed one is rendered again."""
    path = folder / MANIFEST
    if not path.is_file():
        return False
    chapters = json.loads(path.read_text(encoding="utf-8"))["chapters"]
    return not any(chapter["error"] for chapter in chapters)


def imports_of(report: str, project: Project) -> list[str]:
    """Modules that the report's notebooks import, for the kernel server to load ahead.

    With them go the modules that the registries of metrics and detectors gather when first asked.
    """
    modules: set[str] = set(registered_modules())
    for chapter in load_report(report, project).notebooks:
        path = project.notebooks / f"{chapter.notebook}.ipynb"
        if path.is_file():
            modules |= notebook_imports(json.loads(path.read_text(encoding="utf-8")))
    return sorted(modules)


def registered_modules() -> Iterator[str]:
    """Every module below the packages whose registries import all of them; none is imported for that."""
    package = Path(__file__).parents[1]
    for folder in ("metrics", "findings"):
        for path in sorted((package / folder).rglob("*.py")):
            name = path.relative_to(package).with_suffix("")
            yield ".".join((package.name, *(part for part in name.parts if part != "__init__")))


def notebook_imports(notebook: Mapping[str, Any]) -> set[str]:
    """Modules that a notebook's cells import; a name imported from a package may be a module and is listed too."""
    found: set[str] = set()
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        try:
            tree = ast.parse("".join(cell["source"]))
        except SyntaxError:
            continue  # a magic or a mistake; the chapter itself will tell
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def check_data(prepared: Preparation, project: Project, checker: Checker) -> GateResult:
    """Run the gate, on the whole data also for a cut.

    Data that the report refuses raises DataRefusedError, after the gate's own page is written.
    """
    day, expectations = prepared.request.as_of, project.expectations
    result = checker.validate(prepared.whole, prepared.definitions, day, prepared.previous, expectations)
    if not _accepts(result, prepared) and not prepared.request.allow_invalid:
        page = write_gate_folder(result, prepared.request.reports)
        raise _refused(result, page)
    return result


def _accepts(result: GateResult, prepared: Preparation) -> bool:
    return result.passed and not (prepared.spec.gate.refuse_on == "warning" and len(result.warnings))


def _refused(result: GateResult, page: Path) -> DataRefusedError:
    failed = result.critical_failures if len(result.critical_failures) else result.warnings
    names = [f"{row['table']}: {row['rule']}" for row in failed.head(5).to_dict("records")]
    more = f" and {len(failed) - 5} more" if len(failed) > 5 else ""
    return DataRefusedError(
        f"The data of {result.source} did not pass its checks, so no report was published.",
        found=("; ".join(names) + more) if names else "no rule could be checked",
        where=str(page),
        fix=str(failed.iloc[0]["repair"]) if len(failed) else "load the source again",
    )


def gate_summary(result: GateResult, prepared: Preparation) -> dict[str, Any]:
    """What pages and manifest say about the gate."""
    accepted = _accepts(result, prepared)
    return {
        "passed": accepted,
        "allowed_invalid": not accepted,
        "rules": len(result.results),
        "critical": len(result.critical_failures),
        "warnings": len(result.warnings),
        "not_checked": len(result.not_checked),
    }


def write_gate(result: GateResult, folder: Path, prepared: Preparation) -> None:
    """The gate's answer in the run's folder, as a page and as JSON."""
    from revops_analysis.reporting.gate_page import render_gate

    summary = gate_summary(result, prepared)
    if prepared.request.cut:
        result = result.without_counts()  # the rules are asked of the whole company
    document = {**summary, "result": result.to_dict()}
    (folder / "gate.json").write_text(dump_json(document), encoding="utf-8")
    (folder / "gate.html").write_text(render_gate(result), encoding="utf-8")


def write_gate_folder(result: GateResult, reports: Path) -> Path:
    """The gate's page and JSON by themselves, at `<source>/gate/<day>/`; returns the page."""
    from revops_analysis.reporting.gate_page import render_gate

    day = (result.as_of or result.data_through).isoformat()
    folder = reports / result.source / "gate" / day / result.data_hash[:8]
    write_file(folder / "gate.json", result.to_json())
    write_file(folder / "gate.html", render_gate(result))
    return folder / "gate.html"


def run_all_chapters(prepared: Preparation, staged: Path, server: KernelServer, watcher: Watcher) -> list[Outcome]:
    """Run every chapter of a prepared report in `staged`, where each leaves its figures, tables and key figures."""
    import nbformat

    from revops_analysis.reporting.runner import Job, run_chapters

    jobs = [
        Job(name, nbformat.reads(content.decode(), as_version=4), prepared.parameters[name], _timeout(prepared))
        for name, content in prepared.notebooks.items()
    ]
    return run_chapters(jobs, staged, server, workers=prepared.request.workers, watch=watcher.cell)


def _timeout(prepared: Preparation) -> int:
    return prepared.spec.cell_timeout_seconds
