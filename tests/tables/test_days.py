"""Moments become business days, the same ones that Python's time-zone database gives."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import ibis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import moment
from revops_analysis.periods import end_of_day_utc
from revops_analysis.tables.days import business_day, offset_changes

ZONES = ("America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns", "UTC")


def days_of(moments: list[dt.datetime | None], zone: str) -> list[dt.date | None]:
    table = ibis.memtable({"moment": moments}, schema={"moment": "timestamp(6)"})
    return table.select(day=business_day(table.moment, zone)).to_pyarrow()["day"].to_pylist()


@pytest.mark.parametrize("zone", ZONES)
@settings(max_examples=5, deadline=None, derandomize=True)
@given(st.lists(st.datetimes(moment("2000-01-01 00:00:00"), moment("2040-12-31 00:00:00")), min_size=20, max_size=100))
def test_days_agree_with_the_time_zone_database(zone: str, moments: list[dt.datetime]) -> None:
    expected = [moment.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(zone)).date() for moment in moments]
    assert days_of(moments, zone) == expected


@pytest.mark.parametrize("zone", ZONES)
def test_the_microsecond_before_a_day_ends_still_belongs_to_it(zone: str) -> None:
    days = [dt.date(2026, 3, 7) + dt.timedelta(days=n) for n in range(250)]
    ends = [end_of_day_utc(day, zone) for day in days]
    assert days_of([end - dt.timedelta(microseconds=1) for end in ends], zone) == days
    assert days_of(list(ends), zone) == [day + dt.timedelta(days=1) for day in days]


def test_missing_moments_have_no_day() -> None:
    assert days_of([None, moment("2026-07-01 03:59:00")], "America/New_York") == [None, dt.date(2026, 6, 30)]


def test_clock_changes_are_found_to_the_second() -> None:
    changes = dict(offset_changes("America/New_York")[1])
    assert changes[moment("2026-03-08 07:00:00")] == -4 * 3600
    assert changes[moment("2026-11-01 06:00:00")] == -5 * 3600
    assert offset_changes("America/New_York", 2026, 2026)[1][-1] == (moment("2026-11-01 06:00:00"), -5 * 3600)
