"""Curves with the numbers at risk under them: panels, colours and dashes, and rows of counts that are the legend."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation, blended_transform_factory

from revops_analysis.plots.style import BLUE, INK, PALETTE, WIDTH, count, shown

_DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))
_LONGEST = 17
"""Letters of a level's name that fit beside the numbers under a curve."""


def looks_of(scopes: list[str | None]) -> dict[str | None, tuple[str, Any]]:
    """Colour and dash of each curve; the first, which holds all, in ink."""
    whole = scopes[0]
    levels = {scope: (PALETTE[place], _DASHES[place]) for place, scope in enumerate(scopes[1:])}
    return {whole: (INK, _DASHES[-1]), **levels} if levels else {whole: (BLUE, "-")}


def stacked_panels(heights: list[float], rows: int) -> tuple[Figure, list[Axes]]:
    """Panels one above the other, and a last one for the numbers under the curves."""
    below = 0.27 * rows + 0.1
    made = Figure(figsize=(WIDTH, sum(heights) + below + 1.4), layout="constrained")
    return made, list(made.subplots(len(heights) + 1, 1, height_ratios=[*heights, below]))


def settled(made: Figure) -> Figure:
    """Lay the panels out once and keep the places, rounded.

    With several panels the solver's last digits differ from one call to the next, and clip paths are named by them.
    """
    made.draw_without_rendering()
    made.set_layout_engine("none")
    for axes in made.axes:
        left, bottom, width, height = (round(float(value), 4) for value in axes.get_position().bounds)
        axes.set_position((left, bottom, width, height))
    return made


def count_rows(
    made: Figure, numbers: dict[str | None, list[float]], ticks: list[int], looks: dict[str | None, tuple[str, Any]]
) -> None:
    """Rows of counts under the curves, which are their legend too: each name stands beside its colour and dash."""
    axes = made.axes[-1]
    left_end = ScaledTranslation(0, 0, axes.transAxes)  # type: ignore[arg-type] # the stub wants an affine; it is one
    inches = made.dpi_scale_trans + left_end
    beside = blended_transform_factory(inches, axes.transData)
    for row, (scope, counts) in enumerate(numbers.items()):
        colour, dash = looks[scope]
        line = Line2D([-0.72, -0.34], [row, row], color=colour, ls=dash, lw=2, clip_on=False)
        line.set_transform(beside)
        axes.add_artist(line)
        for tick, number in zip(ticks, counts, strict=True):
            axes.text(tick, row, count(number), ha="center", va="center", fontsize=10, color=INK)
    axes.set_yticks(range(len(numbers)), [short_name(shown(scope)) for scope in numbers])
    axes.tick_params(axis="y", length=0, pad=56)
    axes.set_ylim(len(numbers) - 0.5, -0.5)
    axes.set_xticks(ticks)
    axes.grid(visible=False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(side == "bottom")


def short_name(name: object) -> str:
    """A level's name, cut to what fits beside the numbers."""
    text = str(name)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
