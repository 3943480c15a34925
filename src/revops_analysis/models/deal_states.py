"""The deal state frame: every open deal as it stood at each of many past days, in one query of the engine.

A feature of a row is known at the end of its cutoff and never rests on anything later. Columns without history serve
only where the definitions allow it (`allowed_current_columns`); the others are null.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pandas as pd
from ibis import _

from revops_analysis.models.cutoffs import Cutoff, as_table
from revops_analysis.models.deal_stays import deal_stays
from revops_analysis.tables.days import business_day
from revops_analysis.tables.deals import status_of

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

_KEY = ["cutoff", "period", "opportunity_id"]


def deal_states(snapshot: Snapshot, cutoffs: Sequence[Cutoff]) -> pd.DataFrame:
    """Return a row per cutoff and headline deal that was open at the end of that day, in order of both.

    Columns: cutoff, period, first_day, last_day (of the period), opportunity_id, owner_id, type, segment, product,
    source, stage, stage_order, category, crm_probability (0 to 1), close_date, and as of the cutoff

    - age_days, days_in_stage: since creation, and since the unbroken stay in the stage began;
    - amount, first_amount: reporting currency at the cutoff's rate; null while the deal has none;
    - amount_changes, pushes, days_pushed, reopenings, stage_changes: how often, or by how many days, so far;
    - days_since_activity, activities_7d, activities_14d, activities_56d; null where the source has no activities;
    - contacts: people on the deal; null where the source has none;
    - owner_won, owner_closed: the owner's headline deals won, and won or lost, so far.

    What a source has no table for, and what is not known (a deal before its recorded history), is null. Deals deleted
    later are there until their deletion. Raises DataRefusedError when an exchange rate is missing.
    """
    seen = snapshot.keep(f"deal states: {_named(cutoffs)}", lambda: _seen(snapshot, cutoffs))
    joined = seen
    for part in (_activity(snapshot, seen), _people(snapshot, seen)):
        keys = part.rename({f"{name}_of": name for name in _KEY})
        matched = joined.left_join(keys, [joined[name] == keys[f"{name}_of"] for name in _KEY])
        joined = matched.drop(*(f"{name}_of" for name in _KEY))
    record = _records(snapshot, seen)
    whole = joined.left_join(record, [joined.cutoff == record.record_on, joined.owner_id == record.record_of])
    priced = snapshot.in_reporting_currency(whole.drop("record_on", "record_of"), ["amount"], day="cutoff")
    both = snapshot.in_reporting_currency(priced, ["first_amount"], currency="first_currency", day="cutoff")
    return _frame(both, snapshot)


def _named(cutoffs: Sequence[Cutoff]) -> str:
    """A name that tells sets of cutoffs apart."""
    return " ".join(f"{cutoff.day}/{cutoff.period.label}" for cutoff in cutoffs)


def _seen(snapshot: Snapshot, cutoffs: Sequence[Cutoff]) -> ir.Table:
    """One row per cutoff and deal open on it, with what its stay says."""
    days = as_table(cutoffs, snapshot.definitions.business_time_zone)
    stays = deal_stays(snapshot)
    seen = stays.filter(stays.status == "open").inner_join(
        days, [stays.since <= days.cutoff, stays.until > days.cutoff]
    )
    return seen.mutate(
        age_days=seen.cutoff.delta(seen.created_on, unit="day"),
        days_in_stage=seen.cutoff.delta(seen.entered_on, unit="day"),
    ).drop("since", "until", "status", "created_on", "entered_on", "booked_on")


def _activity(snapshot: Snapshot, seen: ir.Table) -> ir.Table:
    """Activities on each deal up to each cutoff, by key."""
    if not snapshot.has("activities"):
        return _nothing(seen, "days_since_activity", "activities_7d", "activities_14d", "activities_56d")
    acts, zone = snapshot.table("activities"), snapshot.definitions.business_time_zone
    dated = acts.select(acted_for=acts.opportunity_id, acted_on=business_day(acts.occurred_at, zone))
    both = seen.select(*_KEY).inner_join(dated, [seen.opportunity_id == dated.acted_for, dated.acted_on <= seen.cutoff])
    ago = both.mutate(ago=both.cutoff.delta(both.acted_on, unit="day"))
    return ago.group_by(_KEY).aggregate(
        days_since_activity=ago.ago.min(),
        activities_7d=(ago.ago < 7).sum(),
        activities_14d=(ago.ago < 14).sum(),
        activities_56d=(ago.ago < 56).sum(),
    )


def _people(snapshot: Snapshot, seen: ir.Table) -> ir.Table:
    """People on each deal by each cutoff, by key."""
    if not snapshot.has("opportunity_contacts"):
        return _nothing(seen, "contacts")
    people = snapshot.table("opportunity_contacts").select(deal_id=_.opportunity_id, added_at=_.created_at)
    both = seen.select(*_KEY, "ends_at").inner_join(people, _.opportunity_id == people.deal_id)
    known = both.filter((both.added_at < both.ends_at).fill_null(True))
    return known.group_by(_KEY).aggregate(contacts=known.count())


def _nothing(seen: ir.Table, *names: str) -> ir.Table:
    """A column that the source cannot fill: no row of it."""
    return seen.select(*_KEY, **{name: ibis.null("int64") for name in names}).limit(0)


def _records(snapshot: Snapshot, seen: ir.Table) -> ir.Table:
    """What each owner had won and closed by each cutoff: record_on, record_of, owner_won, owner_closed."""
    days = seen.select("cutoff").distinct()
    closings = snapshot.keep("deal states: closings", lambda: _closings(snapshot))
    both = days.inner_join(closings, closings.closed_on <= days.cutoff)
    return both.group_by(record_on=both.cutoff, record_of=both.owner_id).aggregate(
        owner_won=both.won.sum(), owner_closed=both.closed.sum()
    )


def _closings(snapshot: Snapshot) -> ir.Table:
    """Headline deals that entered a closed stage, by owner at that moment and day; those deleted later stay counted."""
    history, definitions = snapshot.history, snapshot.definitions
    deals = snapshot.table("opportunities")
    headline = deals.filter(deals.type.isin(definitions.headline_types).fill_null(True))
    entered = history.filter((history.status != "open") & ~history.stage.identical_to(history.from_stage))
    known = entered.semi_join(headline, "opportunity_id").select("owner_id", "status", closed_on=_.changed_on)
    unrecorded = headline.anti_join(history, "opportunity_id").mutate(status=status_of(_.stage, definitions))
    closed = unrecorded.filter(unrecorded.status != "open")
    closed_on = ibis.coalesce(business_day(closed.closed_at, definitions.business_time_zone), closed.close_date)
    guessed = closed.select("owner_id", "status", closed_on=closed_on)
    both = ibis.union(known, guessed)
    return both.group_by(["owner_id", "closed_on"]).aggregate(won=(both.status == "won").sum(), closed=both.count())


_ACTIVITIES = ("activities_7d", "activities_14d", "activities_56d")
_NEEDS = {**dict.fromkeys(_ACTIVITIES, "activities"), "contacts": "opportunity_contacts"}
_COUNTS = (*_NEEDS, "owner_won", "owner_closed")


def _frame(table: ir.Table, snapshot: Snapshot) -> pd.DataFrame:
    """Numbers as float64 (days and counts too, because they may be null), days as datetime64."""
    kinds = table.schema()
    numbers = {name: table[name].cast("float64") for name, kind in kinds.items() if kind.is_numeric()}
    ordered = table.mutate(**numbers).drop("ends_at", "currency", "first_currency").order_by(_KEY)
    frame = ordered.to_pyarrow().to_pandas(date_as_object=False)
    for name in _COUNTS:  # nothing recorded is none, where the source records it
        if snapshot.has(_NEEDS.get(name, "opportunities")):
            frame[name] = frame[name].fillna(0.0)
    return frame
