"""Accuracy measures against figures reckoned by hand, and what they say where nothing can be said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revops_analysis.errors import ConfigurationError
from revops_analysis.models.accuracy import (
    best_on_average,
    compare_methods,
    errors_by,
    forecast_errors,
    same_forecasts,
    skill,
)

pytestmark = pytest.mark.filterwarnings("error")


def table(rows, columns=("period", "week", "method", "mean", "outcome")):
    frame = pd.DataFrame(rows, columns=list(columns))
    return frame.assign(cutoff=frame["period"] + "/" + frame["week"].astype(str))


HAND = table(
    [
        ("Q1", 1, "a", 90.0, 100.0),
        ("Q1", 4, "a", 105.0, 100.0),
        ("Q2", 1, "a", 260.0, 200.0),
        ("Q2", 4, "a", 200.0, 200.0),
        ("Q1", 1, "b", 100.0, 100.0),
        ("Q1", 4, "b", 130.0, 100.0),
        ("Q2", 1, "b", 200.0, 200.0),
        ("Q2", 4, "b", 220.0, 200.0),
        ("Q1", 1, "c", 101.0, 100.0),
    ]
)


def test_wape_and_bias_are_ratios_of_sums():
    found = errors_by(HAND).set_index("method")
    assert found.loc["a", ["wape", "bias", "accuracy"]].tolist() == pytest.approx([75 / 600, 55 / 600, 525 / 600])
    assert found.loc["b", ["wape", "bias"]].tolist() == pytest.approx([50 / 600, 50 / 600])
    assert found["n"].tolist() == [4, 4, 1]
    assert found["periods"].tolist() == [2, 2, 1]


def test_by_week_of_the_period():
    found = errors_by(HAND, ("method", "week")).set_index(["method", "week"])["wape"]
    assert found[("a", 1)] == pytest.approx(70 / 300)
    assert found[("a", 4)] == pytest.approx(5 / 300)


def test_a_forecast_of_nothing_and_an_outcome_of_zero_have_reasons():
    frame = table([("Q1", 1, "a", 5.0, 0.0), ("Q2", 1, "a", np.nan, 10.0), ("Q3", 1, "a", 5.0, np.nan)])
    found = forecast_errors(frame)
    assert found["accuracy"].isna().all()
    assert found["bias"].isna().all()
    assert found["error"].iloc[0] == 5
    assert found["reason"].tolist() == [
        "the outcome is zero",
        "no forecasts with an outcome",
        "no forecasts with an outcome",
    ]
    total = errors_by(frame).iloc[0]
    assert (total["n"], total["reason"]) == (1, "the outcomes add up to zero")
    assert np.isnan(total["wape"])
    assert errors_by(frame.iloc[1:]).iloc[0]["reason"] == "no forecasts with an outcome"
    assert errors_by(frame.iloc[1:])["n"].tolist() == [0]


def test_skill_is_against_the_rival_that_is_best_on_average():
    found = skill(HAND, ["a", "b"]).set_index("method")
    assert set(found["rival"]) == {"b"}
    assert found.loc["a", "skill"] == pytest.approx(1 - 75 / 50)
    assert found.loc["b", "skill"] == 0
    assert found.loc["c", "reason"] == "the rival made no error"
    assert found.loc["c", "n"] == 1


def test_a_rival_that_forecasts_only_when_it_is_easy_is_not_the_best():
    late = table([(f"Q{n}", 10, "late", 100.0, 100.0) for n in range(2)])
    rest = [(f"Q{n}", w, m, 100.0 + e, 100.0) for n in range(2) for w in (1, 4, 10) for m, e in (("x", 9), ("y", 10))]
    assert best_on_average(pd.concat([late, table(rest)]), ["late", "x", "y"]) == "x"


def test_rivals_are_compared_on_the_forecasts_that_all_made():
    frame = HAND[~((HAND["method"] == "b") & (HAND["mean"] == 130))]
    assert len(same_forecasts(frame[frame["method"] != "c"])) == 6
    assert best_on_average(frame, ["a", "b"]) == "b"
    assert best_on_average(frame, ["nobody"]) is None
    assert skill(frame, ["nobody"])["reason"].tolist() == ["no rival made a forecast"] * 3


def test_the_bootstrap_draws_whole_periods():
    # Two periods whose errors differ: only three resamples exist, so the limits are the periods' own values.
    found = compare_methods(HAND, ("a", "b"), seed=1)
    assert found.wape == pytest.approx((75 / 600, 50 / 600))
    assert found.difference == pytest.approx((25 / 600, (15 - 30) / 200, (60 - 20) / 400))
    assert found.ratio == pytest.approx((1.5, 15 / 30, 60 / 20))
    assert (found.n, found.clusters) == (4, 2)


def test_the_comparison_is_seeded_and_blind_to_order():
    rng = np.random.default_rng(5)
    rows = [(f"Q{n}", w, m, 100 + rng.normal(0, 10), 100.0) for n in range(12) for w in (1, 4) for m in "ab"]
    frame = table(rows)
    one, two = (
        compare_methods(frame, ("a", "b"), 3),
        compare_methods(frame.sample(frac=1, random_state=1), ("a", "b"), 3),
    )
    assert one == two
    assert one != compare_methods(frame, ("a", "b"), 4)
    assert one.difference[1] < one.difference[0] < one.difference[2]


def test_several_companies_are_told_apart_by_their_seed():
    both = pd.concat([HAND.assign(seed=1), HAND.assign(seed=2)])
    found = compare_methods(both, ("a", "b"), 0)
    assert (found.n, found.clusters) == (8, 4)
    assert found.wape == pytest.approx((75 / 600, 50 / 600))
    assert errors_by(both)["periods"].tolist() == [4, 4, 2]
    assert skill(both, ["a", "b"]).set_index("method").loc["a", "skill"] == pytest.approx(-0.5)
    with pytest.raises(ConfigurationError, match="two forecasts of one cutoff"):
        compare_methods(both.drop(columns="seed"), ("a", "b"), 0)


def test_comparisons_that_cannot_be_made_say_why():
    one = HAND[HAND["period"] == "Q1"]
    assert compare_methods(one, ("a", "b"), 0).reason == "one cluster has no interval"
    assert compare_methods(one, ("a", "b"), 0).difference[1:] == (None, None)
    assert compare_methods(HAND, ("a", "nobody"), 0).reason == "no forecasts with an outcome"
    assert compare_methods(HAND.assign(outcome=0.0), ("a", "b"), 0).reason == "the outcomes add up to zero"
    perfect = HAND.assign(mean=HAND["mean"].where(HAND["method"] == "a", HAND["outcome"]))
    found = compare_methods(perfect, ("a", "b"), 0)
    assert found.reason == "the second method made no error"
    assert found.difference[0] == pytest.approx(75 / 600)
    assert found.ratio == (None, None, None)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(1, 1e6)), min_size=1, max_size=20))
def test_wape_over_all_is_the_weighted_mean_of_the_wapes_by_period(pairs):
    frame = table([(f"Q{n}", 1, "a", mean, outcome) for n, (mean, outcome) in enumerate(pairs)])
    whole = errors_by(frame).iloc[0]
    parts = errors_by(frame, ("method", "period"))
    weights = frame.set_index("period")["outcome"].loc[parts["period"]].to_numpy()
    assert whole["wape"] == pytest.approx(np.average(parts["wape"], weights=weights))
    assert whole["accuracy"] == pytest.approx(1 - whole["wape"])
    assert abs(whole["bias"]) <= whole["wape"] + 1e-9
