"""A store: the canonical tables of one load on a live connection, with what has been computed from them so far."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import ibis

from revops_analysis.tables.days import AsOf
from revops_analysis.tables.states import STATES, opportunity_states
from revops_analysis.tables.warehouse import CATALOG, WarehouseInfo, attach


class Store:
    """The canonical tables of one load in one engine (any Ibis backend), untouched by any as-of date.

    `database` is where the tables lie, as Ibis understands it. Results that are asked for again and again are kept as
    temporary tables of the connection (`keep`), so they are computed once, however many snapshots share the store.
    `variant` tells stores apart that read the tables of one load differently, as `resolved.ResolvedStore` does; `notes`
    are plain sentences on that.
    """

    variant = ""
    notes: tuple[str, ...] = ()

    def __init__(self, con: Any, info: WarehouseInfo, database: Any = None) -> None:
        self.con = con
        self.info = info
        self.database = database
        self._prefix = "kept_"
        self._tables: dict[str, ibis.Table] = {}
        self._kept: dict[str, ibis.Table] = {}
        self._parts: dict[str, PartOfStore] = {}

    @property
    def as_loaded(self) -> Store:
        """The store that reads every row as it was loaded."""
        return self

    def table(self, name: str) -> ibis.Table:
        """Return a canonical table as it was loaded, everything after the as-of date included."""
        if name not in self._tables:
            self._tables[name] = self.con.table(name, database=self.database)
        return self._tables[name]

    def load_counts(self) -> tuple[dict[str, Any], ...]:
        """Return what loading counted, a row a table; empty where the tables came without."""
        if LOAD_COUNTS not in self.con.list_tables(database=self.database):
            return ()
        return tuple(self.table(LOAD_COUNTS).to_pyarrow().to_pylist())

    @property
    def states(self) -> ibis.Table:
        """The states of all deals (see `states.opportunity_states`): as the load prepared them, or computed once."""
        if self._are_states_prepared:
            return self.table(STATES)
        return self.keep(STATES, lambda: opportunity_states(self.table("opportunity_history")))

    @cached_property
    def _are_states_prepared(self) -> bool:
        return STATES in self.con.list_tables(database=self.database)

    @cached_property
    def first_year(self) -> int | None:
        """The year of the earliest moment of any deal; None when there is none."""
        deals, changes = self.table("opportunities"), self.table("opportunity_history")
        found = deals.aggregate(created=deals.created_at.min(), closed=deals.closed_at.min()).cross_join(
            changes.aggregate(changed=changes.changed_at.min())
        )
        moments = found.to_pyarrow().to_pylist()[0].values()
        return min((moment.year for moment in moments if moment is not None), default=None)

    def keep(self, name: str, expression: ibis.Table | Callable[[], ibis.Table]) -> ibis.Table:
        """Compute `expression` (or what it returns) once into a temporary table, and return that.

        `name` tells results apart.
        """
        if name not in self._kept:
            place = self._prefix + self.variant + re.sub(r"\W+", "_", name)
            made = expression if isinstance(expression, ibis.Table) else expression()
            self._kept[name] = self._temporary(place, made)
        return self._kept[name]

    def keep_as_of(self, name: str, at: AsOf, build: Callable[[AsOf], ibis.Table]) -> ibis.Table:
        """Compute `build(at)` once into a temporary table, and return that; `name` tells results apart.

        Translating a long expression takes longer than running it on a small company, and a back-test asks for the
        same one on many days. So it is translated once, for a day that stands for any, and its text gets the day.
        `build` must use nothing of `at` but its day and its end, as literals, and what `AsOf.any_day` keeps. What it
        keeps itself must be kept before.
        """
        full = f"{name}_{at.day:%Y%m%d}"
        if full not in self._kept:
            text = self._text_for(name, at, build)
            place = self._prefix + self.variant + re.sub(r"\W+", "_", full)
            self._kept[full] = self._written_as(place, text)
        return self._kept[full]

    def part(self, name: str, deals: Callable[[], ibis.Table], without: tuple[str, ...] = ()) -> PartOfStore:
        """Return the same load with only some of its deals; made once for each name."""
        if name not in self._parts:
            self._parts[name] = PartOfStore(self, name, deals(), without)
        return self._parts[name]

    def _temporary(self, place: str, made: ibis.Table) -> ibis.Table:
        """Write a table into a temporary one, with the types it has as an expression.

        On DuckDB in two statements of our own: what Ibis asks around them takes as long as a small table does. Only
        where the expression holds rows of this process is it left to Ibis, which hands them over first.
        """
        from ibis.expr.operations import InMemoryTable

        if self.con.name == "pyspark":
            for rows in made.op().find(InMemoryTable):  # a query of it is what hands rows of this process over
                self.con.to_pyarrow(rows.to_expr().limit(0))
            return self._written_as(place, str(self.con.compile(made)))
        if self.con.name != "duckdb" or made.op().find(InMemoryTable):
            return self.con.create_table(place, made, temp=True)
        columns = ", ".join(column.sql(self.con.name) for column in made.schema().to_sqlglot_column_defs(self.con.name))
        self.con.raw_sql(f"CREATE TEMPORARY TABLE {place} ({columns})")
        self.con.raw_sql(f"INSERT INTO {place} {self.con.compile(made)}")
        return self.con.table(place, database=_TEMPORARY["duckdb"])

    def _written_as(self, place: str, text: str) -> ibis.Table:
        """Run a query's text into a temporary table; on Spark, which has none, into rows it keeps under a name."""
        if self.con.name == "pyspark":
            self.con.raw_sql(text).localCheckpoint().createOrReplaceTempView(place)
        else:
            self._finish(self.con.raw_sql(f"CREATE TEMPORARY TABLE {place} AS {text}"))
        return self.con.table(place, database=_TEMPORARY.get(self.con.name))

    def _text_for(self, name: str, at: AsOf, build: Callable[[AsOf], ibis.Table]) -> str:
        """Return the engine's text of `build(at)`, from the text for any day where that can be told apart.

        Stores with the same tables in the same place share the text: it names no data.
        """
        anyday = at.any_day()
        place = (self.con.name, self.database, self._prefix, self.variant)
        key = (*place, self.info.supplied_tables, self._are_states_prepared, name, anyday)
        if key not in _TRANSLATED:
            _TRANSLATED[key] = str(self.con.compile(build(anyday)))
        text = _TRANSLATED[key]
        for stand_in, literal in zip(anyday.literals(), at.literals(), strict=True):
            text = text.replace(self._written(stand_in), self._written(literal))
        return text if str(anyday.day.year) not in text else str(self.con.compile(build(at)))

    def _written(self, literal: Any) -> str:
        """Return a literal as the engine's SQL writes it."""
        select = str(self.con.compile(literal.name("x").as_table()))
        return re.sub(r"(?is)^\s*SELECT\s+(.*?)\s+AS\s+\W?x\W?\s*$", r"\1", select)

    def _finish(self, cursor: Any) -> None:
        """Let go of the cursor of a statement, which on a server ends its transaction."""
        if self.con.name != "duckdb":
            self.con.con.commit()
            cursor.close()


LOAD_COUNTS = "_load_counts"
"""Name of the table of a load that says what became of its rows."""

_TRANSLATED: dict[tuple[Any, ...], str] = {}
"""Expressions for any day in the text of an engine."""

_TEMPORARY = {"duckdb": ("temp", "main")}
"""Where an engine keeps temporary tables, if not on its search path."""


class PartOfStore(Store):
    """The same load with only some of its deals, for questions that few of many deals can answer.

    `deals` is a table of the deals that are kept (opportunity_id). Other tables are those of the whole load, but for
    `without`, which count as not supplied. Results are kept apart from those of the whole, under `name`.
    """

    def __init__(self, whole: Store, name: str, deals: ibis.Table, without: tuple[str, ...] = ()) -> None:
        supplied = tuple(table for table in whole.info.supplied_tables if table not in without)
        super().__init__(whole.con, replace(whole.info, supplied_tables=supplied), whole.database)
        self._whole, self.variant, self.notes = whole, whole.variant, whole.notes
        # Short, because an engine may cut the names of tables: PostgreSQL does after 63 characters.
        self._prefix = f"part_{hashlib.sha256(name.encode()).hexdigest()[:8]}_"
        ids = self.keep("deals", deals)
        kept = {"opportunities": whole.table("opportunities"), STATES: whole.states}
        self._own = {
            table: self.keep(f"own {table}", rows.semi_join(ids, "opportunity_id")) for table, rows in kept.items()
        }

    def table(self, name: str) -> ibis.Table:
        """Return a canonical table as it was loaded, or the part of it that belongs to the deals."""
        return self._own[name] if name in self._own else self._whole.table(name)

    @property
    def states(self) -> ibis.Table:
        """The states of the deals of this part."""
        return self._own[STATES]

    @property
    def first_year(self) -> int | None:
        """The year of the earliest moment of any deal of the whole load."""
        return self._whole.first_year


def open_store(info: WarehouseInfo) -> Store:
    """Open a load for reading: its file attached read-only to an in-memory DuckDB connection."""
    return Store(attach(info), info, database=(CATALOG, "main"))
