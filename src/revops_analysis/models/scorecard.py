"""The company on one page: each shared measure with its value, its last eight periods, its target and a year ago.

Nothing is defined here: values are those of the registry, of the published forecast and of the lifetime value, asked
for several periods. What cannot be said is missing, with the reason.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from revops_analysis.errors import RevopsError
from revops_analysis.metrics.coverage import period_ahead
from revops_analysis.metrics.registry import compute_metric, get_metric
from revops_analysis.models.known_forecast import known_forecast
from revops_analysis.models.lifetime.curves import CurveOptions, lifetime_curves
from revops_analysis.models.lifetime.lifetimes import account_lifetimes
from revops_analysis.models.lifetime.value import METHODS, ValueOptions, lifetime_value
from revops_analysis.models.selection import CHOSEN
from revops_analysis.periods import (
    FiscalCalendar,
    Period,
    following,
    parse_period,
    period_containing,
    previous,
    same_period_last_year,
)

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot
    from revops_analysis.workspace import Workspace

PERIODS = 8
"""How many periods a trend shows, the last of them the one that the card is of."""

NO_TARGET = "no target is set for it"
NO_YEAR_AGO = "not known for a year ago"

Better = Literal["higher", "lower", "neither"]
_ESTIMATES = ("value", "low", "high")


@dataclass(frozen=True)
class Measure:
    """A line of the card: a metric of the registry, where its target is, which way is good, and who tells more.

    `target`: the metric that holds its target; empty: it has none. `chapter`: the notebook that goes into it.
    """

    name: str
    chapter: str
    target: str = ""
    better: Better = "higher"


MEASURES = (
    Measure("open_pipeline", "pipeline_health"),
    Measure("pipeline_created", "pipeline_health", target="pipeline_target"),
    Measure("bookings", "pipeline_health", target="target"),
    Measure("win_rate", "pipeline_health"),
    Measure("average_deal_size", "pipeline_health"),
    Measure("sales_cycle_days", "pipeline_health", better="lower"),
    Measure("sales_velocity", "pipeline_health"),
    Measure("coverage", "pipeline_health", target="required_coverage"),
    Measure("forecast", "forecast", target="target"),
    Measure("nrr", "cohort_nrr"),
    Measure("grr", "cohort_nrr"),
    Measure("lifetime_value", "cohort_nrr"),
    Measure("sourced_share", "attribution", better="neither"),
)
"""The lines of the card in order."""

_OWN_WORDS = {
    "forecast": ("Forecast", "mean of what may be booked in the period, with its 80% range", "currency"),
    "lifetime_value": ("Lifetime value", "", "currency"),
}


@dataclass(frozen=True, eq=False)
class Scorecard:
    """The card of a period. Amounts in `currency`.

    `lines`, a row a measure: measure, title, definition, unit, better (higher, lower, neither), chapter, period (what
    it is of: coverage and forecast look ahead once the period is over), value, low, high, n, reason; target,
    target_reason; year_ago, year_ago_reason; change (value less year_ago). `low` and `high` are the 95% interval, of
    the forecast its 80% range. The value of `sourced_share` is that of any team.

    `trend`: measure, part (the team of a sourced share, null for nobody's; else ''), period, value, low, high, reason,
    the oldest period first.
    """

    period: Period
    currency: str
    calendar: FiscalCalendar
    lines: pd.DataFrame
    trend: pd.DataFrame

    def of(self, measure: str) -> pd.DataFrame:
        """The trend of one measure."""
        return self.trend[self.trend["measure"] == measure].reset_index(drop=True)

    def parts(self, period: str = "") -> pd.DataFrame:
        """The sourced split of a period of the trend, by default of the card's: part, value, in falling order, nobody's
        last."""
        split = self.of("sourced_share")
        latest = split[split["period"] == (period or self.period.label)][["part", "value"]]
        order = latest.assign(nobody=latest["part"].isna()).sort_values(["nobody", "value"], ascending=[True, False])
        return order.drop(columns="nobody").reset_index(drop=True)

    @property
    def headline(self) -> pd.DataFrame:
        """What to read first, as key figures."""
        chosen = self.lines.set_index("measure").loc[["bookings", "forecast", "coverage", "nrr", "grr"]]
        return _figures(chosen.reset_index(), "value", "")

    @property
    def figures(self) -> tuple[pd.DataFrame, ...]:
        """Key figures: every value, the sourced split, every target, and every value of a year ago."""
        split = self.of("sourced_share")
        latest = split[split["period"] == self.period.label].rename(columns={"part": "team"})
        named = latest.assign(metric="sourced_share", unit="rate")
        named = named[["metric", "period", "team", "value", "unit", "low", "high", "reason"]]
        whole = self.lines[self.lines["measure"] != "sourced_share"]
        planned = whole[whole["target_reason"] != NO_TARGET]
        tables = (_figures(whole, "value", ""), named, _figures(planned, "target", "_target"))
        return tuple(table for table in (*tables, _figures(whole, "year_ago", "_a_year_ago")) if len(table))


def _figures(lines: pd.DataFrame, column: str, ending: str) -> pd.DataFrame:
    """One column of the card as key figures."""
    reason = lines["reason"] if column == "value" else lines[f"{column}_reason"]
    names = {"metric": lines["measure"] + ending, "period": lines["period"], "value": lines[column]}
    frame = pd.DataFrame({**names, "unit": lines["unit"]})
    if column == "value":
        frame = frame.assign(low=lines["low"], high=lines["high"], n=lines["n"])
    return frame.assign(reason=reason.where(frame["value"].isna(), None)).reset_index(drop=True)


def scorecard(workspace: Workspace, period: str | Period | None = None) -> Scorecard:
    """Return the card of a period that has begun by the as-of date; by default the quarter that contains it.

    Coverage and forecast are of the period, or of the next one once it is over; their past values are those of the same
    day of earlier periods, as they were seen then. Lifetime value has the horizon of today in all periods.
    Raises ConfigurationError for a period that cannot be read.

    In a notebook: `scorecard(ws, "2026-Q3").lines`
    """
    calendar = workspace.definitions.fiscal_calendar
    if period is None:
        asked = period_containing(workspace.as_of, calendar)
    else:
        asked = parse_period(period, calendar) if isinstance(period, str) else period
    return workspace.once(("scorecard", asked), lambda: _scorecard(workspace, asked))


def _scorecard(workspace: Workspace, period: Period) -> Scorecard:
    calendar = workspace.definitions.fiscal_calendar
    ahead = period if workspace.as_of < period.end else following(period, calendar)
    looks_at = {"forecast": ahead, "coverage": period_ahead(workspace, period)}
    rows, trends = [], []
    for measure in MEASURES:
        asked = looks_at.get(measure.name, period)
        trend = _trend(workspace, measure, asked)
        shown = [each.label for each in _last(asked, workspace)]
        trends.append(trend[trend["period"].isin(shown)].assign(measure=measure.name))
        rows.append(_line(workspace, measure, trend, asked))
    lines = pd.DataFrame(rows).astype(dict.fromkeys((*_ESTIMATES, "target", "year_ago"), "float64"))
    lines = lines.astype({"n": "Int64"}).assign(change=lines["value"] - lines["year_ago"])
    columns = ["measure", "part", "period", *_ESTIMATES, "reason"]
    trend = pd.concat(trends, ignore_index=True)[columns]
    return Scorecard(period, workspace.definitions.reporting_currency, calendar, lines, trend)


def _line(workspace: Workspace, measure: Measure, trend: pd.DataFrame, period: Period) -> dict[str, Any]:
    """The line of a measure from its trend, which ends with the value."""
    whole = _of_any_team(trend) if measure.name == "sourced_share" else trend
    now = whole[whole["period"] == period.label].iloc[-1]
    before = whole[whole["period"] == same_period_last_year(period, workspace.definitions.fiscal_calendar).label]
    title, definition, unit = _words(measure.name, trend)
    target, target_reason = _target(workspace, measure, period)
    year_ago = None if before.empty else before["value"].iloc[-1]
    is_known = year_ago is not None and pd.notna(year_ago)
    return {
        "measure": measure.name,
        "title": title,
        "definition": definition,
        "unit": unit,
        "better": measure.better,
        "chapter": measure.chapter,
        "period": period.label,
        **{name: now[name] for name in (*_ESTIMATES, "n", "reason")},
        "target": target,
        "target_reason": target_reason,
        "year_ago": year_ago,
        "year_ago_reason": None if is_known else (NO_YEAR_AGO if before.empty else before["reason"].iloc[-1]),
    }


def _words(name: str, trend: pd.DataFrame) -> tuple[str, str, str]:
    """Title, definition and unit."""
    if name in _OWN_WORDS:
        title, definition, unit = _OWN_WORDS[name]
        return title, definition or str(trend.attrs["definition"]), unit
    metric = get_metric(name)
    return metric.title, metric.formula, metric.unit


def _target(workspace: Workspace, measure: Measure, period: Period) -> tuple[float | None, str | None]:
    if not measure.target:
        return None, NO_TARGET
    row = compute_metric(workspace, measure.target, period).frame.iloc[0]
    return (None, row["reason"]) if pd.isna(row["value"]) else (float(row["value"]), None)


def _trend(workspace: Workspace, measure: Measure, period: Period) -> pd.DataFrame:
    """The last periods of a measure: part, period, value, low, high, n, reason, the oldest first."""
    last = _with_year_ago(period, workspace)
    made = {"coverage": _coverage, "forecast": _forecasts, "lifetime_value": _lifetime_values}.get(measure.name)
    if made is not None:
        return made(workspace, last)
    if measure.name == "sourced_share":
        frame = compute_metric(workspace, measure.name, last, ["team"]).frame.rename(columns={"team": "part"})
        return frame[["part", "period", *_ESTIMATES, "n", "reason"]]
    return _plain(compute_metric(workspace, measure.name, last).frame)


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[["period", *_ESTIMATES, "n", "reason"]].assign(part="")


def _last(period: Period, snapshot: Snapshot) -> tuple[Period, ...]:
    found = [period]
    while len(found) < PERIODS:
        found.append(previous(found[-1], snapshot.definitions.fiscal_calendar))
    return tuple(reversed(found))


def _with_year_ago(period: Period, snapshot: Snapshot) -> tuple[Period, ...]:
    """The periods of a trend, and before them the one of a year ago where it lies further back."""
    last = _last(period, snapshot)
    before = same_period_last_year(period, snapshot.definitions.fiscal_calendar)
    return last if before.label in {each.label for each in last} else (before, *last)


def _of_any_team(split: pd.DataFrame) -> pd.DataFrame:
    """The share of all teams together, from the shares that add up to 1 with nobody's."""
    mine = split[split["part"].notna() | split["value"].isna()]
    parts = mine.groupby("period", sort=False)
    whole = parts.agg(
        value=("value", lambda shares: shares.sum(min_count=1)), n=("n", "max"), reason=("reason", "first")
    )
    return whole.assign(low=float("nan"), high=float("nan"), part="").reset_index()


def _coverage(workspace: Workspace, periods: Sequence[Period]) -> pd.DataFrame:
    """Coverage on this day of each period, as it was seen then."""
    offset = workspace.as_of - periods[-1].start
    frames = []
    for period in periods:
        day = min(period.start + offset, period.end - dt.timedelta(days=1))
        frames.append(compute_metric(workspace.at(day), "coverage", period).frame)
    return _plain(pd.concat(frames, ignore_index=True))


def _forecasts(workspace: Workspace, periods: Sequence[Period]) -> pd.DataFrame:
    """The forecast, and what it would have been at about this point of each earlier period; 80% ranges."""
    blank = pd.DataFrame({"period": [period.label for period in periods], "part": ""})
    blank = blank.assign(**dict.fromkeys(_ESTIMATES), n=None, reason="it was not forecast")
    try:
        forecast = known_forecast(workspace, periods[-1])
    except RevopsError as refusal:
        return blank.assign(reason=str(refusal).strip().splitlines()[0].rstrip("."))
    table = forecast.backtest.frame
    past = table[(table["method"] == CHOSEN) & table["mean"].notna()]
    near = past.assign(apart=(past["week"] - forecast.cutoff.week).abs()).sort_values("apart", kind="stable")
    made = near.drop_duplicates("period").set_index("period")
    told = blank.set_index("period")
    for column, name in (("value", "mean"), ("low", "p10"), ("high", "p90")):
        told[column] = made[name].reindex(told.index)
        told.loc[periods[-1].label, column] = forecast.mean if name == "mean" else forecast.quantile(name)
    told.loc[periods[-1].label, "n"] = len(forecast.deals)
    known = told["value"].notna()
    return told.assign(reason=told["reason"].where(~known, None)).reset_index()


def _lifetime_values(workspace: Workspace, periods: Sequence[Period]) -> pd.DataFrame:
    """Lifetime value at the end of each period, over the horizon of today, which earlier ones may not have reached."""
    now = lifetime_value(workspace, lifetime_curves(account_lifetimes(workspace), None))
    margin, rate, horizon = now.margin, now.discount_rate, now.horizon_months
    rows = [_ltv_row(now.frame, periods[-1])]
    for period in reversed(periods[:-1]):
        rows.append(_earlier_value(workspace, period, horizon, rows[-1]))
    trend = pd.DataFrame(rows[::-1]).assign(part="")
    trend.attrs["definition"] = (
        f"{margin:.0%} gross margin × Σ over {horizon} months of mean revenue per original account at each age, "
        f"discounted at {rate:.0%} a year"
    )
    return trend


def _earlier_value(workspace: Workspace, period: Period, horizon: int, later: dict[str, Any]) -> dict[str, Any]:
    """The value at an earlier period's end. Where a later one could not be said, this one cannot either."""
    if later["value"] is None or pd.isna(later["value"]):
        return {**later, "period": period.label}
    snapshot = workspace.at(min(period.end, workspace.as_of))
    curves = lifetime_curves(account_lifetimes(snapshot), None, CurveOptions(horizon_months=horizon))
    return _ltv_row(lifetime_value(snapshot, curves, ValueOptions(repeats=2)).frame, period, interval=False)


def _ltv_row(frame: pd.DataFrame, period: Period, *, interval: bool = True) -> dict[str, Any]:
    row = frame[frame["method"] == next(iter(METHODS))].iloc[0]
    bounds = {name: row[name] if interval else None for name in ("low", "high")}
    return {"period": period.label, "value": row["value"], **bounds, "n": row["n"], "reason": row["reason"]}
