"""The registry of detectors: each looks for one kind of problem and says what it found, or why it could not look.

A detector of facts (a count, a sum that is overdue) answers with findings. One that looks over cuts, or tests anything,
answers with `Comparisons`: all that it compared. `control` decides which of them are findings, over all detectors.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.findings.comparison import Comparisons
from revops_analysis.findings.control import Shares, findings_of, judged
from revops_analysis.findings.finding import Detection, Finding, rank
from revops_analysis.findings.playbook import Playbook
from revops_analysis.findings.words import cut_name

if TYPE_CHECKING:
    from revops_analysis.metrics.registry import MetricResult
    from revops_analysis.periods import Period
    from revops_analysis.tables.snapshot import Snapshot
    from revops_analysis.workspace import Workspace


@dataclass(frozen=True)
class NotAssessed:
    """A detector's answer when it lacked what it needs: a sentence that says what."""

    reason: str


@dataclass(frozen=True, eq=False)
class Question:
    """What a detector looks at: the tables as of a date, the period of the report, and what to propose."""

    snapshot: Snapshot
    period: Period
    playbook: Playbook

    @property
    def currency(self) -> str:
        """Currency of every amount: the reporting currency."""
        return self.snapshot.definitions.reporting_currency

    @property
    def end(self) -> date:
        """The last day looked at: the end of the period, or the as-of date where that comes first."""
        return min(self.period.end, self.snapshot.as_of)

    def metric(self, name: str, period: Any = None, by: Sequence[str] = (), where: str | None = None) -> MetricResult:
        """A metric of the registry; the report's period unless another is given."""
        from revops_analysis.metrics.registry import compute_metric

        return compute_metric(self.snapshot, name, period=period or self.period, by=by, where=where)


Answer = Sequence[Finding] | Comparisons | NotAssessed


@dataclass(frozen=True)
class Detector:
    """A named detector of a chapter; `facts` are the names its playbook text may use, the others as in `detector`."""

    name: str
    chapter: str
    facts: tuple[str, ...]
    budget: float
    watch: float
    detect: Callable[[Question], Answer]


_REGISTRY: dict[str, Detector] = {}


def detector(
    name: str, chapter: str, facts: Sequence[str] = (), budget: float = 0.0, watch: float = 0.0
) -> Callable[[Callable[[Question], Answer]], Callable[[Question], Answer]]:
    """Register the decorated function as the detector `name` of a chapter; a name can be taken only once.

    `budget` is for detectors that answer with `Comparisons`: their part of the error that is spent on all, against the
    budgets of the others (1 as a rule, more where a miss costs more). Detectors of facts have none. `watch` is the same
    for the watch list; 0 for those that see what they look for anyway, or have too little to say without proof.
    """

    def add(function: Callable[[Question], Answer]) -> Callable[[Question], Answer]:
        taken = _REGISTRY.get(name)
        if taken is not None and taken.detect.__qualname__ != function.__qualname__:
            raise ConfigurationError("A detector's name is taken.", found=name, where=function.__module__)
        _REGISTRY[name] = Detector(name, chapter, tuple(facts), budget, watch, function)
        return function

    return add


def detectors(chapter: str | None = None) -> dict[str, Detector]:
    """All detectors by name in alphabetical order, or those of one chapter, with every module of the package loaded."""
    import revops_analysis.findings as package

    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return {name: item for name, item in sorted(_REGISTRY.items()) if chapter in (None, item.chapter)}


def error_shares(name: str) -> Shares:
    """The detector's parts of the error spent on all: its budgets over those of all that are registered.

    They depend on no detector's answer and not on which chapter is asked. Raises ConfigurationError without a budget.
    """
    every = detectors()
    if every[name].budget <= 0:
        raise ConfigurationError(
            "A detector that compares has no budget.", found=name, fix=f"give detector({name!r}, …) a budget, such as 1"
        )
    proven, watched = (sum(getattr(item, kind) for item in every.values()) for kind in ("budget", "watch"))
    return Shares(every[name].budget / proven, every[name].watch / watched if watched else 0.0)


@dataclass(frozen=True, eq=False)
class Assessment:
    """What one detector found. `comparisons` is empty for facts; `reason` says why it could not look, else None."""

    findings: tuple[Finding, ...]
    comparisons: pd.DataFrame
    reason: str | None = None


_COMPARED = ("n", "effect", "low", "high", "p_value", "weight", "p_adjusted", "p_watched", "confidence", "money")
_LISTED = ("detector", "chapter", "cut", *_COMPARED[:2], "unit", *_COMPARED[2:])


def assess(question: Question, name: str) -> Assessment:
    """Ask one detector, and control false discovery over what it compared."""
    item = detectors()[name]
    answer = item.detect(question)
    nothing = pd.DataFrame(columns=list(_LISTED))
    if isinstance(answer, NotAssessed):
        return Assessment((), nothing, answer.reason)
    if not isinstance(answer, Comparisons):
        return Assessment(tuple(answer), nothing)
    frame = judged(answer, error_shares(name))
    listed = frame.assign(
        detector=name, chapter=item.chapter, unit=answer.unit, cut=[cut_name(dict(dims)) for dims in frame["dims"]]
    )
    return Assessment(tuple(findings_of(question, answer, frame)), listed[list(_LISTED)])


def detect(
    snapshot: Snapshot,
    period: Period,
    playbook: Playbook,
    chapter: str | None = None,
    names: Sequence[str] | None = None,
) -> Detection:
    """Ask every detector, or those of one chapter, or those named, and rank what they found.

    Raises ConfigurationError when the playbook lacks a detector or uses a fact that the detector does not give.
    """
    asked = {name: item for name, item in detectors(chapter).items() if names is None or name in names}
    playbook.check({name: item.facts for name, item in asked.items()})
    question = Question(snapshot, period, playbook)
    answers = {name: assess(question, name) for name in asked}
    silent = [
        {"detector": name, "chapter": asked[name].chapter, "reason": answer.reason}
        for name, answer in answers.items()
        if answer.reason is not None
    ]
    found = [finding for answer in answers.values() for finding in answer.findings]
    looked = tuple(name for name, answer in answers.items() if answer.reason is None)
    compared = [answer.comparisons for answer in answers.values() if len(answer.comparisons)]
    listed = pd.concat(compared, ignore_index=True) if compared else pd.DataFrame(columns=list(_LISTED))
    not_assessed = pd.DataFrame(silent, columns=["detector", "chapter", "reason"])
    return Detection(tuple(rank(found)), not_assessed, looked, listed)


def find_problems(workspace: Workspace, period: str | Period | None = None, chapter: str | None = None) -> Detection:
    """Ask the detectors of a chapter, or all of them, with the playbook of the workspace's project.

    `period` is by default the quarter that contains the as-of date. What notebooks call:
    `chapter.findings(find_problems(ws, period, "pipeline_health"))`.
    """
    from revops_analysis.findings.playbook import load_playbook

    span = span_of(workspace, period)
    return detect(workspace, span, load_playbook(workspace.project.playbook_file), chapter)


def span_of(workspace: Workspace, period: str | Period | None) -> Period:
    """The period that is meant: the one given, as text or not, or the quarter that contains the as-of date."""
    from revops_analysis.periods import parse_period, period_containing

    calendar = workspace.definitions.fiscal_calendar
    if period is None:
        return period_containing(workspace.as_of, calendar)
    return parse_period(period, calendar) if isinstance(period, str) else period
