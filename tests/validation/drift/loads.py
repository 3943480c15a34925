"""Loads of one company at two times, and what can go wrong between them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

import ibis

from revops_analysis.project import Project
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.snapshot import Snapshot
from revops_analysis.tables.warehouse import LoadRecord, WarehouseInfo, WarehouseWriter

Change = Callable[[ibis.Table], ibis.Table]


def load_as_of(snapshot: Snapshot, project: Project, changes: Mapping[str, Change] | None = None) -> WarehouseInfo:
    """Write what a snapshot shows as a load of its own, or only those that change on the way."""
    altered = changes or dict.fromkeys(TABLES, _same)
    supplied = tuple(name for name in TABLES if name in altered and snapshot.has(name))
    with WarehouseWriter(project, "company") as writer:
        for name in supplied:
            content = altered[name](snapshot.table(name)).to_pyarrow()
            if len(content):
                writer.insert(name, ibis.memtable(content))
        return writer.commit(LoadRecord(snapshot.as_of, supplied))


def _same(table: ibis.Table) -> ibis.Table:
    return table


def nth(table: ibis.Table, key: str, of: int, below: int) -> ibis.expr.types.BooleanValue:
    """A condition that holds for `below` rows in `of`, whatever their order."""
    return table[key].hash().abs() % of < below


BEFORE = dt.date(2026, 8, 31)
