"""`revops duplicates`: who is in the CRM more than once, why, and what merging them would change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from revops_analysis.cli.options import AsOf, Format, SourceOption, day
from revops_analysis.cli.printing import print_data, print_frame, progress, shown

if TYPE_CHECKING:
    from revops_analysis.validation.duplicates import Duplicates
    from revops_analysis.workspace import Workspace

app = typer.Typer()

_SHOWN_PAIRS = 10


@app.command(epilog="Example: revops duplicates --source sample --as-of 2026-09-30 --out plan.csv")
def duplicates(
    *,
    source: SourceOption,
    as_of: AsOf,
    table: Annotated[
        str, typer.Option("--table", help="contacts, accounts, leads, or leads-contacts: leads among the contacts.")
    ] = "contacts",
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the merge plan, with personal data, to this CSV file.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", help="Probability from which two records are one; default: of the definitions."),
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.table,
) -> None:
    """Find records of one person or company, say why, and plan how to merge them; nothing is changed."""
    from revops_analysis.validation.duplicates import duplicates_in
    from revops_analysis.workspace import open_workspace

    if out is not None:
        _require_place(out)
    with progress() as told:
        workspace = open_workspace(source, as_of=day(as_of))
        found = duplicates_in(workspace, table, threshold, told.say)
        if out is not None:
            told.say("Planning the merge")
            _write_plan(found, out)
    if output is Format.json:
        _print_json(workspace, found)
    elif output is Format.csv:
        print_data(found.clusters, output)
    else:
        _print_table(found)
    if out is not None and output is Format.table:
        print(f"{shown(out)}: what merging would change, value by value, to be read backwards to undo it.")


def _write_plan(found: Duplicates, out: Path) -> None:
    from revops_analysis.reporting.exports import to_csv

    out.write_text(to_csv(found.merge_plan().csv_frame()), encoding="utf-8", newline="")


def _require_place(out: Path) -> None:
    """Refuse a file that cannot be written, before anything is looked for."""
    from revops_analysis.errors import ConfigurationError

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.open("a").close()
    except OSError as problem:
        raise ConfigurationError(
            "The merge plan cannot be written.", found=str(problem), where=str(out), fix="name another file with --out"
        ) from problem


def _print_table(found: Duplicates) -> None:
    print(found.headline)
    print(f"Weights: {found.summary['basis'].iloc[0]}; {found.found.compared:,} pairs compared.")
    print_frame(found.effects, "What they touch")
    print_frame(found.examples(_SHOWN_PAIRS).drop(columns="reason"), "Linked, the hardest to tell first")
    if len(found.review):
        print_frame(found.review.head(_SHOWN_PAIRS), f"To be decided by a person: {len(found.review):,} pairs")
    left_out = found.found.blocks[found.found.blocks["records_left_out"] > 0]
    if len(left_out):
        print_frame(left_out, "Not compared, because too many records share the key")


def _print_json(workspace: Workspace, found: Duplicates) -> None:
    from dataclasses import replace

    from revops_analysis.reporting.chapter import facts_of
    from revops_analysis.reporting.key_figures import KeyFigures, collect_rows, dump_json

    facts = facts_of(workspace, workspace.as_of.isoformat())
    facts = replace(facts, warnings=(*facts.warnings, *found.found.weights.notes))
    document = KeyFigures(facts, collect_rows(found.figures)).as_json("duplicates")
    document["clusters"] = [
        {"survivor": str(survivor), "records": sorted(rows["record"])}
        for survivor, rows in found.clusters.groupby("cluster", sort=True)
    ]
    review = found.review.assign(probability=found.review["probability"].astype(float).round(6))
    document["review"] = review.astype(object).where(review.notna(), None).to_dict("records")
    print(dump_json(document), end="")
