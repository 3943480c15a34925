"""Deals on their way through the stages: when each was entered, passed or ended, at the grain deal × stage.

All of it is set work in the engine. Two views:

- a *visit* runs from the first day a deal had reached a stage to the first day it had reached a later one. A skipped
  stage counts as entered and passed on the day of the skip. Stepping back and coming again starts no second visit.
- a *stay* is an unbroken time in one stage, as a seller sees it; a deal can have several in one stage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
from ibis import _

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot


def stage_visits(snapshot: Snapshot) -> ir.Table:
    """One row per deal and open stage that it had reached by the as-of date D.

    Columns: those of `Snapshot.deals`, with the deal's stage at D as `current_stage`, and
    - stage, stage_number: the stage visited, and its place from 1;
    - entered_on: first day on which the deal had reached the stage or a later one, or was won;
    - result: 'advanced' (reached a later stage or was won), 'lost', or null while it is still there;
    - days: whole days from entered_on to that, or to D.

    A loss that was undone by D ends nothing. A deal whose history begins after its creation has no visit to the stage
    in which it was first seen, nor to earlier ones: nobody knows when it entered them. Deleted deals are left out.
    """
    today = ibis.literal(snapshot.as_of)
    names = snapshot.definitions.open_stages
    days = _days_reached(snapshot, len(names))
    parts = [_visit(days, name, place) for place, name in enumerate(names, 1)]
    deals = snapshot.deals.rename(current_stage="stage", current_stage_order="stage_order")
    joined = deals.inner_join(ibis.union(*parts) if len(parts) > 1 else parts[0], "opportunity_id")
    known_start = (joined.first_on <= joined.created_on).fill_null(False)
    seen = joined.filter(known_start | (joined.stage_number > joined.first_reached))
    lost = (seen.status == "lost") & (seen.lost_on >= seen.entered_on).fill_null(False)
    result = ibis.cases((seen.advanced_on.notnull(), "advanced"), (lost, "lost"), else_=ibis.null("string"))
    ended_on = ibis.cases((seen.advanced_on.notnull(), seen.advanced_on), (lost, seen.lost_on), else_=today)
    return seen.mutate(result=result, days=ended_on.delta(seen.entered_on, unit="day")).drop(
        "advanced_on", "lost_on", "first_on", "first_reached"
    )


def _days_reached(snapshot: Snapshot, last: int) -> ir.Table:
    """One row a deal: the first day on which it had reached each place, winning being the place after the last."""
    history = snapshot.history
    reached = ibis.cases(
        (history.status == "won", ibis.literal(last + 1, "int64")),
        (history.status == "open", history.stage_order),
        else_=ibis.null("int64"),
    )
    rows = history.mutate(reached=reached)
    moved = ~rows.stage.identical_to(rows.from_stage)
    at = {f"reached_{place}": rows.changed_on.min(where=rows.reached >= place) for place in range(1, last + 2)}
    return rows.group_by("opportunity_id").aggregate(
        first_on=rows.changed_on.min(),
        # A deal first seen as lost had passed nobody knows which stages: none of them is counted.
        first_reached=rows.reached.max(where=rows.change_index == 0).fill_null(last + 1),
        lost_on=rows.changed_on.max(where=(rows.status == "lost") & moved),
        **at,
    )


def _visit(days: ir.Table, name: str, place: int) -> ir.Table:
    entered = days[f"reached_{place}"]
    return days.filter(entered.notnull()).select(
        "opportunity_id",
        "first_on",
        "first_reached",
        "lost_on",
        stage=ibis.literal(name),
        stage_number=ibis.literal(place, "int64"),
        entered_on=entered,
        advanced_on=days[f"reached_{place + 1}"],
    )


def stage_stays(snapshot: Snapshot, deals: ir.Table | None = None) -> ir.Table:
    """One row per unbroken stay of a deal in a stage that has ended by the as-of date.

    `deals`: a table of the deals that are wanted (opportunity_id); by default all, deleted ones included. Columns:
    opportunity_id, stage, entered_on, left_on (business days), days. Passing through a stage within one moment is no
    stay.
    """
    history = snapshot.history if deals is None else snapshot.history.semi_join(deals, "opportunity_id")
    begun = history.filter((history.change_index == 0) | ~history.stage.identical_to(history.from_stage))
    in_order = ibis.window(group_by="opportunity_id", order_by=["changed_at", "change_number"])
    ordered = begun.mutate(left_on=_.changed_on.lead().over(in_order), left_at=_.changed_at.lead().over(in_order))
    ended = ordered.filter((ordered.left_at > ordered.changed_at).fill_null(False))
    return ended.select(
        "opportunity_id",
        "stage",
        "left_on",
        entered_on=ended.changed_on,
        days=ended.left_on.delta(ended.changed_on, unit="day"),
    )
