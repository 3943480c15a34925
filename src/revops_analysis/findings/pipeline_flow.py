"""Detectors of how deals flow: dates that slip, too little new pipeline, and the stage that holds most back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from revops_analysis.findings.building import Judgement, Subject, build
from revops_analysis.findings.comparison import Comparisons, Row
from revops_analysis.findings.finding import MOST, Evidence, Finding, Place
from revops_analysis.findings.registry import Answer, NotAssessed, Question, detector
from revops_analysis.findings.words import cut_name, money, share
from revops_analysis.metrics.coverage import period_ahead
from revops_analysis.periods import year_to

if TYPE_CHECKING:
    from revops_analysis.metrics.dealflow.slippage import Slippage

HEALTH, DETAIL = "pipeline_health", "pipeline_detail"

LATER_MONTHS = 3
"""The company's last so many months are compared with those of the year before them."""

MINIMUM_DEALS = 10
"""A seller with fewer deals expected in the year is not compared."""


@detector("slippage", DETAIL, facts=("cut", "rate", "others", "whom", "amount", "excess"), budget=1)
def slippage_above_others(question: Question) -> Answer:
    """More of the deals expected in a month slip: in the last months than before, or of one seller than of others."""
    from revops_analysis.metrics.dealflow.book import deal_book
    from revops_analysis.metrics.dealflow.slippage import slippage

    if not question.snapshot.has("opportunity_history"):
        return NotAssessed("the source has no opportunity_history table")
    book = deal_book(question.snapshot, period_ahead(question.snapshot, question.period))
    found = slippage(book)
    if found.promises.empty:
        return NotAssessed("no deal is known to have been expected in a past month")
    return Comparisons(compare_slippage(found, book.owner_names), "rate", _slips)


def compare_slippage(found: Slippage, names: Mapping[Any, Any]) -> pd.DataFrame:
    """A row the company (last months against earlier ones) and a seller (against all others), as `Comparisons` wants.

    A deal's promises hang together, so shares of promises count as if they rested on as many cases as there are deals.
    """
    from revops_analysis.statistics.proportions import compare_proportions

    promises = found.promises
    months = sorted(promises["month"].unique())
    sides: list[tuple[tuple[tuple[str, object], ...], pd.Series]] = []
    if len(months) > LATER_MONTHS:
        sides.append(((), promises["month"].isin(months[-LATER_MONTHS:])))
    for owner, group in promises.groupby("owner_id", sort=True):
        if group["opportunity_id"].nunique() >= MINIMUM_DEALS:
            sides.append(((("owner", names.get(owner, owner)),), promises["owner_id"] == owner))
    rows = [{"dims": dims, **_side(promises[mask], ""), **_side(promises[~mask], "_others")} for dims, mask in sides]
    columns = ["dims", "kept", "n", "rate", "amount", "kept_others", "n_others", "rate_others", "amount_others"]
    frame = pd.DataFrame(rows, columns=columns)
    tested = compare_proportions((frame["kept"], frame["n"]), (frame["kept_others"], frame["n_others"]))
    excess = (frame["rate"] - frame["rate_others"]) * frame["amount"]
    return frame.assign(
        effect=-tested["difference"],
        low=-tested["high"],
        high=-tested["low"],
        p_value=tested["p_lower"],
        money=excess.where(excess > 0),
    )


def _side(promises: pd.DataFrame, suffix: str) -> dict[str, object]:
    n = promises["opportunity_id"].nunique()
    rate = float(promises["slipped"].mean()) if len(promises) else float("nan")
    kept = 0 if np.isnan(rate) else round((1 - rate) * n)
    amount = float(promises["cents"].sum()) / 100
    return {f"kept{suffix}": kept, f"n{suffix}": n, f"rate{suffix}": rate, f"amount{suffix}": amount}


def _slips(question: Question, row: Row) -> Finding:
    whom = "all other sellers" if row["dims"] else "the months before"
    facts = {
        "cut": cut_name(dict(row["dims"])),
        "rate": share(row["rate"]),
        "others": share(row["rate_others"]),
        "whom": whom,
        "amount": money(row["amount"], question.currency),
        "excess": money(row["money"], question.currency),
    }
    when = "in the last year" if row["dims"] else f"in the last {LATER_MONTHS} months"
    what = (
        f"Of the deals of {facts['cut']} expected in a month, {facts['rate']} were still open at its end {when}, "
        f"against {facts['others']} of {whom}: {facts['excess']} more than usual of {facts['amount']} promised."
    )
    judged = (row["evidence"], Judgement("warning", row["confidence"], row["money"]))
    return build(question, Subject("slippage", Place(DETAIL, "slippage"), row["dims"]), what, facts, judged)


@detector("creation_below_need", HEALTH, facts=("period", "end", "needed", "pace", "ratio", "gap"))
def creation_below_need(question: Question) -> Answer:
    """The usual pace of new pipeline does not bring what the period ahead still needs."""
    from revops_analysis.metrics.dealflow.creation import creation_need

    outlook = period_ahead(question.snapshot, question.period)
    row = creation_need(question.snapshot, outlook).frame.iloc[0]
    if pd.isna(row["needed"]):
        return NotAssessed(f"{row['period']}: {row['reason']}")
    if row["needed"] <= row["pace"]:
        return []
    gap = float((row["needed"] - row["pace"]) * row["yield_created"])
    facts = {
        "period": row["period"],
        "end": outlook.end.isoformat(),
        "needed": money(row["needed"], question.currency),
        "pace": money(row["pace"], question.currency),
        "ratio": f"{row['ratio']:.2f}",
        "gap": money(gap, question.currency),
    }
    what = (
        f"{facts['period']} needs {facts['needed']} of new pipeline by {facts['end']} at the yield of past quarters; "
        f"the usual pace brings {facts['pace']}, which leaves {facts['gap']} of bookings open."
    )
    limits = {side: None if pd.isna(row[of]) else float(row["pace"] / row[of]) for side, of in _TURNED if row[of] != 0}
    evidence = Evidence(int(row["n"]), float(row["ratio"]), "ratio", limits.get("low"), limits.get("high"))
    sure = 0.5 if pd.isna(row["enough"]) else min(MOST, 1 - float(row["enough"]))
    judged = (evidence, Judgement("warning", sure, gap))
    subject = Subject("creation_below_need", Place(HEALTH, "pipeline to be created"), (("period", row["period"]),))
    return [build(question, subject, what, facts, judged)]


_TURNED = (("low", "high"), ("high", "low"))


@detector("bottleneck_stage", HEALTH, facts=("stage", "conversion", "gain", "best"))
def bottleneck_stage(question: Question) -> Answer:
    """The stage in which one point more of conversion would bring most, if chance cannot be why it comes first."""
    from revops_analysis.metrics.dealflow.stage_chain import stage_what_if

    if not question.snapshot.has("opportunity_history"):
        return NotAssessed("the source has no opportunity_history table")
    found = stage_what_if(question.snapshot, year_to(question.period))
    if found.reason:
        return NotAssessed(found.reason)
    if found.bottleneck is None:
        return []
    row = found.frame[found.frame["stage"] == found.bottleneck].iloc[0]
    facts = {
        "stage": row["stage"],
        "conversion": share(row["conversion"]),
        "gain": money(row["gain"], question.currency),
        "best": share(row["best"]),
    }
    what = (
        f"{facts['stage']} holds most back: {facts['conversion']} of its deals advance, and one point more would bring "
        f"{facts['gain']} of bookings a quarter, more than in any other stage in {facts['best']} of resamples."
    )
    evidence = Evidence(int(row["entered"]), float(row["gain"]), "currency", float(row["low"]), float(row["high"]))
    judged = (evidence, Judgement("info", min(MOST, float(row["best"])), float(row["gain"])))
    subject = Subject("bottleneck_stage", Place(HEALTH, "which stage to improve"), (("stage", row["stage"]),))
    return [build(question, subject, what, facts, judged)]
