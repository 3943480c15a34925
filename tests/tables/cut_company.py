"""A company of two regions whose rows point at each other across the border in every way that rows can."""

from __future__ import annotations

import datetime as dt
from typing import Any

from builders import Rows, rows_table
from revops_analysis.project import Project
from revops_analysis.tables.warehouse import LoadRecord, WarehouseInfo, WarehouseWriter

THROUGH = dt.date(2026, 9, 30)
OUTSIDE = ("a-west", "a-none", "Outsider", "d-west", "c-west", "s-west", "u-west")
"""What must be nowhere in a cut by EMEA: keys, and the word in every outside name."""


def _deal(key: str, account: str | None, owner: str, amount: int, stage: str = "Discovery") -> dict[str, Any]:
    return {
        "opportunity_id": key,
        "account_id": account,
        "owner_id": owner,
        "name": f"Deal of {'Outsider' if key.startswith('d-west') else 'Insider'}",
        "type": "new",
        "stage": stage,
        "amount": amount,
        "created_at": "2026-01-05",
        "close_date": "2026-08-01" if stage == "Closed Won" else "2026-12-01",
    }


TABLES_OF_THE_COMPANY: dict[str, Rows] = {
    "accounts": [
        {"account_id": "a-emea", "name": "Insider Ltd", "region": "EMEA", "parent_account_id": "a-west"},
        {"account_id": "a-emea2", "name": "Insider Two", "region": "EMEA", "owner_id": "u-boss"},
        {"account_id": "a-west", "name": "Outsider <b>Inc</b>", "region": "West", "owner_id": "u-west"},
        {"account_id": "a-none", "name": "Outsider without region", "region": None},
    ],
    "contacts": [
        {"contact_id": "c-emea", "account_id": "a-emea", "name": "Eva"},
        {"contact_id": "c-west", "account_id": "a-west", "name": "Outsider Person"},
    ],
    "users": [
        {"user_id": "u-both", "name": "Sells in both", "manager_id": "u-boss"},
        {"user_id": "u-boss", "name": "The boss", "manager_id": "u-west"},
        {"user_id": "u-west", "name": "Outsider seller"},
    ],
    "leads": [
        {"lead_id": "l1", "created_at": "2026-01-01", "account_id": "a-emea"},
        {"lead_id": "l2", "created_at": "2026-01-01", "company": "Outsider lead"},
    ],
    "opportunities": [
        _deal("d-emea", "a-emea", "u-both", 1000),
        _deal("d-emea-won", "a-emea2", "u-both", 2000, "Closed Won"),
        _deal("d-west", "a-west", "u-both", 70000),
        _deal("d-west-nobody", None, "u-west", 900000, "Closed Won"),
    ],
    "opportunity_contacts": [
        {"opportunity_id": "d-emea", "contact_id": "c-emea"},
        {"opportunity_id": "d-emea", "contact_id": "c-west"},
        {"opportunity_id": "d-west", "contact_id": "c-emea"},
    ],
    "activities": [
        {"activity_id": "by-deal", "opportunity_id": "d-emea", "account_id": "a-west", "occurred_at": "2026-02-01"},
        {"activity_id": "d-west-deal", "opportunity_id": "d-west", "account_id": "a-emea", "occurred_at": "2026-02-01"},
        {"activity_id": "by-account", "account_id": "a-emea", "contact_id": "c-west", "occurred_at": "2026-02-01"},
        {"activity_id": "by-person", "contact_id": "c-emea", "occurred_at": "2026-02-01"},
        {"activity_id": "a-none-at-all", "occurred_at": "2026-02-01"},
    ],
    "spend": [{"month": "2026-01-01", "function": "marketing", "amount": 5}],
    "subscriptions": [
        {"subscription_id": "s-emea", "account_id": "a-emea", "started_on": "2026-01-01", "mrr": 1,
         "renews_subscription_id": "s-west"},
        {"subscription_id": "s-west", "account_id": "a-west", "started_on": "2025-01-01", "mrr": 9},
    ],
    "targets": [
        {"measure": "bookings", "scope_kind": kind, "scope": scope, "period_start": "2026-07-01",
         "period_end": "2026-09-30", "target": target}
        for kind, scope, target in (("company", None, 9000), ("region", "EMEA", 4000), ("region", "West", 8000))
    ],
    "quotas": [{"user_id": "u-both", "period_start": "2026-07-01", "period_end": "2026-09-30", "quota": 7}],
}  # fmt: skip


def load_company(project: Project, source: str = "tiny", **changed: Rows) -> WarehouseInfo:
    """Load the company, some of its tables replaced."""
    tables = {**TABLES_OF_THE_COMPANY, **changed}
    with WarehouseWriter(project, source) as writer:
        for name, rows in tables.items():
            writer.insert(name, rows_table(name, rows))
        return writer.commit(LoadRecord(THROUGH, tuple(tables)))
