"""DuckDB and a real PostgreSQL give the same tables, to the cent and to the microsecond."""

from __future__ import annotations

import ibis
import pytest

from builders import make_definitions, make_snapshot, make_store
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.snapshot import Snapshot
from worlds import DAY, World

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize("history", [True, False], ids=["with history", "without history"])
def test_both_engines_agree(postgres_url: str, history: bool) -> None:
    con = ibis.connect(postgres_url)
    schema = f"world_{int(history)}"
    con.create_database(schema)
    tables = World(3, 8, history=history, deals=60).tables()
    theirs = Snapshot(make_store(tables, con=con, database=schema), make_definitions(), DAY)
    ours = make_snapshot(tables, as_of=DAY)
    for day in (DAY, "2026-06-15"):
        compare(theirs.at(day), ours.at(day))
    con.disconnect()


def compare(theirs: Snapshot, ours: Snapshot) -> None:
    assert theirs.notes == ours.notes
    named = {"deals": lambda s: s.deals, "history": lambda s: s.history}
    named |= {name: lambda s, name=name: s.table(name) for name in TABLES}
    for name, look in named.items():
        left, right = look(theirs), look(ours)
        assert left.schema() == right.schema(), name
        rows = [sorted(table.to_pyarrow().to_pylist(), key=repr) for table in (left, right)]
        assert rows[0] == rows[1], name
    assert ours.deals.count().execute() > 5
