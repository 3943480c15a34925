"""The ledger of mail: which run went to whom, so that nothing sent is sent again, whatever crashes when.

A row is `queued` until the server is ready for the content, `sending` until it has answered, then `sent`. A row that is
still `sending` when nobody sends any more is `unknown`: the message may have arrived, and only a person decides to send
it again.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

State = Literal["queued", "sending", "sent", "unknown"]

_TABLE = (
    "CREATE TABLE IF NOT EXISTS mail_ledger (run TEXT NOT NULL, recipient TEXT NOT NULL, message_id TEXT NOT NULL,"
    " state TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'unknown')), note TEXT NOT NULL,"
    " changed_at TEXT NOT NULL, PRIMARY KEY (run, recipient))"
)


@dataclass(frozen=True)
class Row:
    """What is known of one run and one recipient; `note` says what went wrong last, empty if nothing did."""

    state: State
    note: str
    changed_at: str


@dataclass(frozen=True)
class Ledger:
    """The ledger in the SQLite file `path`, which is made when first written to."""

    path: Path

    def rows(self, run: str) -> dict[str, Row]:
        """Rows of a run by recipient."""
        with self._open() as state:
            found = state.execute("SELECT recipient, state, note, changed_at FROM mail_ledger WHERE run = ?", (run,))
            return {recipient: Row(*rest) for recipient, *rest in found}

    def enter(self, run: str, message_ids: Iterable[tuple[str, str]]) -> None:
        """Queue (recipient, Message-ID) pairs that have no row yet; what has one stays as it is."""
        rows = [(run, recipient, message_id, _now()) for recipient, message_id in message_ids]
        with self._open() as state:
            state.executemany("INSERT OR IGNORE INTO mail_ledger VALUES (?, ?, ?, 'queued', '', ?)", rows)

    def mark(self, run: str, recipient: str, state: State, note: str = "") -> None:
        """Write a new state down; it is on the disk when this returns."""
        with self._open() as connection:
            connection.execute(
                "UPDATE mail_ledger SET state = ?, note = ?, changed_at = ? WHERE run = ? AND recipient = ?",
                (state, note, _now(), run, recipient),
            )

    def find_interrupted(self, run: str) -> None:
        """What is `sending` though nobody sends became `unknown`. Only for whoever holds the run's lock."""
        note = "the sending process ended before the server's answer"
        with self._open() as state:
            state.execute(
                "UPDATE mail_ledger SET state = 'unknown', note = ?, changed_at = ?"
                " WHERE run = ? AND state = 'sending'",
                (note, _now(), run),
            )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=30)
        try:
            with connection:
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute(_TABLE)
                yield connection
        finally:
            connection.close()


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
