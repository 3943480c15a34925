"""Cohort triangles: how much of what each cohort started with is still there, by age."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pandas as pd
from ibis import _

from revops_analysis.metrics.retention.customers import ACCOUNT_COLUMNS, CohortGrain, cohort_label, customers, cut
from revops_analysis.metrics.retention.ledger import RecurringRevenue, missing_reason, month_end, require_revenue
from revops_analysis.metrics.retention.rates import MEASURES, rates_of
from revops_analysis.metrics.where import Where, check_names, parse_where

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

AGE_STEP = {"month": 1, "quarter": 3, "year": 12}
FROZEN = (*ACCOUNT_COLUMNS, "first_product")
"""What cohorts can be cut by: attributes as at entry."""
_Entries = dict[str, tuple[int, int]]
"""First and last month of entry of each cohort."""


@dataclass(frozen=True, eq=False)
class CohortTriangle:
    """Retention by cohort and age.

    `frame`, a row a cohort, age and measure: cohort, entered_from and entered_to (last days of the first and last
    month of entry), the cut's columns, age_months, measure (nrr, grr, logo), value, low, high, n (accounts), base_mrr
    (their first month's revenue, reporting currency), matures_on (last day of the month from which on the cell is
    complete) and reason. An immature cell has no value. The result's `reason`: why the frame is empty.
    """

    frame: pd.DataFrame
    by: tuple[str, ...]
    grain: CohortGrain
    reason: str | None = None

    def grid(self, measure: str = "nrr") -> pd.DataFrame:
        """One measure as a grid: a row a cohort in order of entry, a column an age in months; NaN where immature."""
        rows = self.frame[self.frame["measure"] == measure]
        wide = rows.pivot(index=["entered_to", "cohort"], columns="age_months", values="value")
        return wide.sort_index().droplevel("entered_to").astype("float64")

    def at_age(self, months: int) -> pd.DataFrame:
        """A row a cohort (and cell of the cut) at one age: accounts, base_mrr, each measure with interval, reason.

        Columns: cohort, the cut, accounts, base_mrr, nrr, nrr_low, nrr_high, grr …, logo …, reason (the day on which an
        immature cell will be complete). In order of entry; empty where no cohort can have reached the age.
        """
        rows = self.frame[self.frame["age_months"] == months].sort_values("entered_to", kind="stable")
        keys = ["cohort", *self.by]
        wide = rows[[*keys, "n", "base_mrr"]].drop_duplicates(keys).rename(columns={"n": "accounts"})
        for measure in MEASURES:
            names = {"value": measure, "low": f"{measure}_low", "high": f"{measure}_high"}
            part = rows[rows["measure"] == measure].rename(columns=names)
            wide = wide.merge(part[[*keys, *names.values()]], on=keys)
        return wide.merge(rows[[*keys, "reason"]].drop_duplicates(keys), on=keys)


def cohort_triangle(
    snapshot: Snapshot, grain: CohortGrain = "quarter", by: Sequence[str] = (), where: str | Where | None = None
) -> CohortTriangle:
    """NRR, GRR and logo retention of each cohort against its own first month, by age in steps of the grain.

    An account's age counts from its own first month with revenue, so members of a quarter's cohort are compared at
    equal ages; a cell is shown only once its youngest member has reached the age. Customers from before the first
    observed month form the cohort 'before YYYY-MM', with ages from that month on: survivors, not a cohort from birth.

    `by` and `where` take the account's columns and `first_product`, frozen at entry. Columns without history are
    refused unless the definitions allow them. Intervals as in `retention_rates`.
    Without recurring revenue the result is empty, with the reason.
    """
    condition = parse_where(where)
    check_names([*by, *condition.columns], FROZEN, "attribute of a cohort", "cohort_triangle")
    named = [f"accounts.{name}" for name in ACCOUNT_COLUMNS if name in {*by, *condition.columns}]
    snapshot.require_dated(named, "a cohort's attribute")
    missing = missing_reason(snapshot)
    if missing:
        return CohortTriangle(pd.DataFrame(columns=_columns(by)), tuple(by), grain, missing)
    revenue = require_revenue(snapshot)
    members = _members(snapshot, revenue, grain, by, condition)
    step = AGE_STEP[grain]
    ages = list(range(0, revenue.last - revenue.first + 1, step))
    history = _at_ages(revenue, members, ages)
    entries = _entry_months(snapshot, revenue, grain)
    frame = _triangle(members.to_pandas(), history.to_pandas(), ages, list(by), (entries, revenue.last))
    for place, name in enumerate(("entered_from", "entered_to")):
        frame.insert(1 + place, name, [month_end(entries[cohort][place]) for cohort in frame["cohort"]])
    return CohortTriangle(frame[_columns(by)], tuple(by), grain)


def _columns(by: Sequence[str]) -> list[str]:
    entry, cell = ["cohort", "entered_from", "entered_to"], ["age_months", "matures_on", "measure"]
    return [*entry, *by, *cell, "value", "low", "high", "reason", "n", "base_mrr"]


def _members(
    snapshot: Snapshot, revenue: RecurringRevenue, grain: CohortGrain, by: Sequence[str], where: Where
) -> ir.Table:
    """Customers of each cohort with their start: the first month, or the first observed one, and its revenue."""
    who = cut(snapshot, revenue, customers(snapshot, revenue, grain), by, where)
    starts = who.mutate(start=ibis.greatest(who.first_month, revenue.first))
    totals = revenue.table.group_by(["account_id", "month"]).aggregate(mrr=_.mrr.sum()).filter(_.mrr > 0)
    joined = starts.join(totals, [starts.account_id == totals.account_id, starts.start == totals.month])
    return joined.select("account_id", "start", "cohort", *by, base=joined.mrr.cast("float64"))


def _at_ages(revenue: RecurringRevenue, members: ir.Table, ages: list[int]) -> ir.Table:
    """Revenue of each member at each age at which it has any."""
    totals = revenue.table.group_by(["account_id", "month"]).aggregate(mrr=_.mrr.sum()).filter(_.mrr > 0)
    joined = members.select("account_id", "start").join(totals, "account_id")
    aged = joined.mutate(age_months=joined.month - joined.start)
    return aged.filter(aged.age_months.isin(ages)).select("account_id", "age_months", now=aged.mrr.cast("float64"))


def _triangle(
    members: pd.DataFrame, history: pd.DataFrame, ages: list[int], by: list[str], known: tuple[_Entries, int]
) -> pd.DataFrame:
    entries, last = known
    rows = []
    wide = history.pivot(index="account_id", columns="age_months", values="now").reindex(columns=ages)
    ordered = members.sort_values(["start", "account_id"])
    for label, group in ordered.groupby(["cohort", *by], dropna=False, sort=False):
        now = wide.reindex(group["account_id"]).fillna(0.0)
        names = dict(zip(["cohort", *by], label, strict=True))
        for age in ages:
            complete = entries[str(label[0])][1] + age
            shared = {**names, "age_months": age, "matures_on": month_end(complete)}
            rows += [{**shared, **row} for row in _cell(group["base"], now[age], complete, complete <= last)]
    return pd.DataFrame(rows)


def _cell(base: pd.Series, now: pd.Series, complete: int, is_mature: bool) -> list[dict[str, object]]:
    """The measures of one cohort at one age; empty until its youngest possible member has reached the age."""
    if is_mature:
        return rates_of(base, now, "no account")
    empty = {"value": None, "low": None, "high": None, "n": len(base), "base_mrr": round(float(base.sum()), 2)}
    reason = f"complete on {month_end(complete).isoformat()}"
    return [{**empty, "measure": measure, "reason": reason} for measure in MEASURES]


def _entry_months(snapshot: Snapshot, revenue: RecurringRevenue, grain: CohortGrain) -> _Entries:
    """First and last month of entry of each cohort, by the calendar and not by who happened to enter."""
    months = range(revenue.first, revenue.last + AGE_STEP[grain] + 1)
    labels = pd.Series([cohort_label(snapshot, revenue, number, grain) for number in months], index=months)
    return {str(label): (int(group.index.min()), int(group.index.max())) for label, group in labels.groupby(labels)}
