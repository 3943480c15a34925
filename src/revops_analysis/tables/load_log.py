"""The load log: which load of which source was made when, in `warehouse/state.sqlite`."""

from __future__ import annotations

import datetime as dt
import sqlite3
from contextlib import closing

from revops_analysis.project import Project

_TABLE = (
    "CREATE TABLE IF NOT EXISTS load_log (load_number INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL,"
    " content_hash TEXT NOT NULL, data_through TEXT NOT NULL, loaded_at TEXT NOT NULL)"
)


def load_log(project: Project, source: str) -> list[str]:
    """Return the content hashes of all loads of `source`, the latest first."""
    if not project.state_file.is_file():
        return []
    with closing(sqlite3.connect(project.state_file, timeout=30)) as state:
        state.execute(_TABLE)  # the file may hold no load yet: mails are entered in it too
        found = state.execute("SELECT content_hash FROM load_log WHERE source = ? ORDER BY load_number DESC", (source,))
        return [digest for (digest,) in found]


def enter_load(project: Project, source: str, content_hash: str, data_through: dt.date) -> None:
    """Enter a load in the log, with the moment at which it was made."""
    loaded_at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    with closing(sqlite3.connect(project.state_file, timeout=30)) as state, state:
        state.execute(_TABLE)
        state.execute(
            "INSERT INTO load_log (source, content_hash, data_through, loaded_at) VALUES (?, ?, ?, ?)",
            (source, content_hash, data_through.isoformat(), loaded_at),
        )
