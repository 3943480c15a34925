"""Wilson's interval against Newcombe's published figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from revops_analysis.errors import ConfigurationError
from revops_analysis.statistics.intervals import normal_quantile, wilson_interval

# Newcombe, Statistics in Medicine 17 (1998) 857–872, table I, method 3 (score, no continuity correction), 95%.
NEWCOMBE = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]


@pytest.mark.parametrize(("successes", "n", "low", "high"), NEWCOMBE)
def test_wilson_gives_the_published_limits(successes, n, low, high):
    found = wilson_interval(successes, n)
    assert np.round(found, 4).tolist() == [low, high]


def test_wilson_is_vectorised_and_keeps_missing_missing():
    low, high = wilson_interval(pd.Series([81, 0, pd.NA], dtype="Int64"), pd.Series([263, 0, 5], dtype="Int64"))
    assert np.isnan(low).tolist() == np.isnan(high).tolist() == [False, True, True]
    assert low[0].round(4) == 0.2553


@given(n=st.integers(1, 10_000), share=st.floats(0, 1))
def test_wilson_holds_the_rate_stays_in_range_and_mirrors(n, share):
    successes = int(share * n)
    low, high = wilson_interval(successes, n)
    mirror_low, mirror_high = wilson_interval(n - successes, n)
    assert 0 <= low <= successes / n <= high <= 1
    assert np.allclose([1 - mirror_high, 1 - mirror_low], [low, high], atol=1e-12)


@given(n=st.integers(2, 500), level=st.floats(0.5, 0.9))
def test_more_confidence_is_never_narrower(n, level):
    narrow, wide = wilson_interval(1, n, level), wilson_interval(1, n, level + 0.09)
    assert wide[0] <= narrow[0]
    assert wide[1] >= narrow[1]


@pytest.mark.parametrize(("successes", "n"), [(5, 3), (-1, 3)])
def test_impossible_counts_are_refused(successes, n):
    with pytest.raises(ConfigurationError, match="0 ≤ successes ≤ n"):
        wilson_interval(successes, n)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_outside_0_and_1_is_refused(level):
    with pytest.raises(ConfigurationError, match="between 0 and 1"):
        normal_quantile(level)
