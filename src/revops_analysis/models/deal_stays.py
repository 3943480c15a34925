"""Every stay of a headline deal in one recorded state, open or won, by business day: what back-tests look up.

A deal is in a state on a day if `since` ≤ day < `until`: of the changes of one day only the last shows, as it does in
`Snapshot.deals`. Deals without recorded changes are open from creation to closing (docs/as-of.md, `rebuilt`), and their
stage is known on the as-of date at most; those whose history begins after their creation are open until then, and
nothing is known but their age.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
from ibis import _

from revops_analysis.tables.days import business_day
from revops_analysis.tables.deals import stage_order_of, status_of

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

CURRENT_FEATURES = ("segment", "product", "source")
"""Columns of deals that have no history; used as features where the definitions allow it, otherwise null."""

TRAIL = ("pushes", "days_pushed", "amount_changes", "stage_changes", "reopenings")
"""What is counted along a deal's changes, from 0 at its first."""

_LONG_AGO, _FAR = ibis.date(1, 1, 1), ibis.date(9999, 12, 31)
"""A deal without a day of creation was always there; what has not ended holds for ever."""

_NO_DAY = ibis.null("date")
_MONEY = "decimal(18, 2)"


def deal_stays(snapshot: Snapshot) -> ir.Table:
    """Return a row per headline deal and unbroken state, of deals created by the as-of date, deleted ones included.

    Columns: opportunity_id, type, segment, product, source (as `CURRENT_FEATURES` says), created_on, since, until (the
    first day on which it held no more; 9999-12-31 if it still holds), status (open, won), stage, stage_order, category,
    crm_probability, close_date, entered_on (since when it is in the stage), amount in `currency`, first_amount in
    `first_currency`, owner_id, booked_on (won only) and the counts of `TRAIL`, null for deals without recorded changes.
    Computed once a snapshot.
    """
    return snapshot.keep("models: deal stays", lambda: _deal_stays(snapshot))


def _deal_stays(snapshot: Snapshot) -> ir.Table:
    described = _described(snapshot)
    parts = [_from_history(snapshot), _before_history(snapshot, described), *_without_history(snapshot)]
    stays = ibis.union(*(part.select(*_COLUMNS) for part in parts))
    joined = stays.inner_join(described, stays.opportunity_id == described.deal_id).drop("deal_id")
    since = ibis.greatest(joined.since, ibis.coalesce(joined.created_on, joined.since))
    until = ibis.least(ibis.coalesce(joined.until, _FAR), ibis.coalesce(joined.gone_on, _FAR))
    lasting = joined.mutate(since=since, until=until).drop("gone_on")
    return lasting.filter(lasting.since < lasting.until)


_COLUMNS = (
    *("opportunity_id", "since", "until", "status", "stage", "stage_order", "category", "crm_probability"),
    *("close_date", "entered_on", "amount", "currency", "first_amount", "first_currency", "owner_id", "booked_on"),
    *TRAIL,
)


def _described(snapshot: Snapshot) -> ir.Table:
    """What does not change of headline deals, deleted ones included, and the day on which they were deleted."""
    deals, definitions = snapshot.table("opportunities"), snapshot.definitions
    allowed = [name for name in CURRENT_FEATURES if f"opportunities.{name}" in definitions.allowed_current_columns]
    snapshot.require_dated(allowed, "a feature of the models")
    known = {name: deals[name] if name in allowed else ibis.null("string") for name in CURRENT_FEATURES}
    zone = definitions.business_time_zone
    return deals.filter(deals.type.isin(definitions.headline_types).fill_null(True)).select(
        deal_id=_.opportunity_id,
        type=_.type,
        **known,
        created_on=business_day(deals.created_at, zone),
        gone_on=business_day(deals.deleted_at, zone),
    )


def _from_history(snapshot: Snapshot) -> ir.Table:
    """The recorded states, each with its trail; lost ones only end those before them."""
    changes, zone = _trail(snapshot), snapshot.definitions.business_time_zone
    entered_on = business_day(changes.stage_entered_at, zone)
    booking_day = changes.close_date if snapshot.definitions.booking_day == "close_date" else entered_on
    return changes.filter(changes.status != "lost").mutate(
        since=changes.changed_on,
        until=business_day(changes.valid_until, zone),
        category=changes.forecast_category,
        crm_probability=changes.probability,
        entered_on=entered_on,
        amount=changes.amount_original,
        booked_on=ibis.ifelse(changes.status == "won", booking_day, ibis.null("date")),
    )


def _trail(snapshot: Snapshot) -> ir.Table:
    """The changes with what can be counted along the way; every count looks backwards only."""
    history = snapshot.history
    order = {"group_by": "opportunity_id", "order_by": "change_index"}
    in_order = ibis.window(**order)
    so_far = ibis.window(**order, preceding=(None, 0), following=None)
    before = history.mutate(
        close_before=_.close_date.lag().over(in_order),
        amount_before=_.amount_original.lag().over(in_order),
        status_before=_.status.lag().over(in_order),
        priced_so_far=_.amount_original.count().over(so_far),
    )
    is_open = before.status == "open"
    is_first_price = before.amount_original.notnull() & (before.priced_so_far == 1)
    days = ibis.ifelse(is_open, before.close_date.delta(before.close_before, unit="day"), 0)
    marked = before.mutate(
        days_pushed=ibis.greatest(days.fill_null(0), 0),
        amount_changes=_flag(is_open & (before.amount_original != before.amount_before)),
        stage_changes=_flag(is_open & (before.stage != before.from_stage)),
        reopenings=_flag(is_open & (before.status_before != "open")),
        first_amount=ibis.ifelse(is_first_price, before.amount_original, ibis.null(_MONEY)),
        first_currency=ibis.ifelse(is_first_price, before.currency, ibis.null("string")),
    )
    counted = marked.mutate(pushes=_flag(marked.days_pushed > 0))
    sums = {name: counted[name].sum().over(so_far).cast("int64") for name in TRAIL}
    first = {name: counted[name].max().over(so_far) for name in ("first_amount", "first_currency")}
    return counted.mutate(**sums, **first)


def _flag(condition: ir.BooleanValue) -> ir.Value:
    return ibis.ifelse(condition.fill_null(False), ibis.literal(1, "int64"), ibis.literal(0, "int64"))


def _before_history(snapshot: Snapshot, described: ir.Table) -> ir.Table:
    """Deals between their creation and their first recorded change: open, and nothing known."""
    history = snapshot.history
    first = history.filter(history.change_index == 0)
    late = first.inner_join(described, first.opportunity_id == described.deal_id)
    began = ibis.coalesce(late.created_on, _LONG_AGO)
    return late.select("opportunity_id", since=began, until=late.changed_on).mutate(
        **_unknown(), status=ibis.literal("open"), booked_on=_NO_DAY
    )


def _without_history(snapshot: Snapshot) -> tuple[ir.Table, ...]:
    """Deals of which no change is recorded by the as-of date: open until they closed, won from then on.

    What gives away how a deal ended (stage, category, CRM probability) is known from its closing on, and of an open
    deal on the as-of date at most. A closed deal without a date counts as closed on the as-of date and not before.
    """
    table = snapshot.table("opportunities")
    deals = table.anti_join(snapshot.history, "opportunity_id")
    definitions, today = snapshot.definitions, ibis.literal(snapshot.as_of)
    zone = definitions.business_time_zone
    status = status_of(deals.stage, definitions)
    closed_day = ibis.coalesce(business_day(deals.closed_at, zone), deals.close_date)
    began = ibis.coalesce(business_day(deals.created_at, zone), _LONG_AGO)
    values = {name: deals[name] for name in ("close_date", "amount", "currency", "owner_id")}
    known = deals.mutate(
        **{**_unknown(), **values, "first_amount": deals.amount, "first_currency": deals.currency},
        final_stage=deals.stage,
        final_status=status,
        final_category=deals.forecast_category,
        final_probability=deals.probability,
        began=began,
        ended=ibis.ifelse(status == "open", today, ibis.coalesce(closed_day, today)),
        booking_day=deals.close_date if definitions.booking_day == "close_date" else closed_day,
    )
    before = known.mutate(since=known.began, until=known.ended, status=ibis.literal("open"), booked_on=_NO_DAY)
    lasting = known.filter(known.final_status != "lost")
    after = lasting.mutate(
        since=lasting.ended,
        until=_FAR,
        status=lasting.final_status,
        stage=lasting.final_stage,
        stage_order=stage_order_of(lasting.final_stage, definitions),
        category=lasting.final_category,
        crm_probability=lasting.final_probability,
        booked_on=ibis.ifelse(lasting.final_status == "won", lasting.booking_day, _NO_DAY),
    )
    return before, after


def _unknown() -> dict[str, ir.Value]:
    """A state of which nothing is known."""
    texts = {name: ibis.null("string") for name in ("stage", "category", "currency", "first_currency", "owner_id")}
    days = {name: ibis.null("date") for name in ("close_date", "entered_on")}
    amounts = {name: ibis.null(_MONEY) for name in ("amount", "first_amount")}
    counts = {name: ibis.null("int64") for name in TRAIL}
    return {
        **texts,
        **days,
        **amounts,
        **counts,
        "stage_order": ibis.null("int64"),
        "crm_probability": ibis.null("float64"),
    }
