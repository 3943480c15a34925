"""Landmark comparison: does a warning seen at a past date go with a lower chance of winning from that date on?

Comparing closed deals with and without a warning misleads, because a deal must survive to earn the warning. So deals
are compared at past dates, among those open then, of the same stage and age, by what became of them within a horizon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from revops_analysis.errors import ConfigurationError
from revops_analysis.statistics.false_discovery import benjamini_hochberg
from revops_analysis.statistics.intervals import normal_quantile


@dataclass(frozen=True)
class LandmarkColumns:
    """Which columns of a landmark frame hold what: cluster (the deal), outcome (0 or 1), strata."""

    deal: str = "deal"
    outcome: str = "outcome"
    strata: tuple[str, ...] = ("stage", "age")


@dataclass(frozen=True)
class LandmarkEffect:
    """Difference in outcome rate, flagged less unflagged, within strata.

    `difference, standard_error, low, high, p_value` are None where they cannot be computed, and `reason` says why.
    `rate_flagged, rate_unflagged`: rates with the same weights, so that their difference is `difference`.
    `n_flagged`, `n_unflagged`: rows of strata in which both occur, the only ones that count; `n_left_out`: the others.
    `deals`: distinct deals that count. `strata`: strata that count.
    """

    flag: str
    difference: float | None
    standard_error: float | None
    low: float | None
    high: float | None
    p_value: float | None
    rate_flagged: float | None
    rate_unflagged: float | None
    n_flagged: int
    n_unflagged: int
    n_left_out: int
    deals: int
    strata: int
    reason: str | None = None


def landmark_comparison(
    frame: pd.DataFrame,
    flag: str = "flag",
    columns: LandmarkColumns = LandmarkColumns(),
    confidence: float = 0.95,
) -> LandmarkEffect:
    """Mantel–Haenszel difference in outcome rate between flagged and unflagged rows, with an interval by deal.

    `frame` has a row per deal and landmark date: the deal, the flag as of that date (true or false), the outcome
    within the horizon (1 or 0; rows not yet observed to the horizon must be left out by the caller) and the strata.
    Rows where flag, outcome or a stratum is missing are left out and counted.

    Weights n₁n₀ ÷ (n₁ + n₀) a stratum. A deal appears at many dates, so its rows are not independent: the variance is
    the sum over deals of the squared sum of the deal's influences, times G ÷ (G − 1) for G deals, with the weights
    taken as fixed. Null with a reason: no stratum with both kinds of rows; fewer than two deals. No spread between
    outcomes at all: a difference without interval.

    Source: Greenland & Robins, Biometrics 41 (1985) 55–68; van Houwelingen, Scand. J. Statist. 34 (2007) 70–85 for
    landmarks; Liang & Zeger, Biometrika 73 (1986) 13–22 for the variance.
    Raises ConfigurationError for a column that is not there and for outcomes other than 0 and 1.
    """
    rows = _complete(frame, flag, columns)
    if len(rows) == 0:
        return _nothing(flag, len(frame), "no rows with flag, outcome and strata")
    used = _with_weights(rows)
    left_out = len(frame) - len(used)
    deals, strata = used["deal"].nunique(), used["stratum"].nunique()
    if deals < 2:
        return _nothing(flag, left_out, "no stratum has flagged and unflagged rows of two deals")
    total = float(used.groupby("stratum")["weight"].first().sum())
    rates = _weighted_rates(used, total)
    error = _clustered_error(used, total, deals)
    difference = rates[0] - rates[1]
    counts = (int(used["flag"].sum()), int((~used["flag"]).sum()), left_out, int(deals), int(strata))
    if error <= 1e-12:
        reason = "outcomes do not vary within strata, so there is no interval"
        return LandmarkEffect(flag, difference, None, None, None, None, *rates, *counts, reason)
    half = normal_quantile(confidence) * error
    p_value = float(2 * norm.sf(abs(difference) / error))
    low, high = max(difference - half, -1.0), min(difference + half, 1.0)
    return LandmarkEffect(flag, difference, error, low, high, p_value, *rates, *counts)


def landmark_comparisons(
    frame: pd.DataFrame,
    flags: Sequence[str],
    columns: LandmarkColumns = LandmarkColumns(),
    confidence: float = 0.95,
) -> pd.DataFrame:
    """`landmark_comparison` of several flags, a row a flag in the order given, with false discovery controlled.

    Columns: the fields of `LandmarkEffect`, and `p_adjusted` (Benjamini–Hochberg over the flags that have a p-value).
    """
    effects = [landmark_comparison(frame, flag, columns, confidence) for flag in flags]
    table = pd.DataFrame([vars(effect) for effect in effects], columns=list(LandmarkEffect.__dataclass_fields__))
    numbers = ["difference", "standard_error", "low", "high", "p_value", "rate_flagged", "rate_unflagged"]
    table[numbers] = table[numbers].astype(float)
    return table.assign(p_adjusted=benjamini_hochberg(table["p_value"].to_numpy()) if len(table) else [])


def age_bands(ages: npt.ArrayLike, edges: Sequence[float]) -> npt.NDArray[np.object_]:
    """Label ages (days) by the band they fall in, as strata: `0–29`, `30–89`, `90+` for edges 30, 90. Missing: None.

    >>> age_bands([0, 30, 400], [30, 90]).tolist()
    ['0–29', '30–89', '90+']
    """
    values = np.asarray(ages, dtype=float)
    starts = [0, *edges]
    closed = [f"{low:g}–{high - 1:g}" for low, high in zip(starts[:-1], edges, strict=True)]
    labels = np.array([*closed, f"{starts[-1]:g}+", None], dtype=object)
    band = np.searchsorted(np.asarray(edges, dtype=float), values, side="right")
    return labels[np.where(np.isnan(values), len(labels) - 1, band)]


def _complete(frame: pd.DataFrame, flag: str, columns: LandmarkColumns) -> pd.DataFrame:
    """Rows that can be compared: `deal, flag, outcome, stratum`, strata as codes."""
    needed = [columns.deal, flag, columns.outcome, *columns.strata]
    absent = [name for name in needed if name not in frame]
    if absent:
        raise ConfigurationError(
            "A landmark comparison misses columns.", expected=", ".join(needed), found=f"none called {absent}"
        )
    rows = frame[needed].dropna()
    outcome = rows[columns.outcome].astype(float)
    if not outcome.isin([0.0, 1.0]).all():
        found = sorted(set(outcome[~outcome.isin([0.0, 1.0])]))[:3]
        raise ConfigurationError("An outcome is 1 or 0.", found=f"{found}", where=f"column {columns.outcome}")
    stratum = rows.groupby(list(columns.strata), sort=True, observed=True).ngroup() if columns.strata else 0
    tidy = pd.DataFrame({"deal": rows[columns.deal], "flag": rows[flag].astype(bool), "outcome": outcome})
    # A fixed order of summation, so that the order of the input cannot show in the last digit.
    return tidy.assign(stratum=stratum).sort_values(["stratum", "flag", "deal", "outcome"], ignore_index=True)


def _with_weights(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of strata with both kinds, with the size and rate of their arm and the weight of their stratum."""
    arm = rows.groupby(["stratum", "flag"])["outcome"]
    sized = rows.assign(size=arm.transform("size"), rate=arm.transform("mean"))
    whole = sized.groupby("stratum")["outcome"].transform("size")
    both = sized[whole > sized["size"]]
    other = whole[both.index] - both["size"]
    return both.assign(weight=both["size"] * other / whole[both.index])


def _weighted_rates(used: pd.DataFrame, total: float) -> tuple[float, float]:
    arms = used.groupby(["flag", "stratum"])[["rate", "weight"]].first()
    rates = (arms["rate"] * arms["weight"]).groupby("flag").sum() / total
    return float(rates[True]), float(rates[False])


def _clustered_error(used: pd.DataFrame, total: float, deals: int) -> float:
    sign = np.where(used["flag"], 1.0, -1.0)
    influence = sign * used["weight"] / total * (used["outcome"] - used["rate"]) / used["size"]
    by_deal = influence.groupby(used["deal"]).sum()
    return float(np.sqrt((by_deal**2).sum() * deals / (deals - 1)))


def _nothing(flag: str, left_out: int, reason: str) -> LandmarkEffect:
    return LandmarkEffect(flag, None, None, None, None, None, None, None, 0, 0, left_out, 0, 0, reason)
