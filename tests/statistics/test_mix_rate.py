"""The split of a change into rate and mix adds up to it, whatever the parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from revops_analysis.statistics.mix_rate import split_change

parts = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=6
)


@given(parts)
def test_effects_add_up_to_the_change_of_the_whole(values):
    array = np.array(values, dtype=float)
    hits, base = array[:, :2], array[:, :2] + array[:, 2:]
    hits = np.where(base > 0, hits, 0)
    if not base.sum(axis=0).all():
        return
    found = split_change((hits[:, 0], base[:, 0]), (hits[:, 1], base[:, 1]))
    whole = hits.sum(axis=0) / base.sum(axis=0)
    assert found["effect"].sum() == pytest.approx(whole[1] - whole[0])
    assert found["effect"].to_numpy() == pytest.approx((found["rate_effect"] + found["mix_effect"]).to_numpy())
    assert found["rate_before"].isna().tolist() == (base[:, 0] == 0).tolist()


def test_kitagawa_s_two_pure_cases():
    # Only rates change, then only the composition.
    rate = split_change(([50, 10], [100, 100]), ([40, 5], [100, 100]))
    assert rate["mix_effect"].sum() == pytest.approx(0)
    assert rate["rate_effect"].tolist() == pytest.approx([-0.05, -0.025])
    mix = split_change(([50, 10], [100, 100]), ([25, 15], [50, 150]))
    assert mix["rate_effect"].tolist() == pytest.approx([0, 0])
    assert mix["mix_effect"].sum() == pytest.approx(0.2 - 0.3)


def test_a_new_part_is_all_mix():
    found = split_change(([50, 0], [100, 0]), ([50, 30], [100, 100]))
    assert found["rate_effect"].tolist() == [0, 0]
    assert np.isnan(found["rate_before"][1])
