"""Moments become days: which business day a UTC timestamp falls on, as an expression that every engine understands.

The offsets come from Python's time-zone database and are written into the expression, newest first. So DuckDB and
Postgres give the same day, whatever zone data they were built with, and a column of millions costs a comparison or two
a row.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir

from revops_analysis.periods import end_of_day_utc

FIRST_YEAR = 2000
"""Clock changes before this year are not looked at: the offset of its first day stands for all earlier moments."""

LAST_YEAR = 2060
"""Clock changes after this year are not looked at."""


@dataclass(frozen=True)
class AsOf:
    """One day as the engine sees it: `end` is the UTC instant at which `day` is over (exclusive).

    `zone` is the business time zone, `years` the first and last whose clock changes matter. `is_last` says
    that the source knows nothing later: what has no date is then known to have happened.
    """

    day: dt.date
    end: dt.datetime
    zone: str
    years: tuple[int, int]
    is_last: bool

    @classmethod
    def of(cls, day: dt.date, zone: str, data_through: dt.date, first_year: int | None = None) -> AsOf:
        """Return the end of `day` in the business time zone `zone`, for data that begins in `first_year`."""
        years = (FIRST_YEAR if first_year is None else max(first_year, FIRST_YEAR), data_through.year)
        return cls(day, end_of_day_utc(day, zone), zone, years, day >= data_through)

    def any_day(self) -> AsOf:
        """Return a stand-in for any day, whose literals occur nowhere else."""
        return replace(self, day=dt.date(9876, 5, 4), end=dt.datetime.combine(dt.date(9876, 5, 5), dt.time(4, 3, 2)))

    def literals(self) -> tuple[ir.Value, ir.Value]:
        """Return the day and its end as the expressions below write them."""
        return ibis.literal(self.day), ibis.literal(self.end, "timestamp(6)")

    def reached(self, value: ir.Value) -> ir.Value:
        """Return whether a date or moment lies on or before the day; null stays null."""
        day, end = self.literals()
        return value <= day if value.type().is_date() else value < end

    @property
    def next_day(self) -> ir.Value:
        """Return the day after, as an expression."""
        return ibis.literal(self.day + dt.timedelta(days=1))

    def day_of(self, moment: ir.Value) -> ir.Value:
        """Return the business day of a moment that lies on or before the day."""
        return business_day(moment, self.zone, *self.years)


@dataclass(frozen=True)
class EachDay:
    """Several days at once: a row of `rows` is looked at from the day that it names itself, in `known_on`.

    So a table as it stood on twenty days is one query and not twenty.
    """

    rows: ibis.Table

    @classmethod
    def over(cls, table: ibis.Table, days: Sequence[AsOf]) -> EachDay:
        """Return the rows of `table` once for each day; `known_on`, `known_until` and `known_last` say which."""
        named = {
            "known_on": [at.day for at in days],
            "known_until": [at.end for at in days],
            "known_last": [at.is_last for at in days],
        }
        types = {"known_on": "date", "known_until": "timestamp(6)", "known_last": "boolean"}
        return cls(table.cross_join(ibis.memtable(named, schema=ibis.schema(types))))

    def reached(self, value: ir.Value) -> ir.Value:
        """Return whether a date or moment of a row lies on or before its day; null stays null."""
        return value <= self.rows.known_on if value.type().is_date() else value < self.rows.known_until

    @property
    def next_day(self) -> ir.Value:
        """Return the day after that of a row."""
        return (self.rows.known_on + ibis.interval(days=1)).cast("date")

    @property
    def is_last(self) -> ir.Value:
        """Return whether the source knows nothing later than a row's day."""
        return self.rows.known_last


def business_day(moment: ir.Value, zone: str, first_year: int = FIRST_YEAR, last_year: int = LAST_YEAR) -> ir.Value:
    """Return the day (date) on which a UTC timestamp falls in the IANA time zone `zone`; null stays null.

    Clock changes before `first_year` and after `last_year` are not looked at: fewer make a shorter expression.
    """
    first, changes = offset_changes(zone, first_year, last_year)
    local = _shifted(moment, first)
    if changes:
        branches = [(moment >= ibis.literal(at, "timestamp(6)"), _shifted(moment, offset)) for at, offset in changes]
        local = ibis.cases(*reversed(branches), else_=local)
    return local.date()


@lru_cache
def offset_changes(
    zone: str, first_year: int = FIRST_YEAR, last_year: int = LAST_YEAR
) -> tuple[int, tuple[tuple[dt.datetime, int], ...]]:
    """Return the zone's first offset in seconds, and each later change: (moment in naive UTC, new offset).

    >>> first, changes = offset_changes("America/New_York")
    >>> first, changes[0]
    (-18000, (datetime.datetime(2000, 4, 2, 7, 0), -14400))
    >>> offset_changes("Asia/Tokyo")
    (32400, ())
    """
    info = ZoneInfo(zone)
    day = dt.timedelta(days=1)
    moment, end = dt.datetime(first_year, 1, 1, tzinfo=dt.UTC), dt.datetime(last_year + 1, 1, 1, tzinfo=dt.UTC)
    first = before = _offset(moment, info)
    changes = []
    while moment < end:
        after = _offset(moment + day, info)
        if after != before:
            changes.append((_change_between(moment, moment + day, info), after))
            before = after
        moment += day
    return first, tuple(changes)


def _offset(moment: dt.datetime, zone: ZoneInfo) -> int:
    offset = moment.astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def _change_between(low: dt.datetime, high: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """Return the second at which the offset changes between two moments, as naive UTC."""
    before = _offset(low, zone)
    while high - low > dt.timedelta(seconds=1):
        middle = low + dt.timedelta(seconds=(high - low).total_seconds() // 2)
        low, high = (middle, high) if _offset(middle, zone) == before else (low, middle)
    return high.replace(tzinfo=None)


def _shifted(moment: ir.Value, seconds: int) -> ir.Value:
    return moment + ibis.interval(seconds=seconds)
