"""The forecast chapter: its parts agree with each other, and what every kind of company sees."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from models.forecast_cases import OPTIONS, PERIOD, Deal, State, last_week, past_deals, tables_of, workspace_of
from revops_analysis.models.backtest import BacktestOptions
from revops_analysis.models.forecast import BookingsForecast
from revops_analysis.models.forecast_deals import deal_reasons
from revops_analysis.models.forecast_overview import ForecastOverview, forecast_overview, headline_figures
from revops_analysis.models.forecast_record import range_coverage
from revops_analysis.reporting.key_figures import collect_rows
from revops_analysis.workspace import Workspace

ONE = replace(OPTIONS, scored_periods=1, backtest=BacktestOptions(weeks=(7,), workers=1))


def _headline(overview: ForecastOverview) -> pd.DataFrame:
    collect_rows(list(overview.figures), overview.period.label)  # every figure can be published
    return overview.headline.set_index("metric")


def test_the_headline_says_what_the_forecast_says(small_overview: ForecastOverview) -> None:
    forecast, found = small_overview.forecast, _headline(small_overview)
    assert found.loc["forecast", ["value", "low", "high"]].tolist() == [
        forecast.mean,
        forecast.quantile("p10"),
        forecast.quantile("p90"),
    ]
    assert found.loc["target", "value"] == 2000
    assert found.loc["chance_of_target", "value"] == np.mean(forecast.draws >= 2000)
    assert found.loc["booked_so_far", "value"] == small_overview.fan["booked"].iloc[-1]
    assert found.loc["forecast_against_target", "value"] == forecast.mean / 2000
    assert found["reason"].isna().all()
    rows = {row.metric: row.shown_name for row in collect_rows(small_overview.headline, PERIOD)}
    assert rows["chance_of_target"] == "Chance of target"


def test_parts_groups_and_published_figures_add_up(small_overview: ForecastOverview) -> None:
    forecast = small_overview.forecast
    published = pd.concat(small_overview.figures)
    parts = published[published["metric"] == "forecast_part"]
    assert parts["value"].sum() == pytest.approx(forecast.mean, abs=0.005)
    assert forecast.groups.groupby("cut")["mean"].sum().tolist() == pytest.approx([forecast.mean] * 5, abs=0.005)


def test_the_record_is_that_of_the_back_test(small_overview: ForecastOverview) -> None:
    past, accuracy = small_overview.past, small_overview.accuracy
    assert len(past) == 6
    week = past[past["week"] == 1]
    row = accuracy[(accuracy["method"] == "chosen") & (accuracy["week"] == 1)].iloc[0]
    assert row["wape"] == pytest.approx(week["error"].abs().sum() / week["outcome"].sum())
    assert row["bias"] == pytest.approx(week["error"].sum() / week["outcome"].sum())
    assert accuracy["method"].iloc[0] == "chosen"
    rival = accuracy[(accuracy["method"] == row["rival"]) & (accuracy["week"] == 1)].iloc[0]
    assert row["skill"] == pytest.approx(1 - row["wape"] / rival["wape"])
    covered = small_overview.coverage.set_index("interval")
    assert covered.loc[80, "covered"] == past["is_inside_80"].sum()
    assert covered.loc[95, "note"] == (
        "The 95% interval is the model's own: 39 past periods are needed to measure it, 3 were forecast."
    )
    assert covered.loc[[50, 80], "note"].isna().all()


def test_after_39_past_periods_the_95_interval_is_measured(small_forecast: BookingsForecast) -> None:
    row = small_forecast.backtest.frame.query("method == 'chosen' and outcome == outcome").head(1)
    many = pd.concat([row.assign(period=f"P{number}") for number in range(39)])
    told = replace(small_forecast, backtest=replace(small_forecast.backtest, frame=many))
    assert range_coverage(told)["note"].isna().all()


def test_the_fan_begins_on_the_eve_and_ends_with_the_forecast(small_overview: ForecastOverview) -> None:
    fan, forecast = small_overview.fan, small_overview.forecast
    assert fan["cutoff"].iloc[[0, -1]].dt.date.tolist() == [date(2026, 6, 30), date(2026, 8, 18)]
    assert fan["week"].tolist() == list(range(8))
    assert fan["mean"].iloc[-1] == forecast.mean
    assert fan["booked"].iloc[0] == 0
    quantiles = fan[["p2_5", "p10", "p25", "p50", "p75", "p90", "p97_5"]].to_numpy()
    assert (np.diff(quantiles, axis=1) >= 0).all()


def test_the_deals_to_look_at_are_those_that_move_the_number(small_overview: ForecastOverview) -> None:
    deals = small_overview.forecast.deals.set_index("opportunity_id")
    swing = deals["value"] * np.sqrt(deals["probability"] * (1 - deals["probability"]))
    risks = small_overview.risks
    assert len(risks) == min(10, len(deals))
    assert risks["swing"].tolist() == pytest.approx(swing.nlargest(10).tolist())
    differing = small_overview.disagreements
    gap = (differing["probability"] - differing["crm_probability"]).to_numpy()
    assert differing["effect"].to_numpy() == pytest.approx(gap * differing["value"].to_numpy())
    assert differing["effect"].abs().is_monotonic_decreasing
    reasons = small_overview.reasons
    assert set(reasons["opportunity_id"]) <= {*risks["opportunity_id"], *differing["opportunity_id"]}
    assert len(reasons) > 0
    assert (reasons["effect"] != 0).all()
    assert reasons.groupby("opportunity_id").size().max() <= 3


def test_a_period_that_is_over_gives_way_to_the_next(
    small_company: Workspace, small_overview: ForecastOverview
) -> None:
    found = forecast_overview(small_company, "2026-Q2", options=OPTIONS)
    assert found.period.label == PERIOD
    assert found.notes[0] == "2026-Q2 was over by 2026-08-18, so its bookings are a fact; 2026-Q3 is forecast."
    assert found.forecast.mean == small_overview.forecast.mean


def test_ahead_of_its_period_there_is_a_forecast_and_no_comparison(small_company: Workspace) -> None:
    found = forecast_overview(small_company, "2026-Q4", options=ONE)
    figures = _headline(found)
    assert figures.loc["booked_so_far", "value"] == 0
    assert figures.loc["forecast", "value"] > 0
    assert len(found.fan) == 1
    assert found.changes.reason is not None
    assert found.changes.reason.startswith("2026-Q4 had not begun on 2026-08-11")


def test_a_target_of_zero_is_none_and_half_the_pipeline_can_be_one_deal() -> None:
    pipeline = [*past_deals(), *last_week(), Deal("huge", (State(date(2026, 7, 6), "Proposal", 1500.0),))]
    found = forecast_overview(workspace_of(tables_of(pipeline, target=0)), PERIOD, options=ONE)
    figures = _headline(found)
    for name in ("target", "chance_of_target", "forecast_against_target"):
        assert np.isnan(figures.loc[name, "value"])
        assert figures.loc[name, "reason"] == "no target above zero is set for 2026-Q3"
    assert found.risks["opportunity_id"].iloc[0] == "huge"
    frame = found.scenarios.frame.set_index("scenario")
    assert frame.loc["largest_lost", "title"] == "The largest expected deal is lost: Deal huge"
    deal = found.forecast.deals.set_index("opportunity_id").loc["huge"]
    assert frame.loc["largest_lost", "difference"] == pytest.approx(-deal["expected"])
    assert frame.loc["largest_lost", "p90"] < frame.loc["forecast", "p90"] - 500
    assert frame["chance"].isna().all()


def test_without_open_deals_what_is_booked_and_not_yet_created_is_left() -> None:
    deals = [deal for deal in past_deals() if "Closed" in deal.states[-1].stage]
    found = forecast_overview(workspace_of(tables_of(deals, target=None)), PERIOD, options=ONE)
    parts = found.forecast.components.set_index("component")["mean"]
    assert parts[["likely", "upside", "unpriced"]].sum() == 0
    assert parts["later"] > 0
    assert (len(found.risks), len(found.disagreements), len(found.reasons)) == (0, 0, 0)
    assert found.scenarios.frame["scenario"].tolist() == ["forecast", "win_rate_down", "win_rate_up"]
    assert _headline(found).loc["forecast", "n"] == 0


def test_a_history_too_short_for_anything_but_a_rule_says_so() -> None:
    found = forecast_overview(workspace_of(tables_of(last_week())), PERIOD, options=ONE)
    figures = _headline(found)
    assert found.forecast.fitted is None
    assert figures.loc["forecast", "value"] > figures.loc["booked_so_far", "value"]
    assert np.isnan(figures.loc["forecast", "low"])
    assert figures.loc["chance_of_target", "reason"] == "no range can be stated"
    assert found.notes[0].endswith("The CRM's probabilities are used, and no range can be stated.")
    for frame in (found.accuracy, found.accuracy_overall, found.past, found.coverage, found.risks, found.reasons):
        assert frame.empty
    assert len(found.fan) == 1
    for said in (found.changes.reason, found.scenarios.reason):
        assert said is not None
        assert said.startswith("The history is too short for the deal model")


def test_where_every_deal_was_lost_nothing_is_expected_of_the_open_ones() -> None:
    found = forecast_overview(workspace_of(tables_of(past_deals(won=0.0))), PERIOD, options=ONE)
    figures = _headline(found)
    assert figures.loc["booked_so_far", "value"] == 0
    assert figures.loc["forecast", "value"] == pytest.approx(0, abs=1.0)
    assert figures.loc["chance_of_target", "value"] == 0
    assert len(found.reasons) == 0


def test_without_a_model_there_are_no_reasons(small_forecast: BookingsForecast) -> None:
    assert deal_reasons(replace(small_forecast, fitted=None), ["won"]).empty
    assert headline_figures(replace(small_forecast, target=None))["value"].notna().tolist() == [
        True,
        False,
        False,
        True,
        False,
    ]
