"""Small pictures of the scorecard: the last periods of each measure, without axes, as high as a line of text or two."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from revops_analysis.models.scorecard import Scorecard
from revops_analysis.plots.style import BLUE, GREY, ORANGE, PALETTE, SKY, figure

_SIZE = (1.7, 0.42)

TEAM_COLOURS: Mapping[str | None, str] = {
    **dict(zip(("marketing", "sales", "partners", "customer_success", "product"), PALETTE, strict=False)),
    None: GREY,
}
"""Colours of the teams of a sourced split; grey is nobody's."""


def plot_trends(card: Scorecard) -> dict[str, Figure]:
    """Return a small picture for each measure that has a value: its last periods, the latest one marked.

    A line with the interval as a band where there is one, a gap where a period has no value, the target as a dash;
    the sourced split as stacked columns.
    """
    found = {}
    for line in card.lines.to_dict("records"):
        trend = card.of(line["measure"])
        if trend["value"].notna().any():
            name = line["measure"]
            found[name] = plot_split(trend) if name == "sourced_share" else plot_trend(trend, line["target"])
    return found


@figure
def plot_trend(trend: pd.DataFrame, target: float | None) -> Figure:
    """One measure: value by period, band from low to high, the latest value as a dot, today's target as a dash."""
    made, axes = _bare()
    places, values = np.arange(len(trend)), trend["value"].to_numpy(dtype=float)
    low, high = (trend[name].to_numpy(dtype=float) for name in ("low", "high"))
    axes.fill_between(places, low, high, color=SKY, alpha=0.35, linewidth=0)
    axes.plot(places, values, color=BLUE, linewidth=1.4, solid_capstyle="round")
    axes.plot(places[-1:], values[-1:], "o", color=BLUE, markersize=3.6)
    alone = np.isfinite(values) & ~np.isfinite(np.r_[np.nan, values[:-1]]) & ~np.isfinite(np.r_[values[1:], np.nan])
    axes.plot(places[alone], values[alone], "o", color=BLUE, markersize=2.4)
    if target is not None and np.isfinite(target):
        axes.plot([places[-1] - 0.45, places[-1] + 0.45], [target, target], color=ORANGE, linewidth=2.2)
    axes.set_xlim(-0.5, len(trend) - 0.4)
    axes.margins(y=0.15)
    return made


@figure
def plot_split(trend: pd.DataFrame) -> Figure:
    """The sourced split: a column a period, stacked by team in the order of `TEAM_COLOURS`."""
    made, axes = _bare()
    periods = list(dict.fromkeys(trend["period"]))
    base = np.zeros(len(periods))
    for team, colour in TEAM_COLOURS.items():
        mine = trend[trend["part"].isna() if team is None else trend["part"] == team]
        shares = mine.set_index("period")["value"].reindex(periods).fillna(0.0).to_numpy(dtype=float)
        axes.bar(np.arange(len(periods)), shares, bottom=base, color=colour, width=0.8)
        base += shares
    axes.set_xlim(-0.6, len(periods) - 0.4)
    axes.set_ylim(0, 1)
    return made


def _bare() -> tuple[Figure, Axes]:
    made = Figure(figsize=_SIZE)
    made.add_artist(Rectangle((0, 0), 1, 1, transform=made.transFigure, alpha=0))  # all pictures keep one size
    axes = made.add_axes((0.0, 0.02, 1.0, 0.96))
    axes.set_axis_off()
    return made, axes
