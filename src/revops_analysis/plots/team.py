"""Figures of sellers and teams: funnel plots instead of league tables, attainment, and the ramp."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from revops_analysis.models.seller_pace import ADVANCED, ALL_STAGES
from revops_analysis.models.team_performance import TeamPerformance
from revops_analysis.plots.style import (
    BLUE,
    GREY,
    INK,
    VERMILION,
    colours,
    empty,
    figure,
    new_figure,
    only_grid,
    percent,
    percent_axis,
    shown,
    titled,
)
from revops_analysis.statistics.control_limits import binomial_limits
from revops_analysis.statistics.intervals import normal_quantile

Floats = npt.NDArray[np.float64]

INNER, OUTER = 0.95, 0.998
"""Control limits: one in twenty lies beyond the first by chance, one in five hundred beyond the second."""

_NAMED = 6


@dataclass(frozen=True)
class _Funnel:
    """Points of a funnel plot and its limits over the range of x: pairs of (low, high)."""

    names: list[str]
    x: Floats
    y: Floats
    inner: tuple[Floats, Floats]
    outer: tuple[Floats, Floats]

    def beyond(self, limits: tuple[Floats, Floats]) -> npt.NDArray[np.bool_]:
        """Which points lie outside limits taken at each point's own x."""
        return np.asarray((self.y < limits[0]) | (self.y > limits[1]))


@figure
def plot_win_funnel(found: TeamPerformance) -> Figure:
    """Draw each ramped seller’s win rate, adjusted for the mix of deals, over the deals closed, with control limits."""
    rows = _closers(found)
    if found.reason or rows.empty or found.win_rate is None:
        return empty(win_funnel_title(found))
    made, axes = new_figure(height=4.6)
    funnel = _win_funnel(found, rows)
    grid = np.arange(1, int(funnel.x.max() * 1.05) + 2, dtype=float)
    _limits(axes, grid, found.win_rate, [binomial_limits(found.win_rate, grid, level) for level in (INNER, OUTER)])
    _points(axes, funnel)
    axes.set_xlabel(f"Deals closed, {found.year.start:%b %Y} to {found.year.end:%b %Y}")
    percent_axis(axes, "y", "Win rate at the company’s mix")
    axes.set_ylim(-0.02, min(1.02, max(float(funnel.y.max()) * 1.25, 2.2 * found.win_rate)))
    _legend(made)
    titled(made, win_funnel_title(found))
    return made


def win_funnel_title(found: TeamPerformance) -> str:
    """How many sellers' win rates differ from the company's by more than chance would show."""
    rows = _closers(found)
    if found.reason or rows.empty or found.win_rate is None:
        return f"Win rates of sellers are not known: {found.reason or 'no ramped seller closed a deal'}."
    return _verdict(_win_funnel(found, rows), "win rate", percent(found.win_rate))


def _closers(found: TeamPerformance) -> pd.DataFrame:
    """Ramped sellers with a closed deal: the first deals of a new seller to close are mostly lost ones."""
    rows = found.sellers
    return rows[(rows["closed"] > 0) & rows["win_rate_adjusted"].notna() & rows["is_ramped"].astype(bool)]


def _win_funnel(found: TeamPerformance, rows: pd.DataFrame) -> _Funnel:
    n, rate = rows["closed"].to_numpy(dtype=float), float(found.win_rate or 0.0)
    limits = [binomial_limits(rate, n, level) for level in (INNER, OUTER)]
    return _Funnel(list(rows["owner"]), n, rows["win_rate_adjusted"].to_numpy(dtype=float), limits[0], limits[1])


@figure
def plot_productivity_funnel(found: TeamPerformance) -> Figure:
    """Draw each seller's bookings a ramped quarter against those of the segment, over how much they can tell."""
    rows = _producers(found)
    if found.reason or rows.empty:
        return empty(productivity_funnel_title(found))
    made, axes = new_figure(height=4.6)
    funnel = _productivity_funnel(rows)
    grid = np.linspace(max(funnel.x.min() * 0.8, 0.3), funnel.x.max() * 1.05, 200)
    _limits(axes, grid, 1.0, [_around_par(grid, level) for level in (INNER, OUTER)])
    _points(axes, funnel)
    axes.set_xlabel("What it rests on: expected number of deals of equal size")
    axes.set_ylabel("Bookings ÷ the segment’s")
    axes.set_ylim(-0.1, max(float(funnel.y.max()) * 1.2, 2.5))
    _legend(made)
    titled(made, productivity_funnel_title(found))
    return made


def productivity_funnel_title(found: TeamPerformance) -> str:
    """How many sellers' bookings differ from their segment's by more than chance would show."""
    rows = _producers(found)
    if found.reason or rows.empty:
        return f"Productivity of sellers is not known: {found.reason or 'no seller has a ramped month'}."
    return _verdict(_productivity_funnel(rows), "bookings a ramped quarter", "the segment’s")


def _producers(found: TeamPerformance) -> pd.DataFrame:
    """Sellers with at least one expected deal of equal size: fewer say nothing."""
    rows = found.sellers
    return rows[rows["productivity_ratio"].notna() & (rows["productivity_error"] < 1)]


def _productivity_funnel(rows: pd.DataFrame) -> _Funnel:
    x = 1 / rows["productivity_error"].to_numpy(dtype=float) ** 2
    y = rows["productivity_ratio"].to_numpy(dtype=float)
    return _Funnel(list(rows["owner"]), x, y, _around_par(x, INNER), _around_par(x, OUTER))


def _around_par(x: Floats, level: float) -> tuple[Floats, Floats]:
    half = normal_quantile(level) / np.sqrt(x)
    return np.maximum(1 - half, 0.0), 1 + half


@figure
def plot_pace_funnel(found: TeamPerformance) -> Figure:
    """Draw how fast each seller's deals advance against peers', over the advances expected, with control limits."""
    rows = _paced(found)
    if rows.empty:
        return empty(pace_funnel_title(found))
    made, axes = new_figure(height=4.6)
    funnel = _pace_funnel(rows)
    grid = np.linspace(max(funnel.x.min() * 0.8, 1.0), funnel.x.max() * 1.05, 200)
    _limits(axes, grid, 1.0, [_around_pace(grid, level) for level in (INNER, OUTER)])
    _points(axes, funnel)
    axes.set_xlabel("Stage advances expected at peers’ pace")
    axes.set_ylabel("Advances, observed ÷ expected")
    axes.set_ylim(0, max(float(funnel.y.max()) * 1.2, 2.2))
    _legend(made)
    titled(made, pace_funnel_title(found))
    return made


def pace_funnel_title(found: TeamPerformance) -> str:
    """Whose deals move more slowly than peers' beyond what many comparisons would show."""
    rows = _paced(found)
    if rows.empty:
        return f"Pace against peers is not known: {found.pace.reason or 'too few deals'}."
    slow = rows[rows["is_departure"] & (rows["pace"] < 1)].sort_values("p_value", kind="stable")
    if slow.empty:
        return f"No seller’s deals move more slowly than peers’, beyond chance over {len(rows)} sellers"
    first = slow.iloc[0]
    others = f", and {len(slow) - 1} more" if len(slow) > 1 else ""
    return f"{first['owner']}’s deals move at {percent(first['pace'])} of peers’ pace{others}"


def _paced(found: TeamPerformance) -> pd.DataFrame:
    rows = found.pace.frame
    return rows[(rows["stage"] == ALL_STAGES) & (rows["event"] == ADVANCED)] if len(rows) else rows


def _pace_funnel(rows: pd.DataFrame) -> _Funnel:
    x, y = rows["expected"].to_numpy(dtype=float), rows["pace"].to_numpy(dtype=float)
    return _Funnel(list(rows["owner"]), x, y, _around_pace(x, INNER), _around_pace(x, OUTER))


def _around_pace(x: Floats, level: float) -> tuple[Floats, Floats]:
    spread = np.exp(normal_quantile(level) / np.sqrt(x))
    return 1 / spread, spread


def _limits(axes: Axes, grid: Floats, par: float, limits: list[tuple[Floats, Floats]]) -> None:
    axes.axhline(par, color=GREY, lw=1)
    for (low, high), dash in zip(limits, ("--", "-"), strict=True):
        axes.plot(grid, low, color=GREY, lw=1.2, ls=dash)
        axes.plot(grid, high, color=GREY, lw=1.2, ls=dash)


def _points(axes: Axes, funnel: _Funnel) -> None:
    """Points: grey within the inner limits, blue between, vermilion beyond the outer; the farthest out are named."""
    between, out = funnel.beyond(funnel.inner), funnel.beyond(funnel.outer)
    tints = np.where(out, VERMILION, np.where(between, BLUE, "#B6BCC6"))
    axes.scatter(funnel.x, funnel.y, c=list(tints), s=42, zorder=3)
    middle = float(np.median(funnel.x))
    width = funnel.inner[1] - funnel.inner[0]
    distance = np.maximum(funnel.y - funnel.inner[1], funnel.inner[0] - funnel.y) / width
    far = [int(place) for place in np.argsort(-distance, kind="stable")[:_NAMED] if between[place]]
    for number, place in enumerate(far):
        if any(_is_near(funnel, place, other) for other in far[:number]):
            continue  # two names on top of each other cannot be read; both stand in the table
        left = funnel.x[place] > middle
        axes.annotate(
            funnel.names[place],
            (funnel.x[place], funnel.y[place]),
            xytext=(-6 if left else 6, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            fontsize=10,
        )


def _is_near(funnel: _Funnel, one: int, other: int) -> bool:
    """Whether the names of two points would overlap."""
    width, height = float(np.ptp(funnel.x)) or 1.0, float(np.ptp(funnel.y)) or 1.0
    apart = abs(funnel.x[one] - funnel.x[other]) / width, abs(funnel.y[one] - funnel.y[other]) / height
    return bool(apart[0] < 0.4 and apart[1] < 0.08)


def _legend(made: Figure) -> None:
    handles = [
        Line2D([], [], color=GREY, lw=1.2, ls="--", label="95% by chance"),
        Line2D([], [], color=GREY, lw=1.2, label="99.8%"),
        Line2D([], [], marker="o", ls="", color=BLUE, ms=7, label="beyond 95%"),
        Line2D([], [], marker="o", ls="", color=VERMILION, ms=7, label="beyond 99.8%"),
    ]
    made.legend(handles=handles, loc="outside lower left", ncols=2, frameon=False)


def _verdict(funnel: _Funnel, what: str, par: str) -> str:
    out, n = int(funnel.beyond(funnel.outer).sum()), len(funnel.names)
    between = int(funnel.beyond(funnel.inner).sum())
    start = f"{out} of {n} sellers differ" if out != 1 else f"1 of {n} sellers differs"
    usual = f"beyond 95% lie {between}, where chance alone puts {0.05 * n:.1f}"
    return f"In {what} {start} clearly from {par}; {usual}"


@figure
def plot_attainment(found: TeamPerformance) -> Figure:
    """Draw each seller's attainment by team, the team's own as a bar, and the line at quota."""
    rows = found.sellers[found.sellers["attainment"].notna()]
    if rows.empty:
        return empty(attainment_title(found))
    teams = list(dict.fromkeys(rows["team"].astype(object).where(rows["team"].notna(), None)))
    made, axes = new_figure(height=0.75 * len(teams) + 1.9)
    known = found.teams.set_index("team")["attainment"]
    for place, team in enumerate(teams):
        mine = rows[rows["team"].isna() if team is None else rows["team"] == team].sort_values("attainment")
        jitter = np.resize([0.0, 0.12, -0.12, 0.2, -0.2], len(mine))
        axes.scatter(mine["attainment"], place + jitter, color=BLUE, alpha=0.75, s=34, zorder=3)
        if team in known.index and pd.notna(known[team]):
            axes.vlines(float(known[team]), place - 0.34, place + 0.34, color=INK, lw=3, zorder=4)
    axes.axvline(1, color=VERMILION, lw=1.5, ls="--")
    axes.set_yticks(range(len(teams)), [shown(team) for team in teams])
    axes.set_ylim(len(teams) - 0.4, -0.6)
    only_grid(axes, "x")
    percent_axis(axes, "x", f"Quota attainment in {found.period.label}")
    handles = [
        Line2D([], [], marker="o", ls="", color=BLUE, ms=7, label="a seller"),
        Line2D([], [], color=INK, lw=3, label="the team"),
        Line2D([], [], color=VERMILION, lw=1.5, ls="--", label="quota"),
    ]
    made.legend(handles=handles, loc="outside lower left", ncols=3, frameon=False)
    titled(made, attainment_title(found))
    return made


def attainment_title(found: TeamPerformance) -> str:
    """What the company attained, and how many sellers reached their quota."""
    rows = found.sellers[found.sellers["attainment"].notna()] if len(found.sellers) else found.sellers
    if found.reason or rows.empty:
        return f"Attainment is not known: {found.reason or 'no seller has a quota for the period'}."
    made = int((rows["attainment"] >= 1).sum())
    whole = found.teams["attainment"].iloc[-1]
    return (
        f"{percent(whole)} of quotas was booked in {found.period.label}; {made} of {len(rows)} sellers reached theirs"
    )


@figure
def plot_ramp(found: TeamPerformance) -> Figure:
    """Draw bookings of sellers by months since hire, as a share of those of ramped sellers, a line a segment."""
    ramp = found.ramp
    rows = ramp.frame[ramp.frame["share"].notna()] if len(ramp.frame) else ramp.frame
    if rows.empty:
        return empty(ramp_title(found))
    made, axes = new_figure(height=4.2)
    tints = colours(list(dict.fromkeys(rows["segment"])))
    for segment, mine in rows.groupby("segment", sort=False):
        axes.plot(mine["first_month"] + 1.5, mine["share"], color=tints[segment], lw=2, marker="o", ms=5)
        if segment in ramp.lengths:
            axes.axvline(ramp.lengths[str(segment)], color=tints[segment], lw=1.5, ls=":")
    axes.axhline(1, color=GREY, lw=1)
    axes.set_xlabel("Months since hire")
    axes.set_xlim(0, 24)
    axes.set_xticks(range(0, 25, 3))
    axes.set_ylim(bottom=0)
    percent_axis(axes, "y", "Share of ramped bookings")
    handles = [Line2D([], [], color=tint, lw=2, marker="o", ms=5, label=str(name)) for name, tint in tints.items()]
    handles.append(Line2D([], [], color=GREY, lw=1.5, ls=":", label="ramp as set"))
    made.legend(handles=handles, loc="outside lower left", ncols=2, frameon=False)
    titled(made, ramp_title(found))
    return made


def ramp_title(found: TeamPerformance) -> str:
    """What sellers book in their first three months, by segment."""
    ramp = found.ramp
    first = (
        ramp.frame[(ramp.frame["first_month"] == 0) & ramp.frame["share"].notna()] if len(ramp.frame) else ramp.frame
    )
    if first.empty:
        return f"The ramp is not known: {ramp.reason or 'no seller was seen in the first three months'}."
    parts = [f"{percent(share)} in {segment}" for segment, share in zip(first["segment"], first["share"], strict=True)]
    return f"In their first three months sellers book {', '.join(parts)} of what ramped ones do"
