"""What the CRM shows of a deal: close dates, forecast categories and owners, week by week.

None of it feeds back into the hidden process, so that a tidier or messier CRM shows the same deals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.book import Book
from revops_analysis.simulation.columns import Floats, Ints
from revops_analysis.simulation.dynamics import MAX_WEEKS, NEGOTIATION, NOTHING, PROPOSAL, SOLUTION, Deals, Paths
from revops_analysis.simulation.parameters import Parameters
from revops_analysis.simulation.people import Team
from revops_analysis.simulation.words import (
    BEST_CASE,
    CLOSED,
    COMMIT,
    LOST,
    OMITTED,
    PIPELINE,
    RENEWAL,
    WON,
)

COMMIT_BELIEF = (-1.74, 0.24, 1.71)
"""How much trust a deal in Negotiation, Proposal and Solution needs before it is committed for the quarter."""
LARGE = 0.9
"""Deals above this quantile of list prices are looked into: what few large deals do decides a quarter's miss."""


@dataclass(frozen=True)
class Record:
    """[deal × week since creation]: close date, forecast category, owner and the day of that week's change."""

    close: Ints
    category: NDArray[np.int8]
    owner: Ints
    event_day: Ints
    pushes: NDArray[np.int8]


def keep_record(book: Book, team: Team, parameters: Parameters, rng: np.random.Generator, dirt: float) -> Record:
    """Fill in what the sellers enter each week; `dirt` makes them forget to move passed close dates."""
    deals, paths = book.deals, book.paths
    count = len(deals)
    born = tl.week_of(deals.created)
    ages = np.arange(MAX_WEEKS)
    week = np.minimum(born[:, None] + ages, tl.WEEKS - 1)
    owner = team.occupant[deals.seat[:, None], week]
    event = book.event_day.astype(np.int64)
    close = np.zeros((count, MAX_WEEKS), dtype=np.int64)
    category = np.full((count, MAX_WEEKS), PIPELINE, dtype=np.int8)
    pushes = np.zeros((count, MAX_WEEKS), dtype=np.int8)
    close[:, 0] = _first_close(deals, parameters, team.optimism[owner[:, 0]], rng)
    belief = rng.normal(size=count).astype(np.float32)
    large = book.facts.base > np.quantile(book.facts.base, LARGE)
    pushed_before = np.zeros(count, dtype=np.int64)
    category[:, 0] = _category(paths.stage[:, 0], close[:, 0], deals.created, (belief, belief))
    forget = dirt * parameters.forget_share
    for age in range(1, MAX_WEEKS):
        rows = np.flatnonzero(paths.stage[:, age] != NOTHING)
        if not rows.size:
            break
        now = (rows, age, tl.monday(week[rows, age]))
        moved = paths.stage[rows, age] != paths.stage[rows, age - 1]
        close[rows, age], pushed = _close_dates(deals, paths, (close, event), now, (rng, forget))
        pushes[rows, age] = pushed
        pushed_before[rows] += pushed
        alive, optimism = paths.alive[rows, age], team.optimism[owner[rows, age]]
        held = _mood_and_trust(belief[rows], optimism, alive, large[rows], pushed_before[rows])
        fresh = _category(paths.stage[rows, age], close[rows, age], event[rows, age], held)
        looks = moved | pushed | (rng.random(len(rows)) < 0.3) | (fresh == CLOSED)
        category[rows, age] = np.where(looks, fresh, category[rows, age - 1])
    return Record(close, category, owner, event, pushes)


def _first_close(deals: Deals, parameters: Parameters, optimism: Floats, rng: np.random.Generator) -> Ints:
    """The seller's first guess: too early by habit, and often the end of a quarter or month."""
    weeks = np.array(parameters.stage_weeks)[deals.kind, deals.segment] * (5 - deals.start_stage)
    guess = weeks * 7 * np.exp(rng.normal(-0.05, 0.3, len(deals)) - 0.12 * optimism)
    day = deals.created + 14 + guess.astype(np.int64)
    snap = rng.random(len(deals))
    day = np.where(snap < 0.45, tl.quarter_end(day), np.where(snap < 0.62, tl.month_end(day), day))
    return np.where(deals.kind == RENEWAL, deals.term_end, day)


def _close_dates(
    deals: Deals,
    paths: Paths,
    seen: tuple[Ints, Ints],
    now: tuple[Ints, int, Ints],
    habit: tuple[np.random.Generator, float],
) -> tuple[Ints, NDArray[np.bool_]]:
    """Close dates at the end of the week and which were pushed; alters the day of change where tidiness needs it."""
    close, event = seen
    rows, age, monday = now
    rng, forget = habit
    before = close[rows, age - 1]
    stage, previous = paths.stage[rows, age], paths.stage[rows, age - 1]
    draws = rng.random((4, len(rows)))
    open_ = stage < WON
    due = open_ & (before < monday + 7)
    pushed = due & (draws[0] >= forget)
    on_time = pushed & (before >= monday)
    event[rows, age] = np.where(on_time, np.minimum(event[rows, age], before), event[rows, age])
    later = monday + 14 + (draws[1] * 45).astype(np.int64)
    later = np.where(draws[2] < 0.45, tl.quarter_end(later), later)
    result = np.where(pushed, later, before)
    nearing = open_ & (stage == NEGOTIATION) & (previous != NEGOTIATION) & (deals.kind[rows] != RENEWAL)
    soon = monday + 9 + (draws[3] * 28).astype(np.int64)
    result = np.where(nearing & (draws[2] < 0.6), soon, result)
    reopened = open_ & (previous >= WON)
    result = np.where(reopened, monday + 30 + (draws[1] * 40).astype(np.int64), result)
    closes = (stage >= WON) & (previous < WON)
    return np.where(closes, event[rows, age], result), pushed


def _mood_and_trust(
    belief: NDArray, optimism: Floats, alive: NDArray[np.bool_], large: NDArray[np.bool_], pushes: Ints
) -> tuple[NDArray, NDArray]:
    """What the seller feels about each deal, and how much of it survives a sober look.

    The mood mixes chance (`belief`), the seller's optimism and a sense of whether the buyer is there. Trust is the
    mood less one for each push of the close date so far, up to three; where a manager looks into a large deal, half of
    chance goes and more of the buyer's state shows (0.8: the usual share of buyers that are still there).
    """
    mood = belief + 0.7 * optimism + 0.6 * alive
    looked_into = large * (0.9 * (alive - 0.8) - 0.5 * belief)
    return mood, mood + looked_into - np.minimum(pushes, 3)


def _category(stage: NDArray, close: Ints, day: Ints, belief: tuple[NDArray, NDArray]) -> NDArray[np.int8]:
    """The category that the seller would give: by stage, by whether it closes this quarter, and by belief.

    `belief`: the seller's mood, by which hopeless deals are omitted, and the trust by which deals are committed.
    """
    mood, trust = belief
    this_quarter = close <= tl.quarter_end(day)
    commit = this_quarter & (
        trust > np.select([stage == NEGOTIATION, stage == PROPOSAL, stage == SOLUTION], COMMIT_BELIEF, np.inf)
    )
    best = (this_quarter & (stage >= SOLUTION)) | (stage == NEGOTIATION)
    result = np.where(commit, COMMIT, np.where(best, BEST_CASE, PIPELINE))
    result = np.where((stage == 0) & (mood < -2.3), OMITTED, result)
    return np.where(stage == WON, CLOSED, np.where(stage == LOST, OMITTED, result)).astype(np.int8)
