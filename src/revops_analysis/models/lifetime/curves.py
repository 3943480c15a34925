"""How many accounts are still there at each age: Kaplan–Meier with delayed entry, and the mean lifetime it implies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.models.lifetime.lifetimes import AccountLifetimes
from revops_analysis.statistics.restricted_mean import restricted_mean
from revops_analysis.statistics.survival import SurvivalCurve, kaplan_meier

ALL_ACCOUNTS = "All accounts"
"""Scope of the rows that hold every account."""

YEAR = 12


@dataclass(frozen=True)
class CurveOptions:
    """`horizon_months`: up to which age lifetimes are followed; None: as many whole years (months, below one) as
    `minimum_at_risk` accounts are watched.

    A level with fewer than `minimum_at_horizon` accounts watched at the horizon gets no mean lifetime.
    """

    horizon_months: int | None = None
    minimum_at_risk: int = 20
    minimum_at_horizon: int = 5
    confidence: float = 0.95


@dataclass(frozen=True, eq=False)
class LifetimeCurves:
    """Lifetimes by scope: all accounts first, then each level of `by`.

    `summary`: [scope, n, churned, at_horizon (accounts watched at the horizon), mean_months, mean_low, mean_high (mean
    lifetime within the horizon), staying (share still there at the horizon), staying_low, staying_high, median_months
    (null while more than half are still there), reason]. `curves`: [scope, months, at_risk, churned, share, low, high],
    a row an age at which something happened. `horizon_months` is 0, and all values null, where nothing can be followed.
    """

    summary: pd.DataFrame
    curves: pd.DataFrame
    by: str | None
    horizon_months: int
    lifetimes: AccountLifetimes
    options: CurveOptions


def lifetime_curves(
    lifetimes: AccountLifetimes, by: str | None = "segment", options: CurveOptions = CurveOptions()
) -> LifetimeCurves:
    """Estimate survival and the mean lifetime within a horizon, for all accounts and by an attribute at entry.

    An account that stays counts for as long as it was watched; one that was first watched at a later age enters the
    risk set there (delayed entry) and says nothing of the ages before. The horizon is the last whole year at which at
    least `minimum_at_risk` accounts were still watched: beyond it the curve is a few accounts' story.

    Source: Kaplan & Meier (1958); Klein & Moeschberger (2003), sec. 4.5 and 4.6.
    Raises ConfigurationError for an attribute that lifetimes do not have, and a horizon that is not positive.
    """
    if by is not None and by not in lifetimes.attributes:
        raise ConfigurationError("Not an attribute.", expected=", ".join(lifetimes.attributes), found=by)
    if options.horizon_months is not None and options.horizon_months <= 0:
        raise ConfigurationError("A horizon must be positive.", found=repr(options.horizon_months))
    parts = [(scope, frame, _curve(frame, options)) for scope, frame in lifetimes.scopes(by, ALL_ACCOUNTS)]
    horizon = options.horizon_months or _horizon(parts[0][2], options.minimum_at_risk)
    rows = [_summary_row(scope, frame, curve, horizon, options) for scope, frame, curve in parts]
    summary = pd.DataFrame(rows).astype(dict.fromkeys(_NUMBERS, "float64"))
    curves = pd.concat([_curve_rows(scope, curve) for scope, _, curve in parts], ignore_index=True)
    return LifetimeCurves(summary, curves, by, horizon, lifetimes, options)


_NUMBERS = ("mean_months", "mean_low", "mean_high", "staying", "staying_low", "staying_high", "median_months")


def _curve(frame: pd.DataFrame, options: CurveOptions) -> SurvivalCurve:
    """The curve from counts: lifetimes are whole months, so there are few distinct ones however many accounts.

    An account that has only just come into sight at a later age has been watched for no time yet.
    """
    watched = frame[(frame["entry_age"] == 0) | (frame["months"] > frame["entry_age"])]
    counted = watched.groupby(["months", "churned", "entry_age"], as_index=False).size()
    return kaplan_meier(
        counted["months"].to_numpy(dtype=float),
        counted["churned"].to_numpy(dtype=bool),
        weights=counted["size"].to_numpy(dtype=float),
        entry=counted["entry_age"].to_numpy(dtype=float),
        confidence=options.confidence,
    )


def at_risk(curve: pd.DataFrame, ages: np.ndarray) -> np.ndarray:
    """Accounts watched just before each age, from a curve's rows (`time` or `months`, `at_risk`); 0 past the last."""
    times = curve["months" if "months" in curve else "time"].to_numpy(dtype=float)
    numbers = np.concatenate([curve["at_risk"].to_numpy(dtype=float), [0.0]])
    return numbers[np.searchsorted(times, ages)]


def _horizon(curve: SurvivalCurve, minimum: int) -> int:
    """The last age with enough accounts, in whole years from one on; with delayed entry the first ages may have few."""
    if curve.n == 0 or np.isnan(curve.follow_up):
        return 0
    ages = np.arange(1, int(curve.follow_up) + 1)
    enough = at_risk(curve.frame, ages) >= minimum
    last = int(ages[enough][-1]) if enough.any() else 0
    return last if last < YEAR else last - last % YEAR


def _summary_row(
    scope: str | None, frame: pd.DataFrame, curve: SurvivalCurve, horizon: int, options: CurveOptions
) -> dict[str, Any]:
    row: dict[str, Any] = {"scope": scope, "n": len(frame), "churned": int(frame["churned"].sum()), "at_horizon": 0}
    row |= dict.fromkeys(_NUMBERS)
    if horizon == 0:
        few = f"fewer than {options.minimum_at_risk} accounts were watched for a month"
        return {**row, "reason": "no accounts" if frame.empty else few}
    watched = int(at_risk(curve.frame, np.array([horizon]))[0])
    row["at_horizon"], row["median_months"] = watched, curve.median
    if watched < options.minimum_at_horizon:
        reached = "1 account was" if watched == 1 else f"{watched or 'no'} accounts were"
        return {**row, "reason": f"{reached} watched at {horizon} months; {options.minimum_at_horizon} are needed"}
    mean, left = restricted_mean(curve, float(horizon)), curve.at([horizon]).iloc[0]
    row |= {"mean_months": mean.value, "mean_low": mean.low, "mean_high": mean.high}
    row |= {"staying": left["survival"], "staying_low": left["low"], "staying_high": left["high"]}
    return {**row, "reason": mean.reason}


def _curve_rows(scope: str | None, curve: SurvivalCurve) -> pd.DataFrame:
    named = curve.frame.rename(columns={"time": "months", "events": "churned", "survival": "share"})
    rows = named[["months", "at_risk", "churned", "share", "low", "high"]].copy()
    rows.insert(0, "scope", np.full(len(rows), scope, dtype=object))
    return rows
