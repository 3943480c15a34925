"""Figures of the forecast: how it developed over the period, what it consists of, where it is, and what changed it.

Each `plot_…` draws a result; each `…_title` states its finding in a sentence, which heads the figure and serves as its
alternative text. Accuracy is in `forecast_accuracy`.
"""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from revops_analysis.models.forecast import BookingsForecast
from revops_analysis.models.forecast_changes import ForecastChanges
from revops_analysis.models.forecast_groups import NOT_CREATED, OTHER
from revops_analysis.plots.style import (
    BLUE,
    GAIN,
    GREEN,
    INK,
    LOSS,
    TOTAL,
    VERMILION,
    Money,
    empty,
    figure,
    money_axis,
    names_axis,
    new_figure,
    only_grid,
    percent,
    short_number,
    shown,
    titled,
)

BANDS = (("p2_5", "p97_5", "95%", "#D6E6F2"), ("p10", "p90", "80%", "#A9CBE5"), ("p25", "p75", "50%", "#6BA6D2"))
"""Intervals from wide to narrow: bounds, name and tint. The narrower, the darker."""

COMPONENT_WORDS = {
    "booked": "Booked so far",
    "signed": "Won, booked later",
    "likely": "Open, likely",
    "upside": "Open, less likely",
    "unpriced": "Open, no amount",
    "later": "Not yet created",
    "other": "Reopened, restated",
}
"""Parts of a forecast, short enough for an axis."""

_TARGET = VERMILION
_CUT_WORDS = {"segment": "segment", "type": "type", "region": "region", "team": "team", "owner": "seller"}
_GROUPS_SHOWN = 10


@figure
def plot_fan(fan: pd.DataFrame, forecast: BookingsForecast) -> Figure:
    """Draw what was forecast at each cutoff of the period: mean, 50, 80 and 95% range, booked to date, target.

    `fan`: a row a cutoff with cutoff, mean, booked and the quantiles by name; null quantiles leave the band out.
    """
    fan = fan[fan["mean"].notna()].sort_values("cutoff", kind="stable")
    if fan.empty:
        return empty(fan_title(fan, forecast))
    made, axes = new_figure(height=4.6)
    days = pd.to_datetime(fan["cutoff"]).to_numpy()
    for low, high, _, tint in BANDS:
        _band(axes, days, (fan[low].to_numpy(dtype=float), fan[high].to_numpy(dtype=float)), tint)
    axes.plot(days, fan["mean"], color=BLUE, marker="o", linewidth=2, markersize=4 if len(fan) > 1 else 8)
    axes.step(days, fan["booked"], where="post", color=GREEN, linewidth=2, linestyle=(0, (4, 1)))
    if len(fan) == 1:
        axes.plot(days, fan["booked"], color=GREEN, marker="s", markersize=7)
    top = float(fan[["mean", "p97_5", "p90"]].max().max())
    if forecast.target is not None:
        axes.axhline(forecast.target, color=_TARGET, linewidth=1.8, linestyle=(0, (1, 1)))
        top = max(top, forecast.target)
    period = forecast.cutoff.period
    begin = min(pd.Timestamp(period.start), pd.Timestamp(days.min()))
    axes.set_xlim(_place(begin - pd.Timedelta(days=5)), _place(pd.Timestamp(period.end) + pd.Timedelta(days=3)))
    axes.set_ylim(0, top * 1.12)
    axes.xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=5))
    axes.xaxis.set_major_formatter(DateFormatter("%d %b"))
    axes.set_xlabel(f"Day on which {period.label} was forecast")
    money_axis(axes, "y", forecast.currency, "Bookings")
    only_grid(axes, "y")
    _fan_legend(made, forecast.target is not None)
    titled(made, fan_title(fan, forecast))
    return made


def _place(day: pd.Timestamp) -> float:
    """Where a day is on an axis of dates."""
    return float(date2num(day))


def _band(axes: Axes, days: np.ndarray, bounds: tuple[np.ndarray, np.ndarray], tint: str) -> None:
    """A band over the days; a single day gets a bar of its own, which a band of no width would not show."""
    low, high = bounds
    if len(days) > 1:
        axes.fill_between(days, low, high, color=tint, linewidth=0)
    else:
        axes.bar(days, high - low, bottom=low, width=6.0, color=tint)


def _fan_legend(made: Figure, has_target: bool) -> None:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=BLUE, marker="o", linewidth=2, markersize=5, label="forecast"),
        *(Patch(color=tint, label=f"{name} range") for _, _, name, tint in reversed(BANDS)),
        Line2D([], [], color=GREEN, linewidth=2, linestyle=(0, (4, 1)), marker="s", markersize=4, label="booked"),
    ]
    if has_target:
        handles.append(Line2D([], [], color=_TARGET, linewidth=1.8, linestyle=(0, (1, 1)), label="target"))
    made.legend(handles=handles, loc="outside lower left", ncols=3, frameon=False)


def fan_title(fan: pd.DataFrame, forecast: BookingsForecast) -> str:
    """The forecast with its 80% range against the target, and how far it moved since the first cutoff."""
    money, label = Money(forecast.currency), forecast.cutoff.period.label
    if fan.empty:
        return f"{label} has not been forecast on any day."
    return f"{label} is forecast at {money.short(forecast.mean)}{_range(forecast)}{_against(forecast)}"


def _range(forecast: BookingsForecast) -> str:
    low, high = forecast.quantile("p10"), forecast.quantile("p90")
    if np.isnan(low) or np.isnan(high):
        return ", without a range,"
    return f" (80% range {short_number(low)} to {short_number(high)})"


def _against(forecast: BookingsForecast) -> str:
    if forecast.target is None:
        return "; no target is set"
    aim = f"the target of {short_number(forecast.target)}"
    if len(forecast.draws) == 0:
        return f" against {aim}"
    return f"; the chance to reach {aim} is {_chance(forecast.chance or 0.0)}"


def _chance(value: float) -> str:
    """A chance in whole percent; draws never prove that something is impossible or certain."""
    return "under 1%" if value < 0.01 else "over 99%" if value > 0.99 else percent(value)


@figure
def plot_components(forecast: BookingsForecast) -> Figure:
    """Draw the parts of the forecast as steps from what is booked to the whole, with its 80% range and the target."""
    parts = forecast.components[forecast.components["mean"] != 0]
    if parts.empty:
        return empty(components_title(forecast))
    made, axes = new_figure(height=0.46 * (len(parts) + 1) + 2.2)
    values = parts["mean"].to_numpy(dtype=float)
    ends = np.cumsum(values)
    starts = ends - values
    sure = parts["component"].isin(["booked", "signed"]).to_numpy()
    rows = np.arange(len(parts) + 1)
    axes.barh(rows[:-1], values, left=starts, color=list(np.where(sure, GREEN, BLUE)), height=0.66)
    axes.barh(rows[-1:], [forecast.mean], color=TOTAL, height=0.66)
    low, high = forecast.quantile("p10"), forecast.quantile("p90")
    places = [*np.maximum(starts, ends), forecast.mean]
    if not (np.isnan(low) or np.isnan(high)):
        axes.errorbar(
            [forecast.mean],
            rows[-1:],
            xerr=[[max(forecast.mean - low, 0)], [max(high - forecast.mean, 0)]],
            fmt="none",
            ecolor=INK,
            capsize=5,
        )
        places[-1] = max(places[-1], high)
    for row, (place, value) in enumerate(zip(places, [*values, forecast.mean], strict=True)):
        _amount(axes, (place, row), short_number(value))
    names_axis(axes, [*(COMPONENT_WORDS[name] for name in parts["component"]), "Forecast"])
    axes.set_xlim(min(0.0, float(starts.min())), max(*places, forecast.target or 0.0) * 1.16)
    _target_line(axes, forecast.target)
    money_axis(axes, "x", forecast.currency, "Bookings")
    _component_legend(made, forecast.target is not None)
    titled(made, components_title(forecast))
    return made


def _target_line(axes: Axes, target: float | None) -> None:
    if target is not None:
        axes.axvline(target, color=_TARGET, linewidth=1.8, linestyle=(0, (1, 1)))


def _component_legend(made: Figure, has_target: bool) -> None:
    handles: list[Line2D | Patch] = [Patch(color=GREEN, label="certain"), Patch(color=BLUE, label="expected")]
    handles.append(Line2D([], [], color=INK, marker="|", markersize=10, label="80% range"))
    if has_target:
        handles.append(Line2D([], [], color=_TARGET, linewidth=1.8, linestyle=(0, (1, 1)), label="target"))
    made.legend(handles=handles, loc="outside lower left", ncols=4, frameon=False, columnspacing=1.2)


def components_title(forecast: BookingsForecast) -> str:
    """How much of the forecast is certain, and what most of the rest rests on."""
    parts = forecast.components.set_index("component")["mean"]
    label, whole = forecast.cutoff.period.label, forecast.mean
    if not (parts != 0).any() or whole <= 0:
        return f"Nothing is expected to be booked in {label}."
    sure = float(parts.reindex(["booked", "signed"]).fillna(0.0).sum())
    rest = parts.drop(["booked", "signed"], errors="ignore")
    largest = str(rest.idxmax()) if (rest > 0).any() else None
    begin = (
        f"{percent(sure / whole)} of the forecast of {label} is certain" if sure else f"Nothing of {label} is booked"
    )
    if largest is None:
        return begin
    return f"{begin}; {percent(float(rest[largest]) / whole)} is expected from {_SENTENCES[largest]}"


_SENTENCES = {
    "likely": "open deals that are likely to be won",
    "upside": "open deals with a chance below 50%",
    "unpriced": "open deals that have no amount",
    "later": "deals not yet created",
    "other": "reopened and restated deals",
}


@figure
def plot_groups(forecast: BookingsForecast, cut: str) -> Figure:
    """Draw the forecast of each group of a cut as a dot with its 80% range, and what is booked as a bar.

    `cut`: segment, type, region, team or owner; of more than ten groups the largest are shown.
    """
    frame = _largest(forecast, cut)
    if frame.empty:
        return empty(groups_title(forecast, cut))
    made, axes = new_figure(height=0.48 * len(frame) + 2.0)
    rows = np.arange(len(frame))
    axes.barh(rows, frame["booked"], color=GREEN, height=0.5)
    axes.hlines(rows, frame["p10"], frame["p90"], color=BLUE, linewidth=7, alpha=0.4)
    axes.scatter(frame["mean"], rows, color=BLUE, s=55, zorder=3)
    places = frame[["mean", "p90"]].max(axis=1)
    for row, (place, value) in enumerate(zip(places, frame["mean"], strict=True)):
        axes.annotate(short_number(value), (place, row), xytext=(7, 0), textcoords="offset points", va="center")
    names_axis(axes, [_wrapped(name) for name in frame["group"]])
    axes.set_xlim(min(0.0, float(frame[["p10", "mean"]].min().min())), float(places.max()) * 1.18)
    money_axis(axes, "x", forecast.currency, f"Bookings of {forecast.cutoff.period.label}")
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=BLUE, marker="o", markersize=7, linewidth=7, alpha=0.6, label="forecast, 80% range"),
    ]
    if frame["booked"].any():
        handles.append(Patch(color=GREEN, label="booked"))
    made.legend(handles=handles, loc="outside lower left", ncols=2, frameon=False)
    titled(made, groups_title(forecast, cut))
    return made


def _wrapped(name: object) -> str:
    return "\n".join(textwrap.wrap(shown(name), 18)) or shown(name)


def _largest(forecast: BookingsForecast, cut: str) -> pd.DataFrame:
    """The groups of a cut, largest first, what belongs to none of them last."""
    frame = forecast.groups[forecast.groups["cut"] == cut]
    is_rest = frame["group"].isin([NOT_CREATED, OTHER])
    ordered = frame[~is_rest].sort_values(["mean", "group"], ascending=[False, True]).head(_GROUPS_SHOWN)
    rest = frame[is_rest & (frame["mean"].abs() > 0)]
    return pd.concat([ordered, rest])


def groups_title(forecast: BookingsForecast, cut: str) -> str:
    """Which group brings most, and which has the widest range for its size."""
    frame = _largest(forecast, cut)
    named = frame[~frame["group"].isin([NOT_CREATED, OTHER])]
    word = _CUT_WORDS[cut]
    if named.empty or forecast.mean <= 0:
        return f"The forecast cannot be told apart by {word}."
    first = named.iloc[0]
    name = shown(first["group"])
    begin = f"{name[:1].upper()}{name[1:]} brings {percent(first['mean'] / forecast.mean)} of the forecast"
    sized = named[(named["mean"] > 0) & named["p10"].notna()]
    widths = (sized["p90"] - sized["p10"]) / sized["mean"]
    if len(sized) < 2:
        return begin
    widest = sized.iloc[int(widths.to_numpy().argmax())]
    span = f"{short_number(widest['p10'])} to {short_number(widest['p90'])}"
    if widest["group"] == first["group"]:
        return f"{begin} and is the least certain {word}, {span}"
    return f"{begin}; {shown(widest['group'])} is the least certain {word}, {span}"


@figure
def plot_changes(changes: ForecastChanges, currency: str) -> Figure:
    """Draw what changed the forecast in a week as steps from before to after; lines without a change are left out."""
    if changes.before is None:
        return empty(changes_title(changes, currency))
    moved = changes.lines[changes.lines["change"] != 0]
    values = np.array([changes.before, *moved["change"], changes.after], dtype=float)
    is_end = np.zeros(len(values), dtype=bool)
    is_end[[0, -1]] = True
    stops = np.where(is_end, values, np.cumsum(values))
    starts = np.where(is_end, 0.0, stops - values)
    low, high = np.minimum(starts, stops), np.maximum(starts, stops)
    floor = _floor(low[~is_end], values[is_end])
    made, axes = new_figure(height=0.46 * len(values) + 1.8)
    rows = np.arange(len(values))
    colours = np.select([is_end, values >= 0], [TOTAL, GAIN], LOSS)
    axes.barh(rows, high - np.maximum(low, floor), left=np.maximum(low, floor), color=list(colours), height=0.66)
    for row, value in enumerate(values):
        sign = "+" if value > 0 and not is_end[row] else ""
        _amount(axes, (high[row], row), f"{sign}{short_number(value)}")
    titles = [_LINE_WORDS.get(str(line), str(title)) for line, title in zip(moved["line"], moved["title"], strict=True)]
    names_axis(axes, [changes.since.isoformat(), *map(_wrapped, titles), "Now"])
    axes.set_xlim(floor, floor + ((float(high.max()) - floor) * 1.2 or 1.0))
    money_axis(axes, "x", currency, "Forecast" if floor == 0 else "Forecast; the axis does not start at zero")
    axes.locator_params(axis="x", nbins=5)
    titled(made, changes_title(changes, currency))
    return made


_LINE_WORDS = {
    "won": "Won",
    "created": "Created",
    "lost": "Lost or moved out",
    "amount": "Amounts",
    "probability": "Probabilities",
    "booked": "Booked deals changed",
    "later": "Not yet created",
    "other": "Reopened, restated",
    "selection": "Weight of the rule",
}
"""Lines of a change, short enough for an axis."""


def _amount(axes: Axes, place: tuple[float, int], text: str) -> None:
    """An amount right of its bar, readable where it crosses the line of the target."""
    box = {"boxstyle": "square,pad=0.12", "facecolor": "white", "edgecolor": "none"}
    axes.annotate(text, place, xytext=(6, 0), textcoords="offset points", va="center", bbox=box)


def _floor(steps: np.ndarray, ends: np.ndarray) -> float:
    """Where the axis starts: zero, or below the lowest step where the changes would else be too short to be read."""
    lowest = float(min([*steps, *ends]))
    span = float(max([*steps, *ends])) - lowest
    return 0.0 if lowest <= 0 or span >= 0.25 * lowest else max(0.0, lowest - 1.2 * span)


def changes_title(changes: ForecastChanges, currency: str) -> str:
    """By how much the forecast moved in a week, and which two lines did most to it."""
    if changes.before is None:
        return changes.reason or "The forecast cannot be compared with that of a week ago."
    since = changes.since.isoformat()
    moved = changes.lines[changes.lines["change"] != 0]
    if moved.empty:
        return f"The forecast did not move since {since}"
    change = changes.after - changes.before
    word = "rose" if change > 0 else "fell" if change < 0 else "is unchanged"
    by = f" by {Money(currency).short(abs(change))}" if change else ""
    largest = moved.loc[moved["change"].abs().sort_values(ascending=False, kind="stable").index].head(2)
    parts = [
        f"{_LINE_WORDS.get(str(line), str(title)).lower()} {'+' if value > 0 else ''}{short_number(value)}"
        for line, title, value in zip(largest["line"], largest["title"], largest["change"], strict=True)
    ]
    return f"The forecast {word}{by} since {since}: {', '.join(parts)}"
