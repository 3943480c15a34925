"""Figures of duplicates: how surely pairs are told apart, and why two records are taken to be one."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from revops_analysis.plots.style import (
    BLUE,
    GAIN,
    GREY,
    INK,
    LOSS,
    ORANGE,
    TOTAL,
    VERMILION,
    count,
    empty,
    figure,
    legend_below,
    names_axis,
    new_figure,
    only_grid,
    percent,
    titled,
)
from revops_analysis.validation.duplicates.clusters import APART, REVIEW, SAME
from revops_analysis.validation.duplicates.explain import waterfall
from revops_analysis.validation.duplicates.overview import Duplicates

_LOOKS = {
    SAME: ("one and the same", BLUE),
    REVIEW: ("to be decided by a person", ORANGE),
    APART: ("kept apart", VERMILION),
}
_BINS = 30


@figure
def plot_match_weights(duplicates: Duplicates) -> Figure:
    """Draw how many pairs have which match weight, by what became of them; the line is the threshold.

    Only pairs that are at least as likely one as not are there: below, nearly all pairs of records would stand.
    """
    pairs = duplicates.pairs
    if pairs.empty:
        return empty(weights_title(duplicates))
    made, axes = new_figure(height=3.8)
    weights = pairs["weight"].to_numpy(dtype=float)
    edges = np.linspace(min(weights.min(), 0.0), weights.max() + 1e-9, _BINS + 1)
    chosen = {name: look for name, look in _LOOKS.items() if (pairs["verdict"] == name).any()}
    parts = [weights[(pairs["verdict"] == name).to_numpy()] for name in chosen]
    axes.hist(parts, bins=list(edges), stacked=True, color=[colour for _, colour in chosen.values()])
    limit = duplicates.found.threshold
    axes.axvline(np.log2(limit / (1 - limit)), color=INK, linewidth=1.2, linestyle="--")
    axes.set_xlabel(f"Match weight (bits; each doubles the odds; dashed: {percent(limit)})")
    axes.set_ylabel("Pairs")
    axes.yaxis.set_major_formatter(lambda value, _: count(value))
    only_grid(axes, "y")
    legend_below(made, dict(chosen.values()), columns=2)
    titled(made, weights_title(duplicates))
    return made


def weights_title(duplicates: Duplicates) -> str:
    """How many pairs were decided and how many are left to a person."""
    pairs = duplicates.pairs
    if pairs.empty:
        return f"No two of {count(duplicates.found.records)} records are likely to be one"
    linked, review = (int((pairs["verdict"] == name).sum()) for name in (SAME, REVIEW))
    left = "none is" if not review else "1 is" if review == 1 else f"{count(review)} are"
    one = "1 pair is" if linked == 1 else f"{count(linked)} pairs are"
    return f"{one} one and the same; {left} left for a person to decide"


@figure
def plot_why(duplicates: Duplicates, left: str | None = None, right: str | None = None) -> Figure:
    """Draw the weights of one pair from the start to their sum: which fields agree or not, and what each is worth.

    Without keys, the linked pair that was hardest to tell. No value of a record is shown.
    """
    pair = _pair(duplicates, left, right)
    if pair is None:
        return empty("No two records were put together, so there is nothing to explain")
    rows = waterfall(duplicates.found, *pair)
    after = rows["weight"].cumsum().to_numpy()
    before = after - rows["weight"].to_numpy()
    made, axes = new_figure(height=0.62 * (len(rows) + 1) + 1.5)
    for place, weight in enumerate(rows["weight"]):
        colour = TOTAL if place == 0 else GAIN if weight >= 0 else LOSS
        axes.barh(place, weight, left=before[place], color=colour, height=0.6)
    axes.barh(len(rows), after[-1], color=INK, height=0.6)
    ends = np.append(after, after[-1])
    starts = np.append(before, 0.0)
    _write(axes, [*rows["weight"], after[-1]], np.minimum(starts, ends), np.maximum(starts, ends))
    axes.axvline(0, color=GREY, linewidth=0.8)
    agreements = ["\n".join(textwrap.wrap(text, 26)) for text in [*rows["agreement"], "sum"]]
    names_axis(axes, agreements)
    axes.set_xlabel("Match weight (bits; each doubles the odds)")
    titled(made, why_title(duplicates, rows))
    return made


def why_title(duplicates: Duplicates, rows: pd.DataFrame) -> str:
    """How sure it is that the two are one, and what speaks most for and against it."""
    total = float(rows["weight"].sum())
    fields = rows.iloc[1:].sort_values("weight", kind="stable")
    chance = 1 / (1 + 2.0**-total)
    sure = "over 99.9%" if chance > 0.999 else percent(chance, 1)
    word = {"contacts": "contacts", "accounts": "accounts"}.get(duplicates.found.table, "records")
    text = f"Two {word} are one with a probability of {sure}: {fields['agreement'].iloc[-1]}"
    worst = fields.iloc[0]
    return text if worst["speaks"] != "against" else f"{text}, against {worst['agreement']}"


def _pair(duplicates: Duplicates, left: str | None, right: str | None) -> tuple[str, str] | None:
    if left is not None and right is not None:
        return left, right
    hardest = duplicates.examples(1)
    return None if hardest.empty else (str(hardest["left"].iloc[0]), str(hardest["right"].iloc[0]))


def _write(axes: Axes, weights: list[float], low: np.ndarray, high: np.ndarray) -> None:
    """Each weight beside its bar, on the side that has room."""
    span = float(high.max() - low.min())
    for place, weight in enumerate(weights):
        text = f"{weight:+.1f}".replace("-", "−") if round(weight, 1) else "0"
        axes.text(high[place] + 0.015 * span, place, text, va="center", ha="left", fontsize=10)
    axes.set_xlim(low.min() - 0.03 * span, high.max() + 0.2 * span)
