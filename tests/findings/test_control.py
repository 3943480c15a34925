"""One control over all detectors: the same for a chapter and for all, honest about how sure each finding is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from revops_analysis.errors import ConfigurationError
from revops_analysis.findings.comparison import Comparisons, cut_of
from revops_analysis.findings.control import holding, judged
from revops_analysis.findings.registry import detectors, error_share


def compared(p_values, **columns):
    frame = pd.DataFrame({"p_value": p_values}).assign(n=50, effect=-0.1, low=-0.2, high=-0.05, money=1000.0)
    frame["dims"] = pd.Series([cut_of("segment", name) for name in range(len(frame))], dtype=object)
    return Comparisons(frame.assign(**columns), "rate", lambda question, row: row)


def test_a_share_of_the_error_is_a_stricter_limit():
    alone, shared = judged(compared([0.01, 0.5]), 1.0), judged(compared([0.01, 0.5]), 0.25)
    assert alone["p_adjusted"].tolist() == [0.02, 0.5]
    assert shared["p_adjusted"].tolist() == [0.08, 1.0]
    assert len(holding(alone)) == 1
    assert holding(shared).empty
    assert shared["confidence"][0] < alone["confidence"][0]


def test_rows_that_are_not_said_and_other_spans_of_a_cut_stay_in_the_family():
    one_cut = pd.Series([cut_of("segment", "SMB")] * 3 + [cut_of("segment", "Large")], dtype=object)
    frame = judged(compared([0.004, 0.001, 0.5, 0.0001], dims=one_cut, is_reported=[True, True, True, False]), 1.0)
    held = holding(frame)
    assert held.index.tolist() == [1]
    assert (frame["among"] == 4).all()
    preferred = judged(compared([0.004, 0.001, 0.5, 0.9], dims=one_cut, preference=[0, 1, 2, 3]), 1.0)
    assert holding(preferred).index.tolist() == [0]


def test_a_comparison_that_could_not_be_made_is_none():
    frame = judged(compared([0.02, np.nan]), 1.0)
    assert frame["p_adjusted"].round(4).tolist()[0] == 0.02
    assert frame["among"].tolist() == [1, 1]
    assert frame.loc[1, ["p_adjusted", "confidence"]].isna().all()


def test_shares_add_up_to_all_of_the_error_and_facts_have_none():
    with_budget = [name for name, item in detectors().items() if item.budget > 0]
    assert sum(error_share(name) for name in with_budget) == pytest.approx(1)
    assert "win_rate_drop" in with_budget
    with pytest.raises(ConfigurationError, match="has no budget"):
        error_share("overdue_pipeline")


def test_where_nothing_is_wrong_few_families_say_anything():
    rng = np.random.default_rng(0)
    raised = 0
    for _ in range(200):
        raised += any(len(holding(judged(compared(rng.random(30)), share))) for share in (0.6, 0.4))
    # Binomial(200, .05): more than 18 in one of two hundred.
    assert 1 <= raised <= 18
