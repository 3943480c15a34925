"""When something is due, and of which day it is: decided for every zone, also where the clock jumps."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revops_analysis.periods import FiscalCalendar, YearEnd
from revops_analysis.reporting.schedule.moments import (
    AsOfRule,
    logical_date,
    moments_between,
    next_moment,
    parse_cron,
    parse_moment,
)

NEW_YORK, BERLIN, LORD_HOWE = ZoneInfo("America/New_York"), ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe")
MONTHS = FiscalCalendar()


def _due(cron: str, zone: ZoneInfo, first: str, last: str) -> list[str]:
    start, end = (datetime.fromisoformat(text).replace(tzinfo=zone) for text in (first, last))
    return [f"{due.astimezone(zone):%m-%d %H:%M %z}" for due in moments_between(cron, zone, start, end)]


def test_monday_is_monday_whatever_number_a_library_gives_it() -> None:
    due = moments_between("0 7 * * mon", UTC_ZONE, datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 9, 30, tzinfo=UTC))
    assert {day.weekday() for day in due} == {0}
    assert len(due) == 4


UTC_ZONE = ZoneInfo("UTC")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 7 * * 1", "by name"),
        ("0 7 * * 0-5", "by name"),
        ("0 7 1 * mon", "either to one program and both to another"),
        ("0 7 * *", "five fields"),
        ("0 7 * * * *", "five fields"),
        ("60 7 * * *", "maximum"),
        ("0 7 30 feb *", "no such day"),
        ("0 7 * * moon", ""),
        ("@daily", "five fields"),
    ],
)
def test_what_two_programs_read_differently_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_cron(text)


def test_a_time_that_the_clock_jumps_over_is_due_when_as_much_time_has_passed() -> None:
    """2026-03-08 in New York: 02:00 EST is 03:00 EDT."""
    assert _due("30 2 * * *", NEW_YORK, "2026-03-07", "2026-03-10") == [
        "03-07 02:30 -0500",
        "03-08 03:30 -0400",
        "03-09 02:30 -0400",
    ]


def test_a_time_that_the_clock_shows_twice_is_due_the_first_time() -> None:
    """2026-11-01 in New York: 02:00 EDT is 01:00 EST."""
    assert _due("30 1 * * *", NEW_YORK, "2026-10-31", "2026-11-03") == [
        "10-31 01:30 -0400",
        "11-01 01:30 -0400",
        "11-02 01:30 -0500",
    ]


def test_times_that_fall_together_are_due_once() -> None:
    assert _due("30 * * * *", NEW_YORK, "2026-03-08 01:00", "2026-03-08 05:00") == [
        "03-08 01:30 -0500",
        "03-08 03:30 -0400",
        "03-08 04:30 -0400",
    ]
    assert len(_due("30 * * * *", NEW_YORK, "2026-11-01", "2026-11-02")) == 24


def test_a_zone_that_jumps_by_half_an_hour() -> None:
    assert _due("15 2 * * *", LORD_HOWE, "2026-10-04", "2026-10-05") == ["10-04 02:45 +1100"]


def test_the_next_is_the_first_in_time_also_where_the_clock_jumps() -> None:
    """Of 02:30, which is 03:30, and 03:00 the latter comes first."""
    after = datetime(2026, 3, 8, 6, 59, tzinfo=UTC)
    assert next_moment("0,30 2,3 * * *", NEW_YORK, after) == datetime(2026, 3, 8, 7, 0, tzinfo=UTC)


@settings(max_examples=40)
@given(
    st.sampled_from(["30 2 * * *", "0 7 * * mon-fri", "*/20 1-3 * * *", "15 0 1 * *", "0 12 last * *"]),
    st.sampled_from([NEW_YORK, BERLIN, LORD_HOWE, ZoneInfo("Asia/Kathmandu"), ZoneInfo("Pacific/Apia")]),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
    st.integers(1, 60 * 24 * 20),
    st.integers(1, 60 * 24 * 20),
)
def test_a_stretch_is_the_sum_of_its_parts(cron: str, zone: ZoneInfo, start: datetime, one: int, two: int) -> None:
    """Nothing is due twice or never because a call came at one moment and not at another."""
    first = start.replace(tzinfo=UTC)
    middle, last = first + timedelta(minutes=one), first + timedelta(minutes=one + two)
    whole = moments_between(cron, zone, first, last)
    assert whole == moments_between(cron, zone, first, middle) + moments_between(cron, zone, middle, last)
    assert whole == sorted(set(whole))
    expected = next_moment(cron, zone, first)
    assert expected is not None
    assert whole[:1] == ([expected] if expected <= last else [])


@pytest.mark.parametrize(
    ("rule", "due", "day"),
    [
        ("yesterday", "2026-10-01T11:00", "2026-09-30"),
        ("yesterday", "2026-10-01T03:00", "2026-09-29"),  # still September in New York
        ("last complete week", "2026-09-28T11:00", "2026-09-27"),  # a Monday: the week that ended on Sunday
        ("last complete week", "2026-09-27T11:00", "2026-09-20"),  # a Sunday: its week is not over
        ("last complete month", "2026-10-01T11:00", "2026-09-30"),
        ("last complete month", "2026-09-30T11:00", "2026-08-31"),
        ("last complete quarter", "2026-10-01T11:00", "2026-09-30"),
        ("last complete quarter", "2026-12-31T11:00", "2026-09-30"),
        ("last complete quarter", "2027-01-01T11:00", "2026-12-31"),
    ],
)
def test_the_day_that_a_report_is_of(rule: AsOfRule, due: str, day: str) -> None:
    moment = datetime.fromisoformat(due).replace(tzinfo=UTC)
    assert logical_date(rule, moment, NEW_YORK, MONTHS) == date.fromisoformat(day)


@pytest.mark.parametrize(
    ("calendar", "day"),
    [
        (FiscalCalendar(first_month=2), date(2026, 7, 31)),
        (FiscalCalendar(kind="4-4-5", year_end=YearEnd(weekday="saturday", month=1, rule="nearest")), date(2026, 8, 1)),
    ],
)
def test_quarters_are_those_of_the_fiscal_calendar(calendar: FiscalCalendar, day: date) -> None:
    due = datetime(2026, 10, 1, 11, tzinfo=UTC)
    assert logical_date("last complete quarter", due, NEW_YORK, calendar) == day


@pytest.mark.parametrize("text", ["2026-10-01", "2026-10-01T07:00", "now", ""])
def test_a_moment_has_an_offset(text: str) -> None:
    with pytest.raises(ValueError):
        parse_moment(text)


def test_moments_are_read_in_any_offset() -> None:
    assert (
        parse_moment("2026-10-01T07:00-04:00")
        == parse_moment("2026-10-01T11:00Z")
        == datetime(2026, 10, 1, 11, tzinfo=UTC)
    )
