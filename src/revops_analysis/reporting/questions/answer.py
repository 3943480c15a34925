"""An answered question frozen: run clean from top to bottom, published as a page with PDF, key figures and manifest.

It is a report of one chapter, so everything that holds for reports holds for it: the gate, the kept inputs, masking,
`revops verify`. It is published below `reports/questions/` and listed among the reports.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from revops_analysis.errors import ChapterFailedError, ConfigurationError, DataRefusedError
from revops_analysis.paths import stay_inside
from revops_analysis.project import Project
from revops_analysis.reporting.assembly import write_list_of_runs
from revops_analysis.reporting.parameters import declared_parameters
from revops_analysis.reporting.preparation import RunRequest
from revops_analysis.reporting.publish import only_one, point_latest, publish, staging_folder
from revops_analysis.reporting.questions.new import ANSWER_TAG, CHAPTER, FOLDER, PLACEHOLDER, slug_of
from revops_analysis.reporting.run import run_report

if TYPE_CHECKING:
    from revops_analysis.reporting.preparation import Watcher

_MARKS = re.compile(r"\[([^\]]*)\]\([^)]*\)|[*`]+|\\(?=\W)")
"""Links, of which the words stay, and the marks of emphasis, code and escapes."""


def answer_question(file: Path, project: Project, watcher: Watcher) -> Path:
    """Run a question's notebook and freeze it; returns the page.

    Raises ConfigurationError for a file outside `notebooks/questions/`, without a question or with an empty answer;
    ChapterFailedError when it does not run from top to bottom, in which case nothing is published; DataRefusedError
    when the gate refuses the data.
    """
    notebook = _read(file, project)
    title = _question_of(notebook, file)
    answer = _answer_of(notebook, file)
    parameters = declared_parameters(notebook, file.stem)
    reports = project.reports / FOLDER
    reports.mkdir(parents=True, exist_ok=True)
    with _question_project(project, title, answer, notebook) as made, staging_folder(reports) as staged:
        place = str(parameters["source"])
        day = date.fromisoformat(str(parameters["as_of"]))
        request = RunRequest(slug_of(title), place, day, made.reports, str(parameters["period"]))
        try:
            result = run_report(request, made, watcher)
        except DataRefusedError as refused:
            raise _with_gate_page(refused, made, project) from refused
        if result.failed:
            raise _failed(result.failed, file)
        target = reports / result.folder.relative_to(made.reports)
        shutil.copytree(result.folder, staged / "run")
        publish(staged / "run", target)
    point_latest(target)
    with only_one(project.reports, "index"):
        write_list_of_runs(reports)
        write_list_of_runs(project.reports)
    return target / "index.html"


def _read(file: Path, project: Project) -> dict[str, Any]:
    place = stay_inside(file, project.notebooks / FOLDER, "A question's notebook")
    try:
        found: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        found["cells"]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise ConfigurationError(
            "This is no notebook.", found=str(problem), where=str(file), fix='make one: revops question new "…"'
        ) from problem
    return found


def _question_of(notebook: Mapping[str, Any], file: Path) -> str:
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            for line in _source(cell).splitlines():
                if line.startswith("# "):
                    return line[2:].replace("\\", "").strip()
    raise ConfigurationError(
        "The notebook asks nothing.",
        expected="a first cell with the question as its title, `# Why …?`",
        where=str(file),
    )


def _answer_of(notebook: Mapping[str, Any], file: Path) -> str:
    """The answer's first paragraph as plain words, which stand below the question wherever it is listed."""
    cells = [cell for cell in notebook["cells"] if ANSWER_TAG in cell["metadata"].get("tags", [])]
    written = [_source(cell).replace(PLACEHOLDER, "").strip() for cell in cells]
    words = [line for text in written for line in text.splitlines() if line.strip(" #*_-")]
    if not words:
        raise ConfigurationError(
            "The question has no answer yet.",
            expected="words in the cell tagged answer",
            found="no such cell" if not cells else "an empty one",
            where=str(file),
            fix="write the answer there, in a sentence with its figures",
        )
    paragraph = " ".join(takewhile(str.strip, dropwhile(_is_heading, "\n".join(written).splitlines())))
    return _MARKS.sub(r"\1", paragraph) or words[0]


def _is_heading(line: str) -> bool:
    return not line.strip() or line.startswith("#")


def _source(cell: Mapping[str, Any]) -> str:
    return "".join(cell["source"])


@contextmanager
def _question_project(project: Project, title: str, answer: str, notebook: Mapping[str, Any]) -> Iterator[Project]:
    """The project with the question as its one report, in a temporary folder; data are the project's own."""
    with tempfile.TemporaryDirectory(prefix="revops-question-") as folder:
        made = Project(Path(folder).resolve())
        for place in (project.params, project.expectations):
            shutil.copytree(place, made.root / place.name)
        project.warehouse.mkdir(exist_ok=True)
        made.warehouse.symlink_to(project.warehouse)
        lock = project.root / "requirements.lock"
        if lock.is_file():
            shutil.copy(lock, made.root)
        spec = {"title": title, "description": answer, "notebooks": [CHAPTER]}
        (made.params / "reports").mkdir(exist_ok=True)
        (made.params / "reports" / f"{slug_of(title)}.yml").write_text(json.dumps(spec), encoding="utf-8")
        made.notebooks.mkdir()
        (made.notebooks / f"{CHAPTER}.ipynb").write_text(json.dumps(_clean(notebook), indent=1), encoding="utf-8")
        yield made


def _clean(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """The notebook without anything that an earlier run left in it, so that equal questions have equal inputs."""
    cells = []
    for cell in notebook["cells"]:
        tags = cell["metadata"].get("tags", [])
        kept = {**cell, "metadata": {"tags": tags} if tags else {}, "source": _source(cell)}
        if cell["cell_type"] == "code":
            kept |= {"outputs": [], "execution_count": None}
        cells.append(kept)
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}


def _with_gate_page(refused: DataRefusedError, made: Project, project: Project) -> DataRefusedError:
    """The refusal, with the gate's page brought to where reports are."""
    page = Path(refused.where or "")
    if not page.is_relative_to(made.reports):
        return refused
    place = project.reports / page.relative_to(made.reports)
    shutil.copytree(page.parent, place.parent, dirs_exist_ok=True)
    return DataRefusedError(refused.what, found=refused.found, where=str(place), fix=refused.fix)


def _failed(failed: Mapping[str, str], file: Path) -> ChapterFailedError:
    return ChapterFailedError(
        "The notebook does not run from top to bottom, so nothing was published.",
        found="; ".join(failed.values()),
        where=str(file),
        fix="restart its kernel, run all cells, and correct the one that fails",
    )
