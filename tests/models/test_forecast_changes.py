"""What changed since a week earlier: every deal in its line, and lines that add up."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from models.forecast_cases import OPTIONS, PERIOD, WEEK_AGO, past_deals, tables_of, workspace_of
from revops_analysis.models.cutoffs import Cutoff
from revops_analysis.models.forecast import BookingsForecast, forecast_bookings
from revops_analysis.models.forecast_changes import LINES, forecast_changes
from revops_analysis.models.forecast_overview import ForecastOverview
from revops_analysis.periods import parse_period
from revops_analysis.workspace import Workspace


def test_every_deal_stands_in_the_line_of_what_happened_to_it(small_overview: ForecastOverview) -> None:
    deals = small_overview.changes.deals
    lines = dict(zip(deals["opportunity_id"], deals["line"], strict=False))
    expected = {"won": "won", "lost": "lost", "gone": "lost", "new": "created", "new_won": "created"}
    expected |= {"further": "probability", "restated": "booked", "back": "reopened"}
    assert {key: lines.get(key) for key in expected} == expected
    assert "amount" in set(deals.loc[deals["opportunity_id"] == "dearer", "line"])
    assert deals["change"].abs().is_monotonic_decreasing
    assert (deals["after"] - deals["before"]).to_numpy() == pytest.approx(deals["change"].to_numpy())
    assert deals.set_index("opportunity_id").loc["won", ["name", "account_name"]].tolist() == ["Deal won", "Account"]


def test_lines_add_up_to_the_change_and_deals_to_their_lines(small_overview: ForecastOverview) -> None:
    _check_sums(small_overview)


def _check_sums(overview: ForecastOverview) -> None:
    changes = overview.changes
    assert changes.after == overview.forecast.mean
    assert changes.before is not None
    assert changes.lines["change"].sum() == pytest.approx(changes.after - changes.before, abs=0.005)
    assert changes.change == pytest.approx(changes.after - changes.before)
    assert list(changes.lines["line"]) == list(LINES)
    by_line = changes.deals.groupby("line")["change"].agg(["sum", "size"])
    counted = changes.lines.set_index("line").iloc[:7]
    assert counted["n"].to_dict() == by_line["size"].reindex(counted.index, fill_value=0).to_dict()
    sums = by_line["sum"].reindex(counted.index, fill_value=0.0)
    assert counted["change"].to_numpy() == pytest.approx(sums.to_numpy(), abs=0.005)


def test_it_adds_up_for_deals_that_move_at_random() -> None:
    ws = workspace_of(tables_of(past_deals(1, 20)))
    forecast = forecast_bookings(ws, PERIOD, replace(OPTIONS, scored_periods=1))
    changes = forecast_changes(ws, forecast)
    assert changes.lines["change"].sum() == pytest.approx(forecast.mean - (changes.before or 0), abs=0.005)
    by_line = changes.deals.groupby("line")["change"].sum()
    lines = changes.lines.set_index("line")["change"]
    assert lines[by_line.index].to_numpy() == pytest.approx(by_line.to_numpy(), abs=0.005)


def test_amounts_and_probabilities_are_told_apart(
    small_overview: ForecastOverview, small_forecast: BookingsForecast
) -> None:
    deals = small_overview.changes.deals.set_index(["opportunity_id", "line"])
    assert small_forecast.fitted is not None
    known = small_forecast.evidence.known_at(WEEK_AGO)
    then = small_forecast.fitted.expect(known, Cutoff(WEEK_AGO, small_forecast.cutoff.period))
    assert hasattr(then, "deals")
    before = then.deals.set_index("opportunity_id").loc["dearer"]
    now = small_forecast.deals.set_index("opportunity_id").loc["dearer"]
    amount = before["probability"] * (now["value"] - before["value"])
    assert deals.loc[("dearer", "amount"), "change"] == pytest.approx(amount)
    rest = (now["probability"] - before["probability"]) * now["value"]
    told = deals["change"].get(("dearer", "probability"), 0.0)
    assert told == pytest.approx(rest)


def test_a_week_ago_is_what_was_forecast_a_week_ago(
    small_company: Workspace, small_overview: ForecastOverview, small_forecast: BookingsForecast
) -> None:
    earlier = forecast_bookings(small_company.at(WEEK_AGO), PERIOD, OPTIONS)
    assert earlier.choice.weight == small_forecast.choice.weight
    assert small_overview.changes.before == pytest.approx(earlier.mean, abs=0.005)
    row = small_overview.fan[small_overview.fan["cutoff"] == pd.Timestamp(WEEK_AGO)].iloc[0]
    assert row[["p10", "p50", "p90"]].tolist() == pytest.approx([earlier.quantile(q) for q in ("p10", "p50", "p90")])


def test_without_a_comparison_there_is_a_reason(small_company: Workspace, small_forecast: BookingsForecast) -> None:
    q4 = parse_period("2026-Q4", small_company.definitions.fiscal_calendar)
    ahead = replace(small_forecast, cutoff=Cutoff(small_company.as_of, q4))
    evidence = small_forecast.evidence
    rows = evidence.cutoffs.tail(1).assign(cutoff=pd.Timestamp(WEEK_AGO), period="2026-Q4")
    ahead = replace(ahead, evidence=replace(evidence, cutoffs=pd.concat([evidence.cutoffs, rows])))
    found = forecast_changes(small_company, ahead)
    assert (found.before, found.change, len(found.lines), len(found.deals)) == (None, None, 0, 0)
    assert found.reason == (
        "2026-Q4 had not begun on 2026-08-11, a week earlier: changes are shown from 2026-10-07 on."
    )
    young = replace(evidence, created=evidence.created[evidence.created["created_on"] > pd.Timestamp(WEEK_AGO)])
    told = forecast_changes(small_company, replace(small_forecast, evidence=young))
    assert told.reason == "The data has nothing for 2026-08-11, a week earlier."
    by_rule = forecast_changes(small_company, replace(small_forecast, fitted=None))
    assert by_rule.reason is not None
    assert by_rule.reason.startswith("The history is too short for the deal model")
