"""`revops flags`: warnings on open deals, each with what it went with in this company's past."""

from __future__ import annotations

from enum import StrEnum
from math import isnan
from typing import TYPE_CHECKING, Annotated, Any

import typer

from revops_analysis.cli.options import AsOf, Format, SourceOption, day
from revops_analysis.cli.printing import print_data, print_frame, progress

if TYPE_CHECKING:
    import pandas as pd

    from revops_analysis.models.deal_flags import DealFlags
    from revops_analysis.workspace import Workspace

app = typer.Typer()

_SHOWN = 25


class Cut(StrEnum):
    """What warned deals are added up by; the names of `models.deal_flags.CUTS`."""

    owner = "owner"
    team = "team"
    segment = "segment"
    stage = "stage"
    type = "type"


@app.command(epilog="Example: revops flags --source sample --as-of 2026-09-30 --by owner")
def flags(
    *,
    source: SourceOption,
    as_of: AsOf,
    by: Annotated[Cut | None, typer.Option("--by", help="Add up by owner, team, segment, stage or type.")] = None,
    output: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.table,
) -> None:
    """List open deals with warnings, most expected loss first, and the measured effect of each warning."""
    from revops_analysis.models.deal_flags import deal_flags
    from revops_analysis.workspace import open_workspace

    with progress() as told:
        workspace = open_workspace(source, as_of=day(as_of))
        told.say("Comparing past deals with and without each flag")
        found = deal_flags(workspace)
    if output is Format.json:
        _print_json(workspace, found, by)
    elif output is Format.csv:
        rows, units = _rows(found, by)
        print_data(rows, output, units)
    else:
        _print_tables(found, by)


def _rows(found: DealFlags, by: Cut | None) -> tuple[pd.DataFrame, dict[str, str]]:
    """What is listed: every warned deal, or sums by a cut; with the units of its columns."""
    from revops_analysis.models.flag_tables import CUT_UNITS, DEAL_UNITS

    if by is not None:
        return found.by(by.value), CUT_UNITS
    rows = found.deals[found.deals["n_flags"] > 0].drop(columns=["owner_id"])
    return rows.assign(close_date=rows["close_date"].dt.strftime("%Y-%m-%d")), DEAL_UNITS


def _print_tables(found: DealFlags, by: Cut | None) -> None:
    from revops_analysis.models.flag_tables import effects_table
    from revops_analysis.plots.flags import warned_title
    from revops_analysis.plots.style import percent

    print(warned_title(found))
    for note in found.notes:
        print(note)
    effects = effects_table(found)
    for name in ("effect", "low", "high"):
        effects[name] = [percent(value, 1) for value in effects[name]]
    columns = ["flag", "deals", "amount", "effect", "low", "high", "past_deals", "verdict"]
    print_frame(
        effects[columns].assign(amount=_whole(effects["amount"])),
        f"Win rate within {found.horizon_days} days, with the flag less without (same stage and age)",
    )
    rows, units = _rows(found, by)
    for name in (name for name, unit in units.items() if unit == "currency"):
        rows = rows.assign(**{name: _whole(rows[name])})
    if by is None:
        shown = rows[["name", "owner_name", "stage", "close_date", "amount", "flags", "expected_loss"]].head(_SHOWN)
        print_frame(shown, f"Deals with warnings, {found.currency}: {len(shown)} of {len(rows)}")
    else:
        print_frame(rows, f"Open deals by {by.value}, {found.currency}")


def _whole(values: pd.Series) -> list[str]:
    import pandas as pd

    return ["–" if pd.isna(value) else f"{value:,.0f}" for value in values]


def _print_json(workspace: Workspace, found: DealFlags, by: Cut | None) -> None:
    from dataclasses import replace

    from revops_analysis.models.flag_tables import flag_figures
    from revops_analysis.reporting.chapter import facts_of
    from revops_analysis.reporting.key_figures import KeyFigures, collect_rows, dump_json

    facts = facts_of(workspace, f"within {found.horizon_days} days")
    figures = KeyFigures(replace(facts, warnings=(*facts.warnings, *found.notes)), collect_rows(flag_figures(found)))
    document: dict[str, Any] = figures.as_json("flags")
    rows, units = _rows(found, by)
    for name, unit in units.items():
        if unit == "currency":
            rows[name] = [None if isnan(value) else f"{value:.2f}" for value in rows[name]]
        elif unit == "rate":
            rows[name] = rows[name].round(6)
    document["by" if by else "deals"] = rows.astype(object).where(rows.notna(), None).to_dict("records")
    print(dump_json(document), end="")
