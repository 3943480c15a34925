"""Deals won for less, and periods that ended below their target."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from benchmarks.findings_company import company

from builders import make_snapshot
from findings.test_detectors import Told, deals, playbook  # noqa: F401 - a fixture
from findings.test_pace import question
from revops_analysis.findings.registry import assess


def won(segment, amounts, day):
    rows = [
        deals(1, "Closed Won", amount=round(float(x), 2), closed=day, segment=segment, type="new")[0] for x in amounts
    ]
    return [{**row, "opportunity_id": f"{segment} {day} {n}"} for n, row in enumerate(rows)]


def test_deals_won_for_less_are_found_in_their_segment_and_mix_is_no_fall():
    rng = np.random.default_rng(0)

    def sizes(typical, count):
        return typical * np.exp(rng.normal(0, 0.4, count))

    before = [*won("SMB", sizes(1000, 120), "2025-03-01"), *won("Enterprise", sizes(9000, 120), "2025-03-01")]
    after = [*won("SMB", sizes(1000, 90), "2026-08-01"), *won("Enterprise", sizes(6000, 30), "2026-08-01")]
    found = assess(question(make_snapshot({"opportunities": before + after})), "deal_size_drop").findings
    assert [finding.id for finding in found] == ["deal_size_drop:segment=Enterprise"]
    assert found[0].evidence.effect == pytest.approx(2 / 3, abs=0.1)
    # Twice as many small deals, but each as large as before.
    more = [*won("SMB", sizes(1000, 200), "2026-08-01"), *won("Enterprise", sizes(9000, 20), "2026-08-01")]
    assert assess(question(make_snapshot({"opportunities": before + more})), "deal_size_drop").findings == ()
    assert assess(question(make_snapshot({"opportunities": deals(3)})), "deal_size_drop").reason


def test_rising_prices_are_no_fall():
    made = company(0, "price_rise", 0.25)
    assert assess(question(made.snapshot), "deal_size_drop").findings == ()


def test_a_target_that_was_missed_is_a_fact(playbook):  # noqa: F811 - the fixture
    figures = {"target": (1000.0, None, None, 1, None), "bookings": (850.0, None, None, 12, None)}
    (found,) = assess(Told(playbook, **figures), "target_missed").findings
    assert (found.money, found.confidence, found.severity) == (Decimal("150.00"), 1.0, "critical")
    assert "15.0%" in found.what
    met = figures | {"bookings": (1000.0, None, None, 12, None)}
    assert assess(Told(playbook, **met), "target_missed").findings == ()
    none = figures | {"target": (None, None, None, 0, "no target")}
    assert assess(Told(playbook, **none), "target_missed").reason == "no target"
    running = question(make_snapshot({"opportunities": deals(3)}, as_of="2026-08-15"))
    assert "not over" in assess(running, "target_missed").reason
