"""Rounding to the cent so that what adds up still adds up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from revops_analysis.metrics.retention.rounding import allocate, publish_months, to_cents

millionths = st.integers(-(10**11), 10**11)
movements = hnp.arrays(
    np.int64,
    st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(1, 4)),
    elements=st.sampled_from([0, 0, 3_333_333, -3_333_333, 4_999, 5_000, -5_001, 10_000, 1, -1, 66_666_667])
    | millionths,
)


@given(st.lists(millionths, min_size=1, max_size=12))
def test_cents_add_up_to_the_rounded_sum_and_each_is_its_neighbour(amounts: list[int]) -> None:
    exact = np.array(amounts)
    total = int(to_cents(exact.sum()))
    cents = allocate(exact, total)
    assert cents.sum() == total
    assert (np.abs(cents * 10_000 - exact) < 10_000).all()


def test_a_total_out_of_reach_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be reached"):
        allocate(np.array([10_000, 20_000]), 4)


@given(movements)
def test_published_months_add_up_in_every_direction(lines: np.ndarray) -> None:
    cents, closing = publish_months(lines)
    opening = np.vstack([np.zeros_like(closing[:1]), closing[:-1]])
    assert (opening + cents.sum(axis=2) == closing).all()
    exact_closing = lines.sum(axis=2).cumsum(axis=0)
    assert (closing.sum(axis=1) == to_cents(exact_closing.sum(axis=1))).all()
    assert (cents[lines == 0] == 0).all()
    total, _ = publish_months(lines.sum(axis=1, keepdims=True))
    assert (total[:, 0] == cents.sum(axis=1)).all()


@given(movements)
def test_what_passes_between_cells_leaves_the_other_lines_as_they_are(lines: np.ndarray) -> None:
    passed = np.zeros((*lines.shape[:2], 2), dtype=np.int64)
    passed[:, 0, 0], passed[:, -1, 1] = 3_333_333, -3_333_333
    with_pair, _ = publish_months(np.concatenate([lines, passed], axis=2), (lines.shape[2], lines.shape[2] + 1))
    without, _ = publish_months(lines)
    by_line = with_pair.sum(axis=1)
    assert (by_line[:, :-2] == without.sum(axis=1)).all()
    assert (by_line[:, -2:] == [333, -333]).all()


def test_a_cell_never_drifts_from_its_exact_value() -> None:
    rng = np.random.default_rng(7)
    lines = rng.integers(-20_000, 20_001, size=(240, 6, 5))
    _, closing = publish_months(lines)
    exact = lines.sum(axis=2).cumsum(axis=0)
    assert np.abs(closing * 10_000 - exact).max() < 3 * 10_000


def test_whole_cents_pass_through_unchanged() -> None:
    rng = np.random.default_rng(8)
    whole = rng.integers(-500, 500, size=(12, 4, 3))
    cents, _ = publish_months(whole * 10_000)
    assert (cents == whole).all()
