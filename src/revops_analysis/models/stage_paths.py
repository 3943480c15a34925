"""From a stage today to won by the end of the period: exact arithmetic over stages and weeks for a live deal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.models.deal_weeks import Groups, calendar_on, days_of_period, standing, waited

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pace:
    """Weekly rates of live deals. `weights` and `constant` of the advance model (features `standing`, then `moving`),
    `death` [group × stage], `jumps` [stage × jump − 1]."""

    weights: Floats
    constant: float
    death: Floats
    jumps: Floats


def chance_to_win(states: pd.DataFrame, pace: Pace, groups: Groups) -> Floats:
    """P(won by the end of the period | alive at the cutoff) of each row of `deal_states`.

    Week by week the deal may leave its stage, forward or dead; what has entered a later stage waits there anew. A week
    that the period's end cuts short counts as far as it goes.
    """
    won = np.zeros(len(states))
    if states.empty:
        return won
    stage = np.clip(states["stage_order"].to_numpy(dtype=np.int64), 1, groups.stages)
    left = (states["last_day"] - states["cutoff"]).dt.days.to_numpy(dtype="float64")
    for first in np.unique(stage):
        rows = np.flatnonzero(stage == first)
        rows = rows[np.argsort(-left[rows], kind="stable")]
        walk = _Walk(states.iloc[rows], int(first), pace, groups)
        for week in range(walk.weeks):
            walk.step(week)
        won[rows] = walk.won
    return np.minimum(won, 1.0)


class _Walk:
    """How likely deals of one stage are to be in each later stage, by weeks since they entered it.

    Rows come with the longest time left first, so that those with time left in a week are always the first ones.
    `waiting`: still where it was; `inside` [place → row × week entered, latest first]: places beyond the first.
    """

    def __init__(self, states: pd.DataFrame, stage: int, pace: Pace, groups: Groups) -> None:
        count, stages = len(states), groups.stages
        self.pace, self.stages, self.first = pace, stages, stage - 1
        self.codes = groups.codes(states)
        self.days = states["days_in_stage"].fillna(0.0).to_numpy()
        self.left = (states["last_day"] - states["cutoff"]).dt.days.to_numpy(dtype="float64")
        self.weeks = int(np.ceil(self.left.max() / 7)) if count else 0
        self.period = days_of_period(states)
        fixed = pace.weights[: -(stages + 4)]
        self.base = {
            place: pace.constant + standing(states, np.full(count, place + 1), groups, self.codes) @ fixed
            for place in range(self.first, stages)
        }
        self.slope = pace.weights[-(stages + 4) : -4]
        self.calendar = pace.weights[-4:].reshape(2, 2)  # late stages, then early ones
        self.waiting = np.ones(count)
        self.inside = {place: np.zeros((count, 0)) for place in range(stage, stages)}
        self.won = np.zeros(count)

    def step(self, week: int) -> None:
        """Let one week pass: what leaves a stage flows on, what stays is a week older in it."""
        active = int(np.searchsorted(-self.left, -7.0 * week, side="left"))
        part = np.clip((self.left[:active] - 7 * week) / 7, 0.0, 1.0)
        season = calendar_on(self.period[0][:active], self.period[1][:active], week)
        ages = np.asarray(7.0 * np.arange(week) + 3.5, dtype=np.float64)[None, :]
        arrived = {place: np.zeros(active) for place in self.inside}
        for place, base in self.base.items():
            weights = self.calendar[0 if place >= self.stages - 2 else 1]
            pull = np.asarray(base[:active] + season @ weights, dtype=np.float64)[:, None]
            if place == self.first:
                leaves, stays = self._week(place, pull, (self.days[:active] + 7 * week)[:, None], part)
                flow = self.waiting[:active] * leaves[:, 0]
                self.waiting = self.waiting[:active] * stays[:, 0]
            else:
                leaves, stays = self._week(place, pull, ages, part)
                mass = self.inside[place][:active]
                flow = (mass * leaves).sum(axis=1)
                self.inside[place] = np.hstack([arrived[place][:, None], mass * stays])
            self._flow(place, flow, arrived)

    def _week(self, place: int, pull: Floats, days: Floats, part: Floats) -> tuple[Floats, Floats]:
        """Chances to advance, and to stay alive where it is, within a part of a week."""
        odds = pull + self.slope[place] * waited(days)
        stays = 1 - np.clip(1.0 / (1.0 + np.exp(-odds)), 1e-5, 0.95)
        lives = 1 - self.pace.death[self.codes[: len(part)], place]
        cut = part < 1.0
        stays[cut] **= part[cut, None]
        lives[cut] **= part[cut]
        advance, death = 1 - stays, 1 - lives
        return advance, np.maximum(1 - advance - death[:, None], 0.0)

    def _flow(self, place: int, flow: Floats, arrived: dict[int, Floats]) -> None:
        """Send what advances from a stage on: to the next ones by their shares, beyond the last it is won."""
        shares = self.pace.jumps[place]
        for target in range(place + 1, self.stages):
            arrived[target] += flow * shares[target - place - 1]
        self.won[: len(flow)] += flow * shares[self.stages - place - 1 :].sum()
