"""Control limits hold what they promise, and narrow as cases grow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from revops_analysis.errors import ConfigurationError
from revops_analysis.statistics.control_limits import binomial_limits


def test_with_many_cases_they_are_the_normal_limits():
    low, high = binomial_limits(0.3, [10_000])
    half = 1.959964 * np.sqrt(0.3 * 0.7 / 10_000)
    assert (low[0], high[0]) == (pytest.approx(0.3 - half, abs=2e-4), pytest.approx(0.3 + half, abs=2e-4))


@given(st.floats(0.05, 0.95), st.integers(20, 400))
def test_few_fall_outside_by_chance(rate, n):
    draws = np.random.default_rng(n).binomial(n, rate, 4000) / n
    low, high = binomial_limits(rate, n)
    assert ((draws < low) | (draws > high)).mean() < 0.065
    outer = binomial_limits(rate, n, 0.998)
    assert outer[0] <= low
    assert outer[1] >= high


def test_no_cases_have_no_limits_and_rates_are_rates():
    assert np.isnan(binomial_limits(0.3, [0])[0]).all()
    assert binomial_limits(0.0, [5])[1].tolist() == [0.0]
    with pytest.raises(ConfigurationError):
        binomial_limits(1.2, [5])
