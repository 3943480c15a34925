"""A question's words lead to metrics and detectors."""

from __future__ import annotations

import pytest

import revops_analysis.workspace  # noqa: F401 - with it, attribution's metrics are known
from revops_analysis.findings.matching import detectors_about
from revops_analysis.metrics.matching import metrics_about


@pytest.mark.parametrize(
    ("question", "metric", "detector"),
    [
        ("Why did enterprise win rate fall in Q3?", "win_rate", "win_rate_drop"),
        ("Which cohorts keep their revenue: net retention by cohort?", "cohort_nrr", "worsening_cohort"),
        ("Marketing sourced 60% of the pipeline, says marketing?", "sourced_share", "sourcing_disputed"),
        ("Which deals are stalled?", "stalled_deals", "stalled_deals"),
        ("What is our pipline coverge?", "coverage", "coverage_below_required"),
        ("How many customers churned?", "logo_retention", "implausible_retention"),
        ("Why are leads not answered?", "leads_unanswered", "slow_response"),
    ],
)
def test_a_question_finds_what_it_is_about(question: str, metric: str, detector: str) -> None:
    from revops_analysis.findings.playbook import load_playbook
    from revops_analysis.project import find_project

    plays = load_playbook(find_project().playbook_file).plays
    assert metric in [found.name for found in metrics_about(question, 12)]
    assert detector in detectors_about(question, {name: play.fix for name, play in plays.items()})


def test_a_question_about_nothing_known_gets_the_usual_metrics_and_no_detector() -> None:
    assert [found.name for found in metrics_about("Xyzzy?")] == ["bookings", "open_pipeline", "win_rate", "nrr"]
    assert detectors_about("Xyzzy?") == []
