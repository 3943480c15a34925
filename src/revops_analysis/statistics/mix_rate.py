"""Why a rate of the whole changed: its parts have other rates, or the whole consists of other parts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

Side = tuple[npt.ArrayLike, npt.ArrayLike]


def split_change(before: Side, after: Side) -> pd.DataFrame:
    """Each part's contribution to the change of a rate, a row a part in the order given.

    A side is (hits, base), one number a part; the rate of the whole is Σ hits ÷ Σ base, and both sides need a base.
    Columns: share_before and share (of the base), rate_before and rate (null without base), rate_effect, mix_effect and
    effect, their sum. The effects of all parts add up to the change of the rate of the whole.

    With w the share of a part, r its rate and R the whole's: rate = (r₁ − r₀) (w₀ + w₁) ÷ 2, mix = (w₁ − w₀) ((r₀ + r₁)
    ÷ 2 − (R₀ + R₁) ÷ 2). A part without base on one side has no rate there; the other side's stands in, so its whole
    effect is mix. Source: the symmetric split of Marshall and Edgeworth; Kitagawa, J. Am. Stat. Assoc. 50 (1955) 1168.

    >>> parts = split_change(([50, 10], [100, 100]), ([50, 20], [100, 300]))
    >>> parts[["rate_effect", "mix_effect"]].sum().round(4).tolist()
    [-0.0208, -0.1042]
    """
    hits, bases = ([np.asarray(side[n], dtype=float) for side in (before, after)] for n in (0, 1))
    shares = [base / base.sum() for base in bases]
    whole = sum(float(hit.sum() / base.sum()) for hit, base in zip(hits, bases, strict=True))
    rates = [
        np.divide(hit, base, out=np.full(len(base), np.nan), where=base > 0)
        for hit, base in zip(hits, bases, strict=True)
    ]
    first = np.nan_to_num(np.where(np.isnan(rates[0]), rates[1], rates[0]))
    second = np.nan_to_num(np.where(np.isnan(rates[1]), rates[0], rates[1]))
    rate = (second - first) * (shares[0] + shares[1]) / 2
    mix = (shares[1] - shares[0]) * (first + second - whole) / 2
    columns = {
        "share_before": shares[0],
        "share": shares[1],
        "rate_before": rates[0],
        "rate": rates[1],
        "rate_effect": rate,
        "mix_effect": mix,
        "effect": rate + mix,
    }
    return pd.DataFrame(columns)
