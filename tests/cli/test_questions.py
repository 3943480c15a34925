"""A question becomes a notebook that runs, and its answer a page that can be verified."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from end_to_end.commands import Answer, revops
from notebooks.hygiene import problems
from reporting.fakes import gate_with
from revops_analysis.reporting.checker import Checker
from revops_analysis.reporting.manifest import read_manifest

TITLE = "Why did Enterprise win rates fall in Q2 <b>so</b> much"
NAME = "2026-09-30-why-did-enterprise-win-rates-fall-in-q2-b-so-b-much.ipynb"
ASKED = ("--source", "sample", "--as-of", "2026-09-30")
ANSWER = "They did not: the fall is within what chance does."
WRITTEN = "### In short\n\nThey did not: the *fall* is within [what chance does](#sources).\n\nA second paragraph."


@pytest.fixture(scope="module")
def asked(home: Path) -> Path:
    """The notebook that the command made."""
    made = revops(home, "question", "new", TITLE, *ASKED)
    assert made.code == 0, made.stderr
    path = home / "notebooks" / "questions" / NAME
    assert made.stdout.strip().endswith(NAME)
    return path


def _cells(path: Path) -> dict[str, Any]:
    cells = json.loads(path.read_text())["cells"]
    return {cell["id"]: {**cell, "source": "".join(cell["source"])} for cell in cells}


def _with(path: Path, name: str, **sources: str) -> Path:
    """A copy of a notebook with other cells."""
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        if cell["id"] in sources:
            cell["source"] = sources[cell["id"]]
    other = path.with_name(name)
    other.write_text(json.dumps(notebook))
    return other


def test_the_notebook_asks_offers_and_leaves_room_for_the_answer(asked: Path, home: Path) -> None:
    cells = _cells(asked)
    assert cells["title"]["source"].startswith(r"# Why did Enterprise win rates fall in Q2 \<b\>so\</b\> much?")
    assert 'period = "2026-Q2"' in cells["parameters"]["source"]
    assert cells["answer"]["metadata"] == {"tags": ["answer"]}
    assert "`win_rate`: " in cells["metrics-title"]["source"]
    assert '"2025-Q2...2026-Q2", where="segment = Enterprise"' in cells["win-rate"]["source"]
    assert "problems_about(ws, question, period)" in cells["findings"]["source"]
    # A chapter in all but the figures, which are stored once they are computed.
    found = problems(json.loads(asked.read_text()))
    assert found == ["a keep_output cell has no stored output or no execution count, so nothing would be compared"]
    again = revops(home, "question", "new", TITLE, *ASKED)
    assert again.code == 2
    assert "already" in again.stderr


@pytest.fixture(scope="module")
def answered(asked: Path, home: Path) -> Answer:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checker, "validate", lambda *_: gate_with())
        return revops(home, "question", "answer", str(_with(asked, "2026-09-30-answered.ipynb", answer=WRITTEN)))


def test_the_answer_is_frozen_listed_and_complete(answered: Answer, home: Path) -> None:
    assert answered.code == 0, answered.stderr
    page = Path(answered.stdout.strip())
    folder = page.parent
    place = folder.relative_to(home / "reports")
    assert place.parts[:2] == ("questions", "sample")
    assert place.parts[3:5] == ("2026-09-30", "2026-Q2")
    text = (folder / "answer.html").read_text()
    assert "the <em>fall</em> is within" in text
    assert "<b>so</b>" not in text
    assert "Win rate, Enterprise, over five periods" in text
    figures = json.loads((folder / "key_figures.json").read_text())["rows"]
    assert figures[0]["metric"] == "win_rate"
    listed = (home / "reports" / "index.html").read_text()
    assert f"{place.as_posix()}/index.html" in listed
    assert "so&lt;/b&gt; much?" in listed
    first = page.read_text()
    assert f'<p class="rv-lead">{ANSWER}</p>' in first
    assert 'Figures and words are on one page: <a href="answer.html">' in first
    manifest = read_manifest(folder)
    assert set(manifest["inputs"]["notebooks"]) == {"answer"}
    assert "inputs/notebooks/answer.ipynb" in manifest["files"]


def test_an_answered_question_can_be_verified(answered: Answer, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Checker, "validate", lambda *_: gate_with())
    found = revops(home, "verify", answered.stdout.strip())
    assert found.code == 0, found.stdout
    assert "every byte is the same" in found.stdout


@pytest.mark.parametrize(
    "text",
    ["", "*Write the answer here: first the figure that decides it, then what follows from it.*", "## \n\n---\n"],
)
def test_an_empty_answer_is_refused(asked: Path, home: Path, text: str) -> None:
    answer = revops(home, "question", "answer", str(_with(asked, "empty.ipynb", answer=text)))
    assert answer.code == 2
    assert "no answer yet" in answer.stderr


def test_a_notebook_that_does_not_run_is_refused_and_nothing_is_published(
    asked: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checker, "validate", lambda *_: gate_with())
    broken = _with(asked, "broken.ipynb", answer=ANSWER, title="# Does this run?", **{"win-rate": "1 / 0"})
    answer = revops(home, "question", "answer", str(broken))
    assert answer.code == 4
    assert "ZeroDivisionError" in answer.stderr
    assert not list((home / "reports").glob("questions/sample/does-this-run/**/manifest.json"))


def test_a_notebook_outside_the_folder_is_refused(home: Path) -> None:
    for place in (home / "notebooks" / "forecast.ipynb", home / "notebooks" / "questions" / ".." / "forecast.ipynb"):
        answer = revops(home, "question", "answer", str(place))
        assert answer.code == 2
        assert "outside its folder" in answer.stderr
