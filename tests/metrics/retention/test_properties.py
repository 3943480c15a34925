"""Identities of retention on generated histories, against the plain way of computing it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pandas as pd
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from metrics.retention.companies import company, term
from revops_analysis.metrics.retention import RateOptions, cohort_triangle, mrr_movements, retention_rates
from revops_analysis.metrics.retention.ledger import month_end, month_number, require_revenue
from revops_analysis.tables.snapshot import Snapshot

LAST = month_number(dt.date(2025, 12, 1))
FEW = settings(max_examples=6, deadline=None, phases=(Phase.explicit, Phase.generate), derandomize=True)

terms = st.builds(
    lambda account, start, length, mrr, product: term(
        account, str(start), None if length is None else str(start + dt.timedelta(days=length)), mrr, product
    ),
    st.sampled_from("abcdef"),
    st.dates(dt.date(2024, 1, 1), dt.date(2025, 6, 30)),
    st.none() | st.integers(31, 600),
    st.integers(1, 9_999),
    st.sampled_from(["Core", "Analytics", None]),
)
histories = st.lists(terms, min_size=5, max_size=20)


def made(history: list[dict[str, Any]], **more: Any) -> Snapshot:
    accounts = [{"account_id": name, "segment": "SMB" if name < "d" else None} for name in "abcdef"]
    anchor = term("a", "2024-01-01", None, 5)
    return company([*history, anchor], "2025-12-31", tables={"accounts": accounts}, **more)


def plain(history: list[dict[str, Any]], account: str, number: int) -> Decimal:
    """Revenue of an account in a month: a sum over its terms."""
    last = str(month_end(number))
    rows = [*history, term("a", "2024-01-01", None, 5)]
    active = [row for row in rows if row["started_on"] <= last and (row["ended_on"] or "9999") >= last]
    return sum((Decimal(row["mrr"]) for row in active if row["account_id"] == account), Decimal(0))


@FEW
@given(histories)
def test_rates_are_those_of_a_loop_over_accounts(history: list[dict[str, Any]]) -> None:
    frame = retention_rates(made(history), [LAST]).frame.set_index("measure")
    pairs = [(plain(history, name, LAST - 12), plain(history, name, LAST)) for name in "abcdef"]
    base = [(then, now) for then, now in pairs if then > 0]
    total = sum(then for then, _ in base)
    expected = {
        "nrr": sum(now for _, now in base) / total,
        "grr": sum(min(then, now) for then, now in base) / total,
        "logo": Decimal(sum(now > 0 for _, now in base)) / len(base),
    }
    for measure, value in expected.items():
        assert abs(frame.loc[measure, "value"] - float(value)) < 1e-12
    assert set(frame["n"]) == {len(base)}


@FEW
@given(histories, st.sampled_from([1, 3, 12]), st.sampled_from(["segment", "product", "size_band", "account_id"]))
def test_gross_retention_is_never_above_net_or_one(history: list[dict[str, Any]], window: int, by: str) -> None:
    for weight in ("revenue", "account"):
        frame = retention_rates(made(history), None, [by], options=RateOptions(window, weight)).frame
        wide = frame.pivot(index=["month", by], columns="measure", values="value").dropna()
        assert (wide["grr"] <= wide[["nrr"]].assign(one=1.0).min(axis=1) + 1e-12).all()
        assert wide["logo"].between(0, 1).all()
        assert ((wide["logo"] > 0) | (wide["nrr"] == 0)).all()
        known = frame.dropna(subset=["low", "high"])
        assert (known["low"].astype(float) <= known["high"].astype(float)).all()


@FEW
@given(histories)
def test_who_left_and_came_back_can_only_add(history: list[dict[str, Any]]) -> None:
    with_returns = retention_rates(made(history)).frame
    without = retention_rates(made(history, nrr_counts_reactivated=False)).frame
    assert (without["value"].astype(float) <= with_returns["value"].astype(float) + 1e-12).all()


@FEW
@given(histories)
def test_every_account_s_opening_and_movements_are_its_closing(history: list[dict[str, Any]]) -> None:
    frame = mrr_movements(made(history), by=["account_id"]).frame
    wide = frame.pivot(index=["account_id", "month"], columns="line", values="cents").fillna(0)
    moved = wide.drop(columns=["opening", "closing"], errors="ignore").sum(axis=1)
    assert (wide.get("opening", 0) + moved == wide["closing"]).all()
    kinds = (wide.drop(columns=["opening", "closing"], errors="ignore") != 0).sum(axis=1)
    assert (kinds <= 1).all()  # an account's month is one of the movements
    for (account, month), cents in wide["closing"].items():
        number = month_number(dt.date.fromisoformat(f"{month}-01"))
        assert cents == plain(history, str(account), number) * 100


@FEW
@given(histories)
def test_a_year_s_movements_are_twelve_times_a_month_s(history: list[dict[str, Any]]) -> None:
    snapshot = made(history)
    monthly, annual = (
        mrr_movements(snapshot, ["segment"]).frame,
        mrr_movements(snapshot, ["segment"], annual=True).frame,
    )
    assert (monthly["cents"] * 12).to_list() == annual["cents"].to_list()  # whole amounts: nothing to round
    closing = annual["line"] == "closing"
    assert annual.loc[closing, "cents"].to_list() == annual.loc[closing, "annual_cents"].to_list()


@FEW
@given(histories)
def test_the_rows_of_the_table_are_the_revenue_of_each_account(history: list[dict[str, Any]]) -> None:
    rows = require_revenue(made(history)).table.to_pandas()
    totals = rows.groupby(["account_id", "month"])["mrr"].sum()
    assert all(amount == plain(history, account, month) for (account, month), amount in totals.items())


@FEW
@given(histories, st.sampled_from(["month", "quarter", "year"]))
def test_cohorts_hold_every_customer_once_and_their_money_adds_up(history: list[dict[str, Any]], grain: str) -> None:
    frame = cohort_triangle(made(history), grain).frame
    first = frame[(frame["age_months"] == 0) & (frame["measure"] == "nrr")]
    seen = {row["account_id"] for row in history} | {"a"}
    assert first["n"].sum() <= len(seen)
    assert (first["value"].dropna() == 1.0).all()
    known = frame[frame["value"].notna()]
    nrr = known[known["measure"] == "nrr"]
    assert ((nrr["mrr"].astype(float) - nrr["value"].astype(float) * nrr["base_mrr"]).abs() < 0.01).all()
    logo = known[known["measure"] == "logo"]
    assert (logo["accounts"] == (logo["value"].astype(float) * logo["n"]).round()).all()
    late = frame[frame["value"].isna()]
    assert late["reason"].str.startswith("complete on ").all()
    assert pd.to_datetime(late["matures_on"]).gt("2025-12-31").all()
