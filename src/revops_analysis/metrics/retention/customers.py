"""Who the customers are: since when, in which cohort, and by what they can be cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import ibis
import ibis.expr.types as ir
from ibis import _

from revops_analysis.metrics.retention.ledger import RecurringRevenue, month_end, month_label
from revops_analysis.metrics.where import Where, check_names
from revops_analysis.periods import period_containing

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

CohortGrain = Literal["month", "quarter", "year"]
ACCOUNT_COLUMNS = ("segment", "industry", "region", "country")
MOVING = ("product",)
"""Dimensions that an account can change: cutting by them shows transfers."""

DIMENSIONS = {name: name for name in (*ACCOUNT_COLUMNS, "first_product", "cohort", "product", "account_id")}
"""What retention can be cut by. Account columns as known today; `first_product` is the one with the most revenue in the
account's first month; `cohort` is the quarter of that month, or 'before YYYY-MM' for customers from before."""


def customers(snapshot: Snapshot, revenue: RecurringRevenue, grain: CohortGrain = "quarter") -> ir.Table:
    """One row a customer: account_id, first_month (number), is_opening, cohort, first_product, account columns.

    `is_opening`: a customer already in the first observed month, so that the true start is not known. Computed once.
    """
    return revenue.keep(snapshot.con, f"customers {grain}", lambda: _customers(snapshot, revenue, grain))


def _customers(snapshot: Snapshot, revenue: RecurringRevenue, grain: CohortGrain) -> ir.Table:
    totals = revenue.table.group_by(["account_id", "month"]).aggregate(mrr=_.mrr.sum())
    paying = totals.month.min(where=totals.mrr > 0)
    first = totals.group_by("account_id").aggregate(first_month=ibis.coalesce(paying, totals.month.min()))
    labelled = first.join(cohort_labels(snapshot, revenue, grain), "first_month")
    with_product = labelled.left_join(_first_products(revenue, first), "account_id", rname="{name}_right")
    accounts = snapshot.table("accounts").select("account_id", *ACCOUNT_COLUMNS)
    joined = with_product.left_join(accounts, "account_id", rname="{name}_account")
    return joined.mutate(is_opening=joined.first_month <= revenue.first).select(
        "account_id", "first_month", "is_opening", "cohort", "first_product", *ACCOUNT_COLUMNS
    )


def cohort_labels(snapshot: Snapshot, revenue: RecurringRevenue, grain: CohortGrain) -> ir.Table:
    """Name of the cohort for each month of entry: first_month, cohort."""
    earliest = revenue.table.month.min().to_pyarrow().as_py()
    numbers = list(range(earliest, revenue.last + 1))
    names = [cohort_label(snapshot, revenue, number, grain) for number in numbers]
    return ibis.memtable(
        {"first_month": numbers, "cohort": names}, schema=ibis.schema({"first_month": "int64", "cohort": "string"})
    )


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


def _first_products(revenue: RecurringRevenue, first: ir.Table) -> ir.Table:
    """The product with the most revenue in each account's first month; the alphabet decides between equals."""
    rows = revenue.table.join(first, "account_id").filter(_.month == _.first_month)
    order = ibis.window(group_by="account_id", order_by=[rows.mrr.desc(), rows["product"]])
    ranked = rows.mutate(place=ibis.row_number().over(order))
    return ranked.filter(ranked.place == 0).select("account_id", first_product=ranked["product"])


def moving_dimensions(by: Sequence[str], where: Where) -> list[str]:
    """Those of the named dimensions that an account can change."""
    return [name for name in MOVING if name in by or name in where.columns]


def cut(snapshot: Snapshot, revenue: RecurringRevenue, table: ir.Table, by: Sequence[str], where: Where) -> ir.Table:
    """Filter a table of accounts and give it the dimensions of the cut; columns whose past is not known are noted.

    The customer's columns are joined only where they are asked for. Raises ConfigurationError for a name that is no
    dimension.
    """
    check_names(by, DIMENSIONS, "dimension", "by, of retention")
    check_names(where.columns, DIMENSIONS, "column in a filter", "filter on retention")
    used = {*by, *where.columns}
    snapshot.use_columns([f"accounts.{name}" for name in ACCOUNT_COLUMNS if name in used])
    wanted = [name for name in DIMENSIONS if name in used and name not in table.columns]
    if wanted:
        table = table.join(customers(snapshot, revenue).select("account_id", *wanted), "account_id")
    conditions = [item.predicate(table[item.column]) for item in where.conditions]
    return table.filter(conditions) if conditions else table
