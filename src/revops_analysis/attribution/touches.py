"""Touches with what joins them to deals: the account of the person, the channel under its one name, and the team."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
from ibis import _

if TYPE_CHECKING:
    from revops_analysis.attribution.options import JourneyOptions
    from revops_analysis.tables.snapshot import Snapshot

NO_TIME = "no time"
NOT_ANSWERED = "not answered"
NO_ACCOUNT = "no account, person, lead or deal to join on"

_TEXT = ("account_id", "contact_id", "lead_id", "opportunity_id", "channel", "campaign_id")


@dataclass(frozen=True)
class Names:
    """What numbers stand for: `words` (word → channel_number), `channels` (channel_number → channel, team) and
    `campaigns` (campaign_number → campaign_id).
    """

    words: ir.Table
    channels: ir.Table
    campaigns: ir.Table


def joined_touches(snapshot: Snapshot, options: JourneyOptions, names: Names) -> ir.Table:
    """One row a touch known by the end of the as-of date, those that cannot be used included.

    Columns: touchpoint_id ('activity:' and its key for a mapped activity), opportunity_id (the deal the touch was
    recorded on), occurred_at (UTC), channel_number and campaign_number (as `Names` has them; null where not known),
    took_channel (the channel is its campaign's), and
    - account_id: the touch's own, else the person's, else the lead's (its account, person or deal), else the deal's;
    - unusable: why the touch can be in no journey (`NO_TIME`, `NOT_ANSWERED`, `NO_ACCOUNT`), or null. A touch with
      several reasons has the first of them.
    """
    worded = _with_campaign(_recorded(snapshot), snapshot, options)
    placed = _placed(worded, snapshot)
    needs = {"all": ibis.literal(True), "none": ibis.literal(False), "campaigns": placed.campaign_id.notnull()}
    silent = needs[options.answered or "campaigns"] & ~placed.is_activity & placed.responded_at.isnull()
    nowhere = placed.account_id.isnull() & placed.opportunity_id.isnull()
    unusable = ibis.cases(
        (placed.occurred_at.isnull(), NO_TIME),
        (silent, NOT_ANSWERED),
        (nowhere, NO_ACCOUNT),
        else_=ibis.null("string"),
    )
    known = placed.mutate(unusable=unusable)
    known = known.left_join(names.words, known.channel == names.words.word)
    campaigns = names.campaigns.select("campaign_number", numbered="campaign_id")
    known = known.left_join(campaigns, known.campaign_id == campaigns.numbered)
    return known.select(
        "touchpoint_id",
        "account_id",
        "opportunity_id",
        "occurred_at",
        "channel_number",
        "campaign_number",
        "took_channel",
        "unusable",
    )


def people_of(snapshot: Snapshot) -> ir.Table:
    """Who each touch was with: touchpoint_id, person (the contact, else the lead; null: nobody known), contact_id."""
    recorded = _recorded(snapshot)
    return recorded.select("touchpoint_id", "contact_id", person=ibis.coalesce(recorded.contact_id, recorded.lead_id))


def campaigns_of(snapshot: Snapshot) -> ir.Table:
    """Every campaign that a touch names, with a number: campaign_number, campaign_id."""
    found = snapshot.table("touchpoints").select("campaign_id").drop_null().distinct()
    return found.mutate(campaign_number=ibis.row_number().over(ibis.window(order_by="campaign_id")).cast("int32"))


def _recorded(snapshot: Snapshot) -> ir.Table:
    """Touchpoints and the activities that the definitions call touches, in the same columns."""
    columns = ("touchpoint_id", *_TEXT, "occurred_at", "responded_at")
    touches = snapshot.table("touchpoints").select(*columns, is_activity=ibis.literal(False))
    channels = snapshot.definitions.attribution.activity_channels
    if not channels or not snapshot.has("activities"):
        return touches
    done = snapshot.table("activities").filter(_.kind.isin(list(channels)))
    mapped = done.mutate(
        touchpoint_id=ibis.literal("activity:").concat(done.activity_id),
        lead_id=ibis.null("string"),
        campaign_id=ibis.null("string"),
        channel=ibis.cases(*[(done.kind == kind, channel) for kind, channel in channels.items()]),
        responded_at=ibis.null(done.occurred_at.type()),
        is_activity=ibis.literal(True),
    )
    return touches.union(mapped.select(*columns, "is_activity"))


def _with_campaign(touches: ir.Table, snapshot: Snapshot, options: JourneyOptions) -> ir.Table:
    """Give touches without channel the channel of their campaign, where that is asked for and known."""
    if not options.channel_from_campaign or not snapshot.has("campaigns"):
        return touches.mutate(took_channel=ibis.literal(False))
    campaigns = snapshot.table("campaigns").select(ran=_.campaign_id, ran_in=_.channel)
    asked = ibis.ifelse(touches.channel.isnull(), touches.campaign_id, ibis.null("string"))
    joined = touches.left_join(campaigns, asked == campaigns.ran)
    return joined.mutate(
        channel=ibis.coalesce(joined.channel, joined.ran_in), took_channel=joined.ran_in.notnull()
    ).drop("ran", "ran_in")


def _placed(touches: ir.Table, snapshot: Snapshot) -> ir.Table:
    """Find each touch's account and deal; what it is looked up in is asked only for touches that still lack it."""
    nothing = ibis.null("string")
    found = touches.mutate(led_account=nothing, led_contact=nothing, led_deal=nothing, met_account=nothing)
    if snapshot.has("leads"):
        leads = snapshot.table("leads").select("lead_id", "account_id", "contact_id", "opportunity_id")
        names = {"account_id": "led_account", "contact_id": "led_contact", "opportunity_id": "led_deal"}
        found = _looked_up(found, leads, found.lead_id, names)
    if snapshot.has("contacts"):
        snapshot.use_columns(["contacts.account_id"])
        people = snapshot.table("contacts").select("contact_id", "account_id")
        found = _looked_up(
            found, people, ibis.coalesce(found.contact_id, found.led_contact), {"account_id": "met_account"}
        )
    found = found.mutate(
        account_id=ibis.coalesce(found.account_id, found.met_account, found.led_account),
        opportunity_id=ibis.coalesce(found.opportunity_id, found.led_deal),
    ).drop("led_account", "led_contact", "led_deal", "met_account")
    deals = snapshot.deals.select("opportunity_id", "account_id")
    found = _looked_up(found, deals, found.opportunity_id, {"account_id": "dealt_account"})
    return found.mutate(account_id=ibis.coalesce(found.account_id, found.dealt_account)).drop("dealt_account")


def _looked_up(touches: ir.Table, table: ir.Table, key: ir.Value, names: dict[str, str]) -> ir.Table:
    """Add columns of `table`, whose first column is its key, to the touches whose account is not known yet."""
    asked = touches.drop(*[name for name in names.values() if name in touches.columns]).mutate(
        asked_for=ibis.ifelse(touches.account_id.isnull(), key, ibis.null("string"))
    )
    known = table.select(known_as=table[table.columns[0]], **{new: table[old] for old, new in names.items()})
    return asked.left_join(known, asked.asked_for == known.known_as).drop("asked_for", "known_as")
