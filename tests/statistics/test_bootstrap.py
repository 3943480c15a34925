"""Bootstrap of ratios of sums: against the exact answer, and steady under order, seeds and size."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revops_analysis.errors import ConfigurationError
from revops_analysis.statistics import bootstrap
from revops_analysis.statistics.bootstrap import BootstrapOptions, bootstrap_ratio, bootstrap_ratios, bootstrap_sums


def test_a_share_has_the_interval_of_the_binomial():
    # Resampling 0/1 over n draws from Binomial(n, p) exactly; its quantiles at n = 400, p = .25 are .2075 and .2925.
    won = np.repeat([1, 0], [100, 300])
    found = bootstrap_ratio(won, np.ones(400), seed=1, options=BootstrapOptions(repeats=4_000))
    assert found.value == 0.25
    # 4,000 repeats place a 2.5% quantile within about two of the 1/400 steps of the distribution.
    assert found.low == pytest.approx(0.2075, abs=0.005)
    assert found.high == pytest.approx(0.2925, abs=0.005)


def test_clusters_widen_the_interval_when_their_rows_agree():
    rng = np.random.default_rng(0)
    account = np.repeat(np.arange(40), 10)
    kept = np.repeat(rng.integers(0, 2, 40), 10)
    alone = bootstrap_ratio(kept, np.ones(400), seed=0)
    together = bootstrap_ratio(kept, np.ones(400), seed=0, clusters=account)
    assert together.n == 40
    assert together.value == alone.value
    assert (together.high - together.low) > 2 * (alone.high - alone.low)


@given(data=st.lists(st.tuples(st.integers(0, 100), st.integers(1, 100)), min_size=2, max_size=30), seed=st.integers(0))
@settings(max_examples=40)
def test_row_order_and_repetition_change_nothing(data, seed):
    top, bottom = np.array(data).T
    order = np.random.default_rng(seed % 2**32).permutation(len(top))
    cluster = np.arange(len(top)) % 3
    options = BootstrapOptions(repeats=50)
    first = bootstrap_ratio(top, bottom, 7, clusters=cluster, options=options)
    again = bootstrap_ratio(top[order], bottom[order], 7, clusters=cluster[order], options=options)
    assert first == again
    assert first.low <= first.high


def test_the_seed_matters_and_is_kept():
    top, bottom = np.arange(1, 31), np.arange(31, 1, -1)
    assert bootstrap_ratio(top, bottom, 1) == bootstrap_ratio(top, bottom, 1)
    assert bootstrap_ratio(top, bottom, 1) != bootstrap_ratio(top, bottom, 2)


@pytest.mark.parametrize(
    ("top", "bottom", "reason"),
    [([], [], "no cases"), ([1, 2], [0, 0], "the denominator is zero"), ([1], [2], "one case has no interval")],
)
def test_what_cannot_be_computed_says_why(top, bottom, reason):
    found = bootstrap_ratio(top, bottom, 0)
    assert found.reason == reason
    assert found.low is None
    assert found.high is None
    assert found.value == (0.5 if reason.startswith("one case") else None)


def test_a_denominator_that_is_mostly_zero_gives_no_interval():
    found = bootstrap_ratio([1, 0, 0, 0], [1, 0, 0, 0], 0)
    assert found.value == 1
    assert found.low is None
    assert "resamples" in found.reason


def test_many_rows_keep_spread_and_memory():
    rng = np.random.default_rng(5)
    top, bottom = rng.exponential(1, 200_000), rng.exponential(2, 200_000)
    tracemalloc.start()
    found = bootstrap_ratio(top, bottom, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Delta method: se of a ratio of means.
    residual = top - found.value * bottom
    se = residual.std() / bottom.mean() / np.sqrt(len(top))
    # 1,000 repeats give a standard deviation to about 1 / √2000, 2.2%; three of those.
    assert (found.high - found.low) / (2 * 1.96 * se) == pytest.approx(1, abs=0.08)
    assert peak < 120e6


@pytest.mark.parametrize(
    ("top", "clusters", "message"),
    [([1.0, np.nan], None, "a number in every row"), ([1.0, 2.0], ["a", None], "needs a cluster")],
)
def test_missing_numbers_and_clusters_are_refused(top, clusters, message):
    with pytest.raises(ConfigurationError, match=message):
        bootstrap_ratio(top, [1.0, 1.0], 0, clusters=clusters)


def test_few_units_are_drawn_as_many_are(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(3)
    top, bottom = rng.random(300), rng.random(300) + 1
    at_once = bootstrap_ratio(top, bottom, seed=5)
    monkeypatch.setattr(bootstrap, "_BLOCK", 300 * 1_000 - 1)  # too many for one block
    in_blocks = bootstrap_ratio(top, bottom, seed=5)
    assert at_once == in_blocks
    assert bootstrap_ratio(top, bottom, seed=6) != in_blocks


def test_ratios_over_the_same_units_share_one_drawing():
    bootstrap._drawn.cache_clear()
    for top in (np.arange(50.0), np.ones(50)):
        bootstrap_ratio(top, np.ones(50), seed=0)
    assert bootstrap._drawn.cache_info().misses == 1
    assert not bootstrap._drawn(0, 50, 1_000).flags.writeable


@pytest.mark.parametrize("n", [0, 1, 2, 300])
def test_many_ratios_at_once_are_those_one_by_one(n: int) -> None:
    rng = np.random.default_rng(4)
    bottom = rng.lognormal(2, 1, n)
    tops = bottom[:, None] * rng.choice([0.0, 0.5, 1.0, 1.4], (n, 3))
    found = bootstrap_ratios(tops, bottom, seed=3)
    for column, (value, low, high) in enumerate(found):
        one = bootstrap_ratio(tops[:, column], bottom, seed=3)
        expected = [np.nan if number is None else number for number in (one.value, one.low, one.high)]
        assert [value, low, high] == pytest.approx(expected, nan_ok=True)


def test_many_units_keep_value_spread_and_indifference_to_order() -> None:
    rng = np.random.default_rng(5)
    bottom = np.round(rng.lognormal(5, 1, 9_000))
    tops = np.column_stack([bottom * rng.choice([0.0, 1.0, 2.0], 9_000, p=[0.1, 0.7, 0.2]), bottom])
    found = bootstrap_ratios(tops, bottom, seed=0)
    assert found[0, 0] == pytest.approx(tops[:, 0].sum() / bottom.sum())
    error = (tops[:, 0] - found[0, 0] * bottom).std() * np.sqrt(9_000) / bottom.sum()
    assert (found[0, 2] - found[0, 1]) / (2 * 1.96) == pytest.approx(error, rel=0.1)
    assert found[1].tolist() == [1.0, 1.0, 1.0]
    order = rng.permutation(9_000)
    assert bootstrap_ratios(tops[order], bottom[order], seed=0).tolist() == found.tolist()


def test_a_bottom_of_zero_has_no_ratio() -> None:
    assert np.isnan(bootstrap_ratios(np.zeros((3, 2)), np.zeros(3), seed=0)).all()


def test_sums_keep_rows_together_and_have_the_spread_of_a_sum():
    rng = np.random.default_rng(5)
    amounts = rng.gamma(1.0, 1.0, 300)
    table = np.column_stack([amounts, 2 * amounts, np.ones(300)])
    sums = bootstrap_sums(table, seed=0, options=BootstrapOptions(repeats=4_000))
    assert sums[:, 1] == pytest.approx(2 * sums[:, 0])
    assert (sums[:, 2] == 300).all()
    assert sums[:, 0].mean() == pytest.approx(amounts.sum(), rel=0.01)
    assert sums[:, 0].std() == pytest.approx(amounts.std() * np.sqrt(300), rel=0.05)


def test_sums_of_many_rows_are_drawn_by_group():
    amounts = np.random.default_rng(6).gamma(1.0, 1.0, (25_000, 1))
    sums = bootstrap_sums(amounts, seed=0, options=BootstrapOptions(repeats=500))
    assert sums.std() == pytest.approx(amounts.std() * np.sqrt(25_000), rel=0.15)
    assert sums.mean() == pytest.approx(amounts.sum(), rel=0.01)


def test_sums_of_nothing_are_nothing_and_missing_amounts_are_refused():
    assert bootstrap_sums(np.zeros((0, 2)), seed=0, options=BootstrapOptions(repeats=3)).tolist() == [[0.0, 0.0]] * 3
    with pytest.raises(ConfigurationError, match="table of numbers"):
        bootstrap_sums([[1.0, float("nan")]], seed=0)
    with pytest.raises(ConfigurationError, match="table of numbers"):
        bootstrap_sums([1.0, 2.0], seed=0)


@pytest.mark.parametrize("rows", [30, 10_050])
def test_sums_of_a_sparse_table_are_those_of_a_dense_one(rows):
    from scipy import sparse

    table = sparse.random_array((rows, 4), density=0.3, rng=np.random.default_rng(1), format="csr")
    options = BootstrapOptions(repeats=5)
    assert bootstrap_sums(table, 3, options) == pytest.approx(bootstrap_sums(table.toarray(), 3, options))
