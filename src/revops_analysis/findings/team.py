"""Detector of the team chapter: quotas that miss the plan. Sellers whose deals stall are found by `seller_pace`."""

from __future__ import annotations

from typing import Any

import pandas as pd

from revops_analysis.findings.building import Judgement, Subject, build, figure
from revops_analysis.findings.finding import Evidence, Finding, Place
from revops_analysis.findings.registry import Answer, NotAssessed, Question, detector
from revops_analysis.findings.words import cut_name, money

CHAPTER = "team_performance"
Cut = tuple[tuple[str, object], ...]


@detector("quota_assignment", CHAPTER, facts=("cut", "period", "coverage", "least", "most", "gap"))
def quota_assignment(question: Question) -> Answer:
    """Quotas that add up to less than the target, or to far more, for the company or a segment."""
    whole = question.metric("quota_coverage")
    if figure(whole).value is None:
        return NotAssessed(str(figure(whole).reason))
    rows: list[tuple[Cut, dict[Any, Any]]] = [((), row) for row in whole.frame.to_dict("records")]
    cut = question.metric("quota_coverage", by=["segment"]).frame
    rows += [((("segment", row["segment"]),), row) for row in cut.to_dict("records") if pd.notna(row["value"])]
    limits = question.snapshot.definitions.sellers
    wrong = [
        (dims, row)
        for dims, row in rows
        if not limits.least_quota_coverage <= row["value"] <= limits.most_quota_coverage
    ]
    return [_say_quota(question, dims, row) for dims, row in wrong]


def _say_quota(question: Question, dims: Cut, row: dict[Any, Any]) -> Finding:
    limits = question.snapshot.definitions.sellers
    where = None if not dims else f"segment = '{str(dims[0][1]).replace(chr(39), chr(39) * 2)}'"
    quota = figure(question.metric("quota", where=where)).value or 0.0
    value, target = float(row["value"]), quota / float(row["value"])
    is_low = value < limits.least_quota_coverage
    nearest = limits.least_quota_coverage if is_low else limits.most_quota_coverage
    gap = abs(nearest * target - quota)
    facts = {
        "cut": cut_name(dict(dims)),
        "period": question.period.label,
        "coverage": f"{value:.2f}",
        "least": f"{limits.least_quota_coverage:.2f}",
        "most": f"{limits.most_quota_coverage:.2f}",
        "gap": money(round(gap), question.currency),
    }
    side = "less than the plan needs" if is_low else "more than anyone expects to be reached"
    what = (
        f"Quotas of {facts['cut']} in {facts['period']} add up to {facts['coverage']} of the target, {side} "
        f"({facts['least']} to {facts['most']}); the difference is {facts['gap']}."
    )
    judged = (Evidence(int(row["n"]), value, "ratio"), Judgement("warning", 1.0, gap if is_low else None))
    return build(question, Subject("quota_assignment", Place(CHAPTER, "quota"), dims), what, facts, judged)
