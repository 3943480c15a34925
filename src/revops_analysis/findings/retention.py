"""Detectors of retention: a fall within a year, cohorts that keep less than earlier ones, NRR that cannot be true."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from scipy.stats import norm

from revops_analysis.findings.building import Judgement, Subject, build
from revops_analysis.findings.comparison import Comparisons, Row, dims_of
from revops_analysis.findings.cuts import relevance_of, watch_of
from revops_analysis.findings.finding import MOST, Evidence, Finding, Place, Severity
from revops_analysis.findings.registry import Answer, NotAssessed, Question, detector
from revops_analysis.findings.words import cut_id, cut_name, money, share
from revops_analysis.periods import same_period_last_year

CHAPTER = "cohort_nrr"


CUTS = ("segment", "region", "industry", "first_product", "channel")
"""Attributes of accounts that retention is looked at by, beside the whole company."""

FEWEST = 20
"""Accounts that a cut needs in either year; with fewer a ratio's error is not normal."""

_FACTS = ("cut", "since", "rate", "rate_before", "amount")


@detector("nrr_decline", CHAPTER, facts=_FACTS, budget=1, watch=1)
def nrr_decline(question: Question) -> Answer:
    """Net revenue retention that fell within a year, in the whole company or in a cut.

    The two rates stand on different twelve months and mostly the same accounts; their intervals are treated as
    independent.
    """
    return _declines(question, "nrr")


@detector("grr_decline", CHAPTER, facts=_FACTS, budget=0.5, watch=0.5)
def grr_decline(question: Question) -> Answer:
    """Gross revenue retention that fell: more is lost or cut back, however much the other customers grew."""
    return _declines(question, "grr")


def _declines(question: Question, measure: str) -> Answer:
    compared = pd.concat(
        [_compare(question, measure, by) for by in ([], *([name] for name in CUTS))], ignore_index=True
    )
    if compared["p_value"].isna().all():
        reasons = compared["reason"].dropna()
        return NotAssessed(str(reasons.iloc[0]) if len(reasons) else "no interval for either year")
    dims = dims_of(compared["dimension"], compared["label"])
    frame = compared.assign(dims=dims, weight=relevance_of(dims), watch=watch_of(dims))
    return Comparisons(frame, "rate", partial(_finding, measure), _own)


def _own(held: pd.DataFrame) -> pd.Series:
    """Which falls say something of their own: the company's, and cuts of one dimension, the one that has the clearest.

    Accounts of cuts of two dimensions are mostly the same, and cannot be told apart here. Where the company fell, a cut
    is said only if it fell further (p ≤ .025).
    """
    is_whole = held["dims"].map(len) == 0
    cuts = held[~is_whole]
    whole = held[is_whole]
    if len(whole):
        spread = (held["high"] - held["low"]) / (2 * norm.ppf(0.975))
        further = held["effect"] - whole["effect"].iloc[0] + norm.ppf(0.975) * np.hypot(spread, spread[whole.index[0]])
        cuts = cuts[further[cuts.index] <= 0]
    if cuts.empty:
        return is_whole
    names = cuts["dims"].map(lambda dims: dims[0][0])
    first = names[cuts["p_value"].sort_values(kind="stable").index[0]]
    return is_whole | pd.Series(held.index.isin(names.index[names == first]), index=held.index)


def _compare(question: Question, measure: str, by: list[str]) -> pd.DataFrame:
    """A row a cut: rates now and a year before, their difference with interval and p-value, revenue then."""
    earlier = same_period_last_year(question.period, question.snapshot.definitions.fiscal_calendar)
    columns = [*by, "value", "low", "high", "n", "reason"]
    now, then = (question.metric(measure, period, by=by).frame[columns] for period in (None, earlier))
    base = question.metric("mrr", earlier, by=by).frame[[*by, "value"]].rename(columns={"value": "mrr_before"})
    if by:
        both = now.merge(then, on=by, suffixes=("", "_before")).merge(base, on=by)
    else:
        both = now.join(then, rsuffix="_before").join(base)
    errors = [
        (both[f"high{side}"] - both[f"low{side}"]).astype(float) / (2 * norm.ppf(0.975)) for side in ("", "_before")
    ]
    spread = (errors[0] ** 2 + errors[1] ** 2) ** 0.5
    difference = (both["value"] - both["value_before"]).astype(float)
    z = difference / spread.where((spread > 0) & (both[["n", "n_before"]].min(axis=1) >= FEWEST))
    half = norm.ppf(0.975) * spread
    reason = both["reason"].where(both["reason"].notna(), both["reason_before"])
    label = both[by[0]].astype(object) if by else pd.Series([None] * len(both), dtype=object)
    return both.drop(columns=[*by, "low", "high"]).assign(
        dimension=by[0] if by else None,
        label=label.where(label.notna(), None),
        reason=reason,
        effect=difference,
        low=difference - half,
        high=difference + half,
        p_value=norm.cdf(z),
        money=-difference * both["mrr_before"].astype(float) * 12,
    )


_WORDS = {"nrr": "Net revenue retention", "grr": "Gross revenue retention"}


def _finding(measure: str, question: Question, row: Row) -> Finding:
    earlier = same_period_last_year(question.period, question.snapshot.definitions.fiscal_calendar)
    facts = {
        "cut": cut_name(dict(row["dims"])),
        "since": earlier.label,
        "rate": share(row["value"]),
        "rate_before": share(row["value_before"]),
        "amount": money(row["money"], question.currency),
    }
    what = (
        f"{_WORDS[measure]} of {facts['cut']} fell to {facts['rate']} in {question.period.label} from "
        f"{facts['rate_before']} in {earlier.label}; on the revenue of then, that is {facts['amount']} a year."
    )
    below = measure == "nrr" and row["value"] < 1
    severity: Severity = "critical" if below and not row["dims"] else "warning"
    judged = (row["evidence"], Judgement(severity, row["confidence"], row["money"]))
    # What fell in gross retention fell in net retention too; whoever lists findings says it once.
    about = cut_id("less retained", dict(row["dims"]))
    subject = Subject(f"{measure}_decline", Place(CHAPTER, "retention over time"), row["dims"], about)
    return build(question, subject, what, facts, judged)


@detector("implausible_retention", CHAPTER, facts=("rate", "latest", "accounts", "share"))
def implausible_retention(question: Question) -> Answer:
    """Net revenue retention so high that the data, not the customers, must explain it."""
    from revops_analysis.metrics.retention.ledger import missing_reason, require_revenue
    from revops_analysis.metrics.retention.quality import nrr_plausibility

    missing = missing_reason(question.snapshot)
    if missing:
        return NotAssessed(missing)
    months = require_revenue(question.snapshot).months_in(question.period)
    judged = nrr_plausibility(question.snapshot, months[-1]) if months else None
    if judged is None or judged.nrr is None:
        return NotAssessed("no twelve months of recurring revenue end in the period")
    if judged.is_plausible:
        return []
    facts = {
        "rate": share(judged.nrr),
        "latest": "not known" if judged.nrr_of_latest is None else share(judged.nrr_of_latest),
        "accounts": judged.accounts,
        "share": "unknown" if judged.piled_up is None else share(judged.piled_up),
    }
    evidence = Evidence(judged.accounts, judged.nrr, "rate")
    place = Place(CHAPTER, "definitions and data")
    return [
        build(
            question,
            Subject("implausible_retention", place),
            judged.why,
            facts,
            (evidence, Judgement("critical", MOST, None)),
        )
    ]


@detector("worsening_cohort", CHAPTER, facts=("cohort", "since", "age", "rate", "rate_before", "amount"), budget=1)
def worsening_cohort(question: Question) -> Answer:
    """Quarterly cohorts that keep less of their revenue than all earlier ones did at the same age.

    Every cohort is compared at every age it has reached; only the latest age is said.
    """
    from revops_analysis.metrics.retention.worsening import worsening_cohorts

    found = worsening_cohorts(question.snapshot, "grr")
    if found.reason or not found.tested:
        return NotAssessed(found.reason or "no cohort and its forerunners have enough accounts of the same age")
    cells = found.cells
    worse = found.worse.set_index("cohort")
    rows = cells.assign(
        dims=dims_of(["cohort"] * len(cells), cells["cohort"]),
        effect=cells["difference"],
        p_value=_one_sided(cells["p_value"], cells["difference"]),
        since=cells["cohort"].map(worse["since"]),
        money=cells["cohort"].map(worse["monthly"]).astype(float) * 12,
        is_reported=~cells["cohort"].duplicated(keep="last") & cells["cohort"].isin(worse.index),
    )
    return Comparisons(rows, "rate", _worse)


def _one_sided(p_value: pd.Series, difference: pd.Series) -> pd.Series:
    """Of a symmetric two-sided p-value, the part on the side of a fall."""
    return (p_value / 2).where(difference <= 0, 1 - p_value / 2)


def _worse(question: Question, row: Row) -> Finding:
    facts = {
        "cohort": row["cohort"],
        "since": row["since"],
        "age": f"{row['age_months']} months",
        "rate": share(row["value"]),
        "rate_before": share(row["before"]),
        "amount": money(row["money"], question.currency),
    }
    what = (
        f"Cohort {row['cohort']} keeps {facts['rate']} of its first revenue after {facts['age']}, earlier cohorts kept "
        f"{facts['rate_before']} at that age; below them since {row['since']}, which is {facts['amount']} a year."
    )
    judged = (row["evidence"], Judgement("warning", row["confidence"], row["money"]))
    subject = Subject("worsening_cohort", Place(CHAPTER, "cohorts that worsen"), row["dims"])
    return build(question, subject, what, facts, judged)
