"""A change between two runs is shared out among data, definitions and code, and the shares add up."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ibis
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from end_to_end.commands import revops
from reporting.fakes import gate_with
from reporting.projects import make_project, notebook
from reporting.test_run import Quiet
from revops_analysis.errors import ConfigurationError
from revops_analysis.project import Project
from revops_analysis.reporting.checker import Checker
from revops_analysis.reporting.preparation import RunRequest
from revops_analysis.reporting.run import run_report
from revops_analysis.reporting.trust import run_diff
from revops_analysis.reporting.trust.figures_only import Figures
from revops_analysis.reporting.trust.run_diff import RunDiff, diff_runs
from revops_analysis.tables.warehouse import LoadRecord, WarehouseWriter

_OPEN = """
from revops_analysis.reporting.chapter import Chapter
from revops_analysis.workspace import open_workspace

ws = open_workspace(source, as_of=as_of, data_hash=data_hash)
chapter = Chapter("only", ws, period=period, out=out, seed=seed)
""".strip()
_FIGURES = """
chapter.key_figures([
    ws.metric_result("bookings", period),
    ws.metric_result("bookings", period, by="type"),
    ws.metric_result("win_rate", period),
    {"metric": "handwork", "value": 41, "unit": "count"},
])
""".strip()


def _load(project: Project, new: int, expansion: int) -> None:
    deals = {
        "opportunity_id": ["1", "2", "3"],
        "stage": ["Closed Won", "Closed Won", "Closed Lost"],
        "type": ["new", "expansion", "expansion"],
        "created_at": [pd.Timestamp("2026-01-05")] * 3,
        "close_date": [dt.date(2026, 8, 1)] * 3,
        "amount": [new, expansion, 10],
    }
    with WarehouseWriter(project, "tiny") as writer:
        writer.insert("opportunities", ibis.memtable(deals))
        writer.commit(LoadRecord(dt.date(2026, 9, 30), ("opportunities",)))


@dataclass(frozen=True)
class Runs:
    """Run A, and run B after data, words and notebook have changed."""

    project: Project
    before: Path
    after: Path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    project = make_project(tmp_path_factory.mktemp("project"), {"only": notebook(_OPEN, _FIGURES)})
    request = RunRequest("tiny", "tiny", dt.date(2026, 9, 30), project.reports)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checker, "validate", lambda *_: gate_with())
        _load(project, 1000, 500)
        before = run_report(request, project, Quiet())
        _load(project, 3000, 700)
        words = project.definitions_file.read_text()
        project.definitions_file.write_text(words.replace("headline_types: [new, expansion]", "headline_types: [new]"))
        path = project.notebooks / "only.ipynb"
        path.write_text(path.read_text().replace("41", "42"))
        after = run_report(request, project, Quiet())
    assert before.failed == after.failed == {}
    return Runs(project, before.folder, after.folder)


def _shares(found: RunDiff) -> dict[tuple[str, str], tuple[Any, ...]]:
    frame = found.to_frame().astype(object)
    frame = frame.where(frame.notna(), None)
    return {
        (row.metric, row.dims): (row.before, row.after, row.data, row.definitions, row.code)
        for row in frame.itertuples()
    }


@pytest.fixture(scope="module")
def watcher() -> Quiet:
    return Quiet()


@pytest.fixture(scope="module")
def found(runs: Runs, watcher: Quiet) -> RunDiff:
    return diff_runs(runs.before, runs.after / "index.html", runs.project, watcher)


def test_the_command_prints_what_moved_and_as_much_as_json(
    runs: Runs, found: RunDiff, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_diff, "diff_runs", lambda *_: found)
    table = revops(runs.project.root, "diff", str(runs.before), str(runs.after))
    assert table.code == 0, table.stderr
    assert "5 of 5 key figures moved." in table.stdout
    assert "USD 2,200" in table.stdout
    assert "33.3 points" in table.stdout
    document = json.loads(revops(runs.project.root, "diff", "a", "b", "--format", "json").stdout)
    assert (document["schema"], document["currency"]) == ("revops.diff/1", "USD")
    assert document["rows"][0] == {
        "metric": "bookings", "dims": {}, "unit": "currency", "before": "1500.00", "after": "3000.00",
        "change": "1500.00", "data": "2200.00", "definitions": "-700.00", "code": "0.00", "reason": None,
    }  # fmt: skip
    lines = revops(runs.project.root, "diff", "a", "b", "--format", "csv").stdout.splitlines()
    assert lines[1].startswith("bookings,,currency,1500.00,3000.00,1500.00,2200.00,-700.00,0.00")


def test_each_change_is_shared_out_and_adds_up(found: RunDiff, watcher: Quiet) -> None:
    shares = _shares(found)
    assert shares["bookings", ""] == (1500, 3000, 2200, -700, 0)
    assert shares["bookings", "type new"] == (1000, 3000, 2000, 0, 0)
    assert shares["handwork", ""] == (41, 42, 0, 0, 1)
    assert shares["win_rate", ""] == (Decimal("0.666667"), 1, 0, Decimal("0.333333"), 0)
    assert shares["bookings", "type expansion"] == (500, None, None, None, None)
    for move in found.moves:
        if move.change is not None:
            assert (move.data or 0) + (move.definitions or 0) + (move.code or 0) == move.change
    assert len(watcher.phases) == 2  # what run B published needed no computing
    words = " ".join(found.notes)
    assert "The data went from" in words
    assert "The definitions went from" in words
    assert "counted as code: notebooks" in words


def test_the_same_run_has_not_moved_and_nothing_is_computed(runs: Runs) -> None:
    watcher = Quiet()
    found = diff_runs(runs.after, runs.after, runs.project, watcher)
    assert not any(move.moved for move in found.moves)
    assert {move.change for move in found.moves} == {Decimal(0)}
    assert watcher.phases == []
    assert found.notes == ("Both runs were made of the same.",)


def test_without_the_earlier_data_only_the_share_of_words_is_told(runs: Runs) -> None:
    digest = json.loads((runs.before / "manifest.json").read_text())["data"]["hash"]
    file = runs.project.warehouse / "tiny" / f"{digest}.duckdb"
    file.rename(file.with_suffix(".away"))
    try:
        found = diff_runs(runs.before, runs.after, runs.project, Quiet())
    finally:
        file.with_suffix(".away").rename(file)
    assert _shares(found)["bookings", ""] == (1500, 3000, None, -700, None)
    (bookings,) = [move for move in found.moves if move.key == ("bookings", ())]
    assert digest in str(bookings.reason)


def test_runs_of_two_reports_are_refused(runs: Runs, tmp_path: Path) -> None:
    for path in runs.before.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "report": "another"}))
    with pytest.raises(ConfigurationError, match="two reports"):
        diff_runs(tmp_path, runs.after, runs.project, Quiet())
    (tmp_path / "key_figures.json").write_text("{}")
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ConfigurationError, match="not those that were rendered"):
        diff_runs(tmp_path, runs.after, runs.project, Quiet())


VALUES = st.one_of(
    st.none(), st.decimals(-(10**12), 10**12, places=2).map(str), st.floats(-9, 9).map(lambda x: round(x, 6))
)


@given(st.lists(VALUES, min_size=5, max_size=5), st.booleans(), st.booleans())
def test_whatever_the_steps_say_the_shares_add_up_or_are_none(
    values: list[Any], same_question: bool, same_words: bool
) -> None:
    key = ("m", ())
    before, start, middle, end, after = ({"value": value, "unit": "ratio", "reason": "why"} for value in values)
    steps = SimpleNamespace(
        start=Figures({key: start}), middle=Figures({key: middle}), end=Figures({key: end}),
        same_question=same_question, same_words=same_words,
    )  # fmt: skip
    move = run_diff._move(key, before, after, steps)  # type: ignore[arg-type]
    shares = (move.data, move.definitions, move.code)
    if move.change is None:
        assert shares == (None, None, None)
        assert move.reason is not None or move.before == move.after
    elif None in shares:
        assert move.reason
        assert move.code is None
    else:
        assert sum(share for share in shares if share is not None) == move.change == move.after - move.before  # type: ignore[operator]


def test_the_words_of_a_run_can_be_restated_from(runs: Runs) -> None:
    words = ("--definitions", str(runs.before), str(runs.project.definitions_file))
    asked = ("restate", *words, "--source", "tiny", "--as-of", "2026-09-30", "--period", "2026-Q3")
    answer = revops(runs.project.root, *asked, "--metric", "bookings", "--format", "csv")
    assert answer.code == 0, answer.stderr
    assert answer.stdout.splitlines()[1] == "bookings,2026-Q3,currency,3700.00,3000.00,-700.00,2,1,,"
    assert "USD −700" in revops(runs.project.root, *asked, "--metric", "bookings").stdout
