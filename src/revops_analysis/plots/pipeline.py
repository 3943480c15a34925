"""Figures of the pipeline: what is open, whether it is enough, what moved it, how it flows and how it ages.

Each `plot_…` draws a result; each `…_title` states its finding in a sentence, which heads the figure and serves as its
alternative text.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from revops_analysis.metrics.overview import COMPANY, Ageing, Coverage
from revops_analysis.plots.style import (
    BLUE,
    GREY,
    NOT_SET,
    ORANGE,
    PALETTE,
    Money,
    count,
    empty,
    figure,
    legend_below,
    money_axis,
    names_axis,
    new_figure,
    only_grid,
    percent,
    short_number,
    shown,
    titled,
)

_AGES = ("#CFE3F1", "#92C0E0", "#4F97C9", "#0072B2", "#013A5C")
"""From light (fresh) to dark (old): the order can be seen without telling colours apart."""

_NOTHING_OPEN = "No deal is open on this day."


@figure
def plot_open_pipeline(frame: pd.DataFrame, currency: str) -> Figure:
    """Draw open pipeline by stage, stacked by segment, first stage on top.

    `frame`: [stage, segment, value, n] in the order to show; null dimension values are shown as `not set`.
    """
    if not frame["value"].sum():
        return empty(open_pipeline_title(frame, currency))
    wide = _wide(frame, "stage", "segment", "value")
    made, axes = new_figure(height=0.5 * len(wide) + 1.9)
    palette = {name: PALETTE[place % len(PALETTE)] for place, name in enumerate(wide.columns)}
    _stacked(axes, wide, palette)
    for row, amount in enumerate(wide.sum(axis=1)):
        axes.annotate(short_number(amount), (amount, row), xytext=(4, 0), textcoords="offset points", va="center")
    names_axis(axes, list(wide.index))
    axes.set_xlim(0, wide.sum(axis=1).max() * 1.15)
    money_axis(axes, "x", currency, "Open pipeline")
    legend_below(made, palette)
    titled(made, open_pipeline_title(frame, currency))
    return made


def open_pipeline_title(frame: pd.DataFrame, currency: str) -> str:
    """How much is open, and where most of it stands."""
    values, deals = frame["value"].dropna(), frame["n"].sum()
    if not deals:
        return _NOTHING_OPEN
    if not values.sum():
        return f"{count(deals)} deals are open, and none has an amount."
    by_stage = frame.groupby(frame["stage"].map(shown))["value"].sum()
    top = by_stage.index[int(by_stage.to_numpy().argmax())]
    share = percent(float(by_stage.max()) / float(values.sum()))
    return f"{Money(currency).short(values.sum())} is open in {count(deals)} deals; {share} of it in {top}"


@figure
def plot_coverage(coverage: Coverage) -> Figure:
    """Draw, for the company and each segment, coverage as a dot and required coverage as a dash with its interval."""
    frame = coverage.frame[coverage.frame["coverage"].notna()]
    if frame.empty:
        return empty(coverage_title(coverage))
    made, axes = new_figure(height=0.6 * len(frame) + 1.9)
    rows = np.arange(len(frame))
    known = frame["required"].notna().to_numpy()
    axes.hlines(rows, frame["low"], frame["high"], color=ORANGE, linewidth=9, alpha=0.45)
    axes.scatter(frame["required"][known], rows[known], marker="|", s=320, linewidth=3, color=ORANGE, zorder=3)
    axes.scatter(frame["coverage"], rows, s=90, color=BLUE, zorder=4)
    places = frame[["coverage", "required", "high"]].max(axis=1)
    for row, (place, have, need) in enumerate(zip(places, frame["coverage"], frame["required"], strict=True)):
        text = f"{have:.1f}×" if pd.isna(need) else f"{have:.1f}× of {need:.1f}×"
        axes.annotate(text, (place, row), xytext=(9, 0), textcoords="offset points", va="center")
    names_axis(axes, list(frame["scope"].map(shown)))
    axes.set_xlim(0, float(places.max()) * 1.4)
    axes.set_xlabel("Open pipeline ÷ target still to be booked")
    handles = [
        Line2D([], [], marker="o", linestyle="", color=BLUE, markersize=9, label="coverage"),
        Line2D([], [], color=ORANGE, linewidth=9, alpha=0.45, label="required, 95% interval"),
    ]
    made.legend(handles=handles, loc="outside lower left", ncols=2, frameon=False)
    only_grid(axes, "x")
    titled(made, coverage_title(coverage))
    return made


def coverage_title(coverage: Coverage) -> str:
    """Whether the company's pipeline is enough for the target, by its own history."""
    company = coverage.frame[coverage.frame["scope"] == COMPANY].iloc[0]
    label = coverage.period.label
    if pd.isna(company["coverage"]):
        return f"Coverage of {label} is not known: {company['reason']}."
    have = f"Coverage of {label} is {company['coverage']:.1f}×"
    if pd.isna(company["required"]):
        return f"{have}; what is required is not known: {company['reason']}."
    need = f"{company['required']:.1f}×"
    if pd.notna(company["high"]) and company["coverage"] > company["high"]:
        return f"{have}, more than the {need} that history says is required"
    if pd.notna(company["low"]) and company["coverage"] < company["low"]:
        return f"{have}, less than the {need} that history says is required"
    return f"{have}, about the {need} that history says is required"


@figure
def plot_ageing(ageing: Ageing, currency: str) -> Figure:
    """Draw the open pipeline by stage, stacked by how long deals have been in it, light for fresh and dark for old."""
    if ageing.frame.empty or ageing.frame["age"].isna().all() or not ageing.frame["amount"].sum():
        return empty(ageing_title(ageing, currency))
    wide = _wide(ageing.frame, "stage", "age", "amount")
    known = [age for age in wide.columns if age != NOT_SET]
    tints = dict(zip(sorted(known, key=_age_order), _AGES, strict=False)) | {NOT_SET: GREY}
    wide = wide[[*tints]] if set(tints) <= set(wide.columns) else wide[[age for age in tints if age in wide.columns]]
    made, axes = new_figure(height=0.5 * len(wide) + 2.1)
    _stacked(axes, wide, tints)
    names_axis(axes, list(wide.index))
    money_axis(axes, "x", currency, "Open pipeline")
    legend_below(made, {age: tints[age] for age in wide.columns})
    titled(made, ageing_title(ageing, currency))
    return made


def ageing_title(ageing: Ageing, currency: str) -> str:
    """How much of the pipeline is stalled, by the pace of the deals that were won."""
    if ageing.frame.empty:
        return _NOTHING_OPEN
    if ageing.frame["age"].isna().all():
        return "How long deals have been in their stage is not known: the source has no history of stages."
    if ageing.stages["stalled_deals"].isna().all():
        return "What counts as stalled is not known: too few deals have been won to say how long a stage takes"
    stalled, total = ageing.stages["stalled_amount"].sum(), ageing.frame["amount"].sum()
    share = f" ({percent(stalled / total)} of the open pipeline)" if total else ""
    deals = count(ageing.stages["stalled_deals"].sum())
    return (
        f"{deals} deals worth {Money(currency).short(stalled)}{share} are stalled: slower than most deals that were won"
    )


def _wide(frame: pd.DataFrame, rows: str, columns: str, values: str) -> pd.DataFrame:
    """One row a bar and one column a colour, both in order of first appearance; what is not there is 0 wide."""
    named = frame.assign(**{rows: frame[rows].map(shown), columns: frame[columns].map(shown)})
    wide = named.pivot_table(index=rows, columns=columns, values=values, aggfunc="sum", fill_value=0.0, sort=False)
    return wide.astype("float64")


def _age_order(age: str) -> tuple[bool, int]:
    digits = int("".join(character for character in age if character.isdigit()))
    return age.startswith("over"), digits


def _stacked(axes: Axes, wide: pd.DataFrame, colours: dict[str, str]) -> None:
    left = np.zeros(len(wide))
    rows = np.arange(len(wide))
    for name in wide.columns:
        axes.barh(rows, wide[name], left=left, color=colours.get(name, GREY), height=0.66, label=name)
        left += wide[name].to_numpy()
