"""Simulated bookings: means are the parts' means, groups add up, and the same question gives the same digits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from revops_analysis.models import simulated_bookings
from revops_analysis.models.simulated_bookings import Parts, simulate_bookings

DRAWS = 20_000
NONE = np.zeros(0)


def parts(**changes) -> Parts:
    rng = np.random.default_rng(1)
    base = Parts(
        1000.0,
        rng.uniform(0.02, 0.9, 60),
        rng.integers(10, 200, 60).astype("float64"),
        np.array([0.5, 1.0, 1.5]),
        np.array([4.0, 0.5]),
        (np.array([50.0, 150.0]), np.array([300.0])),
        np.array([-20.0, 0.0, 80.0]),
        0.3,
    )
    return replace(base, **changes)


def only_open(probability, value, **changes) -> Parts:
    return Parts(0.0, np.array(probability), np.array(value), np.ones(1), NONE, (), NONE, **{"shock": 0.0, **changes})


@pytest.mark.parametrize("shock", [0.0, 0.3, 0.8])
def test_means_of_draws_are_the_means_of_the_parts(shock):
    given = parts(shock=shock)
    drawn = simulate_bookings(given, draws=DRAWS, seed=3)
    expected = {
        "open": (drawn.open.sum(axis=1), float((given.probability * given.value).sum())),
        "later": (drawn.later.sum(axis=1), 4.0 * 100 + 0.5 * 300),
        "other": (drawn.other, 20.0),
    }
    for name, (values, mean) in expected.items():
        # Five standard errors, and a hundredth for the approximation by which the shock is centred.
        assert values.mean() == pytest.approx(mean, abs=5 * values.std() / DRAWS**0.5 + 0.01 * abs(mean)), name
    total = 1000 + sum(mean for _, mean in expected.values())
    assert drawn.total.mean() == pytest.approx(total, abs=5 * drawn.total.std() / DRAWS**0.5 + 0.01 * total)


def test_without_shock_open_deals_are_independent():
    given = only_open([0.3] * 50, [10.0] * 50)
    drawn = simulate_bookings(given, draws=DRAWS, seed=0).total
    assert drawn.var() == pytest.approx(50 * 0.21 * 100, rel=0.05)


def test_a_shock_widens_the_range_and_moves_open_and_later_deals_together():
    spreads = [simulate_bookings(parts(shock=shock), draws=DRAWS, seed=0).total.std() for shock in (0.0, 0.3, 0.8)]
    assert spreads == sorted(spreads)
    assert spreads[2] > 1.3 * spreads[0]
    drawn = simulate_bookings(parts(shock=0.8), draws=DRAWS, seed=0)
    assert np.corrcoef(drawn.open.sum(axis=1), drawn.later.sum(axis=1))[0, 1] > 0.2


def test_groups_and_parts_add_up_to_the_total():
    groups = np.arange(60) % 4
    drawn = simulate_bookings(parts(), draws=500, seed=0, groups=groups)
    assert drawn.open.shape == (500, 4)
    np.testing.assert_array_equal(drawn.total, 1000.0 + drawn.open.sum(axis=1) + drawn.later.sum(axis=1) + drawn.other)
    whole = simulate_bookings(parts(), draws=500, seed=0)
    np.testing.assert_allclose(drawn.total, whole.total, rtol=1e-6)  # grouping draws nothing anew


def test_the_same_seed_gives_the_same_digits_and_another_does_not():
    first, again, other = (simulate_bookings(parts(), draws=300, seed=seed).total for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("kept", [np.ones(1), np.array([0.5, 1.0, 1.5])], ids=["amounts kept", "amounts moved"])
def test_how_much_is_drawn_at_a_time_does_not_change_a_digit(monkeypatch, kept):
    whole = simulate_bookings(parts(kept=kept), draws=300, seed=0)
    monkeypatch.setattr(simulated_bookings, "_CHUNK", 60 * 7)
    piecewise = simulate_bookings(parts(kept=kept), draws=300, seed=0)
    np.testing.assert_array_equal(whole.total, piecewise.total)
    np.testing.assert_array_equal(whole.open, piecewise.open)


def test_without_deals_only_what_is_certain_is_left():
    given = Parts(700.0, NONE, NONE, np.ones(1), NONE, (), NONE, 0.3)
    drawn = simulate_bookings(given, draws=100, seed=0)
    assert set(drawn.total) == {700.0}
    assert drawn.open.shape == (100, 1)
    assert drawn.later.shape == (100, 0)


def test_what_is_sure_is_drawn_as_sure():
    drawn = simulate_bookings(only_open([0.0, 1.0], [64.0, 32.0]), draws=5000, seed=0)
    assert set(drawn.total) == {32.0}


def test_one_deal_that_is_half_of_it_makes_two_humps():
    given = only_open([0.5] + [0.9] * 19, [1000.0] + [50.0] * 19)
    drawn = simulate_bookings(given, draws=DRAWS, seed=0).total
    assert (drawn >= 1000).mean() == pytest.approx(0.5, abs=0.02)
    assert (drawn[drawn < 1000] <= 950).all()
    low, high = np.quantile(drawn, [0.1, 0.9])
    assert high - low > 950


def test_later_wins_vary_more_than_chance_alone_when_their_number_is_uncertain():
    given = Parts(0.0, NONE, NONE, np.ones(1), np.array([100.0]), (np.ones(1),), NONE, 0.0)
    sure = simulate_bookings(replace(given, later_spread=0.0), draws=DRAWS, seed=0).total
    unsure = simulate_bookings(replace(given, later_spread=0.2), draws=DRAWS, seed=0).total
    assert sure.var() == pytest.approx(100, rel=0.06)
    assert unsure.var() == pytest.approx(100 + 400, rel=0.06)
