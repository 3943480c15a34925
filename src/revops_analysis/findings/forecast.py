"""Detectors of the forecast: below target, on dates that have passed, in new stages, or where the CRM is too sure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from revops_analysis.errors import RevopsError
from revops_analysis.findings.building import Judgement, Subject, build
from revops_analysis.findings.coverage import period_ahead
from revops_analysis.findings.finding import Evidence, Place, Severity
from revops_analysis.findings.registry import Answer, NotAssessed, Question, detector
from revops_analysis.findings.words import cut_id, money, share

if TYPE_CHECKING:
    from revops_analysis.models.forecast import BookingsForecast

CHAPTER = "forecast"

EVEN_CHANCE = 0.5
"""A target is at risk when the chance to reach it is below this."""

HOPELESS_CHANCE = 0.2
"""Below this it is critical."""

LARGE_SHARE = 0.005
"""An open deal counts as large when its value is this share of the forecast or more."""

FAR_APART = 0.25
"""By how much the CRM's probability must lie above ours before a deal is named."""

OVERDUE_SHARE = 0.01
"""Share of the forecast that must rest on deals whose close date has passed before it is said."""


@detector("forecast_below_target", CHAPTER, facts=("period", "end", "forecast", "target", "gap", "chance", "likely"))
def forecast_below_target(question: Question) -> Answer:
    """A forecast below the target, with less than an even chance to reach it."""
    made = _forecast(question)
    if isinstance(made, NotAssessed):
        return made
    period, target = made.cutoff.period, made.target
    if target is None:
        return NotAssessed(f"no bookings target is set for {period.label}")
    chance = made.chance if len(made.draws) else None
    if chance is None:
        return NotAssessed(f"the forecast of {period.label} has no range, and so no chance to reach the target")
    gap = target - made.mean
    if gap <= 0 or chance >= EVEN_CHANCE:
        return []
    facts = {
        "period": period.label,
        "end": period.end.isoformat(),
        "forecast": money(made.mean, question.currency),
        "target": money(target, question.currency),
        "gap": money(gap, question.currency),
        "chance": _percent(chance),
        "likely": money(made.quantile("p90"), question.currency),
    }
    what = (
        f"{period.label} is forecast at {facts['forecast']}, {facts['gap']} below the target of {facts['target']}; the "
        f"chance to reach it is {facts['chance']}."
    )
    severity: Severity = "critical" if chance < HOPELESS_CHANCE else "warning"
    low, high = made.quantile("p2_5") - target, made.quantile("p97_5") - target
    open_deals = len(made.deals)
    judged = (Evidence(open_deals, -gap, "currency", low, high), Judgement(severity, 1 - chance, gap))
    dims = (("period", period.label),)
    subject = Subject("forecast_below_target", Place(CHAPTER, "headline"), dims, cut_id("target", dict(dims)))
    return [build(question, subject, what, facts, judged)]


@detector("forecast_on_past_dates", CHAPTER, facts=("n", "amount", "share", "period", "largest"))
def forecast_on_past_dates(question: Question) -> Answer:
    """Open deals whose close date has passed and that nevertheless carry part of the forecast."""
    made = _forecast(question)
    if isinstance(made, NotAssessed):
        return made
    if made.deals.empty or "expected" not in made.deals:
        return NotAssessed(f"no open deal carries the forecast of {made.cutoff.period.label}")
    late = made.deals[made.deals["close_date"] <= pd.Timestamp(made.cutoff.day)]
    expected = float(late["expected"].sum())
    if made.mean <= 0 or expected < OVERDUE_SHARE * made.mean:
        return []
    part = expected / made.mean
    facts = {
        "n": len(late),
        "amount": money(expected, question.currency),
        "share": share(part),
        "period": made.cutoff.period.label,
        "largest": money(float(late["expected"].max()), question.currency),
    }
    what = (
        f"{facts['amount']} of the forecast of {facts['period']}, {facts['share']}, rests on {len(late):,} open deals "
        "whose close date has passed."
    )
    judged = (Evidence(len(late), part, "rate"), Judgement("warning", 1.0, expected))
    subject = Subject("forecast_on_past_dates", Place(CHAPTER, "risk"), (("period", facts["period"]),), "overdue deals")
    return [build(question, subject, what, facts, judged)]


@detector("forecast_on_new_stages", CHAPTER, facts=("n", "share", "stages", "amount", "period"))
def forecast_on_new_stages(question: Question) -> Answer:
    """Open deals in stages that hardly any past period had: what such deals come to, no past can tell."""
    from revops_analysis.models.new_stages import deals_in_new_stages
    from revops_analysis.models.selection import SelectionOptions

    made = _forecast(question)
    if isinstance(made, NotAssessed):
        return made
    if not made.evidence.past_periods:
        return NotAssessed("no past period is over with which stages could be compared")
    states, deals = made.evidence.at(made.cutoff)[0], deals_in_new_stages(made.evidence, made.cutoff)
    count = int(states["stage"].notna().sum())
    if len(deals) <= SelectionOptions().new_stages * count:
        return []
    amount, part = float(deals["amount"].sum()), len(deals) / count
    facts = {
        "n": len(deals),
        "share": share(part),
        "stages": ", ".join(sorted(deals["stage"].unique())),
        "amount": money(amount, question.currency),
        "period": made.cutoff.period.label,
    }
    what = (
        f"{facts['n']:,} of {count:,} open deals, {facts['amount']}, stand in {facts['stages']}, which hardly any past "
        f"period had: past win rates say less than usual about {facts['period']}."
    )
    judged = (Evidence(len(deals), part, "rate"), Judgement("warning", 1.0, None, amount))
    subject = Subject("forecast_on_new_stages", Place(CHAPTER, "risk"), (("period", facts["period"]),), "new stages")
    return [build(question, subject, what, facts, judged)]


@detector("crm_too_sure", CHAPTER, facts=("n", "amount", "crm", "ours", "period"))
def crm_too_sure(question: Question) -> Answer:
    """Large deals, expected in the period, to which the CRM gives a much higher probability than such deals had."""
    made = _forecast(question)
    if isinstance(made, NotAssessed):
        return made
    if made.fitted is None or made.fitted.win.basis_ != "model":
        return NotAssessed("there is too little history to say how probable a single deal is")
    if not made.deals["crm_probability"].notna().any():
        return NotAssessed("the CRM states no probability for open deals")
    deals = _overrated(made)
    if deals.empty:
        return []
    crm = float((deals["crm_probability"] * deals["value"]).sum())
    ours = float((deals["probability"] * deals["value"]).sum())
    facts = {
        "n": len(deals),
        "amount": money(crm - ours, question.currency),
        "crm": money(crm, question.currency),
        "ours": money(ours, question.currency),
        "period": made.cutoff.period.label,
    }
    counted = "large deal that the CRM expects" if len(deals) == 1 else "large deals that the CRM expects"
    what = (
        f"{len(deals)} {counted} in {facts['period']}: by its probabilities they are worth {facts['crm']}, by what "
        f"such deals have done {facts['ours']}, which is {facts['amount']} less."
    )
    judged = (
        Evidence(len(deals), crm - ours, "currency"),
        Judgement("warning", float(1 - deals["probability"].mean()), crm - ours),
    )
    subject = Subject("crm_too_sure", Place(CHAPTER, "disagreements"), (("period", facts["period"]),))
    return [build(question, subject, what, facts, judged)]


def _overrated(made: BookingsForecast) -> pd.DataFrame:
    """Large deals with a close date in the period and a CRM probability far above ours.

    The CRM's probability is of winning ever and ours of winning in the period, so deals expected later are left out.
    """
    deals = made.deals[made.deals["is_priced"]]
    in_period = deals["close_date"].between(pd.Timestamp(made.cutoff.day), pd.Timestamp(made.cutoff.period.end))
    is_large = deals["value"] >= LARGE_SHARE * made.mean
    return deals[in_period & is_large & (deals["crm_probability"] - deals["probability"] >= FAR_APART)]


def _forecast(question: Question) -> BookingsForecast | NotAssessed:
    """The forecast of the period that the report looks ahead to, made once; a source that has none says why."""
    from revops_analysis.models.known_forecast import known_forecast
    from revops_analysis.workspace import Workspace

    if not isinstance(question.snapshot, Workspace):
        return NotAssessed("a forecast needs a workspace, in which past forecasts are kept")
    try:
        return known_forecast(question.snapshot, period_ahead(question))
    except RevopsError as problem:
        return NotAssessed(f"no forecast could be made: {problem.what}")


def _percent(chance: float) -> str:
    """A chance as a reader writes it; draws never prove that something cannot be."""
    return "under 1%" if chance < 0.01 else f"{chance:.0%}"
