"""The run as one document to print: title page, contents, what to read first, then the chapters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from revops_analysis.reporting.fragments import TEMPLATES, environment
from revops_analysis.reporting.printing.pages_to_print import linked_inside, printed_chapter

if TYPE_CHECKING:
    from markupsafe import Markup


@dataclass(frozen=True)
class FrontPart:
    """What stands before the chapters: an anchor, a title, and the HTML below it."""

    anchor: str
    title: str
    body: Markup


def print_html(run: Mapping[str, Any], folder: Path, words: Mapping[str, str]) -> str:
    """Return the document of a run whose chapters' pages are in `folder`.

    `run` is what the first page is made from; `words` has `banner` (red on every page; empty when the data passed) and
    `checks` (the gate's answer in a few words).
    """
    from markupsafe import Markup

    names = tuple(str(chapter["name"]) for chapter in run["chapters"])
    chapters = []
    for chapter in run["chapters"]:
        page = (folder / f"{chapter['name']}.html").read_text(encoding="utf-8")
        printed = printed_chapter(page, chapter["name"], names)
        shown = {"name": printed.name, "sections": printed.sections, "is_one_page": printed.is_one_page}
        body = Markup(printed.body)  # noqa: S704 - cut from our own page, where it was escaped
        chapters.append({**chapter, **shown, "body": body})
    return (
        environment()
        .get_template("print.html.j2")
        .render(
            run=run,
            chapters=chapters,
            front=_front(run, names),
            version=version("revops-analysis"),
            css=Markup(_css()),  # noqa: S704 - our own file
            **words,
        )
    )


def _front(run: Mapping[str, Any], names: Sequence[str]) -> list[FrontPart]:
    """What to read first: the headline of every chapter, what needs attention, what the figures rest on."""
    from markupsafe import Markup, escape

    headline = Markup("").join(
        Markup('<h3><a href="#{}">{}</a></h3>{}').format(chapter["name"], chapter["title"], chapter["headline"])
        for chapter in run["chapters"]
        if chapter["headline"]
    )
    findings = Markup(linked_inside(str(run["findings"]), tuple(names)))  # noqa: S704 - escaped by its template
    notes = Markup("").join(Markup('<p class="rv-note">{}</p>').format(escape(note)) for note in run["notes"])
    parts = [
        FrontPart("headline", "Headline", headline),
        FrontPart("findings", "What needs attention", findings),
        FrontPart("limits", "What these figures rest on", notes),
    ]
    return [part for part in parts if part.body]


@lru_cache(maxsize=1)
def _css() -> str:
    return (TEMPLATES / "print.css").read_text(encoding="utf-8")
