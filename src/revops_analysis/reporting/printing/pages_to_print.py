"""From a chapter's page to what is printed of it: no code, no buttons, the first rows of a table, pictures from files.

Reads our own markup only: whatever comes from a source was escaped when the page was made and cannot look like it.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

ROWS_PRINTED = 15
"""Rows of a table on paper; a reader who wants all of them has the page and its file."""

_SMALL_FROM, _LANDSCAPE_FROM = 105, 150
"""Characters of a table's widest line, from which its type is smaller, and from which it turns the page."""

_LONGEST_LINE = 24
_BETWEEN_COLUMNS = 3

_CODE = re.compile(r'<details class="rv-code">.*?</details>', re.DOTALL)
_KEY_FIGURES = re.compile(r'<h2 id="[^"]*-key-figures">.*', re.DOTALL)
_TABLE = re.compile(
    r'(?P<head><p class="rv-caption">(?:(?!</p>).)*</p>\s*)?<div\b[^>]*class="rv-table"[^>]*>(?P<table>.*?)</div>'
    r'(?P<notes>\s*<ol class="rv-footnotes">.*?</ol>)?(?P<files>\s*<p class="rv-files">.*?</p>)?',
    re.DOTALL,
)
_ROW = re.compile(r"<tr\b[^>]*>.*?</tr>", re.DOTALL)
_CELL = re.compile(r"<t[dh]\b[^>]*>(.*?)</t[dh]>", re.DOTALL)
_BODY = re.compile(r"<tbody>.*?</tbody>", re.DOTALL)
_FOR_SCREENS = re.compile(r' (?:data-order|tabindex|role|aria-label)="[^"]*"')
_TAG = re.compile(r"<[^>]+>")
_FIGURE = re.compile(r'<figure class="rv-figure">.*?</figure>', re.DOTALL)
_IMAGE = re.compile(r'src="data:image/svg\+xml;base64,[^"]*"')
_PNG = re.compile(r'href="(figures/[a-z0-9_]+\.png)"')
_CSV = re.compile(r'href="(tables/[a-z0-9_]+\.csv)"')
_OF_ALL = re.compile(r"of ([\d,]+) rows")
_ID = re.compile(r' id="([^"]+)"')
_HEADING = re.compile(r'<h2 id="([^"]+)">(.*?)</h2>', re.DOTALL)
_LINK = re.compile(r'<a href="([^"]*)">(.*?)</a>', re.DOTALL)


@dataclass(frozen=True)
class PrintedChapter:
    """A chapter as it is printed: `name` is its anchor, `sections` are (anchor, text) of its second-level headings.

    `is_one_page` is true for a scorecard, which gets a page of its own, lying on its side.
    """

    name: str
    body: str
    sections: tuple[tuple[str, str], ...]
    is_one_page: bool


def printed_chapter(page: str, name: str, chapters: tuple[str, ...]) -> PrintedChapter:
    """Return what is printed of a chapter's page. `chapters` are the names of all, between which links lead."""
    body = page[page.index("<main>") + len("<main>") : page.rindex("</main>")]
    body = _KEY_FIGURES.sub("", _CODE.sub("", body))
    body = _TABLE.sub(_table, body)
    body = _FIGURE.sub(_figure, body)
    body = _ID.sub(rf' id="{name}-\1"', body)
    body = _LINK.sub(lambda link: _inside(link, name, chapters), body)
    sections = tuple((anchor, html.unescape(_TAG.sub("", text)).strip()) for anchor, text in _HEADING.findall(body))
    is_one_page = 'class="rv-scorecard' in body
    return PrintedChapter(name, body, () if is_one_page else sections, is_one_page)


def linked_inside(fragment: str, chapters: tuple[str, ...]) -> str:
    """A piece of the first page with its links to chapters leading to where they are printed."""
    return _LINK.sub(lambda link: _inside(link, "", chapters), fragment)


def _inside(link: re.Match[str], name: str, chapters: tuple[str, ...]) -> str:
    """A link that works on paper's own file: to a chapter, within one, or to the web; another file is named only.

    A path would be one of this machine, and the PDF would differ from folder to folder.
    """
    target, text = link.groups()
    if target.startswith(("https://", "http://", "mailto:")):
        return link[0]
    if target.startswith("#"):
        return f'<a href="#{name}-{target[1:]}">{text}</a>'
    stem = target.removesuffix(".html")
    return f'<a href="#{stem}">{text}</a>' if stem != target and stem in chapters else text


def _figure(match: re.Match[str]) -> str:
    """A figure with its PNG instead of its SVG: to draw the outline of every letter takes longer than all the rest."""
    figure = match[0]
    png = _PNG.search(figure)
    return _IMAGE.sub(f'src="run:{png[1]}"', figure, count=1) if png else figure


def _table(match: re.Match[str]) -> str:
    """A table cut to its first rows, in a type that its columns fit in."""
    table = _FOR_SCREENS.sub("", match["table"])
    body = _BODY.search(table)
    rows = _ROW.findall(body[0]) if body else []
    if len(rows) > ROWS_PRINTED:
        table = _BODY.sub(lambda _: f"<tbody>{''.join(rows[:ROWS_PRINTED])}</tbody>", table, count=1)
    words = f'{match["head"] or ""}<div class="pr-table {_width_class(table)}">{table}</div>{match["notes"] or ""}'
    block = f"{words}{_rest(match['files'] or '', len(rows))}"
    return (
        f'<div class="pr-landscape">{block}</div>' if "pr-widest" in words else f'<div class="pr-block">{block}</div>'
    )


def _rest(files: str, rows: int) -> str:
    """What is not printed, and the file in which it is."""
    told = _OF_ALL.search(html.unescape(files))
    total = told[1] if told else f"{rows:,}"
    path = _CSV.search(files)
    if rows <= ROWS_PRINTED and not told:
        return ""
    where = f"; all of them are in {path[1]}" if path else ""
    return f'<p class="pr-more">The first {min(rows, ROWS_PRINTED)} of {total} rows{where}.</p>'


def _width_class(table: str) -> str:
    """How wide the table wants to be, in three steps, judged by its longest words and lines."""
    widths: dict[int, int] = {}
    for row in _ROW.findall(table):
        for place, cell in enumerate(_CELL.findall(row)):
            text = html.unescape(_TAG.sub(" ", cell)).split()
            longest = max(map(len, text), default=0)
            line = len(" ".join(text))
            widths[place] = max(widths.get(place, 0), longest, min(line, _LONGEST_LINE))
    wide = sum(widths.values()) + _BETWEEN_COLUMNS * len(widths)
    return "pr-widest" if wide >= _LANDSCAPE_FROM else "pr-wide" if wide >= _SMALL_FROM else "pr-normal"
