"""The input of one mapping: a file, a table or a query, with its look-ups."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from revops_analysis.errors import ConfigurationError
from revops_analysis.project import Project
from revops_analysis.sources.database import Database
from revops_analysis.sources.expressions import columns_of, scalar_expression, select_statement
from revops_analysis.sources.files import FileSource, stage_files
from revops_analysis.sources.mapping import source_column
from revops_analysis.sources.profile import Format, Join, SourceProfile, TableMap
from revops_analysis.sources.staging import OWN_COLUMNS, Relation, Staging, quoted


@dataclass(frozen=True)
class Reader:
    """Reads inputs by the names that a profile gives them: files below its root, or tables of its database."""

    exists: Callable[[str], bool]
    read: Callable[[Staging, str, Format], Relation]
    folders: tuple[Path, ...] = ()


def reader_of(profile: SourceProfile, project: Project) -> Reader:
    """The reader of a profile's inputs; opens the database if it is one."""
    if profile.kind == "database":
        database = Database(profile, project)
        return Reader(database.has, database.stage, database.folders)
    source = FileSource(profile.root_folder(project), f"source {profile.name}")
    return folder_reader(source)


def folder_reader(source: FileSource) -> Reader:
    """The reader of the files below a folder."""
    return Reader(
        lambda pattern: bool(source.find(pattern)),
        lambda staging, pattern, settings: stage_files(staging, source, pattern, settings),
        (source.root.resolve(),),
    )


def is_present(mapping: TableMap, reader: Reader) -> bool:
    """Whether everything that a mapping reads is there."""
    names = list(mapping.inputs.values()) if mapping.sql else [mapping.file or mapping.table or ""]
    return all(reader.exists(name) for name in names)


def stage_input(staging: Staging, mapping: TableMap, reader: Reader, settings: Format, where: str) -> Relation:
    """Bring the input of a mapping into the staging area, look-ups included."""
    if mapping.sql is not None:
        relation = _query(staging, mapping, reader, settings, where)
    else:
        relation = reader.read(staging, mapping.file or mapping.table or "", settings)
    lenient = mapping.absent_columns == "empty"
    if lenient:
        needed = [mine for join in mapping.join.values() for mine in join.on]
        relation = _fill(staging, relation, [name for name in needed if "." not in name])
    for name, join in mapping.join.items():
        source = join.file or join.table or ""
        if lenient and not reader.exists(source):
            continue
        other = reader.read(staging, source, settings)
        if lenient:
            asked = [
                *join.on.values(),
                *columns_of(join.where or "1", where),
                *columns_of(_plain(join.order_by), where),
            ]
            other = _fill(staging, other, asked)
        relation = _look_up(staging, relation, (name, join), other, where)
    return _fill(staging, relation, _named(mapping, where)) if lenient else relation


def _named(mapping: TableMap, where: str) -> list[str]:
    """Every source column that a mapping names."""
    found = [*mapping.order_by, *columns_of(mapping.where or "1", where)]
    for spec in mapping.columns.values():
        found += [spec.column] if spec.column is not None else list(spec.key or ())
        found += columns_of(spec.sql, where) if spec.sql is not None else []
    return found


def _fill(staging: Staging, relation: Relation, names: list[str]) -> Relation:
    """The relation with a null column for each of these names that it lacks."""
    known = {name.lower() for name in relation.columns}
    absent = {name.lower(): name for name in names if name.lower().strip() not in known}
    if not absent:
        return relation
    # Without a type, a null fits beside whatever type an expression combines it with.
    nulls = ", ".join(f"NULL AS {quoted(name)}" for name in absent.values())
    view = staging.new_table("input")
    staging.execute(f"CREATE VIEW {view} AS SELECT *, {nulls} FROM {relation.name}")
    columns = {**relation.columns, **dict.fromkeys(absent.values(), "VARCHAR")}
    return Relation(view, columns, relation.label, (*relation.absent, *absent.values()))


def _query(staging: Staging, mapping: TableMap, reader: Reader, settings: Format, where: str) -> Relation:
    """The rows of a query. They are numbered as they come; a query that passes `__file` and `__row` on keeps them."""
    inputs = {name: reader.read(staging, source, settings) for name, source in mapping.inputs.items()}
    statement = select_statement(mapping.sql or "", {name: rel.name for name, rel in inputs.items()}, f"{where}, sql")
    table = staging.new_table("query")
    staging.run(f"CREATE TABLE {table} AS {statement}", f"{where}, sql")
    names = {name for name, *_ in staging.rows(f"DESCRIBE {table}")}
    label = f"query over {', '.join(rel.label for rel in inputs.values())}"
    file = staging.add_file(label)
    view = staging.new_table("input")
    source = "__file, __row" if {"__file", "__row"} <= names else f"{file} AS __file, rowid + 1 AS __row"
    # A row number of its own: a join may give one source row twice.
    others = ", ".join(quoted(name) for name in names_in_order(staging, table) if name not in OWN_COLUMNS)
    staging.execute(
        f"CREATE VIEW {view} AS SELECT {file}::BIGINT * {1 << 40} + rowid + 1 AS __rid, {source}, {others} FROM {table}"
    )
    return Relation(view, staging.describe(view), label)


def names_in_order(staging: Staging, relation: str) -> list[str]:
    """Column names of a relation as they stand."""
    return [name for name, *_ in staging.rows(f"DESCRIBE {relation}")]


def _look_up(staging: Staging, relation: Relation, named: tuple[str, Join], other: Relation, where: str) -> Relation:
    """The relation with the columns of the one matching row of `other`, named `<join>.<column>`; null without match."""
    name, join = named
    place = f"{where}, join {name}"
    pairs = [
        (source_column(mine, relation, place), source_column(theirs, other, place)) for mine, theirs in join.on.items()
    ]
    keys = ", ".join(quoted(theirs) for _, theirs in pairs)
    kept = f"SELECT * FROM {other.name}"
    if join.where is not None:
        kept += f" WHERE {scalar_expression(join.where, other.columns, f'{place}, where')}"
    order = "__rid"
    if join.order_by is not None:
        order = f"{_order(join.order_by, other, place)}, __rid"
    else:
        _refuse_several(staging, kept, keys, other, place)
    single = f"SELECT DISTINCT ON ({keys}) * FROM ({kept}) ORDER BY {keys}, {order}"
    match = " AND ".join(
        f"trim(CAST(mine.{quoted(a)} AS VARCHAR)) = trim(CAST(theirs.{quoted(b)} AS VARCHAR))" for a, b in pairs
    )
    columns = ", ".join(f"theirs.{quoted(column)} AS {quoted(f'{name}.{column}')}" for column in other.columns)
    view = staging.new_table("input")
    staging.execute(
        f"CREATE VIEW {view} AS SELECT mine.*, {columns} FROM {relation.name} mine "
        f"LEFT JOIN ({single}) theirs ON {match}"
    )
    return Relation(view, staging.describe(view), relation.label, relation.absent)


def _order(text: str, other: Relation, place: str) -> str:
    """`column`, `column desc` or an expression, as the order that picks the first match."""
    direction = "DESC" if text.lower().endswith(" desc") else "ASC"
    return f"{scalar_expression(_plain(text), other.columns, f'{place}, order_by')} {direction} NULLS LAST"


def _plain(order: str | None) -> str:
    """An order without its direction; a constant for none."""
    return re.sub(r"\s+(asc|desc)\s*$", "", order, flags=re.IGNORECASE) if order else "1"


def _refuse_several(staging: Staging, kept: str, keys: str, other: Relation, place: str) -> None:
    compared = ", ".join(quoted(column) for column in other.columns)
    found = staging.rows(
        f"SELECT {keys} FROM (SELECT DISTINCT {compared} FROM ({kept})) GROUP BY ALL "
        "HAVING count(*) > 1 ORDER BY ALL LIMIT 3"
    )
    if found:
        raise ConfigurationError(
            "Several rows match one row in a look-up.",
            found="keys " + "; ".join(" | ".join(str(value) for value in row) for row in found),
            where=f"{place}, {other.label}",
            fix="say which one counts: `order_by: updated_at desc` takes the first, or narrow it by `where:`",
        )
