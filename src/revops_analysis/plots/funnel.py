"""Figures of the hand-off of leads: the funnel, the quarrel over the rule, waiting, refusals, and the best possible."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from revops_analysis.metrics.funnel.leads import SIDES
from revops_analysis.models.lead_handoff import LeadHandOff
from revops_analysis.models.lead_replay import AGAINST, NEW, LeadReplay
from revops_analysis.plots.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    SKY,
    VERMILION,
    count,
    empty,
    figure,
    legend_below,
    names_axis,
    new_figure,
    only_grid,
    percent,
    percent_axis,
    shown,
    titled,
)

_STAGE_WORDS = {
    "lead": "Created",
    "qualified": "Passed to sales",
    "accepted": "Accepted",
    "deal": "Became a deal",
    "won": "Won",
}
_REASONS_DRAWN = 8


@figure
def plot_funnel(found: LeadHandOff) -> Figure:
    """Draw how many of the leads created in the year had reached each stage, with the share of the stage before."""
    frame = found.reached
    if found.reason or not frame["n"].iloc[0]:
        return empty(funnel_title(found))
    made, axes = new_figure(height=0.55 * len(frame) + 1.2)
    rows = np.arange(len(frame))
    n = frame["n"].to_numpy(dtype=float)
    axes.barh(rows, n, color=BLUE, height=0.62)
    for row, value in enumerate(n):
        before = n[row - 1] if row else 0.0
        step = f", {percent(value / before)} of the stage before" if before else ""
        label = f"{count(value)}{step}"
        inside = value > 0.62 * n.max()
        axes.annotate(
            label,
            (value, row),
            xytext=(-6 if inside else 6, 0),
            textcoords="offset points",
            va="center",
            ha="right" if inside else "left",
            color="white" if inside else INK,
        )
    names_axis(axes, [_STAGE_WORDS[stage] for stage in frame["stage"]])
    axes.set_xlabel("Leads created in the year")
    titled(made, funnel_title(found))
    return made


def funnel_title(found: LeadHandOff) -> str:
    """How many leads were passed, and what became of them."""
    if found.reason:
        return f"The funnel cannot be shown: {found.reason}."
    n = found.reached.set_index("stage")["n"]
    if not n["lead"]:
        return f"No lead was created in {found.span.label}."
    return (
        f"Of {count(n['lead'])} leads of the year {count(n['qualified'])} were passed to sales, "
        f"{count(n['deal'])} have become a deal and {count(n['won'])} are won"
    )


_PARTS = {"became a deal": BLUE, "worked, no deal": GREY, "never worked: unknown": ORANGE}


@figure
def plot_quarrel(found: LeadHandOff) -> Figure:
    """Draw the leads that today's and the proposed rule pass in a month, by what is known of them."""
    if found.replay is None:
        return empty(quarrel_title(found))
    made, axes = new_figure(height=3.3)
    for place, rule in enumerate((AGAINST, NEW)):
        _draw_rule(axes, place, found.replay, rule)
    names_axis(axes, ["Today's rule", "Proposed rule"])
    axes.set_xlim(0, max(float(found.replay.of(rule)["passed_month"]) for rule in (AGAINST, NEW)) * 1.02)
    axes.set_xlabel("Leads passed a month")
    legend_below(made, _PARTS, columns=2)
    titled(made, quarrel_title(found))
    return made


def _draw_rule(axes: Axes, place: int, replay: LeadReplay, rule: str) -> None:
    row = replay.of(rule)
    if not row["passed"]:
        return
    scale = float(row["passed_month"]) / row["passed"]
    parts = (row["deals"], row["worked"] - row["deals"], row["unknown"])
    left = 0.0
    for size, colour in zip(parts, _PARTS.values(), strict=True):
        axes.barh(place, size * scale, left=left, color=colour, height=0.5)
        left += size * scale
    rate = f"{count(row['passed_month'])} a month, {percent(row['deal_rate'])} of the worked become a deal"
    axes.annotate(rate, (0, place - 0.3), xytext=(0, 3), textcoords="offset points", va="bottom", fontsize=10)


def quarrel_title(found: LeadHandOff) -> str:
    """Today's rule against the proposed one."""
    if found.replay is None:
        return found.reason or f"No rule is proposed: {found.proposal.reason}."
    today, new = found.replay.of(AGAINST), found.replay.of(NEW)
    return (
        f"The proposed rule passes {count(new['passed_month'])} leads a month, not {count(today['passed_month'])}; "
        f"{percent(new['deal_rate'])} become a deal, not {percent(today['deal_rate'])}, and "
        f"{percent(new['recall'])} of the deals are kept"
    )


@figure
def plot_speed(found: LeadHandOff) -> Figure:
    """Draw the share of leads that became a deal by how long they waited for an answer, with 95% intervals."""
    bands = found.speed.bands
    if bands.empty:
        return empty(speed_title(found))
    made, axes = new_figure(height=0.48 * len(bands) + 1.4)
    rows = np.arange(len(bands))
    rate = bands["rate"].to_numpy(dtype=float)
    colours = [VERMILION if name == "not answered" else BLUE for name in bands["band"]]
    axes.barh(rows, np.nan_to_num(rate), color=colours, height=0.6)
    spread = np.clip([rate - bands["low"], bands["high"] - rate], 0, None)
    axes.errorbar(rate, rows, xerr=spread, fmt="none", ecolor=INK, capsize=3)
    for row, (high, n, value) in enumerate(zip(bands["high"], bands["n"], rate, strict=True)):
        text = f"{percent(value, 1)} of {count(n)}" if n else "no lead"
        at = 0.0 if np.isnan(high) else float(high)
        axes.annotate(text, (at, row), xytext=(6, 0), textcoords="offset points", va="center", fontsize=10)
    names_axis(axes, [str(name)[:1].upper() + str(name)[1:] for name in bands["band"]])
    axes.set_xlim(0, max(float(np.nanmax(bands["high"])) * 1.4, 0.01))
    percent_axis(axes, "x", "Share of passed leads that became a deal so far")
    titled(made, speed_title(found))
    return made


def speed_title(found: LeadHandOff) -> str:
    """What answering within the agreed time goes with, from the landmark comparison."""
    speed = found.speed
    if speed.effects.empty:
        return f"What waiting costs is not known: {speed.reason}."
    row = speed.effects.iloc[0]
    within = f"{row['minutes']:g} minutes"
    if pd.isna(row["difference"]):
        return f"What waiting costs is not known: {row['reason']}."
    rates = (
        f"{percent(row['answered_rate'], 1)} become a deal, {percent(row['waiting_rate'], 1)} of those still waiting"
    )
    if row["low"] is not None and row["low"] <= 0 <= row["high"]:
        return f"Of leads answered within {within} {rates}: no difference beyond chance"
    return f"Of leads answered within {within} {rates} then"


_SIDE_COLOURS = dict(zip(SIDES, (ORANGE, BLUE, SKY), strict=True))


@figure
def plot_refusals(found: LeadHandOff) -> Figure:
    """Draw the reasons for refusal, most frequent first, by who refused."""
    frame = found.refusals
    if frame.empty:
        return empty(refusals_title(found))
    wide = frame.assign(reason=[shown(reason) for reason in frame["reason_given"]]).pivot_table(
        index="reason", columns="side", values="n", aggfunc="sum", fill_value=0
    )
    order = wide.sum(axis=1).sort_values(ascending=False, kind="stable").index[:_REASONS_DRAWN]
    wide = wide.loc[order]
    made, axes = new_figure(height=0.42 * len(wide) + 1.8)
    left = np.zeros(len(wide))
    sides = [side for side in SIDES if side in wide.columns]
    for side in sides:
        values = wide[side].to_numpy(dtype=float)
        axes.barh(np.arange(len(wide)), values, left=left, color=_SIDE_COLOURS[side], height=0.62)
        left += values
    for row, value in enumerate(left):
        axes.annotate(count(value), (value, row), xytext=(6, 0), textcoords="offset points", va="center")
    names_axis(axes, [str(name) for name in wide.index])
    axes.set_xlim(0, left.max() * 1.12)
    axes.set_xlabel("Leads refused in the year")
    legend_below(made, {side: _SIDE_COLOURS[side] for side in sides}, columns=2)
    titled(made, refusals_title(found))
    return made


def refusals_title(found: LeadHandOff) -> str:
    """How many leads each side refused, and the most frequent reason."""
    frame = found.refusals
    if frame.empty:
        return found.reason or "No lead was refused in the year."
    by_side = frame.groupby("side")["n"].sum()
    parts = [f"{count(by_side[side])} by {side}" for side in SIDES if side in by_side]
    reason = frame.assign(reason=[shown(r) for r in frame["reason_given"]]).groupby("reason")["n"].sum()
    most = reason.sort_values(ascending=False, kind="stable").index[0]
    return f"Leads refused: {'; '.join(parts)}. Most often: {most}"


@figure
def plot_near_best(found: LeadHandOff) -> Figure:
    """Draw the precision of the score at each recall, and where the rules stand, on leads that neither has seen."""
    curve = found.proposal.curve
    if curve.empty:
        return empty(near_best_title(found))
    made, axes = new_figure(height=4.2)
    axes.plot(curve["recall"], curve["precision"], color=GREY, linewidth=2)
    handles = [Line2D([], [], color=GREY, linewidth=2, label="score: best leads first")]
    looks = {"proposed rule": (BLUE, "o", "proposed rule, 95% interval"), "today's rule": (ORANGE, "s", "today's rule")}
    for row in found.proposal.against.to_dict("records"):
        colour, marker, label = looks[row["rule"]]
        spread = [[max(row["precision"] - row["low"], 0)], [max(row["high"] - row["precision"], 0)]]
        axes.errorbar([row["recall"]], [row["precision"]], yerr=spread, color=colour, marker=marker, ms=8, capsize=3)
        handles.append(Line2D([], [], color=colour, marker=marker, linestyle="", markersize=8, label=label))
    axes.set_xlim(0, 1.03)
    axes.set_ylim(bottom=0)
    percent_axis(axes, "x", "Share of the deals kept (recall)")
    percent_axis(axes, "y", "Become a deal (precision)")
    only_grid(axes, "y")
    made.legend(handles=handles, loc="outside lower left", ncols=2, frameon=False)
    titled(made, near_best_title(found))
    return made


def near_best_title(found: LeadHandOff) -> str:
    """How near the proposed rule comes to the score."""
    rows = {str(row["rule"]): row for row in found.proposal.against.to_dict("records")}
    if "proposed rule" not in rows:
        return found.reason or f"No rule is proposed: {found.proposal.reason}."
    row = rows["proposed rule"]
    beside = f"at the same recall the score reaches {percent(row['score_precision'])}"
    return f"{percent(row['precision'])} of the leads that the proposed rule passes become a deal; {beside}"
