"""`revops repairs` and `revops drift`: what looks mistyped in a load, and what changed since the load before."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from revops_analysis.cli.options import Format, SourceOption
from revops_analysis.cli.printing import print_data, print_frame, progress

if TYPE_CHECKING:
    from revops_analysis.validation.drift import Drift
    from revops_analysis.validation.repairs import Repairs

app = typer.Typer()


class RepairFormat(StrEnum):
    """How suggestions are printed."""

    table = "table"
    json = "json"
    yaml = "yaml"


@app.command("repairs", epilog="Example: revops repairs --source acme --format yaml")
def repairs(
    *,
    source: SourceOption,
    output: Annotated[RepairFormat, typer.Option("--format", help="table, json or yaml.")] = RepairFormat.table,
) -> None:
    """Suggest what mistyped words of the last load should be, as a value map for the source's profile.

    Nothing is applied: a profile is changed by whoever knows the words.
    """
    from revops_analysis.validation.repairs import repairs_of_load, value_map_snippet

    profile, definitions, warehouse = _last_load(source)
    found = repairs_of_load(warehouse, definitions)
    if output is RepairFormat.yaml:
        print(value_map_snippet(found, profile), end="")
    elif output is RepairFormat.json:
        _print_json("repairs", {"suggestions": found.suggestions, "doubts": found.doubts, "looked_at": found.looked_at})
    else:
        _print_repairs(found)


@app.command("drift", epilog="Example: revops drift --source acme")
def drift(
    *,
    source: SourceOption,
    output: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.table,
) -> None:
    """Compare the last load of a source with the one before it: volume, missing values, words and amounts."""
    from revops_analysis.project import find_project
    from revops_analysis.validation.drift import drift_since_last_load

    _, definitions, warehouse = _last_load(source)
    found = drift_since_last_load(find_project(), warehouse, definitions)
    if output is Format.json:
        changes = {} if found is None else {"changes": found.changes}
        about = {"now": warehouse.content_hash, "before": None if found is None else found.before}
        _print_json("drift", changes, about)
    elif found is None:
        print(f"Load {warehouse.content_hash} is the first of {warehouse.source}: there is nothing to compare with.")
    elif output is Format.csv:
        print_data(found.changes, output)
    else:
        _print_drift(found)


def _print_drift(found: Drift) -> None:
    print(f"Load {found.now} (data through {found.last_day_now}) against the one before it,")
    print(f"{found.before} (data through {found.last_day_before}).")
    volumes = found.changes[found.changes["kind"].isin(["rows", "past rows", "new rows"])]
    print_frame(volumes[["table", "kind", "before", "now", "change", "limit", "verdict"]], "Volume")
    columns = ["table", "kind", "column", "scope", "change", "limit", "what"]
    if len(found.alarms):
        print_frame(found.alarms[columns], "What drifted")
    counts = found.changes["verdict"].value_counts()
    print(", ".join(f"{counts.get(name, 0)} {name}" for name in ("drift", "steady", "not compared")) + ".")


def _last_load(source: str) -> Any:
    """The profile, the definitions and the last load of a source."""
    from revops_analysis.definitions import load_definitions
    from revops_analysis.project import find_project
    from revops_analysis.reporting.preparation import find_data
    from revops_analysis.sources.profile import load_profile

    project = find_project()
    profile = load_profile(source, project)
    definitions = load_definitions(profile.definitions_path(project))
    with progress() as told:
        return profile, definitions, find_data(profile, project, told.say)


def _print_json(command: str, frames: dict[str, Any], about: dict[str, Any] | None = None) -> None:
    from revops_analysis.reporting.key_figures import dump_json

    rows = {name: frame.astype(object).where(frame.notna(), None).to_dict("records") for name, frame in frames.items()}
    print(dump_json({"schema": f"revops-{command}/1", **(about or {}), **rows}), end="")


def _print_repairs(found: Repairs) -> None:
    if found.suggestions.empty:
        print("No word looks mistyped.")
    else:
        print_frame(found.suggestions, "Words that look mistyped; nothing is changed")
    if len(found.doubts):
        print_frame(found.doubts, "Words that resemble others: look at them, nothing is suggested")
    reasons = found.looked_at.dropna(subset=["reason"])
    print(f"Looked at {len(found.looked_at)} columns; {len(reasons)} of them hold no short list of words.")
