"""Rules that look at past bookings only: last period, and the same period last year × growth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.models.evidence import Evidence
from revops_analysis.models.rivals.past import Floats, Past
from revops_analysis.models.rivals.rule import Replay, Rival

Ints = npt.NDArray[np.int64]

_DAYS_A_YEAR = 365.25


@dataclass(frozen=True)
class LastPeriod(Rival):
    """As much as in the last period that is over, and never less than what is booked already."""

    name: ClassVar[str] = "last_period"
    title: ClassVar[str] = "Last period"

    def replay(self, evidence: Evidence, past: Past) -> Replay | str:
        """Repeat the last period."""
        last = _last(past)
        total = np.where(last >= 0, past.bookings[last], np.nan)
        if np.isnan(total[-1]):
            return "It needs 1 past period, there is none."
        label = past.periods["period"].iloc[last[-1]]
        return Replay(_rest(past, total), (f"Bookings of {label}.",))


@dataclass(frozen=True)
class SamePeriodLastYear(Rival):
    """As much as a year ago × growth, and never less than what is booked already.

    Growth is the bookings of the last year's periods over those of the year before; with less than two years of them,
    the latest periods that have one a year before over those, so that seasons cancel out.
    """

    name: ClassVar[str] = "same_period_last_year"
    title: ClassVar[str] = "Same period last year × growth"

    def replay(self, evidence: Evidence, past: Past) -> Replay | str:
        """Repeat the period of a year ago, grown."""
        year = _periods_a_year(past)
        base = past.rows["place"].to_numpy() - year
        found = np.maximum(base, 0)
        has_base = (base >= 0) & past.known[np.arange(len(base)), found]
        growth, counts = _growth(past, year)
        total = np.where(has_base, past.bookings[found] * growth, np.nan)
        if np.isnan(total[-1]):
            known = int(past.known[-1].sum())
            return f"It needs the bookings of the same period last year: {year} past periods, there are {known}."
        label, count = past.periods["period"].iloc[base[-1]], int(counts[-1])
        if count == 0:
            return Replay(_rest(past, total), (f"Bookings of {label}; growth is not known before {year + 1} periods.",))
        note = f"Bookings of {label} × {growth[-1]:.3f}: the last {count} periods over those a year before."
        return Replay(_rest(past, total), (note,))


def _rest(past: Past, total: Floats) -> pd.DataFrame:
    """What is still to come."""
    gap = total - past.secured
    return pd.DataFrame({"rest": np.where(np.isnan(gap), np.nan, np.maximum(gap, 0.0))})


def _last(past: Past) -> Ints:
    """Place of the last period known at each row, -1 if there is none."""
    count = past.known.shape[1]
    return np.where(past.known.any(axis=1), count - 1 - np.argmax(past.known[:, ::-1], axis=1), -1)


def _periods_a_year(past: Past) -> int:
    days = (past.periods["last_day"] - past.periods["first_day"]).dt.days.median() + 1
    return max(1, round(_DAYS_A_YEAR / days))


def _growth(past: Past, year: int) -> tuple[Floats, Ints]:
    """Growth over a year at each row (1 where not known), and how many periods it rests on."""
    sums = np.concatenate([[0.0], np.cumsum(np.nan_to_num(past.bookings))])
    end = _last(past) + 1
    count = np.clip(end - year, 0, year)
    later = sums[end] - sums[end - count]
    start = np.maximum(end - year, 0)
    earlier = sums[start] - sums[np.maximum(start - count, 0)]
    can = (count > 0) & (earlier > 0)
    return np.divide(later, earlier, out=np.ones(len(end)), where=can), np.where(can, count, 0)
