"""Comparisons over many cuts: the same cases later and earlier, or in one cut and in the others, like with like.

A case is a row with something that can happen (`hit`) and how much of a chance it had (`size`): a closed deal that may
be won, days in a stage that may end in a move. A stratum is what it is compared within. Every cut and span is summed in
one pass over the rows, so two hundred cuts cost little more than one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.findings.control import FALSE_DISCOVERY
from revops_analysis.statistics.false_discovery import power_weights
from revops_analysis.statistics.intervals import normal_quantile
from revops_analysis.statistics.stratified import Group

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

Dims = tuple[tuple[str, object], ...]
Compare = Callable[[Group, Group], pd.DataFrame]
Trend = Callable[[Group, npt.ArrayLike], pd.DataFrame]

EARLIER = 8
"""How many slices of 91 days before a span make the earlier side: two years."""

SPANS = (1, 2, 3, 4)
"""How many slices, up to the last, are taken together on the later side: a drop can be sudden, or slow to show."""

SINCE = (1.0, 0.8, 0.6, 0.4)
"""How much of a change each of the last slices has, if it began in any of them or in the one before with the same
chance: the scores of the one test that a cut gets, whenever its change began. Against the test that knows when, in
standard errors: 7 or 8% less clear where it began three or four slices ago, 16% where two, a third where in the
last."""

_HARDLY = 0.01  # what is left of a cut counts as a departure of its own up to this p-value
_EVEN = 0.2
"""Part of the weights that every comparison gets alike, so that a departure larger than foreseen is not missed."""


@dataclass(frozen=True, eq=False)
class Cases:
    """Cases to compare. `frame`: columns that can be cut by, `slice` (0 the latest) and `amount`; the arrays, one entry
    a row: `hit`, `size`, and `stratum`, a number from 0."""

    frame: pd.DataFrame
    hit: npt.NDArray[np.float64]
    size: npt.NDArray[np.float64]
    stratum: npt.NDArray[np.int64]

    def members(self, dims: Dims) -> npt.NDArray[np.bool_]:
        """Which rows belong to a cut."""
        inside = np.ones(len(self.frame), dtype=bool)
        for name, value in dims:
            column = self.frame[name]
            inside &= (column.isna() if value is None else column == value).to_numpy()
        return inside


def stratum_of(frame: pd.DataFrame, columns: Sequence[str]) -> npt.NDArray[np.int64]:
    """A number for each combination of the columns, 0 without columns; a missing value is a value of its own."""
    if not columns:
        return np.zeros(len(frame), dtype=np.int64)
    number = frame.groupby(list(columns), dropna=False, sort=True).ngroup()
    return np.asarray(number, dtype=np.int64)


def dated_cuts(snapshot: Snapshot, wanted: Iterable[str], always: Iterable[str] = ("type", "stage")) -> list[str]:
    """Those dimensions of deals whose past values may be used, by the definitions; noted as used."""
    allowed = snapshot.definitions.allowed_current_columns
    fixed = set(always)
    kept = [name for name in wanted if name in fixed or f"opportunities.{name}" in allowed]
    snapshot.require_dated([f"opportunities.{name}" for name in kept if name not in fixed], "a cut over time")
    return kept


@dataclass(frozen=True)
class Method:
    """How two groups are compared, and how a change over the last slices is tested (`statistics.stratified`)."""

    compare: Compare
    trend: Trend


def shifts(
    cases: Cases, cuts: Sequence[Sequence[str]], method: Method, enough: Callable[[pd.DataFrame], pd.Series]
) -> pd.DataFrame:
    """Each value of each cut: whether the last year's slices fell against the two years before, a row a cut.

    One test a cut, whenever its change began: p_lower, p_higher, slope and spread are of the trend over `SINCE`. All
    else is of the span in which it is clearest, among those with `enough` cases, as `changes` has it: `span` is how
    many slices ago it seems to have begun, and the interval knows nothing of that choice. Without any such span a cut
    is left out.
    """
    rows = changes(cases, cuts, method.compare)
    order = rows[enough(rows)].sort_values(["p_lower", "span"], kind="stable")
    clear = order.drop_duplicates("dims").drop(columns=["spread", "p_lower", "p_higher"])
    tested = pd.concat([_trends(cases, cut, method.trend) for cut in cuts], ignore_index=True)
    return tested[tested["p_lower"].notna()].merge(clear, on="dims", how="inner")


def at_least(minimum: int) -> Callable[[pd.DataFrame], pd.Series]:
    """Spans with so many cases on either side."""
    return lambda rows: (rows["size"] >= minimum) & (rows["size_before"] >= minimum)


def _trends(cases: Cases, cut: Sequence[str], trend: Trend) -> pd.DataFrame:
    dims, (hits, size, _) = _sums(cases, cut)
    last = len(SINCE) + EARLIER
    found = trend((hits[..., :last], size[..., :last]), [*SINCE, *[0.0] * EARLIER])
    return found.assign(dims=pd.Series(dims, dtype=object))


def changes(
    cases: Cases, cuts: Sequence[Sequence[str]], compare: Compare, spans: Sequence[int] = SPANS
) -> pd.DataFrame:
    """Each value of each cut (() is the whole): the last slices against those before, a row a span.

    Columns: dims, span, hits and size (later), hits_before and size_before, amount (of later cases), and what `compare`
    gives. Cuts that hold the same cases as one before are left out, and so is what cannot be compared.
    """
    parts = []
    for cut in cuts:
        dims, sums = _sums(cases, cut)
        for span in spans:
            sides = [side.sum(axis=-1) for side in (sums[..., :span], sums[..., span : span + EARLIER])]
            parts.append(_row(dims, span, sides, compare))
    return _distinct(pd.concat(parts, ignore_index=True))


def departures(cases: Cases, cuts: Sequence[Sequence[str]], span: int, compare: Compare) -> pd.DataFrame:
    """Each value of each cut against all other cases of the same strata, within the last `span` slices.

    Columns as in `changes`, with the others' as hits_before and size_before.
    """
    parts = []
    for cut in cuts:
        dims, sums = _sums(cases, cut)
        own = sums[..., :span].sum(axis=-1)
        parts.append(_row(dims, span, [own, own.sum(axis=1, keepdims=True) - own], compare))
    return _distinct(pd.concat(parts, ignore_index=True))


def _sums(cases: Cases, cut: Sequence[str]) -> tuple[list[Dims], npt.NDArray[np.float64]]:
    """The values of a cut and Σ hit, size and amount as [3 × values × strata × slices]."""
    frame = cases.frame
    slices = max(int(frame["slice"].max()) + 1, SPANS[-1] + EARLIER) if len(frame) else SPANS[-1] + EARLIER
    strata = int(cases.stratum.max()) + 1 if len(frame) else 1
    if cut:
        grouped = frame.groupby(list(cut), dropna=False, sort=True)
        code = grouped.ngroup().to_numpy(dtype=np.int64)
        names = [name if isinstance(name, tuple) else (name,) for name in grouped.size().index]
    else:
        code, names = np.zeros(len(frame), dtype=np.int64), [()]
    place = (code * strata + cases.stratum) * slices + frame["slice"].to_numpy(dtype=np.int64)
    amount = frame["amount"].fillna(0.0).to_numpy(dtype=float)
    shape = (len(names), strata, slices)
    sums = [np.bincount(place, values, minlength=int(np.prod(shape))) for values in (cases.hit, cases.size, amount)]
    dims = [tuple((c, None if pd.isna(v) else v) for c, v in zip(cut, name, strict=True)) for name in names]
    return dims, np.stack([part.reshape(shape) for part in sums])


def _row(dims: list[Dims], span: int, sides: Sequence[npt.NDArray[np.float64]], compare: Compare) -> pd.DataFrame:
    (hits, size, amount), (hits_before, size_before, _) = sides
    found = compare((hits, size), (hits_before, size_before))
    raw = {"hits": hits, "size": size, "amount": amount, "hits_before": hits_before, "size_before": size_before}
    columns = {name: values.sum(axis=1) for name, values in raw.items()}
    return found.assign(dims=pd.Series(dims, dtype=object), span=span, **columns)


def _distinct(rows: pd.DataFrame) -> pd.DataFrame:
    same = ["span", "hits", "size", "amount", "hits_before", "size_before"]
    kept = rows[rows["p_lower"].notna()]
    return kept[~kept.round({"amount": 2}).duplicated(same)].reset_index(drop=True)


def weights_for(rows: pd.DataFrame, effect: float, relevance: npt.ArrayLike = 1.0) -> npt.NDArray[np.float64]:
    """Weights by the power to see an effect of this size (in the unit of `spread`), times a prior relevance.

    A fifth of the weight is shared out evenly. `spread` rests on sample sizes and totals, never on the difference.
    """
    if not len(rows):
        return np.zeros(0)
    # The level each family has in the end is not known here; weights hardly depend on it.
    power = power_weights(np.minimum(effect / rows["spread"].to_numpy(), 50.0), FALSE_DISCOVERY / 5)
    weights = (_EVEN + (1 - _EVEN) * power) * np.broadcast_to(np.asarray(relevance, dtype=float), len(rows))
    scaled: npt.NDArray[np.float64] = weights / weights.mean()
    return scaled


def watch_of(dims: pd.Series, also: Iterable[Dims] = ()) -> list[float]:
    """Weight on the watch list: 1 for the company, for each segment alone and for the cuts that are named besides, 0
    for all others. A list of what is not proven is short because it looks at little, and that is what gives it power.
    """
    named = set(also)
    return [float({name for name, _ in cut} <= {"segment"} or cut in named) for cut in dims]


def relevance_of(dims: pd.Series) -> list[float]:
    """Prior relevance of cuts: what a company is steered by (itself, its segments) before what it is described by."""
    return [6.0 if {name for name, _ in cut} <= {"segment"} else 1.0 if len(cut) == 1 else 0.3 for cut in dims]


def clearest(cases: Cases, held: pd.DataFrame, compare: Compare) -> pd.Series:
    """Which of the changes that hold say something of their own, as a mask over `held`.

    From the clearest on, each dimension of a cut (but a segment alone) having to make it twenty times as clear: a cut
    within one that was kept is left out unless it fell further than the rest of that (p ≤ .025); any other is left out
    if, without the cases of those kept, it hardly departs (p > .01). In the end so is one that departs only because of
    a narrower one.
    """
    order = (held["p_value"].clip(lower=1e-300) * 20.0 ** held["dims"].map(_depth)).sort_values(kind="stable").index
    rows = dict(zip(held.index, held.to_dict("records"), strict=True))
    members = {label: cases.members(row["dims"]) for label, row in rows.items()}

    def without(label: Hashable, others: Sequence[Hashable]) -> pd.Series:
        rest = members[label] & ~np.logical_or.reduce([members[other] for other in others])
        return _alone(cases, rest, rows[label]["span"], compare)

    kept: list[Hashable] = []
    for label in order:
        around = [one for one in kept if set(rows[one]["dims"]) <= set(rows[label]["dims"])]
        if around:
            own = all(_falls_further(pd.Series(rows[label]), without(one, [label])) for one in around)
        else:
            own = not kept or without(label, kept)["p_lower"] <= _HARDLY
        if own:
            kept.append(label)
    for label in kept.copy():
        narrower = [one for one in kept if set(rows[label]["dims"]) < set(rows[one]["dims"])]
        if narrower and not without(label, narrower)["p_lower"] <= _HARDLY:
            kept.remove(label)
    return pd.Series(held.index.isin(kept), index=held.index)


def _depth(dims: Dims) -> int:
    """How many dimensions a cut has, none for a segment alone: that one of three fell is as likely as that all did."""
    return 0 if {name for name, _ in dims} == {"segment"} else len(dims)


def _alone(cases: Cases, members: npt.NDArray[np.bool_], span: int, compare: Compare) -> pd.Series:
    """Some of the cases on their own, against themselves in the two years before."""
    back = cases.frame["slice"].to_numpy()
    strata = int(cases.stratum.max()) + 1
    sides = []
    for side in (members & (back < span), members & (back >= span) & (back < span + EARLIER)):
        sums = (np.bincount(cases.stratum[side], values[side], strata)[None] for values in (cases.hit, cases.size))
        sides.append(tuple(sums))
    row: pd.Series = compare(*sides).iloc[0]  # type: ignore[arg-type]
    return row


def _falls_further(cut: pd.Series, rest: pd.Series) -> bool:
    """Whether one effect lies below another beyond chance (p ≤ .025); where the other is not known, yes."""
    (one, error), (other, spread) = _estimate(cut), _estimate(rest)
    if np.isnan(other) or np.isnan(spread):
        return True
    return bool(one - other <= -normal_quantile(0.95) * np.hypot(error, spread))


def _estimate(row: pd.Series) -> tuple[float, float]:
    """An effect and its standard error: the logarithm of a ratio, or a difference."""
    name, scale = ("ratio", np.log) if "ratio" in row else ("difference", float)
    low, high = scale(row["low"]), scale(row["high"])
    return float(scale(row[name])), float(high - low) / (2 * normal_quantile(0.95))
