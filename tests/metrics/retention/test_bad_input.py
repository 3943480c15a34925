"""Each kind of odd input has one decided outcome, and is counted."""

from __future__ import annotations

import pytest

from metrics.retention.companies import company, term
from revops_analysis.errors import DataRefusedError
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.metrics.retention import (
    lost_revenue,
    mrr_movements,
    nrr_plausibility,
    retention_by_definition,
    retention_concentration,
    retention_drivers,
    retention_rates,
    revenue_quality,
    tie_out,
    worsening_cohorts,
)


def closing(snapshot) -> int:
    frame = mrr_movements(snapshot).frame
    return int(frame[frame["line"] == "closing"]["cents"].iloc[-1])


def oddities(snapshot) -> dict[str, tuple[int, int]]:
    frame = revenue_quality(snapshot).frame
    return dict(zip(frame["check"], zip(frame["rows"], frame["accounts"], strict=True), strict=True))


def test_a_negative_amount_counts_in_the_sum_and_is_said() -> None:
    snapshot = company([term("a", "2025-01-01", None, 100), term("b", "2025-01-01", None, -10)], "2025-03-31")
    assert closing(snapshot) == 9000
    assert oddities(snapshot) == {"Below zero": (1, 1)}
    assert compute_metric(snapshot, "paying_customers", "2025-Q1").frame["value"].to_list() == [1.0]


def test_a_term_that_ended_before_it_began_counts_nowhere_and_is_said() -> None:
    snapshot = company([term("a", "2025-01-01", None, 100), term("a", "2025-02-10", "2025-01-10", 5)], "2025-03-31")
    assert closing(snapshot) == 10000
    assert oddities(snapshot) == {"Ended before it began": (1, 1)}


def test_the_same_term_recorded_twice_counts_once_if_it_names_its_deal() -> None:
    same = term("a", "2025-01-01", None, 100, opportunity_id="o1")
    other = term("b", "2025-01-01", None, 100)  # two equal terms without a deal may be two purchases
    snapshot = company([same, same, other, other], "2025-03-31")
    assert closing(snapshot) == 30000
    assert oddities(snapshot) == {"Recorded twice": (1, 1), "Several active terms of one product": (2, 1)}


def test_a_renewal_that_begins_while_the_old_term_runs_ends_it() -> None:
    history = [
        term("a", "2025-01-01", "2025-12-31", 100, subscription_id="s1"),
        term("a", "2025-03-10", "2026-03-09", 120, renews_subscription_id="s1"),
        term("b", "2025-01-01", None, 10, subscription_id="s2"),
        term("b", "2025-02-01", None, 15, renews_subscription_id="s2"),
    ]
    snapshot = company(history, "2025-04-30")
    assert closing(snapshot) == 13500
    assert oddities(snapshot) == {"Renewed while still running": (2, 2)}
    frame = mrr_movements(snapshot).frame
    moved = frame[~frame["line"].isin(["opening", "closing", "brought_forward"])]
    assert moved[["month", "line", "cents"]].to_numpy().tolist() == [
        ["2025-02", "expansion", 500],
        ["2025-03", "expansion", 2000],
    ]


def test_an_account_that_the_table_does_not_know_keeps_its_revenue() -> None:
    accounts = [{"account_id": "a", "segment": "SMB"}]
    history = [term("a", "2025-01-01", None, 100), term("ghost", "2025-01-01", None, 7)]
    snapshot = company(history, "2025-03-31", tables={"accounts": accounts})
    assert closing(snapshot) == 10700
    assert oddities(snapshot) == {"Account not in the table of accounts": (1, 1)}
    by = mrr_movements(snapshot, by=["segment"]).frame
    last = by[(by["line"] == "closing") & (by["month"] == "2025-03")]
    assert dict(zip(last["segment"], last["cents"], strict=True)) == {"SMB": 10000, None: 700}


def ledger(months: list[int], mrr: float = 10.0) -> list[dict]:
    return [{"account_id": "a", "product": "Core", "month": f"2025-{month:02d}-01", "mrr": mrr} for month in months]


def test_a_ledger_with_a_month_without_any_row_is_refused_unless_it_says_that_nothing_was_billed() -> None:
    with pytest.raises(DataRefusedError, match="1 months without any, the first 2025-03"):
        mrr_movements(company([], "2025-04-30", tables={"revenue_ledger": ledger([1, 2, 4])}))
    known = company([], "2025-04-30", tables={"revenue_ledger": ledger([1, 2, 4]) + ledger([3], 0.0)})
    frame = mrr_movements(known).frame
    assert frame[frame["line"].isin(["churn", "reactivation"])]["cents"].to_list() == [-1000, 1000]


def test_a_single_customer_has_rates_without_an_interval() -> None:
    snapshot = company([term("a", "2024-01-01", None, 100)], "2025-03-31")
    row = retention_rates(snapshot).frame.set_index(["month", "measure"]).loc[("2025-03", "nrr")]
    assert (row["value"], row["n"]) == (1.0, 1)
    assert row[["low", "high"]].isna().all()
    assert len(retention_concentration(snapshot).frame) == 4
    assert retention_concentration(snapshot).frame["nrr"].isna().to_list() == [False, True, True, True]


def test_a_free_plan_is_no_revenue_and_its_first_payment_is_new() -> None:
    history = [
        term("a", "2025-01-01", "2025-02-28", 0),
        term("a", "2025-03-01", None, 50),
        term("b", "2025-01-01", None, 1),
    ]
    snapshot = company(history, "2025-03-31")
    frame = mrr_movements(snapshot).frame
    assert frame[frame["line"] == "new"][["month", "cents"]].to_numpy().tolist() == [["2025-03", 5000]]
    assert oddities(snapshot) == {"Free of charge": (1, 1)}
    assert company([term("a", "2025-01-01", None, 0)], "2025-03-31") is not None
    only_free = mrr_of_nothing(company([term("a", "2025-01-01", None, 0)], "2025-03-31"))
    assert "no recurring revenue" in only_free


def mrr_of_nothing(snapshot) -> str:
    return str(compute_metric(snapshot, "mrr", "2025-Q1").frame["reason"].iloc[0])


@pytest.mark.parametrize("mrr_rates", ["constant", "monthly"])
def test_a_currency_without_rate_is_refused(mrr_rates: str) -> None:
    snapshot = company([term("a", "2025-01-01", None, 5, currency="CHF")], "2025-03-31", mrr_rates=mrr_rates)
    with pytest.raises(DataRefusedError, match="No exchange rate for CHF"):
        mrr_movements(snapshot)


def piled_up(names: str, copies: int):
    """Customers whose every renewal leaves the old terms running: three times the terms each year."""
    return [
        term(name, f"{2023 + year}-01-01", None, 100)
        for name in names
        for year in range(3)
        for _ in range(copies**year)
    ]


def test_nrr_of_three_hundred_percent_is_shown_called_implausible_and_explained() -> None:
    snapshot = company(piled_up("abcdefghij", 4), "2025-06-30")
    judged = nrr_plausibility(snapshot)
    assert judged.nrr == pytest.approx(21 / 5)
    assert (judged.is_plausible, judged.piled_up, judged.nrr_of_latest) == (False, 1.0, 1.0)
    assert "not plausible" in judged.why
    assert "Terms seem not to be ended when they are renewed" in judged.why
    first = revenue_quality(snapshot)
    assert first.frame["check"].to_list() == ["Implausible NRR", "Several active terms of one product"]
    assert judged.why in first.notes[0]


def test_high_nrr_without_piles_points_elsewhere_and_modest_nrr_is_left_alone() -> None:
    grown = company([term("a", "2024-01-01", "2024-12-31", 10), term("a", "2025-01-01", None, 90)], "2025-06-30")
    judged = nrr_plausibility(grown)
    assert not judged.is_plausible
    assert "largest expansions" in judged.why
    assert nrr_plausibility(company(piled_up("ab", 1), "2025-06-30")).is_plausible
    assert nrr_plausibility(company([], "2025-06-30")).nrr is None


def test_a_cohort_s_segment_can_be_that_of_its_first_deal() -> None:
    from revops_analysis.metrics.retention import cohort_triangle

    deal = {"opportunity_id": "o1", "account_id": "a", "type": "new", "stage": "Closed Won", "segment": "SMB"}
    deal |= {"created_at": "2024-01-01", "close_date": "2024-02-01", "closed_at": "2024-02-01", "source": "Partner"}
    tables = {"opportunities": [deal], "accounts": [{"account_id": "a", "segment": "Enterprise"}, {"account_id": "b"}]}
    history = [term("b", "2024-01-01", None, 1), term("a", "2024-02-05", None, 10)]

    def segments(setting: str) -> set[object]:
        snapshot = company(history, "2025-06-30", tables=tables, cohort_attributes=setting)
        frame = cohort_triangle(snapshot, by=["segment"]).frame
        return set(frame.loc[frame["cohort"] == "2024-Q1", "segment"])

    assert segments("latest") == {"Enterprise"}
    assert segments("first_deal") == {"SMB"}
    rates = retention_rates(company(history, "2025-06-30", tables=tables), by=["channel"]).frame
    assert set(rates["channel"]) == {"Partner", None}


def test_without_revenue_everything_is_empty_with_a_reason() -> None:
    nothing = company([], "2025-06-30")
    for result in (
        retention_drivers(nothing),
        lost_revenue(nothing),
        retention_concentration(nothing),
        worsening_cohorts(nothing),
        retention_by_definition(nothing),
        tie_out(nothing, "2025-Q2"),
    ):
        assert "no subscriptions" in str(result.reason)
    assert revenue_quality(nothing).notes == ()
