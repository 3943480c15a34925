"""How every figure looks: one palette, one size, one way to write money and shares.

The colours are Okabe and Ito's (2008, https://jfly.uni-koeln.de/color/), which people with any of the common kinds of
colour blindness can tell apart. A figure is drawn 5.6 inches wide with 10-point text at least, so that on a page 360 px
wide, where it is scaled to about 340 px, the smallest text is still 8 px high.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from math import isnan
from typing import Any, ParamSpec

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, YELLOW, GREY = "#CC79A7", "#56B4E9", "#F0E442", "#6B7280"
INK = "#1F2937"
GRID = "#E5E7EB"

PALETTE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, YELLOW, GREY)
"""Colours of categories, in order of use."""

GAIN, LOSS, TOTAL = BLUE, VERMILION, GREY
"""Colours of what adds, what takes away, and sums: blue and vermilion differ in lightness too."""

NOT_SET = "not set"
"""How a missing dimension value is shown."""

WIDTH = 5.6

_SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "revops-analysis",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.labelsize": 11,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "figure.dpi": 100,
    "savefig.dpi": 150,
}

_Given = ParamSpec("_Given")
_STEPS = ((1e9, "B"), (1e6, "M"), (1e3, "K"))


@contextmanager
def styled() -> Iterator[None]:
    """The shared settings, for the time of one figure; nothing outside is changed."""
    defaults: dict[Any, Any] = {**mpl.rcParamsDefault}
    with mpl.rc_context({**defaults, **_SETTINGS, "backend": mpl.rcParams["backend"]}):
        yield


def figure(draw: Callable[_Given, Figure]) -> Callable[_Given, Figure]:
    """Let a plot function draw in the shared style, whatever the settings of the reader's session.

    Ticks come into being when a figure is first laid out, so that happens here too, inside the style. It stays as it
    was laid out: doing so again whenever it is saved takes longer than drawing it.
    """

    @wraps(draw)
    def drawn(*args: _Given.args, **kwargs: _Given.kwargs) -> Figure:
        with styled():
            made = draw(*args, **kwargs)
            made.draw_without_rendering()
            made.set_layout_engine("none")
        return made

    return drawn


def new_figure(height: float = 4.0, width: float = WIDTH) -> tuple[Figure, Axes]:
    """An empty figure with one axes, laid out so that nothing is cut off.

    The figure belongs to no window and to no pyplot state, so it is drawn once and freed with its last reference.
    """
    made = Figure(figsize=(width, height), layout="constrained")
    return made, made.subplots()


def panels(rows: int, columns: int = 1, height: float = 6.0) -> tuple[Figure, list[Axes]]:
    """A figure with several axes, returned row by row."""
    made = Figure(figsize=(WIDTH, height), layout="constrained")
    return made, list(made.subplots(rows, columns, squeeze=False).ravel())


@dataclass(frozen=True)
class Money:
    """Writes amounts of one currency, short for axes and titles.

    >>> Money("USD").short(-1_234_567), Money("USD").short(950), Money("USD").full(-1234.5)
    ('USD −1.23M', 'USD 950', 'USD −1,234.50')
    """

    currency: str

    def short(self, value: float | None) -> str:
        """Three significant figures with K, M or B; a missing value is an en dash."""
        return self._named(value, short_number)

    def full(self, value: float | None) -> str:
        """To the cent, with thousands separated."""
        return self._named(value, lambda number: _signed(number, lambda size: f"{size:,.2f}"))

    def _named(self, value: float | None, write: Callable[[float], str]) -> str:
        return "–" if value is None or isnan(value) else f"{self.currency} {write(value)}"


def short_number(value: float) -> str:
    """Three significant figures with K, M or B.

    >>> [short_number(value) for value in (0, 12.5, 999.6, 1000, 45_000, -2_500_000)]
    ['0', '12.5', '1K', '1K', '45K', '−2.5M']
    """

    def write(size: float) -> str:
        rounded = float(f"{size:.3g}")
        for step, letter in _STEPS:
            if rounded >= step:
                return f"{rounded / step:.3g}{letter}"
        return f"{rounded:.3g}"

    return _signed(value, write)


def percent(value: float | None, places: int = 0) -> str:
    """A share as a percentage.

    >>> percent(0.1234, 1), percent(-0.5), percent(None)
    ('12.3%', '−50%', '–')
    """
    return _signed(value, lambda size: f"{size * 100:.{places}f}%")


def count(value: float | None) -> str:
    """A whole number with thousands separated.

    >>> count(12345), count(-3)
    ('12,345', '−3')
    """
    return _signed(value, lambda size: f"{size:,.0f}")


def days(value: float | None) -> str:
    """A length of time in days.

    >>> days(41.5), days(1)
    ('41.5 days', '1 day')
    """
    return _signed(value, lambda size: "1 day" if size == 1 else f"{size:,.3g} days")


def shown(value: object) -> str:
    """A dimension value as text: what is missing is said to be `not set`."""
    return NOT_SET if value is None or (isinstance(value, float) and isnan(value)) else str(value)


def money_axis(axes: Axes, which: str, currency: str, label: str) -> None:
    """Write short amounts on the `x` or `y` axis and name the currency in its label."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
    axis.set_label_text(f"{label} ({currency})")


def percent_axis(axes: Axes, which: str, label: str) -> None:
    """Write percentages on the `x` or `y` axis."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
    axis.set_label_text(label)


def only_grid(axes: Axes, which: str) -> None:
    """Keep the grid lines that read values off the `x` or `y` axis and drop the others."""
    axes.grid(visible=False)
    axes.grid(visible=True, axis="x" if which == "x" else "y")


def names_axis(axes: Axes, names: Sequence[str]) -> None:
    """Names from top to bottom, grid lines for amounts only."""
    axes.set_yticks(range(len(names)), list(names))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    only_grid(axes, "x")


def legend_below(made: Figure, colours: Mapping[str, str], columns: int = 3) -> None:
    """A legend under the axes. Names are set later, as Matplotlib leaves out those that begin with an underscore."""
    handles = [Patch(color=colour) for colour in colours.values()]
    legend = made.legend(handles, [""] * len(handles), loc="outside lower left", ncols=columns, frameon=False)
    for text, name in zip(legend.get_texts(), colours, strict=True):
        text.set_text(name)


def titled(made: Figure, title: str, width: int = 50) -> None:
    """Set a title that states the finding, over the whole width and broken into lines that fit."""
    text = "\n".join(textwrap.wrap(title, width))
    made.suptitle(text, x=0.01, ha="left", fontsize=12, fontweight="bold")


@figure
def empty(sentence: str) -> Figure:
    """A small figure that says why there is nothing to draw."""
    made, axes = new_figure(height=1.2)
    axes.set_axis_off()
    axes.text(0.0, 0.5, "\n".join(textwrap.wrap(sentence, 60)), transform=axes.transAxes, va="center")
    return made


def colours(names: Sequence[object]) -> dict[object, str]:
    """A colour for each name, in order of first appearance; past eight names the palette starts again."""
    unique = list(dict.fromkeys(names))
    return {name: PALETTE[index % len(PALETTE)] for index, name in enumerate(unique)}


def _signed(value: float | None, write: Callable[[float], str]) -> str:
    """Write a number's size with `write`, led by a true minus sign where it is negative."""
    if value is None or isnan(value):
        return "–"
    text = write(abs(value))
    is_zero = not any(character in "123456789" for character in text)
    return f"−{text}" if value < 0 and not is_zero else text
