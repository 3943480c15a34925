"""What the market's hidden shock looks like to somebody who knows the process and watches deals advance.

The shock of a quarter is a hidden state and no parameter. Its logarithm is an autoregression of quarters; what is seen
of it is how many deals advanced, against how many would have without it. So it is followed by a Kalman filter, whose
measurement has the variance of a Poisson count. Renewals, which would tell a little more, are not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.floor.belief import Beliefs, deal_chances
from benchmarks.floor.process import Known
from benchmarks.floor.seen import Seen
from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.columns import Floats
from revops_analysis.simulation.words import LOST, WON


@dataclass(frozen=True)
class Advances:
    """By week: deals that advanced, and how many were expected to in a market without shock."""

    seen: Floats
    expected: Floats


def count_advances(seen: Seen, beliefs: Beliefs, known: Known) -> Advances:
    """Count over all headline deals, week by week since their creation."""
    found, expected = np.zeros(tl.WEEKS), np.zeros(tl.WEEKS)
    last = int(tl.week_of(np.array(tl.THROUGH)))
    for age in range(1, seen.stage.shape[1]):
        before, now = seen.stage[:, age - 1], seen.stage[:, age]
        rows = np.flatnonzero((before >= 0) & (before < WON) & (now >= 0) & (seen.born + age <= last))
        if not rows.size:
            continue
        week, start = seen.born[rows] + age, before[rows].astype(np.int64)
        advance, _die = deal_chances(seen, known, rows, week, start)
        plain = advance / np.exp(known.market.shock[week])[:, None]
        alive = beliefs.after[rows, age - 1, 0]
        moved = (now[rows] > before[rows]) & (now[rows] != LOST)
        found += np.bincount(week, moved, tl.WEEKS)
        expected += np.bincount(week, (alive * plain).sum(axis=1), tl.WEEKS)
    return Advances(found, expected)


def felt_shock(advances: Advances, known: Known, week: int) -> tuple[float, float]:
    """Mean and spread of the log shock of the quarter of `week`, by the weeks before it."""
    spread = known.parameters.market_sd
    if spread == 0:
        return 0.0, 0.0
    quarters = tl.quarter_of(tl.monday(np.arange(week + 1)))
    mean, variance = 0.0, spread**2
    for quarter in range(int(quarters[0]), int(quarters[-1]) + 1):
        if quarter > quarters[0]:
            mean, variance = 0.5 * mean, 0.25 * variance + 0.75 * spread**2
        weeks = np.flatnonzero(quarters == quarter)
        weeks = weeks[weeks < week]
        expected, found = advances.expected[weeks].sum(), advances.seen[weeks].sum()
        if expected > 20 and found > 0:
            gain = variance / (variance + 1 / expected)
            mean, variance = mean + gain * (np.log(found / expected) - mean), (1 - gain) * variance
    return float(mean), float(np.sqrt(variance))
