"""`revops load`, `revops validate` and `revops sources`: data in, and whether they can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from revops_analysis.cli.options import Source, day
from revops_analysis.cli.printing import print_table, progress, shown

if TYPE_CHECKING:
    from revops_analysis.validation.result import GateResult

app = typer.Typer()
sources_app = typer.Typer(help="Source profiles.", no_args_is_help=True, rich_markup_mode=None)


@app.command(epilog="Example: revops load sample")
def load(source: Source = "sample") -> None:
    """Load a source into the warehouse, and count every row: read, loaded, collapsed, quarantined."""
    from revops_analysis.project import find_project
    from revops_analysis.reporting.preparation import load_data
    from revops_analysis.sources.profile import load_profile

    project = find_project()
    with progress() as told:
        load_data(load_profile(source, project), project, told)


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
    with progress() as told:
        warehouse = find_data(profile, project, told.say)
        told.say("Checking the data")
        before = previous_warehouse(project, warehouse)
        result = gate.validate(warehouse, definitions, day(as_of) if as_of else None, before, project.expectations)
    page = write_gate_folder(result, out or project.reports)
    _print_gate(result)
    print(shown(page))
    result.require_passed()


def _print_gate(result: GateResult) -> None:
    from revops_analysis.reporting.gate_page import gate_table

    counts = result.counts
    if counts["critical"] or counts["warnings"]:
        print_table(gate_table(result))
    print(
        f"{counts['rules']} rules: {counts['passed']} passed, {counts['critical']} critical failed, "
        f"{counts['warnings']} warnings, {counts['not_checked']} not checked."
    )


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

    until = day(data_through) if data_through else None
    print(shown(scaffold_profile(name, folder, find_project(), until)))
