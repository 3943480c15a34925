"""Cohort triangles: ages, maturity and the opening base."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from metrics.retention.companies import company, term
from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.retention import cohort_triangle

HISTORY = [
    term("old", "2024-01-01", None, 1000),
    term("a", "2024-02-10", "2024-04-30", 100),  # cohort 2024-Q1, joins in February
    term("a", "2024-05-01", None, 120),
    term("b", "2024-03-15", "2024-08-31", 100),  # cohort 2024-Q1, joins in March
    term("c", "2024-06-30", None, 40),  # cohort 2024-Q2, active on the last day of June
]


def test_accounts_are_compared_at_equal_age_with_their_own_first_month() -> None:
    triangle = cohort_triangle(company(HISTORY, "2024-12-31"))
    grid = triangle.grid("nrr")
    assert list(grid.index) == ["before 2024-01", "2024-Q1", "2024-Q2", "2024-Q3", "2024-Q4"][: len(grid)]
    assert grid.loc["2024-Q1"].to_dict() == {
        0: 1.0,
        3: pytest.approx(220 / 200),  # a in May, b in June
        6: pytest.approx(120 / 200),  # a in August, b in September: gone
        9: pytest.approx(120 / 200),  # b would be nine months old in December, the last month known
    }
    assert grid.loc["before 2024-01"].to_list() == [1.0] * 4
    assert triangle.grid("grr").loc["2024-Q1", 3] == 1.0
    assert triangle.grid("logo").loc["2024-Q1", 6] == 0.5


def test_a_cell_stays_empty_until_its_youngest_possible_member_has_reached_the_age() -> None:
    frame = cohort_triangle(company(HISTORY, "2024-11-30")).frame
    rows = frame[(frame["measure"] == "nrr") & (frame["cohort"] == "2024-Q1")].set_index("age_months")
    assert not np.isnan(rows.loc[6, "value"])
    assert np.isnan(rows.loc[9, "value"])
    assert rows.loc[9, "matures_on"] == dt.date(2024, 12, 31)
    assert rows.loc[9, "reason"] == "complete on 2024-12-31"
    running = frame[(frame["cohort"] == "2024-Q2") & (frame["measure"] == "logo")].set_index("age_months")
    assert running.loc[6, "matures_on"] == dt.date(2024, 12, 31)


def test_the_running_quarters_cohort_is_not_yet_complete_at_any_age() -> None:
    history = [*HISTORY, term("d", "2024-10-05", None, 10)]
    frame = cohort_triangle(company(history, "2024-11-30")).frame
    newest = frame[frame["cohort"] == "2024-Q4"]
    assert newest["value"].isna().all()
    assert newest["reason"].str.startswith("complete on").all()


def test_cohorts_by_month_and_year_and_by_a_fiscal_calendar() -> None:
    snapshot = company(HISTORY, "2024-12-31")
    months = cohort_triangle(snapshot, "month")
    assert list(months.grid().index) == ["before 2024-01", "2024-02", "2024-03", "2024-06"]
    assert months.grid().loc["2024-03", 6] == 0.0
    assert list(cohort_triangle(snapshot, "year").grid().index) == ["before 2024-01", "2024"]
    fiscal = company(HISTORY, "2024-12-31", fiscal_calendar={"kind": "months", "first_month": 2})
    assert list(cohort_triangle(fiscal).grid().index) == ["before 2024-01", "FY2025-Q1", "FY2025-Q2"]


def test_a_cut_takes_the_account_as_it_entered() -> None:
    history = [*HISTORY, term("c", "2024-07-01", None, 400, "Analytics")]
    triangle = cohort_triangle(company(history, "2024-12-31"), by=["first_product"])
    assert set(triangle.frame["first_product"]) == {"Core"}
    at_six = triangle.at_age(6)
    assert at_six.set_index("cohort")["nrr"].to_dict()["2024-Q2"] == pytest.approx(11.0)


def test_columns_without_history_need_the_definitions_leave() -> None:
    snapshot = company(HISTORY, "2024-12-31", allowed_current_columns=[])
    with pytest.raises(ConfigurationError, match=r"accounts\.segment"):
        cohort_triangle(snapshot, by=["segment"])
    with pytest.raises(ConfigurationError, match="product"):
        cohort_triangle(snapshot, by=["product"])


def test_without_revenue_there_is_a_reason() -> None:
    result = cohort_triangle(company([], "2024-12-31"))
    assert result.frame.empty
    assert "no subscriptions" in str(result.reason)
