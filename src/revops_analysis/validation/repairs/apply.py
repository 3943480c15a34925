"""A repaired copy of the tables, in the engine and nowhere else: to see what the dirt changes, not to work with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.sources.again import ReadAgain, ValueMaps, read_again
from revops_analysis.tables.schema import TABLES, TableSchema
from revops_analysis.tables.snapshot import Snapshot
from revops_analysis.tables.states import STATES
from revops_analysis.tables.store import Store
from revops_analysis.tables.warehouse import CATALOG, attach

if TYPE_CHECKING:
    import ibis
    import pyarrow as pa

    from revops_analysis.sources.profile import SourceProfile

PLACE = ("repaired", "main")


@dataclass(frozen=True, eq=False)
class RepairedCopy:
    """A snapshot of the repaired tables, and what was done to them.

    `done`, a row a table that differs: table, changed (values replaced), returned (rows that came back from
    quarantine). `notes`: what could not be repaired.
    """

    snapshot: Snapshot
    done: pd.DataFrame
    notes: tuple[str, ...]


def repaired_copy(snapshot: Snapshot, maps: ValueMaps, profile: SourceProfile | None = None) -> RepairedCopy:
    """Copy the tables with the suggested words in place of the mistyped ones; the load stays as it is.

    With the source's `profile`, quarantined rows are read again with these words, and those without another fault
    return, unless what they refer to is missing or their key is taken. They return on the last day of the data only,
    because on an earlier one nobody knows which of them were there.
    """
    info = snapshot.load
    at_end = snapshot.as_of == snapshot.data_through
    again = read_again(profile, info.quarantine, maps, snapshot.definitions) if profile and at_end else ReadAgain()
    con = attach(info)
    con.raw_sql(f"ATTACH ':memory:' AS {PLACE[0]}")
    # What is not copied is read where it lies; views may not refer to another catalogue's tables by a short name.
    done = [_copy(con, TABLES[name], {c: w for (t, c), w in maps.items() if t == name}, again.rows) for name in TABLES]
    changed = {row["table"] for row in done if row["changed"] or row["returned"]}
    if "opportunity_history" not in changed and STATES in con.list_tables(database=(CATALOG, "main")):
        con.raw_sql(f'CREATE VIEW {PLACE[0]}.main."{STATES}" AS SELECT * FROM {CATALOG}.main."{STATES}"')
    copied = replace(info, content_hash=f"{info.content_hash}-repaired")
    made = Snapshot(Store(con, copied, PLACE), snapshot.definitions, snapshot.as_of)
    frame = pd.DataFrame(done, columns=["table", "changed", "returned"])
    return RepairedCopy(made, frame[frame["table"].isin(changed)].reset_index(drop=True), again.notes)


def _copy(
    con: Any, schema: TableSchema, words: Mapping[str, Mapping[str, str]], again: Mapping[str, pa.Table]
) -> dict[str, Any]:
    """Put a table into the copy: a view of the load's where nothing differs."""
    name = schema.name
    loaded = con.table(name, database=(CATALOG, "main"))
    rows, changed = loaded, 0
    if words:
        is_wrong = [loaded[column].isin(list(mapping)) for column, mapping in words.items()]
        changed = sum(
            int(count) for count in con.to_pyarrow(loaded.aggregate(**_counts(is_wrong))).to_pylist()[0].values()
        )
        rows = loaded.mutate(**{column: _right(loaded[column], mapping) for column, mapping in words.items()})
    back = _usable(con, schema, loaded, again[name]) if name in again else None
    if not changed and back is None:
        con.raw_sql(f'CREATE VIEW {PLACE[0]}.main."{name}" AS SELECT * FROM {CATALOG}.main."{name}"')
        return {"table": name, "changed": 0, "returned": 0}
    con.create_table(name, rows if back is None else rows.union(back), database=PLACE)
    return {"table": name, "changed": changed, "returned": 0 if back is None else int(back.count().execute())}


def _counts(conditions: list[Any]) -> dict[str, Any]:
    return {f"c{place}": condition.fill_null(False).cast("int64").sum() for place, condition in enumerate(conditions)}


def _right(value: Any, words: Mapping[str, str]) -> Any:
    import ibis

    return ibis.cases(*((value == wrong, right) for wrong, right in words.items()), else_=value)


def _usable(con: Any, schema: TableSchema, loaded: ibis.Table, rows: pa.Table) -> ibis.Table:
    """The returning rows whose required references are there and whose key is not taken, once a key."""
    import ibis

    kept = con.create_table(f"again_{schema.name}", ibis.memtable(rows).cast(schema.ibis_types()), temp=True)
    kept = kept.select(*schema.names)
    if "change_number" in schema.names:
        kept = kept.mutate(change_number=kept.change_number.fill_null(1))
    for column in schema.columns:
        if column.required and column.references in TABLES:
            target = con.table(str(column.references), database=PLACE)
            kept = kept.semi_join(target, kept[column.name] == target[TABLES[str(column.references)].key[0]])
    kept = kept.anti_join(loaded, list(schema.key)).distinct(on=list(schema.key))
    return kept.select(*schema.names).cast(schema.ibis_types())
