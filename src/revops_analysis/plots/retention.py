"""Figures of retention: how recurring revenue moved, how much of it stays, and which cohorts keep it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from revops_analysis.metrics.retention import (
    CohortTriangle,
    PeriodMovements,
    RetentionCurves,
    RetentionDrivers,
    RetentionRates,
)
from revops_analysis.plots.style import (
    BLUE,
    GAIN,
    GREY,
    INK,
    LOSS,
    ORANGE,
    PALETTE,
    TOTAL,
    VERMILION,
    Money,
    empty,
    figure,
    legend_below,
    money_axis,
    new_figure,
    only_grid,
    percent,
    percent_axis,
    short_number,
    shown,
    titled,
)

_WORDS = {
    "opening": "Opening",
    "brought_forward": "Brought forward",
    "new": "New",
    "expansion": "Expansion",
    "reactivation": "Reactivation",
    "transfer_in": "Transfer in",
    "contraction": "Contraction",
    "churn": "Churn",
    "transfer_out": "Transfer out",
    "exchange_rate": "Exchange rate",
    "closing": "Closing",
}
MEASURE_WORDS = {"nrr": "net revenue retention", "grr": "gross revenue retention", "logo": "logo retention"}
_ANNOTATED_COLUMNS = 16
"""More ages than this leave no room for a number in each cell: then only whole years carry one."""


@figure
def plot_mrr_movements(movements: PeriodMovements) -> Figure:
    """Draw a waterfall from opening to closing recurring revenue; needs movements without a cut.

    Bars read from top to bottom. The axis starts near the opening, because movements are small beside the balance; the
    balances are drawn as broken bars for that reason, with their amounts written out.
    """
    if movements.reason:
        return empty(movements.reason)
    frame = movements.frame
    money = Money(movements.currency)
    values = frame["value"].to_numpy(dtype=float)
    names = frame["line"].astype(str).to_list()
    ends = np.cumsum(np.where(np.isin(names, ["closing"]), 0.0, values))
    starts = np.where(np.isin(names, ["opening", "closing"]), 0.0, ends - values)
    made, axes = new_figure(height=0.45 * len(names) + 1.4)
    low = _waterfall_floor(starts, ends, names)
    for row, (name, start, end, value) in enumerate(zip(names, starts, ends, values, strict=True)):
        is_balance = name in ("opening", "closing")
        left, right = (low, end) if is_balance else (min(start, end), max(start, end))
        colour = TOTAL if is_balance else (GAIN if value >= 0 else LOSS)
        axes.barh(row, right - left, left=left, color=colour, height=0.62)
        label = money.short(value) if is_balance else f"{'+' if value >= 0 else ''}{short_number(value)}"
        axes.annotate(label, (right, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=10)
    axes.set_yticks(range(len(names)), [_WORDS[name] for name in names])
    axes.invert_yaxis()
    span = max(ends.max(), starts.max()) - low or 1.0
    axes.set_xlim(low, low + span * 1.22)
    name = "Annual" if movements.annual else "Monthly"
    start = "; axis does not start at 0" if low > 0 else ""
    money_axis(axes, "x", movements.currency, f"{name} recurring revenue{start}")
    only_grid(axes, "x")
    titled(made, movements_title(movements))
    return made


def movements_title(movements: PeriodMovements) -> str:
    """The finding of the waterfall in a sentence."""
    if movements.reason:
        return "Movements of recurring revenue cannot be shown"
    by_line = movements.frame.set_index(movements.frame["line"].astype(str))["value"]
    opening, closing = float(by_line.get("opening", 0.0)), float(by_line.get("closing", 0.0))
    moved = by_line.drop(["opening", "closing"], errors="ignore")
    money = Money(movements.currency)
    change = closing - opening
    name = "ARR" if movements.annual else "Recurring revenue"
    when = f"from {' to '.join(movements.months)}" if ".." in movements.period else f"in {movements.period}"
    share = f" ({percent(abs(change) / opening, 1)})" if opening > 0 else ""
    word = "grew" if change > 0 else "shrank"
    gained, lost = money.short(float(moved[moved > 0].sum())), money.short(float(-moved[moved < 0].sum()))
    if round(change, 2) == 0:
        return f"{name} stood still {when}: {gained} gained, {lost} lost"
    by = money.short(abs(change))
    return f"{name} {word} by {by}{share} {when}: {gained} gained, {lost} lost"


def _waterfall_floor(starts: np.ndarray, ends: np.ndarray, names: list[str]) -> float:
    """Where the axis begins: below the lowest step by as much as all steps span, but not below 0."""
    steps = [
        value
        for start, end, name in zip(starts, ends, names, strict=True)
        for value in (start, end)
        if name not in ("opening", "closing")
    ]
    balances = [end for end, name in zip(ends, names, strict=True) if name in ("opening", "closing")]
    low, high = min([*steps, *balances]), max([*steps, *balances])
    if low <= 0 or low == high:
        return min(low, 0.0)
    return max(0.0, low - 0.5 * (high - low))


@figure
def plot_retention_rates(rates: RetentionRates) -> Figure:
    """Draw NRR and GRR month by month with their 95% intervals; needs rates without a cut."""
    known = rates.frame[rates.frame["value"].notna()]
    if known.empty:
        return empty(rates.reason or str(rates.frame["reason"].iloc[0]))
    made, axes = new_figure(height=3.8)
    drawn = (("nrr", "NRR", BLUE, "-"), ("grr", "GRR", ORANGE, "--"))
    for measure, short, colour, dash in drawn:
        rows = known[known["measure"] == measure]
        months = pd.to_datetime(rows["month_end"]).to_numpy()
        axes.fill_between(months, rows["low"].astype(float), rows["high"].astype(float), color=colour, alpha=0.18, lw=0)
        axes.plot(months, rows["value"].astype(float), color=colour, ls=dash, lw=2, marker="o", ms=3)
        last = float(rows["value"].iloc[-1])
        axes.annotate(
            f"{short} {percent(last)}", (months[-1], last), xytext=(6, 0), textcoords="offset points", va="center"
        )
    span = pd.to_datetime(known["month_end"]).sort_values().to_numpy()
    axes.plot(span[[0, -1]], [1.0, 1.0], color=GREY, lw=1, zorder=1)
    axes.margins(x=0.02)
    axes.set_xlim(right=_room_for_labels(axes))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10]))
    percent_axis(axes, "y", "Share of revenue 12 months before")
    _month_axis(axes, known)
    only_grid(axes, "y")
    titled(made, rates_title(rates))
    return made


def rates_title(rates: RetentionRates) -> str:
    """The finding of the lines in a sentence: the last month's rates, and where NRR was a year before."""
    known = rates.frame[rates.frame["value"].notna()]
    if known.empty:
        return "Retention cannot be shown"
    last = known["month"].max()
    now = known[known["month"] == last].set_index("measure")
    nrr, grr = now.loc["nrr"], now.loc["grr"]
    interval = f" ({percent(nrr['low'])} to {percent(nrr['high'])})" if pd.notna(nrr["low"]) else ""
    text = f"NRR is {percent(nrr['value'], 1)}{interval} in {last}, GRR {percent(grr['value'], 1)}"
    year_before = f"{int(last[:4]) - 1}{last[4:]}"
    before = known[(known["month"] == year_before) & (known["measure"] == "nrr")]["value"]
    return f"{text}; NRR a year before: {percent(float(before.iloc[0]), 1)}" if len(before) else text


def _room_for_labels(axes: Axes) -> float:
    left, right = axes.get_xlim()
    return right + 0.2 * (right - left)


def _month_axis(axes: Axes, known: pd.DataFrame) -> None:
    """Name up to seven months, the last one among them."""
    ends = pd.to_datetime(known["month_end"].drop_duplicates()).sort_values()
    step = -(-len(ends) // 7)
    shown = ends.iloc[::-1][::step][::-1]
    axes.set_xticks(shown.to_numpy(), [day.strftime("%Y-%m") for day in shown], rotation=30, ha="right")


@figure
def plot_cohort_triangle(triangle: CohortTriangle, measure: str = "nrr") -> Figure:
    """Draw one measure of a cohort triangle as a heat map; needs a triangle without a cut.

    Cells carry the percentage; cells that are not complete yet are blank. NRR is coloured around 100%: blue above,
    vermilion below; the other measures from light to dark.
    """
    if triangle.reason:
        return empty(triangle.reason)
    grid = triangle.grid(measure)
    rows = len(grid)
    made, axes = new_figure(height=0.26 * rows + 1.9)
    colours, norm = _scale(grid, measure)
    axes.pcolormesh(np.ma.masked_invalid(grid.to_numpy()), cmap=colours, norm=norm, edgecolors="white", linewidth=0.6)
    _write_cells(axes, grid, colours, norm)
    axes.set_yticks(np.arange(rows) + 0.5, list(grid.index))
    ages = [int(age) for age in grid.columns]
    every = next((step for step in (1, 3, 6, 12, 24) if sum(age % step == 0 for age in ages) <= 9), 60)
    places = [place for place, age in enumerate(ages) if age % every == 0]
    axes.set_xticks([place + 0.5 for place in places], [str(ages[place]) for place in places])
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.set_xlabel("Months since the first month with revenue\n(blank: not complete yet)")
    axes.set_ylabel(f"Cohort by {triangle.grain} of first revenue")
    scale = made.colorbar(axes.collections[0], ax=axes, orientation="horizontal", shrink=0.5, aspect=30, pad=0.02)
    scale.locator, scale.formatter = MaxNLocator(nbins=4), FuncFormatter(lambda value, _: percent(value))
    scale.update_ticks()
    scale.outline.set_visible(False)
    titled(made, triangle_title(triangle, measure))
    return made


def triangle_title(triangle: CohortTriangle, measure: str = "nrr") -> str:
    """The finding of the heat map in a sentence: the best and the worst cohort at twelve months."""
    if triangle.reason:
        return "Cohorts cannot be shown"
    grid = triangle.grid(measure)
    ages = [age for age in (12, 6, 3, 1) if age in grid.columns and grid[age].notna().any()]
    name = MEASURE_WORDS[measure]
    if not ages:
        return f"No cohort is old enough to show {name}"
    known = grid[ages[0]].dropna()
    born = known[~known.index.str.startswith("before ")]  # survivors of unknown age are no cohort to compare with
    known = born if len(born) else known
    best, worst = str(known.idxmax()), str(known.idxmin())
    if best == worst:
        return f"After {ages[0]} months the cohort {best} has {percent(known[best])} {name}"
    span = f"{percent(known[worst])} ({worst}) to {percent(known[best])} ({best})"
    return f"After {ages[0]} months cohorts show {span} {name}"


def _scale(grid: pd.DataFrame, measure: str) -> tuple[Colormap, Normalize]:
    values = grid.to_numpy(dtype=float)
    if measure == "nrr":
        reach = float(np.clip(np.nanmax(np.abs(values - 1.0)), 0.05, 0.5))
        around = LinearSegmentedColormap.from_list("around_100", [VERMILION, "#F7F7F7", BLUE])
        return around, TwoSlopeNorm(1.0, 1.0 - reach, 1.0 + reach)
    low = float(np.clip(np.nanmin(values), 0.0, 0.95))
    return LinearSegmentedColormap.from_list("share", ["#F3F7FB", BLUE]), Normalize(low, 1.0)


def _write_cells(axes: Axes, grid: pd.DataFrame, colours: Colormap, norm: Normalize) -> None:
    ages = [int(age) for age in grid.columns.to_list()]
    every = len(ages) <= _ANNOTATED_COLUMNS
    for (row, column), value in np.ndenumerate(grid.to_numpy(dtype=float)):
        age = ages[column]
        if np.isnan(value) or age == 0 or (not every and age % 12):  # at age 0 all is 100%
            continue
        red, green, blue, _ = colours(norm(value))
        is_dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
        text = f"{value * 100:.0f}"
        colour = "white" if is_dark else INK
        cell = axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=9, color=colour)
        cell.set_in_layout(False)  # it lies within the axes: measuring hundreds of them again would change nothing


_CURVES = 4
"""More curves than these cannot be told apart; the groups with the most accounts are drawn."""


@figure
def plot_retention_curves(curves: RetentionCurves, measure: str = "nrr") -> Figure:
    """Draw one measure by age, a line a group, with the number of accounts at risk below; needs one dimension.

    The four groups with the most accounts are drawn; the others are in the table.
    """
    drawn = _drawn(curves, measure)
    if curves.reason or not drawn:
        return empty(curves.reason or "No group has enough accounts for a curve.")
    made, axes = new_figure(height=4.0 + 0.25 * len(drawn))
    ages = sorted({int(age) for _, rows in drawn for age in rows["age_months"]})
    for (_, rows), colour in zip(drawn, PALETTE, strict=False):
        months = rows["age_months"].to_numpy(dtype=float)
        low, high = rows["low"].astype(float), rows["high"].astype(float)
        axes.fill_between(months, low, high, color=colour, alpha=0.15, lw=0)
        axes.plot(months, rows["value"].astype(float), color=colour, lw=2, marker="o", ms=3)
    axes.axhline(1.0, color=GREY, lw=1, zorder=1)
    shown_ages = [age for age in ages if age % 6 == 0] or ages
    axes.set_xticks(shown_ages, [str(age) for age in shown_ages])
    axes.set_xlabel("Months since the first month with revenue")
    percent_axis(axes, "y", f"{MEASURE_WORDS[measure].capitalize()}")
    only_grid(axes, "y")
    _at_risk(axes, drawn, shown_ages)
    titled(made, curves_title(curves, measure))
    return made


def _drawn(curves: RetentionCurves, measure: str) -> list[tuple[str, pd.DataFrame]]:
    """The groups to draw with their rows, the one with the most accounts first."""
    rows = curves.frame[curves.frame["measure"] == measure]
    groups = [(shown(label), part) for label, part in rows.groupby(curves.by[0], dropna=False, sort=True)]
    groups.sort(key=lambda group: -int(group[1]["at_risk"].max()))
    return [group for group in groups if len(group[1]) > 1][:_CURVES]


def _at_risk(axes: Axes, drawn: list[tuple[str, pd.DataFrame]], ages: list[int]) -> None:
    """Write how many accounts each curve rests on below the axis, in its colour and with its name."""
    box: dict[str, Any] = {
        "xycoords": ("data", "axes fraction"),
        "textcoords": "offset points",
        "va": "center",
        "fontsize": 9,
    }
    axes.annotate("Accounts at risk", (0, 0), xytext=(-4, -50), ha="left", color=INK, **box)
    for place, ((name, rows), colour) in enumerate(zip(drawn, PALETTE, strict=False)):
        counts = rows.set_index("age_months")["at_risk"]
        height = -66 - 28 * place
        axes.annotate(name, (0, 0), xytext=(-4, height), ha="left", color=colour, weight="bold", **box)
        for age in ages:
            text = f"{int(counts[age]):,}" if age in counts.index else "–"
            axes.annotate(text, (age, 0), xytext=(0, height - 13), ha="center", color=INK, **box)


def curves_title(curves: RetentionCurves, measure: str = "nrr") -> str:
    """The finding in a sentence: the best and the worst group at the oldest age that all drawn ones have."""
    drawn = [] if curves.reason else _drawn(curves, measure)
    if not drawn:
        return "Retention by age cannot be shown"
    shared = set.intersection(*[set(rows["age_months"]) for _, rows in drawn])
    age = max((int(age) for age in shared if age % 12 == 0), default=max(int(age) for age in shared))
    values = {name: float(rows.loc[rows["age_months"] == age, "value"].iloc[0]) for name, rows in drawn}
    best, worst = max(values, key=lambda name: values[name]), min(values, key=lambda name: values[name])
    if best == worst:
        return f"After {age} months {best} has {percent(values[best])} {MEASURE_WORDS[measure]}"
    span = f"{percent(values[worst])} ({worst}) to {percent(values[best])} ({best})"
    return f"After {age} months {MEASURE_WORDS[measure]} runs from {span}"


@figure
def plot_retention_drivers(drivers: RetentionDrivers) -> Figure:
    """Draw what each group did to the change of NRR: by its rate, and by its share of the base."""
    if drivers.reason:
        return empty(drivers.reason)
    frame = drivers.frame.iloc[:12]
    made, axes = new_figure(height=0.62 * len(frame) + 1.9)
    rows = np.arange(len(frame))
    for name, colour, offset in (("rate_effect", BLUE, -0.19), ("mix_effect", ORANGE, 0.19)):
        points = frame[name].to_numpy(dtype=float) * 100
        axes.barh(rows + offset, points, height=0.34, color=colour)
        for row, point in zip(rows, points, strict=True):
            side = -1 if point < 0 else 1
            text = f"{round(point, 2) + 0.0:+.2f}".replace("-", "−")
            place: dict[str, Any] = {"xytext": (4 * side, 0), "textcoords": "offset points", "fontsize": 9}
            axes.annotate(text, (point, row + offset), va="center", ha="left" if side > 0 else "right", **place)
    axes.axvline(0, color=GREY, lw=1)
    axes.set_yticks(rows, [shown(label) for label in frame[drivers.by]])
    axes.invert_yaxis()
    axes.margins(x=0.22)
    axes.set_xlabel("Effect on NRR, percentage points")
    only_grid(axes, "x")
    legend_below(made, {"retained more or less": BLUE, "more or less of the base": ORANGE}, columns=2)
    titled(made, drivers_title(drivers))
    return made


def drivers_title(drivers: RetentionDrivers) -> str:
    """The finding in a sentence: the change, how much of it is mix, and the group that did most."""
    if drivers.reason or drivers.before is None or drivers.after is None:
        return "What changed NRR cannot be shown"
    change = (drivers.after - drivers.before) * 100
    mix = float(drivers.frame["mix_effect"].sum()) * 100
    top = drivers.frame.iloc[0]
    word = "rose" if change > 0 else "fell"
    return (
        (
            f"NRR {word} by {abs(change):.1f} points to {percent(drivers.after, 1)} in {drivers.month}, "
            f"{mix:+.1f} of them mix; most by {shown(top[drivers.by])} ({float(top['effect']) * 100:+.1f})"
        )
        .replace("-", "−")
        .replace(f"{drivers.month[:4]}−", f"{drivers.month[:4]}-")
    )
