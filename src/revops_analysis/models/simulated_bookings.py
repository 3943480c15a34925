"""Monte Carlo of a period's bookings: deals won or not, deals not yet created, one shock that all of them share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_CHUNK = 2_000_000
"""Numbers drawn at a time: bounds the memory, and does not change a digit."""


@dataclass(frozen=True, eq=False)
class Parts:
    """What is drawn. `certain`: booked and signed. `probability`, `value`: each open deal's. `kept`: ratios by which
    won amounts depart from their value. `later_wins`: expected wins of each group of deals not yet created, and
    `later_pools` the amounts they are drawn from. `other`: amounts one of which is drawn. `shock`: spread of the common
    shock in log odds; `later_spread` the relative uncertainty of the number of later wins."""

    certain: float
    probability: Floats
    value: Floats
    kept: Floats
    later_wins: Floats
    later_pools: tuple[Floats, ...]
    other: Floats
    shock: float
    later_spread: float = 0.10


@dataclass(frozen=True, eq=False)
class Simulated:
    """[draw] bookings in all; [draw × group] what open deals and later deals bring; [draw] the rest."""

    total: Floats
    open: Floats
    later: Floats
    other: Floats


def simulate_bookings(parts: Parts, *, draws: int, seed: int, groups: npt.NDArray[np.int64] | None = None) -> Simulated:
    """Draw the period's bookings.

    `groups`: a code from 0 on for each open deal, by which its draws are also summed; none: one group. The same parts,
    draws and seed give the same numbers. The means of the draws are the parts' means but for sampling error.
    """
    rng = np.random.default_rng(seed)
    shocks = rng.normal(0.0, parts.shock, draws)
    codes = np.zeros(len(parts.value), dtype=np.int64) if groups is None else groups
    opened = _open_deals(parts, shocks, rng, codes)
    later = _later_deals(parts, shocks, rng)
    other = rng.choice(parts.other, draws) if len(parts.other) else np.zeros(draws)
    total = parts.certain + opened.sum(axis=1) + later.sum(axis=1) + other
    return Simulated(total, opened, later, other)


def _open_deals(parts: Parts, shocks: Floats, rng: np.random.Generator, groups: npt.NDArray[np.int64]) -> Floats:
    """[draw × group]: what open deals bring. A deal is won if a logistic number lies below its log odds and the shock.

    Log odds are first moved so that the shock leaves each deal's mean probability as it is.
    """
    draws, count = len(shocks), len(parts.value)
    number = int(groups.max()) + 1 if count else 1
    result = np.zeros((draws, number))
    if not count:
        return result
    bounds = _centred(parts.probability, parts.shock)
    member = np.zeros((count, number), dtype=np.float32)
    member[np.arange(count), groups] = parts.value
    step = max(1, _CHUNK // count)
    amounts = rng.spawn(1)[0]  # a stream of its own: two from one would depend on how much is drawn at a time
    for start in range(0, draws, step):
        part = shocks[start : start + step]
        uniform = rng.random((len(part), count), dtype=np.float32)
        limit = 1.0 / (1.0 + np.exp(-(bounds[None, :] + part[:, None].astype(np.float32))))
        won = (uniform < limit).astype(np.float32)
        if len(parts.kept) > 1:
            won *= parts.kept[amounts.integers(0, len(parts.kept), won.shape, dtype=np.int32)].astype(np.float32)
        result[start : start + step] = won @ member
    return result


def _centred(probability: Floats, shock: float) -> npt.NDArray[np.float32]:
    """Log odds whose mean probability under the shock is `probability`: the logistic-normal mean, inverted."""
    inside = np.clip(probability, 1e-6, 1 - 1e-6)
    widened = np.log(inside / (1 - inside)) * np.sqrt(1 + np.pi * shock**2 / 8)
    return widened.astype(np.float32)


def _later_deals(parts: Parts, shocks: Floats, rng: np.random.Generator) -> Floats:
    """[draw × group]: wins are Poisson around an uncertain mean, each worth one of its group's amounts."""
    draws = len(shocks)
    totals = np.zeros((draws, len(parts.later_wins)))
    pace = np.exp(shocks - parts.shock**2 / 2)
    if parts.later_spread > 0:
        shape = 1.0 / parts.later_spread**2
        pace = pace * rng.gamma(shape, 1.0 / shape, draws)
    for place, (wins, pool) in enumerate(zip(parts.later_wins, parts.later_pools, strict=True)):
        counts = rng.poisson(wins * pace)
        amounts = pool[rng.integers(0, len(pool), int(counts.sum()))]
        totals[:, place] = np.bincount(np.repeat(np.arange(draws), counts), amounts, minlength=draws)
    return totals
