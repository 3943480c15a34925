"""What a lead had done by the time it was decided on: counts of its touches, none of them later than the decision.

Touches of a lead are those recorded under its key. Those recorded on a person only are not counted: which person a lead
is becomes known when it becomes a deal, and counting them would tell the outcome. Repeats count as often as they are
recorded.

A lead is decided on at the first of all that can come of it: passed, answered, accepted, refused, turned into a deal;
at the latest `leads.behaviour_days` after it came, because a rule that waits longer passes nothing in time. Touches
count from `lookback.sourced_days` before the lead came until then.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir

from revops_analysis.metrics.channels import numbered_channels, words_in
from revops_analysis.metrics.deals import missing
from revops_analysis.metrics.funnel.attributes import attribute_names
from revops_analysis.periods import end_of_day_utc
from revops_analysis.tables.schema import TABLES

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

TOTALS = ("touches", "touches_answered", "days_since_last_touch")
PREFIX = "behaviour__"
"""What the names of behaviour begin with where they stand beside columns of leads."""

DECISIONS = ("qualified_at", "first_response_at", "accepted_at", "disqualified_at", "converted_at")
"""Moments of a lead after which its behaviour may be an effect of what was decided."""


def behaviour_names(snapshot: Snapshot) -> tuple[str, ...]:
    """Names of behaviour that a rule may use: `TOTALS`, and `channel_…` and `kind_…` as touches of leads have them.

    None where the source has no touches of leads. A column or an attribute of the same name comes first.
    """
    return snapshot.once("behaviour of leads", lambda: _names(snapshot))


def _names(snapshot: Snapshot) -> tuple[str, ...]:
    if not (snapshot.has("touchpoints") and snapshot.has("leads")):
        return ()
    counts = _counted_by(snapshot)
    taken = {*TABLES["leads"].names, *attribute_names(snapshot)}
    return tuple(name for name in (*TOTALS, *counts) if name not in taken) if counts else ()


def behaviour(snapshot: Snapshot) -> ir.Table:
    """One row a lead with a moment of creation: lead_id, decided_at (UTC), and what it had done by then.

    - touches, touches_answered (the answer, too, came by then), channel_… and kind_… : how many; 0 without any;
    - days_since_last_touch: whole days from the last touch to the decision; null without a touch.
    """
    return snapshot.keep("behaviour of leads", lambda: _behaviour(snapshot))


def with_behaviour(leads: ir.Table, snapshot: Snapshot, names: Sequence[str]) -> ir.Table:
    """Add behaviour to leads, under `PREFIX` and its name; names that are no behaviour are left alone."""
    wanted = [name for name in dict.fromkeys(names) if name in behaviour_names(snapshot)]
    if not wanted:
        return leads
    known = behaviour(snapshot)
    side = known.select(did="lead_id", **{f"{PREFIX}{name}": name for name in wanted})
    return leads.left_join(side, leads.lead_id == side.did).drop("did")


def slug(word: str) -> str:
    """A word of the data as a name: `Paid search` is `paid_search`.

    >>> slug(" Paid search/"), slug("E-Mail")
    ('paid_search', 'e_mail')
    """
    return re.sub(r"[^a-z0-9]+", "_", word.strip().casefold()).strip("_")


def _counted_by(snapshot: Snapshot) -> dict[str, list[tuple[str, Any]]]:
    """Names of counts, each with the columns and values of touches that it counts."""
    return snapshot.once("counts of behaviour", lambda: _count_names(snapshot))


def _count_names(snapshot: Snapshot) -> dict[str, list[tuple[str, Any]]]:
    met = _touches(snapshot).select("channel_number", "kind").distinct().to_pyarrow()
    channels = dict(_channels(snapshot))
    found: dict[str, list[tuple[str, Any]]] = {}
    for column, prefix in (("channel_number", "channel"), ("kind", "kind")):
        for value in sorted({value for value in met[column].to_pylist() if value is not None}):
            name = slug(str(channels[value] if column == "channel_number" else value))
            if name:
                found.setdefault(f"{prefix}_{name}", []).append((column, value))
    return found


def _channels(snapshot: Snapshot) -> list[tuple[int, str]]:
    """Number and name of every channel."""
    _words, channels = numbered_channels(words_in(snapshot), snapshot.definitions)
    rows = channels.select("channel_number", "channel").to_pyarrow().to_pylist()
    return [(row["channel_number"], row["channel"]) for row in rows]


def _touches(snapshot: Snapshot) -> ir.Table:
    """Touches of leads with a time, under the number of their channel."""
    touches = snapshot.table("touchpoints")
    dated = touches.filter(~missing(touches.lead_id) & ~missing(touches.occurred_at))
    words, _channels_of = numbered_channels(words_in(snapshot), snapshot.definitions)
    return dated.left_join(words, dated.channel == words.word).drop("word")


def _behaviour(snapshot: Snapshot) -> ir.Table:
    leads, touches = _decided(snapshot), _touches(snapshot)
    side = leads.rename(led="lead_id")
    joined = touches.inner_join(side, touches.lead_id == side.led)
    seen = joined.filter((joined.occurred_at >= joined.seen_from) & (joined.occurred_at <= joined.decided_at))
    counts = {
        name: ibis.or_(*[(seen[column] == value).fill_null(False) for column, value in pairs])
        for name, pairs in _counted_by(snapshot).items()
    }
    answered = (seen.responded_at <= seen.decided_at).fill_null(False)
    summed = seen.group_by(did="lead_id").aggregate(
        touches=seen.count(),
        touches_answered=answered.sum(),
        last_at=seen.occurred_at.max(),
        **{name: condition.sum() for name, condition in counts.items()},
    )
    known = leads.left_join(summed, leads.lead_id == summed.did)
    waited = (known.decided_at.epoch_seconds() - known.last_at.epoch_seconds()).cast("float64") / 86_400.0
    numbers = {name: known[name].fill_null(0).cast("int64") for name in ("touches", "touches_answered", *counts)}
    return known.select("lead_id", "decided_at", **numbers, days_since_last_touch=waited.floor().cast("int64"))


def _decided(snapshot: Snapshot) -> ir.Table:
    """When each lead was decided on, and from when on its touches count."""
    leads = snapshot.table("leads")
    dated = leads.filter(~missing(leads.created_at))
    days, back = snapshot.definitions.leads.behaviour_days, snapshot.definitions.lookback.sourced_days
    today = ibis.literal(end_of_day_utc(snapshot.as_of, snapshot.definitions.business_time_zone), "timestamp(6)")
    latest = ibis.least(dated.created_at + ibis.interval(days=days), today)
    # Engines differ in what `least` makes of a null.
    moments = [ibis.coalesce(dated[name], latest) for name in DECISIONS]
    return dated.select(
        "lead_id", decided_at=ibis.least(latest, *moments), seen_from=dated.created_at - ibis.interval(days=back)
    )
