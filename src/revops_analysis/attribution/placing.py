"""The place of each touch in its deal's journey: the one sort of all touches on which everything else rests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

if TYPE_CHECKING:
    from revops_analysis.attribution.options import JourneyOptions

_OF_TOUCH = ("touchpoint_id", "occurred_at", "channel_number", "campaign_number", "took_channel")
_BEFORE = ("is_early", "is_by_lead", "is_by_deal")


def paired(candidates: ir.Table, deals: ir.Table) -> ir.Table:
    """Every candidate beside every deal it could belong to, whatever the time: `deal_*` columns are the deal's.

    By account, and by the deal it was recorded on where that is not the account's.
    """
    side = deals.rename("deal_{name}")
    by_account = candidates.inner_join(side, candidates.account_id == side.deal_account_id)
    elsewhere = candidates.filter(candidates.opportunity_id.notnull())
    by_deal = elsewhere.inner_join(side, elsewhere.opportunity_id == side.deal_opportunity_id)
    same = (by_deal.account_id == by_deal.deal_account_id).fill_null(False)
    return by_account.union(by_deal.filter(~same))


def in_window(pairs: ir.Table) -> ir.BooleanValue:
    """Whether the touch of a pair lies in the deal's influence window."""
    return (pairs.occurred_at >= pairs.deal_influence_from) & (pairs.occurred_at < pairs.deal_until_at)


@dataclass(frozen=True)
class Placing:
    """What it takes to place touches: who they were with, the options, and how to keep a table in the engine."""

    people: ir.Table
    options: JourneyOptions
    keep: Callable[[str, Callable[[], ir.Table]], ir.Table]


def ranked_touches(candidates: ir.Table, base: ir.Table, how: Placing) -> ir.Table:
    """One row a touch in a journey, repeats left out: columns of `_OF_TOUCH` and `_BEFORE`, deal_number, touch_order.

    Touches are sorted once, by deal and moment alone: keys of one width sort much faster than names. What is left to
    decide is decided where two touches lie close: repeats have one shortly before them, and touches of one moment go by
    their key. Only the deals that have such touches are looked at, and sorted, again.
    """
    minutes = how.options.duplicate_minutes or 0
    first = how.keep("ranked", lambda: _ranked(_inside(candidates, base), ["occurred_at"], minutes))
    suspect = how.keep("with near touches", lambda: first.filter(first.is_near).select("deal_number").distinct())
    again = how.keep("ranked again", lambda: _again(first, suspect, how))
    return first.anti_join(suspect, "deal_number").union(again).drop("is_near")


def counted_touches(ranked: ir.Table) -> ir.Table:
    """One row a deal with touches: deal_number, last_at (the last touch), touches (how many), and of these
    early, by_lead, by_deal: how many lie before the sourced window, up to the creation of the account's first lead
    (0: no such lead), and up to the creation of the deal.
    """
    before = {name.removeprefix("is_"): ranked[name].sum().fill_null(0).cast("int32") for name in _BEFORE}
    return ranked.group_by("deal_number").aggregate(
        last_at=ranked.occurred_at.max(), touches=ranked.count().cast("int32"), **before
    )


def _inside(candidates: ir.Table, base: ir.Table) -> ir.Table:
    """Usable touches beside the deals in whose influence window they lie."""
    bounds = ("influence_from", "sourced_from", "created_at", "lead_created_at", "until_at")
    deals = base.filter(base.created_at.notnull()).select("deal_number", "opportunity_id", "account_id", *bounds)
    usable = candidates.filter(candidates.unusable.isnull()).drop("unusable")
    pairs = paired(usable, deals)
    return pairs.filter(in_window(pairs)).select(
        *_OF_TOUCH,
        is_early=pairs.occurred_at < pairs.deal_sourced_from,
        is_by_lead=pairs.occurred_at <= pairs.deal_lead_created_at,
        is_by_deal=pairs.occurred_at <= pairs.deal_created_at,
        deal_number="deal_deal_number",
    )


def _ranked(inside: ir.Table, order: list[str], minutes: int) -> ir.Table:
    """Add each touch's place in its deal, and whether another lies within so many minutes before it."""
    along = ibis.window(group_by="deal_number", order_by=order)
    near = inside.occurred_at.lag(1).over(along) + ibis.interval(minutes=minutes)
    return inside.mutate(
        touch_order=(ibis.row_number().over(along) + 1).cast("int32"),
        is_near=(near >= inside.occurred_at).fill_null(False),
    )


def _again(first: ir.Table, suspect: ir.Table, how: Placing) -> ir.Table:
    """The touches of suspect deals in order, those of one moment by their key, without repeats.

    A repeat has a touch of the same person, channel and campaign shortly before it. Touches of nobody in particular
    stay: they may be of different people.
    """
    rows, minutes = (
        first.semi_join(suspect, "deal_number").drop("touch_order", "is_near"),
        how.options.duplicate_minutes,
    )
    order = ["occurred_at", "touchpoint_id"]
    if not minutes:
        return _ranked(rows, order, 0)
    people = how.people.select("person", met_in="touchpoint_id")
    asked = people.semi_join(rows, people.met_in == rows.touchpoint_id)
    known = rows.left_join(asked, rows.touchpoint_id == asked.met_in).drop("met_in")
    alike = ibis.window(group_by=["deal_number", "person", "channel_number", "campaign_number"], order_by=order)
    limit = known.occurred_at.lag(1).over(alike) + ibis.interval(minutes=minutes)
    marked = known.mutate(is_repeat=(limit >= known.occurred_at).fill_null(False) & known.person.notnull())
    return _ranked(marked.filter(~marked.is_repeat).drop("is_repeat", "person"), order, minutes)
