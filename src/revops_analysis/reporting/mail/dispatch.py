"""Sending a run to its recipients: once each, again only while a fault can pass, and never when it may have arrived."""

from __future__ import annotations

import datetime as dt
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from revops_analysis.reporting.mail.connection import Connection, Parcel
from revops_analysis.reporting.mail.ledger import Ledger, State
from revops_analysis.reporting.mail.mail_errors import (
    ConnectionLostError,
    MailError,
    PassingError,
    RefusedError,
    ServerError,
    UncertainError,
)
from revops_analysis.reporting.mail.message import Mailing, as_bytes
from revops_analysis.reporting.mail.recipients import Recipient
from revops_analysis.reporting.mail.settings import Server
from revops_analysis.reporting.publish import only_one

_GROWTH = 4
_LONGEST_WAIT_SECONDS = 600.0
Say = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What became of one recipient's mail: its state in the ledger, whether it was so before, and what went wrong."""

    address: str
    state: State
    before: bool
    note: str

    @property
    def is_delivered(self) -> bool:
        """True if the server has taken it, now or earlier."""
        return self.state == "sent"


@dataclass
class _Queue:
    """Who still waits, how often each was tried, how many were sent, and how many rounds in a row sent none."""

    waiting: list[Recipient]
    tries: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    fruitless: int = 0


@dataclass(frozen=True)
class Dispatch:
    """A mailing with what it takes to send it."""

    mailing: Mailing
    server: Server
    ledger: Ledger
    say: Say

    def send(self, recipients: Sequence[Recipient], *, resend: bool = False) -> list[Outcome]:
        """Send to whoever has not got it, and say what became of each, in the order given.

        `resend` sends again to all of `recipients`, also where it was sent or where nobody knows. A second process that
        sends the same run waits for the first.
        """
        run = self.mailing.run.key
        with only_one(self.ledger.path.parent, f"mail-{hashlib.sha256(run.encode()).hexdigest()[:16]}"):
            self.ledger.find_interrupted(run)
            self.ledger.enter(run, [(one.person.key, self.mailing.message_id(one)) for one in recipients])
            if resend:
                for one in recipients:
                    self.ledger.mark(run, one.person.key, "queued")
            waiting = [one for one in recipients if self.ledger.rows(run)[one.person.key].state == "queued"]
            self._send_all(_Queue(list(waiting)))
            return self._outcomes(recipients, {one.person.key for one in waiting})

    def _outcomes(self, recipients: Sequence[Recipient], tried: set[str]) -> list[Outcome]:
        rows = self.ledger.rows(self.mailing.run.key)
        found = [(one.person, rows[one.person.key]) for one in recipients]
        return [Outcome(person.address, row.state, person.key not in tried, row.note) for person, row in found]

    def _send_all(self, queue: _Queue) -> None:
        """Rounds over whoever waits, with a growing wait between them, until nobody does or the tries are used up."""
        while queue.waiting:
            if not self._round(queue):
                return
            if queue.waiting:
                growth = _GROWTH ** max(0, queue.fruitless - 1)
                wait = min(self.server.first_wait_seconds * growth, _LONGEST_WAIT_SECONDS)
                self.say(f"{len(queue.waiting)} mails wait {wait:g} seconds for another try")
                time.sleep(wait)

    def _round(self, queue: _Queue) -> bool:
        """One connection, and each waiting recipient on it; True if another round makes sense."""
        sent, count = queue.sent, len(queue.waiting)
        again = True
        try:
            with Connection(self.server, self.mailing.letter.sender.domain) as connection:
                self.say(f"Sending {count} {'mail' if count == 1 else 'mails'}")
                self._each(connection, queue)
        except ServerError as problem:
            self._note(queue.waiting, problem)
            again = False
        except PassingError as problem:
            self._note(queue.waiting, problem)
        queue.fruitless = 0 if queue.sent > sent else queue.fruitless + 1
        return again and queue.fruitless < self.server.attempts

    def _each(self, connection: Connection, queue: _Queue) -> None:
        """Whoever's fault can pass waits on, at the end; a lost connection ends the round."""
        for one in list(queue.waiting):
            key = one.person.key
            queue.tries[key] = queue.tries.get(key, 0) + 1
            queue.waiting.remove(one)
            try:
                self._deliver(connection, one)
                queue.sent += 1
            except PassingError as problem:
                self._mark(one, "queued", str(problem))
                if queue.tries[key] < self.server.attempts:
                    queue.waiting.append(one)
                if isinstance(problem, ConnectionLostError):
                    raise
            except UncertainError as problem:
                self._mark(one, "unknown", str(problem))
                raise ConnectionLostError(str(problem)) from None
            except RefusedError as problem:
                self._mark(one, "queued", str(problem))

    def _deliver(self, connection: Connection, one: Recipient) -> None:
        message = self.mailing.to(one, dt.datetime.now(dt.UTC).replace(microsecond=0))
        parcel = Parcel(self.mailing.letter.sender.address, one.person.address, as_bytes(message))
        connection.deliver(parcel, before_content=lambda: self._mark(one, "sending"))
        self._mark(one, "sent")

    def _note(self, waiting: Sequence[Recipient], problem: MailError) -> None:
        for one in waiting:
            self._mark(one, "queued", str(problem))

    def _mark(self, one: Recipient, state: State, note: str = "") -> None:
        self.ledger.mark(self.mailing.run.key, one.person.key, state, note)
