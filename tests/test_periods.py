"""Periods: every form, every calendar, and where a day ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from revops_analysis.errors import ConfigurationError
from revops_analysis.periods import (
    WEEKDAYS,
    FiscalCalendar,
    Period,
    YearEnd,
    end_of_day_utc,
    following,
    parse_period,
    parse_series,
    period_containing,
    previous,
    same_period_last_year,
    start_of_day_utc,
    week_of,
    weeks_of,
)

CALENDAR_YEAR = FiscalCalendar()
FEBRUARY = FiscalCalendar(first_month=2)
RETAIL = FiscalCalendar(kind="4-5-4", year_end=YearEnd(weekday="saturday", month=1, rule="nearest"))
SEPTEMBER = FiscalCalendar(kind="4-4-5", year_end=YearEnd(weekday="saturday", month=9, rule="last"))

month_calendars = st.integers(1, 12).map(lambda month: FiscalCalendar(first_month=month))
week_calendars = st.builds(
    lambda kind, weekday, month, rule: FiscalCalendar(
        kind=kind, year_end=YearEnd(weekday=weekday, month=month, rule=rule)
    ),
    st.sampled_from(["4-4-5", "4-5-4", "5-4-4"]),
    st.sampled_from(WEEKDAYS),
    st.integers(1, 12),
    st.sampled_from(["last", "nearest"]),
)
calendars = month_calendars | week_calendars
years = st.integers(1950, 2150)
days = st.dates(date(1950, 1, 1), date(2150, 12, 31))
labels = st.one_of(
    st.builds("FY{}".format, years),
    st.builds("FY{}-Q{}".format, years, st.integers(1, 4)),
    st.builds("FY{}-P{:02d}".format, years, st.integers(1, 12)),
    st.builds("{}".format, years),
    st.builds("{}-Q{}".format, years, st.integers(1, 4)),
    st.builds("{}-{:02d}".format, years, st.integers(1, 12)),
    st.builds("{}-W{:02d}".format, years, st.integers(1, 52)),
    st.builds(lambda day, n: f"{day}..{day + timedelta(days=n)}", days, st.integers(0, 500)),
)


def span(text: str, calendar: FiscalCalendar) -> tuple[str, str]:
    period = parse_period(text, calendar)
    return str(period.start), str(period.end)


@pytest.mark.parametrize(
    ("text", "calendar", "expected"),
    [
        ("2026-Q3", CALENDAR_YEAR, ("2026-07-01", "2026-09-30")),
        ("2026-Q3", FEBRUARY, ("2026-07-01", "2026-09-30")),
        ("FY2026-Q3", CALENDAR_YEAR, ("2026-07-01", "2026-09-30")),
        ("FY2026-Q3", FEBRUARY, ("2025-08-01", "2025-10-31")),
        ("FY2026-Q4", FEBRUARY, ("2025-11-01", "2026-01-31")),
        ("FY2026", FEBRUARY, ("2025-02-01", "2026-01-31")),
        ("FY2026-P07", FEBRUARY, ("2025-08-01", "2025-08-31")),
        ("2026", FEBRUARY, ("2026-01-01", "2026-12-31")),
        ("2024-02", FEBRUARY, ("2024-02-01", "2024-02-29")),
        ("2026-W39", CALENDAR_YEAR, ("2026-09-21", "2026-09-27")),
        ("2026-W53", CALENDAR_YEAR, ("2026-12-28", "2027-01-03")),
        ("2026-01-01..2026-03-31", CALENDAR_YEAR, ("2026-01-01", "2026-03-31")),
        (" 2026-Q1 ", CALENDAR_YEAR, ("2026-01-01", "2026-03-31")),
    ],
)
def test_each_form_names_its_days(text: str, calendar: FiscalCalendar, expected: tuple[str, str]) -> None:
    assert span(text, calendar) == expected


@pytest.mark.parametrize(
    ("name", "start", "end", "weeks"),
    [
        # National Retail Federation, 4-5-4 calendar; the NRF names a year by its start, we by its end.
        ("FY2013", "2012-01-29", "2013-02-02", 53),
        ("FY2014", "2013-02-03", "2014-02-01", 52),
        ("FY2018", "2017-01-29", "2018-02-03", 53),
        ("FY2023", "2022-01-30", "2023-01-28", 52),
        ("FY2024", "2023-01-29", "2024-02-03", 53),
        ("FY2025", "2024-02-04", "2025-02-01", 52),
    ],
)
def test_retail_years_match_the_published_calendar(name: str, start: str, end: str, weeks: int) -> None:
    year = parse_period(name, RETAIL)
    assert (str(year.start), str(year.end), year.days) == (start, end, 7 * weeks)


def test_retail_years_of_53_weeks_are_the_published_ones() -> None:
    long_years = [year for year in range(2001, 2027) if parse_period(f"FY{year}", RETAIL).days == 371]
    assert long_years == [2001, 2007, 2013, 2018, 2024]


@pytest.mark.parametrize(
    ("year", "end", "weeks"),
    # Apple Inc., Form 10-K: the year ends on the last Saturday of September; 2012, 2017 and 2023 spanned 53 weeks.
    [
        (2011, "2011-09-24", 52),
        (2012, "2012-09-29", 53),
        (2017, "2017-09-30", 53),
        (2022, "2022-09-24", 52),
        (2023, "2023-09-30", 53),
        (2024, "2024-09-28", 52),
    ],
)
def test_last_saturday_years_match_published_filings(year: int, end: str, weeks: int) -> None:
    period = parse_period(f"FY{year}", SEPTEMBER)
    assert (str(period.end), period.days) == (end, 7 * weeks)


def test_months_of_weeks_follow_the_pattern_and_the_last_takes_week_53() -> None:
    def weeks(calendar: FiscalCalendar, year: int) -> list[int]:
        return [parse_period(f"FY{year}-P{month:02d}", calendar).days // 7 for month in range(1, 13)]

    assert weeks(SEPTEMBER, 2024) == [4, 4, 5] * 4
    assert weeks(SEPTEMBER, 2023) == [4, 4, 5] * 3 + [4, 4, 6]
    assert weeks(RETAIL, 2024) == [4, 5, 4] * 3 + [4, 5, 5]


@given(calendars, years)
def test_quarters_and_months_tile_the_year_and_years_tile_time(calendar: FiscalCalendar, year: int) -> None:
    whole = parse_period(f"FY{year}", calendar)
    for parts in ([f"-Q{n}" for n in range(1, 5)], [f"-P{n:02d}" for n in range(1, 13)]):
        pieces = [parse_period(f"FY{year}{part}", calendar) for part in parts]
        assert pieces[0].start == whole.start
        assert pieces[-1].end == whole.end
        assert all(b.start - a.end == timedelta(days=1) for a, b in pairwise(pieces))
    assert parse_period(f"FY{year + 1}", calendar).start - whole.end == timedelta(days=1)


@given(week_calendars, years)
def test_years_of_weeks_have_52_or_53_and_end_on_their_weekday(calendar: FiscalCalendar, year: int) -> None:
    period = parse_period(f"FY{year}", calendar)
    assert period.days in (364, 371)
    assert calendar.year_end is not None
    assert WEEKDAYS[period.end.weekday()] == calendar.year_end.weekday


@given(labels, calendars)
def test_labels_parse_back_and_neighbours_touch(label: str, calendar: FiscalCalendar) -> None:
    period = parse_period(label, calendar)
    assert period.label == label
    after, before = following(period, calendar), previous(period, calendar)
    assert after.start == period.end + timedelta(days=1)
    assert before.end == period.start - timedelta(days=1)
    assert previous(after, calendar) == period == following(before, calendar)


@given(days, calendars, st.sampled_from(["week", "month", "quarter", "year"]))
def test_the_period_of_a_day_contains_it_and_parses_back(day: date, calendar: FiscalCalendar, grain: str) -> None:
    period = period_containing(day, calendar, grain)  # type: ignore[arg-type]
    assert day in period
    assert parse_period(period.label, calendar) == period


@pytest.mark.parametrize(
    ("text", "calendar", "expected"),
    [
        ("2026-Q3", CALENDAR_YEAR, "2025-Q3"),
        ("FY2024-P12", SEPTEMBER, "FY2023-P12"),
        ("2026-W39", CALENDAR_YEAR, "2025-W39"),
        ("2026-W53", CALENDAR_YEAR, "2025-W52"),
        ("2024-02-29..2024-02-29", CALENDAR_YEAR, "2023-02-28..2023-02-28"),
        ("2025-02-01..2025-02-28", CALENDAR_YEAR, "2024-02-01..2024-02-29"),
        ("2026-05-03..2026-05-09", CALENDAR_YEAR, "2025-05-03..2025-05-09"),
    ],
)
def test_same_period_last_year(text: str, calendar: FiscalCalendar, expected: str) -> None:
    assert same_period_last_year(parse_period(text, calendar), calendar).label == expected


def test_series_crosses_years_and_a_single_period_is_a_series_of_one() -> None:
    assert len(parse_series("2025-W50...2027-W02", CALENDAR_YEAR)) == 3 + 53 + 2
    assert [p.label for p in parse_series("FY2025-P12...FY2026-P02", RETAIL)] == [
        "FY2025-P12",
        "FY2026-P01",
        "FY2026-P02",
    ]
    assert parse_series("2026", CALENDAR_YEAR) == (parse_period("2026", CALENDAR_YEAR),)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("Q3 2026", "FY2026-Q3"),
        ("", "FY2026-Q3"),
        ("2026-Q5", "a quarter from 1 to 4"),
        ("2026-Q0", "a quarter from 1 to 4"),
        ("2026-13", "a month from 1 to 12"),
        ("FY2026-P13", "a fiscal month from 1 to 12"),
        ("2025-W53", "a week from 1 to 52"),
        ("0206-Q3", "a year from 1900"),
        ("2026-02-30..2026-03-31", "days that exist"),
        ("2026-03-31..2026-01-01", "on or after the first"),
        ("2026-Q1...2025-Q1", "write 2025-Q1...2026-Q1"),
        ("2026-Q1...2026-12", "same form"),
        ("2026-01-01..2026-01-31...2026-02-01..2026-02-28", "same form"),
        ("2026-Q1...", "FY2026-Q3"),
    ],
)
def test_what_is_no_period_is_refused_with_what_to_write(text: str, hint: str) -> None:
    with pytest.raises(ConfigurationError, match=r"period|series") as error:
        parse_series(text, CALENDAR_YEAR)
    assert hint in str(error.value)
    assert "FY2026-Q3" in str(error.value) or "series" in str(error.value)


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"kind": "4-4-5"}, "add year_end"),
        ({"kind": "months", "year_end": {"weekday": "friday", "month": 1, "rule": "last"}}, "remove it"),
        ({"kind": "4-4-5", "first_month": 2, "year_end": {"weekday": "friday", "month": 1, "rule": "last"}}, "remove"),
        ({"first_month": 13}, "less than or equal to 12"),
    ],
)
def test_a_calendar_that_contradicts_itself_is_refused(settings: dict[str, object], hint: str) -> None:
    with pytest.raises(ValidationError, match=hint):
        FiscalCalendar.model_validate(settings)


@given(labels, calendars)
def test_weeks_tile_the_period(label: str, calendar: FiscalCalendar) -> None:
    period = parse_period(label, calendar)
    weeks = weeks_of(period)
    assert [n for n, _, _ in weeks] == list(range(1, len(weeks) + 1))
    assert (weeks[0][1], weeks[-1][2]) == (period.start, period.end)
    assert all(b[1] - a[2] == timedelta(days=1) for a, b in pairwise(weeks))
    assert all((end - start).days == 6 for _, start, end in weeks[:-1])
    for number, start, end in weeks:
        assert week_of(period, start) == week_of(period, end) == number


def test_every_calendar_quarter_has_13_weeks_and_a_long_fiscal_one_14() -> None:
    quarters = parse_series("2020-Q1...2029-Q4", CALENDAR_YEAR)
    assert {len(weeks_of(quarter)) for quarter in quarters} == {13}
    assert len(weeks_of(parse_period("FY2023-Q4", SEPTEMBER))) == 14


def test_a_day_outside_the_period_has_no_week() -> None:
    with pytest.raises(ConfigurationError, match="not in 2026-Q3"):
        week_of(parse_period("2026-Q3", CALENDAR_YEAR), date(2026, 10, 1))


@pytest.mark.parametrize(
    ("day", "zone", "ends"),
    [
        (date(2026, 9, 30), "UTC", "2026-10-01T00:00"),
        (date(2026, 9, 30), "America/New_York", "2026-10-01T04:00"),
        (date(2026, 3, 7), "America/New_York", "2026-03-08T05:00"),  # the night before clocks go forward
        (date(2026, 3, 8), "America/New_York", "2026-03-09T04:00"),  # that day has 23 hours
        (date(2026, 11, 1), "America/New_York", "2026-11-02T05:00"),  # that day has 25 hours
        (date(2026, 9, 30), "Asia/Tokyo", "2026-09-30T15:00"),
        (date(2026, 9, 30), "Asia/Kolkata", "2026-09-30T18:30"),
        (date(2018, 11, 3), "America/Sao_Paulo", "2018-11-04T03:00"),  # midnight was skipped: 00:00 became 01:00
    ],
)
def test_a_day_ends_at_midnight_of_its_zone(day: date, zone: str, ends: str) -> None:
    assert end_of_day_utc(day, zone) == datetime.fromisoformat(ends)


@given(
    st.dates(date(1990, 1, 1), date(2035, 12, 31)),
    st.sampled_from(["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Havana", "Asia/Kathmandu"]),
)
def test_moments_before_the_bound_are_on_the_day_and_the_bound_is_not(day: date, zone: str) -> None:
    bound = end_of_day_utc(day, zone)

    def local_day(moment: datetime) -> date:
        return moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date()

    assert local_day(bound - timedelta(microseconds=1)) == day
    assert local_day(bound) == day + timedelta(days=1)
    assert start_of_day_utc(day + timedelta(days=1), zone) == bound


@pytest.mark.parametrize("zone", ["America/NewYork", "", "../etc/passwd"])
def test_an_unknown_zone_is_named(zone: str) -> None:
    with pytest.raises(ConfigurationError, match="Unknown time zone"):
        end_of_day_utc(date(2026, 9, 30), zone)


def test_period_knows_its_days() -> None:
    period = Period("x", date(2026, 1, 1), date(2026, 1, 31))
    assert period.days == 31
    assert date(2026, 1, 31) in period
    assert date(2026, 2, 1) not in period
