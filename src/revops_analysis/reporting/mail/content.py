"""What a mail says, decided once: the HTML part and the text part are both made from it and cannot disagree."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from revops_analysis.findings.finding import Finding, distinct, finding_from_json
from revops_analysis.reporting.assembly import NOBODY_LOOKED, banner_text, checks_text
from revops_analysis.reporting.formats import format_value, with_unit
from revops_analysis.reporting.key_figures import KeyFigure, figure_from_json
from revops_analysis.reporting.mail.run_folder import MailedRun

TOP_FINDINGS = 5
_LONGEST_SUBJECT = 150
_LONGEST_SENTENCE = 600
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True)
class Line:
    """One headline figure in words: its name, its value with unit, and what qualifies it (interval, n, reason)."""

    name: str
    value: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """One chapter in short: its title, its headline figures and its first figure (empty path: it has none)."""

    title: str
    lines: tuple[Line, ...]
    png_path: str = ""
    caption: str = ""
    alt: str = ""


@dataclass(frozen=True)
class Problem:
    """One finding in words; `facts` are (name, value) pairs."""

    severity: str
    what: str
    facts: tuple[tuple[str, str], ...]
    fix: str


@dataclass(frozen=True)
class Content:
    """A mail's words. `banner` is empty when data passed.

    `more` and `more_notes` count findings and notes that are in the report but not here, `watched` what is only worth
    watching: a mail does not call attention to what may be chance. `facts` say what the figures
    rest on, as (name, value) pairs; `notes` what they lack. `left_out` are chapters that the reader's cut has not.
    `without_findings` stands where there is no finding: none was found, or nobody looked.
    """

    title: str
    when: str
    subject: str
    description: str
    banner: str
    sections: tuple[Section, ...]
    problems: tuple[Problem, ...]
    more: int
    notes: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    left_out: tuple[str, ...] = ()
    more_notes: int = 0
    watched: int = 0
    without_findings: str = "No findings."

    def shortened(self) -> Content | None:
        """One finding less, or one note less when no finding is left; None when nothing can be left out."""
        if self.problems:
            return replace(self, problems=self.problems[:-1], more=self.more + 1)
        if self.notes:
            return replace(self, notes=self.notes[:-1], more_notes=self.more_notes + 1)
        return None


def content_of(run: MailedRun) -> Content:
    """The words of a run's mail: headline figures of each chapter, the findings with the most money, what they rest on.

    Nothing is computed here: every figure is one that the run published, at its published precision.
    """
    chapters = run.summary["chapters"]
    currency = run.key_figures["currency"]
    findings = distinct(finding_from_json(row) for chapter in chapters for row in chapter["findings"])
    proven = [finding for finding in findings if finding.is_proven]
    gate = run.manifest["gate"]
    # Runs of earlier versions do not say who looked.
    has_looked = bool(findings) or any(chapter.get("assessed", True) for chapter in chapters)
    return Content(
        title=one_line(run.manifest["title"]),
        when=f"{run.manifest['period']}, as of {run.manifest['as_of']}",
        subject=_subject(run),
        description=one_line(run.summary["description"]),
        banner=banner_text(gate),
        sections=tuple(_section(chapter, currency) for chapter in chapters if chapter["headline"]),
        problems=tuple(_problem(finding) for finding in proven[:TOP_FINDINGS]),
        more=max(0, len(proven) - TOP_FINDINGS),
        watched=len(findings) - len(proven),
        without_findings="No findings." if has_looked else NOBODY_LOOKED,
        notes=tuple(_clipped(note) for note in run.key_figures["warnings"]),
        facts=_facts(run, checks_text(gate)),
        left_out=tuple(_clipped(_left_out(run, one)) for one in run.summary.get("left_out", ())),
    )


def one_line(text: str) -> str:
    """A text without line ends and other control characters, which must not reach a header.

    >>> one_line("Q3\\r\\nBcc: everyone@example.com")
    'Q3 Bcc: everyone@example.com'
    """
    return " ".join(_CONTROL.sub(" ", text).split())


def _subject(run: MailedRun) -> str:
    """Title and period, then the headline figure: the first of the first chapter that has a value."""
    rows = [figure_from_json(row) for chapter in run.summary["chapters"] for row in chapter["headline"]]
    known = [row for row in rows if row.value is not None]
    start = f"{run.manifest['title']} {run.manifest['period']}"
    if known:
        start += f": {known[0].shown_name} {with_unit(known[0].value, known[0].unit, run.key_figures['currency'])}"
    refused = "" if run.manifest["gate"]["passed"] else "DATA DID NOT PASS ITS CHECKS – "
    subject = one_line(refused + start)
    return subject if len(subject) <= _LONGEST_SUBJECT else subject[: _LONGEST_SUBJECT - 1].rstrip() + "…"


def _section(chapter: Mapping[str, Any], currency: str) -> Section:
    lines = tuple(_line(figure_from_json(row), currency) for row in chapter["headline"])
    title = one_line(chapter["title"])
    if not chapter["figures"]:
        return Section(title, lines)
    first = chapter["figures"][0]
    return Section(title, lines, first["png_path"], _clipped(first["title"]), _clipped(first["alt"]))


def _line(row: KeyFigure, currency: str) -> Line:
    name = " · ".join([row.shown_name, *("–" if text is None else text for _, text in row.dims)])
    notes = [_range(row.low, row.high, row.unit, currency)] + ([f"n = {row.n:,}"] if row.n is not None else [])
    notes += [_clipped(row.reason)] if row.reason else []
    return Line(_clipped(name), with_unit(row.value, row.unit, currency), tuple(note for note in notes if note))


def _range(low: Any, high: Any, unit: str, currency: str) -> str:
    if low is None or high is None:
        return ""
    return f"{with_unit(low, unit, currency)} to {with_unit(high, unit, currency)}"


def _left_out(run: MailedRun, chapter: Mapping[str, str]) -> str:
    return f"Left out of {run.manifest['cut']}: {chapter['title']}, because {chapter['reason']}."


def _problem(finding: Finding) -> Problem:
    currency, evidence = finding.currency or "", finding.evidence
    shown = [] if evidence.effect is None else [with_unit(evidence.effect, evidence.unit, currency)]
    between = _range(evidence.low, evidence.high, evidence.unit, currency)
    shown += [f"({between})"] if between and shown else []
    sure = "over 99%" if finding.confidence > 0.99 else format_value(finding.confidence, "rate", 0)
    facts = [("Confidence", sure), ("Evidence", f"{' '.join(shown)}{', ' if shown else ''}n = {evidence.n:,}")]
    facts += [("Owner", finding.owner)]
    if finding.money is not None:
        facts.insert(0, ("At stake", with_unit(finding.money, "currency", currency)))
    elif finding.concerned is not None:
        facts.insert(0, ("Amount concerned", with_unit(finding.concerned, "currency", currency)))
    return Problem(finding.severity, _clipped(finding.what), tuple(facts), _clipped(finding.proposed_fix))


def _clipped(text: str) -> str:
    """A sentence of bearable length: a mail is read on a phone, and the page has the whole."""
    text = one_line(text)
    return text if len(text) <= _LONGEST_SENTENCE else text[: _LONGEST_SENTENCE - 1].rstrip() + "…"


def _facts(run: MailedRun, checks: str) -> tuple[tuple[str, str], ...]:
    manifest, definitions = run.manifest, run.manifest["definitions"]
    rows: Sequence[tuple[str, str]] = [
        ("As of", manifest["as_of"]),
        ("Period", manifest["period"]),
        ("Source", manifest["source"]),
        *([("Only", manifest["cut"])] if run.cut else []),
        ("Checks", f"{checks} of {manifest['gate']['rules']} rules"),
        ("Data", manifest["data"]["hash"][:16]),
        ("Definitions", f"{definitions['version']} ({definitions['hash'][:12]})"),
        ("Run", run.place),
    ]
    return tuple(rows)
