"""Markov attribution: how many conversions would be missing if a channel's touches led to nothing.

Buyers are read as walks: from the start to a channel, from there to the next, at last to a conversion or to nothing
(deals that were lost or are still open). The removal effect of a channel is the share of conversions that is lost when
every walk that comes to it ends there. Credit is what all removal effects share out.

With order k a walk remembers its last k touches. From order 1 on, more memory follows the paths more closely; at the
length of the longest path the removal effect is the share of conversions whose path met the channel.

The chain is solved exactly (sparse LU), not simulated: no repeats, no seed, and never a negative effect. Every state
was met on a path that ended, so the system has a solution whatever the data: a path with neither conversion nor null
weighs nothing and is left out.

Source: Anderl, Becker, von Wangenheim & Schumann, Mapping the customer journey, International Journal of Research in
Marketing 33 (2016) 457–474.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from scipy.sparse.linalg import splu

from revops_analysis.attribution.paths import (
    FloatArray,
    IntArray,
    Paths,
    channel_credit,
    distinct_channels,
    numbered,
)
from revops_analysis.errors import ConfigurationError

ORDERS = (1, 2, 3)
"""How many touches a walk may remember."""

_NO_EFFECT = 1e-12
NO_CONVERSION = "no path converts"
NO_VALUE = "no conversion has a value above 0"


@dataclass(frozen=True)
class MarkovCredit:
    """Credit of channels by their removal effects.

    `frame` has a row a channel: `channel, removal_effect, conversions, value_removal_effect, value`. A removal effect
    is a share from 0 to 1 of the conversions (of their value); effects do not add up to 1, credit does to the total.
    Where no path converts, or no conversion has a value, effects are null, credit is 0 and `reason` says why.
    `conversion_rate` is the chance that a walk converts, null without any walk. `order` is that of the chain.
    """

    order: int
    conversion_rate: float | None
    frame: pd.DataFrame
    reason: str | None


@dataclass(frozen=True)
class _Chain:
    """The states of the chain: how walks begin and go on, and how often and with what value they convert at each.

    `begins`: chance that a walk begins in each state; `goes`: chances from state to state; `ends`: [chance of
    converting, expected value of it] as the next step; `channel`: the channel of the touch that made the state.
    """

    begins: FloatArray
    goes: sparse.csr_array
    ends: FloatArray
    channel: IntArray


def markov(paths: Paths, order: int = 1) -> MarkovCredit:
    """Credit channels by removal effects on the absorbing chain of the given order (1 to 3).

    A single channel has effect 1 and all the credit. A channel that is on no converting path has effect 0 and none.
    Raises ConfigurationError for another order.

    >>> from revops_analysis.attribution.paths import Outcomes, paths_from_text
    >>> p = paths_from_text(["C1 > C2 > C3", "C1", "C2 > C3"], Outcomes([1, 0, 0], [100, 0, 0], [0, 1, 1]))
    >>> markov(p).frame.round(4)[["channel", "removal_effect", "conversions", "value"]].to_numpy().tolist()
    [['C1', 0.5, 0.2, 20.0], ['C2', 1.0, 0.4, 40.0], ['C3', 1.0, 0.4, 40.0]]
    """
    if order not in ORDERS:
        raise ConfigurationError(
            f"A Markov model of order {order} is not offered.",
            expected="an order of 1, 2 or 3",
            found=repr(order),
            fix="set attribution.markov_order in definitions.yml",
        )
    chain = _chain(paths, order)
    effects = removal_effects(paths, order, chain)
    totals = np.array([paths.conversions.sum(), paths.value.sum()])
    credit = _shared_out(effects, totals)
    frame = pd.DataFrame(
        {
            "channel": list(paths.channels),
            "removal_effect": effects[:, 0],
            "conversions": credit[:, 0],
            "value_removal_effect": effects[:, 1],
            "value": credit[:, 1],
        }
    )
    walks = float((paths.conversions + paths.nulls).sum())
    reason = NO_CONVERSION if totals[0] == 0 else NO_VALUE if totals[1] == 0 else None
    return MarkovCredit(order, float(totals[0] / walks) if walks else None, frame, reason)


def markov_by_deal(paths: Paths, order: int = 1) -> pd.DataFrame:
    """Credit channels by removal effects shared out within each path: `channel, conversions, value`.

    Another model than `markov`: each path's conversions are split among its distinct channels in proportion to their
    removal effects, so every deal is conserved, and channel totals differ from those of the chain.
    """
    return channel_credit(paths, markov_shares(paths, order))


def markov_shares(paths: Paths, order: int = 1) -> FloatArray:
    """Share of each step in its path's credit: a channel's removal effect among the path's distinct channels, split
    over the channel's steps. Where no channel of a path has an effect, its channels share alike.
    """
    effect = np.nan_to_num(markov(paths, order).frame["removal_effect"].to_numpy())
    _, times, different = distinct_channels(paths)
    weight = effect[paths.steps] / times
    total = np.bincount(paths.path_of_step, weight, minlength=len(paths.lengths))[paths.path_of_step]
    shared = np.divide(weight, total, out=np.zeros(len(weight)), where=total > 0)
    return np.where(total > 0, shared, 1.0 / (different * times))


def removal_effects(paths: Paths, order: int = 1, chain: _Chain | None = None) -> FloatArray:
    """Removal effects, a row a channel: [of conversions, of their value]; null where there are none to lose."""
    chain = _chain(paths, order) if chain is None else chain
    effects = np.full((len(paths.channels), 2), np.nan)
    whole = _expected(chain, np.ones(len(chain.channel), dtype=bool))
    has = whole > 0
    for code in range(len(paths.channels)):
        left = _expected(chain, chain.channel != code)
        effects[code, has] = np.minimum(1.0 - left[has] / whole[has], 1.0)
    # Below the last digits of a float an effect is none: what is left cannot exceed the whole.
    effects[effects < _NO_EFFECT] = 0.0
    return effects


def _shared_out(effects: FloatArray, totals: FloatArray) -> FloatArray:
    weights = np.nan_to_num(effects)
    sums = weights.sum(axis=0)
    return np.divide(weights, sums, out=np.zeros_like(weights), where=sums > 0) * totals


def _expected(chain: _Chain, kept: npt.NDArray[np.bool_]) -> FloatArray:
    """Expected conversions and value of a walk from the start when all states but those kept lead to nothing."""
    if not kept.any():
        return np.zeros(2)
    inner = chain.goes[kept][:, kept]
    system = sparse.csc_array(sparse.eye_array(inner.shape[0]) - inner)
    return chain.begins[kept] @ splu(system).solve(chain.ends[kept])


@dataclass(frozen=True)
class Walks:
    """What walks with some memory are made of: `state` of each step, from 0; `channel` of each state; `here`, the steps
    that another follows; `move` of each of these, and the states `begin` and `end` between which each move goes.
    """

    state: IntArray
    channel: IntArray
    here: IntArray
    move: IntArray
    begin: IntArray
    end: IntArray


def walks_in(paths: Paths, order: int) -> Walks:
    """Number the states and moves that the paths meet when walks remember their last `order` touches."""
    names, state = numbered(_memory(paths, order))
    goes_on = np.ones(len(state), dtype=bool)
    goes_on[paths.starts + paths.lengths - 1] = False
    here = np.flatnonzero(goes_on)
    pairs, move = numbered(state[here] * len(names) + state[here + 1])
    begin, end = divmod(pairs, max(len(names), 1))
    channel = np.empty(len(names), dtype=np.int64)
    channel[state] = paths.steps
    return Walks(state, channel, here, move, begin, end)


def _chain(paths: Paths, order: int) -> _Chain:
    walks, met = paths.conversions + paths.nulls, walks_in(paths, order)
    size, state = len(met.channel), met.state
    first, last = paths.starts, paths.starts + paths.lengths - 1
    weight = np.repeat(walks, paths.lengths)
    leaving = np.bincount(state, weight, minlength=size)
    # States on paths with neither conversion nor null lead nowhere.
    rate = np.divide(1.0, leaving, out=np.zeros(size), where=leaving > 0)
    counts = np.bincount(met.move, weight[met.here], minlength=len(met.begin))
    moves = sparse.coo_array((counts, (met.begin, met.end)), shape=(size, size))
    ends = [np.bincount(state[last], side, minlength=size) * rate for side in (paths.conversions, paths.value)]
    total = walks.sum()
    begins = np.bincount(state[first], walks, minlength=size) / (total if total > 0 else 1.0)
    goes = sparse.csr_array(sparse.diags_array(rate) @ moves.tocsr())
    return _Chain(begins, goes, np.column_stack(ends), met.channel)


def _memory(paths: Paths, order: int) -> IntArray:
    """What a walk remembers at each step, as one number: its last `order` channels, fewer near the start."""
    base = len(paths.channels) + 1
    memory = np.zeros(len(paths.steps), dtype=np.int64)
    for back in range(order):
        earlier = np.zeros(len(paths.steps), dtype=np.int64)
        earlier[back:] = paths.steps[: len(paths.steps) - back] + 1
        memory += np.where(paths.positions > back, earlier, 0) * base**back
    return memory
