"""What "adds up" means: a cut against the whole, in cents or counts, line by line where a metric has lines."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pandas as pd

from revops_analysis.metrics.registry import Metric, compute_metric
from revops_analysis.tables.snapshot import Snapshot


def whole_units(frame: pd.DataFrame, parts: Sequence[str]) -> dict[tuple, int]:
    """Σ value in hundredths, exactly, for each combination of the metric's parts; sums of 0 are left out.

    Transfers between cells are one entry: a cut shows what the whole does not, and they must cancel.
    """
    units = (frame["value"].fillna(0) * 100).round().astype("int64")
    labels = [
        frame[part].astype(str).replace({"transfer_in": "transfers", "transfer_out": "transfers"}) for part in parts
    ]
    sums = units.groupby(labels or [pd.Series("all", index=frame.index)]).sum()
    return {key if isinstance(key, tuple) else (key,): int(value) for key, value in sums.items() if value}


def parts_that_do_not_add_up(
    snapshot: Snapshot, metric: Metric, period: str, cuts: Sequence[tuple[str, ...]], where: str | None = None
) -> tuple[dict[tuple[str, ...], dict], dict[tuple, int]]:
    """By cut, what its cells add up to where that is not the whole; and the whole."""
    parts = metric.parts
    whole = whole_units(compute_metric(snapshot, metric.name, period, where=where).frame, parts)
    sums = {
        by: whole_units(compute_metric(snapshot, metric.name, period, by=by, where=where).frame, parts) for by in cuts
    }
    return {by: found for by, found in sums.items() if found != whole}, whole


def singles(metric: Metric) -> list[tuple[str, ...]]:
    """Every dimension by itself."""
    return [(name,) for name in metric.dimensions]


def drawn(metric: Metric, size: int) -> list[tuple[str, ...]]:
    """Sets of `size` dimensions, drawn by the metric's name, so that every dimension is in one."""
    names = list(metric.dimensions)
    random.Random(metric.name).shuffle(names)  # noqa: S311 - test data
    return [tuple(names[start : start + size]) for start in range(0, len(names), size)]
