"""What if: the same forecast with close dates that slip, another win rate, or a named deal lost or won.

Every scenario is drawn with the same random numbers and adjusted as the forecast is, so that differences are the
scenario's own and not chance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.models.bookings_model import Expectation, FittedBookingsModel, parts_of
from revops_analysis.models.features import with_features
from revops_analysis.models.forecast_at import expectation
from revops_analysis.models.forecast_groups import Adjustment
from revops_analysis.models.forecaster import NotPossible
from revops_analysis.models.simulated_bookings import simulate_bookings

if TYPE_CHECKING:
    from revops_analysis.models.forecast import BookingsForecast

Floats = npt.NDArray[np.float64]

AS_FORECAST = "forecast"
"""Name of the first row: the forecast as it is."""
COLUMNS = ("scenario", "title", "mean", "p10", "p90", "chance", "difference", "chance_difference")


@dataclass(frozen=True)
class Scenario:
    """What is different. `name` is a key, `title` what readers see; parts can be combined.

    slip_days   every open deal is where it is so many days later: its close date lies that much later, and that many
                fewer days of the period are left. Deals not yet created are as before.
    win_rate    relative change, as 0.1 for a tenth more: every probability, and the wins from deals not yet created,
                are multiplied by 1 + win_rate; no probability exceeds 1.
    lost, won   keys of open deals that are certain to be lost, or to be won in the period at their expected value.
    """

    name: str
    title: str
    slip_days: int = 0
    win_rate: float = 0.0
    lost: tuple[str, ...] = ()
    won: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.slip_days < 0 or self.win_rate < -1:
            raise ConfigurationError(
                "This scenario cannot be.",
                expected="slip_days from 0 on, win_rate from −1 (no wins) on",
                found=f"slip_days {self.slip_days}, win_rate {self.win_rate}",
                where=f"scenario {self.name}",
            )


@dataclass(frozen=True, eq=False)
class ForecastScenarios:
    """Scenarios beside the forecast, which is the first row; reporting currency.

    `frame`: scenario, title, mean, p10, p90, chance (of reaching the target; null without one), and difference and
    chance_difference from the forecast. Where deals cannot be looked at it is empty, and `reason` says why.
    """

    frame: pd.DataFrame
    reason: str | None = None


def default_scenarios(forecast: BookingsForecast) -> tuple[Scenario, ...]:
    """Close dates slip by two weeks, win rate a tenth lower and higher, and the largest expected deal is lost.

    Without open deals only the win rates are left, which then change the deals not yet created.
    """
    rates = (
        Scenario("win_rate_down", "Win rate 10% lower", win_rate=-0.1),
        Scenario("win_rate_up", "Win rate 10% higher", win_rate=0.1),
    )
    if forecast.fitted is None or forecast.deals.empty:
        return rates
    largest = forecast.deals.iloc[0]
    known = largest["name"] if isinstance(largest["name"], str) else largest["opportunity_id"]
    slip = Scenario("slip_14_days", "Close dates slip by 14 days", slip_days=14)
    lost = Scenario("largest_lost", f"The largest expected deal is lost: {known}", lost=(largest["opportunity_id"],))
    return (slip, *rates, lost)


def forecast_scenarios(forecast: BookingsForecast, *scenarios: Scenario) -> ForecastScenarios:
    """Compute what the forecast would be in each scenario; those of `default_scenarios` when none is given.

    Raises ConfigurationError for a deal that is not open, or that is both lost and won.

    In a notebook: `forecast_scenarios(forecast, Scenario("slip", "Slip", slip_days=7)).frame`
    """
    asked = expectation(forecast, forecast.cutoff.day)
    if isinstance(asked, NotPossible):
        return ForecastScenarios(pd.DataFrame(columns=list(COLUMNS)), asked.reason)
    fitted, expected = asked
    base = {"scenario": AS_FORECAST, "title": "Forecast", "mean": forecast.mean}
    base |= {name: forecast.quantile(name) for name in ("p10", "p90")} | {"chance": forecast.chance}
    rows = [base]
    for scenario in scenarios or default_scenarios(forecast):
        changed = _changed(scenario, fitted, expected, forecast.evidence.states)
        rows.append({"scenario": scenario.name, "title": scenario.title, **_told(changed, fitted, expected, forecast)})
    frame = pd.DataFrame(rows).astype({"chance": "float64"})
    frame["difference"] = frame["mean"] - forecast.mean
    frame["chance_difference"] = frame["chance"] - frame["chance"].iloc[0]
    return ForecastScenarios(frame[list(COLUMNS)])


def _changed(
    scenario: Scenario, fitted: FittedBookingsModel, expected: Expectation, earlier: pd.DataFrame
) -> Expectation:
    """The expectation with the scenario's probabilities."""
    deals = expected.deals
    probability = deals["probability"].to_numpy(dtype="float64")
    if scenario.slip_days and len(deals):
        probability = _slipped(deals, scenario.slip_days, fitted, earlier)
    probability = np.minimum(probability * (1 + scenario.win_rate), 1.0)
    for keys, value in ((scenario.lost, 0.0), (scenario.won, 1.0)):
        probability = np.where(_members(scenario, keys, deals), value, probability)
    told = deals.assign(probability=probability, expected=probability * deals["value"])
    groups = expected.later.groups
    factors = {name: groups[name] * (1 + scenario.win_rate) for name in ("wins", "bookings")}
    return replace(expected, deals=told, later=replace(expected.later, groups=groups.assign(**factors)))


def _slipped(deals: pd.DataFrame, days: int, fitted: FittedBookingsModel, earlier: pd.DataFrame) -> Floats:
    """Probabilities of the deals if each were as it is so many days later; none where the period is then over."""
    span = pd.Timedelta(days=days)
    later = deals.assign(cutoff=deals["cutoff"] + span, close_date=deals["close_date"] + span)
    win = fitted.win
    if win.basis_ == "model":  # nobody knows more of a deal's life because its date has moved
        now = win.features(deals, earlier)
        found = win.predict_features(with_features(win.features(later), now, ["alive"]))
    else:
        found = win.predict_proba(later)
    return np.where((later["cutoff"] < later["last_day"]).to_numpy(), found, 0.0)


def _members(scenario: Scenario, keys: tuple[str, ...], deals: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Which of the open deals are named; refuses names of others."""
    both = sorted(set(scenario.lost) & set(scenario.won))
    unknown = sorted(set(keys) - set(deals["opportunity_id"]))
    if both or unknown:
        raise ConfigurationError(
            "A scenario names a deal that is both lost and won."
            if both
            else "A scenario names a deal that is not open.",
            expected="keys of open deals, each once",
            found=", ".join(both or unknown),
            where=f"scenario {scenario.name}",
            fix="choose from the opportunity_id column of the forecast's deals",
        )
    return deals["opportunity_id"].isin(keys).to_numpy()


def _told(
    changed: Expectation, fitted: FittedBookingsModel, expected: Expectation, forecast: BookingsForecast
) -> dict[str, float | None]:
    """Mean, range and chance of the changed expectation, adjusted as the forecast is."""
    options = fitted.model.options
    certain = expected.booked + expected.signed
    uncertain = expected.mean - certain
    factor = (forecast.mean - certain) / uncertain if uncertain else 1.0
    drawn = simulate_bookings(parts_of(changed), draws=options.draws, seed=options.seed).total
    adjusted = Adjustment(factor, forecast.choice.stretch).draws(drawn, changed.mean, certain)
    low, high = np.quantile(adjusted, [0.1, 0.9])
    chance = None if forecast.target is None else float(np.mean(adjusted >= forecast.target))
    mean = certain + factor * (changed.mean - certain)
    return {"mean": mean, "p10": float(low), "p90": float(high), "chance": chance}
