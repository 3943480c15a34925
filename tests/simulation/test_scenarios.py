"""Each scenario changes what it says, measured against the default company of the same seeds."""

from __future__ import annotations

import numpy as np
import pytest

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.people import pace_of_sellers
from simulation import blocks

SEEDS = (0, 1, 2, 3)
DAY = {text: tl.number(tl.dt.date.fromisoformat(text)) for text in ("2024-09-01", "2025-01-01", "2025-10-06")}


def mean(measure, scenario: str) -> float:
    return float(np.mean([measure(blocks.block(scenario, seed)) for seed in SEEDS]))


def test_null_has_no_differences_between_sellers() -> None:
    null, default = blocks.block("null"), blocks.block("default")
    tenured = np.ones(tl.WEEKS, dtype=bool)
    tenured[: tl.WEEKS - 30] = False
    spread = pace_of_sellers(null.parameters, null.team)[:20, tenured]
    assert np.ptp(spread) == 0
    assert np.ptp(pace_of_sellers(default.parameters, default.team)[:20, tenured]) > 0.2
    assert np.ptp(null.market.shock) == 0
    assert (null.team.user_left == tl.NO_DAY).all()
    assert (default.team.user_left != tl.NO_DAY).any()


def test_stalling_seller_stalls_and_the_others_do_not() -> None:
    made, default = blocks.block("stalling_seller"), blocks.block("default")
    pace, usual = pace_of_sellers(made.parameters, made.team), pace_of_sellers(default.parameters, default.team)
    seat = made.team.stalling_seat
    weeks = tl.monday(np.arange(tl.WEEKS)) >= DAY["2025-10-06"]
    assert (pace[seat, weeks] < 0.5).all()
    others = np.flatnonzero((made.team.role == 0) & (np.arange(len(made.team.role)) != seat))
    assert pace[others][:, weeks].min() > 0.4
    assert usual[seat, weeks].min() > 0.5
    assert default.team.stalling_seat == -1


def test_segment_win_rate_drops_by_ten_points() -> None:
    drop = mean(lambda b: blocks.win_rate(b, 1), "segment_win_rate_drop") - mean(
        lambda b: blocks.win_rate(b, 1), "default"
    )
    assert -0.15 < drop < -0.06
    others = mean(lambda b: blocks.win_rate(b, 0), "segment_win_rate_drop") - mean(
        lambda b: blocks.win_rate(b, 0), "default"
    )
    assert abs(others) < 0.04


def test_slow_stage_holds_deals_longer() -> None:
    usual = mean(lambda b: blocks.weeks_in(b, 3, DAY["2025-10-06"]), "default")
    slow = mean(lambda b: blocks.weeks_in(b, 3, DAY["2025-10-06"]), "slow_stage")
    before = mean(lambda b: blocks.weeks_in(b, 3, tl.START, DAY["2025-01-01"]), "slow_stage")
    assert slow > 1.35 * usual
    earlier = mean(lambda b: blocks.weeks_in(b, 3, tl.START, DAY["2025-01-01"]), "default")
    assert before == pytest.approx(earlier, rel=0.03)


def test_price_rise_raises_prices_and_loses_deals() -> None:
    def price(made: blocks.Block) -> float:
        rows = (made.book.deals.kind == 0) & (made.book.deals.created >= blocks.RECENT)
        return float(made.book.facts.base[rows & (made.book.deals.segment == 0)].mean())

    assert mean(price, "price_rise") == pytest.approx(1.25 * mean(price, "default"), rel=0.03)
    lost = [mean(lambda b, s=s: blocks.win_rate(b, s), "price_rise") for s in (0, 1)]
    usual = [mean(lambda b, s=s: blocks.win_rate(b, s), "default") for s in (0, 1)]
    assert sum(lost) < sum(usual) - 0.03


def test_slump_brings_fewer_deals_and_bookings() -> None:
    fewer = mean(lambda b: blocks.created(b, blocks.RECENT, tl.THROUGH), "slump")
    usual = mean(lambda b: blocks.created(b, blocks.RECENT, tl.THROUGH), "default")
    assert 0.6 < fewer / usual < 0.75
    assert mean(blocks.bookings, "slump") < 0.85 * mean(blocks.bookings, "default")


def test_pull_forward_crowds_wins_at_quarter_end() -> None:
    def late(made: blocks.Block) -> float:
        final, day = blocks.ends(made)
        days = day[(final == 5) & (made.book.deals.kind < 2) & (day <= tl.THROUGH)]
        return float((tl.quarter_end(days) - days < 21).mean())

    def early(made: blocks.Block) -> float:
        final, day = blocks.ends(made)
        days = day[(final == 5) & (made.book.deals.kind < 2) & (day <= tl.THROUGH)]
        return float((days - tl.quarter_start(tl.quarter_of(days)) < 21).mean())

    assert mean(late, "pull_forward") > mean(late, "default") + 0.05
    assert mean(early, "pull_forward") < mean(early, "default") - 0.03


def test_stage_split_leaves_proposal_empty_before_it() -> None:
    def before(made: blocks.Block) -> int:
        row, age = np.nonzero(made.book.paths.stage == 3)
        return int((made.book.deals.created[row] + 7 * age < DAY["2024-09-01"]).sum())

    assert before(blocks.block("stage_split")) == 0
    assert before(blocks.block("default")) > 1000
    assert blocks.weeks_in(blocks.block("stage_split"), 3, DAY["2025-01-01"]) > 1


def test_new_segment_begins_in_2025() -> None:
    made = blocks.block("new_segment")
    large = made.book.deals.created[made.book.deals.segment == 2]
    assert large.min() >= DAY["2025-01-01"]
    assert len(large) > 200


def test_reopened_deals_are_reopened() -> None:
    def share(made: blocks.Block) -> float:
        stage = made.book.paths.stage
        lost = (stage == 6).any(axis=1)
        return float(((stage[:, :-1] == 6) & (stage[:, 1:] >= 0) & (stage[:, 1:] < 5)).any(axis=1)[lost].mean())

    assert mean(share, "reopened_deals") == pytest.approx(0.15, abs=0.03)
    assert mean(share, "default") == pytest.approx(0.02, abs=0.01)


def test_small_company_has_fifteen_deals_a_quarter() -> None:
    quarterly = mean(lambda b: blocks.created(b, tl.START, tl.THROUGH) / 16, "small_company")
    assert 12 <= quarterly <= 18
