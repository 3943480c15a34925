"""Who the customers are: since when, in which cohort, and by what they can be cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa
from ibis import _

from revops_analysis.metrics.deals import missing
from revops_analysis.metrics.retention.families import at_parent
from revops_analysis.metrics.retention.ledger import RecurringRevenue, month_end, month_label
from revops_analysis.metrics.where import Where
from revops_analysis.periods import period_containing

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

CohortGrain = Literal["month", "quarter", "year"]
ACCOUNT_COLUMNS = ("segment", "industry", "region", "country", "owner_id")
DEAL_COLUMNS = ("channel", "first_owner_id", "first_segment")
MOVING = ("product", "size_band")
"""Dimensions that an account can change: cutting by them shows transfers."""

DIMENSIONS = {
    name: name for name in (*ACCOUNT_COLUMNS, "first_product", *DEAL_COLUMNS, "cohort", *MOVING, "account_id")
}
"""What retention can be cut by. Account columns as known today (`owner_id` is the account's owner); `first_product` is
the one with the most revenue in the account's first month; `channel`, `first_owner_id` and `first_segment` are the
source, the owner and the segment of the first deal that the account won; `cohort` is the quarter of the first month, or
'before YYYY-MM' for customers from before; `size_band` is the account's revenue of the month, by `mrr_bands`."""


def customers(snapshot: Snapshot, revenue: RecurringRevenue, grain: CohortGrain = "quarter") -> ir.Table:
    """One row a customer: account_id, first_month (number), is_opening, cohort, first_product, account columns.

    `is_opening`: a customer already in the first observed month, so that the true start is not known. Computed once.
    """
    frame = customer_frame(snapshot, revenue, grain)
    columns = {name: pa.array(frame[name], pa.string()) for name in frame.columns if frame[name].dtype == object}
    columns |= {"first_month": pa.array(frame["first_month"]), "is_opening": pa.array(frame["is_opening"])}
    return ibis.memtable(pa.table({name: columns[name] for name in frame.columns}))


def customer_frame(snapshot: Snapshot, revenue: RecurringRevenue, grain: CohortGrain = "quarter") -> pd.DataFrame:
    """`customers` as a frame, in the order of `revenue.accounts`; missing texts are None."""
    return snapshot.once(("customers", grain), lambda: _customers(snapshot, revenue, grain))


def _customers(snapshot: Snapshot, revenue: RecurringRevenue, grain: CohortGrain) -> pd.DataFrame:
    first = revenue.first_rows
    months = first + revenue.earliest
    names = {number: cohort_label(snapshot, revenue, int(number), grain) for number in np.unique(months)}
    frame = pd.DataFrame({"account_id": revenue.accounts, "first_month": months})
    frame["is_opening"] = frame["first_month"] <= revenue.first
    frame["cohort"] = frame["first_month"].map(names).astype(object)
    frame["first_product"] = _first_products(revenue, first)
    accounts = snapshot.table("accounts").select("account_id", *ACCOUNT_COLUMNS).to_pandas()
    known = accounts.drop_duplicates("account_id").set_index("account_id").reindex(revenue.accounts)
    for name in ACCOUNT_COLUMNS:
        frame[name] = _texts(known[name])
    return frame


def _texts(values: pd.Series) -> np.ndarray:
    return values.astype(object).where(values.notna(), None).to_numpy()


def _first_products(revenue: RecurringRevenue, first: np.ndarray) -> np.ndarray:
    """The product with the most revenue in each account's first month; the alphabet decides between equals."""
    owner = revenue.units["account"].to_numpy()
    then = revenue.mrr[first[owner], np.arange(len(owner))]
    order = np.lexsort((np.arange(len(owner)), -then, owner))
    leading = order[np.r_[True, owner[order][1:] != owner[order][:-1]]]
    return revenue.units["product"].to_numpy(dtype=object)[leading]


def cohort_label(snapshot: Snapshot, revenue: RecurringRevenue, number: int, grain: CohortGrain) -> str:
    """Name of the cohort that entered in a month; fiscal quarters and years where those are whole months."""
    if number <= revenue.first:
        return f"before {month_label(revenue.first)}"
    calendar = snapshot.definitions.fiscal_calendar
    if grain == "month":
        return month_label(number)
    if calendar.kind != "months":
        year, month = divmod(number, 12)
        return f"{year:04d}" if grain == "year" else f"{year:04d}-Q{month // 3 + 1}"
    return period_containing(month_end(number), calendar, grain).label


def moving_dimensions(by: Sequence[str], where: Where) -> list[str]:
    """Those of the named dimensions that an account can change."""
    return [name for name in MOVING if name in by or name in where.columns]


def account_attributes(snapshot: Snapshot, revenue: RecurringRevenue, names: Sequence[str]) -> pd.DataFrame:
    """The named dimensions that an account keeps, a row an account; columns whose past is not known are noted."""
    snapshot.use_columns([f"accounts.{name}" for name in ACCOUNT_COLUMNS if name in names])
    frame = customer_frame(snapshot, revenue)
    from_deals = [name for name in DEAL_COLUMNS if name in names]
    if from_deals:
        deals = snapshot.once("first won deals", lambda: _first_deals(snapshot, revenue))
        used = {"channel": "source", "first_segment": "segment"}
        snapshot.use_columns([used[name] for name in from_deals if name in used])
        frame = pd.concat([frame, deals], axis=1)
    return frame[[name for name in dict.fromkeys(names) if name not in MOVING]]


def _first_deals(snapshot: Snapshot, revenue: RecurringRevenue) -> pd.DataFrame:
    """Channel, owner and segment of the first deal that each account won; None where none is known."""
    deals = snapshot.deals
    won = deals.filter((deals.status == "won") & ~missing(deals.account_id)).select(
        "account_id", "booked_on", "opportunity_id", "source", "owner_id", "segment"
    )
    if snapshot.definitions.retention_account == "parent":
        won = at_parent(snapshot, won)
    order = ibis.window(group_by="account_id", order_by=[_.booked_on.asc(nulls_first=False), _.opportunity_id])
    first = won.mutate(place=ibis.row_number().over(order)).filter(_.place == 0).to_pandas()
    known = first.set_index("account_id").reindex(revenue.accounts)
    channels = snapshot.definitions.channel_map
    source = [channels.get(name, name) if isinstance(name, str) else None for name in known["source"]]
    return pd.DataFrame(
        {
            "channel": pd.Series(source, dtype=object),
            "first_owner_id": pd.Series(_texts(known["owner_id"]), dtype=object),
            "first_segment": pd.Series(_texts(known["segment"]), dtype=object),
        }
    )
