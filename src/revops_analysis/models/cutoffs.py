"""Cutoffs: the past days on which a forecast could have been made, and the period that each looks at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pandas as pd

from revops_analysis.periods import Period, end_of_day_utc, previous, weeks_of

if TYPE_CHECKING:
    from revops_analysis.periods import FiscalCalendar


@dataclass(frozen=True)
class Cutoff:
    """The end of a day on which a period is forecast. `offset` counts days from the period's first, which is 0."""

    day: date
    period: Period

    @property
    def offset(self) -> int:
        """Days since the period's first day; negative before it."""
        return (self.day - self.period.start).days

    @property
    def week(self) -> int:
        """The week of the period that the day lies in or ends: 0 before the period, 1 for its first seven days."""
        return max(0, min(self.offset // 7 + 1, len(weeks_of(self.period))))


def week_ends(period: Period, weeks: Iterable[int] = ()) -> tuple[Cutoff, ...]:
    """The last days of the period's weeks, or of those asked for; week 0 is the day before the period.

    >>> from datetime import date
    >>> quarter = Period("2026-Q3", date(2026, 7, 1), date(2026, 9, 30))
    >>> [str(cutoff.day) for cutoff in week_ends(quarter, [0, 1, 13])]
    ['2026-06-30', '2026-07-07', '2026-09-30']
    """
    ends = {0: period.start - timedelta(days=1), **{number: last for number, _, last in weeks_of(period)}}
    wanted = tuple(weeks) or tuple(ends)
    return tuple(Cutoff(ends[number], period) for number in wanted if number in ends)


def shifted(period: Period, offsets: Iterable[int]) -> tuple[Cutoff, ...]:
    """Cutoffs at the same distances, in days, from the period's first day."""
    return tuple(Cutoff(period.start + timedelta(days=offset), period) for offset in offsets)


def periods_before(period: Period, calendar: FiscalCalendar, first_day: date, last_day: date) -> tuple[Period, ...]:
    """The periods before `period` that lie wholly within the two days, oldest first."""
    found: list[Period] = []
    past = previous(period, calendar)
    while past.start >= first_day:
        if past.end <= last_day:
            found.append(past)
        past = previous(past, calendar)
    return tuple(reversed(found))


def as_table(cutoffs: Sequence[Cutoff], zone: str) -> ir.Table:
    """The cutoffs as a table of the engine: cutoff, ends_at (UTC, exclusive), period, first_day, last_day."""
    rows = {
        "cutoff": [cutoff.day for cutoff in cutoffs],
        "ends_at": [end_of_day_utc(cutoff.day, zone) for cutoff in cutoffs],
        "period": [cutoff.period.label for cutoff in cutoffs],
        "first_day": [cutoff.period.start for cutoff in cutoffs],
        "last_day": [cutoff.period.end for cutoff in cutoffs],
    }
    return ibis.memtable(pd.DataFrame(rows), schema=_SCHEMA)


_SCHEMA = ibis.schema(
    {"cutoff": "date", "ends_at": "timestamp(6)", "period": "string", "first_day": "date", "last_day": "date"}
)
