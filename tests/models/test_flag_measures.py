"""Measures of flags at past days: what a snapshot of that day would say, and nothing that came later."""

from __future__ import annotations

import datetime as dt

import ibis
import numpy as np
import pandas as pd
import pytest

from builders import make_definitions, make_snapshot, make_store
from metrics.generated import company
from metrics.test_stalled import company as stalled_company
from metrics.test_stalled import snapshot as stalled_snapshot
from revops_analysis.metrics.stalled import stalled_thresholds
from revops_analysis.models.flag_measures import MEASURES, _limits, flag_states
from revops_analysis.tables.snapshot import Snapshot
from worlds import DAY, World

HORIZON = 30
MEASURED = ["cutoff", "opportunity_id", "stage", *MEASURES]
ALLOWED = [
    *make_definitions().allowed_current_columns,
    "opportunity_contacts.role",
    "opportunities.next_step",
]


def change(day: str, key: str = "o1", **values):
    base = {"opportunity_id": key, "changed_at": day, "change_number": 1, "stage": "Discovery"}
    return {**base, "close_date": "2026-09-30", "amount": 1000, "owner_id": "u1", **values}


def deal(key: str = "o1", **values):
    return {"opportunity_id": key, "type": "new", "created_at": "2026-07-01", "stage": "Discovery", **values}


def states_of(changes, *days, deals=None, definitions=None, as_of="2026-09-30", **tables):
    snapshot = make_snapshot(
        {"opportunities": deals or [deal()], "opportunity_history": changes, **tables},
        as_of=as_of,
        definitions=definitions,
    )
    return flag_states(snapshot, [dt.date.fromisoformat(day) for day in days], HORIZON)


def test_skipped_stages_and_steps_back_are_counted_along_the_way():
    changes = [
        change("2026-07-01", stage="Qualification"),  # it began there: Discovery was not skipped
        change("2026-07-05", stage="Proposal"),  # Solution was
        change("2026-07-10", stage="Solution"),  # and is made up for, by a step back
        change("2026-07-20", stage="Negotiation"),
    ]
    found = states_of(changes, "2026-07-01", "2026-07-05", "2026-07-10", "2026-07-20")
    assert found["stages_skipped"].tolist() == [0, 1, 0, 0]
    assert found["steps_back"].tolist() == [0, 0, 1, 1]
    assert found["stages_passed"].tolist() == [1, 3, 2, 4]
    assert found["stages_left"].tolist() == [3, 1, 2, 0]


def test_close_dates_and_amounts_are_those_of_the_day():
    changes = [
        change("2026-07-01", amount=None),
        change("2026-07-10", amount=1000),
        change("2026-07-20", amount=850, close_date="2026-07-25"),
        change("2026-07-28", amount=850, close_date="2026-10-31"),
    ]
    found = states_of(changes, "2026-07-05", "2026-07-15", "2026-07-27", "2026-07-28")
    assert found["amount_missing"].tolist() == [1, 0, 0, 0]
    np.testing.assert_allclose(found["amount_change"], [np.nan, 0, -0.15, -0.15])
    assert found["days_overdue"].tolist() == [-87, -77, 2, -95]
    assert found["close_date_changes"].tolist() == [0, 0, 1, 2]
    assert found["pushes"].tolist() == [0, 0, 0, 1]
    assert found["closes_at_month_end"].tolist() == [1, 1, 0, 1]


def test_columns_without_history_stay_unknown_unless_allowed():
    people = [
        {"opportunity_id": "o1", "contact_id": "c1", "role": "economic BUYER", "created_at": "2026-07-10"},
        {"opportunity_id": "o1", "contact_id": "c2", "role": "User", "created_at": "2026-07-01"},
    ]
    asked = {"opportunity_contacts": people, "deals": [deal(next_step="Call")]}
    days = ("2026-07-09", "2026-07-10")
    found = states_of([change("2026-07-01")], *days, **asked)
    assert found[["decision_makers", "next_steps"]].isna().to_numpy().all()
    known = states_of(
        [change("2026-07-01")], *days, **asked, definitions=make_definitions(allowed_current_columns=ALLOWED)
    )
    assert known["decision_makers"].tolist() == [0, 1]
    assert known["next_steps"].tolist() == [1, 1]
    assert found["contacts"].tolist() == [1, 2]


def test_the_outcome_is_what_happened_within_the_horizon():
    cases = [
        ([("2026-07-31", "Closed Won")], None, 1),  # the last day of the horizon
        ([("2026-08-01", "Closed Won")], None, 0),
        ([("2026-07-20", "Closed Lost")], None, 0),
        ([("2026-07-20", "Closed Lost"), ("2026-07-25", "Closed Won")], None, 1),
        ([], None, 0),  # still open
        ([], "2026-07-20", None),  # merged away: nobody knows
        ([("2026-07-20", "Closed Won")], "2026-07-25", 1),
    ]
    changes, deals = [], []
    for number, (endings, deleted, _) in enumerate(cases):
        changes += [change("2026-07-01", f"o{number}")]
        changes += [change(day, f"o{number}", stage=stage) for day, stage in endings]
        deals.append(deal(f"o{number}", deleted_at=deleted))
    found = states_of(changes, "2026-07-01", deals=deals)
    assert found["outcome"].replace(np.nan, None).tolist() == [expected for _, _, expected in cases]


def test_an_outcome_that_lies_ahead_is_not_known():
    found = states_of([change("2026-07-01")], "2026-07-01", "2026-07-20", as_of="2026-07-31")
    assert found["outcome"].replace(np.nan, None).tolist() == [0, None]


def test_without_activities_or_people_their_measures_are_unknown_and_not_zero():
    found = states_of([change("2026-07-01")], "2026-07-31")
    assert found[["days_without_activity", "activities_14_days", "contacts"]].isna().to_numpy().all()
    quiet = states_of([change("2026-07-01")], "2026-07-31", activities=[])
    assert quiet["days_without_activity"].tolist() == [30]  # since its creation


def test_the_stalled_limit_of_a_past_day_is_the_one_that_day_had():
    snapshot = stalled_snapshot(
        stalled_company(range(1, 61), [3]), stalled_company([30] * 15, [80], segment="Enterprise")
    )
    days = [dt.date(2026, 1, 15), dt.date(2026, 1, 25), dt.date(2026, 2, 15), dt.date(2026, 9, 30)]
    found = _limits(snapshot, days)
    for day in days:
        expected = stalled_thresholds(snapshot.at(day)).frame
        mine = found[found["cutoff"] == pd.Timestamp(day)]
        for row in expected[expected["basis"].isin(["stage and segment", "stage"])].to_dict("records"):
            is_own = row["basis"] == "stage and segment"
            same = mine["segment"] == row["segment"] if is_own else mine["segment"].isna()
            limit = mine.loc[same & (mine["stage"] == row["stage"]), "limit"]
            assert limit.tolist() == pytest.approx([row["threshold_days"]])
    assert found.groupby("cutoff").size().tolist() == [2, 2, 2]  # the first day knew too few stays


def test_nothing_later_shows():
    """Two companies with one past and different futures have the same measures on the day."""
    snapshots = [make_snapshot(World(7, future, history=True, deals=40).tables(), as_of=DAY) for future in (1, 2)]
    frames = [flag_states(each, [DAY - dt.timedelta(days=20), DAY], HORIZON)[MEASURED] for each in snapshots]
    pd.testing.assert_frame_equal(*frames)


def test_a_past_day_looks_the_same_from_any_later_day():
    tables, day = company(4, 150), dt.date(2026, 3, 31)
    frames = [
        flag_states(make_snapshot(tables, as_of=as_of), [day], HORIZON)[MEASURED] for as_of in (day, "2026-09-30")
    ]
    assert len(frames[0]) > 5
    # Amounts stand at the rate of the day on both; what has no history at all is left out of the comparison.
    known = [frame[frame["pushes"].notna()].reset_index(drop=True) for frame in frames]
    pd.testing.assert_frame_equal(*known)


@pytest.mark.postgres
def test_both_engines_agree(postgres_url):
    con = ibis.connect(postgres_url)
    con.create_database("flags")
    tables = World(3, 8, history=True, deals=120).tables()
    definitions = make_definitions(allowed_current_columns=ALLOWED)
    theirs = Snapshot(make_store(tables, con=con, database="flags"), definitions, DAY)
    ours = make_snapshot(tables, as_of=DAY, definitions=definitions)
    days = [DAY - dt.timedelta(days=40), DAY]
    pd.testing.assert_frame_equal(*(flag_states(each, days, HORIZON) for each in (theirs, ours)), check_dtype=False)
    con.disconnect()
