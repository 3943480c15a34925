"""Deals not yet created: how many are expected, of which quality and size, and what they bring within the period.

Every source is a Poisson process whose rate is known: outbound and partners by week, leads on average, expansions by
the terms that customers have, lost deals that return by the day they were lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from benchmarks.floor.money import final_factors
from benchmarks.floor.process import Ahead
from benchmarks.floor.seen import origin_shares
from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.arrivals import WEEKS_A_MONTH, pace_of_arrivals
from revops_analysis.simulation.beginnings import end_of_term, price_index, slumped
from revops_analysis.simulation.columns import Floats, Ints
from revops_analysis.simulation.company import Block
from revops_analysis.simulation.leads import arrivals_from, make_leads
from revops_analysis.simulation.parameters import Parameters
from revops_analysis.simulation.people import AE
from revops_analysis.simulation.words import CUSTOMER, EXPANSION, LOST, NEW, OUTBOUND, PARTNER

EMEA = 3
RETURN_DAYS = (120, 380)
"""A lost deal that returns does so this many days later, and up to as many more (`lifecycle._returning`)."""
RENEWED = 0.87
"""Share of terms that are renewed, for customers whose renewal is still open."""
EARLY_STAGES = np.array([0.88, 0.12])
"""New deals start in Discovery, some in Qualification; expansions in Qualification."""


@dataclass(frozen=True)
class Expected:
    """[type × segment × seat × week]: deals expected, `quality` shares of them weighted by count (last axis).

    `money`: sum of their expected first prices in dollars; `square`: of the squares, for the spread of what comes.
    """

    quality: Floats
    money: Floats
    square: Floats

    @staticmethod
    def none(seats: int, weeks: int) -> Expected:
        """Nothing expected yet."""
        return Expected(np.zeros((2, 3, seats, weeks, 3)), *(np.zeros((2, 3, seats, weeks)) for _ in range(2)))

    def add(self, where: tuple, quality: Floats, price: Floats, square: Floats) -> None:
        """Add deals by (type, segment, seat, week): counts by quality, mean price and mean square."""
        np.add.at(self.quality, where, quality)
        count = quality.sum(axis=-1)
        np.add.at(self.money, where, count * price)
        np.add.at(self.square, where, count * square)


def expect(block: Block, ahead: Ahead, day: int, euro_rate: float) -> Expected:
    """Deals expected to be created after `day` in the weeks of `ahead`."""
    result = Expected.none(len(block.team.role), ahead.weeks)
    _new(block, ahead, day, euro_rate, result)
    _expansions(block, ahead, day, euro_rate, result)
    _returns(block, ahead, day, euro_rate, result)
    return result


def worth(expected: Expected, values: Floats) -> tuple[Floats, Floats]:
    """[type × segment × seat × week]: deals expected to be created and won within the period, and their mean price.

    `values`: chances by week, as `process.win_values` gives them.
    """
    new = np.einsum("s,tgesq->getq", EARLY_STAGES, values[:, NEW, :, :, :2])
    more = np.einsum("tgeq->getq", values[:, EXPANSION, :, :, 1])
    wins = (expected.quality * np.stack([new, more])).sum(axis=-1)
    count = expected.quality.sum(axis=-1)
    return wins, np.where(count > 0, expected.money / np.maximum(count, 1e-12), 0.0) * final_factors()[0].mean()


def spread(expected: Expected) -> Floats:
    """[type × segment × seat × week]: spread of the logarithm of a won deal's price."""
    count = np.maximum(expected.quality.sum(axis=-1), 1e-12)
    mean = np.maximum(expected.money / count, 1e-9)
    factors = final_factors()[0]
    final = (factors**2).mean() / factors.mean() ** 2
    return np.sqrt(np.log(np.maximum(expected.square / count / mean**2 * final, 1.0)))


def _new(block: Block, ahead: Ahead, day: int, euro_rate: float, result: Expected) -> None:
    """Outbound, partners and leads: each seat of the segment that is open gets the same share."""
    parameters, team = block.parameters, block.team
    weeks = ahead.first + np.arange(ahead.weeks)
    mondays = tl.monday(weeks)
    share = np.ones(ahead.weeks)
    share[0] = max(0, 4 - (day - mondays[0])) / 5
    pace = pace_of_arrivals(parameters)[weeks] * share
    rate = np.zeros((3, ahead.weeks, 3))
    for origin, month in ((OUTBOUND, parameters.outbound_month), (PARTNER, parameters.partner_month)):
        counts = pace * month / WEEKS_A_MONTH * np.array(parameters.segment_share)[:, None]
        rate += counts[:, :, None] * np.array(origin_shares(parameters, origin, 0.0))
    if parameters.enterprise_from is not None:
        rate[2, mondays < tl.number(parameters.enterprise_from)] = 0.0
    rate += _lead_rates(_large(parameters))[:, weeks] * parameters.size * share[:, None]
    open_ = (team.role == AE) & (team.opened <= mondays[:, None])
    for segment in range(3):
        seats = np.flatnonzero((team.role == AE) & (team.segment == segment))
        usable = open_[:, seats] / np.maximum(open_[:, seats].sum(axis=1, keepdims=True), 1)
        none = ~usable.any(axis=1)
        usable[none, int(np.argmin(team.opened[seats]))] = 1.0
        week, place = np.nonzero(usable)
        seat = seats[place]
        quality = rate[segment, week] * usable[week, place][:, None]
        price = np.array(parameters.deal_arr)[segment] * price_index(parameters, mondays[week] + 2)
        abroad = np.where(team.region[seat] == EMEA, parameters.euro_share, 0.0)
        price = price * (1 + abroad * (euro_rate / parameters.euro_list_rate - 1))
        square = price**2 * np.exp(parameters.arr_sd[segment] ** 2)
        result.add((NEW, segment, seat, week), quality, price, square)


LARGE = 30.0
"""Size of the company whose leads are drawn once, to know how many deals they bring on average."""


def _large(parameters: Parameters) -> Parameters:
    """Parameters of a large company whose leads are like those of the block."""
    return Parameters(size=LARGE, enterprise_from=parameters.enterprise_from)


@cache
def _lead_rates(parameters: Parameters) -> Floats:
    """[segment × week × quality]: deals a week from leads, of a company of size 1."""
    leads = make_leads(parameters, np.random.default_rng(20_230_401))
    came = arrivals_from(leads, parameters)
    result = np.zeros((3, tl.WEEKS, 3))
    for origin in np.unique(came.origin):
        for channel in np.unique(came.channel):
            for lift in np.unique(came.lift):
                rows = (came.origin == origin) & (came.channel == channel) & (came.lift == lift)
                if rows.any():
                    counts = np.zeros((3, tl.WEEKS))
                    np.add.at(counts, (came.segment[rows], tl.week_of(came.day[rows])), 1 / parameters.size)
                    shares = origin_shares(parameters, int(origin), float(lift), int(channel))
                    result += counts[:, :, None] * np.array(shares)
    return result


def _expansions(block: Block, ahead: Ahead, day: int, euro_rate: float, result: Expected) -> None:
    """Expansions of every term that is known: they arrive evenly from 40 days after its start to 150 before its end."""
    book, parameters = block.book, block.parameters
    terms, share = _terms(block, day)
    account = terms["account"]
    segment = book.accounts.segment[account]
    price = 12 * terms["mrr"] * np.array(parameters.expansion_ratio)[segment] * block.multiplier[account]
    price = price / price_index(parameters, terms["start"])
    price *= np.where(book.accounts.euro[account], euro_rate / parameters.euro_list_rate, 1.0)
    first, last = np.maximum(terms["start"] + 40, tl.ZERO), terms["end"] - 150
    rate = np.array(parameters.expansions_year)[segment] * 1.5 / 365.25 * share
    shares = np.array(origin_shares(parameters, CUSTOMER, 0.0))
    for t in range(ahead.weeks):
        monday = int(tl.monday(np.array(ahead.first + t)))
        opens = monday if t else (day + 1 if day - monday < 4 else monday + 7)
        days = np.clip(np.minimum(last, monday + 7) - np.maximum(first, opens), 0, None)
        rows = np.flatnonzero(days)
        if not rows.size:
            continue
        middle = np.array([monday + 3])
        count = rate[rows] * days[rows] * slumped(parameters, middle)
        amount = price[rows] * price_index(parameters, middle)
        for seat, part in ((book.accounts.seat, 0.65), (book.accounts.success_seat, 0.35)):
            where = (EXPANSION, segment[rows], seat[account[rows]], np.full(len(rows), t))
            result.add(where, part * count[:, None] * shares, amount, amount**2 * np.exp(0.25))


def _terms(block: Block, day: int) -> tuple[dict[str, np.ndarray], Floats]:
    """Terms that billing knows on a day, and those that will probably follow the ones that end soon; weight of each."""
    terms = block.book.terms
    known = (terms.booked <= day) & (terms.end >= day - 60)
    rows = np.flatnonzero(known)
    renewed = np.zeros(len(terms.start), dtype=bool)
    renewed[terms.renews[rows][terms.renews[rows] >= 0]] = True
    soon = rows[~renewed[rows] & (terms.end[rows] >= day) & (terms.end[rows] < day + 120)]
    everyone = np.concatenate([rows, soon])
    start = np.concatenate([terms.start[rows], terms.end[soon] + 1])
    end = np.concatenate([terms.end[rows], end_of_term(terms.end[soon] + 1, np.full(len(soon), 12))])
    share = np.concatenate([np.ones(len(rows)), np.full(len(soon), RENEWED)])
    return {
        "account": terms.account[everyone],
        "start": start,
        "end": end,
        "mrr": terms.mrr[everyone].sum(axis=1),
    }, share


def _returns(block: Block, ahead: Ahead, day: int, euro_rate: float, result: Expected) -> None:
    """Lost new deals come back 120 to 500 days later, unless they already have."""
    book, parameters = block.book, block.parameters
    lost, lost_on = _lost(block, day)
    account = book.facts.account[lost]
    wait, spread_days = RETURN_DAYS
    passed = np.clip(day - lost_on - wait, 0, spread_days) / spread_days
    chance = parameters.return_share / spread_days / (1 - parameters.return_share * passed)
    outbound = np.array(origin_shares(parameters, OUTBOUND, 0.1))
    partner = np.array(origin_shares(parameters, PARTNER, 0.1))
    own = np.where((book.facts.origin[lost] == PARTNER)[:, None], partner, outbound)
    shares = 0.7 * outbound + 0.3 * own
    segment, seat = book.deals.segment[lost], book.accounts.seat[account]
    euro = np.where(book.accounts.euro[account], euro_rate / parameters.euro_list_rate, 1.0)
    for t in range(ahead.weeks):
        monday = int(tl.monday(np.array(ahead.first + t)))
        opens = monday if t else (day + 1 if day - monday < 4 else monday + 7)
        days = np.minimum(lost_on + wait + spread_days, monday + 7) - np.maximum(lost_on + wait, opens)
        rows = np.flatnonzero(days > 0)
        middle = np.array([monday + 3])
        count = chance[rows] * days[rows] * slumped(parameters, middle)
        price = np.array(parameters.deal_arr)[segment[rows]] * price_index(parameters, middle) * euro[rows]
        square = price**2 * np.exp(np.array(parameters.arr_sd)[segment[rows]] ** 2)
        where = (NEW, segment[rows], seat[rows], np.full(len(rows), t))
        result.add(where, count[:, None] * shares[rows], price, square)


def _lost(block: Block, day: int) -> tuple[Ints, Ints]:
    """New deals lost by a day that have not returned by then, and when they were lost."""
    book = block.book
    final, last = book.paths.outcome()
    ended = book.event_day[np.arange(len(last)), last].astype(np.int64)
    rows = np.flatnonzero((final == LOST) & (book.deals.kind == NEW) & (ended <= day) & (ended > day - 520))
    here = book.deals.created <= day
    latest = np.zeros(len(book.accounts), dtype=np.int64)
    fresh = np.flatnonzero(here & (book.deals.kind == NEW))
    np.maximum.at(latest, book.facts.account[fresh], book.facts.attempt[fresh])
    rows = rows[book.facts.attempt[rows] == latest[book.facts.account[rows]]]
    return rows, ended[rows]
