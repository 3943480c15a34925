"""A company of sellers: one whose deals wait twice as long and are lost more often, splits, quotas, ramps, leavers."""

from __future__ import annotations

import datetime as dt

import numpy as np

from builders import make_definitions, make_snapshot
from revops_analysis.tables.snapshot import Snapshot

AS_OF = dt.date(2026, 9, 30)
STAGES = ("Discovery", "Qualification", "Proposal")


def rows(sellers: int = 6, deals: int = 60, slow: int | None = 0, seed: int = 3) -> dict[str, list[dict]]:
    """`deals` a seller since July 2025, two thirds of stages advance after ten days on average; `slow` takes longer."""
    rng = np.random.default_rng(seed)
    tables: dict[str, list[dict]] = {name: [] for name in ("opportunities", "opportunity_history", "users", "quotas")}
    for seller in range(sellers):
        tables["users"].append(
            {"user_id": f"u{seller}", "name": f"Seller {seller}", "team": "SMB", "role": "AE", "hired_on": "2024-01-01"}
        )
        tables["quotas"].append(
            {"user_id": f"u{seller}", "period_start": "2026-07-01", "period_end": "2026-09-30", "quota": 10_000}
        )
        for number in range(deals):
            _deal(tables, rng, (f"u{seller}", f"d{seller}-{number:03d}"), seller == slow)
    return tables


def _deal(tables: dict[str, list[dict]], rng: np.random.Generator, who: tuple[str, str], is_slow: bool) -> None:
    owner, key = who
    day = dt.date(2025, 7, 1) + dt.timedelta(days=int(rng.integers(0, 430)))
    created = day
    state = {"opportunity_id": key, "owner_id": owner, "amount": 1000, "close_date": AS_OF.isoformat()}
    for stage in STAGES:
        tables["opportunity_history"].append(
            {**state, "stage": stage, "changed_at": day.isoformat(), "change_number": 1}
        )
        state["stage"] = stage
        advance, loss = rng.exponential(25 if is_slow else 10), rng.exponential(20)
        day += dt.timedelta(days=int(min(advance, loss)) + 1)
        if day > AS_OF:
            break
        if loss < advance or stage == STAGES[-1]:
            state |= {"stage": "Closed Lost" if loss < advance else "Closed Won", "close_date": day.isoformat()}
            tables["opportunity_history"].append({**state, "changed_at": day.isoformat(), "change_number": 1})
            break
    tables["opportunities"].append(
        {**state, "type": "new", "segment": "SMB", "created_at": created.isoformat(), "name": key}
    )


def selling_company(tables: dict[str, list[dict]] | None = None, **changes) -> Snapshot:
    """Its snapshot; `changes` are keys of the definitions."""
    return make_snapshot(tables or rows(), as_of=AS_OF, definitions=make_definitions(**changes))
