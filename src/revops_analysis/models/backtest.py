"""The back-test: what every method would have said at past cutoffs from what was known then, in one long table."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.models.cutoffs import Cutoff, shifted, week_ends
from revops_analysis.models.evidence import Evidence
from revops_analysis.models.forecaster import QUANTILE_NAMES, Forecaster, NotPossible
from revops_analysis.models.new_stages import new_stages_share
from revops_analysis.periods import Period

Progress = Callable[[int, int], None]
"""Told how many periods are done, of how many."""


@runtime_checkable
class Fits(Protocol):
    """A forecaster that learns first. What it learns from is over, so one fit serves a whole period."""

    def fit(self, evidence: Evidence) -> Forecaster | NotPossible:
        """Learn from the periods that are over in the evidence; the result is what forecasts."""


@dataclass(frozen=True)
class BacktestOptions:
    """Which weeks of each period to forecast at (their last days; 0 is its eve), and how many processes to use.

    `lead_days` of more than one look at each period once, so many days before its first, instead of at its weeks.

    `workers` 0 takes one a core; 1 stays in this process. The results are the same, to the digit. With more than one,
    forecasters are sent to other processes, so they must come from modules, and a script needs the usual
    `if __name__ == "__main__":`.
    """

    weeks: tuple[int, ...] = (1, 4, 7, 10)
    workers: int = 0
    lead_days: int = 0

    def cutoffs(self, period: Period) -> tuple[Cutoff, ...]:
        """The cutoffs of a period: its weeks, or with a lead of more than a day the one so long before it begins."""
        if self.lead_days > 1:
            return shifted(period, [-self.lead_days])
        return week_ends(period, self.weeks) if self.weeks else ()


@dataclass(frozen=True, eq=False)
class Backtest:
    """What was forecast, and what could not be.

    frame       a row a cutoff, period and method, in the order of periods, weeks and methods: cutoff, period, week,
                method, mean, p2_5 … p97_5 (null where no range was stated), booked (at the cutoff), outcome (bookings;
                null while the period runs), wins (deals won in periods over by then), new_stages (share of the open
                deals; see `new_stages_share`).
    skipped     a row for each that could not be made: cutoff, period, method, reason.
    """

    frame: pd.DataFrame
    skipped: pd.DataFrame


def backtest(
    evidence: Evidence,
    periods: Sequence[Period],
    forecasters: Sequence[Forecaster],
    options: BacktestOptions = BacktestOptions(),
    progress: Progress | None = None,
) -> Backtest:
    """Forecast every period at every week by every method, each from `evidence.known_at` of that day alone.

    A forecaster with a `fit` (see `Fits`) is fitted once a period, on what was known at the period's first cutoff.
    Periods run in parallel, with one thread of numerical libraries a process. Cutoffs that the evidence lacks (before
    the first period, or after its day) are skipped. Raises ConfigurationError when two methods share a name.
    """
    names = [forecaster.name for forecaster in forecasters]
    if len(set(names)) < len(names):
        raise ConfigurationError(
            "Two methods have one name.", found=", ".join(sorted(names)), fix="give each forecaster its own name"
        )
    jobs = _Jobs(evidence, tuple(periods), tuple(forecasters), options)
    workers = min(options.workers or os.cpu_count() or 1, len(jobs.periods))
    results: dict[int, _Rows] = {}
    for done, (number, rows) in enumerate(_alone(jobs) if workers <= 1 else _together(jobs, workers), start=1):
        results[number] = rows
        if progress is not None:
            progress(done, len(jobs.periods))
    ordered = [results[number] for number in sorted(results)]
    return Backtest(
        typed([row for rows in ordered for row in rows.made], FRAME),
        typed([row for rows in ordered for row in rows.skipped], SKIPPED),
    )


_WHICH = {"cutoff": "datetime64[ms]", "period": "object", "week": "int64", "method": "object"}
FRAME = _WHICH | dict.fromkeys(("mean", *QUANTILE_NAMES, "booked", "outcome", "wins", "new_stages"), "float64")
SKIPPED = {"cutoff": "datetime64[ms]", "period": "object", "method": "object", "reason": "object"}
"""Columns of the two frames of a back-test."""


def typed(rows: Sequence[dict[str, object]] | pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    """A frame with the columns in their order and types, also without rows."""
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


@dataclass(frozen=True, eq=False)
class _Jobs:
    """All that a process must know."""

    evidence: Evidence
    periods: tuple[Period, ...]
    forecasters: tuple[Forecaster, ...]
    options: BacktestOptions


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows of one period."""

    made: list[dict[str, object]]
    skipped: list[dict[str, object]]


def _alone(jobs: _Jobs) -> Iterator[tuple[int, _Rows]]:
    for number in range(len(jobs.periods)):
        yield number, _period(jobs, number)


_received: list[_Jobs] = []
"""In a process of the pool: what it was sent when it began, so that the evidence travels once."""


def _receive(jobs: _Jobs) -> None:
    _received[:] = [jobs]


def _received_period(number: int) -> _Rows:
    return _period(_received[0], number)


def _together(jobs: _Jobs, workers: int) -> Iterator[tuple[int, _Rows]]:
    """As they finish. New processes are started, not forked: a fork would copy locks of the engine's threads."""
    with ProcessPoolExecutor(workers, get_context("spawn"), _receive, (jobs,)) as pool:
        # The latest periods learn from most evidence and take longest, so they begin first.
        asked: dict[Future[_Rows], int] = {
            pool.submit(_received_period, number): number for number in reversed(range(len(jobs.periods)))
        }
        try:
            for finished in as_completed(asked):
                yield asked[finished], finished.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _period(jobs: _Jobs, number: int) -> _Rows:
    """Every forecast of one period; one thread, so that sums have one order and processes do not crowd each other."""
    import sklearn.ensemble  # noqa: F401 - only libraries that are loaded can be limited
    from threadpoolctl import threadpool_limits

    rows = _Rows([], [])
    cutoffs = jobs.options.cutoffs(jobs.periods[number])
    there = [cutoff for cutoff in cutoffs if _has(jobs.evidence, cutoff)]
    names = [forecaster.name for forecaster in jobs.forecasters]
    for cutoff in cutoffs:
        if cutoff not in there:
            rows.skipped.extend(_skip(cutoff, name, _LACKING) for name in names)
    if there:
        with threadpool_limits(limits=1):
            fitted = [_fitted(forecaster, jobs.evidence, there[0]) for forecaster in jobs.forecasters]
            for cutoff in there:
                _forecast(jobs.evidence, cutoff, fitted, rows)
    return rows


_LACKING = "The evidence has no such cutoff: the day lies before its first period or after its own day."


def _has(evidence: Evidence, cutoff: Cutoff) -> bool:
    rows = evidence.cutoffs
    same = (rows["cutoff"] == pd.Timestamp(cutoff.day)) & (rows["period"] == cutoff.period.label)
    return cutoff.day <= evidence.day and bool(same.any())


def _fitted(forecaster: Forecaster, evidence: Evidence, first: Cutoff) -> Forecaster | NotPossible:
    if not isinstance(forecaster, Fits):
        return forecaster
    return forecaster.fit(evidence.known_at(first.day))


def _forecast(evidence: Evidence, cutoff: Cutoff, fitted: Sequence[Forecaster | NotPossible], rows: _Rows) -> None:
    """Add a cutoff's rows, made or skipped."""
    known = evidence.known_at(cutoff.day)
    fact = evidence.at(cutoff)[1]
    over = cutoff.period.end <= evidence.day
    facts = {"booked": float(fact["booked"]), "outcome": float(fact["bookings"]) if over else np.nan}
    facts |= {"wins": float(len(known.wins)), "new_stages": new_stages_share(known, cutoff)}
    for method in fitted:
        answer = method if isinstance(method, NotPossible) else method.forecast(known, cutoff)
        if isinstance(answer, NotPossible):
            rows.skipped.append(_skip(cutoff, answer.method, answer.reason))
        else:
            rows.made.append(answer.as_row() | facts)


def _skip(cutoff: Cutoff, method: str, reason: str) -> dict[str, object]:
    return {"cutoff": pd.Timestamp(cutoff.day), "period": cutoff.period.label, "method": method, "reason": reason}
