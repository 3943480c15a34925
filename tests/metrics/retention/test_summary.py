"""Movements over a period."""

from __future__ import annotations

from metrics.retention.companies import company, term
from revops_analysis.metrics.retention import period_movements


def test_a_period_sums_its_months_and_keeps_the_order_of_a_waterfall() -> None:
    history = [
        term("a", "2025-01-01", None, 100),
        term("b", "2025-04-01", "2025-05-15", 20),
        term("b", "2025-06-20", None, 25),
    ]
    quarter = period_movements(company(history, "2025-06-30"), "2025-Q2")
    assert list(zip(quarter.frame["line"], quarter.frame["value"], quarter.frame["n"], strict=True)) == [
        ("opening", 100.0, 1),
        ("new", 20.0, 1),
        ("reactivation", 25.0, 1),
        ("churn", -20.0, 1),
        ("closing", 125.0, 2),
    ]
    assert (quarter.months, quarter.currency) == (("2025-04", "2025-06"), "USD")
    assert period_movements(company(history, "2025-06-15"), "2025-Q2").months == ("2025-04", "2025-05")


def test_a_period_without_a_known_month_is_empty_and_says_what_is_known() -> None:
    snapshot = company([term("a", "2025-01-01", None, 100)], "2025-03-31")
    result = period_movements(snapshot, "2024-Q4")
    assert result.frame.empty
    assert "known from 2025-01 to 2025-03" in str(result.reason)


def test_the_table_of_a_cut_has_a_column_a_line_in_order_and_no_gaps() -> None:
    history = [term("a", "2025-01-01", None, 100), term("b", "2025-04-01", None, 20, "Connect")]
    table = period_movements(company(history, "2025-06-30"), "2025-Q2", by=["product"]).table()
    assert table.columns.to_list() == ["product", "opening", "new", "closing"]
    assert table.to_numpy().tolist() == [["Connect", 0.0, 20.0, 20.0], ["Core", 100.0, 0.0, 100.0]]
