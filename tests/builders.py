"""Small in-memory snapshots for tests: rows as dictionaries, every canonical table there, any engine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa

from revops_analysis.definitions import Definitions, load_definitions
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.snapshot import Snapshot
from revops_analysis.tables.store import Store
from revops_analysis.tables.warehouse import WarehouseInfo, connect, create_tables

Rows = Sequence[Mapping[str, Any]]

_ROOT = Path(__file__).resolve().parents[1]
DATA_THROUGH = dt.date(2026, 9, 30)


def moment(text: str) -> dt.datetime:
    """A UTC moment from '2026-09-30' (noon) or '2026-09-30 23:59:59'."""
    return dt.datetime.fromisoformat(text if " " in text else f"{text} 12:00:00")


def make_definitions(**changes: Any) -> Definitions:
    """The project's own definitions, with some keys replaced (plain values, as in the YAML file)."""
    base = load_definitions(_ROOT / "params" / "definitions.yml")
    return Definitions.model_validate({**base.model_dump(mode="json"), **changes}) if changes else base


def make_store(
    tables: Mapping[str, Rows],
    *,
    data_through: dt.date | str = DATA_THROUGH,
    con: Any = None,
    database: Any = None,
) -> Store:
    """All canonical tables in memory (or on `con`), filled with `tables`; those not named count as not supplied.

    Values may be text: days and moments in ISO form (UTC), amounts as numbers or text. Columns left out are null.
    """
    own = con is None
    con = _connect_with_tables() if own else con
    if not own:
        create_tables(con, database=database)
    for name, rows in tables.items():
        unknown = {column for row in rows for column in row} - set(TABLES[name].names)
        assert not unknown, f"{name} has no columns {unknown}"
        if rows and own:
            con.con.register("rows_to_insert", _arrow(name, rows))
            con.raw_sql(f"INSERT INTO {name} SELECT * FROM rows_to_insert")
        elif rows:
            con.insert(name, ibis.memtable(_arrow(name, rows)), database=database)
    through = dt.date.fromisoformat(data_through) if isinstance(data_through, str) else data_through
    supplied = tuple(name for name in TABLES if name in tables)
    info = WarehouseInfo(source="test", content_hash="0" * 16, data_through=through, supplied_tables=supplied)
    return Store(con, info, database=database)


def make_snapshot(
    tables: Mapping[str, Rows],
    *,
    as_of: dt.date | str = DATA_THROUGH,
    data_through: dt.date | str = DATA_THROUGH,
    definitions: Definitions | None = None,
) -> Snapshot:
    """A snapshot over in-memory tables. `make_definitions(booking_day="closed_at")` makes other definitions.

    >>> deal = {"opportunity_id": "o1", "stage": "Proposal", "amount": 1000, "created_at": "2026-07-01"}
    >>> make_snapshot({"opportunities": [deal]}).deals.count().execute()
    1
    """
    return Snapshot(make_store(tables, data_through=data_through), definitions or make_definitions(), as_of)


def _connect_with_tables() -> Any:
    """A connection with all tables, empty; made from kept text, because tests ask for many."""
    con = connect()
    con.raw_sql(_empty_tables())
    return con


@lru_cache
def _empty_tables() -> str:
    con = connect()
    create_tables(con)
    return "\n".join(text for (text,) in con.raw_sql("SELECT sql FROM duckdb_tables()").fetchall())


def rows_table(name: str, rows: Rows) -> ibis.Table:
    """Rows of a canonical table as a warehouse's writer takes them; values as in `make_store`."""
    return ibis.memtable(_arrow(name, rows))


def _arrow(name: str, rows: Rows) -> pa.Table:
    schema = TABLES[name]
    columns = {column.name: [_value(row.get(column.name), column.kind) for row in rows] for column in schema.columns}
    return pa.table(columns, schema=ibis.schema(schema.ibis_types()).to_pyarrow())


def _value(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "timestamp":
        return moment(value) if isinstance(value, str) else value
    if kind == "date":
        return dt.date.fromisoformat(value) if isinstance(value, str) else value
    if kind in ("money", "rate"):
        return Decimal(str(value))
    return value
