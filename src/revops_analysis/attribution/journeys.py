"""Journeys: the touches of each deal in the order of time, from the lookback before its creation until its closing.

Touches of a deal are those of its account's people (see `touches.joined_touches`) and those recorded on the deal
itself. A touch can lie in the journeys of several deals of one account: each deal's credit is its own.

Two windows, both inclusive, and every model uses one of them (`credit.MODELS` says which):

- influence: from `influence_days` before the deal's creation until the end of the day it closed, or of the as-of date
  while it is open (and for a won deal whose booking day lies after it);
- sourced: from `sourced_days` before the deal's creation until the moment it was created.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis import _

from revops_analysis.attribution.allocation import cents_of
from revops_analysis.attribution.options import JourneyOptions
from revops_analysis.attribution.placing import Placing, counted_touches, ranked_touches
from revops_analysis.attribution.touches import Names, campaigns_of, joined_touches, people_of
from revops_analysis.metrics.channels import numbered_channels, words_in
from revops_analysis.metrics.deals import missing
from revops_analysis.periods import end_of_day_utc

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
    """The journeys of a snapshot's deals under some options. Made by `journeys`; the engine computes them once.

    `touches`, a row a touch in a deal's journey:
    - opportunity_id, touchpoint_id, contact_id, occurred_at (UTC), day (business day), channel (null: not recorded, and
      no campaign says it), campaign_id, team (null: no team runs the channel);
    - touch_order (from 1 in time, ties by touchpoint_id), touches (how many the deal has);
    - sourced_order, sourced_touches: the same within the sourced window; null for touches outside it;
    - lead_creation_order, deal_creation_order, closing_order: the touch_order of the deal's anchors, null where the
      anchor is missing: the last touch up to the earliest lead of the account's people (missing too when that lead
      came after the deal), up to the deal's creation, and up to its closing (open deals have none);
    - is_first, is_lead_creation, is_deal_creation, is_closing, is_last: whether the touch is that anchor;
    - days_before_anchor: whole days from the touch to the end of the influence window;
    - took_channel: the channel is that of the touch's campaign; deal_number: the deal as a whole number.

    `deals`, a row a deal: `DEAL_COLUMNS`, with amount in the reporting currency, DECIMAL(18, 2), null where the deal
    has none; lead_created_at (UTC); touches and sourced_touches (0: unattributed), and unattributed (why, or null) and
    unsourced (the same for the sourced window).
    """

    snapshot: Snapshot
    options: JourneyOptions

    @cached_property
    def base(self) -> ir.Table:
        """The deals before their touches are known, with a number each and the bounds of their windows."""
        return self._keep("base", lambda: _base_deals(self.snapshot, self.options))

    @cached_property
    def names(self) -> Names:
        """What the numbers of channels and campaigns stand for."""
        words, channels = numbered_channels(words_in(self.snapshot), self.snapshot.definitions)
        return Names(words, channels, self._keep("campaigns", lambda: campaigns_of(self.snapshot)))

    @cached_property
    def candidates(self) -> ir.Table:
        """Every touch that could be joined, with `unusable` where it may be in no journey; see `joined_touches`."""
        return joined_touches(self.snapshot, self.options, self.names)

    @cached_property
    def ranked(self) -> ir.Table:
        """Touches in journeys, each with its place in its deal; see `placing.ranked_touches`."""
        how = Placing(people_of(self.snapshot), self.options, self._keep)
        return ranked_touches(self.candidates, self.base, how)

    @cached_property
    def touched(self) -> ir.Table:
        """Deals with touches: how many of which kind (see `placing.counted_touches`), cents and is_closed."""
        return self._keep("touched", lambda: _touched(self.ranked, self.base))

    @cached_property
    def placed(self) -> ir.Table:
        """Touches in journeys with what models read: the columns of `ranked` and `touched`."""
        return self.ranked.inner_join(self.touched, "deal_number")

    @cached_property
    def touches(self) -> ir.Table:
        """Touches in journeys, a row a touch and deal, with everything that is known of them."""
        return _described(self)

    @cached_property
    def counted(self) -> ir.Table:
        """All deals with the number of their touches, without the reasons of those that have none."""
        return self._keep("counted", lambda: _counted(self.touched, self.base))

    @cached_property
    def deals(self) -> ir.Table:
        """All deals, those without touches too."""
        from revops_analysis.attribution.exclusions import with_reasons

        return self._keep("deals", lambda: with_reasons(self))

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
    # The key alone is sorted, not the whole row with it.
    numbers = known.select(numbered="opportunity_id").mutate(
        deal_number=ibis.row_number().over(ibis.window(order_by="numbered")).cast("int32")
    )
    joined = joined.inner_join(numbers, joined.opportunity_id == numbers.numbered).drop("numbered")
    came_later = (joined.lead_created_at > joined.created_at).fill_null(True)
    bounded = joined.mutate(
        cents=cents_of(joined.amount),
        lead_created_at=ibis.ifelse(came_later, ibis.null("timestamp(6)"), joined.lead_created_at),
        influence_from=joined.created_at - ibis.interval(days=options.influence_days),
        sourced_from=joined.created_at - ibis.interval(days=options.sourced_days),
        until=ibis.coalesce(joined.closed_on, ibis.literal(snapshot.as_of)),
    )
    ends = _day_ends(snapshot, known.closed_on.min().to_pyarrow().as_py())
    return bounded.left_join(ends, bounded.until == ends.ended_day).drop("ended_day")


def _day_ends(snapshot: Snapshot, first: dt.date | None) -> ir.Table:
    """Every day from the first closing to the as-of date, with the UTC moment at which it is over."""
    start = min(first or snapshot.as_of, snapshot.as_of)
    days = [start + dt.timedelta(days=n) for n in range((snapshot.as_of - start).days + 1)]
    zone = snapshot.definitions.business_time_zone
    ends = pa.array([end_of_day_utc(day, zone) for day in days], pa.timestamp("us"))
    return ibis.memtable(pa.table({"ended_day": pa.array(days, pa.date32()), "until_at": ends}))


def _first_leads(snapshot: Snapshot) -> ir.Table:
    """The earliest lead of each account's people: by the account it became, its person's, or its deal's."""
    leads = snapshot.table("leads").select("created_at", "account_id", "contact_id", "opportunity_id")
    asking = leads.filter(missing(leads.account_id))
    people = snapshot.table("contacts").select(met="contact_id", met_account="account_id")
    deals = snapshot.deals.select(dealt="opportunity_id", dealt_account="account_id")
    # Few leads ask for either, so that few of the people and deals need be held.
    people = people.semi_join(asking, people.met == asking.contact_id)
    deals = deals.semi_join(asking, deals.dealt == asking.opportunity_id)
    placed = leads.left_join(people, leads.contact_id == people.met)
    placed = placed.left_join(deals, placed.opportunity_id == deals.dealt)
    account = ibis.coalesce(placed.account_id, placed.met_account, placed.dealt_account)
    known = placed.select("created_at", led_account=account).drop_null(["led_account"])
    return known.group_by("led_account").aggregate(lead_created_at=_.created_at.min())


def _touched(ranked: ir.Table, base: ir.Table) -> ir.Table:
    deals = base.select("cents", counted="deal_number", is_closed=~missing(base.closed_on))
    counts = counted_touches(ranked)
    return counts.inner_join(deals, counts.deal_number == deals.counted).drop("counted")


def _counted(touched: ir.Table, base: ir.Table) -> ir.Table:
    counts = touched.select("touches", "early", "by_deal", counted="deal_number")
    joined = base.left_join(counts, base.deal_number == counts.counted).drop("counted")
    return joined.mutate(
        touches=joined.touches.fill_null(0).cast("int32"),
        sourced_touches=(joined.by_deal.fill_null(0) - joined.early.fill_null(0)).cast("int32"),
    )


def named(table: ir.Table, names: Names) -> ir.Table:
    """Add channel, team and campaign_id to a table that has channel_number and campaign_number."""
    return with_campaigns(with_channels(table, names), names)


def with_channels(table: ir.Table, names: Names) -> ir.Table:
    """Add channel and team to a table that has channel_number."""
    channels = names.channels.select("channel", "team", of_channel="channel_number")
    return table.left_join(channels, table.channel_number == channels.of_channel).drop("of_channel")


def with_campaigns(table: ir.Table, names: Names) -> ir.Table:
    """Add campaign_id to a table that has campaign_number."""
    campaigns = names.campaigns.select("campaign_id", of_campaign="campaign_number")
    return table.left_join(campaigns, table.campaign_number == campaigns.of_campaign).drop("of_campaign")


def _described(journeys: Journeys) -> ir.Table:
    """Name the anchors, the day, the person and the deal of every touch, and number those of the sourced window."""
    none, snapshot = ibis.null("int32"), journeys.snapshot
    deals = journeys.base.select(of_deal="deal_number", opportunity_id="opportunity_id", until="until")
    people = people_of(snapshot).select("contact_id", met_in="touchpoint_id")
    rows = journeys.placed.inner_join(deals, journeys.placed.deal_number == deals.of_deal)
    rows = named(rows.left_join(people, rows.touchpoint_id == people.met_in), journeys.names)
    in_sourced = (rows.touch_order > rows.early) & (rows.touch_order <= rows.by_deal)
    shown = rows.mutate(
        day=snapshot.day_of(rows.occurred_at),
        sourced_order=ibis.ifelse(in_sourced, (rows.touch_order - rows.early).cast("int32"), none),
        sourced_touches=ibis.ifelse(in_sourced, (rows.by_deal - rows.early).cast("int32"), none),
        lead_creation_order=ibis.ifelse(rows.by_lead > 0, rows.by_lead, none),
        deal_creation_order=ibis.ifelse(rows.by_deal > 0, rows.by_deal, none),
        closing_order=ibis.ifelse(rows.is_closed, rows.touches, none),
    )
    return shown.mutate(
        is_first=shown.touch_order == 1,
        is_last=shown.touch_order == shown.touches,
        days_before_anchor=shown.until.delta(shown.day, unit="day").cast("int32"),
        **{
            f"is_{name}": (shown.touch_order == shown[f"{name}_order"]).fill_null(False)
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
    "took_channel",
    "deal_number",
)
