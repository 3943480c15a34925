"""Detector of falling win rates: the last periods against those before, over many cuts.

A drop can be sudden or slow to show, because deals created after it take months to close. So the report's period is
looked at alone, with the one before it, and with the three before it, each against the four periods before that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pandas as pd

from revops_analysis.findings.building import Judgement, Subject, build
from revops_analysis.findings.comparison import Comparisons, Row, dims_of
from revops_analysis.findings.finding import Finding, Place, Severity
from revops_analysis.findings.registry import Answer, NotAssessed, Question, detector
from revops_analysis.findings.words import cut_name, money, share
from revops_analysis.metrics.deals import closed, headline
from revops_analysis.metrics.registry import MetricRequest, get_metric
from revops_analysis.periods import Period, previous

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

CHAPTER = "pipeline_health"

SPANS = (1, 2, 4)
"""How many periods, up to the report's, are taken together on the later side."""

EARLIER_PERIODS = 4
"""How many periods before those make the earlier side."""

MINIMUM_CLOSED = 10
"""A cut with fewer deals closed on either side is not compared."""

CUTS = ("segment", "source", "product", "type")
"""Dimensions looked at, beside the whole company. Those without a known past need the definitions' permission."""


@dataclass(frozen=True)
class WinRateComparison:
    """Win rates of the last periods against earlier ones, a row a cut and span.

    `frame`: dimension, label (both null for the whole company), span (periods on the later side), won, closed,
    amount_closed (reporting currency), rate, won_before, closed_before, rate_before, difference, low, high, p_value
    (two-sided), p_lower (of a fall). `periods`: from the report's period backwards.
    """

    frame: pd.DataFrame
    periods: tuple[Period, ...]


@detector("win_rate_drop", CHAPTER, facts=("cut", "period", "rate", "rate_before", "amount"), budget=2)
def win_rate_drop(question: Question) -> Answer:
    """A win rate by number that fell against the periods before, in the whole company or in a cut."""
    compared = compare_win_rates(question)
    if compared.frame.empty:
        return NotAssessed(
            f"fewer than {MINIMUM_CLOSED} deals closed up to {question.period.label} or in the periods before"
        )
    frame = compared.frame
    rows = frame.assign(
        dims=dims_of(frame["dimension"], frame["label"]),
        n=frame["closed"],
        effect=frame["difference"],
        p_value=frame["p_lower"],
        money=-frame["difference"] * frame["amount_closed"],
    )
    return Comparisons(rows, "rate", partial(_finding, compared.periods))


def compare_win_rates(question: Question) -> WinRateComparison:
    """Compare win rates over `CUTS` and as a whole, for each of `SPANS`.

    Cuts with fewer than ten closed deals on either side are left out, and so is a cut that holds the same deals as one
    before it (expansions that all come from customers). Interval and test: `compare_proportions`.
    """
    from revops_analysis.statistics.proportions import compare_proportions

    periods = _periods(question)
    counts = [_counts(question, periods, cut) for cut in _cuts(question)]
    sides = pd.concat([_sides(count, span) for count in counts for span in SPANS], ignore_index=True)
    enough = sides[(sides["closed"] >= MINIMUM_CLOSED) & (sides["closed_before"] >= MINIMUM_CLOSED)]
    same = ["span", "won", "closed", "amount_closed", "won_before", "closed_before"]
    distinct = enough[~enough.duplicated(same)].reset_index(drop=True)
    difference = compare_proportions(
        (distinct["won"], distinct["closed"]), (distinct["won_before"], distinct["closed_before"])
    )
    frame = distinct.assign(
        rate=distinct["won"] / distinct["closed"], rate_before=distinct["won_before"] / distinct["closed_before"]
    ).join(difference)
    return WinRateComparison(frame, periods)


def _periods(question: Question) -> tuple[Period, ...]:
    periods = [question.period]
    while len(periods) < max(SPANS) + EARLIER_PERIODS:
        periods.append(previous(periods[-1], question.snapshot.definitions.fiscal_calendar))
    return tuple(periods)


def _cuts(question: Question) -> list[str | None]:
    """The whole company and each dimension whose past may be used."""
    allowed = question.snapshot.definitions.allowed_current_columns
    dated = [cut for cut in CUTS if cut == "type" or f"opportunities.{cut}" in allowed]
    question.snapshot.require_dated([f"opportunities.{cut}" for cut in dated if cut != "type"], "a cut over time")
    return [None, *dated]


def _counts(question: Question, periods: tuple[Period, ...], cut: str | None) -> pd.DataFrame:
    """Won and closed deals by period (0: the report's) and value of the cut: one question to the engine."""
    snapshot = question.snapshot
    kept = snapshot.keep(f"closed deals by period {periods}", lambda: _placed(snapshot, periods))
    placed = kept.mutate(label=ibis.null("string") if cut is None else kept[cut].cast("string"))
    sums = {"won": (placed.status == "won").sum(), "closed": placed.count(), "amount_closed": placed.amount.sum()}
    frame = placed.group_by(["label", "place"]).aggregate(**sums).to_pandas()
    named = frame["label"].astype(object)
    return frame.assign(
        amount_closed=frame["amount_closed"].astype("float64"), dimension=cut, label=named.where(named.notna(), None)
    )


def _placed(snapshot: Snapshot, periods: tuple[Period, ...]) -> ir.Table:
    """Closed deals with what they are cut by and the number of the period in which they closed."""
    whole = Period("all", periods[-1].start, periods[0].end)
    deals = closed(headline(snapshot.deals), whole)
    starts = [(deals.closed_on >= ibis.literal(period.start), place) for place, period in enumerate(periods)]
    dimensions = MetricRequest(get_metric("win_rate"), snapshot, whole, CUTS).named(deals)
    return deals.select("status", "amount", place=ibis.cases(*starts), **dimensions)


def _sides(counts: pd.DataFrame, span: int) -> pd.DataFrame:
    """The later and the earlier side of each value of a cut, a row each."""
    late = counts["place"] < span
    early = (counts["place"] >= span) & (counts["place"] < span + EARLIER_PERIODS)
    sums = [
        counts[side].groupby("label", dropna=False, sort=True)[["won", "closed", "amount_closed"]].sum()
        for side in (late, early)
    ]
    both = sums[0].join(sums[1].drop(columns="amount_closed"), how="inner", rsuffix="_before").reset_index()
    label = both["label"].astype(object)
    dimension = counts["dimension"].iloc[0] if len(counts) else None
    return both.assign(dimension=dimension, label=label.where(label.notna(), None), span=span)


def _finding(periods: tuple[Period, ...], question: Question, row: Row) -> Finding:
    first, last = periods[row["span"] - 1].label, periods[0].label
    facts = {
        "cut": cut_name(dict(row["dims"])),
        "period": last if row["span"] == 1 else f"{first} to {last}",
        "rate": share(row["rate"]),
        "rate_before": share(row["rate_before"]),
        "amount": money(row["money"], question.currency),
    }
    what = (
        f"The win rate of {facts['cut']} fell to {facts['rate']} in {facts['period']} from {facts['rate_before']} in "
        f"the {EARLIER_PERIODS} periods before; on what closed, that is {facts['amount']}."
    )
    severity: Severity = "warning" if row["dims"] else "critical"
    judged = (row["evidence"], Judgement(severity, row["confidence"], row["money"]))
    return build(question, Subject("win_rate_drop", Place(CHAPTER, "win rate"), row["dims"]), what, facts, judged)
