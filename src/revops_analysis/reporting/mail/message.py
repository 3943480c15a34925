"""A run as a message: headers, bodies, inline charts, the page. A run gives the same bytes each time, but the date."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote

from revops_analysis.errors import ConfigurationError
from revops_analysis.reporting.mail.attachment import file_name, pdf_of, zipped
from revops_analysis.reporting.mail.body import Bodies, Where, make_bodies
from revops_analysis.reporting.mail.content import Content, content_of, one_line
from revops_analysis.reporting.preparation import report_folder

if TYPE_CHECKING:
    from revops_analysis.reporting.mail.recipients import Recipient
    from revops_analysis.reporting.mail.run_folder import MailedRun
    from revops_analysis.reporting.mail.settings import Letter

MOST_CHARTS_BYTES = 3_000_000
_MEGABYTE = 1_000_000
_ATTACHED = {"zip": zipped, "pdf": pdf_of}
_BASE64_GROWTH = 4 / 3 * 78 / 76


@dataclass(frozen=True)
class Mailing:
    """One run on its way to many: what is the same for everybody is made once."""

    run: MailedRun
    letter: Letter

    @property
    def key(self) -> str:
        """What this is in the ledger: the run."""
        return self.run.key

    def to(self, recipient: Recipient, moment: dt.datetime) -> EmailMessage:
        """The message for one recipient; `moment` is its Date.

        Everybody gets a message of their own, so no address is shown to another.
        """
        message = EmailMessage(policy=SMTP)
        self._address(message, recipient, moment)
        bodies = self._bodies(recipient.reason)
        message.set_content(bodies.text, charset="utf-8", cte="quoted-printable")
        message.add_alternative(bodies.html, subtype="html", charset="utf-8", cte="quoted-printable")
        self._add_charts(message)
        if self.letter.page in _ATTACHED:
            self._attach(message)
        set_boundaries(message, self.message_id(recipient))
        return message

    def message_id(self, recipient: Recipient) -> str:
        """The same for the same run and recipient, so that a mailbox can know a second copy; names nobody."""
        return f"<{_digest(self.run.key, recipient.person.key)}@{self.letter.sender.domain}>"

    def _address(self, message: EmailMessage, recipient: Recipient, moment: dt.datetime) -> None:
        letter, manifest = self.letter, self.run.manifest
        message["From"] = letter.sender.header
        message["To"] = recipient.person.header
        if letter.reply_to:
            message["Reply-To"] = letter.reply_to.header
        message["Subject"] = self._content.subject
        message["Date"] = moment
        message["Message-ID"] = self.message_id(recipient)
        report = report_folder(manifest["report"], self.run.cut)
        thread = f"<{_digest('thread', manifest['source'], report)}@{letter.sender.domain}>"
        message["In-Reply-To"] = thread
        message["References"] = thread
        message["List-ID"] = f"<{_label(report)}.{_label(manifest['source'])}.{letter.sender.domain}>"
        message["List-Unsubscribe"] = f"<mailto:{quote(self._answers_to, safe='@')}?subject=unsubscribe>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation notes, please
        message["X-Auto-Response-Suppress"] = "All"  # the same for Exchange
        message["X-Revops-Run"] = one_line(self.run.place)

    @cached_property
    def _content(self) -> Content:
        return content_of(self.run)

    @cached_property
    def _charts(self) -> dict[str, bytes]:
        """PNG by path, as long as they stay within `MOST_CHARTS_BYTES` together."""
        found: dict[str, bytes] = {}
        for section in self._content.sections:
            png = self.run.read(section.png_path) if section.png_path else b""
            if png and sum(map(len, found.values())) + len(png) <= MOST_CHARTS_BYTES:
                found[section.png_path] = png
        return found

    @cached_property
    def _ids(self) -> dict[str, str]:
        return {path: f"{_digest(self.run.key, path)}@{self.letter.sender.domain}" for path in self._charts}

    @cached_property
    def _attachment(self) -> bytes:
        content = _ATTACHED[self.letter.page](self.run)
        size, largest = len(content) * _BASE64_GROWTH / _MEGABYTE, self.letter.largest_attachment_mb
        if size > largest:
            raise ConfigurationError(
                "The report is too large to be attached.",
                expected=f"at most {largest:g} MB as an attachment (REVOPS_MAIL_LARGEST_ATTACHMENT_MB)",
                found=f"{size:.1f} MB",
                fix="link it: REVOPS_MAIL_PAGE=link and REVOPS_MAIL_LINK_BASE=https://…",
            )
        return content

    def _bodies(self, reason: str) -> Bodies:
        """The bodies for everybody who gets this mail for the same reason, made once."""
        if reason not in self._made:
            words = f"Sent by revops-analysis because {reason}; answers go to {self._answers_to}."
            self._made[reason] = make_bodies(self._content, self._where, words, self._ids)
        return self._made[reason]

    @cached_property
    def _made(self) -> dict[str, Bodies]:
        return {}

    @property
    def _answers_to(self) -> str:
        return (self.letter.reply_to or self.letter.sender).address

    @property
    def _where(self) -> Where:
        if self.letter.page == "zip":
            name = file_name(self.run, "zip")
            return Where(f"The whole report is attached: unpack {name} and open index.html in it.")
        if self.letter.page == "pdf":
            return Where(f"The whole report is attached: {file_name(self.run, 'pdf')}.")
        if self.letter.page == "link":
            return Where("The whole report:", f"{self.letter.link_base.rstrip('/')}/{quote(self.run.place)}/index.html")
        return Where(f"The whole report is the run {self.run.place}.")

    def _add_charts(self, message: EmailMessage) -> None:
        html = message.get_body(("html",))
        assert html is not None  # noqa: S101 - it was added just before
        for path, png in self._charts.items():
            name = path.rsplit("/", maxsplit=1)[-1]
            html.add_related(png, "image", "png", cid=f"<{self._ids[path]}>", filename=name, disposition="inline")

    def _attach(self, message: EmailMessage) -> None:
        kind = self.letter.page
        message.add_attachment(self._attachment, "application", kind, filename=file_name(self.run, kind))


def as_bytes(message: EmailMessage) -> bytes:
    """The message as it travels: lines end in CRLF, everything is ASCII."""
    return message.as_bytes(policy=_TRAVEL)


_TRAVEL = SMTP.clone(cte_type="7bit", max_line_length=76)


def set_boundaries(message: EmailMessage, seed: str) -> None:
    """Boundaries that follow from the message instead of chance: the same message is the same bytes."""
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(f"=_{_digest(seed, str(number))}")


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _label(text: str) -> str:
    """A name as part of a List-ID."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"
