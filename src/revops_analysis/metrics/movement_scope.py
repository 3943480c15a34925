"""Which deals a movement can concern: those open on its first day, or touched after it, and nothing else.

Of a company's deals most were closed before the first day and stayed so. Leaving them out first changes no line, and
makes the movement of a million deals one of the hundred thousand that moved.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir

from revops_analysis.metrics.where import Where
from revops_analysis.periods import end_of_day_utc

if TYPE_CHECKING:
    from revops_analysis.metrics.movement_deals import MovementSpan
    from revops_analysis.tables.snapshot import Snapshot

WORTH_IT = 50_000
"""With fewer deals than this in the load, choosing some takes longer than looking at all."""


def narrowed(snapshot: Snapshot, span: MovementSpan, where: Where, worth_it: int = WORTH_IT) -> Snapshot:
    """The snapshot over the deals that can have a line in a movement or stand in its reconciliation.

    The snapshot itself where the load has fewer deals than `worth_it`. When deals were last active is left out, unless
    the filter asks for it: that needs all activities.
    """
    many = snapshot.once("deals in the load", lambda: int(snapshot.loaded_deals.count().to_pyarrow().as_py()))
    if many < worth_it:
        return snapshot
    without = () if "last_activity_at" in where.columns else ("activities",)
    name = f"movement {span.start} {span.end} {span.booking_period.start} {'' if without else 'active'}"
    return snapshot.among(name, lambda: _concerned(snapshot, span), without)


def _concerned(snapshot: Snapshot, span: MovementSpan) -> ir.Table:
    """Ids of the deals: when in doubt, a deal is in."""
    definitions = snapshot.definitions
    zone, closed = definitions.business_time_zone, (*definitions.won_stages, *definitions.lost_stages)
    start, end = (_moment(end_of_day_utc(day, zone)) for day in (span.start, span.end))
    first = min(span.booking_period.start, span.start)
    since = _moment(end_of_day_utc(first - dt.timedelta(days=1), zone))
    states, deals = snapshot.states, snapshot.loaded_deals
    seen = (states.changed_at < end) & (states.valid_until.isnull() | (states.valid_until > start))
    is_open = ~states.stage.isin(closed).fill_null(False)
    is_booked_late = states.stage.isin(definitions.won_stages) & (
        (states.close_date >= ibis.literal(first)) | (states.stage_entered_at >= since)
    )
    begins_late = (states.change_index == 0) & (states.changed_at >= start)
    concerned = (seen & (is_open | (states.changed_at >= start) | is_booked_late)) | begins_late
    moved = states.filter(concerned.fill_null(True)).select("opportunity_id").distinct()
    late = (deals.created_at >= start).fill_null(True) | (deals.deleted_at >= start).fill_null(False)
    others = deals.filter(late).select("opportunity_id")
    unrecorded = deals.anti_join(states, "opportunity_id").select("opportunity_id")
    return ibis.union(moved, others, unrecorded, distinct=True)


def _moment(value: dt.datetime) -> ir.Value:
    return ibis.literal(value, "timestamp(6)")
