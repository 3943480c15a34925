"""Back-tests kept beside the data: the same question about the same data is answered from a file.

A back-test is named after all that it depends on: data, day, definitions, methods with their settings, periods, weeks,
the source text of the modules that make it and the versions of the numerical libraries (see `kept_files`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.models.backtest import FRAME, SKIPPED, Backtest, BacktestOptions, Progress, backtest, typed
from revops_analysis.models.evidence import Evidence, gather_evidence
from revops_analysis.models.forecaster import Forecaster
from revops_analysis.models.kept_files import Kept, key_of, model_folder, settings_of
from revops_analysis.periods import Period

if TYPE_CHECKING:
    from revops_analysis.project import Project
    from revops_analysis.tables.snapshot import Snapshot

_FRAMES = {"frame": FRAME, "skipped": SKIPPED}


@dataclass(frozen=True)
class BacktestRequest:
    """What to back-test: periods, methods and options, as `backtest` takes them."""

    periods: tuple[Period, ...]
    forecasters: tuple[Forecaster, ...]
    options: BacktestOptions = field(default_factory=BacktestOptions)


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
    kept = _kept(snapshot, project, request)
    known = _read(kept)
    if known is not None:
        return known
    gathered = _gather(snapshot, request) if evidence is None else evidence()
    made = backtest(gathered, request.periods, request.forecasters, request.options, progress)
    kept.write({_file(part): _parquet(getattr(made, part)) for part in _FRAMES})
    return made


def _kept(snapshot: Snapshot, project: Project, request: BacktestRequest) -> Kept:
    lead = request.options.lead_days
    key = key_of(
        snapshot,
        periods=[[p.label, p.start.isoformat(), p.end.isoformat()] for p in request.periods],
        weeks=list(request.options.weeks),
        lead_days=lead if lead > 1 else 0,
        methods=[settings_of(forecaster) for forecaster in request.forecasters],
    )
    return Kept(model_folder(project, snapshot.source), "backtest", key)


def _gather(snapshot: Snapshot, request: BacktestRequest) -> Evidence:
    options = request.options
    cutoffs = [cutoff for period in request.periods for cutoff in options.cutoffs(period)]
    reached = [cutoff for cutoff in cutoffs if cutoff.day <= snapshot.as_of]
    if not reached:
        raise ConfigurationError(
            "There is nothing to back-test.",
            expected=f"at least one cutoff on or before {snapshot.as_of}",
            found=f"{len(request.periods)} periods, weeks {list(options.weeks)}",
            fix="ask for periods that have begun",
        )
    return gather_evidence(snapshot, reached, lead_days=options.lead_days)


def _file(part: str) -> str:
    return f"{part}.parquet"


def _read(kept: Kept) -> Backtest | None:
    contents = kept.read([_file(part) for part in _FRAMES])
    if contents is None:
        return None
    try:
        return Backtest(**{part: typed(_frame(contents[_file(part)]), kinds) for part, kinds in _FRAMES.items()})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _frame(content: bytes) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.read_table(pa.BufferReader(content)).to_pandas()


def _parquet(frame: pd.DataFrame) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), sink)
    return bytes(sink.getvalue())
