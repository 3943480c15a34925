"""A notebook for a question: what is asked, a menu of metrics with examples that run, findings that touch its words.

The notebook has the shape of a chapter, so that answering it gives what a report gives: a page, key figures, a
manifest. The answer itself is one text cell, tagged `answer`, which is empty at first.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.matching import metrics_about, words_of
from revops_analysis.periods import period_containing, previous
from revops_analysis.project import Project

if TYPE_CHECKING:
    from revops_analysis.metrics.registry import Metric
    from revops_analysis.periods import FiscalCalendar, Period
    from revops_analysis.workspace import Workspace

FOLDER = "questions"
CHAPTER = "answer"
"""Name of the chapter as which an answered question is rendered."""

ANSWER_TAG = "answer"
PLACEHOLDER = "*Write the answer here: first the figure that decides it, then what follows from it.*"
_LONGEST = 80
_PERIODS_BACK = 5
_EXAMPLES = 3
_QUARTER = re.compile(r"\b(?:(FY)?(\d{4})[- ]?)?Q([1-4])(?:[- ](?:of )?(\d{4}))?\b", re.IGNORECASE)


@dataclass(frozen=True)
class QuestionRequest:
    """What is asked: the question, the source it is asked of, and as of which day."""

    title: str
    source: str
    as_of: date

    @property
    def question(self) -> str:
        """The question, on one line, with its question mark."""
        text = " ".join(self.title.split())
        return text if text.endswith("?") else f"{text.rstrip('.!')}?"

    @property
    def slug(self) -> str:
        """The question as a file name.

        >>> QuestionRequest("Why did enterprise win-rate fall in Q3 (über 10%)?", "sample", date(2026, 9, 30)).slug
        'why-did-enterprise-win-rate-fall-in-q3-uber-10'
        """
        return slug_of(self.title)


def slug_of(title: str) -> str:
    """A title as part of a file name: lower-case letters, digits and hyphens, beginning with a letter.

    Raises ConfigurationError for a title without a letter or digit.
    """
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if not slug:
        raise ConfigurationError("A question needs words.", expected="a question in letters", found=repr(title))
    slug = slug if slug[0].isalpha() else f"q-{slug}"
    return slug if len(slug) <= _LONGEST else slug[:_LONGEST].rsplit("-", 1)[0]


def new_question(request: QuestionRequest, project: Project) -> Path:
    """Write `notebooks/questions/<as-of>-<question>.ipynb` and return its path.

    The source must be there as of the day: the metrics offered are those that the question's words point to, and a
    segment or a quarter that it names goes into the examples. Raises ConfigurationError when the notebook exists
    already, for a title without words, and as `open_workspace` does.
    """
    import nbformat

    from revops_analysis.workspace import open_workspace

    path = project.notebooks / FOLDER / f"{request.as_of.isoformat()}-{request.slug}.ipynb"
    if path.exists():
        raise ConfigurationError(
            "There is a notebook for this question already.",
            where=path.relative_to(project.root).as_posix(),
            fix="open it, or ask in other words",
        )
    workspace = open_workspace(request.source, as_of=request.as_of, project=project)
    notebook = nbformat.from_dict(
        {"cells": list(_cells(request, workspace)), "metadata": _METADATA, "nbformat": 4, "nbformat_minor": 5}
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    return path


_METADATA = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}


def _cells(request: QuestionRequest, workspace: Workspace) -> Iterator[dict[str, Any]]:
    calendar = workspace.definitions.fiscal_calendar
    period = period_asked(request.question, request.as_of, calendar)
    found = metrics_about(request.question)
    asked_of = f"Asked of `{request.source}` as of {request.as_of.isoformat()}."
    yield _text("title", f"# {_escaped(request.question)}\n\n{asked_of}")
    yield _code("parameters", _parameters(request, period), ["parameters"])
    yield _code("open", _opening(request))
    yield _text("answer-title", "## Answer")
    yield _text("answer", PLACEHOLDER, [ANSWER_TAG])
    yield _text("metrics-title", "## Metrics\n\n" + _menu(found))
    for metric in found[:_EXAMPLES]:
        yield _code(metric.name.replace("_", "-"), _example(metric, request, workspace, _series(period, calendar)))
    yield _text("findings-title", "## Findings\n\nWhat the detectors found that have to do with the question's words.")
    yield _code("findings", "chapter.findings(problems_about(ws, question, period))")
    yield _text("sources-title", "## Sources\n\nWhat the source supplied, and what it did not.")
    yield _code("sources", _SOURCES)
    yield _text("key-figures-title", "## Key figures\n\nThe figures that the answer rests on.")
    names = "\n".join(f'    ws.metric_result("{metric.name}", period),' for metric in found[:_EXAMPLES])
    yield _code("key-figures", f"chapter.key_figures([\n{names}\n])", ["keep_output"])


def period_asked(question: str, as_of: date, calendar: FiscalCalendar) -> Period:
    """The quarter that a question names; one without a year is the latest such quarter that has begun by the day.

    Without any, the quarter that contains the day.

    >>> from revops_analysis.periods import FiscalCalendar
    >>> calendar = FiscalCalendar()
    >>> period_asked("Why did it fall in Q4?", date(2026, 9, 30), calendar).label
    '2025-Q4'
    >>> period_asked("What happened in Q1 2024?", date(2026, 9, 30), calendar).label
    '2024-Q1'
    """
    here = period_containing(as_of, calendar)
    named = _QUARTER.search(question)
    if named is None:
        return here
    quarter, year = named[3], named[2] or named[4]
    candidate = here
    for _ in range(80):
        label = candidate.label
        if label.endswith(f"Q{quarter}") and (year is None or year in label):
            return candidate
        candidate = previous(candidate, calendar)
    return here


def _series(period: Period, calendar: FiscalCalendar) -> str:
    first = period
    for _ in range(_PERIODS_BACK - 1):
        first = previous(first, calendar)
    return f"{first.label}...{period.label}"


def _parameters(request: QuestionRequest, period: Period) -> str:
    values = {"source": request.source, "as_of": request.as_of.isoformat(), "period": period.label}
    lines = [f"{name} = {_quoted(value)}" for name, value in values.items()]
    return "\n".join([*lines, "seed = 0", 'data_hash = ""', 'out = ""'])


def _opening(request: QuestionRequest) -> str:
    return "\n".join(
        [
            "from revops_analysis import open_workspace",
            "from revops_analysis.findings.matching import problems_about",
            "from revops_analysis.reporting.chapter import Chapter",
            "",
            f"question = {_quoted(request.question)}",
            "ws = open_workspace(source, as_of=as_of, data_hash=data_hash or None)",
            f'chapter = Chapter("{CHAPTER}", ws, period=period, out=out, seed=seed)',
            "chapter.opening()",
        ]
    )


def _menu(found: Sequence[Metric]) -> str:
    lines = [f"- `{metric.name}`: {metric.title}. {metric.description} ({metric.unit})" for metric in found]
    closing = "All others: `ws.metrics`, or `ws.metrics.<TAB>`. What the tables hold: `ws.tables`."
    return "\n".join(["The question's words point to:", "", *lines, "", closing])


def _example(metric: Metric, request: QuestionRequest, workspace: Workspace, series: str) -> str:
    """Calls that run: the metric over the last periods, of the segment that the question names, then by segment."""
    named = _segment(request.question, workspace) if "segment" in metric.dimensions else None
    filtered = f", where={_quoted(f'segment = {_literal(named)}')}" if named else ""
    of = f", {named}" if named else ""
    lines = [
        "chapter.table(",
        f'    ws.metric("{metric.name}", "{series}"{filtered}),',
        f'    name="{metric.name}",',
        f"    title={_quoted(f'{metric.title}{of}, over five periods')},",
        ")",
    ]
    if "segment" in metric.dimensions:
        lines += [
            "chapter.table(",
            f'    ws.metric("{metric.name}", period, by=["segment"]),',
            f'    name="{metric.name}_by_segment",',
            f"    title={_quoted(f'{metric.title} by segment')},",
            ")",
        ]
    return "\n".join(lines)


def _segment(question: str, workspace: Workspace) -> str | None:
    """The segment of the definitions that the question names, where it names just one."""
    asked = words_of(question)
    found = [name for name in workspace.definitions.segment_names if words_of(name) and words_of(name) <= asked]
    return found[0] if len(found) == 1 else None


def _literal(text: str | None) -> str:
    words = text or ""
    return words if re.fullmatch(r"\w+", words) else f"'{words}'"


_SOURCES = textwrap.dedent("""
    tables = ws.tables.to_frame()
    chapter.table(tables[["table", "supplied", "meaning"]], name="sources", title="Tables of the source")
    """).strip()


def _quoted(text: str) -> str:
    """A text as Python writes it, in double quotes where it can be."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'


def _escaped(text: str) -> str:
    """A title in which nothing is markup."""
    return re.sub(r"([\\`*_{}\[\]<>#|$])", r"\\\1", text)


def _text(cell_id: str, source: str, tags: Sequence[str] = ()) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": cell_id, "metadata": {"tags": list(tags)} if tags else {}, "source": source}


def _code(cell_id: str, source: str, tags: Sequence[str] = ()) -> dict[str, Any]:
    cell = _text(cell_id, source, tags)
    return {**cell, "cell_type": "code", "execution_count": None, "outputs": []}
