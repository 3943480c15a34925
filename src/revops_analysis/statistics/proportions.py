"""Differences of two proportions, for any number of pairs: interval and exact test."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.statistics.intervals import wilson_interval


def compare_proportions(
    later: tuple[npt.ArrayLike, npt.ArrayLike],
    earlier: tuple[npt.ArrayLike, npt.ArrayLike],
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Difference of proportions, later less earlier, a row a pair in the order given.

    `later` and `earlier` are (successes, n), one number a pair. Columns: `difference, low, high, p_value, p_lower`; all
    null where one side has no cases. The interval is Newcombe's hybrid of the two Wilson intervals, which stays sound
    for small groups and shares near 0 and 1; `p_value` is Fisher's exact, two-sided, and `p_lower` that of a difference
    this far below 0 or further.

    Source: method 10 of Newcombe, Statistics in Medicine 17 (1998) 873–890; Fisher, Design of Experiments (1935).

    >>> compare_proportions(([56], [70]), ([48], [80])).round(4).to_numpy().tolist()
    [[0.2, 0.0524, 0.3339, 0.0125, 0.9979]]
    """
    from scipy.stats import hypergeom

    (x1, n1), (x0, n0) = (
        tuple(np.atleast_1d(np.asarray(part, dtype=float)) for part in side) for side in (later, earlier)
    )
    with_cases = (n1 > 0) & (n0 > 0)
    p1, p0 = (np.divide(x, n, out=np.full(len(x), np.nan), where=with_cases) for x, n in ((x1, n1), (x0, n0)))
    (low1, high1), (low0, high0) = wilson_interval(x1, n1, confidence), wilson_interval(x0, n0, confidence)
    difference = p1 - p0
    columns = {
        "difference": difference,
        "low": difference - np.hypot(p1 - low1, high0 - p0),
        "high": difference + np.hypot(high1 - p1, p0 - low0),
        "p_value": _fisher(x1, n1, x0, n0),
        "p_lower": hypergeom.cdf(x1, n1 + n0, x1 + x0, n1),
    }
    return pd.DataFrame({name: np.where(with_cases, values, np.nan) for name, values in columns.items()})


def _fisher(
    x1: npt.NDArray[np.float64],
    n1: npt.NDArray[np.float64],
    x0: npt.NDArray[np.float64],
    n0: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    from scipy.stats import fisher_exact

    tables = np.stack([np.stack([x1, n1 - x1], axis=-1), np.stack([x0, n0 - x0], axis=-1)], axis=-2).astype(int)
    return np.array([fisher_exact(table).pvalue for table in tables], dtype=float)
