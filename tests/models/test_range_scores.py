"""Coverage, pinball loss and CRPS against other ways of reckoning them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from sklearn.metrics import mean_pinball_loss

from revops_analysis.models.forecaster import QUANTILE_NAMES, QUANTILES
from revops_analysis.models.range_scores import (
    crps_of_quantiles,
    distribution_scores,
    interval_coverage,
    pinball_losses,
)
from revops_analysis.statistics.intervals import wilson_interval

pytestmark = pytest.mark.filterwarnings("error")

SPREAD = np.array([-30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0])


def table(outcomes, method="a"):
    frame = pd.DataFrame({"method": method, "period": [f"Q{n}" for n in range(len(outcomes))], "mean": 100.0})
    quantiles = dict(zip(QUANTILE_NAMES, 100 + SPREAD, strict=True))
    return frame.assign(outcome=outcomes, week=1, cutoff=frame["period"], **quantiles)


def test_coverage_counts_outcomes_on_the_bounds():
    found = interval_coverage(table([100.0, 110.0, 111.0, 125.0, 131.0])).set_index("interval")
    assert found["covered"].to_dict() == {50: 2, 80: 3, 95: 4}
    assert found["share"].tolist() == [0.4, 0.6, 0.8]
    low, high = wilson_interval([2, 3, 4], [5, 5, 5])
    np.testing.assert_allclose(found[["low", "high"]].to_numpy(), np.column_stack([low, high]))
    assert found.loc[80, "width"] == pytest.approx(5 * 40 / (100 + 110 + 111 + 125 + 131))


def test_a_method_without_ranges_has_a_reason_and_does_not_hide_the_others():
    bare = table([100.0, 90.0], "bare").assign(**dict.fromkeys(QUANTILE_NAMES, np.nan))
    frame = pd.concat([table([100.0]), bare])
    found = interval_coverage(frame).set_index(["method", "interval"])
    assert found.loc[("bare", 80), "reason"] == "the method stated no range"
    assert np.isnan(found.loc[("bare", 80), "share"])
    assert found.loc[("a", 80), "reason"] is None
    scores = distribution_scores(frame).set_index("method")
    assert scores["n"].to_dict() == {"a": 1, "bare": 0}
    assert scores.loc["bare", "reason"] == "the method stated no range"


def test_outcomes_of_zero_leave_shares_null():
    assert interval_coverage(table([0.0]))["width"].isna().all()
    assert distribution_scores(table([0.0]))["crps_share"].isna().all()
    assert distribution_scores(table([0.0]))["crps"].notna().all()


def test_pinball_is_scikit_learns():
    rng = np.random.default_rng(0)
    quantiles, outcome = np.sort(rng.normal(100, 20, (50, 7)), axis=1), rng.normal(100, 20, 50)
    ours = pinball_losses(quantiles, outcome).mean(axis=0)
    theirs = [mean_pinball_loss(outcome, quantiles[:, i], alpha=level) for i, level in enumerate(QUANTILES)]
    np.testing.assert_allclose(ours, theirs)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=7, max_size=7), st.integers(-10, 50))
def test_crps_is_twice_the_integral_of_the_pinball_loss(points, outcome):
    quantiles = np.sort(np.array(points, dtype=float))

    def loss(level):
        gap = outcome - np.interp(level, QUANTILES, quantiles)
        return 2 * max(level * gap, (level - 1) * gap)

    expected = quad(loss, 0, 1, points=QUANTILES, limit=400)[0]
    assert crps_of_quantiles(quantiles[None, :], np.array([float(outcome)]))[0] == pytest.approx(expected, abs=1e-4)


def test_scores_are_best_for_the_true_distribution():
    rng = np.random.default_rng(1)
    outcome = rng.normal(100, 15.3, 4000)
    from scipy.stats import norm

    def scored(spread, shift=0.0):
        levels = dict(zip(QUANTILE_NAMES, norm.ppf(QUANTILES, 100 + shift, spread), strict=True))
        frame = pd.DataFrame({"method": "a", "period": "Q", "cutoff": "Q", "mean": 100.0, "outcome": outcome})
        return distribution_scores(frame.assign(**levels)).iloc[0]

    best = scored(15.3)
    for other in (scored(8), scored(30), scored(15.3, 6)):
        assert best["pinball"] < other["pinball"]
        assert best["crps"] < other["crps"]
