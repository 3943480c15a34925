"""The steps that are measured, each one call into the package on the project at REVOPS_HOME."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from revops_analysis.project import Project, find_project

SOURCE = "bench"
AS_OF = "2026-09-30"
PAST = "2026-09-29"
PERIOD = "2026-Q3"
FOLDERS = ("params", "expectations", "notebooks")
REPORT = "measured"
"""Name of the report that is measured; `report.yml` beside this module says which chapters it has."""

Facts = dict[str, Any]


@dataclass
class Context:
    """What a step starts from; a workspace only where the step needs one, opened before the clock starts."""

    project: Project
    workspace: Any = None


def make_project(home: Path, scale: float) -> None:
    """A project of its own with the parameters of this one and a sample company of the given scale."""
    root = Path(__file__).resolve().parents[1]
    for folder in FOLDERS:
        shutil.copytree(root / folder, home / folder, dirs_exist_ok=True)
    shutil.copy(Path(__file__).with_name("report.yml"), home / "params" / "reports" / f"{REPORT}.yml")
    profile = f"kind: sample\ndescription: The sample company for measuring.\nseed: 0\nscale: {scale:g}\ndirt: 1.0\n"
    (home / "params" / "sources" / f"{SOURCE}.yml").write_text(profile, encoding="utf-8")


def prepare(step: str) -> Context:
    """Import what the step needs and open its workspace, so that only the step's own work is timed."""
    project = find_project()
    if not step.startswith(("metrics: ", "findings", "as-of", "movement")):
        return Context(project)
    from revops_analysis import open_workspace
    from revops_analysis.metrics.registry import metrics

    metrics()
    workspace = open_workspace(SOURCE, as_of=AS_OF, project=project)
    if not step.startswith(("as-of", "movement")):
        workspace.deals.count().execute()
    return Context(project, workspace)


def generated(project: Project) -> Path:
    """The folder of Parquet files that the simulation made."""
    return next((project.warehouse / SOURCE / "_generated").glob("*/tables"))


def simulate(context: Context) -> Facts:
    from revops_analysis.sources.profile import load_profile
    from revops_analysis.sources.sample import sample_profile

    sample_profile(load_profile(SOURCE, context.project), context.project, lambda *_: None)
    size = sum(path.stat().st_size for path in generated(context.project).rglob("*.parquet"))
    return {"parquet_mb": round(size / 1024**2)}


def load(context: Context) -> Facts:
    from revops_analysis.sources.load import load_source
    from revops_analysis.sources.profile import load_profile

    counts = load_source(load_profile(SOURCE, context.project), context.project).counts
    return {"rows_read": int(counts["read"].sum()), "rows_loaded": int(counts["loaded"].sum())}


def validate(context: Context) -> Facts:
    from datetime import date

    from revops_analysis.definitions import load_definitions
    from revops_analysis.tables.warehouse import latest_warehouse
    from revops_analysis.validation.gate import validate as check

    warehouse = latest_warehouse(context.project, SOURCE)
    definitions = load_definitions(context.project.definitions_file)
    result = check(warehouse, definitions, date.fromisoformat(AS_OF), None, context.project.expectations)
    return {"rules": len(result.results), "passed": result.passed}


def as_of_state(context: Context) -> Facts:
    """Every deal with its state on a past day, from its history: written out as a table, all columns."""
    state = context.workspace.at(PAST).table("opportunities")
    kept = context.workspace.con.create_table("benchmark_state", state, temp=True)
    return {"deals": int(kept.count().to_pyarrow().as_py())}


def deals_view(context: Context) -> Facts:
    """The same with status, days, amounts in the reporting currency, owner and account: what metrics start from."""
    deals = context.workspace.at(PAST).deals
    status = deals.group_by("status").aggregate(n=deals.count()).order_by("status").to_pandas()
    return dict(zip(status["status"], status["n"].astype(int), strict=True))


def movement(context: Context) -> Facts:
    """The movement between two past days and the deals of one of its lines; see `benchmarks.movement`."""
    from benchmarks.movement import movement as between

    return between(context)


def family(module: str) -> Callable[[Context], Facts]:
    """Every metric that a module registers, over the report's period, whole."""

    def compute(context: Context) -> Facts:
        from revops_analysis.metrics.registry import compute_metric, metrics

        names = [name for name, metric in metrics().items() if _module(metric) == module]
        rows = [len(compute_metric(context.workspace, name, PERIOD).frame) for name in names]
        return {"metrics": len(names), "rows": sum(rows)}

    return compute


def _module(metric: Any) -> str:
    """The family's module: the one in which the metric's computation is defined, without the package's name."""
    compute = getattr(metric.compute, "__wrapped__", metric.compute)
    name = getattr(compute, "__module__", type(compute).__module__)
    return name.removeprefix("revops_analysis.metrics.").split(".")[0]


def families() -> list[str]:
    """Modules that register metrics, in alphabetical order."""
    from revops_analysis.metrics.registry import metrics

    return sorted({_module(metric) for metric in metrics().values()})


def findings(context: Context) -> Facts:
    """Detectors of the measured report's chapters; those of the forecast wait for its back-test, measured apart."""
    from revops_analysis.findings.registry import find_problems
    from revops_analysis.reporting.spec import load_report

    chapters = [chapter.notebook for chapter in load_report(REPORT, context.project).notebooks]
    found = [find_problems(context.workspace, PERIOD, chapter) for chapter in chapters]
    return {"findings": sum(len(one.findings) for one in found), "detectors": sum(len(one.assessed) for one in found)}


def report(context: Context) -> Facts:
    return _revops(context, "report", REPORT, "--source", SOURCE, "--as-of", AS_OF)


def everything(context: Context) -> Facts:
    """From nothing to the page: simulate, load, gate and report, as `make quarterly-report` does."""
    shutil.rmtree(context.project.warehouse, ignore_errors=True)
    shutil.rmtree(context.project.reports, ignore_errors=True)
    return _revops(context, "report", REPORT, "--source", SOURCE, "--as-of", AS_OF, "--load")


def _revops(context: Context, *arguments: str) -> Facts:
    command = [sys.executable, "-c", "from revops_analysis.cli import main; main()", *arguments]
    done = subprocess.run(command, cwd=context.project.root, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit((done.stderr or done.stdout).strip() or f"exit code {done.returncode}")
    return {"page": done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""}


FIRST: dict[str, Callable[[Context], Facts]] = {
    "simulate": simulate,
    "load": load,
    "validate": validate,
    "as-of state": as_of_state,
    "as-of deals, priced and joined": deals_view,
}
LAST: dict[str, Callable[[Context], Facts]] = {
    "movement": movement,
    "findings": findings,
    "quarterly report": report,
    "simulate to page": everything,
}


class _Steps(dict[str, Callable[[Context], Facts]]):
    """Steps by name; `metrics: FAMILY` is made when it is asked for."""

    def __missing__(self, name: str) -> Callable[[Context], Facts]:
        if name.startswith("metrics: "):
            return family(name.removeprefix("metrics: "))
        raise KeyError(name)


STEPS = _Steps({**FIRST, **LAST})


def all_steps() -> list[str]:
    """Names of all steps in the order in which they must run: each builds on what those before it left."""
    return [*FIRST, *(f"metrics: {name}" for name in families()), *LAST]
