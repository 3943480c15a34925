"""Findings that touch the words of a question: the detectors it is about are asked, and no others.

A detector is about what its name names. Words for what happened ("drop") and for any row of a table ("deal") point to
none by themselves: they choose among those that another word points to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd

from revops_analysis.findings.finding import Detection, Finding
from revops_analysis.findings.registry import detect, detectors, span_of
from revops_analysis.metrics.matching import likeness, words_of

if TYPE_CHECKING:
    from revops_analysis.periods import Period
    from revops_analysis.workspace import Workspace

_WEAK = {
    **dict.fromkeys(words_of("account contact deal seller"), 0.3),
    **dict.fromkeys(
        words_of("below decline drop fall missed need past problem required slow slowed sure too wide without working"),
        0.5,
    ),
}
_BESIDE_BEST = 0.6


def detectors_about(question: str) -> list[str]:
    """Names of the detectors that a question's words point to, the most likely first.

    What has less than six tenths of the points of the best is left out.

    >>> detectors_about("Why did our win rate fall?")
    ['win_rate_drop']
    >>> detectors_about("Why the drop?")
    []
    """
    scores = likeness(question, {name: {name: 1.0} for name in detectors()}, weak=_WEAK)
    best = max(scores.values(), default=0.0)
    order = sorted(scores, key=lambda name: (-round(scores[name], 6), name))
    return [name for name in order if scores[name] >= _BESIDE_BEST * best > 0]


def problems_about(workspace: Workspace, question: str, period: str | Period | None = None) -> Detection:
    """What the detectors that a question's words point to have found; what they lacked is said.

    First comes what was found in a cut that the question names (enterprise, a region, a seller), then the rest, each
    in order of rank. A question that points to no detector has no findings, and one line says that none was asked.
    """
    from revops_analysis.findings.playbook import load_playbook

    names = detectors_about(question)
    if not names:
        reason = "no detector has to do with the words of the question"
        silent = pd.DataFrame([{"detector": "all", "chapter": "", "reason": reason}])
        return Detection((), silent)
    found = detect(workspace, span_of(workspace, period), load_playbook(workspace.project.playbook_file), names=names)
    return replace(found, findings=tuple(named_first(found.findings, question)))


def named_first(findings: Sequence[Finding], question: str) -> list[Finding]:
    """Findings whose cut the question names go first, else their order stays: `win_rate_drop:segment=Enterprise`."""
    asked = words_of(question)

    def named(finding: Finding) -> int:
        values = [words_of(part.partition("=")[2]) for part in finding.id.split(":")[1:]]
        return sum(bool(words) and words <= asked for words in values)

    return sorted(findings, key=named, reverse=True)
