"""A real SMTP server on loopback, with TLS and login, that can be told to hang up or complain at any verb."""

from __future__ import annotations

import email
import email.policy
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from socket import create_connection
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

USER, PASSWORD = "reports@example.com", "correct horse+battery/staple"
DROP = "DROP"
VERBS = ("EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "QUIT")


@dataclass
class Mailbox:
    """What the server was given, and its orders: at a verb, answers to give in turn before it behaves as usual.

    An order is `DROP`, a reply such as "451 later", or a function of the verb's argument that gives one or None.
    CONNECT and CONTENT (after the message, before the answer) count as verbs.
    """

    orders: dict[str, list[Any]] = field(default_factory=dict)
    always: dict[str, Any] = field(default_factory=dict)
    messages: list[tuple[str, EmailMessage]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    connections: int = -1  # the controller's own look at whether it runs is none

    def order(self, verb: str, argument: str = "") -> str | None:
        self.asked.append(verb)
        waiting = self.orders.get(verb, [])
        told = waiting.pop(0) if waiting else self.always.get(verb)
        return told(argument) if callable(told) else told

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        told = self.order("CONTENT", envelope.rcpt_tos[0])
        if told == DROP:
            server.transport.abort()
            return "250 nobody hears this"
        if told:
            return told
        message = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        self.messages += [(address, message) for address in envelope.rcpt_tos]
        return "250 taken"

    @property
    def addresses(self) -> list[str]:
        return sorted(address for address, _ in self.messages)


def _obedient(verb: str) -> Callable[..., Any]:
    usual = getattr(SMTP, f"smtp_{verb}")

    async def handle(self: SMTP, argument: str) -> None:
        told = self.event_handler.order(verb, argument or "")
        if told == DROP:
            self.transport.abort()
        elif told:
            await self.push(told)
        else:
            await usual(self, argument)

    return handle


class _Server(SMTP):
    def connection_made(self, transport: Any) -> None:
        fresh = self._original_transport is None
        super().connection_made(transport)
        if fresh:
            self.event_handler.connections += 1
            if self.event_handler.connections and self.event_handler.order("CONNECT") == DROP:
                transport.abort()


for _verb in VERBS:
    setattr(_Server, f"smtp_{_verb}", _obedient(_verb))


class _Controller(Controller):
    def factory(self) -> SMTP:
        return _Server(self.handler, **self.SMTP_kwargs)

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        create_connection((self.hostname, self.port), 5).close()


@dataclass(frozen=True)
class Certificates:
    """Contexts of a server whose certificate a client can trust through `ca_file`, and of one that it cannot."""

    ca_file: Path
    good: ssl.SSLContext
    other_name: ssl.SSLContext
    unknown_authority: ssl.SSLContext


def make_certificates(folder: Path) -> Certificates:
    authority, stranger = trustme.CA(), trustme.CA()
    path = folder / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return Certificates(
        path,
        _context(authority.issue_cert("localhost")),
        _context(authority.issue_cert("mail.example.com")),
        _context(stranger.issue_cert("localhost")),
    )


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@contextmanager
def serving(mailbox: Mailbox, context: ssl.SSLContext, *, implicit: bool = False) -> Iterator[int]:
    """Run the server and give its port: STARTTLS and a login are demanded, or TLS from the first byte."""

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        known = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=known, handled=known)

    secure: dict[str, Any] = {"tls_context": context, "require_starttls": True}
    if implicit:  # aiosmtpd does not know that it is inside TLS
        secure = {"ssl_context": context, "auth_require_tls": False}
    controller = _Controller(
        mailbox, hostname="localhost", port=0, authenticator=authenticate, auth_required=True, **secure
    )
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()
