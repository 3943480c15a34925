"""The published rows of forecasts and back-tests: one form for the commands, the chapters and their JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.models.accuracy import errors_by, skill
from revops_analysis.models.forecaster import QUANTILE_NAMES
from revops_analysis.models.range_scores import interval_coverage
from revops_analysis.models.selection import CHOSEN
from revops_analysis.reporting.key_figures import KeyFigure, collect_rows

if TYPE_CHECKING:
    from revops_analysis.models.backtest import Backtest
    from revops_analysis.models.forecast import BookingsForecast

NO_RANGE_HERE = "the range of this part is not stated"
NO_TARGET = "no target above zero is known for the period"
NO_DRAWS = "the method states no range"


def adding_up(values: Iterable[float], total: float, decimals: int = 2) -> pd.Series:
    """The values rounded so that they add up to the rounded total: the largest remainders get the units left over.

    >>> [str(value) for value in adding_up([1.004, 1.004, 1.004], 3.012)]
    ['1.01', '1.00', '1.00']
    """
    unit = Decimal(1).scaleb(-decimals)
    exact = [Decimal(str(value)) for value in values]
    floors = [value.quantize(unit, ROUND_FLOOR) for value in exact]
    left = int((Decimal(f"{total:.{decimals}f}") - sum(floors, Decimal(0))) / unit)
    order = sorted(range(len(exact)), key=lambda place: (floors[place] - exact[place], place))
    lifted = set(order[: max(left, 0)])
    rounded = [floor + unit if place in lifted else floor for place, floor in enumerate(floors)]
    return pd.Series(rounded, index=values.index if isinstance(values, pd.Series) else None, dtype=object)


def forecast_rows(forecast: BookingsForecast) -> tuple[KeyFigure, ...]:
    """All that is published of a forecast, in currency unless said otherwise.

    bookings_forecast     by method (`chosen` is the forecast; low and high are its 95% range, n its open deals); of
                          `chosen` also by component, and by cut and group, each adding up to it
    target                the company's; null without one
    chance_to_reach_target    rate
    model_weight, range_stretch    how the chosen forecast departs from the deal model; n periods were scored
    """
    return collect_rows([_methods(forecast), _components(forecast), _groups(forecast), *_single(forecast)])


def _methods(forecast: BookingsForecast) -> pd.DataFrame:
    rows = forecast.summary.drop(columns="title").rename(columns={"mean": "value"})
    is_chosen = rows["method"] == CHOSEN
    return rows.assign(
        metric="bookings_forecast",
        unit="currency",
        low=rows["p2_5"],
        high=rows["p97_5"],
        n=pd.Series(len(open_deals(forecast)), index=rows.index, dtype=object).where(is_chosen, None),
    )


def open_deals(forecast: BookingsForecast) -> pd.DataFrame:
    """The open deals at the forecast's cutoff."""
    return forecast.evidence.at(forecast.cutoff)[0]


def _components(forecast: BookingsForecast) -> pd.DataFrame:
    parts = forecast.components
    frame = parts[["component", "p10", "p90"]].assign(
        metric="bookings_forecast",
        method=CHOSEN,
        value=adding_up(parts["mean"], forecast.mean),
        unit="currency",
    )
    return frame[["metric", "method", "component", "value", "unit", "p10", "p90"]]


def _groups(forecast: BookingsForecast) -> list[pd.DataFrame]:
    frames = []
    for cut, rows in forecast.groups.groupby("cut", sort=False):
        frame = rows.rename(columns={"group": str(cut), "open_deals": "n"}).drop(columns=["cut", "booked", "mean"])
        values = adding_up(rows["mean"], forecast.mean)
        frames.append(
            frame.assign(
                metric="bookings_forecast",
                method=CHOSEN,
                value=values,
                unit="currency",
                low=rows["p2_5"],
                high=rows["p97_5"],
            )[["metric", "method", str(cut), "value", "unit", "low", "high", "n", *QUANTILE_NAMES]]
        )
    return frames


def _single(forecast: BookingsForecast) -> list[dict[str, Any]]:
    choice, chance = forecast.choice, forecast.chance
    return [
        {
            "metric": "target",
            "value": forecast.target,
            "unit": "currency",
            "reason": NO_TARGET if forecast.target is None else None,
        },
        {
            "metric": "chance_to_reach_target",
            "value": chance,
            "unit": "rate",
            "reason": None if chance is not None else NO_TARGET if forecast.target is None else NO_DRAWS,
        },
        {
            "metric": "model_weight",
            "model": choice.model,
            "rival": choice.rival,
            "value": choice.weight,
            "unit": "rate",
            "n": choice.periods,
        },
        {"metric": "range_stretch", "value": choice.stretch, "unit": "ratio", "n": choice.periods},
    ]


def long_table(backtest: Backtest) -> pd.DataFrame:
    """Every forecast of a back-test and, at the end, each that could not be made, with its reason."""
    return pd.concat([backtest.frame.assign(reason=None), backtest.skipped], ignore_index=True)


LONG_TABLE_UNITS = dict.fromkeys(("mean", *QUANTILE_NAMES, "booked", "outcome"), "currency") | {
    "wins": "count",
    "new_stages": "rate",
}
"""Units of the long table's columns."""


def accuracy_rows(backtest: Backtest, by: Sequence[str] = ()) -> pd.DataFrame:
    """Accuracy by method, and by `by` (week): metric, method, *by, interval, value, unit, low, high, n, reason.

    wape, bias, skill (against the rival that is best on average; overall only) and interval_coverage of the 50, 80 and
    95% ranges with the Wilson interval.
    """
    frame, keys = backtest.frame, ["method", *by]
    errors = errors_by(frame, keys)
    parts = [
        errors.assign(metric=name, value=errors[name], unit="rate")[["metric", *keys, "value", "unit", "n", "reason"]]
        for name in ("wape", "bias")
    ]
    if not by:
        found = skill(frame, rival_names(frame)).assign(metric="skill", unit="rate").rename(columns={"skill": "value"})
        parts.append(found[["metric", "method", "rival", "value", "unit", "n", "reason"]])
    ranges = interval_coverage(frame, keys).rename(columns={"share": "value"}).astype({"interval": object})
    columns = ["metric", *keys, "interval", "value", "unit", "low", "high", "n", "reason"]
    parts.append(ranges.assign(metric="interval_coverage", unit="rate")[columns])
    return pd.concat(parts, ignore_index=True)


def rival_names(frame: pd.DataFrame, model: str = "deal_model") -> list[str]:
    """The rules of a back-test: every method but the model and what was chosen."""
    return [str(name) for name in frame["method"].unique() if name not in (model, CHOSEN)]


def backtest_rows(backtest: Backtest) -> tuple[KeyFigure, ...]:
    """All that is published of a back-test.

    wape, bias, skill, interval_coverage    by method, and by method and week
    bookings, booked_so_far                 the outcome of each period, and what was booked at each cutoff
    past_wins, new_stages                   by cutoff and period: deals won in periods that were over, and the share of
                                            open deals in stages without a past
    bookings_forecast                       by cutoff, period, week and method; null with its reason where none was made
    """
    frame = backtest.frame
    facts = frame.drop_duplicates(["cutoff", "period"])
    ended = frame.drop_duplicates("period")
    parts: list[Any] = [
        *_without_empty(accuracy_rows(backtest)),
        *_without_empty(accuracy_rows(backtest, ["week"])),
        ended[["period"]].assign(metric="bookings", value=ended["outcome"], unit="currency"),
        facts[["cutoff", "period"]].assign(metric="booked_so_far", value=facts["booked"], unit="currency"),
        facts[["cutoff", "period"]].assign(metric="past_wins", value=facts["wins"], unit="count"),
        facts[["cutoff", "period"]].assign(metric="new_stages", value=facts["new_stages"], unit="rate"),
        *_forecasts(backtest),
    ]
    return collect_rows(parts)


def _without_empty(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """A frame a metric, without the dimensions that it does not have."""
    optional = [name for name in ("rival", "interval", "low", "high") if name in rows]
    groups = rows.groupby("metric", sort=False)
    return [part.drop(columns=[name for name in optional if part[name].isna().all()]) for _, part in groups]


def _forecasts(backtest: Backtest) -> list[pd.DataFrame]:
    made = backtest.frame.drop(columns=["booked", "outcome", "wins", "new_stages"]).rename(columns={"mean": "value"})
    made = made.assign(metric="bookings_forecast", unit="currency", low=made["p2_5"], high=made["p97_5"])
    skipped = backtest.skipped.assign(metric="bookings_forecast", value=None, unit="currency")
    return [made, skipped]
