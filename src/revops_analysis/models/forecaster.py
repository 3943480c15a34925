"""What every forecaster answers: one number with its range, from the same evidence, or why it cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.models.cutoffs import Cutoff
from revops_analysis.models.evidence import Evidence

QUANTILES = (0.025, 0.10, 0.25, 0.50, 0.75, 0.90, 0.975)
"""Levels at which every forecast states its distribution: the median, and the 50, 80 and 95% intervals."""

QUANTILE_NAMES = ("p2_5", "p10", "p25", "p50", "p75", "p90", "p97_5")
"""Their names as columns and in JSON."""


@dataclass(frozen=True, eq=False)
class Outlook:
    """A forecast of the bookings of `cutoff.period`, made at the end of `cutoff.day`; reporting currency.

    `mean` and `quantiles` (at `QUANTILES`, ascending) describe the distribution; `parts` has a row a component with its
    mean, [component, mean], whose means add up to `mean`. `quantiles` are null where the method states no range.
    """

    method: str
    cutoff: Cutoff
    mean: float
    quantiles: tuple[float, ...]
    parts: pd.DataFrame
    notes: tuple[str, ...] = ()

    def as_row(self) -> dict[str, object]:
        """One row of a back-test: cutoff, period, week, method, mean and the quantiles by name."""
        return {
            "cutoff": pd.Timestamp(self.cutoff.day),
            "period": self.cutoff.period.label,
            "week": self.cutoff.week,
            "method": self.method,
            "mean": self.mean,
            **dict(zip(QUANTILE_NAMES, self.quantiles, strict=True)),
        }


@dataclass(frozen=True)
class NotPossible:
    """A forecaster's answer where it lacks what it needs: a sentence that says what, and how much is needed."""

    method: str
    reason: str


class Forecaster(Protocol):
    """Anything that forecasts bookings from the evidence of a day.

    `name` is a key, `title` what readers see. `forecast` must look at nothing but `evidence`, which is what was known
    at the end of `cutoff.day` (`Evidence.known_at`), and must give the same answer each time it is asked.
    """

    @property
    def name(self) -> str:
        """Key of the method in tables."""

    @property
    def title(self) -> str:
        """Name of the method for readers."""

    def forecast(self, evidence: Evidence, cutoff: Cutoff) -> Outlook | NotPossible:
        """Forecast the cutoff's period at the cutoff."""


def quantiles_of(draws: npt.NDArray[np.float64]) -> tuple[float, ...]:
    """The quantiles of simulated totals at `QUANTILES`.

    >>> quantiles_of(np.arange(101.0))[3]
    50.0
    """
    return tuple(float(value) for value in np.quantile(draws, QUANTILES))
