"""What the default company looks like: documented bands that every seed is held to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Band:
    """A figure of the default company at scale 1: each of five seeds lies in `low`…`high`, and what it is."""

    low: float
    high: float
    meaning: str


BANDS: Mapping[str, Band] = {
    "ending ARR": Band(38e6, 42e6, "recurring revenue on the last day of history, dollars"),
    "deals a month, Outbound": Band(40, 55, "deals created a month, CRM source Outbound"),
    "deals a month, Partner": Band(14, 22, "the same, Partner"),
    "deals a month, Customer": Band(42, 58, "the same, Customer (expansions)"),
    "deals a month, Inbound": Band(8, 14, "the same, Inbound"),
    "deals a month, Event": Band(4, 8, "the same, Event"),
    "deals a month, Paid": Band(5, 10, "the same, Paid"),
    "win rate of new deals, SMB": Band(0.23, 0.31, "won ÷ closed, new deals of the segment"),
    "win rate of new deals, Mid-Market": Band(0.21, 0.30, "the same"),
    "win rate of new deals, Enterprise": Band(0.15, 0.26, "the same"),
    "roll-up error": Band(0.15, 0.22, "WAPE of closed + commit in mid-quarter against the quarter's bookings"),
    "marketing's claim": Band(0.55, 0.65, "share of pipeline with a marketing touch, answered, within 90 days before"),
    "sales' claim": Band(0.15, 0.25, "share of pipeline whose CRM source is Inbound, Event or Paid"),
    "leads passed a month": Band(180, 220, "leads that marketing passes to sales"),
    "passed leads worth it": Band(0.08, 0.13, "share of them that are truly good"),
    "duplicate contacts": Band(0.27, 0.33, "share of contact rows that repeat a person"),
    "deals": Band(9_500, 11_500, "rows of opportunities"),
    "history rows": Band(42_000, 55_000, "rows of opportunity_history"),
    "touchpoints": Band(85_000, 110_000, "rows of touchpoints"),
}
"""Bands of the default company. What scatters most is the roll-up error: see docs/sample-company.md for more seeds."""
