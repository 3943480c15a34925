"""The chain of order 1 over again on resampled accounts, all resamples at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from revops_analysis.attribution.deal_paths import DealPaths, deal_paths
from revops_analysis.attribution.path_models import walks_of
from revops_analysis.attribution.paths import FloatArray
from revops_analysis.statistics.bootstrap import BootstrapOptions, bootstrap_sums

if TYPE_CHECKING:
    from revops_analysis.attribution.journeys import Journeys
    from revops_analysis.periods import Period


def markov_draws(journeys: Journeys, period: Period, seed: int, options: BootstrapOptions) -> FloatArray:
    """Credit of value by channel in each resample of accounts, shape (repeats, channels of the paths).

    The chain is made again from each resample. It is of order 1 whatever the order of the definitions: with more memory
    a resample leaves most states without a walk.
    """
    known = deal_paths(journeys)
    return chain_credit(bootstrap_sums(account_counts(known, walks_of(known.deals, period)), seed, options), known)


def account_counts(known: DealPaths, weights: FloatArray) -> FloatArray:
    """What a chain is made of, a row an account: moves from channel to channel, beginnings, and how walks ended.

    Columns, with C channels: C² moves, then for each channel walks that began there, conversions, value and nulls of
    walks that ended there. Deals without account are one account.
    """
    paths, size = known.paths, len(known.paths.channels)
    account, names = pd.factorize(known.deals["account_id"].fillna(""), sort=True)
    width = size * size + 4 * size
    lengths = paths.lengths[paths.path_of]
    within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    step = np.repeat(paths.starts[paths.path_of], lengths) + within
    owner, channel = np.repeat(account, lengths), paths.steps[step]
    goes_on = np.flatnonzero(within < np.repeat(lengths, lengths) - 1)
    first, last = paths.steps[paths.starts[paths.path_of]], channel[np.cumsum(lengths) - 1]
    rows = [owner[goes_on], *[account] * 4]
    moves = channel[goes_on] * size + channel[goes_on + 1]
    columns = [moves, *(size * size + side * size + at for side, at in enumerate((first, last, last, last)))]
    ends = (known.won, known.worth, 1.0 - known.won)
    amounts = [np.repeat(weights, lengths)[goes_on], weights, *(weights * side for side in ends)]
    flat = np.concatenate(rows) * width + np.concatenate(columns)
    summed = np.bincount(flat, np.concatenate(amounts), minlength=len(names) * width)
    return summed.astype(float).reshape(len(names), width)


def chain_credit(sums: FloatArray, known: DealPaths) -> FloatArray:
    """Credit of value by channel for each row of summed counts: removal effects by batched solution of the chain."""
    size = len(known.paths.channels)
    moves = sums[:, : size * size].reshape(-1, size, size)
    begins, wins, value, nulls = np.moveaxis(sums[:, size * size :].reshape(-1, 4, size), 1, 0)
    leaving = moves.sum(axis=2) + wins + nulls
    rate = np.divide(1.0, leaving, out=np.zeros_like(leaving), where=leaving > 0)
    goes, earns = moves * rate[:, :, None], value * rate
    whole = _earned(begins, goes, earns)
    lost = np.empty((len(sums), size))
    for code in range(size):
        kept = np.arange(size) != code
        lost[:, code] = whole - _earned(begins[:, kept], goes[:, kept][:, :, kept], earns[:, kept])
    lost = np.maximum(lost, 0.0)
    total = lost.sum(axis=1, keepdims=True)
    return np.divide(lost, total, out=np.zeros_like(lost), where=total > 0) * value.sum(axis=1, keepdims=True)


def _earned(begins: FloatArray, goes: FloatArray, earns: FloatArray) -> FloatArray:
    """Expected value of all walks: begins · (I − goes)⁻¹ · earns, for every resample."""
    size = begins.shape[1]
    if size == 0:
        return np.zeros(len(begins))
    solved = np.linalg.solve(np.eye(size) - goes, earns[:, :, None])[:, :, 0]
    return np.einsum("rc,rc->r", begins, solved)
