"""The `revops` command: parses, calls, prints. Results go to stdout; progress and errors go to stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from revops_analysis.errors import ConfigurationError, RevopsError

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from revops_analysis.metrics.registry import MetricResult
    from revops_analysis.sources.load import LoadResult
    from revops_analysis.validation.result import GateResult
    from revops_analysis.workspace import Workspace

app = typer.Typer(
    name="revops",
    help="Revenue-operations figures from checked data, as of a stated day.\n\n"
    "Exit codes: 0 done, 2 wrong use or configuration, 3 data refused by the gate, 4 a chapter failed, "
    "5 a delivery failed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
sources_app = typer.Typer(help="Source profiles.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(sources_app, name="sources")

_UNEXPECTED = 1


class Format(StrEnum):
    """How `revops metric` prints its answer."""

    table = "table"
    json = "json"
    csv = "csv"


Source = Annotated[str, typer.Argument(help="Name of a profile in params/sources, or a path to one.")]
SourceOption = Annotated[str, typer.Option("--source", help="Name of a profile in params/sources, or a path to one.")]
AsOf = Annotated[str, typer.Option("--as-of", help="The day whose end is looked at, as 2026-09-30.")]
Period = Annotated[str, typer.Option("--period", help="A period, as 2026-Q3, FY2026-Q3, 2026-09 or 2026-W39.")]


@app.command(epilog="Example: revops load sample")
def load(source: Source = "sample") -> None:
    """Load a source into the warehouse, and count every row: read, loaded, collapsed, quarantined."""
    from revops_analysis.project import find_project
    from revops_analysis.reporting.preparation import load_data
    from revops_analysis.sources.profile import load_profile

    project = find_project()
    with _progress() as progress:
        load_data(load_profile(source, project), project, progress)


def _print_load(result: LoadResult) -> None:
    _print_frame(result.counts, "Rows by table: read = loaded + collapsed + quarantined + filtered")
    if len(result.reasons):
        _print_frame(result.reasons, "Quarantined rows by reason: `first rows` add up, `rows` may have several reasons")
    for note in result.notes:
        print(note)
    info = result.warehouse
    print(f"Loaded {info.source}, data hash {info.content_hash}, data through {info.data_through.isoformat()}.")


@app.command(epilog="Example: revops validate sample")
def validate(
    source: Source = "sample",
    as_of: Annotated[str, typer.Option("--as-of", help="Day for the rules about freshness.")] = "",
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the reports.")] = None,
) -> None:
    """Check the last load of a source against every rule, and write what failed as a page and as JSON."""
    from revops_analysis.definitions import load_definitions
    from revops_analysis.project import find_project
    from revops_analysis.reporting.preparation import find_data
    from revops_analysis.reporting.run import write_gate_folder
    from revops_analysis.sources.profile import load_profile
    from revops_analysis.tables.warehouse import previous_warehouse
    from revops_analysis.validation import gate

    project = find_project()
    profile = load_profile(source, project)
    definitions = load_definitions(profile.definitions_path(project))
    with _progress() as progress:
        warehouse = find_data(profile, project, progress.say)
        progress.say("Checking the data")
        before = previous_warehouse(project, warehouse)
        result = gate.validate(warehouse, definitions, _day(as_of) if as_of else None, before, project.expectations)
    page = write_gate_folder(result, out or project.reports)
    _print_gate(result)
    print(_shown(page))
    result.require_passed()


@sources_app.command("new", epilog="Example: revops sources new acme --from exports/acme --data-through 2026-09-30")
def sources_new(
    name: Annotated[str, typer.Argument(help="Name of the new source.")],
    folder: Annotated[Path, typer.Option("--from", help="Folder with the CRM's exported files.")],
    data_through: Annotated[
        str, typer.Option("--data-through", metavar="DAY", help="Last day that the data covers; else write it in.")
    ] = "",
) -> None:
    """Look at a folder's files and write a first mapping to edit."""
    from revops_analysis.project import find_project
    from revops_analysis.sources.scaffold import scaffold_profile

    day = _day(data_through) if data_through else None
    print(_shown(scaffold_profile(name, folder, find_project(), day)))


@app.command(epilog="Example: revops report quarterly --source sample --as-of 2026-09-30")
def report(  # noqa: PLR0913 - one argument an option of the command
    name: Annotated[str, typer.Argument(help="Name of a report in params/reports.")],
    *,
    source: SourceOption,
    as_of: AsOf,
    period: Period = "",
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the reports; by default reports/.")] = None,
    allow_invalid: Annotated[
        bool, typer.Option("--allow-invalid", help="Publish refused data all the same, marked in red on every page.")
    ] = False,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Chapters at a time; 0: one a core.")] = 0,
    load_first: Annotated[bool, typer.Option("--load", help="Load the source first.")] = False,
) -> None:
    """Render a report and print the path of its first page; the same inputs use the same folder again.

    The period is by default the fiscal quarter that contains the day.
    """
    from revops_analysis.project import find_project
    from revops_analysis.reporting.preparation import RunRequest
    from revops_analysis.reporting.run import run_report

    project = find_project()
    reports = (out or project.reports).resolve()
    request = RunRequest(name, source, _day(as_of), reports, period, allow_invalid, workers, load_first)
    with _progress() as progress:
        result = run_report(request, project, progress)
    for chapter, error in result.failed.items():
        print(f"The chapter {chapter} failed: {error}", file=sys.stderr)
    print(_shown(result.page))
    if result.failed:
        raise typer.Exit(4)


@app.command(epilog="Example: revops metric win_rate --source sample --as-of 2026-09-30 --by segment --format json")
def metric(  # noqa: PLR0913 - one argument an option of the command
    name: Annotated[str, typer.Argument(help="Name of the metric; --list shows them all.")] = "",
    *,
    source: SourceOption = "",
    as_of: AsOf = "",
    period: Annotated[str, typer.Option("--period", help="A period or a series, as 2025-Q1...2026-Q3.")] = "",
    by: Annotated[list[str] | None, typer.Option("--by", help="Dimension to cut by; may be repeated.")] = None,
    where: Annotated[str, typer.Option("--where", help="Filter: column op literal [and …].")] = "",
    output: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.table,
    list_all: Annotated[bool, typer.Option("--list", help="List all metrics.")] = False,
) -> None:
    """Compute one named metric as of a day."""
    if list_all:
        _list_metrics(output)
        return
    for option, value in {"NAME": name, "--source": source, "--as-of": as_of}.items():
        if not value:
            raise ConfigurationError(
                f"{option} is missing.", fix="revops metric NAME --source SOURCE --as-of DAY, or revops metric --list"
            )
    from revops_analysis.workspace import open_workspace

    with _progress() as progress:
        progress.say(f"Computing {name}")
        workspace = open_workspace(source, as_of=_day(as_of))
        result = workspace.metric_result(name, period or None, tuple(by or ()), where or None)
    _print_metric(result, workspace, period, output)


def _list_metrics(output: Format) -> None:
    from revops_analysis.metrics.registry import describe_metrics

    frame = describe_metrics()
    if output is Format.table:
        _print_frame(frame[["name", "family", "unit", "title"]], "Metrics")
    else:
        _print_data(frame, output)


def _print_metric(result: MetricResult, workspace: Workspace, period: str, output: Format) -> None:
    from revops_analysis.reporting.chapter import facts_of
    from revops_analysis.reporting.key_figures import KeyFigures, collect_rows, dump_json

    frame = result.frame
    asked = period or str(frame["period"].iloc[0])
    if output is Format.json:
        figures = KeyFigures(facts_of(workspace, asked), collect_rows(result, asked))
        print(dump_json(figures.as_json(f"metric {result.metric.name}")), end="")
    elif output is Format.csv:
        units = dict.fromkeys(("value", "low", "high"), result.metric.unit)
        _print_data(frame, output, units)
    else:
        _print_figures(frame, str(workspace.definitions.reporting_currency))


def _print_figures(frame: pd.DataFrame, currency: str) -> None:
    from revops_analysis.reporting.formats import with_unit

    shown = frame.copy()
    for column in ("value", "low", "high"):
        shown[column] = [with_unit(v, u, currency) for v, u in zip(frame[column], frame["unit"], strict=True)]
    _print_frame(shown.drop(columns=["unit"]).dropna(axis="columns", how="all"), "")


def _print_data(frame: pd.DataFrame, output: Format, units: Mapping[str, str] | None = None) -> None:
    from revops_analysis.reporting.exports import to_csv
    from revops_analysis.reporting.key_figures import dump_json

    if output is Format.json:
        rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
        print(dump_json({"rows": rows}), end="")
    else:
        print(to_csv(frame, units), end="")


def _print_gate(result: GateResult) -> None:
    from revops_analysis.reporting.gate_page import gate_table

    counts = result.counts
    if counts["critical"] or counts["warnings"]:
        _print_table(gate_table(result))
    print(
        f"{counts['rules']} rules: {counts['passed']} passed, {counts['critical']} critical failed, "
        f"{counts['warnings']} warnings, {counts['not_checked']} not checked."
    )


def _print_frame(frame: pd.DataFrame, title: str) -> None:
    """A frame as a table on stdout; what comes from data is text, never mark-up."""
    from rich.table import Table
    from rich.text import Text

    from revops_analysis.reporting.formats import format_value, is_number

    table = Table(title=Text(title) if title else None, title_justify="left")
    for name in frame.columns:
        numeric = any(is_number(value) for value in frame[name]) or frame[name].dtype.kind in "iuf"
        table.add_column(Text(str(name).replace("_", " ")), justify="right" if numeric else "left")
    columns = [[Text(format_value(value)) for value in frame[name]] for name in frame.columns]
    for cells in zip(*columns, strict=True):
        table.add_row(*cells)
    _print_table(table)


def _print_table(table: Table) -> None:
    """A table on stdout; wide enough for all columns where no terminal sets the width."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _day(text: str) -> Any:
    from revops_analysis.tables.snapshot import parse_day

    return parse_day(text)


def _shown(path: Path) -> str:
    """A path as short as it goes: relative to the working directory where it lies below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _progress() -> Any:
    from revops_analysis.reporting.progress import Progress

    return Progress(_print_load)


def main() -> None:
    """Entry point of the `revops` command: every error is a message and an exit code."""
    try:
        app()
    except RevopsError as error:
        _fail(error, str(error), error.exit_code)
    except Exception as error:
        hint = "This is a mistake in the program. Set REVOPS_DEBUG=1 to see where it happened."
        _fail(error, f"{type(error).__name__}: {error}\n{hint}", _UNEXPECTED)


def _fail(error: Exception, text: str, code: int) -> None:
    if os.environ.get("REVOPS_DEBUG") == "1":
        raise error
    print(f"revops: {text}", file=sys.stderr)
    sys.exit(code)
