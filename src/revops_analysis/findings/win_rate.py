"""Detector of falling win rates: the last weeks against the two years before, over many cuts, like with like.

A drop can be sudden or slow to show, because deals created after it take months to close. So the last 52 weeks, the
latest ones most, are set against the two years before (`cuts.shifts`), and what is said is the span of 13 to 52 weeks
in which it is clearest. Weeks and not periods: wins crowd at the end of a quarter, and 13 weeks hold one end wherever
they begin.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from revops_analysis.findings.building import Judgement, Subject, build, severity_of
from revops_analysis.findings.comparison import Comparisons, Row
from revops_analysis.findings.cuts import (
    Cases,
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
from revops_analysis.findings.finding import Finding, Place
from revops_analysis.findings.mix import explained
from revops_analysis.findings.registry import Answer, NotAssessed, Question, detector
from revops_analysis.findings.words import cut_id, cut_name, money, share, weeks_to
from revops_analysis.metrics.deals import closed, headline
from revops_analysis.metrics.registry import MetricRequest, get_metric
from revops_analysis.metrics.stage_moves import SLICE_DAYS
from revops_analysis.periods import Period
from revops_analysis.statistics.stratified import compare_shares, trend_of_shares

if TYPE_CHECKING:
    from datetime import date

    from revops_analysis.tables.snapshot import Snapshot

CHAPTER = "pipeline_health"

MINIMUM_CLOSED = 10
"""A cut with fewer deals closed on either side is not compared."""

POINTS = 0.10
"""The fall that weights are chosen for: ten points."""

CUTS = ("segment", "source", "product", "type")
"""Dimensions looked at, beside the whole company. Those without a known past need the definitions' permission."""

SLICES = 12
"""How many times 91 days are read: a year and the two before it."""


@detector("win_rate_drop", CHAPTER, facts=("cut", "period", "rate", "rate_before", "amount"), budget=3, watch=3)
def win_rate_drop(question: Question) -> Answer:
    """A win rate by number that fell against the two years before, in the whole company or in a cut."""
    cuts = dated_cuts(question.snapshot, CUTS)
    cases = closed_cases(question.snapshot, question.end, cuts)
    pairs = [("segment", name) for name in cuts if name != "segment"] if "segment" in cuts else []
    method = Method(compare_shares, trend_of_shares)
    enough = shifts(cases, [(), *((name,) for name in cuts), *pairs], method, at_least(MINIMUM_CLOSED))
    if enough.empty:
        reason = f"fewer than {MINIMUM_CLOSED} deals closed in the year to {question.end} or in the two years before"
        return NotAssessed(reason)
    frame = enough.assign(
        n=enough["size"],
        effect=enough["difference"],
        p_value=enough["p_lower"],
        money=-enough["difference"] * enough["amount"],
        weight=weights_for(enough, POINTS, relevance_of(enough["dims"])),
        watch=watch_of(enough["dims"]),
    )
    return Comparisons(frame, "rate", partial(_say, cases), lambda held: clearest(cases, held, compare_shares))


def closed_cases(snapshot: Snapshot, end: date, cuts: list[str]) -> Cases:
    """Headline deals closed in the three years up to `end`: won or lost, like with like by segment and type."""
    return snapshot.once(("closed deals", end, tuple(cuts)), lambda: _closed(snapshot, end, cuts))


def _closed(snapshot: Snapshot, end: date, cuts: list[str]) -> Cases:
    first = (np.datetime64(end) - np.timedelta64(SLICES * SLICE_DAYS - 1, "D")).astype(object)
    window = Period("three years", first, end)
    deals = closed(headline(snapshot.deals), window)
    day = (deals.status == "won").ifelse(deals.booked_on, deals.closed_on)
    named = MetricRequest(get_metric("win_rate"), snapshot, window, tuple(cuts)).named(deals)
    age = day.delta(deals.created_on, unit="day").cast("float64")
    frame = deals.select("status", day=day, age=age, amount=deals.amount.cast("float64"), **named).to_pandas()
    back = (np.datetime64(end) - frame["day"].to_numpy().astype("datetime64[D]")) / np.timedelta64(1, "D")
    frame = frame.assign(slice=back.astype(np.int64) // SLICE_DAYS)
    alike = stratum_of(frame, [name for name in ("segment", "type") if name in cuts])
    won = (frame["status"] == "won").to_numpy(dtype=float)
    return Cases(frame, won, np.ones(len(frame)), alike)


def _explained(cases: Cases, row: Row) -> str:
    """Which segment the fall is due to, and what is only another mix of segments."""
    found = explained(cases, row["dims"], row["span"], (cases.hit, cases.size))
    if found is None:
        return ""
    return f" Segment {found.worst} contributes {100 * found.worst_rate:+.1f} points, the mix {100 * found.mix:+.1f}."


def _say(cases: Cases, question: Question, row: Row) -> Finding:
    facts = {
        "cut": cut_name(dict(row["dims"])),
        "period": weeks_to(row["span"], question.end),
        "rate": share(row["hits"] / row["size"]),
        "rate_before": share(row["hits_before"] / row["size_before"]),
        "amount": money(row["money"], question.currency),
    }
    what = (
        f"The win rate of {facts['cut']} fell to {facts['rate']} in {facts['period']} from {facts['rate_before']} in "
        f"the two years before ({100 * row['effect']:+.1f} points like for like); on what closed, that is "
        f"{facts['amount']}.{_explained(cases, row)}"
    )
    judged = (row["evidence"], Judgement(severity_of(question, row), row["confidence"], row["money"]))
    return build(
        question,
        Subject("win_rate_drop", Place(CHAPTER, "win rate"), row["dims"], cut_id("fewer wins", dict(row["dims"]))),
        what,
        facts,
        judged,
    )
