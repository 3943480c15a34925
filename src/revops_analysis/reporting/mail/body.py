"""The two bodies of a mail, HTML and plain text, from the same words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from markupsafe import Markup

from revops_analysis.errors import ConfigurationError
from revops_analysis.reporting.fragments import TEMPLATES, render
from revops_analysis.reporting.mail.content import Content

if TYPE_CHECKING:
    from css_inline import CSSInliner

LONGEST_HTML = 60_000
"""Bytes. Gmail cuts a mail off at 102 KB, and what it cuts off is what the figures rest on."""

_KEEP = ' data-css-inline="keep"'
_SPACE = re.compile(r"\n\s*")


@dataclass(frozen=True)
class Where:
    """How a reader gets at the whole report: a sentence, and a link where it is linked."""

    sentence: str
    link: str = ""


@dataclass(frozen=True)
class Bodies:
    """HTML and text that say the same, and the content that both were made from."""

    html: str
    text: str
    content: Content


def make_bodies(content: Content, where: Where, reason: str, ids: Mapping[str, str]) -> Bodies:
    """Render both bodies; findings, then notes, are left out until the HTML is within `LONGEST_HTML`.

    `reason` says why the reader gets this mail; `ids` are content ids by path of PNG. Raises ConfigurationError when
    headline figures alone are too long.
    """
    while True:
        made = _html(content, where, reason, ids)
        if len(made.encode()) <= LONGEST_HTML:
            return Bodies(made, _text(content, where, reason), content)
        shorter = content.shortened()
        if shorter is None:
            raise ConfigurationError(
                "The headline figures alone are too long for a mail.",
                expected=f"at most {LONGEST_HTML:,} bytes of HTML",
                found=f"{len(made.encode()):,}",
                fix="publish fewer figures with chapter.headline in the report's notebooks",
            )
        content = shorter


def _html(content: Content, where: Where, reason: str, ids: Mapping[str, str]) -> str:
    page = render(
        "mail.html.j2",
        content=content,
        where=where,
        reason=reason,
        ids=ids,
        preview=_preview(content),
        css=_css("mail.css"),
        dark_css=_css("mail_dark.css"),
    )
    return _inliner().inline(_SPACE.sub("\n", page)).replace(_KEEP, "")


def _preview(content: Content) -> str:
    """What a mailbox shows behind the subject: the worst finding, else the first headline figures."""
    if content.banner:
        return content.banner
    if content.problems:
        return content.problems[0].what
    return "; ".join(f"{line.name} {line.value}" for section in content.sections for line in section.lines[:2])


def _css(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704 - our own files


@lru_cache(maxsize=1)
def _inliner() -> CSSInliner:
    """Puts our styles on the elements, because some mail programs know no other; it loads nothing from anywhere."""
    from css_inline import CSSInliner

    return CSSInliner(load_remote_stylesheets=False, minify_css=True)


def _text(content: Content, where: Where, reason: str) -> str:
    return render("mail.txt.j2", content=content, where=where, reason=reason).strip() + "\n"
