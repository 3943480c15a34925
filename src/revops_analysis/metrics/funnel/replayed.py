"""Leads as two rules see them, and what became of each: what a replay counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

from revops_analysis.definitions.rules import Rule
from revops_analysis.metrics.deals import within
from revops_analysis.metrics.funnel.behaviour import with_behaviour
from revops_analysis.metrics.funnel.leads import lead_table, records_answers
from revops_analysis.metrics.funnel.rules import passes, rule_names
from revops_analysis.periods import Period

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot


def replayed(snapshot: Snapshot, rule: Rule, current: Rule | None, span: Period) -> ir.Table:
    """Leads created in the period with what each rule makes of them, and how long they were watched.

    Adds to `lead_table` by_new and by_current (without a current rule: what the CRM says was passed), worked, month,
    deal_result ('deal', 'out' once refused or ignored, null while open) and deal_days, won_result ('won', 'out', null)
    and won_days. The clock of a lead starts when sales had it, or when it came where nobody passed it.
    """
    leads = lead_table(snapshot)
    used = [name for each in (rule, current) if each is not None for name in rule_names(each)]
    leads = with_behaviour(leads.filter(within(leads.lead_on, span)), snapshot, used)
    engine = snapshot.con.name
    today = ibis.literal(snapshot.as_of)
    start = ibis.coalesce(leads.qualified_on, leads.lead_on)
    out = ibis.coalesce(leads.refused_on, leads.ignored_on)
    deal_end = ibis.coalesce(leads.deal_on, out, today)
    won_end = ibis.coalesce(leads.won_on, leads.lost_on, ibis.ifelse(leads.deal_on.notnull(), today, out), today)
    floor = ibis.literal(0, "int64")
    return leads.mutate(
        by_new=passes(rule, leads, engine),
        by_current=leads.is_passed if current is None else passes(current, leads, engine),
        worked=leads.is_worked if records_answers(snapshot) else leads.is_passed,
        month=leads.lead_on.strftime("%Y-%m"),
        deal_result=ibis.cases((leads.deal_on.notnull(), "deal"), (out.notnull(), "out"), else_=ibis.null("string")),
        deal_days=ibis.greatest(deal_end.delta(start, unit="day"), floor),
        won_result=ibis.cases(
            (leads.won_on.notnull(), "won"),
            (leads.lost_on.notnull() | (leads.deal_on.isnull() & out.notnull()), "out"),
            else_=ibis.null("string"),
        ),
        won_days=ibis.greatest(won_end.delta(start, unit="day"), floor),
    )


_KEYS = ("by_new", "by_current", "is_passed", "worked", "month", "deal_result", "deal_days", "won_result", "won_days")


def replay_counts(leads: ir.Table) -> ir.Table:
    """Count leads of `replayed` by all that the answer is cut by: cases, won_deals and amount (each deal once)."""
    is_won = leads.won_on.notnull() & leads.is_first_of_deal
    sums = {"cases": leads.count(), "won_deals": is_won.sum(), "amount": leads.won_amount.sum()}
    return leads.group_by(list(_KEYS)).aggregate(**sums).order_by(list(_KEYS))


def sellers_of(leads: ir.Table) -> int:
    """How many owners had a passed lead among these."""
    owners = leads.filter(leads.is_passed & leads.owner_id.notnull())
    return int(owners.owner_id.nunique().to_pyarrow().as_py() or 0)
