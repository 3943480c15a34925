"""Touches between the company and its market: those that bring deals, those that follow them, and the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.book import Book, stack
from revops_analysis.simulation.columns import Columns, Ints, identifiers, pick
from revops_analysis.simulation.companies import Companies
from revops_analysis.simulation.deals import Ledger, leads_of_deals
from revops_analysis.simulation.leads import Leads
from revops_analysis.simulation.market import campaign_code
from revops_analysis.simulation.people import SDR, Team
from revops_analysis.simulation.words import (
    CHANNEL_KINDS,
    CHANNELS,
    MARKETING_CHANNELS,
    OUTBOUND_CHANNEL,
    RENEWAL,
)

LOOKBACK = 90
FIRST_TOUCH = tl.START - LOOKBACK
"""No touch before this day is kept."""


@dataclass(frozen=True)
class Touches:
    """Touches before they are written: −1 for what a touch does not have."""

    company: Ints
    deal: Ints
    lead: Ints
    channel: Ints
    day: Ints
    responded: np.ndarray


def make_touches(book: Book, ledger: Ledger, companies: Companies, leads: Leads, rng: np.random.Generator) -> Touches:
    """All touches of the block until the end of history."""
    touches = stack(
        [
            _before(book, leads, rng),
            _during(book, ledger, rng),
            _of_leads(book, leads, rng),
            _background(companies, rng),
        ]
    )
    keep = (touches.day >= FIRST_TOUCH) & (touches.day <= tl.THROUGH)
    rows = np.flatnonzero(keep)
    rows = rows[np.argsort(touches.day[rows], kind="stable")]
    return Touches(*(getattr(touches, name)[rows] for name in Touches.__dataclass_fields__))


def _before(book: Book, leads: Leads, rng: np.random.Generator) -> Touches:
    """The touches that count: within 90 days before the deal, and answered."""
    deal, channel = np.nonzero(book.facts.touched)
    near = book.deals.created[deal] > FIRST_TOUCH
    deal, channel = deal[near], channel[near]
    repeat = 1 + rng.poisson(np.where(channel == OUTBOUND_CHANNEL, 2.0, 0.6))
    deal, channel = np.repeat(deal, repeat), np.repeat(channel, repeat)
    back = 1 + (rng.random(len(deal)) ** 1.3 * (LOOKBACK - 2)).astype(np.int64)
    day = book.deals.created[deal] - back
    lead = book.facts.lead[deal]
    lead_day = leads.created[np.maximum(lead, 0)] // tl.DAY_US
    known = (lead >= 0) & (day > lead_day) & (channel < MARKETING_CHANNELS)
    none = np.full(len(deal), -1, dtype=np.int64)
    return Touches(
        book.facts.account[deal], none, np.where(known, lead, -1), channel, day, np.ones(len(deal), dtype=bool)
    )


def _during(book: Book, ledger: Ledger, rng: np.random.Generator) -> Touches:
    """Touches while a deal is open; those whose buyer is interested answer more, which no lift has caused."""
    kept = ledger.kept[book.deals.kind[ledger.kept] != RENEWAL]
    stage, alive = book.paths.stage[kept], book.paths.alive[kept]
    mean = np.where((stage >= 0) & (stage < 5), np.where(alive, 0.42, 0.12), 0.0)
    counts = rng.poisson(mean)
    row, age = np.nonzero(counts)
    repeat = counts[row, age]
    row, age = np.repeat(row, repeat), np.repeat(age, repeat)
    deal = kept[row]
    channel = rng.choice(len(CHANNELS), len(deal), p=[0.1, 0.08, 0.1, 0.14, 0.1, 0.28, 0.14, 0.06, 0.0])
    day = tl.monday(tl.week_of(book.deals.created[deal]) + age) + rng.integers(0, 5, len(deal))
    day = np.maximum(day, book.deals.created[deal])
    answered = rng.random(len(deal)) < np.where(alive[row, age], 0.55, 0.2)
    none = np.full(len(deal), -1, dtype=np.int64)
    on_deal = np.where(channel >= OUTBOUND_CHANNEL, deal, -1)
    return Touches(book.facts.account[deal], on_deal, none, channel, day, answered)


def _of_leads(book: Book, leads: Leads, rng: np.random.Generator) -> Touches:
    """The touch that made each lead; the company is known only of those that became deals."""
    deal = leads_of_deals(leads, book)
    company = np.where(deal >= 0, book.facts.account[np.maximum(deal, 0)], -1)
    day = (leads.created - 5 * 3_600_000_000) // tl.DAY_US
    none = np.full(len(leads), -1, dtype=np.int64)
    return Touches(company, none, np.arange(len(leads)), leads.channel, day, np.ones(len(leads), dtype=bool))


def _background(companies: Companies, rng: np.random.Generator) -> Touches:
    """Marketing and calls that lead nowhere in particular: mostly unanswered, on every account."""
    start = np.maximum(companies.created, FIRST_TOUCH)
    span = np.maximum(tl.THROUGH - start, 0)
    counts = rng.poisson(span / 365.25 * 1.75)
    company = np.repeat(np.arange(len(companies)), counts)
    day = start[company] + (rng.random(len(company)) * span[company]).astype(np.int64)
    channel = rng.choice(len(CHANNELS), len(company), p=[0.1, 0.1, 0.08, 0.1, 0.06, 0.34, 0.18, 0.02, 0.02])
    none = np.full(len(company), -1, dtype=np.int64)
    return Touches(company, none, none, channel, day, rng.random(len(company)) < 0.12)


def touchpoints_table(
    touches: Touches, companies: Companies, ledger: Ledger, team: Team, rng: np.random.Generator, offset: int
) -> Columns:
    """The table `touchpoints`."""
    count = len(touches.day)
    company = np.maximum(touches.company, 0)
    draws = rng.random((4, count))
    person = companies.person(company, (draws[0] * companies.people[company]).astype(np.int64))
    contact = companies.contact(person, touches.day, draws[1])
    known = (
        (touches.company >= 0)
        & (companies.person_day[person] < touches.day)
        & (companies.created[company] < touches.day)
    )
    moment = tl.moments(touches.day, draws[2], late=0.04)
    answer = moment + (draws[3] * 3_600_000_000 * 6).astype(np.int64)
    answered = touches.responded & (answer < (tl.THROUGH + 1) * tl.DAY_US + 4 * 3_600_000_000)
    sellers = team.seats(SDR)
    week = np.clip(tl.week_of(touches.day), 0, tl.WEEKS - 1)
    seat = sellers[(company % len(sellers))]
    has_user = touches.channel == OUTBOUND_CHANNEL
    user = np.where(has_user, team.owner(seat, week), -1)
    return {
        "touchpoint_id": identifiers("TCH", np.arange(count) + companies.offset),
        "account_id": identifiers("ACC", np.where(touches.company >= 0, company + companies.offset, -1)),
        "contact_id": identifiers("CON", np.where(known, contact + companies.contact_offset, -1)),
        "lead_id": identifiers("LEA", np.where(touches.lead >= 0, touches.lead + companies.offset, -1)),
        "opportunity_id": identifiers("OPP", np.where(touches.deal >= 0, ledger.number[touches.deal], -1)),
        "user_id": identifiers("USR", np.where(user >= 0, user + offset, -1)),
        "kind": pick(CHANNEL_KINDS, touches.channel),
        "occurred_at": moment,
        "responded_at": np.where(answered, answer, tl.NO_DAY),
        "channel": pick(CHANNELS, touches.channel),
        "campaign_id": identifiers("CMP", campaign_code(touches.channel, touches.day)),
    }
