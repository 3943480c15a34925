"""Cohorts that worsen are found, and chance alone is not taken for it."""

from __future__ import annotations

import random

import pytest

from metrics.retention.companies import company, term
from revops_analysis.metrics.retention import worsening_cohorts


def made(seed: int, worse_from: int | None = None, size: int = 40):
    """Nine quarterly cohorts; from one on, a third of the customers leave after four months instead of a twelfth."""
    rng = random.Random(seed)  # noqa: S311 - test data
    rows = [term("old", "2023-01-01", None, 10)]
    for quarter in range(9):
        year, month = divmod(3 * quarter + 3, 12)
        leaving = 0.35 if worse_from is not None and quarter >= worse_from else 0.08
        for number in range(size):
            name, mrr = f"q{quarter}n{number}", round(rng.lognormvariate(5, 0.8), 2)
            begin = f"{2023 + year}-{month + 1:02d}-01"
            left = divmod(3 * quarter + 7, 12)
            end = f"{2023 + left[0]}-{left[1] + 1:02d}-01" if rng.random() < leaving else None
            rows.append(term(name, begin, end, mrr))
    return company(rows, "2025-12-31")


def test_the_cohorts_that_are_worse_are_found_with_the_month_since() -> None:
    found = worsening_cohorts(made(1, worse_from=6, size=60))
    assert {"2024-Q4", "2025-Q1"} & set(found.worse["cohort"])
    assert set(found.worse["cohort"]) <= {"2024-Q4", "2025-Q1", "2025-Q2"}
    row = found.worse.set_index("cohort").loc[found.worse["cohort"].iloc[0]]
    assert row["from_age"] == 6
    assert row["difference"] < 0
    assert row["p_adjusted"] <= 0.05
    assert row["monthly"] > 0
    entered = {"2024-Q4": "2024-12", "2025-Q1": "2025-03"}[found.worse["cohort"].iloc[0]]
    year, month = int(entered[:4]), int(entered[5:]) + 6
    assert row["since"] == f"{year + (month - 1) // 12}-{(month - 1) % 12 + 1:02d}"


def test_chance_alone_is_seldom_called_worse() -> None:
    alarms = [len(worsening_cohorts(made(seed)).worse) > 0 for seed in range(20)]
    assert sum(alarms) <= 3  # 5% of false discoveries; ages of one cohort hang together


def test_cohorts_too_small_to_compare_are_said_to_be_so() -> None:
    found = worsening_cohorts(made(3, size=8))
    assert found.tested < len(found.cells)
    untested = found.cells[found.cells["p_value"].isna()]
    assert untested["reason"].str.contains("fewer than 20 accounts").all()
    assert found.cells["p_value"].notna().eq(found.cells["p_adjusted"].notna()).all()


@pytest.mark.parametrize("measure", ["nrr", "grr"])
def test_survivors_of_the_opening_are_no_cohort(measure) -> None:
    cells = worsening_cohorts(made(2), measure).cells
    assert not cells["cohort"].str.startswith("before").any()
    assert (cells["age_months"] > 0).all()


def test_without_revenue_nothing_is_found_in_the_same_columns() -> None:
    nothing = worsening_cohorts(company([], "2025-12-31"))
    assert nothing.reason
    assert nothing.worse.empty
    assert list(nothing.worse.columns) == list(worsening_cohorts(made(2)).worse.columns)
