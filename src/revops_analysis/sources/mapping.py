"""From source columns to canonical columns: which value goes where, and why a value cannot be used."""

from __future__ import annotations

from dataclasses import dataclass, field

from revops_analysis.errors import ConfigurationError
from revops_analysis.sources import values
from revops_analysis.sources.expressions import scalar_expression
from revops_analysis.sources.near import near
from revops_analysis.sources.profile import ColumnMap, Format, TableMap
from revops_analysis.sources.staging import Relation, Staging, literal, quoted
from revops_analysis.tables.schema import TABLES


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

    def text(self, name: str) -> str:
        """SQL of the value of a canonical column as text, over `raw`."""
        return values.as_text(quoted(name), self.kinds[name], self.settings.nulls)


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
    staging.run(
        f"CREATE VIEW {raw} AS SELECT __rid, __file, __row, {picked}{', ' + tie if tie else ''} "
        f"FROM {relation.name} WHERE {condition}",
        where,
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
        text = values.as_text(value if kind else f"CAST({value} AS VARCHAR)", kind or "VARCHAR", settings.nulls)
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
