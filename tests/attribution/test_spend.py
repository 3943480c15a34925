"""Cost and return: hand-computed, and every way in which spend can be missing."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from attribution.touch_rows import deal, snapshot_of, touch
from builders import make_definitions
from revops_analysis.attribution.journeys import journeys
from revops_analysis.attribution.spend import NO_CHANNEL, NO_CUSTOMER, NO_SPEND, NO_TABLE, spend_returns
from revops_analysis.periods import parse_period, parse_series

CALENDAR = make_definitions().fiscal_calendar
Q2, Q3 = parse_series("2026-Q2...2026-Q3", CALENDAR)
JUNE = parse_period("2026-06", CALENDAR)


def cost(month, amount, channel=None, function="marketing", **more):
    return {"month": f"2026-{month:02d}-01", "function": function, "channel": channel, "amount": amount, **more}


@pytest.fixture(scope="module")
def full():
    """Spend of every month, one deal, a touch of a paid channel and one of another."""
    return made(FULL)


def made(spend, touches=None, deals=None, words=None, **more):
    touches = touches or [touch("t1", "2026-04-20", "Adwords/"), touch("t2", "2026-04-21", "Email")]
    return journeys(snapshot_of(deals or [deal()], touches, spend=spend, words=words, **more))


FULL = [cost(month, 100, "google ads") for month in (4, 5, 6)] + [
    cost(month, 400, function=function) for month in (4, 5, 6) for function in ("sales", "marketing")
]


def by_channel(found):
    return found.channels.assign(channel=found.channels["channel"].fillna("")).set_index("channel")


def test_a_quarter_by_hand(full):
    found = spend_returns(full, [Q2], "linear")
    row = by_channel(found).loc["Paid search"]
    assert (row["spend"], row["pipeline"], row["bookings"]) == (Decimal(300), Decimal(500), Decimal(500))
    assert row["bookings_of_created"] == Decimal(500)
    assert (row["deals"], row["won_deals"]) == (0.5, 0.5)
    ratios = row[["cost_per_pipeline", "cost_per_booking", "return_on_spend", "cohort_return"]].tolist()
    assert ratios == pytest.approx([0.6, 0.6, 5 / 3, 5 / 3])
    company = found.company.iloc[0]
    assert (company["new_customers"], company["all_spend"], company["programme_spend"]) == (
        1,
        Decimal(2700),
        Decimal(300),
    )
    assert company["programme_cost_per_customer"] == 300
    assert company["cac"] == 2700
    assert company["payback_months"] == pytest.approx(2700 / (1000 / 12 * 0.78))
    assert company["reason"] is None
    assert "2,400 USD" in found.notes[0]


def test_views_differ_where_a_deal_closes_later():
    later = [deal(close_date="2026-07-15", closed_at="2026-07-15")]
    found = spend_returns(made(FULL, deals=later), [Q2, Q3], "linear").channels
    email = found[found["channel"] == "Email"].set_index("period")
    assert (email.loc["2026-Q2", "bookings"], email.loc["2026-Q2", "bookings_of_created"]) == (Decimal(0), Decimal(500))
    assert (email.loc["2026-Q3", "bookings"], email.loc["2026-Q3", "bookings_of_created"]) == (Decimal(500), Decimal(0))


def test_a_month_takes_its_own_spend(full):
    found = by_channel(spend_returns(full, [JUNE], "linear"))
    assert found.loc["Paid search", "spend"] == Decimal(100)
    assert found.loc["Paid search", "pipeline"] == 0
    assert np.isnan(found.loc["Paid search", "cost_per_pipeline"])
    assert found.loc["Paid search", "return_on_spend"] == 5


def without(function, month):
    return [row for row in FULL if not (row["function"] == function and row["month"] in month)]


ALL = ("2026-04-01", "2026-05-01", "2026-06-01")


@pytest.mark.parametrize(
    ("spend", "channel_reason", "company_reason"),
    [
        ([], NO_TABLE, NO_TABLE),
        (FULL[3:], NO_SPEND, None),
        (FULL[1:], "spend is recorded for 2 of 3 months", None),
        (without("sales", ALL), None, "spend of sales is recorded for 0 of 3 months"),
        (
            without("marketing", ALL[1:2]),
            "spend is recorded for 2 of 3 months",
            "spend of marketing is recorded for 2 of 3 months",
        ),
    ],
)
def test_spend_that_is_missing_is_null_with_the_reason(spend, channel_reason, company_reason):
    found = spend_returns(made(spend), [Q2], "linear")
    row, company = by_channel(found).loc["Paid search"], found.company.iloc[0]
    assert row["reason"] == channel_reason
    assert (row["spend"] is None) == (channel_reason is not None)
    assert np.isnan(row["return_on_spend"]) == (channel_reason is not None)
    assert company["reason"] == company_reason
    assert np.isnan(company["cac"]) == (company_reason is not None)


def test_touches_without_channel_have_no_spend():
    found = by_channel(spend_returns(made(FULL, touches=[touch("t1", "2026-04-20", None)]), [Q2], "linear"))
    assert found.loc["", "reason"] == NO_CHANNEL
    assert found.loc["", "bookings"] == Decimal(1000)


def test_spend_of_a_campaign_is_of_its_channel():
    campaign = {"campaign_id": "c1", "name": "Fair", "channel": "Trade show", "started_on": "2026-01-01"}
    spend = [cost(month, 10, None, campaign_id="c1") for month in (4, 5, 6)]
    found = by_channel(spend_returns(made(spend, campaigns=[campaign]), [Q2], "linear"))
    assert found.loc["Event", "spend"] == Decimal(30)


def test_spend_in_another_currency_takes_the_rate_of_its_month():
    rates = [
        {"currency": "EUR", "day": day, "rate_to_reporting": rate}
        for day, rate in (("2026-01-01", 1.1), ("2026-06-01", 2))
    ]
    spend = [cost(month, 100, "Email", currency="EUR") for month in (4, 5, 6)]
    found = by_channel(spend_returns(made(spend, exchange_rates=rates), [Q2], "linear"))
    assert found.loc["Email", "spend"] == Decimal(420)


def test_without_a_customer_there_is_no_cac():
    old = [deal(1, created_at="2025-05-01", close_date="2025-06-30", closed_at="2025-06-30"), deal(2)]
    company = spend_returns(made(FULL, deals=old), [Q2], "linear").company.iloc[0]
    assert (company["new_customers"], company["reason"], company["payback_reason"]) == (0, NO_CUSTOMER, NO_CUSTOMER)
    assert np.isnan(company["cac"])


def test_whole_contracts_have_no_payback():
    company = spend_returns(made(FULL, words=make_definitions(amount_basis="tcv")), [Q2], "linear").company.iloc[0]
    assert company["cac"] == 2700
    assert np.isnan(company["payback_months"])
    assert "whole contracts" in company["payback_reason"]


def test_the_chain_has_bookings_and_no_pipeline(full):
    found = by_channel(spend_returns(full, [Q2], "markov"))
    assert found.loc["Paid search", "bookings"] == Decimal(500)
    assert found["pipeline"].isna().all()
    assert found.loc["Paid search", "return_on_spend"] == pytest.approx(5 / 3)


def test_a_period_that_is_not_over_says_so(full):
    found = spend_returns(full, [Q2, parse_period("2026-Q4", CALENDAR)], "linear")
    assert found.company["is_complete"].tolist() == [True, False]
