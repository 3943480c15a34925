"""False-discovery control against the example of the paper that introduced it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, norm

from revops_analysis.errors import ConfigurationError
from revops_analysis.statistics.false_discovery import benjamini_hochberg, local_fdr, null_share

# Benjamini & Hochberg, J. R. Statist. Soc. B 57 (1995), sec. 3.2: fifteen hypotheses of the thrombolysis study.
PAPER = [
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
]
p_lists = st.lists(st.floats(0, 1), min_size=1, max_size=40)


def test_the_paper_rejects_four_at_five_percent():
    adjusted = benjamini_hochberg(PAPER)
    assert (adjusted <= 0.05).sum() == 4  # Bonferroni rejects three
    assert adjusted[3] == pytest.approx(15 * 0.0095 / 4)
    assert adjusted[4] > 0.05


@given(p_lists)
def test_adjusted_values_agree_with_scipy_and_rise_with_p(values):
    p = np.array(values)
    adjusted = benjamini_hochberg(p)
    assert adjusted == pytest.approx(false_discovery_control(p))
    assert (np.diff(adjusted[np.argsort(p)]) >= -1e-15).all()
    assert (adjusted >= p - 1e-15).all()
    assert (adjusted <= 1).all()


@given(p_lists, st.randoms())
def test_order_changes_nothing_and_missing_stay_missing(values, random):
    order = list(range(len(values)))
    random.shuffle(order)
    shuffled = np.array(values)[order]
    assert benjamini_hochberg(shuffled).tolist() == benjamini_hochberg(values)[order].tolist()
    with_gap = benjamini_hochberg([*values, float("nan")])
    assert with_gap[:-1].tolist() == benjamini_hochberg(values).tolist()
    assert np.isnan(with_gap[-1])


@given(p_lists)
def test_local_rates_lie_in_range_and_rise_with_p(values):
    p = np.array(values)
    rate = local_fdr(p)
    assert ((rate >= 0) & (rate <= 1)).all()
    assert (np.diff(rate[np.argsort(p, kind="stable")]) >= -1e-12).all()


def test_local_rates_recover_a_known_mixture():
    # 80% nulls, 20% shifted by 3: the true local rate is .8 φ(z) ÷ (.8 φ(z) + .2 φ(z − 3)), in its one-sided form.
    rng = np.random.default_rng(0)
    null = rng.random(40_000) < 0.8
    z = rng.normal(size=40_000) + np.where(null, 0, 3)
    p = norm.sf(z)
    assert null_share(p) == pytest.approx(0.8, abs=0.02)
    true = 0.8 * norm.pdf(z) / (0.8 * norm.pdf(z) + 0.2 * norm.pdf(z - 3))
    # Grenander's density errs by about n^(-1/3), 3% here, more at the very ends.
    central = (true > 0.05) & (true < 0.95)
    assert np.abs(local_fdr(p) - true)[central].mean() < 0.03
    # What is called null with rate r is null that often.
    called = (local_fdr(p) > 0.1) & (local_fdr(p) < 0.3)
    assert null[called].mean() == pytest.approx(local_fdr(p)[called].mean(), abs=0.04)


def test_no_comparison_is_no_evidence():
    assert benjamini_hochberg([]).tolist() == []
    assert np.isnan(null_share([]))
    assert np.isnan(local_fdr([float("nan")])).all()
    assert local_fdr([0.0, 0.0, 1.0]).tolist()[:2] == [0.0, 0.0]


@pytest.mark.parametrize("function", [benjamini_hochberg, local_fdr, null_share])
def test_numbers_outside_the_range_are_refused(function):
    with pytest.raises(ConfigurationError, match="between 0 and 1"):
        function([0.5, 1.2])
