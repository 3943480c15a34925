"""Several days in one query know what each day's own snapshot knows."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from metrics.retention.companies import company, term
from revops_analysis.metrics.retention.ledger import recurring_revenue, revenue_on_days

ACCOUNTS = [
    {"account_id": "a", "parent_account_id": "b", "created_at": "2024-01-01"},
    {"account_id": "b", "created_at": "2024-06-10"},
    {"account_id": "c", "created_at": "2024-01-01"},
]
TERMS = [
    term("a", "2024-01-10", "2024-06-30", 100, subscription_id="a1", booked_at="2024-01-05"),
    term("a", "2024-07-11", "2025-06-30", 130, renews_subscription_id="a1", booked_at="2024-09-02"),
    term("a", "2024-03-01", None, 7, currency="EUR"),
    term("b", "2024-05-01", "2024-08-31", 50, subscription_id="b1", opportunity_id="o", booked_at="2024-10-15"),
    term("b", "2024-05-01", "2024-08-31", 50, subscription_id="b2", opportunity_id="o", booked_at="2024-05-01"),
    term("c", "2024-02-01", None, 20, booked_at="2024-02-01"),
    term("c", "2024-08-01", None, -20, booked_at="2024-08-01"),
    term("nobody", "2024-11-01", None, 3),
]
RATES = [
    {"currency": "EUR", "day": "2024-01-01", "rate_to_reporting": 1.1},
    {"currency": "EUR", "day": "2024-06-15", "rate_to_reporting": 1.3},
    {"currency": "EUR", "day": "2024-12-15", "rate_to_reporting": 1.2},
]
DAYS = [dt.date(2024, 1, 31), dt.date(2024, 6, 30), dt.date(2024, 7, 31), dt.date(2024, 9, 30), dt.date(2024, 12, 20)]
MONTHS = 5
SETTINGS = [{}, {"retention_account": "parent"}, {"mrr_rates": "monthly"}, {"late_renewal_grace_days": 30}]


@pytest.mark.parametrize("setting", SETTINGS)
def test_each_day_is_that_of_its_own_snapshot(setting) -> None:
    snapshot = company(TERMS, "2024-12-31", tables={"accounts": ACCOUNTS, "exchange_rates": RATES}, **setting)
    for day, found in zip(DAYS, revenue_on_days(snapshot, DAYS, MONTHS), strict=True):
        revenue = recurring_revenue(snapshot.at(day))
        assert revenue is not None
        assert found.last == revenue.last
        months = range(revenue.earliest, revenue.last + 1)
        known = pd.DataFrame(revenue.by_account(revenue.mrr), months, revenue.accounts)
        wanted = known.reindex(range(found.last - MONTHS + 1, found.last + 1)).fillna(0).astype("int64")
        wanted = wanted.loc[:, (wanted > 0).any()]
        assert list(found.accounts) == list(wanted.columns)
        np.testing.assert_array_equal(found.mrr, wanted.to_numpy())


def test_rows_of_a_ledger_are_known_once_their_month_is_over() -> None:
    ledger = [{"account_id": "a", "month": f"2024-{month:02d}-01", "mrr": 10 * month} for month in (1, 2, 3)]
    snapshot = company([], "2024-12-31", tables={"revenue_ledger": ledger})
    found = revenue_on_days(snapshot, [dt.date(2024, 2, 28), dt.date(2024, 2, 29)], 2)
    assert [one.mrr.ravel().tolist() for one in found] == [[0, 10_000_000], [10_000_000, 20_000_000]]
