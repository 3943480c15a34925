"""Back-tests kept beside the data: the same question about the same data is answered from a file.

A back-test is named after all that it depends on: data, day, definitions, methods with their settings, periods, weeks,
the source text of the modules that make it and the versions of the numerical libraries. Nothing is ever cleared by
age; a file that was damaged, or that does not say what it should, is made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, is_dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.models.backtest import FRAME, SKIPPED, Backtest, BacktestOptions, Progress, backtest, typed
from revops_analysis.models.cutoffs import week_ends
from revops_analysis.models.evidence import Evidence, gather_evidence
from revops_analysis.models.forecaster import Forecaster
from revops_analysis.periods import Period

if TYPE_CHECKING:
    from revops_analysis.project import Project
    from revops_analysis.tables.snapshot import Snapshot

_CODE = ("models", "statistics", "tables")
_LIBRARIES = ("numpy", "pandas", "scipy", "scikit-learn", "duckdb", "ibis-framework")
_FRAMES = {"frame": FRAME, "skipped": SKIPPED}


@dataclass(frozen=True)
class BacktestRequest:
    """What to back-test: periods, methods and options, as `backtest` takes them."""

    periods: tuple[Period, ...]
    forecasters: tuple[Forecaster, ...]
    options: BacktestOptions = field(default_factory=BacktestOptions)


def model_folder(project: Project, source: str) -> Path:
    """Where what is computed for a source's models is kept: `warehouse/<source>/models`."""
    return project.warehouse / source / "models"


def cached_backtest(
    snapshot: Snapshot,
    project: Project,
    request: BacktestRequest,
    *,
    evidence: Callable[[], Evidence] | None = None,
    progress: Progress | None = None,
) -> Backtest:
    """Return the back-test as of the snapshot's day, made at most once.

    `evidence` is called only if it must be made; by default it is gathered from the snapshot for the cutoffs asked for.
    The result does not depend on the number of workers, so that is no part of the key. Raises ConfigurationError for a
    forecaster whose settings cannot be told (see `settings_of`).
    """
    key = _key(snapshot, request)
    folder = model_folder(project, snapshot.source)
    known = _read(folder, key)
    if known is not None:
        return known
    gathered = _gather(snapshot, request) if evidence is None else evidence()
    made = backtest(gathered, request.periods, request.forecasters, request.options, progress)
    _write(folder, key, made)
    return made


def settings_of(forecaster: Forecaster) -> dict[str, Any]:
    """The class of a forecaster and its fields, as they go into the key.

    Raises ConfigurationError unless it is a dataclass whose fields are plain values, sequences or dataclasses of them:
    of anything else it cannot be told whether two are the same.

    >>> from revops_analysis.models.rivals.pipeline_rules import CategoryRollUp
    >>> settings_of(CategoryRollUp(("Commit",)))
    {'class': 'revops_analysis.models.rivals.pipeline_rules.CategoryRollUp', 'fields': {'commit': ['Commit']}}
    """
    kind = f"{type(forecaster).__module__}.{type(forecaster).__qualname__}"
    try:
        fields = asdict(forecaster) if is_dataclass(forecaster) and not isinstance(forecaster, type) else None
        plain = None if fields is None else json.loads(json.dumps(fields, sort_keys=True))
    except (TypeError, ValueError):
        plain = None
    if plain is None:
        raise ConfigurationError(
            "The settings of a forecaster cannot be told, so its back-test cannot be kept.",
            expected="a dataclass whose fields are numbers, texts, sequences or dataclasses of them",
            found=kind,
            fix="make it such a dataclass, or call backtest, which keeps nothing",
        )
    return {"class": kind, "fields": plain}


def _key(snapshot: Snapshot, request: BacktestRequest) -> dict[str, Any]:
    """All that the result depends on."""
    return {
        "source": snapshot.source,
        "data_hash": snapshot.data_hash,
        "as_of": snapshot.as_of.isoformat(),
        "definitions": snapshot.definitions.hash,
        "periods": [[p.label, p.start.isoformat(), p.end.isoformat()] for p in request.periods],
        "weeks": list(request.options.weeks),
        "methods": [settings_of(forecaster) for forecaster in request.forecasters],
        "code": _code_hash(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


@lru_cache
def _code_hash() -> str:
    """sha256 over the modules that make a back-test: their paths in the package and their text."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(path for part in _CODE for path in (package / part).rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _gather(snapshot: Snapshot, request: BacktestRequest) -> Evidence:
    cutoffs = [cutoff for period in request.periods for cutoff in week_ends(period, request.options.weeks)]
    reached = [cutoff for cutoff in cutoffs if cutoff.day <= snapshot.as_of]
    if not reached:
        raise ConfigurationError(
            "There is nothing to back-test.",
            expected=f"at least one cutoff on or before {snapshot.as_of}",
            found=f"{len(request.periods)} periods, weeks {list(request.options.weeks)}",
            fix="ask for periods that have begun",
        )
    return gather_evidence(snapshot, reached)


def _name(key: dict[str, Any]) -> str:
    return "backtest-" + hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]


def _read(folder: Path, key: dict[str, Any]) -> Backtest | None:
    """The back-test of the key; None if it was never made, or if any of its files is not what was written."""
    name = _name(key)
    try:
        record = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        if record["key"] != key:
            return None
        frames = {part: _read_frame(folder / f"{name}-{part}.parquet", record["sha256"][part]) for part in _FRAMES}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    found = {part: typed(frame, _FRAMES[part]) for part, frame in frames.items() if frame is not None}
    return Backtest(**found) if len(found) == len(_FRAMES) else None


def _read_frame(path: Path, sha256: str) -> pd.DataFrame | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        return None
    return pq.read_table(pa.BufferReader(content)).to_pandas()


def _write(folder: Path, key: dict[str, Any], made: Backtest) -> None:
    """Frames first and the record that vouches for them last, each written aside and renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    name, hashes = _name(key), {}
    for part in _FRAMES:
        content = _parquet(getattr(made, part))
        hashes[part] = hashlib.sha256(content).hexdigest()
        _replace(folder / f"{name}-{part}.parquet", content)
    record = json.dumps({"key": key, "sha256": hashes}, indent=1, sort_keys=True)
    _replace(folder / f"{name}.json", record.encode())


def _parquet(frame: pd.DataFrame) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), sink)
    return bytes(sink.getvalue())


def _replace(path: Path, content: bytes) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}")
    try:
        aside.write_bytes(content)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
