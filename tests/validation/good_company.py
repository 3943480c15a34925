"""A tiny company whose every table is filled and whose every row keeps every rule: what bad rows are added to."""

from __future__ import annotations

import datetime as dt
from typing import Any

Row = dict[str, Any]
Rows = dict[str, list[Row]]

DATA_THROUGH = dt.date(2026, 9, 30)


def at(month: int, day: int, hour: int = 12, year: int = 2026) -> dt.datetime:
    return dt.datetime(year, month, day, hour)


def on(month: int, day: int, year: int = 2026) -> dt.date:
    return dt.date(year, month, day)


TEMPLATES: Rows = {
    "accounts": [
        {
            "account_id": "a1",
            "name": "Acme",
            "domain": "acme.com",
            "parent_account_id": "a2",
            "segment": "SMB",
            "employees": 50,
            "annual_revenue": 1000.0,
            "owner_id": "u1",
            "created_at": at(1, 5),
        }
    ],
    "contacts": [
        {"contact_id": "c1", "account_id": "a1", "name": "Ann", "email": "ann@acme.com", "created_at": at(1, 6)}
    ],
    "users": [
        {
            "user_id": "u1",
            "name": "Sam",
            "email": "sam@us.example",
            "role": "AE",
            "manager_id": "u2",
            "team": "East",
            "hired_on": on(1, 2, 2024),
            "left_on": on(9, 1),
        }
    ],
    "leads": [
        {
            "lead_id": "l1",
            "email": "ann@acme.com",
            "source": "Inbound",
            "campaign_id": "k1",
            "owner_id": "u1",
            "account_id": "a1",
            "opportunity_id": "d1",
            "created_at": at(2, 1),
            "first_response_at": at(2, 1, 13),
            "qualified_at": at(2, 2),
            "accepted_at": at(2, 3),
            "converted_at": at(2, 4),
            "disqualified_at": at(2, 5),
            "disqualified_reason": "No budget",
        }
    ],
    "opportunities": [
        {
            "opportunity_id": "d1",
            "account_id": "a1",
            "owner_id": "u1",
            "type": "new",
            "segment": "SMB",
            "source": "Inbound",
            "primary_campaign_id": "k1",
            "created_at": at(2, 4),
            "close_date": on(9, 20),
            "stage": "Closed Won",
            "amount": 100.0,
            "currency": "EUR",
            "term_months": 12,
            "forecast_category": "Closed",
            "probability": 1.0,
            "closed_at": at(9, 20),
            "last_activity_at": at(9, 28),
        }
    ],
    "opportunity_history": [
        {
            "opportunity_id": "d1",
            "changed_at": at(9, 28),
            "change_number": 1,
            "stage": "Closed Won",
            "amount": 100.0,
            "currency": "EUR",
            "close_date": on(9, 20),
            "forecast_category": "Closed",
            "probability": 1.0,
            "owner_id": "u1",
        }
    ],
    "opportunity_contacts": [
        {"opportunity_id": "d1", "contact_id": "c1", "role": "Champion", "is_primary": True, "created_at": at(2, 5)}
    ],
    "opportunity_splits": [{"opportunity_id": "d1", "user_id": "u1", "kind": "revenue", "share": 1.0}],
    "activities": [
        {
            "activity_id": "t1",
            "opportunity_id": "d1",
            "account_id": "a1",
            "user_id": "u1",
            "kind": "call",
            "occurred_at": at(9, 28),
        }
    ],
    "touchpoints": [
        {
            "touchpoint_id": "p1",
            "account_id": "a1",
            "contact_id": "c1",
            "kind": "form",
            "occurred_at": at(9, 27),
            "responded_at": at(9, 28),
            "channel": "Inbound",
            "campaign_id": "k1",
        }
    ],
    "campaigns": [
        {"campaign_id": "k1", "name": "Launch", "channel": "Inbound", "started_on": on(1, 1), "ended_on": on(3, 31)},
    ],
    "spend": [
        {
            "month": on(1, 1),
            "function": "marketing",
            "channel": "Inbound",
            "campaign_id": "k1",
            "amount": 10.0,
            "currency": "EUR",
        }
    ],
    "subscriptions": [
        {
            "subscription_id": "s1",
            "account_id": "a1",
            "opportunity_id": "d1",
            "started_on": on(1, 1),
            "ended_on": on(12, 31),
            "mrr": 8.0,
            "currency": "EUR",
            "booked_at": at(1, 1),
            "cancelled_at": at(9, 1),
            "renews_subscription_id": "s0",
            "churn_reason": "Price",
        }
    ],
    "revenue_ledger": [{"account_id": "a1", "product": "Core", "month": on(8, 1), "mrr": 8.0, "currency": "EUR"}],
    "targets": [
        {
            "measure": "bookings",
            "scope_kind": "segment",
            "scope": "SMB",
            "period_start": on(7, 1),
            "period_end": on(9, 30),
            "target": 50.0,
            "currency": "EUR",
        }
    ],
    "quotas": [{"user_id": "u1", "period_start": on(7, 1), "period_end": on(9, 30), "quota": 50.0, "currency": "EUR"}],
    "forecast_submissions": [
        {
            "user_id": "u1",
            "period_start": on(7, 1),
            "submitted_at": at(9, 1),
            "category": "Commit",
            "scope": "own",
            "amount": 40.0,
            "currency": "EUR",
        }
    ],
    "exchange_rates": [{"currency": "EUR", "day": on(9, 29), "rate_to_reporting": 1.1}],
}
"""One full row a table, which keeps every rule beside the rows below."""

_MORE: Rows = {
    "accounts": [dict(TEMPLATES["accounts"][0], account_id="a2", parent_account_id=None)],
    "users": [dict(TEMPLATES["users"][0], user_id="u2", role="Manager", manager_id=None, left_on=None)],
    "opportunities": [
        dict(
            TEMPLATES["opportunities"][0],
            opportunity_id="d2",
            stage="Closed Lost",
            forecast_category="Omitted",
            probability=0.0,
            loss_reason="Price",
        ),
        dict(
            TEMPLATES["opportunities"][0],
            opportunity_id="d3",
            stage="Proposal",
            forecast_category="Commit",
            probability=0.6,
            close_date=on(12, 1),
            closed_at=None,
        ),
    ],
    "opportunity_history": [
        dict(TEMPLATES["opportunity_history"][0], opportunity_id="d2", stage="Closed Lost"),
        dict(TEMPLATES["opportunity_history"][0], opportunity_id="d3", stage="Proposal", close_date=on(12, 1)),
    ],
    "subscriptions": [
        dict(
            TEMPLATES["subscriptions"][0],
            subscription_id="s0",
            renews_subscription_id=None,
            started_on=on(1, 1, 2025),
            ended_on=on(12, 31, 2025),
            booked_at=at(1, 1, year=2025),
        )
    ],
}


def good_company() -> Rows:
    """Every table with its rows; a fresh copy each time."""
    return {name: [dict(row) for row in [*rows, *_MORE.get(name, [])]] for name, rows in TEMPLATES.items()}


def together(*parts: Rows) -> Rows:
    """Several sets of rows as one."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: [row for part in parts for row in part.get(name, [])] for name in names}
