"""How the values of one input are written, found out once for each column, and the SQL that reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from revops_analysis.definitions import Definitions
from revops_analysis.errors import ConfigurationError
from revops_analysis.sources import dates, values
from revops_analysis.sources.mapping import Part
from revops_analysis.sources.staging import Staging, literal, quoted
from revops_analysis.tables.schema import TABLES

_SHOWN = 3


def readers_of(staging: Staging, part: Part, definitions: Definitions) -> dict[str, str]:
    """SQL that reads each mapped column as its kind, over `raw` with its texts as `r_<column>`.

    Raises ConfigurationError, with three values and the line to add, where dates or numbers can be read in two ways.
    """
    styles = _date_styles(staging, part)
    marks = _decimal_marks(staging, part)
    currencies = None if "currency" in part.columns else (definitions.reporting_currency,)
    readers = {}
    for name, spec in part.columns.items():
        kind = TABLES[part.table].column(name).kind
        text = quoted("r_" + name)
        if kind in ("date", "timestamp"):
            zones = (spec.time_zone or part.settings.time_zone or "UTC", definitions.business_time_zone)
            is_text = name in styles
            readers[name] = (
                dates.read_text(text, kind, styles[name], zones)
                if is_text
                else dates.read_typed(quoted(name), kind, part.kinds[name], zones)
            )
        elif kind in values.NUMERIC_KINDS:
            read = values.read_numeric(quoted(name), kind)
            if name in marks:
                read = values.read_number(text, kind, decimal=marks[name], currencies=currencies)
            scaled = f"CAST({read} * {spec.scale!r} AS {values.ENGINE_TYPES[kind]})"
            readers[name] = read if spec.scale is None else scaled
        else:
            readers[name] = {"boolean": values.read_boolean, "json": values.read_json}.get(kind, str)(text)
    return readers


def _survey(
    staging: Staging, part: Part, names: Iterable[str], build: Callable[[str], list[str]]
) -> dict[str, tuple[Any, ...]]:
    """One pass over the input: the aggregates that `build` makes for each of these columns."""
    asked = {name: build(quoted("t_" + name)) for name in names}
    if not asked:
        return {}
    texts = ", ".join(f"{part.text(name)} AS {quoted('t_' + name)}" for name in asked)
    wanted = ", ".join(aggregate for aggregates in asked.values() for aggregate in aggregates)
    counts = staging.rows(f"SELECT {wanted} FROM (SELECT {texts} FROM {part.raw})")[0]
    found, place = {}, 0
    for name, aggregates in asked.items():
        found[name] = tuple(counts[place : place + len(aggregates)])
        place += len(aggregates)
    return found


def _closer_look(staging: Staging, part: Part, name: str) -> tuple[Any, ...]:
    """How the values of a column are written that are not in ISO form, each value once."""
    others = f"SELECT DISTINCT {part.text(name)} AS text FROM {part.raw} WHERE {dates.not_iso(part.text(name))}"
    return staging.rows(f"SELECT {', '.join(dates.survey('text'))} FROM ({others})")[0]


def _date_styles(staging: Staging, part: Part) -> dict[str, dates.DateStyle]:
    schema = TABLES[part.table]
    names = [
        name
        for name in part.columns
        if schema.column(name).kind in ("date", "timestamp") and not part.kinds[name].startswith(("DATE", "TIMESTAMP"))
    ]
    styles: dict[str, dates.DateStyle] = {}
    for name, (others, timed) in _survey(staging, part, names, dates.glance).items():
        formats = part.columns[name].date_format or part.settings.date_format
        counts = _closer_look(staging, part, name) if others and not formats else dates.NOTHING
        styles[name], is_open = dates.decide(counts, formats, timed=bool(timed))
        if is_open:
            raise _two_ways(staging, part, name, "dates", dates.AMBIGUOUS, _date_lines(name, part))
    return styles


def _decimal_marks(staging: Staging, part: Part) -> dict[str, str]:
    schema = TABLES[part.table]
    names = [
        name
        for name in part.columns
        if schema.column(name).kind in values.NUMERIC_KINDS and values.is_text(part.kinds[name])
    ]
    marks: dict[str, str] = {}
    for name, counts in _survey(staging, part, names, values.survey_numbers).items():
        declared = part.columns[name].decimal or part.settings.decimal
        if declared is None and values.mark_is_open(counts, schema.column(name).kind):
            lines = f"{_line(name, part, 'decimal', ',')} if the comma is the decimal mark, "\
                    f"{_line(name, part, 'decimal', '.')} if the point is"  # fmt: skip
            raise _two_ways(staging, part, name, "numbers", r"[.,]", lines)
        marks[name] = declared or "."
    return marks


def _date_lines(name: str, part: Part) -> str:
    return (
        f"{_line(name, part, 'date_format', '%d/%m/%Y')} if the day comes first, "
        f"{_line(name, part, 'date_format', '%m/%d/%Y')} if the month does (with the separators of the file, and %y "
        "for years of two digits)"
    )


def _line(name: str, part: Part, key: str, value: str) -> str:
    """The line of the mapping that settles a question, ready to be pasted."""
    spec = part.columns[name]
    origin = {"column": spec.column} if spec.column is not None else {"sql": spec.sql or "…"}
    inside = ", ".join(f"{word}: {_yaml(text)}" for word, text in {**origin, key: value}.items())
    return f"`{name}: {{{inside}}}`"


def _yaml(text: str | None) -> str:
    plain = (text or "").replace(" ", "").replace("_", "").isalnum()
    return str(text) if plain else f'"{text}"'


def _two_ways(staging: Staging, part: Part, name: str, what: str, shape: str, lines: str) -> ConfigurationError:
    """An error that shows three of the values which can be read in two ways."""
    text = part.text(name)
    rows = staging.rows(
        f"SELECT value, arg_min(__file, __rid), arg_min(__row, __rid) FROM (SELECT {text} AS value, * FROM {part.raw}) "
        f"WHERE regexp_matches(value, {literal(shape)}) GROUP BY value ORDER BY min(__rid) LIMIT {_SHOWN}"
    )
    spec = part.columns[name]
    shown = ", ".join(f"{value} ({staging.files[file]} row {row})" for value, file, row in rows)
    return ConfigurationError(
        f"The {what} in {name} can be read in two ways, and nothing in the column settles it.",
        expected="a declaration in the mapping; nothing is guessed",
        found=shown,
        where=f"{part.where}, source column {spec.column or spec.sql}",
        fix=f"write under tables.{part.table}.columns: {lines}",
    )
