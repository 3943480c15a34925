"""Figures of the win probability: whether it means what it says, how it is spread, and what it rests on."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from revops_analysis.models.win_report import MODEL, WinReport
from revops_analysis.plots.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    SKY,
    count,
    empty,
    figure,
    legend_below,
    names_axis,
    new_figure,
    only_grid,
    panels,
    percent,
    percent_axis,
    titled,
)


@figure
def plot_calibration(report: WinReport) -> Figure:
    """Draw what became of deals by the probability they had: the model's, and the CRM's where it states one."""
    if report.curve.empty:
        return empty(calibration_title(report))
    made, axes = new_figure(height=5.0)
    top = 1.0
    axes.plot([0, top], [0, top], color=GREY, linewidth=1.2, linestyle=(0, (4, 3)))
    handles = [Line2D([], [], color=GREY, linestyle=(0, (4, 3)), label="means what it says")]
    for curve, colour, marker, name in (
        (report.crm_curve, ORANGE, "s", "CRM"),
        (report.curve, BLUE, "o", "our model, 95% interval"),
    ):
        if curve.empty:
            continue
        x, y = curve["mean_probability"], curve["share"]
        below, above = (y - curve["share_low"]).clip(lower=0), (curve["share_high"] - y).clip(lower=0)
        axes.errorbar(x, y, yerr=[below, above], color=colour, marker=marker, linewidth=2, markersize=6, capsize=3)
        handles.append(Line2D([], [], color=colour, marker=marker, linewidth=2, label=name))
    axes.set_xlim(0, top)
    axes.set_ylim(0, top)
    ticks = [0, 0.25, 0.5, 0.75, 1]
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    percent_axis(axes, "x", "Stated probability of winning in the period")
    percent_axis(axes, "y", "Share won in the period")
    axes.grid(visible=True, axis="both")
    made.legend(handles=handles, loc="outside lower left", ncols=2, frameon=False)
    titled(made, calibration_title(report))
    return made


def calibration_title(report: WinReport) -> str:
    """How far stated probabilities are from what happened, beside the CRM's."""
    scores = report.scores.set_index("method")["calibration_error"]
    if report.curve.empty or pd.isna(scores[MODEL]):
        return report.trial.reason or "Whether the probabilities mean what they say cannot be told."
    begin = f"Our probabilities are {percent(scores[MODEL], 1)} off on average"
    return begin if pd.isna(scores["crm"]) else f"{begin}, those in the CRM {percent(scores['crm'], 1)}"


@figure
def plot_spread(report: WinReport) -> Figure:
    """Draw how the probabilities of deals that were won and of others lie, as two histograms on one axis."""
    frame = report.spread[report.spread["share"].notna()]
    if frame.empty:
        return empty(spread_title(report))
    made, axes = panels(2, height=4.6)
    for place, (outcome, colour) in enumerate((("won", BLUE), ("not won", ORANGE))):
        part = frame[frame["outcome"] == outcome]
        width = part["high"] - part["low"]
        axes[place].bar(part["low"], part["share"], width=width * 0.94, align="edge", color=colour)
        axes[place].set_title(f"{outcome}, {count(part['n'].sum())} weekly states", fontweight="normal", fontsize=11)
        axes[place].set_xlim(0, 1)
        axes[place].set_xticks([0, 0.25, 0.5, 0.75, 1])
        percent_axis(axes[place], "y", "Share")
        percent_axis(axes[place], "x", "Stated probability of winning in the period" if place else "")
        only_grid(axes[place], "y")
    titled(made, spread_title(report))
    return made


def spread_title(report: WinReport) -> str:
    """How often a deal that was won had been given more than one that was not."""
    auc = report.scores.set_index("method")["roc_auc"]
    if pd.isna(auc[MODEL]):
        return report.trial.reason or "How well the probabilities tell deals apart cannot be said."
    rate = auc["stage_rate"]
    beside = "" if pd.isna(rate) else f"; the win rate of the stage does so in {percent(rate)}"
    return f"In {percent(auc[MODEL])} of pairs the deal that was won had been given more than the other{beside}"


@figure
def plot_importance(report: WinReport) -> Figure:
    """Draw by how much the Brier score rises when a group of features is shuffled among the test rows."""
    frame = report.trial.importance
    if frame.empty:
        return empty(importance_title(report))
    made, axes = new_figure(height=0.38 * len(frame) + 1.9)
    rows = np.arange(len(frame))
    loss = frame["loss"].to_numpy(dtype=float)
    axes.barh(rows, loss, color=BLUE, height=0.62)
    spread = np.clip([loss - frame["low"], frame["high"] - loss], 0, None)
    axes.errorbar(loss, rows, xerr=spread, fmt="none", ecolor=INK, capsize=3)
    for row, (value, high) in enumerate(zip(loss, frame["high"], strict=True)):
        text = f"{value:.4f}".replace("-", "−")
        axes.annotate(text, (max(value, high, 0.0), row), xytext=(6, 0), textcoords="offset points", va="center")
    names_axis(axes, list(frame["title"]))
    axes.set_xlim(min(0.0, float(frame["low"].min()) * 1.1), max(float(frame["high"].max()), 1e-6) * 1.22)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel("Rise of the Brier score when shuffled")
    titled(made, importance_title(report))
    return made


def importance_title(report: WinReport) -> str:
    """What the probability rests on most."""
    frame = report.trial.importance
    if frame.empty:
        return report.trial.reason or "It rests on the stage alone: win rates by stage answered."
    first, second = (str(title) for title in frame["title"].iloc[:2])
    return f"The probability rests most on {first[:1].lower()}{first[1:]}, then on {second[:1].lower()}{second[1:]}"


@figure
def plot_scores(report: WinReport) -> Figure:
    """Draw the Brier score of each method on the same rows, the model's in blue; shorter is better."""
    frame = report.scores[report.scores["brier"].notna()]
    if frame.empty:
        return empty(scores_title(report))
    made, axes = new_figure(height=0.5 * len(frame) + 1.7)
    rows = np.arange(len(frame))
    axes.barh(rows, frame["brier"], color=[BLUE if name == MODEL else SKY for name in frame["method"]], height=0.62)
    for row, value in enumerate(frame["brier"]):
        axes.annotate(f"{value:.4f}", (value, row), xytext=(6, 0), textcoords="offset points", va="center")
    names_axis(axes, list(frame["title"]))
    axes.set_xlim(0, float(frame["brier"].max()) * 1.2)
    axes.set_xlabel("Brier score: mean squared error, 0 is perfect")
    legend_below(made, {"our model": BLUE, "what it is compared with": SKY}, columns=2)
    titled(made, scores_title(report))
    return made


def scores_title(report: WinReport) -> str:
    """How much smaller the model's squared error is than that of the next best."""
    rows = {str(row["method"]): row for row in report.scores.to_dict("records")}
    ours = float(rows[MODEL]["brier"])
    if np.isnan(ours):
        return report.trial.reason or f"The model cannot be scored: {rows[MODEL]['reason']}."
    others = {name: float(row["brier"]) for name, row in rows.items() if name != MODEL and pd.notna(row["brier"])}
    best = min(others, key=lambda name: others[name])
    name, change = str(rows[best]["title"]), 1 - ours / others[best]
    word = "smaller" if change >= 0 else "larger"
    low, high = float(rows[best]["gain_low"]), float(rows[best]["gain_high"])
    chance = ", which may be chance" if low <= 0 <= high else ""
    return f"Our squared error is {percent(abs(change))} {word} than that of the {name[:1].lower()}{name[1:]}{chance}"
