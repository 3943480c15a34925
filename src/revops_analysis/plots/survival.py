"""Figures of time to close: how many deals are won and lost by each age, what an open deal may hope for, and what makes
deals win sooner."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from revops_analysis.models.close_regression import CloseRegression
from revops_analysis.models.time_to_close import ALL_DEALS, TimeToClose
from revops_analysis.plots.risk_table import count_rows, looks_of, settled, short_name, stacked_panels
from revops_analysis.plots.style import (
    BLUE,
    GREY,
    days,
    empty,
    figure,
    new_figure,
    only_grid,
    percent,
    percent_axis,
    shown,
    titled,
)

_MOST = 4
"""More curves than this cannot be told apart: the levels with the most deals are drawn."""

_TICKS = 7


@figure
def plot_incidence(times: TimeToClose) -> Figure:
    """Draw the share of deals won, and below it lost, by days since creation, up to the horizon, a curve a level.

    Bands are 95% intervals. The rows under the curves count the deals still open and watched at that age.
    """
    scopes = _drawn(times)
    if times.summary["n"].iloc[0] == 0:
        return empty(incidence_title(times))
    ticks = _ticks(times.horizon_days)
    made, axes = stacked_panels([2.1, 1.8], len(scopes))
    looks = looks_of(scopes)
    for place, event in ((0, "won"), (1, "lost")):
        for scope in scopes:
            rows = _of(times.curves, scope, event)
            _step(axes[place], rows, times.horizon_days, (*looks[scope], _has_band(scope, scopes)))
        percent_axis(axes[place], "y", f"Share {event}")
        axes[place].set_ylim(bottom=0)
        axes[place].set_xlim(0, times.horizon_days)
        axes[place].set_xticks(ticks, [])
        only_grid(axes[place], "y")
    at_risk = {scope: _at_risk(_of(times.curves, scope, "open"), ticks) for scope in scopes}
    count_rows(made, at_risk, ticks, looks)
    axes[2].set_xlim(0, times.horizon_days)
    axes[2].set_xlabel("Days since creation\n(rows: deals still open and watched)")
    titled(made, incidence_title(times))
    return settled(made)


def incidence_title(times: TimeToClose) -> str:
    """How many deals are won within the horizon, how fast, and which level wins most and least."""
    whole = times.summary.iloc[0]
    if whole["reason"]:
        return f"How deals end is not known: {whole['reason']}."
    start = f"{percent(whole['won_share'])} of deals are won within {times.horizon_days} days"
    if pd.notna(whole["median_days"]):
        start += f", half of them within {days(float(whole['median_days']))}"
    rows = times.summary.iloc[1:]
    rows = rows[rows["won_low"].notna()]
    if len(rows) > 1:
        share = rows["won_share"].to_numpy(dtype=float)
        most, least = rows.iloc[int(share.argmax())], rows.iloc[int(share.argmin())]
        if most["won_low"] > least["won_high"]:
            between = f"{shown(most['scope'])} most ({percent(most['won_share'])}), {shown(least['scope'])} least"
            return f"{start}; {between} ({percent(least['won_share'])})"
    return start


@figure
def plot_chances(times: TimeToClose, ahead: int = 90) -> Figure:
    """Draw, by age, the chance of an open deal to be won within `ahead` days, a curve a level, with 95% bands.

    The rows under the curves count the deals that were open at that age, on which the chance rests.
    """
    scopes = _drawn(times)
    whole = times.conditional[times.conditional["ahead"] == ahead]
    frame = whole[whole["value"].notna()]
    if frame.empty:
        return empty(chances_title(times, ahead))
    last = max(int(frame["age"].max()), 1)
    ticks = _some([age for age in whole["age"].drop_duplicates() if age <= last])
    made, axes = stacked_panels([2.9], len(scopes))
    looks = looks_of(scopes)
    for scope in scopes:
        rows = frame[_same(frame["scope"], scope)]
        colour, dash = looks[scope]
        ages = rows["age"].to_numpy(dtype=float)
        if _has_band(scope, scopes):
            low, high = rows["low"].to_numpy(dtype=float), rows["high"].to_numpy(dtype=float)
            axes[0].fill_between(ages, low, high, color=colour, alpha=0.15, lw=0)
        axes[0].plot(ages, rows["value"].to_numpy(dtype=float), color=colour, ls=dash, lw=2)
    highest = float(frame[["value", "high"]].max().max())
    axes[0].set_ylim(0, min(max(1.15 * highest, 0.05), 1.0))
    percent_axis(axes[0], "y", f"Won within {ahead} days")
    axes[0].set_xticks(ticks, [])
    only_grid(axes[0], "y")
    count_rows(made, {scope: _counts(whole, scope, ticks) for scope in scopes}, ticks, looks)
    for one in axes:
        one.set_xlim(0, last)
    axes[1].set_xlabel("Age of the open deal in days\n(rows: deals open at that age)")
    titled(made, chances_title(times, ahead))
    return settled(made)


def chances_title(times: TimeToClose, ahead: int = 90) -> str:
    """At which age an open deal's chance is best, and what is left of it at the horizon."""
    frame = times.conditional[(times.conditional["ahead"] == ahead) & (times.conditional["scope"] == ALL_DEALS)]
    known = frame[frame["value"].notna()]
    if known.empty:
        reasons = frame["reason"].dropna()
        why = str(reasons.iloc[0]) if len(reasons) else f"{ahead} days ahead was not asked for"
        return f"The chance of an open deal is not known: {why}."
    values = known["value"].to_numpy(dtype=float)
    if not values.max() > 0:
        return f"No deal of any age was won within {ahead} days"
    best = known.iloc[int(values.argmax())]
    if not (known["high"] < best["low"]).any():
        return (
            f"The chance of an open deal does not change beyond chance with its age: {percent(values.min())} to "
            f"{percent(values.max())} are won within {ahead} days"
        )
    text = (
        f"Open deals have the best chance at an age of {days(float(best['age']))}: {percent(best['value'])} are won "
        f"within {ahead} days"
    )
    late = known[known["age"] >= times.horizon_days]
    if late.empty or late["age"].iloc[0] <= best["age"]:
        return text
    return f"{text}; at {days(float(late['age'].iloc[0]))} it is {percent(late['value'].iloc[0])}"


@figure
def plot_pace(regression: CloseRegression) -> Figure:
    """Draw Cox hazard ratios with 95% intervals on a log scale: right of 1 wins come faster.

    Hollow: the check found that the ratio changes with the age of deals, so it is not one number.
    """
    rows = regression.of("cox")
    if rows.empty:
        return empty(pace_title(regression))
    changing = regression.changing
    made, axes = new_figure(height=0.62 * len(rows) + 2.0)
    places = np.arange(len(rows))
    low, value, high = (rows[name].to_numpy(dtype=float) for name in ("ratio_low", "ratio", "ratio_high"))
    axes.hlines(places, low, high, color=BLUE, linewidth=2.5)
    faces = ["white" if term in changing else BLUE for term in rows["term"]]
    axes.scatter(value, places, s=70, c=faces, edgecolors=BLUE, linewidths=2, zorder=3)
    axes.axvline(1.0, color=GREY, linewidth=1, zorder=1)
    for place, (ratio, below, above) in enumerate(zip(value, low, high, strict=True)):
        words = f"{ratio:.2f} ({below:.2f}–{above:.2f})"
        axes.annotate(words, (1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=10)
    axes.set_yticks(places, [_term(row) for row in rows.to_dict("records")])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    _ratio_axis(axes, float(low.min()), float(high.max()))
    only_grid(axes, "x")
    handles = [Line2D([], [], marker="o", ls="", mec=BLUE, mfc=BLUE, mew=2, ms=8, label="ratio with 95% interval")]
    if changing & set(rows["term"]):
        hollow = Line2D([], [], marker="o", ls="", mec=BLUE, mfc="white", mew=2, ms=8, label="changes with age")
        handles.append(hollow)
    made.legend(handles=handles, loc="outside lower left", ncols=2, frameon=False)
    titled(made, pace_title(regression))
    return made


def pace_title(regression: CloseRegression) -> str:
    """Which attribute changes the pace of wins most, and whether that is one number."""
    if regression.reason:
        return f"What makes deals win sooner is not known: {regression.reason}."
    rows = regression.of("cox")
    clear = rows[(rows["low"] > 0) | (rows["high"] < 0)]
    if clear.empty:
        return "No attribute changes the pace of wins beyond chance"
    top = clear.iloc[int(clear["coefficient"].abs().to_numpy().argmax())]
    pace = f"at {top['ratio']:.2f} times the pace"
    if top["term"] in regression.changing:
        pace = f"at a {'faster' if top['ratio'] > 1 else 'slower'} pace, by how much depends on age"
    if top["level"] is None:
        return f"With one more {top['attribute']}, deals are won {pace}"
    return f"{top['level']} deals, against {top['reference']}, are won {pace}"


def _term(row: Mapping[Hashable, Any]) -> str:
    if row["level"] is None:
        return f"{row['attribute']}\n(one more)"
    return f"{short_name(row['level'])}\nagainst {short_name(row['reference'])}"


def _ratio_axis(axes: Axes, low: float, high: float) -> None:
    axes.set_xscale("log")
    axes.set_xlim(min(low, 0.8) / 1.15, max(high, 1.25) * 1.15)
    marks = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100])
    left, right = axes.get_xlim()
    inside = marks[(marks >= left) & (marks <= right)]
    axes.set_xticks(inside, [f"{mark:g}×" for mark in inside])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("Pace of wins against the reference (hazard ratio)")


def _drawn(times: TimeToClose) -> list[str | None]:
    """All deals, and the levels with the most deals, in order."""
    levels = times.summary.iloc[1:]
    largest = levels["n"].sort_values(ascending=False, kind="stable").index[:_MOST]
    return [ALL_DEALS, *levels.loc[levels.index.isin(largest), "scope"]]


def _has_band(scope: str | None, scopes: list[str | None]) -> bool:
    """All deals lie among the levels: their band would only hide those of the levels."""
    return scope != ALL_DEALS or len(scopes) == 1


def _same(column: pd.Series, scope: str | None) -> pd.Series:
    return column.isna() if scope is None else column == scope


def _of(curves: pd.DataFrame, scope: str | None, event: str) -> pd.DataFrame:
    return curves[_same(curves["scope"], scope) & (curves["event"] == event)]


def _step(axes: Axes, rows: pd.DataFrame, until: int, look: tuple[str, Any, bool]) -> None:
    """A step curve from 0 to the last day watched, or to `until` where that comes first; its band likewise."""
    known = rows[rows["days"] <= until]
    end = min(float(rows["days"].max()), float(until))
    at = np.concatenate([[0.0], known["days"].to_numpy(dtype=float), [end]])
    share, low, high = (_stretched(known[name].to_numpy(dtype=float)) for name in ("share", "low", "high"))
    colour, dash, has_band = look
    if has_band:
        axes.fill_between(at, low, high, step="post", color=colour, alpha=0.15, lw=0)
    axes.step(at, share, where="post", color=colour, ls=dash, lw=2)


def _stretched(values: np.ndarray) -> np.ndarray:
    """Values with the origin before them and the last one held."""
    return np.concatenate([[0.0], values, values[-1:] if len(values) else [0.0]])


def _ticks(until: int) -> list[int]:
    """Up to seven ages from 0 on, at round numbers of days."""
    step = next(step for step in (1, 2, 5, 10, 15, 30, 60, 90, 180, 365, 730, 10_000) if until / step < _TICKS)
    return list(range(0, until + 1, step))


def _some(ages: list[int]) -> list[int]:
    """Up to seven of the ages, evenly from the first."""
    step = next(step for step in (1, 2, 4, 6, 8, 12, 24, len(ages)) if len(ages) / step <= _TICKS)
    return ages[::step]


def _at_risk(rows: pd.DataFrame, ticks: list[int]) -> list[float]:
    """Deals at risk just before each age: those of the first day on which something happened from then on."""
    at = rows["days"].to_numpy(dtype=float)
    place = np.searchsorted(at, ticks)
    numbers = np.concatenate([rows["at_risk"].to_numpy(dtype=float), [0.0]])
    return list(numbers[place])


def _counts(frame: pd.DataFrame, scope: str | None, ticks: list[int]) -> list[float]:
    rows = frame[_same(frame["scope"], scope)].set_index("age")["n"]
    return [float(rows.get(tick, float("nan"))) for tick in ticks]
