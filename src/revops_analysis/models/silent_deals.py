"""Deals that have died in silence: a hidden Markov model of weekly deal states.

A live deal advances, dies or waits; a dead one is still open in the CRM until its seller closes it, at once or in some
later week. Nobody records which open deals are dead, but they never advance and little happens on them. The rates and
each deal's probability of being alive are found together, by expectation-maximisation (Baum–Welch; Rabiner, 1989).
From there the chance to be won by the end of a period is exact arithmetic over stages and weeks (`stage_paths`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.models.deal_weeks import (
    DealWeeks,
    Groups,
    calendar_of,
    deal_weeks,
    moving,
    standing,
)
from revops_analysis.models.stage_paths import Pace, chance_to_win

Floats = npt.NDArray[np.float64]
ALIVE, DEAD = 0, 1
_ARRAYS = ("weights_", "activities_alive_", "death_", "jumps_")
_NUMBERS = ("constant_", "activities_dead_", "told_", "closed_a_week_")


@dataclass(frozen=True)
class SilentOptions:
    """`rounds` of expectation-maximisation; `ridge` of the advance model; deaths of a group and stage are drawn to the
    stage's as if `death_weight` deal-weeks had shown it; fewer than `minimum_weeks` deal-weeks make no model.
    `first_seen_alive`: a deal first seen older than three weeks is alive with this probability."""

    rounds: int = 5
    ridge: float = 0.3
    death_weight: float = 40.0
    minimum_weeks: int = 2_000
    first_seen_alive: float = 0.75


class SilentDeals:
    """The hidden process of deals. `fit(states)` learns from weekly rows of `Evidence.states`.

    Learned: `groups_`, `told_` (share of deaths closed at once), `closed_a_week_` (of dead deals), `activities_alive_`
    (a week, by stage) and `activities_dead_`, `death_` [group × stage] (chance a week of a live deal).
    """

    def __init__(self, options: SilentOptions | None = None) -> None:
        self.options = options or SilentOptions()

    def fit(self, states: pd.DataFrame) -> SilentDeals | None:
        """Learn; None when there are too few deal-weeks to learn from."""
        from sklearn.linear_model import LogisticRegression

        known = states[states["stage_order"].notna()]
        if known.empty:
            return None
        self.groups_ = Groups.learn(known)
        weeks = deal_weeks(known, self.groups_.stages)
        if len(weeks.stage) < self.options.minimum_weeks or not weeks.won.any() or not weeks.lost.any():
            return None
        self._start()
        rows = _Rows.of(weeks, self.groups_)
        alive = np.where(weeks.states["days_since_activity"].fillna(0).to_numpy() > 28, 0.3, 0.9)
        model = LogisticRegression(C=self.options.ridge, max_iter=60, warm_start=True)
        for _ in range(self.options.rounds):
            self._learn_advances(rows, alive, model)
            belief = self._believe(rows)
            alive = belief.smoothed[:, ALIVE]
            self._learn_rest(rows, belief)
        self.jumps_ = _jumps(weeks, self.groups_.stages)
        return self

    def estimate(self, states: pd.DataFrame) -> pd.DataFrame:
        """P(alive) of each row by what was known at its cutoff, P(won by the period's end), and the latter if alive.

        Columns alive, win, win_if_alive, in the rows' index; null where the stage is not known or the row is of a
        period that lies ahead. `states` should hold the deals' earlier weeks too: belief is built up along them.
        """
        weeks = deal_weeks(states, self.groups_.stages)
        frame = pd.DataFrame(np.nan, index=states.index, columns=["alive", "win", "win_if_alive"])
        if not len(weeks.stage):
            return frame
        filtered = self._filter(_Rows.of(weeks, self.groups_), forward_only=True)[:, ALIVE]
        keys = ["opportunity_id", "cutoff"]
        known = pd.Series(filtered, index=pd.MultiIndex.from_frame(weeks.states[keys]))
        frame["alive"] = known.reindex(pd.MultiIndex.from_frame(states[keys])).to_numpy()
        near = states["cutoff"] >= states["first_day"] - pd.Timedelta(days=1)
        usable = (near & states["stage_order"].notna()).to_numpy()
        frame.loc[usable, "win_if_alive"] = chance_to_win(states[usable], self._pace(), self.groups_)
        return frame.assign(win=frame["alive"] * frame["win_if_alive"], alive=frame["alive"].where(usable))

    def as_dict(self) -> dict[str, Any]:
        """Everything that was learned, in plain lists and numbers; `from_dict` makes the same process of it."""
        arrays = {name: getattr(self, name).tolist() for name in _ARRAYS}
        numbers = {name: float(getattr(self, name)) for name in _NUMBERS}
        return {
            **arrays,
            **numbers,
            "groups": [list(pair) for pair in self.groups_.names],
            "stages": self.groups_.stages,
        }

    @classmethod
    def from_dict(cls, learned: Mapping[str, Any], options: SilentOptions | None = None) -> SilentDeals:
        """The process that `as_dict` wrote down. Raises KeyError, TypeError or ValueError for anything else."""
        made = cls(options)
        pairs = tuple((str(kind), str(segment)) for kind, segment in learned["groups"])
        made.groups_ = Groups(pairs, int(learned["stages"]))
        for name in _ARRAYS:
            setattr(made, name, np.asarray(learned[name], dtype="float64"))
        for name in _NUMBERS:
            setattr(made, name, float(learned[name]))
        return made

    def _start(self) -> None:
        stages = self.groups_.stages
        self.activities_alive_, self.activities_dead_ = np.ones(stages), 0.2
        self.told_, self.closed_a_week_ = 0.4, 0.15
        self.death_ = np.full((len(self.groups_.names), stages), 0.06)
        self.weights_, self.constant_ = np.zeros(0), 0.0

    def _pace(self) -> Pace:
        return Pace(self.weights_, self.constant_, self.death_, self.jumps_)

    def _learn_advances(self, rows: _Rows, alive: Floats, model: Any) -> None:
        """Logistic regression of advancing within the week, each row counting as far as the deal is alive."""
        weight = np.where(rows.weeks.advanced, 1.0, alive)
        used = ~rows.weeks.unseen & (weight > 1e-3)
        model.fit(rows.features[used], rows.weeks.advanced[used], sample_weight=weight[used])
        self.weights_, self.constant_ = model.coef_[0].copy(), float(model.intercept_[0])

    def _chances(self, rows: _Rows) -> tuple[Floats, Floats]:
        """Chances of a live deal to advance and to die within the week."""
        odds = rows.features @ self.weights_ + self.constant_
        advance = np.clip(1.0 / (1.0 + np.exp(-odds)), 1e-5, 0.95)
        return advance, np.minimum(self.death_[rows.codes, rows.weeks.stage - 1], 0.95 - 0.9 * advance)

    def _signs(self, rows: _Rows) -> Floats:
        """[row × life]: how likely the week's activities are; 1 where the source has none."""
        alive = self.activities_alive_[rows.weeks.stage - 1]
        means = np.column_stack([alive, np.full(len(alive), self.activities_dead_)])
        likely = np.exp(rows.activities[:, None] * np.log(means) - rows.exposure[:, None] * means)
        return np.where(np.isnan(likely), 1.0, likely)

    def _filter(self, rows: _Rows, *, forward_only: bool) -> Floats:
        """[row × life]: belief by everything up to the row's day (the forward pass)."""
        stay, die, remain = self._transitions(rows, self._chances(rows), forward_only=forward_only)
        signs = self._signs(rows)
        belief = np.zeros((len(rows.codes), 2))
        old = rows.weeks.states["age_days"].to_numpy() > 21
        for at in rows.order():
            if rows.weeks.place[at[0]] == 0:
                alive = np.where(old[at], self.options.first_seen_alive, 1 - 1e-6)
                now = np.column_stack([alive, 1 - alive])
            else:
                before = at - 1
                kept = belief[before]
                now = np.column_stack(
                    [kept[:, ALIVE] * stay[before], kept[:, ALIVE] * die[before] + kept[:, DEAD] * remain[before]]
                )
            now = now * signs[at]
            belief[at] = now / now.sum(axis=1, keepdims=True)
        return belief

    def _transitions(
        self, rows: _Rows, chances: tuple[Floats, Floats], *, forward_only: bool
    ) -> tuple[Floats, Floats, Floats]:
        """How likely what was seen after a row is, for a deal that stays alive, dies in the week, or was dead."""
        advance, death = chances
        weeks = rows.weeks
        waits = np.ones(len(advance), dtype=bool) if forward_only else weeks.follows.copy()
        waits &= ~weeks.advanced
        stay = np.where(weeks.advanced, advance, np.where(waits, 1 - advance - death, 0.0))
        die = np.where(waits, death * (1 - self.told_), 0.0)
        remain = np.where(weeks.advanced, 1e-9, np.where(waits, 1 - self.closed_a_week_, 0.0))
        return stay, die, remain

    def _believe(self, rows: _Rows) -> _Belief:
        """Forward and backward: who was alive by all that is known, and in which week deals died."""
        advance, death = self._chances(rows)
        stay, die, remain = self._transitions(rows, (advance, death), forward_only=False)
        forward, signs, weeks = self._filter(rows, forward_only=False), self._signs(rows), rows.weeks
        told = death * self.told_
        ending = np.column_stack(
            [
                np.where(weeks.lost, told, np.where(weeks.won, advance, 1.0)),
                np.where(weeks.lost, self.closed_a_week_, np.where(weeks.won, 1e-9, 1.0)),
            ]
        )
        backward = ending.copy()
        for at in reversed(rows.order()):
            on = at[weeks.follows[at]]
            later = signs[on + 1] * backward[on + 1]
            backward[on, ALIVE] = stay[on] * later[:, ALIVE] + die[on] * later[:, DEAD]
            backward[on, DEAD] = remain[on] * later[:, DEAD]
            backward[at] /= np.maximum(backward[at].max(axis=1, keepdims=True), 1e-300)
        both = forward * backward
        smoothed = both / both.sum(axis=1, keepdims=True)
        following = np.minimum(np.arange(len(stay)) + 1, len(stay) - 1)
        later = signs[following] * backward[following]
        died = np.where(weeks.follows, forward[:, ALIVE] * die * later[:, DEAD], 0.0)
        alternatives = forward[:, ALIVE] * stay * later[:, ALIVE] + died + forward[:, DEAD] * remain * later[:, DEAD]
        at_once = forward[:, ALIVE] * told
        lost = at_once / (at_once + forward[:, DEAD] * self.closed_a_week_)
        deaths = np.where(weeks.lost, lost, died / np.where(weeks.follows, np.maximum(alternatives, 1e-300), 1.0))
        return _Belief(smoothed, deaths)

    def _learn_rest(self, rows: _Rows, belief: _Belief) -> None:
        """Rates of dying, closing and activity, from expected counts."""
        weeks, seen = rows.weeks, ~rows.weeks.unseen
        alive, dead = belief.smoothed[:, ALIVE], belief.smoothed[:, DEAD]
        shape = self.death_.shape
        cell = rows.codes * shape[1] + weeks.stage - 1
        deaths = np.bincount(cell[seen], belief.deaths[seen], np.prod(shape)).reshape(shape)
        exposed = np.bincount(cell[seen], alive[seen], np.prod(shape)).reshape(shape)
        pooled = deaths.sum(axis=0) / np.maximum(exposed.sum(axis=0), 1e-9)
        weight = self.options.death_weight
        self.death_ = (deaths + weight * pooled) / (exposed + weight)
        self.told_ = float(np.clip(belief.deaths[weeks.lost].sum() / max(belief.deaths[seen].sum(), 1e-9), 0.01, 0.99))
        self.closed_a_week_ = float(np.clip(dead[weeks.lost].sum() / max(dead[seen].sum(), 1e-9), 0.01, 0.9))
        recorded = ~np.isnan(rows.activities)
        if recorded.any():
            acts, time = rows.activities[recorded], rows.exposure[recorded]
            stage, lives = weeks.stage[recorded] - 1, alive[recorded]
            found = np.bincount(stage, lives * acts, shape[1]) + 0.1
            self.activities_alive_ = found / (np.bincount(stage, lives * time, shape[1]) + 0.1)
            gone = dead[recorded]
            self.activities_dead_ = float((gone @ acts + 0.02) / (gone @ time + 0.1))


@dataclass(frozen=True, eq=False)
class _Belief:
    """[row × life] by all that is known, and the probability that the deal died in the week after the row."""

    smoothed: Floats
    deaths: Floats


@dataclass(frozen=True, eq=False)
class _Rows:
    """Deal-weeks as numbers: features of advancing, group, activities of the last seven days and days exposed ÷ 7."""

    weeks: DealWeeks
    features: Floats
    codes: npt.NDArray[np.int64]
    activities: Floats
    exposure: Floats

    @classmethod
    def of(cls, weeks: DealWeeks, groups: Groups) -> _Rows:
        """The numbers of each deal-week."""
        states, codes = weeks.states, groups.codes(weeks.states)
        waiting = states["days_in_stage"].fillna(0.0).to_numpy()
        features = np.hstack(
            [
                standing(states, weeks.stage, groups, codes),
                moving(weeks.stage, waiting, calendar_of(states), groups.stages),
            ]
        )
        exposure = np.minimum(states["age_days"].to_numpy() + 1, 7.0) / 7.0
        return cls(weeks, features, codes, states["activities_7d"].to_numpy(), exposure)

    def order(self) -> list[npt.NDArray[np.int64]]:
        """Rows that are first in their deal's sequence, then second, and so on."""
        place = self.weeks.place
        return [np.flatnonzero(place == number) for number in range(int(place.max()) + 1)]


def _jumps(weeks: DealWeeks, stages: int) -> Floats:
    """[stage × jump − 1]: share of advances by so many stages; one that leads past the last open stage wins."""
    counts = np.zeros((stages, stages))
    inside = weeks.advanced & (weeks.jump >= 1)
    np.add.at(counts, (weeks.stage[inside] - 1, np.minimum(weeks.jump[inside], stages) - 1), 1.0)
    counts[:, 0] += 5.0
    return counts / counts.sum(axis=1, keepdims=True)
