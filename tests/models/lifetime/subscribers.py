"""A company of annual subscribers with a known process, for the tests of lifetimes, renewals and net retention."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np

from builders import make_definitions, make_store
from metrics.retention.companies import RETENTION_DEFAULTS, company, term
from revops_analysis.tables.snapshot import Snapshot

AS_OF = "2025-12-31"
LOSS = {"SMB": 0.25, "Enterprise": 0.08}
"""Chance that a yearly term is not renewed, by segment."""


def annual_terms(accounts: int, seed: int, *, first: str = "2022-04-15", growth: float = 1.0) -> list[dict[str, Any]]:
    """Terms of a year each, renewed on time with chance 1 − `LOSS` at `growth` times the price, until the end of 2026.

    Half of those lost give notice 40 days before the end; booked the day before the start (renewals) or on it.
    """
    rng = np.random.default_rng(seed)
    start = dt.date.fromisoformat(first)
    rows: list[dict[str, Any]] = []
    for number in range(accounts):
        segment = "SMB" if number % 2 else "Enterprise"
        day = start + dt.timedelta(days=int(rng.integers(0, 2 * 365)))
        mrr, before = float(np.round(np.exp(rng.normal(6.0, 0.4)), 2)), None
        while day.year < 2027:
            end = dt.date(day.year + 1, day.month, min(day.day, 28)) - dt.timedelta(days=1)
            lost, said = rng.random() < LOSS[segment], rng.random() < 0.5
            name = f"{number:04d}-{day.isoformat()}"
            booked = day - dt.timedelta(days=1) if before else day
            notice = (end - dt.timedelta(days=40)).isoformat() if lost and said else None
            made = term(f"a{number:04d}", day.isoformat(), end.isoformat(), round(mrr, 2))
            rows.append(
                {**made, "subscription_id": name, "booked_at": booked.isoformat(), "cancelled_at": notice}
                | {"renews_subscription_id": before, "churn_reason": "Price" if notice else None}
            )
            if lost:
                break
            day, mrr, before = end + dt.timedelta(days=1), mrr * growth, name
    return rows


def subscribers(
    terms: list[dict[str, Any]], as_of: str = AS_OF, *, engine: dict[str, Any] | None = None, **more: Any
) -> Snapshot:
    """A snapshot over the terms; segments follow from the accounts' numbers. `engine`: as `make_store` takes it."""
    names = sorted({row["account_id"] for row in terms})
    accounts = [
        {"account_id": name, "name": f"Customer {name}", "segment": "SMB" if ord(name[-1]) % 2 else "Enterprise"}
        for name in names
    ]
    tables = {"subscriptions": terms, "accounts": accounts, **more}
    store = make_store(tables, data_through="2030-12-31", **(engine or {}))
    return Snapshot(store, make_definitions(**RETENTION_DEFAULTS), as_of)


__all__ = ["AS_OF", "LOSS", "annual_terms", "company", "subscribers", "term"]
