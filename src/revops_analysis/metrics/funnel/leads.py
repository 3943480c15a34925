"""Leads on their way to a won deal: a row a lead, with the day on which it had reached each stage, and how it left.

All of it is set work in the engine. A later stage implies the earlier ones: a lead that was accepted had been qualified
by then, whatever the CRM says, so days never run backwards. Events after the as-of date have not happened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

from revops_analysis.metrics.funnel.attributes import as_number, attribute_text
from revops_analysis.tables.days import business_day

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

STAGES = ("lead", "qualified", "accepted", "deal", "won")
"""Stages of a lead, in order: created, passed by marketing, accepted by sales, turned into a deal, won."""

MARKETING, SALES_BEFORE, SALES_AFTER = (
    "marketing, before passing",
    "sales, before acceptance",
    "sales, after acceptance",
)
SIDES = (MARKETING, SALES_BEFORE, SALES_AFTER)
"""Who refused a lead, and when."""

_REACHED = {stage: f"{stage}_on" for stage in STAGES}


def lead_table(snapshot: Snapshot) -> ir.Table:
    """One row a lead that existed at the end of the day; computed once.

    Columns: lead_id, source, campaign_id, campaign, channel, segment, owner_id, team, disqualified_reason, created_at,
    and
    - lead_on, qualified_on, accepted_on, deal_on, won_on: the first day on which it had reached the stage or a later
      one; null if it has not;
    - refused_on and refused_at (the moment), side (one of `SIDES`), is_recycled (refused for now and not for ever);
    - ignored_on: the day from which on a passed lead that nobody answered or refused counts as ignored; null where the
      source records no answers at all;
    - lost_on: the day on which its deal was lost; deal_status; opportunity_id; won_amount (DECIMAL, reporting currency)
      and is_first_of_deal, because two leads can become one deal, which must count once;
    - passed_at, the moment from which on sales had it; minutes, from then to the first answer (null without one, and
      where the answer is dated before the lead); is_answered; is_worked, whether sales did anything with it;
      is_passed, whether the CRM says that it was qualified or later;
    - is_out_of_order: some event is recorded before one that must precede it;
    - owner_gone (its owner had left by then and it was still open), owner_unknown, wrong_segment (its deal is of
      another segment than what is recorded of the lead says).

    A lead without a moment of creation is in none of these and is counted by `undated_leads`.
    """
    return snapshot.keep("leads of the funnel", lambda: _leads(snapshot))


def undated_leads(snapshot: Snapshot) -> int:
    """How many leads have no moment of creation; they are in no period and no figure."""
    leads = snapshot.table("leads")
    return int(leads.filter(leads.created_at.isnull()).count().to_pyarrow().as_py())


def records_answers(snapshot: Snapshot) -> bool:
    """Whether the source records, for any lead, a first response or an acceptance."""
    return bool(snapshot.once("answers of leads", lambda: _records(snapshot)))


def _records(snapshot: Snapshot) -> bool:
    leads = snapshot.table("leads")
    answered = leads.filter(leads.first_response_at.notnull() | leads.accepted_at.notnull())
    return bool(answered.limit(1).count().to_pyarrow().as_py())


def _leads(snapshot: Snapshot) -> ir.Table:
    leads = snapshot.table("leads")
    leads = _with_deal(leads.filter(leads.created_at.notnull()), snapshot)
    leads = _with_days(leads, snapshot)
    leads = _with_answers(leads)
    leads = _with_exits(leads, snapshot)
    return _with_dimensions(leads, snapshot).select(*_KEPT)


_KEPT = (
    *("lead_id", "source", "campaign_id", "campaign", "channel", "segment", "owner_id", "team"),
    *("disqualified_reason", "created_at", *_REACHED.values(), "refused_on", "side", "is_recycled", "ignored_on"),
    *("lost_on", "deal_status", "opportunity_id", "won_amount", "is_first_of_deal", "converted_at", "refused_at"),
    *("passed_at", "minutes", "is_answered", "is_worked", "is_passed", "is_out_of_order"),
    *("owner_gone", "owner_unknown", "wrong_segment", "attributes"),
)


def _with_deal(leads: ir.Table, snapshot: Snapshot) -> ir.Table:
    """Join the deal that a lead became; of several leads of one deal the earliest carries its amount."""
    deals = snapshot.deals
    known = deals.select(
        deal_id=deals.opportunity_id,
        deal_status=deals.status,
        deal_created_on=deals.created_on,
        deal_booked_on=deals.booked_on,
        deal_closed_on=deals.closed_on,
        deal_amount=deals.amount,
        deal_segment=deals.segment,
    )
    joined = leads.left_join(known, leads.opportunity_id == known.deal_id)
    order = ibis.window(group_by=joined.deal_id, order_by=[joined.created_at, joined.lead_id])
    return joined.mutate(is_first_of_deal=joined.deal_id.notnull() & (ibis.row_number().over(order) == 0))


def _with_days(leads: ir.Table, snapshot: Snapshot) -> ir.Table:
    """The day each stage was reached, later stages implying earlier ones, none before the creation."""
    moments = {
        "created_day": leads.created_at,
        "qualified_day": leads.qualified_at,
        "accepted_day": leads.accepted_at,
        "converted_day": leads.converted_at,
        "refused_day": leads.disqualified_at,
    }
    # Days first, then what follows from them: each is a long expression that must not be written out again and again.
    leads = leads.mutate(**{name: _day(snapshot, moment) for name, moment in moments.items()})
    leads = leads.mutate(
        deal_day=ibis.coalesce(leads.converted_day, leads.deal_created_on),
        won_day=ibis.ifelse(leads.deal_status == "won", leads.deal_booked_on, ibis.null("date")),
        lost_on=ibis.ifelse(leads.deal_status == "lost", leads.deal_closed_on, ibis.null("date")),
        lead_on=leads.created_day,
    )
    own = [leads.qualified_day, leads.accepted_day, leads.deal_day, leads.won_day]
    first = {f"first_{stage}": _earliest(own[place:]) for place, stage in enumerate(STAGES[1:])}
    leads = leads.mutate(**first)
    never = ibis.null("date")
    reached = {
        _REACHED[stage]: ibis.ifelse(
            leads[f"first_{stage}"] == _FAR, never, ibis.greatest(leads[f"first_{stage}"], leads.created_day)
        )
        for stage in STAGES[1:]
    }
    return leads.mutate(**reached)


_FAR = ibis.literal("9999-12-31").cast("date")
"""A day after all others: engines differ in what `least` makes of a null."""


def _earliest(days: list[ir.Value]) -> ir.Value:
    """The earliest of days that are there; `_FAR` where none is."""
    known = [ibis.coalesce(day, _FAR) for day in days]
    return ibis.least(*known) if len(known) > 1 else known[0]


def _day(snapshot: Snapshot, moment: ir.Value) -> ir.Value:
    """The business day of a moment of a lead; leads can be older than the first deal, by which others tell days."""
    years = snapshot.once("first year of leads", lambda: _first_year(snapshot)), snapshot.data_through.year
    return business_day(moment, snapshot.definitions.business_time_zone, *years)


def _first_year(snapshot: Snapshot) -> int:
    first = snapshot.table("leads").created_at.min().to_pyarrow().as_py()
    return min(first.year if first is not None else snapshot.as_of.year, snapshot.data_through.year)


def _with_answers(leads: ir.Table) -> ir.Table:
    """When sales had the lead, how long it waited for an answer, and whether anything was done with it.

    The clock starts when the lead was passed; where it was answered before that, or never passed, when it was created.
    """
    answer = leads.first_response_at
    late_pass = (leads.qualified_at <= answer).fill_null(answer.isnull()) & (leads.qualified_at >= leads.created_at)
    start = ibis.ifelse(late_pass, ibis.coalesce(leads.qualified_at, leads.created_at), leads.created_at)
    seconds = answer.epoch_seconds() - start.epoch_seconds()
    minutes = ibis.ifelse(seconds >= 0, seconds.cast("float64") / 60.0, ibis.null("float64"))
    order = [leads.created_at, leads.qualified_at, leads.accepted_at, leads.converted_at]
    wrong = [(later < earlier).fill_null(False) for i, earlier in enumerate(order) for later in order[i + 1 :]]
    wrong.append((answer < leads.created_at).fill_null(False))
    wrong.append((leads.disqualified_at < leads.created_at).fill_null(False))
    return leads.mutate(
        passed_at=start,
        minutes=minutes,
        is_answered=answer.notnull(),
        is_worked=answer.notnull() | leads.accepted_at.notnull() | leads.deal_on.notnull(),
        is_passed=leads.qualified_on.notnull(),
        is_out_of_order=ibis.or_(*wrong),
    )


def _with_exits(leads: ir.Table, snapshot: Snapshot) -> ir.Table:
    """Refusals with their side, and leads that nobody answered; what became a deal afterwards was not refused."""
    words = snapshot.definitions.leads
    undone = (leads.deal_on >= leads.refused_day).fill_null(False)
    refused = ibis.ifelse(undone, ibis.null("date"), ibis.greatest(leads.refused_day, leads.lead_on))
    refused = ibis.ifelse(leads.refused_day.isnull(), ibis.null("date"), refused)
    accepted = (leads.accepted_on <= refused).fill_null(False)
    passed = (leads.qualified_on <= refused).fill_null(False)
    side = ibis.cases((accepted, SALES_AFTER), (passed, SALES_BEFORE), (refused.notnull(), MARKETING))
    recycled = leads.disqualified_reason.isin(words.recycled_reasons) if words.recycled_reasons else False
    limit = leads.qualified_on + ibis.interval(days=words.ignored_after_days)
    silent = leads.qualified_on.notnull() & ~leads.is_worked & refused.isnull()
    is_late = limit.cast("date") <= ibis.literal(snapshot.as_of)
    ignored = ibis.ifelse(silent & is_late & ibis.literal(records_answers(snapshot)), limit.cast("date"), None)
    return leads.mutate(
        refused_on=refused,
        refused_at=ibis.ifelse(refused.notnull(), leads.disqualified_at, ibis.null("timestamp(6)")),
        side=side,
        is_recycled=(refused.notnull() & recycled).fill_null(False),
        ignored_on=ignored.cast("date"),
        won_amount=ibis.ifelse(
            leads.won_on.notnull() & leads.is_first_of_deal, leads.deal_amount, ibis.null("decimal(18, 2)")
        ),
    )


def _with_dimensions(leads: ir.Table, snapshot: Snapshot) -> ir.Table:
    """Campaign, owner and segment, and what is wrong with the routing."""
    campaigns, users = snapshot.table("campaigns"), snapshot.table("users")
    named = campaigns.select(joined_campaign=campaigns.campaign_id, campaign=campaigns["name"], channel="channel")
    owners = users.select(joined_owner=users.user_id, team=users.team, left_on=users.left_on)
    leads = leads.left_join(named, leads.campaign_id == named.joined_campaign)
    leads = leads.left_join(owners, leads.owner_id == owners.joined_owner)
    leads = leads.mutate(segment=_segment(leads, snapshot))
    is_open = leads.deal_on.isnull() & leads.refused_on.isnull()
    has_users = snapshot.has("users")
    return leads.mutate(
        owner_gone=(leads.left_on <= ibis.literal(snapshot.as_of)).fill_null(False) & is_open,
        owner_unknown=leads.owner_id.notnull() & leads.joined_owner.isnull() & has_users,
        wrong_segment=(leads.segment != leads.deal_segment).fill_null(False),
    )


def _segment(leads: ir.Table, snapshot: Snapshot) -> ir.Value:
    """The segment that is recorded in the attributes, else that of the recorded number of employees; else null."""
    segments = snapshot.definitions.segments
    names, engine = snapshot.definitions.segment_names, snapshot.con.name
    if not names:
        return ibis.null("string")
    written = attribute_text(leads, "segment", engine)
    recorded = ibis.ifelse(written.isin(names), written, ibis.null("string"))
    if all(segment.employees_to is None for segment in segments):
        return recorded
    size = as_number(attribute_text(leads, "employees", engine))
    branches = [(size <= float(part.employees_to), part.name) for part in segments if part.employees_to is not None]
    last = segments[-1].name if segments[-1].employees_to is None else ibis.null("string")
    branches.append((size.notnull(), last))
    return ibis.coalesce(recorded, ibis.cases(*branches))
