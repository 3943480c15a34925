"""Pipeline created: a cut that makes less is named, growth, seasons and larger deals are no fall."""

from __future__ import annotations

import numpy as np
import pytest

from builders import make_snapshot
from findings.test_pace import question
from revops_analysis.findings.registry import assess

END = np.datetime64("2026-09-30")


def created(source, per_week, weeks, amount=1000, segment="SMB"):
    """Deals created evenly: `per_week` in each of these weeks before the end (0: the last)."""
    days = [END - (7 * week + (3 * n) % 7) for week in weeks for n in range(per_week)]
    return [
        {"opportunity_id": f"{source}{segment}{number} {days[0]}", "type": "new", "segment": segment, "source": source}
        | {"stage": "Closed Won" if number % 4 == 0 else "Closed Lost", "amount": amount, "product": "Core"}
        | {"created_at": str(day), "closed_at": str(min(day + 20, END)), "close_date": str(min(day + 20, END))}
        for number, day in enumerate(days)
    ]


def ask(rows):
    return assess(question(make_snapshot({"opportunities": rows})), "pipeline_created_drop")


def test_a_source_that_brings_less_is_named_with_what_that_costs():
    steady = created("Outbound", 6, range(156))
    rows = [*steady, *created("Partner", 4, range(26, 156)), *created("Partner", 1, range(26))]
    # The company has fewer deals too, and the segment in which all are; without Partner neither has.
    (found,) = ask(rows).findings
    assert found.id == "pipeline_created_drop:source=Partner"
    assert found.evidence.effect == pytest.approx(0.25, abs=0.02)
    # Three a week are missing for 26 weeks; of the pipeline created in the years before a quarter was won.
    assert float(found.money) == pytest.approx(78 * 1000 * 0.25, rel=0.02)
    assert "By number -78,000 USD" in found.what
    assert "by size 0 USD, by the mix of segments 0 USD" in found.what


def test_where_everything_falls_it_is_the_company():
    rows = [
        deal
        for source in ("Outbound", "Partner", "Event")
        for segment in ("SMB", "Enterprise")
        for weeks, per_week in ((range(26, 156), 3), (range(26), 2))
        for deal in created(source, per_week, weeks, segment=segment)
    ]
    assert [finding.id for finding in ask(rows).findings] == ["pipeline_created_drop"]


def test_growth_seasons_and_larger_deals_are_no_fall():
    busy = [week for week in range(156) if (week // 13) % 4 != 0]
    season = [*created("Outbound", 5, range(156)), *created("Event", 6, busy)]
    assert ask(season).findings == ()
    growth = [*created("Outbound", 4, range(156)), *created("Partner", 3, range(78))]
    assert ask(growth).findings == ()


def test_what_varies_from_quarter_to_quarter_anyway_is_no_finding():
    rng = np.random.default_rng(2)
    quarters = [range(13 * number, 13 * number + 13) for number in range(12)]
    loud = [row for weeks in quarters for row in created("Event", int(rng.integers(2, 9)), weeks)]
    answer = ask(loud)
    assert answer.findings == ()
    assert answer.comparisons["p_value"].min() > 1e-4


def test_few_deals_are_no_evidence():
    assert "fewer than 20 deals" in ask(created("Outbound", 1, range(10))).reason


@pytest.mark.parametrize("weeks", [range(200, 204), range(4)])
def test_without_deals_in_the_year_before_nothing_is_called_fine(weeks):
    assert "fewer than 20 deals were created" in ask(created("Outbound", 1, weeks)).reason
