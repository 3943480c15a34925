"""Stage conversion: a hand-made pipeline whose every count is known, and identities that hold for any."""

from __future__ import annotations

import datetime as dt
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import make_definitions, make_snapshot
from revops_analysis.metrics.conversion import stage_conversion
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.metrics.stages import stage_stays, stage_visits
from revops_analysis.periods import FiscalCalendar, parse_period

PERIOD = parse_period("2026", FiscalCalendar())
STAGES = ["Discovery", "Qualification", "Solution", "Proposal", "Negotiation"]


def company(paths, **deal_columns):
    """Deals from `{key: [(day, stage), …]}`; a deal is created on its first day."""
    deals, history = [], []
    for key, path in paths.items():
        deals.append(
            {
                "opportunity_id": key,
                "stage": path[-1][1],
                "type": "new",
                "segment": "SMB",
                "amount": 1000,
                "created_at": path[0][0],
                "close_date": path[-1][0],
                **deal_columns,
            }
        )
        history += [
            {"opportunity_id": key, "changed_at": day, "change_number": 1, "stage": stage, "close_date": path[-1][0]}
            for day, stage in path
        ]
    return {"opportunities": deals, "opportunity_history": history}


SMALL = company(
    {
        "steps": [("2026-01-05", "Discovery"), ("2026-01-15", "Qualification"), ("2026-02-04", "Closed Won")],
        "skips": [("2026-01-05", "Discovery"), ("2026-01-25", "Proposal")],
        "loses": [("2026-01-10", "Discovery"), ("2026-01-20", "Closed Lost")],
        "waits": [("2026-02-01", "Discovery")],
        "back": [("2026-01-06", "Discovery"), ("2026-01-16", "Qualification"), ("2026-01-26", "Discovery")],
        "returns": [("2026-01-08", "Discovery"), ("2026-01-18", "Closed Lost"), ("2026-01-28", "Discovery")],
    }
)


@cache
def small(as_of="2026-09-30"):
    return make_snapshot(SMALL, as_of=as_of)


def visits(snapshot):
    table = stage_visits(snapshot)
    frame = table.select("opportunity_id", "stage", "entered_on", "result", "days").to_pandas()
    return frame.set_index(["opportunity_id", "stage"]).sort_index()


def test_visits_by_hand():
    found = visits(small())
    assert found.loc[("steps", "Discovery"), ["result", "days"]].tolist() == ["advanced", 10]
    assert found.loc[("steps", "Qualification"), ["result", "days"]].tolist() == ["advanced", 20]
    # Won from Qualification: later open stages count as entered and passed on the day of the win.
    assert found.loc[("steps", "Negotiation"), ["result", "days"]].tolist() == ["advanced", 0]
    assert found.loc[("skips", "Qualification"), ["result", "days"]].tolist() == ["advanced", 0]
    assert found.loc[("skips", "Proposal"), "result"] is None
    assert found.loc[("skips", "Proposal"), "days"] == (dt.date(2026, 9, 30) - dt.date(2026, 1, 25)).days
    assert found.loc[("loses", "Discovery"), ["result", "days"]].tolist() == ["lost", 10]
    assert ("loses", "Qualification") not in found.index
    # Stepping back starts no second visit, and a loss that was undone ends nothing.
    assert found.loc[("back", "Discovery"), ["result", "days"]].tolist() == ["advanced", 10]
    assert found.loc[("back", "Qualification"), "result"] is None
    assert found.loc[("returns", "Discovery"), "result"] is None


def test_a_loss_that_is_undone_later_counts_until_then():
    assert visits(small("2026-01-20")).loc[("returns", "Discovery"), "result"] == "lost"


def test_history_that_begins_after_creation_hides_where_the_deal_came_from():
    late = company({"late": [("2026-02-01", "Solution"), ("2026-03-01", "Proposal")]}, created_at="2025-06-01")
    found = visits(make_snapshot(late))
    assert found.index.get_level_values("stage").tolist() == ["Proposal"]
    lost = company({"late": [("2026-02-01", "Closed Lost")]}, created_at="2025-06-01")
    assert visits(make_snapshot(lost)).empty


def test_conversion_by_hand():
    result = stage_conversion(small(), PERIOD)
    frame = result.frame.set_index("stage")
    assert frame.index.tolist() == STAGES
    discovery = frame.loc["Discovery"]
    assert discovery[["entered", "advanced", "lost", "still_there"]].tolist() == [6, 3, 1, 2]
    # Both that are still there were watched for more than the 180 days, so the shares are plain ones.
    assert discovery["conversion"] == pytest.approx(3 / 6)
    assert discovery["loss"] == pytest.approx(1 / 6)
    assert discovery["low"] < 0.5 < discovery["high"]
    assert discovery["median_days"] == 10
    assert frame.loc["Solution", ["entered", "advanced"]].tolist() == [2, 2]


def test_open_deals_are_not_counted_as_lost():
    # One of two advances after 10 days; the other was watched for 5 days only and then nothing is known of it.
    paths = {"a": [("2026-01-01", "Discovery"), ("2026-01-11", "Solution")], "b": [("2026-01-06", "Discovery")]}
    short = make_snapshot(company(paths), as_of="2026-01-11", definitions=make_definitions(conversion_horizon_days=10))
    row = stage_conversion(short, PERIOD).frame.iloc[0]
    assert row[["entered", "advanced", "still_there"]].tolist() == [2, 1, 1]
    assert row["conversion"] == 1.0  # closed deals alone, or all entered, would say otherwise: 1 of 1 watched to day 10


def test_what_was_not_observed_says_from_when_on_it_will_be():
    early = small("2026-03-01")
    frame = stage_conversion(early, PERIOD).frame.set_index("stage")
    assert np.isnan(frame.loc["Discovery", "conversion"])
    assert "observable from 2026-07-07" in frame.loc["Discovery", "reason"]
    nothing = stage_conversion(early, parse_period("2025", FiscalCalendar())).frame
    assert nothing["entered"].tolist() == [0] * 5
    assert nothing["conversion"].isna().all()
    assert set(nothing["reason"]) == {"no deal entered the stage in the period"}


def test_metrics_agree_with_the_table_and_cut():
    snapshot = small()
    table = stage_conversion(snapshot, PERIOD).frame.set_index("stage")
    rate = compute_metric(snapshot, "stage_conversion", PERIOD).frame.set_index("stage")
    loss = compute_metric(snapshot, "stage_loss", PERIOD, where="segment = SMB").frame.set_index("stage")
    assert rate["value"].to_dict() == pytest.approx(table["conversion"].to_dict())
    assert loss["value"].to_dict() == pytest.approx(table["loss"].to_dict())
    assert rate["n"].to_dict() == table["entered"].to_dict()
    entries = compute_metric(snapshot, "stage_entries", PERIOD).frame
    assert entries.groupby("stage")["value"].sum().to_dict() == table["entered"].to_dict()
    by = compute_metric(snapshot, "stage_conversion", PERIOD, by=["segment"]).frame
    assert by["segment"].unique().tolist() == ["SMB"]
    days = compute_metric(snapshot, "stage_duration_days", PERIOD, where="stage = Discovery").frame.set_index(
        "quantile"
    )
    assert days.loc["0.5", "value"] == 10
    assert "fewer than 90%" in days.loc["0.9", "reason"]


def test_renewals_are_apart():
    snapshot = make_snapshot(company({"r": [("2026-01-05", "Discovery")]}, type="renewal"))
    assert stage_conversion(snapshot, PERIOD).frame["entered"].sum() == 0


def test_without_history_there_is_a_reason_and_no_number():
    snapshot = make_snapshot({"opportunities": SMALL["opportunities"]})
    row = compute_metric(snapshot, "stage_conversion", PERIOD).frame.iloc[0]
    assert np.isnan(row["value"])
    assert row["reason"] == "the source has no opportunity_history table"


def test_stays_are_unbroken_times_in_a_stage():
    frame = stage_stays(small()).to_pandas().sort_values(["opportunity_id", "entered_on"])
    back = frame[frame["opportunity_id"] == "back"]
    assert back[["stage", "days"]].to_numpy().tolist() == [["Discovery", 10], ["Qualification", 10]]
    assert "waits" not in set(frame["opportunity_id"])


days = st.integers(0, 200)
path = st.lists(st.tuples(days, st.sampled_from([*STAGES, "Closed Won", "Closed Lost"])), min_size=1, max_size=6)


@given(st.lists(path, min_size=1, max_size=6), st.integers(100, 272))
@settings(max_examples=3, deadline=None)
def test_counts_add_up_and_what_comes_later_changes_nothing(paths, day):
    start, as_of = dt.date(2026, 1, 1), dt.date(2026, 1, 1) + dt.timedelta(days=day)
    dated = {
        f"d{n}": [((start + dt.timedelta(days=d)).isoformat(), stage) for d, stage in sorted(dict(path).items())]
        for n, path in enumerate(paths)
    }
    frame = stage_conversion(make_snapshot(company(dated), as_of=as_of), PERIOD).frame
    assert (frame["entered"] == frame["advanced"] + frame["lost"] + frame["still_there"]).all()
    both = frame["conversion"].fillna(0) + frame["loss"].fillna(0)
    assert (both <= 1 + 1e-9).all()
    known = {key: [(d, s) for d, s in rows if d <= as_of.isoformat()] for key, rows in dated.items()}
    earlier = company({key: rows for key, rows in known.items() if rows} or {"none": [("2027-01-01", "Discovery")]})
    again = stage_conversion(make_snapshot(earlier, as_of=as_of), PERIOD).frame
    pd.testing.assert_frame_equal(frame, again)
