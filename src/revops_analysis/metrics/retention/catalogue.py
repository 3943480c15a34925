"""The retention family in the registry of metrics."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from revops_analysis.metrics.deals import ratio_by
from revops_analysis.metrics.registry import Metric, MetricRequest, Unit, nothing, only, register
from revops_analysis.metrics.retention.cells import balances, cells_of
from revops_analysis.metrics.retention.cohorts import FROZEN, cohort_triangle
from revops_analysis.metrics.retention.customers import DIMENSIONS, moving_dimensions
from revops_analysis.metrics.retention.ledger import (
    SOURCES,
    RecurringRevenue,
    missing_reason,
    month_label,
    require_revenue,
)
from revops_analysis.metrics.retention.movements import GAINS, LOSSES, month_lines, mrr_movements
from revops_analysis.metrics.retention.rates import Measure, retention_rates
from revops_analysis.metrics.retention.rounding import MICRO
from revops_analysis.metrics.retention.summary import ORDER, no_month, period_movements

FAMILY = "Retention"
_Compute = Callable[[MetricRequest, RecurringRevenue, range], pd.DataFrame]

retention_metric = partial(Metric, family=FAMILY, tables=(), dimensions=dict(DIMENSIONS))
"""A metric of this family; it says itself when neither of the tables that it can use is there."""


def answered(compute: _Compute) -> Callable[[MetricRequest], pd.DataFrame]:
    """Answer with a reason where there is no recurring revenue, or none in the period."""

    def ask(request: MetricRequest) -> pd.DataFrame:
        reason = missing_reason(request.snapshot)
        if reason:
            return nothing(request, reason)
        revenue = require_revenue(request.snapshot)
        months = revenue.months_in(request.period)
        return compute(request, revenue, months) if months else nothing(request, no_month(revenue, request.period))

    return ask


def _movement(request: MetricRequest, _revenue: RecurringRevenue, _months: range) -> pd.DataFrame:
    frame = period_movements(request.snapshot, request.period, request.by, request.where).frame
    return frame[[*request.by, "line", "value", "n"]]


def _balance(request: MetricRequest) -> pd.DataFrame:
    frame = period_movements(request.snapshot, request.period, request.by, request.where).frame
    return frame[frame["line"] == "closing"].drop(columns="line")


def _mrr(request: MetricRequest, _revenue: RecurringRevenue, _months: range) -> pd.DataFrame:
    return _balance(request)[[*request.by, "value", "n"]]


def _arr(request: MetricRequest, _revenue: RecurringRevenue, months: range) -> pd.DataFrame:
    frame = mrr_movements(request.snapshot, request.by, request.where).frame
    balance = frame[(frame["line"] == "closing") & (frame["month"] == month_label(months[-1]))]
    return balance.assign(value=balance["annual_cents"].astype("float64") / 100)[[*request.by, "value", "n"]]


def _customers(request: MetricRequest, revenue: RecurringRevenue, months: range) -> pd.DataFrame:
    rows = balances(request.snapshot, revenue, moving_dimensions(request.by, request.where))
    cells = cells_of(request.snapshot, revenue, rows, request.by, request.where)
    paying = cells.kept[rows.closing[months[-1] - revenue.first][cells.kept] > 0]
    code = cells.code[np.isin(cells.kept, paying)]
    found = pd.DataFrame({"cell": code, "account": rows.owner[cells.kept[np.isin(cells.kept, paying)]]})
    number = found.groupby("cell")["account"].nunique()
    frame = cells.labels.assign(n=number.reindex(range(len(cells.labels)), fill_value=0).to_numpy())
    frame = frame[frame["n"] > 0] if request.by else frame
    return frame.assign(value=frame["n"])


def _rate(measure: Measure, request: MetricRequest, _revenue: RecurringRevenue, months: range) -> pd.DataFrame:
    frame = retention_rates(request.snapshot, [months[-1]], request.by, request.where).frame
    return frame[frame["measure"] == measure][[*request.by, "value", "low", "high", "n", "reason"]]


def _quick_ratio(request: MetricRequest, revenue: RecurringRevenue, months: range) -> pd.DataFrame:
    rows = balances(request.snapshot, revenue, moving_dimensions(request.by, request.where))
    cells = cells_of(request.snapshot, revenue, rows, request.by, request.where)
    gained, lost = np.zeros(len(rows.owner), dtype=np.int64), np.zeros(len(rows.owner), dtype=np.int64)
    for month in month_lines(revenue, rows, months):
        gained += sum(month.lines[name] for name in GAINS)
        lost -= sum(month.lines[name] for name in LOSSES)
    shown = cells.labels.iloc[cells.code].reset_index(drop=True)
    sides = {"account": rows.owner[cells.kept], "gained": gained[cells.kept], "lost": lost[cells.kept]}
    accounts = shown.assign(**sides).groupby([*request.by, "account"], dropna=False)[["gained", "lost"]].sum() / MICRO
    accounts = accounts.reset_index()
    moved = accounts[(accounts["gained"] != 0) | (accounts["lost"] != 0)]
    frame = ratio_by(moved, request.by, "gained", "lost")
    return frame.assign(reason=frame["reason"].replace("the denominator is zero", "no revenue was lost"))


def _cohorts(measure: Measure, request: MetricRequest, _revenue: RecurringRevenue, _months: range) -> pd.DataFrame:
    frame = cohort_triangle(request.snapshot, "quarter", request.by, request.where).frame
    kept = frame[frame["measure"] == measure]
    return kept[[*request.by, "cohort", "age_months", "value", "low", "high", "n", "reason"]]


def _add(name: str, title: str, unit: Unit, compute: _Compute, **more: object) -> None:
    register(retention_metric(name=name, title=title, unit=unit, compute=answered(compute), **more))  # type: ignore[arg-type]


_SOURCE = f"From {' or '.join(SOURCES)}."

_add(
    "mrr",
    "Monthly recurring revenue",
    "currency",
    _mrr,
    description=f"Recurring revenue of a month, active on the last day of the period's last complete month. {_SOURCE}",
    formula="Σ mrr of terms active on the last day of the month",
    grain="account × product",
    span="level",
    additive=True,
)
_add(
    "arr",
    "Annual recurring revenue",
    "currency",
    _arr,
    description="A year of recurring revenue as it stands on the last day of the period's last complete month; rounded "
    "once, so that it can differ from twelve times the published MRR by cents.",
    formula="12 × mrr, before rounding",
    grain="account × product",
    span="level",
    additive=True,
)
_add(
    "mrr_movement",
    "Movements of recurring revenue",
    "currency",
    _movement,
    description="From the opening to the closing of the period, the monthly movements summed: new, expansion, "
    "reactivation, contraction, churn, exchange rate (under monthly rates), and transfers between products.",
    formula="opening + Σ lines = closing, exact to the cent in every cut",
    grain="account × month",
    parts=("line",),
    additive=True,
)
_add(
    "paying_customers",
    "Paying customers",
    "count",
    _customers,
    description="Accounts with recurring revenue above zero on the last day of the period's last complete month.",
    formula="number of accounts with mrr > 0",
    grain="account",
    span="level",
)
_RATES: tuple[tuple[str, Measure, str, str], ...] = (
    ("nrr", "nrr", "Net revenue retention", "mrr at m of accounts with mrr > 0 at m − 12 ÷ their mrr at m − 12"),
    ("grr", "grr", "Gross revenue retention", "Σ min(mrr at m, mrr at m − 12) ÷ Σ mrr at m − 12"),
    (
        "logo_retention",
        "logo",
        "Logo retention",
        "accounts with mrr > 0 at m and m − 12 ÷ accounts with mrr > 0 at m − 12",
    ),
)
for _name, _measure, _title, _formula in _RATES:
    _add(
        _name,
        _title,
        "rate",
        partial(_rate, _measure),
        description="Over twelve months to the period's last complete month m, with a 95% interval over accounts; n is "
        "the number of accounts twelve months before.",
        formula=_formula,
        grain="account",
        span="level",
    )
_add(
    "quick_ratio",
    "Quick ratio",
    "ratio",
    _quick_ratio,
    description="Recurring revenue gained for one unit lost in the period, with a 95% interval over accounts; null "
    "where nothing was lost.",
    formula="(new + expansion + reactivation) ÷ (contraction + churn)",
    grain="account",
)
for _name, _measure, _title, _formula in _RATES:
    _add(
        f"cohort_{_measure}",
        f"{_title} by cohort and age",
        "rate",
        partial(_cohorts, _measure),
        description="Quarterly cohorts against their own first month, as of the as-of date whatever the period; null, "
        "with the day on which it will be complete, where the youngest member is not that old.",
        formula=_formula.replace("m − 12", "the account's first month").replace(" at m ", " at that age "),
        grain="account",
        span="level",
        parts=("cohort", "age_months"),
        dimensions=only(FROZEN, DIMENSIONS),
    )

LINE_ORDER = ORDER
"""Order of the lines of `mrr_movement`, as a waterfall reads."""
