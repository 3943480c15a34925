"""`revops leads`: what a lead rule would have passed, and the simplest rule near the best."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from revops_analysis.cli.options import AsOf, Format, SourceOption, day
from revops_analysis.cli.printing import print_data, print_frame, progress

if TYPE_CHECKING:
    from revops_analysis.definitions.rules import Rule
    from revops_analysis.models.lead_proposal import LeadProposal
    from revops_analysis.models.lead_replay import LeadReplay
    from revops_analysis.reporting.key_figures import Facts
    from revops_analysis.workspace import Workspace

app = typer.Typer(
    help="Lead rules: replay one on history, or have one proposed.", no_args_is_help=True, rich_markup_mode=None
)

Output = Annotated[Format, typer.Option("--format", help="table, json or csv.")]
RuleOption = Annotated[
    str,
    typer.Option(
        "--rule", help="The new rule: an expression, a YAML file, or `proposed` for the one of `leads propose`."
    ),
]
Against = Annotated[
    str,
    typer.Option("--against", help="What to set beside it: a rule, or `current`: lead_rule of the definitions."),
]

_EXAMPLE = (
    "revops leads replay --rule 'employees >= 80 and visited_pricing_page = true' --source sample --as-of 2026-09-30"
)


@app.command("replay", epilog=f"Example: {_EXAMPLE}")
def replay_rule(
    *,
    rule: RuleOption,
    against: Against = "current",
    source: SourceOption,
    as_of: AsOf,
    period: Annotated[
        str, typer.Option("--period", help="When the leads were created; default: the year up to the day.")
    ] = "",
    output: Output = Format.table,
) -> None:
    """Replay a lead rule on history: leads passed, deal and close rate, won amount, recall, lift and missed wins.

    Leads that nobody ever worked have no known outcome: they are counted, and rates come with their bounds.
    """
    from revops_analysis.models.lead_replay import replay
    from revops_analysis.workspace import open_workspace

    with progress() as told:
        told.say("Replaying the rule")
        workspace = open_workspace(source, as_of=day(as_of))
        found = replay(workspace, _rule(workspace, rule), _against(workspace, against), period or None)
    _answer_replay(found, _facts(workspace, found), output)


@app.command("propose", epilog="Example: revops leads propose --source sample --as-of 2026-09-30")
def propose(*, source: SourceOption, as_of: AsOf, output: Output = Format.table) -> None:
    """Score leads, and propose the simplest rule near the score, ready to be pasted into definitions.yml."""
    from revops_analysis.models.lead_proposal import propose_rule
    from revops_analysis.workspace import open_workspace

    with progress() as told:
        told.say("Scoring leads")
        workspace = open_workspace(source, as_of=day(as_of))
        found = propose_rule(workspace)
    if output is Format.table:
        _print_proposal(found)
        return
    from revops_analysis.reporting.chapter import facts_of
    from revops_analysis.reporting.lead_figures import proposal_rows

    _print_figures(proposal_rows(found), facts_of(workspace, workspace.as_of.isoformat()), "leads propose", output)


def _rule(workspace: Workspace, text: str) -> Rule:
    """The rule that a text names: an expression, a file, or the proposed one."""
    from revops_analysis.definitions.rule_text import load_rule
    from revops_analysis.errors import ConfigurationError

    if text.strip().lower() != "proposed":
        return load_rule(text)
    from revops_analysis.models.lead_proposal import propose_rule

    found = propose_rule(workspace)
    if found.found is None:
        raise ConfigurationError("No rule can be proposed.", found=str(found.reason), where="--rule proposed")
    return found.found.rule


def _against(workspace: Workspace, text: str) -> Rule | None:
    return None if text.strip().lower() == "current" else _rule(workspace, text)


def _facts(workspace: Workspace, found: LeadReplay) -> Facts:
    from revops_analysis.reporting.chapter import facts_of

    facts = facts_of(workspace, found.period.label)
    return replace(facts, warnings=(*facts.warnings, *found.warnings))


def _answer_replay(found: LeadReplay, facts: Facts, output: Format) -> None:
    from revops_analysis.reporting.lead_figures import replay_rows

    if output is Format.table:
        _print_replay(found)
    else:
        _print_figures(replay_rows(found), facts, "leads replay", output)


def _print_figures(rows: Any, facts: Facts, command: str, output: Format) -> None:
    from revops_analysis.reporting.key_figures import KeyFigures, dump_json, rows_frame

    if output is Format.json:
        print(dump_json(KeyFigures(facts, rows).as_json(command)), end="")
    else:
        frame, units = rows_frame(rows)
        print_data(frame, output, units)


def _print_replay(found: LeadReplay) -> None:
    from revops_analysis.reporting.lead_figures import replay_table

    print(f"Leads created in {found.period.label}; rates within {found.horizon_days} days; {found.currency}.")
    print(f"  new rule:     {found.new}")
    print(f"  current rule: {found.against}")
    print_frame(replay_table(found), "What each would have passed")
    groups = found.groups[["group", "leads", "worked", "unknown", "deals", "won"]]
    print_frame(groups, "Where the rules differ")
    for warning in found.warnings:
        print(f"  - {warning}")


def _print_proposal(found: LeadProposal) -> None:
    refused = found.leaks.frame[["name", "kind", "verdict", "reason"]]
    print_frame(refused, "What was recorded of leads, and whether a rule may use it")
    if len(found.against):
        from revops_analysis.reporting.lead_figures import as_percentages

        print_frame(as_percentages(found.against), "On the latest leads, which neither has seen")
    if found.reason:
        print(f"No rule is proposed: {found.reason}.")
    if found.snippet:
        print(f"The simplest rule near the best:\n\n{found.snippet}")
