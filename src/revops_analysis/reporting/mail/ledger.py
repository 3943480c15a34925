"""The ledger of mail: which run went to whom, so that nothing sent is sent again, whatever crashes when.

A row is `queued` until the server is ready for the content, `sending` until it has answered, then `sent`. A row that is
still `sending` when nobody sends any more is `unknown`: the message may have arrived, and only a person decides to send
it again.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable
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


class Ledger:
    """The ledger in the SQLite file `path`, which is made if need be. Use as a context manager, in one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state: sqlite3.Connection

    def __enter__(self) -> Ledger:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._state = sqlite3.connect(self._path, timeout=30)
        # What is marked must outlast a power cut; a write-ahead log makes that one wait for the disk instead of four.
        self._state.execute("PRAGMA journal_mode = WAL")
        self._state.execute("PRAGMA synchronous = FULL")
        self._state.execute(_TABLE)
        return self

    def __exit__(self, *_: object) -> None:
        self._state.close()

    def rows(self, run: str) -> dict[str, Row]:
        """Rows of a run by recipient."""
        query = "SELECT recipient, state, note, changed_at FROM mail_ledger WHERE run = ?"
        return {recipient: Row(*rest) for recipient, *rest in self._state.execute(query, (run,))}

    def enter(self, run: str, message_ids: Iterable[tuple[str, str]]) -> None:
        """Queue (recipient, Message-ID) pairs that have no row yet; what has one stays as it is."""
        rows = [(run, recipient, message_id, _now()) for recipient, message_id in message_ids]
        with self._state:
            self._state.executemany("INSERT OR IGNORE INTO mail_ledger VALUES (?, ?, ?, 'queued', '', ?)", rows)

    def mark(self, run: str, recipients: Iterable[str], state: State, note: str = "") -> None:
        """Write a new state of recipients down; it is on the disk when this returns."""
        rows = [(state, note, _now(), run, recipient) for recipient in recipients]
        with self._state:
            self._state.executemany(
                "UPDATE mail_ledger SET state = ?, note = ?, changed_at = ? WHERE run = ? AND recipient = ?", rows
            )

    def find_interrupted(self, run: str) -> None:
        """What is `sending` though nobody sends became `unknown`. Only for whoever holds the run's lock."""
        note = "the sending process ended before the server's answer"
        with self._state:
            self._state.execute(
                "UPDATE mail_ledger SET state = 'unknown', note = ?, changed_at = ?"
                " WHERE run = ? AND state = 'sending'",
                (note, _now(), run),
            )


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
