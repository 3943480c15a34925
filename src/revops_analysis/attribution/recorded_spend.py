"""What was spent, as recorded: the one reading of the table `spend`, and whether all of it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import pandas as pd

from revops_analysis.metrics.channels import channel_of

if TYPE_CHECKING:
    from revops_analysis.periods import Period
    from revops_analysis.tables.snapshot import Snapshot

NO_TABLE = "the source has no spend"
NEEDED = ("sales", "marketing")
"""Functions without whose spend a cost per customer would be that of a programme, and no CAC."""


def company_spend(snapshot: Snapshot, period: Period) -> tuple[float | None, str | None]:
    """Return all that was spent in a period, in the reporting currency, or None and why it is not known.

    All functions count; sales and marketing must be recorded in each month of the period.
    """
    spent = monthly_spend(snapshot)
    mine, wanted = months_of(period, spent)
    reason = lacking(mine, wanted, spent.empty)
    return (None, reason) if reason else (int(mine["cents"].sum()) / 100, None)


def monthly_spend(snapshot: Snapshot) -> pd.DataFrame:
    """Return spend by month, function and channel: month (Timestamp), function, channel (None: of no channel), cents.

    Channels are named as touches are; spend of a campaign without channel takes the campaign's. Amounts are converted
    at the rate of the month's first day. Empty where the source has no spend.
    """
    table = snapshot.table("spend")
    campaigns = snapshot.table("campaigns").select(planned="campaign_id", planned_channel="channel")
    joined = table.left_join(campaigns, table.campaign_id == campaigns.planned)
    named = joined.mutate(word=ibis.coalesce(joined.channel, joined.planned_channel))
    money = snapshot.in_reporting_currency(named, ["amount"], day="month")
    summed = money.group_by(["month", "function", "word"]).aggregate(cents=(money.amount * 100).cast("int64").sum())
    frame = summed.order_by(["month", "function", "word"]).to_pyarrow().to_pandas(date_as_object=False)
    words = {word: channel_of(word, snapshot.definitions) for word in frame["word"].dropna().unique()}
    frame["channel"] = frame["word"].map(words).astype(object).where(frame["word"].notna(), None)
    frame["month"] = pd.to_datetime(frame["month"])
    keys = ["month", "function", "channel"]
    return frame.groupby(keys, dropna=False, as_index=False, sort=True)["cents"].sum()


def months_of(period: Period, spent: pd.DataFrame) -> tuple[pd.DataFrame, set[pd.Timestamp]]:
    """Return the spend of a period, and the months it should have: those whose 15th day lies in it."""
    middle = pd.date_range(period.start, period.end, freq="D")
    wanted = {pd.Timestamp(day.year, day.month, 1) for day in middle if day.day == 15}
    return spent[spent["month"].isin(wanted)], wanted


def lacking(mine: pd.DataFrame, wanted: set[pd.Timestamp], is_empty: bool) -> str | None:
    """Why spend on sales and marketing is not all there, or None: a month without a row is missing, and not 0."""
    if is_empty:
        return NO_TABLE
    for function in NEEDED:
        months = set(mine["month"][mine["function"].str.casefold() == function])
        if months != wanted:
            return f"spend of {function} is recorded for {len(months)} of {len(wanted)} months"
    return None
