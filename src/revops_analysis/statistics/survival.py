"""Kaplan–Meier and Aalen–Johansen by the exact product limit: no jitter, so ties and row order change nothing.

Intervals use the log(−log) scale of the survival function and of 1 − incidence, so that they stay within [0, 1] and
so that with one cause both estimators agree in value and interval.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.statistics.intervals import normal_quantile
from revops_analysis.statistics.risk_sets import FloatArray, RiskSets, risk_sets


@dataclass(frozen=True)
class SurvivalCurve:
    """The share not yet ended, as a step function.

    `frame` has a row a distinct time: `time, at_risk, events, censored, survival, variance, low, high`. `variance` is
    Greenwood's. `low` and `high` are null where the estimate is 0 or 1 (the scale has no value there). `n` is the
    number of subjects, `follow_up` the longest time observed.
    """

    frame: pd.DataFrame
    n: float
    follow_up: float
    confidence: float

    def at(self, times: npt.ArrayLike) -> pd.DataFrame:
        """The curve at `times`: `time, survival, variance, low, high`, a row each, in the order given.

        Beyond the longest time observed the curve is unknown, and null, unless nobody is left.
        """
        return _evaluate(self.frame, times, ["survival", "variance", "low", "high"], (1.0, 0.0, np.nan, np.nan))

    def quantile(self, share: float) -> float | None:
        """The first time at which at least `share` of subjects have ended; None if that was not observed.

        The usual rule (Klein & Moeschberger, 2003, sec. 4.5): smallest t with S(t) ≤ 1 − share.
        """
        reached = np.flatnonzero(self.frame["survival"].to_numpy() <= 1 - share + 1e-12)
        return float(self.frame["time"].iloc[reached[0]]) if len(reached) else None

    def quantile_interval(self, share: float) -> tuple[float | None, float | None]:
        """Interval of `quantile(share)`: where the limits of the curve cross 1 − share; None where they never do.

        Source: Brookmeyer & Crowley, Biometrics 38 (1982) 29–41, on the scale of this curve's limits.
        """
        level = 1 - share + 1e-12
        times = self.frame["time"].to_numpy(dtype=float)
        limits = (np.flatnonzero(self.frame[side].to_numpy() <= level) for side in ("low", "high"))
        low, high = (float(times[crossed[0]]) if len(crossed) else None for crossed in limits)
        return low, high

    @property
    def median(self) -> float | None:
        """The first time at which half have ended; None if that was not observed."""
        return self.quantile(0.5)


@dataclass(frozen=True)
class CumulativeIncidence:
    """The share ended by each cause, as step functions that add up to 1 with the survival.

    `frame` has a row per distinct time and cause, ordered by cause and time: `cause, time, at_risk, events, incidence,
    variance, low, high`. `survival` is the curve of having met no cause. `low` and `high` are null where the incidence
    is 0 or 1. Variance: the delta method (Marubini & Valsecchi, Analysing Survival Data, 1995, ch. 10), which is
    Greenwood's when there is one cause.
    """

    frame: pd.DataFrame
    survival: SurvivalCurve
    causes: tuple[Hashable, ...]
    n: float
    follow_up: float
    confidence: float

    def at(self, times: npt.ArrayLike, cause: Hashable) -> pd.DataFrame:
        """Incidence of `cause` at `times`: `time, incidence, variance, low, high`, a row each, in the order given.

        Beyond the longest time observed it is unknown, and null, unless nobody is left. A cause nobody met has
        incidence 0 while anybody was watched.
        """
        rows = self.frame[self.frame["cause"] == cause] if cause in self.causes else self._never()
        return _evaluate(rows, times, ["incidence", "variance", "low", "high"], (0.0, 0.0, np.nan, np.nan))

    def _never(self) -> pd.DataFrame:
        flat = {"incidence": 0.0, "variance": 0.0, "low": np.nan, "high": np.nan}
        return self.survival.frame[["time", "survival"]].assign(**flat)

    def conditional(self, age: float, times: npt.ArrayLike, cause: Hashable) -> pd.DataFrame:
        """Incidence of `cause` by each time among those who reached `age` with no event: `time, incidence`.

        (F(t) − F(age)) ÷ S(age), for t ≥ age. Null where nobody reached `age` or t was not observed.
        """
        grid = np.asarray(times, dtype=float)
        if (grid < age).any():
            raise ConfigurationError("A time lies before the age reached.", found=f"{grid.min():g} < {age:g}")
        reached = float(self.survival.at([age])["survival"].iloc[0])
        before = float(self.at([age], cause)["incidence"].iloc[0])
        gained = self.at(grid, cause)["incidence"].to_numpy() - before
        share = gained / reached if reached > 0 else np.full(len(grid), np.nan)
        return pd.DataFrame({"time": grid, "incidence": share})


def kaplan_meier(
    durations: npt.ArrayLike,
    events: npt.ArrayLike,
    *,
    weights: npt.ArrayLike | None = None,
    entry: npt.ArrayLike | None = None,
    confidence: float = 0.95,
) -> SurvivalCurve:
    """Kaplan–Meier estimate of the share not yet ended; every label that is not censored counts as the event.

    Arguments as in `risk_sets`: durations ≥ 0, events with null, 0 or False for censored, weights as counts, entry for
    subjects first watched at a later age. No subjects: an empty curve, unknown everywhere.

    Source: Kaplan & Meier (1958); Greenwood (1926) variance; interval on the log(−log) scale.

    >>> curve = kaplan_meier([1, 2, 2, 3], [True, True, False, True])
    >>> curve.frame["survival"].round(4).tolist(), curve.median
    ([0.75, 0.5, 0.0], 2.0)
    """
    return _survival(risk_sets(durations, events, weights=weights, entry=entry), confidence)


def aalen_johansen(
    durations: npt.ArrayLike,
    events: npt.ArrayLike,
    *,
    weights: npt.ArrayLike | None = None,
    entry: npt.ArrayLike | None = None,
    confidence: float = 0.95,
) -> CumulativeIncidence:
    """Aalen–Johansen estimate of the share ended by each competing cause.

    Arguments as in `risk_sets`: `events` holds the cause's label (say "won", "lost"), censored are null, 0 or ''.
    A deal that is still open is censored, never lost. No subjects: empty curves, unknown everywhere.

    Source: Aalen & Johansen (1978); Satagopan et al., Br J Cancer 91 (2004) 1229–1235 for a worked example.

    >>> curve = aalen_johansen([1, 2, 3, 4], ["won", "lost", None, "won"])
    >>> curve.at([2, 4], "won")["incidence"].tolist(), curve.at([4], "lost")["incidence"].tolist()
    ([0.25, 0.75], [0.25])
    """
    sets = risk_sets(durations, events, weights=weights, entry=entry)
    survival = _survival(sets, confidence)
    parts = [_incidence(sets, survival, column, confidence) for column in range(len(sets.causes))]
    names = ["cause", "time", "at_risk", "events", "incidence", "variance", "low", "high", "survival"]
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({name: [] for name in names})
    return CumulativeIncidence(frame, survival, sets.causes, sets.n, survival.follow_up, confidence)


def _survival(sets: RiskSets, confidence: float) -> SurvivalCurve:
    events = sets.ended.sum(axis=1)
    survival = np.asarray(np.cumprod(1 - _ratio(events, sets.at_risk)), dtype=np.float64)
    # The last subjects to end leave no spread: the limit of S² · d ÷ n(n − d) is 0.
    greenwood = np.cumsum(_ratio(events, sets.at_risk * (sets.at_risk - events)))
    variance = survival**2 * greenwood
    low, high = _log_log_interval(survival, variance, confidence)
    columns = {
        "time": sets.times,
        "at_risk": sets.at_risk,
        "events": events,
        "censored": sets.censored,
        "survival": survival,
        "variance": variance,
        "low": low,
        "high": high,
    }
    follow_up = float(sets.times[-1]) if len(sets.times) else float("nan")
    return SurvivalCurve(pd.DataFrame(columns), sets.n, follow_up, confidence)


def _incidence(sets: RiskSets, curve: SurvivalCurve, column: int, confidence: float) -> pd.DataFrame:
    n, ended, cause = sets.at_risk, sets.ended.sum(axis=1), sets.ended[:, column]
    survival = curve.frame["survival"].to_numpy()
    before = np.concatenate([[1.0], survival[:-1]])
    incidence = np.cumsum(before * _ratio(cause, n))
    variance = _incidence_variance(incidence, before, (n, ended, cause))
    low, high = _log_log_interval(1 - incidence, variance, confidence)
    columns = {
        "time": sets.times,
        "at_risk": n,
        "events": cause,
        "incidence": incidence,
        "variance": variance,
        "low": 1 - high,
        "high": 1 - low,
        "survival": survival,
    }
    return pd.DataFrame({"cause": np.full(len(n), sets.causes[column], dtype=object), **columns})


def _incidence_variance(
    incidence: FloatArray, before: FloatArray, counts: tuple[FloatArray, FloatArray, FloatArray]
) -> FloatArray:
    """Σ (F(t) − Fᵢ)² a + Σ b − 2 Σ (F(t) − Fᵢ) c over times i ≤ t, squares multiplied out."""
    n, ended, cause = counts
    a = _ratio(ended, n * (n - ended))
    b = before**2 * _ratio(cause * (n - cause), n**3)
    c = before * _ratio(cause, n**2)
    square = incidence**2 * np.cumsum(a) - 2 * incidence * np.cumsum(a * incidence) + np.cumsum(a * incidence**2)
    cross = incidence * np.cumsum(c) - np.cumsum(c * incidence)
    return np.maximum(square + np.cumsum(b) - 2 * cross, 0.0)


def _log_log_interval(survival: FloatArray, variance: FloatArray, confidence: float) -> tuple[FloatArray, FloatArray]:
    """Limits S^exp(±z·se ÷ (S·log S)); null where S is 0 or 1."""
    z = normal_quantile(confidence)
    inside = (survival > 1e-12) & (survival < 1 - 1e-12)
    s = np.where(inside, survival, 0.5)
    width = z * np.sqrt(variance) / (s * np.abs(np.log(s)))
    low, high = s ** np.exp(width), s ** np.exp(-width)
    return np.where(inside, low, np.nan), np.where(inside, high, np.nan)


def _evaluate(frame: pd.DataFrame, times: npt.ArrayLike, columns: list[str], origin: tuple[float, ...]) -> pd.DataFrame:
    """Read step functions: the value of the last time ≤ t, `origin` before the first, null beyond what was observed."""
    grid = np.atleast_1d(np.asarray(times, dtype=float))
    known = frame["time"].to_numpy(dtype=float)
    place = np.searchsorted(known, grid, side="right")
    nobody_left = len(known) > 0 and float(frame["survival"].iloc[-1]) <= 1e-12
    unknown = (grid < 0) | ((grid > known[-1]) & (not nobody_left)) if len(known) else np.full(len(grid), True)
    read = {
        name: np.where(unknown, np.nan, np.concatenate([[first], frame[name].to_numpy(dtype=float)])[place])
        for name, first in zip(columns, origin, strict=True)
    }
    return pd.DataFrame({"time": grid, **read})


def _ratio(top: FloatArray, bottom: FloatArray) -> FloatArray:
    """Quotient that is 0 where nobody is at risk or nobody remains: such a time adds nothing to a sum."""
    return np.divide(top, bottom, out=np.zeros(len(top)), where=bottom > 0)
