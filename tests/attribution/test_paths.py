"""Paths are put together without losing anything, and rules share them out exactly."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from attribution.path_cases import Row, made, path_data, rows
from revops_analysis.attribution.paths import (
    Outcomes,
    Paths,
    channel_credit,
    distinct_channels,
    paths_from_steps,
    paths_from_text,
    rule_shares,
)
from revops_analysis.errors import ConfigurationError

PATH_DATA = {  # conversions by first, last and linear; source: shared/data/README.md (R package ChannelAttribution)
    "alpha": (6308, 8447, 7574.72),
    "beta": (2831, 989, 2083.50),
    "delta": (1, 5, 1.725),
    "epsilon": (99, 531, 272.17),
    "eta": (3164, 4167, 3539.95),
    "gamma": (165, 92, 121.04),
    "iota": (4606, 3355, 3857.10),
    "kappa": (74, 230, 137.96),
    "lambda": (902, 1207, 1035.26),
    "mi": (2, 2, 2.22),
    "theta": (1606, 653, 1022.80),
    "zeta": (27, 107, 136.55),
}


@settings(max_examples=40)
@given(rows())
def test_every_row_keeps_its_path_and_outcomes_add_up(drawn: list[Row]) -> None:
    paths = made(drawn)
    told = [_text(paths, path) for path in paths.path_of]
    assert told == [tuple(steps) for steps, *_ in drawn]
    for side, place in ((paths.conversions, 1), (paths.nulls, 3)):
        expected: Counter[tuple[str, ...]] = Counter()
        for row in drawn:
            expected[tuple(row[0])] += row[place]  # type: ignore[call-overload]
        assert {_text(paths, i): side[i] for i in range(len(side))} == expected
    assert paths.value.sum() == sum(c * v for _, c, v, _ in drawn)


@settings(max_examples=40)
@given(rows())
def test_paths_are_distinct_in_one_order_whatever_that_of_rows(drawn: list[Row]) -> None:
    paths, turned = made(drawn), made(drawn[::-1])
    texts = [(len(text), text) for text in (_text(paths, i) for i in range(len(paths.lengths)))]
    assert texts == sorted(set(texts))
    for name in ("steps", "lengths", "conversions", "value", "nulls"):
        assert np.array_equal(getattr(paths, name), getattr(turned, name))
    assert np.array_equal(paths.path_of, turned.path_of[::-1])


@settings(max_examples=40)
@given(rows())
def test_distinct_channels_are_those_of_the_path(drawn: list[Row]) -> None:
    paths = made(drawn)
    pair, times, different = distinct_channels(paths)
    for step, (path, code) in enumerate(zip(paths.path_of_step, paths.steps, strict=True)):
        text = _text(paths, int(path))
        assert times[step] == text.count(paths.channels[code])
        assert different[step] == len(set(text))
    assert len(set(pair.tolist())) == sum(len(set(_text(paths, i))) for i in range(len(paths.lengths)))


@settings(max_examples=40)
@given(rows())
def test_rules_conserve_and_are_never_negative(drawn: list[Row]) -> None:
    paths = made(drawn)
    for rule in ("first", "last", "linear"):
        credit = channel_credit(paths, rule_shares(paths, rule))  # type: ignore[arg-type]
        assert credit["conversions"].sum() == pytest.approx(paths.conversions.sum(), abs=1e-9)
        assert credit["value"].sum() == pytest.approx(paths.value.sum(), abs=1e-6)
        assert (credit[["conversions", "value"]] >= 0).all(axis=None)


@pytest.mark.external_data
def test_published_figures_of_path_data(shared_data: Path) -> None:
    paths = path_data(shared_data)
    assert (paths.conversions.sum(), paths.nulls.sum()) == (19_785, 68_602)
    credit = {rule: channel_credit(paths, rule_shares(paths, rule)) for rule in ("first", "last", "linear")}
    for place, rule in enumerate(("first", "last")):
        assert credit[rule]["conversions"].tolist() == [PATH_DATA[name][place] for name in paths.channels]
    linear = [PATH_DATA[name][2] for name in paths.channels]
    assert credit["linear"]["conversions"].to_numpy() == pytest.approx(linear, abs=0.0051)


@pytest.mark.parametrize("text", ["", "a > > b", "a >", None, "  "])
def test_a_path_with_an_empty_step_is_refused(text: str | None) -> None:
    with pytest.raises(ConfigurationError, match="empty step") as caught:
        paths_from_text(["a", text], Outcomes([1, 1], [0, 0], [0, 0]))  # type: ignore[list-item]
    assert caught.value.where == "row 2"


@pytest.mark.parametrize(
    "outcomes",
    [
        Outcomes([-1], [0], [0]),
        Outcomes([1], [np.nan], [0]),
        Outcomes([1], [np.inf], [0]),
        Outcomes([0], [5], [1]),
        Outcomes([1, 1], [0], [0]),
    ],
)
def test_outcomes_that_mean_nothing_are_refused(outcomes: Outcomes) -> None:
    with pytest.raises(ConfigurationError, match="Outcomes of paths"):
        paths_from_text(["a"], outcomes)


@pytest.mark.parametrize(
    ("row", "channel"),
    [([0, 0], ["a", "b"]), ([1, 0], ["a", "b"]), ([0, 1, 2], ["a", "b", "c"]), ([0, 1], ["a", None])],
)
def test_steps_that_do_not_fit_their_rows_are_refused(row: list[int], channel: list[str | None]) -> None:
    with pytest.raises(ConfigurationError, match="do not fit"):
        paths_from_steps(row, channel, Outcomes([1, 1], [0, 0], [0, 0]))


def test_no_rows_make_no_paths() -> None:
    paths = paths_from_steps([], [], Outcomes([], [], []))
    assert (paths.channels, len(paths.lengths)) == ((), 0)
    assert channel_credit(paths, rule_shares(paths, "linear")).empty


def test_a_path_of_ten_thousand_steps() -> None:
    steps = ["a", "b"] * 5_000
    paths = paths_from_steps([0] * 10_000 + [1], [*steps, "b"], Outcomes([1, 1], [10, 1], [0, 0]))
    assert paths.lengths.tolist() == [1, 10_000]
    assert channel_credit(paths, rule_shares(paths, "linear"))["value"].tolist() == pytest.approx([5.0, 6.0])


def _text(paths: Paths, path: int) -> tuple[str, ...]:
    start = paths.starts[path]
    return tuple(paths.channels[code] for code in paths.steps[start : start + paths.lengths[path]])
