"""Productivity: credit follows splits to the cent, quotas are those of the period, ramping sellers count in part."""

from __future__ import annotations

import datetime as dt

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from builders import make_definitions, make_snapshot, make_store
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.metrics.sellers import _ramped_days, deal_credits, seller_months
from revops_analysis.periods import FiscalCalendar, parse_period
from revops_analysis.tables.snapshot import Snapshot

Q3 = parse_period("2026-Q3", FiscalCalendar())


def won(key, amount, owner="u1", day="2026-08-01"):
    base = {"opportunity_id": key, "stage": "Closed Won", "type": "new", "segment": "SMB", "owner_id": owner}
    return {**base, "amount": amount, "created_at": "2026-07-01", "close_date": day, "closed_at": day}


def split(key, user, share, kind="revenue"):
    return {"opportunity_id": key, "user_id": user, "share": share, "kind": kind}


def user(key, hired="2024-01-01", **values):
    return {"user_id": key, "name": key.upper(), "team": "SMB", "role": "AE", "hired_on": hired, **values}


def quota(key, amount, start="2026-07-01", end="2026-09-30"):
    return {"user_id": key, "quota": amount, "period_start": start, "period_end": end}


TABLES = {
    "opportunities": [won("a", "100.01"), won("b", 300, "u2"), won("c", None, "u2"), won("d", 50, "sdr")],
    "opportunity_splits": [split("a", "u1", 0.5), split("a", "u2", 0.5), split("b", "u3", 1, "overlay")],
    "users": [user("u1"), user("u2"), user("u3", "2026-08-16"), user("sdr", role="SDR")],
    "quotas": [quota("u1", 100), quota("u2", 1000), quota("u3", 500, "2026-09-01", "2026-11-30")],
    "targets": [
        {"measure": "bookings", "scope_kind": "company", "period_start": "2026-07-01", "period_end": "2026-09-30"}
        | {"target": 1000}
    ],
}


@pytest.fixture(scope="module")
def snapshot():
    return make_snapshot(TABLES)


def values(snapshot, name, by="owner_id", **asked):
    frame = compute_metric(snapshot, name, asked.pop("period", Q3), by=[by] if by else [], **asked).frame
    return dict(zip(frame[by] if by else ["all"], frame["value"], strict=True))


def test_credit_follows_revenue_splits_and_adds_up_to_the_deal(snapshot):
    found = values(snapshot, "credited_bookings")
    assert found == {"u1": 50.01, "u2": 350.0, "sdr": 50.0}
    assert values(snapshot, "credited_bookings", None)["all"] == values(snapshot, "bookings", None)["all"]


@settings(max_examples=4, phases=[Phase.explicit, Phase.generate])
@given(
    st.decimals("0.01", "99999.99", places=2),
    st.lists(st.integers(1, 999_999).map(lambda n: n / 1e6), min_size=1, max_size=6),
)
def test_credits_add_up_to_the_deal_whatever_the_shares(amount, shares):
    tables = {
        "opportunities": [won("a", amount)],
        "opportunity_splits": [split("a", f"u{n}", share) for n, share in enumerate(shares)],
    }
    credit = deal_credits(make_snapshot(tables)).to_pandas().sort_values("credited_to")["credit"]
    assert credit.sum() == amount
    np.testing.assert_allclose(credit.astype(float), float(amount) * np.array(shares) / sum(shares), atol=0.011)


def test_attainment_is_of_sellers_whose_quota_is_of_the_period(snapshot):
    found = values(snapshot, "attainment")
    assert found["u1"] == pytest.approx(0.5001)
    assert found["u2"] == pytest.approx(0.35)
    assert np.isnan(found["u3"])  # its quota reaches into the next quarter
    assert "sdr" not in found
    frame = compute_metric(snapshot, "attainment", Q3, by=["owner_id"]).frame.set_index("owner_id")
    assert "do not lie within" in frame.loc["u3", "reason"]
    one = compute_metric(snapshot, "attainment", Q3, where="owner_id in (u1, u2)").frame.iloc[0]
    assert one["value"] == pytest.approx(400.01 / 1100)
    assert one["n"] == 4  # deals credited, the one without amount too


def test_quota_coverage_needs_both_sides(snapshot):
    tables = {**TABLES, "quotas": TABLES["quotas"][:2]}
    assert values(make_snapshot(tables), "quota_coverage", None) == {"all": 1.1}
    assert np.isnan(values(snapshot, "quota_coverage", None)["all"])
    without = {name: rows for name, rows in tables.items() if name != "targets"}
    row = compute_metric(make_snapshot(without), "quota_coverage", Q3).frame.iloc[0]
    assert "targets" in row["reason"]


def test_a_quota_that_is_not_there_is_no_zero():
    tables = {name: rows for name, rows in TABLES.items() if name != "quotas"}
    row = compute_metric(make_snapshot(tables), "attainment", Q3).frame.iloc[0]
    assert np.isnan(row["value"])
    assert "quotas" in row["reason"]
    empty = compute_metric(make_snapshot({**tables, "quotas": []}), "attainment", Q3).frame.iloc[0]
    assert empty["reason"] == "no quota for the period"


def test_ramping_sellers_count_by_how_far_they_have_come(snapshot):
    found = values(snapshot, "ramped_sellers")
    length = 3 * 365.25 / 12
    days = (dt.date(2026, 9, 30) - dt.date(2026, 8, 16)).days + 1
    assert found["u3"] == pytest.approx(sum(day / length for day in range(days)) / 92)
    assert (found["u1"], found["u2"]) == (1, 1)
    whole = values(snapshot, "productivity", None)["all"]
    assert whole == pytest.approx((50.01 + 350) / (2 + found["u3"]), abs=0.01)  # the SDR is no seller


@settings(max_examples=50)
@given(st.integers(0, 400), st.integers(0, 92), st.floats(0, 300))
def test_ramped_days_are_the_sum_over_days(since, number, length):
    expected = sum(min(1.0, (since + day) / length) if length else 1.0 for day in range(number))
    found = _ramped_days(np.array([float(since)]), np.array([float(number)]), np.array([length]))
    np.testing.assert_allclose(found, [expected], rtol=1e-9, atol=1e-9)


def test_leavers_count_until_their_last_day_and_strangers_as_ramped():
    people = [user("left", left_on="2026-07-31"), user("gone", left_on="2026-06-30"), user("dateless", None)]
    frame = seller_months(make_snapshot({"opportunities": [], "users": people}), Q3).set_index("owner_id")
    assert frame["share_employed"].round(6).to_dict() == {"dateless": 1.0, "left": round(31 / 92, 6)}
    assert frame["equivalent"].round(6).to_dict() == {"dateless": 1.0, "left": round(31 / 92, 6)}


@pytest.mark.postgres
def test_both_engines_agree(postgres_url):
    con = ibis.connect(postgres_url)
    con.create_database("sellers")
    theirs = Snapshot(make_store(TABLES, con=con, database="sellers"), make_definitions(), "2026-09-30")
    ours = make_snapshot(TABLES)
    for name in ("credited_bookings", "quota", "attainment", "ramped_sellers", "productivity"):
        pd.testing.assert_frame_equal(*(compute_metric(each, name, Q3, by=["owner"]).frame for each in (theirs, ours)))
    con.disconnect()
