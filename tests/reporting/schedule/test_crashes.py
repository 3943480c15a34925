"""A process that is killed at any step, and one that goes on afterwards: nothing is lost, and nothing comes twice."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reporting.mail.servers import Mailbox
from reporting.schedule import cases
from reporting.schedule.cases import Events, cheap_render, copy_of, runs_in, write_deals, write_schedule
from reporting.watchers import Quiet
from revops_analysis.project import Project
from revops_analysis.reporting.schedule.runner import Tools, run_due
from revops_analysis.reporting.schedule.state import read_slots

AT = datetime(2026, 10, 1, 12, tzinfo=UTC)


def _child(root: Path, fatal: int, environment: dict[str, str], real: bool) -> None:
    """Do what is due, and die at the given one of the events that last: rows, files, mails."""
    from revops_analysis.reporting import publish, run
    from revops_analysis.reporting.mail.ledger import Ledger
    from revops_analysis.reporting.schedule.state import ScheduleState
    from revops_analysis.tables.warehouse import WarehouseWriter

    os.environ.update(environment)
    events = Events(fatal)
    for owner, name in (
        (ScheduleState, "enter"),
        (ScheduleState, "mark"),
        (Ledger, "enter"),
        (Ledger, "mark"),
        (WarehouseWriter, "commit"),
        (cases, "publish"),
        (cases, "point_latest"),
        (run, "publish"),
        (run, "point_latest"),
        (publish, "write_file"),
    ):
        setattr(owner, name, events.around(getattr(owner, name)))
    if real:
        from reporting.fakes import gate_with
        from revops_analysis.reporting.checker import Checker

        Checker.validate = lambda *_: gate_with("")  # type: ignore[method-assign]
    run_due(Project(root), AT, Tools(Quiet(), run.run_report if real else cheap_render))


def _dies(context: Any, project: Project, fatal: int, *, real: bool = False) -> bool:
    """Whether the process was killed at the event; False when it came to its end before."""
    environment = {name: value for name, value in os.environ.items() if name.startswith("REVOPS_")}
    process = context.Process(target=_child, args=(project.root, fatal, environment, real))
    process.start()
    process.join(120)
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    return process.exitcode != 0


def _deaths(
    context: Any, made: Project, folder: Path, entry: dict[str, Any], events: int = 1000
) -> Iterator[tuple[int, Project]]:
    """A fresh project for every event, or the first so many, in which a process was killed there."""
    for fatal in range(events):
        project = copy_of(made, folder / str(fatal))
        write_schedule(project, entry)
        if not _dies(context, project, fatal):
            assert fatal > 12  # it was killed at every one of its steps
            return
        yield fatal, project


def test_killed_at_any_step_a_report_is_rendered_once_and_reaches_each_reader_once(
    made: Project, mailbox: Mailbox, context: Any, tmp_path: Path
) -> None:
    """Between a mail's content and its mark nobody can know: that reader is told of, and gets no second mail."""
    endings: Counter[str] = Counter()
    entry = {"starts": "2026-10-01", "recipients": {"to": "ana@example.com"}}
    for fatal, project in _deaths(context, made, tmp_path, entry):
        run_due(project, AT, Tools(Quiet(), cheap_render))
        assert run_due(project, AT, Tools(Quiet(), cheap_render)) == []
        (slot,) = read_slots(project.state_file)
        got = Counter(mailbox.addresses)
        endings[slot.state] += 1
        assert runs_in(project) == [slot.folder], fatal
        assert (project.reports / slot.folder).parent.joinpath("latest").resolve().name == Path(slot.folder).name
        assert got["ana@example.com"] == 1 or slot.state == "undelivered", (fatal, got)
        assert got["ana@example.com"] <= 1, (fatal, got)
        assert got["ops@example.com"] == (slot.state == "undelivered"), (fatal, got)
        assert slot.told
        mailbox.messages.clear()
    assert set(endings) == {"sent", "undelivered"}
    assert endings["undelivered"] == 2  # just after `sending` was marked, and just before `sent`


def test_killed_at_any_step_of_a_load_the_report_is_of_one_load_though_the_source_changed(
    made: Project, mailbox: Mailbox, context: Any, tmp_path: Path
) -> None:
    entry = {"starts": "2026-10-01", "load": True, "condition": "if finding at least critical"}
    loads = set()
    for fatal, project in _deaths(context, made, tmp_path, entry, events=8):
        write_deals(project, 77)
        run_due(project, AT, Tools(Quiet(), cheap_render))
        (slot,) = read_slots(project.state_file)
        assert slot.state == "not sent"
        assert runs_in(project) == [slot.folder], fatal
        loads.add(slot.data_hash)
    assert len(loads) == 2  # of the source before, where the load was written down; else as it is now
    assert mailbox.messages == []


def test_killed_while_the_real_report_is_published_it_is_there_once(
    made: Project, mailbox: Mailbox, context: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The events are: slots entered, loaded, published (4, 5): killed between publishing and writing it down."""
    from reporting.fakes import gate_with
    from revops_analysis.reporting.checker import Checker
    from revops_analysis.reporting.run import run_report

    project = copy_of(made, tmp_path / "project")
    write_schedule(project, {"starts": "2026-10-01"})
    assert _dies(context, project, 5, real=True)
    (place,) = runs_in(project)
    assert read_slots(project.state_file)[0].state == "loaded"
    monkeypatch.setattr(Checker, "validate", lambda *_: gate_with(""))
    worked = run_due(project, AT, Tools(Quiet(), run_report))
    assert [(slot.state, slot.folder) for slot in worked] == [("sent", place)]
    assert runs_in(project) == [place]
    assert mailbox.addresses == ["ana@example.com", "bob@example.com"]
