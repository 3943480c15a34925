"""The median time to a cause that not everybody meets: when half of those who meet it within a horizon have met it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from revops_analysis.errors import ConfigurationError
from revops_analysis.statistics.risk_sets import FloatArray, RiskSets

_EPSILON = 1e-12
_BLOCK = 2_000_000


@dataclass(frozen=True)
class HalfWay:
    """The smallest t with F(t) ≥ ½ F(H) and its interval; None where no subject met the cause by H."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class HalfWayOptions:
    """How to resample: repeats, confidence level and seed."""

    repeats: int = 1_000
    confidence: float = 0.95
    seed: int = 0


def half_way_time(
    sets: RiskSets, cause: Hashable, horizon: float, options: HalfWayOptions = HalfWayOptions()
) -> HalfWay:
    """The smallest t with F(t) ≥ ½ F(horizon), F being the Aalen–Johansen incidence of `cause`.

    `sets` are of subjects watched from the origin, in whole numbers. Competing causes and censoring count as in
    `aalen_johansen`; unlike the median of those who met the cause already, it is not too short because the slow are
    still under way. The interval is the percentile interval of resampled subjects; resamples in which nobody met the
    cause are left out. No subjects, or nobody met the cause by the horizon: None throughout.

    Source: METRICS, sales_cycle_days; Efron & Tibshirani, An Introduction to the Bootstrap (1993), ch. 13.
    Raises ConfigurationError for weights that are not whole.

    >>> from revops_analysis.statistics.risk_sets import risk_sets
    >>> half_way_time(risk_sets([1, 2, 3, 4], ["won", "lost", "won", "won"]), "won", 10).value
    3.0
    """
    if cause not in sets.causes:
        return HalfWay(None, None, None)
    cells = np.column_stack([sets.ended, sets.censored])
    if not np.allclose(cells, np.round(cells)):
        raise ConfigurationError("Half-way times need whole weights.", found="subjects that count in part")
    column = sets.causes.index(cause)
    value = float(_half_way(cells[None], sets.times, column, horizon)[0])
    if np.isnan(value):
        return HalfWay(None, None, None)
    times = _resampled(cells, sets.times, (column, horizon), options)
    known = times[~np.isnan(times)]
    tail = (1 - options.confidence) / 2
    low, high = np.quantile(known, [tail, 1 - tail], method="inverted_cdf") if len(known) else (np.nan, np.nan)
    return HalfWay(value, float(low), float(high))


def _resampled(cells: FloatArray, times: FloatArray, what: tuple[int, float], options: HalfWayOptions) -> FloatArray:
    """Half-way times of resamples: subjects of one time and ending are alike, so their counts are drawn at once."""
    rng = np.random.default_rng(options.seed)
    n, flat = round(cells.sum()), cells.ravel()
    step = max(1, _BLOCK // len(flat))
    parts = []
    for start in range(0, options.repeats, step):
        drawn = rng.multinomial(n, flat / flat.sum(), size=min(step, options.repeats - start)).astype(np.float64)
        parts.append(_half_way(drawn.reshape(-1, *cells.shape), times, *what))
    return np.concatenate(parts)


def _half_way(cells: FloatArray, times: FloatArray, column: int, horizon: float) -> FloatArray:
    """[resample × time × cause or censored] → the half-way time of each resample; nan where the cause was not met."""
    leaving = cells.sum(axis=2)
    at_risk = leaving[:, ::-1].cumsum(axis=1)[:, ::-1]
    safe = np.maximum(at_risk, 1.0)
    hazard = cells[:, :, :-1].sum(axis=2) / safe
    survival = np.cumprod(1 - hazard, axis=1)
    before = np.concatenate([np.ones((len(cells), 1)), survival[:, :-1]], axis=1)
    incidence = np.cumsum(before * cells[:, :, column] / safe, axis=1)
    inside = np.searchsorted(times, horizon, side="right")
    if inside == 0:
        return np.full(len(cells), np.nan)
    whole = incidence[:, inside - 1]
    place = np.argmax(incidence >= (whole / 2)[:, None] - _EPSILON, axis=1)
    return np.where(whole > 0, times[place], np.nan)
