"""False-discovery control against the example of the paper that introduced it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, norm

from revops_analysis.errors import ConfigurationError
from revops_analysis.statistics.false_discovery import (
    benjamini_hochberg,
    local_fdr,
    null_probability,
    null_share,
    power_weights,
)

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


def test_weights_spend_the_same_error_where_power_is_wanted():
    p, weights = np.array([0.004, 0.02, 0.3, 0.9]), np.array([2.0, 2.0, 0.0, 0.0])
    assert benjamini_hochberg(p, weights)[:2] == pytest.approx([0.008, 0.02])
    assert benjamini_hochberg(p, weights)[2:].tolist() == [1.0, 1.0]
    assert benjamini_hochberg(p, 7 * weights).tolist() == benjamini_hochberg(p, weights).tolist()
    with pytest.raises(ConfigurationError, match="weight"):
        benjamini_hochberg(p, [-1, 1, 1, 1])


@given(st.lists(st.floats(0, 12), min_size=1, max_size=30), st.floats(0.001, 0.2))
def test_power_weights_have_mean_one_and_find_no_less_than_equal_ones(effects, level):
    shown = np.array(effects)
    weights = power_weights(shown, level)
    assert weights.mean() == pytest.approx(1)
    assert (weights >= 0).all()
    each = level / len(shown)
    power = [norm.sf(norm.isf(np.minimum(each * w, 1)) - shown).sum() for w in (weights, np.ones(len(shown)))]
    if norm.sf(shown[shown > 0.01] / 2).sum() > level:
        assert power[0] >= power[1] - (norm.sf(norm.isf(each)) + each) * (shown <= 0.01).sum() - 1e-9


def test_a_single_p_value_promises_less_than_the_bound_of_sellke_bayarri_and_berger():
    # Sellke, Bayarri & Berger (2001), table 1, even odds: p = .05 leaves at least .289, p = .01 .111, p = .001 .0184.
    found = null_probability([0.05])[0], null_probability([0.01])[0], null_probability([0.001])[0]
    assert all(mine > bound for mine, bound in zip(found, (0.289, 0.111, 0.0184), strict=True))
    assert found == pytest.approx((0.359, 0.182, 0.046), abs=2e-3)
    assert null_probability([0.01], comparisons=100)[0] > 0.9
    assert null_probability([0.7])[0] == pytest.approx(0.5)
    assert np.isnan(null_probability([float("nan")])[0])


@given(p_lists)
def test_the_probability_of_nothing_rises_with_p_and_falls_with_weight(values):
    p = np.array(values)
    chance = null_probability(p)
    assert ((chance >= 0) & (chance <= 1)).all()
    assert (np.diff(chance[np.argsort(p, kind="stable")]) >= -1e-9).all()


@pytest.mark.parametrize("made", [8, 40, 200])
def test_the_null_probability_of_what_is_found_is_no_smaller_than_the_share_that_is_false(made):
    # Up to two in the family are true, two to six standard errors away.
    rng = np.random.default_rng(made)
    promised, kept = [], []
    for _ in range(1500):
        shift = np.zeros(made)
        shift[: rng.integers(0, 3)] = rng.uniform(2, 6)
        p = norm.sf(rng.normal(size=made) + shift)
        found = benjamini_hochberg(p) <= 0.05
        promised.append(1 - null_probability(p)[found])
        kept.append(shift[found] > 0)
    promised, kept = np.concatenate(promised), np.concatenate(kept)
    assert promised.mean() <= kept.mean() + 0.01
    unsure = promised < 0.9
    error = np.sqrt(kept[unsure].mean() * (1 - kept[unsure].mean()) / unsure.sum())
    assert unsure.sum() > 50
    assert promised[unsure].mean() <= kept[unsure].mean() + 2 * error
