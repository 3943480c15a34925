"""`revops verify`, `revops diff` and `revops restate`: whether a figure can be believed, and why it moved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from revops_analysis.cli.options import AsOf, Format, SourceOption, day
from revops_analysis.cli.printing import print_data, print_frame, progress, shown
from revops_analysis.cli.runs import run_folder

if TYPE_CHECKING:
    import pandas as pd

    from revops_analysis.reporting.trust.run_diff import RunDiff
    from revops_analysis.reporting.trust.verify import Verification

app = typer.Typer()
_RUN_HELP = "Folder of a run, a page in it, or the `latest` that points to it."

_SENTENCES = {
    "identical": "Verified: rendered again, and every byte is the same.",
    "equal figures": "Verified on another machine: key figures and tables are the same; what is listed differs.",
    "different": "Not reproduced: nothing that the run was made from has changed, and the result is another.",
    "inputs differ": "Not verified: it cannot be rendered as it was, because these inputs differ.",
}


DefinitionsPair = Annotated[
    tuple[Path, Path],
    typer.Option("--definitions", metavar="OLD NEW", help="Two definitions files; a run's folder means those it kept."),
]


@app.command(epilog="Example: revops verify reports/sample/quarterly/2026-09-30/2026-Q3/latest")
def verify(
    run: Annotated[Path | None, typer.Argument(help=_RUN_HELP)] = None,
    *,
    latest: Annotated[str, typer.Option("--latest", help="Report whose newest run is verified.")] = "",
    source: Annotated[str, typer.Option("--source", help="With --latest: the source of the run.")] = "",
    output: Annotated[Format, typer.Option("--format", help="table or json.")] = Format.table,
) -> None:
    """Render a run again from its manifest and compare every byte, or say which input is not what it was.

    Ends with 0 when it is the same (on another machine: equal key figures and tables), with 2 when an input differs,
    with 4 when it was rendered again and is not the same.
    """
    from revops_analysis.project import find_project
    from revops_analysis.reporting.key_figures import dump_json
    from revops_analysis.reporting.trust.verify import verify_run

    project = find_project()
    place = run_folder(run, latest, source, project.reports)
    with progress() as told:
        found = verify_run(place, project, told)
    if output is Format.table:
        _print_verification(found)
    else:
        print(dump_json(_as_json(found)), end="")
    if found.exit_code:
        raise typer.Exit(found.exit_code)


def _print_verification(found: Verification) -> None:
    import pandas as pd

    print(f"{found.run.label}: {shown(found.run.folder)}")
    print(_SENTENCES[found.verdict])
    tables: dict[str, list[Any]] = {"Inputs that differ": list(found.differences)}
    if found.comparison is not None:
        print(f"{found.comparison.files} files compared, {len(found.comparison.different)} differ.")
        tables["Figures that moved"] = list(found.comparison.figures)
        rest = set(found.comparison.different) - {moved.file for moved in found.comparison.figures}
        tables["Other files that differ"] = [{"file": name} for name in sorted(rest)]
    tables["Files changed in the folder since it was rendered"] = [{"file": name} for name in found.altered]
    for title, rows in tables.items():
        if rows:
            print_frame(pd.DataFrame(rows), title)


def _as_json(found: Verification) -> dict[str, Any]:
    from dataclasses import asdict

    compared = found.comparison
    return {
        "schema": "revops.verification/1",
        "command": "verify",
        "run": found.run.label,
        "verdict": found.verdict,
        "differences": [asdict(item) for item in found.differences],
        "altered": list(found.altered),
        "same_machine": found.same_machine,
        "files": compared.files if compared else None,
        "different": list(compared.different) if compared else None,
        "figures": [asdict(item) for item in compared.figures] if compared else None,
    }


@app.command(epilog="Example: revops diff reports/…/2026-06-30/2026-Q2/latest reports/…/2026-09-30/2026-Q3/latest")
def diff(
    before: Annotated[Path, typer.Argument(metavar="RUN_A", help="The earlier run.")],
    after: Annotated[Path, typer.Argument(metavar="RUN_B", help="The later run.")],
    *,
    output: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.table,
) -> None:
    """Show which key figures moved between two runs, and how much is due to data, to definitions and to code.

    Data first, then definitions; what remains is code. The three add up to the change, to the last digit.
    """
    from revops_analysis.project import find_project
    from revops_analysis.reporting.key_figures import dump_json
    from revops_analysis.reporting.trust.run_diff import diff_runs

    with progress() as told:
        found = diff_runs(before, after, find_project(), told)
    if output is Format.table:
        _print_diff(found)
    elif output is Format.csv:
        frame = found.to_frame()
        units = list(frame["unit"])
        print_data(frame, output, {name: units for name in _AMOUNTS})  # noqa: C420 - nobody alters the list
    else:
        print(dump_json(_diff_as_json(found)), end="")


_AMOUNTS = ("before", "after", "change", "data", "definitions", "code")


def _print_diff(found: RunDiff) -> None:
    from revops_analysis.reporting.formats import with_unit

    print(f"A: {found.before.label}\nB: {found.after.label}")
    for note in found.notes:
        print(note)
    frame = found.to_frame()
    moved = frame[[move.moved for move in found.moves]].copy()
    print(f"{len(moved)} of {len(frame)} key figures moved.")
    if len(moved):
        for name in _AMOUNTS:
            texts = [with_unit(v, u, found.currency) for v, u in zip(moved[name], moved["unit"], strict=True)]
            moved[name] = texts if name in ("before", "after") else [text.replace("%", " points") for text in texts]
        print_frame(moved.drop(columns="unit"), "")


def _diff_as_json(found: RunDiff) -> dict[str, Any]:
    from revops_analysis.reporting.key_figures import publish

    return {
        "schema": "revops.diff/1",
        "command": "diff",
        "before": found.before.label,
        "after": found.after.label,
        "currency": found.currency,
        "notes": list(found.notes),
        "rows": [
            {
                "metric": move.key[0],
                "dims": dict(move.key[1]),
                "unit": move.unit,
                **{name: publish(getattr(move, name), move.unit) for name in _AMOUNTS},
                "reason": move.reason,
            }
            for move in found.moves
        ],
    }


@app.command(
    epilog="Example: revops restate --definitions old.yml params/definitions.yml --source sample --as-of 2026-09-30 "
    "--period 2025-Q4...2026-Q3"
)
def restate(  # noqa: PLR0913 - one argument an option of the command
    *,
    definitions: DefinitionsPair,
    source: SourceOption,
    as_of: AsOf,
    period: Annotated[str, typer.Option("--period", help="A period or a series, as 2025-Q1...2026-Q3.")],
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="Metric; may be repeated. By default those of a board summary.")
    ] = None,
    by: Annotated[list[str] | None, typer.Option("--by", help="Dimension to cut by; may be repeated.")] = None,
    where: Annotated[str, typer.Option("--where", help="Filter: column op literal [and …].")] = "",
    output: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.table,
) -> None:
    """Restate past periods: metrics under two sets of definitions over the same data, and the difference."""
    from revops_analysis.metrics.restatement import RESTATED, RestatementRequest
    from revops_analysis.metrics.restatement import restate as restated
    from revops_analysis.project import find_project
    from revops_analysis.reporting.trust.past_run import read_definitions
    from revops_analysis.workspace import open_workspace

    asked = RestatementRequest(tuple(metric or RESTATED), period, tuple(by or ()), where or None)
    old, new = (read_definitions(place) for place in definitions)
    with progress() as told:
        told.say("Computing under both definitions")
        workspace = open_workspace(source, as_of=day(as_of), project=find_project())
        frame = restated(workspace, old, new, asked)
    if output is not Format.table:
        units = list(frame["unit"])
        print_data(frame, output, {name: units for name in ("old", "new", "difference")})  # noqa: C420
        return
    print(
        f"Old: {old.version} {old.hash} in {old.reporting_currency}; new: {new.version} {new.hash} in "
        f"{new.reporting_currency}"
    )
    print_frame(_with_units(frame, old.reporting_currency, new.reporting_currency), "")


def _with_units(frame: pd.DataFrame, old: str, new: str) -> pd.DataFrame:
    from revops_analysis.reporting.formats import with_unit

    shown = frame.drop(columns="unit")
    for name, currency in (("old", old), ("new", new), ("difference", new)):
        shown[name] = [with_unit(v, u, currency) for v, u in zip(frame[name], frame["unit"], strict=True)]
    shown["difference"] = shown["difference"].str.replace("%", " points")
    return shown.dropna(axis="columns", how="all")


@app.command(epilog="Example: revops loads sample --prune")
def loads(
    source: Annotated[str, typer.Argument(help="Name of a source.")],
    *,
    prune: Annotated[bool, typer.Option("--prune", help="Remove the loads that nothing needs.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the reports; by default reports/.")] = None,
) -> None:
    """List the loads of a source that are kept, and how many runs rest on each; a load that a run names stays."""
    from revops_analysis.project import find_project
    from revops_analysis.reporting.trust.loads import list_loads, prune_loads

    project = find_project()
    reports = (out or project.reports).resolve()
    if prune:
        for digest in prune_loads(project, source, reports):
            print(f"Removed {digest}.")
    print_frame(list_loads(project, source, reports), f"Loads of {source}, the latest first")
