"""Movements of recurring revenue: known histories, and identities on generated ones."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from metrics.retention.companies import company, term
from revops_analysis.errors import ConfigurationError, DataRefusedError
from revops_analysis.metrics.retention import mrr_movements
from revops_analysis.metrics.retention.ledger import month_end, month_number

CUTS: list[tuple[str, ...]] = [
    (),
    ("product",),
    ("account_id",),
    ("segment", "cohort"),
    ("segment", "product"),
    ("size_band",),
    ("product", "size_band"),
]
RATES = [
    {"currency": "EUR", "day": f"{year}-{month:02d}-01", "rate_to_reporting": 1 + ((month * 7 + year) % 11) / 37}
    for year in (2024, 2025)
    for month in range(1, 13)
]

days = st.dates(dt.date(2024, 1, 1), dt.date(2025, 12, 31))
terms = st.builds(
    lambda account, start, length, mrr, product, currency: term(
        account,
        str(start),
        None if length is None else str(start + dt.timedelta(days=length)),
        str(mrr),
        product,
        currency=currency,
    ),
    st.sampled_from("abcde"),
    days,
    st.none() | st.integers(0, 500),
    st.decimals(min_value="0.01", max_value="9999", places=6),
    st.sampled_from(["Core", "Analytics", None]),
    st.sampled_from([None, "USD", "EUR"]),
)


def lines(frame: pd.DataFrame, month: str) -> dict[str, int]:
    rows = frame[frame["month"] == month]
    return dict(zip(rows["line"], rows["cents"], strict=True))


def changes(frame: pd.DataFrame) -> dict[tuple[str, str], int]:
    """Every movement but the balances, as {(month, line): cents}."""
    rows = frame[~frame["line"].isin(["opening", "closing"])]
    return {(month, line): cents for month, line, cents in rows[["month", "line", "cents"]].to_numpy()}


def test_each_kind_of_movement_by_hand() -> None:
    history = [
        term("old", "2025-01-01", None, 500),
        term("grower", "2025-02-10", "2025-04-09", 100),
        term("grower", "2025-04-10", "2025-06-30", 130),
        term("grower", "2025-07-01", None, 90),
        term("back", "2025-03-01", "2025-04-30", 40),
        term("back", "2025-07-15", None, 50),
        term("brief", "2025-05-02", "2025-05-30", 70),  # gone before the month's last day: never seen
        term("whole", "2025-05-02", "2025-05-31", 60),  # active on the last day, which is inclusive
    ]
    assert changes(mrr_movements(company(history, "2025-08-31")).frame) == {
        ("2025-01", "brought_forward"): 50000,
        ("2025-02", "new"): 10000,
        ("2025-03", "new"): 4000,
        ("2025-04", "expansion"): 3000,
        ("2025-05", "new"): 6000,
        ("2025-05", "churn"): -4000,
        ("2025-06", "churn"): -6000,
        ("2025-07", "contraction"): -4000,
        ("2025-07", "reactivation"): 5000,
    }


def test_a_product_switch_is_a_transfer_and_only_the_rest_moves_the_account() -> None:
    history = [
        term("a", "2025-01-01", "2025-02-28", 100, "Core"),
        term("a", "2025-03-01", None, 150, "Analytics"),
        term("b", "2025-01-01", "2025-02-28", 80, "Core"),
        term("b", "2025-03-01", None, 30, "Connect"),
    ]
    snapshot = company(history, "2025-03-31")
    assert lines(mrr_movements(snapshot).frame, "2025-03") == {
        "opening": 18000,
        "expansion": 5000,
        "contraction": -5000,
        "closing": 18000,
    }
    by_product = mrr_movements(snapshot, by=["product"]).frame
    march = by_product[by_product["month"] == "2025-03"].set_index(["product", "line"])["cents"]
    assert march[("Core", "transfer_out")] == -13000
    assert march[("Core", "contraction")] == -5000
    assert (march[("Analytics", "transfer_in")], march[("Analytics", "expansion")]) == (10000, 5000)
    assert march[("Connect", "transfer_in")] == 3000
    only_core = mrr_movements(snapshot, where="product = Core").frame
    assert lines(only_core, "2025-03") == {
        "opening": 18000,
        "contraction": -5000,
        "transfer_out": -13000,
        "closing": 0,
    }


def test_a_customer_that_outgrows_its_size_band_is_a_transfer_after_its_expansion() -> None:
    history = [
        term("a", "2025-01-01", "2025-02-28", 400),
        term("a", "2025-03-01", "2025-04-30", 700),
        term("b", "2025-02-01", None, 600),
    ]
    frame = mrr_movements(company(history, "2025-05-31"), by=["size_band"]).frame
    rows = frame[~frame["line"].isin(["opening", "closing"])]
    assert sorted(rows[["month", "size_band", "line", "cents"]].itertuples(index=False, name=None)) == [
        ("2025-01", "under 500", "brought_forward", 40000),
        ("2025-02", "500 to under 2,000", "new", 60000),
        ("2025-03", "500 to under 2,000", "transfer_in", 70000),
        ("2025-03", "under 500", "expansion", 30000),
        ("2025-03", "under 500", "transfer_out", -70000),
        ("2025-05", "500 to under 2,000", "churn", -70000),
    ]


def test_an_added_product_is_expansion_and_a_dropped_one_contraction() -> None:
    history = [
        term("a", "2025-01-01", None, 100, "Core"),
        term("a", "2025-02-01", "2025-03-31", 20, "Connect"),
    ]
    frame = mrr_movements(company(history, "2025-04-30"), by=["product"]).frame
    connect = frame[frame["product"] == "Connect"]
    assert changes(connect) == {("2025-02", "expansion"): 2000, ("2025-04", "contraction"): -2000}


def test_exchange_rates_move_revenue_under_monthly_rates_only() -> None:
    rates = [
        {"currency": "EUR", "day": "2025-01-31", "rate_to_reporting": 1.10},
        {"currency": "EUR", "day": "2025-02-28", "rate_to_reporting": 1.20},
        {"currency": "EUR", "day": "2025-03-31", "rate_to_reporting": 1.00},
    ]
    history = [
        term("a", "2025-01-01", "2025-02-28", 100, currency="EUR"),
        term("b", "2025-02-01", None, 10, currency="EUR"),
    ]
    monthly = company(history, "2025-03-31", tables={"exchange_rates": rates}, mrr_rates="monthly")
    assert changes(mrr_movements(monthly).frame) == {
        ("2025-01", "brought_forward"): 11000,
        ("2025-02", "exchange_rate"): 1000,
        ("2025-02", "new"): 1200,
        ("2025-03", "exchange_rate"): -2200,
        ("2025-03", "churn"): -10000,
    }
    constant = company(history, "2025-03-31", tables={"exchange_rates": rates})
    assert changes(mrr_movements(constant).frame) == {
        ("2025-01", "brought_forward"): 10000,
        ("2025-02", "new"): 1000,
        ("2025-03", "churn"): -10000,
    }


def test_the_opening_base_is_neither_new_nor_a_cohort_from_birth() -> None:
    history = [
        term("veteran", "2024-11-01", None, 100),
        term("gone", "2024-10-01", "2024-12-15", 30),
        term("gone", "2025-03-01", None, 30),
        term("young", "2025-02-01", None, 10),
    ]
    snapshot = company(history, "2025-03-31", recurring_revenue_from="2025-01-01")
    result = mrr_movements(snapshot, by=["cohort"])
    assert (result.first_month, result.last_month) == ("2025-01", "2025-03")
    rows = result.frame[~result.frame["line"].isin(["opening", "closing"])]
    assert sorted(rows[["month", "cohort", "line", "cents"]].itertuples(index=False, name=None)) == [
        ("2025-01", "before 2025-01", "brought_forward", 10000),
        ("2025-02", "2025-Q1", "new", 1000),
        ("2025-03", "before 2025-01", "reactivation", 3000),
    ]


@settings(max_examples=8, deadline=None, phases=(Phase.explicit, Phase.generate), derandomize=True)
@given(st.lists(terms, min_size=4, max_size=16), st.sampled_from(["constant", "monthly"]), st.sampled_from([0, 45]))
def test_generated_histories_add_up_to_the_cent_for_every_cut(
    history: list[dict[str, Any]], mrr_rates: str, grace: int
) -> None:
    accounts = [{"account_id": name, "segment": "SMB" if name < "c" else None} for name in "abcde"]
    snapshot = company(
        history,
        "2025-12-31",
        tables={"exchange_rates": RATES, "accounts": accounts},
        mrr_rates=mrr_rates,
        late_renewal_grace_days=grace,
    )
    if not any(is_seen(row) for row in history):
        with pytest.raises(DataRefusedError):
            mrr_movements(snapshot)
        return
    whole = mrr_movements(snapshot).frame
    if grace == 0:
        assert {row.month: row.cents for row in whole[whole["line"] == "closing"].itertuples()} == reference(
            history, mrr_rates, whole["month"].min()
        )
    for by in CUTS:
        frame = mrr_movements(snapshot, by=by).frame
        check_identities(frame, list(by))
        totals = frame.groupby(["month", "line"])["cents"].sum()
        assert_totals_agree(totals, whole, has_transfers=bool({"product", "size_band"} & set(by)))


def is_seen(row: dict[str, Any]) -> bool:
    start = dt.date.fromisoformat(row["started_on"])
    end = dt.date.fromisoformat(row["ended_on"]) if row["ended_on"] else dt.date.max
    return end >= month_end(month_number(start))


def check_identities(frame: pd.DataFrame, by: list[str]) -> None:
    named = frame.fillna(dict.fromkeys(by, "missing")).assign(everything="all")
    table = named.pivot(index=["everything", *by, "month"], columns="line", values="cents").fillna(0)
    moved = table.drop(columns=["opening", "closing"]).sum(axis=1)
    assert (table["opening"] + moved == table["closing"]).all()
    closing, opening = (table[side].unstack("month").fillna(0).to_numpy() for side in ("closing", "opening"))
    assert (closing[:, :-1] == opening[:, 1:]).all()


def assert_totals_agree(totals: pd.Series, whole: pd.DataFrame, *, has_transfers: bool) -> None:
    expected = whole.set_index(["month", "line"])["cents"]
    both = pd.concat([totals.rename("cut"), expected.rename("whole")], axis=1).fillna(0)
    is_transfer = both.index.get_level_values("line").str.startswith("transfer")
    assert has_transfers or not is_transfer.any()
    assert both.loc[is_transfer, "cut"].groupby(level="month").sum().eq(0).all()
    assert both.loc[~is_transfer, "cut"].eq(both.loc[~is_transfer, "whole"]).all()


def reference(history: list[dict[str, Any]], mrr_rates: str, first: str) -> dict[str, int]:
    """Closing balances in cents, the plain way: a loop over months and terms in exact arithmetic."""
    rate_of = {row["day"][:7]: Decimal(repr(row["rate_to_reporting"])).quantize(Decimal("1e-12")) for row in RATES}
    balances = {}
    for number in range(month_number(dt.date.fromisoformat(f"{first}-01")), month_number(dt.date(2025, 12, 1)) + 1):
        last = month_end(number)
        active = [row for row in history if row["started_on"] <= str(last) and (row["ended_on"] or "9999") >= str(last)]
        total: dict[tuple[object, object], Decimal] = {}
        for term_number, row in enumerate(active):
            # At constant rates each term is converted by itself, at monthly rates each account's product.
            key = term_number if mrr_rates == "constant" else (row["account_id"], row["product"], row["currency"])
            total[key, row["currency"]] = total.get((key, row["currency"]), Decimal(0)) + Decimal(row["mrr"])
        rate = rate_of[str(last)[:7] if mrr_rates == "monthly" else "2025-12"]
        values = [
            (amount * (rate if currency == "EUR" else 1)).quantize(Decimal("1e-6"), rounding="ROUND_HALF_UP")
            for (_, currency), amount in total.items()
        ]
        balances[str(last)[:7]] = int((sum(values, Decimal(0)) * 100).quantize(Decimal(1), rounding="ROUND_HALF_UP"))
    return balances


def test_an_unknown_cut_or_filter_is_refused() -> None:
    snapshot = company([term("a", "2025-01-01", None, 100)], "2025-03-31")
    with pytest.raises(ConfigurationError, match="segment"):
        mrr_movements(snapshot, by=["segmnt"])
    with pytest.raises(ConfigurationError, match="region"):
        mrr_movements(snapshot, where="regio = East")


def test_what_comes_after_the_day_changes_nothing() -> None:
    history = [term("a", "2025-01-01", "2025-12-31", 100), term("b", "2025-02-01", None, 50)]
    later = [
        term("a", "2026-01-01", None, 300, booked_at="2025-04-01"),
        term("c", "2025-03-10", None, 70, booked_at="2025-04-02"),
    ]
    before = mrr_movements(company(history, "2025-03-31"), by=["product"]).frame
    after = mrr_movements(company([*history, *later], "2025-03-31"), by=["product"]).frame
    pd.testing.assert_frame_equal(before, after)


def test_a_credit_keeps_the_sums_and_makes_no_customer() -> None:
    history = [term("a", "2025-01-01", None, 100), term("x", "2025-02-01", "2025-02-28", -5)]
    frame = mrr_movements(company(history, "2025-03-31")).frame
    assert lines(frame, "2025-02") == {"opening": 10000, "contraction": -500, "closing": 9500}
    assert lines(frame, "2025-03") == {"opening": 9500, "expansion": 500, "closing": 10000}
