"""Control limits of a funnel plot: how far a rate may lie from the common one by chance alone, by number of cases."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from revops_analysis.errors import ConfigurationError

FloatArray = npt.NDArray[np.float64]


def binomial_limits(rate: float, n: npt.ArrayLike, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """The limits within which a proportion of n cases lies with probability `level` or more, given the true `rate`.

    Exact binomial quantiles ÷ n, so that what lies on a limit is still within; nan where n is 0. They are not
    interpolated between whole numbers, which would give some of the promised probability away.
    Source: Spiegelhalter, Statistics in Medicine 24 (2005) 1185–1202.
    Raises ConfigurationError for a rate or level outside 0 to 1.

    >>> [limit.round(3).tolist() for limit in binomial_limits(0.25, [10, 1000])]
    [[0.0, 0.223], [0.5, 0.277]]
    """
    if not (0 <= rate <= 1 and 0 < level < 1):
        raise ConfigurationError("A rate and a level lie between 0 and 1.", found=f"rate {rate}, level {level}")
    cases = np.atleast_1d(np.asarray(n, dtype=float))
    tail, size = (1 - level) / 2, np.maximum(cases, 1)
    low, high = (np.where(cases > 0, binom.ppf(p, size, rate) / size, np.nan) for p in (tail, 1 - tail))
    return low, high
