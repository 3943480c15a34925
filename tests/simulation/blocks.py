"""One block of the sample company in memory, hidden side and all, for tests of the process."""

from __future__ import annotations

from functools import cache

import numpy as np

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.company import Block, make_block
from revops_analysis.simulation.market import make_market
from revops_analysis.simulation.options import SimulationOptions
from revops_analysis.simulation.parameters import parameters_for
from revops_analysis.simulation.randomness import COMPANY, Streams

RECENT = tl.number(tl.dt.date(2026, 4, 1))


@cache
def block(scenario: str = "default", seed: int = 0, scale: float = 1.0) -> Block:
    options = SimulationOptions(seed=seed, scenario=scenario, scale=scale)
    market = make_market(parameters_for(options), Streams(seed, COMPANY))
    return make_block(0, options, market)


def ends(made: Block) -> tuple[np.ndarray, np.ndarray]:
    """Final stage (−1 open) and closing day of each deal."""
    final, last = made.book.paths.outcome()
    return final, made.book.event_day[np.arange(len(final)), last].astype(np.int64)


def win_rate(made: Block, segment: int, first: int = RECENT, last: int = tl.THROUGH) -> float:
    """Won ÷ closed of new and expansion deals of a segment that closed between two days."""
    final, day = ends(made)
    rows = (final >= 5) & (made.book.deals.kind < 2) & (made.book.deals.segment == segment)
    rows &= (day >= first) & (day <= last)
    return float((final[rows] == 5).mean())


def bookings(made: Block, first: int = RECENT, last: int = tl.THROUGH) -> float:
    """List dollars of new and expansion deals won between two days."""
    final, day = ends(made)
    rows = (final == 5) & (made.book.deals.kind < 2) & (day >= first) & (day <= last)
    return float((made.prices.won * np.where(made.prices.euro, made.prices.list_rate, 1.0))[rows].sum())


def created(made: Block, first: int, last: int) -> int:
    """New and expansion deals created between two days."""
    day = made.book.deals.created
    return int(((made.book.deals.kind < 2) & (day >= first) & (day <= last)).sum())


def weeks_in(made: Block, stage: int, first: int, last: int = tl.THROUGH) -> float:
    """Mean weeks that deals which were ever in a stage spent there between two days."""
    row, age = np.nonzero(made.book.paths.stage == stage)
    day = made.book.deals.created[row] + 7 * age
    inside = (day >= first) & (day <= last) & (made.book.deals.kind[row] < 2)
    return float(inside.sum() / max(len(np.unique(row[inside])), 1))
