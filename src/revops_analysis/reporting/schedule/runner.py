"""Doing what is due: each slot once, in order, step by step, and whoever must know is told of what went wrong.

load → render → send. After each step the slot's row says so, and a call that comes after a crash goes on from there.
The load's hash is written down before anything is rendered, so a restart renders the same inputs, which is the same
folder; mails have a ledger of their own. So nothing is lost, and nothing comes twice.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from revops_analysis.definitions import load_definitions
from revops_analysis.errors import ConfigurationError, DataRefusedError, UnreachableError
from revops_analysis.periods import period_containing
from revops_analysis.project import Project
from revops_analysis.reporting.mail.dispatch import Dispatch
from revops_analysis.reporting.mail.run_folder import read_run
from revops_analysis.reporting.mail.send import MailRequest, send_run
from revops_analysis.reporting.mail.settings import letter_settings, server_settings
from revops_analysis.reporting.preparation import RunRequest, Watcher, find_data, load_data
from revops_analysis.reporting.run import RunResult, run_report
from revops_analysis.reporting.schedule import problems
from revops_analysis.reporting.schedule.condition import figures_digest, reason_not_to_send
from revops_analysis.reporting.schedule.entries import Entry, Schedule, load_schedule, readers
from revops_analysis.reporting.schedule.log import LastLines
from revops_analysis.reporting.schedule.moments import logical_date, moments_between
from revops_analysis.reporting.schedule.notices import Notice
from revops_analysis.reporting.schedule.problems import Problem, problem_from
from revops_analysis.reporting.schedule.retention import remove_old_runs
from revops_analysis.reporting.schedule.state import BAD, OPEN, ScheduleState, Slot, State
from revops_analysis.reporting.spec import load_report
from revops_analysis.sources.profile import load_profile
from revops_analysis.tables.warehouse import WarehouseInfo

LOCK = "schedule.lock"
MOST_TRIES = 4
_FIRST_WAIT = timedelta(minutes=15)
_GROWTH = 4
Render = Callable[[RunRequest, Project, Watcher], RunResult]


class ScheduleBusyError(ConfigurationError):
    """Another call is doing what is due."""


@dataclass(frozen=True)
class Tools:
    """What a call works with: who watches, what renders, when to stop, and names of entries to do again."""

    watcher: Watcher
    render: Render = run_report
    stopping: Callable[[], bool] = lambda: False
    again: tuple[str, ...] = ()


def run_due(project: Project, at: datetime, tools: Tools) -> list[Slot]:
    """Do everything that was due up to the moment `at`, and return the slots that were worked on, as they are now.

    Slots go by due moment, and by their order in the file within one. What fails is told and does not hold up the rest;
    only what was due and has not ended is done: call it as often as you like. Raises ConfigurationError for a wrong
    schedule, and ScheduleBusyError while another call is at work.
    """
    schedule = load_schedule(project)
    with _alone(project), ScheduleState(project.state_file) as state:
        _plan(schedule, state, project, at)
        _reset(state, schedule, at, tools.again)
        order = [entry.name for entry in schedule.entries]
        worked = []
        waiting = [slot for slot in state.slots() if _is_waiting(slot, at)]
        if waiting:
            _warn_of_mail(tools.watcher)
        for slot in sorted(waiting, key=lambda slot: (slot.due, order.index(slot.name) if slot.name in order else -1)):
            if tools.stopping():
                break
            worked.append(_Work(project, schedule, state, at, tools).carry_on(slot))
        return worked


def _warn_of_mail(watcher: Watcher) -> None:
    """Say before minutes are spent on rendering that nothing can be mailed; reports are made all the same."""
    try:
        letter_settings(), server_settings()
    except ConfigurationError as error:
        watcher.say(
            f"Mail cannot go out: {' '.join(str(error).split())} Reports are rendered, kept, and not delivered."
        )


@contextmanager
def _alone(project: Project) -> Iterator[None]:
    """Hold the schedule's lock; who comes second is told, not kept waiting. A process that dies gives it back."""
    path = project.warehouse / ".locks" / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            raise ScheduleBusyError(
                "Another call is doing what is due.",
                found=f"process {handle.read().strip() or 'unknown'}",
                where=str(path),
                fix="wait until it ends: it does what this call would do",
            ) from None
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def _plan(schedule: Schedule, state: ScheduleState, project: Project, at: datetime) -> None:
    """Enter every moment that came due since the last call, with the day and period that are its own.

    What was due before that is entered already or never was: another cron expression does not reach back.
    """
    for entry in schedule.entries:
        planned, first = state.planned_upto(entry.name), entry.begins - timedelta(seconds=1)
        after = max(planned, first) if planned else first
        if after >= at:
            continue
        dues = moments_between(entry.cron, entry.zone, after, at)
        calendar = load_definitions(load_profile(entry.source, project).definitions_path(project)).fiscal_calendar
        days = [logical_date(entry.as_of, due, entry.zone, calendar) for due in dues]
        grain = entry.period or load_report(entry.report, project).period
        slots = [
            Slot(entry.name, due, day, period_containing(day, calendar, grain).label, changed_at=at)
            for due, day in zip(dues, days, strict=True)
        ]
        state.enter(entry.name, slots, at)


def _reset(state: ScheduleState, schedule: Schedule, at: datetime, again: tuple[str, ...]) -> None:
    """What ended badly is to be done again: sent again if it was rendered, else from the load on."""
    for name in again:
        if schedule.entry(name) is None:
            known = ", ".join(entry.name for entry in schedule.entries) or "none"
            raise ConfigurationError("There is no such entry in the schedule.", expected=known, found=name)
        for slot in state.slots(name):
            if slot.state in BAD:
                to: State = "rendered" if slot.state == "undelivered" else "due"
                fresh = {"told": False, "tries": 0, "next_try": None, "note": "", "log": ""}
                state.mark(slot, at, state=to, **fresh, **({} if to == "rendered" else {"data_hash": "", "folder": ""}))


def _is_waiting(slot: Slot, at: datetime) -> bool:
    ready = slot.next_try is None or slot.next_try <= at
    return slot.is_open and slot.tries < MOST_TRIES and ready and slot.due <= at


@dataclass(frozen=True)
class _Work:
    """One slot on its way."""

    project: Project
    schedule: Schedule
    state: ScheduleState
    at: datetime
    tools: Tools

    def carry_on(self, slot: Slot) -> Slot:
        """Take a slot as far as it goes, tell of what went wrong, and make room."""
        entry = self.schedule.entry(slot.name)
        if entry is None and slot.state in OPEN:
            gone = Problem("The entry is no longer in the schedule, so this was not done.").note
            return self._mark(slot, state="removed", note=gone, told=True)
        log = LastLines(self.tools.watcher)
        log.say(slot.title)
        if entry is not None and slot.state in OPEN:
            slot = self._through(slot, entry, log)
        if slot.state in BAD and not slot.told:
            slot = self._tell(slot, entry, log)
        if entry is not None and not slot.is_open:
            remove_old_runs(self.project.reports, entry, self.state.slots())
        return slot

    def _mark(self, slot: Slot, **changed: object) -> Slot:
        return self.state.mark(slot, self.at, **changed)

    def _through(self, slot: Slot, entry: Entry, log: LastLines) -> Slot:
        """From step to step until it is sent, has failed, or waits for another try."""
        steps = {"due": self._load, "loaded": self._render, "rendered": self._send}
        try:
            while slot.state in steps and slot.next_try in (None, self._tried(slot)):
                slot = steps[slot.state](slot, entry, log)
        except DataRefusedError as error:
            return self._ended(slot, "refused", problems.of_refused_data(error), log)
        except UnreachableError as error:
            return self._later(slot, "failed", problems.of_error(error), log)
        except Exception as error:  # one report's mistake must not hold up the others
            is_rendered = slot.state == "rendered"
            return self._ended(slot, "undelivered" if is_rendered else "failed", problems.of_error(error), log)
        return slot

    def _tried(self, slot: Slot) -> datetime | None:
        """The slot's waiting time if it is over at this call; a later one ends the call's work on it."""
        return slot.next_try if slot.next_try is not None and slot.next_try <= self.at else None

    def _load(self, slot: Slot, entry: Entry, log: LastLines) -> Slot:
        profile = load_profile(entry.source, self.project)

        def load() -> WarehouseInfo:
            return load_data(profile, self.project, log) if entry.load else find_data(profile, self.project, log.say)

        return self._mark(slot, state="loaded", data_hash=_while_unreachable(load).content_hash)

    def _render(self, slot: Slot, entry: Entry, log: LastLines) -> Slot:
        reports = self.project.reports.resolve()
        request = RunRequest(entry.report, entry.source, slot.as_of, reports, slot.period, data_hash=slot.data_hash)
        result = self.tools.render(request, self.project, log)
        if result.failed:
            return self._ended(slot, "failed", problems.of_chapters(result), log)
        place = result.folder.relative_to(reports).as_posix()
        return self._mark(slot, state="rendered", folder=place, figures=figures_digest(read_run(result.folder)))

    def _send(self, slot: Slot, entry: Entry, log: LastLines) -> Slot:
        folder = self.project.reports / slot.folder
        before = [other for other in self.state.slots(slot.name) if other.due < slot.due]
        reason = reason_not_to_send(entry.condition, read_run(folder), slot.figures, before)
        if reason:
            log.say(f"Not sent: {reason}")
            return self._mark(slot, state="not sent", note=Problem(reason).note, told=True)
        outcomes = send_run(MailRequest(folder, entry.recipients.to, entry.recipients.lists), self.project, log)
        missing = [one for one in outcomes if not one.is_delivered]
        if not missing:
            return self._mark(slot, state="sent", note="", told=True, next_try=None)
        problem = problems.of_delivery(missing, folder)
        if any(one.can_pass for one in missing):
            return self._later(slot, "undelivered", problem, log)
        return self._ended(slot, "undelivered", problem, log)

    def _later(self, slot: Slot, else_state: State, problem: Problem, log: LastLines) -> Slot:
        """A fault that can pass: again after a growing wait, and after the last try it has failed."""
        tries = slot.tries + 1
        if tries >= MOST_TRIES:
            return self._ended(slot, else_state, problem, log)
        again = self.at + _wait(slot.tries)
        log.say(f"{problem.what} Again from {again:%Y-%m-%d %H:%M} UTC on.")
        return self._mark(slot, tries=tries, next_try=again, note=problem.note)

    def _ended(self, slot: Slot, state: State, problem: Problem, log: LastLines) -> Slot:
        log.say(" ".join(part for part in (f"{state.capitalize()}: {problem.what}", problem.fix) if part))
        lines = "\n".join(part for part in (log.text, problem.trace) if part)
        return self._mark(slot, state=state, note=problem.note, log=lines, told=False, tries=0, next_try=None)

    def _tell(self, slot: Slot, entry: Entry | None, log: LastLines) -> Slot:
        """Tell those who must know. If that fails it is tried again later, a few times; the row says it in any case."""
        problem = problem_from(slot.note)
        refused = slot.state == "refused"
        whom = self.schedule.told_of_data(entry) if refused else self.schedule.told_of_failure(entry)
        facts = [("Report", entry.report if entry else slot.name), ("As of", slot.as_of.isoformat()), *problem.facts]
        try:
            page = Path(problem.page) if problem.page and Path(problem.page).is_file() else None
            notice = Notice(slot, letter_settings(), facts, problem.fix, page)
            post = Dispatch(notice, server_settings(), self.project.state_file, log.say)
            missing = [one for one in post.send(readers(whom, self.project)) if not one.is_delivered]
            untold = "; ".join(f"{one.address}: {one.note}" for one in missing)
        except Exception as error:  # the settings, or the file of recipients
            untold = " ".join(str(error).split())
        if not untold:
            return self._mark(slot, told=True, next_try=None)
        log.say(f"Nobody could be told for certain: {' '.join(untold.split())}")
        return self._mark(slot, tries=slot.tries + 1, next_try=self.at + _wait(slot.tries))


def _wait(tries: int) -> timedelta:
    return _FIRST_WAIT * _GROWTH**tries


def _while_unreachable(load: Callable[[], WarehouseInfo]) -> WarehouseInfo:
    """Load, three times at most while the source cannot be reached: what is short passes without anybody waiting."""
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

    for attempt in Retrying(
        stop=stop_after_attempt(3),
        wait=wait_exponential(multiplier=2, max=30),
        retry=retry_if_exception_type(UnreachableError),
        reraise=True,
    ):
        with attempt:
            return load()
    raise AssertionError("unreachable")
