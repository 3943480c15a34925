"""From arrivals to customers and back: deals, terms, expansions, renewals, deals that return.

Each round simulates all deals that are pending at once, and what they lead to is the next round: a won deal starts a
term, a term brings expansions and its renewal, a lost deal may come back. Amounts are in list dollars, before the
opening base is sized (`sizing`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.arrivals import Arrivals, seats_for
from revops_analysis.simulation.beginnings import (
    Pending,
    World,
    deals_of_terms,
    end_of_term,
    new_deals,
    opening_terms,
    slumped,
)
from revops_analysis.simulation.book import Accounts, AddOns, Book, DealFacts, Terms, stack
from revops_analysis.simulation.columns import Floats, Ints
from revops_analysis.simulation.dynamics import Deals, Draws, Paths, Rates, evolve
from revops_analysis.simulation.parameters import Parameters
from revops_analysis.simulation.people import CSM, Team
from revops_analysis.simulation.randomness import Streams
from revops_analysis.simulation.words import (
    EXPANSION,
    LOST,
    NEW,
    OUTBOUND,
    PRODUCTS,
    RENEWAL,
    WON,
)

EMEA = 3
_OPENING = (370, 205, 76)
"""Customers of each segment when the process starts, at size 1."""


@dataclass(frozen=True)
class _Round:
    deals: Deals
    facts: DealFacts
    paths: Paths
    draws: Draws
    event_day: NDArray[np.int32]
    final: Ints
    day: Ints


def live(parameters: Parameters, team: Team, rates: Rates, streams: Streams, arrivals: Arrivals) -> Book:
    """Run the whole life of one block."""
    accounts, seats = _make_accounts(parameters, team, streams, arrivals)
    world = World(parameters, team, rates, streams, accounts)
    terms: list[Terms] = [opening_terms(world, streams("opening terms"))]
    rounds: list[_Round] = []
    add_ons: list[AddOns] = []
    notices: list[Ints] = []
    opening = int(accounts.opening.sum())
    numbers = np.arange(len(arrivals)) + opening
    pending = new_deals(world, arrivals, numbers, np.ones(len(arrivals), dtype=np.int64), seats, "first")
    fresh, term_offset, deal_offset = terms[0], 0, 0
    while len(pending[0]) or len(fresh.start):
        parts = [pending, *deals_of_terms(world, fresh, term_offset, len(rounds))]
        now = _simulate(world, parts, len(rounds))
        rounds.append(now)
        won = _add_ons(now, fresh, term_offset, deal_offset)
        add_ons.append(won)
        notices.append(_notice(now, fresh, term_offset))
        following = _next_terms(now, fresh, won, (term_offset, deal_offset), world)
        pending = _returning(world, now, len(rounds))
        term_offset += len(fresh.start)
        deal_offset += len(now.deals)
        fresh = following
        terms.append(fresh)
    return _bind(accounts, rounds, terms, add_ons, notices)


def _bind(
    accounts: Accounts, rounds: list[_Round], terms: list[Terms], add_ons: list[AddOns], notices: list[Ints]
) -> Book:
    return Book(
        accounts,
        stack([r.deals for r in rounds]),
        stack([r.facts for r in rounds]),
        stack([r.paths for r in rounds]),
        stack([r.draws for r in rounds]),
        np.concatenate([r.event_day for r in rounds]),
        stack(terms),
        stack(add_ons),
        np.concatenate(notices),
    )


def _make_accounts(parameters: Parameters, team: Team, streams: Streams, arrivals: Arrivals) -> tuple[Accounts, Ints]:
    """The opening customers, then one account for each arrival; its region is the region of its seller's seat."""
    rng = streams("accounts")
    counts = np.maximum(np.rint(np.array(_OPENING) * parameters.size), 1).astype(np.int64)
    if parameters.enterprise_from is not None:
        counts[2] = 0
    opening = int(counts.sum())
    segment = np.concatenate([np.repeat(np.arange(3), counts), arrivals.segment])
    day = np.concatenate([np.full(opening, tl.ZERO), arrivals.day])
    count = len(segment)
    seat = seats_for(team, segment, day, rng.random(count))
    success = team.seats(CSM)
    open_seats = np.maximum(np.searchsorted(np.sort(team.opened[success]), day, side="right"), 1)
    success_seat = success[(rng.random(count) * open_seats).astype(np.int64)]
    region = team.region[seat]
    euro = (region == EMEA) & (rng.random(count) < parameters.euro_share)
    accounts = Accounts(segment, seat, success_seat, region, euro, np.arange(count) < opening, day)
    return accounts, seat[opening:]


def _simulate(world: World, parts: list[Pending], turn: int) -> _Round:
    deals = stack([part[0] for part in parts])
    facts = stack([part[1] for part in parts])
    draws = Draws.make(world.streams(f"draws {turn}"), len(deals))
    paths = evolve(deals, world.rates, draws)
    event = event_days(deals, paths, world.streams(f"days {turn}"))
    final, last = paths.outcome()
    day = event[np.arange(len(deals)), last].astype(np.int64)
    return _Round(deals, facts, paths, draws, event, final, day)


def event_days(deals: Deals, paths: Paths, rng: np.random.Generator) -> NDArray[np.int32]:
    """A working day in each week of each deal; wins in the week of a quarter's end mostly come before it ends."""
    born = tl.week_of(deals.created)
    monday = tl.monday(born).astype(np.int32)[:, None] + np.arange(paths.stage.shape[1], dtype=np.int32) * 7
    days = monday + rng.integers(0, 5, paths.stage.shape, dtype=np.int8)
    rows, ages = np.nonzero(paths.stage == WON)
    first = monday[rows, ages].astype(np.int64)
    left = tl.quarter_end(first) - first
    hurry = (left < 4) & (rng.random(len(rows)) < 0.7)
    inside = first + (rng.random(len(rows)) * (left + 1)).astype(np.int64)
    days[rows, ages] = np.where(hurry, inside, days[rows, ages])
    days[:, 0] = deals.created
    return days


def _add_ons(now: _Round, terms: Terms, term_offset: int, deal_offset: int) -> AddOns:
    rows = np.flatnonzero((now.deals.kind == EXPANSION) & (now.final == WON))
    term = now.facts.term[rows] - term_offset
    booked = now.day[rows]
    start = booked + 1
    end = np.where(start < terms.end[term] - 20, terms.end[term], end_of_term(start, np.full(len(rows), 12)))
    mrr = now.facts.base[rows] * _final_factor(now, rows) / 12
    account, product = now.facts.account[rows], now.facts.product[rows]
    return AddOns(
        account, start, end, mrr, product, rows + deal_offset, term + term_offset, booked
    )  # fmt: skip


def price_factors(draws: Draws) -> Floats:
    """[deal × stage]: price against the first one while the deal is in each stage, the last for Closed Won.

    Half the deals are priced anew with the proposal, somewhat fewer are discounted in negotiation and at signing.
    Drawn from the deal's own numbers, so that the factors need no stream of their own.
    """
    spare = (draws.log[:, 0].astype(np.float64) * 7919 + draws.step[:, 0] * 104729) % 1.0
    again = (spare * 6007) % 1.0
    proposal = np.where(spare < 0.55, np.exp(0.34 * (again - 0.62)), 1.0)
    final = (again * 3001) % 1.0
    negotiated = proposal * np.where(final < 0.45, 0.86 + 0.14 * ((spare * 977) % 1.0), 1.0)
    signed = negotiated * np.where(final > 0.7, 0.93 + 0.07 * ((again * 811) % 1.0), 1.0)
    ones = np.ones(len(spare))
    return np.stack([ones, ones, ones, proposal, negotiated, signed], axis=1)


def _final_factor(now: _Round, rows: Ints) -> Floats:
    return price_factors(now.draws)[rows, WON]


def _notice(now: _Round, terms: Terms, term_offset: int) -> Ints:
    """When the customer of each term decided not to renew; no later than the end of the term."""
    rows = np.flatnonzero((now.deals.kind == RENEWAL) & (now.final != WON))
    died = np.argmax(~now.paths.alive[rows] & (now.paths.stage[rows] >= 0), axis=1)
    has_died = (~now.paths.alive[rows] & (now.paths.stage[rows] >= 0)).any(axis=1)
    day = now.event_day[rows, died].astype(np.int64)
    term = now.facts.term[rows] - term_offset
    result = np.full(len(terms.start), tl.NO_DAY, dtype=np.int64)
    result[term] = np.where(has_died, np.minimum(day, terms.end[term]), tl.NO_DAY)
    return result


def _next_terms(now: _Round, terms: Terms, won: AddOns, offsets: tuple[int, int], world: World) -> Terms:
    """Terms that begin with this round's won new deals and renewals."""
    term_offset, deal_offset = offsets
    rng = world.streams(f"next terms {deal_offset}")
    fresh = np.flatnonzero((now.deals.kind == NEW) & (now.final == WON))
    start = now.day[fresh] + 1 + np.where(rng.random(len(fresh)) < 0.3, rng.integers(0, 25, len(fresh)), 0)
    mrr = np.zeros((len(fresh), len(PRODUCTS)))
    mrr[np.arange(len(fresh)), now.facts.product[fresh]] = now.facts.base[fresh] * _final_factor(now, fresh) / 12
    none = np.full(len(fresh), -1, dtype=np.int64)
    first = Terms(
        now.facts.account[fresh], start, end_of_term(start, now.facts.months[fresh]), mrr, fresh + deal_offset, none,
        now.day[fresh],
    )  # fmt: skip
    rows = np.flatnonzero((now.deals.kind == RENEWAL) & (now.final == WON))
    term = now.facts.term[rows] - term_offset
    total = terms.mrr.copy()
    counted = won.end == terms.end[won.term - term_offset]
    np.add.at(total, (won.term[counted] - term_offset, won.product[counted]), won.mrr[counted])
    renewal = np.flatnonzero(now.deals.kind == RENEWAL)
    now.facts.base[renewal] = 12 * total[now.facts.term[renewal] - term_offset].sum(axis=1)
    late = (now.day[rows] > terms.end[term]) & (rng.random(len(rows)) < 0.35)
    start = np.where(late, now.day[rows] + 1, terms.end[term] + 1)
    mrr = _renewed_mrr(total[term] * now.facts.ratio[rows][:, None], rng)
    second = Terms(
        terms.account[term], start, end_of_term(start, now.facts.months[rows]), mrr, rows + deal_offset,
        term + term_offset, now.day[rows],
    )  # fmt: skip
    return stack([first, second])


def _renewed_mrr(mrr: Floats, rng: np.random.Generator) -> Floats:
    """A few renewals move their whole amount to another product, which is a transfer and neither churn nor new."""
    moved = rng.random(len(mrr)) < 0.03
    return np.where(moved[:, None], np.roll(mrr, 1, axis=1), mrr)


def _returning(world: World, now: _Round, turn: int) -> Pending:
    """Lost new deals that come back as another deal of the same account."""
    rng = world.streams(f"returns {turn}")
    rows = np.flatnonzero((now.deals.kind == NEW) & (now.final == LOST))
    rows = rows[rng.random(len(rows)) < world.parameters.return_share]
    day = tl.to_business_day(now.day[rows] + rng.integers(120, 500, len(rows)))
    keep = day <= tl.END
    keep &= rng.random(len(rows)) < slumped(world.parameters, day)
    rows, day = rows[keep], day[keep]
    origin = np.where(rng.random(len(rows)) < 0.7, OUTBOUND, now.facts.origin[rows])
    origin = np.where(origin > 1, OUTBOUND, origin)
    none = np.full(len(rows), -1, dtype=np.int64)
    back = Arrivals(origin, now.deals.segment[rows], day, none, none, np.full(len(rows), 0.1))
    seat = world.accounts.seat[now.facts.account[rows]]
    return new_deals(world, back, now.facts.account[rows], now.facts.attempt[rows] + 1, seat, f"return {turn}")
