"""A company in which deals that are pushed three times are won far less often, and nothing else tells deals apart."""

from __future__ import annotations

import datetime as dt

import numpy as np

from builders import make_definitions, make_snapshot
from revops_analysis.tables.snapshot import Snapshot

AS_OF = dt.date(2026, 9, 30)
WON_IF_PUSHED, WON_ELSE = 0.15, 0.6
SETTINGS = {
    **make_definitions().warnings.model_dump(mode="json"),
    "weeks": 60,
    "horizon_days": 60,
    "age_bands": [16, 40],
}


def rows(deals: int = 400, seed: int = 1) -> dict[str, list[dict]]:
    """Deals created evenly from 2025 on; half of them are pushed on days 5, 10, 15; closed on day 40 to 60."""
    rng = np.random.default_rng(seed)
    tables: dict[str, list[dict]] = {"opportunities": [], "opportunity_history": []}
    starts = np.linspace(0, (AS_OF - dt.date(2025, 1, 1)).days, deals).astype(int)
    for number, start in enumerate(starts):
        created = dt.date(2025, 1, 1) + dt.timedelta(days=int(start))
        is_pushed = bool(rng.random() < 0.5)
        is_won = bool(rng.random() < (WON_IF_PUSHED if is_pushed else WON_ELSE))
        ends = created + dt.timedelta(days=int(rng.integers(40, 61)))
        key = f"d{number:04d}"
        state = {"opportunity_id": key, "amount": 1000, "stage": "Discovery", "owner_id": f"u{number % 4}"}
        moves = [(created, {"close_date": created + dt.timedelta(days=60)})]
        if is_pushed:
            moves += [
                (created + dt.timedelta(days=5 * n), {"close_date": created + dt.timedelta(days=60 + 10 * n)})
                for n in (1, 2, 3)
            ]
        moves.append((ends, {"stage": "Closed Won" if is_won else "Closed Lost", "close_date": ends}))
        for day, change in moves:
            state = {**state, **change}
            if day <= AS_OF:
                tables["opportunity_history"].append({**state, "changed_at": day.isoformat(), "change_number": 1})
        tables["opportunities"].append(
            {**state, "type": "new", "segment": "SMB", "name": f"Deal {number}", "created_at": created.isoformat()}
        )
    tables["users"] = [
        {"user_id": f"u{n}", "name": "Ann Lee" if n < 2 else f"Seller {n}", "team": "A"} for n in range(4)
    ]
    return tables


def flagged_company(tables: dict[str, list[dict]] | None = None, **changes) -> Snapshot:
    """Its snapshot; `changes` are keys of `warnings`."""
    definitions = make_definitions(warnings={**SETTINGS, **changes})
    return make_snapshot(tables or rows(), as_of=AS_OF, definitions=definitions)
