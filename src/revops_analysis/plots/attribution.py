"""Figures of attribution: credit by channel, what it cost, and where journeys begin and end.

Each `plot_…` draws a result; each `…_title` states its finding in a sentence, which heads the figure and serves as its
alternative text.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from revops_analysis.attribution.overview import AttributionOverview
from revops_analysis.attribution.verdict import NOT_RECORDED, model_title
from revops_analysis.plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    VERMILION,
    Money,
    colours,
    empty,
    figure,
    legend_below,
    names_axis,
    new_figure,
    only_grid,
    percent,
    percent_axis,
    short_number,
    titled,
)

_SPREAD = "#C9D3DC"
_HEIGHT = 0.34


def _name(channel: object) -> str:
    return NOT_RECORDED if channel is None or pd.isna(channel) else str(channel)  # type: ignore[call-overload]


@figure
def plot_credit(overview: AttributionOverview) -> Figure:
    """Draw each channel's share of the year's bookings: official with its interval, over the spread of all models."""
    frame = overview.compared.spread
    if overview.compared.reason or frame.empty:
        return empty(credit_title(overview))
    made, axes = new_figure(height=1.7 + _HEIGHT * len(frame))
    _ranges(axes, frame, "official")
    percent_axis(axes, "x", "Share of the bookings that have a touch")
    axes.set_xlim(0, float(frame[["highest", "high"]].max().max()) * 1.08)
    _ranges_legend(made, overview)
    titled(made, credit_title(overview))
    return made


def _ranges(axes: Axes, frame: pd.DataFrame, value: str) -> None:
    """A grey bar over all models, a line for the interval and a point for the official model, a row a channel."""
    rows = np.arange(len(frame))
    axes.barh(rows, frame["highest"] - frame["lowest"], left=frame["lowest"], height=0.55, color=_SPREAD)
    axes.hlines(rows, frame["low"], frame["high"], color=BLUE, linewidth=2.2)
    axes.plot(frame[value], rows, "o", color=BLUE, markersize=6.5)
    names_axis(axes, [_name(channel) for channel in frame["channel"]])


def _ranges_legend(made: Figure, overview: AttributionOverview) -> None:
    official = model_title(overview.compared.official)
    handles = [
        Line2D([], [], color=BLUE, marker="o", linewidth=2.2, markersize=6, label=f"{official}, 95% interval"),
        Line2D([], [], color=_SPREAD, linewidth=8, label="lowest to highest model"),
    ]
    made.legend(handles=handles, loc="outside lower left", ncols=2, frameon=False)


def credit_title(overview: AttributionOverview) -> str:
    """The channel with most credit under the official model, and how far models differ on it."""
    found = overview.compared
    if found.reason:
        return f"Credit cannot be shown: {found.reason}."
    top = found.spread.iloc[0]
    interval = f" ({percent(top['low'])} to {percent(top['high'])})" if pd.notna(top["low"]) else ""
    return (
        f"{_name(top['channel'])} has {percent(top['official'])}{interval} of the credit; by model it is "
        f"{percent(top['lowest'])} to {percent(top['highest'])}"
    )


def _on_log_scale(frame: pd.DataFrame, columns: list[str]) -> tuple[pd.DataFrame, float, float]:
    """The frame with zeros at the axis' left end, which has no place for them; that end, and the largest value."""
    values = frame[columns].to_numpy(float)
    left = 0.8 * float(np.min(values, where=values > 0, initial=1.0))
    return frame.assign(**frame[columns].clip(lower=left)), left, float(np.nanmax(values))


@figure
def plot_returns(overview: AttributionOverview) -> Figure:
    """Draw bookings per unit of programme spend by channel: official with its interval, over all models."""
    frame = overview.returns
    if frame.empty:
        return empty(returns_title(overview))
    made, axes = new_figure(height=1.9 + _HEIGHT * len(frame))
    shown, left, most = _on_log_scale(frame, ["official", "lowest", "highest", "low", "high"])
    _ranges(axes, shown, "official")
    axes.axvline(1.0, color=VERMILION, linewidth=1.6, linestyle=(0, (2, 1)))
    axes.set_xscale("log")
    axes.set_xlim(left, max(most * 1.25, 1.25))
    begin, end = axes.get_xlim()
    ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if begin <= tick <= end]
    axes.set_xticks(ticks, [f"{tick:g}×" for tick in ticks])
    axes.minorticks_off()
    nothing = "; nothing stands at the left edge" if (frame[["official", "lowest", "low"]] <= 0).any(axis=None) else ""
    axes.set_xlabel(f"Bookings ÷ programme spend (log scale{nothing})")
    _ranges_legend(made, overview)
    titled(made, returns_title(overview))
    return made


def returns_title(overview: AttributionOverview) -> str:
    """Which channels are credited with more and which with less than they cost under every model."""
    frame = overview.returns
    if frame.empty:
        reasons = overview.year_spend.channels["reason"].dropna()
        return f"Returns cannot be shown: {reasons.iloc[0] if len(reasons) else 'no channel has programme spend'}."
    above = [_name(name) for name in frame["channel"][frame["lowest"] > 1]]
    below = [_name(name) for name in frame["channel"][frame["highest"] < 1]]
    said = []
    if above:
        said.append(f"{_and(above)} {'are' if len(above) > 1 else 'is'} credited with more than programmes cost")
    if below:
        said.append(f"{_and(below)} less")
    if not said:
        return "Whether a channel is credited with more than its programme costs depends on the model"
    return f"Under every model {', '.join(said)}" if above else f"Under every model {_below_only(below)}"


def _below_only(below: list[str]) -> str:
    """The sentence where no channel is credited with more than it costs."""
    return f"{_and(below)} {'are' if len(below) > 1 else 'is'} credited with less than programmes cost"


def _and(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


@figure
def plot_flow(overview: AttributionOverview) -> Figure:
    """Draw how journeys of booked deals begin and end: a ribbon a pair of first and last channel, wide as its deals."""
    flow = overview.shapes.flow
    if flow.empty:
        return empty(flow_title(overview))
    names = _by_size(flow)
    made, axes = new_figure(height=5.2)
    tint = colours(names)
    left, right = ({name: [0.0, 0.0] for name in names} for _ in range(2))
    total = float(flow["deals_won"].sum())
    gap = 0.012 * total
    for side, column in ((left, "first"), (right, "last")):
        sizes = flow.groupby(flow[column].map(_name))["deals_won"].sum()
        start = 0.0
        for name in names:
            size = float(sizes.get(name, 0.0))
            side[name] = [start, start]
            if size:
                _node(axes, (0.0 if column == "first" else 1.0, start, size), (name, str(tint[name])), total)
                start += size + gap
    order = {name: at for at, name in enumerate(names)}
    rows = flow.assign(one=flow["first"].map(_name), two=flow["last"].map(_name))
    rows = rows.assign(at=rows["one"].map(order), then=rows["two"].map(order)).sort_values(["at", "then"])
    for row in rows.to_dict("records"):
        size = float(row["deals_won"])
        _ribbon(axes, left[row["one"]][1], right[row["two"]][1], size, str(tint[row["one"]]))
        left[row["one"]][1] += size
        right[row["two"]][1] += size
    axes.set_xlim(-0.58, 1.58)
    axes.set_ylim(total + gap * len(names), -0.06 * total)
    axes.set_axis_off()
    for place, text, align in ((0.0, "First touch", "right"), (1.0, "Last touch", "left")):
        axes.text(place, -0.02 * total, text, ha=align, va="bottom", fontweight="bold")
    titled(made, flow_title(overview))
    return made


def _by_size(flow: pd.DataFrame) -> list[str]:
    """Channels by how many deals begin or end with them, most first."""
    ends = pd.concat([flow["first"].map(_name), flow["last"].map(_name)])
    sizes = pd.concat([flow["deals_won"], flow["deals_won"]]).groupby(ends).sum()
    return [str(name) for name in sizes.sort_values(ascending=False, kind="stable").index]


def _node(axes: Axes, where: tuple[float, float, float], looks: tuple[str, str], total: float) -> None:
    """A block for a channel on one side, named with its number of deals where there is room."""
    place, start, size = where
    name, colour = looks
    axes.barh(start + size / 2, 0.03, height=size, left=place - 0.015, color=colour)
    if size >= 0.015 * total:
        side = -1 if place == 0 else 1
        axes.text(
            place + side * 0.035,
            start + size / 2,
            f"{name} {size:,.0f}",
            va="center",
            color=INK,
            fontsize=10,
            ha="right" if side < 0 else "left",
        )


def _ribbon(axes: Axes, begin: float, end: float, size: float, colour: str) -> None:
    """A band from the left to the right side, with a smooth turn between."""
    x = np.linspace(0.015, 0.985, 40)
    t = (x - x[0]) / (x[-1] - x[0])
    turn = begin + (end - begin) * (3 * t**2 - 2 * t**3)
    axes.fill_between(x, turn, turn + size, color=colour, alpha=0.45, linewidth=0)


def flow_title(overview: AttributionOverview) -> str:
    """How many deals end with another channel than they began with, and the commonest beginning."""
    flow = overview.shapes.flow
    if flow.empty:
        return "No deal that was booked in the year has a touch."
    first, last = flow["first"].map(_name), flow["last"].map(_name)
    moved = float(flow["deals_won"][first != last].sum() / flow["deals_won"].sum())
    begins = flow.groupby(first)["deals_won"].sum()
    return (
        f"{percent(moved)} of booked deals end with another channel than they began with; {begins.idxmax()} begins "
        f"{percent(float(begins.max() / begins.sum()))}"
    )


_TEAM_COLOURS = {"marketing": BLUE, "sales": ORANGE, "partners": GREEN, "customer_success": PURPLE}


@figure
def plot_dispute(overview: AttributionOverview) -> Figure:
    """Draw the official split of the period's pipeline by team, and beside it what each side claims.

    The top bar adds up to all pipeline created; claims below are of one team each, by the claimant's own definition.
    """
    sourced = overview.sourced
    if not sourced.official["amount_share"].notna().any():
        return empty(dispute_title(overview))
    claims = sourced.claims
    made, axes = new_figure(height=2.2 + 0.45 * (1 + len(claims)))
    begin, drawn = 0.0, {}
    for team, part in zip(sourced.official["team"], sourced.official["amount_share"].astype(float), strict=True):
        name = _team(team) if _is_named(team) else "Unattributed"
        drawn[name] = _TEAM_COLOURS.get(str(team), _SPREAD)
        axes.barh(0, part, left=begin, height=0.62, color=drawn[name], edgecolor="white")
        if part >= 0.05:
            tint = "white" if drawn[name] == BLUE else INK
            axes.text(begin + part / 2, 0, percent(part), ha="center", va="center", color=tint)
        begin += part
    names = ["Official"]
    for row, claim in enumerate(claims.to_dict("records"), 1):
        part = float(claim["amount_share"])
        axes.barh(row, part, height=0.62, color=_TEAM_COLOURS.get(str(claim["of"]), _SPREAD), alpha=0.75)
        axes.text(part, row, f" {percent(part)}", va="center")
        names.append(f"{_team(claim['by'])} says,\nof {_team(claim['of']).lower()}")
    names_axis(axes, names)
    percent_axis(axes, "x", f"Share of pipeline created in {overview.period.label}")
    axes.set_xlim(0, 1.0)
    legend_below(made, drawn, columns=3)
    titled(made, dispute_title(overview))
    return made


def _is_named(team: object) -> bool:
    return team is not None and not pd.isna(team)  # type: ignore[call-overload]


def dispute_title(overview: AttributionOverview) -> str:
    """Each side's claim about marketing, and the official figure."""
    sourced = overview.sourced
    if not sourced.official["amount_share"].notna().any():
        return f"No pipeline with an amount was created in {overview.period.label}."
    mine = sourced.official[sourced.official["team"] == "marketing"]["amount_share"]
    official = percent(float(mine.sum()))
    claims = sourced.claims[sourced.claims["of"] == "marketing"]
    said = [
        f"{str(by).replace('_', ' ')} says {percent(float(part))}"
        for by, part in zip(claims["by"], claims["amount_share"], strict=True)
    ]
    whole = f"Marketing sourced {official} of the pipeline created in {overview.period.label}"
    return f"{whole}; {', '.join(said)}" if said else whole


@figure
def plot_team_pipeline(overview: AttributionOverview) -> Figure:
    """Draw the pipeline created in the period by the team whose channels have the credit."""
    frame = overview.pipeline
    if frame.empty:
        return empty(team_title(overview))
    made, axes = new_figure(height=1.3 + 0.4 * len(frame))
    names = [_team(name) for name in frame["team"]]
    tints = [GREY if name in ("Not attributed", "No team") else BLUE for name in names]
    amounts = frame["pipeline"].astype(float)
    axes.barh(np.arange(len(frame)), amounts, height=0.6, color=tints)
    for row, (amount, part) in enumerate(zip(amounts, frame["share"], strict=True)):
        axes.text(amount, row, f" {short_number(amount)}, {percent(part)}", va="center", fontsize=10)
    names_axis(axes, names)
    only_grid(axes, "x")
    axes.set_xlim(0, float(amounts.max()) * 1.32)
    axes.xaxis.set_major_formatter(lambda value, _: short_number(value))
    axes.set_xlabel(f"Pipeline created in {overview.period.label} ({overview.currency})")
    titled(made, team_title(overview))
    return made


def _team(name: object) -> str:
    if name is None or pd.isna(name):  # type: ignore[call-overload]
        return "No team"
    words = str(name).replace("_", " ")
    return words[:1].upper() + words[1:]


def team_title(overview: AttributionOverview) -> str:
    """How the credit for the period's pipeline falls on the teams."""
    frame = overview.pipeline
    if frame.empty:
        return f"No pipeline was created in {overview.period.label}."
    top = frame.head(3)
    parts = [f"{_team(team)} {percent(part)}" for team, part in zip(top["team"], top["share"], strict=True)]
    whole = Money(overview.currency).short(float(frame["pipeline"].astype(float).sum()))
    return f"Of {whole} of pipeline created in {overview.period.label}: {', '.join(parts)}"
