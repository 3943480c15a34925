"""The achievable floor: what the forecaster who knows the process, but sees only the CRM, says of bookings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.floor.belief import EVIDENCE, Beliefs, filter_beliefs
from benchmarks.floor.chance import Now, lost_deals, open_deals, reopened_chance, win_chance, with_truth
from benchmarks.floor.created import expect, spread, worth
from benchmarks.floor.felt import Advances, count_advances, felt_shock
from benchmarks.floor.money import euro_ahead, final_factors, seen_price, unpriced
from benchmarks.floor.process import Ahead, Known, look_ahead, win_values
from benchmarks.floor.sampling import LEVELS, Chances, simulate
from benchmarks.floor.seen import Seen, look
from revops_analysis.errors import ConfigurationError
from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.columns import Floats, Ints, identifiers
from revops_analysis.simulation.company import Block, make_block
from revops_analysis.simulation.market import make_market
from revops_analysis.simulation.options import SimulationOptions
from revops_analysis.simulation.parameters import parameters_for
from revops_analysis.simulation.randomness import COMPANY, Streams
from revops_analysis.simulation.truth import Outcomes, outcomes
from revops_analysis.simulation.words import RENEWAL

FINAL_SPREAD = float(np.log(final_factors()[0]).std())
"""Spread of the logarithm of a deal's final price against its first."""


@dataclass(frozen=True)
class FloorForecast:
    """Bookings of headline types in a period, dollars, as forecast at the end of the day `cutoff`.

    `mean` = `booked_to_date` + `open_mean` + `created_mean` + `reopened_mean`. `quantiles` by level, from simulation.
    `deals` [opportunity_id, win_probability, informed_probability, expected_price]: the open headline deals, their
    chance to be won by the period's end, and their price in dollars if won. `informed_mean` and
    `informed_probability` are those of the forecaster who also sees life and quality of the open deals.
    """

    cutoff: date
    mean: float
    booked_to_date: float
    open_mean: float
    created_mean: float
    reopened_mean: float
    quantiles: Mapping[float, float]
    deals: pd.DataFrame
    informed_mean: float


@dataclass(frozen=True)
class _Rest:
    """The rest of a period as of the day of a cutoff: wins count after the first day of `span` up to the second."""

    day: int
    span: tuple[int, int]
    ahead: Ahead
    euro: tuple[float, float]
    now: Now
    values: list[Floats]

    def average(self, each: list[Floats]) -> Floats:
        """The mean over the courses that the market may take."""
        return np.average(each, axis=0, weights=self.ahead.weights)


@dataclass(frozen=True)
class Floor:
    """The forecaster of one sample company; `make_floor` makes it.

    `evidence` may leave out kinds of evidence (`belief.EVIDENCE`), to see what each is worth.
    """

    options: SimulationOptions
    block: Block
    evidence: tuple[str, ...] = EVIDENCE

    def forecast(
        self, cutoff: date, period_start: date, period_end: date, draws: int = 2000, seed: int = 0
    ) -> FloorForecast:
        """The forecast of a period at the end of the day `cutoff`; no later than the end of history."""
        _check(cutoff, period_start, period_end)
        rest = self._rest(tl.number(cutoff), (tl.number(period_start) - 1, tl.number(period_end)))
        price = self._prices(rest)
        informed = with_truth(rest.now, self.seen, *self._hidden)
        chance, knows = (
            rest.average([win_chance(now, self.seen, self.known, one[0], rest.span) for one in rest.values])
            for now in (rest.now, informed)
        )
        courses = [self._chances(rest, price, one) for one in rest.values]
        booked = self.actual(period_start, min(cutoff, period_end))
        created, reopened = (
            float(rest.average([getattr(one, name) for one in courses])) for name in ("created_mean", "reopened_mean")
        )
        open_mean, informed_mean = float(chance @ price), float(knows @ price)
        sample = booked + self._draw(rest, courses, draws, seed)
        found = np.quantile(sample, LEVELS).tolist()
        others = booked + created + reopened
        return FloorForecast(
            cutoff, others + open_mean, booked, open_mean, created, reopened,
            MappingProxyType(dict(zip(LEVELS, found, strict=True))), self._frame(rest.now, chance, knows, price),
            others + informed_mean,
        )  # fmt: skip

    def actual(self, period_start: date, period_end: date) -> float:
        """True bookings of headline types in a period, dollars at the rate of the booking day.

        The warehouse has them but for what dirt does to won deals: a few amounts contain services (up to 0.5% more in
        a quarter), and a won deal with a mistyped stage is quarantined.
        """
        day, dollars = self._bookings
        inside = (day >= tl.number(period_start)) & (day <= tl.number(period_end))
        return float(dollars[inside].sum())

    def won_by(self, opportunity_ids: Sequence[str], day: date) -> NDArray[np.bool_]:
        """Whether each of these deals is won on a day or before."""
        won = (self._ends.code == 1) & (self._ends.day <= tl.number(day))
        won = pd.Series(won, index=self.block.ledger.number)
        return won.loc[[int(key[4:]) for key in opportunity_ids]].to_numpy()

    @cached_property
    def seen(self) -> Seen:
        """What the CRM shows."""
        return look(self.block)

    @cached_property
    def beliefs(self) -> Beliefs:
        """Belief about each deal after each week."""
        return filter_beliefs(self.seen, self.known, self.evidence)

    @cached_property
    def known(self) -> Known:
        """The parameters."""
        block = self.block
        forget = block.parameters.forget_share * self.options.dirt
        return Known(block.parameters, block.team, block.rates, block.market, forget)

    @cached_property
    def _advances(self) -> Advances:
        """What deals have shown of the market."""
        return count_advances(self.seen, self.beliefs, self.known)

    @cached_property
    def _hidden(self) -> tuple[NDArray[np.bool_], Ints]:
        """Life [deal × week] and quality of the deals seen: for the informed forecaster only."""
        return self.block.book.paths.alive[self.seen.deal], self.block.book.deals.quality[self.seen.deal]

    @cached_property
    def _missing(self) -> NDArray[np.bool_]:
        return unpriced(self.block, self.options.dirt)

    @cached_property
    def _bookings(self) -> tuple[Ints, Floats]:
        """Day and dollars of every headline deal that is won."""
        won = (self._ends.code == 1) & (self.block.book.deals.kind != RENEWAL)
        return self._ends.day[won], self._ends.dollars[won]

    @cached_property
    def _ends(self) -> Outcomes:
        return outcomes(self.block.book, self.block.prices, self.block.market)

    def _rest(self, day: int, span: tuple[int, int]) -> _Rest:
        last = max(day, span[1])
        weeks = tl.week_of(np.array([day, last]))
        felt = felt_shock(self._advances, self.known, int(weeks[0]))
        ahead = look_ahead(self.known, int(weeks[0]), int(weeks[1]), felt)
        now = open_deals(self.seen, self.beliefs, day, self.evidence)
        values = [win_values(self.known, ahead, node, span) for node in range(len(ahead.weights))]
        return _Rest(day, span, ahead, euro_ahead(self.block, day, (last - day) // 2), now, values)

    def _prices(self, rest: _Rest) -> Floats:
        """Dollars that each open deal is expected to bring if won."""
        deal, stage = self.seen.deal[rest.now.rows], rest.now.stage
        price = seen_price(self.block, deal, stage, self._missing) * final_factors().mean(axis=1)[stage]
        return price * np.where(self.block.prices.euro[deal], rest.euro[0], 1.0)

    def _chances(self, rest: _Rest, price: Floats, values: Floats) -> Chances:
        """What may be won under one course of the market."""
        expected = expect(self.block, rest.ahead, rest.day, rest.euro[0])
        wins, mean = worth(expected, values)
        lost = lost_deals(self.seen, self.beliefs, rest.day, self.block.parameters.reopen_share, len(values))
        again = reopened_chance(lost, self.seen, values)
        deal = self.seen.deal[lost.rows]
        first = self.block.prices.by_stage[deal, 0] * final_factors()[0].mean()
        first = first * np.where(self.block.prices.euro[deal], rest.euro[0], 1.0)
        return Chances(
            win_chance(rest.now, self.seen, self.known, values[0], rest.span), price, rest.now.stage,
            np.concatenate([again, wins.ravel()]), np.concatenate([first, mean.ravel()]),
            np.concatenate([np.full(len(again), FINAL_SPREAD), spread(expected).ravel()]), len(again),
        )  # fmt: skip

    def _draw(self, rest: _Rest, courses: list[Chances], draws: int, seed: int) -> Floats:
        """Dollars won after the cutoff; what is in euro moves with its rate."""
        rng = np.random.default_rng([seed, self.options.seed, rest.day, *rest.span])
        money = simulate(courses, rest.ahead.weights, draws, rng)
        weight = courses[0].chance * courses[0].price
        euro = weight[self.block.prices.euro[self.seen.deal[rest.now.rows]]].sum() / max(weight.sum(), 1.0)
        return money * np.exp(rest.euro[1] * euro * rng.normal(size=draws))

    def _frame(self, now: Now, chance: Floats, knows: Floats, price: Floats) -> pd.DataFrame:
        keys = identifiers("OPP", self.block.ledger.number[self.seen.deal[now.rows]]).to_pandas()
        columns = {"win_probability": chance, "informed_probability": knows, "expected_price": price}
        return pd.DataFrame({"opportunity_id": keys, **columns})


def _check(cutoff: date, period_start: date, period_end: date) -> None:
    holds = tl.HISTORY_START <= cutoff <= tl.DATA_THROUGH and period_start <= period_end <= tl.LAST_DAY
    if not holds:
        raise ConfigurationError(
            "The floor cannot be computed for these days.",
            expected=f"a cutoff from {tl.HISTORY_START} to {tl.DATA_THROUGH}, a period that ends by {tl.LAST_DAY}",
            found=f"cutoff {cutoff}, period {period_start} to {period_end}",
            where="Floor.forecast",
            fix="give a cutoff in the history of the sample company",
        )


def make_floor(options: SimulationOptions, evidence: tuple[str, ...] = EVIDENCE) -> Floor:
    """The forecaster of the sample company of some options; simulates it, which takes a second or two.

    Raises ConfigurationError for a company of more than one block (a scale above 1).
    """
    if options.blocks != 1:
        raise ConfigurationError(
            "The floor is that of one block of the sample company.",
            expected="a scale of at most 1",
            found=f"scale {options.scale:g}, which is {options.blocks} blocks",
            where="SimulationOptions.scale",
            fix="give a scale of 1 or less; larger companies are such blocks side by side",
        )
    market = make_market(parameters_for(options), Streams(options.seed, COMPANY))
    return Floor(options, make_block(0, options, market), evidence)
