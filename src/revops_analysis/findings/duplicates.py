"""Detectors of duplicates: people, companies and leads that are in the CRM more than once, and the money they touch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from revops_analysis.findings.building import Judgement, Subject, build
from revops_analysis.findings.finding import Evidence, Place, Severity
from revops_analysis.findings.registry import Answer, NotAssessed, Question, detector
from revops_analysis.findings.words import money, share
from revops_analysis.validation.duplicates.effects import OPEN_DEALS
from revops_analysis.validation.duplicates.overview import Duplicates, duplicates_in

if TYPE_CHECKING:
    from revops_analysis.findings.finding import Finding

CHAPTER = "data_quality"

LEAST_SHARE = 0.01
"""Share of the records that must be copies before it is said."""

MUCH = 0.10
"""From this share of copies on it is a warning: every count of people or customers is off by as much."""

_FACTS = ("n", "records", "share", "clusters", "deals", "amount", "review")


@detector("duplicate_contacts", CHAPTER, facts=_FACTS)
def duplicate_contacts(question: Question) -> Answer:
    """People who are in the CRM more than once. The open amount that they touch is concerned, not lost."""
    return _answer(question, "contacts", "people")


@detector("duplicate_accounts", CHAPTER, facts=_FACTS)
def duplicate_accounts(question: Question) -> Answer:
    """Companies that are in the CRM more than once. The open amount that they touch is concerned, not lost."""
    return _answer(question, "accounts", "companies")


def _answer(question: Question, table: str, whom: str) -> Answer:
    if not question.snapshot.has(table):
        return NotAssessed(f"the source has no {table}")
    found = duplicates_in(question.snapshot, table)
    if found.found.records < 2:
        return NotAssessed(f"the source has fewer than two {table}")
    part = found.found.copies / found.found.records
    return [_finding(question, found, whom, part)] if part >= LEAST_SHARE else []


def _finding(question: Question, found: Duplicates, whom: str, part: float) -> Finding:
    touched = found.effects[found.effects["what"] == OPEN_DEALS]
    deals, amount = (0, 0.0) if touched.empty else (int(touched["rows"].iloc[0]), float(touched["amount"].iloc[0]))
    row = found.summary.iloc[0]
    facts = {
        "n": f"{int(row['copies']):,}",
        "records": f"{int(row['records']):,}",
        "share": share(part),
        "clusters": f"{int(row['clusters']):,}",
        "deals": f"{deals:,}",
        "amount": money(amount, question.currency),
        "review": f"{int(row['review']):,}",
    }
    table = found.found.table
    what = (
        f"{facts['n']} of {facts['records']} {table} ({facts['share']}) repeat {whom} that are there already, in "
        f"{facts['clusters']} clusters; they touch {facts['deals']} open deals worth {facts['amount']}."
    )
    severity: Severity = "warning" if part >= MUCH else "info"
    # How sure: the mean probability of the pairs that were put together.
    sure = min(0.999, float(found.found.linked["probability"].astype(float).mean()))
    judged = (Evidence(int(row["records"]), part, "rate"), Judgement(severity, sure, None, concerned=amount))
    return build(question, Subject(f"duplicate_{table}", Place(CHAPTER, "duplicates")), what, facts, judged)
