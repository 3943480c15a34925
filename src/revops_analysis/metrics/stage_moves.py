"""Time that deals spent in each stage, and the moves out of it: what rates of moves are made of.

A rate of moves is moves ÷ days at risk. It takes open deals for as long as they were watched, so a stage in which deals
stand and do not move shows at once, and not only when they have left it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import ibis
import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.metrics.deals import headline
from revops_analysis.metrics.registry import MetricRequest, get_metric
from revops_analysis.metrics.stages import stage_visits
from revops_analysis.periods import Period

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

SLICE_DAYS = 91
"""Thirteen weeks: wherever a slice begins, it holds each week of a quarter once, its busy end too."""

AGES = (0, 1, 7, 14, 28, 56, 112)
"""Days in the stage at which a band of age begins: how soon a deal moves depends on how long it has been there."""

_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, eq=False)
class StageMoves:
    """Days at risk and moves, a row a visit, slice and band of age.

    `frame`: deal (a number), the columns asked for, stage and stage_number, entered (days before `end`), `slice` (0:
    the last 91 days up to `end`, 1: those before, …), `age` (the band, from 0), days (at risk; the day of entry
    counts), advanced and lost (0 or 1: whether the visit ended so on a day of the row), is_standing (the last row of a
    visit that was not over), amount (of the deal, reporting currency; nan where it has none). `end` is the last day.
    """

    frame: pd.DataFrame
    end: date
    slices: int


def stage_moves(snapshot: Snapshot, end: date, slices: int, by: Sequence[str] = ()) -> StageMoves:
    """Stage visits of headline deals over the `slices` × 91 days up to `end` (at the latest the as-of date).

    `by`: dimensions of deals to carry along (`DEAL_DIMENSIONS`); a missing value stays null. What happened after `end`
    is not looked at. Needs `opportunity_history`; without it there are no rows.
    """
    last = min(end, snapshot.as_of)
    first = np.datetime64(last) - slices * SLICE_DAYS * _DAY
    visits = headline(stage_visits(snapshot))
    left = visits.entered_on + visits.days * ibis.interval(days=1)
    inside = visits.filter((visits.entered_on <= ibis.literal(last)) & (left > ibis.literal(first.astype(object))))
    request = MetricRequest(get_metric("stage_conversion"), snapshot, Period("window", last, last), tuple(by))
    named = inside.select(
        "opportunity_id",
        "stage",
        "stage_number",
        "entered_on",
        "days",
        "result",
        amount=inside.amount.cast("float64"),
        **request.named(inside),
    )
    return StageMoves(_split(named.to_pandas(), np.datetime64(last), slices), last, slices)


def _split(visits: pd.DataFrame, last: np.datetime64, slices: int) -> pd.DataFrame:
    """One row for each slice and band of age in which a visit spent a day."""
    entered = ((visits["entered_on"].to_numpy().astype("datetime64[D]") - last) / _DAY).astype(np.int64)
    ended_at = entered + visits["days"].to_numpy(dtype=np.int64)
    # The last day at risk: that of the move, or `last` for a visit that then was not over.
    until = np.minimum(ended_at, 0)
    ends = (visits["result"].notna().to_numpy() & (ended_at <= 0)).astype(bool)
    rows, number, band, days, final, standing = [], [], [], [], [], []
    for place, begin in enumerate(AGES):
        stop = AGES[place + 1] if place + 1 < len(AGES) else 10**6
        for back in range(slices):
            low, high = -(back + 1) * SLICE_DAYS + 1, -back * SLICE_DAYS
            since, to = np.maximum(entered + begin, low), np.minimum(np.minimum(until, entered + stop - 1), high)
            at = np.flatnonzero(to >= since)
            rows.append(at)
            number.append(np.full(len(at), back))
            band.append(np.full(len(at), place))
            days.append(to[at] - since[at] + 1)
            final.append((to[at] == until[at]) & ends[at])
            standing.append((to[at] == 0) & ~ends[at])
    row, over = np.concatenate(rows), np.concatenate(final)
    result = visits["result"].to_numpy(dtype=object)[row]
    frame = visits.drop(columns=["opportunity_id", "entered_on", "days", "result"]).iloc[row].reset_index(drop=True)
    return frame.assign(
        deal=_codes(visits["opportunity_id"])[row],
        entered=-entered[row],
        slice=np.concatenate(number),
        age=np.concatenate(band),
        days=np.concatenate(days),
        advanced=(over & (result == "advanced")).astype(np.int64),
        lost=(over & (result == "lost")).astype(np.int64),
        is_standing=np.concatenate(standing),
    )


def _codes(values: pd.Series) -> npt.NDArray[np.int64]:
    return pd.factorize(values, sort=True)[0].astype(np.int64)
