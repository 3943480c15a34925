"""A question's words lead to metrics and detectors."""

from __future__ import annotations

from dataclasses import replace

import pytest

import revops_analysis.workspace  # noqa: F401 - with it, attribution's metrics are known
from revops_analysis.findings.finding import Evidence, Finding, Place
from revops_analysis.findings.matching import detectors_about, named_first
from revops_analysis.metrics.matching import metrics_about


@pytest.mark.parametrize(
    ("question", "metric", "detectors"),
    [
        ("Why did enterprise win rate fall in Q3?", "win_rate", ["win_rate_drop"]),
        ("Why did the win rate of enterprise deals drop?", "win_rate", ["win_rate_drop"]),
        ("Why did our deal size drop?", "average_deal_size", ["deal_size_drop"]),
        ("Which cohorts keep their revenue: net retention by cohort?", "cohort_nrr",
         ["implausible_retention", "nrr_decline", "worsening_cohort"]),
        ("Marketing sourced 60% of the pipeline, says marketing?", "sourced_share", ["sourcing_disputed"]),
        ("Which deals are stalled?", "stalled_deals", ["stalled_deals"]),
        ("How many customers churned?", "logo_retention",
         ["grr_decline", "implausible_retention", "nrr_decline"]),
        ("Why are leads not answered?", "leads_unanswered", ["slow_response"]),
        ("Which stage slowed?", "stage_duration_days", ["stage_slowed"]),
        ("Why is the forecast so low?", "expected_bookings",
         ["forecast_below_target", "forecast_on_new_stages", "forecast_on_past_dates"]),
        ("Which renewals are at risk?", "open_renewals", ["renewals_at_risk"]),
        ("Which sellers are behind their quota?", "attainment", ["quota_assignment"]),
        ("How long is our sales cycle?", "sales_cycle_days", ["cycle_longer"]),
    ],
)  # fmt: skip
def test_a_question_finds_what_it_is_about_and_nothing_else(question: str, metric: str, detectors: list[str]) -> None:
    assert metric in [found.name for found in metrics_about(question)]
    assert detectors_about(question) == detectors


def test_words_that_are_spelt_nearly_right_and_the_likeliest_first() -> None:
    assert detectors_about("What is our pipline coverge?")[0] == "coverage_below_required"
    assert [found.name for found in metrics_about("Why did enterprise win rate fall in Q3?")] == [
        "win_rate",
        "cohort_win_rate",
        "win_rate_amount",
    ]
    assert metrics_about("Marketing says 60%, sales says 20%: who is right?")[0].name == "sourced_share"


@pytest.mark.parametrize("question", ["Xyzzy?", "Why the drop?", "What is below, and what do we need?"])
def test_a_question_about_nothing_in_particular_gets_the_usual_metrics_and_no_detector(question: str) -> None:
    assert [found.name for found in metrics_about(question)] == ["bookings", "open_pipeline", "win_rate", "nrr"]
    assert detectors_about(question) == []


def test_findings_of_the_segment_asked_about_come_first_and_else_their_order_stays() -> None:
    one = Finding(
        "win_rate_drop", "w", Evidence(9, None, "rate"), None, None, 0.9, "warning", "o", "f", Place("p", "s")
    )
    cuts = ("segment=SMB", "type=new:segment=Enterprise", "segment=Mid-Market", "segment=Enterprise")
    found = [one, *(replace(one, id=f"win_rate_drop:{cut}") for cut in cuts)]
    shown = [finding.id for finding in named_first(found, "Why did enterprise win rate fall in Q3?")]
    assert shown == [found[place].id for place in (2, 4, 0, 1, 3)]
    assert named_first(found, "Why did win rates fall?") == found
