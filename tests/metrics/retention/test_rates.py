"""Net, gross and logo retention over twelve months."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from metrics.retention.companies import company, term
from revops_analysis.metrics.retention import RateOptions, retention_rates
from revops_analysis.metrics.retention.ledger import month_number
from revops_analysis.metrics.retention.rates import rates_of

JANUARY = month_number(dt.date(2025, 1, 1))

# Revenue in January 2024 and January 2025: a 100 → 150, b 100 → 60, c 50 → 0, d 50 → 50 after a gap, e 0 → 500.
HISTORY = [
    term("a", "2024-01-01", "2024-06-30", 100),
    term("a", "2024-07-01", None, 150),
    term("b", "2024-01-01", "2024-06-30", 100),
    term("b", "2024-07-01", None, 60),
    term("c", "2024-01-01", "2024-08-31", 50),
    term("d", "2024-01-01", "2024-03-31", 50),
    term("d", "2024-06-01", None, 50, "Analytics"),
    term("e", "2024-02-01", None, 500),
]


def measures(snapshot, month=JANUARY, **more):
    frame = retention_rates(snapshot, [month], **more).frame
    return frame.set_index("measure")


def test_rates_by_hand() -> None:
    rates = measures(company(HISTORY, "2025-01-31"))
    assert rates.loc["nrr", "value"] == pytest.approx((150 + 60 + 0 + 50) / 300)
    assert rates.loc["grr", "value"] == pytest.approx((100 + 60 + 0 + 50) / 300)
    assert rates.loc["logo", "value"] == pytest.approx(3 / 4)
    assert set(rates["n"]) == {4}
    assert set(rates["base_mrr"]) == {300.0}
    assert ((rates["low"] <= rates["value"]) & (rates["value"] <= rates["high"])).all()


def test_an_account_that_came_back_counts_only_if_the_definitions_say_so() -> None:
    rates = measures(company(HISTORY, "2025-01-31", nrr_counts_reactivated=False))
    assert rates.loc["nrr", "value"] == pytest.approx(210 / 300)
    assert rates.loc["logo", "value"] == pytest.approx(2 / 4)


def test_a_cut_by_product_follows_the_product_and_one_by_segment_the_account() -> None:
    accounts = [{"account_id": name, "segment": "SMB" if name in "ac" else None} for name in "abcde"]
    snapshot = company(HISTORY, "2025-01-31", tables={"accounts": accounts})
    by_product = retention_rates(snapshot, [JANUARY], by=["product"]).frame
    core = by_product[by_product["measure"] == "nrr"].set_index("product")["value"]
    assert core.to_dict() == {"Core": pytest.approx(210 / 300)}
    by_segment = retention_rates(snapshot, [JANUARY], by=["segment"]).frame
    nrr = by_segment[by_segment["measure"] == "nrr"]
    assert nrr["value"].to_list() == [pytest.approx(150 / 150), pytest.approx(110 / 150)]
    assert nrr["segment"].isna().to_list() == [False, True]
    only = measures(snapshot, where="segment = SMB")
    assert only.loc["nrr", "value"] == pytest.approx(1.0)


def test_a_month_without_base_is_null_and_says_why() -> None:
    snapshot = company(HISTORY, "2025-01-31")
    early = measures(snapshot, JANUARY - 1)
    assert early["value"].isna().all()
    assert early["reason"].str.contains("needs revenue of 2023-12, but it is known from 2024-01 on").all()
    late = measures(snapshot, JANUARY + 1)
    assert late["reason"].str.contains("2025-02 is not over yet").all()


def test_all_months_with_a_base_are_the_default_and_too_short_a_history_says_so() -> None:
    assert set(retention_rates(company(HISTORY, "2025-03-31")).frame["month"]) == {"2025-01", "2025-02", "2025-03"}
    short = retention_rates(company(HISTORY, "2024-12-31"))
    assert short.frame.empty
    assert "twelve months apart" in str(short.reason)


def test_without_revenue_there_is_a_reason_and_no_number() -> None:
    result = retention_rates(company([], "2025-01-31"))
    assert result.frame.empty
    assert "no subscriptions" in str(result.reason)


def test_grr_never_exceeds_nrr_or_one_and_equals_logo_where_prices_stand_still() -> None:
    flat = [
        term(f"a{number}", "2024-01-01", None if number % 3 else "2024-09-30", 10 + 0 * number) for number in range(30)
    ]
    rates = measures(company(flat, "2025-01-31"))["value"]
    assert rates["grr"] <= min(rates["nrr"], 1.0)
    assert rates["nrr"] == pytest.approx(rates["logo"])


def test_the_table_has_a_row_a_month_with_each_measure_and_its_interval() -> None:
    table = retention_rates(company(HISTORY, "2025-02-28")).table()
    assert table["month"].to_list() == ["2025-01", "2025-02"]
    assert {"accounts", "base_mrr", "nrr", "nrr_low", "grr_high", "logo", "reason"} <= set(table.columns)


def test_very_many_accounts_are_drawn_in_groups_and_keep_value_and_spread() -> None:
    rng = np.random.default_rng(3)
    base = pd.Series(rng.lognormal(5, 1, 6_000))
    now = base * rng.choice([0.0, 1.0, 1.3], 6_000, p=[0.1, 0.6, 0.3])
    nrr = rates_of(base, now, "none")[0]
    assert nrr["value"] == pytest.approx(now.sum() / base.sum())
    assert nrr["n"] == 6_000
    error = (now - nrr["value"] * base).std() * np.sqrt(6_000) / base.sum()  # linearised standard error of a ratio
    assert (nrr["high"] - nrr["low"]) / (2 * 1.96) == pytest.approx(error, rel=0.12)
    shuffled = rng.permutation(6_000)
    assert rates_of(base[shuffled], now[shuffled], "none")[0] == nrr


def test_any_window_and_accounts_alike() -> None:
    snapshot = company(HISTORY, "2025-01-31")
    half = measures(snapshot, options=RateOptions(window=6))
    assert half.loc["nrr", "value"] == pytest.approx((150 + 60 + 0 + 50 + 500) / (150 + 60 + 50 + 50 + 500))
    alike = measures(snapshot, options=RateOptions(weight="account"))
    assert alike.loc["nrr", "value"] == pytest.approx((1.5 + 0.6 + 0 + 1) / 4)
    assert alike.loc["grr", "value"] == pytest.approx((1 + 0.6 + 0 + 1) / 4)
    too_long = retention_rates(snapshot, options=RateOptions(window=24))
    assert "24 months apart" in str(too_long.reason)


def test_movements_over_opening_counts_customers_won_within_the_year_too() -> None:
    rates = measures(company(HISTORY, "2025-01-31", nrr_basis="movements"))
    assert rates.loc["nrr", "value"] == pytest.approx((300 + 50 - 40 - 50 - 50 + 50) / 300)
    assert rates.loc["grr", "value"] == pytest.approx((300 - 40 - 50 - 50) / 300)
    assert rates.loc["logo", "value"] == pytest.approx(3 / 4)
    assert set(rates["n"]) == {4}


def test_a_size_band_is_that_of_the_beginning() -> None:
    limits = {"mrr_bands": [60, 200]}
    frame = retention_rates(company(HISTORY, "2025-01-31", **limits), [JANUARY], by=["size_band"]).frame
    nrr = frame[frame["measure"] == "nrr"].set_index("size_band")[["value", "n"]]
    assert nrr.loc["under 60"].to_list() == [pytest.approx(50 / 100), 2]
    assert nrr.loc["60 to under 200"].to_list() == [pytest.approx(210 / 200), 2]
    assert list(nrr.sort_index().index) == ["under 60", "60 to under 200"]  # by size, not by text


def test_now_stands_beside_the_year_before() -> None:
    both = retention_rates(company(HISTORY, "2026-01-31"), by=[]).year_on_year().set_index("measure")
    assert set(both["month"]) == {"2026-01"}
    assert both.loc["nrr", "year_before"] == pytest.approx(260 / 300)
    assert both.loc["nrr", "change"] == pytest.approx(1.0 - 260 / 300)
    first = retention_rates(company(HISTORY, "2025-01-31"), [JANUARY - 12, JANUARY]).year_on_year()
    assert first["reason"].str.contains("known from 2024-01").all()
