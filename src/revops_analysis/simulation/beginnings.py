"""How deals and terms begin: new deals of arrivals, expansions and renewals of terms, the opening customers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.arrivals import Arrivals
from revops_analysis.simulation.book import Accounts, DealFacts, Terms
from revops_analysis.simulation.columns import Floats, Ints
from revops_analysis.simulation.dynamics import CHANGE_FROM, SLUMP_FROM, Deals, Rates
from revops_analysis.simulation.parameters import Parameters
from revops_analysis.simulation.people import Team
from revops_analysis.simulation.randomness import Streams
from revops_analysis.simulation.words import CHANNELS, CUSTOMER, EXPANSION, NEW, PRODUCTS, RENEWAL

LEAD_TIME = (75, 100, 130)
"""Days before the end of a term at which its renewal deal is made, by segment."""
Pending = tuple[Deals, DealFacts]
"""Deals about to be simulated."""


@dataclass(frozen=True)
class World:
    """What every round needs."""

    parameters: Parameters
    team: Team
    rates: Rates
    streams: Streams
    accounts: Accounts


def price_index(parameters: Parameters, day: Ints) -> Floats:
    """List prices of each day against October 2022."""
    index = (1 + parameters.price_drift) ** tl.years_since_start(day)
    return index * np.where(day >= CHANGE_FROM, 1 + parameters.price_rise, 1.0)


def opening_terms(world: World, rng: np.random.Generator) -> Terms:
    """The terms that run when the process starts: begun up to a year, for large customers up to three, before."""
    count = int(world.accounts.opening.sum())
    segment = world.accounts.segment[:count]
    parameters = world.parameters
    sd = np.array(parameters.arr_sd)[segment]
    arr = np.array(parameters.deal_arr)[segment] * np.exp(sd * rng.normal(size=count) - sd**2 / 2) * 1.15
    months = term_months(segment, rng)
    start = tl.ZERO - (rng.random(count) * months * 30.4).astype(np.int64) - 1
    end = end_of_term(start, months)
    mrr = np.zeros((count, len(PRODUCTS)))
    mrr[np.arange(count), rng.choice(3, count, p=[0.7, 0.2, 0.1])] = arr / 12
    none = np.full(count, -1, dtype=np.int64)
    return Terms(np.arange(count), start, end, mrr, none, none, np.full(count, tl.NO_DAY))


def term_months(segment: Ints, rng: np.random.Generator) -> Ints:
    """12 months for most, longer for one in sixteen small, one in five middle and two in five large customers."""
    draws = rng.random(len(segment))
    longer = np.array([0.06, 0.22, 0.40])[segment]
    return np.where(draws < longer / 3, 36, np.where(draws < longer, 24, 12))


def end_of_term(start: Ints, months: Ints) -> Ints:
    """The day before the same day `months` later (the month's last day where that day does not exist)."""
    month = tl.month_of(start)
    offset = start - tl.month_start(month)
    first = tl.month_start(month + months)
    length = tl.month_start(month + months + 1) - first
    return first + np.minimum(offset, length - 1) - 1


def new_deals(world: World, arrivals: Arrivals, account: Ints, attempt: Ints, seat: Ints, name: str) -> Pending:
    """New deals of arrivals: amount, product, touches and hidden quality are drawn here."""
    rng = world.streams(f"new deals {name}")
    count, parameters = len(arrivals), world.parameters
    sd = np.array(parameters.arr_sd)[arrivals.segment]
    base = np.array(parameters.deal_arr)[arrivals.segment] * price_index(parameters, arrivals.day)
    base = base * np.exp(sd * rng.normal(size=count) - sd**2 / 2)
    touched, score, quality = _quality(parameters, arrivals, rng)
    months = term_months(arrivals.segment, rng)
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
        rng.random(count), arrivals.channel,
    )  # fmt: skip
    return deals, facts


def _quality(
    parameters: Parameters, arrivals: Arrivals, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], Floats, Ints]:
    """Which channels touched each deal, its hidden score without them, and its class with them."""
    count = len(arrivals)
    touched = rng.random((count, len(CHANNELS))) < np.array(parameters.touch_share)[arrivals.origin]
    led = np.flatnonzero(arrivals.channel >= 0)
    touched[led, arrivals.channel[led]] = True
    score = rng.normal(size=count) + arrivals.lift - 0.35  # touches raise the mean by about as much
    return touched, score, quality_class(parameters, score, touched)


def quality_class(parameters: Parameters, score: Floats, touched: NDArray[np.bool_]) -> Ints:
    """0 weak, 1 fair, 2 strong: the hidden score plus the lift of each channel that touched the deal."""
    total = score + touched @ np.array(parameters.channel_lift)
    return np.searchsorted(np.array(parameters.quality_cuts), total, side="right")


def deals_of_terms(world: World, terms: Terms, offset: int, turn: int) -> list[Pending]:
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
    keep = (day <= tl.END) & (day >= first[rows]) & (rng.random(len(rows)) < slumped(parameters, day))
    rows, day = rows[keep], day[keep]
    count = len(rows)
    account = terms.account[rows]
    segment = segment[rows]
    mrr = terms.mrr[rows]
    drift = price_index(parameters, day) / price_index(parameters, terms.start[rows])
    ratio = np.array(parameters.expansion_ratio)[segment] * np.exp(0.5 * rng.normal(size=count) - 0.125)
    origin, none = np.full(count, CUSTOMER), np.full(count, -1, dtype=np.int64)
    asked = Arrivals(origin, segment, day, none, none, np.zeros(count))
    touched, score, quality = _quality(parameters, asked, rng)
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
        rows + offset, none, rng.random(count), none,
    )  # fmt: skip
    return deals, facts


def slumped(parameters: Parameters, day: Ints) -> Floats:
    """The share of arrivals that is left on each day: 1, less under the scenario `slump`."""
    return np.where(day >= SLUMP_FROM, 1 - parameters.slump, 1.0)


def _renewals(world: World, terms: Terms, offset: int, rng: np.random.Generator) -> Pending:
    """One renewal a term, made some months before its end; `base` is filled when the term's add-ons are known."""
    parameters, accounts = world.parameters, world.accounts
    segment = accounts.segment[terms.account]
    day = terms.end - np.array(LEAD_TIME)[segment] - rng.integers(0, 20, len(segment))
    day = tl.to_business_day(np.maximum(day, tl.ZERO))
    rows = np.flatnonzero(day <= tl.END)
    count = len(rows)
    segment = segment[rows]
    account = terms.account[rows]
    quality = np.searchsorted(np.array(parameters.quality_cuts), rng.normal(size=count), side="right")
    shrinks = rng.random(count) < parameters.contraction_share
    ratio = np.where(shrinks, 0.5 + 0.4 * rng.random(count), 1 + parameters.renewal_uplift * 2 * rng.random(count))
    months = term_months(segment, rng)
    none = np.full(count, -1, dtype=np.int64)
    deals = Deals(
        np.full(count, RENEWAL), segment, accounts.success_seat[account], day[rows], np.ones(count, dtype=np.int64),
        quality, terms.end[rows],
    )  # fmt: skip
    facts = DealFacts(
        account, np.full(count, CUSTOMER), np.zeros(count), np.zeros((count, len(CHANNELS)), dtype=bool),
        12 * terms.mrr[rows].sum(axis=1), ratio, np.argmax(terms.mrr[rows], axis=1), months, none, rows + offset, none,
        np.ones(count), none,
    )  # fmt: skip
    return deals, facts
