"""How good stated ranges were: coverage of intervals, pinball loss and CRPS of a back-test's long table.

The table is that of `revops_analysis.models.accuracy`. Forecasts without a range are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.models.accuracy import groups_of, known_forecasts, reasons
from revops_analysis.models.forecaster import QUANTILE_NAMES, QUANTILES
from revops_analysis.statistics.intervals import wilson_interval

INTERVALS = {50: ("p25", "p75"), 80: ("p10", "p90"), 95: ("p2_5", "p97_5")}
"""Nominal coverage in percent → the quantiles that bound the interval."""

NO_RANGE = "the method stated no range"


def interval_coverage(table: pd.DataFrame, by: Sequence[str] = ("method",), confidence: float = 0.95) -> pd.DataFrame:
    """Share of outcomes within the stated intervals: [*by, interval, n, covered, share, low, high, width, reason].

    `interval` is 50, 80 or 95; `low` and `high` are the Wilson interval of the share, which treats forecasts of one
    period as independent and is therefore too narrow where weeks are pooled; `width` is Σ width ÷ Σ |outcome|. Bounds
    belong to the interval. Null with a reason where no range was stated.
    """
    known = known_forecasts(table)
    groups = groups_of(table, by)
    parts = [_coverage(known, list(by), groups, level, confidence) for level in INTERVALS]
    return pd.concat(parts, ignore_index=True).sort_values([*by, "interval"], ignore_index=True)


def _coverage(known: pd.DataFrame, by: list[str], groups: pd.Index, level: int, confidence: float) -> pd.DataFrame:
    low, high = (known[name] for name in INTERVALS[level])
    stated = known[low.notna() & high.notna()]
    low, high = (stated[name] for name in INTERVALS[level])
    marked = stated.assign(
        inside=((stated["outcome"] >= low) & (stated["outcome"] <= high)).astype("int64"),
        span=high - low,
        real=stated["outcome"].abs(),
    )
    grouped = marked.groupby(by, sort=True)
    counts = pd.DataFrame({"n": grouped.size(), "covered": grouped["inside"].sum()}).reindex(groups)
    counts = counts.fillna(0).astype("int64")
    sums = grouped[["span", "real"]].sum().reindex(groups)
    share_low, share_high = wilson_interval(counts["covered"], counts["n"], confidence)
    found = counts.assign(
        interval=level,
        share=counts["covered"] / counts["n"].where(counts["n"] > 0),
        low=share_low,
        high=share_high,
        width=sums["span"] / sums["real"].where(sums["real"] > 0),
        reason=reasons(groups, {NO_RANGE: counts["n"] == 0}),
    )
    names = [*by, "interval", "n", "covered", "share", "low", "high", "width", "reason"]
    return found.reset_index()[names]


def distribution_scores(table: pd.DataFrame, by: Sequence[str] = ("method",)) -> pd.DataFrame:
    """Pinball loss and CRPS: [*by, n, pinball, crps, crps_share, reason], both in the reporting currency.

    Pinball loss of a quantile q at level τ is max(τ (A − q), (τ − 1)(A − q)); `pinball` is its mean over the seven
    stated levels and the forecasts. CRPS is twice its integral over all levels (`crps_of_quantiles`); `crps_share` is
    Σ CRPS ÷ Σ |A|. Null with a reason where no range was stated.

    Source: Gneiting & Raftery, JASA 102 (2007) 359–378.
    """
    known = known_forecasts(table)
    stated = known[known[list(QUANTILE_NAMES)].notna().all(axis=1)]
    quantiles = stated[list(QUANTILE_NAMES)].to_numpy(dtype=float)
    outcome = stated["outcome"].to_numpy(dtype=float)
    scored = stated.assign(
        pinball=pinball_losses(quantiles, outcome).mean(axis=1),
        crps=crps_of_quantiles(quantiles, outcome),
        real=np.abs(outcome),
    )
    groups = groups_of(table, by)
    grouped = scored.groupby(list(by), sort=True)
    found = grouped[["pinball", "crps"]].mean().reindex(groups)
    sums = grouped[["crps", "real"]].sum().reindex(groups)
    found.insert(0, "n", grouped.size().reindex(groups).fillna(0).astype("int64"))
    return found.assign(
        crps_share=sums["crps"] / sums["real"].where(sums["real"] > 0),
        reason=reasons(groups, {NO_RANGE: found["n"] == 0}),
    ).reset_index()


def pinball_losses(quantiles: npt.NDArray[np.float64], outcome: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Pinball loss [forecasts × levels] of quantiles at `QUANTILES`.

    >>> pinball_losses(np.full((1, 7), 10.0), np.array([12.0])).round(2).tolist()
    [[0.05, 0.2, 0.5, 1.0, 1.5, 1.8, 1.95]]
    """
    gap = outcome[:, None] - quantiles
    levels = np.array(QUANTILES)
    return np.maximum(levels * gap, (levels - 1) * gap)


def crps_of_quantiles(quantiles: npt.NDArray[np.float64], outcome: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """CRPS of each forecast from its quantiles: 2 ∫ pinball loss dτ.

    Between levels the quantile function is a straight line and the integral exact; beyond the outermost levels it is
    taken as flat, which leaves out the tails beyond 95%. A forecast that is one number scores its absolute error.

    >>> crps_of_quantiles(np.full((1, 7), 10.0), np.array([12.0])).round(6).tolist()
    [2.0]
    """
    levels = np.array([0.0, *QUANTILES, 1.0])
    points = np.column_stack([quantiles[:, 0], quantiles, quantiles[:, -1]])
    start, end = points[:, :-1], points[:, 1:]
    width, low = np.diff(levels), levels[:-1]
    span = end - start
    crossing = np.divide(outcome[:, None] - start, span, out=np.zeros_like(span), where=span > 0)
    flat = (outcome[:, None] > start).astype(float)
    turn = np.where(span > 0, np.clip(crossing, 0, 1), flat)
    below = _integral(turn, (outcome[:, None] - start, span), low, width)
    whole = _integral(np.ones_like(turn), (outcome[:, None] - start, span), low, width)
    above_gap = (whole - below) - _gap(turn, (outcome[:, None] - start, span), width)
    return 2 * (below + above_gap).sum(axis=1)


def _integral(
    until: npt.NDArray[np.float64],
    line: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    low: npt.NDArray[np.float64],
    width: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """∫ τ (A − q(τ)) over the first `until` (0 to 1) of each piece, where A − q falls from `gap` by `span`."""
    gap, span = line
    inner = low * (gap * until - span * until**2 / 2) + width * (gap * until**2 / 2 - span * until**3 / 3)
    return width * inner


def _gap(
    start: npt.NDArray[np.float64],
    line: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    width: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """∫ (A − q(τ)) over each piece from `start` on."""
    gap, span = line
    return width * (gap * (1 - start) - span * (1 - start**2) / 2)
