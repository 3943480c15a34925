"""`revops attribute`: credit for pipeline and bookings, by channel, campaign, team or anything else of a deal."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from revops_analysis.cli.options import AsOf, Format, SourceOption, day
from revops_analysis.cli.printing import print_data, print_frame, progress
from revops_analysis.errors import ConfigurationError

if TYPE_CHECKING:
    import pandas as pd

    from revops_analysis.attribution.journeys import Journeys
    from revops_analysis.attribution.totals import Cut
    from revops_analysis.workspace import Workspace

app = typer.Typer()

ALL = "all"
CHAINS = ("markov", "markov_1", "markov_2", "markov_3")


class View(StrEnum):
    """Which day puts a deal into a period."""

    cohort = "cohort"
    period = "period"


@app.command(
    epilog="Example: revops attribute --source sample --as-of 2026-09-30 --model w_shaped --by channel --format json"
)
def attribute(  # noqa: PLR0913 - one argument an option of the command
    *,
    source: SourceOption = "",
    as_of: AsOf = "",
    model: Annotated[
        str,
        typer.Option(
            "--model",
            help="A model of --list; or all: rules, path models, and chains (by channel in the period view only).",
        ),
    ] = "",
    by: Annotated[
        list[str] | None, typer.Option("--by", help="Dimension to cut by; may be repeated; default: channel.")
    ] = None,
    period: Annotated[str, typer.Option("--period", help="A period or a series; default: the quarter.")] = "",
    view: Annotated[
        View | None,
        typer.Option(
            "--view",
            help="cohort: deals created in the period; period: deals closed in it, as markov needs; default: what fits",
        ),
    ] = None,
    where: Annotated[str, typer.Option("--where", help="Filter: column op literal [and …].")] = "",
    output: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.table,
    list_all: Annotated[
        bool, typer.Option("--list", help="List all models and the touches that each looks at.")
    ] = False,
) -> None:
    """Share out deals over the touches that came before them, under one model (default: the official one) or all.

    Rules and path models give each deal away to the cent. The chains markov and markov_1 to markov_3 have figures by
    channel in the period view, without a filter; among all models they are left out of other cuts, which is then said.
    """
    from revops_analysis.attribution.credit import describe_models
    from revops_analysis.attribution.journeys import journeys
    from revops_analysis.attribution.totals import Cut
    from revops_analysis.metrics.where import parse_where
    from revops_analysis.workspace import open_workspace

    if list_all:
        _list_models(describe_models(), output)
        return
    for option, value in {"--source": source, "--as-of": as_of}.items():
        if not value:
            raise ConfigurationError(
                f"{option} is missing.", fix="revops attribute --source SOURCE --as-of DAY, or revops attribute --list"
            )
    dimensions = tuple(dict.fromkeys(by or ("channel",)))
    with progress() as told:
        workspace = open_workspace(source, as_of=day(as_of))
        told.say("Sharing out credit")
        cut = Cut(dimensions, (view or _usual_view(workspace, model)).value, None, parse_where(where or None))
        found = _totals(journeys(workspace), model, cut, period)
    _print(workspace, found, dimensions, output)


def _usual_view(workspace: Workspace, model: str) -> View:
    """The view of whoever names none: a chain credits what was won only, and so has no credit for pipeline."""
    name = model or workspace.definitions.attribution.official_model
    return View.period if name in CHAINS else View.cohort


def _list_models(frame: pd.DataFrame, output: Format) -> None:
    if output is Format.table:
        print_frame(frame, "Models")
    else:
        print_data(frame, output)


def _totals(made: Journeys, model: str, cut: Cut, period: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Totals of each period that was asked for, one below the other, and what has no such figures."""
    from dataclasses import replace

    import pandas as pd

    from revops_analysis.attribution.credit import credit
    from revops_analysis.attribution.every_model import every_model
    from revops_analysis.periods import parse_series, period_containing

    calendar = made.snapshot.definitions.fiscal_calendar
    periods = parse_series(period, calendar) if period else [period_containing(made.snapshot.as_of, calendar)]
    frames = []
    left_out: tuple[str, ...] = ()
    for span in periods:
        asked = replace(cut, period=span)
        if model == ALL:
            found, left_out = every_model(made, asked)
        else:
            found = credit(made, model or None).totals(cut=asked)
        frames.append(found.assign(period=span.label))
    return pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True), left_out


def _print(
    workspace: Workspace, found: tuple[pd.DataFrame, tuple[str, ...]], by: tuple[str, ...], output: Format
) -> None:
    from dataclasses import replace

    from revops_analysis.attribution.totals import as_figures
    from revops_analysis.attribution.verdict import CAVEAT
    from revops_analysis.reporting.chapter import facts_of, latest_values_note
    from revops_analysis.reporting.key_figures import KeyFigures, collect_rows, dump_json, rows_frame

    frame, left_out = found
    asked = " ".join(dict.fromkeys(frame["period"]))
    facts = facts_of(workspace, asked)
    notes = (*facts.warnings, *left_out, *latest_values_note(workspace.used_current_columns), CAVEAT)
    if output is Format.table:
        _print_table(workspace, frame, by)
        print("\n".join((*left_out, CAVEAT)))
        return
    rows = collect_rows(as_figures(frame, ["period", "model", "view", "attributed", *by]), asked)
    figures = KeyFigures(replace(facts, warnings=notes), rows)
    if output is Format.json:
        print(dump_json(figures.as_json("attribute")), end="")
    else:
        plain, units = rows_frame(figures.rows)
        print_data(plain, output, units)


def _print_table(workspace: Workspace, frame: pd.DataFrame, by: tuple[str, ...]) -> None:
    """The totals for people: money with its unit, deals with a decimal, a missing dimension as a dash."""
    from revops_analysis.attribution.totals import MEASURES, UNITS
    from revops_analysis.reporting.formats import with_unit

    currency = str(workspace.definitions.reporting_currency)
    shown = frame[["period", "model", *by, "attributed"]].copy()
    shown["attributed"] = frame["attributed"].map({True: "yes", False: "no"})
    for measure in MEASURES:
        if UNITS[measure] == "currency":
            shown[measure] = [with_unit(value, "currency", currency) for value in frame[measure]]
        else:
            shown[measure] = frame[measure].round(1)
    shown["touches"] = frame["touches"]
    print_frame(shown.dropna(axis="columns", how="all"), f"Credit, {frame['view'].iloc[0]} view" if len(frame) else "")
