"""`revops schedule` from end to end, on a project whose one report has a missing notebook or none at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from end_to_end.commands import Answer, revops
from reporting.schedule.cases import make_scheduled, write_schedule
from revops_analysis.project import Project

Command = Callable[..., Answer]


@pytest.fixture(scope="module")
def scheduled(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_scheduled(tmp_path_factory.mktemp("scheduled") / "project")


@pytest.fixture
def command(scheduled: Project) -> Command:
    def call(*arguments: str) -> Answer:
        return revops(scheduled.root, "schedule", *arguments)

    return call


def test_list_and_next_say_what_is_due_when_and_of_which_day(command: Command) -> None:
    listed = command("list")
    assert listed.code == 0
    assert all(word in listed.stdout for word in ("monthly", "tiny", "0 7 1 * *", "America/New_York", "board"))
    answer = command("next", "--at", "2026-09-30T12:00Z", "--count", "2")
    assert answer.code == 0
    lines = [line for line in answer.stdout.splitlines() if "monthly" in line]
    assert [("EDT" in line, "EST" in line) for line in lines] == [(True, False), (False, True)]
    assert all(words in lines[0] for words in ("2026-10-01 07:00", "2026-09-30", "2026-Q3"))


def test_run_says_what_failed_and_ends_with_its_code(command: Command, scheduled: Project) -> None:
    write_schedule(scheduled, {"name": "late", "starts": "2026-11-01"})
    answer = command("run", "--at", "2026-11-01T12:00Z")
    assert answer.code == 4
    assert "The as-of date lies after what the data cover" in answer.stdout
    assert "nobody could be told yet" in answer.stdout  # there is no mail server here
    assert "When the cause is gone: revops schedule run --at MOMENT --again late" in answer.stderr
    assert "failed" in command("list").stdout
    assert command("run", "--at", "2026-11-01T12:01Z").stdout == "Nothing was due.\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "--at", "2026-10-01"), "needs its offset"),
        (("run", "--at", "yesterday"), "--at is no moment"),
        (("run", "--at", "2026-10-01T12:00Z", "--again", "weekly"), "no such entry"),
        (("export",), "--cron or --systemd"),
        (("export", "--cron", "--systemd"), "--cron or --systemd"),
    ],
)
def test_wrong_use_is_exit_code_2(command: Command, arguments: tuple[str, ...], words: str) -> None:
    answer = command(*arguments)
    assert answer.code == 2
    assert words in answer.stderr


def test_export_prints_an_entry(command: Command, scheduled: Project) -> None:
    assert str(scheduled.root) in command("export", "--cron").stdout
    assert "[Service]" in command("export", "--systemd").stdout


def test_run_needs_a_moment(command: Command) -> None:
    assert command("run").code == 2
