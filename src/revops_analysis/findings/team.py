"""Detectors of the team chapter: sellers whose deals move more slowly than peers', and quotas that miss the plan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from revops_analysis.findings.building import Judgement, Subject, build, figure
from revops_analysis.findings.comparison import Comparisons, Row, dims_of
from revops_analysis.findings.finding import Evidence, Finding, Place
from revops_analysis.findings.registry import Answer, NotAssessed, Question, detector
from revops_analysis.findings.words import cut_name, money, share
from revops_analysis.models.seller_pace import ADVANCED, ALL_STAGES, SellerPace, seller_pace
from revops_analysis.models.team_performance import compared_periods

CHAPTER = "team_performance"
Cut = tuple[tuple[str, object], ...]


@detector("seller_below_peers", CHAPTER, facts=("seller", "pace", "stage", "observed", "expected", "amount"), budget=1)
def seller_below_peers(question: Question) -> Answer:
    """Sellers whose deals advance more slowly than peers' in the same stage, segment and type."""
    pace = seller_pace(question.snapshot, compared_periods(question.snapshot, question.period))
    if pace.reason:
        return NotAssessed(pace.reason)
    rows = slow_sellers(pace)
    if rows.empty:
        return NotAssessed("too few deals of each seller to compare them with peers")
    return Comparisons(rows.assign(dims=dims_of(["owner"] * len(rows), rows["owner"])), "ratio", _say_slow)


def slow_sellers(pace: SellerPace) -> pd.DataFrame:
    """A row a seller: how much slower the deals advance, with a one-sided p-value over all stages and each of them.

    Half of the error goes to all stages together, half to the stages (Simes). n (visits), effect (pace − 1), low, high
    and money are over all stages; stage, observed and expected are of the stage that is clearest.
    """
    from revops_analysis.statistics.false_discovery import benjamini_hochberg

    rows = pace.frame[pace.frame["event"] == ADVANCED]
    whole = rows[rows["stage"] == ALL_STAGES].set_index("owner_id")
    single = rows[rows["stage"] != ALL_STAGES]
    simes = single.groupby("owner_id")["p_lower"].agg(lambda p: float(np.min(benjamini_hochberg(p.to_numpy()))))
    clearest = single.sort_values(["p_lower", "stage"], kind="stable").drop_duplicates("owner_id").set_index("owner_id")
    both = whole.join(simes.rename("of_stages")).join(clearest[["stage", "observed", "expected"]], rsuffix="_clearest")
    least = both[["p_lower", "of_stages"]].min(axis=1)
    p_value = (2 * least).clip(upper=1.0).where(both["of_stages"].notna(), both["p_lower"])
    table = both.assign(
        p_value=p_value,
        n=both["deals"],
        effect=both["pace"] - 1,
        low=both["low"] - 1,
        high=both["high"] - 1,
        money=both["money"].where(both["money"] > 0),
    )
    return table.reset_index()


def _say_slow(question: Question, row: Row) -> Finding:
    clear = pd.notna(row["stage_clearest"])
    facts = {
        "seller": row["owner"],
        "pace": share(row["pace"]),
        "stage": row["stage_clearest"] if clear else "all stages",
        "observed": int(row["observed_clearest"] if clear else row["observed"]),
        "expected": f"{row['expected_clearest'] if clear else row['expected']:.0f}",
        "amount": "an amount that cannot be said" if pd.isna(row["money"]) else money(row["money"], question.currency),
    }
    what = (
        f"The deals of {row['owner']} advance at {facts['pace']} of the pace of peers in the same stage, segment and "
        f"type ({int(row['observed'])} advances where {row['expected']:.0f} were expected); most clearly from "
        f"{facts['stage']}. What is missing was worth {facts['amount']} at peers' chances."
    )
    worth: float | None = None if pd.isna(row["money"]) else float(row["money"])
    judged = (row["evidence"], Judgement("warning", row["confidence"], worth))
    return build(question, Subject("seller_below_peers", Place(CHAPTER, "pace"), row["dims"]), what, facts, judged)


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
