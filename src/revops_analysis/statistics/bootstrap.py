"""Bootstrap intervals of ratios of sums: yield, coverage, retention, amount-weighted win rate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.statistics.intervals import normal_quantile

if TYPE_CHECKING:
    from scipy import sparse

_BLOCK = 2_000_000
_MAX_UNITS = 10_000
_MOST_COUNTED = 2_000


@dataclass(frozen=True)
class BootstrapOptions:
    """How to resample: number of repeats and confidence level.

    1,000 repeats fix the limits of a 95% interval to about a twentieth of its width.
    """

    repeats: int = 1_000
    confidence: float = 0.95


@dataclass(frozen=True)
class RatioInterval:
    """A ratio of sums with its interval.

    `value`, `low` and `high` are None where they cannot be computed, and `reason` then says why. `n` is the number of
    resampled units: clusters where they are given, else rows.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str | None = None


def bootstrap_ratio(
    numerator: npt.ArrayLike,
    denominator: npt.ArrayLike,
    seed: int,
    *,
    clusters: npt.ArrayLike | None = None,
    options: BootstrapOptions = BootstrapOptions(),
) -> RatioInterval:
    """Σ numerator ÷ Σ denominator with a percentile bootstrap interval.

    `numerator` and `denominator` have one number a row (same length). Rows with the same value in `clusters` are drawn
    together, as rows of one account or one deal must be. Missing numbers are refused: decide first what they mean.
    Null with a reason: no rows, a denominator that sums to 0. One unit: a value without interval.

    The result does not depend on the order of rows: units are sorted before they are drawn. Above 10,000 units they
    are first dealt into 10,000 random groups, whose sums are resampled instead; the spread of a sum is the same, time
    and memory stay bounded. Memory: about 50 MB whatever the size.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), ch. 13 (percentile interval).

    >>> bootstrap_ratio([1, 2, 3], [2, 4, 6], seed=0)
    RatioInterval(value=0.5, low=0.5, high=0.5, n=3, reason=None)
    >>> bootstrap_ratio([0, 0], [0, 0], seed=0).reason
    'the denominator is zero'
    """
    units = _units(numerator, denominator, clusters)
    n = len(units)
    if n == 0:
        return RatioInterval(None, None, None, 0, "no cases")
    top, bottom = units.sum(axis=0)
    if bottom == 0:
        return RatioInterval(None, None, None, n, "the denominator is zero")
    value = float(top / bottom)
    if n == 1:
        return RatioInterval(value, None, None, n, "one case has no interval")
    ratios = _resampled_ratios(units, seed, options.repeats)
    low, high = _percentiles(ratios, options.confidence)
    if low is None:
        return RatioInterval(value, None, None, n, "too many resamples have a denominator of zero")
    return RatioInterval(value, low, high, n)


def bootstrap_ratios(
    numerators: npt.NDArray[np.float64],
    denominator: npt.NDArray[np.float64],
    seed: int,
    options: BootstrapOptions = BootstrapOptions(),
) -> npt.NDArray[np.float64]:
    """Several ratios over the same units at once: a column each of `numerators`, Σ column ÷ Σ denominator.

    Returns a row a column: value, low, high; nan where `bootstrap_ratio` has None. The numbers are those of
    `bootstrap_ratio`, column by column, but a unit is drawn by counting how often and not by looking it up, so that
    hundreds of ratios cost one multiplication of matrices. Above 2,000 units they are dealt into 2,000 random groups.

    >>> bootstrap_ratios(np.array([[1.0, 2.0], [2.0, 4.0]]), np.array([2.0, 4.0]), seed=0).tolist()
    [[0.5, 0.5, 0.5], [1.0, 1.0, 1.0]]
    """
    n, columns = numerators.shape
    found = np.full((columns, 3), np.nan)
    total = denominator.sum()
    if n == 0 or total == 0:
        return found
    tops, bottom = _dealt(numerators, denominator, seed) if n > _MOST_COUNTED else (numerators, denominator)
    orders = [np.lexsort((bottom, tops[:, column])) for column in range(columns)]
    ordered = np.column_stack([tops[order, column] for column, order in enumerate(orders)])
    below = np.column_stack([bottom[order] for order in orders])
    found[:, 0] = ordered.sum(axis=0) / below.sum(axis=0)
    if n == 1:
        return found
    times = _times_drawn(seed, len(bottom), options.repeats)
    sums, bases = times @ ordered, times @ below
    ratios = np.divide(sums, bases, out=np.full(sums.shape, np.nan), where=bases != 0)
    for column in range(columns):
        low, high = _percentiles(ratios[:, column], options.confidence)
        if low is not None:
            found[column, 1:] = low, high
    return found


def _dealt(
    numerators: npt.NDArray[np.float64], denominator: npt.NDArray[np.float64], seed: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sums over random groups of units; which unit is in which does not depend on the order of rows."""
    group = np.empty(len(denominator), dtype=np.int64)
    mixed = np.random.default_rng(seed).random(numerators.shape[1] + 1)
    order = np.argsort(numerators @ mixed[1:] + denominator * mixed[0])  # one key that tells different units apart
    group[order] = np.random.default_rng(seed).permutation(len(denominator)) % _MOST_COUNTED
    together = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(group[together]) > 0])
    return np.add.reduceat(numerators[together], starts, axis=0), np.add.reduceat(denominator[together], starts)


@lru_cache(maxsize=2)
def _times_drawn(seed: int, n: int, repeats: int) -> npt.NDArray[np.float64]:
    """How often each of n units is drawn in each resample: the draws of `_drawn`, counted."""
    flat = (_drawn(seed, n, repeats) + n * np.arange(repeats)[:, None]).ravel()
    times = np.bincount(flat, minlength=n * repeats).reshape(repeats, n).astype(np.float64)
    times.flags.writeable = False
    return times


def _units(
    numerator: npt.ArrayLike, denominator: npt.ArrayLike, clusters: npt.ArrayLike | None
) -> npt.NDArray[np.float64]:
    """One row a unit [numerator, denominator], sorted, so that the order of the input cannot matter."""
    pairs = np.column_stack([np.asarray(numerator, dtype=float), np.asarray(denominator, dtype=float)])
    if not np.isfinite(pairs).all():
        raise ConfigurationError(
            "A ratio of sums needs a number in every row.",
            found=f"{int((~np.isfinite(pairs)).any(axis=1).sum())} rows with a missing or infinite number",
            fix="leave rows without a value out, or decide what they count as, before the call",
        )
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))] if clusters is None else _sum_clusters(pairs, clusters)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _sum_clusters(pairs: npt.NDArray[np.float64], clusters: npt.ArrayLike) -> npt.NDArray[np.float64]:
    codes, names = pd.factorize(np.asarray(clusters), sort=True)
    if len(codes) != len(pairs) or (codes < 0).any():
        raise ConfigurationError(
            "Each row needs a cluster.",
            expected=f"{len(pairs)} cluster labels, none missing",
            found=f"{len(codes)} labels, {int((codes < 0).sum())} missing",
            fix="give the account or deal of each row",
        )
    order = np.lexsort((pairs[:, 1], pairs[:, 0], codes))
    columns = [np.bincount(codes[order], weights=pairs[order, side], minlength=len(names)) for side in (0, 1)]
    return np.column_stack(columns)


def _resampled_ratios(units: npt.NDArray[np.float64], seed: int, repeats: int) -> npt.NDArray[np.float64]:
    """Ratio in each resample; nan where the resampled denominator is 0."""
    sides = _sums_at_once(units, seed, repeats) if len(units) * repeats <= _BLOCK else _sums(units, seed, repeats)
    top, bottom = sides
    return np.divide(top, bottom, out=np.full(repeats, np.nan), where=bottom != 0)


def _sums_at_once(units: npt.NDArray[np.float64], seed: int, repeats: int) -> npt.NDArray[np.float64]:
    """As `_sums`, for few units: several ratios over the same units share one drawing."""
    drawn = _drawn(seed, len(units), repeats)
    return np.stack([np.take(np.ascontiguousarray(units[:, side]), drawn).sum(axis=1) for side in (0, 1)])


@lru_cache(maxsize=1)
def _drawn(seed: int, n: int, repeats: int) -> npt.NDArray[np.int64]:
    drawn = np.random.default_rng(seed).integers(0, n, size=(repeats, n))
    drawn.flags.writeable = False
    return drawn


def _sums(units: npt.NDArray[np.float64], seed: int, repeats: int) -> npt.NDArray[np.float64]:
    """Σ numerator and Σ denominator of each resample, drawn block by block."""
    rng = np.random.default_rng(seed)
    if len(units) > _MAX_UNITS:
        group = rng.permutation(len(units)) % _MAX_UNITS
        units = np.column_stack([np.bincount(group, weights=units[:, side]) for side in (0, 1)])
    n = len(units)
    step = max(1, _BLOCK // n)
    blocks = []
    for start in range(0, repeats, step):
        drawn = rng.integers(0, n, size=(min(step, repeats - start), n))
        blocks.append(np.stack([units[:, side][drawn].sum(axis=1) for side in (0, 1)]))
    return np.concatenate(blocks, axis=1)


def _percentiles(ratios: npt.NDArray[np.float64], confidence: float) -> tuple[float | None, float | None]:
    normal_quantile(confidence)  # refuses a level outside (0, 1)
    known = ratios[~np.isnan(ratios)]
    if len(known) < 0.95 * len(ratios):
        return None, None
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def bootstrap_sums(
    amounts: npt.ArrayLike | sparse.csr_array, seed: int, options: BootstrapOptions = BootstrapOptions()
) -> npt.NDArray[np.float64]:
    """Return the column sums of each resample of rows, shape (repeats, columns).

    `amounts` has a row a unit (an account, say) and a column for each thing that is summed; all columns of a resample
    come from the same draw, so what is computed from several of them, as a share is, keeps their dependence. The
    caller puts rows in an order that does not depend on chance. Above 10,000 rows they are dealt into 10,000 random
    groups first, as in `bootstrap_ratio`. Missing numbers are refused. A sparse table gives the same as a dense one.

    >>> bootstrap_sums([[1.0, 2.0], [1.0, 2.0]], seed=0, options=BootstrapOptions(repeats=2)).tolist()
    [[2.0, 4.0], [2.0, 4.0]]
    """
    is_sparse = hasattr(amounts, "tocsr")
    rows: Any = amounts if is_sparse else np.asarray(amounts, dtype=float)
    numbers = rows.data if is_sparse else rows
    if rows.ndim != 2 or not np.isfinite(numbers).all():
        raise ConfigurationError(
            "Sums are drawn from a table of numbers.",
            expected="two dimensions, no missing number",
            found=f"shape {rows.shape}, {int((~np.isfinite(numbers)).sum())} missing or infinite",
            fix="decide what a missing amount counts as before the call",
        )
    rng = np.random.default_rng(seed)
    n = rows.shape[0]
    if n > _MAX_UNITS:
        rows = _grouped(rows, rng.permutation(n) % _MAX_UNITS)
        n = _MAX_UNITS
    if n == 0:
        return np.zeros((options.repeats, rows.shape[1]))
    step = max(1, _BLOCK // n)
    blocks = []
    for start in range(0, options.repeats, step):
        repeats = min(step, options.repeats - start)
        drawn = rng.integers(0, n, size=(repeats, n)) + np.arange(repeats)[:, None] * n
        times = np.bincount(drawn.ravel(), minlength=repeats * n).reshape(repeats, n)
        blocks.append(np.asarray((rows.T @ times.T.astype(float)).T if is_sparse else times.astype(float) @ rows))
    return np.concatenate(blocks)


def _grouped(rows: Any, group: npt.NDArray[np.int64]) -> Any:
    """Sums of rows, dense or sparse, over groups from 0 that all have rows."""
    if hasattr(rows, "tocsr"):
        from scipy import sparse

        member = sparse.csr_array((np.ones(len(group)), (group, np.arange(len(group)))))
        return member @ rows
    order = np.argsort(group, kind="stable")
    return np.add.reduceat(rows[order], np.searchsorted(group[order], np.arange(_MAX_UNITS)), axis=0)
