"""Weekly states in sequence: what followed each, and what nobody knows yet."""

from __future__ import annotations

import pandas as pd

from revops_analysis.models.deal_weeks import deal_weeks


def _states(rows: list[tuple]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["opportunity_id", "cutoff", "stage_order", "won"])
    days = pd.to_datetime(frame["cutoff"])
    quarter = days.dt.to_period("Q")
    return frame.assign(cutoff=days, first_day=quarter.dt.start_time, last_day=quarter.dt.end_time.dt.normalize())


def test_stays_advances_wins_and_losses_are_told_apart():
    weeks = deal_weeks(
        _states(
            [
                ("a", "2026-07-07", 1, 1.0),
                ("a", "2026-07-14", 1, 1.0),
                ("a", "2026-07-21", 2, 1.0),
                ("b", "2026-07-07", 1, 0.0),
                ("c", "2026-07-28", 1, 0.0),
            ]
        ),
        stages=2,
    )
    assert weeks.states["opportunity_id"].tolist() == ["a", "a", "a", "b", "c"]
    assert weeks.follows.tolist() == [True, True, False, False, False]
    assert weeks.advanced.tolist() == [False, True, True, False, False]
    assert weeks.won.tolist() == [False, False, True, False, False]
    assert weeks.lost.tolist() == [False, False, False, True, False]
    assert weeks.unseen.tolist() == [False, False, False, False, True]
    assert weeks.jump[1:3].tolist() == [1, 1]
    assert weeks.place.tolist() == [0, 1, 2, 0, 0]


def test_a_period_that_is_not_over_hides_how_a_deal_ended():
    weeks = deal_weeks(_states([("a", "2026-07-07", 1, None), ("b", "2026-07-14", 1, None)]), stages=2)
    assert weeks.unseen.tolist() == [True, True]


def test_a_gap_begins_a_new_sequence():
    rows = [("a", "2026-07-07", 1, 0.0), ("b", "2026-07-14", 1, 0.0), ("a", "2026-07-21", 1, 0.0)]
    weeks = deal_weeks(_states(rows), stages=2)
    assert weeks.place.tolist() == [0, 0, 0]
    assert weeks.lost.tolist() == [True, False, True]


def test_of_cutoffs_within_a_week_the_later_counts():
    rows = [("a", "2026-07-07", 1, 0.0), ("a", "2026-07-10", 1, 0.0), ("a", "2026-07-14", 1, 0.0)]
    kept = deal_weeks(_states(rows), stages=2).states["cutoff"]
    assert kept.dt.day.tolist() == [7, 14]


def test_rows_without_stage_or_long_before_their_period_are_left_out():
    frame = _states([("a", "2026-07-07", None, 0.0), ("b", "2026-07-07", 1, 0.0)])
    far = frame.assign(first_day=pd.Timestamp("2026-10-01"))
    assert deal_weeks(frame, stages=2).states["opportunity_id"].tolist() == ["b"]
    assert deal_weeks(far, stages=2).states.empty
