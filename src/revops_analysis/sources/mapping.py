"""From source columns to canonical columns: which value goes where, and why a value cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from revops_analysis.definitions import Definitions
from revops_analysis.errors import ConfigurationError
from revops_analysis.sources import dates, values
from revops_analysis.sources.expressions import scalar_expression
from revops_analysis.sources.near import near
from revops_analysis.sources.profile import ColumnMap, Format, TableMap
from revops_analysis.sources.staging import Relation, Staging, literal, quoted
from revops_analysis.tables.schema import DEAL_TYPES, TABLES, Column

_SHOWN = 3


@dataclass(frozen=True)
class Part:
    """One part of a canonical table's mapping, ready to be converted.

    `relation` is the input with its look-ups; `raw` a view of it that holds the source value of each canonical
    column under the canonical name, filtered; `kinds` the types of these values in the engine.
    """

    table: str
    mapping: TableMap
    settings: Format
    relation: Relation
    raw: str
    columns: dict[str, ColumnMap]
    kinds: dict[str, str]
    rows_read: int
    rows_filtered: int
    where: str
    order: tuple[str, ...] = field(default=())


def prepare_part(staging: Staging, table: str, mapping: TableMap, settings: Format, relation: Relation) -> Part:
    """Look up every source column that the mapping names and make the view of raw values.

    Raises ConfigurationError, with near names, for a source column that does not exist.
    """
    where = f"tables.{table}, {relation.label}"
    columns = _columns(table, mapping, relation, where)
    picked = ", ".join(
        f"{_raw(spec, relation, settings, f'{where}, column {name}')} AS {quoted(name)}"
        for name, spec in columns.items()
    )
    condition = "true"
    if mapping.where is not None:
        condition = f"coalesce(({scalar_expression(mapping.where, relation.columns, f'{where}, where')}), false)"
    order = tuple(quoted(source_column(name, relation, f"{where}, order_by")) for name in mapping.order_by)
    raw = staging.new_table("raw")
    tie = ", ".join(f"{name} AS __order_{number}" for number, name in enumerate(order))
    staging.execute(
        f"CREATE VIEW {raw} AS SELECT __rid, __file, __row, {picked}{', ' + tie if tie else ''} "
        f"FROM {relation.name} WHERE {condition}"
    )
    kinds = staging.describe(raw)
    read = staging.value(f"SELECT count(*) FROM {relation.name}")
    kept = read if mapping.where is None else staging.value(f"SELECT count(*) FROM {raw}")
    names = tuple(f"__order_{number}" for number in range(len(order)))
    return Part(table, mapping, settings, relation, raw, columns, kinds, read, read - kept, where, names)


def source_column(name: str, relation: Relation, where: str) -> str:
    """The column of an input, whatever the case it is written in.

    Raises ConfigurationError, with near names, when there is none.
    """
    if name in relation.columns:
        return name
    for column in relation.columns:
        if column.lower() == name.lower().strip():
            return column
    raise ConfigurationError(
        f"There is no source column {name}{near(name, relation.columns)}.",
        where=where,
        fix="correct the name in the mapping, or take the line out",
    )


def _columns(table: str, mapping: TableMap, relation: Relation, where: str) -> dict[str, ColumnMap]:
    if mapping.columns:
        return mapping.columns
    found = {name.lower() for name in relation.columns}
    same = {name: ColumnMap(column=name) for name in TABLES[table].names if name in found}
    if not same:
        raise ConfigurationError(
            "No source column bears a canonical name, and no columns are mapped.",
            expected=f"columns of {table}: {', '.join(TABLES[table].names)}",
            found=", ".join(relation.columns),
            where=where,
            fix="add `columns:` with a line for each canonical column",
        )
    return same


def _raw(spec: ColumnMap, relation: Relation, settings: Format, where: str) -> str:
    """SQL of the value of one canonical column before it is read as its kind."""
    if spec.constant is not None:
        return f"{literal(spec.constant)}::VARCHAR"
    if spec.key is not None:
        parts = [_text_of(source_column(name, relation, where), relation, settings) for name in spec.key]
        joined = " || '|' || ".join(f"coalesce({part}, '')" for part in parts)
        value, kind = f"CASE WHEN coalesce({', '.join(parts)}) IS NOT NULL THEN {joined} END", "VARCHAR"
    elif spec.sql is not None:
        value = f"({scalar_expression(spec.sql, relation.columns, where)})"
        kind = ""
    else:
        name = source_column(spec.column or "", relation, where)
        value, kind = quoted(name), relation.columns[name]
    if spec.value_map or spec.otherwise is not None:
        text = values.as_text(value, kind or "ANY", settings.nulls)
        return _mapped(text, spec)
    return value


def _text_of(name: str, relation: Relation, settings: Format) -> str:
    return values.as_text(quoted(name), relation.columns[name], settings.nulls)


def _mapped(text: str, spec: ColumnMap) -> str:
    cases = "".join(
        f" WHEN {text} {f'= {literal(old.strip())}' if old.strip() else 'IS NULL'} "
        f"THEN {'NULL' if new is None else literal(new)}"
        for old, new in spec.value_map.items()
    )
    rest = text if spec.otherwise is None else f"CASE WHEN {text} IS NOT NULL THEN {literal(spec.otherwise)} END"
    return f"CAST(CASE{cases} ELSE {rest} END AS VARCHAR)" if cases else f"CAST({rest} AS VARCHAR)"


def convert(staging: Staging, part: Part, target: str, definitions: Definitions) -> None:
    """Append the rows of a part to the table `target`: canonical columns, and per row the reasons against using it.

    A reason is {reason, value}. Raises ConfigurationError when dates or numbers can be read in two ways.
    """
    readers = _readers(staging, part, definitions)
    schema = TABLES[part.table]
    inner = ", ".join(f"{expression} AS {quoted('v_' + name)}" for name, expression in readers.items())
    texts = ", ".join(f"{_shown(part, name)} AS {quoted('r_' + name)}" for name in readers)
    faults = [fault for name in readers for fault in _faults(schema.column(name), part, definitions)]
    absent = [name for name in schema.required if name not in readers]
    sound = " AND ".join(["true", *(f"NOT coalesce({test}, false)" for test, _, _ in faults)])
    outer = ", ".join(f"{quoted('v_' + name)} AS {quoted(name)}" for name in readers)
    # The engine evaluates the list of reasons only for rows that have one.
    staging.execute(
        f"INSERT INTO {target} BY NAME SELECT __rid, __file, __row, {_tie(part)} AS __tie, {outer}, "
        f"CASE WHEN {'false' if absent else sound} THEN NULL ELSE {_reasons(faults, absent)} END AS __reasons "
        f"FROM (SELECT *, {inner}, {texts} FROM {part.raw})"
    )


def _reasons(faults: list[tuple[str, str, str]], absent: list[str]) -> str:
    checks = [
        f"CASE WHEN {test} THEN {{'reason': {literal(reason)}, 'value': {value}}} END" for test, reason, value in faults
    ]
    always = [f"{{'reason': {literal(name + ': missing')}, 'value': NULL::VARCHAR}}" for name in absent]
    return f"list_filter([{', '.join([*checks, *always])}], lambda fault: fault IS NOT NULL)"


def _tie(part: Part) -> str:
    """What orders changes made in one moment: the declared columns, else the order of the source."""
    if not part.order:
        return "__rid"
    keys = ", ".join(f"try_cast({name} AS DOUBLE), {name}" for name in part.order)
    return f"min(__rid) OVER () + row_number() OVER (ORDER BY {keys}, __rid) - 1"


def _shown(part: Part, name: str) -> str:
    return values.as_text(quoted(name), part.kinds[name], part.settings.nulls)


def _given(part: Part, name: str) -> str:
    """SQL that tells whether the source holds a value. Not-a-number is how frames write a missing one."""
    if values.is_text(part.kinds[name]):
        return f"{quoted('r_' + name)} IS NOT NULL"
    if part.kinds[name] in ("DOUBLE", "FLOAT"):
        return f"NOT coalesce(isnan({quoted(name)}), true)"
    return f"{quoted(name)} IS NOT NULL"


def _faults(column: Column, part: Part, definitions: Definitions) -> list[tuple[str, str, str]]:
    """(test, reason, value) of everything that can be wrong with one value."""
    given, read, shown = _given(part, column.name), quoted("v_" + column.name), quoted("r_" + column.name)
    found = []
    if column.required:
        found.append((f"NOT ({given})", f"{column.name}: missing", "NULL::VARCHAR"))
    if column.kind != "text":
        wrong = f"{column.name}: not a {values.NAMES[column.kind]}".replace("a amount", "an amount")
        found.append((f"({given}) AND {read} IS NULL", wrong, shown))
    if column.kind in ("date", "timestamp"):
        found.append((f"year({read}) NOT BETWEEN 1990 AND 2100", f"{column.name}: impossible date", shown))
    words = _words(column.name, definitions)
    if words:
        known = ", ".join(literal(word) for word in words)
        found.append((f"{read} NOT IN ({known})", f"{column.name}: unknown", shown))
    return found


def _words(column: str, definitions: Definitions) -> tuple[str, ...]:
    """The words that a column may hold; empty for any. An unknown segment is loaded, and the gate reports it."""
    if column == "stage":
        return definitions.stage_names
    if column == "forecast_category":
        return definitions.category_names
    return DEAL_TYPES if column == "type" else ()


def _readers(staging: Staging, part: Part, definitions: Definitions) -> dict[str, str]:
    """SQL that reads each mapped column as its kind."""
    styles = _date_styles(staging, part)
    marks = _decimal_marks(staging, part)
    currencies = None
    if "currency" not in part.columns:
        currencies = (definitions.reporting_currency,)
    readers = {}
    for name, spec in part.columns.items():
        kind, engine_type = TABLES[part.table].column(name).kind, part.kinds[name]
        shown = _shown(part, name)
        zones = (spec.time_zone or part.settings.time_zone or "UTC", definitions.business_time_zone)
        if kind in ("date", "timestamp"):
            typed = engine_type.startswith(("DATE", "TIMESTAMP"))
            read = (
                dates.read_typed(quoted(name), kind, engine_type, zones)
                if typed
                else dates.read_text(shown, kind, styles[name], zones)
            )
        elif kind in values.NUMERIC_KINDS:
            read = (
                values.read_number(shown, kind, decimal=marks[name], currencies=currencies)
                if name in marks
                else values.read_numeric(quoted(name), kind)
            )
            if spec.scale is not None:
                read = f"CAST({read} * {spec.scale!r} AS {values.ENGINE_TYPES[kind]})"
        else:
            read = {"boolean": values.read_boolean, "json": values.read_json}.get(kind, str)(shown)
        readers[name] = read
    return readers


def _survey(
    staging: Staging, part: Part, names: Iterable[str], build: Callable[[str], list[str]]
) -> dict[str, tuple[Any, ...]]:
    """One pass over the input: the aggregates that `build` makes for each of these columns."""
    asked = {name: build(quoted("t_" + name)) for name in names}
    if not asked:
        return {}
    texts = ", ".join(f"{_shown(part, name)} AS {quoted('t_' + name)}" for name in asked)
    wanted = ", ".join(aggregate for aggregates in asked.values() for aggregate in aggregates)
    counts = staging.rows(f"SELECT {wanted} FROM (SELECT {texts} FROM {part.raw})")[0]
    found, place = {}, 0
    for name, aggregates in asked.items():
        found[name] = tuple(counts[place : place + len(aggregates)])
        place += len(aggregates)
    return found


def _closer_look(staging: Staging, part: Part, name: str) -> tuple[Any, ...]:
    """How the values of a column are written that are not in ISO form, each value once."""
    others = f"SELECT DISTINCT {_shown(part, name)} AS text FROM {part.raw} WHERE {dates.not_iso(_shown(part, name))}"
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
    text = _shown(part, name)
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
