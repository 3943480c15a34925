"""`revops renewals`: what comes up for renewal, how likely each is lost, and why."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Annotated, Any

import typer

from revops_analysis.cli.options import AsOf, Format, SourceOption, day
from revops_analysis.cli.printing import print_data, print_frame, progress
from revops_analysis.errors import ConfigurationError

if TYPE_CHECKING:
    import pandas as pd

    from revops_analysis.models.lifetime.renewal_risk import RenewalRisk
    from revops_analysis.workspace import Workspace

app = typer.Typer()

MOST_DAYS = 365


@app.command(epilog="Example: revops renewals --source sample --as-of 2026-09-30 --days 90")
def renewals(
    *,
    source: SourceOption,
    as_of: AsOf,
    days: Annotated[int, typer.Option("--days", help="Days ahead within which terms end; up to 365.")] = 90,
    output: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.table,
) -> None:
    """List the terms that end soon and are not renewed, with the chance that each is lost, most expected loss first."""
    if not 1 <= days <= MOST_DAYS:
        raise ConfigurationError(
            "Not a number of days to look ahead.",
            expected=f"a whole number from 1 to {MOST_DAYS}",
            found=str(days),
            where="--days",
            fix="write for example --days 90",
        )
    from revops_analysis.models.lifetime.renewal_risk import renewal_risk
    from revops_analysis.workspace import open_workspace

    with progress() as told:
        workspace = open_workspace(source, as_of=day(as_of))
        told.say("Looking at renewals")
        risk = renewal_risk(workspace, (days,))
    if output is Format.json:
        _print_json(workspace, risk, days)
        return
    shown = risk.within(days).drop(columns=["mrr"])
    shown["ends_on"], shown["notice_on"] = _days(shown["ends_on"]), _days(shown["notice_on"])
    if output is Format.csv:
        units = {"days": "count", "arr": "currency", "probability": "rate", "expected_loss": "currency"}
        print_data(shown, output, units)
    else:
        _print_table(shown, risk)


def _days(column: pd.Series) -> pd.Series:
    import pandas as pd

    return column.map(lambda value: None if pd.isna(value) else f"{value:%Y-%m-%d}").astype(object)


def _print_table(shown: pd.DataFrame, risk: RenewalRisk) -> None:
    from revops_analysis.plots.lifetime import renewals_title
    from revops_analysis.plots.style import percent

    print(renewals_title(risk))
    for note in risk.notes:
        print(note)
    if shown.empty:
        return
    named = shown.assign(
        account=shown["account_name"].where(shown["account_name"].notna(), shown["account_id"]),
        arr=[f"{value:,.0f}" for value in shown["arr"]],
        expected_loss=["–" if isnan(value) else f"{value:,.0f}" for value in shown["expected_loss"]],
        probability=[percent(value) for value in shown["probability"]],
    )
    columns = ["account", "segment", "ends_on", "arr", "probability", "expected_loss", "reasons"]
    print_frame(named[columns], f"Renewals, yearly revenue in {risk.currency}")


def _print_json(workspace: Workspace, risk: RenewalRisk, days: int) -> None:
    from dataclasses import replace

    from revops_analysis.models.lifetime.overview import renewal_figures
    from revops_analysis.reporting.chapter import facts_of
    from revops_analysis.reporting.key_figures import KeyFigures, collect_rows, dump_json

    facts = facts_of(workspace, f"next {days} days")
    figures = KeyFigures(replace(facts, warnings=(*facts.warnings, *risk.notes)), collect_rows(renewal_figures(risk)))
    document: dict[str, Any] = figures.as_json("renewals")
    rows = risk.within(days).drop(columns=["mrr"])
    rows["ends_on"], rows["notice_on"] = _days(rows["ends_on"]), _days(rows["notice_on"])
    for name, places in (("arr", 2), ("expected_loss", 2)):
        rows[name] = [None if isnan(value) else f"{value:.{places}f}" for value in rows[name]]
    rows["probability"] = rows["probability"].round(6).astype(object).where(rows["probability"].notna(), None)
    document["accounts"] = rows.astype(object).where(rows.notna(), None).to_dict("records")
    print(dump_json(document), end="")
