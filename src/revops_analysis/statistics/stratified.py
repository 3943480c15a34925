"""Two groups compared within strata, for many cuts at once: rates of events in time at risk, and proportions.

Like is compared with like: each stratum (a stage, a segment, an age) has its own rate, and only the difference within
strata counts. So another mix of strata is no difference. Arrays are [cuts × strata]; a stratum in which one of the two
groups has nothing says nothing and falls out by itself.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import gammainc, gammaincc, ndtr

from revops_analysis.statistics.intervals import normal_quantile

FloatArray = npt.NDArray[np.float64]
_NONE = 1e-9
_SYMMETRIC = 1e-3  # a smaller skewness than this makes no difference

Group = tuple[FloatArray, FloatArray]
"""Events (or successes) and time at risk (or cases), each [cuts × strata]."""


def compare_rates(group: Group, other: Group, dispersion: float = 1.0, confidence: float = 0.95) -> pd.DataFrame:
    """Rate of events in `group` against `other`, a row a cut.

    Columns: `observed` events of the group in strata where both were at risk, `expected` of them if the rates were
    alike, `spread` (standard error of the logarithm of the ratio if they are), `ratio` of the rates (Mantel–Haenszel)
    with `low` and `high`, `p_lower` and `p_higher`: how likely so few, or so many, events are if they are alike.
    Null where nothing can be compared. `dispersion` ≥ 1 says how much more events vary than independent ones would.

    Source: the log-rank test for grouped times, Breslow & Day, Statistical Methods in Cancer Research II (1987), ch.
    3.6: given its total, the events of a stratum fall to the group as its share of the time. The tails are those
    of the shifted gamma distribution with the mean, variance and skewness of the sum, close to the exact mid-p.

    >>> one = (np.array([[20.0]]), np.array([[100.0]])); two = (np.array([[80.0]]), np.array([[200.0]]))
    >>> compare_rates(one, two)[["observed", "expected", "ratio"]].round(3).to_numpy().tolist()
    [[20.0, 33.333, 0.5]]
    """
    (d1, t1), (d0, t0) = group, other
    both = (t1 > 0) & (t0 > 0)
    d1, t1, d0, t0 = (np.where(both, part, 0.0) for part in (d1, t1, d0, t0))
    time, total = t1 + t0, d1 + d0
    share = _ratio(t1, time)
    expected, variance = (total * share).sum(axis=1), (total * share * (1 - share)).sum(axis=1)
    above, below = _ratio(d1 * t0, time).sum(axis=1), _ratio(d0 * t1, time).sum(axis=1)
    error = np.sqrt(dispersion * _ratio((total * _ratio(t1 * t0, time**2)).sum(axis=1), above * below))
    ratio = np.where((above + below > 0) & (variance > 0), _ratio(above, below, np.inf), np.nan)
    width = np.exp(normal_quantile(confidence) * error)
    known = (above > 0) & (below > 0)
    third = (total * share * (1 - share) * (1 - 2 * share)).sum(axis=1)
    lower, higher = _tails(d1.sum(axis=1) - expected, dispersion * variance, dispersion**2 * third)
    columns = {
        "observed": d1.sum(axis=1),
        "expected": expected,
        "spread": np.sqrt(_ratio(np.float64(dispersion), variance, np.inf)),
        "ratio": ratio,
        "low": np.where(known, ratio / width, np.nan),
        "high": np.where(known, ratio * width, np.nan),
        "p_lower": lower,
        "p_higher": higher,
    }
    return pd.DataFrame(columns)


def compare_shares(group: Group, other: Group, confidence: float = 0.95) -> pd.DataFrame:
    """Share of successes in `group` less that in `other`, like for like, a row a cut.

    Columns: `observed` and `expected` successes of the group, `spread` (standard error of the difference if there is
    none), `difference` (Mantel–Haenszel) with
    `low` and `high`, `p_lower` and `p_higher`. Null where nothing can be compared.

    Source: Cochran (1954) and Mantel & Haenszel (1959) for the test; Greenland & Robins, Biometrics 41 (1985) 55–68,
    for the difference, with the variance of Sato, Biometrics 45 (1989) 1323–1324. Tails as in `compare_rates`.

    >>> one = (np.array([[56.0]]), np.array([[70.0]])); two = (np.array([[48.0]]), np.array([[80.0]]))
    >>> compare_shares(one, two)[["difference", "low", "high"]].round(3).to_numpy().tolist()
    [[0.2, 0.058, 0.342]]
    """
    (x1, n1), (x0, n0) = group, other
    both = (n1 > 0) & (n0 > 0)
    x1, n1, x0, n0 = (np.where(both, part, 0.0) for part in (x1, n1, x0, n0))
    n, won = n1 + n0, x1 + x0
    expected = _ratio(won * n1, n).sum(axis=1)
    variance = _ratio(won * (n - won) * n1 * n0, n**2 * (n - 1)).sum(axis=1)
    weight = _ratio(n1 * n0, n).sum(axis=1)
    difference = _ratio(_ratio(x1 * n0 - x0 * n1, n).sum(axis=1), weight, np.nan)
    p = _ratio(n1**2 * x0 - n0**2 * x1 + n1 * n0 * (n0 - n1) / 2, n**2).sum(axis=1)
    q = (_ratio(x1 * (n0 - x0) + x0 * (n1 - x1), n) / 2).sum(axis=1)
    error = np.sqrt(np.maximum(_ratio(difference * p + q, weight**2, np.nan), 0.0))
    half = normal_quantile(confidence) * error
    third = _ratio(won * (n - won) * (n - 2 * won) * n1 * n0 * (n0 - n1), n**3 * (n - 1) * (n - 2)).sum(axis=1)
    lower, higher = _tails(x1.sum(axis=1) - expected, variance, third)
    columns = {
        "observed": x1.sum(axis=1),
        "expected": expected,
        "spread": _ratio(np.sqrt(variance), weight, np.inf),
        "difference": difference,
        "low": difference - half,
        "high": difference + half,
        "p_lower": lower,
        "p_higher": higher,
    }
    return pd.DataFrame(columns)


def overdispersion(residuals: npt.ArrayLike, expected: npt.ArrayLike) -> float:
    """How much more events vary than independent ones: Σ residual² ÷ Σ expected over subjects, at least 1.

    A residual is what a subject had less what its time at risk would have made: one number a subject that has several
    chances (a deal and its stages), whose fates go together. Without subjects 1.
    """
    total = float(np.sum(expected))
    return max(1.0, float(np.sum(np.square(residuals))) / total) if total > 0 else 1.0


def _tails(departure: FloatArray, variance: FloatArray, third: FloatArray) -> tuple[FloatArray, FloatArray]:
    """P(at most) and P(at least) such a departure from the mean, from the second and third central moments."""
    known = variance > _NONE
    spread = np.sqrt(np.where(known, variance, 1.0))
    at, skew = departure / spread, third / spread**3
    shape = 4 / np.maximum(skew**2, _SYMMETRIC**2)
    place = np.maximum(shape + np.sqrt(shape) * at * np.where(skew < 0, -1.0, 1.0), 0.0)
    below, above = gammainc(shape, place), gammaincc(shape, place)
    lower, higher = np.where(skew < 0, above, below), np.where(skew < 0, below, above)
    flat = np.abs(skew) < _SYMMETRIC
    lower, higher = np.where(flat, ndtr(at), lower), np.where(flat, ndtr(-at), higher)
    return np.where(known, lower, np.nan), np.where(known, higher, np.nan)


def _ratio(top: npt.ArrayLike, bottom: npt.ArrayLike, otherwise: float = 0.0) -> FloatArray:
    above, below = np.broadcast_arrays(np.asarray(top, dtype=float), np.asarray(bottom, dtype=float))
    return np.divide(above, below, out=np.full(above.shape, otherwise), where=np.abs(below) > 0)
