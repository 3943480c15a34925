"""Scores of probabilities against scikit-learn and small cases reckoned by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from revops_analysis.errors import ConfigurationError
from revops_analysis.models.probability_scores import CurveOptions, reliability_curve, score_probabilities
from revops_analysis.statistics.intervals import wilson_interval

pytestmark = pytest.mark.filterwarnings("error")


def values(y, p, bins=10):
    return score_probabilities(y, p, CurveOptions(bins)).set_index("score")["value"]


def test_scores_by_hand():
    found = values([1, 0, 1, 0], [0.8, 0.3, 0.3, 0.1], bins=2)
    assert found["brier"] == pytest.approx((0.04 + 0.09 + 0.49 + 0.01) / 4)
    assert found["log_loss"] == pytest.approx(-np.log([0.8, 0.7, 0.3, 0.9]).mean())
    assert found["roc_auc"] == pytest.approx(3.5 / 4)
    assert found["average_precision"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    # The two cases of .3 straddle the middle and stay together, in the upper half.
    assert found["calibration_error"] == pytest.approx(1 / 4 * 0.1 + 3 / 4 * abs(1.4 / 3 - 2 / 3))


def test_scores_are_scikit_learns():
    rng = np.random.default_rng(2)
    p = rng.random(500).round(2)
    y = (rng.random(500) < p).astype(float)
    found = values(y, p)
    assert found["brier"] == pytest.approx(metrics.brier_score_loss(y, p))
    assert found["log_loss"] == pytest.approx(metrics.log_loss(y, np.clip(p, 1e-15, 1 - 1e-15)))
    assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(y, p))
    assert found["average_precision"] == pytest.approx(metrics.average_precision_score(y, p))


@pytest.mark.parametrize(
    ("y", "p", "reason"), [([], [], "no cases"), ([1, 1], [0.2, 0.9], "all outcomes are the same")]
)
def test_one_class_or_no_cases_give_null_with_a_reason(y, p, reason):
    found = score_probabilities(y, p)
    assert found["value"].isna().all()
    assert set(found["reason"]) == {reason}
    assert found["n"].tolist() == [len(y)] * 5


def test_pairs_with_a_missing_member_are_left_out():
    found = score_probabilities([1, 0, np.nan, 1], [0.9, 0.2, 0.5, np.nan])
    assert found["n"].iloc[0] == 2
    assert found["events"].iloc[0] == 1


def test_a_certain_error_does_not_make_the_log_loss_infinite():
    assert values([1, 0], [0.0, 0.0])["log_loss"] == pytest.approx(-np.log(1e-15) / 2)


@pytest.mark.parametrize(("y", "p"), [([1, 2], [0.5, 0.5]), ([1, 0], [50, 20]), ([1, 0], [0.5])])
def test_what_are_no_probabilities_is_refused(y, p):
    with pytest.raises(ConfigurationError):
        score_probabilities(y, p)


def test_the_curve_has_equal_bins_with_wilson_intervals():
    p = np.arange(100) / 100
    y = (np.arange(100) % 4 == 0).astype(float)
    curve = reliability_curve(y, p, CurveOptions(bins=5))
    assert curve["n"].tolist() == [20] * 5
    assert curve["events"].tolist() == [5] * 5
    assert curve["mean_probability"].tolist() == pytest.approx([0.095, 0.295, 0.495, 0.695, 0.895])
    low, high = wilson_interval([5] * 5, 20)
    assert curve["share_low"].tolist() == pytest.approx(low.tolist())
    assert curve["share_high"].tolist() == pytest.approx(high.tolist())
    assert reliability_curve([], []).empty


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 10)), min_size=1, max_size=60), st.integers(1, 12))
def test_bins_hold_every_case_once_and_never_part_equal_probabilities(pairs, bins):
    y, p = np.array([a for a, _ in pairs], dtype=float), np.array([b for _, b in pairs]) / 10
    curve = reliability_curve(y, p, CurveOptions(bins=bins))
    assert curve["n"].sum() == len(y)
    assert curve["events"].sum() == y.sum()
    assert len(curve) <= bins
    assert (curve["high"].to_numpy()[:-1] < curve["low"].to_numpy()[1:]).all()
    assert (curve["mean_probability"] * curve["n"]).sum() == pytest.approx(p.sum())
