"""Removal effects against published figures, an independent solution and what the definition implies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.path_cases import Row, made, path_data, rows
from revops_analysis.attribution.markov import NO_CONVERSION, NO_VALUE, markov, markov_by_deal, markov_shares
from revops_analysis.attribution.paths import Outcomes, Paths, paths_from_steps, paths_from_text
from revops_analysis.errors import ConfigurationError

PATH_DATA = {  # exact first-order Markov with nulls; source: shared/data/README.md
    "alpha": 5344.95,
    "beta": 2527.35,
    "delta": 4.61,
    "epsilon": 599.57,
    "eta": 3340.85,
    "gamma": 171.15,
    "iota": 3884.61,
    "kappa": 274.36,
    "lambda": 1282.85,
    "mi": 1.72,
    "theta": 1971.91,
    "zeta": 381.06,
}
orders = st.sampled_from([1, 2, 3])


def test_worked_example() -> None:
    paths = paths_from_text(["C1>C2>C3", "C1", "C2>C3"], Outcomes([1, 0, 0], [1, 0, 0], [0, 1, 1]))
    found = markov(paths)
    assert found.frame["removal_effect"].to_numpy() == pytest.approx([0.5, 1.0, 1.0], abs=1e-12)
    assert found.frame["conversions"].to_numpy() == pytest.approx([0.2, 0.4, 0.4], abs=1e-12)
    assert found.frame["value"].to_numpy() == pytest.approx([0.2, 0.4, 0.4], abs=1e-12)
    assert found.conversion_rate == pytest.approx(1 / 3)


@pytest.mark.external_data
def test_published_figures_of_path_data(shared_data: Path) -> None:
    paths = path_data(shared_data)
    found = markov(paths)
    assert found.conversion_rate == pytest.approx(0.223845, abs=1e-6)
    assert found.frame["conversions"].to_numpy() == pytest.approx(
        [PATH_DATA[name] for name in paths.channels], abs=0.0051
    )
    assert found.frame["removal_effect"].to_numpy() == pytest.approx(by_visits(paths), abs=1e-12)
    # METRICS.md: the variant by deal is another model, alpha 8,480.08.
    by_deal = markov_by_deal(paths).set_index("channel")["conversions"]
    assert by_deal["alpha"] == pytest.approx(8480.08, abs=0.0051)
    assert by_deal.sum() == pytest.approx(19_785, abs=1e-6)


def by_visits(paths: Paths) -> list[float]:
    """Removal effects of order 1 without removing anything, from the fundamental matrix N of the whole chain.

    A walk converts through c with chance N[s,c] ÷ N[c,c] (to come to c at all) times the chance to convert from c.
    Source: Kemeny & Snell, Finite Markov Chains (1960), ch. III.
    """
    n = len(paths.channels)
    counts, begins, converts, leaves = np.zeros((n, n)), np.zeros(n), np.zeros(n), np.zeros(n)
    walks = paths.conversions + paths.nulls
    for path, start in enumerate(paths.starts):
        steps = paths.steps[start : start + paths.lengths[path]]
        begins[steps[0]] += walks[path]
        converts[steps[-1]] += paths.conversions[path]
        np.add.at(leaves, steps, walks[path])
        np.add.at(counts, (steps[:-1], steps[1:]), walks[path])
    safe = np.where(leaves > 0, leaves, 1.0)
    visits = np.linalg.inv(np.eye(n) - counts / safe[:, None])
    chance = visits @ (converts / safe)
    whole = begins @ chance
    return ((begins @ visits) / np.diag(visits) * chance / whole).tolist()


@settings(max_examples=40)
@given(rows())
def test_first_order_against_the_fundamental_matrix(drawn: list[Row]) -> None:
    paths = made(drawn)
    found = markov(paths).frame["removal_effect"].to_numpy()
    if paths.conversions.sum() == 0:
        assert np.isnan(found).all()
    else:
        assert found == pytest.approx(by_visits(paths), abs=1e-9)


@settings(max_examples=40)
@given(rows(max_length=3))
def test_with_memory_as_long_as_the_paths_the_effect_is_the_share_of_conversions_met(drawn: list[Row]) -> None:
    paths = made(drawn)
    total = sum(c for _, c, _, _ in drawn)
    if total == 0:
        return
    met = [sum(c for steps, c, _, _ in drawn if name in steps) / total for name in paths.channels]
    frame = markov(paths, 3).frame
    assert frame["removal_effect"].to_numpy() == pytest.approx(met, abs=1e-9)
    value = sum(c * v for _, c, v, _ in drawn)
    if value:
        met = [sum(c * v for steps, c, v, _ in drawn if name in steps) / value for name in paths.channels]
        assert frame["value_removal_effect"].to_numpy() == pytest.approx(met, abs=1e-9)


@settings(max_examples=40)
@given(rows(), orders)
def test_credit_is_conserved_and_never_negative(drawn: list[Row], order: int) -> None:
    paths = made(drawn)
    frame = markov(paths, order).frame
    assert frame["conversions"].sum() == pytest.approx(paths.conversions.sum(), abs=1e-9)
    assert frame["value"].sum() == pytest.approx(paths.value.sum(), abs=1e-6)
    assert (frame[["conversions", "value"]] >= 0).all(axis=None)
    assert frame["removal_effect"].dropna().between(0, 1).all()


@settings(max_examples=40)
@given(rows(), orders)
def test_by_deal_conserves_every_path(drawn: list[Row], order: int) -> None:
    paths = made(drawn)
    shares = markov_shares(paths, order)
    assert (shares >= 0).all()
    assert np.bincount(paths.path_of_step, shares) == pytest.approx(np.ones(len(paths.lengths)))


@settings(max_examples=40)
@given(rows(), orders)
def test_order_of_rows_and_names_of_channels_do_not_matter(drawn: list[Row], order: int) -> None:
    frame, turned = markov(made(drawn), order).frame, markov(made(drawn[::-1]), order).frame
    assert frame.equals(turned)
    renamed = [([chr(ord("z") + ord("a") - ord(name)) for name in steps], *rest) for steps, *rest in drawn]
    mirrored = markov(made(renamed), order).frame["conversions"].to_numpy()[::-1]  # type: ignore[arg-type]
    assert mirrored == pytest.approx(frame["conversions"].to_numpy(), abs=1e-9)


@settings(max_examples=40)
@given(rows())
def test_twice_the_same_company_is_twice_the_credit(drawn: list[Row]) -> None:
    once, twice = markov(made(drawn)).frame, markov(made(drawn * 2)).frame
    assert twice["conversions"].to_numpy() == pytest.approx(2 * once["conversions"].to_numpy(), abs=1e-9)


@settings(max_examples=40)
@given(rows(names="abcd"), orders)
def test_a_channel_on_no_converting_path_gets_nothing(drawn: list[Row], order: int) -> None:
    frame = markov(made([*drawn, (["z", "z"], 0, 0, 2)]), order).frame.set_index("channel")
    assert frame.loc["z", "conversions"] == 0
    assert frame.loc["z", "value"] == 0


@settings(max_examples=40)
@given(rows(names="bcd"), st.lists(st.booleans(), min_size=12, max_size=12))
def test_a_channel_split_by_chance_keeps_what_the_others_lose(drawn: list[Row], coins: list[bool]) -> None:
    """Removing both halves of a channel is removing the channel, when memory covers the path."""
    with_a = [(["a", *steps[:2]], *rest) for steps, *rest in drawn]
    split = [([("a1" if coin else "a2"), *s[1:]], *rest) for (s, *rest), coin in zip(with_a, coins, strict=False)]
    whole, parts = markov(made(with_a), 3).frame, markov(made(split), 3).frame  # type: ignore[arg-type]
    effect = parts.set_index("channel")["removal_effect"]
    if whole["removal_effect"].notna().all():
        assert effect.get("a1", 0.0) + effect.get("a2", 0.0) == pytest.approx(1.0, abs=1e-9)


def test_where_no_path_converts_there_is_no_effect_and_no_credit() -> None:
    found = markov(paths_from_text(["a > b", "b"], Outcomes([0, 0], [0, 0], [3, 1])))
    assert (found.reason, found.conversion_rate) == (NO_CONVERSION, 0.0)
    assert found.frame["removal_effect"].isna().all()
    assert (found.frame[["conversions", "value"]] == 0).all(axis=None)
    shares = markov_shares(paths_from_text(["a > b > a"], Outcomes([0], [0], [1])))
    assert shares.tolist() == [0.25, 0.5, 0.25]


def test_conversions_without_value() -> None:
    found = markov(paths_from_text(["a > b", "b"], Outcomes([1, 0], [0, 0], [0, 1])), order=2)
    assert found.reason == NO_VALUE
    assert found.frame["value_removal_effect"].isna().all()
    assert found.frame["removal_effect"].tolist() == [1.0, 1.0]


def test_a_single_channel_has_all_credit() -> None:
    for order in (1, 2, 3):
        found = markov(paths_from_text(["a > a > a", "a"], Outcomes([2, 0], [5, 0], [1, 4])), order)
        assert found.frame.to_numpy().tolist() == [["a", 1.0, 2.0, 1.0, 5.0]]


def test_paths_that_never_end_weigh_nothing() -> None:
    """A path with neither conversion nor null would make the chain singular; it must not, nor change the rest."""
    ending, given_ = ["a > b", "b"], Outcomes([1, 0], [3, 0], [0, 2])
    without = markov(paths_from_text(ending, given_)).frame
    endless = markov(paths_from_text([*ending, "a > c > c > b"], Outcomes([1, 0, 0], [3, 0, 0], [0, 2, 0]))).frame
    assert endless[endless["channel"] != "c"].reset_index(drop=True).equals(without)
    assert endless.set_index("channel").loc["c", "removal_effect"] == 0
    only = markov(paths_from_text(["c > c"], Outcomes([0], [0], [0])))
    assert (only.reason, only.conversion_rate) == (NO_CONVERSION, None)


def test_no_paths_at_all() -> None:
    found = markov(paths_from_steps([], [], Outcomes([], [], [])))
    assert found.frame.empty
    assert found.reason == NO_CONVERSION


def test_fractions_of_a_walk_count_as_such() -> None:
    small = markov(paths_from_text(["a > b", "b"], Outcomes([0.1, 0.0], [1, 0], [0, 0.1]))).frame
    large = markov(paths_from_text(["a > b", "b"], Outcomes([10, 0], [100, 0], [0, 10]))).frame
    assert small["removal_effect"].to_numpy() == pytest.approx(large["removal_effect"].to_numpy())


@pytest.mark.parametrize("order", [0, 4, -1])
def test_orders_that_are_not_offered(order: int) -> None:
    with pytest.raises(ConfigurationError, match="order"):
        markov(paths_from_text(["a"], Outcomes([1], [1], [0])), order)
