"""Recurring revenue by account, product and month: what everything about retention starts from.

A month counts what was active on its last day. Months are calendar months; they are numbered `12 × year + month − 1`,
so that the month before is the number before. Only months that were over by the as-of date are there.

The engine finds the terms, lengthens them, converts them and hands over a row a term; what follows is arithmetic on
whole millionths in an array with a row a month and a column a unit (account and product). Five million account-months
take 40 MB and tenths of a second there; the same windows over decimals took the engine ten seconds and 3 GB.
"""

from __future__ import annotations

import datetime as dt
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from revops_analysis.errors import DataRefusedError
from revops_analysis.metrics.retention.refusals import refuse_what_cannot_be_counted
from revops_analysis.metrics.retention.terms import (
    KNOWN_ON,
    SOURCES,
    last_full_month,
    origin_of,
    revenue_rows,
    revenue_rows_on,
)
from revops_analysis.periods import Period

if TYPE_CHECKING:
    from revops_analysis.definitions import Definitions
    from revops_analysis.tables.snapshot import Snapshot

MRR_TYPE = "decimal(18, 6)"
Exact = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RecurringRevenue:
    """Recurring revenue in the reporting currency, month by month.

    `accounts`: account_id of each account, in order. `units`: a row an account and product, in order: account (its
    position in `accounts`), product (None where not given). `mrr`: whole millionths, a row a month from `earliest` to
    `last`, a column a unit; `at_next`: the same revenue at the next month's rates (the same array at constant rates).
    `first` and `last`: numbers of the first observed and the last complete month; `earliest` lies before `first` where
    the definitions say from when on revenue is complete. `origin`: the canonical table it comes from.
    """

    accounts: npt.NDArray[np.object_]
    units: pd.DataFrame
    mrr: Exact
    at_next: Exact
    earliest: int
    first: int
    last: int
    origin: str

    @property
    def months(self) -> range:
        """Numbers of the observed months."""
        return range(self.first, self.last + 1)

    def months_in(self, period: Period) -> range:
        """Numbers of the observed months whose last day lies in the period; empty where there is none."""
        first, last = month_number(period.start), month_number(period.end)
        if month_end(last) > period.end:
            last -= 1
        return range(max(first, self.first), min(last, self.last) + 1)

    def by_account(self, amounts: Exact) -> Exact:
        """Sum the columns of `mrr` or `at_next` over the products of each account: a column an account."""
        owner = self.units["account"].to_numpy()
        if len(owner) == len(self.accounts):
            return amounts
        starts = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
        return np.add.reduceat(amounts, starts, axis=1)

    @cached_property
    def first_rows(self) -> npt.NDArray[np.int64]:
        """Row of `mrr` in which each account first had any revenue; its first credit, if it never had any."""
        amounts = self.by_account(self.mrr)
        first: npt.NDArray[np.int64] = (amounts > 0).argmax(axis=0)
        never = np.flatnonzero(amounts[first, np.arange(len(first))] <= 0)
        first[never] = (amounts[:, never] != 0).argmax(axis=0)
        return first

    @cached_property
    def table(self) -> ir.Table:
        """The same as rows: account_id, product, month (number), mrr, mrr_at_next (DECIMAL(18, 6)), never 0."""
        month, unit = np.nonzero(self.mrr)
        owner = self.units["account"].to_numpy()[unit]
        names = {"account_id": self.accounts[owner], "product": self.units["product"].to_numpy(dtype=object)[unit]}
        columns = {name: pa.array(values, pa.string()) for name, values in names.items()}
        columns["month"] = pa.array(month + self.earliest, pa.int64())
        columns |= {"mrr": pa.array(self.mrr[month, unit]), "mrr_at_next": pa.array(self.at_next[month, unit])}
        rows = ibis.memtable(pa.table(columns))
        exact = {
            name: (rows[name].cast("decimal(24, 0)") / 1_000_000).cast(MRR_TYPE) for name in ("mrr", "mrr_at_next")
        }
        return rows.mutate(**exact)


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

    A term counts from `started_on` to `ended_on`, with what `terms` decides. A renewal that starts within
    `late_renewal_grace_days` after the end fills the gap with the old term's revenue; until it is booked, the customer
    counts as gone. Rates: the as-of date's for all months, or those of each month's last day (`mrr_rates`).

    Raises DataRefusedError when an exchange rate is missing, naming currency and day, and when a ledger has no row at
    all in a month between others. Computed once a snapshot.
    """
    if snapshot not in _KNOWN:
        _KNOWN[snapshot] = _compute(snapshot)
    return _KNOWN[snapshot]


_RULES = (
    *("reporting_currency", "business_time_zone", "retention_account", "mrr_rates"),
    *("late_renewal_grace_days", "recurring_revenue_from"),
)
"""Definitions that say what recurring revenue is; others only say what is made of it."""


def under(snapshot: Snapshot, definitions: Definitions) -> Snapshot:
    """The snapshot under other definitions, with the recurring revenue that is known already where it is the same."""
    other = snapshot.under(definitions)
    if all(getattr(definitions, name) == getattr(snapshot.definitions, name) for name in _RULES):
        _KNOWN[other] = recurring_revenue(snapshot)
    return other


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


def _compute(snapshot: Snapshot) -> RecurringRevenue | None:
    origin = origin_of(snapshot)
    if origin is None:
        return None
    last = last_complete_month(snapshot.as_of)
    rows = revenue_rows(snapshot)
    is_foreign, products = refuse_what_cannot_be_counted(snapshot, rows, last)
    paid = _clipped(rows, ibis.literal(last, "int64"))
    if is_foreign:
        in_time = snapshot.definitions.mrr_rates == "monthly"
        paid = _at_monthly_rates(snapshot, paid) if in_time else snapshot.in_reporting_currency(paid, ["mrr"])
    if origin == "revenue_ledger":
        paid = paid.drop("last_month")  # each row lasts for its own month
    return _assembled(snapshot, paid, (last, origin), np.array(products, dtype=object))


@dataclass(frozen=True, eq=False)
class AccountMonths:
    """Revenue by account in the months up to `last`, as one day knew it: whole millionths, a row a month."""

    accounts: npt.NDArray[np.object_]
    mrr: Exact
    last: int


def revenue_on_days(snapshot: Snapshot, days: Sequence[dt.date], months: int) -> list[AccountMonths]:
    """Recurring revenue of the last `months` complete months as each of several days knew it, day by day.

    For each day it is that of `recurring_revenue(snapshot.at(day))`, found with one query for all of them. Accounts, in
    order, are those that paid anything in these months.
    """
    rows = revenue_rows_on(snapshot, days)
    last = last_full_month(rows[KNOWN_ON])
    paid = _clipped(rows, last)
    earliest = last_full_month(paid[KNOWN_ON]) - (months - 1)
    paid = paid.filter(paid.last_month >= earliest).mutate(first_month=ibis.greatest(paid.first_month, earliest))
    if snapshot.definitions.mrr_rates == "monthly":
        valued = snapshot.in_reporting_currency(_by_month(paid, KNOWN_ON), ["mrr"], day="month_end")
    else:
        valued = snapshot.in_reporting_currency(paid, ["mrr"], day=KNOWN_ON)
    terms, names = _fetched(snapshot, valued, np.array([None], dtype=object), KNOWN_ON)
    order = np.argsort(names)
    place = np.empty(len(names), dtype=np.int64)
    place[order] = np.arange(len(names))
    known_on = terms.pop(KNOWN_ON).astype("datetime64[D]")
    terms["account"] = place[terms["account"]]
    return [_on_day(day, {name: terms[name][known_on == day] for name in terms}, names[order], months) for day in days]


def _on_day(day: dt.date, terms: _Terms, names: npt.NDArray[np.object_], months: int) -> AccountMonths:
    last = last_complete_month(day)
    first = last - months + 1
    mrr = _spread(terms, (terms["account"], terms["mrr"]), len(names), (first, last))
    some = (mrr > 0).any(axis=0)
    return AccountMonths(names[some], mrr[:, some], last)


def last_complete_month(day: dt.date) -> int:
    """Number of the last month that is over at the end of a day.

    >>> month_label(last_complete_month(dt.date(2026, 9, 29))), month_label(last_complete_month(dt.date(2026, 9, 30)))
    ('2026-08', '2026-09')
    """
    return month_number(day + dt.timedelta(days=1)) - 1


def _clipped(rows: ir.Table, last: ir.Value) -> ir.Table:
    """Rows with any revenue in a month up to `last`, and their months up to it."""
    paid = rows.filter((rows.mrr != 0) & (rows.first_month <= last))
    paid = paid.mutate(last_month=ibis.least(ibis.coalesce(paid.last_month, last), last))
    return paid.filter(paid.last_month >= paid.first_month)


def _at_monthly_rates(snapshot: Snapshot, rows: ir.Table) -> ir.Table:
    """A row a month: at the rates of its last day and, for the movement of rates, of the next month's (mrr_at_next)."""
    monthly = _by_month(rows)
    known = ibis.least(monthly.next_end, ibis.literal(snapshot.as_of))
    both = monthly.mutate(mrr_at_next=monthly.mrr, next_end=known)
    both = snapshot.con.create_table(ibis.util.gen_name("retention"), both, temp=True)
    valued = snapshot.in_reporting_currency(both, ["mrr"], day="month_end")
    return snapshot.in_reporting_currency(valued, ["mrr_at_next"], day="next_end")


def _by_month(rows: ir.Table, *per: str) -> ir.Table:
    """A row a month of a row a term: its first and last month, its last day (month_end) and the next month's."""
    span = rows.aggregate(first=rows.first_month.min(), last=rows.last_month.max()).to_pyarrow().to_pylist()[0]
    months = [] if span["first"] is None else list(range(span["first"], span["last"] + 1))
    days = {"month_end": [month_end(n) for n in months], "next_end": [month_end(n + 1) for n in months]}
    schema = ibis.schema({"month": "int64", "month_end": "date", "next_end": "date"})
    calendar = ibis.memtable({"month": months, **days}, schema=schema)
    active = rows.join(calendar, [rows.first_month <= calendar.month, rows.last_month >= calendar.month])
    keys = [*per, "account_id", "product", "currency", "month", "month_end", "next_end"]
    monthly = active.group_by(keys).aggregate(mrr=active.mrr.sum().cast(MRR_TYPE))
    return monthly.mutate(first_month=monthly.month, last_month=monthly.month)


def _assembled(
    snapshot: Snapshot, rows: ir.Table, known: tuple[int, str], products: npt.NDArray[np.object_]
) -> RecurringRevenue | None:
    """Fetch a row a term, number accounts and units, and spread the terms over their months."""
    last, origin = known
    terms, names = _fetched(snapshot, rows, products)
    if not len(terms["account"]):
        return None
    is_there = np.zeros(len(names), dtype=bool)
    is_there[terms["account"]] = True
    there = np.flatnonzero(is_there)
    in_order = there[np.argsort(names[there])]
    place = np.zeros(len(names), dtype=np.int64)
    place[in_order] = np.arange(len(in_order))
    key = place[terms["account"]] * len(products) + terms.get("product", 0)
    is_unit = np.zeros(len(in_order) * len(products), dtype=bool)
    is_unit[key] = True
    unit = (is_unit.cumsum() - 1)[key]
    account, product = np.divmod(np.flatnonzero(is_unit), len(products))
    months = (int(terms["first_month"].min()), last)
    mrr = _spread(terms, (unit, terms["mrr"]), len(account), months)
    at_next = _spread(terms, (unit, terms["mrr_at_next"]), len(account), months) if "mrr_at_next" in terms else mrr
    setting = snapshot.definitions.recurring_revenue_from
    first = max(months[0], month_number(setting)) if setting else months[0]
    if first > last:
        return None
    units = pd.DataFrame({"account": account, "product": products[product]})
    return RecurringRevenue(names[in_order], units, mrr, at_next, months[0], first, last, origin)


_Terms = dict[str, npt.NDArray[Any]]


def _fetched(
    snapshot: Snapshot, rows: ir.Table, products: npt.NDArray[np.object_], *per: str
) -> tuple[_Terms, npt.NDArray[np.object_]]:
    """Terms as whole numbers, and the accounts that their numbers stand for.

    Terms: the columns of `per`, account, product (where there is more than one), first_month, last_month (where it is
    another), and mrr and mrr_at_next in millionths. Accounts are numbered from the table of accounts; who is not there
    is looked for only if someone is not.
    """
    names = snapshot.table("accounts").select("account_id").distinct().to_pandas()["account_id"]
    terms = _numbered(rows, names, products, *per)
    if terms["account"].null_count:
        names = rows.select("account_id").distinct().to_pandas()["account_id"]
        terms = _numbered(rows, names, products, *per)
    return {name: terms[name].to_numpy() for name in terms.column_names}, names.to_numpy(dtype=object)


def _numbered(rows: ir.Table, names: pd.Series, products: npt.NDArray[np.object_], *per: str) -> pa.Table:
    known = ibis.memtable(
        pa.table({"name": pa.array(names, pa.string()), "account": pa.array(np.arange(len(names)), pa.int32())})
    )
    place = {name: ibis.literal(number, "int32") for number, name in enumerate(products)}
    branches = [(rows["product"] == name, number) for name, number in place.items() if name is not None]
    missing = ibis.literal(len(products) - 1, "int32")
    numbered = rows.mutate(product_number=ibis.cases(*branches, else_=missing) if branches else missing)
    joined = numbered.left_join(known, numbered.account_id == known.name)
    amounts = [name for name in ("mrr", "mrr_at_next") if name in rows.columns]
    exact = {name: (joined[name] * 1_000_000).cast("int64") for name in amounts}
    months = {name: joined[name].cast("int32") for name in ("first_month", "last_month") if name in rows.columns}
    product = {"product": joined.product_number} if len(products) > 1 else {}
    return joined.select(*per, "account", **months, **product, **exact).to_pyarrow()


def _spread(
    terms: _Terms, amounts: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]], units: int, months: tuple[int, int]
) -> Exact:
    """A row a month, a column a unit: what begins is added at its first month and taken away after its last."""
    (unit, amount), (first, last) = amounts, months
    spread = np.zeros((last - first + 2) * units, dtype=np.int64)
    np.add.at(spread, (terms["first_month"].astype(np.int64) - first) * units + unit, amount)
    if "last_month" in terms:
        np.subtract.at(spread, (terms["last_month"].astype(np.int64) + 1 - first) * units + unit, amount)
        return spread.reshape(-1, units).cumsum(axis=0)[:-1]
    return spread.reshape(-1, units)[:-1]
