"""Converting one part of a mapping: canonical values, and the reasons against using a row."""

from __future__ import annotations

from revops_analysis.definitions import Definitions
from revops_analysis.sources import values
from revops_analysis.sources.mapping import Part
from revops_analysis.sources.readers import readers_of
from revops_analysis.sources.staging import Staging, literal, quoted
from revops_analysis.tables.schema import DEAL_TYPES, TABLES, Column


def convert(staging: Staging, part: Part, target: str, definitions: Definitions) -> None:
    """Append the rows of a part to the table `target`: canonical columns, and per row the reasons against using it.

    A reason is {reason, value}. Raises ConfigurationError when dates or numbers can be read in two ways.
    """
    readers = readers_of(staging, part, definitions)
    schema = TABLES[part.table]
    texts = {name: f"{part.text(name)} AS {quoted('r_' + name)}" for name in readers if _is_read_as_text(part, name)}
    reading = ", ".join(f"{expression} AS {quoted('v_' + name)}" for name, expression in readers.items())
    faults = [fault for name in readers for fault in _faults(schema.column(name), part, definitions)]
    absent = [name for name in schema.required if name not in readers]
    sound = " AND ".join(["true", *(f"NOT coalesce({test}, false)" for test, _, _ in faults)])
    outer = ", ".join(f"{quoted('v_' + name)} AS {quoted(name)}" for name in readers)
    # Texts, readings and reasons are three steps, so that the engine computes each once; the list of reasons is
    # evaluated only for rows that have one.
    staging.run(
        f"INSERT INTO {target} BY NAME SELECT __rid, __file, __row, {_tie(part)} AS __tie, {outer}, "
        f"CASE WHEN {'false' if absent else sound} THEN NULL ELSE {_reasons(faults, absent)} END AS __reasons "
        f"FROM (SELECT *, {reading} FROM (SELECT {', '.join(['*', *texts.values()])} FROM {part.raw}))",
        part.where,
    )


def _is_read_as_text(part: Part, name: str) -> bool:
    kind, engine_type = TABLES[part.table].column(name).kind, part.kinds[name]
    if kind in ("date", "timestamp"):
        return not engine_type.startswith(("DATE", "TIMESTAMP"))
    return kind not in values.NUMERIC_KINDS or values.is_text(engine_type)


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


def _given(part: Part, name: str) -> str:
    """SQL that tells whether the source holds a value. Not-a-number is how frames write a missing one."""
    if _is_read_as_text(part, name):
        return f"{quoted('r_' + name)} IS NOT NULL"
    if part.kinds[name] in ("DOUBLE", "FLOAT"):
        return f"NOT coalesce(isnan({quoted(name)}), true)"
    return f"{quoted(name)} IS NOT NULL"


def _faults(column: Column, part: Part, definitions: Definitions) -> list[tuple[str, str, str]]:
    """(test, reason, value) of everything that can be wrong with one value."""
    given, read = _given(part, column.name), quoted("v_" + column.name)
    shown = quoted("r_" + column.name) if _is_read_as_text(part, column.name) else part.text(column.name)
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
