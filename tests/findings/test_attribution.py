"""Detectors of attribution: programmes below their cost, disputes, touches without channel."""

from __future__ import annotations

import pytest

from attribution.overview_cases import company
from builders import make_definitions
from revops_analysis.findings.attribution import sourcing_disputed, touches_without_channel
from revops_analysis.findings.playbook import load_playbook
from revops_analysis.findings.registry import NotAssessed, Question, assess
from revops_analysis.periods import parse_period

PERIOD = parse_period("2026-Q3", make_definitions().fiscal_calendar)


@pytest.fixture(scope="module")
def ask(project_root):
    playbook = load_playbook(project_root / "params" / "playbook.yml")
    return lambda **given: Question(company(**given), PERIOD, playbook)


@pytest.fixture(scope="module")
def question(ask):
    return ask()


def test_a_programme_that_no_model_covers_is_named_with_the_part_that_is_open(question):
    answer = assess(question, "programme_below_cost")
    (found,) = answer.findings
    assert found.id == "programme_below_cost:channel=Event"
    assert found.what.startswith(
        "Event cost 60,000 USD in the year to 2026-09-30, and no model credits it with more than"
    )
    assert 50_000 < found.money < 60_000
    assert found.evidence.p_adjusted <= 0.05
    assert found.evidence.among == len(answer.comparisons) >= 1
    assert 0.5 < found.confidence <= 0.999
    assert "half of the regions" in found.proposed_fix


def test_disputed_pipeline_has_a_share_and_no_loss(question):
    (found,) = sourcing_disputed(question)
    assert found.money is None
    # Marketing claims the deals with an email or event before creation; sales names those whose source is marketing's:
    # four deals have an event touch and the source Outbound, four no marketing touch and the source Event.
    assert found.evidence.n == 8
    assert "the official figure for marketing is" in found.what


def test_credit_of_nobody_is_named_only_where_it_matters(question):
    # Touches without channel are on lost deals only, so none of the year's bookings is theirs.
    assert touches_without_channel(question) == []


def test_without_spend_or_touches_nothing_is_called_fine(ask):
    assert "spend" in assess(ask(spend=False), "programme_below_cost").reason
    untouched = ask(touched=False)
    assert isinstance(touches_without_channel(untouched), NotAssessed)
