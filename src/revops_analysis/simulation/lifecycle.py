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
from revops_analysis.simulation.book import Accounts, AddOns, Book, DealFacts, Terms, rows_of, stack
from revops_analysis.simulation.columns import Floats, Ints
from revops_analysis.simulation.dynamics import CHANGE_FROM, SLUMP_FROM, Deals, Draws, Paths, Rates, evolve
from revops_analysis.simulation.parameters import Parameters
from revops_analysis.simulation.people import CSM, Team
from revops_analysis.simulation.randomness import Streams
from revops_analysis.simulation.words import (
    CHANNELS,
    CUSTOMER,
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
_LEAD_TIME = (75, 100, 130)
"""Days before the end of a term at which its renewal deal is made, by segment."""


@dataclass(frozen=True)
class World:
    """What every round needs."""

    parameters: Parameters
    team: Team
    rates: Rates
    streams: Streams
    accounts: Accounts


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
    terms: list[Terms] = [_opening_terms(world, streams("opening terms"))]
    rounds: list[_Round] = []
    add_ons: list[AddOns] = []
    notices: list[Ints] = []
    opening = int(accounts.opening.sum())
    numbers = np.arange(len(arrivals)) + opening
    pending = _new_deals(world, arrivals, numbers, np.ones(len(arrivals), dtype=np.int64), seats, "first")
    fresh, term_offset, deal_offset = terms[0], 0, 0
    while len(pending[0]) or len(fresh.start):
        parts = [pending, *_deals_of_terms(world, fresh, term_offset, len(rounds))]
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


def price_index(parameters: Parameters, day: Ints) -> Floats:
    """List prices of each day against October 2022."""
    index = (1 + parameters.price_drift) ** tl.years_since_start(day)
    return index * np.where(day >= CHANGE_FROM, 1 + parameters.price_rise, 1.0)


def _opening_terms(world: World, rng: np.random.Generator) -> Terms:
    """The terms that run when the process starts: begun up to a year, for large customers up to three, before."""
    count = int(world.accounts.opening.sum())
    segment = world.accounts.segment[:count]
    parameters = world.parameters
    sd = np.array(parameters.arr_sd)[segment]
    arr = np.array(parameters.deal_arr)[segment] * np.exp(sd * rng.normal(size=count) - sd**2 / 2) * 1.15
    months = _term_months(segment, rng)
    start = tl.ZERO - (rng.random(count) * months * 30.4).astype(np.int64) - 1
    end = _end_of_term(start, months)
    mrr = np.zeros((count, len(PRODUCTS)))
    mrr[np.arange(count), rng.choice(3, count, p=[0.7, 0.2, 0.1])] = arr / 12
    none = np.full(count, -1, dtype=np.int64)
    return Terms(np.arange(count), start, end, mrr, none, none, np.full(count, tl.NO_DAY))


def _term_months(segment: Ints, rng: np.random.Generator) -> Ints:
    draws = rng.random(len(segment))
    longer = np.array([0.06, 0.22, 0.40])[segment]
    return np.where(draws < longer / 3, 36, np.where(draws < longer, 24, 12))


def _end_of_term(start: Ints, months: Ints) -> Ints:
    """The day before the same day `months` later (the month's last day where that day does not exist)."""
    month = tl.month_of(start)
    offset = start - tl.month_start(month)
    first = tl.month_start(month + months)
    length = tl.month_start(month + months + 1) - first
    return first + np.minimum(offset, length - 1) - 1


Pending = tuple[Deals, DealFacts]


def _new_deals(world: World, arrivals: Arrivals, account: Ints, attempt: Ints, seat: Ints, name: str) -> Pending:
    """New deals of arrivals: amount, product, touches and hidden quality are drawn here."""
    rng = world.streams(f"new deals {name}")
    count, parameters = len(arrivals), world.parameters
    sd = np.array(parameters.arr_sd)[arrivals.segment]
    base = np.array(parameters.deal_arr)[arrivals.segment] * price_index(parameters, arrivals.day)
    base = base * np.exp(sd * rng.normal(size=count) - sd**2 / 2)
    touched, score, quality = _quality(parameters, arrivals.origin, arrivals.lift, rng)
    months = _term_months(arrivals.segment, rng)
    product = rng.choice(3, count, p=[0.7, 0.2, 0.1])
    start_stage = (rng.random(count) < 0.12).astype(np.int64)
    deals = Deals(
        np.full(count, NEW),
        arrivals.segment,
        seat,
        arrivals.day,
        start_stage,
        quality,
        np.full(count, tl.FAR),
    )
    none = np.full(count, -1, dtype=np.int64)
    facts = DealFacts(
        account, arrivals.origin, score, touched, base, np.ones(count), product, months, arrivals.lead, none, attempt,
        rng.random(count),
    )  # fmt: skip
    return deals, facts


def _quality(
    parameters: Parameters, origin: Ints, lift: Floats, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], Floats, Ints]:
    """Which channels touched each deal, its hidden score without them, and its class with them."""
    share = np.array(parameters.touch_share)[origin]
    touched = rng.random((len(origin), len(CHANNELS))) < share
    score = rng.normal(size=len(origin)) + lift - 0.35  # touches raise the mean by about as much
    return touched, score, quality_class(parameters, score, touched)


def quality_class(parameters: Parameters, score: Floats, touched: NDArray[np.bool_]) -> Ints:
    """0 weak, 1 fair, 2 strong: the hidden score plus the lift of each channel that touched the deal."""
    total = score + touched @ np.array(parameters.channel_lift)
    return np.searchsorted(np.array(parameters.quality_cuts), total, side="right")


def _deals_of_terms(world: World, terms: Terms, offset: int, turn: int) -> list[Pending]:
    """Expansions and the renewal of each term."""
    rng = world.streams(f"terms {turn}")
    return [_expansions(world, terms, offset, rng), _renewals(world, terms, offset, rng)]


def _expansions(world: World, terms: Terms, offset: int, rng: np.random.Generator) -> Pending:
    parameters, accounts = world.parameters, world.accounts
    segment = accounts.segment[terms.account]
    first = np.maximum(terms.start + 40, tl.ZERO)
    room = np.maximum(terms.end - 150 - first, 0)
    counts = rng.poisson(np.array(parameters.expansions_year)[segment] * 1.5 * room / 365.25)
    rows = np.repeat(np.arange(len(counts)), counts)
    day = tl.to_business_day(first[rows] + (rng.random(len(rows)) * room[rows]).astype(np.int64))
    keep = (day <= tl.END) & (day >= first[rows]) & (rng.random(len(rows)) < _slumped(parameters, day))
    rows, day = rows[keep], day[keep]
    count = len(rows)
    account = terms.account[rows]
    segment = segment[rows]
    mrr = terms.mrr[rows]
    drift = price_index(parameters, day) / price_index(parameters, terms.start[rows])
    ratio = np.array(parameters.expansion_ratio)[segment] * np.exp(0.5 * rng.normal(size=count) - 0.125)
    origin = np.full(count, CUSTOMER)
    touched, score, quality = _quality(parameters, origin, np.zeros(count), rng)
    main = np.argmax(mrr, axis=1)
    product = np.where(rng.random(count) < 0.5, main, (main + 1 + rng.integers(0, 2, count)) % 3)
    seat = np.where(rng.random(count) < 0.65, accounts.seat[account], accounts.success_seat[account])
    months = np.maximum(np.rint((terms.end[rows] - day) / 30.44).astype(np.int64), 1)
    none = np.full(count, -1, dtype=np.int64)
    deals = Deals(
        np.full(count, EXPANSION), segment, seat, day, np.ones(count, dtype=np.int64), quality, none + tl.FAR + 1
    )
    facts = DealFacts(
        account, origin, score, touched, 12 * mrr.sum(axis=1) * ratio * drift, np.ones(count), product, months, none,
        rows + offset, none, rng.random(count),
    )  # fmt: skip
    return deals, facts


def _slumped(parameters: Parameters, day: Ints) -> Floats:
    return np.where(day >= SLUMP_FROM, 1 - parameters.slump, 1.0)


def _renewals(world: World, terms: Terms, offset: int, rng: np.random.Generator) -> Pending:
    """One renewal a term, made some months before its end; `base` is filled when the term's add-ons are known."""
    parameters, accounts = world.parameters, world.accounts
    segment = accounts.segment[terms.account]
    day = terms.end - np.array(_LEAD_TIME)[segment] - rng.integers(0, 20, len(segment))
    day = tl.to_business_day(np.maximum(day, tl.ZERO))
    rows = np.flatnonzero(day <= tl.END)
    count = len(rows)
    segment = segment[rows]
    account = terms.account[rows]
    quality = np.searchsorted(np.array(parameters.quality_cuts), rng.normal(size=count), side="right")
    shrinks = rng.random(count) < parameters.contraction_share
    ratio = np.where(shrinks, 0.5 + 0.4 * rng.random(count), 1 + parameters.renewal_uplift * 2 * rng.random(count))
    months = _term_months(segment, rng)
    none = np.full(count, -1, dtype=np.int64)
    deals = Deals(
        np.full(count, RENEWAL), segment, accounts.success_seat[account], day[rows], np.ones(count, dtype=np.int64),
        quality, terms.end[rows],
    )  # fmt: skip
    facts = DealFacts(
        account, np.full(count, CUSTOMER), np.zeros(count), np.zeros((count, len(CHANNELS)), dtype=bool),
        12 * terms.mrr[rows].sum(axis=1), ratio, np.argmax(terms.mrr[rows], axis=1), months, none, rows + offset, none,
        np.ones(count),
    )  # fmt: skip
    return deals, facts


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
    end = np.where(start < terms.end[term] - 20, terms.end[term], _end_of_term(start, np.full(len(rows), 12)))
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
        now.facts.account[fresh], start, _end_of_term(start, now.facts.months[fresh]), mrr, fresh + deal_offset, none,
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
        terms.account[term], start, _end_of_term(start, now.facts.months[rows]), mrr, rows + deal_offset,
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
    keep &= rng.random(len(rows)) < _slumped(world.parameters, day)
    rows, day = rows[keep], day[keep]
    origin = np.where(rng.random(len(rows)) < 0.7, OUTBOUND, now.facts.origin[rows])
    origin = np.where(origin > 1, OUTBOUND, origin)
    back = Arrivals(origin, now.deals.segment[rows], day, np.full(len(rows), -1), np.full(len(rows), 0.1))
    seat = world.accounts.seat[now.facts.account[rows]]
    return _new_deals(world, back, now.facts.account[rows], now.facts.attempt[rows] + 1, seat, f"return {turn}")


def subset(book: Book, rows: Ints) -> tuple[Deals, DealFacts]:
    """These deals of the book."""
    return rows_of(book.deals, rows), rows_of(book.facts, rows)
