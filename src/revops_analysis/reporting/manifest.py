"""The run's manifest: what went in, what was used, what came out, and, in one section apart, this one run."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from revops_analysis.errors import ConfigurationError
from revops_analysis.project import Project
from revops_analysis.reporting.inputs import hash_bytes
from revops_analysis.reporting.key_figures import publish
from revops_analysis.reporting.preparation import Preparation
from revops_analysis.tables.warehouse import connect

SCHEMA = "revops.manifest/1"
MANIFEST = "manifest.json"
_LIBRARIES = (
    "duckdb",
    "great-expectations",
    "ibis-framework",
    "lifelines",
    "matplotlib",
    "nbconvert",
    "numpy",
    "pandas",
    "papermill",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "seaborn",
)


@dataclass(frozen=True)
class ThisRun:
    """What differs between two runs of the same inputs: when, how long, with how many workers, from which commit."""

    started_at: datetime
    seconds: float
    phases: dict[str, float]
    workers: int


def manifest(
    prepared: Preparation, gate: dict[str, Any], chapters: Sequence[dict[str, Any]], folder: Path
) -> dict[str, Any]:
    """The manifest without its `run` section: equal inputs on one machine and lock give equal bytes.

    `chapters` are {name, title, error}; `folder` holds the finished files, each of which is listed with its hash.
    """
    definitions = prepared.definitions
    return {
        "schema": SCHEMA,
        "report": prepared.spec.name,
        "title": prepared.title,
        "cut": prepared.warehouse.cut,
        "source": prepared.profile.name,
        "as_of": prepared.request.as_of.isoformat(),
        "period": prepared.period.label,
        "input_hash": prepared.inputs.hash,
        "inputs": dict(prepared.inputs.items),
        "definitions": {"version": definitions.version, "hash": definitions.hash},
        "data": {
            "hash": prepared.warehouse.content_hash,
            "through": prepared.warehouse.data_through.isoformat(),
            "supplied_tables": list(prepared.warehouse.supplied_tables),
            "rows": load_rows(prepared),
        },
        "seeds": {name: values["seed"] for name, values in prepared.parameters.items() if "seed" in values},
        "gate": gate,
        "package": version("revops-analysis"),
        "python": platform.python_version(),
        "libraries": dict(library_versions()),
        "chapters": list(chapters),
        "files": {
            path.relative_to(folder).as_posix(): hash_bytes(path.read_bytes())
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
    }


def run_section(run: ThisRun, project: Project) -> dict[str, Any]:
    """The one section that differs from run to run.

    The commit stands here, because a commit that alters nothing that the run depends on must not alter the rest.
    """
    return {
        "started_at": run.started_at.isoformat(timespec="seconds"),
        "seconds": round(run.seconds, 2),
        "phases": {name: round(seconds, 2) for name, seconds in run.phases.items()},
        "workers": run.workers,
        "git_commit": git_commit(project),
        "machine": machine_mark(),
    }


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the run in `folder`; ConfigurationError for a folder that holds no rendered run."""
    try:
        found: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        outside = [name for name in found["files"] if Path(name).is_absolute() or ".." in Path(name).parts]
        if outside:
            raise ValueError(f"it lists {outside[0]}, which is no file of the run")
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise ConfigurationError(
            "This is no rendered run.",
            expected=f"a folder with {MANIFEST}",
            found=None if isinstance(problem, OSError) else str(problem),
            where=str(folder),
            fix="give the folder that `revops report` printed",
        ) from problem
    return found


def library_versions() -> Mapping[str, str]:
    """The installed version of each library that figures depend on."""
    return {name: version(name) for name in _LIBRARIES}


def machine_mark() -> str:
    """A mark that tells machines apart without naming them: only on one machine must floats agree to the last bit."""
    model = ""
    cpus = Path("/proc/cpuinfo")
    if cpus.is_file():
        lines = cpus.read_text(encoding="utf-8", errors="replace").splitlines()
        model = next((line for line in lines if line.startswith("model name")), "")
    return hash_bytes("|".join((platform.node(), platform.machine(), platform.system(), model)).encode())[:12]


def now() -> datetime:
    """The wall clock, for the `run` section only; no figure may depend on it."""
    return datetime.now(UTC)


def git_commit(project: Project) -> str | None:
    """The checked-out commit, with `+` when files differ from it; None outside a git checkout or without git.

    It is that of the project; for a project that is in no checkout, that of this package.
    """
    return _commit_of(project.root) or _commit_of(Path(__file__).parent)


def _commit_of(folder: Path) -> str | None:
    command = ["git", "-C", str(folder), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    except FileNotFoundError:
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def load_rows(prepared: Preparation) -> dict[str, dict[str, Any]]:
    """Rows read, loaded, collapsed and quarantined by table, and the money among them, from the load itself."""
    if prepared.warehouse.path is None:
        return {}
    con = connect()
    try:
        con.attach(prepared.warehouse.path, name="warehouse", read_only=True)
        frame = con.table("_load_counts", database=("warehouse", "main")).to_pandas().sort_values("table")
    finally:
        con.disconnect()
    counts = frame.drop(columns="table").columns
    return {
        row["table"]: {name: publish(row[name], "currency" if "amount" in name else "count") for name in counts}
        for row in frame.to_dict("records")
    }
