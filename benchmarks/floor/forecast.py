"""The achievable floor: what the forecaster who knows the process, but sees only the CRM, says of a period's bookings."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd

from benchmarks.floor.belief import EVIDENCE, Beliefs, filter_beliefs
from benchmarks.floor.chance import Now, lost_deals, open_deals, reopened_chance, win_chance, with_truth
from benchmarks.floor.created import expect, spread, worth
from benchmarks.floor.money import euro_ahead, final_factors, seen_price, unpriced
from benchmarks.floor.process import Known, look_ahead, win_values
from benchmarks.floor.seen import Seen, look
from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.columns import Floats, Ints
from revops_analysis.simulation.company import Block, make_block
from revops_analysis.simulation.market import make_market
from revops_analysis.simulation.options import SimulationOptions
from revops_analysis.simulation.parameters import parameters_for
from revops_analysis.simulation.randomness import COMPANY, Streams
from revops_analysis.simulation.truth import outcomes
from revops_analysis.simulation.words import RENEWAL

LEVELS = (0.025, 0.10, 0.25, 0.50, 0.75, 0.90, 0.975)


@dataclass(frozen=True)
class FloorForecast:
    """Bookings of headline types in a period, dollars, as forecast at the end of a day.

    `mean` = `booked_to_date` + `open_mean` + `created_mean` + `reopened_mean`. `quantiles` by level, from simulation.
    `deals` [opportunity_id, win_probability, informed_probability, expected_price]: the open headline deals and their
    chance to be won by the period's end. `informed_mean` is that of the forecaster who also sees life and quality.
    """

    mean: float
    booked_to_date: float
    open_mean: float
    created_mean: float
    reopened_mean: float
    quantiles: dict[float, float]
    deals: pd.DataFrame
    informed_mean: float


@dataclass(frozen=True)
class _Parts:
    """Open deals with their chance and price, and what may yet come: expected number and price by kind."""

    chance: Floats
    price: Floats
    stage: Ints
    extra_count: Floats
    extra_price: Floats
    extra_spread: Floats


@dataclass(frozen=True)
class Floor:
    """The forecaster of one sample company; `make_floor` makes it.

    `evidence` may leave out kinds of evidence (`belief.EVIDENCE`), to see what each is worth.
    """

    options: SimulationOptions
    block: Block
    evidence: tuple[str, ...] = EVIDENCE
    known: Known = field(init=False)

    def __post_init__(self) -> None:
        block = self.block
        forget = block.parameters.forget_share * self.options.dirt
        known = Known(block.parameters, block.team, block.rates, block.market, forget)
        object.__setattr__(self, "known", known)

    @cached_property
    def seen(self) -> Seen:
        """What the CRM shows."""
        return look(self.block)

    @cached_property
    def beliefs(self) -> Beliefs:
        """Belief about each deal after each week."""
        return filter_beliefs(self.seen, self.known, self.evidence)

    @cached_property
    def _bookings(self) -> tuple[Ints, Floats]:
        """Day and dollars of every headline deal that is won and that the CRM holds."""
        ends = outcomes(self.block.book, self.block.prices, self.block.market)
        kept = self.block.ledger.kept
        rows = kept[(ends.code[kept] == 1) & (self.block.book.deals.kind[kept] != RENEWAL)]
        return ends.day[rows], ends.dollars[rows]

    def actual(self, period_start: date, period_end: date) -> float:
        """True bookings of headline types in a period, dollars at the rate of the booking day."""
        day, dollars = self._bookings
        inside = (day >= tl.number(period_start)) & (day <= tl.number(period_end))
        return float(dollars[inside].sum())

    def forecast(
        self, cutoff: date, period_start: date, period_end: date, draws: int = 2000, seed: int = 0
    ) -> FloorForecast:
        """The forecast of a period at the end of the day `cutoff`."""
        day, last = tl.number(cutoff), tl.number(period_end)
        first_week, last_week = (int(tl.week_of(np.array(d))) for d in (day, max(day, last)))
        ahead = look_ahead(self.known, first_week, last_week)
        now = open_deals(self.seen, self.beliefs, day, self.evidence)
        informed = with_truth(now, self.seen, self._alive, self._quality)
        values = [win_values(self.known, ahead, node, last) for node in range(len(ahead.weights))]
        rate, rate_spread = euro_ahead(self.block, day, max(0, last - day) // 2)
        price = self._prices(now, rate)
        parts = [self._parts(now, price, one, (day, last, rate), ahead) for one in values]
        told = [win_chance(informed, self.seen, self.known, one[0], last) for one in values]
        booked = self.actual(period_start, min(cutoff, period_end))
        chance, knows = (np.average(each, axis=0, weights=ahead.weights) for each in ([p.chance for p in parts], told))
        lost = len(parts[0].extra_count) - self._created_size(ahead)
        extra = np.average([p.extra_count * p.extra_price for p in parts], axis=0, weights=ahead.weights)
        euro_share = float((price * chance)[self.block.prices.euro[self.seen.deal[now.rows]]].sum() / max((price * chance).sum(), 1.0))
        rng = np.random.default_rng([seed, day, last])
        sample = _simulate(parts, ahead.weights, draws, rng) * np.exp(rate_spread * euro_share * rng.normal(size=draws))
        open_mean, created, reopened = float(chance @ price), float(extra[lost:].sum()), float(extra[:lost].sum())
        found = np.quantile(booked + sample, LEVELS)
        return FloorForecast(
            booked + open_mean + created + reopened, booked, open_mean, created, reopened,
            dict(zip(LEVELS, found.tolist(), strict=True)), self._frame(now, chance, knows, price),
            booked + float(knows @ price) + created + reopened,
        )  # fmt: skip

    @cached_property
    def _alive(self) -> np.ndarray:
        return self.block.book.paths.alive[self.seen.deal]

    @cached_property
    def _quality(self) -> Ints:
        return self.block.book.deals.quality[self.seen.deal]

    @cached_property
    def _missing(self) -> np.ndarray:
        return unpriced(self.block, self.options.dirt)

    def _prices(self, now: Now, rate: float) -> Floats:
        deal = self.seen.deal[now.rows]
        price = seen_price(self.block, deal, now.stage, self._missing) * final_factors().mean(axis=1)[now.stage]
        return price * np.where(self.block.prices.euro[deal], rate, 1.0)

    def _created_size(self, ahead: object) -> int:
        return 2 * 3 * len(self.block.team.role) * ahead.weeks  # type: ignore[attr-defined]

    def _parts(self, now: Now, price: Floats, values: Floats, when: tuple[int, int, float], ahead: object) -> _Parts:
        day, last, rate = when
        chance = win_chance(now, self.seen, self.known, values[0], last)
        expected = expect(self.block, ahead, day, rate)
        wins, mean = worth(expected, values)
        lost = lost_deals(self.seen, self.beliefs, day, self.block.parameters.reopen_share, len(values))
        again = reopened_chance(lost, self.seen, values)
        deal = self.seen.deal[lost.rows]
        listed = self.block.prices.by_stage[deal, 0] * final_factors()[0].mean()
        listed = listed * np.where(self.block.prices.euro[deal], rate, 1.0)
        return _Parts(
            chance, price, now.stage, np.concatenate([again, wins.ravel()]), np.concatenate([listed, mean.ravel()]),
            np.concatenate([np.full(len(again), 0.1), spread(expected).ravel()]),
        )  # fmt: skip

    def _frame(self, now: Now, chance: Floats, knows: Floats, price: Floats) -> pd.DataFrame:
        number = self.block.ledger.number[self.seen.deal[now.rows]]
        return pd.DataFrame(
            {
                "opportunity_id": [f"OPP-{n:09d}" for n in number],
                "win_probability": chance,
                "informed_probability": knows,
                "expected_price": price,
            }
        )


def _simulate(parts: list[_Parts], weights: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Dollars won after the cutoff, draw by draw; each draw lives in one of the market's nodes."""
    node = rng.choice(len(parts), draws, p=weights)
    result = np.zeros(draws)
    for code, part in enumerate(parts):
        rows = np.flatnonzero(node == code)
        result[rows] = _open_draws(part, len(rows), rng) + _extra_draws(part, len(rows), rng)
    return result


def _open_draws(part: _Parts, draws: int, rng: np.random.Generator) -> Floats:
    """Each open deal is won or not, at one of the equally likely final prices."""
    won = rng.random((draws, len(part.chance)), np.float32) < part.chance
    row, deal = np.nonzero(won)
    factors = final_factors()
    relative = factors / factors.mean(axis=1, keepdims=True)
    case = rng.integers(0, factors.shape[1], len(row))
    return np.bincount(row, part.price[deal] * relative[part.stage[deal], case], draws)


def _extra_draws(part: _Parts, draws: int, rng: np.random.Generator) -> Floats:
    """A Poisson number of wins among deals not yet created or opened again, each at a price of its kind."""
    total = float(part.extra_count.sum())
    if total <= 0:
        return np.zeros(draws)
    counts = rng.poisson(total, draws)
    place = np.cumsum(part.extra_count) / total
    kind = np.minimum(np.searchsorted(place, rng.random(counts.sum())), len(place) - 1)
    sd = part.extra_spread[kind]
    price = part.extra_price[kind] * np.exp(sd * rng.normal(size=len(kind)) - sd**2 / 2)
    return np.bincount(np.repeat(np.arange(draws), counts), price, draws)


def make_floor(options: SimulationOptions, evidence: tuple[str, ...] = EVIDENCE) -> Floor:
    """The forecaster of the sample company of some options; simulates it, which takes a second or two."""
    market = make_market(parameters_for(options), Streams(options.seed, COMPANY))
    return Floor(options, make_block(0, options, market), evidence)
