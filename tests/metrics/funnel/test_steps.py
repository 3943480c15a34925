"""The way of a lead: which day it reached what, how it left, and that days never run backwards."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.funnel.companies import by_chance, company, deal, lead, without_repeats
from revops_analysis.metrics.funnel import funnel, lead_table, step_table, undated_leads
from revops_analysis.metrics.funnel.leads import MARKETING, SALES_AFTER, SALES_BEFORE, STAGES
from revops_analysis.metrics.funnel.steps import STEPS
from revops_analysis.periods import FiscalCalendar, parse_period

YEAR = parse_period("2026", FiscalCalendar())

SOLD = {"qualified_at": "2026-01-02", "accepted_at": "2026-01-04", "converted_at": "2026-01-10"}
REFUSED = {"disqualified_at": "2026-03-05"}
LEADS = [
    lead("open", "2026-09-01"),
    lead("won", "2026-01-01", opportunity_id="w", **SOLD),
    lead("lost", "2026-01-01", opportunity_id="x", **SOLD),
    lead("early accept", "2026-02-01", qualified_at="2026-02-09", accepted_at="2026-02-03"),
    lead("no qualification", "2026-02-01", accepted_at="2026-02-03"),
    lead("refused", "2026-03-01", qualified_at="2026-03-02", disqualified_reason="No budget", **REFUSED),
    lead("by marketing", "2026-03-01", disqualified_at="2026-03-04"),
    lead("later", "2026-03-01", accepted_at="2026-03-03", disqualified_reason="Timing", **REFUSED),
    lead("ignored", "2026-03-01", qualified_at="2026-03-01"),
    lead("fresh", "2026-09-01", qualified_at="2026-09-20"),
    lead("reopened", "2026-04-01", qualified_at="2026-04-02", disqualified_at="2026-04-03", converted_at="2026-05-01"),
    lead("before birth", "2026-05-10", qualified_at="2026-05-01"),
    lead("undated", None, qualified_at="2026-05-01"),
]
DEALS = [
    deal("w", "2026-01-10", "Closed Won", amount=1000, close_date="2026-03-01", closed_at="2026-03-01"),
    deal("x", "2026-01-10", "Closed Lost", amount=1000, close_date="2026-02-01", closed_at="2026-02-01"),
]


@pytest.fixture(scope="module")
def snapshot():
    return company(LEADS, DEALS)


@pytest.fixture(scope="module")
def leads(snapshot):
    return lead_table(snapshot).to_pandas().set_index("lead_id")


def results(snapshot, step):
    rows = step_table(snapshot)
    frame = rows.filter(rows.step == step).to_pandas().set_index("lead_id")
    return frame["result"].where(frame["result"].notna(), None).to_dict()


def test_a_lead_without_creation_is_counted_and_left_out(snapshot, leads) -> None:
    assert undated_leads(snapshot) == 1
    assert "undated" not in leads.index
    assert len(leads) == len(LEADS) - 1


def test_a_later_stage_implies_the_earlier_ones(leads) -> None:
    assert str(leads.loc["no qualification", "qualified_on"])[:10] == "2026-02-03"
    assert str(leads.loc["early accept", "qualified_on"])[:10] == "2026-02-03"
    assert str(leads.loc["before birth", "qualified_on"])[:10] == "2026-05-10"
    wrong = set(leads.index[leads["is_out_of_order"]])
    assert wrong == {"early accept", "before birth"}


def test_each_way_to_leave_is_told_apart(snapshot) -> None:
    assert results(snapshot, "qualified to accepted") == {
        "won": "advanced",
        "lost": "advanced",
        "early accept": "advanced",
        "no qualification": "advanced",
        "refused": "disqualified",
        "later": "advanced",
        "ignored": "ignored",
        "fresh": None,
        "reopened": "advanced",
        "before birth": "ignored",
    }
    assert results(snapshot, "accepted to deal")["later"] == "recycled"
    assert results(snapshot, "lead to qualified")["by marketing"] == "disqualified"
    assert results(snapshot, "lead to qualified")["open"] is None
    assert results(snapshot, "deal to won") == {"won": "advanced", "lost": "lost", "reopened": None}


def test_refusals_are_named_by_side(leads) -> None:
    sides = leads["side"].dropna().to_dict()
    assert sides == {"refused": SALES_BEFORE, "by marketing": MARKETING, "later": SALES_AFTER}


def test_before_it_happened_nothing_has_happened() -> None:
    early = company(LEADS, DEALS, as_of="2026-01-09")
    assert results(early, "accepted to deal") == {"won": None, "lost": None}
    assert lead_table(early).count().to_pyarrow().as_py() == 2


def test_the_funnel_counts_every_lead_once_a_step(snapshot) -> None:
    frame = funnel(snapshot, YEAR).frame
    assert frame["step"].tolist() == list(STEPS)
    outcomes = frame[["advanced", "disqualified", "recycled", "ignored", "lost", "still_open"]].sum(axis=1)
    assert outcomes.tolist() == frame["entered"].tolist()
    whole = frame.set_index("step").loc["lead to won"]
    assert (whole["entered"], whole["advanced"], whole["median_days"]) == (12, 1, 59.0)


def test_days_are_of_those_that_advanced(snapshot) -> None:
    row = funnel(snapshot, YEAR).frame.set_index("step").loc["accepted to deal"]
    assert row["median_days"] == 6.0  # 6, 6, and 0 of the lead whose acceptance nobody recorded


def test_open_leads_are_censored_and_not_lost() -> None:
    """Two won at once, two not watched to the horizon: Kaplan–Meier by hand, not 2 of 4."""
    many = [
        lead("a", "2026-01-01", converted_at="2026-01-11", opportunity_id="a"),
        lead("b", "2026-01-01", disqualified_at="2026-01-06"),
        lead("c", "2026-09-22"),
        lead("d", "2026-01-01"),
    ]
    snapshot = company(many, conversion_horizon_days=30)
    row = funnel(snapshot, YEAR).frame.set_index("step").loc["lead to qualified"]
    # b leaves at 5 (of 4), c is censored at 8, a advances at 10 (of 2): ¾ × ½.
    assert row["conversion"] == pytest.approx(0.375)
    assert row["share"] == 0.25


@settings(max_examples=2, deadline=None)
@given(st.integers(0, 10_000))
def test_days_never_run_backwards_and_steps_are_nested(seed: int) -> None:
    leads, deals, tables = by_chance(seed, 40)
    snapshot = company(leads, without_repeats(deals), tables=tables)
    frame = lead_table(snapshot).to_pandas()
    days = [pd.to_datetime(frame[f"{stage}_on"]) for stage in STAGES]
    for earlier, later in pairwise(days):
        assert not (later < earlier).any()
        assert earlier[later.notna()].notna().all()
    steps = step_table(snapshot).to_pandas()
    assert (steps["days"] >= 0).all()
    assert not steps.duplicated(["lead_id", "step"]).any()
    assert frame.loc[frame["is_first_of_deal"], "opportunity_id"].is_unique


@settings(max_examples=2, deadline=None)
@given(st.integers(0, 10_000))
def test_what_comes_later_changes_nothing(seed: int) -> None:
    """Every event after the day is moved or removed; the leads of the day stay the same."""
    leads, _, tables = by_chance(seed, 40)
    day = dt.datetime(2026, 6, 1)
    moments = ("qualified_at", "accepted_at", "converted_at", "first_response_at", "disqualified_at")

    def moved(row):
        late = {name: row[name] + dt.timedelta(days=9) for name in moments if row.get(name) and row[name] >= day}
        return {**row, **late}

    kept = [row for row in leads if row["created_at"] and row["created_at"] < day]
    worlds = [leads, [moved(row) for row in kept]]
    seen = []
    for world in worlds:
        snapshot = company(world, [], as_of="2026-05-31", tables=tables)
        frame = lead_table(snapshot).to_pandas().sort_values("lead_id", ignore_index=True)
        seen.append(frame[frame["lead_on"].notna()])
    pd.testing.assert_frame_equal(*seen)


def test_a_dimension_that_is_missing_everywhere_is_one_cell() -> None:
    frame = funnel(company([lead("a", "2026-08-01", converted_at="2026-08-02")]), YEAR, ["segment"]).frame
    assert frame["segment"].isna().all()
    assert frame.set_index("step").loc["lead to qualified", "median_days"] == 1.0


def test_a_refusal_before_the_acceptance_ends_nothing() -> None:
    back = lead("a", "2026-03-01", qualified_at="2026-03-02", accepted_at="2026-03-20", **REFUSED)
    snapshot = company([back])
    assert results(snapshot, "accepted to deal") == {"a": None}
    assert results(snapshot, "qualified to accepted") == {"a": "advanced"}
    assert lead_table(snapshot).side.to_pyarrow().to_pylist() == [SALES_BEFORE]
