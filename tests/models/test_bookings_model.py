"""The parts of the deal model's forecast, and the deals that it cannot take as they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from models.forecast_cases import OPTIONS, PERIOD, TODAY, Deal, State, past_deals, tables_of, workspace_of
from revops_analysis.errors import DataRefusedError
from revops_analysis.models.bookings_model import BookingsModel, Expectation
from revops_analysis.models.cutoffs import Cutoff
from revops_analysis.models.evidence import gather_evidence
from revops_analysis.periods import parse_period

OPEN = State(date(2026, 7, 20), "Proposal", 120.0)


def expect(*more: Deal) -> Expectation:
    """What is expected of the running quarter with these deals beside the usual ones."""
    workspace = workspace_of(tables_of([*past_deals(), *more]))
    cutoff = Cutoff(TODAY, parse_period(PERIOD, workspace.definitions.fiscal_calendar))
    evidence = gather_evidence(workspace, [cutoff])
    expected = BookingsModel(OPTIONS.model).fit(evidence).expect(evidence, cutoff)
    assert isinstance(expected, Expectation)
    return expected


@pytest.fixture(scope="module")
def odd() -> Expectation:
    """One deal without amount, one in a segment never seen, one in a stage in which no past deal was."""
    return expect(
        Deal("unpriced", (replace(OPEN, amount=None),)),
        Deal("elsewhere", (OPEN,), segment="Enterprise"),
        Deal("unseen", (replace(OPEN, stage="Negotiation"),)),
    )


def _deal(expected: Expectation, key: str):
    return expected.deals.set_index("opportunity_id").loc[key]


def test_the_parts_add_up_to_the_mean(odd):
    assert odd.parts["mean"].sum() == pytest.approx(odd.mean, abs=1e-9)
    assert odd.deals["expected"].sum() == pytest.approx(
        odd.parts.set_index("component")["mean"][["likely", "upside", "unpriced"]].sum()
    )


def test_a_deal_without_amount_is_counted_apart_and_said(odd):
    found = _deal(odd, "unpriced")
    assert not found["is_priced"]
    assert found["value"] > 0
    assert any(note.startswith("1 of ") and "have no amount" in note for note in odd.notes)


def test_a_new_segment_and_a_stage_never_seen_get_a_probability(odd):
    for key in ("elsewhere", "unseen"):
        assert 0 <= _deal(odd, key)["probability"] <= 1


def test_negative_amounts_are_refused_with_the_deal_and_the_day():
    with pytest.raises(DataRefusedError) as refused:
        expect(Deal("minus", (replace(OPEN, amount=-50.0),)))
    text = str(refused.value)
    assert "minus with -50.00" in text
    assert TODAY.isoformat() in text
    assert "correct the amount in the CRM" in text
