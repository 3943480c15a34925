"""Snapshots that several tests of metrics look at, made once a session."""

from __future__ import annotations

from pathlib import Path

import ibis
import pytest

from builders import make_definitions, make_snapshot, make_store
from metrics.generated import company
from revops_analysis.simulation import SimulationOptions, simulate
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.snapshot import Snapshot


@pytest.fixture(scope="session")
def generated_snapshot() -> Snapshot:
    """A company made by chance in which everything happens that can."""
    return make_snapshot(company(5, 200))


@pytest.fixture(scope="session")
def sample_snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """A twentieth of the sample company without dirt, as of its last day."""
    folder = tmp_path_factory.mktemp("sample")
    simulate(folder, SimulationOptions(scale=0.05, dirt=0.0, truth=False))
    store = make_store({name: [] for name in TABLES})
    for path in sorted((folder / "tables").glob("*.parquet")):
        fill(store.con, path)
    return Snapshot(store, make_definitions(), "2026-09-30")


def fill(con: ibis.backends.duckdb.Backend, path: Path) -> None:
    """Insert a simulated table into the canonical one, columns by name."""
    schema = TABLES[path.stem]
    rows = con.read_parquet(path)
    known = [rows[name].cast(kind).name(name) for name, kind in schema.ibis_types().items() if name in rows.columns]
    missing = [ibis.null(kind).name(name) for name, kind in schema.ibis_types().items() if name not in rows.columns]
    con.insert(schema.name, rows.select(*known, *missing).select(*schema.names))
