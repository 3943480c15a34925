"""The tables as they stood at the end of a day: each column by its rule, deals from their history.

docs/as-of.md says what was decided for each awkward case, and why.
"""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir
from ibis import _

from revops_analysis.definitions import Definitions
from revops_analysis.tables.days import AsOf, EachDay
from revops_analysis.tables.schema import TABLES, Column, TableSchema
from revops_analysis.tables.states import STATE_VALUES
from revops_analysis.tables.store import Store


def table_as_of(store: Store, name: str, at: AsOf) -> ibis.Table:
    """Return a canonical table other than opportunities: rows that existed, events that had happened."""
    schema = TABLES[name]
    raw = store.table(name)
    events = {column.name: _event(raw, column, at) for column in schema.columns if column.rule == "event"}
    return visible_rows(raw, schema, at).mutate(**events).select(*schema.names)


def table_on_days(store: Store, name: str, days: Sequence[AsOf]) -> ibis.Table:
    """Return what `table_as_of` returns for each of several days, with the day in `known_on`."""
    schema = TABLES[name]
    at = EachDay.over(store.table(name), days)
    events = {column.name: _event(at.rows, column, at) for column in schema.columns if column.rule == "event"}
    return visible_rows(at.rows, schema, at).mutate(**events).select("known_on", *schema.names)


def visible_rows(raw: ibis.Table, schema: TableSchema, at: AsOf | EachDay) -> ibis.Table:
    """Keep the rows that existed at the end of the day.

    A row without a date is kept: nothing shows that it came later. A month's row exists once the month is over.
    """
    if schema.visible_from is None:
        return raw
    dated = raw[schema.visible_from]
    if schema.whole_month:
        return raw.filter(dated.isnull() | (dated + ibis.interval(months=1) <= at.next_day))
    if schema.visible_else is not None:
        fallback = at.reached(raw[schema.visible_else]).fill_null(True)
        return raw.filter(ibis.ifelse(dated.isnull(), fallback, at.reached(dated)))
    return raw.filter(dated.isnull() | at.reached(dated))


def _event(raw: ibis.Table, column: Column, at: AsOf | EachDay) -> ir.Value:
    """Return the column, null where its date is later; an event without date is known on the last day only."""
    value = raw[column.name]
    happened = at.reached(raw[column.dated_by or column.name])
    return ibis.ifelse(happened.fill_null(at.is_last), value, ibis.null(value.type()))


def opportunities_as_of(store: Store, definitions: Definitions, at: AsOf) -> ibis.Table:
    """Return every deal created by the day, deleted ones included, with its state at the end of the day.

    Columns: those of `opportunities`, and
    - `basis`: 'history' (rebuilt from its changes), 'before history' (its changes are known only from a later day on:
      open, and nothing else known) or 'rebuilt' (no changes at all: from created and close dates);
    - `stage_entered_at` (timestamp, UTC): since when it has been in its stage, null if not known;
    - `first_amount`, `first_currency`, `first_priced_at`: the first amount it had.
    """
    schema = TABLES["opportunities"]
    deals = visible_rows(store.table("opportunities"), schema, at)
    joined = _with_state(deals, store, at)
    closed = (*definitions.won_stages, *definitions.lost_stages)
    stands = _stands(joined, closed, at)
    is_known, is_rebuilt = joined.basis == "history", joined.basis == "rebuilt"
    state = {
        name: ibis.cases(
            (is_known, joined[f"state_{name}"]),
            (is_rebuilt & (stands if name in _FINAL else True), joined[name]),
            else_=ibis.null(joined[name].type()),
        )
        for name in STATE_VALUES
    }
    rebuilt = joined.mutate(**state, closed_before=joined.closed_at)
    dated = rebuilt.mutate(_moments(rebuilt, closed, at))
    first = {
        "first_amount": ibis.ifelse(is_known_of(dated), dated.state_first_amount, dated.amount),
        "first_currency": ibis.ifelse(is_known_of(dated), dated.state_first_currency, dated.currency),
        "first_priced_at": ibis.ifelse(is_known_of(dated), dated.state_first_priced_at, dated.created_at),
    }
    finished = dated.mutate(**first).mutate(loss_reason=_loss_reason(definitions, at))
    return _with_last_activity(finished, store, at).select(*schema.names, *EXTRA)


EXTRA = ("basis", "stage_entered_at", "first_amount", "first_currency", "first_priced_at")
"""What `opportunities_as_of` returns beside the canonical columns."""

_FINAL = ("stage", "forecast_category", "probability")
"""Columns whose last value gives away how a deal ended."""


def is_known_of(table: ibis.Table) -> ir.Value:
    """Return whether a deal's state comes from its history."""
    return table.basis == "history"


def _with_state(deals: ibis.Table, store: Store, at: AsOf) -> ibis.Table:
    """Join each deal to its state at the end of the day, or to its first one if that came later."""
    states = store.states
    began = at.reached(states.changed_at)
    holds = began & (states.valid_until.isnull() | ~at.reached(states.valid_until))
    one_each = states.filter(holds | (~began & (states.change_index == 0)))
    wanted = (*STATE_VALUES, "stage_entered_at", "first_amount", "first_currency", "first_priced_at")
    state = one_each.select(
        state_of=_.opportunity_id,
        state_begins=_.changed_at,
        **{f"state_{name}": one_each[name] for name in wanted},
    )
    joined = deals.left_join(state, deals.opportunity_id == state.state_of)
    basis = ibis.cases(
        (joined.state_of.isnull(), "rebuilt"), (at.reached(joined.state_begins), "history"), else_="before history"
    )
    return joined.mutate(basis=basis)


def _stands(joined: ibis.Table, closed: tuple[str, ...], at: AsOf) -> ir.Value:
    """Return whether the deal's last known state already was its state on the day."""
    if at.is_last:
        return ibis.literal(True)
    closed_on = ibis.coalesce(at.day_of(joined.closed_at), joined.close_date)
    return (joined.stage.isin(closed) & at.reached(closed_on)).fill_null(False)


def _moments(deals: ibis.Table, closed: tuple[str, ...], at: AsOf) -> dict[str, ir.Value]:
    """Return when the deal entered its stage, was closed and was deleted, as far as that had happened."""
    never = ibis.null("timestamp(6)")
    is_closed = deals.stage.isin(closed).fill_null(False)
    as_stored = ibis.ifelse(at.reached(deals.closed_before), deals.closed_before, never)
    entered = ibis.ifelse(is_known_of(deals), deals.state_stage_entered_at, never)
    closed_at = ibis.ifelse(is_closed, ibis.ifelse(is_known_of(deals), entered, as_stored), never)
    return {
        "stage_entered_at": ibis.coalesce(entered, closed_at),
        "closed_at": closed_at,
        "deleted_at": ibis.ifelse(at.reached(deals.deleted_at), deals.deleted_at, never),
    }


def _loss_reason(definitions: Definitions, at: AsOf) -> ir.Deferred:
    """Return the reason of a deal that is lost on the day, unless it belongs to a later closing."""
    is_lost = _.stage.isin(definitions.lost_stages)
    same_closing = _.closed_before.isnull() | (_.closed_before < ibis.literal(at.end, "timestamp(6)"))
    return ibis.ifelse(is_lost & same_closing, _.loss_reason, ibis.null("string"))


def _with_last_activity(deals: ibis.Table, store: Store, at: AsOf) -> ibis.Table:
    """Set `last_activity_at` from the activities up to the day, or, where the source has none, from what it says."""
    if "activities" not in store.info.supplied_tables:
        stored = deals.last_activity_at
        return deals.mutate(last_activity_at=ibis.ifelse(at.reached(stored), stored, ibis.null("timestamp(6)")))
    activities = store.table("activities")
    last = (
        activities.filter(at.reached(activities.occurred_at) & activities.opportunity_id.notnull())
        .group_by(active_deal=_.opportunity_id)
        .aggregate(active_at=_.occurred_at.max())
    )
    joined = deals.left_join(last, deals.opportunity_id == last.active_deal)
    return joined.mutate(last_activity_at=joined.active_at)
