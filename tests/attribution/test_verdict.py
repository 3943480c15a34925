"""Statements about budgets: what all models say, what chance could turn, and what depends on the model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from builders import make_definitions
from revops_analysis.attribution.robustness import NO_BOOKINGS, Robustness, _agreement, _block, _spread
from revops_analysis.attribution.verdict import verdict
from revops_analysis.periods import parse_period

PERIOD = parse_period("2026-Q3", make_definitions().fiscal_calendar)


def compared(amounts: dict[str, list[float]], noise: float = 0.0, channels=("A", "B", "C")) -> Robustness:
    """A comparison with the amounts given, each drawn 400 times with the relative noise."""
    rng = np.random.default_rng(0)
    drawn = {
        name: np.array(row) * (1 + noise * rng.normal(size=(400, len(row)))).clip(0) for name, row in amounts.items()
    }
    blocks = [_block(name, channels, np.array(row, dtype=float), drawn[name], 0.95) for name, row in amounts.items()]
    shares = pd.concat(blocks, ignore_index=True)
    official = next(iter(amounts))
    return Robustness(official, PERIOD, shares, _spread(shares, official), _agreement(shares), 50, None, drawn)


def said(found, spend=None, subject="return"):
    frame = verdict(found, spend)
    rows = frame[frame["subject"] == subject]
    return dict(zip(rows["statement"], rows["verdict"], strict=True))


def test_what_every_model_says_beyond_chance_holds():
    found = compared({"w_shaped": [90, 30, 10], "linear": [80, 40, 10]}, noise=0.01)
    every = "than its programme costs under every model"
    assert said(found, {"A": 40, "B": 50}) == {
        f"A is credited with more {every}, 2.00 times (linear) to 2.25 times (W-shaped).": "holds",
        f"B is credited with less {every}, 0.60 times (W-shaped) to 0.80 times (linear).": "holds",
    }
    assert said(found, subject="largest") == {
        "A has the largest share of the bookings under every model, 62% (linear) to 69% (W-shaped).": "holds"
    }


def test_what_chance_could_turn_leans():
    found = compared({"w_shaped": [90, 85, 10], "linear": [92, 80, 10]}, noise=0.3)
    for subject in ("largest", "return"):
        (statement, judged), *_ = said(found, {"A": 85}, subject).items()
        assert judged == "leans"
        assert statement.endswith("though by chance alone it could be otherwise.")


def test_what_models_do_not_agree_on_depends_on_the_model():
    found = compared({"w_shaped": [90, 30, 10], "linear": [40, 70, 10]})
    assert said(found, {"A": 60}) == {
        "Whether A is credited with more than its programme costs depends on the model: 0.67 times (linear) to 1.50 "
        "times (W-shaped).": "depends"
    }
    (largest,) = said(found, subject="largest")
    assert largest == "Which channel has the largest share depends on the model: B under linear; A under W-shaped."
    order = said(found, {"A": 10, "B": 10}, "order")
    assert list(order.values()) == ["depends"]


def test_order_compares_what_a_unit_of_spend_brings():
    found = compared({"w_shaped": [90, 60, 10], "linear": [80, 70, 10]}, noise=0.01)
    assert said(found, {"A": 90, "B": 20}, "order") == {
        "B is credited with more bookings than A per unit of programme spend under every model, 3.00 times "
        "(W-shaped) to 3.94 times (linear).": "holds"
    }
    without = said(found, None, "order")
    assert next(iter(without)).startswith("A is credited with more bookings than B in all under every model")


def test_statements_that_hold_come_first_and_channels_without_spend_or_name_are_left_out():
    found = compared({"w_shaped": [90, 30, 10], "linear": [40, 70, 10]}, channels=("A", "B", None))
    frame = verdict(found, {"A": 30, "B": 0, "Z": 5})
    assert frame["verdict"].tolist() == sorted(frame["verdict"], key=["holds", "leans", "depends"].index)
    assert not frame["statement"].str.contains("None|nan|Z ").any()
    assert (frame["subject"] == "return").sum() == 1


def test_without_bookings_nothing_is_said():
    empty = compared({"w_shaped": [0, 0, 0]})
    lacking = Robustness("w_shaped", PERIOD, empty.shares, empty.spread, empty.agreement, 0, NO_BOOKINGS, empty.drawn)
    assert verdict(lacking).empty


def test_spread_names_the_models_at_both_ends_and_agreement_is_of_ranks():
    found = compared({"w_shaped": [90, 30, 10], "linear": [40, 70, 10]})
    row = found.spread.set_index("channel").loc["A"]
    assert (row["lowest_model"], row["highest_model"]) == ("linear", "w_shaped")
    assert row["official"] == pytest.approx(90 / 130)
    assert found.agreement["rank_correlation"].tolist() == [pytest.approx(0.5)]
    assert np.isnan(compared({"a": [1], "b": [2]}, channels=("A",)).agreement["rank_correlation"]).all()
