"""What is really so: the hidden side of every table, kept where no Workspace looks.

Columns are documented in docs/sample-company.md. Amounts named `_usd` are dollars at the rate of the day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.book import Book
from revops_analysis.simulation.columns import Columns, Floats, Ints, identifiers, pick, typed
from revops_analysis.simulation.companies import FIRST_COPY, Companies
from revops_analysis.simulation.deals import Ledger, Prices
from revops_analysis.simulation.dynamics import Rates, hazards
from revops_analysis.simulation.lead_table import Identities
from revops_analysis.simulation.leads import Leads
from revops_analysis.simulation.market import Market
from revops_analysis.simulation.parameters import Parameters
from revops_analysis.simulation.people import AE, STALL_FROM, Team
from revops_analysis.simulation.words import CHANNELS, CURRENCIES, SEGMENTS, SOURCES, STAGES, TYPES, WON

QUALITIES = ("weak", "fair", "strong")
OUTCOMES = ("open", "won", "lost")
_KINDS = {
    "date": ("_on", "week_start"),
    "timestamp": ("_at",),
    "money": ("_usd", "amount", "first_price", "last_price"),
}


@dataclass(frozen=True)
class Outcomes:
    """How every deal ends: 0 open at the end of the process, 1 won, 2 lost; on which day; at which price."""

    code: Ints
    day: Ints
    dollars: Floats


def outcomes(book: Book, prices: Prices, market: Market) -> Outcomes:
    """The end of every deal, also beyond the end of history."""
    final, last = book.paths.outcome()
    day = book.event_day[np.arange(len(last)), last].astype(np.int64)
    inside = np.minimum(day, tl.END)
    rate = np.where(prices.euro, market.euro_on(inside), 1.0)
    code = np.where(day <= tl.END, np.select([final == WON, final > WON], [1, 2], 0), 0)
    return Outcomes(code, np.where(code > 0, day, tl.NO_DAY), prices.won * rate)


def table(columns: Columns) -> pa.Table:
    """A truth table: types follow from the names of the columns."""
    arrays = {}
    for name, values in columns.items():
        kind = next((k for k, ends in _KINDS.items() if name.endswith(ends)), None)
        arrays[name] = typed(values, kind) if kind else pa.array(values)  # type: ignore[arg-type]
    return pa.table(arrays)


def deals_truth(book: Book, ledger: Ledger, prices: Prices, ends: Outcomes, companies: Companies) -> Columns:
    """One row a deal, also those that closed before history or begin after it."""
    in_crm = np.zeros(len(book.deals), dtype=bool)
    in_crm[ledger.kept] = True
    stage, alive = book.paths.stage, book.paths.alive
    dead = ~alive & (stage >= 0)
    died = np.where(dead.any(axis=1), book.event_day[np.arange(len(stage)), np.argmax(dead, axis=1)], tl.NO_DAY)
    lost = stage == 6
    columns: Columns = {
        "opportunity_id": identifiers("OPP", ledger.number),
        "in_crm": in_crm,
        "account_id": identifiers("ACC", book.facts.account + companies.offset),
        "type": pick(TYPES, book.deals.kind),
        "segment": pick(SEGMENTS, book.deals.segment),
        "true_origin": pick(SOURCES, book.facts.origin),
        "brought_by": pick((*CHANNELS, "renewal"), brought_by(book)),
        "crm_source": pick(SOURCES, ledger.source),
        "attempt": book.facts.attempt,
        "score": book.facts.score,
        "quality": pick(QUALITIES, book.deals.quality),
        "backup": book.facts.backup,
        "created_on": book.deals.created,
        "outcome": pick(OUTCOMES, ends.code),
        "outcome_on": ends.day,
        "died_on": died.astype(np.int64),
        "reopened": (lost[:, :-1] & (stage[:, 1:] >= 0) & (stage[:, 1:] < WON)).any(axis=1),
        "currency": pick(CURRENCIES, prices.euro.astype(np.int64)),
        "first_price": prices.by_stage[:, 0],
        "last_price": prices.won,
        "won_usd": np.where(ends.code == 1, ends.dollars, np.nan),
    }
    for code, channel in enumerate(CHANNELS):
        columns["touched_" + channel.lower().replace(" ", "_")] = book.facts.touched[:, code]
    return columns


def brought_by(book: Book) -> Ints:
    """The channel that each deal would not have come without; `len(CHANNELS)` for renewals, which nothing brought."""
    by_origin = np.array([6, 7, 8, 2, 4, 0])[book.facts.origin]
    by_lead = np.where(book.facts.channel >= 0, book.facts.channel, by_origin)
    return np.where(book.deals.kind == 2, len(CHANNELS), by_lead)


def deal_weeks_truth(book: Book, ledger: Ledger, rates: Rates) -> Columns:
    """One row a deal and week in which it ends open: its hidden state, and the chances of the week after."""
    stage = book.paths.stage
    deal, age = np.nonzero((stage >= 0) & (stage < WON))
    week = tl.week_of(book.deals.created[deal]) + age
    inside = week < tl.WEEKS - 1
    deal, age, week = deal[inside], age[inside], week[inside]
    at = stage[deal, age].astype(np.int64)
    alive = book.paths.alive[deal, age]
    advance, die = hazards(book.deals, rates, (deal, week + 1, at))
    return {
        "opportunity_id": identifiers("OPP", ledger.number[deal]),
        "week_start": tl.monday(week),
        "stage": pick(STAGES, at),
        "alive": alive,
        "advances_next_week": np.where(alive, advance, 0.0),
        "dies_next_week": np.where(alive, die, 0.0),
        "logged_lost_next_week": np.where(alive, 0.0, rates.log[book.deals.seat[deal], week + 1]),
    }


def people_truth(companies: Companies, contacts: tuple[Ints, Ints]) -> Columns:
    """One row a contact: who it is. `contacts`: the number and the person of each."""
    number, person = contacts
    return {
        "contact_id": identifiers("CON", number + companies.contact_offset),
        "person_id": identifiers("PER", person + companies.contact_offset),
        "company_id": identifiers("COM", companies.person_company[person] + companies.offset),
        "is_copy": number != person,
    }


def companies_truth(companies: Companies) -> Columns:
    """One row an account: which company it is; copies are the accounts entered a second time."""
    known = np.flatnonzero(companies.created <= tl.THROUGH)
    company = np.concatenate([known, companies.account_copy])
    account = np.concatenate([known + companies.offset, companies.copied_account(companies.account_copy)])
    return {
        "account_id": identifiers("ACC", account),
        "company_id": identifiers("COM", company + companies.offset),
        "is_copy": account >= companies.offset + FIRST_COPY,
    }


def leads_truth(leads: Leads, who: Identities, companies: Companies) -> Columns:
    """One row a lead: whether it was worth passing, how likely that was by what is recorded, and who it is."""
    rows = np.flatnonzero(who.kept)
    persons = len(companies.person_company)
    person = np.where(who.person >= 0, who.person, persons + np.arange(len(leads)))[rows]
    company = np.where(who.company >= 0, who.company, len(companies) + np.arange(len(leads)))[rows]
    return {
        "lead_id": identifiers("LEA", rows + companies.offset),
        "truly_good": leads.truly_good[rows],
        "chance_good": leads.chance_good[rows],
        "person_id": identifiers("PER", person + companies.contact_offset),
        "company_id": identifiers("COM", company + companies.offset),
    }


def sellers_truth(team: Team, rates: Rates, offset: int) -> Columns:
    """One row a user: hidden skill (log pace), optimism, and the chance a week to close a dead deal."""
    users = np.arange(len(team.user_seat))
    first = np.argmax(team.occupant[team.user_seat] == users[:, None], axis=1)
    return {
        "user_id": identifiers("USR", users + offset),
        "seat": team.user_seat + offset,
        "skill": team.skill,
        "optimism": team.optimism,
        "logs_dead_deal": rates.log[team.user_seat, first],
        "stalls": (team.user_seat == team.stalling_seat) & (team.role[team.user_seat] == AE),
    }


def bookings_truth(book: Book, ends: Outcomes, block: int) -> Columns:
    """Won deals and their amount by block, quarter, type and segment, also for the two quarters after history."""
    won = np.flatnonzero((ends.code == 1) & (ends.day >= tl.START))
    quarter = tl.quarter_of(ends.day[won])
    key = (quarter * 3 + book.deals.kind[won]) * 3 + book.deals.segment[won]
    keys, group = np.unique(key, return_inverse=True)
    return {
        "block": np.full(len(keys), block),
        "quarter": pa.array([tl.quarter_label(int(q)) for q in keys // 9]),
        "starts_on": tl.quarter_start(keys // 9),
        "type": pick(TYPES, keys // 3 % 3),
        "segment": pick(SEGMENTS, keys % 3),
        "deals": np.bincount(group),
        "bookings_usd": np.bincount(group, ends.dollars[won]),
    }


def planted_problems(parameters: Parameters, scenario: str, team: Team, offset: int) -> Columns:
    """One row a problem that the scenario plants; none under `default` and `null`."""
    seat = max(team.stalling_seat, 0)
    seller = f"USR-{team.occupant[seat, -1] + offset:09d}"
    split = parameters.split_stage_from
    known: dict[str, tuple[str, str, int, float]] = {
        "stalling_seller": ("user", seller, STALL_FROM, parameters.stalling_pace),
        "segment_win_rate_drop": ("segment", "Mid-Market", _day("2026-01-01"), -0.10),
        "slow_stage": ("stage", "Proposal", _day("2025-10-01"), parameters.slow_stage),
        "price_rise": ("company", "", _day("2026-01-01"), parameters.price_rise),
        "slump": ("company", "", _day("2026-04-01"), -parameters.slump),
        "pull_forward": ("company", "", tl.ZERO, parameters.rush),
        "stage_split": ("stage", "Proposal", tl.number(split) if split else tl.ZERO, 1.0),
        "new_segment": ("segment", "Enterprise", _day("2025-01-01"), 1.0),
        "reopened_deals": ("company", "", tl.ZERO, parameters.reopen_share),
    }
    rows = [known[scenario]] if scenario in known else []
    return {
        "scenario": pa.array([scenario for _ in rows], pa.string()),
        "scope_kind": pa.array([row[0] for row in rows], pa.string()),
        "scope": pa.array([row[1] or None for row in rows], pa.string()),
        "starts_on": np.array([row[2] for row in rows], dtype=np.int64),
        "size": np.array([row[3] for row in rows], dtype=np.float64),
    }


def _day(text: str) -> int:
    return tl.number(tl.dt.date.fromisoformat(text))


def market_truth(market: Market) -> Columns:
    """The common log shock to pace of each week."""
    return {"week_start": tl.monday(np.arange(tl.WEEKS)), "log_shock": market.shock}
