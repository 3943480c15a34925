"""Scenarios: each differs from the forecast by what it says, and by nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from revops_analysis.errors import ConfigurationError
from revops_analysis.models.forecast import BookingsForecast
from revops_analysis.models.forecast_overview import ForecastOverview
from revops_analysis.models.forecast_scenarios import Scenario, default_scenarios, forecast_scenarios


def _factor(forecast: BookingsForecast) -> float:
    """By how much the chosen forecast scales what is not certain."""
    deals = forecast.deals.iloc[0]
    return float(deals["expected"] / (deals["probability"] * deals["value"]))


def test_a_scenario_without_a_change_is_the_forecast(small_forecast: BookingsForecast) -> None:
    frame = forecast_scenarios(small_forecast, Scenario("same", "As it is")).frame
    base, same = frame.iloc[0], frame.iloc[1]
    assert base["scenario"] == "forecast"
    names = ["mean", "p10", "p90", "chance"]
    assert same[names].tolist() == pytest.approx(base[names].tolist(), rel=1e-5)
    assert same[["difference", "chance_difference"]].tolist() == pytest.approx([0.0, 0.0], abs=1e-6)


def test_a_win_rate_scales_all_that_is_still_to_be_won(small_overview: ForecastOverview) -> None:
    frame = small_overview.scenarios.frame.set_index("scenario")
    parts = small_overview.forecast.components.set_index("component")["mean"]
    still = parts[["likely", "upside", "unpriced", "later"]].sum()
    assert frame.loc["win_rate_up", "difference"] == pytest.approx(0.1 * still)
    assert frame.loc["win_rate_down", "difference"] == pytest.approx(-0.1 * still)
    assert frame.loc["win_rate_down", "chance"] <= frame.loc["forecast", "chance"] <= frame.loc["win_rate_up", "chance"]


def test_no_probability_exceeds_one(small_forecast: BookingsForecast) -> None:
    frame = forecast_scenarios(small_forecast, Scenario("all", "All won", win_rate=1000.0)).frame
    whole = small_forecast.deals["value"].sum() * _factor(small_forecast)
    later = small_forecast.components.set_index("component").loc["later", "mean"]
    expected = small_forecast.deals["expected"].sum()
    assert frame["difference"].iloc[1] == pytest.approx(whole - expected + 1000 * later)


def test_a_lost_deal_takes_its_part_and_a_won_one_brings_the_rest(small_forecast: BookingsForecast) -> None:
    deal = small_forecast.deals.iloc[1]
    key = (deal["opportunity_id"],)
    frame = forecast_scenarios(
        small_forecast, Scenario("lost", "Lost", lost=key), Scenario("won", "Won", won=key)
    ).frame.set_index("scenario")
    assert frame.loc["lost", "difference"] == pytest.approx(-deal["expected"])
    assert frame.loc["won", "difference"] == pytest.approx(_factor(small_forecast) * deal["value"] - deal["expected"])
    assert frame.loc["lost", "p90"] < frame.loc["won", "p90"]


def test_slipping_past_the_period_leaves_no_open_deal(small_forecast: BookingsForecast) -> None:
    days = (small_forecast.cutoff.period.end - small_forecast.cutoff.day).days
    frame = forecast_scenarios(
        small_forecast, Scenario("all", "All", slip_days=days), Scenario("some", "Some", slip_days=14)
    ).frame.set_index("scenario")
    open_part = small_forecast.deals["expected"].sum()
    assert frame.loc["all", "difference"] == pytest.approx(-open_part)
    assert -open_part < frame.loc["some", "difference"] < 0


def test_the_defaults_name_the_largest_deal(small_forecast: BookingsForecast) -> None:
    scenarios = default_scenarios(small_forecast)
    assert [scenario.name for scenario in scenarios] == ["slip_14_days", "win_rate_down", "win_rate_up", "largest_lost"]
    largest = small_forecast.deals.sort_values("expected").iloc[-1]
    assert scenarios[-1].title == f"The largest expected deal is lost: {largest['name']}"
    without = replace(small_forecast, deals=small_forecast.deals.iloc[:0])
    assert [scenario.name for scenario in default_scenarios(without)] == ["win_rate_down", "win_rate_up"]


def test_deals_that_are_not_open_and_contradictions_are_refused(small_forecast: BookingsForecast) -> None:
    with pytest.raises(ConfigurationError, match="is not open") as found:
        forecast_scenarios(small_forecast, Scenario("x", "X", lost=("nobody",)))
    assert "nobody" in str(found.value)
    key = (small_forecast.deals["opportunity_id"].iloc[0],)
    with pytest.raises(ConfigurationError, match="both lost and won"):
        forecast_scenarios(small_forecast, Scenario("x", "X", lost=key, won=key))
    with pytest.raises(ConfigurationError, match="cannot be"):
        Scenario("x", "X", slip_days=-1)


def test_without_a_target_there_is_no_chance(small_forecast: BookingsForecast) -> None:
    frame = forecast_scenarios(replace(small_forecast, target=None), Scenario("x", "X", win_rate=0.1)).frame
    assert frame[["chance", "chance_difference"]].isna().all().all()
    told = forecast_scenarios(replace(small_forecast, fitted=None))
    assert told.frame.empty
    assert told.reason is not None
    assert told.reason.startswith("The history is too short")
