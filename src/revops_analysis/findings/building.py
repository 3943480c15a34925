"""What detectors share: reading one figure, and putting a finding together with its playbook text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pandas as pd
from scipy.stats import norm

from revops_analysis.findings.finding import MOST, Evidence, Finding, Place, Severity
from revops_analysis.findings.registry import Question
from revops_analysis.findings.words import cut_id
from revops_analysis.metrics.registry import MetricResult


@dataclass(frozen=True)
class Figure:
    """One value of a metric: `value`, `low`, `high` are None where they cannot be computed, and `reason` says why."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str | None


@dataclass(frozen=True)
class Judgement:
    """How bad, how sure and how much: what turns a sentence into a ranked finding. `concerned` as in `Finding`."""

    severity: Severity
    confidence: float
    money: float | None
    concerned: float | None = None


@dataclass(frozen=True)
class Subject:
    """Which detector found it, in which cut, where the detail is shown; `about` as in `Finding`."""

    detector: str
    place: Place
    dims: tuple[tuple[str, object], ...] = ()
    about: str = ""


def figure(result: MetricResult) -> Figure:
    """The only row of a metric asked without a cut."""
    row = result.frame.iloc[0]
    numbers = {name: None if pd.isna(row[name]) else float(row[name]) for name in ("value", "low", "high")}
    return Figure(**numbers, n=0 if pd.isna(row["n"]) else int(row["n"]), reason=row["reason"])


def build(
    question: Question,
    subject: Subject,
    what: str,
    facts: Mapping[str, object],
    judged: tuple[Evidence, Judgement],
) -> Finding:
    """A finding with the owner and the fix of the playbook, the facts filled in."""
    evidence, judgement = judged
    play = question.playbook.plays[subject.detector]
    money, concerned = (_decimal(amount) for amount in (judgement.money, judgement.concerned))
    return Finding(
        id=cut_id(subject.detector, dict(subject.dims)),
        what=what,
        evidence=evidence,
        money=money,
        currency=None if money is None and concerned is None else question.currency,
        confidence=round(judgement.confidence, 4),
        severity=judgement.severity,
        owner=play.owner,
        proposed_fix=play.proposal(facts),
        place=subject.place,
        about=subject.about,
        concerned=concerned,
    )


def _decimal(amount: float | None) -> Decimal | None:
    return None if amount is None or pd.isna(amount) else Decimal(repr(float(max(amount, 0.0))))


LARGE = 0.05
"""Part of a year's bookings at stake, times confidence, from which on a comparison that holds can be critical."""

SURE = 0.9
"""The confidence that it needs for that."""


def severity_of(question: Question, row: Mapping[str, object]) -> Severity:
    """Critical where it is sure (confidence of .9) and money × confidence is at least 5% of the bookings of the year.

    The year: 364 days to the period's end. Where either amount is not known: warning.
    """
    stake, confidence = row["money"], row["confidence"]
    year = question.snapshot.once(("bookings of the year", question.end), lambda: _year_of_bookings(question))
    if not isinstance(stake, float) or not isinstance(confidence, float) or pd.isna(stake) or not year:
        return "warning"
    return "critical" if confidence >= SURE and stake * confidence >= LARGE * year else "warning"


def _year_of_bookings(question: Question) -> float | None:
    start = question.end - timedelta(days=363)
    return figure(question.metric("bookings", f"{start.isoformat()}..{question.end.isoformat()}")).value


def chance_above(value: float, low: float | None, high: float | None, limit: float) -> float:
    """How likely the true value lies above `limit`, when its 95% interval is read as a normal one.

    Never more than `MOST`. Without an interval nothing is known beyond the value itself: one half.

    >>> round(chance_above(2.0, 1.0, 3.0, 1.0), 3), chance_above(2.0, None, None, 1.0)
    (0.975, 0.5)
    """
    if low is None or high is None or high <= low:
        return 0.5
    return min(MOST, float(norm.cdf((value - limit) / ((high - low) / (2 * norm.ppf(0.975))))))
