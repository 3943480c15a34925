"""Renewals at risk: found where they are likely lost, silent where not, and not assessed where nothing is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.lifetime.subscribers import annual_terms, company, subscribers, term
from revops_analysis.findings.playbook import load_playbook
from revops_analysis.findings.registry import NotAssessed, Question
from revops_analysis.findings.renewals import renewals_at_risk
from revops_analysis.periods import FiscalCalendar, parse_period

PERIOD = parse_period("2025-Q4", FiscalCalendar())


def ask(snapshot):
    return renewals_at_risk(
        Question(snapshot, PERIOD, load_playbook(Path(__file__).resolve().parents[2] / "params" / "playbook.yml"))
    )


def test_those_that_gave_notice_are_named_with_what_they_put_at_stake() -> None:
    rows = annual_terms(300, 1)
    due = [row for row in rows if "2026-01-01" <= row["ended_on"] <= "2026-02-28"][:3]
    for row in due:
        row["cancelled_at"] = "2025-12-20"
    (found,) = ask(subscribers(rows))
    assert found.id == "renewals_at_risk"
    assert float(found.money) >= 12 * sum(row["mrr"] for row in due) - 0.01
    assert 0.8 < found.confidence <= 0.999
    assert "Customer" in found.proposed_fix
    assert "expected to be lost" in found.what


def test_without_likely_losses_it_is_silent() -> None:
    rows = [{**row, "cancelled_at": None} for row in annual_terms(120, 2)]
    assert ask(subscribers(rows, "2025-06-30")) == []


@pytest.mark.parametrize(
    ("terms", "reason"),
    [([], "no subscription terms"), ([term("a", "2025-02-01", "2026-01-31", 10)], "no renewal was decided yet")],
)
def test_what_is_not_known_is_not_fine(terms, reason) -> None:
    answer = ask(company(terms, "2025-12-31"))
    assert isinstance(answer, NotAssessed)
    assert reason in answer.reason
