"""Each detector finds its problem, stays silent without it, and says so when it cannot look."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest

from builders import make_definitions, make_snapshot
from revops_analysis.findings.building import chance_above
from revops_analysis.findings.coverage import coverage_below_required
from revops_analysis.findings.pipeline_health import overdue_pipeline, pipeline_concentration, stalled_deals
from revops_analysis.findings.playbook import load_playbook
from revops_analysis.findings.registry import NotAssessed, Question, assess, detect, detectors
from revops_analysis.findings.retention import implausible_retention
from revops_analysis.metrics.registry import MetricResult, get_metric
from revops_analysis.periods import FiscalCalendar, parse_period

PERIOD = parse_period("2026-Q3", FiscalCalendar())


@pytest.fixture(scope="module")
def playbook():
    from pathlib import Path

    return load_playbook(Path(__file__).resolve().parents[2] / "params" / "playbook.yml")


def deals(count, stage="Proposal", amount=100, closed=None, close_date="2026-12-31", **more):
    name = f"{stage} {amount} {closed} {close_date} {sorted(more.items())}"
    return [
        {
            "opportunity_id": f"{name} {number}",
            "type": "new",
            "segment": "SMB",
            "source": "Inbound",
            "product": "Core",
            "stage": stage,
            "amount": amount,
            "created_at": "2025-01-15",
            "close_date": closed or close_date,
            "closed_at": closed,
            **more,
        }
        for number in range(count)
    ]


def ask(rows, playbook, **tables):
    snapshot = make_snapshot({"opportunities": rows, **tables}, definitions=make_definitions())
    return Question(snapshot, PERIOD, playbook)


class Told(Question):
    """A question whose metrics are given by name: (value, low, high, n, reason)."""

    def __init__(self, playbook, **figures):
        super().__init__(make_snapshot({"opportunities": deals(1)}), PERIOD, playbook)
        object.__setattr__(self, "figures", figures)

    def metric(self, name, period=None, by=(), where=None):
        told = self.figures[name]
        rows = told(period, tuple(by)) if callable(told) else [told]
        columns = [*by, "value", "low", "high", "n", "reason"]
        return MetricResult(get_metric(name), pd.DataFrame(rows, columns=columns), tuple(by))


def test_overdue_pipeline_counts_what_is_late(playbook):
    rows = [*deals(5, close_date="2026-09-29"), *deals(15)]
    (found,) = overdue_pipeline(ask(rows, playbook))
    # What they cost cannot be measured on twenty deals: the amount is what the finding is about, and no loss.
    assert (found.money, found.concerned, found.evidence.n) == (None, Decimal("500.00"), 5)
    assert found.evidence.effect == 0.25
    assert "not known" in found.what
    assert found.severity == "critical"
    assert "25.0%" in found.what
    assert "500 USD" in found.proposed_fix
    assert overdue_pipeline(ask([*deals(1, close_date="2026-09-29"), *deals(19)], playbook)) == []


def test_concentration_names_the_largest(playbook):
    rows = [*deals(1, amount=1000), *deals(24, amount=50)]
    (found,) = pipeline_concentration(ask(rows, playbook))
    assert found.money == Decimal("1000.00")
    assert "1,000 USD, 45.5%" in found.what
    assert pipeline_concentration(ask(deals(40), playbook)) == []
    few = pipeline_concentration(ask(deals(3), playbook))
    assert isinstance(few, NotAssessed)
    assert "too few" in few.reason


def test_stalled_deals_cannot_be_told_without_history(playbook):
    answer = stalled_deals(ask(deals(30), playbook))
    assert isinstance(answer, NotAssessed)
    assert "opportunity_history" in answer.reason


def _closed(won, lost, day, **more):
    return [*deals(won, "Closed Won", closed=day, **more), *deals(lost, "Closed Lost", closed=day, **more)]


def test_a_win_rate_that_fell_is_found_in_its_cut_only(playbook):
    steady = [
        *_closed(40, 40, "2026-02-01", segment="Enterprise"),
        *_closed(30, 30, "2026-08-01", segment="Enterprise"),
    ]
    falling = [*_closed(50, 30, "2026-03-01"), *_closed(8, 40, "2026-08-15")]
    found = {finding.id: finding for finding in assess(ask(steady + falling, playbook), "win_rate_drop").findings}
    assert "win_rate_drop:segment=SMB" in found
    assert "win_rate_drop:segment=Enterprise" not in found
    drop = found["win_rate_drop:segment=SMB"]
    # 8 of 48 after 50 of 80, on 48 deals of 100.
    assert drop.evidence.effect == pytest.approx(8 / 48 - 50 / 80)
    assert drop.money == Decimal("2200.00")
    assert drop.evidence.low < drop.evidence.effect < drop.evidence.high < 0
    assert 0.99 < drop.confidence <= 0.999
    assert assess(ask(steady, playbook), "win_rate_drop").findings == ()


def test_too_few_closed_deals_are_no_evidence(playbook):
    answer = assess(ask(_closed(3, 3, "2026-08-01"), playbook), "win_rate_drop")
    assert answer.reason is not None
    assert "fewer than 10 deals closed in the year to 2026-09-30" in answer.reason


def coverage(playbook, **changes):
    figures = {
        "coverage": (2.0, None, None, 50, None),
        "required_coverage": (3.0, 2.5, 3.5, 8, None),
        "expected_bookings": (400.0, 300.0, 500.0, 50, None),
        "target": (1000.0, None, None, 1, None),
        "bookings": (None, None, None, 0, "2026-Q4 begins after the as-of date"),
    }
    return coverage_below_required(Told(playbook, **figures | changes))


def test_thin_coverage_says_what_is_missing(playbook):
    (found,) = coverage(playbook)
    # Pipeline of 2.0 × 1,000 brings 400, a yield of .2; required is 1,000 more, worth 200.
    assert found.money == Decimal("200.00")
    assert "1,000 USD, expected bookings by 200 USD" in found.what
    assert (found.severity, found.id) == ("critical", "coverage_below_required:period=2026-Q4")
    assert (found.evidence.low, found.evidence.high) == (-1.5, -0.5)
    assert found.confidence == 0.999
    assert coverage(playbook, coverage=(3.1, None, None, 50, None)) == []


def test_coverage_that_is_not_needed_or_not_known(playbook):
    assert coverage(playbook, required_coverage=(None, None, None, 0, "target met")) == []
    answer = coverage(playbook, required_coverage=(None, None, None, 0, "2 past periods are on record"))
    assert isinstance(answer, NotAssessed)
    assert answer.reason == "2026-Q4: 2 past periods are on record"
    (found,) = coverage(playbook, coverage=(0.0, None, None, 0, None), expected_bookings=(0.0, None, None, 0, None))
    assert found.money is None
    assert "3,000 USD" in found.what


def retention(playbook, now, then):
    def nrr(period, by):
        side = now if period is None else then
        return [("SMB", *side)] if by else [side]

    def mrr(period, by):
        row = (100.0, None, None, 40, None)
        return [("SMB", *row)] if by else [row]

    return assess(Told(playbook, nrr=nrr, mrr=mrr), "nrr_decline")


def test_falling_retention_costs_a_year_of_it(playbook):
    found = retention(playbook, (0.9, 0.88, 0.92, 40, None), (1.1, 1.08, 1.12, 40, None)).findings
    # Its only segment fell as the company did, which is one finding.
    (whole,) = found
    assert whole.id == "nrr_decline"
    assert whole.money == Decimal("240.00")  # 20 points of 100 a month, for twelve
    assert (whole.severity, whole.evidence.effect) == ("critical", pytest.approx(-0.2))
    assert retention(playbook, (1.09, 1.05, 1.13, 40, None), (1.1, 1.06, 1.14, 40, None)).findings == ()
    assert retention(playbook, (1.2, 1.18, 1.22, 40, None), (1.1, 1.08, 1.12, 40, None)).findings == ()


def asked(playbook, terms):
    from metrics.retention.companies import company

    return Question(company(terms, "2026-09-30"), PERIOD, playbook)


def test_retention_that_cannot_be_true_is_said_with_its_cause(playbook):
    from metrics.retention.companies import term

    piles = [term(name, f"{2023 + n}-01-01", None, 10) for name in "abc" for n in range(4) for _ in range(4**n)]
    (found,) = implausible_retention(asked(playbook, piles))
    assert found.severity == "critical"
    assert "several active terms of the same product" in found.what
    assert "Do not publish" in found.proposed_fix
    assert implausible_retention(asked(playbook, [term("a", "2023-01-01", None, 10)])) == []
    assert isinstance(implausible_retention(asked(playbook, [])), NotAssessed)
    assert assess(asked(playbook, []), "worsening_cohort").reason


def test_a_cohort_that_keeps_less_than_those_before_costs_a_year_of_it(playbook):
    from metrics.retention.companies import term

    terms = [term("old", "2023-01-01", None, 10)]
    for quarter, leaving in enumerate((2, 2, 3, 25)):
        for n in range(40):
            begin = f"{2024 + quarter // 4}-{3 * (quarter % 4) + 1:02d}-01"
            end = f"{2024 + quarter // 4}-{3 * (quarter % 4) + 3:02d}-15" if n < leaving else None
            terms.append(term(f"q{quarter}n{n}", begin, end, 100 + n))
    (found,) = assess(asked(playbook, terms), "worsening_cohort").findings
    assert found.id == "worsening_cohort:cohort=2024-Q4"
    assert "below them since 2025-03" in found.what
    assert found.money > 0
    assert found.evidence.p_adjusted < 0.05


def test_retention_that_is_not_known_is_not_fine(playbook):
    answer = retention(playbook, (None, None, None, 0, "no subscriptions"), (1.1, 1.08, 1.12, 40, None))
    assert answer.reason == "no subscriptions"


def test_detect_ranks_findings_and_lists_who_could_not_look(playbook):
    rows = [*deals(5, close_date="2026-09-29", amount=10), *deals(1, amount=1000), *deals(24, amount=50)]
    rows += deals(40, close_date="2026-09-01", amount=20)
    question = ask(rows, playbook)
    result = detect(question.snapshot, PERIOD, playbook)
    assert [finding.id for finding in result.findings] == ["pipeline_concentration", "overdue_pipeline"]
    assert set(result.assessed) == {"overdue_pipeline", "pipeline_concentration", "pipeline_created_drop"}
    silent = result.not_assessed.set_index("detector")["reason"]
    assert set(silent.index) == set(detectors()) - set(result.assessed)
    assert silent.str.len().gt(10).all()
    assert result.of("cohort_nrr") == []
    assert len(result.to_frame()) == 2


def test_chance_above_reads_an_interval_as_normal():
    assert chance_above(2.0, 1.0, 3.0, 2.0) == 0.5
    assert chance_above(2.0, 1.0, 3.0, 3.0) == pytest.approx(0.025, abs=1e-4)
    assert chance_above(9.0, 8.9, 9.1, 1.0) == 0.999
