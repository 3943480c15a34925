"""Reading quarantined rows again as if the profile's value maps had the words that somebody suggests."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from revops_analysis.sources.convert import convert
from revops_analysis.sources.mapping import prepare_part
from revops_analysis.sources.profile import ColumnMap, Format, TableMap
from revops_analysis.sources.rules import create_converted
from revops_analysis.sources.staging import Relation, Staging, literal, quoted
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.warehouse import connect

if TYPE_CHECKING:
    import pyarrow as pa

    from revops_analysis.definitions import Definitions
    from revops_analysis.sources.profile import SourceProfile

ValueMaps = Mapping[tuple[str, str], Mapping[str, str]]
"""(table, column) → value → what it should be."""


@dataclass(frozen=True)
class ReadAgain:
    """Rows of the quarantine that can be used once the words are mapped.

    `rows`: table → canonical rows, as an Arrow table; only tables that have such rows. `notes`: a sentence for each
    table whose quarantined rows cannot be read again, and why.
    """

    rows: dict[str, pa.Table] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_again(profile: SourceProfile, quarantine: Path | None, maps: ValueMaps, definitions: Definitions) -> ReadAgain:
    """Convert the quarantined rows again with the profile's mapping and the words of `maps`; nothing is written.

    A row that has another fault too stays out. Rows of tables that the profile reads in several parts, by a look-up or
    by a query are not read again, since their source would be needed; the notes say so.
    """
    files = sorted(quarantine.glob("*.parquet")) if quarantine is not None and quarantine.is_dir() else []
    found, notes = {}, []
    with tempfile.TemporaryDirectory() as scratch:
        con = connect()
        try:
            staging = Staging(con.con, Path(scratch))
            for file in (file for file in files if file.stem in TABLES):
                mapping = _mapping(profile, file.stem)
                if mapping is None:
                    notes.append(f"{file.stem}: quarantined rows cannot be read again without the source.")
                    continue
                rows = _converted(staging, (file, mapping), (profile.format, maps), definitions)
                if rows is not None and len(rows):
                    found[file.stem] = rows
        finally:
            con.disconnect()
    return ReadAgain(found, tuple(notes))


def _mapping(profile: SourceProfile, table: str) -> TableMap | None:
    """How one row of the table is read, where that needs nothing but the row itself."""
    if profile.kind == "sample":
        return TableMap(file=f"{table}.parquet")
    parts = profile.tables.get(table, ())
    is_plain = len(parts) == 1 and parts[0].sql is None and not parts[0].join
    return parts[0] if is_plain else None


def _converted(
    staging: Staging, origin: tuple[Path, TableMap], reading: tuple[Format, ValueMaps], definitions: Definitions
) -> pa.Table | None:
    file, mapping = origin
    settings, maps = reading
    if mapping.format is not None:
        settings = settings.model_copy(update=mapping.format.model_dump(exclude_unset=True))
    relation = _relation(staging, file)
    if relation is None:
        return None
    mapped = _with_words(mapping, file.stem, relation, maps)
    target = create_converted(staging, file.stem)
    convert(staging, prepare_part(staging, file.stem, mapped, settings, relation), target, definitions)
    columns = ", ".join(quoted(name) for name in TABLES[file.stem].names)
    query = f"SELECT {columns} FROM {target} WHERE __reasons IS NULL ORDER BY ALL"
    return staging.execute(query).to_arrow_table()


def _relation(staging: Staging, file: Path) -> Relation | None:
    """The quarantined rows with the columns of their source, all as text."""
    source = f"read_parquet({literal(file)})"
    names = [
        name for (name,) in staging.rows(f"SELECT DISTINCT unnest(json_keys(row)) AS name FROM {source} ORDER BY 1")
    ]
    columns = [name for name in names if name != "line"]
    if not columns:
        return None
    table = staging.new_table("again")
    texts = ", ".join(
        f"json_extract_string(row, ['$.' || {literal(_step(name))}])[1] AS {quoted(name)}" for name in columns
    )
    staging.execute(f"CREATE TABLE {table} AS SELECT row_number() OVER () AS place, {texts} FROM {source}")
    return staging.number_rows(f"(SELECT * FROM {table})", file.name, "place")


def _step(name: str) -> str:
    """A name as a step of a JSON path."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _with_words(mapping: TableMap, table: str, relation: Relation, maps: ValueMaps) -> TableMap:
    """The mapping with the suggested words added to its value maps; words that it maps already stay as they are."""
    there = {name.lower() for name in relation.columns}
    columns = mapping.columns or {name: ColumnMap(column=name) for name in TABLES[table].names if name in there}
    changed = {
        name: spec.model_copy(update={"value_map": {**maps.get((table, name), {}), **spec.value_map}})
        for name, spec in columns.items()
    }
    return mapping.model_copy(update={"columns": changed})
