"""A company made by chance for the tests of metrics: deals with a history in which everything happens that can."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

OPEN = ("Discovery", "Qualification", "Solution", "Proposal", "Negotiation")
FIRST, LAST = dt.date(2023, 1, 1), dt.date(2026, 9, 30)
Row = dict[str, Any]


def company(seed: int, deals: int = 60) -> dict[str, list[Row]]:
    """Canonical tables with `deals` deals: reopened, deleted, omitted, pushed, repriced, in two currencies."""
    rng = random.Random(seed)  # noqa: S311 - chance for tests
    tables: dict[str, list[Row]] = {"opportunities": [], "opportunity_history": []}
    for number in range(deals):
        deal, changes = _deal(rng, f"o{number:04d}")
        tables["opportunities"].append(deal)
        tables["opportunity_history"] += changes
    tables["users"] = [
        {"user_id": f"u{n}", "name": f"Seller {n}", "team": f"Team {n % 2}", "region": ("East", None)[n // 2]}
        for n in range(4)
    ]
    tables["accounts"] = [{"account_id": f"a{n}", "industry": ("Retail", None)[n % 2]} for n in range(6)]
    tables["exchange_rates"] = [
        {"currency": "EUR", "day": day, "rate_to_reporting": round(rng.uniform(0.9, 1.3), 4)}
        for day in (dt.date(year, month, 1) for year in range(2022, 2027) for month in (1, 4, 7, 10))
        if day <= LAST
    ]
    tables["targets"] = _targets()
    return tables


def _targets() -> list[Row]:
    quarters = [dt.date(year, month, 1) for year in (2025, 2026) for month in (1, 4, 7, 10)]
    rows = []
    for start in quarters:
        end = (start + dt.timedelta(days=100)).replace(day=1) - dt.timedelta(days=1)
        common = {"measure": "bookings", "period_start": start, "period_end": end}
        rows.append({**common, "scope_kind": "company", "scope": None, "target": 900_000})
        rows += [
            {**common, "scope_kind": "segment", "scope": name, "target": share}
            for name, share in (("SMB", 300_000), ("Mid-Market", 600_000))
        ]
    return rows


def _deal(rng: random.Random, key: str) -> tuple[Row, list[Row]]:
    created = FIRST + dt.timedelta(days=rng.randrange((LAST - FIRST).days - 5))
    state = {
        "stage": rng.choice(OPEN[:2]),
        "amount": rng.choice([None, rng.randrange(1_000, 90_000) + rng.randrange(100) / 100]),
        "currency": rng.choice(["USD", "USD", "EUR", None]),
        "close_date": created + dt.timedelta(days=rng.randrange(20, 200)),
        "forecast_category": rng.choice(["Pipeline", "Best Case", "Omitted", None]),
        "probability": 0.2,
        "owner_id": f"u{rng.randrange(4)}",
    }
    moment = dt.datetime.combine(created, dt.time(rng.randrange(24), rng.randrange(60)))
    changes = [{"opportunity_id": key, "changed_at": moment, "change_number": 1, **state}]
    closed_at: dt.datetime | None = None
    for _ in range(rng.randrange(9)):
        same_moment = rng.random() < 0.15
        moment += (
            dt.timedelta(0) if same_moment else dt.timedelta(days=rng.randrange(1, 60), minutes=rng.randrange(900))
        )
        if moment.date() >= LAST:
            break
        state = _changed(rng, state, moment)
        closed_at = moment if state["stage"].startswith("Closed") else None
        number = changes[-1]["change_number"] + 1 if same_moment else 1
        changes.append({"opportunity_id": key, "changed_at": moment, "change_number": number, **state})
    deleted = moment + dt.timedelta(days=rng.randrange(1, 40)) if rng.random() < 0.08 else None
    deal = {
        "opportunity_id": key,
        "account_id": f"a{rng.randrange(6)}",
        "type": rng.choice(["new", "new", "expansion", "renewal", None]),
        "segment": rng.choice(["SMB", "Mid-Market", None]),
        "product": rng.choice(["Core", "Analytics"]),
        "source": rng.choice(["Outbound", "Inbound", None]),
        "created_at": changes[0]["changed_at"],
        "closed_at": closed_at,
        "deleted_at": deleted,
        **state,
    }
    return deal, changes


def _changed(rng: random.Random, state: Row, moment: dt.datetime) -> Row:
    kind = rng.choice(["stage", "stage", "amount", "close_date", "forecast_category", "owner_id", "won", "lost"])
    if kind == "stage":
        return {**state, "stage": rng.choice(OPEN)}
    if kind in ("won", "lost"):
        day = moment.date() - dt.timedelta(days=rng.choice([0, 0, 0, 40]))
        amount = state["amount"] if kind == "lost" else rng.randrange(1_000, 90_000)
        return {**state, "stage": f"Closed {kind.title()}", "close_date": day, "amount": amount}
    if kind == "amount":
        return {**state, "amount": rng.choice([None, rng.randrange(1_000, 90_000)])}
    if kind == "close_date":
        return {**state, "close_date": rng.choice([None, moment.date() + dt.timedelta(days=rng.randrange(-20, 150))])}
    if kind == "owner_id":
        return {**state, "owner_id": rng.choice([None, f"u{rng.randrange(4)}"])}
    return {**state, "forecast_category": rng.choice(["Pipeline", "Commit", "Omitted"])}
