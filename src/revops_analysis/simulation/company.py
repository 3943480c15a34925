"""`simulate`: the sample company as canonical tables on disk, with the truth beside them."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from revops_analysis.simulation import deals as deal_tables
from revops_analysis.simulation import plan, words
from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.activities import make_activities
from revops_analysis.simulation.arrivals import Arrivals, sold_by_sales
from revops_analysis.simulation.book import Book, stack
from revops_analysis.simulation.columns import Columns, Floats, canonical
from revops_analysis.simulation.companies import Companies, accounts_table, contacts_table, make_companies
from revops_analysis.simulation.dirt import (
    TWICE,
    DealRows,
    Dirt,
    soil_accounts,
    soil_deals,
    soil_leads,
    soil_rows,
    soil_touches,
)
from revops_analysis.simulation.dynamics import SOLUTION, Rates, make_rates
from revops_analysis.simulation.lead_table import Identities, identify, leads_table
from revops_analysis.simulation.leads import Leads, arrivals_from, make_leads
from revops_analysis.simulation.lifecycle import live
from revops_analysis.simulation.market import FIRST_RATE, Market, campaigns, exchange_rates, make_market
from revops_analysis.simulation.options import SimulationOptions
from revops_analysis.simulation.parameters import Parameters, parameters_for
from revops_analysis.simulation.people import Team, make_team, users_table
from revops_analysis.simulation.randomness import COMPANY, Streams
from revops_analysis.simulation.record import Record, keep_record
from revops_analysis.simulation.sizing import account_multiplier
from revops_analysis.simulation.spend import spend_table
from revops_analysis.simulation.subscriptions import subscriptions_table
from revops_analysis.simulation.touches import make_touches, touchpoints_table
from revops_analysis.simulation.writer import TableWriter

BLOCK_USERS = 1000
"""Numbers set aside for the users of one block."""
BLOCK_ROWS = 1_000_000


@dataclass(frozen=True)
class SimulationResult:
    """Where the sample company was written, and how many rows each table has."""

    folder: Path
    options: SimulationOptions
    data_through: dt.date
    tables: Mapping[str, int]
    truth: Mapping[str, int]


@dataclass(frozen=True)
class Block:
    """Everything that one block of the company is made of, hidden and visible."""

    number: int
    parameters: Parameters
    market: Market
    streams: Streams
    team: Team
    rates: Rates
    leads: Leads
    book: Book
    multiplier: Floats
    record: Record
    prices: deal_tables.Prices
    ledger: deal_tables.Ledger
    companies: Companies

    @property
    def first_user(self) -> int:
        """The number of the block's first user."""
        return self.number * BLOCK_USERS


def make_block(number: int, options: SimulationOptions, market: Market) -> Block:
    """Simulate one block."""
    parameters, streams = parameters_for(options), Streams(options.seed, number)
    team = make_team(parameters, streams)
    rates = make_rates(parameters, team, market)
    leads = make_leads(parameters, streams("leads"))
    arrivals: Arrivals = stack([sold_by_sales(parameters, streams("arrivals")), arrivals_from(leads, parameters)])
    book = live(parameters, team, rates, streams, arrivals)
    multiplier = account_multiplier(book, parameters)
    record = keep_record(book, team, parameters, streams("record"), options.dirt)
    prices = deal_tables.make_prices(book, multiplier, parameters)
    ledger = deal_tables.make_ledger(book, record, prices, streams("ledger"), parameters, number * BLOCK_ROWS)
    companies = make_companies(book, team, parameters, streams("companies"), (number, options.dirt))
    return Block(
        number, parameters, market, streams, team, rates, leads, book, multiplier, record, prices, ledger, companies
    )


def simulate(folder: Path, options: SimulationOptions | None = None) -> SimulationResult:
    """Write the sample company to `folder`: `tables/`, `truth/` and `parameters.json`.

    The same options give the same files, byte for byte, on the same libraries. `tables/<name>.parquet` has exactly the
    columns of `revops_analysis.tables.schema`; `truth/` is documented in docs/sample-company.md and belongs to no
    Workspace. What was in these two folders before is replaced. Memory holds one block (about 10,000 deals) at a time.
    """
    options = options or SimulationOptions()
    for part in ("tables", "truth"):
        shutil.rmtree(folder / part, ignore_errors=True)
    shared = Streams(options.seed, COMPANY)
    market = make_market(parameters_for(options), shared)
    with TableWriter(folder / "tables") as tables, TableWriter(folder / "truth") as truth:
        tables.write(_company_tables(options, market, shared))
        for number in range(options.blocks):
            block = make_block(number, options, market)
            tables.write(_block_tables(block, options))
    _write_parameters(folder / "parameters.json", options)
    return SimulationResult(
        folder, options, tl.DATA_THROUGH, MappingProxyType(tables.rows), MappingProxyType(truth.rows)
    )


def _company_tables(options: SimulationOptions, market: Market, streams: Streams) -> dict[str, pa.Table]:
    """Tables that all blocks share."""
    parameters = parameters_for(options)
    columns = {
        "campaigns": campaigns(),
        "spend": spend_table(parameters, options.blocks, streams("spend")),
        "targets": plan.targets_table(parameters, options.blocks),
        "exchange_rates": exchange_rates(market, FIRST_RATE, tl.THROUGH),
    }
    return {name: canonical(name, values) for name, values in columns.items()}


def _block_tables(block: Block, options: SimulationOptions) -> dict[str, pa.Table]:
    """All tables of one block, soiled as the options ask."""
    streams, user = block.streams, block.first_user
    book, ledger, companies, team = block.book, block.ledger, block.companies, block.team
    deal_contacts, first, people = deal_tables.contacts_of_deals(book, ledger, companies, streams("deal contacts"))
    activities, last = make_activities(
        book, block.record, ledger, companies, (first, people, streams("activities"), user)
    )
    who = identify(block.leads, book, ledger, companies, (first, streams("identities")))
    touches = make_touches(book, ledger, companies, block.leads, streams("touches"))
    touches.lead[:] = np.where(who.kept[np.maximum(touches.lead, 0)], touches.lead, -1)
    contacts, _ = contacts_table(companies, streams("contact copies"))
    tables: dict[str, Columns] = {
        "accounts": accounts_table(companies, team, user),
        "contacts": contacts,
        "users": users_table(team, streams, user),
        "leads": leads_table(block.leads, who, companies, ledger, (team, streams("lead table"), user, block.number)),
        "opportunities": deal_tables.opportunities_table(
            book, ledger, block.prices, companies, (last, streams("opportunities"), user)
        ),
        "opportunity_history": deal_tables.history_table(ledger, block.prices, user),
        "opportunity_contacts": deal_contacts,
        "opportunity_splits": deal_tables.splits_table(book, ledger, team, streams("splits"), user),
        "activities": activities,
        "touchpoints": touchpoints_table(touches, companies, ledger, team, streams("touch table"), user),
        "subscriptions": subscriptions_table(
            book, ledger, block.prices, companies, (block.multiplier, block.parameters)
        ),
        "quotas": plan.quotas_table(team, block.parameters, user),
        "forecast_submissions": plan.submissions_table(
            book, block.record, ledger, block.prices, (team, streams("submissions"), user)
        ),
    }
    if options.dirt > 0:
        _soil(tables, block, options.dirt)
    return {name: canonical(name, values) for name, values in tables.items()}


def _soil(tables: dict[str, Columns], block: Block, amount: float) -> None:
    ledger = block.ledger
    deals = len(ledger.kept)
    position = np.searchsorted(ledger.last_row, np.arange(len(ledger.row_deal)))
    far = np.maximum.accumulate(np.where(ledger.row_stage == words.LOST, 0, ledger.row_stage) + position * 10)
    small = ledger.row_amount[ledger.last_row] < 15_000
    known = DealRows(position, deals, ledger.last_row, far - position * 10 < SOLUTION, small)
    soil_deals(tables["opportunities"], tables["opportunity_history"], known, Dirt(amount, block.streams("dirt deals")))
    soil_accounts(tables["accounts"], Dirt(amount, block.streams("dirt accounts")))
    soil_leads(tables["leads"], Dirt(amount, block.streams("dirt leads")))
    soil_touches(tables["touchpoints"], Dirt(amount, block.streams("dirt touches")))
    for name in (*TWICE, "subscriptions", "opportunity_contacts"):
        tables[name] = soil_rows(name, tables[name], Dirt(amount, block.streams(f"dirt rows {name}")))


def _write_parameters(path: Path, options: SimulationOptions) -> None:
    described = {
        "options": asdict(options),
        "calendar": {
            "process_starts": tl.FIRST_DAY, "history_starts": tl.HISTORY_START, "data_through": tl.DATA_THROUGH,
            "process_ends": tl.LAST_DAY,
        },
        "parameters_of_a_block": asdict(parameters_for(options)),
        "blocks": options.blocks,
    }  # fmt: skip
    path.write_text(json.dumps(described, indent=2, default=str, sort_keys=True) + "\n", encoding="utf-8")


__all__ = ["Block", "Identities", "SimulationResult", "make_block", "simulate"]
