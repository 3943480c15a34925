"""The chance of each open deal to be won by the end of a period, in the middle of a week as well as at its end."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.floor.belief import Beliefs, deal_chances, evidence_likelihood
from benchmarks.floor.process import Known, destinations, win_between
from benchmarks.floor.seen import Seen, contact_likelihood
from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.columns import Floats, Ints
from revops_analysis.simulation.dynamics import SOLUTION
from revops_analysis.simulation.words import LOST, WON

REOPEN_WEEKS = (4, 14)
"""A deal that is opened again is so this many weeks after it was lost, and up to as many more (`dynamics.evolve`)."""


@dataclass(frozen=True)
class Now:
    """Deals as a day shows them: `rows` of what is seen, `stage`, and the belief.

    `settled`: the day's own week is in the belief. Otherwise the week has shown no change so far; the belief is that of
    the week before, and `counts` [sign × deal] are the week's activities and touches so far.
    """

    day: int
    rows: Ints
    stage: Ints
    belief: Floats
    settled: NDArray[np.bool_]
    counts: Floats
    evidence: tuple[str, ...]

    @property
    def week(self) -> int:
        """The week of the day."""
        return int(tl.week_of(np.array(self.day)))

    @property
    def part(self) -> float:
        """Share of the week's working days that has passed."""
        return min((self.day - tl.ZERO) % 7 + 1, 5) / 5


def open_deals(seen: Seen, beliefs: Beliefs, day: int, evidence: tuple[str, ...]) -> Now:
    """The deals that the CRM shows as open at the end of a day."""
    now = _at(seen, day, evidence)
    keep = np.flatnonzero(now.stage < WON)
    now = replace(now, rows=now.rows[keep], stage=now.stage[keep], settled=now.settled[keep])
    return _with_beliefs(seen, beliefs, now)


def _at(seen: Seen, day: int, evidence: tuple[str, ...]) -> Now:
    """All deals created by a day and not gone for good, with their stage of the day."""
    week = int(tl.week_of(np.array(day)))
    rows = np.flatnonzero((seen.created <= day) & (week - seen.born < seen.stage.shape[1]))
    age = week - seen.born[rows]
    over = (day - tl.ZERO) % 7 >= 4
    settled = (age == 0) | over | (seen.changed[rows, age] & (seen.event_day[rows, age] <= day))
    stage = seen.stage[rows, np.where(settled, age, age - 1)].astype(np.int64)
    there = stage >= 0
    none = np.zeros(0)
    return Now(day, rows[there], stage[there], none, settled[there], none, evidence)


def _with_beliefs(seen: Seen, beliefs: Beliefs, now: Now) -> Now:
    rows, age, evidence = now.rows, now.week - seen.born[now.rows], now.evidence
    used = [kind in evidence for kind in ("activities", "touches", "touches")]
    counts = seen.by_day(rows, now.day) * np.array(used)[:, None]
    like = evidence_likelihood(counts, now.stage, now.part, evidence)[:, :, None]
    settled = now.settled[:, None, None]
    belief = np.where(settled, beliefs.bare[rows, age] * like, beliefs.after[rows, np.maximum(age - 1, 0)])
    if "contacts" in evidence:
        belief = belief * contact_likelihood(seen, rows, now.day)[:, None, :]
    return replace(now, belief=belief / belief.sum(axis=(1, 2), keepdims=True), counts=counts)


def with_truth(now: Now, seen: Seen, alive: NDArray[np.bool_], quality: Ints) -> Now:
    """The same deals with their hidden state known as of the belief's week: what the informed forecaster sees."""
    age = now.week - seen.born[now.rows] - ~now.settled
    belief = np.zeros((len(now.rows), 2, 3))
    life = np.where(alive[now.rows, age], 0, 1)
    belief[np.arange(len(now.rows)), life, quality[now.rows]] = 1.0
    return replace(now, belief=belief)


def win_chance(now: Now, seen: Seen, known: Known, values: Floats, span: tuple[int, int]) -> Floats:
    """[deal]: the chance to be won after the first day of `span`, up to the second.

    `values` are those at the end of the day's week (`process.win_values`).
    """
    worth = values[seen.kind[now.rows], seen.segment[now.rows], seen.seat[now.rows]]
    here = worth[np.arange(len(now.rows)), now.stage]
    settled = (now.belief[:, 0] * here).sum(axis=1)
    if now.settled.all():
        return settled
    return np.where(now.settled, settled, _pending(now, seen, known, worth, span))


def stay_factors(seen: Seen, now: Now, forget: float) -> tuple[Floats, Floats]:
    """How likely it is that the week has recorded no change so far, if nothing happens, and if the deal advances.

    A close date that has passed or passes this week is pushed unless forgotten, on the week's day of change or, if
    it is earlier, on the close date itself.
    """
    age = np.maximum(now.week - seen.born[now.rows] - 1, 0)
    monday = int(tl.monday(np.array(now.week)))
    later = 1 - now.part
    close = seen.close[now.rows, age]
    due = close < monday + 7
    pushed_later = np.where((close >= monday) & (close <= now.day), 0.0, later)
    nothing = np.where(due, forget + (1 - forget) * pushed_later, 1.0)
    moves = np.where(due, forget * later + (1 - forget) * pushed_later, later)
    return nothing, moves


@dataclass(frozen=True)
class _Week:
    """Outcomes of the day's week that agree with what it has shown: weight and, times it, the chance to be won."""

    weight: Floats
    good: Floats


def _pending(now: Now, seen: Seen, known: Known, worth: Floats, span: tuple[int, int]) -> Floats:
    """The chance of deals whose week has shown no change: each outcome weighed by what the week has shown so far."""
    rows = now.rows
    chances = deal_chances(seen, known, rows, np.full(len(rows), now.week), now.stage)
    nothing, moves = (f[:, None] for f in stay_factors(seen, now, known.forget))
    waits = _waiting(now, seen, known, chances, worth, nothing)
    goes = _going(now, known, chances[0], worth, moves)
    wins = _winning(now, known, chances[0], span)
    weight = waits.weight + goes.weight + wins.weight
    return (waits.good + goes.good + wins.good) / np.maximum(weight, 1e-300)


def _waiting(
    now: Now, seen: Seen, known: Known, chances: tuple[Floats, Floats], worth: Floats, nothing: Floats
) -> _Week:
    """Nothing happens, or nothing that is seen, or the deal is closed as lost later in the week."""
    advance, die = chances
    alive, dead = now.belief[:, 0], now.belief[:, 1]
    told, log = known.parameters.told_share, known.rates.log[seen.seat[now.rows], now.week][:, None]
    like = evidence_likelihood(now.counts, now.stage, now.part, now.evidence)
    stay = alive * (1 - advance - die) * nothing * like[:, :1]
    gone = (dead * (1 - log) + alive * die * (1 - told)) * nothing * like[:, 1:]
    closing = (dead * log + alive * die * told) * (1 - now.part) * _silent(now)
    here = worth[np.arange(len(now.rows)), now.stage]
    return _Week((stay + gone + closing).sum(axis=1), (stay * here).sum(axis=1))


def _going(now: Now, known: Known, advance: Floats, worth: Floats, moves: Floats) -> _Week:
    """The deal advances later in the week."""
    weight, good = np.zeros(len(now.rows)), np.zeros(len(now.rows))
    table = destinations(known.parameters, now.week)
    for to in range(1, WON):
        like = evidence_likelihood(now.counts, np.full(len(now.rows), to), now.part, now.evidence)[:, :1]
        flow = now.belief[:, 0] * advance * table[now.stage, to][:, None] * moves * like
        weight += flow.sum(axis=1)
        good += (flow * worth[:, to]).sum(axis=1)
    return _Week(weight, good)


def _winning(now: Now, known: Known, advance: Floats, span: tuple[int, int]) -> _Week:
    """The deal is won later in the week."""
    share = destinations(known.parameters, now.week)[now.stage, WON][:, None]
    flow = (now.belief[:, 0] * advance * share * _silent(now)).sum(axis=1)
    later = win_between(now.week, now.day, tl.FAR)
    return _Week(flow * later, flow * win_between(now.week, max(now.day, span[0]), span[1]))


def _silent(now: Now) -> Floats:
    """1 where the week has shown no activity so far: a deal that closes in a week has none in it."""
    return (now.counts.sum(axis=0) == 0).astype(np.float64)[:, None]


@dataclass(frozen=True)
class Lost:
    """Deals lost lately that may be opened again: `rows`, `quality` belief, `returns` [deal × coming week]."""

    rows: Ints
    quality: Floats
    returns: Floats


def lost_deals(seen: Seen, beliefs: Beliefs, day: int, share: float, weeks: int) -> Lost:
    """The chance of each lost deal to be opened again in the day's week (week 0) or one of those after it."""
    everyone = np.arange(len(seen))
    lost = seen.stage == LOST
    lost_age = np.argmax(lost, axis=1)
    back = (seen.stage >= 0) & ~lost & (np.arange(lost.shape[1]) > lost_age[:, None])
    back_day = np.where(back.any(axis=1), seen.event_day[everyone, np.argmax(back, axis=1)], tl.FAR)
    since = int(tl.week_of(np.array(day))) - seen.born - lost_age
    first, spread = REOPEN_WEEKS
    known = lost.any(axis=1) & (seen.event_day[everyone, lost_age] <= day) & (back_day > day)
    rows = np.flatnonzero(known & (since < first + spread))
    wait = since[rows, None] + np.arange(weeks)
    passed = np.clip(since[rows] - first, 0, spread) / spread
    chance = share / spread / (1 - share * passed)
    returns = np.where((wait >= first) & (wait < first + spread), chance[:, None], 0.0)
    returns[:, 0] *= max(0, 4 - (day - tl.ZERO) % 7) / 5
    return Lost(rows, beliefs.after[rows, lost_age[rows]].sum(axis=1), returns)


def reopened_chance(lost: Lost, seen: Seen, values: Floats) -> Floats:
    """[lost deal]: the chance to be opened again and won by the period's end, by all `values` [week × …].

    A deal opened again is in Solution at the start of the week and makes its step in it.
    """
    worth = values[:, seen.kind[lost.rows], seen.segment[lost.rows], seen.seat[lost.rows], SOLUTION]
    before = np.maximum(np.arange(len(values)) - 1, 0)
    return np.einsum("nt,tnq,nq->n", lost.returns, worth[before], lost.quality)
