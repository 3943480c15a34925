"""Pipeline created against what the coming quarters need.

At the same point of past quarters: what was booked later from pipeline that was there (per unit of it), and what from
pipeline created afterwards (per unit of that), in the quarter itself, the one after it and the next. With these yields
the pipeline of today brings its part of each coming target, and the rest must come from pipeline still to be created.
The pace is what was created in windows of the same length in the last four quarters. Intervals draw whole past
quarters with replacement, because what makes one unlike another is common to all of its deals.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from revops_analysis.metrics.dealflow.book import DealBook, deal_book
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.metrics.yields import interval, resampled
from revops_analysis.periods import Period, following

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

QUARTERS = 3
"""How many quarters are looked at, the one of the outlook first."""

_PACE_QUARTERS = 4
_PARTS = ("existing", "open", "new", "created")


@dataclass(frozen=True, eq=False)
class CreationNeed:
    """What must be created for each coming quarter, in the reporting currency.

    `frame`: [period, target, booked, from_open, to_create, yield_created, needed, low, high, pace, ratio, enough, n,
    reason]. `from_open`: expected from the pipeline of today; `to_create`: what is left after it; `yield_created`:
    bookings of the quarter per unit of pipeline created from now to its end; `needed`: pipeline to be created until
    then, with 95% interval; `pace`: what is created in so long a time; `ratio`: pace ÷ needed; `enough`: share of
    resamples in which the pace suffices; `n`: past quarters. What cannot be known is null, with `reason`; a target that
    is met, or needs no new pipeline, needs 0.
    """

    frame: pd.DataFrame


def creation_need(snapshot: Snapshot, outlook: Period) -> CreationNeed:
    """Needed creation for the outlook's quarter and those after it; see `CreationNeed`."""
    book = deal_book(snapshot, outlook)
    rows, period = [], outlook
    for lag in range(QUARTERS):
        rows.append(_row(snapshot, book, period, lag))
        period = following(period, snapshot.definitions.fiscal_calendar)
    return CreationNeed(pd.DataFrame(rows)[_COLUMNS])


_COLUMNS = [
    *("period", "target", "booked", "from_open", "to_create", "yield_created", "needed", "low", "high"),
    *("pace", "ratio", "enough", "n", "reason"),
]


def _row(snapshot: Snapshot, book: DealBook, period: Period, lag: int) -> dict[str, Any]:
    target = compute_metric(snapshot, "target", period).frame.iloc[0]
    booked = _sum(book.deals, _won_in(book.deals, period.start, min(period.end, book.as_of)))
    sums = past_sums(book, lag, snapshot)
    empty = dict.fromkeys(_COLUMNS, float("nan"))
    row = {**empty, "period": period.label, "target": target["value"], "booked": booked, "n": len(sums), "reason": None}
    needed = snapshot.definitions.coverage.minimum_periods
    if len(sums) < needed:
        return {**row, "reason": f"{len(sums)} past quarters are on record, and at least {needed} are needed"}
    total, open_now = sums.sum(axis=0), float(book.open["cents"].sum()) / 100
    if total[1] <= 0 or total[2] <= 0:
        return {**row, "reason": "nothing was booked from pipeline created so late in past quarters"}
    made = {"from_open": total[0] / total[1] * open_now, "yield_created": total[2] / total[3]}
    row |= {**made, "pace": _pace(book, (period.end - book.as_of).days)}
    if pd.isna(target["value"]):
        return {**row, "reason": target["reason"]}
    return {**row, **_needed(sums, float(target["value"]) - booked, open_now, float(row["pace"]))}


def _needed(sums: np.ndarray, left: float, open_now: float, pace: float) -> dict[str, Any]:
    """What must be created, from sums over past quarters (columns `_PARTS`)."""
    total = sums.sum(axis=0, keepdims=True)
    found, spread = (_gap(each, left, open_now) for each in (total, resampled(sums)))
    made = {"to_create": max(left - total[0, 0] / total[0, 1] * open_now, 0.0)}
    if left <= 0 or found[0] <= 0:
        return {**made, "needed": 0.0, "enough": 1.0}
    low, high = interval(spread)
    known = spread[np.isfinite(spread)]
    enough = float((known <= pace).mean()) if len(known) else float("nan")
    value = float(found[0])
    return {**made, "needed": value, "low": low, "high": high, "ratio": pace / value, "enough": enough}


def _gap(sums: np.ndarray, left: float, open_now: float) -> np.ndarray:
    existing, opened, new, created = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.maximum(left - existing / opened * open_now, 0.0)
        return np.where(gap > 0, gap / (new / created), 0.0)


def past_sums(book: DealBook, lag: int, snapshot: Snapshot) -> np.ndarray:
    """A row a past quarter of which the one `lag` later is over: booked later from pipeline that was there, its amount,
    booked from pipeline created afterwards, its amount.
    """
    rows = []
    for past, cutoff in book.analogues:
        last = past
        for _ in range(lag):
            last = following(last, snapshot.definitions.fiscal_calendar)
        if last.end > book.as_of:
            continue
        first = max(last.start, cutoff + timedelta(days=1))
        won = _won_in(book.deals, first, last.end)
        was_there = book.deals["created_on"] <= pd.Timestamp(cutoff)
        then = book.seen["cutoff"] == pd.Timestamp(cutoff)
        created = _sum(book.deals, _created_in(book.deals, cutoff, last.end), "first_cents")
        seen = float(book.seen.loc[then, "cents"].sum()) / 100
        rows.append((_sum(book.deals, won & was_there), seen, _sum(book.deals, won & ~was_there), created))
    return np.array(rows, dtype=float).reshape(-1, len(_PARTS))


def _pace(book: DealBook, days: int) -> float:
    """What is created in so many days, at the pace of the last four quarters up to the as-of date."""
    year = timedelta(days=round(365.25 * _PACE_QUARTERS / 4))
    made = _sum(book.deals, _created_in(book.deals, book.as_of - year, book.as_of), "first_cents")
    return made * days / year.days


def _won_in(deals: pd.DataFrame, first: date, last: date) -> pd.Series:
    return (deals["status"] == "won") & deals["closed_on"].between(pd.Timestamp(first), pd.Timestamp(last))


def _created_in(deals: pd.DataFrame, after: date, last: date) -> pd.Series:
    return (deals["created_on"] > pd.Timestamp(after)) & (deals["created_on"] <= pd.Timestamp(last))


def _sum(deals: pd.DataFrame, mask: pd.Series, column: str = "cents") -> float:
    return float(deals.loc[mask, column].sum()) / 100
