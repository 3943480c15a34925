"""From counts by duration and result to incidences at a horizon, for each cut of a metric."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import ibis.expr.types as ir
import pandas as pd

if TYPE_CHECKING:
    from revops_analysis.statistics.survival import CumulativeIncidence

Row = dict[str, Any]
_NUMBERS = ("value", "low", "high", "conversion", "loss", "median_days")
Summary = Callable[["CumulativeIncidence", pd.DataFrame], Row]


def durations(table: ir.Table, keys: Sequence[str], *more: str) -> pd.DataFrame:
    """Count rows by keys, `days` and `result` in the engine: columns keys, days, result (null: not ended), cases.

    Durations are whole days, so a million deals come out as a few thousand rows.
    """
    columns = [*keys, "days", "result", *more]
    return table.group_by(columns).aggregate(cases=table.count()).to_pandas()


def by_cut(counts: pd.DataFrame, keys: Sequence[str], summary: Summary) -> pd.DataFrame:
    """One row a combination of keys: what `summary` reads from its curve. Without keys there is always one row."""
    rows = [{**names, **summary(_curve(group), group)} for names, group in _groups(counts, keys)]
    frame = pd.DataFrame(rows, columns=None if rows else [*keys, "value", "low", "high", "n", "reason"])
    return frame.astype({name: "float64" for name in _NUMBERS if name in frame})


def _groups(counts: pd.DataFrame, keys: Sequence[str]) -> Iterator[tuple[Row, pd.DataFrame]]:
    if not keys:
        yield {}, counts
        return
    for label, group in counts.groupby(list(keys), dropna=False, sort=True):
        yield dict(zip(keys, label if isinstance(label, tuple) else (label,), strict=True)), group


def _curve(group: pd.DataFrame) -> CumulativeIncidence:
    from revops_analysis.statistics.survival import aalen_johansen

    return aalen_johansen(group["days"], group["result"], weights=group["cases"])


def at_horizon(curve: CumulativeIncidence, cause: Hashable, horizon: int, as_of: dt.date, subject: str = "deal") -> Row:
    """value, low, high, n and reason of the incidence of `cause` by the horizon in days; n counts `subject`s."""
    n = round(curve.n)
    if n == 0:
        return {"value": None, "low": None, "high": None, "n": 0, "reason": f"no {subject}s"}
    read = curve.at([horizon], cause).iloc[0]
    reason = not_observed(curve, horizon, as_of, subject) if pd.isna(read["incidence"]) else None
    return {"value": read["incidence"], "low": read["low"], "high": read["high"], "n": n, "reason": reason}


def not_observed(curve: CumulativeIncidence, horizon: int, as_of: dt.date, subject: str = "deal") -> str:
    """Why nothing is known at the horizon, with the day from which on it can be."""
    first = as_of + dt.timedelta(days=horizon - int(curve.follow_up))
    return (
        f"no {subject} has been watched for {horizon} days yet, the longest for {int(curve.follow_up)}; "
        f"observable from {first.isoformat()}"
    )
