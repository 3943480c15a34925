"""Wins and losses, concentration, needed creation: identities, agreement with the registry, and what is missing."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from builders import make_snapshot
from metrics.generated import company
from revops_analysis.metrics.dealflow.book import deal_book
from revops_analysis.metrics.dealflow.creation import creation_need
from revops_analysis.metrics.dealflow.detail import PipelineDetail, pipeline_detail
from revops_analysis.metrics.overview import pipeline_overview, stage_yields
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.periods import Period
from revops_analysis.tables.snapshot import Snapshot

AHEAD = Period("2026-Q4", dt.date(2026, 10, 1), dt.date(2026, 12, 31))


@pytest.fixture(scope="module")
def detail(sample_snapshot: Snapshot) -> PipelineDetail:
    return pipeline_detail(sample_snapshot, "2026-Q3")


def test_every_cut_holds_all_closed_deals(detail: PipelineDetail, sample_snapshot: Snapshot) -> None:
    quarters = "2025-Q4...2026-Q3"
    won = compute_metric(sample_snapshot, "deals_won", quarters).frame["value"].sum()
    lost = compute_metric(sample_snapshot, "deals_lost", quarters).frame["value"].sum()
    booked = compute_metric(sample_snapshot, "bookings", quarters).frame["value"].sum()
    sums = detail.win_loss.cuts.groupby("cut")[["closed", "won", "amount_won"]].sum()
    assert (sums["closed"] == won + lost).all()
    assert (sums["won"] == won).all()
    assert ((sums["amount_won"] - booked).abs() < 0.005).all()
    assert detail.win_loss.reasons["deals"].sum() == lost
    inside = detail.win_loss.cuts
    assert ((inside["low"] <= inside["high"]) & (inside["low"] >= 0) & (inside["high"] <= 1)).all()


def test_sellers_are_shrunk_and_other_cuts_are_not(detail: PipelineDetail) -> None:
    cuts = detail.win_loss.cuts
    owners = cuts[cuts["cut"] == "owner"]
    assert owners["shrunk"].notna().all() and cuts.loc[cuts["cut"] != "owner", "shrunk"].isna().all()
    assert (owners["shrunk"] - detail.win_loss.rate).abs().max() <= (owners["rate"] - detail.win_loss.rate).abs().max()


def test_concentration_is_that_of_the_registry(detail: PipelineDetail, sample_snapshot: Snapshot) -> None:
    company_row = detail.concentration.iloc[0]
    tops = compute_metric(sample_snapshot, "concentration", "2026-Q3").frame["value"]
    assert company_row[["top_1", "top_5", "top_10"]].to_numpy(dtype=float) == pytest.approx(tops.to_numpy())
    gini = compute_metric(sample_snapshot, "pipeline_gini", "2026-Q3").frame["value"][0]
    assert company_row["gini"] == pytest.approx(gini)
    assert detail.largest["amount"].is_monotonic_decreasing
    assert detail.largest["share"].sum() == pytest.approx(company_row["top_10"])


def test_yield_by_stage_adds_up_to_the_pipeline_of_the_period(sample_snapshot: Snapshot) -> None:
    frame = stage_yields(sample_snapshot, AHEAD)
    deals = compute_metric(sample_snapshot, "coverage", AHEAD).frame["n"][0]
    assert frame["deals"].sum() == deals
    known = frame[frame["expected"].notna()]
    assert (known["yield"] * known["open"] - known["expected"]).abs().max() < 0.01
    assert not {"required", "coverage"} & set(frame.columns)


def test_shares_of_velocity_add_up(sample_snapshot: Snapshot) -> None:
    table = pipeline_overview(sample_snapshot, "2026-Q3").velocity_table().set_index("factor")
    parts, whole = table.iloc[:-1], table.loc["sales_velocity"]
    assert parts["contribution"].sum() == pytest.approx(whole["after"] - whole["before"])
    assert parts["share"].sum() == pytest.approx(1) == whole["share"]


def test_needed_creation_closes_the_gap_at_the_measured_yield(sample_snapshot: Snapshot) -> None:
    row = creation_need(sample_snapshot, AHEAD).frame.iloc[0]
    assert row["n"] == 8
    assert row["from_open"] + row["needed"] * row["yield_created"] + row["booked"] == pytest.approx(row["target"])
    assert row["low"] <= row["needed"] <= row["high"]
    assert 0 <= row["enough"] <= 1
    made = compute_metric(sample_snapshot, "pipeline_created", "2025-Q4...2026-Q3").frame["value"].sum()
    assert row["pace"] == pytest.approx(made * 92 / 365, rel=1e-6)


def test_a_quarter_without_target_and_a_source_without_past_say_so(sample_snapshot: Snapshot) -> None:
    frame = creation_need(sample_snapshot, AHEAD).frame
    without = frame[frame["target"].isna()]
    assert len(without) and without["reason"].str.startswith("no target").all() and without["needed"].isna().all()
    young = make_snapshot({"opportunities": company(3, 20)["opportunities"][:1], "opportunity_history": []})
    assert creation_need(young, AHEAD).frame["needed"].isna().all()


def test_the_book_counts_in_whole_cents(generated_snapshot: Snapshot) -> None:
    book = deal_book(generated_snapshot, AHEAD)
    cents = book.deals["cents"].dropna()
    assert np.array_equal(cents, cents.round())
    whole = compute_metric(generated_snapshot, "open_pipeline", "2026-Q3").frame["value"][0]
    assert round(book.open["cents"].sum()) == round(whole * 100)


def test_an_empty_company_has_no_figures_but_reasons() -> None:
    empty = pipeline_detail(make_snapshot({"opportunities": [], "opportunity_history": []}), "2026-Q3")
    assert empty.key_figures["value"].isna().all()
    assert empty.key_figures["reason"].notna().all()
    assert isinstance(empty.win_loss.cuts, pd.DataFrame) and empty.win_loss.rate is None
    assert empty.concentration.empty and empty.largest.empty
