"""False-discovery control over many comparisons: adjusted p-values, weights, and how likely each one is chance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq, isotonic_regression
from scipy.stats import norm

from revops_analysis.errors import ConfigurationError

FloatArray = npt.NDArray[np.float64]
_HOLDS = 0.05  # false discovery at which others count as effects when the odds of one are taken
_NONE = 0.01  # an effect so many standard errors away is no effect
_TINY = 1e-200  # p-values below it count as 0: a density over such a width is beyond what a float holds


def benjamini_hochberg(p_values: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> FloatArray:
    """Adjusted p-values: reject those ≤ q and the expected share of false ones among the rejected is ≤ q.

    Input and result have one number a comparison, in the same order. A comparison that could not be made (nan) stays
    nan and does not count as one. Ties get the same result. `weights` (≥ 0, chosen without looking at the p-values) say
    where power is wanted; they are scaled to mean 1 over the comparisons made, and one with weight 0 is never rejected.

    Source: Benjamini & Hochberg, J. R. Statist. Soc. B 57 (1995) 289–300; weights: Genovese, Roeder & Wasserman,
    Biometrika 93 (2006) 509–524. Raises ConfigurationError for p-values outside [0, 1] and negative weights.

    >>> benjamini_hochberg([0.01, 0.02, 0.03, float("nan"), 0.5]).round(4).tolist()
    [0.04, 0.04, 0.04, nan, 0.5]
    >>> benjamini_hochberg([0.02, 0.02], weights=[3, 1]).round(4).tolist()
    [0.0267, 0.04]
    """
    p = _checked(p_values)
    known = ~np.isnan(p)
    m = int(known.sum())
    adjusted = np.full(len(p), np.nan)
    scaled = _weighted(p, weights)[known]
    order = np.argsort(scaled, kind="stable")
    stepped = scaled[order] * m / np.arange(1, m + 1)
    least = np.minimum.accumulate(stepped[::-1])[::-1]
    ranked = np.empty(m)
    ranked[order] = np.minimum(least, 1.0)
    adjusted[known] = ranked
    return adjusted


def power_weights(effects: npt.ArrayLike, level: float) -> FloatArray:
    """Weights that find most true effects when the i-th, if there is one, lies `effects[i]` standard errors from none.

    `level` is the error that may be spent in all, by Bonferroni's sum. A comparison too small to show its effect gets
    next to nothing, one that shows it at any level gets little, and what is saved goes to those where it decides. The
    weights have mean 1; effects must come from sample sizes alone, never from the outcome. All 0: all weights 1.

    Source: Roeder & Wasserman, Statist. Sci. 24 (2009) 398–413, eq. 6. Raises ConfigurationError for negative effects
    and a level outside (0, 1).

    >>> power_weights([0.5, 3.0, 3.0, 9.0], 0.05).round(2).tolist()
    [0.09, 1.96, 1.96, 0.0]
    """
    sizes = np.atleast_1d(np.asarray(effects, dtype=float))
    if not (sizes >= 0).all() or not 0 < level < 1:
        raise ConfigurationError("Effects are ≥ 0 and a level lies between 0 and 1.", found=f"{sizes[:3]}, {level}")
    shown = sizes > _NONE
    m = len(sizes)
    if not shown.any():
        return np.ones(m)

    def spent(log_c: float) -> FloatArray:
        levels = np.zeros(m)
        levels[shown] = norm.sf(sizes[shown] / 2 + np.exp(log_c) / sizes[shown])
        return levels

    # Small c spends most: Σ Φ̄(ξ ÷ 2). Where even that is less than the level, what is left goes to all alike.
    if spent(-50.0).sum() <= level:
        return _mean_one(spent(-50.0))
    found = brentq(lambda c: spent(c).sum() - level, -50.0, 20.0)
    return _mean_one(spent(found))


def _mean_one(weights: FloatArray) -> FloatArray:
    return weights * (len(weights) / weights.sum())


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


def null_probability(
    p_values: npt.ArrayLike, weights: npt.ArrayLike | None = None, comparisons: float | None = None
) -> FloatArray:
    """For each comparison, the probability that nothing is going on in it: a local rate that few comparisons can bear.

    By Bayes' rule: prior odds × how much likelier the p-value is if something is going on. For the latter p has the
    density κ p^(κ−1), every κ between 0 (a strong effect) and 1 (none) being as likely, which gives
    (1 − p + p ln p) ÷ (p ln² p) and is at least 1. A priori one effect is expected among m comparisons and one more,
    `weights` (mean 1) saying where; and besides it 95% of the others that hold at a false discovery of 5%, up to one
    half of all. That estimate, unlike the share of large p-values, bears comparisons that depend on each other.
    `comparisons` is m where these are part of a larger family; by default their number.

    nan stays nan. The result rises with p. Source: Sellke, Bayarri & Berger, Am. Stat. 55 (2001) 62–71, for the
    densities; Vovk & Wang, Ann. Stat. 49 (2021) 1736–1754, for their average; prior odds of 1 to m: Scott & Berger,
    Ann. Stat. 38 (2010) 2587–2619.

    >>> null_probability([0.05]).round(3).tolist(), null_probability([0.0001], comparisons=100).round(3).tolist()
    ([0.359], [0.459])
    """
    p = _checked(p_values)
    known = ~np.isnan(p)
    made = int(known.sum())
    result = np.full(len(p), np.nan)
    if not made:
        return result
    family = made if comparisons is None else comparisons
    holds = (benjamini_hochberg(p, weights) * family / made <= _HOLDS)[known]
    others = (1 - _HOLDS) * (holds.sum() - holds)
    prior = np.minimum((1 + others) / (family + 1) * _scaled(p, weights)[known], 0.5)
    result[known] = (1 - prior) / (1 - prior + prior * _evidence(p[known]))
    return result


def _evidence(p: FloatArray) -> FloatArray:
    """How much likelier the p-value is if something is going on; at least 1, as a large one speaks for nothing."""
    inside = np.clip(p, _TINY, 0.999)
    log = np.log(inside)
    return np.maximum((1 - inside + inside * log) / (inside * log**2), 1.0)


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


def _scaled(p: FloatArray, weights: npt.ArrayLike | None) -> FloatArray:
    """Weights with mean 1 over the comparisons that were made."""
    given = np.ones(len(p)) if weights is None else np.atleast_1d(np.asarray(weights, dtype=float))
    if len(given) != len(p) or not (given >= 0).all():
        raise ConfigurationError("Each comparison needs a weight ≥ 0.", found=f"{len(given)} for {len(p)} comparisons")
    total = given[~np.isnan(p)].sum()
    return given * ((~np.isnan(p)).sum() / total) if total > 0 else np.ones(len(p))


def _weighted(p: FloatArray, weights: npt.ArrayLike | None) -> FloatArray:
    scaled = _scaled(p, weights)
    return np.minimum(np.divide(p, scaled, out=np.ones(len(p)), where=scaled > 0), 1.0)


def _checked(p_values: npt.ArrayLike) -> FloatArray:
    p = np.atleast_1d(np.asarray(p_values, dtype=float))
    outside = (p < 0) | (p > 1)
    if outside.any():
        raise ConfigurationError("A p-value lies between 0 and 1.", found=f"{p[outside][:3].tolist()}")
    return p
