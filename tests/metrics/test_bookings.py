"""Pipeline and bookings on a company small enough to count by hand, and on published figures."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import ibis
import pytest

from builders import make_definitions, make_snapshot, make_store
from metrics.generated import company
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.statistics.intervals import wilson_interval
from revops_analysis.tables.snapshot import Snapshot


def deal(key: str, stage: str, amount: float | None, created: str, close: str, **more: Any) -> dict[str, Any]:
    common = {"opportunity_id": key, "stage": stage, "amount": amount, "created_at": created, "close_date": close}
    closed = {"closed_at": close} if stage.startswith("Closed") else {}
    return {"type": "new", "segment": "SMB", **common, **closed, **more}


DEALS = [
    deal("w1", "Closed Won", 100, "2026-06-01", "2026-07-11"),
    deal("w2", "Closed Won", 300, "2026-07-01", "2026-08-20", type="expansion", segment="Enterprise"),
    deal("w3", "Closed Won", 50, "2026-07-02", "2026-09-30", type="renewal"),
    deal("w4", "Closed Won", None, "2026-07-03", "2026-07-13"),
    deal("w5", "Closed Won", 70, "2026-01-01", "2026-06-30"),
    deal("l1", "Closed Lost", 400, "2026-05-01", "2026-08-01"),
    deal("l2", "Closed Lost", 200, "2026-05-01", "2026-09-01", segment=None),
    deal("o1", "Proposal", 600, "2026-07-05", "2026-09-01"),
    deal("o2", "Discovery", 300, "2026-08-05", "2026-11-15", segment=None),
    deal("o3", "Discovery", 90, "2026-08-05", "2026-11-15", type="renewal"),
    deal("o4", "Discovery", 1000, "2026-08-05", "2026-11-15", forecast_category="Omitted"),
    deal("o5", "Discovery", None, "2026-08-06", "2027-02-01", segment="Enterprise"),
]


@pytest.fixture(scope="module")
def small() -> Snapshot:
    return make_snapshot({"opportunities": DEALS})


@pytest.mark.parametrize(
    ("name", "value", "n"),
    [
        ("bookings", 400, 3),
        ("all_bookings", 450, 4),
        ("renewal_bookings", 50, 1),
        ("deals_won", 3, 3),
        ("deals_lost", 2, 2),
        ("win_rate", 3 / 5, 5),
        ("win_rate_amount", 400 / 1000, 4),
        ("average_deal_size", 200, 2),
        ("median_deal_size", 200, 2),
        ("sales_cycle_days", 40, 3),
        ("open_pipeline", 900, 3),
        ("open_renewals", 90, 1),
        ("open_deals", 3, 3),
        ("overdue_pipeline", 600, 1),
        ("pipeline_created", 300 + 600 + 300 + 1000, 6),
        ("deals_created", 6, 6),
        ("pipeline_gini", 1 / 6, 2),
    ],
)
def test_a_quarter_counted_by_hand(small: Snapshot, name: str, value: float, n: int) -> None:
    row = compute_metric(small, name, "2026-Q3").frame.loc[0]
    assert row["value"] == pytest.approx(value)
    assert row["n"] == n
    assert row["reason"] is None


def test_a_rate_carries_wilsons_interval_and_its_count(small: Snapshot) -> None:
    row = compute_metric(small, "win_rate", "2026-Q3").frame.loc[0]
    low, high = wilson_interval([3], [5])
    assert (row["low"], row["high"]) == (pytest.approx(low[0]), pytest.approx(high[0]))


def test_the_share_of_the_largest_deals(small: Snapshot) -> None:
    frame = compute_metric(small, "concentration").frame
    assert list(frame["top"]) == ["1", "5", "10"]
    assert frame["value"].round(4).tolist() == [0.6667, 1.0, 1.0]


def test_open_pipeline_by_expected_close_period_and_overdue(small: Snapshot) -> None:
    frame = compute_metric(small, "open_pipeline", by=["close_period", "is_overdue"]).frame
    rows = dict(zip(zip(frame["close_period"], frame["is_overdue"], strict=True), frame["value"], strict=True))
    assert rows.pop(("2026-Q3", True)) == 600
    assert rows.pop(("2026-Q4", False)) == 300
    unpriced = frame[frame["close_period"] == "2027-Q1"].iloc[0]
    assert unpriced["value"] != unpriced["value"]
    assert unpriced["reason"] == "none of 1 deals has an amount"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("win_rate", "no deal closed in the period"),
        ("win_rate_amount", "no deal with an amount closed in the period"),
        ("average_deal_size", "no deal with an amount was won in the period"),
        ("median_deal_size", "no deal with an amount was won in the period"),
        ("sales_cycle_days", "no won deal of the period has both days"),
    ],
)
def test_where_nothing_closed_a_rate_is_null_with_its_reason(small: Snapshot, name: str, reason: str) -> None:
    row = compute_metric(small, name, "2024-Q1").frame.loc[0]
    assert row["value"] != row["value"]
    assert (row["n"], row["reason"]) == (0, reason)


@pytest.mark.parametrize("amount", [None, 0])
def test_without_amounts_of_lost_deals_there_is_no_win_rate_by_amount(amount: float | None) -> None:
    deals = [DEALS[0], {**DEALS[5], "amount": amount}, {**DEALS[1], "segment": "SMB"}]
    snapshot = make_snapshot({"opportunities": deals})
    for by in ((), ("segment",)):
        row = compute_metric(snapshot, "win_rate_amount", "2026-Q3", by=by).frame.loc[0]
        assert row["value"] != row["value"]
        assert row["reason"] == "the lost deals of the period have no amount"


def test_where_nothing_was_booked_the_sum_is_zero(small: Snapshot) -> None:
    row = compute_metric(small, "bookings", "2024-Q1").frame.loc[0]
    assert (row["value"], row["n"], row["reason"]) == (0, 0, None)


def test_the_day_a_win_was_recorded_decides_under_closed_at() -> None:
    late = [{**DEALS[0], "closed_at": "2026-10-02"}]
    definitions = make_definitions(booking_day="closed_at")
    later = {"data_through": "2026-12-31", "as_of": "2026-12-31", "definitions": definitions}
    snapshot = make_snapshot({"opportunities": late}, **later)
    assert compute_metric(snapshot, "bookings", "2026-Q3...2026-Q4").frame["value"].tolist() == [0, 100]


def test_a_win_entered_after_the_period_had_ended_is_a_restatement() -> None:
    state = {"opportunity_id": "w5", "amount": 70, "close_date": "2026-06-30"}
    history = [
        {**state, "changed_at": "2026-01-01", "stage": "Proposal"},
        {**state, "changed_at": "2026-07-08", "stage": "Closed Won"},
    ]
    snapshot = make_snapshot({"opportunities": [DEALS[4]], "opportunity_history": history})
    assert compute_metric(snapshot, "restatements", "2026-Q2...2026-Q3").frame["value"].tolist() == [70, 0]
    assert compute_metric(snapshot.at("2026-06-30"), "bookings", "2026-Q2").frame["value"][0] == 0


@pytest.mark.external_data
def test_figures_published_with_the_maven_pipeline(shared_data: Path) -> None:
    """Source: the data folder's README: 4,238 won + 2,473 lost, win rate .6315, won value by quarter of 2017."""
    with next((shared_data / "maven_crm").rglob("*sales_pipeline*.csv")).open(encoding="utf-8-sig") as lines:
        rows = list(csv.DictReader(lines))
    stages = {"Won": "Closed Won", "Lost": "Closed Lost", "Engaging": "Discovery", "Prospecting": "Discovery"}
    deals = [
        {
            "opportunity_id": row["opportunity_id"],
            "stage": stages[row["deal_stage"]],
            "amount": row["close_value"] or None,
            "created_at": row["engage_date"] or None,
            "close_date": row["close_date"] or None,
        }
        for row in rows
    ]
    snapshot = make_snapshot({"opportunities": deals}, as_of="2017-12-31", data_through="2017-12-31")
    quarters = compute_metric(snapshot, "bookings", "2017-Q1...2017-Q4").frame
    assert quarters["value"].tolist() == [1_134_672, 3_086_111, 2_982_255, 2_802_496]
    rate = compute_metric(snapshot, "win_rate", "2017").frame.loc[0]
    assert (round(rate["value"], 4), rate["n"]) == (0.6315, 4_238 + 2_473)


@pytest.mark.postgres
def test_both_engines_give_the_same_answers(postgres_url: str) -> None:
    con = ibis.connect(postgres_url)
    con.create_database("metrics")
    tables = company(11, 60)
    theirs = Snapshot(make_store(tables, con=con, database="metrics"), make_definitions(), "2026-09-30")
    ours = make_snapshot(tables)
    questions: list[tuple[str, str, tuple[str, ...]]] = [
        ("open_pipeline", "2026-Q3", ("segment", "close_period", "is_overdue")),
        ("win_rate", "2025", ("type",)),
        ("win_rate_amount", "2025", ()),
        ("sales_cycle_days", "2025", ()),
        ("concentration", "2026-Q3", ("team",)),
        ("pipeline_movement", "2026-Q3", ("owner_id",)),
        ("required_coverage", "2026-Q4", ("segment",)),
        ("yield", "2026-Q4", ("stage",)),
    ]
    for name, period, by in questions:
        where = "amount >= 10" if name == "win_rate" else None
        left, right = (compute_metric(side, name, period, by, where).frame for side in (theirs, ours))
        assert left.to_csv() == right.to_csv(), name
        assert len(left), name
    con.disconnect()
