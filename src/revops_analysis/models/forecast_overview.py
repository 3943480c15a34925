"""Everything the forecast chapter shows, computed once: figures, tables and texts are made from this and agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from revops_analysis.models.forecast import BookingsForecast, ForecastOptions, Progress, forecast_bookings
from revops_analysis.models.forecast_at import forecast_fan
from revops_analysis.models.forecast_changes import ForecastChanges, forecast_changes
from revops_analysis.models.forecast_deals import deal_reasons, disagreements, risky_deals
from revops_analysis.models.forecast_record import (
    forecast_accuracy,
    overall_accuracy,
    past_forecasts,
    range_coverage,
)
from revops_analysis.models.forecast_scenarios import ForecastScenarios, forecast_scenarios
from revops_analysis.models.known_forecast import known_forecast
from revops_analysis.models.rivals import rivals
from revops_analysis.models.selection import CHOSEN
from revops_analysis.models.seller_calls import SellerCalls, seller_calls
from revops_analysis.periods import Period, parse_period

if TYPE_CHECKING:
    from revops_analysis.workspace import Workspace


@dataclass(frozen=True, eq=False)
class ForecastOverview:
    """The forecast of a period, how good it has been, what changed, and what could change it; reporting currency.

    `headline`: metric, period, value, unit, low, high, n, reason: forecast (low and high are its 80% range), target,
    chance_of_target, booked_so_far and forecast_against_target. `figures`: frames of the same shape, further
    dimensions in columns of their own. `accuracy`, `accuracy_overall`, `past` and `coverage`: see `forecast_record`;
    `fan`: see `forecast_fan`; `risks`, `disagreements` and `reasons` of both: see `forecast_deals`. `notes`: what was
    left out, and which period is forecast where the one asked for is over.
    """

    forecast: BookingsForecast
    changes: ForecastChanges
    scenarios: ForecastScenarios
    calls: SellerCalls
    headline: pd.DataFrame
    figures: tuple[pd.DataFrame, ...]
    accuracy: pd.DataFrame
    accuracy_overall: pd.DataFrame
    past: pd.DataFrame
    coverage: pd.DataFrame
    fan: pd.DataFrame
    risks: pd.DataFrame
    disagreements: pd.DataFrame
    reasons: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def period(self) -> Period:
        """The period forecast."""
        return self.forecast.cutoff.period


def forecast_overview(
    workspace: Workspace,
    period: str | Period | None = None,
    progress: Progress | None = None,
    options: ForecastOptions | None = None,
) -> ForecastOverview:
    """Compute the forecast chapter as of the workspace's day.

    `period` as in `forecast_bookings`: of one that is over the next is forecast. What cannot be said of this company
    (too short a history, no target, no calls) is null or an empty frame, with the reason. Raises as it does.

    In a notebook: `forecast_overview(ws, "2026-Q4").headline`
    """
    if options is None:
        forecast = known_forecast(workspace, period, progress)
    else:
        forecast = forecast_bookings(workspace, period, options, progress)
    titles = method_titles(workspace)
    changes, calls = forecast_changes(workspace, forecast), seller_calls(workspace, forecast)
    scenarios = forecast_scenarios(forecast)
    overall, coverage = overall_accuracy(forecast, titles), range_coverage(forecast)
    risks, differing = risky_deals(forecast), disagreements(forecast)
    listed = {*risks["opportunity_id"], *differing["opportunity_id"]}
    headline = headline_figures(forecast)
    return ForecastOverview(
        forecast=forecast,
        changes=changes,
        scenarios=scenarios,
        calls=calls,
        headline=headline,
        figures=(headline, *_figures(forecast, overall, coverage), _told(forecast, [_call(calls), _change(changes)])),
        accuracy=forecast_accuracy(forecast, titles),
        accuracy_overall=overall,
        past=past_forecasts(forecast),
        coverage=coverage,
        fan=forecast_fan(forecast, workspace.definitions),
        risks=risks,
        disagreements=differing,
        reasons=deal_reasons(forecast, listed),
        notes=(*_moved_on(workspace, period, forecast), *forecast.notes),
    )


def method_titles(workspace: Workspace) -> dict[str, str]:
    """Method → what readers see, the published forecast first."""
    rules = {rival.name: rival.title for rival in rivals(workspace.definitions)}
    return {CHOSEN: "Forecast", "deal_model": "Deal model", **rules}


def _moved_on(workspace: Workspace, period: str | Period | None, forecast: BookingsForecast) -> tuple[str, ...]:
    """A sentence where the period asked for is over."""
    found = parse_period(period, workspace.definitions.fiscal_calendar) if isinstance(period, str) else period
    if found is None or found.label == forecast.cutoff.period.label:
        return ()
    day, label = forecast.cutoff.day.isoformat(), forecast.cutoff.period.label
    return (f"{found.label} was over by {day}, so its bookings are a fact; {label} is forecast.",)


def headline_figures(forecast: BookingsForecast) -> pd.DataFrame:
    """What to read first, as key figures: metric, period, value, unit, low, high, n, reason."""
    row = forecast.evidence.at(forecast.cutoff)[1]
    label, target = forecast.cutoff.period.label, forecast.target
    no_target = f"no target above zero is set for {label}"
    no_range = None if np.isfinite(forecast.quantile("p10")) else "no range can be stated"
    why_no_target = no_target if target is None else None
    share = None if target is None else forecast.mean / target
    rows: list[dict[str, object]] = [
        {"metric": "forecast", "value": forecast.mean, "unit": "currency", "n": len(forecast.deals)}
        | {"low": forecast.quantile("p10"), "high": forecast.quantile("p90")},
        {"metric": "target", "value": target, "unit": "currency", "reason": why_no_target},
        {"metric": "chance_of_target", "value": forecast.chance, "unit": "rate", "reason": why_no_target or no_range},
        {"metric": "booked_so_far", "value": float(row["booked"]), "unit": "currency"},
        {"metric": "forecast_against_target", "value": share, "unit": "rate", "reason": why_no_target},
    ]
    return _told(forecast, rows)


_SHAPE = ("metric", "period", "value", "unit", "low", "high", "n", "reason")


def _told(forecast: BookingsForecast, rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    """Rows of key figures; a reason stands only beside a missing value."""
    frame = pd.DataFrame([{"period": forecast.cutoff.period.label, **row} for row in rows])
    names = [name for name in frame.columns if name not in _SHAPE]
    frame = frame.reindex(columns=[*_SHAPE[:2], *names, *_SHAPE[2:]])
    numbers = frame.astype({**dict.fromkeys(("value", "low", "high"), "float64"), "n": "Int64"})
    reason = numbers["reason"].astype(object).where(numbers["value"].isna() & numbers["reason"].notna(), None)
    return numbers.assign(reason=reason)


def _figures(forecast: BookingsForecast, overall: pd.DataFrame, coverage: pd.DataFrame) -> tuple[pd.DataFrame, ...]:
    """Further key figures: the parts, past accuracy by method, and coverage."""
    parts = [
        {"metric": "forecast_part", "part": row["component"], "value": row["mean"], "unit": "currency"}
        | {"low": row["p10"], "high": row["p90"]}
        for row in forecast.components.to_dict("records")
    ]
    scored = overall.to_dict("records")
    errors = [
        {"metric": name, "method": row["method"], "value": row[column], "unit": "rate", "n": row["n"]}
        | {"reason": row["reason"] or "no rule made the same forecasts"}
        for name, column in (("forecast_wape", "wape"), ("forecast_bias", "bias"), ("forecast_skill", "skill"))
        for row in scored
    ]
    covered = [
        {"metric": "range_coverage", "interval": f"{row['interval']}%", "value": row["share"], "unit": "rate"}
        | {"low": row["low"], "high": row["high"], "n": row["n"], "reason": row["reason"]}
        for row in coverage.to_dict("records")
    ]
    return tuple(_told(forecast, rows) for rows in (parts, errors, covered) if rows)


def _call(calls: SellerCalls) -> dict[str, object]:
    reason = calls.reason or "no seller submitted a call"
    return {"metric": "sellers_call", "value": calls.call, "unit": "currency", "reason": reason}


def _change(changes: ForecastChanges) -> dict[str, object]:
    return {"metric": "change_in_a_week", "value": changes.change, "unit": "currency", "reason": changes.reason}
