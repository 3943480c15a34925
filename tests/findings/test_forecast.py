"""Detectors of the forecast: the gap to the target, dates that have passed, and deals the CRM is too sure of."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from builders import make_snapshot
from findings.test_detectors import PERIOD, deals
from models.evidence_cases import Deal, make_evidence, quarters
from plots.forecasts import make_forecast
from revops_analysis.errors import DataRefusedError
from revops_analysis.findings import forecast as detectors
from revops_analysis.findings.playbook import load_playbook
from revops_analysis.findings.registry import NotAssessed, Question
from revops_analysis.models import known_forecast as known
from revops_analysis.models.cutoffs import week_ends


@pytest.fixture
def question(project_root):
    playbook = load_playbook(project_root / "params" / "playbook.yml")
    return Question(make_snapshot({"opportunities": deals(1)}), PERIOD, playbook)


@pytest.fixture
def told(monkeypatch):
    def tell(**changes):
        monkeypatch.setattr(detectors, "_forecast", lambda question: make_forecast(**changes))

    return tell


def test_a_forecast_below_target_costs_the_gap(question, told):
    told()
    (found,) = detectors.forecast_below_target(question)
    assert found.money == Decimal("100.00")
    assert found.severity == "critical"
    assert found.id == "forecast_below_target:period=2026-Q4"
    assert "forecast at 1,000 USD, 100 USD below the target of 1,100 USD" in found.what
    chance = np.mean(make_forecast().draws >= 1100)
    assert found.confidence == pytest.approx(1 - chance, abs=1e-4)
    assert (found.evidence.low, found.evidence.effect, found.evidence.high) == (-300, -100, 100)
    told(target=1010.0)
    assert detectors.forecast_below_target(question)[0].severity == "warning"


def test_a_target_that_is_likely_to_be_reached_is_no_problem(question, told):
    told(target=900.0)
    assert detectors.forecast_below_target(question) == []
    # A mean below the target with an even chance is none either: a few large deals pull the draws up.
    told(target=1001.0, draws=np.array([900.0, 1200.0]))
    assert detectors.forecast_below_target(question) == []


def test_without_target_or_range_nothing_is_said_to_be_fine(question, told):
    told(target=None)
    assert "no bookings target" in detectors.forecast_below_target(question).reason
    told(draws=np.zeros(0))
    assert "no range" in detectors.forecast_below_target(question).reason


def test_what_rests_on_passed_dates_is_counted(question, told):
    told()
    (found,) = detectors.forecast_on_past_dates(question)
    assert (found.money, found.evidence.n, found.evidence.effect) == (Decimal("160.00"), 1, 0.16)
    told(deals=make_forecast().deals.assign(close_date="2026-12-01").astype({"close_date": "datetime64[ns]"}))
    assert detectors.forecast_on_past_dates(question) == []
    told(deals=make_forecast().deals.head(0))
    assert isinstance(detectors.forecast_on_past_dates(question), NotAssessed)


def in_stages(new, old=20, since=5, quarter=6):
    """Evidence of nine quarters in which deals stand in Legal since one of them, and in Proposal always."""
    nine = quarters(9)
    made = [Deal(f"o{n}", nine[0].start, None) for n in range(old)]
    made += [Deal(f"n{n}", nine[since].start, None, stage="Legal") for n in range(new)]
    cutoff = week_ends(nine[quarter], (4,))[0]
    return {"evidence": make_evidence(made, nine, nine[8].end).known_at(cutoff.day), "cutoff": cutoff}


def test_deals_in_stages_without_a_past_are_a_problem(question, told):
    told(**in_stages(new=5))
    (found,) = detectors.forecast_on_new_stages(question)
    assert found.what == (
        "5 of 25 open deals, 500 USD, stand in Legal, which hardly any past period had: past win rates say less than "
        "usual about 2024-Q3."
    )
    assert (found.money, found.concerned, found.severity) == (None, Decimal("500.00"), "warning")
    assert (found.evidence.n, found.evidence.effect) == (5, 0.2)
    assert "Where Legal only has a new name" in found.proposed_fix
    for few in (in_stages(new=2), in_stages(new=3, old=200), in_stages(new=5, since=2)):
        told(**few)
        assert detectors.forecast_on_new_stages(question) == []


def test_without_a_past_no_stage_is_said_to_be_known(question, told):
    told(**in_stages(new=5, since=0, quarter=0))
    assert "no past period" in detectors.forecast_on_new_stages(question).reason


def test_only_large_deals_expected_in_the_period_are_overrated(question, told):
    told()
    (found,) = detectors.crm_too_sure(question)
    # Deal a alone: b is not far apart and overdue, c is expected after the period.
    assert (found.evidence.n, found.money) == (1, Decimal("300.00"))
    assert "540 USD" in found.what
    assert "240 USD" in found.what
    told(deals=make_forecast().deals.assign(value=1.0))
    assert detectors.crm_too_sure(question) == []
    told(deals=make_forecast().deals.assign(crm_probability=np.nan))
    assert "no probability" in detectors.crm_too_sure(question).reason
    told(fitted=None)
    assert "too little history" in detectors.crm_too_sure(question).reason


def test_a_snapshot_without_project_cannot_be_forecast(question):
    answer = detectors.forecast_below_target(question)
    assert isinstance(answer, NotAssessed)
    assert "workspace" in answer.reason


class Anything:
    """A workspace as far as the memory of forecasts is concerned."""


def test_a_forecast_is_made_once_a_workspace_and_period(monkeypatch):
    calls = []
    period = make_forecast().cutoff.period
    monkeypatch.setattr(known, "forecast_period", lambda workspace, asked: period)
    monkeypatch.setattr(known, "forecast_bookings", lambda *given, **more: calls.append(given) or make_forecast())
    first, second = Anything(), Anything()
    assert known.known_forecast(first, "2026-Q4") is known.known_forecast(first)
    known.known_forecast(second)
    assert len(calls) == 2


def test_a_refusal_is_not_kept(monkeypatch):
    def refuse(*_given, **_more):
        raise DataRefusedError("An open deal has a negative amount.")

    monkeypatch.setattr(known, "forecast_period", lambda workspace, asked: make_forecast().cutoff.period)
    monkeypatch.setattr(known, "forecast_bookings", refuse)
    workspace = Anything()
    for _ in range(2):
        with pytest.raises(DataRefusedError):
            known.known_forecast(workspace)
