"""Companies for the tests of duplicates: simulated ones with their truth, and people written by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from builders import DATA_THROUGH, make_definitions, make_snapshot
from revops_analysis.simulation import SimulationOptions, simulate
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.snapshot import Snapshot
from revops_analysis.tables.store import Store
from revops_analysis.tables.warehouse import WarehouseInfo, connect, create_tables

TRUTH = {
    "contacts": ("people", "contact_id", "person_id"),
    "accounts": ("companies", "account_id", "company_id"),
    "leads": ("leads", "lead_id", "person_id"),
}


def simulated(folder: Path, *, seed: int = 0, scale: float = 0.1, dirt: float = 1.0) -> Snapshot:
    """The simulated company as its load has it: rows entered twice are collapsed; nothing else is touched."""
    simulate(folder, SimulationOptions(seed=seed, scale=scale, dirt=dirt))
    con = connect()
    create_tables(con)
    for name in TABLES:
        for path in sorted(folder.glob(f"tables/{name}.parquet")):
            columns = ", ".join(TABLES[name].names)
            con.raw_sql(f"INSERT INTO {name} SELECT DISTINCT {columns} FROM '{path}'")
    info = WarehouseInfo("test", "0" * 16, DATA_THROUGH, tuple(TABLES))
    return Snapshot(Store(con, info), make_definitions(), DATA_THROUGH)


def identity(folder: Path, snapshot: Snapshot, table: str) -> pd.Series:
    """Who each record of a table is."""
    file, key, column = TRUTH[table]
    truth = pd.read_parquet(folder / "truth" / f"{file}.parquet").set_index(key)[column]
    there = snapshot.table(table).select(key).to_pandas()[key]
    return truth.reindex(there)


def crowd(n: int = 200) -> list[dict[str, Any]]:
    """Contacts who are all different people, each at a company of their own, with nothing missing."""
    first = [
        "Ann",
        "Ben",
        "Carl",
        "Dora",
        "Emil",
        "Fred",
        "Gus",
        "Hans",
        "Ina",
        "Jack",
        "Kurt",
        "Lea",
        "Mia",
        "Nora",
        "Otto",
        "Paula",
        "Quinn",
        "Rosa",
        "Sven",
        "Tina",
    ]
    last = [
        "Abel",
        "Bauer",
        "Conrad",
        "Dietz",
        "Ernst",
        "Frank",
        "Gruber",
        "Huber",
        "Ivers",
        "Jung",
        "Kraus",
        "Lang",
        "Moser",
        "Nagel",
        "Ott",
        "Paul",
        "Roth",
    ]
    return [
        contact(
            f"x{place:04d}",
            f"{first[place % len(first)]} {last[(place // 3) % len(last)]}",
            email=f"{first[place % len(first)].lower()}.{place}@firm{place}.example",
            phone=f"+49 30 {100_0000 + place * 7919}",
            account_id=f"acc{place:04d}",
        )
        for place in range(n)
    ]


def contact(key: str, name: str | None, **fields: Any) -> dict[str, Any]:
    """A contact of the first of January 2025, unless `created_at` says otherwise."""
    return {"contact_id": key, "name": name, "created_at": "2025-01-01", **fields}


def account(key: str, name: str | None, **fields: Any) -> dict[str, Any]:
    """An account of the first of January 2025, unless `created_at` says otherwise."""
    return {"account_id": key, "name": name, "created_at": "2025-01-01", **fields}


def company(**tables: Sequence[Mapping[str, Any]]) -> Snapshot:
    """A snapshot of these tables; contacts of accounts that are not given get accounts named after them."""
    made: dict[str, Sequence[Mapping[str, Any]]] = dict(tables)
    known = {row["account_id"] for row in made.get("accounts", [])}
    wanted = {row.get("account_id") for row in made.get("contacts", [])} - known - {None}
    named = [account(key, f"Firm {key} Ltd", domain=f"{key}.example") for key in sorted(wanted)]
    made["accounts"] = [*made.get("accounts", []), *named]
    return make_snapshot(made)
