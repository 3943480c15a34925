"""Which stages are new: those that hardly any past period had."""

from __future__ import annotations

import pytest

from models.evidence_cases import Deal, make_evidence, quarters
from revops_analysis.models.cutoffs import week_ends
from revops_analysis.models.new_stages import new_stages_share

NINE = quarters(9)


def in_stage(stage: str | None, first: int, count: int = 1, last: int = 8) -> list[Deal]:
    """Deals that are open from the begin of one quarter, until the begin of another or for good."""
    ended = None if last == 8 else NINE[last].start
    return [Deal(f"{stage}-{first}-{n}", NINE[first].start, ended, stage=stage) for n in range(count)]


def share(deals: list[Deal], quarter: int) -> float:
    cutoff = week_ends(NINE[quarter], (4,))[0]
    return new_stages_share(make_evidence(deals, NINE, NINE[8].end).known_at(cutoff.day), cutoff)


@pytest.mark.parametrize(("quarter", "expected"), [(5, 0.25), (6, 0.25), (7, 0.25), (8, 0.0)])
def test_a_stage_is_new_until_three_periods_that_are_over_had_it(quarter, expected):
    assert share([*in_stage("Proposal", 0, 9), *in_stage("Legal", 5, 3)], quarter) == expected


def test_while_history_is_short_half_of_its_periods_are_enough():
    """With four periods over, a stage of two of them is as known as any."""
    deals = [*in_stage("Proposal", 0, 3), *in_stage("Legal", 2, 3)]
    assert [share(deals, quarter) for quarter in (2, 3, 4)] == [0.5, 0.5, 0.0]


def test_an_old_stage_that_is_seldom_used_is_not_new():
    deals = [*in_stage("Proposal", 0, 3), *in_stage("Legal", 1, 3, last=2), *in_stage("Legal", 7, 3)]
    assert share(deals, 7) == 0.0


def test_one_or_two_deals_are_no_sign():
    assert [share([*in_stage("Proposal", 0), *in_stage("Legal", 5, count)], 5) for count in (2, 3)] == [0.0, 0.75]


def test_nothing_says_that_a_deal_without_stage_is_new_nor_one_without_past():
    assert share([*in_stage("Proposal", 0), *in_stage(None, 5, 4)], 6) == 0.0
    assert share(in_stage("Proposal", 0, 3), 0) == 0.0
    assert share(in_stage("Proposal", 0, 3, last=5), 6) == 0.0
    assert share([*in_stage(None, 0, 3), *in_stage("Legal", 5, 3)], 5) == 0.0
