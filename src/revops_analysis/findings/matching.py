"""Findings that touch the words of a question: the detectors it is about are asked, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from revops_analysis.findings.finding import Detection
from revops_analysis.findings.registry import detect, detectors, span_of
from revops_analysis.metrics.matching import asked_words, likeness

if TYPE_CHECKING:
    from revops_analysis.periods import Period
    from revops_analysis.workspace import Workspace

_TOUCHES = 1.0


def detectors_about(question: str, fixes: dict[str, str] | None = None) -> list[str]:
    """Names of the detectors that a question's words point to; `fixes` are the playbook's words by detector.

    >>> detectors_about("Why did our win rate fall?")
    ['win_rate_drop']
    """
    asked = asked_words(question)
    found = []
    for name in detectors():
        texts = {(fixes or {}).get(name, ""): 0.3, name: 1.0}
        if likeness(asked, texts) >= _TOUCHES:
            found.append(name)
    return found


def problems_about(workspace: Workspace, question: str, period: str | Period | None = None) -> Detection:
    """What the detectors that a question's words point to have found, ranked; what they lacked is said.

    A question that points to no detector has no findings, and one line says that none was asked.
    """
    from revops_analysis.findings.playbook import load_playbook

    playbook = load_playbook(workspace.project.playbook_file)
    names = detectors_about(question, {name: play.fix for name, play in playbook.plays.items()})
    if not names:
        reason = "no detector has to do with the words of the question"
        silent = pd.DataFrame([{"detector": "all", "chapter": "", "reason": reason}])
        return Detection((), silent)
    return detect(workspace, span_of(workspace, period), playbook, names=names)
