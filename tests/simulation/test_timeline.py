from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from revops_analysis.simulation import timeline as tl

DAYS = st.dates(dt.date(2021, 10, 4), dt.date(2027, 3, 31))


@given(day=DAYS, draw=st.floats(0, 0.999999))
def test_a_moment_lies_on_its_day_in_new_york(day: dt.date, draw: float) -> None:
    moment = int(tl.moments(np.array([tl.number(day)]), np.array([draw]))[0])
    local = dt.datetime.fromtimestamp(moment / 1e6, tz=ZoneInfo("America/New_York"))
    assert local.date() == day


def test_some_moments_are_already_tomorrow_in_utc() -> None:
    days = np.full(1000, tl.START)
    dates = tl.moments(days, np.arange(1000) / 1000) // tl.DAY_US
    assert 10 <= (dates == tl.START + 1).sum() <= 30


@given(day=DAYS)
def test_quarters_and_months_end_as_in_the_calendar(day: dt.date) -> None:
    number = np.array([tl.number(day)])
    first = dt.date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
    assert tl.quarter_start(tl.quarter_of(number))[0] == tl.number(first)
    after = dt.date(day.year + day.month // 12, day.month % 12 + 1, 1)
    assert tl.month_end(number)[0] == tl.number(after) - 1
    assert tl.quarter_end(number)[0] >= number[0]


@given(day=DAYS)
def test_business_days_are_never_at_the_weekend(day: dt.date) -> None:
    moved = int(tl.to_business_day(np.array([tl.number(day)]))[0])
    assert (dt.date(1970, 1, 1) + dt.timedelta(days=moved)).weekday() < 5
    assert 0 <= tl.number(day) - moved <= 2


def test_a_missing_day_stays_missing() -> None:
    assert tl.moments(np.array([tl.NO_DAY]), np.array([0.5]))[0] == tl.NO_DAY


def test_quarters_have_names() -> None:
    assert tl.quarter_label(int(tl.quarter_of(np.array([tl.THROUGH]))[0])) == "2026-Q3"
    with pytest.raises(ValueError, match="Invalid isoformat"):
        tl.number(dt.date.fromisoformat("2026-9-30"))
