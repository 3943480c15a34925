"""The report on the win probability: split by time, scored beside plain rules, and honest where history is short."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models.evidence_cases import quarters
from models.win_states import win_evidence, win_states
from revops_analysis.models.features import GROUPS
from revops_analysis.models.win_probability import WinModelOptions
from revops_analysis.models.win_report import NO_CRM, report_on
from revops_analysis.models.win_trial import GROUP_TITLES, METHODS, TrialOptions, try_win_probability
from revops_analysis.reporting.key_figures import collect_rows

FAST = TrialOptions(test_periods=2, repeats=2, win=WinModelOptions(trees=40, minimum_wins=40))


@pytest.fixture(scope="module")
def report():
    return report_on(win_evidence(7), quarters(8)[-1], FAST)


def test_each_test_period_is_answered_from_earlier_periods_only():
    states = win_states(7)
    trial = try_win_probability(states, FAST)
    last = states["period"].iloc[-1]
    assert trial.splits["period"].tolist() == list(states["period"].unique()[-2:])
    assert trial.splits["trained_on"].tolist() == [5, 6]
    # Turning round what became of the last period changes its scores, and no answer.
    turned = states.assign(won=states["won"].where(states["period"] != last, 1 - states["won"]))
    again = try_win_probability(turned, FAST)
    pd.testing.assert_frame_equal(again.rows.drop(columns="won"), trial.rows.drop(columns="won"))
    # What became of the period before it does change its answers.
    earlier = states["period"].unique()[-2]
    other = try_win_probability(states.assign(won=states["won"].where(states["period"] != earlier, 0.0)), FAST)
    is_last = trial.rows["period"] == last
    assert not np.allclose(other.rows.loc[is_last, "model"], trial.rows.loc[is_last, "model"])


def test_every_method_is_scored_on_the_same_rows(report):
    scores = report.scores.set_index("method")
    assert list(scores.index) == list(METHODS)
    assert set(scores["n"]) == {len(report.trial.rows)}
    rows = report.trial.rows
    assert scores.loc["model", "brier"] == pytest.approx(((rows["model"] - rows["won"]) ** 2).mean())
    assert scores.loc["crm", "brier"] == pytest.approx(((rows["crm"] - rows["won"]) ** 2).mean())
    assert scores.loc["model", "brier"] < scores.loc["stage_rate", "brier"] < scores.loc["base_rate", "brier"]
    gain = scores.loc["base_rate"]
    assert gain["gain"] == pytest.approx(gain["brier"] - scores.loc["model", "brier"])
    assert 0 < gain["gain_low"] < gain["gain"] < gain["gain_high"]
    assert scores["reason"].isna().all()


def test_a_deal_weighs_the_same_however_long_it_was_open():
    evidence = win_evidence(6)
    last = evidence.states["period"] == evidence.states["period"].iloc[-1]
    often = pd.concat(
        [evidence.states, *[_later(evidence.states[last & _easy(evidence.states)], day) for day in (1, 2)]]
    )
    options = replace(FAST, test_periods=1)
    plain, heavy = (
        report_on(replace(evidence, states=states), quarters(7)[-1], options).scores.set_index("method")
        for states in (evidence.states, often)
    )
    assert plain.loc["base_rate", "brier_by_deal"] == pytest.approx(heavy.loc["base_rate", "brier_by_deal"])
    assert plain.loc["base_rate", "brier"] != pytest.approx(heavy.loc["base_rate", "brier"])


def _easy(states):
    return (states["stage"] == "Discovery") & (states["won"] == 0)


def _later(states, day):
    return states.assign(cutoff=states["cutoff"] + pd.Timedelta(days=day))


def test_what_makes_deals_win_matters_and_what_does_not_does_not(report):
    loss = report.trial.importance.set_index("group")["loss"]
    assert set(loss.index) == set(GROUPS) == set(GROUP_TITLES)
    assert {"activity", "stage"} == set(loss.index[:2])
    assert loss["activity"] > 10 * abs(loss["source"])
    assert loss["contacts"] == 0


def test_errors_are_told_apart_by_segment_stage_and_weeks_left(report):
    errors = report.errors
    assert set(errors["cut"]) == {"segment", "stage", "weeks left", "deal"}
    for _, part in errors.groupby("cut"):
        assert part["n"].sum() == len(report.trial.rows)
    assert errors.loc[errors["cut"] == "weeks left", "group"].tolist() == ["1 to 4 weeks", "9 weeks or more"]
    assert errors["gap"].to_numpy() == pytest.approx((errors["expected"] - errors["won"]).to_numpy())
    assert set(errors.loc[errors["cut"] == "deal", "group"]) == {"not in the training rows"}


def test_spread_and_curve_hold_every_row(report):
    assert report.spread["n"].sum() == len(report.trial.rows)
    assert report.spread.groupby("outcome")["share"].sum().to_numpy() == pytest.approx([1, 1])
    assert report.curve["n"].sum() == report.crm_curve["n"].sum() == len(report.trial.rows)


def test_a_crm_without_probabilities_is_left_out_with_a_reason():
    evidence = win_evidence(6)
    states = evidence.states.assign(crm_probability=np.nan)
    report = report_on(replace(evidence, states=states), quarters(7)[-1], FAST)
    scores = report.scores.set_index("method")
    assert scores.loc["crm", "reason"] == NO_CRM
    assert scores.loc["model", "n"] == len(report.trial.rows)
    assert report.crm_curve.empty
    collect_rows(report.figures)


@pytest.mark.parametrize("periods", [0, 1, 4])
def test_too_little_history_says_how_much_is_needed(periods):
    report = report_on(win_evidence(periods), quarters(8)[-1], FAST)
    assert report.trial.reason == (
        f"A test needs 5 periods that are over, 4 to learn from and one to be asked about; the history has {periods}."
    )
    assert report.scores["brier"].isna().all()
    assert set(report.scores["reason"]) == {report.trial.reason}
    assert report.errors.empty
    assert report.curve.empty
    assert report.card.set_index("aspect").loc["Test", "text"] == report.trial.reason
    collect_rows(report.figures)


def test_too_few_wins_are_answered_by_stage_rates_and_the_card_says_so():
    report = report_on(win_evidence(6), quarters(7)[-1], replace(FAST, win=WinModelOptions(minimum_wins=10_000)))
    scores = report.scores.set_index("method")
    assert scores.loc["model", "brier"] == scores.loc["stage_rate", "brier"]
    assert report.trial.importance.empty
    assert "win rates by stage answered" in report.card.set_index("aspect").loc["Test", "text"]


def test_the_same_seed_gives_the_same_digits(report):
    again = report_on(win_evidence(7), quarters(8)[-1], FAST)
    pd.testing.assert_frame_equal(again.scores, report.scores)
    pd.testing.assert_frame_equal(again.trial.importance, report.trial.importance)


def test_the_card_says_what_is_not_used_and_what_it_cannot_do(report):
    card = report.card.set_index("aspect")["text"]
    assert {"Purpose", "Data", "Features", "Not used", "Training", "Calibration", "Test", "Limits"} == set(card.index)
    assert "owners' identity" in card["Not used"]
    assert f"{len(report.trial.rows):,} weekly states" in card["Test"]
