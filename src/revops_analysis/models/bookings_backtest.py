"""The back-test of the bookings forecast: what every method, and the published one, would have said in the past."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from revops_analysis.errors import ConfigurationError
from revops_analysis.models.backtest import Backtest, Progress
from revops_analysis.models.backtest_cache import BacktestRequest, cached_backtest
from revops_analysis.models.bookings_model import BookingsModel
from revops_analysis.models.cutoffs import Cutoff
from revops_analysis.models.evidence import Evidence, gather_evidence
from revops_analysis.models.forecast import ForecastOptions, asked_cutoffs, forecast_period, scored_periods
from revops_analysis.models.forecaster import Forecaster
from revops_analysis.models.rivals import rivals
from revops_analysis.models.selection import with_choice
from revops_analysis.periods import Period, following, weeks_of

if TYPE_CHECKING:
    from revops_analysis.workspace import Workspace

DEFAULT_WEEKS = (1, 4, 7, 10)
"""The weeks of a period at whose ends it is forecast."""


def backtest_bookings(
    workspace: Workspace,
    periods: Sequence[Period] = (),
    weeks: Sequence[int] = (),
    options: ForecastOptions | None = None,
    progress: Progress | None = None,
) -> Backtest:
    """Forecast past periods again by every method, each from what was known then; the method `chosen` is what the
    forecast would have published, by what earlier periods had shown.

    `periods` are by default those that `forecast_bookings` is judged by; `weeks` (0 is the eve of the period) are by
    default `DEFAULT_WEEKS`, of those that the periods have. Raises ConfigurationError when a period is not over, begins
    before the history, or has no such week, and when the history is too short.
    """
    options = options or ForecastOptions()
    _refuse_running(workspace, periods)
    _weeks(tuple(periods) or (_ahead(workspace, ()),), weeks)  # a wrong week is refused before anything is computed
    evidence = gather_evidence(workspace, asked_cutoffs(Cutoff(workspace.as_of, _ahead(workspace, periods))))
    chosen = tuple(periods) or scored_periods(evidence, options)
    _refuse_unknown(workspace, chosen, evidence, options)
    how = replace(options.backtest, weeks=_weeks(chosen, weeks), lead_days=0)
    methods: tuple[Forecaster, ...] = (BookingsModel(options.model), *rivals(workspace.definitions))
    request = BacktestRequest(chosen, methods, how)
    made = cached_backtest(workspace, workspace.project, request, evidence=lambda: evidence, progress=progress)
    if made.frame.empty:
        return made
    return Backtest(with_choice(made.frame, options.selection)[0], made.skipped)


def _ahead(workspace: Workspace, periods: Sequence[Period]) -> Period:
    """The first period of the same kind that is not over: all past ones are then evidence."""
    if not periods:
        return forecast_period(workspace)
    calendar = workspace.definitions.fiscal_calendar
    found = periods[-1]
    while found.end <= workspace.as_of:
        found = following(found, calendar)
    return found


def _refuse_running(workspace: Workspace, periods: Sequence[Period]) -> None:
    running = [period for period in periods if period.end > workspace.as_of]
    if running:
        raise ConfigurationError(
            f"{running[0].label} is not over, so no forecast of it can be judged.",
            expected=f"periods that end on or before {workspace.as_of.isoformat()}",
            found=f"{running[0].label}, which ends on {running[0].end.isoformat()}",
            where="--period",
            fix="end the series earlier, or ask for a forecast: "
            f"revops forecast --source {workspace.source} --as-of {workspace.as_of.isoformat()} "
            f"--period {running[0].label}",
        )


def _refuse_unknown(
    workspace: Workspace, chosen: Sequence[Period], evidence: Evidence, options: ForecastOptions
) -> None:
    """Refuse a history that has nothing to judge by, and periods that begin before it."""
    past = evidence.past.sort_values("first_day", kind="stable")["period"].unique()
    where = f"source {workspace.source}, as of {workspace.as_of.isoformat()}"
    if not chosen:
        raise ConfigurationError(
            "The history is too short for a back-test.",
            expected=f"{options.training_periods + 1} periods that are over: {options.training_periods} to learn from "
            "and one to forecast",
            found=f"{len(past)} with bookings on record from their first day on",
            where=where,
            fix="load deals with their history of more periods, or name the periods with --period",
        )
    unknown = [period for period in chosen if period.label not in set(past)]
    if unknown:
        known = f"from {past[0]} on" if len(past) else "none"
        raise ConfigurationError(
            f"The history does not reach back to {unknown[0].label}.",
            expected=f"periods whose bookings are on record from their first day on: {known}",
            found=", ".join(period.label for period in unknown),
            where=where,
            fix=f"begin the series at {past[0]} or later" if len(past) else "load deals with their history",
        )


def _weeks(periods: Sequence[Period], asked: Sequence[int]) -> tuple[int, ...]:
    """The weeks asked for, in order; the last week is none, because its end is the period's and nothing is open."""
    last = min(len(weeks_of(period)) for period in periods) - 1
    if not asked:
        return tuple(week for week in DEFAULT_WEEKS if week <= last) or (0,)
    wrong = [week for week in asked if not 0 <= week <= last]
    if wrong:
        raise ConfigurationError(
            "The period has no such week to forecast at.",
            expected=f"weeks from 0 (the eve of the period) to {last} (the end of the last but one)",
            found=", ".join(map(str, wrong)),
            where="--weeks",
            fix="for example --weeks " + ",".join(str(week) for week in DEFAULT_WEEKS if week <= last),
        )
    return tuple(sorted(set(asked)))
