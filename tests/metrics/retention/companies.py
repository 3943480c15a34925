"""Tiny companies for the tests of retention: subscription terms in, a snapshot out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from builders import make_definitions, make_store
from revops_analysis.tables.snapshot import Snapshot

RETENTION_DEFAULTS: dict[str, Any] = {
    "business_time_zone": "UTC",
    "recurring_revenue_from": None,
    "late_renewal_grace_days": 0,
    "mrr_rates": "constant",
}


def term(
    account: str, start: str, end: str | None, mrr: float | str, product: str = "Core", **more: Any
) -> dict[str, Any]:
    """One subscription term."""
    return {"account_id": account, "started_on": start, "ended_on": end, "mrr": mrr, "product": product, **more}


def company(
    terms: Sequence[Mapping[str, Any]],
    as_of: str,
    *,
    tables: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    con: Any = None,
    **settings: Any,
) -> Snapshot:
    """A snapshot over the terms; keys and accounts are made where they are not given."""
    rows = [{"subscription_id": f"s{number:05d}", **row} for number, row in enumerate(terms)]
    filled = {**({"subscriptions": rows} if rows else {}), **(tables or {})}
    names = {str(row["account_id"]) for row in [*rows, *filled.get("revenue_ledger", [])]}
    filled.setdefault("accounts", [{"account_id": name} for name in sorted(names)])
    store = make_store(filled, data_through="2030-12-31", con=con)
    return Snapshot(store, make_definitions(**{**RETENTION_DEFAULTS, **settings}), as_of)
