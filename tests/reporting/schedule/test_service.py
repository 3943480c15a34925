"""The service is a real process: it does what is due, says how it is, and ends when it is told to."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from reporting.mail.servers import Mailbox
from reporting.schedule.cases import HEAD, cheap_render, runs_in, write_schedule
from reporting.watchers import Quiet
from revops_analysis.project import Project
from revops_analysis.reporting.schedule import runner, service
from revops_analysis.reporting.schedule.service import Service, health_file
from revops_analysis.reporting.schedule.state import read_slots

AT = datetime(2026, 10, 1, 12, tzinfo=UTC)


def _serve(root: Path, environment: dict[str, str]) -> None:
    """A service that looks every second, always at the same moment, and renders something cheap."""
    os.environ.update(environment)
    service.Tools = partial(runner.Tools, render=cheap_render)  # type: ignore[misc, assignment]
    Service(Project(root), Quiet(), every=1, clock=lambda: AT).run()


def _health(project: Project) -> dict[str, Any]:
    """The health file, which is always whole."""
    path = health_file(project)
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return found


def _until(true: Callable[[], object]) -> None:
    for _ in range(600):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("it never came")


@contextmanager
def _service(context: Any, project: Project) -> Iterator[Any]:
    environment = {name: value for name, value in os.environ.items() if name.startswith("REVOPS_")}
    process = context.Process(target=_serve, args=(project.root, environment))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_the_service_does_what_is_due_and_ends_when_told(
    project: Project, mailbox: Mailbox, context: Any, sign: int
) -> None:
    write_schedule(project, {"starts": "2026-10-01"})
    with _service(context, project) as process:
        _until(lambda: _health(project).get("last_success"))
        health = _health(project)
        os.kill(process.pid, sign)
        process.join(60)
        assert process.exitcode == 0
    assert (health["state"], health["process"], health["last_error"]) == ("running", process.pid, None)
    assert health["last_success"] == {
        "name": "monthly",
        "due": "2026-10-01T11:00:00+00:00",
        "as_of": "2026-09-30",
        "state": "sent",
        "at": "2026-10-01T12:00:00+00:00",
    }
    assert health["next_due"] == {"due": "2026-11-01T12:00:00+00:00", "name": "monthly"}
    assert _health(project)["state"] == "stopped"
    assert len(runs_in(project)) == 1
    assert mailbox.addresses == ["ana@example.com", "bob@example.com"]


def test_told_to_stop_it_ends_what_it_has_begun_and_begins_nothing(
    project: Project, mailbox: Mailbox, context: Any
) -> None:
    write_schedule(project, {"starts": "2026-09-01"})
    processes: list[Any] = []
    mailbox.orders["RCPT"] = [lambda _: processes[0].terminate()]
    with _service(context, project) as process:
        processes.append(process)
        process.join(60)
        assert process.exitcode == 0
    assert [slot.state for slot in read_slots(project.state_file)] == ["sent", "due"]
    assert mailbox.addresses == ["ana@example.com", "bob@example.com"]
    assert (_health(project)["state"], _health(project)["open"]) == ("stopped", 1)


def test_a_service_that_is_killed_goes_on_where_it_was(project: Project, mailbox: Mailbox, context: Any) -> None:
    write_schedule(project, {"starts": "2026-10-01"})
    processes: list[Any] = []
    mailbox.orders["RCPT"] = [lambda _: processes[0].kill()]
    with _service(context, project) as process:
        processes.append(process)
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
    with _service(context, project):
        _until(lambda: _health(project).get("last_success"))
    assert mailbox.addresses == ["ana@example.com", "bob@example.com"]
    assert len(runs_in(project)) == 1


def test_a_wrong_schedule_stands_in_the_health_file_until_it_is_repaired(project: Project, mailbox: Mailbox) -> None:
    made = Service(project, Quiet(), clock=lambda: AT)
    (project.params / "schedule.yml").write_text(HEAD + "  - {name: x}\n")
    assert made.tick() == []
    health = _health(project)
    assert "Field required" in health["last_error"]["error"]
    assert health["next_due"] is None
    write_schedule(project, {"starts": "2026-10-02"})
    assert made.tick() == []
    assert _health(project)["last_error"] is None


def test_the_health_file_names_the_last_failure(project: Project, mailbox: Mailbox) -> None:
    write_schedule(project, {"starts": "2026-10-01", "report": "tiny"})
    (project.notebooks / "first.ipynb").unlink()
    Service(project, Quiet(), clock=lambda: AT).tick()
    failure = _health(project)["last_failure"]
    assert (failure["name"], failure["state"], failure["what"]) == (
        "monthly",
        "failed",
        "A chapter's notebook does not exist.",
    )
    assert mailbox.addresses == ["ops@example.com"]


def test_nothing_but_the_service_reads_the_clock() -> None:
    folder = Path(sys.modules[Service.__module__].__file__ or "").parent
    readers = [
        path.name
        for path in folder.glob("*.py")
        if any(w in path.read_text() for w in (".now(", ".today(", "time.time"))
    ]
    assert readers == ["service.py"]
