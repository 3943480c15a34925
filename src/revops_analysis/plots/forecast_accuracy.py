"""Figures of how good forecasts have been: against what was booked, by week, and how often the ranges held."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from revops_analysis.models.selection import CHOSEN
from revops_analysis.plots.forecast import BANDS
from revops_analysis.plots.style import (
    BLUE,
    INK,
    ORANGE,
    Money,
    empty,
    figure,
    money_axis,
    new_figure,
    only_grid,
    percent,
    percent_axis,
    titled,
)

_OTHERS = "#B6BCC6"


@figure
def plot_past(past: pd.DataFrame, currency: str, week: int) -> Figure:
    """Draw, for each past period, what was forecast with its 50, 80 and 95% range and what was booked.

    `past`: a row a period and week, oldest first: period, week (at whose end it was forecast), mean, the quantiles by
    name, outcome. Of the weeks that nearest to `week` is drawn.
    """
    known = _at(past, week)
    if known.empty:
        return empty(past_title(past, currency, week))
    made, axes = new_figure(height=4.4)
    places = np.arange(len(known))
    for low, high, _, tint in BANDS:
        axes.bar(places, known[high] - known[low], bottom=known[low], width=0.62, color=tint)
    axes.hlines(known["mean"], places - 0.31, places + 0.31, color=BLUE, linewidth=2.2)
    axes.scatter(places, known["outcome"], color=ORANGE, edgecolor=INK, linewidth=0.9, s=58, marker="D", zorder=4)
    axes.set_xticks(places, [_broken(label) for label in known["period"]])
    axes.set_xlim(-0.6, len(known) - 0.4)
    axes.set_ylim(0, float(known[["p97_5", "outcome", "mean"]].max().max()) * 1.1)
    money_axis(axes, "y", currency, "Bookings")
    only_grid(axes, "y")
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=BLUE, linewidth=2.2, label="forecast"),
        Line2D([], [], color=ORANGE, marker="D", markeredgecolor=INK, linestyle="", markersize=7, label="booked"),
        *(Patch(color=tint, label=f"{name} range") for _, _, name, tint in reversed(BANDS)),
    ]
    made.legend(handles=handles, loc="outside lower left", ncols=3, frameon=False)
    titled(made, past_title(past, currency, week))
    return made


def _at(past: pd.DataFrame, week: int) -> pd.DataFrame:
    """The rows with an outcome of the week nearest to the one asked for; of two as near, the earlier."""
    known = past[past["mean"].notna() & past["outcome"].notna()]
    weeks = sorted(known["week"].unique(), key=lambda other: (abs(other - week), other))
    return known[known["week"] == weeks[0]] if weeks else known


def _broken(label: str) -> str:
    """A period's label on two lines, the year above."""
    return "\n".join(str(label).rsplit("-", 1))


def past_title(past: pd.DataFrame, currency: str, week: int) -> str:
    """How far off the forecasts of that week were on average, and how often the 80% range held."""
    known = _at(past, week)
    if known.empty:
        return "No period that is over has been forecast again: the history is too short."
    miss = (known["mean"] - known["outcome"]).abs().sum()
    real = known["outcome"].abs().sum()
    at = int(known["week"].iloc[0])
    when = f"made at the end of week {at}" if at else "made on the eve of the period"
    off = f"were {percent(miss / real, 1)} off" if real else f"were {Money(currency).short(miss)} off"
    stated = known[known["p10"].notna() & known["p90"].notna()]
    if stated.empty:
        return f"Forecasts {when} {off} over {len(known)} periods"
    held = int(((stated["outcome"] >= stated["p10"]) & (stated["outcome"] <= stated["p90"])).sum())
    return f"Forecasts {when} {off}; in {held} of {len(stated)} periods bookings fell within the 80% range"


@figure
def plot_accuracy(accuracy: pd.DataFrame, overall: pd.DataFrame) -> Figure:
    """Draw the error of each method by week of the period: ours and the best rival in colour, others in grey.

    `accuracy`: [method, title, week, wape]; ours is the method `chosen`. `overall`: [method, rival], whose row of ours
    names the rival that is best on average.
    """
    known, best = accuracy[accuracy["wape"].notna()], _best(overall)
    if known.empty or CHOSEN not in set(known["method"]):
        return empty(accuracy_title(accuracy, overall))
    made, axes = new_figure(height=4.2)
    weeks = sorted(known["week"].unique())
    places = {week: place for place, week in enumerate(weeks)}
    for method in [*sorted(set(known["method"]) - {CHOSEN, best}), best, CHOSEN]:
        rows = known[known["method"] == method].sort_values("week")
        if rows.empty:
            continue
        colour, width, marker = _looks(str(method), best)
        axes.plot(rows["week"].map(places), rows["wape"], color=colour, linewidth=width, marker=marker, markersize=6)
    axes.set_xticks(list(places.values()), [str(week) for week in weeks])
    axes.set_xlim(-0.25, len(weeks) - 0.75 + 0.0 if len(weeks) > 1 else 0.5)
    axes.set_xlabel("Forecast at the end of week")
    top = float(known.loc[known["method"].isin([CHOSEN, best]), "wape"].max()) or 0.01
    axes.set_ylim(0, min(max(float(known["wape"].max()), top) * 1.05, top * 3))
    percent_axis(axes, "y", "Error, share of bookings")
    only_grid(axes, "y")
    handles = [Line2D([], [], color=BLUE, linewidth=2.6, marker="o", label="our forecast")]
    if best is not None:
        handles.append(Line2D([], [], color=ORANGE, linewidth=2.2, marker="s", label=_name(known, best)))
    others = known[~known["method"].isin([CHOSEN, best])]
    if len(others):
        above = "; some lie above" if others["wape"].max() > axes.get_ylim()[1] else ""
        handles.append(Line2D([], [], color=_OTHERS, linewidth=1.3, marker=".", label=f"other methods{above}"))
    made.legend(handles=handles, loc="outside lower left", ncols=1, frameon=False)
    titled(made, accuracy_title(accuracy, overall))
    return made


def _best(overall: pd.DataFrame) -> str | None:
    """The rival that is best on average; None without one."""
    named = overall.loc[overall["method"] == CHOSEN, "rival"].dropna()
    return None if named.empty else str(named.iloc[0])


def _looks(method: str, best: str | None) -> tuple[str, float, str]:
    if method == CHOSEN:
        return BLUE, 2.6, "o"
    return (ORANGE, 2.2, "s") if method == best else (_OTHERS, 1.3, ".")


def _name(accuracy: pd.DataFrame, method: str) -> str:
    title = str(accuracy.loc[accuracy["method"] == method, "title"].iloc[0])
    return f"best rival: {title[:1].lower()}{title[1:]}"


def accuracy_title(accuracy: pd.DataFrame, overall: pd.DataFrame) -> str:
    """How the error falls over the period, and in how many weeks it is below the best rival's."""
    best = _best(overall)
    ours = accuracy[(accuracy["method"] == CHOSEN) & accuracy["wape"].notna()].sort_values("week")
    if ours.empty:
        return "How the error falls with the weeks is not known: no past period was forecast."
    first, last = ours.iloc[0], ours.iloc[-1]
    begin = f"The forecast is {percent(first['wape'], 1)} off at the end of week {first['week']}"
    if len(ours) > 1:
        begin += f" and {percent(last['wape'], 1)} at the end of week {last['week']}"
    rival = accuracy[(accuracy["method"] == best) & accuracy["wape"].notna()].set_index("week")["wape"]
    common = ours.set_index("week")["wape"]
    both = common.index.intersection(rival.index)
    if best is None or both.empty:
        return begin
    better = int((common[both] < rival[both]).sum())
    return f"{begin}; in {better} of {len(both)} weeks closer than the best rule"


@figure
def plot_coverage(coverage: pd.DataFrame) -> Figure:
    """Draw how often bookings fell within the 50, 80 and 95% range, with 95% intervals, beside what was promised.

    `coverage`: rows of `interval_coverage` of one method: interval, n, share, low, high.
    """
    known = coverage[coverage["share"].notna()]
    if known.empty:
        return empty(coverage_title(coverage))
    made, axes = new_figure(height=0.55 * len(known) + 2.1)
    rows = np.arange(len(known))
    promised = known["interval"] / 100
    axes.hlines(rows, known["low"], known["high"], color=BLUE, linewidth=8, alpha=0.35)
    axes.scatter(known["share"], rows, color=BLUE, s=70, zorder=3)
    axes.scatter(promised, rows, color=ORANGE, marker="|", s=420, linewidth=3, zorder=4)
    for row, (high, share, n) in enumerate(zip(known["high"], known["share"], known["n"], strict=True)):
        text = f"{percent(share)} of {n}"
        axes.annotate(
            text, (max(high, promised.iloc[row]), row), xytext=(9, 0), textcoords="offset points", va="center"
        )
    axes.set_yticks(rows, [f"{level}% range" for level in known["interval"]])
    axes.set_ylim(len(known) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, 1.3)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    percent_axis(axes, "x", "Share of outcomes within the range")
    only_grid(axes, "x")
    handles = [
        Line2D([], [], color=BLUE, marker="o", markersize=8, linewidth=8, alpha=0.5, label="measured, 95% interval"),
        Line2D([], [], color=ORANGE, marker="|", linestyle="", markersize=16, markeredgewidth=3, label="promised"),
    ]
    made.legend(handles=handles, loc="outside lower left", ncols=2, frameon=False)
    titled(made, coverage_title(coverage))
    return made


def coverage_title(coverage: pd.DataFrame) -> str:
    """Whether the ranges held as often as they promise."""
    known = coverage[coverage["share"].notna()]
    if known.empty:
        return "Whether the ranges hold is not known: none was stated in past periods."
    off = known[(known["interval"] / 100 < known["low"]) | (known["interval"] / 100 > known["high"])]
    parts = [
        f"the {level}% range held {percent(float(share))}"
        for level, share in zip(known["interval"], known["share"], strict=True)
    ]
    said = ", ".join(parts)
    verdict = "as promised, within chance" if off.empty else _verdict(off)
    return f"{said[:1].upper()}{said[1:]} of the time: {verdict}"


def _verdict(off: pd.DataFrame) -> str:
    too_narrow = (off["share"] < off["interval"] / 100).all()
    return "too narrow" if too_narrow else "wider than they need be" if _all_wide(off) else "not as promised"


def _all_wide(off: pd.DataFrame) -> bool:
    return bool((off["share"] > off["interval"] / 100).all())
