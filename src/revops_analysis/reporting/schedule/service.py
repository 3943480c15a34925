"""The schedule as a process that stays: the only place that reads the clock, and passes the moment on."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from revops_analysis.errors import RevopsError
from revops_analysis.project import Project
from revops_analysis.reporting.preparation import Watcher
from revops_analysis.reporting.publish import write_file
from revops_analysis.reporting.schedule.entries import load_schedule
from revops_analysis.reporting.schedule.moments import next_moment
from revops_analysis.reporting.schedule.problems import problem_from
from revops_analysis.reporting.schedule.runner import Tools, run_due
from revops_analysis.reporting.schedule.state import BAD, Slot, read_slots

HEALTH = "schedule_health.json"
SCHEMA = "revops.schedule_health/1"
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The wall clock, for the service only."""
    return datetime.now(UTC)


@dataclass
class Service:
    """Does what is due, every `every` seconds, until it is told to stop."""

    project: Project
    watcher: Watcher
    every: float = 60
    clock: Clock = utc_now
    _stop: threading.Event = field(default_factory=threading.Event)
    _working: threading.Lock = field(default_factory=threading.Lock)
    _last_error: dict[str, str] | None = None

    def run(self) -> None:
        """Run on APScheduler until SIGTERM or SIGINT; what is being done then ends its slot first.

        What was due while no service ran is done at once. An error, as a wrong schedule, ends no service: it stands in
        the health file until it is repaired.
        """
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.blocking import BlockingScheduler

        scheduler = BlockingScheduler(executors={"default": ThreadPoolExecutor(1)}, timezone=UTC)
        scheduler.add_job(
            self.tick,
            "interval",
            seconds=self.every,
            next_run_time=utc_now(),  # APScheduler's own time: an earlier one would be caught up second by second
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )

        def stop(*_: int | FrameType | None) -> None:
            self._stop.set()
            scheduler.shutdown(wait=False)

        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, stop)
        self._say("running")
        scheduler.start()
        with self._working:  # what was begun is ended
            self._say("stopped")

    def tick(self) -> list[Slot]:
        """Do what is due now, and write the health file."""
        with self._working:
            if self._stop.is_set():
                return []
            worked: list[Slot] = []
            try:
                worked = run_due(self.project, self.clock(), Tools(self.watcher, stopping=self._stop.is_set))
                self._last_error = None
            except Exception as error:  # the service outlives every mistake, and says it
                self._last_error = self._error(error)
            self._say("running")
            return worked

    def _error(self, error: Exception) -> dict[str, str]:
        kind = "" if isinstance(error, RevopsError) else f"{type(error).__name__}: "
        return {"at": _text(self.clock()), "error": f"{kind}{' '.join(str(error).split())}"}

    def _say(self, state: str) -> None:
        write_file(health_file(self.project), json.dumps(self._health(state), indent=2, ensure_ascii=False) + "\n")

    def _health(self, state: str) -> dict[str, Any]:
        now, slots = self.clock(), read_slots(self.project.state_file)
        return {
            "schema": SCHEMA,
            "state": state,
            "process": os.getpid(),
            "checked_at": _text(now),
            "every_seconds": self.every,
            "last_success": _last(slots, ("sent", "not sent")),
            "last_failure": _last(slots, BAD),
            "open": sum(slot.is_open for slot in slots),
            "next_due": self._next(now),
            "last_error": self._last_error,
        }

    def _next(self, now: datetime) -> dict[str, str] | None:
        try:
            entries = load_schedule(self.project).entries
        except RevopsError:
            return None
        found = [(next_moment(entry.cron, entry.zone, max(now, entry.begins)), entry.name) for entry in entries]
        known = [(due, name) for due, name in found if due is not None]
        return {"due": _text(min(known)[0]), "name": min(known)[1]} if known else None


def health_file(project: Project) -> Path:
    """Where the service says how it is."""
    return project.warehouse / HEALTH


def _last(slots: Sequence[Slot], states: Sequence[str]) -> dict[str, str] | None:
    """The slot that came last into one of the states."""
    found = [slot for slot in slots if slot.state in states and slot.changed_at]
    if not found:
        return None
    slot = max(found, key=lambda one: (one.changed_at, one.due))
    what = problem_from(slot.note).what
    return {
        "name": slot.name,
        "due": _text(slot.due),
        "as_of": slot.as_of.isoformat(),
        "state": slot.state,
        "at": _text(slot.changed_at),
        **({"what": what} if what else {}),
    }


def _text(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat(timespec="seconds")
