"""Won and lost: which deals are won, by what they are and who sells them, and why the others are lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from revops_analysis.metrics.dealflow.book import DealBook, amount_of
from revops_analysis.periods import Period
from revops_analysis.statistics.intervals import wilson_interval

CUTS = ("segment", "type", "source", "size", "competitor", "owner")
_BANDS = 4


@dataclass(frozen=True, eq=False)
class WinLoss:
    """Deals closed in `period` (a year), those without a value in a cut under null.

    - `cuts`: [cut, value, closed, won, rate, low, high, shrunk, amount_won, amount_lost, difference, p_adjusted], with
      Wilson intervals; for owners `shrunk` with its interval in `low` and `high` (empirical Bayes); `difference` to all
      other deals, and Fisher's p for it, adjusted by Benjamini & Hochberg over all rows;
    - `reasons`: [loss_reason, deals, share, low, high, amount, most_lost_to], by number of lost deals;
    - `rate`, `closed`: of all.
    """

    period: Period
    cuts: pd.DataFrame
    reasons: pd.DataFrame
    rate: float | None
    closed: int


def win_loss(book: DealBook, period: Period) -> WinLoss:
    """Cut the deals closed in a period; see `WinLoss`. Deals of several cuts are the same deals: rows are not added."""
    deals = book.deals
    inside = deals["closed_on"].between(pd.Timestamp(period.start), pd.Timestamp(period.end))
    closed = deals[inside & deals["status"].isin(["won", "lost"])]
    closed = closed.assign(is_won=closed["status"] == "won", size=size_bands(closed["cents"]))
    parts = [_cut(closed, name) for name in CUTS]
    cuts = _tested(pd.concat(parts, ignore_index=True), closed)
    rate = float(closed["is_won"].mean()) if len(closed) else None
    return WinLoss(period, cuts, _reasons(closed[~closed["is_won"]]), rate, len(closed))


def size_bands(cents: pd.Series) -> pd.Series:
    """Quarters of the deals by amount, named by their limits; null without amount.

    >>> size_bands(pd.Series([100_000.0, 200_000, 300_000, 400_000, None])).tolist()
    ['1: up to 1,750', '2: up to 2,500', '3: up to 3,250', '4: above 3,250', None]
    """
    known = cents.dropna()
    if known.nunique() < _BANDS:
        return pd.Series(None, index=cents.index, dtype=object)
    edges = np.quantile(known, np.arange(1, _BANDS) / _BANDS)
    place = np.searchsorted(edges, cents.to_numpy(dtype=float), side="left")
    labels = [f"{n}: up to {edge / 100:,.0f}" for n, edge in enumerate(edges, 1)]
    labels += [f"{_BANDS}: above {edges[-1] / 100:,.0f}"]
    named = pd.Series(np.array(labels, dtype=object)[np.minimum(place, _BANDS - 1)], index=cents.index)
    return named.where(cents.notna(), None)


def _cut(closed: pd.DataFrame, name: str) -> pd.DataFrame:
    from revops_analysis.statistics.shrinkage import shrink_beta_binomial

    grouping = closed.groupby(name, dropna=False, sort=True)
    frame = grouping.agg(closed=("is_won", "size"), won=("is_won", "sum"))
    frame["amount_won"] = [amount_of(group.loc[group["is_won"], "cents"]) for _, group in grouping]
    frame["amount_lost"] = [amount_of(group.loc[~group["is_won"], "cents"]) for _, group in grouping]
    frame = frame.reset_index(names="value").assign(cut=name, shrunk=float("nan"))
    frame["rate"] = frame["won"] / frame["closed"]
    frame["low"], frame["high"] = wilson_interval(frame["won"], frame["closed"])
    if name == "owner" and len(frame):
        shrunk = shrink_beta_binomial(frame["won"], frame["closed"]).frame
        frame[["shrunk", "low", "high"]] = shrunk[["shrunk", "low", "high"]].to_numpy()
    frame["value"] = frame["value"].astype(object).where(frame["value"].notna(), None)
    return frame


def _tested(frame: pd.DataFrame, closed: pd.DataFrame) -> pd.DataFrame:
    """Add how each row differs from all other deals, and how sure that is among all rows looked at."""
    from revops_analysis.statistics.false_discovery import benjamini_hochberg
    from revops_analysis.statistics.proportions import compare_proportions

    won, n = frame["won"].to_numpy(), frame["closed"].to_numpy()
    rest = (closed["is_won"].sum() - won, len(closed) - n)
    tested = compare_proportions((won, n), rest)
    full = frame.assign(difference=tested["difference"], p_adjusted=benjamini_hochberg(tested["p_value"].to_numpy()))
    columns = ["cut", "value", "closed", "won", "rate", "low", "high", "shrunk", "amount_won", "amount_lost"]
    return full[[*columns, "difference", "p_adjusted"]].astype({"won": "int64"})


def _reasons(lost: pd.DataFrame) -> pd.DataFrame:
    grouping = lost.groupby("loss_reason", dropna=False, sort=True)
    frame = pd.DataFrame({"deals": grouping.size(), "amount": grouping["cents"].apply(amount_of)})
    frame["most_lost_to"] = [_most(group["competitor"]) for _, group in grouping]
    frame["share"] = frame["deals"] / len(lost) if len(lost) else float("nan")
    frame["low"], frame["high"] = wilson_interval(frame["deals"], np.full(len(frame), len(lost)))
    named = frame.reset_index().sort_values(["deals", "loss_reason"], ascending=[False, True], ignore_index=True)
    named["loss_reason"] = named["loss_reason"].astype(object).where(named["loss_reason"].notna(), None)
    return named[["loss_reason", "deals", "share", "low", "high", "amount", "most_lost_to"]]


def _most(names: pd.Series) -> str | None:
    """The commonest value with its number; none where none is known."""
    counts = names.dropna().value_counts()
    if counts.empty:
        return None
    top = sorted(counts[counts == counts.iloc[0]].index)[0]
    return f"{top} ({int(counts.iloc[0])})"
