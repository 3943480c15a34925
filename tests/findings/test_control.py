"""One control over all detectors: the same for a chapter and for all, honest about how sure each finding is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from revops_analysis.errors import ConfigurationError
from revops_analysis.findings.comparison import Comparisons, cut_of
from revops_analysis.findings.control import FALSE_DISCOVERY, WATCHED, Shares, holding, judged, watching
from revops_analysis.findings.registry import detectors, error_shares


def compared(p_values, **columns):
    frame = pd.DataFrame({"p_value": p_values}).assign(n=50, effect=-0.1, low=-0.2, high=-0.05, money=1000.0)
    frame["dims"] = pd.Series([cut_of("segment", name) for name in range(len(frame))], dtype=object)
    return Comparisons(frame.assign(**columns), "rate", lambda question, row: row)


def test_a_share_of_the_error_is_a_stricter_limit():
    alone, shared = (judged(compared([0.01, 0.5]), Shares(share)) for share in (1.0, 0.25))
    assert alone["p_adjusted"].tolist() == [0.02, 0.5]
    assert shared["p_adjusted"].tolist() == [0.08, 1.0]
    assert len(holding(alone)) == 1
    assert holding(shared).empty
    assert shared["confidence"][0] < alone["confidence"][0]


def test_rows_that_are_not_said_and_other_spans_of_a_cut_stay_in_the_family():
    one_cut = pd.Series([cut_of("segment", "SMB")] * 3 + [cut_of("segment", "Large")], dtype=object)
    frame = judged(
        compared([0.004, 0.001, 0.5, 0.0001], dims=one_cut, is_reported=[True, True, True, False]), Shares(1.0)
    )
    held = holding(frame)
    assert held.index.tolist() == [1]
    assert (frame["among"] == 4).all()
    preferred = judged(compared([0.004, 0.001, 0.5, 0.9], dims=one_cut, preference=[0, 1, 2, 3]), Shares(1.0))
    assert holding(preferred).index.tolist() == [0]


def test_a_comparison_that_could_not_be_made_is_none():
    frame = judged(compared([0.02, np.nan]), Shares(1.0, 1.0))
    assert frame["p_adjusted"].round(4).tolist()[0] == 0.02
    assert frame["among"].tolist() == [1, 1]
    assert frame.loc[1, ["p_adjusted", "confidence"]].isna().all()


def test_shares_add_up_to_all_of_the_error_and_facts_have_none():
    with_budget = [name for name, item in detectors().items() if item.budget > 0]
    assert sum(error_shares(name).proven for name in with_budget) == pytest.approx(1)
    assert sum(error_shares(name).watched for name in with_budget) == pytest.approx(1)
    assert "win_rate_drop" in with_budget
    with pytest.raises(ConfigurationError, match="has no budget"):
        error_shares("overdue_pipeline")


def test_where_nothing_is_wrong_few_families_say_anything():
    rng = np.random.default_rng(0)
    raised = listed = 0
    for _ in range(100):
        families = [judged(compared(rng.random(30)), Shares(share, share)) for share in (0.6, 0.4)]
        raised += any((frame["p_adjusted"] <= FALSE_DISCOVERY).any() for frame in families)
        listed += any((frame["p_watched"] <= WATCHED).any() for frame in families)
    # Binomial(100, .05) is more than 11 in one of two hundred, Binomial(100, .2) more than 31 likewise.
    assert 1 <= raised <= 11
    assert 5 <= listed <= 31


def test_what_is_watched_is_not_proven_and_lends_nothing_to_the_rest():
    p_values = [1e-6, 1e-6, 1e-6, 0.02, 0.5, 0.6]
    frame = judged(compared(p_values), Shares(0.5, 0.5))
    assert holding(frame).index.tolist() == [0, 1, 2]
    assert frame["p_watched"].isna().tolist() == [True, True, True, False, False, False]
    # Of the three left, the first at .02 × 3 ÷ .5; with those proven among them it would be .02 × 6 ÷ 4 ÷ .5.
    assert frame["p_watched"].round(4).tolist()[3:] == [0.12, 1.0, 1.0]
    (near,) = watching(frame).to_dict("records")
    assert (near["p_adjusted"], near["among"]) == (frame["p_watched"][3], 3)
    assert 0 < near["confidence"] < 0.8
    narrow = judged(compared(p_values, watch=[1, 1, 1, 0, 1, 1]), Shares(0.5, 0.5))
    assert narrow["among_watched"].tolist() == [2] * 6
    assert watching(narrow).empty
    assert judged(compared(p_values), Shares(0.5))["p_watched"].isna().all()


def test_of_what_is_watched_at_most_a_fifth_is_false_beside_what_is_proven():
    rng = np.random.default_rng(1)
    false = true = 0.0
    shares = []
    for _ in range(60):
        real = np.arange(40) < 8
        p_values = norm.sf(rng.normal(np.where(real, rng.choice([2.4, 4.5], 40), 0.0)))
        near = watching(judged(compared(p_values), Shares(1.0, 1.0))).index
        false, true = false + (near >= 8).sum(), true + (near < 8).sum()
        shares.append((near >= 8).mean() if len(near) else 0.0)
    assert true > 12
    assert np.mean(shares) <= WATCHED
