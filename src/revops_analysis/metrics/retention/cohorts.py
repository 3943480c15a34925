"""Cohort triangles: how much of what each cohort started with is still there, by age."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.metrics.retention.cells import passing
from revops_analysis.metrics.retention.customers import (
    ACCOUNT_COLUMNS,
    DEAL_COLUMNS,
    CohortGrain,
    account_attributes,
    cohort_label,
    customer_frame,
)
from revops_analysis.metrics.retention.ledger import (
    Exact,
    RecurringRevenue,
    missing_reason,
    month_end,
    require_revenue,
)
from revops_analysis.metrics.retention.rates import MEASURES, ratio_rows
from revops_analysis.metrics.retention.rounding import to_cents
from revops_analysis.metrics.where import Where, check_names, parse_where
from revops_analysis.statistics.intervals import wilson_interval

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

AGE_STEP = {"month": 1, "quarter": 3, "year": 12}
FROZEN = (*ACCOUNT_COLUMNS, "first_product", *DEAL_COLUMNS)
"""What cohorts can be cut by: attributes as at entry."""
_Entries = dict[str, tuple[int, int]]
"""First and last month of entry of each cohort."""


@dataclass(frozen=True, eq=False)
class CohortTriangle:
    """Retention by cohort and age.

    `frame`, a row a cohort, age and measure: cohort, entered_from and entered_to (last days of the first and last
    month of entry), the cut's columns, age_months, measure (nrr, grr, logo), value, low, high, n (accounts), base_mrr
    (their first month's revenue, reporting currency), mrr and accounts (what is there at the age), matures_on (last day
    of the month from which on the cell is complete) and reason. An immature cell has no value. The result's `reason`:
    why the frame is empty.
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
    checked_attributes(snapshot, by, condition, "cohort_triangle")
    missing = missing_reason(snapshot)
    if missing:
        return CohortTriangle(pd.DataFrame(columns=_columns(by)), tuple(by), grain, missing)
    revenue = require_revenue(snapshot)
    members = cohort_members(snapshot, revenue, grain, by, condition)
    ages = list(range(0, revenue.last - revenue.first + 1, AGE_STEP[grain]))
    entries = entry_months(snapshot, revenue, grain)
    frame = _triangle(members, ages, list(by), (entries, revenue.last))
    for place, name in enumerate(("entered_from", "entered_to")):
        frame.insert(1 + place, name, [month_end(entries[cohort][place]) for cohort in frame["cohort"]])
    return CohortTriangle(frame[_columns(by)], tuple(by), grain)


def checked_attributes(snapshot: Snapshot, by: Sequence[str], where: Where, what: str) -> None:
    """Refuse what a cohort cannot be cut by, and columns whose past is not known, unless they are allowed."""
    check_names([*by, *where.columns], FROZEN, "attribute of a cohort", what)
    snapshot.require_dated(_sources(snapshot, {*by, *where.columns}), "a cohort's attribute")


def _sources(snapshot: Snapshot, names: set[str]) -> list[str]:
    """Columns of the canonical tables that the named attributes come from."""
    from_deal = {"channel": "source", "first_segment": "segment"}
    if snapshot.definitions.cohort_attributes == "first_deal":
        from_deal["segment"] = "segment"
    of_account = [f"accounts.{name}" for name in ACCOUNT_COLUMNS if name in names - from_deal.keys()]
    return [*of_account, *(column for name, column in from_deal.items() if name in names)]


def _columns(by: Sequence[str]) -> list[str]:
    entry, cell = ["cohort", "entered_from", "entered_to"], ["age_months", "matures_on", "measure"]
    return [*entry, *by, *cell, "value", "low", "high", "reason", "n", "base_mrr", "mrr", "accounts"]


@dataclass(frozen=True, eq=False)
class CohortMembers:
    """Customers by cohort: their labels (cohort and cut), their start (row of `closing`), and revenue by month."""

    labels: pd.DataFrame
    start: npt.NDArray[np.int64]
    closing: Exact

    def at_age(self, rows: npt.NDArray[np.int64], age: int) -> Exact:
        """Revenue of some members at an age in months; each must have reached it."""
        return self.closing[self.start[rows] + age, rows]


def cohort_members(
    snapshot: Snapshot, revenue: RecurringRevenue, grain: CohortGrain, by: Sequence[str], where: Where
) -> CohortMembers:
    """Customers of each cohort with revenue in their first month, or in the first observed one."""
    names = list(dict.fromkeys([*by, *where.columns]))
    attributes = account_attributes(snapshot, revenue, _with_source(snapshot, names))
    if snapshot.definitions.cohort_attributes == "first_deal" and "segment" in names:
        attributes["segment"] = attributes["first_segment"].where(attributes["first_segment"].notna(), None)
    who = customer_frame(snapshot, revenue, grain)
    labels = pd.concat([who[["cohort"]], attributes[names]], axis=1)
    start = np.maximum(who["first_month"].to_numpy() - revenue.first, 0)
    closing = revenue.by_account(revenue.mrr)[revenue.first - revenue.earliest :]
    began = closing[start, np.arange(len(start))] > 0
    some = np.flatnonzero(began & passing(snapshot, attributes[names], where))
    some = some[np.argsort(start[some], kind="stable")]
    return CohortMembers(labels.iloc[some].reset_index(drop=True), start[some], closing[:, some])


def _with_source(snapshot: Snapshot, names: Sequence[str]) -> list[str]:
    """The columns that the named attributes are made of."""
    if snapshot.definitions.cohort_attributes == "first_deal" and "segment" in names:
        return [*names, "first_segment"]
    return list(names)


def _triangle(members: CohortMembers, ages: list[int], by: list[str], known: tuple[_Entries, int]) -> pd.DataFrame:
    entries, last = known
    rows: list[dict[str, object]] = []
    for label, group in members.labels.groupby(["cohort", *by], dropna=False, sort=False):
        who = group.index.to_numpy()
        cohort = str(label[0])
        mature = [age for age in ages if entries[cohort][1] + age <= last]
        measured = _mature(members, who, mature)
        base = {"n": len(who), "base_mrr": int(to_cents(int(members.at_age(who, 0).sum()))) / 100}
        for age in ages:
            day = month_end(entries[cohort][1] + age)
            shared = {**dict(zip(["cohort", *by], label, strict=True)), "age_months": age, "matures_on": day, **base}
            rows += [{**shared, **row} for row in measured.get(age, _immature(day))]
    return pd.DataFrame(rows)


def _immature(day: dt.date) -> list[dict[str, object]]:
    """The measures of a cell whose youngest possible member has not reached the age."""
    empty = {"value": None, "low": None, "high": None, "mrr": None, "accounts": None}
    return [{**empty, "measure": measure, "reason": f"complete on {day.isoformat()}"} for measure in MEASURES]


def _mature(members: CohortMembers, who: npt.NDArray[np.int64], ages: list[int]) -> dict[int, list[dict[str, object]]]:
    """The measures of one cohort at each age that all its members have reached, drawn together."""
    if not ages:
        return {}
    base = members.at_age(who, 0)
    now = np.column_stack([members.at_age(who, age) for age in ages])
    kept = np.column_stack([now, np.minimum(now, base[:, None])]).astype(np.float64)
    ratios = ratio_rows(["nrr"] * len(ages) + ["grr"] * len(ages), kept, base.astype(np.float64))
    stayed = (now > 0).sum(axis=0)
    low, high = wilson_interval(stayed, np.full(len(ages), len(who)))
    found = {}
    for place, age in enumerate(ages):
        share = float(stayed[place]) / len(who)
        logo = {"measure": "logo", "value": share, "low": float(low[place]), "high": float(high[place])}
        amount = int(to_cents(int(now[:, place].sum()))) / 100
        shared = {"reason": None, "mrr": amount, "accounts": int(stayed[place])}
        found[age] = [{**row, **shared} for row in (ratios[place], ratios[place + len(ages)], logo)]
    return found


def entry_months(snapshot: Snapshot, revenue: RecurringRevenue, grain: CohortGrain) -> _Entries:
    """First and last month of entry of each cohort, by the calendar and not by who happened to enter."""
    months = range(revenue.first, revenue.last + AGE_STEP[grain] + 1)
    labels = pd.Series([cohort_label(snapshot, revenue, number, grain) for number in months], index=months)
    return {str(label): (int(group.index.min()), int(group.index.max())) for label, group in labels.groupby(labels)}
