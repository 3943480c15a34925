"""`revops movement`: what turned the open pipeline of one day into that of another, and which deals did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from revops_analysis.cli.options import AsOf, Format, SourceOption, day
from revops_analysis.cli.printing import print_data, print_frame, progress

if TYPE_CHECKING:
    import pandas as pd

    from revops_analysis.metrics.movement import MovementSpan, PipelineMovement
    from revops_analysis.reporting.key_figures import Facts
    from revops_analysis.workspace import Workspace

app = typer.Typer()


@app.command(
    epilog="Example: revops movement --source sample --as-of 2026-09-30 --from 2026-06-30 --to 2026-09-30 --by segment"
)
def movement(  # noqa: PLR0913 - one argument an option of the command
    *,
    source: SourceOption,
    as_of: AsOf,
    start: Annotated[str, typer.Option("--from", help="The day whose end it starts from, as 2026-06-30.")],
    end: Annotated[str, typer.Option("--to", help="The day whose end it runs to; default: the as-of date.")] = "",
    period: Annotated[str, typer.Option("--period", help="Only the pipeline expected in it; default: all of it.")] = "",
    by: Annotated[list[str] | None, typer.Option("--by", help="Dimension to cut by; may be repeated.")] = None,
    where: Annotated[str, typer.Option("--where", help="Filter: column op literal [and …].")] = "",
    deals: Annotated[bool, typer.Option("--deals", help="Every signed line of every deal.")] = False,
    line: Annotated[str, typer.Option("--line", help="The deals of one line, as lost, largest first.")] = "",
    output: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.table,
) -> None:
    """Account for the change of the open pipeline between two days, in lines that add up to the cent."""
    from revops_analysis.metrics.movement import MovementSpan, pipeline_movement
    from revops_analysis.periods import parse_period
    from revops_analysis.workspace import open_workspace

    with progress() as told:
        workspace = open_workspace(source, as_of=day(as_of))
        told.say("Comparing the deals of both days")
        expected = parse_period(period, workspace.definitions.fiscal_calendar) if period else None
        span = MovementSpan(day(start), day(end or as_of), expected)
        found = pipeline_movement(workspace, span, tuple(by or ()), where or None)
        frame = _deals(found, line) if deals or line else found.lines
    _answer(found, frame, _facts(workspace, span), output)


def _deals(found: PipelineMovement, line: str) -> pd.DataFrame:
    """The lines of deals: of all, or of those that have one line, with their names."""
    if not line:
        return found.moved.lines
    chosen = found.moved.of(line)
    return chosen.assign(line=line)[["opportunity_id", "name", *found.by, "line", "value", "reason"]]


def _facts(workspace: Workspace, span: MovementSpan) -> Facts:
    from revops_analysis.reporting.chapter import facts_of

    return facts_of(workspace, f"{span.start.isoformat()}..{span.end.isoformat()}")


def _answer(found: PipelineMovement, frame: pd.DataFrame, facts: Facts, output: Format) -> None:
    if output is Format.json:
        from revops_analysis.reporting.key_figures import document, dump_json

        print(dump_json(document(facts, "movement", _rows(frame))), end="")
    elif output is Format.csv:
        print_data(frame, output, {"value": "currency"})
    else:
        _print(found, frame, facts)


def _rows(frame: pd.DataFrame) -> list[dict[str, object]]:
    """A row a line in the shape of key figures; lines of deals have the deal among their dimensions."""
    from revops_analysis.reporting.exports import plain_number

    dims = [name for name in frame.columns if name not in ("value", "n")]
    plain = frame.astype(object).where(frame.notna(), None).to_dict("records")
    none = dict.fromkeys(["low", "high", "reason"])
    return [
        {
            "metric": "pipeline_movement",
            "dims": {name: row[name] for name in dims},
            "value": plain_number(row["value"], 2),
            "unit": "currency",
            "n": row.get("n", 1),
            **none,
        }
        for row in plain
    ]


def _print(found: PipelineMovement, frame: pd.DataFrame, facts: Facts) -> None:
    whose = f" expected in {found.span.period.label}" if found.span.period else ""
    print(f"Open pipeline{whose}, {facts.period}, as of {facts.as_of}, {facts.currency}.")
    if frame is not found.lines:
        print_frame(frame, "Deals and their lines")
        return
    moved = frame[(frame["n"] > 0) | frame["line"].isin(["opening", "closing"])]
    print_frame(moved, "Lines: opening and all between add up to closing; n counts deals")
    print_frame(found.reasons, "Deals by primary reason, what moved most first")
    print_frame(found.reconciliation, "From the deals won to the bookings of these days")
