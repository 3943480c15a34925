"""The choice between the model and the rules: by earlier periods alone, and the range by what it missed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evidence_cases import quarters
from revops_analysis.models.cutoffs import week_ends
from revops_analysis.models.forecaster import QUANTILE_NAMES, QUANTILES
from revops_analysis.models.selection import CHOSEN, SelectionOptions, Situation, apply_choice, choose, with_choice

Z = np.array([-1.96, -1.2816, -0.6745, 0.0, 0.6745, 1.2816, 1.96])
EIGHT = quarters(8)


def table(means, spread=100.0, periods=EIGHT, outcome=1000.0) -> pd.DataFrame:
    """Back-test rows: `means` gives each method's forecast of a period by its number and week."""
    rows = []
    for number, period in enumerate(periods):
        for cutoff in week_ends(period, (4, 10)):
            for method, mean in means.items():
                value = float(mean(number, cutoff.week))
                facts = {"cutoff": pd.Timestamp(cutoff.day), "period": period.label, "week": cutoff.week}
                quantiles = dict(zip(QUANTILE_NAMES, value + spread * Z, strict=True))
                rows.append(facts | {"method": method, "mean": value, **quantiles, "booked": 50.0, "outcome": outcome})
    return pd.DataFrame(rows)


def right(number, week):
    return 1000.0


def wild(number, week):
    return 1000.0 + (300 if (number + week) % 2 else -300)


def test_a_model_that_is_always_right_keeps_all_the_weight():
    choice = choose(table({"deal_model": right, "rule": wild}))
    assert (choice.weight, choice.rival, choice.periods) == (1.0, "rule", 8)
    assert "missed by 0.0% and the rule “rule” by 30.0%: the model has 100% of the weight" in choice.reason


def test_a_rival_that_is_always_right_gets_most_of_the_weight_and_all_from_the_first():
    few, many = (choose(table({"deal_model": wild, "rule": right}, periods=quarters(n))) for n in (3, 40))
    assert many.weight <= few.weight < 0.65
    assert many.weight == pytest.approx(0.0, abs=1e-9)


def test_where_the_past_leaves_it_in_doubt_the_prior_speaks():
    frame = table({"deal_model": lambda n, w: 1000.0 + 60 * (-1) ** n, "rule": lambda n, w: 1000.0 - 60 * (-1) ** w})
    for wins, before in ((np.inf, 1.0), (900.0, 0.9), (100.0, 0.5), (0.0, 0.0)):
        options = [SelectionOptions(weight_spread=spread) for spread in (0.01, 0.15, 5.0)]
        weights = [choose(frame, one, Situation(wins)).weight for one in options]
        assert weights == sorted(weights, reverse=weights[-1] < before)
        assert weights[0] == pytest.approx(before, abs=0.01)


def test_the_best_rule_is_blended_in_and_one_that_could_not_always_forecast_is_not():
    frame = table({"deal_model": wild, "poor": lambda n, w: 2000.0, "fair": lambda n, w: 1100.0, "rare": right})
    frame = frame[(frame["method"] != "rare") | (frame["period"] != EIGHT[0].label)]
    assert choose(frame).rival == "fair"


def test_the_usual_rule_is_blended_in_until_another_is_better_beyond_chance():
    usual, lucky, better = (lambda n, w, miss=miss: 1000.0 + miss[n % 2] for miss in ((90, -90), (10, 140), (20, 30)))
    options = SelectionOptions(rule="usual")
    for other, blended in ((lucky, "usual"), (better, "other")):
        frame = table({"deal_model": wild, "usual": usual, "other": other})
        assert choose(frame, options).rival == blended
        assert choose(frame, SelectionOptions(rule=None)).rival == "other"
    frame = table({"deal_model": wild, "other": lucky})
    assert choose(frame, options).rival == "other", "a rule that could not always forecast is not the usual one"


def test_with_new_stages_the_rule_that_needs_no_past_has_half_and_such_times_teach_nothing():
    """Three of eight periods were in another process, in which the model was far off."""
    far = [period.label for period in EIGHT[3:6]]
    methods = {"deal_model": wild, "stage_week_conversion": right, "crm_weighted": lambda n, w: 1100.0}
    frame = table(methods).assign(new_stages=0.0)
    frame.loc[frame["period"].isin(far), "new_stages"] = 0.2
    far_now = Situation(new_stages=0.05)
    usual, now = choose(frame), choose(frame, now=far_now)
    assert (usual.rival, usual.periods) == ("stage_week_conversion", 5)
    assert (now.rival, now.weight, now.periods, now.reach) == ("crm_weighted", 0.5, 5, np.inf)
    assert now.reason.startswith("5% of the open deals are in stages that hardly any past period had")
    disturbed = frame.assign(mean=frame["mean"].where(frame["new_stages"] == 0, 9e9))
    assert (choose(disturbed), choose(disturbed, now=far_now)) == (usual, now)
    assert choose(frame, now=Situation(new_stages=0.03)) == usual, "three in a hundred is not enough"
    without = with_choice(frame[frame["method"] != "crm_weighted"])[1]
    assert without["rival"].isin(["stage_week_conversion", None]).all(), "a rule that says nothing has no weight"
    assert without.loc[without["periods"] >= 3, "rival"].eq("stage_week_conversion").all()
    whole, choices = with_choice(frame)
    found = whole[whole["method"] == CHOSEN].set_index("period")["mean"]
    assert found[far].tolist() == [(m + 1100.0) / 2 for n in (3, 4, 5) for m in (wild(n, 4), wild(n, 10))]
    assert choices.loc[choices["period"].isin(far), "rival"].eq("crm_weighted").all()
    assert choices["periods"].tolist() == [n for n in (0, 1, 2, 3, 3, 3, 3, 4) for _ in range(2)]


def test_without_rules_the_model_stands_alone_and_it_is_said():
    choice = choose(table({"deal_model": wild}))
    assert (choice.rival, choice.weight) == (None, 1.0)
    assert "no rule forecast every cutoff" in choice.reason


@pytest.mark.parametrize("count", [0, 2])
def test_with_too_few_periods_the_model_is_taken_as_it_is(count):
    frame = table({"deal_model": wild, "rule": right}, periods=EIGHT[:count])
    frame = frame if count else table({"deal_model": right}).iloc[:0]
    choice = choose(frame)
    assert (choice.rival, choice.weight, choice.periods) == (None, 1.0, count)
    assert f"{count} past periods were scored; from 3 on" in choice.reason
    if not count:
        assert choice.stretch == 1.0


def test_a_past_without_bookings_counts_for_nothing():
    choice = choose(table({"deal_model": right, "rule": wild}, outcome=0.0))
    assert (choice.weight, choice.stretch, choice.periods) == (1.0, 1.0, 0)


def test_the_range_stretches_when_misses_were_wide_and_narrows_when_they_were_small():
    wide, fitting, narrow = (
        choose(table({"deal_model": wild}, spread=spread)).stretch for spread in (100.0, 300.0, 3000.0)
    )
    assert fitting == pytest.approx(1.0, abs=1e-3)
    assert narrow < 0.8
    assert wide > 1.5
    assert wide == pytest.approx(((8 + 8 * 9) / 16) ** 0.5, rel=1e-3)  # errors count as three spreads at most


def row(mean, spread=10.0):
    return {"mean": mean, **dict(zip(QUANTILE_NAMES, mean + spread * Z, strict=True))}


def test_the_published_forecast_is_the_blend_with_the_stretched_range_never_below_what_is_certain():
    choice = choose(table({"deal_model": wild, "rule": right}))
    found = apply_choice(choice, {"deal_model": row(200.0), "rule": row(180.0)}, 0.0)
    assert found["mean"] == pytest.approx(180 + 20 * choice.weight)
    width = found["p90"] - found["p10"]
    assert width == pytest.approx(choice.stretch * 2 * 1.2816 * 10)
    quantiles = [apply_choice(choice, {"deal_model": row(200.0)}, 195.0)[name] for name in QUANTILE_NAMES]
    assert quantiles == sorted(quantiles)
    assert min(quantiles) == 195.0


def test_a_rule_is_heard_no_further_from_the_model_than_it_has_been():
    choice = choose(table({"deal_model": wild, "rule": right}))
    assert choice.reach == pytest.approx(3.0, rel=1e-3)  # 300 of 100
    for said, heard in ((225.0, 225.0), (9000.0, 230.0), (-9000.0, 170.0)):
        found = apply_choice(choice, {"deal_model": row(200.0), "rule": row(said)}, -1e9)
        assert found["mean"] == pytest.approx(choice.weight * 200 + (1 - choice.weight) * heard, rel=1e-3)
    assert choose(table({"deal_model": right, "rule": right}, spread=0.0)).reach == np.inf


def test_without_the_model_the_rule_stands_as_it_is_and_without_both_nothing_is_said():
    choice = choose(table({"deal_model": right, "rule": wild}))
    assert apply_choice(choice, {"rule": row(70.0)}, 0.0) == row(70.0)
    assert np.isnan(apply_choice(choice, {}, 0.0)["mean"])


def noise(seed):
    return lambda number, week: 1000 + 300 * np.random.default_rng([seed, number, week]).normal()


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 7), st.floats(0.2, 5.0))
def test_only_earlier_periods_count(seed, place, factor):
    """Whatever is changed of a period, its outcome first of all, no choice of it or of an earlier one changes."""
    frame = table({"deal_model": noise(seed), "rule": noise(seed + 1), "other": noise(seed + 2)})
    later = frame["period"].isin([period.label for period in EIGHT[place:]])
    changed = frame.assign(outcome=frame["outcome"].where(~later, frame["outcome"] * factor))
    after = frame["period"].isin([period.label for period in EIGHT[place + 1 :]])
    changed["mean"] = changed["mean"].where(~after, changed["mean"] * factor)
    (rows, choices), (rows_too, choices_too) = with_choice(frame), with_choice(changed)
    labels = [period.label for period in EIGHT[: place + 1]]
    drop = ["outcome"]
    pd.testing.assert_frame_equal(*(t[t["period"].isin(labels)].drop(columns=drop) for t in (rows, rows_too)))
    pd.testing.assert_frame_equal(*(t[t["period"].isin(labels)] for t in (choices, choices_too)))


def test_every_cutoff_gets_a_chosen_row_with_the_facts_of_its_cutoff():
    frame = table({"deal_model": noise(1), "rule": noise(2)})
    whole, choices = with_choice(frame)
    chosen = whole[whole["method"] == CHOSEN]
    assert len(chosen) == len(choices) == 16
    assert set(chosen["booked"]) == {50.0}
    assert choices["periods"].tolist() == [n for n in range(8) for _ in range(2)]
    assert whole["cutoff"].is_monotonic_increasing
    assert (np.diff(chosen[list(QUANTILE_NAMES)].to_numpy(), axis=1) >= 0).all()
    assert len(QUANTILES) == len(Z)
