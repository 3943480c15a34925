"""Snapshots that several tests of attribution look at."""

from __future__ import annotations

import pytest

from attribution.touch_rows import deal, snapshot_of, touch


@pytest.fixture(scope="session")
def lead_company():
    """One deal with a lead between its touches: first t1, lead creation t2, t3, deal creation t4, t5, closing t6."""
    moments = ["2026-02-10", "2026-03-01", "2026-03-20", "2026-04-30", "2026-05-20", "2026-06-29"]
    channels = ["Paid search", "Webinar", "Email", "Outbound", "Event", "Partner"]
    touches = [touch(f"t{n}", day, channel) for n, (day, channel) in enumerate(zip(moments, channels, strict=True), 1)]
    lead = {"lead_id": "l1", "created_at": "2026-03-02", "converted_at": "2026-05-01", "account_id": "a1"}
    return snapshot_of([deal()], touches, leads=[lead])
