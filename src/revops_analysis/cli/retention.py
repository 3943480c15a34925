"""`revops retention`: how recurring revenue moved in a period, and how much of a year ago is still there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from revops_analysis.cli.options import AsOf, Format, SourceOption, day
from revops_analysis.cli.printing import print_data, print_figures, print_frame, progress

if TYPE_CHECKING:
    import pandas as pd

    from revops_analysis.metrics.registry import MetricResult
    from revops_analysis.reporting.key_figures import Facts
    from revops_analysis.workspace import Workspace

app = typer.Typer()

RATES = ("nrr", "grr", "logo_retention")


@app.command(epilog="Example: revops retention --source sample --as-of 2026-09-30 --by segment --format json")
def retention(
    *,
    source: SourceOption,
    as_of: AsOf,
    period: Annotated[str, typer.Option("--period", help="A period or a series, as 2025-Q1...2026-Q3.")] = "",
    by: Annotated[list[str] | None, typer.Option("--by", help="Dimension to cut by; may be repeated.")] = None,
    where: Annotated[str, typer.Option("--where", help="Filter: column op literal [and …].")] = "",
    output: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.table,
) -> None:
    """Net, gross and logo retention over twelve months with intervals, and the movements of recurring revenue.

    Cuts: segment, industry, region, country, owner_id, product, first_product, size_band, channel, first_owner_id,
    first_segment, cohort, account_id. The definitions in force, and what is odd about the data, are in the notes.
    """
    from revops_analysis.workspace import open_workspace

    with progress() as told:
        told.say("Following recurring revenue")
        workspace = open_workspace(source, as_of=day(as_of))
        cut = tuple(by or ())
        results = [
            workspace.metric_result(name, period or None, cut, where or None) for name in (*RATES, "mrr_movement")
        ]
        asked = period or str(results[0].frame["period"].iloc[0])
        facts = _facts(workspace, asked)
    _answer(results, facts, output)


def _facts(workspace: Workspace, period: str) -> Facts:
    """What the document says about the numbers; its warnings are the source's, the definitions and what is odd."""
    from dataclasses import replace

    from revops_analysis.metrics.retention.by_definition import definitions_in_force
    from revops_analysis.metrics.retention.quality import revenue_quality
    from revops_analysis.reporting.chapter import facts_of

    facts = facts_of(workspace, period)
    force = definitions_in_force(workspace.definitions)
    words = [f"{row.setting} {row.value}: {row.meaning}." for row in force.itertuples(index=False)]
    return replace(facts, warnings=(*revenue_quality(workspace).notes, *facts.warnings, *words))


def _answer(results: list[MetricResult], facts: Facts, output: Format) -> None:
    from revops_analysis.reporting.key_figures import KeyFigures, collect_rows, dump_json, rows_frame

    figures = KeyFigures(facts, collect_rows(results, facts.period))
    if output is Format.json:
        print(dump_json(figures.as_json("retention")), end="")
    elif output is Format.csv:
        frame, units = rows_frame(figures.rows)
        print_data(frame, output, units)
    else:
        _print(results, facts)


def _print(results: list[MetricResult], facts: Facts) -> None:
    import pandas as pd

    rates = pd.concat([result.frame for result in results[:-1]], ignore_index=True)
    print(f"Retention over twelve months to the end of {facts.period}, as of {facts.as_of}, {facts.currency}.")
    print_figures(rates, facts.currency)
    moved = _wide(results[-1])
    if len(moved):
        print_frame(moved, "Movements of monthly recurring revenue")
    print("Notes")
    print("\n".join(f"  - {note}" for note in facts.warnings))


def _wide(result: MetricResult) -> pd.DataFrame:
    """Movements with a column a line, as a waterfall reads; as they are where they cannot be computed."""
    from revops_analysis.metrics.retention.summary import ORDER

    frame = result.frame[result.frame["value"].notna()]
    keys = ["period", *[name for name in result.dimensions if name != "line"]]
    if frame.empty:
        return result.frame[[*keys, "reason"]]
    wide: Any = frame.pivot_table(index=keys, columns="line", values="value", dropna=False, observed=True, sort=False)
    found = {str(name): name for name in wide.columns}
    wide = wide[[found[name] for name in ORDER if name in found]].dropna(how="all").fillna(0.0)
    return wide.reset_index().rename_axis(columns=None)
