"""The hidden process of a deal: week by week it advances, dies, or waits.

A deal that lives can advance to the next stage (from Negotiation: to Closed Won) or die. The two compete: with rates
a and d, the chance that something happens in a week is 1 − exp(−a − d), and it is an advance with chance a ÷ (a + d).

    a = pass ÷ weeks × quality × seller × calendar × market        d = (1 − pass) ÷ weeks × quality ÷ √seller

A dead deal is still open in the CRM until its seller closes it as lost: at once when the buyer says so, otherwise in
each later week with a chance of the seller's own. That is where zombies come from. A few lost deals are opened again
once, alive, in Solution. The state (stage, alive or dead, quality) is finite, so whoever knows the parameters can
filter it exactly from what the CRM shows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.columns import Floats, Ints
from revops_analysis.simulation.market import Market
from revops_analysis.simulation.parameters import Parameters
from revops_analysis.simulation.people import Team, pace_of_sellers
from revops_analysis.simulation.words import LOST, RENEWAL, WON

NOTHING = -1
"""Stage of a week in which the deal is not there (before, or after it closed)."""
MAX_WEEKS = 120
SOLUTION, PROPOSAL, NEGOTIATION = 2, 3, 4
_TERM_REACH = 20
SLUMP_FROM = tl.number(tl.dt.date(2026, 4, 1))
CHANGE_FROM = tl.number(tl.dt.date(2026, 1, 1))
"""From this day on the price rises and the Mid-Market win rate falls, in the scenarios that have it."""
SLOW_FROM = tl.number(tl.dt.date(2025, 10, 1))


@dataclass(frozen=True)
class Deals:
    """What the process needs to know of each deal; arrays of one length."""

    kind: Ints
    segment: Ints
    seat: Ints
    created: Ints
    start_stage: Ints
    quality: Ints
    term_end: Ints
    """Last day of the term that a renewal renews; `timeline.FAR` for other deals."""

    def __len__(self) -> int:
        return len(self.kind)

    def take(self, rows: Ints) -> Deals:
        """These deals only."""
        return Deals(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Draws:
    """Uniform numbers of each deal, drawn once: the same world is replayed with another quality (common random
    numbers)."""

    step: NDArray[np.float32]
    log: NDArray[np.float32]
    reopen: NDArray[np.float32]

    @staticmethod
    def make(rng: np.random.Generator, count: int) -> Draws:
        """Numbers for `count` deals."""
        return Draws(
            rng.random((count, MAX_WEEKS), np.float32),
            rng.random((count, MAX_WEEKS), np.float32),
            rng.random((count, 2), np.float32),
        )

    def take(self, rows: Ints) -> Draws:
        """The numbers of these deals only."""
        return Draws(self.step[rows], self.log[rows], self.reopen[rows])


@dataclass(frozen=True)
class Rates:
    """Look-up tables of weekly rates.

    `advance`, `die`: [type, segment, stage]; `calendar`, `death`: [segment, stage, week]; `seller`, `log`: [seat,
    week]; `term`: by weeks to the end of the term, for renewals.
    """

    advance: Floats
    die: Floats
    calendar: Floats
    death: Floats
    seller: Floats
    log: Floats
    term: Floats
    parameters: Parameters


@dataclass(frozen=True)
class Paths:
    """[deal × week since creation]: stage at the end of the week, and whether the buyer is still interested."""

    stage: NDArray[np.int8]
    alive: NDArray[np.bool_]

    def outcome(self) -> tuple[Ints, Ints]:
        """Final stage (`WON`, `LOST`, or −1 for open when the process ends) and the week in which it came."""
        present = self.stage != NOTHING
        last = present.shape[1] - 1 - np.argmax(present[:, ::-1], axis=1)
        final = self.stage[np.arange(len(last)), last].astype(np.int64)
        fresh = self.stage == LOST
        fresh[:, 1:] &= self.stage[:, :-1] != LOST
        lost_at = present.shape[1] - 1 - np.argmax(fresh[:, ::-1], axis=1)
        return np.where(final >= WON, final, -1), np.where(final == LOST, lost_at, last)


def make_rates(parameters: Parameters, team: Team, market: Market) -> Rates:
    """The look-up tables of one block."""
    weeks = np.array(parameters.stage_weeks)[:, :, None]
    passing = np.array(parameters.stage_pass)
    seats_log = np.clip(parameters.log_loss_rate * team.diligence, 0.02, 0.9)
    term = np.full(2 * _TERM_REACH + 1, 1.0)
    before = np.arange(-_TERM_REACH, _TERM_REACH + 1)
    term[before > 9] = 0.45
    term[(before <= 3) & (before >= 0)] = 1.7
    term[before < 0] = 3.0
    calendar, death = _calendar(parameters, market)
    return Rates(
        passing / weeks,
        (1 - passing) / weeks,
        calendar,
        death,
        pace_of_sellers(parameters, team),
        seats_log[team.occupant],
        term,
        parameters,
    )


def _calendar(parameters: Parameters, market: Market) -> tuple[Floats, Floats]:
    """Pace and deadliness of each week by segment and stage: rush, market, and what the scenario plants."""
    mondays = tl.monday(np.arange(tl.WEEKS))
    to_end = (tl.quarter_end(mondays + 2) - mondays) // 7
    since = (mondays + 4 - tl.quarter_start(tl.quarter_of(mondays + 4))) // 7
    calendar = np.repeat(np.exp(market.shock)[None, None, :], 3, axis=0).repeat(5, axis=1)
    death = np.ones_like(calendar)
    late_stage = np.arange(5) >= PROPOSAL
    rush = np.where(to_end < 3, 1 + parameters.rush, np.where(since < 3, 1 - _after(parameters), 1.0))
    calendar[:, late_stage, :] *= rush
    calendar[:, :, mondays >= SLUMP_FROM] *= 1 - parameters.slump / 2
    slow = mondays >= SLOW_FROM
    calendar[:, PROPOSAL, slow] /= parameters.slow_stage
    death[:, PROPOSAL, slow] /= parameters.slow_stage
    changed = mondays >= CHANGE_FROM
    death[1, :, changed] *= parameters.mid_market_death
    death[:, :, changed] *= 1 + parameters.price_rise / 2
    return calendar, death


def _after(parameters: Parameters) -> float:
    """The dip after quarter end grows with the rush before it, up to two thirds."""
    return min(parameters.after_rush * parameters.rush / 0.45, 0.67)


def evolve(deals: Deals, rates: Rates, draws: Draws) -> Paths:
    """Run every deal from its creation until it closes or the process ends."""
    count = len(deals)
    stage = np.full((count, MAX_WEEKS), NOTHING, dtype=np.int8)
    alive = np.zeros((count, MAX_WEEKS), dtype=bool)
    stage[:, 0], alive[:, 0] = deals.start_stage, True
    current = deals.start_stage.astype(np.int64)
    living = np.ones(count, dtype=bool)
    open_ = np.ones(count, dtype=bool)
    born = tl.week_of(deals.created)
    returns = np.zeros(count, dtype=np.int64)
    for age in range(1, MAX_WEEKS):
        back = np.flatnonzero((returns == age) & ~open_ & (born + age < tl.WEEKS))
        if back.size:
            open_[back], living[back], current[back] = True, True, SOLUTION
        rows = np.flatnonzero(open_ & (born + age < tl.WEEKS))
        if not rows.size and not (returns > age).any():
            break
        lost = _step(deals, rates, draws, (rows, born[rows] + age, age), (current, living))
        won = rows[current[rows] == WON]
        open_[lost], open_[won] = False, False
        current[lost] = LOST
        stage[rows, age], alive[rows, age] = current[rows], living[rows]
        stage[back, age] = np.where(current[back] == LOST, LOST, current[back])
        again = lost[(draws.reopen[lost, 0] < rates.parameters.reopen_share) & (returns[lost] == 0)]
        returns[again] = age + 4 + (draws.reopen[again, 1] * 14).astype(np.int64)
        waiting = np.flatnonzero(returns > age)
        stage[waiting, age] = LOST
    return Paths(stage, alive)


def _step(
    deals: Deals,
    rates: Rates,
    draws: Draws,
    now: tuple[Ints, Ints, int],
    state: tuple[Ints, NDArray[np.bool_]],
) -> Ints:
    """One week of the deals in `rows`: alters `state` (stage, alive) and returns the deals logged as lost."""
    rows, week, age = now
    current, living = state
    at = current[rows]
    chance, death = hazards(deals, rates, (rows, week, at))
    draw, log = draws.step[rows, age], draws.log[rows, age]
    was_alive = living[rows]
    moves = was_alive & (draw < chance)
    dies = was_alive & (draw > 1 - death)
    skips = moves & (draw < chance * rates.parameters.skip_share) & (at <= SOLUTION)
    after = at + moves + skips
    split = rates.parameters.split_stage_from
    if split is not None:
        unsplit = tl.monday(week) < tl.number(split)
        after = np.where(moves & unsplit & (after == PROPOSAL), NEGOTIATION, after)
    current[rows] = after
    living[rows[dies]] = False
    told = dies & (log < rates.parameters.told_share)
    logged = ~was_alive & (log < rates.log[deals.seat[rows], week])
    too_old = ~was_alive & (age == MAX_WEEKS - 1)
    return rows[told | logged | too_old]


def hazards(deals: Deals, rates: Rates, where: tuple[Ints, Ints, Ints]) -> tuple[Floats, Floats]:
    """The chances that a living deal advances, and that it dies, in a week.

    `where`: the deals' rows, the week of each and its stage at the week's start. One array entry a deal-week.
    """
    rows, week, at = where
    kind, segment, seat = deals.kind[rows], deals.segment[rows], deals.seat[rows]
    quality, seller = deals.quality[rows], rates.seller[seat, week]
    advance = rates.advance[kind, segment, at] * np.array(rates.parameters.quality_advance)[quality]
    advance *= seller * rates.calendar[segment, at, week] * _term_factor(deals, rates, rows, week)
    die = rates.die[kind, segment, at] * np.array(rates.parameters.quality_die)[quality]
    die *= rates.death[segment, at, week] / np.sqrt(seller)
    happens = -np.expm1(-(advance + die))
    chance = happens * advance / (advance + die)
    return chance, happens - chance


def _term_factor(deals: Deals, rates: Rates, rows: Ints, week: Ints) -> Floats:
    """Renewals hurry as the end of the term comes near; other deals have none."""
    weeks_left = (deals.term_end[rows] - tl.monday(week)) // 7
    factor = rates.term[np.clip(weeks_left, -_TERM_REACH, _TERM_REACH) + _TERM_REACH]
    return np.where(deals.kind[rows] == RENEWAL, factor, 1.0)
