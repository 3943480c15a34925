"""How much of what customers started with is there by age, all cohorts together, with the number it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from revops_analysis.metrics.retention.cohorts import CohortMembers, checked_attributes, cohort_members
from revops_analysis.metrics.retention.ledger import missing_reason, require_revenue
from revops_analysis.metrics.retention.rates import MEASURES, Sides, measured
from revops_analysis.metrics.where import Where, parse_where

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

FEWEST = 20
"""A curve ends where fewer accounts have reached the age."""


@dataclass(frozen=True, eq=False)
class RetentionCurves:
    """Retention by age of accounts that began in the observed months.

    `frame`, a row a cell of the cut, age and measure (nrr, grr, logo): the cut's columns, age_months, measure, value,
    low, high (95%), at_risk (accounts that had begun so long before the last month) and base_mrr (their first month's
    revenue). `reason`: why it is empty.
    """

    frame: pd.DataFrame
    by: tuple[str, ...]
    reason: str | None = None


def retention_curves(
    snapshot: Snapshot,
    by: Sequence[str] = ("segment",),
    where: str | Where | None = None,
    ages: Sequence[int] = range(0, 37, 3),
) -> RetentionCurves:
    """Pool the cohorts: at each age, all accounts that have had the time to reach it, whether they stayed or left.

    Who began later drops out at later ages, so a step may also come from whom the curve still rests on: `at_risk` says
    how many that are, and it ends below 20 accounts. Customers from before the first observed month are left out: their
    age is not known.
    """
    condition = parse_where(where)
    checked_attributes(snapshot, by, condition, "retention_curves")
    columns = [*by, "age_months", "measure", "value", "low", "high", "at_risk", "base_mrr"]
    missing = missing_reason(snapshot)
    if missing:
        return RetentionCurves(pd.DataFrame(columns=columns), tuple(by), missing)
    revenue = require_revenue(snapshot)
    members = cohort_members(snapshot, revenue, "quarter", by, condition)
    born = members.labels[~members.labels["cohort"].str.startswith("before ")]
    groups = born.groupby(list(by), dropna=False, sort=True) if by else [((), born)]
    rows: list[dict[str, object]] = []
    for label, group in groups:
        names = dict(zip(by, label, strict=True)) if by else {}
        for age in ages:
            rows += [{**names, "age_months": age, **row} for row in _at(members, group.index.to_numpy(), age)]
    frame = pd.DataFrame(rows, columns=columns)
    reason = None if len(frame) else f"no group has {FEWEST} accounts that began in the observed months"
    return RetentionCurves(frame, tuple(by), reason)


def _at(members: CohortMembers, who: np.ndarray, age: int) -> list[dict[str, object]]:
    reached = who[members.start[who] + age < len(members.closing)]
    if len(reached) < FEWEST:
        return []
    base, now = members.at_age(reached, 0), members.at_age(reached, age)
    found = measured(Sides(base, now, np.minimum(base, now), now > 0), "")
    return [{**row, "at_risk": row["n"]} for row in found if row["measure"] in MEASURES]
