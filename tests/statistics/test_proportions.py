"""Differences of proportions against Newcombe's table and Fisher's tea."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from revops_analysis.statistics.proportions import compare_proportions

# Newcombe, Statistics in Medicine 17 (1998) 873–890, table II, method 10, 95%.
NEWCOMBE = [
    ((56, 70), (48, 80), (0.0524, 0.3339)),
    ((9, 10), (3, 10), (0.1705, 0.8090)),
    ((10, 10), (0, 10), (0.6075, 1.0000)),
]


@pytest.mark.parametrize(("later", "earlier", "limits"), NEWCOMBE)
def test_the_published_intervals(later, earlier, limits):
    row = compare_proportions(later, earlier).iloc[0]
    assert (round(row["low"], 4), round(row["high"], 4)) == limits


def test_fishers_tea():
    # Three of four cups right: Fisher (1935) gives 17/70 one-sided, 34/70 two-sided.
    assert compare_proportions(([3], [4]), ([1], [4]))["p_value"].iloc[0] == pytest.approx(34 / 70)


def test_a_side_without_cases_is_no_evidence():
    frame = compare_proportions(([1, 0], [4, 0]), ([1, 3], [4, 5]))
    assert frame.iloc[0].notna().all()
    assert frame.iloc[1].isna().all()


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0, 1), st.floats(0, 1))
def test_it_holds_the_difference_and_turns_round(n1, n0, a, b):
    x1, x0 = int(a * n1), int(b * n0)
    one = compare_proportions((x1, n1), (x0, n0)).iloc[0]
    other = compare_proportions((x0, n0), (x1, n1)).iloc[0]
    assert -1 - 1e-12 <= one["low"] <= one["difference"] <= one["high"] <= 1 + 1e-12
    assert np.allclose([one["low"], one["high"], one["p_value"]], [-other["high"], -other["low"], other["p_value"]])
