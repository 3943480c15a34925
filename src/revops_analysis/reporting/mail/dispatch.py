"""Sending a run to its recipients: once each, again only while a fault can pass, and never when it may have arrived."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol

from revops_analysis.reporting.inputs import hash_bytes
from revops_analysis.reporting.mail.connection import Connection, Parcel
from revops_analysis.reporting.mail.ledger import Ledger, Row, State
from revops_analysis.reporting.mail.mail_errors import (
    ConnectionLostError,
    PassingError,
    RefusedError,
    ServerError,
    UncertainError,
)
from revops_analysis.reporting.mail.message import as_bytes
from revops_analysis.reporting.mail.recipients import Recipient
from revops_analysis.reporting.mail.settings import Letter, Server
from revops_analysis.reporting.publish import only_one

_GROWTH = 4
_LONGEST_WAIT_SECONDS = 600.0
Say = Callable[[str], None]


class Post(Protocol):
    """Something to send: a report, or word that one failed. `key` tells it from every other."""

    @property
    def key(self) -> str:
        """What it is in the ledger."""

    @property
    def letter(self) -> Letter:
        """Who it is from."""

    def message_id(self, recipient: Recipient) -> str:
        """The same for the same thing and recipient."""

    def to(self, recipient: Recipient, moment: dt.datetime) -> EmailMessage:
        """The message for one recipient."""


@dataclass(frozen=True)
class Outcome:
    """What became of one recipient's mail: its state in the ledger, whether it was so before, and what went wrong.

    `can_pass`: it was not delivered, and another try later may succeed.
    """

    address: str
    state: State
    before: bool
    note: str
    can_pass: bool = False

    @property
    def is_delivered(self) -> bool:
        """True if the server has taken it, now or earlier."""
        return self.state == "sent"


@dataclass(frozen=True)
class Dispatch:
    """What is sent, with what it takes to send it; `ledger` is the SQLite file of the ledger."""

    mailing: Post
    server: Server
    ledger: Path
    say: Say

    def send(self, recipients: Sequence[Recipient], *, resend: bool = False) -> list[Outcome]:
        """Send to whoever has not got it, and say what became of each, in the order given.

        `resend` sends again to all of `recipients`, also where it was sent or where nobody knows. A second process that
        sends the same run waits for the first.
        """
        run = self.mailing.key
        with only_one(self.ledger.parent, f"mail-{hash_bytes(run.encode())[:16]}"), Ledger(self.ledger) as ledger:
            ledger.find_interrupted(run)
            ledger.enter(run, [(one.person.key, self.mailing.message_id(one)) for one in recipients])
            if resend:
                ledger.mark(run, [one.person.key for one in recipients], "queued")
            rows = ledger.rows(run)
            waiting = [one for one in recipients if rows[one.person.key].state == "queued"]
            rounds = _Rounds(self, ledger, list(waiting))
            rounds.send_all()
            tried = {one.person.key: one.person.key in rounds.passing for one in waiting}
            return _outcomes(recipients, ledger.rows(run), tried)


def _outcomes(recipients: Sequence[Recipient], rows: Mapping[str, Row], tried: Mapping[str, bool]) -> list[Outcome]:
    """`tried`: by recipient that was not sent to before, whether the last fault can pass."""
    found = [(one.person, rows[one.person.key], one.person.key) for one in recipients]
    return [
        Outcome(person.address, row.state, key not in tried, row.note, tried.get(key, False) and row.state == "queued")
        for person, row, key in found
    ]


@dataclass
class _Rounds:
    """Rounds over whoever waits: how often each was tried, how many were sent, and rounds in a row that sent none.

    `passing` are those whose last fault can pass.
    """

    dispatch: Dispatch
    ledger: Ledger
    waiting: list[Recipient]
    tries: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    fruitless: int = 0
    passing: set[str] = field(default_factory=set)

    def send_all(self) -> None:
        """Round after round, with a growing wait between them, until nobody waits or the tries are used up."""
        server = self.dispatch.server
        while self.waiting:
            if not self._round():
                return
            if self.waiting:
                growth = _GROWTH ** max(0, self.fruitless - 1)
                wait = min(server.first_wait_seconds * growth, _LONGEST_WAIT_SECONDS)
                self.dispatch.say(f"{len(self.waiting)} mails wait {wait:g} seconds for another try")
                time.sleep(wait)

    def _round(self) -> bool:
        """One connection, and each waiting recipient on it; True if another round makes sense."""
        dispatch, sent, count = self.dispatch, self.sent, len(self.waiting)
        again = True
        try:
            with Connection(dispatch.server, dispatch.mailing.letter.sender.domain) as connection:
                dispatch.say(f"Sending {count} {'mail' if count == 1 else 'mails'}")
                self._each(connection)
        except ServerError as problem:
            self._mark(self.waiting, "queued", str(problem))
            self.passing -= {one.person.key for one in self.waiting}
            again = False
        except PassingError as problem:
            self._mark(self.waiting, "queued", str(problem))
            self.passing |= {one.person.key for one in self.waiting}
        self.fruitless = 0 if self.sent > sent else self.fruitless + 1
        return again and self.fruitless < dispatch.server.attempts

    def _each(self, connection: Connection) -> None:
        """Whoever's fault can pass waits on, at the end; a lost connection ends the round."""
        for one in list(self.waiting):
            key = one.person.key
            self.tries[key] = self.tries.get(key, 0) + 1
            self.waiting.remove(one)
            try:
                self._deliver(connection, one)
            except PassingError as problem:
                self._mark([one], "queued", str(problem))
                self.passing.add(key)
                if self.tries[key] < self.dispatch.server.attempts:
                    self.waiting.append(one)
                if isinstance(problem, ConnectionLostError):
                    raise
            except UncertainError as problem:
                self._mark([one], "unknown", str(problem))
                raise ConnectionLostError(str(problem)) from None
            except RefusedError as problem:
                self._mark([one], "queued", str(problem))
                self.passing.discard(key)

    def _deliver(self, connection: Connection, one: Recipient) -> None:
        mailing = self.dispatch.mailing
        message = mailing.to(one, dt.datetime.now(dt.UTC).replace(microsecond=0))
        parcel = Parcel(mailing.letter.sender.address, one.person.address, as_bytes(message))
        connection.deliver(parcel, before_content=lambda: self._mark([one], "sending"))
        self._mark([one], "sent")
        self.sent += 1

    def _mark(self, recipients: Sequence[Recipient], state: State, note: str = "") -> None:
        self.ledger.mark(self.dispatch.mailing.key, [one.person.key for one in recipients], state, note)
