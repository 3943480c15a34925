"""Confidence intervals of proportions, for any number of groups at once."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from revops_analysis.errors import ConfigurationError

FloatArray = npt.NDArray[np.float64]


@lru_cache
def normal_quantile(confidence: float) -> float:
    """The two-sided standard normal quantile of a confidence level.

    Raises ConfigurationError unless 0 < confidence < 1.

    >>> round(normal_quantile(0.95), 6)
    1.959964
    """
    if not 0 < confidence < 1:
        raise ConfigurationError(
            "A confidence level lies between 0 and 1.", found=repr(confidence), fix="give, for instance, 0.95"
        )
    return float(norm.ppf(0.5 + confidence / 2))


def wilson_interval(
    successes: npt.ArrayLike, n: npt.ArrayLike, confidence: float = 0.95
) -> tuple[FloatArray, FloatArray]:
    """Wilson's score interval of a proportion, without continuity correction.

    `successes` and `n` are counts of any broadcastable shape; the result is `(low, high)` of that shape, within [0, 1].
    A group without cases (n = 0, or a missing count) gets nan for both limits: without evidence there is no interval.

    Source: Wilson (1927); method 3 of Newcombe, Statistics in Medicine 17 (1998) 857–872.
    Raises ConfigurationError for negative counts and for more successes than cases.

    >>> low, high = wilson_interval([81, 0], [263, 0])
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.2553, nan], [0.3662, nan])
    """
    x, total = np.broadcast_arrays(_counts(successes), _counts(n))
    if np.any(x < 0) or np.any(x > total):
        raise ConfigurationError(
            "A proportion needs 0 ≤ successes ≤ n.",
            found=f"successes {x[(x < 0) | (x > total)][:3].tolist()}, n {total[(x < 0) | (x > total)][:3].tolist()}",
            fix="count successes among the same rows as n",
        )
    z2 = normal_quantile(confidence) ** 2
    cases = np.where(total > 0, total, np.nan)
    centre = x + z2 / 2
    spread = np.sqrt(z2 * (x * (cases - x) / cases + z2 / 4))
    # At 0 and n the limit is exactly 0 and 1; rounding must not push it to -1e-17.
    low = np.where(x == 0, 0.0, (centre - spread) / (cases + z2))
    high = np.where(x == total, 1.0, (centre + spread) / (cases + z2))
    unknown = np.isnan(cases) | np.isnan(x)
    return np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)


def _counts(values: npt.ArrayLike) -> FloatArray:
    """Counts as floats, with every kind of missing value as nan."""
    import pandas as pd

    if isinstance(values, pd.Series):
        return values.to_numpy(dtype=float, na_value=np.nan)
    return np.asarray(values, dtype=float)
