"""Detector of open deals in danger: those with a flag that went with fewer wins in this company's past."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from revops_analysis.findings.building import Judgement, Subject, build
from revops_analysis.findings.comparison import Comparisons, Row, dims_of
from revops_analysis.findings.finding import Finding, Place
from revops_analysis.findings.registry import Answer, NotAssessed, Question, detector
from revops_analysis.findings.words import money
from revops_analysis.tables.notes import counted

if TYPE_CHECKING:
    from revops_analysis.models.deal_flags import DealFlags

CHAPTER = "deal_warnings"


@detector(
    "warned_deals",
    CHAPTER,
    facts=("flag", "deals", "amount", "loss", "points", "horizon", "largest", "owner"),
    budget=1,
)
def warned_deals(question: Question) -> Answer:
    """Open deals by the strongest flag each has, for flags that went with fewer wins in the past."""
    from revops_analysis.models.deal_flags import deal_flags

    if not question.snapshot.has_history:
        return NotAssessed("the source has no opportunity_history, so past states of deals are not known")
    found = deal_flags(question.snapshot)
    rows = found.flags[found.flags["p_value"].notna()].reset_index(drop=True)
    if found.reason or rows.empty:
        return NotAssessed(found.reason or "too few past deals to measure what any flag goes with")
    sums = found.deals.groupby("worst")[["expected_loss"]].sum()["expected_loss"]
    money_of = rows["flag"].map(sums).astype(float)
    half = rows["p_value"] / 2
    frame = rows.assign(
        dims=dims_of(["flag"] * len(rows), rows["flag"]),
        n=rows["past_deals"].astype(int),
        p_value=half.where(rows["effect"] < 0, 1 - half),
        money=money_of.where(money_of > 0),
        is_reported=rows["flag"].isin(sums.index),  # a flag that no open deal has is no problem of today's
    )
    return Comparisons(frame, "rate", partial(_say, found))


def _say(found: DealFlags, question: Question, row: Row) -> Finding:
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
    judged = (row["evidence"], Judgement("warning", row["confidence"], loss))
    return build(question, Subject("warned_deals", Place(CHAPTER, "deals"), row["dims"]), what, facts, judged)
