"""What the schedule remembers: every due moment of every entry, and how far it came, in `warehouse/state.sqlite`.

A step is written down when it is done, never before: whatever crashes, the next call takes up at the last step that is
written down, and each step may be done twice without harm. Moments are those that the caller gives.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

State = Literal["due", "loaded", "rendered", "sent", "not sent", "undelivered", "refused", "failed", "removed"]
OPEN: tuple[State, ...] = ("due", "loaded", "rendered")
BAD: tuple[State, ...] = ("undelivered", "refused", "failed")

_TABLE = (
    "CREATE TABLE IF NOT EXISTS schedule_runs (name TEXT NOT NULL, due TEXT NOT NULL, as_of TEXT NOT NULL,"
    " period TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('due', 'loaded', 'rendered', 'sent', 'not sent',"
    " 'undelivered', 'refused', 'failed', 'removed')), data_hash TEXT NOT NULL, folder TEXT NOT NULL,"
    " figures TEXT NOT NULL, note TEXT NOT NULL, log TEXT NOT NULL, told INTEGER NOT NULL, tries INTEGER NOT NULL,"
    " next_try TEXT NOT NULL, changed_at TEXT NOT NULL, PRIMARY KEY (name, due))"
)


@dataclass(frozen=True)
class Slot:
    """One due moment of one entry.

    `as_of` and `period` are its own, whenever it runs. `data_hash` is the load it rests on, once that is known;
    `folder` its run, below the reports folder; `figures` a digest of what the run says. `note` and `log` say what went
    wrong, `told` whether those who must know were told. `tries` counts calls that ended in a fault that can pass, after
    which it waits until `next_try`.
    """

    name: str
    due: datetime
    as_of: date
    period: str
    state: State = "due"
    data_hash: str = ""
    folder: str = ""
    figures: str = ""
    note: str = ""
    log: str = ""
    told: bool = False
    tries: int = 0
    next_try: datetime | None = None
    changed_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether something is left to do."""
        return self.state in OPEN or (self.state in BAD and not self.told)

    @property
    def title(self) -> str:
        """The slot in a message."""
        return f"{self.name}, due {self.due:%Y-%m-%d %H:%M} UTC, as of {self.as_of.isoformat()}"


_COLUMNS = tuple(one.name for one in fields(Slot))


class ScheduleState:
    """The remembered slots, in the SQLite file `path`. Use as a context manager, in one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection

    def __enter__(self) -> ScheduleState:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(self._path, timeout=30)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(_TABLE)
        self._db.execute("CREATE TABLE IF NOT EXISTS schedule_planned (name TEXT PRIMARY KEY, upto TEXT NOT NULL)")
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def enter(self, name: str, slots: Iterable[Slot], upto: datetime) -> None:
        """Write new slots of an entry down, and up to which moment there are no others.

        Slots that are known stay as they are.
        """
        marks = ", ".join("?" for _ in _COLUMNS)
        rows = [_row(slot) for slot in slots]
        with self._db:
            self._db.executemany(f"INSERT OR IGNORE INTO schedule_runs ({', '.join(_COLUMNS)}) VALUES ({marks})", rows)
            self._db.execute("INSERT OR REPLACE INTO schedule_planned VALUES (?, ?)", (name, _plain(upto)))

    def mark(self, slot: Slot, at: datetime, **changed: Any) -> Slot:
        """Write down what changed of a slot, and return it; it is on the disk when this returns."""
        new = replace(slot, changed_at=at, **changed)
        *values, name, due = [_plain(getattr(new, column)) for column in (*_COLUMNS[2:], "name", "due")]
        changes = ", ".join(f"{column} = ?" for column in _COLUMNS[2:])
        with self._db:
            self._db.execute(f"UPDATE schedule_runs SET {changes} WHERE name = ? AND due = ?", (*values, name, due))
        return new

    def slots(self, name: str = "") -> list[Slot]:
        """All slots, or those of one entry, by due moment."""
        query = f"SELECT {', '.join(_COLUMNS)} FROM schedule_runs"
        order = " ORDER BY due, name"
        found = self._db.execute(f"{query} WHERE name = ?{order}", (name,)) if name else self._db.execute(query + order)
        return [_slot(row) for row in found]

    def planned_upto(self, name: str) -> datetime | None:
        """The moment up to which the slots of an entry are entered; None for one that is new."""
        found = self._db.execute("SELECT upto FROM schedule_planned WHERE name = ?", (name,)).fetchone()
        return datetime.fromisoformat(found[0]) if found else None


def read_slots(path: Path) -> list[Slot]:
    """All slots that are remembered; none where nothing ever was. Nothing is written."""
    if not path.is_file():
        return []
    with ScheduleState(path) as state:
        return state.slots()


def _row(slot: Slot) -> list[Any]:
    return [_plain(value) for value in asdict(slot).values()]


def _plain(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return value.isoformat() if isinstance(value, date) else int(value) if isinstance(value, bool) else value


def _slot(row: tuple[Any, ...]) -> Slot:
    found = dict(zip(_COLUMNS, row, strict=True))
    for name in ("due", "next_try", "changed_at"):
        found[name] = datetime.fromisoformat(found[name]) if found[name] else None
    return Slot(**{**found, "as_of": date.fromisoformat(found["as_of"]), "told": bool(found["told"])})
