"""What was due is done once each, in order, with the day that was its own; what fails is told."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reporting.fakes import gate_with
from reporting.mail.runs import chapter, finding
from reporting.mail.servers import Mailbox
from reporting.schedule.cases import cheap_render, runs_in, write_deals, write_schedule
from reporting.watchers import Quiet
from revops_analysis.errors import ConfigurationError, DataRefusedError, UnreachableError
from revops_analysis.project import Project
from revops_analysis.reporting.preparation import RunRequest, Watcher
from revops_analysis.reporting.run import RunResult
from revops_analysis.reporting.schedule import runner
from revops_analysis.reporting.schedule.runner import Tools, run_due
from revops_analysis.reporting.schedule.state import Slot

OCTOBER = datetime(2026, 10, 1, 12, tzinfo=UTC)
SEPTEMBER = datetime(2026, 9, 1, 12, tzinfo=UTC)


def _run(project: Project, at: datetime, render: Any = cheap_render, **tools: Any) -> list[Slot]:
    return run_due(project, at, Tools(Quiet(), render, **tools))


def _said(slots: list[Slot]) -> list[tuple[str, str, str]]:
    return [(slot.name, slot.as_of.isoformat(), slot.state) for slot in slots]


def _text(mailbox: Mailbox, address: str) -> str:
    """The text part of the one mail to an address; pictures of its words for a test of what it says."""
    found = [message for to, message in mailbox.messages if to == address]
    assert len(found) == 1
    body = found[0].get_body(("plain",))
    assert body is not None
    return f"{found[0]['Subject']}\n{body.get_content()}"


def test_what_was_missed_is_caught_up_in_order_each_with_its_own_day(project: Project, mailbox: Mailbox) -> None:
    weekly = {"name": "weekly", "cron": "0 6 * * mon", "as_of": "last complete week", "starts": "2026-08-31"}
    write_schedule(project, {}, {**weekly, "recipients": {"to": "eva@example.com"}})
    worked = _run(project, datetime(2026, 9, 8, 12, tzinfo=UTC))
    assert _said(worked) == [
        ("monthly", "2026-06-30", "sent"),
        ("monthly", "2026-07-31", "sent"),
        ("weekly", "2026-08-30", "sent"),
        ("monthly", "2026-08-31", "sent"),
        ("weekly", "2026-09-06", "sent"),
    ]
    assert [slot.period for slot in worked] == ["2026-Q2", "2026-Q3", "2026-Q3", "2026-Q3", "2026-Q3"]
    assert len(runs_in(project)) == 5
    assert mailbox.addresses == ["ana@example.com"] * 3 + ["bob@example.com"] * 3 + ["eva@example.com"] * 2


def test_what_is_done_is_not_done_again_and_nothing_is_done_before_its_moment(
    project: Project, mailbox: Mailbox
) -> None:
    _run(project, SEPTEMBER)
    sent = len(mailbox.messages)
    assert _run(project, SEPTEMBER) == []
    assert _run(project, datetime(2026, 8, 1, 12, tzinfo=UTC)) == []  # an earlier moment undoes nothing
    assert _run(project, datetime(2026, 10, 1, 10, 59, tzinfo=UTC)) == []
    assert len(mailbox.messages) == sent
    assert _said(_run(project, datetime(2026, 10, 1, 11, 0, tzinfo=UTC))) == [("monthly", "2026-09-30", "sent")]


def test_another_time_of_day_does_not_bring_the_past_back(project: Project, mailbox: Mailbox) -> None:
    _run(project, SEPTEMBER)
    write_schedule(project, {"cron": "0 8 1 * *"})
    assert _said(_run(project, OCTOBER)) == [("monthly", "2026-09-30", "sent")]


def test_an_entry_that_is_gone_is_not_done(project: Project, mailbox: Mailbox) -> None:
    mailbox.always["CONNECT"] = "DROP"
    write_schedule(project, {"starts": "2026-09-01"})
    assert _said(_run(project, SEPTEMBER)) == [("monthly", "2026-08-31", "rendered")]
    mailbox.always.clear()
    write_schedule(project, {"name": "other", "starts": "2026-12-01"})
    assert _said(_run(project, OCTOBER)) == [("monthly", "2026-08-31", "removed")]
    assert mailbox.messages == []


def test_two_at_once_the_second_says_so(project: Project, mailbox: Mailbox, context: Any) -> None:
    write_schedule(project, {"starts": "2026-10-01"})
    heard: list[str] = []

    def render(request: RunRequest, home: Project, watcher: Watcher) -> RunResult:
        answers: Any = context.SimpleQueue()
        other = context.Process(target=_second_call, args=(home.root, answers))
        other.start()
        other.join(60)
        heard.append(answers.get())
        return cheap_render(request, home, watcher)

    assert _said(_run(project, OCTOBER, render)) == [("monthly", "2026-09-30", "sent")]
    assert "Another call is doing what is due" in heard[0]
    assert f"process {os.getpid()}" in heard[0]


def _second_call(root: Path, answers: Any) -> None:
    try:
        run_due(Project(root), OCTOBER, Tools(Quiet(), cheap_render))
        answers.put("it ran")
    except ConfigurationError as problem:
        answers.put(str(problem))


def test_the_load_is_of_the_slot_and_a_changed_source_makes_another(project: Project, mailbox: Mailbox) -> None:
    write_schedule(project, {"load": True, "starts": "2026-09-01"})
    first = _run(project, SEPTEMBER)
    write_deals(project, 5)
    second = _run(project, OCTOBER)
    assert (first[0].state, second[0].state) == ("sent", "sent")
    assert first[0].data_hash != second[0].data_hash
    manifest = json.loads((project.reports / second[0].folder / "manifest.json").read_text())
    assert manifest["data"]["hash"] == second[0].data_hash


def test_if_changed_is_sent_when_figures_change_and_not_when_only_the_day_does(
    project: Project, mailbox: Mailbox
) -> None:
    write_schedule(project, {"condition": "if changed", "starts": "2026-08-01"})
    assert _said(_run(project, SEPTEMBER)) == [("monthly", "2026-07-31", "sent"), ("monthly", "2026-08-31", "not sent")]

    def changed(request: RunRequest, home: Project, watcher: Watcher) -> RunResult:
        result = cheap_render(request, home, watcher)
        _alter(result.folder, [chapter(findings=2)])
        return result

    assert _said(_run(project, OCTOBER, changed)) == [("monthly", "2026-09-30", "sent")]
    assert mailbox.addresses == ["ana@example.com"] * 2 + ["bob@example.com"] * 2


@pytest.mark.parametrize(
    ("condition", "severities", "state"),
    [
        ("if finding at least critical", ["warning", "info"], "not sent"),
        ("if finding at least critical", ["info", "critical"], "sent"),
        ("if finding at least warning", ["critical"], "sent"),
        ("if finding at least warning", ["info"], "not sent"),
        ("if finding at least warning", ["watch", "info"], "not sent"),
        ("if finding at least warning", [], "not sent"),
    ],
)
def test_if_a_finding_is_bad_enough(
    project: Project, mailbox: Mailbox, condition: str, severities: list[str], state: str
) -> None:
    write_schedule(project, {"condition": condition, "starts": "2026-10-01"})

    def render(request: RunRequest, home: Project, watcher: Watcher) -> RunResult:
        result = cheap_render(request, home, watcher)
        found = [finding(number, severity=severity) for number, severity in enumerate(severities, 1)]
        _alter(result.folder, [chapter() | {"findings": found}])
        return result

    worked = _run(project, OCTOBER, render)
    assert [slot.state for slot in worked] == [state]
    assert bool(mailbox.messages) == (state == "sent")
    assert len(runs_in(project)) == 1  # it is rendered in any case


def _alter(folder: Path, chapters: list[dict[str, Any]]) -> None:
    """Give a run other chapters, and its manifest the new hash."""
    from revops_analysis.reporting.inputs import hash_bytes

    summary = json.loads((folder / "summary.json").read_text()) | {"chapters": chapters}
    (folder / "summary.json").write_text(json.dumps(summary))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["summary.json"] = hash_bytes((folder / "summary.json").read_bytes())
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_chapter_that_fails_is_told_with_its_error_and_the_last_lines(project: Project, mailbox: Mailbox) -> None:
    write_schedule(project, {"starts": "2026-10-01"}, {"name": "after", "starts": "2026-10-01"})

    def render(request: RunRequest, home: Project, watcher: Watcher) -> RunResult:
        watcher.say("Checking the data and running the chapters")
        watcher.cell("first", 3, 9)
        folder = home.reports / "failed"
        folder.mkdir(parents=True, exist_ok=True)
        output = {"output_type": "error", "traceback": ["\x1b[31mline 7\x1b[0m", "ZeroDivisionError: by <none>"]}
        (folder / "first.ipynb").write_text(json.dumps({"cells": [{"outputs": [output]}]}))
        return RunResult(folder, reused=False, failed={"first": "ZeroDivisionError: by <none>"})

    worked = _run(project, OCTOBER, render)
    assert [(slot.name, slot.state, slot.told) for slot in worked] == [
        ("monthly", "failed", True),
        ("after", "failed", True),
    ]
    assert mailbox.addresses == ["ops@example.com"] * 2
    message = mailbox.messages[0][1]
    assert message["Subject"] == "FAILED: monthly, as of 2026-09-30"
    for kind in ("plain", "html"):
        body = message.get_body((kind,))
        assert body is not None
        said = " ".join(body.get_content().replace("&lt;", "<").replace("&gt;", ">").split())
        for words in (
            "Chapter",
            "first",
            "ZeroDivisionError: by <none>",
            "What to do",
            "--again",
            "cell 3 of 9",
            "line 7",
        ):
            assert words in said, (kind, words)
        assert "\x1b" not in body.get_content()
    assert _run(project, OCTOBER, render) == []
    assert _said(_run(project, OCTOBER, again=("monthly",))) == [("monthly", "2026-09-30", "sent")]


def test_refused_data_go_to_their_owner_with_the_page(project: Project, mailbox: Mailbox) -> None:
    write_schedule(project, {"starts": "2026-10-01"})
    page = project.root / "gate.html"
    page.write_text("<h1>Checks of the data</h1>")

    def render(*_: Any) -> RunResult:
        raise DataRefusedError(
            "The data did not pass.", found="deals: stages are known", where=str(page), fix="Map it."
        )

    assert [(slot.state, slot.told) for slot in _run(project, OCTOBER, render)] == [("refused", True)]
    text = _text(mailbox, "crm@example.com")
    assert all(
        words in text for words in ("DATA REFUSED: monthly", "stages are known", "Map it.", "gate.html is attached")
    )
    attached = list(mailbox.messages[0][1].iter_attachments())
    assert [(part.get_filename(), part.get_content()) for part in attached] == [("gate.html", page.read_text())]


def test_a_mistake_of_the_program_is_told_and_holds_nothing_up(project: Project, mailbox: Mailbox) -> None:
    write_schedule(project, {"starts": "2026-09-01"})

    def render(request: RunRequest, home: Project, watcher: Watcher) -> RunResult:
        if request.as_of.month == 8:
            raise KeyError("nobody thought of it")
        return cheap_render(request, home, watcher)

    assert [slot.state for slot in _run(project, OCTOBER, render)] == ["failed", "sent"]
    assert "nobody thought of it" in _text(mailbox, "ops@example.com")
    assert "in render" in _text(mailbox, "ops@example.com")


def test_a_server_that_is_down_is_tried_again_later_a_few_times(project: Project, mailbox: Mailbox) -> None:
    """The first try is at 12:00, then 15 minutes, one hour and four hours after the one before."""
    write_schedule(project, {"starts": "2026-10-01"})
    mailbox.always["MAIL"] = "451 later"
    states = [_run(project, at) for at in (OCTOBER, OCTOBER.replace(minute=14), OCTOBER.replace(minute=15))]
    assert [[(slot.state, slot.tries) for slot in slots] for slots in states] == [
        [("rendered", 1)],
        [],
        [("rendered", 2)],
    ]
    mailbox.always.clear()
    assert _said(_run(project, OCTOBER.replace(hour=13, minute=15))) == [("monthly", "2026-09-30", "sent")]
    assert mailbox.addresses == ["ana@example.com", "bob@example.com"]
    assert len(runs_in(project)) == 1


def test_a_server_that_stays_down_is_given_up_and_told_once_it_is_back(project: Project, mailbox: Mailbox) -> None:
    write_schedule(project, {"starts": "2026-10-01"})
    mailbox.always["MAIL"] = "451 later"
    for hour in range(4):
        slots = _run(project, OCTOBER.replace(day=2 + hour))
    assert [(slot.state, slot.told) for slot in slots] == [("undelivered", False)]
    mailbox.always.clear()
    assert [(slot.state, slot.told) for slot in _run(project, OCTOBER.replace(day=7))] == [("undelivered", True)]
    assert "NOT DELIVERED: monthly" in _text(mailbox, "ops@example.com")
    assert _said(_run(project, OCTOBER.replace(day=8), again=("monthly",))) == [("monthly", "2026-09-30", "sent")]


def test_a_reader_who_is_refused_is_not_tried_again_and_is_told(project: Project, mailbox: Mailbox) -> None:
    write_schedule(project, {"starts": "2026-10-01"})
    mailbox.always["RCPT"] = lambda argument: "550 no such person" if "bob" in argument else None
    assert [(slot.state, slot.told) for slot in _run(project, OCTOBER)] == [("undelivered", True)]
    assert mailbox.addresses == ["ana@example.com", "ops@example.com"]
    assert "bob@example.com: the server answered RCPT TO with 550" in _text(mailbox, "ops@example.com")
    assert _run(project, OCTOBER.replace(day=2)) == []


def test_a_source_beyond_a_network_is_tried_again_and_anything_else_is_not(
    project: Project, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_schedule(project, {"load": True, "starts": "2026-10-01"})
    faults: list[Exception] = [UnreachableError("down"), UnreachableError("down")]
    usual = runner.load_data

    def load(*arguments: Any) -> Any:
        if faults:
            raise faults.pop(0)
        return usual(*arguments)

    monkeypatch.setattr(runner, "load_data", load)
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    assert [slot.state for slot in _run(project, OCTOBER)] == ["sent"]
    assert faults == []
    faults += [UnreachableError("down")] * 3
    write_schedule(project, {"load": True, "starts": "2026-10-01"}, {"name": "b", "load": True, "starts": "2026-10-01"})
    assert [(slot.state, slot.tries) for slot in _run(project, OCTOBER)] == [("due", 1)]
    faults += [ConfigurationError("wrong column")]
    assert [slot.state for slot in _run(project, OCTOBER.replace(hour=13))] == ["failed"]


def test_who_may_see_a_part_that_cannot_be_made_is_told_of_and_the_others_get_theirs(
    project: Project, mailbox: Mailbox
) -> None:
    write_schedule(project, {"starts": "2026-10-01", "recipients": {"lists": ["board", "regions"]}})
    assert [slot.state for slot in _run(project, OCTOBER)] == ["undelivered"]
    assert mailbox.addresses == ["ana@example.com", "bob@example.com", "ops@example.com"]
    assert "tiny cannot be cut: its accounts are not known" in " ".join(_text(mailbox, "ops@example.com").split())


def test_old_runs_make_room_and_what_another_entry_keeps_stays(project: Project, mailbox: Mailbox) -> None:
    write_schedule(project, {"keep_runs": 2}, {"name": "keeper", "starts": "2026-08-01", "keep_runs": 9})
    _run(project, OCTOBER)
    days = [place.split("/")[2] for place in runs_in(project)]
    assert days == ["2026-07-31", "2026-08-31", "2026-09-30"]
    assert not (project.reports / "tiny" / "tiny" / "2026-06-30").exists()
    assert "2026-06-30" not in (project.reports / "index.html").read_text()


def test_the_real_report_is_refused_by_the_real_gate_page(
    project: Project, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading, kernels and the page as they are; the gate, which takes seconds to import, gives a ready answer."""
    from revops_analysis.reporting.checker import Checker
    from revops_analysis.reporting.run import run_report

    monkeypatch.setattr(Checker, "validate", lambda *_: gate_with("critical"))
    write_schedule(project, {"starts": "2026-10-01", "load": True})
    assert _said(_run(project, OCTOBER, run_report)) == [("monthly", "2026-09-30", "refused")]
    text = _text(mailbox, "crm@example.com")
    assert "Map the stage." in text
    assert "1 rows read, 0 quarantined" in text
    attached = [part.get_content() for part in mailbox.messages[0][1].iter_attachments()]
    assert "The data may not be used" in attached[0]
    assert runs_in(project) == []


def test_no_settings_is_a_delivery_that_failed_and_not_a_lost_report(
    project: Project, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_schedule(project, {"starts": "2026-10-01"})
    monkeypatch.delenv("REVOPS_SMTP_HOST")
    watcher = Quiet()
    slots = run_due(project, OCTOBER, Tools(watcher, cheap_render))
    assert [(slot.state, slot.told) for slot in slots] == [("undelivered", False)]
    assert len(runs_in(project)) == 1
    assert watcher.phases[0].startswith("Mail cannot go out: REVOPS_SMTP_HOST is not set.")
