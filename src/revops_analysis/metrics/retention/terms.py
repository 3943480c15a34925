"""Subscription terms and ledger rows as one table: who pays what, in which currency, from which month to which.

What is odd about a term is decided here, before anything is added up, and counted in `quality`:

- a term whose renewal begins within the grace after it, or while it still runs, lasts until the day before;
- the same term recorded twice counts once;
- a term that ended before it began counts nowhere; one of 0 is a free plan and no recurring revenue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
from ibis import _

from revops_analysis.metrics.retention.families import at_parent

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

SOURCES = ("subscriptions", "revenue_ledger")
"""Tables that recurring revenue can come from; the first that the source supplies is used."""

_SAME_TERM = ("account_id", "opportunity_id", "product", "started_on", "ended_on", "mrr", "currency")
"""Terms that agree in all of these are one term recorded twice, if they name the deal that booked them."""


def origin_of(snapshot: Snapshot) -> str | None:
    """The canonical table that recurring revenue comes from, or None."""
    return next((name for name in SOURCES if snapshot.has(name)), None)


def revenue_rows(snapshot: Snapshot) -> ir.Table:
    """A row a term or ledger row: account_id, product, currency, mrr, first_month, last_month (numbers; null: open).

    The months are those on whose last day it is active; none of them may be there (`last_month` < `first_month`).
    Under `retention_account: parent` the account is the topmost parent.
    """
    rows = _terms(snapshot) if origin_of(snapshot) == "subscriptions" else _ledger_rows(snapshot)
    return at_parent(snapshot, rows) if snapshot.definitions.retention_account == "parent" else rows


def month_of(day: ir.Value) -> ir.Value:
    """Number of the month in which a day lies, as an expression."""
    return (12 * day.year() + day.month() - 1).cast("int64")


def _terms(snapshot: Snapshot) -> ir.Table:
    once = without_twins(snapshot.table("subscriptions"))
    ended = with_last_day(once, snapshot.definitions.late_renewal_grace_days)
    counted = ended.filter(ended.last_day.isnull() | (ended.last_day >= ended.started_on))
    return counted.select(
        "account_id",
        "product",
        "currency",
        "mrr",
        first_month=month_of(counted.started_on),
        last_month=month_of((counted.last_day + ibis.interval(days=1)).cast("date")) - 1,
    )


def without_twins(terms: ir.Table) -> ir.Table:
    """Keep one of the terms that are the same term recorded twice: the one with the least key."""
    same = ibis.window(group_by=list(_SAME_TERM), order_by="subscription_id")
    numbered = terms.mutate(copy=ibis.row_number().over(same))
    return numbered.filter((numbered.copy == 0) | numbered.opportunity_id.isnull()).drop("copy")


def with_last_day(terms: ir.Table, grace: int) -> ir.Table:
    """Add last_day: the term's end, or the day before the term that renews it.

    A term that says which one it renews ends that one, whether it begins while the old one still runs or up to `grace`
    days later. Where a term does not say so, the next of the same account and product is its renewal, if it begins
    within the grace; one that begins earlier may as well be an addition, and adds up.
    """
    later = terms.select(
        later_account=_.account_id,
        later_product=_.product,
        later_start=_.started_on,
        later_renews=_.renews_subscription_id,
    )
    limit = (terms.ended_on + ibis.interval(days=grace + 1)).cast("date")
    named = later.later_renews.notnull() & (later.later_renews == terms.subscription_id)
    in_time = terms.ended_on.isnull() | (later.later_start <= limit)
    named = named & (later.later_start > terms.started_on) & in_time
    unnamed = later.later_renews.isnull() & later.later_product.identical_to(terms.product)
    unnamed = unnamed & (later.later_start > terms.ended_on) & (later.later_start <= limit)
    wanted = [terms.account_id == later.later_account, named | unnamed if grace else named]
    pairs = terms.join(later, wanted)
    renewed = pairs.group_by(renewed_id=pairs.subscription_id).aggregate(renewed_on=pairs.later_start.min())
    joined = terms.left_join(renewed, terms.subscription_id == renewed.renewed_id)
    day_before = (joined.renewed_on - ibis.interval(days=1)).cast("date")
    return joined.mutate(last_day=ibis.coalesce(day_before, joined.ended_on))


def _ledger_rows(snapshot: Snapshot) -> ir.Table:
    """The revenue ledger in the form of terms: each row lasts for its own month."""
    ledger = snapshot.table("revenue_ledger")
    month = month_of(ledger.month)
    return ledger.select("account_id", "product", "currency", "mrr", first_month=month, last_month=month)
