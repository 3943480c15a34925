"""Slippage: deals that were expected in a month, and what had become of them when it was over.

A deal slipped when it was open at the month's end: pushed to a later date, or left standing past its own. Deals won or
lost kept their month. Each month is looked at from the evening before it began, so a deal pushed three times counts in
three months: intervals count deals, not promises.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from revops_analysis.metrics.dealflow.book import DealBook, amount_of
from revops_analysis.statistics.intervals import wilson_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

OUTCOMES = ("won", "lost", "pushed", "overdue", "left")
"""What becomes of a deal expected in a month: the last one is omitted or deleted."""

SLIPPED = ("pushed", "overdue")


@dataclass(frozen=True, eq=False)
class Slippage:
    """Deals expected at month-ends, and the pushes of their dates.

    - `promises`: [month, opportunity_id, owner_id, cents, outcome, slipped], a row a month and deal expected in it;
    - `months`: [month, deals, amount, won, lost, pushed, overdue, left, slipped, low, high, slipped_amount, pushes,
      days_pushed]: shares of deals with Wilson's interval; `pushes` are moves of dates out of the month to later ones
      made while they were due or before, `days_pushed` their median; amounts in the reporting currency;
    - `owners`: [owner, promises, deals, slipped, shrunk, low, high, slipped_amount, pushes, days_pushed], most slipped
      first: `shrunk` is the share pulled towards all sellers' (empirical Bayes), with its 95% interval.

    Empty without history.
    """

    promises: pd.DataFrame
    months: pd.DataFrame
    owners: pd.DataFrame


def slippage(book: DealBook) -> Slippage:
    """What became of the deals expected in each of the last whole months; see `Slippage`."""
    promises = expected(book)
    pushes = _pushes(book)
    owners = by_owner(promises, pushes)
    owners.insert(0, "owner", owners["owner_id"].map(book.owner_names).fillna(owners["owner_id"]))
    return Slippage(promises, by_month(promises, pushes), owners.drop(columns=["owner_id"]))


def expected(book: DealBook) -> pd.DataFrame:
    """A row a month and deal that was open the evening before it and expected in it."""
    ends = pd.to_datetime(pd.Series(book.month_ends))
    following = dict(pairwise(ends))
    seen = book.seen[book.seen["cutoff"].isin(list(following))]
    due = seen.assign(month=seen["cutoff"].map(following))
    due = due[(due["close_date"] > due["cutoff"]) & (due["close_date"] <= due["month"])]
    after = book.seen.rename(columns={"cutoff": "month", "close_date": "date_after"})
    joined = due.merge(after[["month", "opportunity_id", "date_after"]], how="left", on=["month", "opportunity_id"])
    still_open = joined.merge(after[["month", "opportunity_id"]], how="left", indicator=True)["_merge"] == "both"
    ended = joined.merge(book.deals[["opportunity_id", "status", "closed_on"]], how="left", on="opportunity_id")
    closed = ended["closed_on"].notna() & (ended["closed_on"] <= ended["month"]) & ended["status"].ne("open")
    was_pushed = ended["date_after"].isna() | (ended["date_after"] > ended["month"])
    choices = [still_open & was_pushed, still_open, closed & (ended["status"] == "won"), closed]
    outcome = np.select([choice.to_numpy() for choice in choices], ["pushed", "overdue", "won", "lost"], "left")
    rows = joined[["month", "opportunity_id", "owner_id", "cents"]].assign(outcome=outcome)
    return rows.assign(slipped=rows["outcome"].isin(SLIPPED))


def _pushes(book: DealBook) -> pd.DataFrame:
    """Moves to a later date, with the month that the old date lay in: [month, owner_id, opportunity_id, days]."""
    moves = book.moves[book.moves["became"] > book.moves["was"]]
    month = moves["was"] + pd.offsets.MonthEnd(0)
    days = (moves["became"] - moves["was"]).dt.days.astype("float64")
    kept = moves.assign(month=month, days=days)[["month", "owner_id", "opportunity_id", "days"]]
    return kept[kept["month"].isin(pd.to_datetime(pd.Series(book.month_ends[1:])))]


def by_month(promises: pd.DataFrame, pushes: pd.DataFrame) -> pd.DataFrame:
    """One row a month; see `Slippage.months`."""
    counts = promises.pivot_table(index="month", columns="outcome", values="slipped", aggfunc="size", fill_value=0)
    counts = counts.reindex(columns=list(OUTCOMES), fill_value=0).astype("int64")
    frame = counts.assign(deals=counts.sum(axis=1))
    grouped = promises.groupby("month")
    frame["amount"] = grouped["cents"].apply(amount_of)
    frame["slipped_amount"] = promises[promises["slipped"]].groupby("month")["cents"].apply(amount_of)
    frame["slipped_amount"] = frame["slipped_amount"].fillna(0.0)
    frame["slipped"] = frame[list(SLIPPED)].sum(axis=1) / frame["deals"]
    frame["low"], frame["high"] = wilson_interval(frame[list(SLIPPED)].sum(axis=1), frame["deals"])
    moved = pushes.groupby("month")["days"].agg(pushes="size", days_pushed="median")
    full = frame.join(moved).reset_index()
    full["pushes"] = full["pushes"].fillna(0).astype("int64")
    columns = ["month", "deals", "amount", *OUTCOMES, "slipped", "low", "high", "slipped_amount", "pushes"]
    return full[[*columns, "days_pushed"]]


def by_owner(promises: pd.DataFrame, pushes: pd.DataFrame) -> pd.DataFrame:
    """One row a seller, by `owner_id`; see `Slippage.owners`."""
    from revops_analysis.statistics.shrinkage import shrink_beta_binomial

    grouped = promises.groupby("owner_id", sort=True)
    frame = grouped.agg(promises=("slipped", "size"), deals=("opportunity_id", "nunique"), slipped=("slipped", "mean"))
    late = promises[promises["slipped"]].groupby("owner_id")["cents"].apply(amount_of)
    frame["slipped_amount"] = late.reindex(frame.index).fillna(0.0) if len(late) else 0.0
    # A deal's promises are not independent: the evidence is as many deals as there are, with the share of promises.
    shrunk = shrink_beta_binomial(frame["slipped"] * frame["deals"], frame["deals"]).frame.set_index(frame.index)
    frame = frame.join(shrunk[["shrunk", "low", "high"]])
    frame = frame.join(pushes.groupby("owner_id")["days"].agg(pushes="size", days_pushed="median"))
    frame["pushes"] = frame["pushes"].fillna(0).astype("int64")
    columns = ["promises", "deals", "slipped", "shrunk", "low", "high", "slipped_amount", "pushes", "days_pushed"]
    ordered = frame.reset_index().sort_values(["shrunk", "owner_id"], ascending=[False, True], ignore_index=True)
    return ordered[["owner_id", *columns]]


def pushed_deals(book: DealBook, most: int = 15) -> pd.DataFrame:
    """Open deals pushed most: [opportunity_id, name, owner, stage, amount, pushes, days_pushed, close_date].

    `days_pushed` is the sum over pushes, moves to earlier dates not taken off.
    """
    moves = book.moves[book.moves["became"] > book.moves["was"]]
    days = (moves["became"] - moves["was"]).dt.days
    sums = moves.assign(days=days).groupby("opportunity_id")["days"].agg(pushes="size", days_pushed="sum")
    joined = book.open.merge(sums.reset_index(), on="opportunity_id")
    ordered = joined.sort_values(["pushes", "days_pushed", "opportunity_id"], ascending=[False, False, True]).head(most)
    shown: Sequence[str] = ["opportunity_id", "name", "owner", "stage", "amount", "pushes", "days_pushed", "close_date"]
    return ordered.assign(amount=ordered["cents"] / 100)[list(shown)].reset_index(drop=True)
