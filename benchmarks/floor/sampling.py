"""Dollars won after a cutoff, drawn many times from the chances of the floor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.floor.money import final_factors
from revops_analysis.simulation.columns import Floats, Ints

LEVELS = (0.025, 0.10, 0.25, 0.50, 0.75, 0.90, 0.975)
"""Levels of the quantiles that are given."""


@dataclass(frozen=True)
class Chances:
    """What may be won in the rest of a period, under one course of the market.

    Open deals: `chance`, expected `price` when won, `stage`. Deals opened again and deals not yet created, by kind:
    expected number of wins, mean price and spread of its logarithm; `reopened` of the kinds are of the first sort.
    """

    chance: Floats
    price: Floats
    stage: Ints
    extra_count: Floats
    extra_price: Floats
    extra_spread: Floats
    reopened: int

    @property
    def reopened_mean(self) -> float:
        """Expected dollars of deals opened again."""
        return float((self.extra_count * self.extra_price)[: self.reopened].sum())

    @property
    def created_mean(self) -> float:
        """Expected dollars of deals not yet created."""
        return float((self.extra_count * self.extra_price)[self.reopened :].sum())


def simulate(courses: list[Chances], weights: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Dollars won, draw by draw; each draw follows one course of the market."""
    course = rng.choice(len(courses), draws, p=weights)
    result = np.zeros(draws)
    for code, part in enumerate(courses):
        rows = np.flatnonzero(course == code)
        result[rows] = _open_draws(part, len(rows), rng) + _extra_draws(part, len(rows), rng)
    return result


def _open_draws(part: Chances, draws: int, rng: np.random.Generator) -> Floats:
    """Each open deal is won or not, at one of the equally likely final prices."""
    row, deal = np.nonzero(rng.random((draws, len(part.chance)), np.float32) < part.chance)
    factors = final_factors()
    relative = factors / factors.mean(axis=1, keepdims=True)
    case = rng.integers(0, factors.shape[1], len(row))
    return np.asarray(np.bincount(row, part.price[deal] * relative[part.stage[deal], case], draws), dtype=np.float64)


def _extra_draws(part: Chances, draws: int, rng: np.random.Generator) -> Floats:
    """A Poisson number of wins among deals opened again or not yet created, each at a price of its kind."""
    total = float(part.extra_count.sum())
    if total <= 0:
        return np.zeros(draws)
    counts = rng.poisson(total, draws)
    place = np.cumsum(part.extra_count) / total
    kind = np.minimum(np.searchsorted(place, rng.random(counts.sum())), len(place) - 1)
    sd = part.extra_spread[kind]
    price = part.extra_price[kind] * np.exp(sd * rng.normal(size=len(kind)) - sd**2 / 2)
    return np.asarray(np.bincount(np.repeat(np.arange(draws), counts), price, draws), dtype=np.float64)
