"""The calendar of the simulation: days as whole numbers since 1970, weeks from Monday, calendar quarters."""

from __future__ import annotations

import datetime as dt

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.int64]

FIRST_DAY = dt.date(2021, 10, 4)
"""A Monday a year before history starts: the process warms up, so that the first quarter has a full pipeline."""
HISTORY_START = dt.date(2022, 10, 1)
DATA_THROUGH = dt.date(2026, 9, 30)
LAST_DAY = dt.date(2027, 3, 31)
"""The process runs on for two quarters after `DATA_THROUGH`, which only the truth sees."""

NO_DAY = np.iinfo(np.int64).min
"""Stands for a missing day or moment."""
FAR = 200_000
"""A day that never comes."""
DAY_US = 86_400_000_000


def number(day: dt.date) -> int:
    """Days from 1970-01-01 to `day`.

    >>> number(dt.date(1970, 1, 2))
    1
    """
    return (day - dt.date(1970, 1, 1)).days


ZERO, START, THROUGH, END = (number(day) for day in (FIRST_DAY, HISTORY_START, DATA_THROUGH, LAST_DAY))
WEEKS = (END - ZERO) // 7 + 1


def _dates(days: Days) -> NDArray[np.datetime64]:
    return np.asarray(days, dtype=np.int64).astype("datetime64[D]")


def week_of(days: Days) -> Days:
    """The simulation's week that holds each day: 0 for the week of `FIRST_DAY`."""
    return (days - ZERO) // 7


def monday(weeks: Days) -> Days:
    """The first day of each week."""
    return ZERO + 7 * weeks


def month_of(days: Days) -> Days:
    """Months since January 1970."""
    return _dates(days).astype("datetime64[M]").astype(np.int64)


def month_start(months: Days) -> Days:
    """First day of each month, counted from January 1970."""
    return np.asarray(months, dtype=np.int64).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def month_end(days: Days) -> Days:
    """Last day of the month that holds each day."""
    return month_start(month_of(days) + 1) - 1


def quarter_of(days: Days) -> Days:
    """Calendar quarters since the first of 1970."""
    return month_of(days) // 3


def quarter_start(quarters: Days) -> Days:
    """First day of each quarter."""
    return month_start(np.asarray(quarters) * 3)


def quarter_end(days: Days) -> Days:
    """Last day of the quarter that holds each day."""
    return month_start((quarter_of(days) + 1) * 3) - 1


def quarter_label(quarter: int) -> str:
    """The name of a quarter.

    >>> quarter_label(number(dt.date(2026, 9, 30)) and 226)
    '2026-Q3'
    """
    return f"{1970 + quarter // 4}-Q{quarter % 4 + 1}"


def years_since_start(days: Days) -> NDArray[np.float64]:
    """Years from `HISTORY_START`, negative before."""
    return (np.asarray(days) - START) / 365.25


def to_business_day(days: Days) -> Days:
    """Saturdays and Sundays become the Friday before. (1970-01-01 was a Thursday.)"""
    weekday = (days + 3) % 7
    return days - np.maximum(weekday - 4, 0)


def moments(days: Days, draws: NDArray[np.float64], late: float = 0.02) -> Days:
    """UTC microseconds within the business day of each local day, by uniform `draws`.

    Working hours are 14:00 to 22:00 UTC, which is daytime in New York all year. A share `late` happens on the
    evening of the same local day, when UTC is already on the next date: whoever takes the UTC date gets it wrong.
    """
    seconds = 14 * 3600 + draws / (1 - late) * 8 * 3600
    evening = 24 * 3600 + (draws - (1 - late)) / late * 3.5 * 3600
    of_day = np.where(draws < 1 - late, seconds, evening)
    result = np.asarray(days, dtype=np.int64) * DAY_US + of_day.astype(np.int64) * 1_000_000
    return np.where(np.asarray(days) == NO_DAY, NO_DAY, result)
