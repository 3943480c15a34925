"""Empirical Bayes against published fits, and against simulated groups whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revops_analysis.errors import ConfigurationError
from revops_analysis.statistics.shrinkage import shrink_beta_binomial, shrink_normal

# Boys among the first 12 children of 6,115 families, Saxony, Geissler 1889; in Lindsey & Altham, Applied Statistics 47
# (1998) 149–157. Fits as given in Wikipedia, "Beta-binomial distribution": by moments 34.1350, 31.6085 (from moments
# rounded to two decimals), by likelihood 34.09558, 31.5715.
FAMILIES = [3, 24, 104, 286, 670, 1033, 1343, 1112, 829, 478, 181, 45, 7]
BOYS = np.repeat(np.arange(13), FAMILIES)

# BCG vaccine trials, log risk ratios: Colditz et al., JAMA 271 (1994) 698–702; cases and non-cases, vaccinated and not.
BCG = [
    (4, 119, 11, 128),
    (6, 300, 29, 274),
    (3, 228, 11, 209),
    (62, 13536, 248, 12619),
    (33, 5036, 47, 5761),
    (180, 1361, 372, 1079),
    (8, 2537, 10, 619),
    (505, 87886, 499, 87892),
    (29, 7470, 45, 7232),
    (17, 1699, 65, 1600),
    (186, 50448, 141, 27197),
    (5, 2493, 3, 2338),
    (27, 16886, 29, 17825),
]


def test_beta_binomial_likelihood_gives_the_published_fit():
    found = shrink_beta_binomial(BOYS, np.full(6115, 12))
    # The likelihood is flat along the precision: published and own optimum differ in the third decimal.
    assert (found.alpha, found.beta) == pytest.approx((34.09558, 31.5715), rel=5e-4)


def test_beta_binomial_moments_give_the_published_fit():
    found = shrink_beta_binomial(BOYS, np.full(6115, 12), method="moments")
    # The published fit starts from moments rounded to two decimals, which moves it by about 1%.
    assert (found.alpha, found.beta) == pytest.approx((34.1350, 31.6085), rel=0.01)


def test_normal_gives_the_published_between_variance_and_mean():
    # DerSimonian–Laird on these trials: τ² = .3088, mean −.7141 (Viechtbauer, J. Statist. Software 36 (2010) no. 3).
    a, b, c, d = np.array(BCG, dtype=float).T
    effect = np.log(a / (a + b)) - np.log(c / (c + d))
    variance = 1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)
    found = shrink_normal(effect, variance)
    assert (round(found.variance, 4), round(found.mean, 4)) == (0.3088, -0.7141)


def test_shrinking_rates_beats_raw_rates_and_intervals_cover():
    rng = np.random.default_rng(2)
    n = rng.integers(3, 60, 3_000)
    truth = rng.beta(6, 14, 3_000)
    won = rng.binomial(n, truth)
    for method in ("likelihood", "moments"):
        found = shrink_beta_binomial(won, n, method=method)
        assert (found.alpha, found.beta) == pytest.approx((6, 14), rel=0.15)
        frame = found.frame
        assert ((frame["shrunk"] - truth) ** 2).mean() < 0.6 * ((frame["raw"] - truth) ** 2).mean()
        covered = ((frame["low"] <= truth) & (truth <= frame["high"])).mean()
        assert covered == pytest.approx(0.95, abs=0.015)  # three standard errors of a share of 3,000


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=20))
@settings(max_examples=60)
def test_shrunk_rates_lie_between_raw_and_common(pairs):
    won = np.array([min(pair) for pair in pairs])
    n = np.array([max(pair) for pair in pairs])
    found = shrink_beta_binomial(won, n)
    if n.sum() == 0:
        assert found.frame[["raw", "shrunk", "low", "high"]].isna().all(axis=None)
        return
    frame, common = found.frame, found.alpha / (found.alpha + found.beta)
    raw = frame["raw"].fillna(common)
    assert (frame["shrunk"] >= np.minimum(raw, common) - 1e-9).all()
    assert (frame["shrunk"] <= np.maximum(raw, common) + 1e-9).all()
    assert ((frame["low"] <= frame["high"]) & frame["weight"].between(0, 1)).all()


def test_groups_that_differ_by_chance_only_get_the_common_rate():
    found = shrink_beta_binomial([5, 5, 5, 5], [20, 20, 20, 20])
    assert found.frame["shrunk"].tolist() == pytest.approx([0.25] * 4, abs=1e-4)
    assert shrink_normal([1.0, 1.1, 0.9], 1.0).frame["shrunk"].tolist() == pytest.approx([1.0] * 3)


def test_a_group_without_cases_gets_the_common_rate_and_no_raw_one():
    frame = shrink_beta_binomial([2, 30, 0], [40, 50, 0]).frame
    assert np.isnan(frame["raw"].iloc[2])
    assert frame["weight"].iloc[2] == 0
    assert frame["low"].iloc[2] < 0.1
    assert frame["high"].iloc[2] > 0.5
    means = shrink_normal([1.0, 9.0, np.nan], [1.0, 1.0, 1.0])
    assert means.frame["shrunk"].iloc[2] == means.mean == 5
    assert shrink_normal([np.nan], [1.0]).mean is None


def test_nobody_won_leaves_no_spread():
    frame = shrink_beta_binomial([0, 0], [5, 9]).frame
    assert frame[["shrunk", "low", "high"]].to_numpy().tolist() == [[0, 0, 0], [0, 0, 0]]


def test_impossible_input_is_refused():
    with pytest.raises(ConfigurationError, match="0 ≤ successes ≤ n"):
        shrink_beta_binomial([3], [2])
    with pytest.raises(ConfigurationError, match="positive"):
        shrink_normal([1.0], [0.0])
