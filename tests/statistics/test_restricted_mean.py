"""Restricted mean against Klein & Moeschberger's example and the plain mean."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from revops_analysis.errors import ConfigurationError
from revops_analysis.statistics.restricted_mean import restricted_mean
from revops_analysis.statistics.survival import kaplan_meier

# Freireich's 6-MP arm, as in test_survival.
WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
RELAPSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]


def test_it_gives_the_published_mean_and_error():
    # Klein & Moeschberger (2003), example 4.1 continued, sec. 4.5: 23.29 weeks within 35, standard error 2.827.
    found = restricted_mean(kaplan_meier(WEEKS, RELAPSED), 35)
    assert round(found.value, 2) == 23.29
    assert np.sqrt(found.variance) == pytest.approx(2.827, abs=0.001)
    assert (found.low, found.high) == pytest.approx((23.29 - 1.96 * 2.827, 23.29 + 1.96 * 2.827), abs=0.01)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=40), st.integers(1, 50))
def test_without_censoring_it_is_the_mean_of_the_shorter(durations, horizon):
    found = restricted_mean(kaplan_meier(durations, [1] * len(durations)), horizon)
    assert found.value == pytest.approx(np.minimum(durations, horizon).mean())
    # Greenwood's sum then is the variance of the mean, with n in place of n − 1.
    assert found.variance == pytest.approx(np.minimum(durations, horizon).var() / len(durations), abs=1e-9)
    assert 0 <= found.low <= found.value <= found.high <= horizon


def test_a_horizon_not_observed_is_null_with_the_reason():
    found = restricted_mean(kaplan_meier([3, 5], [1, 0]), 6)
    assert found.value is None
    assert found.reason == "observed to 5 only, not to 6"
    assert restricted_mean(kaplan_meier([], []), 6).reason == "no cases"


def test_a_horizon_must_be_positive():
    with pytest.raises(ConfigurationError, match="positive"):
        restricted_mean(kaplan_meier([1], [1]), 0)
