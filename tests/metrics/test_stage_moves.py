"""Days at risk and moves: every day of a visit is counted once, in the right slice and band of age."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from builders import make_snapshot
from revops_analysis.metrics.conversion import stage_conversion
from revops_analysis.metrics.stage_moves import AGES, SLICE_DAYS, stage_moves
from revops_analysis.periods import Period

AS_OF = dt.date(2026, 9, 30)


def deal(name, *changes):
    """A deal with its changes: (day, stage)."""
    row = {"opportunity_id": name, "type": "new", "segment": "SMB", "amount": 100, "created_at": changes[0][0]}
    last = changes[-1]
    closed = last[0] if last[1].startswith("Closed") else None
    row |= {"stage": last[1], "closed_at": closed, "close_date": closed or "2026-12-31"}
    history = [
        {
            "opportunity_id": name,
            "changed_at": f"{day} 12:00:00",
            "stage": stage,
            "amount": 100,
            "close_date": row["close_date"],
        }
        for day, stage in changes
    ]
    return row, history


def moves_of(*deals, slices=2, end=AS_OF, by=()):
    made = [deal(f"d{n}", *changes) for n, changes in enumerate(deals)]
    tables = {
        "opportunities": [row for row, _ in made],
        "opportunity_history": [one for _, rows in made for one in rows],
    }
    return stage_moves(make_snapshot(tables), end, slices, by).frame


def test_a_visit_is_split_by_age_and_ends_with_its_move():
    frame = moves_of([("2026-09-01", "Discovery"), ("2026-09-11", "Qualification")])
    first = frame[frame["stage"] == "Discovery"].sort_values("age")
    assert first["age"].tolist() == [0, 1, 2]
    assert first["days"].tolist() == [1, 6, 4]  # 1 September; 2 to 7; 8 to 11
    assert first["advanced"].tolist() == [0, 0, 1]
    assert not first["is_standing"].any()
    second = frame[frame["stage"] == "Qualification"]
    assert second["days"].sum() == 20  # 11 to 30 September, both counted
    assert second["is_standing"].tolist().count(True) == 1
    assert second["advanced"].sum() == second["lost"].sum() == 0


def test_a_visit_over_two_slices_counts_each_day_in_its_own():
    border = pd.Timestamp(AS_OF) - pd.Timedelta(days=SLICE_DAYS)
    start = border - pd.Timedelta(days=4)
    frame = moves_of([(f"{start:%Y-%m-%d}", "Discovery"), (f"{border + pd.Timedelta(days=2):%Y-%m-%d}", "Closed Lost")])
    own = frame[frame["stage"] == "Discovery"]
    assert own.groupby("slice")["days"].sum().to_dict() == {0: 2, 1: 5}
    assert own.loc[own["lost"] == 1, "slice"].tolist() == [0]


def test_what_comes_after_the_end_is_not_looked_at():
    changes = [("2026-05-01", "Discovery"), ("2026-08-20", "Closed Won")]
    early = moves_of(changes, end=dt.date(2026, 6, 30))
    assert early["advanced"].sum() == 0
    assert early["days"].sum() == 61
    assert early["is_standing"].sum() == 1
    assert moves_of(changes)["advanced"].sum() > 0


def test_moves_of_a_company_are_those_of_stage_conversion():
    rng = np.random.default_rng(3)
    stages = ["Discovery", "Qualification", "Solution", "Proposal", "Negotiation"]
    deals = []
    for _ in range(60):
        day = pd.Timestamp("2026-07-02") + pd.Timedelta(days=int(rng.integers(0, 80)))
        changes = []
        for stage in stages[: rng.integers(1, 6)]:
            if day > pd.Timestamp(AS_OF):
                break
            changes.append((f"{day:%Y-%m-%d}", stage))
            day += pd.Timedelta(days=int(rng.integers(1, 30)))
        if rng.random() < 0.5 and day <= pd.Timestamp(AS_OF):
            changes.append((f"{day:%Y-%m-%d}", "Closed Lost"))
        deals.append(changes)
    made = [deal(f"d{n}", *changes) for n, changes in enumerate(deals)]
    tables = {
        "opportunities": [row for row, _ in made],
        "opportunity_history": [one for _, rows in made for one in rows],
    }
    snapshot = make_snapshot(tables)
    frame = stage_moves(snapshot, AS_OF, 1, ["segment"]).frame
    known = stage_conversion(snapshot, Period("all", dt.date(2026, 7, 2), AS_OF)).frame.set_index("stage")
    sums = frame.groupby("stage")[["advanced", "lost", "is_standing"]].sum()
    for stage in sums.index:
        expected = known.loc[stage, ["advanced", "lost", "still_there"]].tolist()
        assert sums.loc[stage].tolist() == expected
    assert set(frame["segment"]) == {"SMB"}
    assert frame["age"].max() < len(AGES)


def test_without_history_there_are_no_rows():
    row, _ = deal("a", ("2026-09-01", "Discovery"))
    frame = stage_moves(make_snapshot({"opportunities": [row]}), AS_OF, 2).frame
    assert frame.empty
    with pytest.raises(KeyError):
        _ = frame["nothing"]
