"""Whole pages: our frame around a chapter, a run's first page, the list of all runs. No page reaches the network."""

from __future__ import annotations

import base64
import copy
import hashlib
import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from revops_analysis.reporting.fragments import TEMPLATES, environment

if TYPE_CHECKING:
    from nbconvert.exporters import HTMLExporter
    from nbformat import NotebookNode

_HEADING = re.compile(r"<h([23])>(.*?)</h\1>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
_TO_CHAPTER = re.compile(r'<a href="(?P<chapter>[a-z0-9_]+)\.html(?:#[^"]*)?">(?P<words>.*?)</a>', re.DOTALL)
_ALWAYS = ("index", "gate")


@lru_cache(maxsize=1)
def _frame() -> dict[str, Any]:
    """Style, script and the content security policy, which lets nothing but that script run."""
    from markupsafe import Markup

    script = (TEMPLATES / "sort.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    css = (TEMPLATES / "styles.css").read_text(encoding="utf-8") + _code_colours()
    return {
        "css": Markup(css),  # noqa: S704 - our own files
        "script": Markup(script),  # noqa: S704
        "policy": Markup(_policy(digest)),  # noqa: S704
        "version": version("revops-analysis"),
    }


def _policy(script_digest: str) -> str:
    """What a page may do: show what it carries, and run our one script; the digest is of that script."""
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{script_digest}'; base-uri 'none'; form-action 'none'"
    )


def content_security_policy() -> str:
    """The policy that every page of ours carries, for a server to send as well."""
    return str(_frame()["policy"])


def without_dead_links(page: str, chapters: Iterable[str]) -> str:
    """The page with links to chapters that its run has not as plain words: a part of the company leaves some out.

    >>> without_dead_links('<a href="nrr.html#f">NRR</a>, <a href="attribution.html">Sourced</a>', ["nrr"])
    '<a href="nrr.html#f">NRR</a>, Sourced'
    """
    there = {*chapters, *_ALWAYS}
    return _TO_CHAPTER.sub(lambda found: found[0] if found["chapter"] in there else found["words"], page)


def _code_colours() -> str:
    from pygments.formatters import HtmlFormatter

    light = HtmlFormatter(style="default", nobackground=True).get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark", nobackground=True).get_style_defs(".highlight")
    return (
        f"@media not all and (prefers-color-scheme: dark) {{{light}}}\n@media (prefers-color-scheme: dark) {{{dark}}}\n"
    )


def render_page(template: str, *, banner: str = "", **fields: Any) -> str:
    """Fill a template that extends `base.html.j2`; `banner` stands in red on top of the page."""
    return environment().get_template(template).render(page={**_frame(), "banner": banner}, **fields)


@dataclass(frozen=True)
class ChapterPage:
    """What a chapter's page needs beside the notebook: names, the report it belongs to, what went wrong, the gate.

    `opening` is what it opens with, as HTML of ours: its findings in short.
    """

    name: str
    report_title: str
    error: str = ""
    banner: str = ""
    checks: str = "not run"
    opening: str = ""


def render_chapter(notebook: NotebookNode, page: ChapterPage) -> str:
    """An executed notebook as a page: prose and results, contents list, code folded away."""
    from markupsafe import Markup

    exported, _ = _exporter().from_notebook_node(_with_code_together(notebook))
    body, contents = _with_anchors(_opened(exported, page.opening))
    return render_page(
        "chapter_page.html.j2",
        banner=page.banner,
        title=chapter_title(notebook, page.name),
        name=page.name,
        report_title=page.report_title,
        error=page.error,
        checks=page.checks,
        contents=contents,
        body=Markup(body),  # noqa: S704 - outputs are escaped where they are made, texts by the exporter
    )


def _opened(body: str, opening: str) -> str:
    """The body with the findings in short before its first section: after the title, the question and the facts."""
    first = body.find("<h2")
    return body if not opening else f"{opening}{body}" if first < 0 else f"{body[:first]}{opening}{body[first:]}"


def _with_code_together(notebook: NotebookNode) -> NotebookNode:
    """A copy in which code that shows nothing is folded away together with the code that follows it."""
    shown = copy.deepcopy(notebook)
    cells: list[NotebookNode] = []
    for cell in shown.cells:
        last = cells[-1] if cells else None
        if last is not None and last.cell_type == cell.cell_type == "code" and not last.outputs:
            cell.source = f"{last.source}\n\n{cell.source}"
            cells.pop()
        cells.append(cell)
    shown.cells = cells
    return shown


@lru_cache(maxsize=1)
def _exporter() -> HTMLExporter:
    from nbconvert.exporters import HTMLExporter

    return HTMLExporter(
        template_name="chapter",
        extra_template_basedirs=[str(TEMPLATES)],
        template_file="index.html.j2",
        exclude_anchor_links=True,
    )


def chapter_title(notebook: NotebookNode, default: str) -> str:
    """The first heading of the notebook, which is its title."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if line.startswith("# "):
                    return line[2:].strip()
    return default.replace("_", " ").capitalize()


def _with_anchors(body: str) -> tuple[str, list[Mapping[str, Any]]]:
    """The body with an id on each heading of level 2 and 3, and the contents list that points to them."""
    contents: list[Mapping[str, Any]] = []

    def anchored(match: re.Match[str]) -> str:
        level, text = match.groups()
        words = html.unescape(_TAG.sub("", text)).strip()
        slug = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
        anchor = f"s{len(contents) + 1}-{slug}"
        contents.append({"level": level, "anchor": anchor, "text": words})
        return f'<h{level} id="{anchor}">{text}</h{level}>'

    return _HEADING.sub(anchored, body), contents
