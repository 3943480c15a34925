"""Figures of lifetimes, of what accounts are worth, of renewals at risk and of net retention ahead."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from revops_analysis.models.lifetime.curves import LifetimeCurves, at_risk
from revops_analysis.models.lifetime.nrr_forecast import NrrForecast
from revops_analysis.models.lifetime.renewal_risk import RenewalRisk
from revops_analysis.models.lifetime.renewal_trial import RenewalTrial
from revops_analysis.models.lifetime.value import LifetimeValue
from revops_analysis.plots.risk_table import count_rows, looks_of, settled, short_name, stacked_panels
from revops_analysis.plots.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    SKY,
    VERMILION,
    Money,
    empty,
    figure,
    money_axis,
    names_axis,
    new_figure,
    only_grid,
    percent,
    percent_axis,
    shown,
    titled,
)

_MOST = 4
"""More curves than this cannot be told apart: the levels with the most accounts are drawn."""


@figure
def plot_lifetimes(curves: LifetimeCurves) -> Figure:
    """Draw the share of accounts still there by months since their first, a curve a level, with 95% bands.

    The rows under the curves count the accounts that were watched at that age.
    """
    if curves.horizon_months == 0:
        return empty(lifetimes_title(curves))
    levels = curves.summary.iloc[1:]
    levels = levels[levels["mean_months"].notna()]
    largest = levels["n"].sort_values(ascending=False, kind="stable").index[:_MOST]
    scopes = [curves.summary["scope"].iloc[0], *levels.loc[levels.index.isin(largest), "scope"]]
    step = next(step for step in (1, 3, 6, 12, 24, 60, 120) if curves.horizon_months / step <= 7)
    ticks = list(range(0, curves.horizon_months + 1, step))
    made, axes = stacked_panels([3.0], len(scopes))
    looks = looks_of(scopes)
    counts = {}
    for scope in scopes:
        rows = curves.curves[_same(curves.curves["scope"], scope)]
        _survival(axes[0], rows, curves.horizon_months, (*looks[scope], scope != scopes[0] or len(scopes) == 1))
        counts[scope] = list(at_risk(rows, np.array(ticks, dtype=float)))
    percent_axis(axes[0], "y", "Accounts still there")
    low = float(curves.curves.loc[curves.curves["months"] <= curves.horizon_months, "share"].min())
    axes[0].set_ylim(max(0.0, np.floor((low - 0.1) * 10) / 10), 1.01)
    axes[0].set_xticks(ticks, [])
    only_grid(axes[0], "y")
    count_rows(made, counts, ticks, looks)
    for one in axes:
        one.set_xlim(0, curves.horizon_months)
    axes[1].set_xlabel("Months since the first with revenue\n(rows: accounts watched at that age)")
    titled(made, lifetimes_title(curves))
    return settled(made)


def lifetimes_title(curves: LifetimeCurves) -> str:
    """How many accounts are still there at the horizon, and which level keeps most and least."""
    whole = curves.summary.iloc[0]
    if curves.horizon_months == 0 or pd.isna(whole["staying"]):
        why = whole["reason"] or curves.lifetimes.reason or "nothing was observed"
        return f"How long accounts stay is not known: {why}."
    text = f"{percent(whole['staying'])} of accounts are still there after {curves.horizon_months} months"
    rows = curves.summary.iloc[1:]
    rows = rows[rows["staying_low"].notna()]
    if len(rows) > 1:
        share = rows["staying"].to_numpy(dtype=float)
        most, least = rows.iloc[int(share.argmax())], rows.iloc[int(share.argmin())]
        if most["staying_low"] > least["staying_high"]:
            text += f"; {shown(most['scope'])} keeps most ({percent(most['staying'])})"
            return f"{text}, {shown(least['scope'])} least ({percent(least['staying'])})"
        return f"{text}; no difference beyond chance was found by {curves.by}"
    return text


def _survival(axes: object, rows: pd.DataFrame, until: int, look: tuple[object, object, bool]) -> None:
    known = rows[rows["months"] <= until]
    end = min(float(rows["months"].max()), float(until)) if len(rows) else 0.0
    at = np.concatenate([[0.0], known["months"].to_numpy(dtype=float), [end]])
    values = [_held(known[name].to_numpy(dtype=float)) for name in ("share", "low", "high")]
    colour, dash, has_band = look
    if has_band:
        axes.fill_between(at, values[1], values[2], step="post", color=colour, alpha=0.15, lw=0)  # type: ignore[attr-defined]
    axes.step(at, values[0], where="post", color=colour, ls=dash, lw=2)  # type: ignore[attr-defined]


def _held(values: np.ndarray) -> np.ndarray:
    """Values with 1 before them and the last one held."""
    return np.concatenate([[1.0], values, values[-1:] if len(values) else [1.0]])


def _same(column: pd.Series, scope: str | None) -> pd.Series:
    return column.isna() if scope is None else column == scope


@figure
def plot_value(value: LifetimeValue) -> Figure:
    """Draw the lifetime value within the horizon by scope: from accounts' own revenue, and from averages, with 95%."""
    frame = value.frame[value.frame["method"].isin(["cohort", "mean_lifetime"]) & value.frame["low"].notna()]
    if frame.empty:
        return empty(value_title(value))
    scopes = list(dict.fromkeys(frame["scope"].astype(object).where(frame["scope"].notna(), None)))
    made, axes = new_figure(height=0.75 * len(scopes) + 1.9)
    for method, colour, shift in (("cohort", BLUE, -0.14), ("mean_lifetime", ORANGE, 0.14)):
        for place, scope in enumerate(scopes):
            rows = frame[_same(frame["scope"], scope) & (frame["method"] == method)]
            for row in rows.to_dict("records"):
                axes.hlines(place + shift, row["low"], row["high"], color=colour, lw=2.5)
                axes.scatter(row["value"], place + shift, color=colour, s=55, zorder=3)
    names_axis(axes, [short_name(shown(scope)) for scope in scopes])
    money_axis(axes, "x", value.currency, f"Gross margin of an account over {value.horizon_months} months")
    axes.set_xlim(left=0)
    handles = [
        Line2D([], [], marker="o", ls="", color=BLUE, ms=8, label="its own revenue at each age, discounted"),
        Line2D([], [], marker="o", ls="", color=ORANGE, ms=8, label="average revenue × mean lifetime"),
    ]
    made.legend(handles=handles, loc="outside lower left", ncols=1, frameon=False)
    titled(made, value_title(value))
    return made


def value_title(value: LifetimeValue) -> str:
    """What an account is worth, and between which levels that lies."""
    rows = value.frame[value.frame["method"] == "cohort"]
    whole = rows.iloc[0]
    money = Money(value.currency)
    if pd.isna(whole["value"]):
        return f"What an account is worth is not known: {whole['reason']}."
    text = f"An account is worth {money.short(whole['value'])} of gross margin over {value.horizon_months} months"
    levels = rows.iloc[1:]
    levels = levels[levels["low"].notna()]
    if len(levels) > 1:
        worth = levels["value"].to_numpy(dtype=float)
        least, most = levels.iloc[int(worth.argmin())], levels.iloc[int(worth.argmax())]
        between = f"{money.short(least['value'])} ({shown(least['scope'])})"
        text += f": from {between} to {money.short(most['value'])} ({shown(most['scope'])})"
    return text


@figure
def plot_renewals(risk: RenewalRisk) -> Figure:
    """Draw recurring revenue up for renewal by the month of its end: notice given, expected lost, expected kept."""
    if risk.accounts.empty or risk.accounts["probability"].isna().any():
        return empty(renewals_title(risk))
    rows = risk.accounts.assign(month=pd.to_datetime(risk.accounts["ends_on"]).dt.strftime("%Y-%m"))
    noticed = rows["expected_loss"].where(rows["notice_on"].notna(), 0.0)
    parts = rows.assign(
        noticed=noticed, other=rows["expected_loss"] - noticed, kept=rows["arr"] - rows["expected_loss"]
    )
    by_month = parts.groupby("month", sort=True)[["noticed", "other", "kept", "arr"]].sum()
    made, axes = new_figure(height=0.5 * len(by_month) + 2.0)
    left = np.zeros(len(by_month))
    for name, colour in (("noticed", VERMILION), ("other", ORANGE), ("kept", SKY)):
        width = by_month[name].to_numpy(dtype=float)
        axes.barh(np.arange(len(by_month)), width, left=left, color=colour, height=0.62)
        left = left + width
    at_risk_share = (by_month["noticed"] + by_month["other"]) / by_month["arr"]
    for place, (total, share) in enumerate(zip(by_month["arr"], at_risk_share, strict=True)):
        words = f"{percent(share)} at risk"
        axes.annotate(words, (total, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=10)
    names_axis(axes, list(by_month.index))
    axes.set_xlim(0, float(by_month["arr"].max()) * 1.28)
    money_axis(axes, "x", risk.currency, "Yearly recurring revenue whose term ends in the month")
    handles = [
        Patch(color=colour, label=label)
        for colour, label in ((VERMILION, "notice given"), (ORANGE, "expected lost besides"), (SKY, "expected kept"))
    ]
    made.legend(handles=handles, loc="outside lower left", ncols=3, frameon=False)
    titled(made, renewals_title(risk))
    return made


def renewals_title(risk: RenewalRisk) -> str:
    """What is up for renewal in the nearest window, and how much of it is expected to be lost."""
    if risk.reason:
        return f"Renewals at risk are not known: {risk.reason}."
    first, money = risk.summary.iloc[0], Money(risk.currency)
    if first["renewals"] == 0:
        return f"No paid term ends within {int(first['days'])} days"
    text = f"{money.short(first['arr'])} of yearly revenue is up for renewal within {int(first['days'])} days"
    if pd.isna(first["expected_loss"]):
        return f"{text}; how much of it is at risk is not known: {first['reason']}"
    between = f"95%: {money.short(first['low'])} to {money.short(first['high'])}"
    return f"{text}; {money.short(first['expected_loss'])} of it is expected to be lost ({between})"


@figure
def plot_renewal_trial(trial: RenewalTrial) -> Figure:
    """Draw how often renewals were lost against the probability that was stated, with 95% intervals of the share."""
    if trial.reason or trial.reliability.empty:
        return empty(renewal_trial_title(trial))
    curve = trial.reliability
    made, axes = new_figure(height=4.2)
    stated, share = curve["mean_probability"].to_numpy(dtype=float), curve["share"].to_numpy(dtype=float)
    low, high = curve["share_low"].to_numpy(dtype=float), curve["share_high"].to_numpy(dtype=float)
    top = min(1.0, 1.1 * float(max(high.max(), stated.max())))
    axes.plot([0, top], [0, top], color=GREY, lw=1, ls="--")
    axes.vlines(stated, low, high, color=BLUE, lw=2.5)
    axes.scatter(stated, share, color=BLUE, s=60, zorder=3)
    about = int(curve["n"].median())
    percent_axis(axes, "x", f"Stated chance of being lost (each point: about {about:,} renewals)")
    percent_axis(axes, "y", "Share that was lost")
    axes.set_xlim(0, top)
    axes.set_ylim(0, min(1.08, top * 1.08))
    titled(made, renewal_trial_title(trial))
    return made


def renewal_trial_title(trial: RenewalTrial) -> str:
    """How well past renewals were told apart, and by how much the stated chances were off."""
    if trial.reason:
        return f"The renewal model could not be tested: {trial.reason}."
    auc, error = trial.score("model", "roc_auc"), trial.score("model", "calibration_error")
    n = len(trial.rows)
    if auc is None or error is None:
        return f"{n:,} past renewals all ended alike, so that chances cannot be judged"
    return f"On {n:,} past renewals stated chances were off by {percent(error, 1)}; {_order(auc)}"


def _order(auc: float) -> str:
    return f"of two, the lost one had the higher chance {percent(auc)} of the time"


@figure
def plot_nrr_ahead(forecast: NrrForecast) -> Figure:
    """Draw net retention as published each quarter, and the forecast with its 80% and 95% range."""
    frame = forecast.frame
    ahead = frame[frame["mean"].notna()] if len(frame) else frame
    if ahead.empty:
        return empty(nrr_ahead_title(forecast))
    made, axes = new_figure(height=3.9)
    labels = [*forecast.history["month"], *ahead["month"]]
    past = np.arange(len(forecast.history))
    here = np.arange(len(forecast.history), len(labels))
    known = forecast.history["nrr"].to_numpy(dtype=float)
    axes.plot(past, known, color=INK, lw=2, marker="o", ms=4)
    start = past[-1:] if len(past) else here[:1]
    at = np.concatenate([start, here]) if len(past) else here
    for name, (low, high), alpha in (("95", ("p2_5", "p97_5"), 0.15), ("80", ("p10", "p90"), 0.25)):
        del name
        sides = [ahead[side].to_numpy(dtype=float) for side in (low, high)]
        if len(past):
            sides = [np.concatenate([known[-1:], side]) for side in sides]
        axes.fill_between(at, sides[0], sides[1], color=BLUE, alpha=alpha, lw=0)
    mean = ahead["mean"].to_numpy(dtype=float)
    axes.plot(at, np.concatenate([known[-1:], mean]) if len(past) else mean, color=BLUE, lw=2, ls="--")
    axes.scatter(here, mean, color=BLUE, s=40, zorder=3)
    for x, y in {here[0]: mean[0], here[-1]: mean[-1]}.items():
        axes.annotate(percent(y, 1), (x, y), xytext=(0, 8), textcoords="offset points", ha="center", fontsize=10)
    step = max(1, -(-len(labels) // 7))
    ticks = list(range(len(labels) - 1, -1, -step))[::-1]
    axes.set_xticks(ticks, [labels[tick] for tick in ticks])
    percent_axis(axes, "y", "Net revenue retention")
    only_grid(axes, "y")
    handles = [
        Line2D([], [], color=INK, lw=2, marker="o", ms=4, label="published"),
        Line2D([], [], color=BLUE, lw=2, ls="--", marker="o", ms=6, label="forecast"),
        Patch(color=BLUE, alpha=0.4, label="80%"),
        Patch(color=BLUE, alpha=0.15, label="95%"),
    ]
    made.legend(handles=handles, loc="outside lower left", ncols=4, frameon=False)
    titled(made, nrr_ahead_title(forecast))
    return made


def nrr_ahead_title(forecast: NrrForecast) -> str:
    """Where net retention goes, and how wide the range is."""
    frame = forecast.frame
    ahead = frame[frame["mean"].notna()] if len(frame) else frame
    if ahead.empty:
        why = forecast.reason or "nothing was observed"
        return f"Where net retention goes is not known: {why}."
    row = ahead.iloc[-1]
    between = f"80%: {percent(row['p10'], 1)} to {percent(row['p90'], 1)}"
    text = f"Net retention is expected at {percent(row['mean'], 1)} in {row['month']} ({between})"
    return text if np.isnan(forecast.last) else f"{text}, against {percent(forecast.last, 1)} now"
