"""Simulated companies for the power of findings: straight from the simulation into the engine, no files and no gate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from revops_analysis.periods import Period

AS_OF = date(2026, 9, 30)
LOADED = (
    *("users", "opportunities", "opportunity_history", "subscriptions", "quotas"),
    *("accounts", "targets", "exchange_rates"),
)
"""Tables that detectors of pipeline and retention read. Leads, touches and people are left out: they cost most."""


@dataclass(frozen=True, eq=False)
class Company:
    """A clean simulated company as a snapshot of its last day, what was planted in it, and what came afterwards.

    `planted` is (kind of scope, scope), None where nothing was; `bookings` are those of new and expansion deals in a
    period, in dollars, also beyond the end of the data.
    """

    snapshot: Any
    planted: tuple[str, str] | None
    blocks: tuple[Any, ...]

    def bookings(self, period: Period) -> float:
        """What was really booked in the period."""
        from revops_analysis.simulation import timeline as tl
        from revops_analysis.simulation.truth import outcomes
        from revops_analysis.simulation.words import RENEWAL

        total = 0.0
        for block in self.blocks:
            ends = outcomes(block.book, block.prices, block.market)
            inside = (ends.day >= tl.number(period.start)) & (ends.day <= tl.number(period.end)) & (ends.code == 1)
            total += float(ends.dollars[inside & (block.book.deals.kind != RENEWAL)].sum())
        return total


def company(seed: int, scenario: str, scale: float = 1.0) -> Company:
    """Simulate a company without dirt and open it on its last day, in memory."""
    from revops_analysis.simulation.company import _company_tables, make_block
    from revops_analysis.simulation.market import make_market
    from revops_analysis.simulation.options import SimulationOptions
    from revops_analysis.simulation.parameters import parameters_for
    from revops_analysis.simulation.randomness import COMPANY, Streams
    from revops_analysis.tables.snapshot import Snapshot
    from revops_analysis.tables.store import Store
    from revops_analysis.tables.warehouse import WarehouseInfo, connect

    options = SimulationOptions(seed=seed, scale=scale, dirt=0.0, scenario=scenario, truth=False)
    shared = Streams(options.seed, COMPANY)
    market = make_market(parameters_for(options), shared)
    blocks = tuple(make_block(number, options, market) for number in range(options.blocks))
    con = connect()
    con.raw_sql(_empty_tables())
    _insert(con, _company_tables(options, market, shared))
    for block in blocks:
        _insert(con, _deal_tables(block))
    info = WarehouseInfo(source="sample", content_hash="0" * 16, data_through=AS_OF, supplied_tables=LOADED)
    return Company(Snapshot(Store(con, info), _definitions(), AS_OF), _planted(blocks[0], scenario), blocks)


def _deal_tables(block: Any) -> dict[str, Any]:
    """What `simulate` would write of deals, sellers and accounts, without the tables that are not loaded."""
    from revops_analysis.simulation.columns import canonical
    from revops_analysis.simulation.companies import accounts_table
    from revops_analysis.simulation.company import _deal_side

    columns, _ = _deal_side(block)
    columns["accounts"] = accounts_table(block.companies, block.team, block.first_user)
    return {name: canonical(name, values) for name, values in columns.items() if name in LOADED}


def _insert(con: Any, tables: dict[str, Any]) -> None:
    from revops_analysis.tables.schema import TABLES

    for name in [name for name in LOADED if name in tables]:
        listed = ", ".join(f'"{column}"' for column in TABLES[name].names if column in tables[name].column_names)
        con.con.register("rows_to_insert", tables[name])
        con.raw_sql(f"INSERT INTO {name} ({listed}) SELECT {listed} FROM rows_to_insert")
        con.con.unregister("rows_to_insert")


def _planted(block: Any, scenario: str) -> tuple[str, str] | None:
    from revops_analysis.simulation.truth import planted_problems

    found = planted_problems(block.parameters, scenario, block.team, block.first_user)
    return (found["scope_kind"][0].as_py(), found["scope"][0].as_py()) if len(found["scope"]) else None


@lru_cache
def _empty_tables() -> str:
    from revops_analysis.tables.warehouse import connect, create_tables

    con = connect()
    create_tables(con)
    return "\n".join(text for (text,) in con.raw_sql("SELECT sql FROM duckdb_tables()").fetchall())


@lru_cache
def _definitions() -> Any:
    from revops_analysis.definitions import load_definitions

    return load_definitions(Path(__file__).resolve().parents[1] / "params" / "definitions.yml")
