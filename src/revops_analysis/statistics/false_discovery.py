"""False-discovery control over many comparisons: Benjamini–Hochberg adjusted p-values and local rates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

from revops_analysis.errors import ConfigurationError

FloatArray = npt.NDArray[np.float64]
_TINY = 1e-200  # p-values below it count as 0: a density over such a width is beyond what a float holds


def benjamini_hochberg(p_values: npt.ArrayLike) -> FloatArray:
    """Adjusted p-values: reject those ≤ q and the expected share of false ones among the rejected is ≤ q.

    Input and result have one number a comparison, in the same order. A comparison that could not be made (nan) stays
    nan and does not count as one. Ties get the same result.

    Source: Benjamini & Hochberg, J. R. Statist. Soc. B 57 (1995) 289–300.
    Raises ConfigurationError for numbers outside [0, 1].

    >>> benjamini_hochberg([0.01, 0.02, 0.03, float("nan"), 0.5]).round(4).tolist()
    [0.04, 0.04, 0.04, nan, 0.5]
    """
    p = _checked(p_values)
    known = ~np.isnan(p)
    m = int(known.sum())
    adjusted = np.full(len(p), np.nan)
    order = np.argsort(p[known], kind="stable")
    stepped = p[known][order] * m / np.arange(1, m + 1)
    least = np.minimum.accumulate(stepped[::-1])[::-1]
    ranked = np.empty(m)
    ranked[order] = np.minimum(least, 1.0)
    adjusted[known] = ranked
    return adjusted


def null_share(p_values: npt.ArrayLike, threshold: float = 0.5) -> float:
    """Estimated share of comparisons in which nothing is going on, by Storey's rule.

    (#{p > threshold} + 1) ÷ (m (1 − threshold)), at most 1; the + 1 keeps a small set from looking all true. nan when
    there is no comparison. Source: Storey, J. R. Statist. Soc. B 64 (2002) 479–498, with his finite-sample correction.

    >>> null_share([0.001, 0.002, 0.004, 0.6])
    1.0
    """
    p = _checked(p_values)
    known = p[~np.isnan(p)]
    if len(known) == 0:
        return float("nan")
    return float(min(1.0, ((known > threshold).sum() + 1) / (len(known) * (1 - threshold))))


def local_fdr(p_values: npt.ArrayLike) -> FloatArray:
    """For each comparison, the estimated probability that nothing is going on in it.

    π₀ ÷ f(p): π₀ is `null_share`, f the density of all p-values by Grenander's estimator, the slope of the least
    concave majorant of their empirical distribution. It falls with p, needs no bandwidth and draws nothing at random;
    the result rises with p and lies in [0, 1]. nan stays nan. With few comparisons it says little: below about 20
    prefer `benjamini_hochberg`.

    Source: Efron, Large-Scale Inference (2010), ch. 5; Strimmer, BMC Bioinformatics 9 (2008) 303, for this density.
    """
    p = _checked(p_values)
    known = ~np.isnan(p)
    result = np.full(len(p), np.nan)
    if known.any():
        p = np.where(p < _TINY, 0.0, p)
        points, count = np.unique(p[known], return_counts=True)
        result[known] = _local(points, count, null_share(p))[np.searchsorted(points, p[known])]
    return result


def _local(points: FloatArray, count: npt.NDArray[np.int64], share: float) -> FloatArray:
    """Local rate at each distinct p: slopes of the concave majorant, pooled over intervals weighted by their width."""
    knots = np.concatenate([[0.0], points, [1.0]])
    heights = np.concatenate([[0.0], np.cumsum(count) / count.sum(), [1.0]])
    if points[0] == 0:  # mass at 0: an infinite density there, and local rate 0
        knots, heights = knots[1:], heights[1:]
    width, rise = np.diff(knots), np.diff(heights)
    positive = width > 0
    density = np.zeros(len(width))
    slope = rise[positive] / width[positive]
    density[positive] = isotonic_regression(slope, weights=width[positive], increasing=False).x
    at_zero = [np.inf] if points[0] == 0 else []
    at_points = np.concatenate([at_zero, density])[: len(points)]
    quotient = np.divide(share, at_points, out=np.ones(len(points)), where=at_points > 0)
    return np.minimum(quotient, 1.0)


def _checked(p_values: npt.ArrayLike) -> FloatArray:
    p = np.atleast_1d(np.asarray(p_values, dtype=float))
    outside = (p < 0) | (p > 1)
    if outside.any():
        raise ConfigurationError("A p-value lies between 0 and 1.", found=f"{p[outside][:3].tolist()}")
    return p
