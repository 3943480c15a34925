"""Comparisons within strata: published examples, exact tails, and what must not depend on the mix."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, hypergeom

from revops_analysis.statistics.stratified import (
    compare_rates,
    compare_shares,
    overdispersion,
    trend_of_logs,
    trend_of_rates,
    trend_of_shares,
)

counts = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(1, 40)), min_size=2, max_size=6)


def row(*values):
    return np.array([values], dtype=float)


def test_the_ratio_of_two_strata_is_that_of_mantel_and_haenszel():
    found = compare_rates((row(14, 76), row(1516, 949)), (row(10, 121), row(1701, 2245))).iloc[0]
    top = 14 * 1701 / 3217 + 76 * 2245 / 3194
    bottom = 10 * 1516 / 3217 + 121 * 949 / 3194
    assert found["ratio"] == pytest.approx(top / bottom)
    assert found["expected"] == pytest.approx(24 * 1516 / 3217 + 197 * 949 / 3194)
    # Greenland & Robins (1985): variance of the logarithm.
    error = np.sqrt((24 * 1516 * 1701 / 3217**2 + 197 * 949 * 2245 / 3194**2) / (top * bottom))
    assert found["low"] == pytest.approx(top / bottom * np.exp(-1.959964 * error))
    assert found["p_higher"] < 0.01


def test_one_stratum_of_rates_is_the_exact_conditional_test():
    found = compare_rates((row(20), row(100)), (row(80), row(200))).iloc[0]
    exact = (binom.cdf(20, 100, 1 / 3) + binom.cdf(19, 100, 1 / 3)) / 2
    assert found["p_lower"] == pytest.approx(exact, rel=0.05)
    assert found["p_lower"] + found["p_higher"] == pytest.approx(1)


def test_one_stratum_of_shares_is_the_difference_of_proportions():
    found = compare_shares((row(56), row(70)), (row(48), row(80))).iloc[0]
    assert found["difference"] == pytest.approx(0.2)
    # Newcombe (1998), table II (a), method 1 (simple asymptotic): .0575 to .3425.
    assert (found["low"], found["high"]) == pytest.approx((0.0575, 0.3425), abs=2e-3)
    exact = (hypergeom.sf(55, 150, 104, 70) + hypergeom.sf(56, 150, 104, 70)) / 2
    assert found["p_higher"] == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize("observed", [2, 5, 9])
def test_tails_of_small_and_skewed_strata_are_those_of_the_exact_distribution(observed):
    found = compare_rates((row(observed), row(20)), (row(60 - observed), row(100))).iloc[0]
    exact = (binom.cdf(observed, 60, 1 / 6) + binom.cdf(observed - 1, 60, 1 / 6)) / 2
    assert 0.8 * exact <= found["p_lower"] <= 3 * exact  # in the far tail it errs on the side of caution
    found = compare_shares((row(observed), row(40)), (row(90 - observed), row(200))).iloc[0]
    exact = (hypergeom.cdf(observed, 240, 90, 40) + hypergeom.cdf(observed - 1, 240, 90, 40)) / 2
    assert 0.8 * exact <= found["p_lower"] <= 3 * exact


def test_another_mix_of_alike_strata_is_no_difference():
    # Both groups win 50% and 10%; the later one has more of what rarely wins.
    later, before = (row(5, 20), row(10, 200)), (row(100, 2), row(200, 20))
    shares = compare_shares(later, before).iloc[0]
    assert shares["difference"] == pytest.approx(0)
    assert shares["p_lower"] == pytest.approx(0.5, abs=0.05)
    rates = compare_rates(later, before).iloc[0]
    assert rates["ratio"] == pytest.approx(1)


@given(counts)
def test_strata_of_one_side_only_and_other_cuts_change_nothing(strata):
    hits = np.array([[part[0] for part in strata]], dtype=float)
    more = np.array([[part[1] for part in strata]], dtype=float)
    size = np.array([[part[2] + 40 for part in strata]], dtype=float)
    alone = [f((hits, size), (more, size)) for f in (compare_rates, compare_shares)]
    extra = np.zeros((1, 1))
    wide = [
        f(
            (np.hstack([hits, extra]), np.hstack([size, extra])),
            (np.hstack([more, extra + 3]), np.hstack([size, extra + 9])),
        )
        for f in (compare_rates, compare_shares)
    ]
    both = [
        f((np.vstack([hits, more]), np.vstack([size, size])), (np.vstack([more, hits]), np.vstack([size, size])))
        for f in (compare_rates, compare_shares)
    ]
    for one, other, two in zip(alone, wide, both, strict=True):
        assert one.to_numpy()[0] == pytest.approx(other.to_numpy()[0], nan_ok=True)
        assert one.to_numpy()[0] == pytest.approx(two.to_numpy()[0], nan_ok=True)
        # Who is compared with whom: what is low for one is high for the other.
        assert two["p_lower"][0] == pytest.approx(two["p_higher"][1], nan_ok=True, abs=1e-6)


def test_p_values_of_equal_groups_are_uniform():
    rng = np.random.default_rng(0)
    size = np.tile([300.0, 150.0, 80.0], (4000, 1))
    rates = compare_rates((rng.poisson(size * 0.1), size / 2), (rng.poisson(size * 0.2), size))
    shares = compare_shares(
        (rng.binomial(100, 0.3, size.shape), size * 0 + 100), (rng.binomial(400, 0.3, size.shape), size * 0 + 400)
    )
    for frame in (rates, shares):
        for level in (0.01, 0.05, 0.25):
            error = np.sqrt(level * (1 - level) / 4000)
            assert (frame["p_lower"] <= level).mean() == pytest.approx(level, abs=4 * error)


def test_nothing_to_compare_is_null():
    for compare in (compare_rates, compare_shares):
        frame = compare((row(0), row(0)), (row(3), row(9)))
        assert frame[["p_lower", "p_higher"]].isna().all().all()
    assert np.isinf(compare_rates((row(0), row(0)), (row(3), row(9)))["spread"].iloc[0])


def test_overdispersion_is_the_excess_of_what_subjects_share():
    rng = np.random.default_rng(1)
    expected = np.full(5000, 2.0)
    alone = rng.poisson(expected)
    shared = rng.poisson(expected * rng.gamma(2, 1 / 2, 5000))  # variance 2 + 4 ÷ 2
    assert overdispersion(alone - expected, expected) == pytest.approx(1, abs=0.08)
    assert overdispersion(shared - expected, expected) == pytest.approx(2, abs=0.25)
    assert overdispersion([], []) == 1.0


SCORES = np.array([1.0, 0.8, 0.6, 0.4, 0.0, 0.0])


def sliced(*values):
    return np.array([[values]], dtype=float)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 60)), min_size=4, max_size=4), st.integers(1, 3))
def test_a_trend_over_scores_of_0_and_1_is_the_comparison_of_two_groups(cells, later):
    hits = np.array([min(hit, size) for hit, size in cells], dtype=float)
    size = np.array([size for _, size in cells], dtype=float)
    scores = np.where(np.arange(4) < later, 1.0, 0.0)
    sides = [(hits[mask].sum(), size[mask].sum()) for mask in (scores == 1, scores == 0)]
    one, other = ((row(hit), row(n)) for hit, n in sides)
    for trend, compare in ((trend_of_rates, compare_rates), (trend_of_shares, compare_shares)):
        found, expected = trend((sliced(*hits), sliced(*size)), scores).iloc[0], compare(one, other).iloc[0]
        for name in ("spread", "p_lower", "p_higher"):
            assert found[name] == pytest.approx(expected[name], nan_ok=True)


@pytest.mark.parametrize("won", [(0, 0, 1, 1, 3, 3), (0, 1, 0, 0, 2, 4), (2, 2, 1, 1, 2, 2)])
def test_tails_of_a_trend_in_a_handful_of_cases_are_those_of_all_arrangements(won):
    """Ten and fourteen cases: every way in which the wins of a stratum could have fallen to its cases is as likely."""
    strata = [((1, 2, 1, 1, 2, 3), won), ((1, 2, 2, 2, 3, 4), (1, 1, 0, 1, 2, 2))]
    size, hits = (np.array([[part[place] for part in strata]], dtype=float) for place in (0, 1))
    hits = np.minimum(hits, size)
    found = trend_of_shares((hits, size), SCORES).iloc[0]
    sums = [
        np.array([sum(drawn) for drawn in combinations(np.repeat(SCORES, n.astype(int)), int(x.sum()))])
        for n, x in zip(size[0], hits[0], strict=True)
    ]
    every = (sums[0][:, None] + sums[1][None, :]).ravel()
    seen = float((hits * SCORES).sum())
    exact = (every < seen - 1e-9).mean() + (np.abs(every - seen) < 1e-9).mean() / 2
    assert found["p_lower"] == pytest.approx(exact, abs=0.02)
    assert found["p_lower"] + found["p_higher"] == pytest.approx(1)


def test_a_trend_keeps_its_level_in_small_strata_and_finds_what_has_begun_somewhere():
    rng = np.random.default_rng(4)
    size = rng.integers(1, 7, (4000, 6, 6)).astype(float)
    null = trend_of_shares((rng.binomial(size.astype(int), 0.3).astype(float), size), SCORES)["p_lower"]
    for level in (0.05, 0.01):
        assert (null <= level).mean() == pytest.approx(level, abs=0.01)
    fallen = np.where(np.arange(6) < 3, 0.15, 0.45)
    found = trend_of_shares((rng.binomial(size.astype(int), fallen).astype(float), size), SCORES)
    assert (found["p_lower"] <= 0.05).mean() > 0.9
    logs = rng.normal(0, 1, (2000, 3, 6)) * np.sqrt(size[:2000, :3]) + 2 * size[:2000, :3]
    assert (trend_of_logs((logs, size[:2000, :3]), SCORES, 1.0)["p_lower"] <= 0.05).mean() == pytest.approx(
        0.05, abs=0.015
    )


def test_a_trend_of_nothing_is_null_and_overdispersion_widens():
    nothing = trend_of_shares((sliced(0, 0, 0), sliced(0, 0, 0)), [1, 0.5, 0])
    assert nothing[["p_lower", "slope"]].isna().all(axis=None)
    group = (sliced(5, 9, 30), sliced(40, 40, 80))
    for trend in (trend_of_rates, trend_of_shares):
        plain, wide = (trend(group, [1, 0.5, 0], dispersion=factor).iloc[0] for factor in (1.0, 2.0))
        assert wide["spread"] == pytest.approx(plain["spread"] * np.sqrt(2))
        assert plain["p_lower"] < wide["p_lower"] < 0.5
