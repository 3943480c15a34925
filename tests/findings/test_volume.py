"""Deals won for less, and periods that ended below their target."""

from __future__ import annotations

import re
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


def test_the_change_of_the_mean_is_told_by_size_and_by_mix():
    before = [*won("SMB", [1000] * 60, "2025-03-01"), *won("Enterprise", [9000] * 60, "2025-03-01")]
    after = [*won("SMB", [700] * 90, "2026-08-01"), *won("Enterprise", [6300] * 30, "2026-08-01")]
    rng = np.random.default_rng(3)
    for row in before + after:
        row["amount"] = round(float(row["amount"] * np.exp(rng.normal(0, 0.05))), 2)
    (found,) = assess(question(make_snapshot({"opportunities": before + after})), "deal_size_drop").findings
    assert found.id == "deal_size_drop"
    # Mean 5,000 and then 2,100: shares move by .25 (which is −1,700 at mean prices), and prices fall by 30% in both.
    size, mix = (int(part.replace(",", "")) for part in re.findall(r"(-[\d,]+) USD (?:is size|the mix)", found.what))
    assert size + mix == pytest.approx(2100 - 5000, abs=100)
    assert mix == pytest.approx(-0.25 * ((9000 + 6300) - (1000 + 700)) / 2, abs=100)


def test_deals_that_take_longer_are_found_like_for_like():
    rng = np.random.default_rng(1)

    def after_days(segment, typical, count, day):
        ages = np.maximum(typical * np.exp(rng.normal(0, 0.5, count)), 1)
        created = [str(np.datetime64(day) - int(age)) for age in ages]
        rows = won(segment, [1000.0] * count, day)
        return [{**row, "created_at": since} for row, since in zip(rows, created, strict=True)]

    before = [*after_days("SMB", 30, 120, "2025-03-01"), *after_days("Enterprise", 120, 120, "2025-03-01")]
    slower = [*after_days("SMB", 30, 60, "2026-08-01"), *after_days("Enterprise", 200, 60, "2026-08-01")]
    (found,) = assess(question(make_snapshot({"opportunities": before + slower})), "cycle_longer").findings
    assert found.id == "cycle_longer:segment=Enterprise"
    assert found.evidence.effect == pytest.approx(0.6, abs=0.12)
    # 60,000 of bookings in the span of 91 days, and about 80 days more.
    assert 30_000 < float(found.money) < 80_000
    # More of the slow kind is no slowing.
    mix = [*after_days("SMB", 30, 20, "2026-08-01"), *after_days("Enterprise", 120, 100, "2026-08-01")]
    assert assess(question(make_snapshot({"opportunities": before + mix})), "cycle_longer").findings == ()
    assert assess(question(make_snapshot({"opportunities": deals(3)})), "cycle_longer").reason


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
