"""Weekly states of deals as sequences: what each deal's week led to, and what is known of it as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

SHORTEST_WEEK = 6
LONGEST_WEEK = 10
"""Days to the next cutoff within which it follows: the last week of a month or quarter can have as many."""

RUSH, DIP = 23, 21
"""Days before a period's end in which deals hurry, and after its start in which they rest: learned apart."""


@dataclass(frozen=True)
class Groups:
    """Type and segment combinations, each with rates of its own, and the number of open stages."""

    names: tuple[tuple[str, str], ...]
    stages: int

    @classmethod
    def learn(cls, states: pd.DataFrame) -> Groups:
        """The combinations and stages that are there."""
        pairs = sorted({*zip(states["type"].fillna(""), states["segment"].fillna(""), strict=True)})
        return cls(tuple(pairs), int(states["stage_order"].max()))

    def codes(self, states: pd.DataFrame) -> Ints:
        """The place of each row's combination; one that was never seen counts as the first."""
        places = {pair: place for place, pair in enumerate(self.names)}
        pairs = zip(states["type"].fillna(""), states["segment"].fillna(""), strict=True)
        return np.array([places.get(pair, 0) for pair in pairs], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class DealWeeks:
    """Rows of `deal_states` in order of deal and cutoff, one a deal and day, and what followed each.

    `stage` from 1; `follows`: the deal is open at the next cutoff too; `advanced`: to a later stage or won, by `jump`
    stages; `lost`: gone without a win; otherwise it stayed, or (`unseen`) nobody knows yet. `place`: of the row in its
    deal's unbroken sequence.
    """

    states: pd.DataFrame
    stage: Ints
    follows: Flags
    advanced: Flags
    won: Flags
    lost: Flags
    unseen: Flags
    jump: Ints
    place: Ints


def deal_weeks(states: pd.DataFrame, stages: int) -> DealWeeks:
    """Put weekly states in sequence. Rows without a stage, and those long before their period begins, are left out.

    A day that ends one period is the eve of the next; the row of the later period stands for it. Of cutoffs less than
    six days apart only the later is used, so that no activity counts twice.
    """
    near = states["cutoff"] >= states["first_day"] - pd.Timedelta(days=1)
    rows = states[near & states["stage_order"].notna()].sort_values(["opportunity_id", "cutoff", "first_day"])
    rows = rows.drop_duplicates(["opportunity_id", "cutoff"], keep="last")
    days = _a_week_apart(np.sort(rows["cutoff"].unique()))
    rows = rows[rows["cutoff"].isin(days)].reset_index(drop=True)
    place_of_day = np.searchsorted(days, rows["cutoff"].to_numpy())
    following = np.append(days, days[-1:])[place_of_day + 1] if len(days) else days
    gap = (following - rows["cutoff"].to_numpy()).astype("timedelta64[D]").astype(np.int64)
    watched = (gap > 0) & (gap <= LONGEST_WEEK)
    same = rows["opportunity_id"].eq(rows["opportunity_id"].shift(-1)).to_numpy()
    follows = watched & same & (rows["cutoff"].shift(-1).to_numpy() == following)
    stage = np.clip(rows["stage_order"].to_numpy(dtype=np.int64), 1, stages)
    after = np.where(follows, np.roll(stage, -1), 0)
    known = rows["won"].notna().to_numpy()
    won = watched & ~follows & (rows["won"] == 1).to_numpy()
    unseen = ~follows & ~(watched & known)
    jump = np.where(won, stages + 1 - stage, after - stage)
    starts = np.append(True, ~follows[:-1]) if len(rows) else np.zeros(0, dtype=bool)
    first = np.flatnonzero(starts)
    place = np.arange(len(rows)) - np.repeat(first, np.diff(np.append(first, len(rows))))
    advanced = won | (follows & (after > stage))
    return DealWeeks(rows, stage, follows, advanced, won, ~follows & ~won & ~unseen, unseen, jump, place)


def _a_week_apart(days: npt.NDArray[np.datetime64]) -> npt.NDArray[np.datetime64]:
    """The days that are left when, going back from the last, those less than six days before another are dropped."""
    kept: list[np.datetime64] = []
    for day in days[::-1]:
        if not kept or kept[-1] - day >= np.timedelta64(SHORTEST_WEEK, "D"):
            kept.append(day)
    return np.array(kept[::-1], dtype=days.dtype)


def standing(states: pd.DataFrame, stage: Ints, groups: Groups, codes: Ints) -> Floats:
    """[row × feature]: what does not change while a deal waits, for it or as if it were in `stage`.

    Group × stage, the group alone, and the owner's record, contacts and pace of activity so far, each also for the late
    stages apart.
    """
    member = (codes[:, None] == np.arange(len(groups.names))).astype("float64")
    at = _at(stage, groups.stages)
    late = (stage > groups.stages - 2).astype("float64")
    rate = np.log((states["owner_won"].to_numpy() + 2.5) / (states["owner_closed"].to_numpy() + 10.0) / 0.25)
    people = np.minimum(states["contacts"].fillna(1.0).to_numpy(), 4.0)
    crossed = (member[:, :, None] * at[:, None, :]).reshape(len(states), -1)
    return np.hstack([crossed, 0.5 * member, np.column_stack([rate, rate * late, people, people * late])])


def moving(stage: Ints, days_in_stage: Floats, calendar: Floats, stages: int) -> Floats:
    """[row × feature]: what changes as days pass: time in the stage, and the calendar for early and late stages."""
    late = (stage > stages - 2).astype("float64")[:, None]
    return np.hstack([_at(stage, stages) * waited(days_in_stage)[:, None], calendar * late, calendar * (1 - late)])


def waited(days: Floats) -> Floats:
    """Days in a stage as the models read them: logarithms around nine days."""
    return np.log1p(np.maximum(days, 0.0)) - np.log(10.0)


def calendar_of(states: pd.DataFrame, weeks_ahead: int = 0) -> Floats:
    """[row × 2]: whether the week that begins so many weeks after the cutoff lies at its period's start, or end."""
    return calendar_on(*days_of_period(states), weeks_ahead)


def days_of_period(states: pd.DataFrame) -> tuple[Ints, Ints]:
    """Days from each row's period's start to its cutoff, and the length of the period."""
    gone = np.asarray((states["cutoff"] - states["first_day"]).dt.days, dtype=np.int64)
    length = np.asarray((states["last_day"] - states["first_day"]).dt.days, dtype=np.int64) + 1
    return gone, length


def calendar_on(gone: Ints, length: Ints, weeks_ahead: int) -> Floats:
    """`calendar_of` from `days_of_period`, for those who ask for many weeks."""
    middle = gone + 4 + 7 * weeks_ahead
    return np.column_stack([middle < DIP, length - middle < RUSH]).astype("float64")


def _at(stage: Ints, stages: int) -> Floats:
    return (stage[:, None] == np.arange(1, stages + 1)).astype("float64")
