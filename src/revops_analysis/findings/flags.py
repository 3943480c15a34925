"""Detector of open deals in danger: those with a flag that went with fewer wins in this company's past."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from revops_analysis.findings.building import MOST, Judgement, Subject, build
from revops_analysis.findings.finding import Evidence, Finding, Place
from revops_analysis.findings.registry import Answer, NotAssessed, Question, detector
from revops_analysis.findings.words import money
from revops_analysis.tables.notes import counted

if TYPE_CHECKING:
    from revops_analysis.models.deal_flags import DealFlags

CHAPTER = "deal_warnings"


@detector("warned_deals", CHAPTER, facts=("flag", "deals", "amount", "loss", "points", "horizon", "largest", "owner"))
def warned_deals(question: Question) -> Answer:
    """Open deals by the strongest flag each has, for flags whose effect was measured: a finding a flag."""
    from revops_analysis.models.deal_flags import LOWERS, deal_flags

    if not question.snapshot.has_history:
        return NotAssessed("the source has no opportunity_history, so past states of deals are not known")
    found = deal_flags(question.snapshot)
    if found.reason or found.flags["effect"].isna().all():
        return NotAssessed(found.reason or "too few past deals to measure what any flag goes with")
    rows = found.flags[found.flags["verdict"] == LOWERS]
    return [
        _finding(question, found, row) for row in rows.to_dict("records") if (found.deals["worst"] == row["flag"]).any()
    ]


def _finding(question: Question, found: DealFlags, row: dict[Any, Any]) -> Finding:
    deals = found.deals[found.deals["worst"] == row["flag"]]
    amount, loss = float(deals["amount"].sum()), float(deals["expected_loss"].sum())
    by_owner = deals.groupby("owner_name")["expected_loss"].sum().sort_values(ascending=False, kind="stable")
    facts = {
        "flag": row["title"],
        "deals": counted(len(deals), "open deal", "open deals"),
        "amount": money(round(amount), question.currency),
        "loss": money(round(loss), question.currency),
        "points": f"{-row['effect'] * 100:.0f} points",
        "horizon": found.horizon_days,
        "largest": money(round(float(deals["amount"].max())), question.currency) if amount else "no amount",
        "owner": by_owner.index[0] if len(by_owner) else "nobody",
    }
    what = (
        f"{facts['deals']} worth {facts['amount']} flagged “{row['title']}”; such deals were won within "
        f"{found.horizon_days} days {facts['points']} less often than others of their stage and age, which is "
        f"{facts['loss']}."
    )
    evidence = Evidence(
        int(row["past_deals"]), row["effect"], "rate", row["low"], row["high"], float(row["p_adjusted"])
    )
    judged = (evidence, Judgement("warning", min(MOST, 1 - float(row["p_adjusted"])), loss))
    subject = Subject("warned_deals", Place(CHAPTER, "deals"), (("flag", row["flag"]),))
    return build(question, subject, what, facts, judged)
