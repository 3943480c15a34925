"""Risk sets: how many were at risk, ended by each cause and were censored at every distinct time."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.errors import ConfigurationError

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RiskSets:
    """Counts at each distinct time, ascending.

    `times` (m,); `at_risk` (m,): observed just before the time and not ended; `ended` (m, causes); `censored` (m,);
    `causes`: labels of the columns of `ended`, sorted; `n`: sum of weights.
    """

    times: FloatArray
    at_risk: FloatArray
    ended: FloatArray
    censored: FloatArray
    causes: tuple[Hashable, ...]
    n: float


def risk_sets(
    durations: npt.ArrayLike,
    events: npt.ArrayLike,
    *,
    weights: npt.ArrayLike | None = None,
    entry: npt.ArrayLike | None = None,
) -> RiskSets:
    """Count risk sets from one row a subject, or a row per combination with its count as weight.

    `durations`: time from origin to the event or to censoring, ≥ 0. `events`: the label of the cause, or censored:
    null, 0, False or ''. `weights`: how many subjects the row stands for (default 1; whole or fractional, ≥ 0).
    `entry`: time from which the subject was watched (default 0, from the origin); at risk on entry < t ≤ duration.
    Those entering at 0 are at risk at 0 too, so that an event on the first day counts. Ties: who is censored at t was
    at risk at t, so events come first.

    Raises ConfigurationError for missing or negative durations, for lengths that differ, and for subjects that entered
    at or after their end (they were never watched).
    """
    end = _numbers(durations, "durations")
    start = np.zeros(len(end)) if entry is None else _numbers(entry, "entry", len(end))
    weight = np.ones(len(end)) if weights is None else _numbers(weights, "weights", len(end))
    code, causes = _causes(events, len(end))
    _refuse_unwatched(start, end)
    times, position = np.unique(end, return_inverse=True)
    m, k = len(times), len(causes)
    flat = np.bincount(position * (k + 1) + code, weights=weight, minlength=m * (k + 1))
    cell = flat.astype(float).reshape(m, k + 1)
    leaving = cell.sum(axis=1)
    watched = leaving[::-1].cumsum()[::-1]
    # Not yet entered at t: entry ≥ t, except entry at the origin itself.
    late = start > 0
    joined = np.bincount(np.searchsorted(times, start[late], side="right"), weights=weight[late], minlength=m + 1)
    waiting = joined[::-1].cumsum()[::-1][1 : m + 1]
    at_risk = np.maximum(watched - waiting, cell[:, 1:].sum(axis=1))
    return RiskSets(times, at_risk, cell[:, 1:], cell[:, 0], causes, float(weight.sum()))


def _numbers(values: npt.ArrayLike, name: str, length: int | None = None) -> FloatArray:
    if isinstance(values, pd.Series):
        array = values.to_numpy(dtype=float, na_value=np.nan)
    else:
        array = np.asarray(values, dtype=float)
    bad = ~(np.isfinite(array) & (array >= 0))
    if array.ndim != 1 or bad.any() or (length is not None and len(array) != length):
        raise ConfigurationError(
            f"Survival needs {name} that are numbers ≥ 0, one a subject.",
            expected="one dimension" if length is None else f"{length} numbers",
            found=f"shape {array.shape}, {int(bad.sum())} missing, infinite or negative",
            fix="leave out rows whose dates are missing, and correct ends before starts, before the call",
        )
    return array


def _causes(events: npt.ArrayLike, length: int) -> tuple[npt.NDArray[np.int64], tuple[Hashable, ...]]:
    """Code 0 for censored, 1 … k for the sorted causes."""
    labels = events if isinstance(events, pd.Series) else pd.Series(np.asarray(events))
    if len(labels) != length:
        raise ConfigurationError(
            "Each duration needs an event.", expected=f"{length} events", found=f"{len(labels)} events"
        )
    codes, names = pd.factorize(labels, sort=True)
    causes = [name for name in names.tolist() if name not in (0, "")]
    translate = np.zeros(len(names) + 1, dtype=np.int64)  # the last place is factorize's -1, missing
    translate[[index for index, name in enumerate(names.tolist()) if name not in (0, "")]] = np.arange(len(causes)) + 1
    return translate[codes], tuple(causes)


def _refuse_unwatched(start: FloatArray, end: FloatArray) -> None:
    unwatched = (start >= end) & (start > 0)
    if unwatched.any():
        first = int(np.flatnonzero(unwatched)[0])
        raise ConfigurationError(
            "A subject must enter before it ends.",
            found=f"{int(unwatched.sum())} subjects that enter at or after their end",
            where=f"row {first}: entry {start[first]:g}, duration {end[first]:g}",
            fix="leave out subjects that ended before they were first observed",
        )
