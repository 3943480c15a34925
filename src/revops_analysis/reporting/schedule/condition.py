"""Whether a run is worth a mail, and what it says, as one digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from revops_analysis.findings.finding import SEVERITIES
from revops_analysis.reporting.mail.run_folder import MailedRun
from revops_analysis.reporting.schedule.entries import Condition
from revops_analysis.reporting.schedule.state import Slot

_AT_LEAST = "if finding at least "


def figures_digest(run: MailedRun) -> str:
    """One hash over what a reader would see change: published figures and findings, not dates or hashes."""
    findings = [finding for chapter in run.summary["chapters"] for finding in chapter["findings"]]
    said = json.dumps([run.key_figures["rows"], findings], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def reason_not_to_send(condition: Condition, run: MailedRun, figures: str, before: Iterable[Slot]) -> str:
    """Why the run is not sent; empty when it is. `before` are the entry's slots, by due moment.

    `if changed` compares with the last that was sent; the first is always sent. What is only worth watching never
    makes a finding that is bad enough.
    """
    if condition == "if changed":
        last = next((slot for slot in reversed(list(before)) if slot.state == "sent"), None)
        if last is not None and last.figures == figures:
            return f"nothing changed since the report as of {last.as_of.isoformat()}"
    if condition.startswith(_AT_LEAST):
        wanted = condition.removeprefix(_AT_LEAST)
        found = {finding["severity"] for chapter in run.summary["chapters"] for finding in chapter["findings"]}
        enough = SEVERITIES[: SEVERITIES.index(wanted) + 1]
        if not found & set(enough):
            return f"no finding is {wanted}" + (" or worse" if len(enough) > 1 else "")
    return ""
