"""What can go wrong between us and a mail server, by what may be done about it."""

from __future__ import annotations


class MailError(Exception):
    """Base of all faults. The text is for a reader and holds no secret."""


class PassingError(MailError):
    """The message was not taken, and another try may succeed: a 4xx answer. The connection still stands."""


class ConnectionLostError(PassingError):
    """The network failed or the server hung up before the message was on its way."""


class RefusedError(MailError):
    """The server refused this message or this recipient for good: a 5xx answer."""


class ServerError(MailError):
    """No message can be sent at all until somebody repairs something: certificate, login, encryption, host name."""


class UncertainError(MailError):
    """The message was on its way when the connection broke: nobody knows whether it arrived."""
