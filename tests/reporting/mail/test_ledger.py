from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from revops_analysis.project import Project
from revops_analysis.reporting.mail.ledger import Ledger
from revops_analysis.tables.load_log import enter_load, load_log


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "warehouse" / "state.sqlite") as opened:
        yield opened


def test_a_row_is_entered_once_and_keeps_its_state(ledger: Ledger) -> None:
    ledger.enter("run", [("ana", "<1>"), ("bob", "<2>")])
    ledger.mark("run", ["ana"], "sent")
    ledger.enter("run", [("ana", "<1>"), ("eva", "<3>")])
    ledger.enter("other run", [("ana", "<4>")])
    states = {name: row.state for name, row in ledger.rows("run").items()}
    assert states == {"ana": "sent", "bob": "queued", "eva": "queued"}
    assert ledger.rows("other run")["ana"].state == "queued"
    assert ledger.rows("no run") == {}


def test_what_is_marked_is_there_for_another_process(ledger: Ledger, tmp_path: Path) -> None:
    ledger.enter("run", [("ana", "<1>")])
    ledger.mark("run", ["ana"], "sending", "on its way")
    with Ledger(tmp_path / "warehouse" / "state.sqlite") as other:
        assert (other.rows("run")["ana"].state, other.rows("run")["ana"].note) == ("sending", "on its way")


def test_what_was_being_sent_becomes_unknown_in_its_run_only(ledger: Ledger) -> None:
    for run in ("one", "two"):
        ledger.enter(run, [("ana", f"<{run}>"), ("bob", f"<{run}b>")])
        ledger.mark(run, ["ana"], "sending")
    ledger.find_interrupted("one")
    assert [row.state for row in ledger.rows("one").values()] == ["unknown", "queued"]
    assert [row.state for row in ledger.rows("two").values()] == ["sending", "queued"]


def test_there_are_no_other_states(ledger: Ledger) -> None:
    ledger.enter("run", [("ana", "<1>")])
    with pytest.raises(sqlite3.IntegrityError):
        ledger.mark("run", ["ana"], "lost")  # type: ignore[arg-type]


def test_mails_and_loads_share_a_file(ledger: Ledger, tmp_path: Path) -> None:
    project = Project(tmp_path)
    ledger.enter("run", [("ana", "<1>")])
    assert load_log(project, "sample") == []
    enter_load(project, "sample", "abc", dt.date(2026, 9, 30))
    assert load_log(project, "sample") == ["abc"]
    assert ledger.rows("run")["ana"].state == "queued"
