"""A tiny company in memory: subscription terms in, a snapshot out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ibis
import pytest

from revops_analysis.definitions import Definitions
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.snapshot import Snapshot
from revops_analysis.tables.store import Store
from revops_analysis.tables.warehouse import WarehouseInfo, create_tables

WORDS: dict[str, Any] = {
    "version": "test",
    "reporting_currency": "USD",
    "business_time_zone": "UTC",
    "stages": [
        {"name": "Open", "outcome": "open", "entry": "A deal exists."},
        {"name": "Won", "outcome": "won", "entry": "Signed."},
        {"name": "Lost", "outcome": "lost", "entry": "Over."},
    ],
}
Rows = Sequence[Mapping[str, Any]]


def term(
    account: str, start: str, end: str | None, mrr: float | str, product: str = "Core", **more: Any
) -> dict[str, Any]:
    """One subscription term."""
    return {"account_id": account, "started_on": start, "ended_on": end, "mrr": str(mrr), "product": product, **more}


def build(con: Any, tables: Mapping[str, Rows], as_of: str, **settings: Any) -> Snapshot:
    """A snapshot over the given rows; subscriptions get a key and accounts are made where they are not given."""
    filled = {name: [dict(row) for row in rows] for name, rows in tables.items()}
    for number, row in enumerate(filled.get("subscriptions", [])):
        row.setdefault("subscription_id", f"s{number:05d}")
    revenue = [*filled.get("subscriptions", []), *filled.get("revenue_ledger", [])]
    filled.setdefault("accounts", [{"account_id": name} for name in sorted({row["account_id"] for row in revenue})])
    create_tables(con)
    for name, rows in filled.items():
        _insert(con, name, rows)
    info = WarehouseInfo("test", "0" * 16, dt.date(2030, 12, 31), tuple(filled))
    return Snapshot(Store(con, info), Definitions.model_validate({**WORDS, **settings}), as_of)


def _insert(con: Any, name: str, rows: Rows) -> None:
    if not rows:
        return
    kinds = TABLES[name].ibis_types()
    values = {column: [None if row.get(column) is None else str(row[column]) for row in rows] for column in kinds}
    text = ibis.memtable(values, schema=ibis.schema(dict.fromkeys(kinds, "string")))
    con.insert(name, text.cast(kinds))


@pytest.fixture
def company() -> Callable[..., Snapshot]:
    """Build a snapshot: `company(subscriptions, "2026-09-30", mrr_rates="monthly", accounts=[…])`."""

    def make(subscriptions: Rows, as_of: str, **more: Any) -> Snapshot:
        tables = {name: more.pop(name) for name in list(more) if name in TABLES}
        if subscriptions:
            tables["subscriptions"] = subscriptions
        return build(ibis.duckdb.connect(), tables, as_of, **more)

    return make
