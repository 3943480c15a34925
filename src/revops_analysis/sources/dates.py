"""Dates and moments written as text: which way they are written, and the SQL that reads them.

ISO dates, dates that begin with a four-digit year and dates with a month's name can be read in one way only. In
`03/04/2026` day and month can be told apart only by other values of the same column (`25/04/2026`); if none does, the
order must be declared. A year of two digits from 69 to 99 lies in the 1900s, below in the 2000s.

A moment without a zone is in the declared zone, UTC by default. A day without a time, where a moment is wanted, is the
begin of that day in the business time zone, so that it stays the same day. Where a day is wanted, midnight is read as
the day that is written, and any other time of day as the business day it falls on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from revops_analysis.sources.staging import literal

_NUMERIC = r"^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})([ T].*)?$"
_ISO = r"^\d{4}-\d{1,2}-\d{1,2}([ T].*)?$"
_YEAR_FIRST = r"^\d{4}[/.]\d{1,2}[/.]\d{1,2}([ T].*)?$"
_ZONED = r":\d\d(\.\d+)?\s*(Z|z|UTC|GMT|[+-]\d{2}(:?\d{2})?)$"
_NAMED_FORMATS = (
    "%d-%b-%y", "%d %b %y", "%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%d. %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y",
)  # fmt: skip
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
ORDERS = {"DMY": "%d/%m/%Y", "MDY": "%m/%d/%Y", "YMD": "%y/%m/%d"}
"""Order of day, month and year → the format that declares it."""


@dataclass(frozen=True)
class DateStyle:
    """How the dates of one column are written. `order` is None where no value needs one."""

    formats: tuple[str, ...] = ()
    order: str | None = None
    short_order: str | None = None
    year_first: bool = False
    named: bool = False
    timed: bool = True


def glance(value: str) -> list[str]:
    """Cheap aggregates over a text column: values not in ISO form, values with a time of day."""
    return [
        f"count(*) FILTER (NOT regexp_matches({value}, {literal(_ISO)}))",
        f"count(*) FILTER (contains({value}, ':'))",
    ]


def not_iso(value: str) -> str:
    """SQL condition: a value that is not in ISO form."""
    return f"NOT regexp_matches({value}, {literal(_ISO)})"


def survey(value: str) -> list[str]:
    """Aggregates over the values of a text column that are not in ISO form; `decide` reads them.

    For the shapes with slashes: how many values would be impossible as day-month, month-day, and (two-digit years)
    year-month order, while the others remain possible.
    """
    first, second, third = (
        f"try_cast(regexp_extract({value}, {literal(_NUMERIC)}, {n}) AS INTEGER)" for n in (1, 2, 3)
    )
    long = f"regexp_matches({value}, '^\\d{{1,2}}[-/.]\\d{{1,2}}[-/.]\\d{{4}}([ T]|$)')"
    short = f"regexp_matches({value}, '^\\d{{1,2}}[-/.]\\d{{1,2}}[-/.]\\d{{2}}([ T]|$)')"
    day_month = f"({first} BETWEEN 1 AND 31 AND {second} BETWEEN 1 AND 12)"
    month_day = f"({first} BETWEEN 1 AND 12 AND {second} BETWEEN 1 AND 31)"
    year_month = f"({second} BETWEEN 1 AND 12 AND {third} BETWEEN 1 AND 31)"
    return [
        f"count(*) FILTER ({long} AND {first} <> {second})",
        f"count(*) FILTER ({long} AND {day_month} AND NOT {month_day})",
        f"count(*) FILTER ({long} AND {month_day} AND NOT {day_month})",
        f"count(*) FILTER ({short})",
        f"count(*) FILTER ({short} AND NOT {day_month} AND ({month_day} OR {year_month}))",
        f"count(*) FILTER ({short} AND NOT {month_day} AND ({day_month} OR {year_month}))",
        f"count(*) FILTER ({short} AND NOT {year_month} AND ({day_month} OR {month_day}))",
        f"count(*) FILTER (regexp_matches({value}, {literal(_YEAR_FIRST)}))",
        f"count(*) FILTER (regexp_matches({value}, '[A-Za-z]{{3}}'))",
    ]


NOTHING = (0,) * 9
"""The survey of a column in which all values are in ISO form."""


AMBIGUOUS = r"^\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})([ T]|$)"
"""Pattern of dates whose order of day and month must be told."""


def decide(counts: tuple[Any, ...], formats: tuple[str, ...], *, timed: bool) -> tuple[DateStyle, bool]:
    """The style of a column from its survey, and whether the order of day and month remains open.

    >>> decide((5, 1, 0, 0, 0, 0, 0, 0, 0), (), timed=False)[0].order
    'DMY'
    >>> decide((5, 0, 0, 0, 0, 0, 0, 0, 0), (), timed=False)[1]
    True
    """
    long, only_dmy, only_mdy, short, not_dmy, not_mdy, not_ymd, year_first, named = counts
    common = {"year_first": year_first > 0, "named": named > 0, "timed": timed}
    if formats:
        return DateStyle(formats, **common), False
    long_orders = [name for name, against in (("DMY", only_mdy), ("MDY", only_dmy)) if not against]
    decided = bool(only_dmy or only_mdy)
    order = long_orders[0] if len(long_orders) == 1 else ("DMY" if not long else None)
    short_orders = [name for name, against in (("DMY", not_dmy), ("MDY", not_mdy), ("YMD", not_ymd)) if not against]
    short_order = short_orders[0] if len(short_orders) == 1 else None
    is_open = bool((long and not (decided and order)) or (not long and decided) or (short and short_order is None))
    style = DateStyle(order=order, short_order=short_order if short else None, **common)
    return style, is_open


def _expanded(formats: tuple[str, ...]) -> list[str]:
    """Declared formats, each without and with a time of day; two-digit years first, because %Y would take them too."""
    plain = [text for text in formats if not text.startswith("epoch")]
    times = [text + time for text in plain for time in (("",) if "%H" in text or "%I" in text else _TIMES)]
    return sorted(times, key=lambda text: "%Y" in text)


def _declared(value: str, formats: tuple[str, ...]) -> str:
    """Text in ISO form from declared formats; what is in ISO form already stays."""
    choices = [f"WHEN regexp_matches({value}, {literal(_ISO)}) THEN {value}"]
    epochs = {"epoch_s": (11, 1_000_000), "epoch_ms": (14, 1_000)}
    for name in (text for text in formats if text in epochs):
        digits, factor = epochs[name]
        number = f"make_timestamp(try_cast({value} AS BIGINT) * {factor})"
        choices.append(
            f"WHEN regexp_full_match({value}, '-?\\d{{1,{digits}}}') THEN CAST({number} AS VARCHAR) || '+00'"
        )
    zoned = _expanded(tuple(text for text in formats if "%z" in text))
    local = _expanded(tuple(text for text in formats if "%z" not in text))
    if zoned:
        read = f"CAST(try_strptime({value}, {_list(zoned)}) AS TIMESTAMP)"
        choices.append(f"WHEN {read} IS NOT NULL THEN strftime({read}, '%Y-%m-%d %H:%M:%S.%f') || '+00'")
    if local:
        read = f"try_strptime({value}, {_list(local)})"
        choices.append(f"WHEN contains({value}, ':') THEN strftime({read}, '%Y-%m-%d %H:%M:%S.%f')")
        choices.append(f"ELSE strftime({read}, '%Y-%m-%d')")
    return f"CASE {' '.join(choices)} END"


def _list(formats: list[str]) -> str:
    return f"[{', '.join(literal(text) for text in formats)}]"


def _iso_text(value: str, style: DateStyle) -> str:
    """SQL that turns each way of writing into ISO text; what is written in no known way stays and fails later."""
    if style.formats:
        return _declared(value, style.formats)
    text = value
    if style.year_first:
        text = f"regexp_replace({text}, '^(\\d{{4}})[/.](\\d{{1,2}})[/.](\\d{{1,2}})', '\\1-\\2-\\3')"
    if style.order:
        swapped = {"DMY": "\\3-\\2-\\1", "MDY": "\\3-\\1-\\2"}[style.order]
        text = f"regexp_replace({text}, '^(\\d{{1,2}})[-/.](\\d{{1,2}})[-/.](\\d{{4}})', '{swapped}')"
    if style.short_order:
        text = _long_years(text, style.short_order)
    if style.named:
        formats = sorted((name + time for name in _NAMED_FORMATS for time in _TIMES), key=lambda name: "%Y" in name)
        read = f"try_strptime({value}, {_list(formats)})"
        timed, plain = f"strftime({read}, '%Y-%m-%d %H:%M:%S')", f"strftime({read}, '%Y-%m-%d')"
        is_named = f"regexp_matches({value}, '[A-Za-z]{{3}}.*\\d') AND NOT regexp_matches({value}, '^\\d{{4}}-')"
        written = f"CASE WHEN contains({value}, ':') THEN {timed} ELSE {plain} END"
        text = f"CASE WHEN {is_named} THEN {written} ELSE {text} END"
    return text


def _long_years(text: str, order: str) -> str:
    year, month, day = {"DMY": (3, 2, 1), "MDY": (3, 1, 2), "YMD": (1, 2, 3)}[order]
    for century, digits in (("20", "[0-5]\\d|6[0-8]"), ("19", "69|[7-9]\\d")):
        parts = ["\\d{1,2}"] * 3
        parts[year - 1] = digits
        pattern = "^(" + ")[-/.](".join(parts) + ")( |T|$)"
        text = f"regexp_replace({text}, {literal(pattern)}, '{century}\\{year}-\\{month}-\\{day}\\4')"
    return text


def read_text(value: str, kind: str, style: DateStyle, zones: tuple[str, str]) -> str:
    """SQL that reads a text as a `date` or a `timestamp`; null where it cannot be read.

    `zones` are the zone of moments that carry none, and the business time zone.
    """
    text = _iso_text(value, style)
    zone, business = zones
    if not style.timed and not style.formats:
        day = f"try_cast({text} AS DATE)"
        return day if kind == "date" else begin_of_day(day, business)
    half_day = f"regexp_matches({text}, '[AaPp][Mm]$')"
    clock = "['%Y-%m-%d %I:%M %p', '%Y-%m-%d %I:%M:%S %p']"
    wall = f"CASE WHEN {half_day} THEN try_strptime({text}, {clock}) ELSE try_cast({text} AS TIMESTAMP) END"
    # The engine reads a zone only behind seconds.
    whole = f"regexp_replace({text}, '([ T]\\d{{1,2}}:\\d\\d)(\\s*[A-Za-z+-])', '\\1:00\\2')"
    instant = (
        f"CASE WHEN regexp_matches({text}, {literal(_ZONED)}) THEN timezone('UTC', try_cast({whole} AS TIMESTAMPTZ)) "
        f"WHEN NOT contains({text}, ':') THEN {begin_of_day(wall, business)} ELSE {to_utc(wall, zone)} END"
    )
    if kind == "timestamp":
        return instant
    return (
        f"CASE WHEN CAST({wall} AS TIME) = TIME '00:00' THEN CAST({wall} AS DATE) "
        f"ELSE {business_day(instant, business)} END"
    )


def read_typed(value: str, kind: str, engine_type: str, zones: tuple[str, str]) -> str:
    """SQL that reads a column which the source holds as a date or a moment already."""
    zone, business = zones
    if engine_type == "DATE":
        return value if kind == "date" else begin_of_day(value, business)
    zoned = engine_type == "TIMESTAMP WITH TIME ZONE"
    wall = f"timezone('UTC', {value})" if zoned else f"CAST({value} AS TIMESTAMP)"
    instant = wall if zoned else to_utc(wall, zone)
    if kind == "timestamp":
        return instant
    return (
        f"CASE WHEN CAST({wall} AS TIME) = TIME '00:00' THEN CAST({wall} AS DATE) "
        f"ELSE {business_day(instant, business)} END"
    )


def to_utc(wall: str, zone: str) -> str:
    """SQL of the UTC moment at which clocks in `zone` show `wall`."""
    return wall if zone == "UTC" else f"timezone('UTC', timezone({literal(zone)}, {wall}))"


def begin_of_day(day: str, zone: str) -> str:
    """SQL of the UTC moment at which a day begins in `zone`."""
    return to_utc(f"CAST({day} AS TIMESTAMP)", zone)


def business_day(instant: str, zone: str) -> str:
    """SQL of the day in `zone` that a UTC moment falls on."""
    return f"CAST(timezone({literal(zone)}, timezone('UTC', {instant})) AS DATE)"
