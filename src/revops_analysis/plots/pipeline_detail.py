"""Figures of the pipeline's detail: what became of deals expected in each month, and which deals are won."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from revops_analysis.metrics.dealflow.slippage import OUTCOMES, Slippage
from revops_analysis.metrics.dealflow.win_loss import WinLoss
from revops_analysis.plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    VERMILION,
    YELLOW,
    count,
    empty,
    figure,
    legend_below,
    names_axis,
    new_figure,
    percent,
    percent_axis,
    shown,
    titled,
)

OUTCOME_WORDS = {
    "won": "won",
    "lost": "lost",
    "pushed": "pushed",
    "overdue": "left overdue",
    "left": "omitted or deleted",
}
"""What became of a deal, as a reader sees it."""

_COLOURS = dict(zip(OUTCOMES, (GREEN, GREY, ORANGE, VERMILION, YELLOW), strict=True))
_CUTS_DRAWN = ("segment", "type", "source", "size", "competitor")
_LONGEST = 26


@figure
def plot_slippage(found: Slippage) -> Figure:
    """Draw, for each month, what had become of the deals that were expected in it, as shares."""
    months = found.months
    if months.empty:
        return empty(slippage_title(found))
    made, axes = new_figure(height=0.36 * len(months) + 2.0)
    rows, left = np.arange(len(months)), np.zeros(len(months))
    total = months["deals"].to_numpy(dtype=float)
    drawn = [name for name in OUTCOMES if months[name].sum()]
    for name in drawn:
        share = months[name].to_numpy(dtype=float) / total
        axes.barh(rows, share, left=left, color=_COLOURS[name], height=0.7)
        left += share
    for row, (share, n) in enumerate(zip(months["slipped"], months["deals"], strict=True)):
        axes.annotate(
            f"{percent(share)} of {count(n)}", (1, row), xytext=(5, 0), textcoords="offset points", va="center"
        )
    names_axis(axes, [f"{month:%b %Y}" for month in months["month"]])
    axes.set_xlim(0, 1.3)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    percent_axis(axes, "x", "Deals expected in the month; on the right: slipped, of all")
    legend_below(made, {OUTCOME_WORDS[name]: _COLOURS[name] for name in drawn})
    titled(made, slippage_title(found))
    return made


def slippage_title(found: Slippage) -> str:
    """How many deals that were expected in a month were still open when it was over."""
    promises = found.promises
    if promises.empty:
        return "What became of deals expected in past months is not known: the source has no history of close dates."
    share = float(promises["slipped"].mean())
    worst = found.months.sort_values("slipped", ascending=False, kind="stable").iloc[0]
    return (
        f"{percent(share)} of deals expected in a month were still open at its end; most in "
        f"{worst['month']:%B %Y} ({percent(worst['slipped'])})"
    )


@figure
def plot_win_rates(found: WinLoss) -> Figure:
    """Draw win rates with 95% intervals by segment, type, source, size and competitor, beside the rate of all."""
    frame = found.cuts[found.cuts["cut"].isin(_CUTS_DRAWN)].reset_index(drop=True)
    if frame.empty or found.rate is None:
        return empty(win_rates_title(found))
    made, axes = new_figure(height=0.3 * len(frame) + 1.9)
    gaps = (frame["cut"] != frame["cut"].shift()).cumsum() - 1
    rows = np.arange(len(frame)) + 0.6 * gaps.to_numpy()
    clear = (frame["p_adjusted"] <= _CLEAR).to_numpy()
    for mask, colour in ((clear, BLUE), (~clear, GREY)):
        part = frame[mask]
        axes.hlines(rows[mask], part["low"], part["high"], color=colour, linewidth=2)
        axes.scatter(part["rate"], rows[mask], color=colour, s=36, zorder=3)
    axes.axvline(found.rate, color=INK, linestyle=":", linewidth=1.2)
    right = min(1.05, float(frame["high"].max()) * 1.06)
    for row, n in zip(rows, frame["closed"], strict=True):
        axes.annotate(count(n), (right, row), va="center", fontsize=9)
    axes.set_yticks(rows, [_label(cut, value) for cut, value in zip(frame["cut"], frame["value"], strict=True)])
    axes.set_ylim(rows[-1] + 0.8, -0.8)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, right * 1.14)
    percent_axis(axes, "x", "Won of closed (right: number); blue: unlike the rest")
    titled(made, win_rates_title(found))
    return made


_CLEAR = 0.05


def _label(cut: str, value: object) -> str:
    text = f"{cut}: {shown(value)}" if cut != "size" else f"{cut} {shown(value)}"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def win_rates_title(found: WinLoss) -> str:
    """How many of the closed deals were won, and which kind is won least, if that is not chance."""
    if found.rate is None:
        return f"No deal closed in {found.period.label}."
    whole = f"{percent(found.rate)} of {count(found.closed)} deals closed in the year were won"
    frame = found.cuts[found.cuts["cut"].isin(_CUTS_DRAWN) & found.cuts["value"].notna()]
    low = frame[(frame["p_adjusted"] <= _CLEAR) & (frame["difference"] < 0)]
    if low.empty:
        return f"{whole}; no kind of deal clearly less often than the rest"
    worst = low.sort_values("rate", kind="stable").iloc[0]
    return f"{whole}; least of {worst['cut']} {worst['value']} ({percent(worst['rate'])} of {count(worst['closed'])})"
