"""Periods: calendar and fiscal years, quarters, months and weeks, and where a day ends.

A period is a stretch of whole days, both ends inclusive. Its label says which one it is and can be parsed again.
Fiscal years are named by the year in which they end. A 4-4-5 year ends on a weekday that is anchored to a month's
end and so has 52 or 53 weeks; the 53rd week belongs to the last fiscal month.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, model_validator

from revops_analysis.errors import ConfigurationError

Grain = Literal["week", "month", "quarter", "year"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
FORMS = (
    "FY2026 · FY2026-Q3 · FY2026-P07 (fiscal year, quarter, month), 2026 · 2026-Q3 · 2026-09 (calendar), "
    "2026-W39 (ISO week), 2026-01-01..2026-03-31 (days), 2025-Q1...2026-Q3 (a series)"
)
DAYS_A_MONTH = 365.25 / 12
"""Mean length, where days are told as months or months as days."""

_FIRST_YEAR, _LAST_YEAR = 1900, 2199
_WEEKS_OF_MONTHS = {"4-4-5": (4, 4, 5), "4-5-4": (4, 5, 4), "5-4-4": (5, 4, 4)}


class YearEnd(BaseModel):
    """The day on which a 4-4-5 year ends: a weekday anchored to the end of a month."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weekday: Weekday = Field(description="Weekday on which every fiscal year ends.")
    month: int = Field(ge=1, le=12, description="Month at whose end the fiscal year ends, 1 to 12.")
    rule: Literal["last", "nearest"] = Field(
        description="`last`: the last such weekday in the month; `nearest`: the one nearest to the month's last day."
    )

    def day(self, year: int) -> date:
        """Return the last day of the fiscal year that is named `year`.

        >>> YearEnd(weekday="saturday", month=1, rule="nearest").day(2024)
        datetime.date(2024, 2, 3)
        """
        month_end = date(year, self.month, monthrange(year, self.month)[1])
        back = (month_end.weekday() - WEEKDAYS.index(self.weekday)) % 7
        if self.rule == "nearest" and back > 3:
            return month_end + timedelta(days=7 - back)
        return month_end - timedelta(days=back)


class FiscalCalendar(BaseModel):
    """How the company cuts its years: twelve calendar months from any first month, or 52 and 53 week years."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["months", "4-4-5", "4-5-4", "5-4-4"] = Field(
        default="months",
        description="`months`: whole calendar months; the others: weeks in the three months of a quarter.",
    )
    first_month: int = Field(default=1, ge=1, le=12, description="First month of the fiscal year, for kind `months`.")
    year_end: YearEnd | None = Field(
        default=None, description="Where the fiscal year ends, for the kinds made of weeks."
    )

    @model_validator(mode="after")
    def _fits_its_kind(self) -> FiscalCalendar:
        if self.kind == "months" and self.year_end is not None:
            raise ValueError("year_end belongs to a calendar of weeks: remove it, or write kind: 4-4-5")
        if self.kind != "months" and self.year_end is None:
            raise ValueError(
                f"kind {self.kind} needs to know where the year ends: "
                "add year_end: {weekday: saturday, month: 1, rule: nearest}"
            )
        if self.kind != "months" and "first_month" in self.model_fields_set:
            raise ValueError(
                f"first_month belongs to kind months; kind {self.kind} is placed by its year_end: remove it"
            )
        return self

    @property
    def is_calendar_year(self) -> bool:
        """Whether fiscal years are calendar years, so that fiscal labels are not needed."""
        return self.kind == "months" and self.first_month == 1

    def year(self, number: int) -> tuple[date, date]:
        """Return the first and last day of the fiscal year that ends in `number`."""
        if self.year_end is not None:
            return self.year_end.day(number - 1) + timedelta(days=1), self.year_end.day(number)
        first = date(number if self.first_month == 1 else number - 1, self.first_month, 1)
        return first, _add_months(first, 12) - timedelta(days=1)

    def month(self, year: int, number: int) -> tuple[date, date]:
        """Return the first and last day of fiscal month `number` (1 to 12) of the fiscal year `year`."""
        first, last = self.year(year)
        if self.kind == "months":
            start = _add_months(first, number - 1)
            return start, _add_months(start, 1) - timedelta(days=1)
        weeks = _WEEKS_OF_MONTHS[self.kind] * 4
        start = first + timedelta(weeks=sum(weeks[: number - 1]))
        return start, last if number == 12 else start + timedelta(weeks=weeks[number - 1], days=-1)


@dataclass(frozen=True)
class Period:
    """A stretch of whole days from `start` to `end`, both inclusive, under a label that parses back to it."""

    label: str
    start: date
    end: date

    @property
    def days(self) -> int:
        """How many days the period has."""
        return (self.end - self.start).days + 1

    def __str__(self) -> str:
        return self.label

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.start <= day <= self.end


@dataclass(frozen=True)
class _Form:
    """One way to name periods: consecutive ones have consecutive indexes, so neighbours are index ± 1."""

    pattern: re.Pattern[str]
    index: Callable[[int, int], int]
    make: Callable[[int, FiscalCalendar], Period]
    per_year: int  # how many make a year; what lies outside 1..per_year in a label does not exist


def _add_months(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    return date(day.year + years, month + 1, 1)


def _fiscal_year(index: int, calendar: FiscalCalendar) -> Period:
    return Period(f"FY{index:04d}", *calendar.year(index))


def _fiscal_quarter(index: int, calendar: FiscalCalendar) -> Period:
    year, quarter = divmod(index, 4)
    start, _ = calendar.month(year, 3 * quarter + 1)
    _, end = calendar.month(year, 3 * quarter + 3)
    return Period(f"FY{year:04d}-Q{quarter + 1}", start, end)


def _fiscal_month(index: int, calendar: FiscalCalendar) -> Period:
    year, month = divmod(index, 12)
    return Period(f"FY{year:04d}-P{month + 1:02d}", *calendar.month(year, month + 1))


def _year(index: int, _: FiscalCalendar) -> Period:
    return Period(f"{index:04d}", date(index, 1, 1), date(index, 12, 31))


def _quarter(index: int, _: FiscalCalendar) -> Period:
    year, quarter = divmod(index, 4)
    start = date(year, 3 * quarter + 1, 1)
    return Period(f"{year:04d}-Q{quarter + 1}", start, _add_months(start, 3) - timedelta(days=1))


def _month(index: int, _: FiscalCalendar) -> Period:
    year, month = divmod(index, 12)
    start = date(year, month + 1, 1)
    return Period(f"{year:04d}-{month + 1:02d}", start, _add_months(start, 1) - timedelta(days=1))


def _week(index: int, _: FiscalCalendar) -> Period:
    start = date.fromordinal(index * 7 + 1)  # day 1 of the proleptic calendar is a Monday
    iso = start.isocalendar()
    return Period(f"{iso.year:04d}-W{iso.week:02d}", start, start + timedelta(days=6))


def _week_index(year: int, week: int) -> int:
    return (date.fromisocalendar(year, 1, 1).toordinal() - 1) // 7 + week - 1


_FORMS: dict[str, _Form] = {
    "fiscal year": _Form(re.compile(r"FY(\d{4})"), lambda y, _: y, _fiscal_year, 1),
    "fiscal quarter": _Form(re.compile(r"FY(\d{4})-Q(\d)"), lambda y, q: 4 * y + q - 1, _fiscal_quarter, 4),
    "fiscal month": _Form(re.compile(r"FY(\d{4})-P(\d{2})"), lambda y, m: 12 * y + m - 1, _fiscal_month, 12),
    "year": _Form(re.compile(r"(\d{4})"), lambda y, _: y, _year, 1),
    "quarter": _Form(re.compile(r"(\d{4})-Q(\d)"), lambda y, q: 4 * y + q - 1, _quarter, 4),
    "month": _Form(re.compile(r"(\d{4})-(\d{2})"), lambda y, m: 12 * y + m - 1, _month, 12),
    "week": _Form(re.compile(r"(\d{4})-W(\d{2})"), _week_index, _week, 53),
}
_RANGE = re.compile(r"(\d{4}-\d{2}-\d{2})\.\.(\d{4}-\d{2}-\d{2})")


def parse_period(text: str, calendar: FiscalCalendar) -> Period:
    """Return the period that `text` names, in any of the forms of `FORMS` but the series.

    Raises ConfigurationError, with the accepted forms, for anything else, such as a quarter 5 or a week 53 of 52.

    >>> parse_period("FY2026-Q3", FiscalCalendar(first_month=2))
    Period(label='FY2026-Q3', start=datetime.date(2025, 8, 1), end=datetime.date(2025, 10, 31))
    """
    text = text.strip()
    form, index = _locate(text)
    if form == "days":
        start, end = _days(text)
        return Period(f"{start}..{end}", start, end)
    return _FORMS[form].make(index, calendar)


def begun_period(period: str | Period, calendar: FiscalCalendar, as_of: date) -> Period:
    """Return a period that has begun by the as-of date, read from its label where it is given as one.

    Raises ConfigurationError for a label that cannot be read, and for a period that begins after `as_of`.

    >>> begun_period("2026-Q3", FiscalCalendar(), date(2026, 8, 1)).start
    datetime.date(2026, 7, 1)
    """
    span = parse_period(period, calendar) if isinstance(period, str) else period
    if span.start > as_of:
        raise ConfigurationError(
            "The period has not begun.",
            expected=f"a period that begins on or before {as_of.isoformat()}",
            found=span.label,
            fix="ask for an earlier period, or open the workspace as of a later day",
        )
    return span


def parse_series(text: str, calendar: FiscalCalendar) -> tuple[Period, ...]:
    """Return every period from the first to the last of a series; a single period gives a tuple of one.

    Raises ConfigurationError when the two ends are of different forms or the last lies before the first.

    >>> [period.label for period in parse_series("2025-Q4...2026-Q2", FiscalCalendar())]
    ['2025-Q4', '2026-Q1', '2026-Q2']
    """
    first_text, dots, last_text = text.strip().partition("...")
    if not dots:
        return (parse_period(text, calendar),)
    (form, first), (last_form, last) = _locate(first_text.strip()), _locate(last_text.strip())
    if form != last_form or form == "days":
        raise ConfigurationError(
            "A series needs two periods of the same form.",
            expected="for example 2025-Q1...2026-Q3",
            found=f"{text!r} ({form} to {last_form})",
            fix="write both ends as quarters, months, weeks or years; stretches of days make no series",
        )
    if last < first:
        raise ConfigurationError(
            "The series ends before it starts.",
            found=repr(text),
            fix=f"write {last_text.strip()}...{first_text.strip()}",
        )
    return tuple(_FORMS[form].make(index, calendar) for index in range(first, last + 1))


def period_containing(day: date, calendar: FiscalCalendar, grain: Grain = "quarter") -> Period:
    """Return the period of that grain in which `day` lies, named the way the company names it.

    Years, quarters and months are fiscal (`FY2026-Q3`), or calendar (`2026-Q3`) where that is the same; months under
    a calendar of whole months are calendar months (`2026-09`), and weeks are ISO weeks.

    >>> period_containing(date(2026, 9, 30), FiscalCalendar()).label
    '2026-Q3'
    >>> period_containing(date(2026, 9, 30), FiscalCalendar(first_month=2)).label
    'FY2027-Q3'
    """
    if grain == "week":
        return _week((day.toordinal() - 1) // 7, calendar)
    if grain == "month" and calendar.kind == "months":
        return _month(12 * day.year + day.month - 1, calendar)
    if calendar.is_calendar_year:
        return _year(day.year, calendar) if grain == "year" else _quarter(4 * day.year + (day.month - 1) // 3, calendar)
    year = next(year for year in (day.year - 1, day.year, day.year + 1) if day <= calendar.year(year)[1])
    if grain == "year":
        return _fiscal_year(year, calendar)
    count, make = (4, _fiscal_quarter) if grain == "quarter" else (12, _fiscal_month)
    return next(p for p in (make(count * year + i, calendar) for i in range(count)) if day <= p.end)


def previous(period: Period, calendar: FiscalCalendar) -> Period:
    """Return the period before: the same form, or for a stretch of days the equally long one that ends before it."""
    return _neighbour(period, calendar, -1)


def following(period: Period, calendar: FiscalCalendar) -> Period:
    """Return the period after: the same form, or for a stretch of days the equally long one that starts after it."""
    return _neighbour(period, calendar, 1)


def same_period_last_year(period: Period, calendar: FiscalCalendar) -> Period:
    """Return the period of the same name a year earlier.

    Week 52 stands for a missing week 53. A stretch of days moves by a year; one that ends with a month still does.
    """
    form, index = _locate(period.label)
    if form == "days":
        start, end = _year_before(period.start, is_end=False), _year_before(period.end, is_end=True)
        return Period(f"{start}..{end}", start, end)
    if form != "week":
        return _FORMS[form].make(index - _FORMS[form].per_year, calendar)
    iso = period.start.isocalendar()
    return _week(_week_index(iso.year - 1, min(iso.week, _iso_weeks(iso.year - 1))), calendar)


def year_to(period: Period) -> Period:
    """The twelve months that end with the period.

    >>> year_to(Period("2026-Q3", date(2026, 7, 1), date(2026, 9, 30))).label
    '2025-10-01..2026-09-30'
    """
    after = period.end + timedelta(days=1)
    start = after.replace(year=after.year - 1) if (after.month, after.day) != (2, 29) else date(after.year - 1, 3, 1)
    return Period(f"{start.isoformat()}..{period.end.isoformat()}", start, period.end)


def weeks_of(period: Period) -> list[tuple[int, date, date]]:
    """Return the period's weeks as (number from 1, first day, last day), in blocks of seven days from its start.

    Four or more days left over are a week of their own, fewer belong to the last week: every calendar quarter has 13.

    >>> weeks_of(Period("2026-Q3", date(2026, 7, 1), date(2026, 9, 30)))[-1]
    (13, datetime.date(2026, 9, 23), datetime.date(2026, 9, 30))
    """
    whole, rest = divmod(period.days, 7)
    count = max(1, whole + (rest >= 4))
    starts = [period.start + timedelta(weeks=n) for n in range(count)]
    ends = [start - timedelta(days=1) for start in starts[1:]] + [period.end]
    return [(n, start, end) for n, (start, end) in enumerate(zip(starts, ends, strict=True), start=1)]


def week_of(period: Period, day: date) -> int:
    """Return the number of the period's week in which `day` lies.

    Raises ConfigurationError for a day outside the period.

    >>> week_of(Period("2026-Q3", date(2026, 7, 1), date(2026, 9, 30)), date(2026, 7, 8))
    2
    """
    if day not in period:
        raise ConfigurationError(
            f"{day} is not in {period.label}.",
            expected=f"a day from {period.start} to {period.end}",
            found=str(day),
            fix="ask for the week of a day inside the period",
        )
    return min((day - period.start).days // 7 + 1, len(weeks_of(period)))


def end_of_day_utc(day: date, tz: str) -> datetime:
    """Return the instant at which `day` has ended in the time zone, as naive UTC: an exclusive bound.

    What happened on or before `day` has a moment smaller than this one. Days with a clock change have 23 or 25 hours.
    Raises ConfigurationError for an unknown zone.

    >>> end_of_day_utc(date(2026, 9, 30), "America/New_York")
    datetime.datetime(2026, 10, 1, 4, 0)
    """
    try:
        zone = ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError) as problem:
        raise ConfigurationError(
            "Unknown time zone.",
            expected="an IANA name such as America/New_York",
            found=repr(tz),
            fix="correct the name",
        ) from problem
    midnight = datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone)
    return midnight.astimezone(UTC).replace(tzinfo=None)


def start_of_day_utc(day: date, tz: str) -> datetime:
    """Return the instant at which `day` begins in the time zone, as naive UTC: an inclusive bound."""
    return end_of_day_utc(day - timedelta(days=1), tz)


def _neighbour(period: Period, calendar: FiscalCalendar, step: int) -> Period:
    form, index = _locate(period.label)
    if form == "days":
        shift = timedelta(days=step * period.days)
        start, end = period.start + shift, period.end + shift
        return Period(f"{start}..{end}", start, end)
    return _FORMS[form].make(index + step, calendar)


def _locate(text: str) -> tuple[str, int]:
    """Return the form of a label and its index in that form (0 for a stretch of days)."""
    if _RANGE.fullmatch(text):
        _days(text)
        return "days", 0
    for name, form in _FORMS.items():
        match = form.pattern.fullmatch(text)
        if match:
            year, number = int(match[1]), int(match[2]) if match.re.groups == 2 else 1
            if not _FIRST_YEAR <= year <= _LAST_YEAR:
                raise _unknown(text, f"a year from {_FIRST_YEAR} to {_LAST_YEAR}")
            most = _iso_weeks(year) if name == "week" else form.per_year
            if not 1 <= number <= most:
                raise _unknown(text, f"a {name} from 1 to {most} in {year}")
            return name, form.index(year, number)
    raise _unknown(text, FORMS)


def _days(text: str) -> tuple[date, date]:
    try:
        start, end = (date.fromisoformat(part) for part in text.split(".."))
    except ValueError as problem:
        raise _unknown(text, "two days that exist, as 2026-01-01..2026-03-31") from problem
    if end < start:
        raise _unknown(text, "a last day on or after the first")
    return start, end


def _unknown(text: str, expected: str) -> ConfigurationError:
    fix = "write the period in one of the accepted forms" if expected == FORMS else f"accepted forms: {FORMS}"
    return ConfigurationError("Not a period.", expected=expected, found=repr(text), fix=fix)


def _iso_weeks(year: int) -> int:
    return date(year, 12, 28).isocalendar().week


def _year_before(day: date, *, is_end: bool) -> date:
    length = monthrange(day.year - 1, day.month)[1]
    ends_month = is_end and day.day == monthrange(day.year, day.month)[1]
    return date(day.year - 1, day.month, length if ends_month else min(day.day, length))
