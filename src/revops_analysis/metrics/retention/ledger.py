"""Recurring revenue by account, product and month: the one table that everything about retention starts from.

A month counts what was active on its last day. Months are calendar months; they are numbered `12 × year + month − 1`
in the engine, so that the month before is the number before. Only months that were over by the as-of date are there.
"""

from __future__ import annotations

import datetime as dt
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import ibis
import ibis.expr.types as ir
from ibis import _

from revops_analysis.errors import DataRefusedError
from revops_analysis.periods import Period

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

MRR_TYPE = "decimal(18, 6)"
SOURCES = ("subscriptions", "revenue_ledger")
"""Tables that recurring revenue can come from; the first that the source supplies is used."""


@dataclass(frozen=True, eq=False)
class RecurringRevenue:
    """Recurring revenue in the reporting currency, month by month.

    `table`: account_id, product, month (number), mrr, mrr_at_next (the same revenue at the next month's rates; equal
    to mrr at constant rates), both DECIMAL(18, 6), never 0. `first` and `last`: numbers of the first observed and the
    last complete month. `origin`: the canonical table it comes from. `kept`: results that are asked for
    often.
    """

    table: ir.Table
    first: int
    last: int
    origin: str
    kept: dict[str, ir.Table] = field(default_factory=dict)

    def keep(self, con: Any, name: str, make: Callable[[], ir.Table]) -> ir.Table:
        """Compute a table once, in the engine of `con`; later calls with the same name return it."""
        if name not in self.kept:
            self.kept[name] = con.create_table(ibis.util.gen_name("retention"), make(), temp=True)
        return self.kept[name]

    def months_in(self, period: Period) -> range:
        """Numbers of the observed months whose last day lies in the period; empty where there is none."""
        first, last = month_number(period.start), month_number(period.end)
        if month_end(last) > period.end:
            last -= 1
        return range(max(first, self.first), min(last, self.last) + 1)


def month_number(day: dt.date) -> int:
    """Number of the month in which a day lies.

    >>> month_number(dt.date(2026, 9, 30)) - month_number(dt.date(2025, 9, 1))
    12
    """
    return 12 * day.year + day.month - 1


def month_end(number: int) -> dt.date:
    """Last day of a month.

    >>> month_end(month_number(dt.date(2024, 2, 1)))
    datetime.date(2024, 2, 29)
    """
    year, month = divmod(number, 12)
    return dt.date(year, month + 1, monthrange(year, month + 1)[1])


def month_label(number: int) -> str:
    """A month as reports name it.

    >>> month_label(month_number(dt.date(2026, 9, 30)))
    '2026-09'
    """
    year, month = divmod(number, 12)
    return f"{year:04d}-{month + 1:02d}"


def missing_reason(snapshot: Snapshot) -> str | None:
    """Why there is no recurring revenue at all, or None."""
    if not any(snapshot.has(name) for name in SOURCES):
        return f"the source has no {' and no '.join(SOURCES)} table"
    if recurring_revenue(snapshot) is None:
        return f"no recurring revenue in a month that was over by {snapshot.as_of.isoformat()}"
    return None


_KNOWN: WeakKeyDictionary[Snapshot, RecurringRevenue | None] = WeakKeyDictionary()


def recurring_revenue(snapshot: Snapshot) -> RecurringRevenue | None:
    """Recurring revenue of every complete month as of the snapshot's day; None where there is none.

    A term counts from `started_on` to `ended_on`. A renewal that starts within `late_renewal_grace_days` after the end
    fills the gap with the old term's revenue; until it is booked, the customer counts as gone. Rates: the as-of date's
    for all months, or those of each month's last day (`mrr_rates`).

    Raises DataRefusedError when an exchange rate is missing, naming currency and day. Computed once a snapshot.
    """
    if snapshot not in _KNOWN:
        _KNOWN[snapshot] = _compute(snapshot)
    return _KNOWN[snapshot]


def _compute(snapshot: Snapshot) -> RecurringRevenue | None:
    origin = next((name for name in SOURCES if snapshot.has(name)), None)
    if origin is None:
        return None
    rows = _terms(snapshot) if origin == "subscriptions" else _ledger_rows(snapshot)
    starts = rows.aggregate(first=rows.first_day.min()).to_pyarrow().to_pylist()[0]["first"]
    last = month_number(snapshot.as_of + dt.timedelta(days=1)) - 1
    if starts is None or month_number(starts) > last:
        return None
    table = _at_constant_rates if snapshot.definitions.mrr_rates == "constant" else _at_monthly_rates
    monthly = _kept(snapshot, table(snapshot, rows, range(month_number(starts), last + 1)))
    found = monthly.aggregate(first=monthly.month.min()).to_pyarrow().to_pylist()[0]["first"]
    if found is None:
        return None
    from_setting = snapshot.definitions.recurring_revenue_from
    first = max(found, month_number(from_setting)) if from_setting else found
    return RecurringRevenue(monthly, first, last, origin) if first <= last else None


def _kept(snapshot: Snapshot, expression: ir.Table) -> ir.Table:
    return snapshot.con.create_table(ibis.util.gen_name("retention"), expression, temp=True)


def _terms(snapshot: Snapshot) -> ir.Table:
    """Subscription terms: account_id, product, currency, mrr, first_day, last_day (null: open)."""
    terms = snapshot.table("subscriptions")
    grace = snapshot.definitions.late_renewal_grace_days
    bridged = _bridge_late_renewals(terms, grace) if grace else terms.mutate(last_day=terms.ended_on)
    return bridged.select("account_id", "product", "currency", "mrr", "last_day", first_day=bridged.started_on)


def _bridge_late_renewals(terms: ir.Table, grace: int) -> ir.Table:
    """Let a term last until the day before the term that renews it, where that starts within the grace.

    Where a term does not say which one it renews, the next of the same account and product is taken.
    """
    later = terms.select(
        later_account=_.account_id,
        later_product=_.product,
        later_start=_.started_on,
        later_renews=_.renews_subscription_id,
    )
    limit = terms.ended_on + ibis.interval(days=grace + 1)
    named = later.later_renews == terms.subscription_id
    unnamed = later.later_renews.isnull() & later.later_product.identical_to(terms.product)
    pairs = terms.join(
        later,
        [
            terms.account_id == later.later_account,
            later.later_start > terms.ended_on,
            later.later_start <= limit.cast("date"),
            named | unnamed,
        ],
    )
    renewed = pairs.group_by(renewed_id=pairs.subscription_id).aggregate(renewed_on=pairs.later_start.min())
    joined = terms.left_join(renewed, terms.subscription_id == renewed.renewed_id)
    day_before = (joined.renewed_on - ibis.interval(days=1)).cast("date")
    return joined.mutate(last_day=ibis.coalesce(day_before, joined.ended_on))


def _ledger_rows(snapshot: Snapshot) -> ir.Table:
    """The revenue ledger in the form of terms: each row lasts for its own month."""
    ledger = snapshot.table("revenue_ledger")
    first = ledger.month.truncate("M").cast("date")
    last = (first + ibis.interval(months=1) - ibis.interval(days=1)).cast("date")
    return ledger.select("account_id", "product", "currency", "mrr", first_day=first, last_day=last)


def _by_month(rows: ir.Table, months: range, keys: list[str]) -> ir.Table:
    """Revenue of each month on whose last day it was active: the keys, month, month_end, next_end, mrr."""
    calendar = ibis.memtable(
        {
            "month": list(months),
            "month_end": [month_end(number) for number in months],
            "next_end": [month_end(number + 1) for number in months],
        },
        schema=ibis.schema({"month": "int64", "month_end": "date", "next_end": "date"}),
    )
    is_open = rows.last_day.isnull() | (rows.last_day >= calendar.month_end)
    active = rows.join(calendar, [rows.first_day <= calendar.month_end, is_open])
    return active.group_by([*keys, "month", "month_end", "next_end"]).aggregate(mrr=active.mrr.sum().cast(MRR_TYPE))


def _at_constant_rates(snapshot: Snapshot, rows: ir.Table, months: range) -> ir.Table:
    """Every month at the as-of date's rates: what is billed in another currency is converted term by term."""
    valued = snapshot.in_reporting_currency(rows, ["mrr"])
    monthly = _by_month(valued, months, ["account_id", "product"])
    paid = monthly.filter(monthly.mrr != 0)
    return paid.select("account_id", "product", "month", "mrr", mrr_at_next=paid.mrr)


def _at_monthly_rates(snapshot: Snapshot, rows: ir.Table, months: range) -> ir.Table:
    """Each month at the rates of its last day and, for the movement of rates, of the next month's."""
    monthly = _kept(snapshot, _by_month(rows, months, ["account_id", "product", "currency"]))
    known = ibis.least(monthly.next_end, ibis.literal(snapshot.as_of))
    both = monthly.mutate(mrr_at_next=monthly.mrr, next_end=known)
    valued = snapshot.in_reporting_currency(both, ["mrr"], day="month_end")
    valued = snapshot.in_reporting_currency(valued, ["mrr_at_next"], day="next_end")
    sums = {name: valued[name].sum().cast(MRR_TYPE) for name in ("mrr", "mrr_at_next")}
    return valued.group_by(["account_id", "product", "month"]).aggregate(**sums).filter(_.mrr != 0)


def require_revenue(snapshot: Snapshot) -> RecurringRevenue:
    """Recurring revenue, or DataRefusedError with the reason and what to supply."""
    revenue = recurring_revenue(snapshot)
    if revenue is None:
        raise DataRefusedError(
            "There is no recurring revenue to follow.",
            expected="subscriptions, or a revenue_ledger, with at least one complete month",
            found=missing_reason(snapshot),
            where=f"source {snapshot.source}, as of {snapshot.as_of.isoformat()}",
            fix="map the subscription terms or the monthly ledger in the source's profile, and load again",
        )
    return revenue
