"""Restricted mean: the mean time lived within a horizon, which censoring does not bias as it does a plain mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from revops_analysis.errors import ConfigurationError
from revops_analysis.statistics.intervals import normal_quantile
from revops_analysis.statistics.survival import SurvivalCurve


@dataclass(frozen=True)
class RestrictedMean:
    """Area under a survival curve up to `horizon`, in the curve's time unit.

    `value`, `variance`, `low` and `high` are None where the curve was not observed to the horizon; `reason` says so.
    """

    horizon: float
    value: float | None
    variance: float | None
    low: float | None
    high: float | None
    n: float
    reason: str | None = None


def restricted_mean(curve: SurvivalCurve, horizon: float) -> RestrictedMean:
    """Mean of min(T, horizon) from a Kaplan–Meier curve, with its interval.

    Variance Σ A(tᵢ)² dᵢ ÷ (nᵢ(nᵢ − dᵢ)), where A(tᵢ) is the area from tᵢ to the horizon; the interval is normal, cut
    to [0, horizon]. Null when the curve ends before the horizon with subjects left: the rest was not observed.

    Source: Klein & Moeschberger, Survival Analysis (2003), sec. 4.5.
    Raises ConfigurationError for a horizon that is not positive.

    >>> from revops_analysis.statistics.survival import kaplan_meier
    >>> restricted_mean(kaplan_meier([1, 2, 3, 4], [1, 1, 1, 1]), 3).value
    2.25
    """
    if not horizon > 0:
        raise ConfigurationError("A horizon must be positive.", found=repr(horizon))
    if np.isnan(curve.at([horizon])["survival"].iloc[0]):
        return RestrictedMean(horizon, None, None, None, None, curve.n, _unobserved(curve, horizon))
    inside = curve.frame[curve.frame["time"] <= horizon]
    times = inside["time"].to_numpy(dtype=float)
    steps = np.concatenate([[1.0], inside["survival"].to_numpy(dtype=float)])
    areas = steps * np.diff(np.concatenate([[0.0], times, [horizon]]))
    after = areas[::-1].cumsum()[::-1][1:]
    n, d = inside["at_risk"].to_numpy(dtype=float), inside["events"].to_numpy(dtype=float)
    spread = np.divide(d, n * (n - d), out=np.zeros(len(d)), where=n > d)
    value, variance = float(areas.sum()), float((after**2 * spread).sum())
    half = normal_quantile(curve.confidence) * float(np.sqrt(variance))
    return RestrictedMean(horizon, value, variance, max(value - half, 0.0), min(value + half, horizon), curve.n)


def _unobserved(curve: SurvivalCurve, horizon: float) -> str:
    if curve.n == 0:
        return "no cases"
    return f"observed to {curve.follow_up:g} only, not to {horizon:g}"
