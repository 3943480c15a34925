"""How good the forecasts of past periods were: by week, by period, and whether the ranges covered what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from revops_analysis.models.accuracy import errors_by, skill
from revops_analysis.models.forecaster import QUANTILE_NAMES
from revops_analysis.models.range_scores import interval_coverage
from revops_analysis.models.selection import CHOSEN

if TYPE_CHECKING:
    from revops_analysis.models.forecast import BookingsForecast

NEEDED_FOR_95 = 39
"""Past periods without which no 95% interval can be measured: 1 in 40 falls beyond each end."""

ACCURACY = ("method", "title", "week", "n", "periods", "wape", "bias", "accuracy", "rival", "skill", "reason")
PAST = ("period", "week", "cutoff", "mean", *QUANTILE_NAMES, "booked", "outcome", "error", "is_inside_80")
COVERAGE = ("interval", "n", "covered", "share", "low", "high", "width", "note", "reason")


def forecast_accuracy(forecast: BookingsForecast, titles: Mapping[str, str]) -> pd.DataFrame:
    """Accuracy of every method by week of the period: columns `ACCURACY`, `chosen` first, a row a method and week.

    `wape`, `bias` as in `errors_by`. `skill` = 1 − WAPE ÷ WAPE of `rival`, the best of the rules at that week, on the
    forecasts that both made; the deal model is no rule. Without a past period there is no row.
    """
    table = forecast.backtest.frame
    if table["outcome"].notna().sum() == 0:
        return pd.DataFrame(columns=list(ACCURACY))
    errors = errors_by(table, ("method", "week"))
    rules = _rules(table, forecast)
    parts = [skill(rows, rules).assign(week=week) for week, rows in table.groupby("week", sort=True)]
    skills = pd.concat(parts, ignore_index=True)[["method", "week", "rival", "skill"]]
    return _in_order(errors.merge(skills, on=["method", "week"], how="left"), titles)[list(ACCURACY)]


def overall_accuracy(forecast: BookingsForecast, titles: Mapping[str, str]) -> pd.DataFrame:
    """The same over all weeks: columns `ACCURACY` without week, a row a method."""
    table = forecast.backtest.frame
    names = [name for name in ACCURACY if name != "week"]
    if table["outcome"].notna().sum() == 0:
        return pd.DataFrame(columns=names)
    skills = skill(table, _rules(table, forecast))[["method", "rival", "skill"]]
    return _in_order(errors_by(table).merge(skills, on="method", how="left"), titles)[names]


def _rules(table: pd.DataFrame, forecast: BookingsForecast) -> tuple[str, ...]:
    return tuple(name for name in table["method"].unique() if name not in (CHOSEN, forecast.choice.model))


def _in_order(frame: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Titles added; methods in the order of the titles."""
    places = {name: place for place, name in enumerate(titles)}
    known = frame.assign(title=frame["method"].map(titles).fillna(frame["method"]))
    known = known.assign(place=frame["method"].map(places).fillna(len(places)))
    keys = [name for name in ("place", "method", "week") if name in known]
    return known.sort_values(keys, kind="stable", ignore_index=True)


def past_forecasts(forecast: BookingsForecast) -> pd.DataFrame:
    """What the published forecast would have been, beside what happened: columns `PAST`, a row a period and week.

    `error` = forecast − outcome; `is_inside_80`: whether the outcome lay between p10 and p90.
    """
    table = forecast.backtest.frame
    rows = table[(table["method"] == CHOSEN) & table["outcome"].notna() & table["mean"].notna()]
    inside = rows["outcome"].between(rows["p10"], rows["p90"])
    told = rows.assign(error=rows["mean"] - rows["outcome"], is_inside_80=inside)
    return told[list(PAST)].sort_values("cutoff", kind="stable", ignore_index=True)


def range_coverage(forecast: BookingsForecast) -> pd.DataFrame:
    """How often the outcome lay in the stated ranges of the published forecast: columns `COVERAGE`, a row an interval.

    `low` and `high` are the 95% Wilson interval of the share over all past forecasts; weeks of one period share their
    outcome, so it is too narrow. `note` says that the 95% interval is the model's own until enough periods exist.
    """
    table = forecast.backtest.frame
    rows = table[(table["method"] == CHOSEN) & table["outcome"].notna()]
    if rows.empty:
        return pd.DataFrame(columns=list(COVERAGE))
    count = int(rows["period"].nunique())
    note = (
        f"The 95% interval is the model's own: {NEEDED_FOR_95} past periods are needed to measure it, "
        f"{count} {'was' if count == 1 else 'were'} forecast."
    )
    found = interval_coverage(rows)
    is_modelled = (found["interval"] == 95) & (count < NEEDED_FOR_95)
    notes = pd.Series(note, index=found.index, dtype=object).where(is_modelled, None)
    return found.assign(note=notes)[list(COVERAGE)]
