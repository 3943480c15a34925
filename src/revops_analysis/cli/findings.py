"""`revops findings`: what is wrong, how sure that is, what it costs and what to do."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from revops_analysis.cli.options import AsOf, Format, Period, SourceOption, day
from revops_analysis.cli.printing import print_data, print_frame, progress
from revops_analysis.errors import ConfigurationError

if TYPE_CHECKING:
    import pandas as pd

    from revops_analysis.findings.finding import Detection, Finding
    from revops_analysis.workspace import Workspace

app = typer.Typer()


class MinSeverity(StrEnum):
    """The least severity that is shown."""

    watch = "watch"
    info = "info"
    warning = "warning"
    critical = "critical"


@app.command(epilog="Example: revops findings --source sample --as-of 2026-09-30 --min-severity warning --format json")
def findings(
    *,
    source: SourceOption,
    as_of: AsOf,
    period: Period = "",
    chapter: Annotated[str, typer.Option("--chapter", help="Ask the detectors of one chapter only.")] = "",
    min_severity: Annotated[
        MinSeverity,
        typer.Option("--min-severity", help="Leave out what is less severe; info: what is not proven."),
    ] = MinSeverity.watch,
    output: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.table,
) -> None:
    """List what is wrong as of a day, most money times confidence first. Findings are no failure: the exit code is 0.

    What is proven comes first; after it what is worth watching, which may be chance.

    Without --period: the quarter that contains the day. False discovery is controlled over all chapters, so a chapter
    asked alone gives the same findings as all of them.
    """
    from revops_analysis.findings.registry import detectors, find_problems
    from revops_analysis.periods import begun_period, period_containing
    from revops_analysis.workspace import open_workspace

    known = sorted({item.chapter for item in detectors().values()})
    if chapter and chapter not in known:
        raise ConfigurationError("No detector belongs to this chapter.", expected=", ".join(known), found=chapter)
    with progress() as told:
        told.say(f"Looking for problems in {chapter or 'all chapters'}")
        workspace = open_workspace(source, as_of=day(as_of))
        calendar = workspace.definitions.fiscal_calendar
        asked = begun_period(period, calendar, workspace.as_of) if period else None
        span = asked or period_containing(workspace.as_of, calendar)
        found = find_problems(workspace, span, chapter or None)
    order = [severity.value for severity in MinSeverity]
    shown = [one for one in found.findings if order.index(one.severity) >= order.index(min_severity.value)]
    _print(found, shown, (workspace, span.label), output)


def _print(found: Detection, shown: list[Finding], asked: tuple[Workspace, str], output: Format) -> None:
    if output is Format.json:
        print(_document(found, shown, asked), end="")
    elif output is Format.csv:
        from revops_analysis.findings.finding import to_frame

        print_data(to_frame(shown), output)
    else:
        _print_table(found, shown, asked[0])


def _document(found: Detection, shown: list[Finding], asked: tuple[Workspace, str]) -> str:
    """The document of every command, a row a finding: its effect as the value, and what a finding has besides."""
    from revops_analysis.reporting.chapter import facts_of
    from revops_analysis.reporting.key_figures import document, dump_json, publish

    workspace, period = asked
    rows = []
    for one in shown:
        evidence, plain = one.evidence, one.to_json()
        name, dims = cut_from_id(one.id)
        numbers = {key: publish(getattr(evidence, key), evidence.unit) for key in ("low", "high")}
        row: dict[str, Any] = {"metric": name, "dims": dims, "value": publish(evidence.effect, evidence.unit)}
        row |= {"unit": evidence.unit, **numbers, "n": evidence.n, "reason": None}
        row |= {"p_adjusted": evidence.p_adjusted, "among": evidence.among}
        row |= {key: plain[key] for key in _PLAIN}
        rows.append({**row, "proposed_fix": one.proposed_fix, **plain["place"]})
    made = document(facts_of(workspace, period), "findings", rows)
    made["comparisons"] = len(found.comparisons)
    made["not_assessed"] = found.not_assessed.to_dict("records")
    return dump_json(made)


_PLAIN = ("id", "severity", "what", "money", "concerned", "currency", "confidence", "owner")


def cut_from_id(name: str) -> tuple[str, dict[str, str]]:
    """The detector and the cut that an id is made of.

    >>> cut_from_id("win_rate_drop:segment=SMB")
    ('win_rate_drop', {'segment': 'SMB'})
    """
    detector, *parts = name.split(":")
    return detector, {key: value for key, _, value in (part.partition("=") for part in parts)}


def _print_table(found: Detection, shown: list[Finding], workspace: Workspace) -> None:
    currency = str(workspace.definitions.reporting_currency)
    print_frame(_rows(shown, currency), "Findings, most money times confidence first")
    if len(found.comparisons):
        print(f"{len(found.comparisons):,} comparisons were made; of what they found at most 5% is false, on average.")
    if any(not one.is_proven for one in shown):
        print("What is to watch is not proven: at most 20% of it is false, on average, so look again first.")
    for row in found.not_assessed.to_dict("records"):
        print(f"Not assessed: {row['detector'].replace('_', ' ')}: {row['reason']}")


def _at_stake(one: Finding, currency: str) -> str:
    """The money at stake, or where that is not known what the finding is about."""
    from revops_analysis.reporting.formats import with_unit

    if one.money is None and one.concerned is not None:
        return f"not known, of {with_unit(one.concerned, 'currency', currency)}"
    return str(with_unit(one.money, "currency", currency))


def _rows(shown: list[Finding], currency: str) -> pd.DataFrame:
    import pandas as pd

    rows = [
        {
            "severity": one.severity,
            "at stake": _at_stake(one, currency),
            "sure": f"{one.confidence:.0%}" if one.confidence <= 0.99 else "over 99%",
            "what": one.what,
            "owner": one.owner,
            "proposed": one.proposed_fix,
        }
        for one in shown
    ]
    return pd.DataFrame(rows, columns=["severity", "at stake", "sure", "what", "owner", "proposed"])
