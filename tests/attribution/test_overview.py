"""What the chapter shows, on a small company: figures by hand, and what is said where nothing can be."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from attribution.overview_cases import company
from revops_analysis.attribution.overview import attribution_overview
from revops_analysis.attribution.verdict import CAVEAT
from revops_analysis.periods import parse_period, year_to


@pytest.fixture(scope="module")
def overview():
    return attribution_overview(company(), "2026-Q3")


def headline(found):
    return found.headline.set_index("metric")


def test_the_headline_by_hand(overview):
    shown = headline(overview)
    assert shown.loc["disputed_pipeline", "n"] == len(overview.sourced.disputed)
    assert 0 < shown.loc["marketing_credit", "value"] < 1
    assert shown.loc["marketing_credit", "low"] <= shown.loc["marketing_credit", "value"]
    company_row = overview.year_spend.company.iloc[0]
    assert company_row["all_spend"] == Decimal(12 * (10 + 5_000 + 2 * 2_000))
    assert shown.loc["booked_cac", "value"] == pytest.approx(float(company_row["all_spend"]) / 8)
    assert shown["reason"].isna().all()


def test_the_headline_return_is_of_channels_with_spend_only(overview):
    rows = overview.year_spend.channels.set_index("channel")
    assert rows.loc["Outbound", "spend"] is None
    paid = rows.loc[["Email", "Event"]]
    expected = float(paid["bookings"].sum()) / float(paid["spend"].sum())
    assert headline(overview).loc["return_on_programme_spend", "value"] == pytest.approx(expected)


def test_all_frames_speak_of_the_same_bookings(overview):
    booked = sum(Decimal(1000 + 10 * n) for n in range(12) if n % 3 != 2)
    for _model, rows in overview.compared.shares.groupby("model"):
        assert rows["amount"].sum() == pytest.approx(float(booked))
    assert sum(overview.shapes.flow["bookings"]) == booked
    assert overview.pipeline["share"].sum() == pytest.approx(1.0)
    assert sum(overview.pipeline["pipeline"]) == sum(Decimal(1000 + 10 * n) for n in range(12))


def test_journeys_by_hand(overview):
    lengths = overview.shapes.lengths.set_index("measure")
    assert lengths.loc["Touches", "median"] == 2.5
    assert lengths.loc["Days from first touch to creation", "median"] == 25
    assert lengths.loc["Days from first touch to booking", "median"] == 71
    common = overview.shapes.common.set_index("path")
    assert common.loc["Email → Outbound", ["deals_won", "deals_closed", "win_rate"]].tolist() == [4, 4, 1.0]
    assert common.loc["Outbound → not recorded", ["deals_won", "deals_closed", "win_rate"]].tolist() == [0, 4, 0.0]
    flow = overview.shapes.flow.set_index(["first", "last"])["deals_won"].to_dict()
    assert flow == {("Email", "Outbound"): 4, ("Event", "Email"): 4}


def test_settings_are_differences_that_cancel(overview):
    assert next(iter(overview.settings)) == "channel"
    assert overview.settings.shape[1] == 5
    assert overview.settings.iloc[:, 1:].sum().to_numpy() == pytest.approx(np.zeros(4), abs=1e-9)


def test_gaps_and_notes_are_told(overview):
    assert overview.notes[0] == CAVEAT
    assert "no channel (people, tools)" in overview.notes[1]
    assert "touch without channel" in set(overview.gaps["reason"])


def test_the_same_question_has_the_same_answer(overview):
    again = attribution_overview(company(), "2026-Q3")
    pd.testing.assert_frame_equal(again.headline, overview.headline)
    pd.testing.assert_frame_equal(again.verdict, overview.verdict)


def test_without_spend_returns_are_missing_and_verdicts_are_of_credit():
    found = attribution_overview(company(spend=False), "2026-Q3")
    assert found.returns.empty
    shown = headline(found)
    for metric in ("return_on_programme_spend", "booked_cac", "booked_payback_months"):
        assert np.isnan(shown.loc[metric, "value"])
        assert shown.loc[metric, "reason"]
    assert set(found.verdict["subject"]) == {"largest", "order"}


def test_without_touches_nothing_is_credited_and_it_says_so():
    found = attribution_overview(company(touched=False), "2026-Q3")
    assert found.compared.reason
    assert found.verdict.empty
    assert found.settings.columns.tolist() == ["channel"]
    assert found.unattributed["deals"].sum() == 12
    assert headline(found).loc["marketing_credit", "reason"] == found.compared.reason


@pytest.mark.parametrize(
    ("period", "start"), [("2026-Q3", "2025-10-01"), ("2024-02", "2023-03-01"), ("2025-02", "2024-03-01")]
)
def test_the_year_ends_with_the_period(period, start):
    snapshot = company(spend=False, touched=False)
    year = year_to(parse_period(period, snapshot.definitions.fiscal_calendar))
    assert year.start.isoformat() == start
