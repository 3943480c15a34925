"""Paths: which channels were met in which order, how often that led to a conversion, and how often to nothing.

The form in which Markov and Shapley models see the past. It knows no deals and no tables, so a list of paths from
anywhere will do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.errors import ConfigurationError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Rule = Literal["first", "last", "linear"]


@dataclass(frozen=True)
class Paths:
    """Distinct paths and what came of them.

    - `channels`: names in alphabetical order; a code is a place in it. Every channel is met on some path;
    - `steps`: codes of all paths, one path after another; `lengths`: the number of steps of each, at least 1;
    - `conversions`, `value`, `nulls`: for each path, how often it converted, what these conversions were worth, and
      how often it led to nothing (lost, or still open);
    - `path_of`: for each row that was given, its path.

    Paths come shorter first, then by their codes, so the order of rows changes nothing.
    """

    channels: tuple[str, ...]
    steps: IntArray
    lengths: IntArray
    conversions: FloatArray
    value: FloatArray
    nulls: FloatArray
    path_of: IntArray

    @property
    def starts(self) -> IntArray:
        """Where each path begins in `steps`."""
        return np.cumsum(self.lengths) - self.lengths

    @property
    def path_of_step(self) -> IntArray:
        """The path to which each step belongs."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    @property
    def positions(self) -> IntArray:
        """Place of each step in its path, from 1."""
        return np.arange(len(self.steps)) - np.repeat(self.starts, self.lengths) + 1


@dataclass(frozen=True)
class Outcomes:
    """What came of each row's path: number of conversions, their value, number of times it led to nothing.

    Arrays of one length; none may be negative or missing, and where nothing converted there is no value.
    """

    conversions: npt.ArrayLike
    value: npt.ArrayLike
    nulls: npt.ArrayLike


def paths_from_text(texts: Sequence[str] | pd.Series, outcomes: Outcomes, separator: str = ">") -> Paths:
    """Return paths that are written out, as `alpha > iota > alpha`; rows with the same path are added up.

    Raises ConfigurationError for a path without steps or with an empty one, and for outcomes that are negative,
    missing, worth something without a conversion, or not one a row.

    >>> p = paths_from_text(["a > b", "b", "a > b"], Outcomes([1, 0, 2], [10, 0, 5], [0, 4, 1]))
    >>> p.channels, p.lengths.tolist(), p.conversions.tolist(), p.value.tolist(), p.nulls.tolist(), p.path_of.tolist()
    (('a', 'b'), [1, 2], [0.0, 3.0], [0.0, 15.0], [4.0, 1.0], [1, 0, 1])
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    told, different = pd.factorize(pd.Series(texts, dtype="object").fillna("").to_numpy())
    split = pc.split_pattern(pa.array(different, pa.string()), pattern=separator)
    steps = split.flatten().dictionary_encode()
    names = np.array([name.strip() for name in steps.dictionary.to_pylist()], dtype=object)
    lengths = pc.list_value_length(split).to_numpy().astype(np.int64)
    codes = steps.indices.to_numpy().astype(np.int64)
    if (names == "").any():
        step = int(np.flatnonzero(names[codes] == "")[0])
        at = int(np.searchsorted(np.cumsum(lengths), step, side="right"))
        raise ConfigurationError(
            "A path has an empty step.",
            expected=f"channel names with {separator!r} between them",
            found=repr(different[at]),
            where=f"row {int(np.flatnonzero(told == at)[0]) + 1}",
            fix="leave out paths without touches: they credit no channel",
        )
    # Each text is read once, whatever the number of rows that have it.
    summed = _summed(told, _measures(outcomes, len(told)), len(different))
    order, ranked = pd.factorize(names, sort=True)
    made = _made(np.asarray(order, dtype=np.int64)[codes], lengths, tuple(str(name) for name in ranked), summed)
    return replace(made, path_of=made.path_of[told])


def paths_from_steps(row: npt.ArrayLike, channel: npt.ArrayLike, outcomes: Outcomes) -> Paths:
    """Return paths from steps: for each step its row (from 0, in ascending order) and channel.

    Steps of a row come in the order in which they were met. Every row needs a step: without touches there is no path.
    Raises ConfigurationError as `paths_from_text` does.

    >>> paths_from_steps([0, 0, 1], ["b", "a", "a"], Outcomes([1, 1], [2, 3], [0, 0])).steps.tolist()
    [0, 1, 0]
    """
    rows = np.asarray(row, dtype=np.int64)
    codes, names = pd.factorize(np.asarray(channel, dtype=object), sort=True)
    measures = _measures(outcomes, None)
    n = len(measures)
    lengths = np.bincount(rows, minlength=n)
    if len(lengths) != n or (lengths == 0).any() or (np.diff(rows) < 0).any() or (codes < 0).any():
        raise ConfigurationError(
            "Steps and outcomes do not fit.",
            expected=f"one step or more, each with a channel, for each of {n} rows, row after row",
            found=f"{len(lengths)} rows of steps, {int((lengths == 0).sum())} of them empty, "
            f"{int((codes < 0).sum())} steps without a channel",
            fix="leave out rows without touches, name a missing channel, and sort the steps by row",
        )
    return _made(codes.astype(np.int64), lengths, tuple(str(name) for name in names), measures)


def _made(codes: IntArray, lengths: IntArray, names: tuple[str, ...], measures: FloatArray) -> Paths:
    """Paths of rows of codes: equal ones are put together."""
    path_of, first = _distinct(codes, lengths, len(names))
    conversions, value, nulls = _summed(path_of, measures, len(first)).T
    kept = lengths[first]
    starts = (np.cumsum(lengths) - lengths)[first]
    within = np.arange(int(kept.sum())) - np.repeat(np.cumsum(kept) - kept, kept)
    steps = codes[np.repeat(starts, kept) + within]
    return Paths(names, steps, kept, conversions, value, nulls, path_of)


def _measures(outcomes: Outcomes, rows: int | None) -> FloatArray:
    sides = [np.asarray(side, dtype=float) for side in (outcomes.conversions, outcomes.value, outcomes.nulls)]
    lengths = {len(side) for side in sides}
    measures = np.column_stack(sides) if len(lengths) == 1 else np.empty((0, 3))
    wrong = (~np.isfinite(measures) | (measures < 0)).any(axis=1) | ((measures[:, 0] == 0) & (measures[:, 1] > 0))
    if len(lengths) > 1 or wrong.any() or (rows is not None and len(measures) != rows):
        raise ConfigurationError(
            "Outcomes of paths must be numbers of 0 or more, one a row, and only conversions have a value.",
            found=f"lengths {sorted(lengths)}; {int(wrong.sum())} rows with a negative or missing number, or with a "
            "value and no conversion",
            fix="decide what a missing or negative amount means before paths are made",
        )
    return measures


def _distinct(codes: IntArray, lengths: IntArray, n_channels: int) -> tuple[IntArray, IntArray]:
    """Number of the distinct path of each row, and one row that has it.

    A tree of prefixes, grown a step at a time for all rows that are long enough. Numbers of a prefix keep the order of
    the codes, so paths are numbered by length and then by codes.
    """
    longest_first = np.argsort(-lengths, kind="stable")
    starts = (np.cumsum(lengths) - lengths)[longest_first]
    sizes = lengths[longest_first]
    node = np.zeros(len(lengths), dtype=np.int64)
    for step in range(int(lengths.max(initial=0))):
        active = int(np.searchsorted(-sizes, -step, side="left"))  # rows with more than `step` steps
        keys = node[:active] * n_channels + codes[starts[:active] + step]
        node[:active] = numbered(keys)[1]
    ends = sizes * (len(lengths) + 1) + node
    _, first, number = np.unique(ends, return_index=True, return_inverse=True)
    path_of = np.empty(len(lengths), dtype=np.int64)
    path_of[longest_first] = number
    return path_of, longest_first[first]


def numbered(keys: IntArray) -> tuple[IntArray, IntArray]:
    """The distinct keys (0 or more) in order, and the number of each key among them.

    Keys not much larger than their count are marked off instead of sorted, which is several times as fast.

    >>> [found.tolist() for found in numbered(np.array([7, 3, 7]))]
    [[3, 7], [1, 0, 1]]
    """
    if len(keys) == 0 or int(keys.max()) > 32 * len(keys) + 1_000:
        names, number = np.unique(keys, return_inverse=True)
        return names, number
    seen = np.zeros(int(keys.max()) + 1, dtype=bool)
    seen[keys] = True
    return np.flatnonzero(seen), (np.cumsum(seen) - 1)[keys]


def _summed(path_of: IntArray, measures: FloatArray, n: int) -> FloatArray:
    """Measures added up by path, in an order that does not depend on that of the rows."""
    order = np.lexsort((*measures.T, path_of))
    return np.column_stack([np.bincount(path_of[order], weights=side[order], minlength=n) for side in measures.T])


def distinct_channels(paths: Paths) -> tuple[IntArray, IntArray, IntArray]:
    """For each step: which pair of path and channel it is of, how often the path meets the channel, and how many
    distinct channels the path has.
    """
    keys = paths.path_of_step * max(len(paths.channels), 1) + paths.steps
    pairs, pair, times = np.unique(keys, return_inverse=True, return_counts=True)
    different = np.bincount(pairs // max(len(paths.channels), 1), minlength=len(paths.lengths))
    return pair, times[pair], different[paths.path_of_step]


def rule_shares(paths: Paths, rule: Rule) -> FloatArray:
    """Share of each step in its path's credit when the first, the last or every step alike is credited.

    >>> p = paths_from_text(["a > b"], Outcomes([1], [1], [0]))
    >>> rule_shares(p, "last").tolist(), rule_shares(p, "linear").tolist()
    ([0.0, 1.0], [0.5, 0.5])
    """
    if rule == "linear":
        return 1.0 / np.repeat(paths.lengths, paths.lengths)
    place = paths.starts if rule == "first" else paths.starts + paths.lengths - 1
    shares = np.zeros(len(paths.steps))
    shares[place] = 1.0
    return shares


def channel_credit(paths: Paths, shares: FloatArray) -> pd.DataFrame:
    """Return what each channel is credited when the steps of every path share its outcome.

    Columns: `channel, conversions, value`. `shares` has a number a step and adds up to 1 on each path; so the credit
    adds up to all conversions and value.

    >>> p = paths_from_text(["a > b", "b"], Outcomes([1, 2], [10, 8], [0, 0]))
    >>> channel_credit(p, rule_shares(p, "linear")).to_dict("list")
    {'channel': ['a', 'b'], 'conversions': [0.5, 2.5], 'value': [5.0, 13.0]}
    """
    credited = {
        name: np.bincount(paths.steps, shares * side[paths.path_of_step], minlength=len(paths.channels))
        for name, side in (("conversions", paths.conversions), ("value", paths.value))
    }
    return pd.DataFrame({"channel": list(paths.channels), **credited})
