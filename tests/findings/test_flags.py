"""Deals with warnings: said where the flag was measured, silent where nothing stands, not assessed without a past."""

from __future__ import annotations

from pathlib import Path

from builders import make_snapshot
from models.flagged_company import AS_OF, flagged_company, rows
from revops_analysis.findings.playbook import load_playbook
from revops_analysis.findings.registry import Question, assess
from revops_analysis.models.deal_flags import deal_flags
from revops_analysis.periods import FiscalCalendar, parse_period

PLAYBOOK = load_playbook(Path(__file__).resolve().parents[2] / "params" / "playbook.yml")


def ask(snapshot):
    return assess(Question(snapshot, parse_period("2026-Q3", FiscalCalendar()), PLAYBOOK), "warned_deals")


def test_flagged_deals_are_named_with_what_they_may_cost() -> None:
    snapshot = flagged_company()
    (found,) = ask(snapshot).findings
    assert found.id == "warned_deals:flag=pushed"
    assert float(found.money) == round(deal_flags(snapshot).warned["expected_loss"].sum(), 2) > 0
    assert found.evidence.high < 0
    assert "Pushed again and again" in found.proposed_fix


def test_without_flagged_deals_it_is_silent() -> None:
    tables = rows()
    still_open = {row["opportunity_id"] for row in tables["opportunities"][-50:]}
    for name in tables:
        tables[name] = [row for row in tables[name] if row.get("opportunity_id") not in still_open]
    answer = ask(flagged_company(tables))
    assert answer.findings == ()
    assert len(answer.comparisons)


def test_without_a_past_nothing_is_fine() -> None:
    for tables in ({"opportunities": rows(30)["opportunities"]}, rows(10)):
        answer = ask(make_snapshot(tables, as_of=AS_OF))
        assert answer.reason
