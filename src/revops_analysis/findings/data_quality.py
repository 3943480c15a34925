"""Detectors of data problems: what touches open pipeline, what lies in quarantine, mistyped words, drift.

These are counts and no estimates: a missing value is missing, so confidence is 1 and nothing needs a correction for
many comparisons. Whether one owner enters worse data than others would be an estimate, and is not claimed here. The
amounts are those of the deals concerned: no money is lost by a wrong row itself.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.errors import RevopsError
from revops_analysis.findings.building import Judgement, Subject, build
from revops_analysis.findings.finding import Evidence, Finding, Place, Severity
from revops_analysis.findings.registry import Answer, NotAssessed, Question, detector
from revops_analysis.findings.words import money, share

if TYPE_CHECKING:
    from revops_analysis.models.quality_overview import QualityOverview

CHAPTER = "data_quality"

LEAST_SHARE = 0.005
"""Share of the open pipeline's amount that a rule must touch before it is a finding of its own."""

MOST_RULES = 5
MOST_DRIFTS = 3


@detector("data_problem", CHAPTER, facts=("n", "rule", "table", "deals", "amount", "share", "worst_owner", "repair"))
def data_problem(question: Question) -> Answer:
    """A rule whose failing rows belong to open deals of some weight."""
    overview = _overview(question)
    if isinstance(overview, NotAssessed):
        return overview
    touched = overview.quality.touched
    if not touched.open_amount:
        return NotAssessed("no open deal has an amount")
    rows = overview.quality.problems
    rows = rows[rows["amount"].notna() & (rows["deals"].fillna(0) > 0)]
    large = rows[rows["amount"].map(lambda amount: float(amount / touched.open_amount) >= LEAST_SHARE)]
    return [_problem(question, overview, row) for row in large.head(MOST_RULES).to_dict("records")]


def _problem(question: Question, overview: QualityOverview, row: dict[Hashable, Any]) -> Finding:
    part = float(row["amount"] / overview.quality.touched.open_amount)
    worst = overview.quality.offenders
    worst = worst[worst["rule"] == row["rule"]]
    facts = {
        "n": f"{int(row['failed']):,}",
        "rule": row["rule"].partition(".")[2].replace("_", " "),
        "table": row["table"].replace("_", " "),
        "deals": int(row["deals"]),
        "amount": money(row["amount"], question.currency),
        "share": share(part),
        "worst_owner": str(worst["owner"].iloc[0]) if len(worst) else "nobody in particular",
        "repair": str(row["repair"]),
    }
    what = (
        f"{facts['n']} of {int(row['checked']):,} rows of {facts['table']} fail the rule “{facts['rule']}”; they "
        f"belong to {facts['deals']} open deals worth {facts['amount']}, {facts['share']} of the open pipeline."
    )
    severity: Severity = "critical" if row["severity"] == "critical" else "warning"
    # Touched and not lost: the figure is sound only once the rows are.
    judgement = Judgement(severity, 1.0, None, concerned=float(row["amount"]))
    judged = (Evidence(int(row["deals"]), part, "rate"), judgement)
    subject = Subject("data_problem", Place(CHAPTER, "money"), (("rule", row["rule"]),))
    return build(question, subject, what, facts, judged)


@detector("quarantined_deals", CHAPTER, facts=("n", "share", "amount", "returned"))
def quarantined_deals(question: Question) -> Answer:
    """Deals that could not be loaded, and are in no figure."""
    overview = _overview(question)
    if isinstance(overview, NotAssessed):
        return overview
    if not question.snapshot.load_counts:
        return NotAssessed("the load counted no rows")
    own = overview.quality.quarantined
    own = own[own["table"] == "opportunities"]
    if own.empty:
        return []
    row = own.iloc[0]
    done = overview.effect.done
    returned = int(done.loc[done["table"] == "opportunities", "returned"].sum())
    known = pd.notna(row["amount"])
    facts = {
        "n": int(row["quarantined"]),
        "share": share(float(row["share"])),
        "amount": money(row["amount"], question.currency) if known else "an amount that nobody can read",
        "returned": returned,
    }
    what = (
        f"{facts['n']} deals ({facts['share']}) worth {facts['amount']} could not be loaded and are in no figure; "
        f"{returned} of them return with the suggested words."
    )
    judgement = Judgement("warning", 1.0, None, concerned=float(row["amount"]) if known else None)
    judged = (Evidence(int(row["quarantined"]), float(row["share"]), "rate"), judgement)
    return [build(question, Subject("quarantined_deals", Place(CHAPTER, "money")), what, facts, judged)]


@detector("mistyped_words", CHAPTER, facts=("n", "rows", "columns", "example", "moved"))
def mistyped_words(question: Question) -> Answer:
    """Words that look mistyped, so that groups in reports are split."""
    overview = _overview(question)
    if isinstance(overview, NotAssessed):
        return overview
    words = overview.repairs.suggestions
    if words.empty:
        return []
    most = words.sort_values(["rows", "quarantined", "value"], ascending=[False, False, True], kind="stable").iloc[0]
    moved = overview.effect.changed
    facts = {
        "n": len(words),
        "rows": f"{int(words['rows'].sum() + words['quarantined'].sum()):,}",
        "columns": ", ".join(sorted({f"{t}.{c}" for t, c in zip(words["table"], words["column"], strict=True)})),
        "example": f"{most['value']} → {most['replacement']}",
        "moved": len(moved),
    }
    what = (
        f"{facts['n']} words in {facts['rows']} rows look mistyped, as {facts['example']}; repaired, {facts['moved']} "
        "figures by group change."
    )
    judged = (Evidence(int(words["rows"].sum()), float(len(words)), "count"), Judgement("info", 1.0, None))
    return [build(question, Subject("mistyped_words", Place(CHAPTER, "repairs")), what, facts, judged)]


@detector("load_drift", CHAPTER, facts=("table", "what", "before", "after"))
def load_drift(question: Question) -> Answer:
    """What changed between the load before and this one by more than its limit."""
    overview = _overview(question)
    if isinstance(overview, NotAssessed):
        return overview
    drift = overview.drift
    if drift is None:
        return NotAssessed("this is the first load of the source: there is nothing to compare with")
    found = []
    for row in drift.alarms.head(MOST_DRIFTS).to_dict("records"):
        table = str(row["table"]).replace("_", " ")
        facts = {"table": table, "what": row["what"], "before": drift.before, "after": drift.now}
        what = f"Since the load before, {table} changed: {row['what']}."
        evidence = Evidence(int(row["rows_now"]), float(row["change"]), "ratio")
        place = (("table", row["table"]), ("kind", row["kind"]), ("column", row["column"]), ("scope", row["scope"]))
        subject = Subject("load_drift", Place(CHAPTER, "drift"), place)
        found.append(build(question, subject, what, facts, (evidence, Judgement("warning", 1.0, None))))
    return found


def _overview(question: Question) -> QualityOverview | NotAssessed:
    """What the chapter shows, computed once."""
    from revops_analysis.models.quality_overview import quality_overview
    from revops_analysis.workspace import Workspace

    if not isinstance(question.snapshot, Workspace):
        return NotAssessed("the tables are not those of a load")
    try:
        return quality_overview(question.snapshot, question.period)
    except RevopsError as problem:
        return NotAssessed(f"data quality could not be computed: {problem.what}")
