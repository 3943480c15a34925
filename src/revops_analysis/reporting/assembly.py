"""From executed chapters to a run's files: pages, notebooks, merged key figures, the first page, the list of runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from revops_analysis.findings.finding import distinct, finding_from_json, rank
from revops_analysis.reporting import pages
from revops_analysis.reporting.chapter import PARTS, latest_values_note
from revops_analysis.reporting.fragments import render_findings, render_headline, render_short
from revops_analysis.reporting.key_figures import Facts, document, dump_json, figure_from_json
from revops_analysis.reporting.printing.document import print_html
from revops_analysis.reporting.publish import LIST_OF_RUNS, write_file
from revops_analysis.reporting.summary import write_summary

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from revops_analysis.reporting.preparation import Preparation
    from revops_analysis.reporting.printing.printer import PdfResult, Printer
    from revops_analysis.reporting.runner import Outcome

TOP_FINDINGS = 10
_SHOWN = "This report shows personal data, because its description asks for them: pass it on with care."
_HOME = "../../../../../index.html"


@dataclass(frozen=True)
class Assembled:
    """What the manifest says of the files written: {name, title, error} a chapter, and what became of the PDF."""

    chapters: list[dict[str, Any]]
    pdf: PdfResult


def assemble(
    prepared: Preparation, gate: dict[str, Any], outcomes: Sequence[Outcome], staged: Path, printer: Printer
) -> Assembled:
    """Write everything but the manifest into `staged`."""
    import nbformat

    banner = banner_text(gate)
    parts = {outcome.name: _part(staged, outcome.name, prepared.period.label) for outcome in outcomes}
    for outcome in outcomes:
        page = pages.ChapterPage(outcome.name, prepared.title, outcome.error, banner, checks_text(gate))
        page = replace(page, opening=_opening(parts[outcome.name]))
        written = pages.without_dead_links(pages.render_chapter(outcome.notebook, page), parts)
        (staged / f"{outcome.name}.html").write_text(written, encoding="utf-8")
        marked = _marked(outcome.notebook, banner)
        (staged / f"{outcome.name}.ipynb").write_text(nbformat.writes(marked) + "\n", encoding="utf-8")
    shutil.rmtree(staged / PARTS, ignore_errors=True)
    facts = _facts(prepared, parts)
    chapters = [
        {
            "name": outcome.name,
            "title": pages.chapter_title(outcome.notebook, outcome.name),
            "error": outcome.error,
            "headline": _headline(parts[outcome.name], facts.currency),
            "findings": parts[outcome.name].get("findings", []),
            "assessed": parts[outcome.name].get("assessed", []),
        }
        for outcome in outcomes
    ]
    _write_key_figures(facts, parts, staged, f"report {prepared.spec.name}")
    said = [{**chapter, **parts[chapter["name"]]} for chapter in chapters]
    write_summary(said, prepared.spec.description, staged, [vars(one) for one in prepared.left_out])
    run = _run(prepared, gate, chapters, facts, staged)
    words = {"banner": banner, "checks": checks_text(gate)}
    pdf = printer.print(lambda: print_html(run, staged, words), staged, prepared.inputs.hash)
    first = pages.render_page("run_index.html.j2", banner=banner, run={**run, "pdf": pdf})
    (staged / "index.html").write_text(pages.without_dead_links(first, parts), encoding="utf-8")
    return Assembled([{key: chapter[key] for key in ("name", "title", "error")} for chapter in chapters], pdf)


def banner_text(gate: dict[str, Any]) -> str:
    """What stands in red on every page when refused data is published all the same; empty when they passed."""
    if not gate["allowed_invalid"]:
        return ""
    count = gate["critical"] or gate["warnings"]
    rules = f"{count} {'rule' if count == 1 else 'rules'} failed" if count else "no rule could be checked"
    return f"This data did not pass its checks: {rules}. Do not use these figures for a decision."


def checks_text(gate: dict[str, Any]) -> str:
    """The gate's answer in a few words."""
    words = "passed" if gate["passed"] else f"failed, {gate['critical']} critical"
    return f"{words}, {gate['warnings']} warnings" if gate["warnings"] else words


def _marked(notebook: NotebookNode, banner: str) -> NotebookNode:
    """The executed notebook, with the banner as its first cell where there is one."""
    from nbformat.v4 import new_markdown_cell

    if banner:
        notebook.cells.insert(0, new_markdown_cell(f"**{banner}**", id="banner"))
    return notebook


def _part(staged: Path, name: str, period: str) -> dict[str, Any]:
    """What a chapter published; empty for one that failed before its end.

    Figures of a chapter whose period is not the report's get it among their dimensions.
    """
    path = staged / PARTS / f"{name}.json"
    part = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if part.get("period", period) == period:
        return part
    own = {"period": part["period"]}
    dated = {key: [{**row, "dims": {**own, **row["dims"]}} for row in part[key]] for key in ("rows", "headline")}
    return {**part, **dated}


def _facts(prepared: Preparation, parts: dict[str, dict[str, Any]]) -> Facts:
    warnings = dict.fromkeys(note for part in parts.values() for note in part.get("warnings", []))
    used = latest_values_note(column for part in parts.values() for column in part.get("latest_values_of", []))
    return Facts(
        source=prepared.profile.name,
        data_hash=prepared.warehouse.content_hash,
        as_of=prepared.request.as_of.isoformat(),
        period=prepared.period.label,
        definitions_version=prepared.definitions.version,
        definitions_hash=prepared.definitions.hash,
        currency=prepared.definitions.reporting_currency,
        seed=int(prepared.spec.parameters.get("seed", 0)),
        warnings=(*warnings, *used, *((_SHOWN,) if prepared.spec.personal_data == "shown" else ())),
        cut=prepared.warehouse.cut,
    )


def _write_key_figures(facts: Facts, parts: dict[str, dict[str, Any]], staged: Path, command: str) -> None:
    rows = [row for part in parts.values() for row in part.get("rows", [])]
    distinct = list({json.dumps(row, sort_keys=True): row for row in rows}.values())
    (staged / "key_figures.json").write_text(dump_json(document(facts, command, distinct)), encoding="utf-8")


def _run(
    prepared: Preparation, gate: dict[str, Any], chapters: Sequence[dict[str, Any]], facts: Facts, staged: Path
) -> dict[str, Any]:
    """What the first page and the PDF are made from."""
    return {
        "title": prepared.title,
        "left_out": prepared.left_out,
        "description": prepared.spec.description,
        "home": _HOME,
        "facts": facts,
        "gate": gate,
        "chapters": chapters,
        "findings": _top_findings(chapters),
        "notes": facts.warnings,
        "tables": sorted(path.name for path in (staged / "tables").glob("*.csv")),
    }


def _opening(part: dict[str, Any]) -> str:
    """The chapter's own findings in short."""
    return render_short(rank(finding_from_json(row) for row in part.get("findings", [])))


def _headline(part: dict[str, Any], currency: str) -> Markup | None:
    rows = [figure_from_json(row) for row in part.get("headline", [])]
    return Markup(render_headline(rows, currency)) if rows else None  # noqa: S704 - escaped by its template


NOBODY_LOOKED = "Nothing was looked for, or could be: no sign that all is well."
"""What stands instead of findings where no detector looked."""


def _top_findings(chapters: Sequence[dict[str, Any]]) -> Markup:
    """The findings with the most expected money, over all chapters, each problem once.

    Where no detector looked, or could, that is said: it is no sign that all is well.
    """
    ranked = distinct(finding_from_json(row) for chapter in chapters for row in chapter["findings"])
    if not ranked and not any(chapter["assessed"] for chapter in chapters):
        return Markup('<p class="rv-reason">{}</p>').format(NOBODY_LOOKED)
    return Markup(render_findings(ranked[:TOP_FINDINGS], linked=True))  # noqa: S704 - escaped by its template


def write_list_of_runs(reports: Path) -> None:
    """Write `index.html` in the folder of reports: every published run and answered question, from its manifest."""
    runs = []
    found = (*reports.glob("*/*/*/*/*/manifest.json"), *reports.glob("questions/*/*/*/*/*/manifest.json"))
    for path in sorted(found):
        if path.parent.name == "latest" or any(part.startswith(".") for part in path.relative_to(reports).parts):
            continue
        runs.append(_listed(json.loads(path.read_text(encoding="utf-8")), path.parent.relative_to(reports)))
    runs.sort(key=lambda run: run["path"])
    runs.sort(key=lambda run: run["as_of"], reverse=True)
    write_file(reports / LIST_OF_RUNS, pages.render_page("all_runs.html.j2", runs=runs))


def _listed(document: dict[str, Any], place: Path) -> dict[str, str]:
    failed = [chapter["title"] for chapter in document["chapters"] if chapter["error"]]
    gate = document["gate"]
    return {
        "path": place.as_posix(),
        "title": document["title"],
        "source": document["source"],
        "as_of": document["as_of"],
        "period": document["period"],
        "checks": "failed, published on demand" if gate["allowed_invalid"] else "passed",
        "chapters": f"{', '.join(failed)} did not finish" if failed else f"{len(document['chapters'])} complete",
        "inputs": place.name,
    }
