"""The belief of who knows the process and sees the CRM: hidden life and quality of each deal, week by week.

A belief is an array [deal × life (alive, dead) × quality], adding up to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.floor.process import Known, chances, destinations
from benchmarks.floor.seen import Seen, category_points
from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.activities import ALIVE_WEEK, DEAD_WEEK
from revops_analysis.simulation.columns import Floats, Ints
from revops_analysis.simulation.dynamics import NOTHING, SOLUTION
from revops_analysis.simulation.record import _category, _mood_and_trust
from revops_analysis.simulation.words import LOST, WON

TOUCHES = (0.42 * 0.55, 0.42 * 0.45, 0.12 * 0.2, 0.12 * 0.8)
"""Mean touches a week (`touches._during`): alive answered, alive unanswered, dead answered, dead unanswered."""
EVIDENCE = ("activities", "contacts", "channels", "touches", "category")
"""What the CRM shows beside stages."""


@dataclass(frozen=True)
class Beliefs:
    """[deal × week since creation × life × quality]: belief after a week's record and `evidence`, and `bare` of it.

    `bare` knows the stage (and category) at the end of the week, but not its activities and touches.
    """

    after: NDArray[np.float32]
    bare: NDArray[np.float32]


def filter_beliefs(seen: Seen, known: Known, evidence: tuple[str, ...]) -> Beliefs:
    """Run through the life of all deals at once, from creation to the last week of history."""
    count, width = seen.stage.shape
    last_week = int(tl.week_of(np.array(tl.THROUGH)))
    points, weight = category_points() if "category" in evidence else (np.zeros(1), np.ones(1))
    prior = seen.prior if "channels" in evidence else np.tile(seen.prior.mean(axis=0), (count, 1))
    state = np.zeros((count, 2, 3, len(points)))
    state[:, 0] = prior[:, :, None] * weight
    after, bare = (np.zeros((count, width, 2, 3), dtype=np.float32) for _ in range(2))
    for age in range(width):
        there = (seen.stage[:, age] != NOTHING) & (seen.stage[:, age] != WON) & (seen.born + age <= last_week)
        rows = np.flatnonzero(there)
        if not rows.size:
            break
        now = seen.stage[rows, age].astype(np.int64)
        part = state[rows]
        if age > 0:
            part = _one_week(part, seen, known, rows, age)
        if "category" in evidence:
            part *= category_likelihood(seen, rows, age, points)
        bare[rows, age] = _normal(part).sum(axis=3)
        part *= evidence_likelihood(seen.weekly[:, rows, age], now, 1.0, evidence)[:, :, None, None]
        state[rows] = _normal(part)
        after[rows, age] = state[rows].sum(axis=3)
    return Beliefs(after, bare)


def _normal(part: Floats) -> Floats:
    return part / np.maximum(part.sum(axis=(1, 2, 3), keepdims=True), 1e-300)


def _one_week(part: Floats, seen: Seen, known: Known, rows: Ints, age: int) -> Floats:
    """Belief and record of a week: what of the old belief agrees with the stage at the week's end."""
    before, now = (seen.stage[rows, a].astype(np.int64) for a in (age - 1, age))
    back = (before == LOST) & (now != LOST)
    start = np.where(before == LOST, SOLUTION, before)
    alive = np.where(back[:, None, None], part.sum(axis=1), part[:, 0])
    dead = np.where(back[:, None, None], 0.0, part[:, 1])
    week = seen.born[rows] + age
    advance, die = deal_chances(seen, known, rows, week, start)
    advance, die = advance[:, :, None], die[:, :, None]
    told, log = known.parameters.told_share, known.rates.log[seen.seat[rows], week][:, None, None]
    share = _shares(known, week, start, now)[:, None, None]
    stays, lost = (now == start)[:, None, None], (now == LOST)[:, None, None]
    waits = (now == LOST) & (before == LOST)
    new_alive = np.where(stays, alive * (1 - advance - die), np.where(lost, 0.0, alive * advance * share))
    new_dead = np.where(stays, dead * (1 - log) + alive * die * (1 - told), 0.0)
    new_dead = np.where(lost, dead * log + alive * die * told, new_dead)
    return np.where(waits[:, None, None, None], part, np.stack([new_alive, new_dead], axis=1))


def _shares(known: Known, week: Ints, start: Ints, now: Ints) -> Floats:
    """The chance of the stage now, given that the deal advanced in the week."""
    weeks = np.unique(week)
    table = np.stack([destinations(known.parameters, int(w)) for w in weeks])
    return table[np.searchsorted(weeks, week), start, np.clip(now, 0, WON)]


def deal_chances(seen: Seen, known: Known, rows: Ints, week: Ints, at: Ints) -> tuple[Floats, Floats]:
    """[row × quality]: the chances to advance and to die in a past week, in which the market is known."""
    kind, segment, seat, rates = seen.kind[rows], seen.segment[rows], seen.seat[rows], known.rates
    pace = rates.seller[seat, week]
    advance = rates.advance[kind, segment, at] * pace * rates.calendar[segment, at, week]
    die = rates.die[kind, segment, at] * rates.death[segment, at, week] / np.sqrt(pace)
    return chances(advance, die, known.parameters)


def evidence_likelihood(counts: Floats, stage: Ints, part: float, evidence: tuple[str, ...]) -> Floats:
    """[row × life]: how likely a week's activities and touches are, up to a common factor.

    `counts` [sign × row]: activities, answered and unanswered touches. `part`: share of the week's working days that
    has passed. Closed deals have none, and nothing is learned of them.
    """
    calls, yes, no = counts
    open_ = stage < WON
    alive = np.array(ALIVE_WEEK)[np.clip(stage, 0, 4)]
    result = np.zeros((len(stage), 2))
    if "activities" in evidence:
        result[:, 0] += calls * np.log(alive) - part * alive
        result[:, 1] += calls * np.log(DEAD_WEEK) - part * DEAD_WEEK
    if "touches" in evidence:
        result[:, 0] += yes * np.log(TOUCHES[0]) + no * np.log(TOUCHES[1]) - part * (TOUCHES[0] + TOUCHES[1])
        result[:, 1] += yes * np.log(TOUCHES[2]) + no * np.log(TOUCHES[3]) - part * (TOUCHES[2] + TOUCHES[3])
    return np.where(open_[:, None], np.exp(result), 1.0)


def category_likelihood(seen: Seen, rows: Ints, age: int, points: Floats) -> Floats:
    """[row × life × 1 × point]: how likely the forecast category is, for each belief of the seller's (`record`)."""
    stage, close, day = seen.stage[rows, age], seen.close[rows, age], seen.event_day[rows, age].astype(np.int64)
    found = seen.category[rows, age]
    shape = (len(rows), 2, len(points))
    at, due, when, optimism, large, pushes = (
        np.broadcast_to(values[:, None, None], shape)
        for values in (stage, close, day, seen.optimism[rows, age], seen.large[rows], seen.pushes[rows, age])
    )
    belief = np.broadcast_to(points, shape)
    alive = np.broadcast_to(np.array([True, False])[None, :, None], shape)
    held = _mood_and_trust(belief, optimism, alive, large, pushes) if age else (belief, belief)
    agrees = _category(at, due, when, held) == found[:, None, None]
    if age:
        before = seen.stage[rows, age - 1]
        looks = (stage != before) | ((close != seen.close[rows, age - 1]) & (stage < WON))
        kept = (found == seen.category[rows, age - 1])[:, None, None]
        agrees = np.where(looks[:, None, None], agrees, 0.3 * agrees + 0.7 * kept)
    likely = np.maximum(agrees, 1e-6)
    return np.where((stage < WON)[:, None, None], likely, 1.0)[:, :, None, :]
