"""One connection to the mail server: encrypted, logged in, and exact about how far each message came."""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from revops_analysis.reporting.mail.mail_errors import (
    ConnectionLostError,
    MailError,
    PassingError,
    RefusedError,
    ServerError,
    UncertainError,
)
from revops_analysis.reporting.mail.settings import Server

_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)
_GOING_AWAY = 421
_SEND_NOW = 354
_BROKEN = (OSError, smtplib.SMTPException)
_CUT_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError)


@dataclass(frozen=True)
class Parcel:
    """A message ready to travel: its envelope and its bytes, with lines that end in CRLF."""

    sender: str
    recipient: str
    content: bytes


class Connection:
    """A connection to `server`, opened as a context manager.

    Opening raises ConnectionLostError, PassingError or ServerError.
    """

    def __init__(self, server: Server, own_name: str) -> None:
        self._server = server
        self._own_name = own_name
        self._smtp: smtplib.SMTP

    def __enter__(self) -> Connection:
        with self._explained("connecting"):
            self._smtp = self._open()
        try:
            self._secure_and_log_in()
        except BaseException:
            self._smtp.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(*_BROKEN):
            self._smtp.quit()
        self._smtp.close()

    def deliver(self, parcel: Parcel, before_content: Callable[[], None]) -> None:
        """Hand over one message; when this returns, the server has taken it.

        `before_content` is called when everything is agreed and nothing is sent yet. Raises PassingError (with
        ConnectionLostError), RefusedError, or UncertainError once the content was on its way.
        """
        size = [f"size={len(parcel.content)}"] if self._smtp.has_extn("size") else []
        try:
            with self._explained("before the message was on its way"):
                self._agree(lambda: self._smtp.mail(parcel.sender, size), "MAIL FROM", 250)
                self._agree(lambda: self._smtp.rcpt(parcel.recipient), "RCPT TO", 250, 251)
                self._agree(lambda: self._smtp.docmd("DATA"), "DATA", _SEND_NOW)
        except MailError:
            self._forget_message()
            raise
        before_content()
        try:
            self._smtp.send(_travelling(parcel.content))
            answer = self._smtp.getreply()
        except _BROKEN as problem:
            raise UncertainError(f"the connection broke before the server's answer ({self._words(problem)})") from None
        self._check(answer, "the message", 250)

    def _open(self) -> smtplib.SMTP:
        server = self._server
        where, timeout = (server.host, server.port_used, self._own_name), server.timeout_seconds
        if server.security == "tls":
            return smtplib.SMTP_SSL(*where, timeout=timeout, context=self._context())
        return smtplib.SMTP(*where, timeout=timeout)

    def _secure_and_log_in(self) -> None:
        server = self._server
        if server.security == "starttls":
            with self._explained("STARTTLS"):
                self._smtp.starttls(context=self._context())
        with self._explained("EHLO"):
            self._smtp.ehlo_or_helo_if_needed()
        if server.user:
            with self._explained("the login"):
                self._smtp.login(server.user, server.password.get_secret_value())

    def _context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._server.ca_file)
        except (OSError, ssl.SSLError):
            raise ServerError(f"REVOPS_SMTP_CA_FILE is no file of certificates: {self._server.ca_file}") from None

    def _agree(self, ask: Callable[[], tuple[int, bytes]], verb: str, *wanted: int) -> None:
        self._check(ask(), verb, *wanted)

    def _check(self, answer: tuple[int, bytes], verb: str, *wanted: int) -> None:
        code, text = answer
        if code in wanted:
            return
        words = f"the server answered {verb} with {self._answer(code, text)}"
        if code == _GOING_AWAY:
            raise ConnectionLostError(words)
        raise PassingError(words) if 400 <= code < 500 else RefusedError(words)

    def _forget_message(self) -> None:
        """So that the next message starts afresh; a connection that is gone shows at its first verb."""
        with contextlib.suppress(*_BROKEN):
            self._smtp.rset()

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        """Turn what smtplib and ssl raise into our faults; the originals may hold what the server was told."""
        try:
            yield
        except MailError:
            raise
        except ssl.SSLCertVerificationError as problem:
            told: MailError = ServerError(
                f"the certificate of {self._server.name} is not trusted: {problem.verify_message}"
            )
        except _CUT_OFF as problem:
            told = ConnectionLostError(self._broke(doing, problem))
        except (ssl.SSLError, smtplib.SMTPNotSupportedError) as problem:
            told = ServerError(self._broke(doing, problem))
        except smtplib.SMTPResponseException as problem:
            told = self._refused(doing, problem)
        except socket.gaierror as problem:
            passing = problem.errno == socket.EAI_AGAIN
            told = (ConnectionLostError if passing else ServerError)(self._broke(doing, problem))
        except _BROKEN as problem:
            told = ConnectionLostError(self._broke(doing, problem))
        else:
            return
        raise told

    def _refused(self, doing: str, problem: smtplib.SMTPResponseException) -> MailError:
        text = problem.smtp_error if isinstance(problem.smtp_error, bytes) else str(problem.smtp_error).encode()
        words = f"{self._server.name} refused {doing}: {self._answer(problem.smtp_code, text)}"
        passing = 400 <= problem.smtp_code < 500 or problem.smtp_code == -1
        return ConnectionLostError(words) if passing else ServerError(words)

    def _broke(self, doing: str, problem: Exception) -> str:
        return f"{self._server.name}, {doing}: {self._words(problem)}"

    def _words(self, problem: Exception) -> str:
        return _printable(self._server.hide(str(problem) or type(problem).__name__))

    def _answer(self, code: int, text: bytes) -> str:
        return _printable(self._server.hide(f"{code} {text.decode('utf-8', 'replace')}"))


def _travelling(content: bytes) -> bytes:
    """Content with its end mark; a line that begins with a dot gets another, which the server takes away again."""
    ended = content if content.endswith(b"\r\n") else content + b"\r\n"
    return _LEADING_DOT.sub(b"..", ended) + b".\r\n"


def _printable(text: str) -> str:
    """One line of bearable length without control characters: what a server says ends up on a terminal."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:300]
