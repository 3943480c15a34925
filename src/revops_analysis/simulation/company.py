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
import pyarrow.compute as pc

from revops_analysis.simulation import deals as deal_tables
from revops_analysis.simulation import plan, words
from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation import truth as truth_tables
from revops_analysis.simulation.activities import make_activities
from revops_analysis.simulation.arrivals import Arrivals, sold_by_sales
from revops_analysis.simulation.book import Book, stack
from revops_analysis.simulation.columns import Columns, Floats, Ints, canonical
from revops_analysis.simulation.companies import Companies, accounts_table, contacts_table, make_companies
from revops_analysis.simulation.copies import merged_deals, with_copies
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
from revops_analysis.simulation.effects import QUARTERS, channel_effects, effects_table
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
        effects = np.zeros((len(words.CHANNELS), QUARTERS, 4))
        for number in range(options.blocks):
            block = make_block(number, options, market)
            written, hidden = block_tables(block, options)
            tables.write(written)
            truth.write(hidden)
            if options.truth:
                effects += channel_effects(block.book, _ends(block), block.rates, block.parameters)
        if options.truth:
            truth.write(_company_truth(options, market, effects))
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


def _company_truth(options: SimulationOptions, market: Market, effects: Floats) -> dict[str, pa.Table]:
    """Truth that all blocks share."""
    return {
        "market": truth_tables.table(truth_tables.market_truth(market)),
        "channel_effects": truth_tables.table(effects_table(effects)),
        "exchange_rates": canonical("exchange_rates", exchange_rates(market, tl.THROUGH + 1, tl.END)),
    }


def _ends(block: Block) -> truth_tables.Outcomes:
    return truth_tables.outcomes(block.book, block.prices, block.market)


def block_tables(block: Block, options: SimulationOptions) -> tuple[dict[str, pa.Table], dict[str, pa.Table]]:
    """All tables of one block, soiled as the options ask, and its truth (empty when the options want none)."""
    deal_side, people = _deal_side(block)
    market_side, who = _market_side(block, people)
    tables = deal_side | market_side
    contacts, identities = contacts_table(block.companies, block.streams("contact copies"))
    tables["contacts"] = contacts
    tables["accounts"] = accounts_table(block.companies, block.team, block.first_user)
    soiled = tables | _soil(tables, block, options.dirt) if options.dirt > 0 else tables
    copies = copied_deals(block, soiled)
    hidden = _block_truth(block, options, who, identities) | {"merged_deals": truth_tables.table(copies)}
    written = {name: canonical(name, values) for name, values in soiled.items()}
    return written, hidden if options.truth else {}


def copied_deals(block: Block, tables: dict[str, Columns]) -> Columns:
    """Append the deals that were entered twice to both tables of deals; returns which repeats which."""
    rng = block.streams("copied deals")
    places = merged_deals(block.book, block.ledger, block.parameters.duplicate_deals, rng)
    pair = tables["opportunities"], tables["opportunity_history"]
    tables["opportunities"], tables["opportunity_history"], known = with_copies(
        pair, block.ledger, places, rng, block.number * BLOCK_ROWS
    )
    return known


def _deal_side(block: Block) -> tuple[dict[str, Columns], tuple[Ints, Ints]]:
    """Tables of deals, sellers and customers; by deal, its first person and how many take part."""
    streams, user, book, ledger = block.streams, block.first_user, block.book, block.ledger
    companies, team, prices = block.companies, block.team, block.prices
    deal_contacts, first, people = deal_tables.contacts_of_deals(book, ledger, companies, streams("deal contacts"))
    activities, last = make_activities(
        book, block.record, ledger, companies, (first, people, streams("activities"), user)
    )
    known = (block.multiplier, block.parameters, (tl.START - 4000, tl.THROUGH))
    tables = {
        "users": users_table(team, streams, user),
        "opportunities": deal_tables.opportunities_table(
            book, ledger, prices, companies, (last, streams("opportunities"), user)
        ),
        "opportunity_history": deal_tables.history_table(ledger, prices, user),
        "opportunity_contacts": deal_contacts,
        "opportunity_splits": deal_tables.splits_table(book, ledger, team, streams("splits"), user),
        "activities": activities,
        "subscriptions": subscriptions_table(book, ledger, prices, companies, known),
        "quotas": plan.quotas_table(team, block.parameters, user),
        "forecast_submissions": plan.submissions_table(
            book, block.record, ledger, prices, (team, streams("submissions"), user)
        ),
    }
    return tables, (first, people)


def _market_side(block: Block, people: tuple[Ints, Ints]) -> tuple[dict[str, Columns], Identities]:
    """Leads and touches, and who the leads are."""
    streams, user, book, ledger = block.streams, block.first_user, block.book, block.ledger
    who = identify(block.leads, book, ledger, block.companies, (people[0], streams("identities")))
    touches = make_touches(book, ledger, block.companies, block.leads, streams("touches"))
    touches.lead[:] = np.where(who.kept[np.maximum(touches.lead, 0)], touches.lead, -1)
    extra = (block.team, streams("lead table"), user, block.number)
    tables = {
        "leads": leads_table(block.leads, who, block.companies, ledger, extra),
        "touchpoints": touchpoints_table(touches, block.companies, ledger, block.team, streams("touch table"), user),
    }
    return tables, who


def _block_truth(
    block: Block, options: SimulationOptions, who: Identities, identities: tuple[Ints, Ints]
) -> dict[str, pa.Table]:
    """The hidden side of one block."""
    book, ledger, ends = block.book, block.ledger, _ends(block)
    future = (block.multiplier, block.parameters, (tl.THROUGH + 1, tl.END))
    tables = {
        "deals": truth_tables.deals_truth(book, ledger, block.prices, ends, block.companies),
        "deal_weeks": truth_tables.deal_weeks_truth(book, ledger, block.rates),
        "people": truth_tables.people_truth(block.companies, identities),
        "companies": truth_tables.companies_truth(block.companies),
        "leads": truth_tables.leads_truth(block.leads, who, block.companies),
        "sellers": truth_tables.sellers_truth(block.team, block.rates, block.first_user),
        "bookings": truth_tables.bookings_truth(book, ends, block.number),
        "planted_problems": truth_tables.planted_problems(
            block.parameters, options.scenario, block.team, block.first_user
        ),
    }
    hidden = {name: truth_tables.table(columns) for name, columns in tables.items()}
    later = subscriptions_table(book, ledger, block.prices, block.companies, future)
    return hidden | {"later_subscriptions": canonical("subscriptions", later)}


def _soil(tables: dict[str, Columns], block: Block, amount: float) -> dict[str, Columns]:
    """Soil the tables in place; returns those that have rows twice.

    Only small deals of one seller become unusable, so that little money and no shared credit is lost.
    """
    ledger = block.ledger
    deals = len(ledger.kept)
    position = ledger.row_deal_place
    far = np.maximum.accumulate(np.where(ledger.row_stage == words.LOST, 0, ledger.row_stage) + position * 10)
    shared = pc.is_in(tables["opportunities"]["opportunity_id"], tables["opportunity_splits"]["opportunity_id"])
    small = (ledger.row_amount[ledger.last_row] < 15_000) & ~shared.to_numpy(zero_copy_only=False)
    known = DealRows(position, deals, ledger.last_row, far - position * 10 < SOLUTION, small)
    soil_deals(tables["opportunities"], tables["opportunity_history"], known, Dirt(amount, block.streams("dirt deals")))
    soil_accounts(tables["accounts"], Dirt(amount, block.streams("dirt accounts")))
    soil_leads(tables["leads"], Dirt(amount, block.streams("dirt leads")))
    soil_touches(tables["touchpoints"], Dirt(amount, block.streams("dirt touches")))
    names = (*TWICE, "subscriptions", "opportunity_contacts")
    return {name: soil_rows(name, tables[name], Dirt(amount, block.streams(f"dirt rows {name}"))) for name in names}


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
