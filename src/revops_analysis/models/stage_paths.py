"""From a stage today to won by the end of the period: exact arithmetic over stages and weeks for a live deal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.models.deal_weeks import Groups, calendar_of, standing, waited

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


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
    if states.empty:
        return np.zeros(0)
    walk = _Walk(states, pace, groups)
    for week in range(walk.weeks):
        walk.step(week)
    return np.minimum(walk.won, 1.0)


class _Walk:
    """How likely each deal is to be in each stage, by weeks since it entered it; `waiting`: still where it was."""

    def __init__(self, states: pd.DataFrame, pace: Pace, groups: Groups) -> None:
        count, stages = len(states), groups.stages
        self.states, self.pace, self.stages = states, pace, stages
        self.codes = groups.codes(states)
        self.stage = np.clip(states["stage_order"].to_numpy(dtype=np.int64), 1, stages)
        self.days = states["days_in_stage"].fillna(0.0).to_numpy()
        self.left = (states["last_day"] - states["cutoff"]).dt.days.to_numpy(dtype="float64")
        self.weeks = int(np.ceil(self.left.max() / 7)) if count else 0
        fixed = pace.weights[: -(stages + 4)]
        self.base = pace.constant + np.column_stack(
            [standing(states, np.full(count, k), groups, self.codes) @ fixed for k in range(1, stages + 1)]
        )
        self.slope = pace.weights[-(stages + 4) : -4]
        self.calendar = pace.weights[-4:].reshape(2, 2)  # late stages, then early ones
        self.waiting = np.ones(count)
        self.inside = np.zeros((count, stages, self.weeks + 1))
        self.won = np.zeros(count)

    def step(self, week: int) -> None:
        """Let one week pass: what leaves a stage flows on, what stays is a week older in it."""
        part = np.clip((self.left - 7 * week) / 7, 0.0, 1.0)
        season = calendar_of(self.states, week)
        arrived = np.zeros((len(part), self.stages))
        older = np.zeros_like(self.inside)
        for place in range(self.stages):
            weights = self.calendar[0 if place >= self.stages - 2 else 1]
            pull: Floats = np.asarray(self.base[:, place] + season @ weights, dtype=np.float64)
            here = self.stage == place + 1
            leaves, stays = self._week(place, pull[:, None], (self.days + 7 * week)[:, None], part)
            flow = np.where(here, self.waiting * leaves[:, 0], 0.0)
            self.waiting = np.where(here, self.waiting * stays[:, 0], self.waiting)
            if week:
                ages = np.asarray(7.0 * np.arange(week) + 3.5, dtype=np.float64)[None, :]
                mass = self.inside[:, place, :week]
                leaves, stays = self._week(place, pull[:, None], ages, part)
                flow = flow + (mass * leaves).sum(axis=1)
                older[:, place, 1 : week + 1] = mass * stays
            self._flow(place, flow, arrived)
        older[:, :, 0] = arrived
        self.inside = older

    def _week(self, place: int, pull: Floats, days: Floats, part: Floats) -> tuple[Floats, Floats]:
        """Chances to advance, and to stay alive where it is, within a part of a week."""
        odds = pull + self.slope[place] * waited(days)
        whole = np.clip(1.0 / (1.0 + np.exp(-odds)), 1e-5, 0.95)
        advance = 1 - (1 - whole) ** part[:, None]
        death = 1 - (1 - self.pace.death[self.codes, place]) ** part
        return advance, np.maximum(1 - advance - death[:, None], 0.0)

    def _flow(self, place: int, flow: Floats, arrived: Floats) -> None:
        """Send what advances from a stage on: to the next ones by their shares, beyond the last it is won."""
        shares = self.pace.jumps[place]
        for target in range(place + 1, self.stages):
            arrived[:, target] += flow * shares[target - place - 1]
        self.won += flow * shares[self.stages - place - 1 :].sum()
