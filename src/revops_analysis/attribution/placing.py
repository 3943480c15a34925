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
_OF_DEAL = ("deal_number", "cents", "is_closed")
_BEFORE = ("is_early", "is_by_lead", "is_by_deal")
_PLACES = ("touch_order", "touches", "early", "by_lead", "by_deal", "seconds_before_last")


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


def placed_touches(candidates: ir.Table, base: ir.Table, how: Placing) -> ir.Table:
    """One row a touch in a journey, repeats left out.

    Columns: those of `_OF_TOUCH`, deal_number, cents (of the deal), is_closed, and
    - touch_order (from 1), touches (how many the deal has), seconds_before_last (to the deal's last touch);
    - early, by_lead, by_deal: how many touches of the deal lie before the sourced window, up to the creation of the
      account's first lead (0: no such lead), and up to the creation of the deal.

    Touches are sorted once. A repeat has a touch of the same deal shortly before it, so only deals with two touches
    that close are looked at for repeats, and only they are sorted again.
    """
    options, minutes = how.options, how.options.duplicate_minutes
    first = how.keep("placed", lambda: _placed(_inside(candidates, base), options))
    if not minutes:
        return first.drop("is_near", *_BEFORE)
    suspect = how.keep("with near touches", lambda: first.filter(first.is_near).select("deal_number").distinct())
    again = how.keep("placed again", lambda: _placed(_without_repeats(first, suspect, how), options))
    settled = first.anti_join(suspect, "deal_number")
    return settled.union(again).drop("is_near", *_BEFORE)


def _inside(candidates: ir.Table, base: ir.Table) -> ir.Table:
    """Usable touches beside the deals in whose influence window they lie."""
    deals = base.filter(base.created_at.notnull()).mutate(is_closed=base.closed_on.notnull())
    bounds = ("influence_from", "sourced_from", "created_at", "lead_created_at", "until_at")
    names = (*_OF_DEAL, "opportunity_id", "account_id", *bounds)
    usable = candidates.filter(candidates.unusable.isnull()).drop("unusable")
    pairs = paired(usable, deals.select(*names))
    return pairs.filter(in_window(pairs)).select(
        *_OF_TOUCH,
        is_early=pairs.occurred_at < pairs.deal_sourced_from,
        is_by_lead=pairs.occurred_at <= pairs.deal_lead_created_at,
        is_by_deal=pairs.occurred_at <= pairs.deal_created_at,
        **{name: f"deal_{name}" for name in _OF_DEAL},
    )


def _placed(inside: ir.Table, options: JourneyOptions) -> ir.Table:
    order = {"group_by": "deal_number", "order_by": ["occurred_at", "touchpoint_id"]}
    along, whole = ibis.window(**order), ibis.window(**order, preceding=None, following=None)

    def count(where: ir.BooleanValue) -> ir.Value:
        return inside.count(where=where).over(whole).cast("int32")

    near = inside.occurred_at.lag(1).over(along) + ibis.interval(minutes=options.duplicate_minutes)
    same_start = options.sourced_days == options.influence_days
    last = inside.occurred_at.max().over(whole)
    return inside.mutate(
        touch_order=(ibis.row_number().over(along) + 1).cast("int32"),
        touches=inside.count().over(whole).cast("int32"),
        early=ibis.literal(0, "int32") if same_start else count(inside.is_early),
        by_lead=count(inside.is_by_lead),
        by_deal=count(inside.is_by_deal),
        seconds_before_last=last.epoch_seconds() - inside.occurred_at.epoch_seconds(),
        is_near=(near >= inside.occurred_at).fill_null(False),
    )


def _without_repeats(placed: ir.Table, suspect: ir.Table, how: Placing) -> ir.Table:
    """The touches of suspect deals without those that have one of the same person, channel and campaign before them.

    Touches of nobody in particular stay: they may be of different people.
    """
    rows = placed.semi_join(suspect, "deal_number").drop(*_PLACES, "is_near")
    people = how.people.select("person", met_in="touchpoint_id")
    known = rows.left_join(people, rows.touchpoint_id == people.met_in).drop("met_in")
    alike = ibis.window(
        group_by=["deal_number", "person", "channel_number", "campaign_number"],
        order_by=["occurred_at", "touchpoint_id"],
    )
    limit = known.occurred_at.lag(1).over(alike) + ibis.interval(minutes=how.options.duplicate_minutes)
    marked = known.mutate(is_repeat=(limit >= known.occurred_at).fill_null(False) & known.person.notnull())
    return marked.filter(~marked.is_repeat).drop("is_repeat", "person")
