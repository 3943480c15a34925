"""Why a figure of the whole changed: its segments have other rates, or it consists of other segments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy.typing as npt
import pandas as pd

from revops_analysis.findings.cuts import EARLIER
from revops_analysis.statistics.mix_rate import split_change

if TYPE_CHECKING:
    from revops_analysis.findings.cuts import Cases, Dims


@dataclass(frozen=True)
class Explained:
    """A change in parts: of the segments' own rates (`rate`; `worst` is the one that lowered it most, by `worst_rate`),
    and of other shares of the segments (`mix`). Rate and mix add up to it."""

    worst: str
    worst_rate: float
    rate: float
    mix: float


def explained(cases: Cases, dims: Dims, span: int, values: tuple[npt.ArrayLike, npt.ArrayLike]) -> Explained | None:
    """Split the change of Σ hits ÷ Σ base of a cut, from the two years before a span to the span, over segments.

    `values` are (hits, base), a number a case. None where segments may not be told apart in the past, where the cut
    is one of them, and where a side is empty. Source: `statistics.mix_rate`.
    """
    if "segment" not in cases.frame.columns or any(name == "segment" for name, _ in dims):
        return None
    back, members = cases.frame["slice"], cases.members(dims)
    sides = ((back >= span) & (back < span + EARLIER) & members, (back < span) & members)
    segment = cases.frame["segment"].fillna("not given")
    sums = pd.DataFrame({"segment": segment, "hits": values[0], "base": values[1]})
    names = sorted(segment[members].unique())
    grouped = [sums[side].groupby("segment")[["hits", "base"]].sum().reindex(names, fill_value=0.0) for side in sides]
    if not all(float(part["base"].sum()) > 0 for part in grouped):
        return None
    parts = split_change(*((part["hits"], part["base"]) for part in grouped))
    worst = int(parts["rate_effect"].argmin())
    effects = parts[["rate_effect", "mix_effect"]].sum()
    return Explained(
        str(names[worst]),
        float(parts["rate_effect"][worst]),
        float(effects["rate_effect"]),
        float(effects["mix_effect"]),
    )
