"""Figures of stages: the share of deals that advance from each, and what improving each would bring."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from revops_analysis.metrics.conversion import StageConversion
from revops_analysis.metrics.dealflow.stage_chain import StageWhatIf
from revops_analysis.plots.style import (
    BLUE,
    INK,
    ORANGE,
    Money,
    count,
    empty,
    figure,
    money_axis,
    names_axis,
    new_figure,
    percent,
    percent_axis,
    short_number,
    titled,
)


@figure
def plot_stage_conversion(conversion: StageConversion) -> Figure:
    """Draw the share of deals that advance from each stage within the horizon, with 95% intervals."""
    frame = conversion.frame[conversion.frame["conversion"].notna()]
    if frame.empty:
        return empty(conversion_title(conversion))
    made, axes = new_figure(height=0.5 * len(frame) + 1.7)
    rows = np.arange(len(frame))
    value = frame["conversion"].to_numpy(dtype=float)
    axes.barh(rows, value, color=BLUE, height=0.6)
    below, above = value - frame["low"].to_numpy(dtype=float), frame["high"].to_numpy(dtype=float) - value
    axes.errorbar(value, rows, xerr=np.clip([below, above], 0, None), fmt="none", ecolor=INK, capsize=4)
    for row, (high, share, n) in enumerate(zip(frame["high"], value, frame["entered"], strict=True)):
        text = f"{percent(share)} of {count(n)}"
        axes.annotate(text, (max(high, share), row), xytext=(5, 0), textcoords="offset points", va="center")
    names_axis(axes, list(frame["stage"]))
    axes.set_xlim(0, 1.28)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    percent_axis(axes, "x", f"Advance or win within {conversion.horizon_days} days of entering")
    titled(made, conversion_title(conversion))
    return made


def conversion_title(conversion: StageConversion) -> str:
    """Which stage loses the most of its deals."""
    frame = conversion.frame[conversion.frame["conversion"].notna()]
    if frame.empty:
        reasons = conversion.frame["reason"].dropna()
        why = str(reasons.iloc[0]) if len(reasons) else "the source has no history of stages"
        return f"Stage conversion is not known: {why}."
    worst = frame.iloc[int(frame["conversion"].to_numpy(dtype=float).argmin())]
    lost = f", and {percent(worst['loss'])} are lost there" if pd.notna(worst["loss"]) else ""
    return f"{worst['stage']} is the narrowest stage: {percent(worst['conversion'])} of its deals advance{lost}"


@figure
def plot_stage_what_if(found: StageWhatIf, currency: str) -> Figure:
    """Draw what one point more of conversion in each stage brings a quarter, with 95% intervals."""
    frame = found.frame[found.frame["gain"].notna()]
    if frame.empty:
        return empty(what_if_title(found, currency))
    made, axes = new_figure(height=0.5 * len(frame) + 1.9)
    rows = np.arange(len(frame))
    gain = frame["gain"].to_numpy(dtype=float)
    colours = [ORANGE if stage == found.bottleneck else BLUE for stage in frame["stage"]]
    axes.barh(rows, gain, color=colours, height=0.6)
    spread = [gain - frame["low"].to_numpy(dtype=float), frame["high"].to_numpy(dtype=float) - gain]
    axes.errorbar(gain, rows, xerr=np.clip(spread, 0, None), fmt="none", ecolor=INK, capsize=4)
    for row, (high, value, best) in enumerate(zip(frame["high"], gain, frame["best"], strict=True)):
        text = f"{short_number(value)}, best in {percent(best)}"
        axes.annotate(text, (max(high, value), row), xytext=(5, 0), textcoords="offset points", va="center")
    names_axis(axes, list(frame["stage"]))
    axes.set_xlim(0, max(float(frame["high"].max()), 1.0) * 1.55)
    money_axis(axes, "x", currency, "More bookings a quarter from one point more")
    titled(made, what_if_title(found, currency))
    return made


def what_if_title(found: StageWhatIf, currency: str) -> str:
    """Which stage is the bottleneck, or that stages cannot be told apart."""
    if found.reason:
        return f"What improving a stage would bring is not known: {found.reason}."
    top = found.frame.sort_values("gain", ascending=False, kind="stable").iloc[0]
    money = Money(currency).short(float(top["gain"]))
    if found.bottleneck is None:
        return (
            f"No stage stands out: one point more in {top['stage']} would bring {money} a quarter, "
            "but chance could make another stage the best"
        )
    best = found.frame[found.frame["stage"] == found.bottleneck].iloc[0]
    return (
        f"{found.bottleneck} is the bottleneck: one point more of its deals brings "
        f"{Money(currency).short(float(best['gain']))} a quarter"
    )
