"""Past periods restated: the same data and day under two sets of definitions, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from revops_analysis.metrics.registry import compute_metric

if TYPE_CHECKING:
    from revops_analysis.definitions import Definitions
    from revops_analysis.tables.snapshot import Snapshot

RESTATED = (
    *("bookings", "pipeline_created", "open_pipeline", "win_rate", "average_deal_size", "sales_cycle_days"),
    *("leads_qualified", "arr", "nrr", "grr"),
)
"""Metrics that are restated unless others are asked for: those of a board summary that look back."""

_ANSWER = ("value", "n", "reason")


@dataclass(frozen=True)
class RestatementRequest:
    """What to restate: metrics, the periods (one or a series, as `2025-Q1...2026-Q3`), cut and filter."""

    metrics: tuple[str, ...]
    period: str
    by: tuple[str, ...] = ()
    where: str | None = None


def restate(snapshot: Snapshot, old: Definitions, new: Definitions, request: RestatementRequest) -> pd.DataFrame:
    """Compute metrics under two sets of definitions, over the same data as of the same day.

    Columns: metric, period, the dimensions of `by` and the metrics' own parts, unit, old, new, difference (new − old;
    null where either is), n_old, n_new, reason_old, reason_new (why there is no value; "no such row" where only one
    set of words has it). Money is in the reporting currency of each. A period is the one that each set's fiscal
    calendar means by its name.

    Raises ConfigurationError for an unknown metric, dimension, column or period.
    """
    frames = [_one(snapshot, old, new, name, request) for name in request.metrics]
    stacked = pd.concat(frames, ignore_index=True)
    last = ["unit", "old", "new", "difference", "n_old", "n_new", "reason_old", "reason_new"]
    return stacked[[*(name for name in stacked.columns if name not in last), *last]]


def _one(
    snapshot: Snapshot, old: Definitions, new: Definitions, metric: str, request: RestatementRequest
) -> pd.DataFrame:
    asked = (request.period, request.by, request.where)
    answers = [compute_metric(snapshot.under(words), metric, *asked) for words in (old, new)]
    keys = ["metric", "period", *answers[0].dimensions]
    before, after = (
        _renamed(answer.frame, keys, suffix) for answer, suffix in zip(answers, ("old", "new"), strict=True)
    )
    both = _in_order(before, after, keys)
    both["unit"] = answers[0].metric.unit
    both["difference"] = both["new"] - both["old"]
    if both["unit"].iloc[0] in ("currency", "currency_per_day"):
        both["difference"] = both["difference"].round(2)
    return both


def _renamed(frame: pd.DataFrame, keys: Sequence[str], suffix: str) -> pd.DataFrame:
    names = {"value": suffix, "n": f"n_{suffix}", "reason": f"reason_{suffix}"}
    return frame[[*keys, *_ANSWER]].rename(columns=names)


def _in_order(before: pd.DataFrame, after: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Rows of both, in the order of the new, then those that only the old has; a null key fits a null key."""
    both = after.merge(before, on=keys, how="outer", indicator=True, sort=False)
    place = pd.concat([after[keys], before[keys]]).drop_duplicates().reset_index(drop=True)
    both = place.merge(both, on=keys, how="left", sort=False)
    for suffix, only in (("old", "left_only"), ("new", "right_only")):
        both.loc[both["_merge"] == only, f"reason_{suffix}"] = "no such row"
    return both.drop(columns="_merge")
