"""New recurring revenue against won deals: every difference has a cause, and all of them lead to the total."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import pytest

from metrics.retention.companies import company, term
from revops_analysis.metrics.retention import TieOut, tie_out

RATES = [{"currency": "EUR", "day": "2024-01-01", "rate_to_reporting": 1.1}]


def deal(key: str, booked: str | None, arr: float | None, **more: Any) -> dict[str, Any]:
    """A deal won on a day; None: still open."""
    stage = "Proposal" if booked is None else "Closed Won"
    row = {"opportunity_id": key, "account_id": key.upper(), "type": "new", "stage": stage, "arr": arr, "amount": arr}
    return row | {"created_at": "2024-01-01", "close_date": booked, "closed_at": booked} | more


def started(key: str, start: str, mrr: float, **more: Any) -> dict[str, Any]:
    return term(key.upper(), start, None, mrr, opportunity_id=key, **more)


def ask(deals: list[dict[str, Any]], terms: list[dict[str, Any]], **settings: Any) -> TieOut:
    tables = {"opportunities": deals, "exchange_rates": RATES}
    return tie_out(company(terms, "2025-12-31", tables=tables, **settings), "2025-Q2")


def causes(tied: TieOut) -> dict[str | None, str]:
    return dict(zip(tied.deals["opportunity_id"], tied.deals["cause"], strict=True))


def adds_up(tied: TieOut) -> bool:
    cents = {name: round(tied.deals[name] * 100).astype("int64") for name in ("crm_arr", "difference", "billed_arr")}
    by_row = (cents["crm_arr"] + cents["difference"] == cents["billed_arr"]).all()
    crm, difference, billed = tied.totals
    whole = tied.causes[["crm_arr", "difference", "billed_arr"]].sum().round(2).to_list() == [crm, difference, billed]
    return bool(by_row) and whole and round(crm + difference, 2) == billed


def test_every_cause_by_hand() -> None:
    deals = [
        deal("ties", "2025-04-10", 1200),
        deal("rounded", "2025-04-10", 1000),
        deal("later", "2025-06-20", 600),
        deal("before", "2025-03-20", 240),
        deal("open", None, 240),
        deal("noterm", "2025-05-01", 500),
        deal("other", "2025-05-01", 900, type="expansion"),
        deal("euro", "2025-05-01", 100, currency="EUR"),
        deal("renewal", "2025-05-01", 777, type="renewal"),
        deal("outside", "2025-08-01", 777),
    ]
    terms = [
        started("ties", "2025-05-01", 60),
        started("ties", "2025-05-01", 40, product="Connect"),
        started("rounded", "2025-05-01", 83.333333),
        started("later", "2025-07-01", 50),
        started("before", "2025-04-01", 20),
        started("open", "2025-04-01", 20),
        started("other", "2025-05-02", 70),
        started("euro", "2025-05-02", 10),
        started("renewal", "2025-05-02", 64.75),
        started("outside", "2025-08-02", 64.75),
        term("X", "2025-05-05", None, 5),
        term("Y", "2025-05-05", None, 9, renews_subscription_id="s00000"),
    ]
    tied = ask(deals, terms)
    assert causes(tied) == {
        "ties": "ties",
        "rounded": "ties",
        "later": "started later",
        "before": "booked earlier",
        "open": "booked later",
        "noterm": "no term",
        "other": "other amount",
        "euro": "currency",
        None: "no deal",
    }
    amounts = tied.deals.set_index("opportunity_id")[["crm_arr", "billed_arr", "difference"]]
    assert amounts.loc["euro"].to_list() == [110.0, 120.0, 10.0]
    assert amounts.loc["later"].to_list() == [600.0, 0.0, -600.0]
    assert amounts.loc["other"].to_list() == [900.0, 840.0, -60.0]
    assert tied.deals["difference"].abs().is_monotonic_decreasing
    assert adds_up(tied)


def test_a_deal_without_arr_splits_into_services_term_and_the_rest() -> None:
    tcv = [deal("whole", "2025-04-10", None, amount=26_000, one_time_amount=2_000, term_months=24)]
    row = ask(tcv, [started("whole", "2025-04-15", 990)], amount_basis="tcv").deals.iloc[0]
    assert row["cause"] == "arr missing"
    assert row[["difference", "services", "term", "unexplained"]].to_list() == [-14_120.0, -2_000.0, -12_000.0, -120.0]
    acv = ask(tcv, [started("whole", "2025-04-15", 990)], amount_basis="acv").deals.iloc[0]
    assert acv[["services", "term", "unexplained"]].to_list() == [-2_000.0, 0.0, -12_120.0]


@pytest.mark.parametrize("seed", range(4))
def test_the_total_ties_to_the_cent_whatever_differs(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - test data
    deals, terms = [], []
    for number in range(60):
        booked = dt.date(2025, 1, 1) + dt.timedelta(days=rng.randrange(270))
        key, currency = f"o{number}", rng.choice([None, "EUR"])
        arr = None if rng.random() < 0.1 else round(rng.uniform(100, 9_000), 2)
        deals.append(
            deal(key, str(booked), arr, amount=5_000, currency=currency, type=rng.choice(["new", "expansion"]))
        )
        for _ in range(rng.choice([0, 1, 1, 2])):
            start = booked + dt.timedelta(days=rng.randrange(60))
            mrr = round((arr or 5_000) / 12 * rng.choice([1, 1, 1.1]), 6)
            terms.append(started(key, str(start), mrr, currency=rng.choice([currency, None])))
    tied = ask(deals, [*terms, term("Z", "2025-05-01", None, "0.333333")])
    assert adds_up(tied)
    assert {"ties", "no term", "started later", "no deal", "other amount"} <= set(tied.deals["cause"])


def test_the_sample_company_ties_but_for_time(sample_snapshot) -> None:
    tied = tie_out(sample_snapshot, "2026-Q2")
    assert set(tied.deals["cause"]) <= {"ties", "started later", "booked earlier", "no deal", "arr missing"}
    assert adds_up(tied)
