"""Findings and figures of data quality on a soiled company, and on one with nothing wrong."""

from __future__ import annotations

import pytest

from revops_analysis.findings.finding import Detection
from revops_analysis.findings.playbook import load_playbook
from revops_analysis.findings.registry import detect
from revops_analysis.models.quality_overview import QualityOverview, quality_overview
from revops_analysis.plots import data_quality as draw
from revops_analysis.workspace import Workspace

DETECTORS = ("data_problem", "quarantined_deals", "mistyped_words", "load_drift")
"""Those of the chapter but for duplicates, which have tests of their own and cost most."""


@pytest.fixture(scope="module")
def overview(very_dirty: Workspace) -> QualityOverview:
    return quality_overview(very_dirty, "2026-Q3")


@pytest.fixture(scope="module")
def detection(very_dirty: Workspace, overview: QualityOverview) -> Detection:
    playbook = load_playbook(very_dirty.project.playbook_file)
    return detect(very_dirty, overview.period, playbook, names=DETECTORS)


def test_each_problem_names_rule_money_and_who_repairs_it(detection: Detection, overview: QualityOverview) -> None:
    found = {finding.id: finding for finding in detection.findings}
    rules = overview.quality.rules.set_index("rule")
    problems = [finding for name, finding in found.items() if name.startswith("data_problem:")]
    assert problems
    for finding in problems:
        row = rules.loc[finding.id.partition("rule=")[2]]
        assert finding.money is None, "touched is not lost"
        assert finding.concerned == row["amount"]
        assert f"{int(row['failed']):,} of {int(row['checked']):,} rows" in finding.what
        assert row["repair"] in finding.proposed_fix
        assert finding.confidence == 1.0, "counted, not estimated"
    assert "quarantined_deals" in found
    assert "mistyped_words" in found
    assert found["mistyped_words"].severity == "info"


def test_a_first_load_is_not_called_steady(detection: Detection, overview: QualityOverview) -> None:
    assert overview.drift is None
    reasons = detection.not_assessed.set_index("detector")["reason"]
    assert "nothing to compare with" in reasons["load_drift"]


def test_figures_are_drawn_with_their_finding(overview: QualityOverview) -> None:
    for name in ("scores", "money", "trend", "effect"):
        made, title = getattr(draw, f"plot_{name}")(overview), getattr(draw, f"{name}_title")(overview)
        assert len(title) > 20
        assert made.get_suptitle().replace("\n", " ") == title


def test_key_figures_say_what_they_rest_on(overview: QualityOverview) -> None:
    rows = {frame["metric"].iloc[0]: frame.iloc[0] for frame in overview.headline}
    assert rows["data_quality_score"]["n"] == overview.quality.checks["checked"].sum()
    assert rows["pipeline_touched"]["value"] == overview.quality.touched.amount
    assert rows["rules_with_problems"]["value"] == len(overview.quality.problems)
