"""Detectors of the state of the pipeline: overdue deals, stalled deals, and few large ones.

That deals are overdue or have stalled is a count; what is at stake is what such deals lost in the past. Their whole
amount is not lost, and where no loss could be measured it is said as the amount concerned, which ranks after money.
"""

from __future__ import annotations

from dataclasses import dataclass

from revops_analysis.findings.building import Judgement, Subject, build, chance_above, figure
from revops_analysis.findings.finding import Evidence, Place, Severity
from revops_analysis.findings.registry import Answer, NotAssessed, Question, detector
from revops_analysis.findings.words import money, share

CHAPTER = "pipeline_health"

STALLED_SHARE = 0.1
"""Share of the open pipeline that has stalled, from which on it is a warning rather than a note."""

LARGEST_SHARE = 0.1
"""Share of the open pipeline in one deal from which on the pipeline counts as concentrated."""

TEN_LARGEST_SHARE = 0.5
"""Share of the open pipeline in its ten largest deals from which on it counts as concentrated."""

MINIMUM_DEALS = 20
"""Fewer open deals than this are always concentrated in ten: nothing is said."""


@detector("overdue_pipeline", CHAPTER, facts=("n", "amount", "share", "loss"))
def overdue_pipeline(question: Question) -> Answer:
    """Open pipeline whose close date has passed, when it is more than the threshold of the definitions.

    Money: what overdue deals of the same stage and age were won less often (`ageing_effect`) × their amount.
    """
    whole, late = figure(question.metric("open_pipeline")), figure(question.metric("overdue_pipeline"))
    if whole.value is None or late.value is None:
        return NotAssessed(str(whole.reason or late.reason))
    limit = question.snapshot.definitions.thresholds.overdue_share
    if whole.value <= 0 or late.value / whole.value <= limit:
        return []
    part = late.value / whole.value
    cost = _cost(question, "overdue", late.value)
    facts = {"n": late.n, "amount": money(late.value, question.currency), "share": share(part), "loss": cost.loss}
    what = (
        f"{late.n:,} open deals worth {facts['amount']} are past their close date: {facts['share']} of the open "
        f"pipeline, where {share(limit)} is the limit. {cost.words}"
    )
    severity: Severity = "critical" if part > 2 * limit else "warning"
    judged = (Evidence(late.n, part, "rate"), Judgement(severity, cost.sure or 1.0, cost.money, late.value))
    return [
        build(
            question, Subject("overdue_pipeline", Place(CHAPTER, "ageing"), about="overdue deals"), what, facts, judged
        )
    ]


@detector("stalled_deals", CHAPTER, facts=("n", "amount", "share", "stage", "stage_amount", "loss"))
def stalled_deals(question: Question) -> Answer:
    """Open deals that have been in their stage longer than most deals that were won (the stalled quantile).

    Money: what stalled deals of the same stage and age were won less often (`ageing_effect`) × their amount.
    """
    stalled, whole = figure(question.metric("stalled_pipeline")), figure(question.metric("open_pipeline"))
    if stalled.value is None or whole.value is None:
        return NotAssessed(str(stalled.reason or whole.reason))
    if not _has_thresholds(question):
        return NotAssessed("too few deals were won to say how long a stage usually takes")
    if stalled.value <= 0:
        return []
    by_stage = question.metric("stalled_pipeline", by=["stage"]).frame.sort_values(
        ["value", "stage"], ascending=[False, True]
    )
    part, quantile = stalled.value / whole.value, question.snapshot.definitions.stalled_quantile
    facts = {
        "n": stalled.n,
        "amount": money(stalled.value, question.currency),
        "share": share(part),
        "stage": by_stage["stage"].iloc[0],
        "stage_amount": money(by_stage["value"].iloc[0], question.currency),
    }
    cost = _cost(question, "stalled", stalled.value)
    facts["loss"] = cost.loss
    what = (
        f"{stalled.n:,} open deals worth {facts['amount']}, {facts['share']} of the open pipeline, have been in their "
        f"stage longer than {quantile:.0%} of the deals that were won. {cost.words}"
    )
    severity: Severity = "warning" if part >= STALLED_SHARE else "info"
    # That the deals are this old is certain. Unless a loss was measured, that it is a problem is as sure as the
    # quantile: so many wins were faster.
    judged = (Evidence(stalled.n, part, "rate"), Judgement(severity, cost.sure or quantile, cost.money, stalled.value))
    return [build(question, Subject("stalled_deals", Place(CHAPTER, "ageing")), what, facts, judged)]


@dataclass(frozen=True)
class _Cost:
    """What deals with a flag lose: money and how sure it is, None where no loss was measured; `words` say either."""

    money: float | None
    sure: float | None
    loss: str
    words: str


def _cost(question: Question, flag: str, amount: float) -> _Cost:
    """The measured effect of a flag × the amount of the deals that have it."""
    from revops_analysis.models.ageing_effect import ageing_effect

    found = ageing_effect(question.snapshot, flag)
    effect, low, high = found.effect, found.low, found.high
    if effect is None:
        return _Cost(None, None, _UNKNOWN, f"What that costs is not known: {found.reason}.")
    if not found.is_lower:
        between = "" if low is None or high is None else f" ({100 * low:+.1f} to {100 * high:+.1f})"
        seen = f"{100 * effect:+.1f} points{between}"
        return _Cost(
            None,
            None,
            _UNKNOWN,
            f"That such deals are won less often could not be shown: {seen}, so no loss is stated.",
        )
    loss = money(-effect * amount, question.currency)
    words = (
        f"Such deals were won within {found.horizon_days} days {-100 * effect:.0f} points less often than others of "
        f"their stage and age, which is {loss}."
    )
    return _Cost(-effect * amount, chance_above(0.0, low, high, effect), loss, words)


_UNKNOWN = "an amount that is not known"


def _has_thresholds(question: Question) -> bool:
    from revops_analysis.metrics.stalled import stalled_thresholds

    return bool(stalled_thresholds(question.snapshot).frame["threshold_days"].notna().any())


@detector("pipeline_concentration", CHAPTER, facts=("n", "amount", "share", "largest", "largest_share"))
def pipeline_concentration(question: Question) -> Answer:
    """One deal that is a tenth of the open pipeline or more, or ten that are half of it."""
    whole = figure(question.metric("open_pipeline"))
    tops = question.metric("concentration").frame.set_index("top")
    if whole.value is None or tops["value"].isna().any():
        return NotAssessed(str(whole.reason or tops["reason"].iloc[0]))
    if whole.n < MINIMUM_DEALS:
        return NotAssessed(f"{whole.n} open deals are too few to speak of concentration ({MINIMUM_DEALS} are needed)")
    shares = tops["value"].astype(float).to_dict()
    one, ten = shares["1"], shares["10"]
    if one < LARGEST_SHARE and ten < TEN_LARGEST_SHARE:
        return []
    facts = {
        "n": 10,
        "amount": money(ten * whole.value, question.currency),
        "share": share(ten),
        "largest": money(one * whole.value, question.currency),
        "largest_share": share(one),
    }
    what = (
        f"The ten largest of {whole.n:,} open deals are worth {facts['amount']}, {facts['share']} of the open "
        f"pipeline; the largest alone is {facts['largest']}, {facts['largest_share']}."
    )
    judged = (Evidence(whole.n, ten, "rate"), Judgement("warning", 1.0, one * whole.value))
    return [build(question, Subject("pipeline_concentration", Place(CHAPTER, "concentration")), what, facts, judged)]
