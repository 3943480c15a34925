"""Subscription terms and ledger rows as one table: who pays what, in which currency, from which month to which.

What is odd about a term is decided here, before anything is added up, and counted in `quality`:

- a term whose renewal begins within the grace after it, or while it still runs, lasts until the day before;
- the same term recorded twice counts once;
- a term that ended before it began counts nowhere; one of 0 is a free plan and no recurring revenue.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
from ibis import _

from revops_analysis.metrics.retention.families import at_parent, at_parent_on

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
    Under `retention_account: parent` the account is the topmost parent. Computed once a snapshot, into a table.
    """

    def rows() -> ir.Table:
        is_of_terms = origin_of(snapshot) == "subscriptions"
        found = _term_rows(ended_terms(snapshot)) if is_of_terms else _ledger_rows(snapshot.table("revenue_ledger"))
        return at_parent(snapshot, found) if snapshot.definitions.retention_account == "parent" else found

    return snapshot.keep("retention: revenue rows", rows)


def revenue_rows_on(snapshot: Snapshot, days: Sequence[dt.date]) -> ir.Table:
    """The rows of `revenue_rows` as each of several days knew them, the day in `known_on`: one query for all."""
    origin = origin_of(snapshot)
    table = snapshot.table_on(origin or SOURCES[0], days)
    if origin == "revenue_ledger":
        found = _ledger_rows(table, KNOWN_ON)
    else:
        grace = snapshot.definitions.late_renewal_grace_days
        found = _term_rows(with_last_day(without_twins(table, KNOWN_ON), grace, KNOWN_ON), KNOWN_ON)
    return at_parent_on(snapshot, found, days) if snapshot.definitions.retention_account == "parent" else found


KNOWN_ON = "known_on"
"""Column that says on which day a row was known so, where several days are looked at together."""


def ended_terms(snapshot: Snapshot) -> ir.Table:
    """Terms, each once, with their last_day. Computed once a snapshot, into a table."""
    grace = snapshot.definitions.late_renewal_grace_days
    return snapshot.keep(
        "retention: terms", lambda: with_last_day(without_twins(snapshot.table("subscriptions")), grace)
    )


def month_of(day: ir.Value) -> ir.Value:
    """Number of the month in which a day lies, as an expression."""
    return (12 * day.year() + day.month() - 1).cast("int64")


def _term_rows(ended: ir.Table, *per: str) -> ir.Table:
    counted = ended.filter(ended.last_day.isnull() | (ended.last_day >= ended.started_on))
    return counted.select(
        *per,
        "account_id",
        "product",
        "currency",
        "mrr",
        first_month=month_of(counted.started_on),
        last_month=last_full_month(counted.last_day),
    )


def last_full_month(day: ir.Value) -> ir.Value:
    """Number of the last month that is over at the end of a day, as an expression."""
    return month_of((day + ibis.interval(days=1)).cast("date")) - 1


def without_twins(terms: ir.Table, *per: str) -> ir.Table:
    """Keep one of the terms that are the same term recorded twice: the one with the least key."""
    same = ibis.window(group_by=[*per, *_SAME_TERM], order_by="subscription_id")
    numbered = terms.mutate(copy=ibis.row_number().over(same))
    return numbered.filter((numbered.copy == 0) | numbered.opportunity_id.isnull()).drop("copy")


def with_last_day(terms: ir.Table, grace: int, *per: str) -> ir.Table:
    """Add last_day: the term's end, or the day before the term that renews it.

    A term that says which one it renews ends that one, whether it begins while the old one still runs or up to `grace`
    days later. Where a term does not say so, the next of the same account and product is its renewal, if it begins
    within the grace; one that begins earlier may as well be an addition, and adds up. `per`: columns that tell apart
    several states of the same terms.
    """
    later = terms.select(
        later_account=_.account_id,
        later_product=_.product,
        later_start=_.started_on,
        later_renews=_.renews_subscription_id,
        **{f"later_{name}": terms[name] for name in per},
    )
    limit = (terms.ended_on + ibis.interval(days=grace + 1)).cast("date")
    named = later.later_renews.notnull() & (later.later_renews == terms.subscription_id)
    in_time = terms.ended_on.isnull() | (later.later_start <= limit)
    named = named & (later.later_start > terms.started_on) & in_time
    unnamed = later.later_renews.isnull() & later.later_product.identical_to(terms.product)
    unnamed = unnamed & (later.later_start > terms.ended_on) & (later.later_start <= limit)
    together = [terms[name] == later[f"later_{name}"] for name in per]
    wanted = [terms.account_id == later.later_account, *together, named | unnamed if grace else named]
    pairs = terms.join(later, wanted)
    keys = {"renewed_id": pairs.subscription_id, **{f"renewed_{name}": pairs[name] for name in per}}
    renewed = pairs.group_by(**keys).aggregate(renewed_on=pairs.later_start.min())
    same = [terms.subscription_id == renewed.renewed_id, *(terms[name] == renewed[f"renewed_{name}"] for name in per)]
    joined = terms.left_join(renewed, same)
    day_before = (joined.renewed_on - ibis.interval(days=1)).cast("date")
    return joined.mutate(last_day=ibis.coalesce(day_before, joined.ended_on))


def _ledger_rows(ledger: ir.Table, *per: str) -> ir.Table:
    """The revenue ledger in the form of terms: each row lasts for its own month."""
    month = month_of(ledger.month)
    return ledger.select(*per, "account_id", "product", "currency", "mrr", first_month=month, last_month=month)
