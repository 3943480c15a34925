"""Detectors of how deals flow: each finds its problem, stays silent without it, and says when it cannot look."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import make_snapshot
from metrics.dealflow.stories import STORIES, change, snapshot_of
from metrics.dealflow.test_stage_chain import company
from metrics.generated import company as generated
from revops_analysis.findings.comparison import Comparisons
from revops_analysis.findings.pipeline_flow import (
    bottleneck_stage,
    creation_below_need,
    slippage_above_others,
)
from revops_analysis.findings.playbook import Playbook, load_playbook
from revops_analysis.findings.registry import NotAssessed, Question, detect
from revops_analysis.periods import FiscalCalendar, parse_period
from revops_analysis.tables.snapshot import Snapshot

PERIOD = parse_period("2026-Q3", FiscalCalendar())


@pytest.fixture(scope="module")
def playbook() -> Playbook:
    return load_playbook(Path(__file__).resolve().parents[2] / "params" / "playbook.yml")


def sellers(late: int, kept: int) -> Snapshot:
    """Ann keeps half of her 80 dates; Bo keeps `kept` of his and lets `late` slip."""
    mine = {f"ann {n}": STORIES["won in its month" if n % 2 else "left overdue"] for n in range(80)}
    his = {
        "late": (change("2026-05-05", "2026-07-20", owner_id="u2"),),
        "kept": tuple({**item, "owner_id": "u2"} for item in STORIES["won in its month"]),
    }
    counts = {"late": late, "kept": kept}
    return snapshot_of(mine | {f"bo {kind} {n}": his[kind] for kind in his for n in range(counts[kind])})


def test_a_seller_whose_deals_slip_is_found_by_name(playbook: Playbook) -> None:
    found = detect(sellers(40, 1), PERIOD, playbook, "pipeline_detail")
    assert [finding.id for finding in found.findings] == ["slippage:owner=<b>Bo</b>"]
    (finding,) = found.findings
    assert finding.confidence > 0.95
    assert finding.money is not None and finding.money > 0
    assert finding.evidence.n == 41
    assert "all other sellers" in finding.proposed_fix


def test_sellers_alike_are_left_alone_and_few_deals_are_not_compared(playbook: Playbook) -> None:
    assert not detect(sellers(20, 20), PERIOD, playbook, "pipeline_detail").findings
    answer = slippage_above_others(Question(sellers(9, 0), PERIOD, playbook))
    assert isinstance(answer, Comparisons)
    assert [dims for dims in answer.frame["dims"] if dims] == [(("owner", "Ann"),)]


def test_the_bottleneck_is_said_only_where_it_stands_out(playbook: Playbook) -> None:
    (found,) = bottleneck_stage(Question(company((80, 50, 75, 80, 100)), PERIOD, playbook))
    assert found.id == "bottleneck_stage:stage=Qualification"
    assert "Qualification" in found.proposed_fix
    assert bottleneck_stage(Question(company((70, 70, 70, 71, 75)), PERIOD, playbook)) == []


@pytest.mark.parametrize(("target", "expected"), [(1, []), (10_000_000, ["creation_below_need:period=2026-Q4"])])
def test_creation_is_below_need_for_a_high_target_only(playbook: Playbook, target: int, expected: list[str]) -> None:
    tables = generated(5, 200)
    rows = [row for row in tables["targets"] if row["scope_kind"] == "company"]
    ahead = {**rows[-1], "target": target}
    snapshot = make_snapshot({**tables, "targets": [*rows[:-1], ahead]})
    found = creation_below_need(Question(snapshot, PERIOD, playbook))
    assert not isinstance(found, NotAssessed)
    assert [item.id for item in found] == expected
    if expected:
        assert found[0].confidence > 0.9
        assert found[0].evidence.effect is not None and found[0].evidence.effect < 1


def test_without_history_or_target_each_says_what_is_missing(playbook: Playbook) -> None:
    bare = Question(make_snapshot({"opportunities": [{"opportunity_id": "o1", "stage": "Proposal"}]}), PERIOD, playbook)
    for detector in (slippage_above_others, bottleneck_stage, creation_below_need):
        answer = detector(bare)
        assert isinstance(answer, NotAssessed)
        assert answer.reason
