"""Cohorts that keep less than earlier ones did at the same age, and since when; corrected for looking at many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.metrics.retention.cohorts import AGE_STEP, CohortMembers, cohort_members, entry_months
from revops_analysis.metrics.retention.customers import CohortGrain
from revops_analysis.metrics.retention.ledger import missing_reason, month_label, require_revenue
from revops_analysis.metrics.where import Where, parse_where

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

FALSE_DISCOVERY = 0.05
"""Share of false alarms that is accepted among the cells called worse."""
FEWEST = 20
"""Accounts that a cohort and the earlier ones need each; with fewer a ratio's error is not normal."""
Measure = Literal["nrr", "grr"]


@dataclass(frozen=True, eq=False)
class CohortDeclines:
    """Each cohort at each age against all cohorts that entered before it, at the same age.

    `cells`: cohort, age_months, n, n_before, value, before (pooled), difference with low and high (95%), p_value,
    p_adjusted (Benjamini–Hochberg over all cells) and reason where it was not tested. `worse`, a row a cohort whose
    latest age is below, p_adjusted ≤ 0.05: cohort, since (the month in which it had reached the first age of the
    unbroken run of ages below), from_age, age_months, n, value, before, difference, low, high, p_adjusted, monthly
    (what the difference comes to in revenue a month, reporting currency). `reason`: why nothing could be looked at.
    """

    cells: pd.DataFrame
    worse: pd.DataFrame
    measure: Measure
    reason: str | None = None

    @property
    def tested(self) -> int:
        """How many comparisons were made."""
        return int(self.cells["p_value"].notna().sum()) if len(self.cells) else 0


_CELLS = ("cohort", "age_months", "n", "n_before", "value", "before", "difference", "low", "high", "p_value")
_WORSE = (
    "cohort",
    "since",
    "from_age",
    "age_months",
    "n",
    "value",
    "before",
    "difference",
    "low",
    "high",
    "p_adjusted",
    "monthly",
)


def worsening_cohorts(
    snapshot: Snapshot,
    measure: Measure = "grr",
    grain: CohortGrain = "quarter",
    where: str | Where | None = None,
) -> CohortDeclines:
    """Find cohorts that retain less than the ones before them did at equal age.

    Customers from before the first observed month are no cohort from birth and are left out. The error of a ratio of
    sums is that of its linearisation over accounts (Cochran, Sampling Techniques, 1977, ch. 6); the two groups share
    no account. Only ages that all members have reached are compared; the first age, where all is 100%, is not.
    """
    missing = missing_reason(snapshot)
    if missing:
        return CohortDeclines(pd.DataFrame(columns=[*_CELLS]), pd.DataFrame(columns=[*_WORSE]), measure, missing)
    revenue = require_revenue(snapshot)
    members = cohort_members(snapshot, revenue, grain, (), parse_where(where))
    entries = entry_months(snapshot, revenue, grain)
    born = [name for name in entries if not name.startswith("before ") and (members.labels["cohort"] == name).any()]
    born = sorted(born, key=lambda name: entries[name])
    rows = []
    for place, name in enumerate(born):
        reached = revenue.last - entries[name][1]
        for age in range(AGE_STEP[grain], reached + 1, AGE_STEP[grain]):
            rows.append({"cohort": name, "age_months": age, **_compared(members, (name, born[:place]), age, measure)})
    cells = _adjusted(pd.DataFrame(rows, columns=[*_CELLS, "reason", "base"]))
    worse = [_verdict(part, entries[str(name)][1]) for name, part in cells.groupby("cohort", sort=False)]
    found = pd.DataFrame([row for row in worse if row], columns=[*_WORSE])
    return CohortDeclines(cells.drop(columns="base"), found, measure)


def _compared(members: CohortMembers, cohorts: tuple[str, list[str]], age: int, measure: Measure) -> dict[str, object]:
    name, earlier = cohorts
    labels = members.labels["cohort"]
    own, others = (np.flatnonzero(group.to_numpy()) for group in (labels == name, labels.isin(earlier)))
    counts: dict[str, object] = {"n": len(own), "n_before": len(others), "base": float(members.at_age(own, 0).sum())}
    if min(len(own), len(others)) < FEWEST:
        return {**counts, "reason": f"fewer than {FEWEST} accounts in the cohort or in the earlier ones"}
    (value, error), (before, other) = (_ratio(members, rows, age, measure) for rows in (own, others))
    return {**counts, "value": value, "before": before, **_tested(value - before, float(np.hypot(error, other)))}


def _tested(difference: float, spread: float) -> dict[str, object]:
    from scipy.stats import norm

    half = float(norm.ppf(0.975)) * spread
    p_value = float(2 * norm.sf(abs(difference) / spread)) if spread > 0 else float(difference == 0)
    return {"difference": difference, "low": difference - half, "high": difference + half, "p_value": p_value}


def _ratio(members: CohortMembers, rows: npt.NDArray[np.int64], age: int, measure: Measure) -> tuple[float, float]:
    """Retention of some accounts at an age, and its standard error."""
    base = members.at_age(rows, 0).astype(np.float64)
    now = members.at_age(rows, age).astype(np.float64)
    kept = np.minimum(now, base) if measure == "grr" else now
    value = float(kept.sum() / base.sum())
    n = len(rows)
    residual = kept - value * base
    return value, float(np.sqrt((residual**2).sum() * n / (n - 1)) / base.sum())


def _adjusted(cells: pd.DataFrame) -> pd.DataFrame:
    from revops_analysis.statistics.false_discovery import benjamini_hochberg

    numbers = ("value", "before", "difference", "low", "high", "p_value", "base")
    cells = cells.astype(dict.fromkeys(numbers, "float64"))
    cells["p_adjusted"] = benjamini_hochberg(cells["p_value"].to_numpy()) if len(cells) else pd.Series(dtype=float)
    cells["reason"] = cells["reason"].astype(object).where(cells["reason"].notna(), None)
    return cells


def _verdict(part: pd.DataFrame, entered: int) -> dict[str, object] | None:
    """A cohort's row if it is worse at its latest age: since the first age of the unbroken run of ages below."""
    below = ((part["difference"] < 0) & (part["p_adjusted"] <= FALSE_DISCOVERY)).to_numpy()
    if not len(below) or not below[-1]:
        return None
    first = len(below) - int(np.argmin(np.r_[below[::-1], False]))
    last, start = part.iloc[-1], int(part["age_months"].iloc[first])
    row: dict[str, object] = {name: last[name] for name in _WORSE if name in part.columns}
    monthly = round(-float(last["difference"]) * float(last["base"]) / 1_000_000, 2)
    return {**row, "since": month_label(entered + start), "from_age": start, "monthly": monthly}
