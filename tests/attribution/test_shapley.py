"""The closed form of the Shapley value against every coalition and every order."""

from __future__ import annotations

from itertools import combinations, permutations
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings

from attribution.path_cases import Row, made, rows
from revops_analysis.attribution.paths import Outcomes, Paths, channel_credit, paths_from_text
from revops_analysis.attribution.shapley import shapley, shapley_ordered, shapley_shares


def worth(drawn: list[Row], coalition: frozenset[str]) -> float:
    """Conversions whose path needs no channel outside the coalition."""
    return float(sum(c for steps, c, _, _ in drawn if set(steps) <= coalition))


def by_enumeration(drawn: list[Row], channels: tuple[str, ...]) -> list[float]:
    """Σ over coalitions S without i of |S|! (n − |S| − 1)! ÷ n! × (v(S ∪ i) − v(S)) (Shapley 1953)."""
    n = len(channels)
    values = []
    for channel in channels:
        others = [name for name in channels if name != channel]
        total = 0.0
        for size in range(n):
            weight = factorial(size) * factorial(n - size - 1) / factorial(n)
            for chosen in combinations(others, size):
                joined = frozenset(chosen)
                total += weight * (worth(drawn, joined | {channel}) - worth(drawn, joined))
        values.append(total)
    return values


@settings(max_examples=40)
@given(rows())
def test_closed_form_is_the_enumeration_of_all_coalitions(drawn: list[Row]) -> None:
    paths = made(drawn)
    assert shapley(paths)["conversions"].to_numpy() == pytest.approx(by_enumeration(drawn, paths.channels), abs=1e-9)


@settings(max_examples=40)
@given(rows(names="abc"))
def test_closed_form_is_the_mean_over_all_orders_of_joining(drawn: list[Row]) -> None:
    paths = made(drawn)
    added = dict.fromkeys(paths.channels, 0.0)
    orders = list(permutations(paths.channels))
    for order in orders:
        for place, channel in enumerate(order):
            before = frozenset(order[:place])
            added[channel] += (worth(drawn, before | {channel}) - worth(drawn, before)) / len(orders)
    assert shapley(paths)["conversions"].to_numpy() == pytest.approx(list(added.values()), abs=1e-9)


@settings(max_examples=40)
@given(rows())
def test_it_conserves_every_path_and_is_never_negative(drawn: list[Row]) -> None:
    paths = made(drawn)
    shares = shapley_shares(paths)
    assert (shares > 0).all()
    assert np.bincount(paths.path_of_step, shares) == pytest.approx(np.ones(len(paths.lengths)))
    assert shapley(paths)["value"].sum() == pytest.approx(paths.value.sum(), abs=1e-6)


@settings(max_examples=40)
@given(rows())
def test_order_moves_credit_between_places_and_never_between_channels(drawn: list[Row]) -> None:
    paths = made(drawn)
    placed = shapley_ordered(paths)
    whole = placed.groupby("channel")[["conversions", "value"]].sum().loc[list(paths.channels)]
    assert whole.to_numpy() == pytest.approx(shapley(paths)[["conversions", "value"]].to_numpy(), abs=1e-6)
    assert not placed.duplicated(["channel", "position"]).any()
    assert placed["position"].max() == paths.lengths.max()


@settings(max_examples=40)
@given(rows())
def test_names_of_channels_do_not_matter(drawn: list[Row]) -> None:
    renamed = [([chr(ord("z") - ord(name) + ord("a")) for name in steps], *rest) for steps, *rest in drawn]
    there, back = shapley(made(drawn)), shapley(made(renamed))  # type: ignore[arg-type]
    assert there["conversions"].to_numpy() == pytest.approx(back["conversions"].to_numpy()[::-1])


@settings(max_examples=40)
@given(rows())
def test_a_channel_split_by_path_splits_its_credit(drawn: list[Row]) -> None:
    split = [([f"a{i % 2}" if s == "a" else s for s in steps], *rest) for i, (steps, *rest) in enumerate(drawn)]
    whole, parts = _credit(made(drawn)), _credit(made(split))  # type: ignore[arg-type]
    assert parts.get("a0", 0.0) + parts.get("a1", 0.0) == pytest.approx(whole.get("a", 0.0), abs=1e-9)
    for name in whole.keys() - {"a"}:
        assert parts[name] == pytest.approx(whole[name], abs=1e-9)


def test_without_conversions_there_is_no_credit() -> None:
    paths = paths_from_text(["a > b", "b"], Outcomes([0, 0], [0, 0], [3, 1]))
    assert shapley(paths)[["conversions", "value"]].to_numpy().tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_a_single_channel_has_all_credit() -> None:
    paths = paths_from_text(["a > a > a"], Outcomes([2], [5], [0]))
    assert shapley(paths).to_numpy().tolist() == [["a", 2.0, 5.0]]
    assert shapley_ordered(paths)["value"].to_numpy() == pytest.approx([5 / 3] * 3)


def _credit(paths: Paths) -> dict[str, float]:
    credit = channel_credit(paths, shapley_shares(paths))
    return dict(zip(credit["channel"], credit["conversions"], strict=True))
