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


def compare_logs(group: Group, other: Group, deviation: float | FloatArray, confidence: float = 0.95) -> pd.DataFrame:
    """Typical size in `group` against `other`, like for like: (Σ of logarithms, cases), a row a cut.

    `deviation`: the standard deviation of a logarithm within strata, one for all or a number each. Columns: `ratio` of
    the geometric means with `low` and `high`, `spread` (standard error of its logarithm), `p_lower`, `p_higher`. Null
    where nothing compares.

    >>> one, two = (np.array([[50.0]]), np.array([[100.0]])), (np.array([[280.0]]), np.array([[400.0]]))
    >>> compare_logs(one, two, 1.0)[["ratio", "p_lower"]].round(3).to_numpy().tolist()
    [[0.819, 0.037]]
    """
    (s1, n1), (s0, n0) = group, other
    weight = _ratio(n1 * n0, n1 + n0)
    total = weight.sum(axis=1)
    difference = _ratio((weight * (_ratio(s1, n1) - _ratio(s0, n0))).sum(axis=1), total, np.nan)
    spread = _ratio(np.sqrt((weight * np.square(deviation)).sum(axis=1)), total, np.inf)
    half = normal_quantile(confidence) * spread
    known = total > 0
    at = np.where(known, _ratio(difference, spread), np.nan)
    columns = {
        "spread": spread,
        "ratio": np.exp(difference),
        "low": np.where(known, np.exp(difference - half), np.nan),
        "high": np.where(known, np.exp(difference + half), np.nan),
        "p_lower": np.where(known, ndtr(at), np.nan),
        "p_higher": np.where(known, ndtr(-at), np.nan),
    }
    return pd.DataFrame(columns)


def trend_of_rates(group: Group, scores: npt.ArrayLike, dispersion: float = 1.0) -> pd.DataFrame:
    """How the rate of events changes with a score, within strata, a row a cut.

    `group`: events and time at risk, [cuts × strata × slices]; `scores`: how much of the change each slice has, 0 where
    there is none of it yet. Columns: `slope` (change of the logarithm of the rate for a score of 1, to first order),
    `spread` (its standard error if there is no change), `p_lower` and `p_higher`. Null where nothing can be compared.

    Given its total, the events of a stratum fall to slices as their share of the time. Source: Breslow & Day (as in
    `compare_rates`), ch. 3.6, trend. With scores 0 and 1 it is the test of `compare_rates`.

    >>> events, time = np.array([[[20.0, 80.0]]]), np.array([[[100.0, 200.0]]])
    >>> trend_of_rates((events, time), [1, 0]).round(3).to_numpy().tolist()
    [[-0.6, 0.212, 0.002, 0.998]]
    """
    (d, t), w = group, np.asarray(scores, dtype=float)
    time, total = t.sum(axis=-1), d.sum(axis=-1)
    away, second, third = _scored(t, w)
    moved = ((d * w).sum(axis=-1) - total * away).sum(axis=-1)
    variance, skew = (_ratio(total * part, time).sum(axis=-1) for part in (second, third))
    lower, higher = _tails(moved, dispersion * variance, dispersion**2 * skew)
    spread = np.sqrt(_ratio(np.float64(dispersion), variance, np.inf))
    return pd.DataFrame(
        {"slope": _ratio(moved, variance, np.nan), "spread": spread, "p_lower": lower, "p_higher": higher}
    )


def trend_of_shares(group: Group, scores: npt.ArrayLike, dispersion: float = 1.0) -> pd.DataFrame:
    """How the share of successes changes with a score, within strata: as `trend_of_rates`, of (successes, cases).

    `slope` is the change of the share for a score of 1. Given its successes, a stratum's fall to its cases at random,
    so the tails are those of a sum over a sample without replacement, close to the exact ones for few cases too.
    Source: the trend test of Cochran (1954) and Armitage, Biometrics 11 (1955) 375–386, extended to strata by Mantel,
    J. Am. Stat. Assoc. 58 (1963) 690–700.

    >>> won, closed = np.array([[[56.0, 48.0]]]), np.array([[[70.0, 80.0]]])
    >>> trend_of_shares((won, closed), [1, 0])[["slope", "p_higher"]].round(3).to_numpy().tolist()
    [[0.2, 0.004]]
    """
    (x, n), w = group, np.asarray(scores, dtype=float)
    cases, won = n.sum(axis=-1), x.sum(axis=-1)
    away, second, third = _scored(n, w)
    moved = ((x * w).sum(axis=-1) - won * away).sum(axis=-1)
    drawn = won * (cases - won)
    variance = _ratio(drawn * second, cases * (cases - 1)).sum(axis=-1)
    skew = _ratio(drawn * (cases - 2 * won) * third, cases * (cases - 1) * (cases - 2)).sum(axis=-1)
    lower, higher = _tails(moved, dispersion * variance, dispersion**2 * skew)
    whole = second.sum(axis=-1)
    spread = _ratio(np.sqrt(dispersion * variance), whole, np.inf)
    return pd.DataFrame({"slope": _ratio(moved, whole, np.nan), "spread": spread, "p_lower": lower, "p_higher": higher})


def trend_of_logs(group: Group, scores: npt.ArrayLike, deviation: float | FloatArray) -> pd.DataFrame:
    """How a typical size changes with a score: as `trend_of_rates`, of (Σ of logarithms, cases); `deviation` as in
    `compare_logs`.

    >>> sums, cases = np.array([[[50.0, 280.0]]]), np.array([[[100.0, 400.0]]])
    >>> trend_of_logs((sums, cases), [1, 0], 1.0)[["slope", "p_lower"]].round(3).to_numpy().tolist()
    [[-0.2, 0.037]]
    """
    (s, n), w = group, np.asarray(scores, dtype=float)
    away, second, _ = _scored(n, w)
    moved = ((s * w).sum(axis=-1) - s.sum(axis=-1) * away).sum(axis=-1)
    whole = second.sum(axis=-1)
    error = np.sqrt((second * np.square(deviation)).sum(axis=-1))
    spread = _ratio(error, whole, np.inf)
    at = np.where(error > 0, _ratio(moved, error), np.nan)
    return pd.DataFrame(
        {"slope": _ratio(moved, whole, np.nan), "spread": spread, "p_lower": ndtr(at), "p_higher": ndtr(-at)}
    )


def _scored(size: FloatArray, scores: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """[cuts × strata]: the mean score by size, and Σ size × departure from it to the second and third power."""
    mean = _ratio((size * scores).sum(axis=-1), size.sum(axis=-1))
    departure = scores - mean[..., None]
    return mean, (size * departure**2).sum(axis=-1), (size * departure**3).sum(axis=-1)


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
