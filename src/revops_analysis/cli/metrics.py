"""`revops metric`: one named number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from revops_analysis.cli.options import AsOf, Format, SourceOption, day
from revops_analysis.cli.printing import print_data, print_figures, print_frame, progress
from revops_analysis.errors import ConfigurationError

if TYPE_CHECKING:
    from revops_analysis.metrics.registry import MetricResult
    from revops_analysis.workspace import Workspace

app = typer.Typer()


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

    with progress() as told:
        told.say(f"Computing {name}")
        workspace = open_workspace(source, as_of=day(as_of))
        result = workspace.metric_result(name, period or None, tuple(by or ()), where or None)
    _print_metric(result, workspace, period, output)


def _list_metrics(output: Format) -> None:
    from revops_analysis.workspace import describe_metrics  # with those of the packages above the registry

    frame = describe_metrics()
    if output is Format.table:
        print_frame(frame[["name", "family", "unit", "title"]], "Metrics")
    else:
        print_data(frame, output)


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
        print_data(frame, output, units)
    else:
        print_figures(frame, str(workspace.definitions.reporting_currency))
