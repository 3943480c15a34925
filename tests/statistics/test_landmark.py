"""Landmark comparison: by hand, against a published risk difference, and under repeated deals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revops_analysis.errors import ConfigurationError
from revops_analysis.statistics.landmark import LandmarkColumns, age_bands, landmark_comparison, landmark_comparisons


def _frame(seed: int, deals: int = 300, effect: float = 0.0, dates: int = 4) -> pd.DataFrame:
    """Deals seen at several dates; the outcome belongs to the deal, the flag mostly too."""
    rng = np.random.default_rng(seed)
    stage = rng.choice(["Discovery", "Proposal"], deals)
    flag = rng.random(deals) < np.where(stage == "Proposal", 0.6, 0.2)
    chance = np.where(stage == "Proposal", 0.5, 0.2) + effect * flag
    deal = pd.DataFrame({"deal": np.arange(deals), "stage": stage, "flag": flag, "outcome": rng.random(deals) < chance})
    return deal.loc[deal.index.repeat(dates)].assign(age="0–29", outcome=lambda f: f["outcome"].astype(int))


def test_by_hand():
    # Stratum A: flagged 1 of 2, unflagged 2 of 2, weight 2·2/4 = 1. Stratum B: 0 of 1 and 1 of 3, weight 3/4.
    # Stratum C has no flagged row and does not count. (1·(−1/2) + 3/4·(−1/3)) ÷ 7/4 = −3/7.
    rows = [("A", True, 1), ("A", True, 0), ("A", False, 1), ("A", False, 1), ("B", True, 0)]
    rows += [("B", False, 1), ("B", False, 0), ("B", False, 0), ("C", False, 1)]
    frame = pd.DataFrame(rows, columns=["stage", "flag", "outcome"]).assign(deal=range(9), age="x")
    found = landmark_comparison(frame)
    assert found.difference == pytest.approx(-3 / 7)
    assert (found.n_flagged, found.n_unflagged, found.n_left_out, found.deals, found.strata) == (3, 5, 1, 8, 2)
    assert found.rate_flagged - found.rate_unflagged == pytest.approx(found.difference)
    # Variance by hand: weights² × Σ(y − p)² ÷ n² an arm: A: 1·(.5/4) ; B: 9/16·(2/3)/9; over (7/4)², times 8/7.
    variance = (0.5 / 4 + 9 / 16 * (2 / 3) / 9) / (49 / 16) * 8 / 7
    assert found.standard_error == pytest.approx(np.sqrt(variance))


def test_without_strata_it_is_the_plain_difference_with_its_usual_error():
    frame = _frame(1, dates=1)
    found = landmark_comparison(frame, columns=LandmarkColumns(strata=()))
    one, zero = frame[frame["flag"]]["outcome"], frame[~frame["flag"]]["outcome"]
    assert found.difference == pytest.approx(one.mean() - zero.mean())
    usual = np.sqrt(one.var(ddof=0) / len(one) + zero.var(ddof=0) / len(zero))
    assert found.standard_error == pytest.approx(usual * np.sqrt(300 / 299))


def test_seeing_the_same_deals_more_often_is_no_more_evidence():
    once, often = landmark_comparison(_frame(2, dates=1)), landmark_comparison(_frame(2, dates=10))
    assert often.difference == pytest.approx(once.difference)
    assert often.standard_error == pytest.approx(once.standard_error)
    assert often.deals == once.deals == 300


def test_stratifying_removes_what_the_stage_explains():
    crude = [landmark_comparison(_frame(s), columns=LandmarkColumns(strata=())).difference for s in range(40)]
    fair = [landmark_comparison(_frame(s)).difference for s in range(40)]
    assert np.mean(crude) > 0.08  # flags sit on the later stage, so they look helpful
    assert abs(np.mean(fair)) < 0.02  # they do nothing: three standard errors of the mean of 40


def test_the_interval_covers_the_true_effect():
    found = [landmark_comparison(_frame(seed, effect=-0.15)) for seed in range(200)]
    covered = np.mean([effect.low <= -0.15 <= effect.high for effect in found])
    assert 0.90 <= covered <= 0.99  # 95% within about three standard errors of a share of 200


@given(st.integers(0, 1000))
@settings(max_examples=25)
def test_row_order_changes_nothing(seed):
    frame = _frame(seed, deals=30)
    shuffled = frame.sample(frac=1, random_state=seed)
    assert landmark_comparison(frame) == landmark_comparison(shuffled)


def test_several_flags_control_false_discovery():
    frame = _frame(3, deals=800, effect=-0.2)
    rng = np.random.default_rng(0)
    for number in range(5):
        frame[f"noise_{number}"] = rng.random(len(frame)) < 0.3
    frame["never"] = False
    table = landmark_comparisons(frame, ["flag", *(f"noise_{n}" for n in range(5)), "never"]).set_index("flag")
    assert table.loc["flag", "p_adjusted"] < 0.05
    assert (table["p_adjusted"].dropna() >= table["p_value"].dropna()).all()
    assert np.isnan(table.loc["never", "p_adjusted"])
    assert "no stratum" in table.loc["never", "reason"]


def test_no_evidence_and_no_spread_say_so():
    frame = _frame(4, deals=10)
    assert landmark_comparison(frame.iloc[:0]).reason == "no rows with flag, outcome and strata"
    constant = landmark_comparison(frame.assign(outcome=1))
    assert constant.difference == 0
    assert constant.low is None
    assert "do not vary" in constant.reason
    missing = landmark_comparison(frame.assign(stage=None))
    assert missing.difference is None
    assert missing.n_left_out == len(frame)


def test_wrong_columns_and_outcomes_are_refused():
    with pytest.raises(ConfigurationError, match="misses columns"):
        landmark_comparison(_frame(0).drop(columns="stage"))
    with pytest.raises(ConfigurationError, match="1 or 0"):
        landmark_comparison(_frame(0).assign(outcome=0.4))


def test_age_bands_label_every_age_once():
    assert age_bands([0, 29, 30, 89, 90, np.nan], [30, 90]).tolist() == [
        *("0–29", "0–29", "30–89", "30–89", "90+"),
        None,
    ]
