"""Figures of data quality: where checks fail, what that touches, and how it goes.

Each `plot_…` draws a result; each `…_title` states its finding in a sentence, which heads the figure and serves as its
alternative text.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from revops_analysis.models.quality_overview import ROLLING_WEEKS, QualityOverview
from revops_analysis.plots.style import (
    BLUE,
    GREY,
    INK,
    VERMILION,
    Money,
    empty,
    figure,
    money_axis,
    names_axis,
    new_figure,
    percent,
    percent_axis,
    short_number,
    titled,
)
from revops_analysis.validation.quality.dimensions import DIMENSIONS

_SHOWN = 8
_PALE = np.array([0.93, 0.95, 0.97])
_DARK = np.array([0.0, 0.447, 0.698])


@figure
def plot_scores(overview: QualityOverview) -> Figure:
    """Draw the share of failed checks by table and dimension: darker where more fail, empty where none could look."""
    frame = overview.quality.tables
    if frame.empty:
        return empty(scores_title(overview))
    names = list(frame["table"])
    values = 1 - frame[list(DIMENSIONS)].to_numpy(dtype=float)
    made, axes = new_figure(height=1.9 + 0.3 * len(names))
    top = max(float(np.nanmax(values)), 0.001)
    for row, column in np.ndindex(*values.shape):
        value = float(values[row, column])
        if np.isnan(value):
            axes.text(column, row, "–", ha="center", va="center", color=GREY)
            continue
        weight = float(np.sqrt(value / top))
        colour = tuple(_PALE + (_DARK - _PALE) * weight)
        axes.barh(row, 0.96, left=column - 0.48, height=0.9, color=colour)
        text = "0" if value == 0 else "<0.1%" if value < 0.0005 else percent(value, 1)
        axes.text(column, row, text, ha="center", va="center", fontsize=10, color="white" if weight > 0.6 else INK)
    names_axis(axes, [name.replace("_", " ") for name in names])
    axes.grid(visible=False)
    axes.set_xlim(-0.5, len(DIMENSIONS) - 0.5)
    axes.set_xticks(range(len(DIMENSIONS)), list(DIMENSIONS), rotation=30, ha="right")
    axes.set_xlabel("Failed checks, share (–: no rule could look)")
    titled(made, scores_title(overview))
    return made


def scores_title(overview: QualityOverview) -> str:
    """How many checks passed, and which table and dimension fail most."""
    score = overview.quality.score
    if score is None:
        return "Nothing could be checked."
    cells = overview.quality.by("table", "dimension")
    worst = cells.sort_values(["score", "table"], kind="stable").iloc[0]
    passed = f"{score:.2%} of {overview.quality.checks['checked'].sum():,} checks passed"
    if worst["failed"] == 0:
        return passed
    share = percent(1 - worst["score"], 1)
    return f"{passed}; worst is the {worst['dimension']} of {worst['table'].replace('_', ' ')}, where {share} fail"


def _rule_name(rule: str) -> str:
    table, _, name = rule.partition(".")
    return f"{table.replace('_', ' ')}:\n{name.replace('_', ' ')}"


@figure
def plot_money(overview: QualityOverview) -> Figure:
    """Draw the open pipeline of the deals that each rule's failing rows belong to, the largest first."""
    problems = overview.quality.problems
    rows = problems[problems["amount"].notna() & (problems["deals"].fillna(0) > 0)].head(_SHOWN)
    if rows.empty:
        return empty(money_title(overview))
    amounts = rows["amount"].astype(float).to_numpy()
    made, axes = new_figure(height=1.6 + 0.5 * len(rows))
    axes.barh(np.arange(len(rows)), amounts, height=0.6, color=BLUE)
    for row, (amount, deals) in enumerate(zip(amounts.tolist(), rows["deals"], strict=True)):
        axes.text(amount, row, f" {short_number(amount)}, {deals} deal{'s' if deals != 1 else ''}", va="center")
    names_axis(axes, [_rule_name(rule) for rule in rows["rule"]])
    money_axis(axes, "x", overview.currency, "Open pipeline of the deals touched")
    axes.set_xlim(0, float(amounts.max()) * 1.4)
    titled(made, money_title(overview))
    return made


def money_title(overview: QualityOverview) -> str:
    """How much of the open pipeline is touched by any problem."""
    touched = overview.quality.touched
    if not touched.deals:
        return "No problem touches a deal that is open."
    share = "" if touched.share is None else f", {percent(touched.share, 1)} of it"
    amount = Money(overview.currency).short(float(touched.amount))
    return f"Problems touch {touched.deals} of {touched.open_deals} open deals worth {amount}{share}"


@figure
def plot_trend(overview: QualityOverview) -> Figure:
    """Draw the share of failed checks of deals by the week in which they were created, and over four weeks."""
    frame = overview.trend
    if len(frame) < 2:
        return empty(trend_title(overview))
    weeks = pd.to_datetime(frame["week"])
    made, axes = new_figure(height=3.6)
    axes.plot(weeks, frame["share"], "o", color=GREY, markersize=3.5, alpha=0.6, label="week")
    axes.plot(weeks, frame["rolling"], color=VERMILION, linewidth=2.2, label=f"{ROLLING_WEEKS} weeks together")
    locator = AutoDateLocator(maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    percent_axis(axes, "y", "Failed checks of deals")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value * 100:.1f}%")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("Week in which the deal was created")
    made.legend(loc="outside lower left", ncols=2)
    titled(made, trend_title(overview))
    return made


def trend_title(overview: QualityOverview) -> str:
    """The last quarter's share of failed checks against the one before."""
    frame = overview.trend
    if len(frame) < 26:
        return "Deals were created in too few weeks for a trend."
    late, early = frame.tail(13), frame.iloc[-26:-13]
    now, before = (part["failed"].sum() / part["checked"].sum() for part in (late, early))
    return (
        f"{now:.2%} of the checks of deals created in the last 13 weeks fail, {before:.2%} in the 13 weeks before; "
        "young deals have had less time to go wrong"
    )


@figure
def plot_effect(overview: QualityOverview) -> Figure:
    """Draw how the groups of the figures differ after repair: the largest differences, each figure with its group."""
    changed = overview.effect.changed
    rows = changed[(changed["unit"] == "currency") & (changed["cut"] != "whole")].head(10)
    if rows.empty:
        return empty(effect_title(overview))
    amounts = rows["difference"].astype(float).to_numpy()
    made, axes = new_figure(height=1.6 + 0.42 * len(rows))
    axes.barh(np.arange(len(rows)), amounts, height=0.6, color=[BLUE if value > 0 else VERMILION for value in amounts])
    axes.axvline(0, color=GREY, linewidth=0.8)
    reach = float(np.abs(amounts).max())
    for row, amount in enumerate(amounts.tolist()):
        side = "left" if amount >= 0 else "right"
        axes.text(amount, row, f" {short_number(amount)} ", va="center", ha=side, fontsize=10)
    groups = rows["group"].where(rows["group"].notna(), "not given")
    names_axis(axes, [f"{figure}:\n{group}" for figure, group in zip(rows["figure"], groups, strict=True)])
    money_axis(axes, "x", overview.currency, "After repair less as loaded")
    axes.set_xlim(-1.5 * reach, 1.5 * reach)
    titled(made, effect_title(overview))
    return made


def effect_title(overview: QualityOverview) -> str:
    """What repairing the words changes in the wholes and in the groups."""
    changed = overview.effect.changed
    if changed.empty:
        return "Repairing mistyped words changes no figure"
    wholes = overview.effect.wholes
    moved = wholes[(wholes["difference"] != 0) & (wholes["unit"] == "currency")]
    groups = int((changed["cut"] != "whole").sum())
    if moved.empty:
        return f"Repairing mistyped words moves {groups} figures by group, and no total"
    row = moved.iloc[0]
    amount = Money(overview.currency).short(float(row["difference"]))
    return f"Repairing mistyped words changes {row['figure'].lower()} by {amount}, and {groups} figures by group"
