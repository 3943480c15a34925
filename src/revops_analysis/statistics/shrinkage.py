"""Empirical Bayes: noisy rates and means of many groups, pulled towards what the groups have in common.

The less evidence a group has, the further it is pulled. Ranks and outliers among sellers or segments are then not
mostly those with few cases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize
from scipy.special import betaln
from scipy.stats import beta

from revops_analysis.errors import ConfigurationError
from revops_analysis.statistics.intervals import normal_quantile

FloatArray = npt.NDArray[np.float64]
_MAX_PRECISION = 1e6  # above this the groups do not differ beyond chance, and the prior is a point


@dataclass(frozen=True)
class ShrunkRates:
    """Shrunk rates. `frame` has a row a group, in the order given: `raw, shrunk, low, high, n, weight`.

    `weight` is the weight of the group's own evidence, 0 to 1; `raw` is null where n = 0. The prior is
    Beta(`alpha`, `beta`); both are None, and the result null, when no group has cases. `low` and `high` are the equal
    tails of the group's posterior; they leave out the uncertainty of the prior itself.
    """

    frame: pd.DataFrame
    alpha: float | None
    beta: float | None


@dataclass(frozen=True)
class ShrunkMeans:
    """Shrunk means. `frame` has a row a group, in the order given: `raw, shrunk, low, high, weight`.

    The prior is Normal(`mean`, `variance`); both are None when no group has a value. `low`, `high` as in ShrunkRates.
    """

    frame: pd.DataFrame
    mean: float | None
    variance: float | None


def shrink_beta_binomial(
    successes: npt.ArrayLike,
    n: npt.ArrayLike,
    *,
    method: Literal["likelihood", "moments"] = "likelihood",
    confidence: float = 0.95,
) -> ShrunkRates:
    """Shrink rates of groups towards their common rate under a beta-binomial model.

    `successes` and `n` are counts, one a group. A group without cases gets the prior, with its spread. The prior is
    fitted by maximum likelihood, or by moments: mean Σx ÷ Σn, and the intra-class correlation that explains
    Σ(x − nμ)². Where groups differ no more than chance would make them, all get the common rate.

    Source: Kleinman, JASA 68 (1973) 46–54; Efron & Hastie, Computer Age Statistical Inference (2016), ch. 6.
    Raises ConfigurationError for counts that are negative, missing or more than n.

    >>> shrink_beta_binomial([1, 30], [2, 100]).frame.round(2)["shrunk"].tolist()
    [0.3, 0.3]
    """
    x, cases = _counts(successes, n)
    if cases.sum() == 0:
        empty = pd.DataFrame({name: np.full(len(x), np.nan) for name in ("raw", "shrunk", "low", "high")})
        return ShrunkRates(empty.assign(n=cases, weight=np.nan), None, None)
    mean, precision = _moments(x, cases)
    if method == "likelihood":
        mean, precision = _likelihood(x, cases, (mean, precision))
    a, b = mean * precision, (1 - mean) * precision
    tail = (1 - confidence) / 2
    raw = np.divide(x, cases, out=np.full(len(x), np.nan), where=cases > 0)
    columns = {
        "raw": raw,
        "shrunk": (x + a) / (cases + precision),
        **_posterior_limits(x + a, cases - x + b, tail),
        "n": cases,
        "weight": cases / (cases + precision),
    }
    return ShrunkRates(pd.DataFrame(columns), float(a), float(b))


def shrink_normal(values: npt.ArrayLike, variances: npt.ArrayLike, *, confidence: float = 0.95) -> ShrunkMeans:
    """Shrink means of groups towards their weighted mean under a normal-normal model with known sampling variances.

    `values` and `variances` (> 0) have one number a group; a missing value is replaced by the prior mean, with the
    prior's spread. The variance between groups is the moment estimate of DerSimonian & Laird, never negative.

    Source: DerSimonian & Laird, Controlled Clinical Trials 7 (1986) 177–188.

    >>> shrink_normal([1.0, 3.0], [1.0, 1.0]).frame["shrunk"].tolist()
    [1.5, 2.5]
    """
    y = np.atleast_1d(np.asarray(values, dtype=float))
    v = np.where(np.isnan(y), np.inf, np.broadcast_to(np.asarray(variances, dtype=float), y.shape))
    if not (v > 0).all():
        raise ConfigurationError("Sampling variances must be positive.", found=f"{v[~(v > 0)][:3].tolist()}")
    if np.isnan(y).all():
        empty = pd.DataFrame({name: np.full(len(y), np.nan) for name in ("raw", "shrunk", "low", "high", "weight")})
        return ShrunkMeans(empty, None, None)
    between = _between_variance(y[~np.isnan(y)], v[~np.isnan(y)])
    share = 1 / (v + between)
    mean = float(np.nansum(share * y) / share.sum())
    weight = between / (between + v)
    shrunk = mean + weight * np.where(np.isnan(y), 0.0, y - mean)
    spread = np.sqrt(between * (1 - weight))
    z = normal_quantile(confidence)
    limits = {"low": shrunk - z * spread, "high": shrunk + z * spread}
    return ShrunkMeans(pd.DataFrame({"raw": y, "shrunk": shrunk, **limits, "weight": weight}), mean, between)


def _counts(successes: npt.ArrayLike, n: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    x, cases = np.broadcast_arrays(
        np.atleast_1d(np.asarray(successes, dtype=float)), np.atleast_1d(np.asarray(n, dtype=float))
    )
    good = (x >= 0) & (x <= cases)
    if not good.all():
        raise ConfigurationError(
            "Shrinkage needs 0 ≤ successes ≤ n in every group.",
            found=f"{int((~good).sum())} groups without, the first at place {int(np.flatnonzero(~good)[0])}",
            fix="count successes among the same rows as n; a group without cases has n = 0",
        )
    return x, cases


def _moments(x: FloatArray, cases: FloatArray) -> tuple[float, float]:
    """Mean and precision (α + β) of the prior by moments."""
    mean = float(x.sum() / cases.sum())
    pairs = float((cases * (cases - 1)).sum())
    if mean in (0.0, 1.0) or pairs == 0:
        return mean, _MAX_PRECISION
    excess = float(((x - cases * mean) ** 2).sum()) / (mean * (1 - mean)) - float(cases.sum())
    correlation = excess / pairs
    if correlation <= 1 / (_MAX_PRECISION + 1):
        return mean, _MAX_PRECISION
    return mean, max(1 / min(correlation, 1.0) - 1, 1e-3)


def _likelihood(x: FloatArray, cases: FloatArray, start: tuple[float, float]) -> tuple[float, float]:
    """Mean and precision of the prior by maximum likelihood, on the logit and log scale, from the moments on."""
    mean, precision = start
    if mean in (0.0, 1.0):
        return start

    def loss(point: FloatArray) -> float:
        m, k = 1 / (1 + np.exp(-point[0])), np.exp(point[1])
        a, b = m * k, (1 - m) * k
        return -float((betaln(x + a, cases - x + b) - betaln(a, b)).sum())

    limit = np.log(_MAX_PRECISION)
    begin = [np.log(mean / (1 - mean)), min(np.log(precision), limit - 5)]
    bounds = [(-20, 20), (np.log(1e-3), limit)]
    found = minimize(loss, begin, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-13, "gtol": 1e-8})
    # The likelihood is flat towards no difference between groups; keep the common rate unless a spread fits better.
    flat = loss(np.array([begin[0], limit]))
    if flat <= found.fun + 1e-6:
        return mean, _MAX_PRECISION
    return float(1 / (1 + np.exp(-found.x[0]))), float(np.exp(found.x[1]))


def _posterior_limits(a: FloatArray, b: FloatArray, tail: float) -> dict[str, FloatArray]:
    """Equal-tailed limits of Beta(a, b); a rate that was 0 or 1 throughout leaves no spread to show."""
    proper = (a > 0) & (b > 0)
    point = a / (a + b)
    safe_a, safe_b = np.where(proper, a, 1.0), np.where(proper, b, 1.0)
    low, high = beta.ppf(tail, safe_a, safe_b), beta.ppf(1 - tail, safe_a, safe_b)
    return {"low": np.where(proper, low, point), "high": np.where(proper, high, point)}


def _between_variance(y: FloatArray, v: FloatArray) -> float:
    w = 1 / v
    mean = (w * y).sum() / w.sum()
    spread = w.sum() - (w**2).sum() / w.sum()
    if spread <= 0:
        return 0.0
    return float(max(((w * (y - mean) ** 2).sum() - (len(y) - 1)) / spread, 0.0))
