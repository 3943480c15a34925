"""What to do about each line of the scorecard: the fix of the weightiest finding on it, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from revops_analysis.findings.finding import Finding, rank
from revops_analysis.findings.playbook import load_playbook
from revops_analysis.findings.registry import Question, assess, detectors

if TYPE_CHECKING:
    from revops_analysis.models.scorecard import Scorecard
    from revops_analysis.workspace import Workspace

LOOKED_AT_BY: Mapping[str, tuple[str, ...]] = {
    "open_pipeline": ("stalled_deals", "overdue_pipeline", "pipeline_concentration"),
    "pipeline_created": ("pipeline_created_drop", "creation_below_need"),
    "bookings": ("target_missed",),
    "win_rate": ("win_rate_drop",),
    "average_deal_size": ("deal_size_drop",),
    "sales_cycle_days": ("cycle_longer", "stage_slowed"),
    "coverage": ("coverage_below_required",),
    "forecast": ("forecast_below_target", "crm_too_sure", "forecast_on_past_dates", "forecast_on_new_stages"),
    "nrr": ("nrr_decline", "implausible_retention"),
    "grr": ("grr_decline", "renewals_at_risk"),
    "lifetime_value": ("worsening_cohort",),
    "sourced_share": ("sourcing_disputed",),
}
"""Measure → the detectors that look for what is wrong with it; the first that finds something has the word."""

NOBODY_LOOKS = "No check looks at it; its chapter has the detail."


@dataclass(frozen=True)
class Action:
    """What to do about a measure: the finding that says so, or `words` on why there is none."""

    finding: Finding | None
    words: str


def scorecard_actions(workspace: Workspace, card: Scorecard) -> dict[str, Action]:
    """Ask the detectors of `LOOKED_AT_BY` and return measure → action, for every line of the card.

    Of several findings on a measure, the first by rank among those of its first detector that found something. What is
    not proven is no action: the words say that it is watched. A detector that lacked its data has not found that all
    is well: the words say what it lacked.
    """
    question = Question(workspace, card.period, load_playbook(workspace.project.playbook_file))
    return {name: _action(LOOKED_AT_BY.get(name, ()), question) for name in card.lines["measure"]}


def _action(names: tuple[str, ...], question: Question) -> Action:
    if not names:
        return Action(None, NOBODY_LOOKS)
    known = detectors()
    question.playbook.check({name: known[name].facts for name in names})
    looked, silent = [], []
    watched: list[Finding] = []
    for name in names:
        answer, words = assess(question, name), name.replace("_", " ").replace("nrr", "NRR")
        if answer.reason:
            silent.append(f"{words}: {answer.reason}")
            continue
        proven = [finding for finding in answer.findings if finding.is_proven]
        if proven:
            return Action(rank(proven)[0], "")
        looked.append(words)
        watched += answer.findings
    found = [f"Nothing {'proven' if watched else 'found'}; looked for {', '.join(looked)}."] if looked else []
    found += [f"To watch: {finding.what}" for finding in rank(watched)[:1]]
    lacking = [f"Could not be assessed: {'; '.join(silent)}."] if silent else []
    return Action(None, " ".join([*found, *lacking]))
