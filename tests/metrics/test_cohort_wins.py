"""Cohort win rate and sales cycle: open deals are not lost deals."""

from __future__ import annotations

import numpy as np
import pytest

from builders import make_definitions, make_snapshot
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.statistics.survival import aalen_johansen


def deal(key, created, closed=None, stage="Proposal", **more):
    return {
        "opportunity_id": key,
        "type": "new",
        "segment": "SMB",
        "stage": stage,
        "amount": 100,
        "created_at": created,
        "close_date": closed or "2026-12-31",
        "closed_at": closed,
        **more,
    }


def answer(deals, name, as_of="2026-09-30", period="2026-Q1", **changes):
    snapshot = make_snapshot({"opportunities": deals}, as_of=as_of, definitions=make_definitions(**changes))
    return compute_metric(snapshot, name, period).frame.iloc[0]


DEALS = [
    deal("a", "2026-01-01", "2026-01-31", "Closed Won"),
    deal("b", "2026-01-01", "2026-03-02", "Closed Lost"),
    deal("c", "2026-01-01", "2026-04-01", "Closed Won"),
    deal("d", "2026-01-01"),
    deal("other period", "2025-11-01", "2026-01-31", "Closed Won"),
    deal("renewal", "2026-01-01", "2026-01-31", "Closed Won", type="renewal"),
]


def test_a_cohort_watched_to_the_horizon_is_a_plain_share():
    row = answer(DEALS, "cohort_win_rate")
    assert (row["value"], row["n"]) == (pytest.approx(2 / 4), 4)
    assert row["low"] < 0.5 < row["high"]


def test_open_deals_are_censored_and_later_wins_are_not_seen():
    young = [*DEALS[:4], deal("e", "2026-03-12")]
    row = answer(young, "cohort_win_rate", as_of="2026-03-31", conversion_horizon_days=80)
    # By hand: won on day 30, censored on day 19 (e), lost on day 60, two censored on day 89.
    by_hand = aalen_johansen([30, 60, 89, 89, 19], ["won", "lost", None, None, None]).at([80], "won")
    assert row["value"] == pytest.approx(by_hand["incidence"].iloc[0]) == pytest.approx(0.25)


def test_nothing_is_said_before_the_horizon():
    row = answer(DEALS, "cohort_win_rate", as_of="2026-03-31")
    assert np.isnan(row["value"])
    assert row["reason"] == (
        "no deal has been watched for 180 days yet, the longest for 89; observable from 2026-06-30"
    )
    assert answer(DEALS, "cohort_win_rate", period="2024-Q1")["reason"] == "no deals"


def test_cycle_is_half_way_to_the_wins_within_the_horizon():
    assert answer(DEALS, "cohort_sales_cycle_days")["value"] == 30
    later = [*DEALS, deal("f", "2026-01-01", "2026-04-11", "Closed Won")]
    assert answer(later, "cohort_sales_cycle_days")["value"] == 90  # the second of three wins passes the half


def test_cycle_is_null_while_fewer_than_half_are_as_old_as_the_horizon():
    young = [*DEALS[:1], *(deal(f"y{n}", "2026-03-30") for n in range(3))]
    row = answer(young, "cohort_sales_cycle_days", as_of="2026-07-15")
    assert np.isnan(row["value"])
    assert row["reason"] == "only 1 of 4 deals were created 180 days ago or earlier"
    lost = [deal("l", "2026-01-01", "2026-02-01", "Closed Lost")]
    assert "no deal was won" in answer(lost, "cohort_sales_cycle_days")["reason"]


def test_a_close_before_the_creation_counts_as_day_zero():
    row = answer([deal("a", "2026-02-01", "2026-01-15", "Closed Won")], "cohort_sales_cycle_days")
    assert row["value"] == 0
