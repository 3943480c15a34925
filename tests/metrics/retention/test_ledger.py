"""Recurring revenue by month: which months, which terms, at which rates."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from metrics.retention.companies import company, term
from revops_analysis.errors import DataRefusedError
from revops_analysis.metrics.retention import mrr_movements
from revops_analysis.metrics.retention.ledger import month_number, require_revenue
from revops_analysis.periods import FiscalCalendar, parse_period


def lines(frame: pd.DataFrame, month: str) -> dict[str, int]:
    rows = frame[frame["month"] == month]
    return dict(zip(rows["line"], rows["cents"], strict=True))


def moved(frame: pd.DataFrame, after: str) -> dict[str, int]:
    """Movements in the months after one, by line."""
    rows = frame[(frame["month"] > after) & ~frame["line"].isin(["opening", "closing"])]
    return dict(zip(rows["line"], rows["cents"], strict=True))


@pytest.mark.parametrize(
    ("grace", "renews", "product", "expected"),
    [
        (0, "s00000", "Core", {"churn": -10000, "reactivation": 11000}),
        (19, "s00000", "Core", {"churn": -10000, "reactivation": 11000}),
        (20, "s00000", "Core", {"expansion": 1000}),
        (20, None, "Core", {"expansion": 1000}),
        (20, None, "Connect", {"churn": -10000, "reactivation": 11000}),
        (20, "s99999", "Core", {"churn": -10000, "reactivation": 11000}),
    ],
)
def test_a_late_renewal_is_no_churn_within_the_grace(
    grace: int, renews: str | None, product: str, expected: dict[str, int]
) -> None:
    history = [
        term("a", "2025-01-01", "2025-03-15", 100),
        term("a", "2025-04-05", None, 110, product, renews_subscription_id=renews),  # twenty days between
    ]
    snapshot = company(history, "2025-04-30", late_renewal_grace_days=grace)
    assert moved(mrr_movements(snapshot).frame, "2025-01") == expected


def test_a_renewal_that_is_not_yet_booked_is_not_yet_known() -> None:
    history = [
        term("a", "2025-01-01", "2025-03-15", 100),
        term("a", "2025-03-16", None, 100, booked_at="2025-04-03"),
    ]
    at_march = mrr_movements(company(history, "2025-03-31", late_renewal_grace_days=30)).frame
    at_april = mrr_movements(company(history, "2025-04-30", late_renewal_grace_days=30)).frame
    assert lines(at_march, "2025-03") == {"opening": 10000, "churn": -10000, "closing": 0}
    assert lines(at_april, "2025-03") == {"opening": 10000, "closing": 10000}


def test_the_ledger_gives_the_same_as_the_terms_it_records() -> None:
    history = [term("a", "2025-01-15", "2025-03-31", 10.5), term("a", "2025-02-01", None, 3, "Connect")]
    ledger = [
        {"account_id": "a", "product": product, "month": f"2025-{month:02d}-01", "mrr": mrr}
        for product, mrr, months in (("Core", 10.5, (1, 2, 3)), ("Connect", 3, (2, 3, 4)))
        for month in months
    ]
    from_terms = mrr_movements(company(history, "2025-04-30"), by=["product"]).frame
    from_ledger = mrr_movements(company([], "2025-04-30", tables={"revenue_ledger": ledger}), by=["product"]).frame
    pd.testing.assert_frame_equal(from_terms, from_ledger)


# A failing history is short enough to read as it is; shrinking it through an engine would take minutes.
def test_the_last_complete_month_is_the_last() -> None:
    history = [term("a", "2025-01-01", None, 100)]
    assert mrr_movements(company(history, "2025-03-30")).last_month == "2025-02"
    assert mrr_movements(company(history, "2025-03-31")).last_month == "2025-03"


def test_without_any_revenue_the_repair_is_named() -> None:
    with pytest.raises(DataRefusedError, match="no subscriptions and no revenue_ledger"):
        mrr_movements(company([], "2025-03-31"))
    with pytest.raises(DataRefusedError, match="no recurring revenue in a month that was over"):
        mrr_movements(company([term("a", "2025-03-01", None, 1)], "2025-03-30"))


def test_a_missing_rate_names_currency_and_day() -> None:
    history = [term("a", "2025-01-01", None, 100, currency="CHF")]
    rates = [{"currency": "EUR", "day": "2025-01-01", "rate_to_reporting": 1.1}]
    with pytest.raises(DataRefusedError, match="No exchange rate for CHF"):
        mrr_movements(company(history, "2025-03-31", tables={"exchange_rates": rates}, mrr_rates="monthly"))


def test_a_term_counts_where_it_is_active_on_the_last_day_of_the_month() -> None:
    history = [term("a", "2025-01-31", "2025-02-28", 10), term("b", "2025-02-01", "2025-02-27", 5)]
    revenue = require_revenue(company(history, "2025-03-31"))
    rows = revenue.table.order_by("month").to_pandas()
    assert list(zip(rows["account_id"], rows["month"] - month_number(dt.date(2025, 1, 1)), strict=True)) == [
        ("a", 0),
        ("a", 1),
    ]


@pytest.mark.parametrize(
    ("period", "months"),
    [
        ("2025-Q1", (0, 3)),
        ("2025-02", (1, 2)),
        ("2025-01-15..2025-03-30", (0, 2)),  # March is not over on the 30th
        ("2025-02-01..2025-02-27", (1, 1)),
        ("2024-Q4", (0, 0)),
        ("2025", (0, 5)),
    ],
)
def test_a_period_has_the_complete_months_that_end_in_it(period: str, months: tuple[int, int]) -> None:
    revenue = require_revenue(company([term("a", "2025-01-01", None, 1)], "2025-05-31"))
    first = month_number(dt.date(2025, 1, 1))
    found = revenue.months_in(parse_period(period, FiscalCalendar()))
    assert list(found) == list(range(first + months[0], first + months[1]))


def test_what_was_computed_is_computed_once() -> None:
    snapshot = company([term("a", "2025-01-01", None, 1)], "2025-05-31")
    assert require_revenue(snapshot) is require_revenue(snapshot)
