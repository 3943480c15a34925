"""Deals with their stories, for tests of dates."""

from __future__ import annotations

import datetime as dt
from typing import Any

from builders import make_snapshot
from revops_analysis.metrics.dealflow.book import DealBook, deal_book
from revops_analysis.periods import Period
from revops_analysis.tables.snapshot import Snapshot

AHEAD = Period("2026-Q4", dt.date(2026, 10, 1), dt.date(2026, 12, 31))


def change(at: str, close: str | None, stage: str = "Proposal", **more: Any) -> dict[str, Any]:
    """One change of a deal of Ann's."""
    return {"changed_at": at, "stage": stage, "amount": 100.10, "close_date": close, "owner_id": "u1", **more}


Stories = dict[str, tuple[dict[str, Any], ...]]

STORIES: Stories = {
    "won in its month": (change("2026-05-05", "2026-07-20"), change("2026-07-18", "2026-07-18", "Closed Won")),
    "lost in its month": (change("2026-05-05", "2026-07-20"), change("2026-07-18", "2026-07-18", "Closed Lost")),
    "pushed, then won": (
        change("2026-05-05", "2026-07-31"),
        change("2026-07-30", "2026-08-31"),
        change("2026-08-20", "2026-08-20", "Closed Won"),
    ),
    "left overdue": (change("2026-05-05", "2026-07-20"),),
    "date taken away": (change("2026-05-05", "2026-07-20"), change("2026-07-10", None)),
    "omitted": (change("2026-05-05", "2026-07-20"), change("2026-07-10", "2026-07-20", forecast_category="Omitted")),
    "pulled in and won early": (change("2026-05-05", "2026-09-30"), change("2026-07-05", "2026-07-05", "Closed Won")),
    "created in the month": (change("2026-07-05", "2026-07-20"),),
}


def book_of(stories: Stories) -> DealBook:
    """The book of the deals with these stories, a story a deal."""
    return deal_book(snapshot_of(stories), AHEAD)


def snapshot_of(stories: Stories) -> Snapshot:
    """The company whose deals have these stories, as of the end of September."""
    tables: dict[str, list[dict[str, Any]]] = {"opportunities": [], "opportunity_history": [], "users": []}
    for name, changes in stories.items():
        rows = [{"opportunity_id": name, "change_number": 1, **item} for item in changes]
        state = {key: value for key, value in rows[-1].items() if key not in ("changed_at", "change_number")}
        deal = {"type": "new", "name": name, "created_at": changes[0]["changed_at"], **state}
        closed = changes[-1]["changed_at"] if changes[-1]["stage"].startswith("Closed") else None
        tables["opportunities"].append({**deal, "closed_at": closed})
        tables["opportunity_history"] += rows
    tables["users"] = [{"user_id": "u1", "name": "Ann"}, {"user_id": "u2", "name": "<b>Bo</b>"}]
    return make_snapshot(tables)
