"""Lifetime value against sums by hand, what cannot be said, and what a new customer costs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.lifetime.subscribers import annual_terms, company, subscribers, term
from revops_analysis.models.lifetime.acquisition import acquisition_cost
from revops_analysis.models.lifetime.curves import CurveOptions, lifetime_curves
from revops_analysis.models.lifetime.lifetimes import account_lifetimes
from revops_analysis.models.lifetime.value import ValueOptions, lifetime_value

OLD = term("old", "2023-01-01", None, 100)
MARGIN, RATE = 0.78, 0.10


def value_of(snapshot, by=None, **options):
    curves = lifetime_curves(account_lifetimes(snapshot), by, CurveOptions(**{"minimum_at_risk": 1, **options}))
    return lifetime_value(snapshot, curves, ValueOptions(repeats=200))


def of(value, method, scope="All accounts"):
    rows = value.frame[(value.frame["method"] == method) & (value.frame["scope"] == scope)]
    return rows.iloc[0]


def test_the_mean_of_the_product_over_original_accounts() -> None:
    rows = [OLD, term("big", "2023-02-01", None, 90), term("small", "2023-02-01", "2023-03-31", 10)]
    found = value_of(company(rows, "2023-06-30"), horizon_months=4)
    monthly = np.array([50, 50, 45, 45, 45])
    assert of(found, "cohort")["value"] == pytest.approx(MARGIN * (monthly * (1 + RATE) ** (-np.arange(5) / 12)).sum())
    assert found.by_age["mrr"].tolist() == monthly.tolist()
    # A product of means would lose half of the average revenue with half of the accounts.
    assert found.by_age["mrr"].iloc[-1] > 50 * 0.5


def test_young_accounts_say_nothing_of_ages_they_did_not_reach() -> None:
    rows = [OLD, term("a", "2023-02-01", None, 10), term("b", "2023-05-01", None, 30)]
    found = value_of(company(rows, "2023-06-30"), horizon_months=4)
    assert found.by_age[["mrr", "n"]].to_numpy().tolist() == [[20, 2], [20, 2], [10, 1], [10, 1], [10, 1]]


def test_what_comes_back_counts_and_a_credit_lowers_the_value() -> None:
    ledger = [("old", m, 100) for m in range(1, 7)] + [("a", 2, 40), ("a", 4, -10), ("a", 5, 20)]
    rows = [{"account_id": a, "product": "Core", "month": f"2023-0{m}-01", "mrr": x} for a, m, x in ledger]
    found = value_of(company([], "2023-06-30", tables={"revenue_ledger": rows}), horizon_months=4)
    assert found.by_age["mrr"].tolist() == [40, 0, -10, 20, 0]


def test_no_churn_has_a_value_within_the_horizon_and_none_by_the_churn_rate() -> None:
    rows = [OLD, *(term(f"a{n}", "2023-02-01", None, 10) for n in range(8))]
    found = value_of(company(rows, "2024-06-30"))
    assert found.horizon_months == 12
    churn = of(found, "one_over_churn")
    assert (churn["reason"], np.isnan(churn["value"])) == ("no churn", True)
    assert found.churn.loc[0, ["rate", "churned"]].tolist() == [0.0, 0]
    assert of(found, "mean_lifetime")["value"] == pytest.approx(MARGIN * 12 * found.arpa["mrr"].iloc[0])


def test_churn_counts_departures_and_months_of_everybody() -> None:
    rows = [OLD, term("a", "2023-02-01", "2023-04-30", 10), term("a", "2023-06-01", None, 10)]
    found = value_of(company(rows, "2023-08-31"))
    # old: seven month-ends with a month after them; a: 2, 3, 4 (left after it), 6, 7.
    assert found.churn.loc[0, ["churned", "account_months"]].tolist() == [1, 12]
    assert of(found, "one_over_churn")["value"] == pytest.approx(MARGIN * 55 * 12)


@pytest.fixture(scope="module")
def annual():
    return subscribers(annual_terms(160, 3))


def test_three_ways_agree_where_prices_stand_still_and_churn_is_even(annual) -> None:
    found = value_of(annual, "segment", horizon_months=24)
    for scope in ("SMB", "Enterprise"):
        cohort, mean = of(found, "cohort", scope), of(found, "mean_lifetime", scope)
        undiscounted = MARGIN * found.by_age[found.by_age["scope"] == scope]["mrr"].sum()
        assert undiscounted == pytest.approx(mean["value"], rel=0.25)
        assert cohort["low"] < cohort["value"] < cohort["high"]
    assert of(found, "one_over_churn", "Enterprise")["value"] > of(found, "one_over_churn", "SMB")["value"]


def test_the_interval_covers_the_value_of_many(annual) -> None:
    """The interval over 160 accounts is that of their mean: about 1.96 standard errors to each side."""
    found = of(value_of(annual, None, minimum_at_risk=20), "cohort")
    width = (found["high"] - found["low"]) / 2
    assert 0.05 < width / found["value"] < 0.2


def test_the_order_of_rows_changes_nothing(annual) -> None:
    rows = annual_terms(60, 5)
    first, second = (value_of(subscribers(part)).frame for part in (rows, rows[::-1]))
    pd.testing.assert_frame_equal(first, second)


def test_cost_and_payback_by_hand() -> None:
    spend = [
        {"month": f"2023-{m:02d}-01", "function": f, "channel": None, "campaign_id": None, "amount": 50}
        for m in range(1, 13)
        for f in ("marketing", "sales")
    ]
    rows = [OLD, *(term(f"a{n}", "2023-06-01", None, 10) for n in range(5))]
    snapshot = company(rows, "2023-12-31", tables={"spend": spend})
    found = acquisition_cost(snapshot, value_of(snapshot)).frame.set_index("metric")["value"]
    assert found["acquisition_spend"] == 11 * 100  # January is the first month of the data: nobody is new in it
    assert found["customer_acquisition_cost"] == 220
    assert found["payback_months"] == pytest.approx(220 / (10 * MARGIN))


@pytest.mark.parametrize(
    ("functions", "reason"),
    [
        (None, "the source has no spend"),
        (["marketing"], "spend of sales is recorded for 0 of 11 months"),
        (["marketing", "sales"], "spend of sales is recorded for 1 of 11 months"),
    ],
)
def test_part_of_the_spend_is_no_acquisition_cost(functions, reason) -> None:
    spend = [{"month": "2023-06-01", "function": f, "amount": 5} for f in functions or []]
    rows = [OLD, term("a", "2023-06-01", None, 10)]
    snapshot = company(rows, "2023-12-31", tables={"spend": spend} if functions else None)
    found = acquisition_cost(snapshot, value_of(snapshot)).frame.set_index("metric")
    assert reason in found.loc["customer_acquisition_cost", "reason"]
    assert np.isnan(found.loc["payback_months", "value"])


def test_nobody_new_has_no_cost(annual) -> None:
    snapshot = company([OLD], "2023-12-31")
    found = acquisition_cost(snapshot, value_of(snapshot)).frame.set_index("metric")
    assert found.loc["new_customers", "value"] == 0
    assert "became a customer" in found.loc["payback_months", "reason"]


def test_without_revenue_every_method_says_why() -> None:
    found = value_of(company([], "2023-12-31"))
    assert found.frame["value"].isna().all()
    assert found.frame["reason"].str.contains("no subscriptions").all()
    assert len(found.table()) == 1
