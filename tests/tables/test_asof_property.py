"""Nothing that is dated after the day changes what is seen on the day."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from builders import make_snapshot
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.snapshot import Snapshot
from worlds import DAY, World

SEEDS = st.integers(0, 2**32 - 1)


TEXTS: dict[tuple, str] = {}
"""Queries in the engine's language: translating them takes longer than running them, and they are always the same."""


def everything(snapshot: Snapshot) -> dict[str, list[tuple[Any, ...]]]:
    """All that a snapshot shows, in an order that does not depend on how rows were stored."""
    _ = snapshot.deals, snapshot.history
    found = {}
    for name in ("deals", "history", *TABLES):
        key = (name, snapshot.as_of, snapshot.missing_tables)
        if key not in TEXTS:
            table = getattr(snapshot, name) if name in ("deals", "history") else snapshot.table(name)
            TEXTS[key] = snapshot.con.compile(table)
        found[name] = sorted(snapshot.con.raw_sql(TEXTS[key]).fetchall(), key=repr)
    return found


def see(past: int, future: int, *, history: bool) -> dict[str, Any]:
    tables = World(past, future, history=history).tables()
    snapshot = make_snapshot(tables, as_of=DAY)
    return {**everything(snapshot), "notes": snapshot.notes}


@pytest.mark.parametrize("history", [True, False], ids=["with history", "without history"])
@settings(max_examples=5, deadline=None, derandomize=True, phases=[Phase.generate])
@given(SEEDS, SEEDS, SEEDS)
def test_no_future_shows(history: bool, past: int, one: int, other: int) -> None:
    assert see(past, one, history=history) == see(past, other, history=history)


def test_the_worlds_differ_in_what_they_should() -> None:
    """The property would hold of empty tables too: here each table shows something and hides something."""
    seen: dict[str, set[str]] = {name: set() for name in TABLES}
    hidden: dict[str, set[str]] = {name: set() for name in TABLES}
    for past in range(6):
        tables = World(past, past + 1, history=True).tables()
        store = make_snapshot(tables, as_of=DAY)
        for name, rows in everything(store).items():
            if name in TABLES:
                seen[name] |= {repr(row) for row in rows}
        last = everything(make_snapshot(tables))
        for name in TABLES:
            hidden[name] |= {repr(row) for row in last[name]} - seen[name]
    assert all(seen.values())
    undated = {name for name, schema in TABLES.items() if schema.visible_from is None}
    assert {name for name, rows in hidden.items() if not rows} <= undated


def test_another_past_shows() -> None:
    assert see(1, 1, history=True) != see(2, 1, history=True)
