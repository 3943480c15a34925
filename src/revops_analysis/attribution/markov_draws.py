"""The chain over again on resampled accounts: all resamples at once at order 1, in a few large systems above it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from revops_analysis.attribution.deal_paths import DealPaths, deal_paths
from revops_analysis.attribution.markov import Walks, walks_in
from revops_analysis.attribution.path_models import walks_of
from revops_analysis.attribution.paths import FloatArray, IntArray
from revops_analysis.statistics.bootstrap import BootstrapOptions, bootstrap_sums

if TYPE_CHECKING:
    from revops_analysis.attribution.journeys import Journeys
    from revops_analysis.periods import Period

MOST_REPEATS = {1: 100_000, 2: 500, 3: 100}
"""Most resamples by order: with more memory each is hundreds of equations for each channel. 100 fix the limits of a 95%
interval to about a seventh of its width."""

_EQUATIONS = 3_000
"""How many equations are solved at once."""


def markov_draws(journeys: Journeys, period: Period, seed: int, options: BootstrapOptions) -> FloatArray:
    """Credit of value by channel in each resample of accounts, shape (repeats, channels of the paths).

    The chain is made again from each resample, at the order of the definitions. States that a resample does not meet
    have no walk there, and weigh nothing. There are at most `MOST_REPEATS` resamples.
    """
    known = deal_paths(journeys)
    asked = replace(options, repeats=min(options.repeats, MOST_REPEATS[known.order]))
    counts = account_counts(known, walks_of(known.deals, period))
    return chain_credit(bootstrap_sums(counts, seed, asked), known)


def account_counts(known: DealPaths, weights: FloatArray) -> sparse.csr_array:
    """What a chain is made of, a row an account: moves from state to state, beginnings, and how walks ended.

    Columns: moves, then for each state walks that began there, conversions, value and nulls of walks that ended there.
    Deals without account are one account.
    """
    paths, met = known.paths, walks_in(known.paths, known.order)
    account, names = pd.factorize(known.deals["account_id"].fillna(""), sort=True)
    lengths = paths.lengths[paths.path_of]
    within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    step = np.repeat(paths.starts[paths.path_of], lengths) + within
    move_at = np.full(len(paths.steps), -1, dtype=np.int64)
    move_at[met.here] = met.move
    goes_on = np.flatnonzero(move_at[step] >= 0)
    first = met.state[paths.starts[paths.path_of]]
    last = met.state[paths.starts[paths.path_of] + lengths - 1]
    size, moves = len(met.channel), len(met.begin)
    owner = np.repeat(account, lengths)[goes_on]
    ends = (known.won, known.worth, 1.0 - known.won)
    columns = [move_at[step[goes_on]], *(moves + side * size + at for side, at in enumerate((first, last, last, last)))]
    amounts = [np.repeat(weights, lengths)[goes_on], weights, *(weights * side for side in ends)]
    where = (np.concatenate([owner, *[account] * 4]), np.concatenate(columns))
    shape = (len(names), moves + 4 * size)
    return sparse.csr_array(sparse.coo_array((np.concatenate(amounts), where), shape=shape))


def chain_credit(sums: FloatArray, known: DealPaths) -> FloatArray:
    """Credit of value by channel for each row of summed counts, by removal effects: exact solutions of the chain."""
    met, channels = walks_in(known.paths, known.order), len(known.paths.channels)
    moves, size = sums[:, : len(met.begin)], len(met.channel)
    begins, wins, value, nulls = np.moveaxis(sums[:, len(met.begin) :].reshape(len(sums), 4, size), 1, 0)
    leaves = sparse.csr_array((np.ones(len(met.begin)), (np.arange(len(met.begin)), met.begin)), (len(met.begin), size))
    leaving = wins + nulls + np.asarray(moves @ leaves)
    rate = np.divide(1.0, leaving, out=np.zeros_like(leaving), where=leaving > 0)
    drawn, met = _met(_Drawn(begins, moves * rate[:, met.begin], value * rate), met, (leaving > 0).any(axis=0))
    size = len(met.channel)
    solve = _dense if known.order == 1 else _sparse
    whole = solve(drawn, met, np.ones(size, dtype=bool))
    lost = np.column_stack([whole - solve(drawn, met, met.channel != code) for code in range(channels)])
    lost = np.maximum(lost, 0.0)
    total = lost.sum(axis=1, keepdims=True)
    return np.divide(lost, total, out=np.zeros_like(lost), where=total > 0) * value.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class _Drawn:
    """A row a resample: walks that begin in each state, the chance of each move, the value earned next."""

    begins: FloatArray
    goes: FloatArray
    earns: FloatArray


def _met(drawn: _Drawn, met: Walks, kept: np.ndarray) -> tuple[_Drawn, Walks]:
    """The same without the states that no resample meets, and the moves between them."""
    number = np.cumsum(kept) - 1
    moves = np.flatnonzero(kept[met.begin] & kept[met.end])
    fewer = replace(met, channel=met.channel[kept], begin=number[met.begin[moves]], end=number[met.end[moves]])
    return _Drawn(drawn.begins[:, kept], drawn.goes[:, moves], drawn.earns[:, kept]), fewer


def _dense(drawn: _Drawn, met: Walks, kept: np.ndarray) -> FloatArray:
    """Expected value of all walks where only some states lead on: begins · (I − goes)⁻¹ · earns, for every resample."""
    size = len(met.channel)
    matrix = np.broadcast_to(np.eye(size), (len(drawn.goes), size, size)).copy()
    matrix[:, met.begin, met.end] -= drawn.goes
    some = np.ix_(np.arange(len(matrix)), np.flatnonzero(kept), np.flatnonzero(kept))
    if not kept.any():
        return np.zeros(len(matrix))
    solved = np.linalg.solve(matrix[some], drawn.earns[:, kept, None])[:, :, 0]
    return np.einsum("rc,rc->r", drawn.begins[:, kept], solved)


def _sparse(drawn: _Drawn, met: Walks, kept: np.ndarray) -> FloatArray:
    """The same, many resamples in one sparse system: blocks that know nothing of each other."""
    from scipy.sparse.linalg import splu

    size, on = len(met.channel), kept[met.begin] & kept[met.end]
    slots, place = np.unique(
        np.concatenate([np.arange(size) * (size + 1), met.end[on] * size + met.begin[on]]), return_inverse=True
    )
    starts = np.searchsorted(slots, np.arange(size + 1) * size)
    found = []
    step = max(1, _EQUATIONS // max(size, 1))
    for first in range(0, len(drawn.goes), step):
        part = slice(first, first + step)
        data = np.zeros((len(drawn.goes[part]), len(slots)))
        data[:, place[:size]] = 1.0
        data[:, place[size:]] -= drawn.goes[part][:, on]
        system = _blocks(data, slots % size, starts)
        # States are numbered by what they remember, which leaves less to fill in than orders found by search.
        solved = splu(system, permc_spec="NATURAL").solve((drawn.earns[part] * kept).ravel()).reshape(len(data), size)
        found.append(np.einsum("rc,rc->r", drawn.begins[part] * kept, solved))
    return np.concatenate(found) if found else np.zeros(0)


def _blocks(data: FloatArray, rows: IntArray, starts: IntArray) -> sparse.csc_array:
    """One matrix of many blocks with the same places filled: a row of `data` each."""
    count, size = len(data), len(starts) - 1
    block = np.arange(count)[:, None]
    indices = (rows + block * size).ravel()
    pointers = np.append((starts[:-1] + block * len(rows)).ravel(), count * len(rows))
    return sparse.csc_array((data.ravel(), indices, pointers), shape=(count * size, count * size))
