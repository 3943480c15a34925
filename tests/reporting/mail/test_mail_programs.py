"""A mail's HTML uses only what Outlook on Windows (Word's engine) and Gmail are known to show.

No mail program runs here. What each takes is published; the limits below are those of

- Can I email (https://github.com/hteumeuleu/caniemail, `_features/`, commit 6b086a34 of 2026-06-29): the last entry of
  `outlook: windows` and `gmail` of each property, with its notes;
- Microsoft, "Word 2007 HTML and CSS Rendering Capabilities in Outlook 2007" (MSDN aa338200 and aa338201), as
  https://hteumeuleu.com/2020/outlook-rendering-engine tells it: body and span take text properties only, div and p
  also margins, everything else also width, height and padding.
"""

from __future__ import annotations

import datetime as dt
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from reporting.mail.runs import PASSED, chapter, make_run, recipient
from revops_analysis.reporting.mail.addresses import Person
from revops_analysis.reporting.mail.message import Mailing
from revops_analysis.reporting.mail.run_folder import read_run
from revops_analysis.reporting.mail.settings import Letter
from revops_analysis.reporting.schedule.notices import Notice
from revops_analysis.reporting.schedule.state import Slot

MOMENT = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
LETTER = Letter(sender=Person("", "reports@example.com"))
GMAIL_CLIPS_AT = 102_000  # bytes; what lies beyond is behind a link
GMAIL_DROPS_STYLE_AT = 16_000  # html-style, note 6

TEXT = "color font-family font-size font-weight line-height mso-line-height-rule text-align vertical-align white-space"
ANYWHERE = {*TEXT.split(), "background-color", "word-break"}  # css-word-break: windows 2019 y
CELLS = {"td"}
BLOCKS = {"p", "h1", "h2", "table"}
ONLY_ON = {  # property: elements on which Outlook's Word engine takes it (the body's are for all others)
    "padding": {*CELLS, "body"},  # css-padding: only on table cells
    "margin": {*BLOCKS, "body"},  # css-margin: not on span
    "border": {*CELLS, "img"},  # css-border: unreliable on p and div, at most 8px
    "border-bottom": CELLS,
    "border-left": CELLS,
    "border-left-color": CELLS,
    "border-collapse": {"table"},
    "width": {"table", "img"},  # css-width: not on img, which has the attribute
    "max-width": {"table", "img"},  # css-max-width: only on table
    "height": {"img"},  # of no effect in Outlook, where the attribute `width` decides
    "display": {"img", "div"},  # css-display: none alone, and not of nested tables
    "max-height": {"div"},  # the hidden preview, for programs that show it all the same
    "overflow": {"div"},
    "mso-hide": {"div"},
    "-webkit-text-size-adjust": {"body"},
    "color-scheme": {"html"},  # Apple Mail's; unknown to the others, and meant for them to leave out
    "supported-color-schemes": {"html"},
}
ELEMENTS = {"html", "head", "meta", "title", "style", "body", "table", "tbody", "tr", "td"}
ELEMENTS |= {"p", "h1", "h2", "br", "a", "img", "span", "strong", "div"}  # html-*: y in all of Outlook and Gmail


class Elements(HTMLParser):
    """Every element of a page with its attributes and style, and the content of its style elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.sheets: list[str] = []
        self._in_sheet = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        pairs = [part.split(":", 1) for part in given.get("style", "").split(";") if part.strip()]
        self.found.append((tag, given, {name.strip(): value.strip() for name, value in pairs}))
        self._in_sheet = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._in_sheet = False

    def handle_data(self, data: str) -> None:
        if self._in_sheet:
            self.sheets.append(data)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A mail with all that can stand in one, and one that tells of a failure."""
    folder: Path = tmp_path_factory.mktemp("run")
    gate = {**PASSED, "passed": False, "allowed_invalid": True, "critical": 3}
    run = read_run(make_run(folder, chapter(), chapter("second", findings=9), gate=gate))
    slot = Slot("monthly", MOMENT, MOMENT.date(), "2026-Q3", "failed", note="{}", log="first\n\nlast")
    mails = {"report": Mailing(run, LETTER), "notice": Notice(slot, LETTER, [("Report", "tiny")], "Repair it.")}
    made = {}
    for name, mail in mails.items():
        body = mail.to(recipient(), MOMENT).get_body(("html",))
        assert body is not None
        made[name] = body.get_content()
    return made


@pytest.fixture(params=["report", "notice"])
def page(request: pytest.FixtureRequest, pages: dict[str, str]) -> str:
    return pages[request.param]


def test_every_element_and_property_is_one_that_outlook_and_gmail_show(page: str) -> None:
    wrong = []
    for tag, _, style in Elements(page).found:
        wrong += [] if tag in ELEMENTS else [tag]
        wrong += [f"{tag} {name}" for name in style if name not in ANYWHERE and tag not in ONLY_ON.get(name, ())]
    assert wrong == []


def test_values_are_those_that_words_engine_takes(page: str) -> None:
    """No auto or negative margin, no border over 8px, colours as #rrggbb, lines exactly as high as asked."""
    for tag, _, style in Elements(page).found:
        assert not re.search(r"auto|-\d", style.get("margin", "")), style
        assert all(int(size) <= 8 for size in re.findall(r"(\d+)px", style.get("border", ""))), style
        for name in ("color", "background-color"):
            assert re.fullmatch(r"#[0-9a-f]{3}([0-9a-f]{3})?|", style.get(name, "")), style
        if "line-height" in style and tag in ("p", "h1", "h2", "td"):  # css-line-height, note 1
            assert style["mso-line-height-rule"] == "exactly", (tag, style)
        assert style.get("display", "none") == "none" or tag == "img"


def test_widths_stand_in_attributes_and_tables_are_layout(page: str) -> None:
    for tag, given, _ in Elements(page).found:
        if tag == "table":
            assert given["width"] == "100%"
            assert {
                "role": "presentation",
                "cellpadding": "0",
                "cellspacing": "0",
                "border": "0",
            }.items() <= given.items()
        if tag == "img":
            assert int(given["width"]) <= 640
            assert given["alt"]
            assert given["src"].startswith("cid:")
    assert page.count("<!--[if mso]>") == page.count("<![endif]-->") > 0
    assert '<!--[if mso]><table role="presentation" width="640"' in page  # for max-width, of which Outlook is unsure


def test_nothing_rests_on_a_style_sheet_and_gmail_shows_it_whole(page: str) -> None:
    """Gmail on a phone's web page drops style elements, and Gmail and Outlook know no prefers-color-scheme."""
    found = Elements(page)
    sheets = "".join(found.sheets)
    rules = re.sub(r"@media \(prefers-color-scheme: dark\) \{.*\}", "", sheets, flags=re.DOTALL)
    assert rules.replace(":root { color-scheme: light dark; supported-color-schemes: light dark; }", "").strip() == ""
    assert len(sheets.encode()) < GMAIL_DROPS_STYLE_AT
    assert all(style for tag, given, style in found.found if given.get("class", "") and tag != "table")
    assert len(page.encode()) < GMAIL_CLIPS_AT
