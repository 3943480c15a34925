"""Figures of warning flags: what each went with in the past, and which money carries them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from revops_analysis.models.deal_flags import LOWERS, RAISES, DealFlags
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
    shown,
    titled,
)

FAINT = "#B6BCC6"
"""Colour of what has no measured effect."""

_LOOKS = {LOWERS: VERMILION, RAISES: BLUE}
_MOST = 12


@figure
def plot_flag_effects(found: DealFlags) -> Figure:
    """Draw the effect of each flag with its 95% interval: those measured in colour, the others in grey.

    Flags that could not be compared stand below, with the reason in place of an interval.
    """
    rows = found.flags.assign(
        place=found.flags["verdict"].map({LOWERS: 0, RAISES: 1}).fillna(2).where(found.flags["effect"].notna(), 3)
    ).sort_values(["place", "effect"], kind="stable", ignore_index=True)
    if found.reason or rows.empty:
        return empty(effects_title(found))
    made, axes = new_figure(height=0.42 * len(rows) + 1.7)
    axes.axvline(0, color=INK, lw=1)
    right = _right(rows)
    for place, row in enumerate(rows.to_dict("records")):
        colour = _LOOKS.get(row["verdict"], FAINT)
        if pd.isna(row["effect"]):
            axes.annotate(f"  {row['verdict']}", (0, place), va="center", color=GREY, fontsize=10)
            continue
        if pd.notna(row["low"]):
            axes.hlines(place, row["low"], row["high"], color=colour, lw=2.5)
        axes.scatter(row["effect"], place, color=colour, s=50, zorder=3)
        text = f"{percent(row['effect'], 1)} ({row['past_deals']:,})"
        is_measured = row["verdict"] in _LOOKS
        axes.annotate(text, (right, place), va="center", ha="right", color=INK if is_measured else GREY, fontsize=10)
    names_axis(axes, list(rows["title"]))
    for label, verdict in zip(axes.get_yticklabels(), rows["verdict"], strict=True):
        label.set_color(INK if verdict in _LOOKS else GREY)
    low = float(np.nanmin([*rows["low"], *rows["effect"], -0.02]))
    axes.set_xlim(low * 1.08, right)
    percent_axis(
        axes,
        "x",
        f"Win rate within {found.horizon_days} days, with the flag less without\n(in brackets: past deals with it)",
    )
    handles = [
        Line2D([], [], marker="o", color=colour, ms=7, lw=2.5, label=label)
        for colour, label in ((VERMILION, LOWERS), (BLUE, RAISES), (FAINT, "no measured effect"))
    ]
    made.legend(handles=handles, loc="outside lower left", ncols=2, frameon=False)
    titled(made, effects_title(found))
    return made


def _right(rows: pd.DataFrame) -> float:
    """Where the axis ends, so that the figures to the right of the intervals have room."""
    known = rows["effect"].notna()
    high = float(np.nanmax([*rows.loc[known, "high"], *rows.loc[known, "effect"], 0.02]))
    low = float(np.nanmin([*rows.loc[known, "low"], *rows.loc[known, "effect"], -0.02]))
    return high + 0.42 * (high - low)


def effects_title(found: DealFlags) -> str:
    """Which flag goes with the fewest wins, and how many have no measured effect."""
    if found.reason:
        return f"What flags go with is not known: {found.reason}."
    measured = found.measured
    rest = len(found.flags) - len(measured)
    if measured.empty:
        return f"None of the {len(found.flags)} flags goes with fewer or more wins than chance would show"
    worst = measured.iloc[0]
    side = "lower" if worst["effect"] < 0 else "higher"
    text = f"With “{worst['title']}” the win rate is {abs(worst['effect']) * 100:.0f} points {side}"
    return f"{text}; {rest} of {len(found.flags)} flags show no effect here" if rest else text


@figure
def plot_warned(found: DealFlags, cut: str = "owner") -> Figure:
    """Draw open pipeline with a flag that goes with fewer wins, by a cut, and how much of it is expected to be lost."""
    rows = found.by(cut)
    rows = rows[rows["warned_amount"] > 0].head(_MOST)
    if rows.empty:
        return empty(warned_title(found))
    made, axes = new_figure(height=0.4 * len(rows) + 1.8)
    place = np.arange(len(rows))
    axes.barh(place, rows["warned_amount"], color=FAINT, height=0.62)
    axes.barh(place, rows["expected_loss"], color=VERMILION, height=0.62)
    for at, (amount, part) in enumerate(zip(rows["warned_amount"], rows["open_amount"], strict=True)):
        text = f"{percent(amount / part)} of its pipeline"
        axes.annotate(text, (amount, at), xytext=(4, 0), textcoords="offset points", va="center", fontsize=10)
    names_axis(axes, [shown(name) for name in rows[cut]])
    axes.set_xlim(0, float(rows["warned_amount"].max()) * 1.45)
    money_axis(axes, "x", found.currency, "Open pipeline with a warning")
    handles = [
        Line2D([], [], color=VERMILION, lw=8, label="expected loss"),
        Line2D([], [], color=FAINT, lw=8, label="the rest of it"),
    ]
    made.legend(handles=handles, loc="outside lower left", ncols=2, frameon=False)
    titled(made, warned_title(found))
    return made


def warned_title(found: DealFlags) -> str:
    """How much of the open pipeline carries a warning that counts, and what that may cost."""
    if found.reason:
        return f"Which deals are in danger is not known: {found.reason}."
    warned, money = found.warned, Money(found.currency)
    if warned.empty:
        return "No open deal has a flag that goes with fewer wins"
    whole = float(found.deals["amount"].sum())
    amount, loss = float(warned["amount"].sum()), float(warned["expected_loss"].sum())
    part = f", {percent(amount / whole)} of the open pipeline," if whole else ""
    return (
        f"{len(warned):,} deals worth {money.short(amount)}{part} have a warning; {money.short(loss)} of it may be lost"
    )
