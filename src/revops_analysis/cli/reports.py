"""`revops report`: a report rendered to its folder; `revops serve`: the folder on this machine."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from revops_analysis.cli.options import AsOf, Period, SourceOption, day
from revops_analysis.cli.printing import progress, shown

app = typer.Typer()


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
    pdf: Annotated[bool, typer.Option("--pdf", help="Make report.pdf, whatever the report says; needs Pango.")] = False,
    cut: Annotated[str, typer.Option("--cut", help="Only this part of the company, as 'region = EMEA'.")] = "",
) -> None:
    """Render a report and print the path of its first page; the same inputs use the same folder again.

    The period is by default the one of the report (a fiscal quarter, unless its file says another) that contains
    the day.
    """
    from revops_analysis.project import find_project
    from revops_analysis.reporting.preparation import RunRequest
    from revops_analysis.reporting.run import run_report
    from revops_analysis.workspace import parse_cut

    project = find_project()
    part = parse_cut(cut) if cut else None
    reports = (out or project.reports).resolve()
    request = RunRequest(
        name, source, day(as_of), reports, period, allow_invalid, workers, load_first, cut=part, pdf=pdf
    )
    with progress() as told:
        result = run_report(request, project, told)
    for chapter, error in result.failed.items():
        print(f"The chapter {chapter} failed: {error}", file=sys.stderr)
    print(shown(result.page))
    if result.failed:
        raise typer.Exit(4)


@app.command(epilog="Example: revops serve --port 8765")
def serve(
    *,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 8765,
    host: Annotated[str, typer.Option("--host", help="Address of this machine that it does not share.")] = "127.0.0.1",
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the reports; by default reports/.")] = None,
) -> None:
    """Serve the reports to this machine only, until stopped, and print the address."""
    from revops_analysis.project import find_project
    from revops_analysis.reporting.serve import server_for

    reports = (out or find_project().reports).resolve()
    with server_for(reports, host, port) as server:
        address = str(server.server_address[0])
        print(f"http://{f'[{address}]' if ':' in address else address}:{server.server_port}/", flush=True)
        print("Ctrl-C ends it.", file=sys.stderr)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
