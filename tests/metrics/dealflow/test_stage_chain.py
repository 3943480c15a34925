"""The chain of stages: chances and gains in cases that can be worked out, and the planted slow stage."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
from benchmarks.findings_company import company as simulated

from builders import make_definitions, make_snapshot
from revops_analysis.metrics.dealflow.stage_chain import POINT, StageWhatIf, stage_what_if
from revops_analysis.periods import Period
from revops_analysis.tables.snapshot import Snapshot

YEAR = Period("2025-10-01..2026-09-30", dt.date(2025, 10, 1), dt.date(2026, 9, 30))
STAGES = ("Discovery", "Qualification", "Solution", "Proposal", "Negotiation")


def company(passing: tuple[int, ...], amount: float = 1000, days: int = 10) -> Snapshot:
    """100 deals, of which `passing[s]` of those that enter stage s advance, each stage `days` long; the others lost."""
    deals, history = [], []
    alive = 100
    survivors = [alive := round(alive * share / 100) for share in passing]
    for number in range(100):
        name, moment = f"o{number:03d}", dt.datetime(2025, 11, 3, 15)
        stage = 0
        path = [STAGES[0]]
        while stage < len(STAGES) and number < survivors[stage]:
            stage += 1
            path.append(STAGES[stage] if stage < len(STAGES) else "Closed Won")
        path += [] if path[-1] == "Closed Won" else ["Closed Lost"]
        for place, step in enumerate(path):
            at = moment + dt.timedelta(days=days * place)
            row: dict[str, Any] = {"opportunity_id": name, "changed_at": at, "change_number": 1, "stage": step}
            history.append({**row, "amount": amount, "close_date": at.date()})
        end = moment + dt.timedelta(days=days * (len(path) - 1))
        closed = {"stage": path[-1], "amount": amount, "close_date": end.date(), "closed_at": end}
        deals.append({"opportunity_id": name, "type": "new", "segment": "SMB", "created_at": moment, **closed})
    return make_snapshot({"opportunities": deals, "opportunity_history": history})


@pytest.fixture(scope="module")
def found() -> StageWhatIf:
    return stage_what_if(company((80, 50, 75, 80, 100)), YEAR)


def test_chances_multiply_and_a_point_is_worth_its_part(found: StageWhatIf) -> None:
    shares = np.array([0.8, 0.5, 0.75, 0.8, 1.0])
    assert found.frame["conversion"].to_numpy() == pytest.approx(shares)
    assert list(found.frame["entered"]) == [100, 80, 40, 30, 24]
    assert found.frame["days"].to_numpy() == pytest.approx(10)
    assert found.expected == pytest.approx(100 / 4 * shares.prod() * 1000)
    gains = found.expected * np.minimum(POINT, 1 - shares) / shares
    assert found.frame["gain"].to_numpy() == pytest.approx(gains)
    assert found.frame["best"].sum() == pytest.approx(1)


def test_the_clear_bottleneck_is_named(found: StageWhatIf) -> None:
    assert found.bottleneck == "Qualification"
    assert found.low is not None and found.expected is not None and found.high is not None
    assert found.low < found.expected < found.high
    assert found.slowest is None  # all of it is over within the horizon: less time brings nothing more


def test_alike_stages_are_not_told_apart() -> None:
    assert stage_what_if(company((70, 70, 70, 71, 75)), YEAR).bottleneck is None


def test_time_beyond_the_horizon_wins_nothing_and_a_shorter_stage_does() -> None:
    # Five stages of 37 days are 185, five days past the horizon; a tenth less in one stage is 3.7 days: not enough.
    late = stage_what_if(company((90, 90, 90, 90, 90), days=37), YEAR)
    assert late.expected == pytest.approx(0, abs=1e-6)
    # Five of 36 are 180 and just in time; a shorter stage changes nothing that is won.
    in_time = stage_what_if(company((90, 90, 90, 90, 90), days=36), YEAR)
    assert in_time.expected == pytest.approx(25 * 0.59 * 1000, rel=0.02)
    assert in_time.frame["gain_faster"].to_numpy() == pytest.approx(0, abs=1e-6)


def test_without_history_or_wins_it_says_so() -> None:
    bare = make_snapshot({"opportunities": [{"opportunity_id": "o1", "stage": "Proposal"}]})
    nothing = stage_what_if(bare, YEAR)
    assert nothing.expected is None
    assert nothing.reason == "no deal is known to have entered a stage in the year"
    assert list(nothing.frame["stage"]) == list(make_definitions().open_stages)
    assert nothing.bottleneck is None
    assert stage_what_if(company((0, 0, 0, 0, 0)), YEAR).reason == "no deal was won in the year"


def test_the_planted_slow_stage_is_the_one_where_less_time_brings_most() -> None:
    snapshot = simulated(0, "slow_stage", 0.3).snapshot
    assert stage_what_if(snapshot, YEAR).slowest == "Proposal"
