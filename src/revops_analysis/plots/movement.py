"""Figure of a movement: the waterfall from one day's open pipeline to another's."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from revops_analysis.metrics.movement import PipelineMovement
from revops_analysis.plots.style import (
    GAIN,
    LOSS,
    TOTAL,
    Money,
    figure,
    money_axis,
    names_axis,
    new_figure,
    short_number,
    titled,
)

LINE_WORDS = {
    "opening": "Opening",
    "created": "Created",
    "reopened": "Reopened",
    "restored": "Restored",
    "moved_in_pulled": "Pulled in",
    "moved_in_pushed": "Pushed in",
    "amount_up": "Amount up",
    "amount_down": "Amount down",
    "exchange_rate": "Exchange rate",
    "moved_out_pulled": "Pulled out",
    "moved_out_pushed": "Pushed out",
    "omitted": "Omitted",
    "transferred": "Transferred",
    "deleted": "Deleted",
    "lost": "Lost",
    "won": "Won",
    "closing": "Closing",
}
"""Lines of a movement as a reader sees them."""

_NAMED_LINES = 3


@figure
def plot_movement(movement: PipelineMovement) -> Figure:
    """Draw a movement without a cut as a waterfall, from opening to closing; lines that nobody has are left out."""
    frame = movement.lines
    is_end = frame["line"].isin(["opening", "closing"])
    kept = frame[is_end | (frame["n"] > 0) & (frame["value"] != 0)].reset_index(drop=True)
    values = kept["value"].to_numpy(dtype=float)
    ends = np.where(kept["line"] == "closing", values, np.cumsum(values))
    starts = np.where(kept["line"].isin(["opening", "closing"]), 0.0, ends - values)
    colours = np.select([kept["line"].isin(["opening", "closing"]), values >= 0], [TOTAL, GAIN], LOSS)
    made, axes = new_figure(height=0.42 * len(kept) + 1.5)
    rows = np.arange(len(kept))
    axes.barh(rows, ends - starts, left=starts, color=list(colours), height=0.66)
    for row, value in enumerate(values):
        sign = "+" if value > 0 and colours[row] != TOTAL else ""
        right = max(starts[row], ends[row])
        axes.annotate(
            f"{sign}{short_number(value)}", (right, row), xytext=(4, 0), textcoords="offset points", va="center"
        )
    names_axis(axes, [LINE_WORDS[line] for line in kept["line"]])
    axes.set_xlim(0, max(float(np.maximum(starts, ends).max()), 1.0) * 1.16)
    money_axis(axes, "x", movement.currency, "Open pipeline")
    titled(made, movement_title(movement))
    return made


def movement_title(movement: PipelineMovement) -> str:
    """By how much the pipeline changed, and what did most to it."""
    money = Money(movement.currency)
    whose = f"expected in {movement.span.period.label} " if movement.span.period else ""
    since = f"since {movement.span.start.isoformat()}"
    moved = movement.lines[~movement.lines["line"].isin(["opening", "closing"]) & (movement.lines["value"] != 0)]
    if moved.empty:
        return f"The open pipeline {whose}did not move {since}"
    change = movement.closing - movement.opening
    word = "grew" if change > 0 else "fell" if change < 0 else "is unchanged"
    by = f" by {money.short(abs(change))}" if change else ""
    largest = moved.loc[moved["value"].abs().sort_values(ascending=False, kind="stable").index].head(_NAMED_LINES)
    parts = [
        f"{LINE_WORDS[line].lower()} {short_number(value)}" for line, value in zip(*_columns(largest), strict=True)
    ]
    return f"The open pipeline {whose}{word}{by} {since}: {', '.join(parts)}"


def _columns(lines: pd.DataFrame) -> tuple[list[str], list[float]]:
    return list(lines["line"].astype(str)), list(lines["value"].astype(float))
