"""Yield, coverage and required coverage against figures worked out by hand."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest

from builders import make_definitions, make_snapshot
from revops_analysis.metrics.coverage import period_ahead
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.periods import parse_period
from revops_analysis.tables.snapshot import Snapshot

AS_OF = "2026-09-30"
QUARTERS = [dt.date(2025, 1, 1), dt.date(2025, 4, 1), dt.date(2025, 7, 1), dt.date(2025, 10, 1)]


def deal(key: str, created: dt.date, close: dt.date, amount: float, won: dt.date | None) -> tuple[dict, list[dict]]:
    """A deal that waits in Proposal until it is won, or is lost on its close date when that has passed."""
    base = {"opportunity_id": key, "amount": amount, "close_date": close}
    changes = [{**base, "changed_at": noon(created), "stage": "Proposal"}]
    end = won or close
    if end <= dt.date.fromisoformat(AS_OF):
        stage = "Closed Won" if won else "Closed Lost"
        changes.append({**base, "changed_at": noon(end), "stage": stage, "close_date": end})
    last = changes[-1]
    state = {"stage": last["stage"], "close_date": last["close_date"]}
    return {**base, **state, "type": "new", "segment": "SMB", "created_at": noon(created)}, changes


def noon(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(16))


def tables() -> dict[str, list[dict[str, Any]]]:
    """Four past quarters alike: 1,000 open on the eve of which 250 are won, 60 pulled in, 40 created and closed."""
    made = [deal("first", dt.date(2024, 6, 1), dt.date(2024, 8, 1), 10, None)]
    for number, start in enumerate(QUARTERS):
        eve, late = start - dt.timedelta(days=20), start + dt.timedelta(days=200)
        inside = start + dt.timedelta(days=60)
        made += [
            deal(f"w{number}", eve, inside, 250, start + dt.timedelta(days=30)),
            deal(f"l{number}", eve, inside, 750, None),
            deal(f"p{number}", eve, late, 60, start + dt.timedelta(days=40)),
            deal(f"c{number}", start + dt.timedelta(days=5), inside, 40, start + dt.timedelta(days=50)),
        ]
    made.append(deal("open", dt.date(2026, 9, 1), dt.date(2026, 12, 1), 900, None))
    made.append(deal("later", dt.date(2026, 9, 1), dt.date(2027, 3, 1), 500, None))
    plan = {"measure": "bookings", "period_start": dt.date(2026, 10, 1), "period_end": dt.date(2026, 12, 31)}
    return {
        "opportunities": [row for row, _ in made],
        "opportunity_history": [change for _, changes in made for change in changes],
        "targets": [
            {**plan, "scope_kind": "company", "scope": None, "target": 600},
            {**plan, "scope_kind": "segment", "scope": "SMB", "target": 450},
        ],
    }


def snapshot_with(**settings: Any) -> Snapshot:
    definitions = make_definitions(coverage={"history_periods": 8, "minimum_periods": 4, **settings})
    return make_snapshot(tables(), definitions=definitions)


@pytest.fixture(scope="module")
def company() -> Snapshot:
    return snapshot_with()


def value(snapshot: Snapshot, name: str, period: str = "2026-Q4", **more: Any) -> tuple[float, int, str | None]:
    row = compute_metric(snapshot, name, period, **more).frame.loc[0]
    return row["value"], row["n"], row["reason"]


def test_yield_is_a_ratio_of_sums_over_past_periods(company: Snapshot) -> None:
    frame = compute_metric(company, "yield", "2026-Q4").frame.set_index("week")
    assert frame.loc[0, "value"] == pytest.approx(4 * 250 / (4 * 1000))
    assert frame.loc[0, "n"] == 8
    assert list(frame.index) == list(range(13))
    # At the end of week 5 the win of 250 is booked; of what is open then, the deal of 40 that came since is won.
    assert frame.loc[5, "value"] == pytest.approx(40 / (750 + 40))


def test_coverage_is_pipeline_over_what_is_left_of_the_target(company: Snapshot) -> None:
    assert value(company, "coverage") == (900 / 600, 1, None)
    assert value(company, "coverage", by="segment") == (900 / 450, 1, None)
    assert value(company, "coverage", where="segment = SMB") == (900 / 450, 1, None)


def test_required_coverage_takes_off_what_comes_by_itself(company: Snapshot) -> None:
    periods = 8
    by_itself = 4 * (60 + 40) / periods
    required, n, reason = value(company, "required_coverage")
    assert required == pytest.approx((600 - by_itself) / 0.25 / 600)
    assert (n, reason) == (periods, None)


def test_what_is_required_has_an_interval(company: Snapshot) -> None:
    again = [compute_metric(company, "required_coverage", "2026-Q4").frame.loc[0] for _ in range(2)]
    assert again[0]["low"] < again[0]["value"] < again[0]["high"]
    assert again[0].equals(again[1])


def test_expected_bookings_are_yield_times_pipeline(company: Snapshot) -> None:
    assert value(company, "expected_bookings") == (0.25 * 900, 1, None)


def test_a_period_that_is_over_has_no_coverage(company: Snapshot) -> None:
    for name in ("coverage", "required_coverage", "expected_bookings"):
        assert value(company, name, "2026-Q2")[2] in ("the period is over", "no target for 2026-Q2")


def test_without_target_there_is_no_coverage() -> None:
    bare = make_snapshot({name: rows for name, rows in tables().items() if name != "targets"})
    for name in ("coverage", "required_coverage"):
        found, _, reason = value(bare, name)
        assert math.isnan(found)
        assert reason == "no target: the source has no targets table"


def test_a_target_of_another_length_is_no_target(company: Snapshot) -> None:
    assert value(company, "target", "2026-10")[2] == "no target for 2026-10"
    assert value(company, "coverage", "2026-10")[2] == "no target for 2026-10"
    assert value(company, "target", "2026-07-01..2026-12-31")[2] == "the targets do not fill 2026-07-01..2026-12-31"


def test_a_cut_without_targets_says_so(company: Snapshot) -> None:
    assert "not for this cut" in str(value(company, "coverage", by=("segment", "product"))[2])


def test_a_target_that_is_met_needs_no_more() -> None:
    content = tables()
    content["opportunities"] = [
        {**row, "stage": "Closed Won", "close_date": dt.date(2026, 10, 5)} if row["opportunity_id"] == "open" else row
        for row in content["opportunities"]
    ]
    content["opportunity_history"].append(
        {
            "opportunity_id": "open",
            "changed_at": noon(dt.date(2026, 10, 5)),
            "stage": "Closed Won",
            "amount": 900,
            "close_date": dt.date(2026, 10, 5),
        }
    )
    snapshot = make_snapshot(content, as_of="2026-10-31", data_through="2026-10-31")
    for name in ("coverage", "required_coverage"):
        assert value(snapshot, name)[2] == "target met"


def test_too_short_a_past_gives_no_requirement() -> None:
    found, _, reason = value(snapshot_with(history_periods=12, minimum_periods=12), "required_coverage")
    assert math.isnan(found)
    assert reason == "9 past periods are on record, and at least 12 are needed"


def test_a_week_or_month_without_target_looks_at_its_quarter_and_one_with_a_target_at_itself() -> None:
    plan = {"measure": "bookings", "scope_kind": "company", "target": 100}
    quarters = [("2026-07-01", "2026-09-30"), ("2026-10-01", "2026-12-31")]
    tables = {"opportunities": [], "targets": [{**plan, "period_start": a, "period_end": b} for a, b in quarters]}
    calendar = make_definitions().fiscal_calendar
    asked = [parse_period(label, calendar) for label in ("2026-W33", "2026-08", "2026-Q3", "2026-09")]
    within = make_snapshot(tables, as_of="2026-08-12")
    assert [period_ahead(within, period).label for period in asked[:3]] == ["2026-Q3"] * 3
    over = make_snapshot(tables, as_of="2026-09-30")
    assert [period_ahead(over, period).label for period in asked[2:]] == ["2026-Q4", "2026-Q4"]
    monthly = {**plan, "period_start": "2026-08-01", "period_end": "2026-08-31"}
    planned = make_snapshot({**tables, "targets": [*tables["targets"], monthly]}, as_of="2026-08-12")
    assert period_ahead(planned, asked[1]).label == "2026-08"
