"""Detectors of volume: deals that are won for less or more slowly, and a period that ended below its target."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from revops_analysis.findings.building import Judgement, Subject, build, figure, severity_of
from revops_analysis.findings.comparison import Comparisons, Row
from revops_analysis.findings.cuts import (
    Cases,
    Compare,
    Method,
    at_least,
    clearest,
    dated_cuts,
    relevance_of,
    shifts,
    stratum_of,
    watch_of,
    weights_for,
)
from revops_analysis.findings.finding import Evidence, Finding, Place, Severity
from revops_analysis.findings.mix import explained
from revops_analysis.findings.registry import Answer, NotAssessed, Question, detector
from revops_analysis.findings.win_rate import CUTS, closed_cases
from revops_analysis.findings.words import cut_name, money, share, weeks_to
from revops_analysis.metrics.stage_moves import SLICE_DAYS
from revops_analysis.statistics.stratified import compare_logs, trend_of_logs

CHAPTER = "pipeline_health"

MINIMUM_WON = 10
"""A cut with fewer won deals on either side is not compared."""

SMALLER = 0.85
"""The size, or the pace, against before that weights are chosen for."""

TOLERATED = 0.95
"""A size or a pace down to this part of the one before is no matter: typical sizes drift by a few points a year with
what is sold within a segment, and it must be less than that beyond chance."""

_PRIOR = 10.0  # cases that all strata together count for in the variance of one

FAR = 0.1
"""Share of the target that must be missing before it is critical."""


@detector("deal_size_drop", CHAPTER, facts=("cut", "period", "size", "amount", "n"), budget=0.5, watch=0.5)
def deal_size_drop(question: Question) -> Answer:
    """Deals that are won for less than such deals were in the two years before, like with like by segment and type.

    By more than 5% (`TOLERATED`). The typical size is the geometric mean: one large deal does not make it. Money: what
    was won ÷ the ratio, less what was won.
    """
    cuts = dated_cuts(question.snapshot, CUTS)
    cases = _sizes(closed_cases(question.snapshot, question.end, cuts))
    if not len(cases.frame):
        return NotAssessed(f"no deal with an amount was won in the three years to {question.end}")
    enough, compare = _shifted(cases, cuts)
    if enough.empty:
        return NotAssessed(f"fewer than {MINIMUM_WON} deals were won in the year to {question.end} or before")
    frame = enough.assign(money=enough["amount"] * (1 / enough["ratio"] - 1).clip(lower=0.0))
    return Comparisons(frame, "ratio", partial(_smaller, cases), lambda held: clearest(cases, held, compare))


def _shifted(cases: Cases, cuts: Sequence[str]) -> tuple[pd.DataFrame, Compare]:
    """The company and each cut against what was before, as comparisons but for their money; and how they compare."""
    deviation = _deviation(cases)
    compare = partial(compare_logs, deviation=deviation)
    method = Method(compare, partial(trend_of_logs, deviation=deviation))
    enough = shifts(cases, [(), *((name,) for name in cuts)], method, at_least(MINIMUM_WON))
    if enough.empty:
        return enough, compare
    judged = enough.assign(
        n=enough["size"].astype("int64"),
        effect=enough["ratio"],
        p_value=_beyond_drift(enough),
        weight=weights_for(enough, -np.log(SMALLER), relevance_of(enough["dims"])),
        watch=watch_of(enough["dims"]),
    )
    return judged, compare


def _beyond_drift(rows: pd.DataFrame) -> npt.NDArray[np.float64]:
    """How likely such a trend of logarithms is if what is tolerated has come."""
    at: npt.NDArray[np.float64] = norm.cdf((rows["slope"] - np.log(TOLERATED)) / rows["spread"])
    return at


def _sizes(closed: Cases) -> Cases:
    """Won deals with an amount; what is summed is its logarithm."""
    amount = closed.frame["amount"].to_numpy(dtype=float)
    return _won(closed, np.log(np.where(amount > 0, amount, np.nan)))


def _won(closed: Cases, summed: npt.NDArray[np.float64]) -> Cases:
    """Won deals for which what is summed is known, like with like by segment and type."""
    known = (closed.hit > 0) & ~np.isnan(summed)
    frame = closed.frame[known].reset_index(drop=True)
    names = [name for name in ("segment", "type") if name in frame.columns]
    return Cases(frame, summed[known], np.ones(len(frame)), stratum_of(frame, names))


def _deviation(cases: Cases) -> npt.NDArray[np.float64]:
    """Standard deviation of a logarithm in each stratum: expansions vary far more than first deals.

    A stratum's own variance counts by its cases, that of all strata together as if it were ten more.
    """
    count = np.bincount(cases.stratum)
    mean = np.bincount(cases.stratum, cases.hit) / np.maximum(count, 1)
    squares = np.bincount(cases.stratum, (cases.hit - mean[cases.stratum]) ** 2)
    free = np.maximum(count - 1, 0)
    usual = squares.sum() / max(free.sum(), 1)
    deviation: npt.NDArray[np.float64] = np.sqrt((squares + _PRIOR * usual) / (free + _PRIOR))
    return deviation


def _smaller(cases: Cases, question: Question, row: Row) -> Finding:
    facts = {
        "cut": cut_name(dict(row["dims"])),
        "period": weeks_to(row["span"], question.end),
        "size": f"{1 - row['effect']:.0%}",
        "amount": money(row["money"], question.currency),
        "n": f"{row['n']:,}",
    }
    what = (
        f"Deals of {facts['cut']} were won for {facts['size']} less in {facts['period']} than such deals in the two "
        f"years before, like for like; on the {facts['n']} won that is {facts['amount']}."
        f"{_explained(cases, row, question.currency)}"
    )
    judged = (row["evidence"], Judgement(severity_of(question, row), row["confidence"], row["money"]))
    return build(question, Subject("deal_size_drop", Place(CHAPTER, "headline"), row["dims"]), what, facts, judged)


def _explained(cases: Cases, row: Row, currency: str) -> str:
    """What of the mean is another size, of which segment most, and what only another mix of segments."""
    found = explained(cases, row["dims"], row["span"], (cases.frame["amount"], cases.size))
    if found is None:
        return ""
    rate, worst, mix = (money(part, currency) for part in (found.rate, found.worst_rate, found.mix))
    return f" Of the change of their mean, {rate} is size ({worst} of it {found.worst}) and {mix} the mix of segments."


@detector("cycle_longer", CHAPTER, facts=("cut", "period", "days", "before", "amount", "n"), budget=0.5, watch=0.5)
def cycle_longer(question: Question) -> Answer:
    """Deals that took longer from creation to winning than such deals did in the two years before, like with like.

    By more than 5% (`TOLERATED`). What is compared is the pace, one over the geometric mean of days: below 1 is longer.
    A deal won on the day of its creation counts as one day. Deals that are still open are `stage_slowed`'s matter.
    Money: a day's bookings of the cut × the days more, which is what comes so much later, once.
    """
    cuts = dated_cuts(question.snapshot, CUTS)
    cases = _paces(closed_cases(question.snapshot, question.end, cuts))
    if not len(cases.frame):
        return NotAssessed(f"no deal of known age was won in the three years to {question.end}")
    enough, compare = _shifted(cases, cuts)
    if enough.empty:
        return NotAssessed(f"fewer than {MINIMUM_WON} deals were won in the year to {question.end} or before")
    before = np.exp(-enough["hits_before"] / enough["size_before"])
    longer = before * (1 / enough["ratio"] - 1)
    frame = enough.assign(
        before=before,
        days=before + longer,
        money=(enough["amount"] / (SLICE_DAYS * enough["span"]) * longer).clip(lower=0.0),
    )
    return Comparisons(frame, "ratio", _longer, lambda held: clearest(cases, held, compare))


def _paces(closed: Cases) -> Cases:
    """Won deals of known age; what is summed is minus the logarithm of its days."""
    age = closed.frame["age"].to_numpy(dtype=float)
    return _won(closed, -np.log(np.maximum(age, 1.0)))


def _longer(question: Question, row: Row) -> Finding:
    facts = {
        "cut": cut_name(dict(row["dims"])),
        "period": weeks_to(row["span"], question.end),
        "days": f"{row['days']:.0f}",
        "before": f"{row['before']:.0f}",
        "amount": money(row["money"], question.currency),
        "n": f"{row['n']:,}",
    }
    what = (
        f"Deals of {facts['cut']} took {facts['days']} days from creation to winning in {facts['period']} where such "
        f"deals took {facts['before']} in the two years before, like for like ({facts['n']} won); {facts['amount']} of "
        "bookings comes so much later."
    )
    judged = (row["evidence"], Judgement(severity_of(question, row), row["confidence"], row["money"]))
    return build(question, Subject("cycle_longer", Place(CHAPTER, "headline"), row["dims"]), what, facts, judged)


@detector("target_missed", CHAPTER, facts=("period", "bookings", "target", "gap", "share"))
def target_missed(question: Question) -> Answer:
    """A period that is over and ended below its bookings target. A running one is the forecast's matter."""
    period = question.period
    if period.end > question.snapshot.as_of:
        return NotAssessed(f"{period.label} is not over at {question.snapshot.as_of}")
    target, booked = figure(question.metric("target")), figure(question.metric("bookings"))
    if target.value is None or booked.value is None or target.value <= 0:
        return NotAssessed(str(target.reason or booked.reason or f"the target of {period.label} is not positive"))
    gap = target.value - booked.value
    if gap <= 0:
        return []
    facts = {
        "period": period.label,
        "bookings": money(booked.value, question.currency),
        "target": money(target.value, question.currency),
        "gap": money(gap, question.currency),
        "share": share(gap / target.value),
    }
    what = (
        f"{facts['period']} ended with bookings of {facts['bookings']}, {facts['gap']} ({facts['share']}) below the "
        f"target of {facts['target']}."
    )
    severity: Severity = "critical" if gap >= FAR * target.value else "warning"
    judged = (Evidence(booked.n, -gap / target.value, "rate"), Judgement(severity, 1.0, gap))
    subject = Subject("target_missed", Place(CHAPTER, "headline"), (("period", period.label),))
    return [build(question, subject, what, facts, judged)]
