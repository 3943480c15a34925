"""What the gate knows of a load: the tables, which of them the source supplied, and what loading counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from revops_analysis.tables.states import STATES, opportunity_states
from revops_analysis.tables.warehouse import CATALOG, WarehouseInfo
from revops_analysis.validation.frames import prepared

if TYPE_CHECKING:
    import ibis

    from revops_analysis.definitions import Definitions
    from revops_analysis.validation.drift.compare import Drift


@dataclass(frozen=True)
class LoadCount:
    """What became of one table's rows while loading; amounts are None for tables without one."""

    read: int
    loaded: int
    quarantined: int
    amount_loaded: float | None
    amount_quarantined: float | None


@dataclass(frozen=True)
class Evidence:
    """Everything a rule may look at.

    `con` has a load attached. `day` is what freshness is measured against: the as-of date, or the day that the source
    declares its data to reach. `rows` counts each supplied table. `previous_rows` is None where there is no earlier
    load, and so is `drift`: what changed since that load.
    """

    con: ibis.BaseBackend
    definitions: Definitions
    day: date
    rows: Mapping[str, int]
    loads: Mapping[str, LoadCount]
    previous_rows: Mapping[str, int] | None = None
    drift: Drift | None = None
    _raw: dict[str, ibis.Table] = field(default_factory=dict, init=False, repr=False, compare=False)

    def has(self, table: str) -> bool:
        """True when the source supplied the table and it has rows."""
        return self.rows.get(table, 0) > 0

    def absence(self, table: str) -> str | None:
        """Why nothing in the table can be checked, as a sentence; None when something can."""
        if table not in self.rows:
            return f"The source does not supply {table}."
        return None if self.rows[table] else f"The table {table} is empty."

    def raw(self, name: str) -> ibis.Table:
        """The canonical table as it was loaded."""
        if name not in self._raw:
            self._raw[name] = self.con.table(name, database=_PLACE)
        return self._raw[name]

    def prepared(self, name: str) -> ibis.Table:
        """The canonical table with its derived columns."""
        return prepared(self.raw(name), name, self.definitions)

    def last_changes(self) -> ibis.Table:
        """The last change of each deal in the history: as the load prepared it, where it did."""
        if STATES in self.con.list_tables(database=_PLACE):
            states = self.raw(STATES)
        else:
            states = opportunity_states(self.raw("opportunity_history"))
        return states.filter(states.valid_until.isnull())


_PLACE = (CATALOG, "main")


def count(rows: ibis.Table) -> int:
    """Number of rows, counted in the engine."""
    return int(rows.count().execute())


def count_rows(con: ibis.BaseBackend, info: WarehouseInfo) -> dict[str, int]:
    """Rows of each table that the source supplied."""
    return {name: count(con.table(name, database=_PLACE)) for name in info.supplied_tables}


def load_counts(con: ibis.BaseBackend) -> dict[str, LoadCount]:
    """What loading counted, by table."""
    return counts_by_table(con.table("_load_counts", database=_PLACE).to_pyarrow().to_pylist())


def counts_by_table(rows: Iterable[Mapping[str, Any]]) -> dict[str, LoadCount]:
    """What loading counted, by table, from rows of `_load_counts`."""
    return {row["table"]: _load_count(row) for row in rows}


def _load_count(row: Mapping[str, Any]) -> LoadCount:
    amounts = [None if row[name] is None else float(row[name]) for name in ("amount_loaded", "amount_quarantined")]
    return LoadCount(row["read"] or 0, row["loaded"] or 0, row["quarantined"] or 0, *amounts)
