"""`revops forecast` and `revops backtest`: what a period will bring, and how good such forecasts were."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from revops_analysis.cli.forecast_tables import print_backtest, print_forecast
from revops_analysis.cli.options import AsOf, Format, SourceOption, day
from revops_analysis.cli.printing import print_data, progress
from revops_analysis.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from revops_analysis.models.backtest import Backtest
    from revops_analysis.models.forecast import BookingsForecast
    from revops_analysis.periods import Period
    from revops_analysis.reporting.key_figures import Facts
    from revops_analysis.workspace import Workspace

app = typer.Typer()

Output = Annotated[Format, typer.Option("--format", help="table, json or csv.")]


@app.command(epilog="Example: revops forecast --source sample --as-of 2026-09-30 --period 2026-Q4")
def forecast(
    *,
    source: SourceOption,
    as_of: AsOf,
    period: Annotated[str, typer.Option("--period", help="A period that is not over; default: the quarter.")] = "",
    output: Output = Format.table,
) -> None:
    """Forecast the bookings of a period: the number, its range, what it consists of, and why to trust it.

    Past periods are forecast again the first time, which takes about a minute; later the answer comes in seconds.
    """
    from revops_analysis.models.forecast import forecast_bookings
    from revops_analysis.workspace import open_workspace

    with progress() as told:
        workspace = open_workspace(source, as_of=day(as_of))
        asked = _period_ahead(workspace, period)
        told.say("Forecasting bookings")
        made = forecast_bookings(workspace, asked, progress=_steps(told))
    _answer_forecast(made, _facts(workspace, made.cutoff.period.label, made.notes), output)


@app.command(
    epilog="Example: revops backtest --source sample --as-of 2026-09-30 --period 2024-Q1...2026-Q3 --weeks 1,7"
)
def backtest(
    *,
    source: SourceOption,
    as_of: AsOf,
    period: Annotated[
        str, typer.Option("--period", help="Past periods, as 2024-Q1...2026-Q3; default: the latest twelve.")
    ] = "",
    weeks: Annotated[
        str, typer.Option("--weeks", help="Weeks of each period at whose ends to forecast; default: 1,4,7,10.")
    ] = "",
    output: Output = Format.table,
) -> None:
    """Forecast past periods again, each from what was known then, and print how good every method was.

    JSON and CSV have every single forecast beside its outcome.
    """
    from revops_analysis.models.bookings_backtest import backtest_bookings
    from revops_analysis.workspace import open_workspace

    with progress() as told:
        asked = _weeks(weeks)
        workspace = open_workspace(source, as_of=day(as_of))
        periods = _periods(workspace, period)
        told.say("Forecasting past periods again")
        made = backtest_bookings(workspace, periods, asked, progress=_steps(told))
    _answer_backtest(made, _facts(workspace, _span(made, period), ()), output)


def _steps(told: Any) -> Callable[[int, int], None]:
    return lambda done, total: told.step("Past periods forecast again", done, total)


def _facts(workspace: Workspace, period: str, notes: tuple[str, ...]) -> Facts:
    """What the document says about the numbers in it; its warnings are the source's and the forecast's own."""
    from revops_analysis.models.forecast import ForecastOptions
    from revops_analysis.reporting.chapter import facts_of

    facts = facts_of(workspace, period, seed=ForecastOptions().model.seed)
    return replace(facts, warnings=(*facts.warnings, *notes))


def _answer_forecast(made: BookingsForecast, facts: Facts, output: Format) -> None:
    from revops_analysis.reporting.forecast_figures import forecast_rows
    from revops_analysis.reporting.key_figures import KeyFigures, dump_json, rows_frame

    if output is Format.table:
        print_forecast(made, facts)
        return
    figures = KeyFigures(facts, forecast_rows(made))
    if output is Format.json:
        print(dump_json(figures.as_json("forecast")), end="")
    else:
        frame, units = rows_frame(figures.rows)
        print_data(frame, output, units)


def _answer_backtest(made: Backtest, facts: Facts, output: Format) -> None:
    from revops_analysis.reporting.forecast_figures import LONG_TABLE_UNITS, backtest_rows, long_table
    from revops_analysis.reporting.key_figures import KeyFigures, dump_json

    if output is Format.table:
        print_backtest(made, facts)
    elif output is Format.json:
        print(dump_json(KeyFigures(facts, backtest_rows(made)).as_json("backtest")), end="")
    else:
        print_data(long_table(made), output, LONG_TABLE_UNITS)


def _span(made: Backtest, asked: str) -> str:
    """The periods in a word: as asked, or from the first to the last."""
    labels = list(dict.fromkeys([*made.skipped["period"], *made.frame["period"]]))
    return asked or (f"{min(labels)}...{max(labels)}" if len(labels) > 1 else "".join(labels))


def _period_ahead(workspace: Workspace, text: str) -> Period | None:
    """The period that is asked for; refused once it is over, because its bookings are then a fact."""
    if not text:
        return None
    from revops_analysis.periods import parse_period

    asked = _parsed(lambda: parse_period(text, workspace.definitions.fiscal_calendar))
    if asked.end <= workspace.as_of:
        raise ConfigurationError(
            f"{asked.label} is over: its bookings are a fact and need no forecast.",
            expected=f"a period that ends after {workspace.as_of.isoformat()}",
            found=f"{asked.label}, which ended on {asked.end.isoformat()}",
            where="--period",
            fix=f"revops metric bookings --source {workspace.source} --as-of {workspace.as_of.isoformat()} "
            f"--period {asked.label} prints them",
        )
    return asked


def _periods(workspace: Workspace, text: str) -> tuple[Period, ...]:
    if not text:
        return ()
    from revops_analysis.periods import parse_series

    return _parsed(lambda: parse_series(text, workspace.definitions.fiscal_calendar))


def _parsed(parse: Callable[[], Any]) -> Any:
    """What was parsed; an error says which option was wrong."""
    try:
        return parse()
    except ConfigurationError as error:
        raise ConfigurationError(
            error.what, expected=error.expected, found=error.found, where="--period", fix=error.fix
        ) from None


def _weeks(text: str) -> tuple[int, ...]:
    """The weeks that a text such as `1,4,7,10` lists; none for an empty one."""
    words = [word.strip() for word in text.split(",")] if text.strip() else []
    wrong = [word for word in words if not (word.isascii() and word.isdigit())]
    if wrong:
        raise ConfigurationError(
            "Not a list of weeks.",
            expected="whole numbers with commas between them, such as 1,4,7,10",
            found=repr(text),
            where="--weeks",
            fix="write for example --weeks 1,4,7,10",
        )
    return tuple(int(word) for word in words)
