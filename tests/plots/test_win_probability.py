"""Figures of the win probability: what stands on them, and that titles say what the figures show."""

from __future__ import annotations

import pytest

from models.evidence_cases import quarters
from models.win_states import win_evidence
from plots.test_forecast import legend, said
from plots.test_pipeline import assert_nothing_cut_off, labels, written
from revops_analysis.models.win_probability import WinModelOptions
from revops_analysis.models.win_report import report_on
from revops_analysis.models.win_trial import TrialOptions
from revops_analysis.plots import win_probability as draw

FAST = TrialOptions(test_periods=1, repeats=2, win=WinModelOptions(trees=20, minimum_wins=40))
ALL = (draw.plot_calibration, draw.plot_spread, draw.plot_importance, draw.plot_scores)


@pytest.fixture(scope="module")
def report():
    return report_on(win_evidence(6), quarters(7)[-1], FAST)


@pytest.fixture(scope="module")
def untested():
    return report_on(win_evidence(1), quarters(7)[-1], FAST)


@pytest.mark.parametrize("plot", ALL)
def test_nothing_is_cut_off_and_too_little_history_is_said(plot, report, untested):
    assert_nothing_cut_off(plot(report))
    assert " ".join(written(plot(untested))).replace("\n", " ") == untested.trial.reason


def test_calibration_shows_ours_and_the_crms_on_equal_axes(report):
    figure = draw.plot_calibration(report)
    axes = figure.axes[0]
    assert axes.get_xlim() == axes.get_ylim() == (0, 1)
    assert legend(figure) == ["means what it says", "CRM", "our model, 95% interval"]
    assert said(figure).startswith("Our probabilities are ")
    assert ", those in the CRM " in said(figure)


def test_the_spread_says_how_well_deals_are_told_apart(report):
    figure = draw.plot_spread(report)
    auc = report.scores.set_index("method").loc["model", "roc_auc"]
    assert said(figure).startswith(f"In {auc:.0%} of pairs")
    assert [axes.get_title(loc="left").split(",")[0] for axes in figure.axes] == ["won", "not won"]


def test_importance_is_in_order_and_names_the_first_two(report):
    figure = draw.plot_importance(report)
    titles = report.trial.importance["title"]
    assert labels(figure) == list(titles)
    assert said(figure).lower() == f"the probability rests most on {titles[0]}, then on {titles[1]}".lower()


def test_scores_are_compared_with_the_next_best(report):
    scores = report.scores.set_index("method")["brier"]
    figure = draw.plot_scores(report)
    assert written(figure) == [f"{value:.4f}" for value in scores]
    gain = 1 - scores["model"] / scores.drop("model").min()
    assert said(figure).startswith(f"Our squared error is {abs(gain):.0%} {'smaller' if gain >= 0 else 'larger'} than")
