"""A store: the canonical tables of one load on a live connection, with what has been computed from them so far."""

from __future__ import annotations

import re
from typing import Any

import ibis

from revops_analysis.tables.states import STATES, opportunity_states
from revops_analysis.tables.warehouse import CATALOG, WarehouseInfo, attach


class Store:
    """The canonical tables of one load in one engine (any Ibis backend), untouched by any as-of date.

    `database` is where the tables lie, as Ibis understands it. Results that are asked for again and again are kept as
    temporary tables of the connection (`keep`), so they are computed once, however many snapshots share the store.
    """

    def __init__(self, con: Any, info: WarehouseInfo, database: Any = None) -> None:
        self.con = con
        self.info = info
        self.database = database
        self._kept: dict[str, ibis.Table] = {}

    def table(self, name: str) -> ibis.Table:
        """Return a canonical table as it was loaded, everything after the as-of date included."""
        return self.con.table(name, database=self.database)

    @property
    def states(self) -> ibis.Table:
        """The states of all deals (see `states.opportunity_states`): as the load prepared them, or computed once."""
        if STATES not in self._kept:
            if STATES in self.con.list_tables(database=self.database):
                self._kept[STATES] = self.con.table(STATES, database=self.database)
            else:
                self.keep(STATES, opportunity_states(self.table("opportunity_history")))
        return self._kept[STATES]

    def keep(self, name: str, expression: ibis.Table) -> ibis.Table:
        """Compute `expression` once into a temporary table, and return that; `name` tells results apart."""
        if name not in self._kept:
            place = "kept_" + re.sub(r"\W+", "_", name)
            self._kept[name] = self.con.create_table(place, expression, temp=True)
        return self._kept[name]


def open_store(info: WarehouseInfo) -> Store:
    """Open a load for reading: its file attached read-only to an in-memory DuckDB connection."""
    return Store(attach(info), info, database=(CATALOG, "main"))
