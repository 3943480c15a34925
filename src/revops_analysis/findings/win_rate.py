"""Detector of falling win rates: this period against the four before it, over many cuts, false alarms controlled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from revops_analysis.findings.building import MOST, Judgement, Subject, build
from revops_analysis.findings.finding import Evidence, Finding, Place, Severity
from revops_analysis.findings.registry import Answer, NotAssessed, Question, detector
from revops_analysis.findings.words import cut_name, money, share
from revops_analysis.metrics.deals import closed, headline
from revops_analysis.metrics.registry import MetricRequest, get_metric
from revops_analysis.periods import Period, previous

CHAPTER = "pipeline_health"

EARLIER_PERIODS = 4
"""The win rate of a period is held against so many periods before it, taken together."""

MINIMUM_CLOSED = 10
"""A cut with fewer deals closed in the period, or in those before it, is not compared."""

FALSE_DISCOVERY = 0.05
"""Share of false alarms that is accepted among the drops reported."""

CUTS = ("segment", "source", "product", "type")
"""Dimensions looked at, beside the whole company. Those without a known past need the definitions' permission."""


@dataclass(frozen=True)
class WinRateComparison:
    """Win rates of a period against earlier ones, a row a cut.

    `frame`: dimension, label (both null for the whole company), won, closed, amount_closed (reporting currency), rate,
    won_before, closed_before, rate_before, difference, low, high, p_value, p_adjusted (over all rows).
    """

    frame: pd.DataFrame
    period: Period
    earlier: tuple[Period, ...]


@detector("win_rate_drop", CHAPTER, facts=("cut", "period", "rate", "rate_before", "amount"))
def win_rate_drop(question: Question) -> Answer:
    """A win rate by number that fell against the periods before, in the whole company or in a cut."""
    compared = compare_win_rates(question)
    if compared.frame.empty:
        few = f"fewer than {MINIMUM_CLOSED} deals closed in {compared.period.label} or in the periods before"
        return NotAssessed(f"{few} in every cut")
    drops = compared.frame[(compared.frame["difference"] < 0) & (compared.frame["p_adjusted"] <= FALSE_DISCOVERY)]
    return [_finding(question, compared, row) for row in drops.to_dict("records")]


def compare_win_rates(question: Question) -> WinRateComparison:
    """Compare the win rate of the report's period with the four periods before it, over `CUTS` and as a whole.

    Cuts with fewer than ten closed deals on either side are left out. Interval and test: `compare_proportions`; false
    discovery is controlled over all cuts by Benjamini & Hochberg.
    """
    from revops_analysis.statistics.false_discovery import benjamini_hochberg
    from revops_analysis.statistics.proportions import compare_proportions

    calendar = question.snapshot.definitions.fiscal_calendar
    earlier = [previous(question.period, calendar)]
    while len(earlier) < EARLIER_PERIODS:
        earlier.append(previous(earlier[-1], calendar))
    before = Period(f"{earlier[-1].label}...{earlier[0].label}", earlier[-1].start, earlier[0].end)
    counts = pd.concat([_counts(question, before, cut) for cut in _cuts(question)], ignore_index=True)
    enough = counts[(counts["closed"] >= MINIMUM_CLOSED) & (counts["closed_before"] >= MINIMUM_CLOSED)]
    enough = enough.reset_index(drop=True)
    difference = compare_proportions((enough["won"], enough["closed"]), (enough["won_before"], enough["closed_before"]))
    frame = enough.assign(
        rate=enough["won"] / enough["closed"], rate_before=enough["won_before"] / enough["closed_before"]
    ).join(difference)
    frame["p_adjusted"] = benjamini_hochberg(frame["p_value"].to_numpy())
    return WinRateComparison(frame, question.period, tuple(earlier))


def _cuts(question: Question) -> list[str | None]:
    """The whole company and each dimension whose past may be used."""
    allowed = question.snapshot.definitions.allowed_current_columns
    dated = [cut for cut in CUTS if cut == "type" or f"opportunities.{cut}" in allowed]
    question.snapshot.require_dated([f"opportunities.{cut}" for cut in dated if cut != "type"], "a cut over time")
    return [None, *dated]


def _counts(question: Question, before: Period, cut: str | None) -> pd.DataFrame:
    """Won and closed deals of the period and of the span before it, a row a value of the cut."""
    keys = [] if cut is None else [cut]
    now = _closed(question, question.period, keys)
    then = _closed(question, before, keys).drop(columns="amount_closed")
    then = then.rename(columns={"won": "won_before", "closed": "closed_before"})
    both = now.merge(then, how="inner", on=keys) if keys else now.join(then)
    label = both[cut].astype(object) if cut else pd.Series([None] * len(both), dtype=object)
    return both.drop(columns=keys).assign(dimension=cut, label=label.where(label.notna(), None))


def _closed(question: Question, period: Period, keys: Sequence[str]) -> pd.DataFrame:
    request = MetricRequest(get_metric("win_rate"), question.snapshot, period, tuple(keys))
    deals = request.cut(closed(headline(question.snapshot.deals), period))
    sums: dict[str, Any] = {
        "won": (deals.status == "won").sum().fill_null(0),
        "closed": deals.count(),
        "amount_closed": deals.amount.sum(),
    }
    frame = (deals.group_by(list(keys)).aggregate(**sums) if keys else deals.aggregate(**sums)).to_pandas()
    return frame.assign(amount_closed=frame["amount_closed"].astype("float64"))


def _finding(question: Question, compared: WinRateComparison, row: dict[Any, Any]) -> Finding:
    dims = () if row["dimension"] is None else ((row["dimension"], row["label"]),)
    cut = cut_name(dict(dims))
    lost = None if np.isnan(row["amount_closed"]) else -row["difference"] * row["amount_closed"]
    facts = {
        "cut": cut,
        "period": compared.period.label,
        "rate": share(row["rate"]),
        "rate_before": share(row["rate_before"]),
        "amount": "an unknown amount" if lost is None else money(lost, question.currency),
    }
    what = (
        f"The win rate of {cut} fell to {facts['rate']} in {facts['period']} from {facts['rate_before']} in the "
        f"{EARLIER_PERIODS} periods before; on what closed, that is {facts['amount']}."
    )
    evidence = Evidence(
        int(row["closed"]), row["difference"], "rate", row["low"], row["high"], float(row["p_adjusted"])
    )
    severity: Severity = "critical" if not dims else "warning"
    judged = (evidence, Judgement(severity, min(MOST, 1 - float(row["p_adjusted"])), lost))
    return build(question, Subject("win_rate_drop", Place(CHAPTER, "win rate"), dims), what, facts, judged)
