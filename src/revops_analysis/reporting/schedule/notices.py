"""Word of a run that did not go well: to those who must repair it, in a mail of its own."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from revops_analysis.reporting.fragments import TEMPLATES, render
from revops_analysis.reporting.mail.content import one_line
from revops_analysis.reporting.mail.message import set_boundaries

if TYPE_CHECKING:
    from revops_analysis.reporting.mail.recipients import Recipient
    from revops_analysis.reporting.mail.settings import Letter
    from revops_analysis.reporting.schedule.state import Slot

_LONGEST_LOG = 20_000


@dataclass(frozen=True)
class Notice:
    """One message about one slot: what happened, as (name, text) facts, what to do, the last lines of the log.

    `page` is a file to attach: the page of the checks, for the owner of data that were refused.
    """

    slot: Slot
    letter: Letter
    facts: Sequence[tuple[str, str]]
    fix: str
    page: Path | None = None

    @property
    def key(self) -> str:
        """What it is in the ledger: a slot that fails again is told again if the reason is another."""
        return f"schedule/{self.slot.name}/{self.slot.due.isoformat()}/{self.slot.state}/{_digest(self.slot.note)}"

    @property
    def subject(self) -> str:
        """What a mailbox shows."""
        words = {
            "refused": "DATA REFUSED",
            "undelivered": "NOT DELIVERED",
        }
        return one_line(f"{words.get(self.slot.state, 'FAILED')}: {self.slot.name}, as of {self.slot.as_of}")

    def message_id(self, recipient: Recipient) -> str:
        """The same for the same notice and recipient."""
        return f"<{_digest(self.key + recipient.person.key)}@{self.letter.sender.domain}>"

    def to(self, recipient: Recipient, moment: dt.datetime) -> EmailMessage:
        """The message for one recipient, text and HTML that say the same."""
        message = EmailMessage(policy=SMTP)
        message["From"] = self.letter.sender.header
        message["To"] = recipient.person.header
        if self.letter.reply_to:
            message["Reply-To"] = self.letter.reply_to.header
        message["Subject"] = self.subject
        message["Date"] = moment
        message["Message-ID"] = self.message_id(recipient)
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"
        fields = {"notice": self, "log": self.slot.log[-_LONGEST_LOG:]}
        message.set_content(render("notice.txt.j2", **fields).strip() + "\n", charset="utf-8", cte="quoted-printable")
        html = _inlined(render("notice.html.j2", **fields, css=_css()))
        message.add_alternative(html, subtype="html", charset="utf-8", cte="quoted-printable")
        if self.page is not None and self.page.is_file():
            message.add_attachment(self.page.read_bytes(), "text", "html", filename=self.page.name)
        set_boundaries(message, self.message_id(recipient))
        return message


def _css() -> Markup:
    return Markup((TEMPLATES / "mail.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file


def _inlined(page: str) -> str:
    from css_inline import CSSInliner

    return CSSInliner(load_remote_stylesheets=False, minify_css=True).inline(page)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
