"""Detectors of the hand-off of leads: a rule that passes too many, answers that come late, and leads nobody owns."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd

from revops_analysis.findings.building import Judgement, Subject, build
from revops_analysis.findings.comparison import Comparisons, Row, dims_of
from revops_analysis.findings.finding import Evidence, Finding, Place, Severity
from revops_analysis.findings.registry import Answer, NotAssessed, Question, detector
from revops_analysis.findings.words import money, share
from revops_analysis.metrics.funnel.leads import STAGES
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.models.lead_handoff import LeadHandOff, lead_handoff
from revops_analysis.models.lead_replay import AGAINST, NEW
from revops_analysis.statistics.proportions import compare_proportions

CHAPTER = "lead_handoff"

LEAST_GAIN = 1.25
"""A proposed rule is a finding once its leads become a deal this many times as often as those of today's rule."""

UNROUTED_SHARE = 0.01
"""Share of the leads without a working owner from which on it is a finding."""


def _hand_off(question: Question) -> LeadHandOff:
    return lead_handoff(question.snapshot, question.period)


_RULE_FACTS = ("rule", "passed", "passed_new", "rate", "rate_new", "kept", "hours", "missed", "gain", "unknown")


@detector("lead_rule_too_wide", CHAPTER, facts=_RULE_FACTS, budget=1)
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
    gain = _gain(new, groups)
    worked = groups.loc[["both rules", "only the current rule"], "worked"].sum()
    row = {"dims": (), "n": worked, "effect": compared["difference"], "money": gain, **compared}
    row |= {"p_value": compared["p_higher"], "is_reported": bool(new["deal_rate"] >= LEAST_GAIN * today["deal_rate"])}
    return Comparisons(pd.DataFrame([row]), "rate", partial(_rule, found))


def _rule(found: LeadHandOff, question: Question, row: Row) -> Finding:
    assert found.replay is not None  # noqa: S101 - it was compared
    today, new, gain = found.replay.of(AGAINST), found.replay.of(NEW), row["money"]
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
    severity: Severity = "critical" if new["deal_rate"] >= 2 * today["deal_rate"] else "warning"
    judged = (row["evidence"], Judgement(severity, row["confidence"], gain))
    return build(question, Subject("lead_rule_too_wide", Place(CHAPTER, "replay")), what, facts, judged)


def len_of(found: LeadHandOff) -> str:
    """The number of conditions of the proposed rule in words."""
    words = ("no", "one", "two", "three", "four")
    number = found.proposal.found.conditions if found.proposal.found else 0
    return words[number] if number < len(words) else str(number)


def _kept_against_given_up(groups: pd.DataFrame) -> dict[str, float]:
    """Deal rates of worked leads that both rules pass against those that only today's passes."""
    kept, given_up = groups.loc["both rules"], groups.loc["only the current rule"]
    sides = ([kept["deals"]], [kept["worked"]]), ([given_up["deals"]], [given_up["worked"]])
    found = {str(name): float(value) for name, value in compare_proportions(*sides).iloc[0].items()}
    # That so many of the kept become a deal is that so few of the given up do.
    return found | {"p_higher": float(compare_proportions(*sides[::-1])["p_lower"].iloc[0])}


def _gain(new: dict[str, Any], groups: pd.DataFrame) -> float:
    """Bookings of the leads gained, if they resemble the worked ones, less those of the leads given up."""
    gained, given_up = (groups.loc[name].to_dict() for name in ("only the new rule", "only the current rule"))
    for_each = float(new["won_amount"]) / new["worked"] if new["worked"] else 0.0
    net = gained["unknown"] * for_each + float(gained["won_amount"]) - float(given_up["won_amount"])
    return float(max(net, 0.0))


_SPEED_FACTS = ("late", "share", "minutes", "rate", "rate_waiting", "amount", "unanswered")


@detector("slow_response", CHAPTER, facts=_SPEED_FACTS, budget=1)
def slow_response(question: Question) -> Answer:
    """Passed leads that were not answered in time, by the first landmark by which waiting measurably costs deals.

    The first landmark is the agreed time. Money: late leads of the year × the difference of the landmark comparison ×
    what a deal from a lead brought so far.
    """
    found = _hand_off(question)
    if found.speed.effects.empty:
        return NotAssessed(str(found.speed.reason))
    effects = found.speed.effects
    if pd.isna(effects["difference"].iloc[0]):
        return NotAssessed(str(effects["reason"].iloc[0]))
    in_time = found.answers.set_index("metric").loc["response_within_target"]
    if pd.isna(in_time["value"]):
        return NotAssessed(str(in_time["reason"]))
    worth = float("nan") if found.value_of_deal is None else found.value_of_deal
    n = (effects["n_answered"] + effects["n_waiting"]).astype("int64")
    # By the agreed time the late leads of the year are counted; by a later one their share is that of the comparison.
    late_share = (effects["n_waiting"] / n).where(effects.index > 0, 1 - float(in_time["value"]))
    late = (float(in_time["n"]) * late_share).round()
    rows = effects.assign(
        dims=dims_of([None] * len(effects), [None] * len(effects)),
        n=n,
        effect=effects["difference"],
        p_value=(effects["p_value"] / 2).where(effects["difference"] > 0, 1 - effects["p_value"] / 2),
        money=late * effects["difference"] * worth,
        late=late,
        late_share=late_share,
        preference=effects["minutes"],
        is_reported=late > 0,
    )
    return Comparisons(rows, "rate", partial(_waiting, found))


def _waiting(found: LeadHandOff, question: Question, row: Row) -> Finding:
    unanswered = found.answers.set_index("metric")["n"].astype("int64")["leads_unanswered"]
    lost: float | None = None if pd.isna(row["money"]) else row["money"]
    facts = {
        "late": f"{row['late']:,.0f}",
        "share": share(row["late_share"]),
        "minutes": f"{row['minutes']:g}",
        "rate": share(row["answered_rate"]),
        "rate_waiting": share(row["waiting_rate"]),
        "amount": "an amount that cannot be said" if lost is None else money(lost, question.currency),
        "unanswered": f"{unanswered:,}",
    }
    what = (
        f"{facts['late']} leads of the year ({facts['share']}) were not answered within {facts['minutes']} minutes, "
        f"{facts['unanswered']} of them never. {facts['rate']} of leads answered by then become a deal, "
        f"{facts['rate_waiting']} of those still waiting; on the late ones that is {facts['amount']}."
    )
    judged = (row["evidence"], Judgement("warning", row["confidence"], lost))
    return build(question, Subject("slow_response", Place(CHAPTER, "speed to lead")), what, facts, judged)


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
