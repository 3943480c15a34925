"""Detectors of the hand-off of leads: a rule that passes too many, answers that come late, and leads nobody owns."""

from __future__ import annotations

from typing import Any

import pandas as pd

from revops_analysis.findings.building import MOST, Judgement, Subject, build
from revops_analysis.findings.finding import Evidence, Place, Severity
from revops_analysis.findings.registry import Answer, NotAssessed, Question, detector
from revops_analysis.findings.words import money, share
from revops_analysis.metrics.funnel.leads import STAGES
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.models.lead_handoff import LeadHandOff, lead_handoff
from revops_analysis.models.lead_replay import AGAINST, NEW
from revops_analysis.statistics.proportions import compare_proportions

CHAPTER = "lead_handoff"

FALSE_DISCOVERY = 0.05
"""Share of false alarms that is accepted among the effects of waiting."""

LEAST_GAIN = 1.25
"""A proposed rule is a finding once its leads become a deal this many times as often as those of today's rule."""

UNROUTED_SHARE = 0.01
"""Share of the leads without a working owner from which on it is a finding."""


def _hand_off(question: Question) -> LeadHandOff:
    return lead_handoff(question.snapshot, question.period)


_RULE_FACTS = ("rule", "passed", "passed_new", "rate", "rate_new", "kept", "hours", "missed", "gain", "unknown")


@detector("lead_rule_too_wide", CHAPTER, facts=_RULE_FACTS)
def lead_rule_too_wide(question: Question) -> Answer:
    """Today's lead rule passes leads that rarely become a deal, and a simple other rule would keep nearly all deals.

    Money: what the leads that only the proposed rule passes would bring, if they became deals as often as the worked
    leads of the rule and were worth as much, less what was won from the leads that it gives up. Nobody worked those
    leads, so it is an estimate under that assumption.
    """
    found = _hand_off(question)
    if found.replay is None:
        return NotAssessed(str(found.reason or found.proposal.reason))
    today, new = found.replay.of(AGAINST), found.replay.of(NEW)
    if pd.isna(today["deal_rate"]) or pd.isna(new["deal_rate"]):
        return NotAssessed(str(new["reason"] or today["reason"]))
    groups = found.replay.groups.set_index("group")
    compared = _kept_against_given_up(groups)
    if new["deal_rate"] < LEAST_GAIN * today["deal_rate"] or not compared["low"] > 0:
        return []
    gain = _gain(new, groups)
    facts = {
        "rule": found.replay.new,
        "passed": f"{today['passed_month']:.0f}",
        "passed_new": f"{new['passed_month']:.0f}",
        "rate": share(today["deal_rate"]),
        "rate_new": share(new["deal_rate"]),
        "kept": share(new["recall"]),
        "hours": f"{today['hours_month'] - new['hours_month']:,.0f}",
        "missed": money(new["missed_amount"], question.currency),
        "gain": money(gain, question.currency),
        "unknown": f"{new['unknown']:,}",
    }
    what = (
        f"{facts['passed']} leads a month are passed and {facts['rate']} of those worked become a deal. A rule of "
        f"{len_of(found)} conditions would pass {facts['passed_new']}, of which {facts['rate_new']} become a deal, and "
        f"keep {facts['kept']} of the deals; it gives up {facts['missed']} won in the year and frees {facts['hours']} "
        f"hours of sales a month."
    )
    evidence = Evidence(
        int(groups.loc[["both rules", "only the current rule"], "worked"].sum()),
        compared["difference"],
        "rate",
        compared["low"],
        compared["high"],
    )
    severity: Severity = "critical" if new["deal_rate"] >= 2 * today["deal_rate"] else "warning"
    judged = (evidence, Judgement(severity, min(MOST, 1 - compared["p_value"]), gain))
    return [build(question, Subject("lead_rule_too_wide", Place(CHAPTER, "replay")), what, facts, judged)]


def len_of(found: LeadHandOff) -> str:
    """The number of conditions of the proposed rule in words."""
    words = ("no", "one", "two", "three", "four")
    number = found.proposal.found.conditions if found.proposal.found else 0
    return words[number] if number < len(words) else str(number)


def _kept_against_given_up(groups: pd.DataFrame) -> dict[str, float]:
    """Deal rates of worked leads that both rules pass against those that only today's passes."""
    kept, given_up = groups.loc["both rules"], groups.loc["only the current rule"]
    frame = compare_proportions(([kept["deals"]], [kept["worked"]]), ([given_up["deals"]], [given_up["worked"]]))
    return {str(name): float(value) for name, value in frame.iloc[0].items()}


def _gain(new: dict[str, Any], groups: pd.DataFrame) -> float:
    """Bookings of the leads gained, if they resemble the worked ones, less those of the leads given up."""
    gained, given_up = (groups.loc[name].to_dict() for name in ("only the new rule", "only the current rule"))
    for_each = float(new["won_amount"]) / new["worked"] if new["worked"] else 0.0
    net = gained["unknown"] * for_each + float(gained["won_amount"]) - float(given_up["won_amount"])
    return float(max(net, 0.0))


_SPEED_FACTS = ("late", "share", "minutes", "rate", "rate_waiting", "amount", "unanswered")


@detector("slow_response", CHAPTER, facts=_SPEED_FACTS)
def slow_response(question: Question) -> Answer:
    """Passed leads that were not answered within the agreed time, where waiting measurably costs deals.

    Money: late leads of the year × the difference of the landmark comparison × what a deal from a lead brought so far.
    """
    found = _hand_off(question)
    if found.speed.effects.empty:
        return NotAssessed(str(found.speed.reason))
    effect = found.speed.effects.iloc[0]
    if pd.isna(effect["difference"]):
        return NotAssessed(str(effect["reason"]))
    answers = found.answers.set_index("metric")
    in_time = answers.loc["response_within_target"]
    if pd.isna(in_time["value"]):
        return NotAssessed(str(in_time["reason"]))
    if not (effect["difference"] > 0 and effect["p_adjusted"] <= FALSE_DISCOVERY) or in_time["value"] == 1:
        return []
    late = round(float(in_time["n"]) * (1 - float(in_time["value"])))
    worth = found.value_of_deal
    lost = None if worth is None else late * float(effect["difference"]) * worth
    facts = {
        "late": f"{late:,}",
        "share": share(1 - float(in_time["value"])),
        "minutes": f"{effect['minutes']:g}",
        "rate": share(effect["answered_rate"]),
        "rate_waiting": share(effect["waiting_rate"]),
        "amount": "an amount that cannot be said" if lost is None else money(lost, question.currency),
        "unanswered": f"{int(answers.loc['leads_unanswered', 'n']):,}",
    }
    what = (
        f"{facts['late']} leads of the year ({facts['share']}) were not answered within {facts['minutes']} minutes, "
        f"{facts['unanswered']} of them never. {facts['rate']} of leads answered by then become a deal, "
        f"{facts['rate_waiting']} of those still waiting; on the late ones that is {facts['amount']}."
    )
    evidence = Evidence(
        int(effect["n_answered"] + effect["n_waiting"]),
        float(effect["difference"]),
        "rate",
        float(effect["low"]),
        float(effect["high"]),
        float(effect["p_adjusted"]),
    )
    judged = (evidence, Judgement("warning", min(MOST, 1 - float(effect["p_adjusted"])), lost))
    return [build(question, Subject("slow_response", Place(CHAPTER, "speed to lead")), what, facts, judged)]


@detector("leads_without_working_owner", CHAPTER, facts=("n", "no_owner", "gone", "share", "amount"))
def leads_without_working_owner(question: Question) -> Answer:
    """Leads that nobody can work: without owner, of an unknown one, or open and of somebody who has left.

    Money: their number × the share of leads of the year that became a deal × what such a deal brought so far.
    """
    found = _hand_off(question)
    if found.reason:
        return NotAssessed(found.reason)
    created = compute_metric(question.snapshot, "leads_created", found.span).frame.iloc[0]
    if not created["value"]:
        return NotAssessed(f"no lead was created in {found.span.label}")
    n = found.routing.set_index("problem")["n"]
    total = int(n["no owner"] + n["owner unknown"] + n["owner has left"])
    part = total / float(created["value"])
    if part < UNROUTED_SHARE:
        return []
    rate = float(found.reached["share"].to_numpy()[STAGES.index("deal")])
    worth = found.value_of_deal
    lost = None if worth is None else total * rate * worth
    facts = {
        "n": f"{total:,}",
        "no_owner": f"{int(n['no owner'] + n['owner unknown']):,}",
        "gone": f"{int(n['owner has left']):,}",
        "share": share(part),
        "amount": "an amount that cannot be said" if lost is None else money(lost, question.currency),
    }
    what = (
        f"{facts['n']} leads of the year ({facts['share']}) have nobody who works them: {facts['no_owner']} without a "
        f"known owner, {facts['gone']} open ones of owners who have left. At the rate of all leads that is "
        f"{facts['amount']}."
    )
    judged = (Evidence(total, part, "rate"), Judgement("warning", 1.0, lost))
    return [build(question, Subject("leads_without_working_owner", Place(CHAPTER, "routing")), what, facts, judged)]
