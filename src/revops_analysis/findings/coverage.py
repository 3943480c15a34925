"""Detector of thin coverage: less pipeline than past periods needed for what is left of the target."""

from __future__ import annotations

from revops_analysis.findings.building import Figure, Judgement, Subject, build, chance_above, figure
from revops_analysis.findings.finding import Evidence, Place, Severity
from revops_analysis.findings.registry import Answer, NotAssessed, Question, detector
from revops_analysis.findings.words import cut_id, money
from revops_analysis.metrics.coverage import TARGET_MET
from revops_analysis.periods import Period, following

CHAPTER = "pipeline_health"
_FACTS = ("period", "end", "coverage", "required", "shortfall", "pipeline_needed")


@detector("coverage_below_required", CHAPTER, facts=_FACTS)
def coverage_below_required(question: Question) -> Answer:
    """Coverage below the required one, in the first period that is not over at the as-of date."""
    period = period_ahead(question)
    coverage, required, expected = (
        figure(question.metric(name, period)) for name in ("coverage", "required_coverage", "expected_bookings")
    )
    if TARGET_MET in (coverage.reason, required.reason):
        return []
    if coverage.value is None or required.value is None:
        return NotAssessed(f"{period.label}: {coverage.reason or required.reason}")
    if coverage.value >= required.value:
        return []
    shortfall, needed = _gap(question, period, (coverage.value, required.value, expected))
    facts = {
        "period": period.label,
        "end": period.end.isoformat(),
        "coverage": f"{coverage.value:.2f}",
        "required": f"{required.value:.2f}",
        "shortfall": "an amount that cannot be said" if shortfall is None else money(shortfall, question.currency),
        "pipeline_needed": money(needed, question.currency),
    }
    what = (
        f"Coverage of {period.label} is {facts['coverage']}, and past periods required {facts['required']}: the "
        f"pipeline falls short by {facts['pipeline_needed']}, expected bookings by {facts['shortfall']}."
    )
    judged = (_evidence(coverage.value, required), _judged(coverage.value, required, shortfall))
    dims = (("period", period.label),)
    subject = Subject("coverage_below_required", Place(CHAPTER, "coverage"), dims, cut_id("target", dict(dims)))
    return [build(question, subject, what, facts, judged)]


def period_ahead(question: Question) -> Period:
    """The report's period, or the one after it where that has come to its end."""
    calendar = question.snapshot.definitions.fiscal_calendar
    is_over = question.period.end <= question.snapshot.as_of
    return following(question.period, calendar) if is_over else question.period


def _gap(question: Question, period: Period, figures: tuple[float, float, Figure]) -> tuple[float | None, float]:
    """Bookings that will be missing, and the pipeline that would bring them.

    Missing pipeline is (required − coverage) × what is left of the target; each unit of it is worth the yield, which is
    expected bookings ÷ pipeline. Without pipeline the yield cannot be read, and the first is None.
    """
    coverage, required, expected = figures
    target, booked = figure(question.metric("target", period)), figure(question.metric("bookings", period))
    # A period that has not begun has no bookings yet, and its metric is null for that reason.
    left = (target.value or 0.0) - (booked.value or 0.0)
    needed = (required - coverage) * left
    if expected.value is None or coverage <= 0:
        return None, needed
    return needed * expected.value / (coverage * left), needed


def _evidence(coverage: float, required: Figure) -> Evidence:
    """Coverage less required: the interval is that of what is required, turned round."""
    low = None if required.high is None else coverage - required.high
    high = None if required.low is None else coverage - required.low
    return Evidence(required.n, coverage - (required.value or 0.0), "ratio", low, high)


def _judged(coverage: float, required: Figure, shortfall: float | None) -> Judgement:
    sure = chance_above(required.value or 0.0, required.low, required.high, coverage)
    severity: Severity = "critical" if required.low is not None and coverage < required.low else "warning"
    return Judgement(severity, sure, shortfall)
