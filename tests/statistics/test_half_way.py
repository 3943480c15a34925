"""The half-way time of a cause: by hand, deterministic, and right where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from revops_analysis.errors import ConfigurationError
from revops_analysis.statistics.half_way import HalfWay, HalfWayOptions, half_way_time
from revops_analysis.statistics.risk_sets import risk_sets


def test_by_hand() -> None:
    # F_won: 1/4 on day 1, 1/4 + 1/2 · 1/2 = 1/2 on day 3, 3/4 on day 4; half of 3/4 is passed on day 3.
    sets = risk_sets([1, 2, 3, 4], ["won", "lost", "won", "won"])
    assert half_way_time(sets, "won", 10).value == 3
    # Up to day 3 half of the 1/2 is passed on day 1 already.
    assert half_way_time(sets, "won", 3).value == 1
    assert half_way_time(sets, "won", 0.5) == HalfWay(None, None, None)


def test_nobody_met_the_cause() -> None:
    nothing = HalfWay(None, None, None)
    assert half_way_time(risk_sets([5, 6], ["lost", None]), "won", 10) == nothing
    assert half_way_time(risk_sets([], []), "won", 10) == nothing


def test_weights_are_repeats_and_order_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    days = rng.integers(1, 20, 300)
    ends = rng.choice(["won", "lost", ""], 300)
    once = half_way_time(risk_sets(days, ends), "won", 15)
    shuffled = rng.permutation(300)
    assert half_way_time(risk_sets(days[shuffled], ends[shuffled]), "won", 15) == once
    assert half_way_time(risk_sets([*days, *days], [*ends, *ends]), "won", 15) == half_way_time(
        risk_sets(days, ends, weights=np.full(300, 2)), "won", 15
    )
    with pytest.raises(ConfigurationError, match="whole weights"):
        half_way_time(risk_sets(days, ends, weights=np.full(300, 0.5)), "won", 15)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Exponential causes at rates .02 (won) and .03 (lost), horizon 60: F(t) = .4 (1 − e^(−.05 t))."""
    truth = -np.log(1 - (1 - np.exp(-0.05 * 60)) / 2) / 0.05
    inside = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        closed, watched = np.ceil(rng.exponential(20, 400)), rng.integers(20, 200, 400)
        ends = np.where(closed <= watched, np.where(rng.random(400) < 0.4, "won", "lost"), "")
        sets = risk_sets(np.minimum(closed, watched), ends)
        found = half_way_time(sets, "won", 60, HalfWayOptions(repeats=200, seed=seed))
        assert found.value is not None and found.low is not None and found.high is not None
        assert found.low <= found.value <= found.high
        inside += found.low <= np.ceil(truth) <= found.high
    assert inside >= 184  # 95% of 200, less three standard errors; days are whole, so it may cover more
