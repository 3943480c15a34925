"""Detector of renewals at risk: what comes up in the next 90 days and is likely to be lost."""

from __future__ import annotations

import pandas as pd

from revops_analysis.findings.building import Judgement, Subject, build
from revops_analysis.findings.finding import MOST, Evidence, Finding, Place, Severity
from revops_analysis.findings.registry import Answer, NotAssessed, Question, detector
from revops_analysis.findings.words import money, share

CHAPTER = "cohort_nrr"
DAYS = 90

LIKELY = 0.5
"""From this chance on a renewal is likely to be lost."""

CRITICAL = 0.15
"""Expected loss, as a share of what comes up, from which on it is critical."""


@detector("renewals_at_risk", CHAPTER, facts=("n", "amount", "days", "largest", "expected", "stake", "rate"))
def renewals_at_risk(question: Question) -> Answer:
    """Renewals due within 90 days that are more likely lost than kept, with what they put at stake.

    Money is the yearly revenue of these renewals, and the confidence their chance of being lost, by revenue: findings
    are ranked by the product, which is the expected loss. Silent where none is that likely; not assessed without terms
    or decided renewals.
    """
    from revops_analysis.models.lifetime.renewal_risk import renewal_risk

    risk = renewal_risk(question.snapshot)
    due = risk.within(DAYS)
    if risk.reason:
        return NotAssessed(risk.reason)
    if len(due) and due["probability"].isna().any():
        return NotAssessed("no renewal was decided yet, so no chance can be given")
    likely = due[due["probability"] >= LIKELY]
    if likely.empty:
        return []
    return [_finding(question, likely, risk.summary[risk.summary["days"] == DAYS].iloc[0])]


def _finding(question: Question, likely: pd.DataFrame, window: pd.Series) -> Finding:
    stake = float(likely["arr"].sum())
    rate = float(window["expected_loss"] / window["arr"])
    largest = likely.iloc[0]
    name = largest["account_name"] if isinstance(largest["account_name"], str) else largest["account_id"]
    facts = {
        "n": len(likely),
        "amount": money(stake, question.currency),
        "days": DAYS,
        "largest": f"{name} ({money(float(largest['arr']), question.currency)})",
        "expected": money(float(window["expected_loss"]), question.currency),
        "stake": money(float(window["arr"]), question.currency),
        "rate": share(rate),
    }
    noun = "renewal is" if len(likely) == 1 else "renewals are"
    what = (
        f"{len(likely)} {noun} more likely lost than kept within {DAYS} days, worth {facts['amount']} a year; of all "
        f"{facts['stake']} that comes up, {facts['expected']} ({facts['rate']}) is expected to be lost."
    )
    low, high = (float(window[side] / window["arr"]) for side in ("low", "high"))
    evidence = Evidence(int(window["renewals"]), rate, "rate", low, high)
    severity: Severity = "critical" if rate >= CRITICAL else "warning"
    confidence = min(MOST, float(likely["expected_loss"].sum()) / stake)
    judged = (evidence, Judgement(severity, confidence, stake))
    return build(question, Subject("renewals_at_risk", Place(CHAPTER, "renewals at risk")), what, facts, judged)
