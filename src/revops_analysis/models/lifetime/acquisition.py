"""What a new customer costs and how long it takes to earn that back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
from ibis import _

from revops_analysis.attribution.recorded_spend import company_spend
from revops_analysis.metrics.retention.ledger import missing_reason, month_end, month_label, require_revenue
from revops_analysis.models.lifetime.lifetimes import paying_months
from revops_analysis.models.lifetime.value import WINDOW, LifetimeValue
from revops_analysis.periods import Period

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot


@dataclass(frozen=True, eq=False)
class AcquisitionCost:
    """`frame`, a row a figure: [metric, title, value, unit, n, reason] of the months `months` (first, last).

    Spend is all that the source has of marketing, sales and other functions; new customers are accounts whose first
    month with revenue lies in the same months.
    """

    frame: pd.DataFrame
    months: tuple[str, str]

    def table(self) -> pd.DataFrame:
        """For a page: [figure, amount (currency), number, reason], each value in the column of its unit."""
        is_money = self.frame["unit"] == "currency"
        return pd.DataFrame(
            {
                "figure": self.frame["title"],
                "amount": self.frame["value"].where(is_money),
                "number": self.frame["value"].mask(is_money),
                "reason": self.frame["reason"],
            }
        )


_TITLES = {
    "acquisition_spend": ("Sales and marketing spend", "currency"),
    "new_customers": ("New customers", "count"),
    "customer_acquisition_cost": ("Cost of a new customer (all sales and marketing spend)", "currency"),
    "new_customer_mrr": ("Monthly revenue of a new customer, in its first month", "currency"),
    "payback_months": ("Months of gross margin that pay a new customer's cost back", "ratio"),
    "value_to_cost": ("Lifetime value over {months} months ÷ cost of a new customer", "ratio"),
}


def acquisition_cost(snapshot: Snapshot, value: LifetimeValue) -> AcquisitionCost:
    """CAC, payback and lifetime value against cost, over the twelve months up to the last complete one.

    CAC = spend ÷ new customers. Payback = CAC ÷ (first-month revenue of these customers × gross margin). Spend and
    customers of the same months are set against each other, so a long sales cycle in a growing company overstates CAC.

    Null with a reason: no spend table, a month without spend of sales or of marketing (what is left would be a part of
    the cost), no new customers, or free plans only.
    """
    missing = missing_reason(snapshot)
    if missing:
        return AcquisitionCost(_frame({}, dict.fromkeys(_TITLES, missing), (0, value.horizon_months)), ("", ""))
    revenue = require_revenue(snapshot)
    first = max(revenue.first + 1, revenue.last - WINDOW + 1)
    start, end = month_end(first).replace(day=1), month_end(revenue.last)
    spend, reason = company_spend(snapshot, Period(f"{start}..{end}", start, end))
    count, mrr = _new_customers(snapshot, first, revenue.last)
    values: dict[str, float | None] = {
        "acquisition_spend": spend,
        "new_customers": float(count),
        "new_customer_mrr": mrr,
    }
    reasons: dict[str, str] = {}
    if reason:
        reasons |= dict.fromkeys(("acquisition_spend", "customer_acquisition_cost", "payback_months"), reason)
        reasons["value_to_cost"] = reason
    if count == 0:
        nobody = "no account became a customer in these months"
        reasons |= dict.fromkeys(("customer_acquisition_cost", "new_customer_mrr", "payback_months"), nobody)
        reasons["value_to_cost"] = nobody
    elif spend is not None and mrr is not None:
        cost = spend / count
        values["customer_acquisition_cost"] = cost
        values["payback_months"] = cost / (mrr * value.margin)
        worth = value.frame[value.frame["method"] == "cohort"].iloc[0]
        if pd.isna(worth["value"]):
            reasons["value_to_cost"] = str(worth["reason"])
        elif cost > 0:
            values["value_to_cost"] = float(worth["value"]) / cost
        else:
            reasons["value_to_cost"] = "nothing was spent"
    return AcquisitionCost(
        _frame(values, reasons, (count, value.horizon_months)), (month_label(first), month_label(revenue.last))
    )


def _frame(values: dict[str, float | None], reasons: dict[str, str], counted: tuple[int, int]) -> pd.DataFrame:
    """`counted`: new customers, and months over which value is counted."""
    n, months = counted
    rows: list[dict[str, Any]] = []
    for metric, (title, unit) in _TITLES.items():
        value = values.get(metric)
        reason = reasons.get(metric) if value is None else None
        rows.append(
            {
                "metric": metric,
                "title": title.format(months=months),
                "value": value,
                "unit": unit,
                "n": n,
                "reason": reason,
            }
        )
    return pd.DataFrame(rows).astype({"value": "float64"})


def _new_customers(snapshot: Snapshot, first: int, last: int) -> tuple[int, float | None]:
    """How many accounts first paid in these months, and their mean revenue in that month."""
    paid = paying_months(require_revenue(snapshot))
    starts = paid.group_by("account_id").aggregate(start=_.month.min())
    joined = paid.join(starts, "account_id")
    new = joined.filter((joined.month == joined.start) & joined.start.between(first, last))
    found = new.aggregate(n=new.count(), mrr=new.mrr.sum().cast("float64")).to_pandas().iloc[0]
    count = int(found["n"])
    return count, float(found["mrr"]) / count if count else None
