"""Deals with everything a metric asks of them: status, days in the business zone, amounts in the reporting currency."""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
from ibis import _

from revops_analysis.definitions import Definitions
from revops_analysis.tables.asof import opportunities_as_of, table_as_of, visible_rows
from revops_analysis.tables.days import AsOf
from revops_analysis.tables.money import Exchange, converted
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.store import Store

_OWNER = {"owner_name": "name", "owner_role": "role", "owner_team": "team", "owner_region": "region"}
_ACCOUNT = {
    "account_name": "name",
    "account_segment": "segment",
    "account_industry": "industry",
    "account_region": "region",
    "account_country": "country",
}
ORIGINS = {
    **{name: f"users.{column}" for name, column in _OWNER.items()},
    **{name: f"accounts.{column}" for name, column in _ACCOUNT.items()},
}
"""Columns of `deals` that come from another table → `table.column`."""


@dataclass(frozen=True)
class DealView:
    """What it takes to look at deals as of a day."""

    store: Store
    definitions: Definitions
    exchange: Exchange
    at: AsOf


def deals_as_of(view: DealView) -> ibis.Table:
    """Return the deals of `Snapshot.deals`, and `missing_rate_of`, `missing_rate_on`: null, or what rate is missing."""
    state = opportunities_as_of(view.store, view.definitions, view.at)
    existing = state.filter(state.deleted_at.isnull()).mutate(
        status=status_of(state.stage, view.definitions), stage_order=stage_order_of(state.stage, view.definitions)
    )
    return _with_owner_and_account(_priced(_dated(existing, view), view), view)


def status_of(stage: ir.Value, definitions: Definitions) -> ir.Value:
    """Return 'won', 'lost' or 'open' for a stage; a deal whose stage is not known is open."""
    return ibis.cases(
        (stage.isin(definitions.won_stages), "won"), (stage.isin(definitions.lost_stages), "lost"), else_="open"
    )


def stage_order_of(stage: ir.Value, definitions: Definitions) -> ir.Value:
    """Return the place of a stage in the definitions, from 1; null for a stage that is not known."""
    places = [(stage == name, ibis.literal(place, "int64")) for place, name in enumerate(definitions.stage_names, 1)]
    return ibis.cases(*places, else_=ibis.null("int64"))


def _dated(deals: ibis.Table, view: DealView) -> ibis.Table:
    """Add created_on, booked_on and closed_on, as far as they lie on or before the day."""
    at, definitions = view.at, view.definitions
    closed_day = ibis.coalesce(at.day_of(deals.closed_at), deals.close_date)
    booking_day = deals.close_date if definitions.booking_day == "close_date" else closed_day
    never = ibis.null("date")
    booked_on = ibis.ifelse((deals.status == "won") & at.reached(booking_day), booking_day, never)
    lost_on = ibis.ifelse((deals.status == "lost") & at.reached(closed_day), closed_day, never)
    return deals.mutate(
        created_on=at.day_of(deals.created_at), booked_on=booked_on, closed_on=ibis.coalesce(booked_on, lost_on)
    ).mutate(
        is_headline=_.type.isin(definitions.headline_types).fill_null(True),
        is_omitted=_.forecast_category.isin(definitions.omitted_categories).fill_null(False)
        if definitions.omitted_categories
        else ibis.literal(False),
    )


def _priced(deals: ibis.Table, view: DealView) -> ibis.Table:
    """Convert amounts: what was booked at the rate of the day the definitions name, what is open at today's."""
    today = view.at.literals()[0]
    at_booking = view.definitions.exchange_rate_day == "booking_day"
    is_foreign = (deals.first_currency != view.exchange.reporting).fill_null(False)
    priced_on = ibis.ifelse(is_foreign, view.at.day_of(deals.first_priced_at), today)
    days = deals.mutate(
        converted_on=ibis.coalesce(deals.booked_on, today) if at_booking else today,
        first_converted_on=ibis.coalesce(priced_on, today) if at_booking else today,
    )
    rated = view.exchange.with_rate(days, "rate", "currency", _.converted_on)
    rated = view.exchange.with_rate(rated, "first_rate", "first_currency", _.first_converted_on)
    lacks = rated.amount.notnull() & rated.rate.isnull()
    lacks_first = rated.first_amount.notnull() & rated.first_rate.isnull()
    return rated.mutate(
        missing_rate_of=ibis.cases((lacks, rated.currency), (lacks_first, rated.first_currency)),
        missing_rate_on=ibis.cases((lacks, rated.converted_on), (lacks_first, rated.first_converted_on)),
        amount_original=rated.amount,
        amount=converted(rated.amount, rated.rate),
        first_amount=converted(rated.first_amount, rated.first_rate),
    ).drop("rate", "converted_on", "first_rate", "first_converted_on", "first_currency")


def _with_owner_and_account(deals: ibis.Table, view: DealView) -> ibis.Table:
    """Add what is known today of the owner and the account: current columns, whatever the day."""
    users = view.store.table("users")
    accounts = table_as_of(view.store, "accounts", view.at)
    owners = users.select(joined_owner=_.user_id, **{name: users[column] for name, column in _OWNER.items()})
    buyers = accounts.select(joined_account=_.account_id, **{name: accounts[c] for name, c in _ACCOUNT.items()})
    with_owner = deals.left_join(owners, deals.owner_id == owners.joined_owner)
    joined = with_owner.left_join(buyers, with_owner.account_id == buyers.joined_account)
    return joined.drop("joined_owner", "joined_account")


def history_as_of(view: DealView) -> ibis.Table:
    """Return the changes of `Snapshot.history`, and `missing_rate_of`, `missing_rate_on` as `deals_as_of` does."""
    at, states = view.at, view.store.states
    existing = visible_rows(view.store.table("opportunities"), TABLES["opportunities"], at)
    known = states.filter(at.reached(states.changed_at)).semi_join(existing, "opportunity_id")
    later = ibis.ifelse(at.reached(known.valid_until), known.valid_until, ibis.null("timestamp(6)"))
    shown = known.drop("first_amount", "first_currency", "first_priced_at").mutate(
        valid_until=later,
        changed_on=at.day_of(known.changed_at),
        status=status_of(known.stage, view.definitions),
        stage_order=stage_order_of(known.stage, view.definitions),
        amount_original=known.amount,
    )
    today = at.literals()[0]
    rated = view.exchange.with_rate(shown, "rate", "currency", today)
    lacks = rated.amount.notnull() & rated.rate.isnull()
    return rated.mutate(
        missing_rate_of=ibis.ifelse(lacks, rated.currency, ibis.null("string")),
        missing_rate_on=ibis.ifelse(lacks, today, ibis.null("date")),
        amount=converted(rated.amount, rated.rate),
    ).drop("rate")
