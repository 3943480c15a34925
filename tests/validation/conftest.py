"""What the tests of the gate share: rules, definitions, and a load in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import ibis
import pytest

from revops_analysis.definitions import Definitions, load_definitions
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.warehouse import CATALOG, connect, create_tables
from revops_analysis.validation import Rule, load_suites
from revops_analysis.validation.evidence import Evidence, LoadCount
from validation.good_company import DATA_THROUGH, Rows

MakeEvidence = Callable[..., Evidence]


@pytest.fixture(scope="session")
def definitions(project_root: Path) -> Definitions:
    return load_definitions(project_root / "params" / "definitions.yml")


@pytest.fixture(scope="session")
def rules(project_root: Path, definitions: Definitions) -> tuple[Rule, ...]:
    return tuple(rule.resolved(definitions, DATA_THROUGH) for rule in load_suites(project_root / "expectations"))


def fill(con: ibis.BaseBackend, tables: Rows, insert: Callable[[str, ibis.Table], None]) -> None:
    for name, rows in tables.items():
        if not rows:
            continue
        types = TABLES[name].ibis_types()
        columns = {column: [row.get(column) for row in rows] for column in types}
        plain = {"decimal(18, 2)": "float64", "decimal(18, 6)": "float64"}
        schema = ibis.schema({column: plain.get(kind, kind) for column, kind in types.items()})
        insert(name, ibis.memtable(columns, schema=schema))


@pytest.fixture(scope="session")
def make_evidence(definitions: Definitions) -> Iterator[MakeEvidence]:
    """Evidence over rows in memory; a steady load before, and nothing in quarantine."""
    connections = []

    def make(tables: Rows, day: date = DATA_THROUGH) -> Evidence:
        con = connect()
        connections.append(con)
        con.raw_sql(f"ATTACH ':memory:' AS {CATALOG}")
        place = (CATALOG, "main")
        create_tables(con, database=place)

        def insert(name: str, rows: ibis.Table) -> None:
            con.insert(name, rows.cast(TABLES[name].ibis_types()), database=place)

        fill(con, tables, insert)
        counts = {name: len(rows) for name, rows in tables.items()}
        loads = {name: LoadCount(number, number, 0, 100.0, 0.0) for name, number in counts.items()}
        return Evidence(con, definitions, day, counts, loads, previous_rows=counts)

    yield make
    for con in connections:
        con.disconnect()
