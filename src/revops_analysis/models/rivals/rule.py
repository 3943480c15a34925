"""What all rivals share: a rule that is replayed at the same time of every past period, which also gives its range."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import pandas as pd

from revops_analysis.models.cutoffs import Cutoff
from revops_analysis.models.evidence import Evidence
from revops_analysis.models.forecaster import NotPossible, Outlook
from revops_analysis.models.rivals.own_past import range_from_past
from revops_analysis.models.rivals.past import Past, look_back

CERTAIN = ["booked", "signed"]
"""The parts of a forecast that are facts: columns of `Evidence.cutoffs`."""


@dataclass(frozen=True, eq=False)
class Replay:
    """What a rule says beside what is booked and signed: a row for each of `Past.rows`, a column a component.

    A row is null where the rule had nothing to go by; the last row, which is the forecast asked for, never is.
    """

    parts: pd.DataFrame
    notes: tuple[str, ...] = ()


class Rival(ABC):
    """A forecaster that follows one rule; its range is how far that rule was off at the same time of past periods."""

    name: ClassVar[str]
    title: ClassVar[str]

    @abstractmethod
    def replay(self, evidence: Evidence, past: Past) -> Replay | str:
        """Follow the rule at every row of `past.rows`, or say what is missing and how much of it is needed."""

    def forecast(self, evidence: Evidence, cutoff: Cutoff) -> Outlook | NotPossible:
        """Forecast the cutoff's period by the rule."""
        past = look_back(evidence, cutoff)
        replay = self.replay(evidence, past)
        if isinstance(replay, str):
            return NotPossible(self.name, replay)
        return _outlook(self.name, cutoff, past, replay)


def _outlook(name: str, cutoff: Cutoff, past: Past, replay: Replay) -> Outlook:
    parts = pd.concat([past.rows[CERTAIN], replay.parts], axis=1)
    totals = parts.sum(axis=1, skipna=False)
    asked = parts.iloc[-1]
    mean = math.fsum(asked)
    scored = past.rows["bookings"].notna() & (totals > 0)
    scored.iloc[-1] = False
    ratios = (past.rows["bookings"] / totals.where(totals > 0))[scored].to_numpy(dtype=float)
    quantiles, notes = range_from_past(mean, ratios, float(asked["booked"]))
    components = pd.DataFrame({"component": asked.index, "mean": asked.to_numpy(dtype=float)})
    return Outlook(name, cutoff, mean, quantiles, components, (*replay.notes, *notes))
