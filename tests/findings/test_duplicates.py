"""Duplicates as findings: found where they are, silent where there are none, honest where nobody could look."""

from __future__ import annotations

import pytest

from revops_analysis.findings.duplicates import duplicate_accounts, duplicate_contacts
from revops_analysis.findings.playbook import load_playbook
from revops_analysis.findings.registry import NotAssessed, Question
from revops_analysis.periods import FiscalCalendar, parse_period
from validation.duplicates.people import company, contact, crowd


@pytest.fixture
def ask(project_root):
    playbook = load_playbook(project_root / "params" / "playbook.yml")
    return lambda snapshot: Question(snapshot, parse_period("2026-Q3", FiscalCalendar()), playbook)


def test_copies_are_found_with_the_open_deals_that_they_touch(ask) -> None:
    twice = [contact(f"t{n}", "Ann Lee", email="ann.lee@acme.example", account_id="acme") for n in range(3)]
    deals = [
        {"opportunity_id": key, "account_id": "acme", "stage": stage, "amount": 700, "created_at": "2026-01-05"}
        for key, stage in (("o1", "Proposal"), ("o2", "Closed Lost"))
    ]
    links = [{"opportunity_id": key, "contact_id": "t1"} for key in ("o1", "o2")]
    made = company(contacts=[*crowd(60), *twice], opportunities=deals, opportunity_contacts=links)
    (found,) = duplicate_contacts(ask(made))
    assert "2 of 63 contacts (3.2%)" in found.what
    assert "1 open deals worth 700 USD" in found.what
    assert found.money is None, "touched is not lost"
    assert found.concerned == 700
    assert (found.severity, found.place.section) == ("info", "duplicates")
    assert 0.95 <= found.confidence < 1
    assert "{" not in found.proposed_fix and "the 1 clusters" in found.proposed_fix


def test_without_copies_nothing_is_found_and_without_records_nobody_says_so(ask) -> None:
    assert duplicate_contacts(ask(company(contacts=crowd(60)))) == []
    assert isinstance(duplicate_accounts(ask(company(contacts=[]))), NotAssessed)
    assert isinstance(duplicate_contacts(ask(company(contacts=[]))), NotAssessed)
