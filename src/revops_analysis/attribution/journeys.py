"""Journeys: the touches of each deal in the order of time, from the lookback before its creation until its closing.

Touches of a deal are those of its account's people (see `touches.joined_touches`) and those recorded on the deal
itself. A touch can lie in the journeys of several deals of one account: each deal's credit is its own.

Two windows, both inclusive, and every model uses one of them (`credit.MODELS` says which):

- influence: from `influence_days` before the deal's creation until the end of the day it closed, or of the as-of date
  while it is open (and for a won deal whose booking day lies after it);
- sourced: from `sourced_days` before the deal's creation until the moment it was created.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
from ibis import _

from revops_analysis.attribution.allocation import cents_of
from revops_analysis.attribution.options import JourneyOptions
from revops_analysis.attribution.touches import joined_touches
from revops_analysis.metrics.deals import missing

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from revops_analysis.tables.snapshot import Snapshot

DEAL_COLUMNS = (
    "opportunity_id",
    "account_id",
    "account_name",
    "name",
    "status",
    "amount",
    "created_at",
    "created_on",
    "booked_on",
    "closed_on",
    "type",
    "segment",
    "product",
    "source",
    "primary_campaign_id",
    "owner_id",
    "owner_team",
)
"""Columns of `Snapshot.deals` that journeys keep."""


@dataclass(frozen=True, eq=False)
class Journeys:
    """The journeys of a snapshot's deals under some options. Made by `journeys`, kept once in the engine.

    `touches`, a row a touch in a deal's journey:
    - opportunity_id, touchpoint_id, contact_id, occurred_at (UTC), day (business day), channel (null: not recorded, and
      no campaign says it), campaign_id, team (null: no team runs the channel);
    - touch_order (from 1 in time, ties by touchpoint_id), touches (how many the deal has);
    - sourced_order, sourced_touches: the same within the sourced window; null for touches outside it;
    - lead_creation_order, deal_creation_order, closing_order: the touch_order of the deal's anchors, null where the
      anchor is missing: the last touch up to the earliest lead of the account's people (missing too when that lead
      came after the deal), up to the deal's creation, and up to its closing (open deals have none);
    - is_first, is_lead_creation, is_deal_creation, is_closing, is_last: whether the touch is that anchor;
    - days_before_anchor: whole days from the touch to the end of the influence window; days_before_last: to the
      deal's last touch in it;
    - took_channel: the channel is that of the touch's campaign; deal_number: the deal as a whole number;
    - cents: the deal's amount in hundredths of the reporting currency, null where it has none.

    `deals`, a row a deal: `DEAL_COLUMNS`, with amount in the reporting currency, DECIMAL(18, 2), null where the deal
    has none; lead_created_at (UTC); touches and sourced_touches (0: unattributed), and unattributed (why, or null) and
    unsourced (the same for the sourced window).
    """

    snapshot: Snapshot
    options: JourneyOptions

    @cached_property
    def base(self) -> ir.Table:
        """The deals before their touches are known, with a number each and the bounds of their windows."""
        return self._keep("deals", lambda: _base_deals(self.snapshot, self.options))

    @cached_property
    def candidates(self) -> ir.Table:
        """Every touch that could be joined, with `unusable` where it may be in no journey; see `joined_touches`."""
        return self._keep("candidates", lambda: joined_touches(self.snapshot, self.options))

    @cached_property
    def touches(self) -> ir.Table:
        """Touches in journeys, a row a touch and deal."""
        return self._keep("touches", lambda: _touches(self.candidates, self.base, self.options))

    @cached_property
    def deals(self) -> ir.Table:
        """All deals, those without touches too."""
        from revops_analysis.attribution.exclusions import with_reasons

        return self._keep("all deals", lambda: with_reasons(self))

    @cached_property
    def exclusions(self) -> pd.DataFrame:
        """What was left out and what is lacking, with counts and money; see `exclusions.exclusions`."""
        from revops_analysis.attribution.exclusions import exclusions

        return exclusions(self)

    def _keep(self, part: str, make: Callable[[], ir.Table]) -> ir.Table:
        return self.snapshot.keep(f"journeys {part} {self.options}", make)


def journeys(snapshot: Snapshot, options: JourneyOptions | None = None) -> Journeys:
    """Return the journeys of the snapshot's deals; the same ones for the same options.

    Without touchpoints (and mapped activities) every deal is unattributed. Raises ConfigurationError for windows that
    do not fit together, DataRefusedError when an exchange rate is missing.
    """
    asked = (options or JourneyOptions()).completed(snapshot.definitions)
    return snapshot.once(("journeys", asked), lambda: Journeys(snapshot, asked))


def _base_deals(snapshot: Snapshot, options: JourneyOptions) -> ir.Table:
    """The deals with a number each, the bounds of their windows, and when the account's first lead was created."""
    deals = snapshot.deals
    if options.types == "headline":
        deals = deals.filter(deals.is_headline)
    if options.priced == "first":
        deals = deals.mutate(amount=deals.first_amount)
    known = deals.select(*DEAL_COLUMNS)
    first = _first_leads(snapshot)
    joined = known.left_join(first, known.account_id == first.led_account).drop("led_account")
    came_later = (joined.lead_created_at > joined.created_at).fill_null(True)
    return joined.mutate(
        cents=cents_of(joined.amount),
        deal_number=ibis.row_number().over(ibis.window(order_by="opportunity_id")),
        lead_created_at=ibis.ifelse(came_later, ibis.null("timestamp(6)"), joined.lead_created_at),
        influence_from=joined.created_at - ibis.interval(days=options.influence_days),
        sourced_from=joined.created_at - ibis.interval(days=options.sourced_days),
        until=ibis.coalesce(joined.closed_on, ibis.literal(snapshot.as_of)),
    )


def _first_leads(snapshot: Snapshot) -> ir.Table:
    """The earliest lead of each account's people: by the account it became, its person's, or its deal's."""
    leads = snapshot.table("leads").select("created_at", "account_id", "contact_id", "opportunity_id")
    people = snapshot.table("contacts").select(met="contact_id", met_account="account_id")
    deals = snapshot.deals.select(dealt="opportunity_id", dealt_account="account_id")
    placed = leads.left_join(people, leads.contact_id == people.met)
    placed = placed.left_join(deals, placed.opportunity_id == deals.dealt)
    account = ibis.coalesce(placed.account_id, placed.met_account, placed.dealt_account)
    known = placed.select("created_at", led_account=account).drop_null(["led_account"])
    return known.group_by("led_account").aggregate(lead_created_at=_.created_at.min())


def paired(candidates: ir.Table, deals: ir.Table) -> ir.Table:
    """Every candidate beside every deal it could belong to, whatever the time: `deal_*` columns are the deal's.

    By account, and by the deal it was recorded on where that is not the account's.
    """
    side = deals.rename("deal_{name}")
    by_account = candidates.inner_join(side, candidates.account_id == side.deal_account_id)
    elsewhere = candidates.filter(~missing(candidates.opportunity_id))
    by_deal = elsewhere.inner_join(side, elsewhere.opportunity_id == side.deal_opportunity_id)
    same = (by_deal.account_id == by_deal.deal_account_id).fill_null(False)
    return by_account.union(by_deal.filter(~same))


def _touches(candidates: ir.Table, base: ir.Table, options: JourneyOptions) -> ir.Table:
    wanted = base.filter(~missing(base.created_at)).select(
        "deal_number",
        "opportunity_id",
        "account_id",
        "closed_on",
        "created_at",
        "lead_created_at",
        "influence_from",
        "sourced_from",
        "until",
        "cents",
    )
    usable = candidates.filter(missing(candidates.unusable)).select(
        "touchpoint_id",
        "account_id",
        "opportunity_id",
        "contact_id",
        "occurred_at",
        "day",
        "channel",
        "campaign_id",
        "team",
        "took_channel",
    )
    pairs = paired(usable, wanted)
    inside = pairs.filter((pairs.occurred_at >= pairs.deal_influence_from) & (pairs.day <= pairs.deal_until))
    return _numbered(_ordered(inside))


def _ordered(inside: ir.Table) -> ir.Table:
    """Put the touches of each deal in order, and count those before each anchor."""
    order = {"group_by": "deal_deal_number", "order_by": ["occurred_at", "touchpoint_id"]}
    whole = ibis.window(**order, preceding=None, following=None)

    def up_to(moment: ir.Value) -> ir.Value:
        return (inside.occurred_at <= moment).fill_null(False).cast("int32").sum().over(whole).cast("int32")

    early = (inside.occurred_at < inside.deal_sourced_from).cast("int32").sum().over(whole).cast("int32")
    return inside.select(
        "touchpoint_id",
        "contact_id",
        "occurred_at",
        "day",
        "channel",
        "campaign_id",
        "team",
        "took_channel",
        opportunity_id="deal_opportunity_id",
        deal_number="deal_deal_number",
        cents="deal_cents",
        is_closed=~missing(inside.deal_closed_on),
        days_before_anchor=inside.deal_until.delta(inside.day, unit="day").cast("int32"),
        days_before_last=inside.day.max().over(whole).delta(inside.day, unit="day").cast("int32"),
        touch_order=(ibis.row_number().over(ibis.window(**order)) + 1).cast("int32"),
        touches=inside.count().over(whole).cast("int32"),
        early=early,
        by_lead=up_to(inside.deal_lead_created_at),
        by_deal=up_to(inside.deal_created_at),
    )


def _numbered(rows: ir.Table) -> ir.Table:
    """Name the anchors, and number the touches of the sourced window."""
    none = ibis.null("int32")
    in_sourced = (rows.touch_order > rows.early) & (rows.touch_order <= rows.by_deal)
    named = rows.mutate(
        sourced_order=ibis.ifelse(in_sourced, (rows.touch_order - rows.early).cast("int32"), none),
        sourced_touches=ibis.ifelse(in_sourced, (rows.by_deal - rows.early).cast("int32"), none),
        lead_creation_order=ibis.ifelse(rows.by_lead > 0, rows.by_lead, none),
        deal_creation_order=ibis.ifelse(rows.by_deal > 0, rows.by_deal, none),
        closing_order=ibis.ifelse(rows.is_closed, rows.touches, none),
    )
    return named.mutate(
        is_first=named.touch_order == 1,
        is_last=named.touch_order == named.touches,
        **{
            f"is_{name}": (named.touch_order == named[f"{name}_order"]).fill_null(False)
            for name in ("lead_creation", "deal_creation", "closing")
        },
    ).select(*TOUCH_COLUMNS)


TOUCH_COLUMNS = (
    "opportunity_id",
    "touchpoint_id",
    "contact_id",
    "occurred_at",
    "day",
    "channel",
    "campaign_id",
    "team",
    "touch_order",
    "touches",
    "sourced_order",
    "sourced_touches",
    "lead_creation_order",
    "deal_creation_order",
    "closing_order",
    "is_first",
    "is_lead_creation",
    "is_deal_creation",
    "is_closing",
    "is_last",
    "days_before_anchor",
    "days_before_last",
    "took_channel",
    "deal_number",
    "cents",
)
