"""How long accounts have paid: a row an account, with when it entered, how long it was watched and whether it left.

Time counts in months since the account's first month with recurring revenue, which is age 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pandas as pd
from ibis import _

from revops_analysis.metrics.deals import missing as is_missing
from revops_analysis.metrics.retention.customers import customers
from revops_analysis.metrics.retention.ledger import (
    RecurringRevenue,
    missing_reason,
    month_label,
    require_revenue,
)

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

ATTRIBUTES = ("segment", "region", "product", "channel", "size_band")
"""What accounts can be told apart by, as at entry."""

SIZE_BANDS = ("smallest third", "middle third", "largest third")
"""Thirds of the accounts by the revenue of their first month."""

_SOURCE_COLUMNS = {
    "segment": "accounts.segment",
    "region": "accounts.region",
    "channel": "opportunities.source",
}


@dataclass(frozen=True)
class LifetimeOptions:
    """`gap_months`: a break of up to so many months ends no lifetime; with 0 the first month without revenue does."""

    gap_months: int = 0


@dataclass(frozen=True, eq=False)
class AccountLifetimes:
    """Lifetimes of the accounts whose first month is known.

    `frame`, a row an account in order of account_id: account_id, entered (YYYY-MM), entered_month (number), entry_age
    (age from which on it was watched: 0, or more where revenue is complete only from a later month), months (age at
    its end, or today's), churned, left (YYYY-MM; null while it stays), returned (has had revenue after it left),
    entry_mrr (of its first month, reporting currency), and `attributes`, null where unknown. An account that left is at
    `months` in the first month without revenue; one that stays was still there at `months`.

    `unknown_start`: accounts that paid in the very first month of the data, so that nobody knows since when: they are
    in no row. `unseen`: accounts that had left before revenue was complete. `reason`: why there is no row. `order`:
    levels of an attribute in the order of reports.
    """

    frame: pd.DataFrame
    attributes: tuple[str, ...]
    first_month: str
    last_month: str
    unknown_start: int
    unseen: int
    order: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]
    reason: str | None = None

    def scopes(self, by: str | None, whole: str) -> list[tuple[str | None, pd.DataFrame]]:
        """All accounts under the name `whole`, then each level of `by` with its rows, missing last."""
        if by is None or by not in self.attributes or self.frame.empty:
            return [(whole, self.frame)]
        known = self.order.get(by, ())
        rank = {name: place for place, name in enumerate(known)}
        found = self.frame[by].drop_duplicates()
        levels = sorted(found.dropna(), key=lambda name: (rank.get(name, len(rank)), name))
        parts: list[tuple[str | None, pd.DataFrame]] = [(name, self.frame[self.frame[by] == name]) for name in levels]
        if found.isna().any():
            parts.append((None, self.frame[self.frame[by].isna()]))
        return [(whole, self.frame), *(parts if len(parts) > 1 else [])]


_FRAME = {
    **dict.fromkeys(("account_id", "entered"), "object"),
    **dict.fromkeys(("entered_month", "entry_age", "months"), "int64"),
    "churned": "bool",
    "left": "object",
    "returned": "bool",
    "entry_mrr": "float64",
    **dict.fromkeys(ATTRIBUTES, "object"),
}


def account_lifetimes(snapshot: Snapshot, options: LifetimeOptions = LifetimeOptions()) -> AccountLifetimes:
    """Lifetimes of all accounts that ever had recurring revenue, as of the snapshot's day.

    A lifetime ends in the first month without revenue above zero (after more than `gap_months` of them in a row); what
    an account does after that is no part of it, and `returned` marks it. With a gap allowed, an account that has paid
    nothing for fewer months than that is not yet known to have left: it counts as watched up to its last paid month.

    Columns of which only today's value is known (segment, region, source of the deal) are used where the definitions
    allow it; others are null, with a note. Without recurring revenue the frame is empty, with the reason.
    """
    missing = missing_reason(snapshot)
    if missing:
        empty = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in _FRAME.items()})
        return AccountLifetimes(empty, ATTRIBUTES, "", "", 0, 0, {}, (), missing)
    revenue = require_revenue(snapshot)
    allowed, notes = _allowed(snapshot)
    spans = _spans(revenue, options.gap_months)
    rows = _described(snapshot, revenue, spans, allowed).order_by("account_id").to_pandas()
    earliest = int(rows["first_month"].min()) if len(rows) else revenue.first
    starts_unknown = rows["first_month"] == earliest
    unseen = ~starts_unknown & (rows["end_month"] < revenue.first)
    frame = _frame(rows[~starts_unknown & ~unseen], revenue, options.gap_months)
    left_out = int(starts_unknown.sum())
    if left_out:
        notes = (*notes, f"{_accounts(left_out)} paid in {month_label(earliest)}, the first month of the data: " + _WHY)
    reason = None if len(frame) else "every account was there in the first month of the data"
    order = {"segment": tuple(snapshot.definitions.segment_names), "size_band": SIZE_BANDS}
    return AccountLifetimes(
        frame,
        ATTRIBUTES,
        month_label(revenue.first),
        month_label(revenue.last),
        left_out,
        int(unseen.sum()),
        order,
        notes,
        reason,
    )


_WHY = "how long they had stayed before is not known, so they are in no curve by age."


def _accounts(number: int) -> str:
    return "1 account" if number == 1 else f"{number:,} accounts"


def _allowed(snapshot: Snapshot) -> tuple[set[str], tuple[str, ...]]:
    """Attributes that may be used, and a sentence on those that may not."""
    permitted = set(snapshot.definitions.allowed_current_columns)
    allowed = {name for name, column in _SOURCE_COLUMNS.items() if column in permitted}
    snapshot.require_dated([_SOURCE_COLUMNS[name] for name in sorted(allowed)], "an attribute of a lifetime")
    refused = [name for name in _SOURCE_COLUMNS if name not in allowed]
    notes = tuple(
        f"{name} is left out: only today's value is known, and allowed_current_columns does not name it."
        for name in refused
    )
    return allowed, notes


def paying_months(revenue: RecurringRevenue) -> ir.Table:
    """Account, month and mrr of the months in which an account's revenue was above zero."""
    return revenue.table.group_by(["account_id", "month"]).aggregate(mrr=_.mrr.sum()).filter(_.mrr > 0)


def _spans(revenue: RecurringRevenue, gap: int) -> ir.Table:
    """First month of each account, the last of its first lifetime, and the last of all."""
    paid = paying_months(revenue)
    following = paid.month.lead().over(ibis.window(group_by="account_id", order_by="month"))
    ends = paid.mutate(following=following)
    is_end = is_missing(ends.following) | (ends.following - ends.month > gap + 1)
    return ends.group_by("account_id").aggregate(
        first_month=_.month.min(), end_month=ends.month.min(where=is_end), last_paid=_.month.max()
    )


def _described(snapshot: Snapshot, revenue: RecurringRevenue, spans: ir.Table, allowed: set[str]) -> ir.Table:
    who = customers(snapshot, revenue)
    null = ibis.null("string")
    known = who.select(
        "account_id",
        segment=who.segment if "segment" in allowed else null,
        region=who.region if "region" in allowed else null,
        product=who.first_product,
    )
    joined = spans.left_join(known, "account_id", rname="{name}_known").drop("account_id_known")
    paid = paying_months(revenue).select(payer="account_id", paid_month="month", entry_mrr=_.mrr.cast("float64"))
    first = joined.left_join(paid, [joined.account_id == paid.payer, joined.first_month == paid.paid_month])
    entered = first.drop("payer", "paid_month")
    channel = _channels(snapshot) if "channel" in allowed and snapshot.has("subscriptions") else None
    if channel is None:
        return entered.mutate(channel=null)
    return entered.left_join(channel, entered.account_id == channel.bought_by).drop("bought_by")


def _channels(snapshot: Snapshot) -> ir.Table:
    """The source of the deal behind each account's first term, by account."""
    terms = snapshot.table("subscriptions")
    order = ibis.window(group_by="account_id", order_by=["started_on", "subscription_id"])
    first = terms.mutate(place=ibis.row_number().over(order)).filter(_.place == 0)
    deals = snapshot.table("opportunities").select(deal_id="opportunity_id", channel="source")
    return first.inner_join(deals, first.opportunity_id == deals.deal_id).select(
        bought_by=_.account_id, channel=_.channel
    )


def _frame(rows: pd.DataFrame, revenue: RecurringRevenue, gap: int) -> pd.DataFrame:
    end, first = rows["end_month"].astype("int64"), rows["first_month"].astype("int64")
    churned = end + gap < revenue.last
    text = {name: rows[name].astype(object).where(rows[name].notna(), None) for name in ("segment", "region")}
    text |= {name: rows[name].astype(object).where(rows[name].notna(), None) for name in ("product", "channel")}
    made = pd.DataFrame(
        {
            "account_id": rows["account_id"],
            "entered": [month_label(int(number)) for number in first],
            "entered_month": first,
            "entry_age": (revenue.first - first).clip(lower=0),
            "months": (end - first + churned.astype("int64")).astype("int64"),
            "churned": churned,
            "left": [month_label(int(n) + 1) if gone else None for n, gone in zip(end, churned, strict=True)],
            "returned": rows["last_paid"].astype("int64") > end,
            "entry_mrr": rows["entry_mrr"].astype("float64"),
            **text,
            "size_band": _size_bands(rows["entry_mrr"].astype("float64")),
        }
    )
    return made.astype(_FRAME).reset_index(drop=True)


def _size_bands(entry_mrr: pd.Series) -> pd.Series:
    """Which third of the accounts by first revenue; equal amounts share a band; null for fewer than three accounts."""
    if len(entry_mrr) < len(SIZE_BANDS):
        return pd.Series([None] * len(entry_mrr), index=entry_mrr.index, dtype=object)
    share = (entry_mrr.rank(method="average") - 0.5) / len(entry_mrr)
    place = (share * len(SIZE_BANDS)).astype("int64").clip(upper=len(SIZE_BANDS) - 1)
    return place.map(dict(enumerate(SIZE_BANDS))).astype(object)
