"""A report's description and a notebook's parameters: checked, with the line, before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reporting.projects import PARAMETERS, notebook
from revops_analysis.errors import ConfigurationError
from revops_analysis.project import Project
from revops_analysis.reporting.parameters import check_parameters, declared_parameters
from revops_analysis.reporting.spec import load_report

ROOT = Path(__file__).resolve().parents[2]
GOOD = "title: T\nnotebooks:\n  - one\n  - notebook: two\n    parameters: {seed: 7}\nparameters:\n  seed: 1\n"


def _report(text: str, root: Path) -> Project:
    (root / "params" / "reports").mkdir(parents=True)
    (root / "params" / "reports" / "r.yml").write_text(text)
    return Project(root)


def test_the_projects_own_report_is_valid() -> None:
    spec = load_report("quarterly", Project(ROOT))
    chapters = [chapter.notebook for chapter in spec.notebooks]
    assert chapters == ["forecast", "pipeline_health", "attribution", "cohort_nrr"]
    assert spec.gate.refuse_on == "critical"


def test_a_chapters_parameters_override_the_reports(tmp_path: Path) -> None:
    spec = load_report("r", _report(GOOD, tmp_path))
    assert [spec.parameters_of(chapter) for chapter in spec.notebooks] == [{"seed": 1}, {"seed": 7}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD + "colour: red\n", ["Unknown key colour", "line 8"]),
        (GOOD.replace("  - one", "  - two"), ["two is named twice", "line 2"]),
        (GOOD.replace("  - one", "  - one.ipynb"), ["no notebook name"]),
        (GOOD.replace("title: T\n", ""), ["title"]),
        ("title: T\nnotebooks: []\n", ["notebooks"]),
        (GOOD + "gate:\n  refuse_on: never\n", ["refuse_on", "line 9", "never"]),
        (GOOD + "gate:\n  refuse: never\n", ["Unknown key refuse", "line 9", "refuse_on"]),
        (GOOD.replace("  seed: 1", "  as_of: 2026-09-30"), ["as_of is set by the run"]),
        (GOOD + "title: U\n", ["title stands twice"]),
        (GOOD + "cell_timeout_seconds: 0\n", ["cell_timeout_seconds", "line 8"]),
        ("- just\n- a list\n", ["list of settings"]),
        ("title: [\n", ["YAML"]),
    ],
)
def test_a_wrong_description_is_refused_with_its_line(text: str, words: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        load_report("r", _report(text, tmp_path))
    assert all(word in str(refusal.value) for word in words), str(refusal.value)


@pytest.mark.parametrize("name", ["../r", "none", "R"])
def test_an_unknown_report_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such report"):
        load_report(name, _report(GOOD, tmp_path))


def _with_parameters(source: str) -> dict[str, Any]:
    made = notebook("1")
    made["cells"][1]["source"] = source
    return made


def test_declared_parameters_are_the_cells_defaults() -> None:
    declared = declared_parameters(notebook("1"), "n")
    assert declared == {
        "source": "tiny",
        "as_of": "2026-09-30",
        "period": "2026-Q3",
        "seed": 0,
        "data_hash": "",
        "out": "",
    }
    assert declared_parameters(_with_parameters("seed: int = -1"), "n") == {"seed": -1}


@pytest.mark.parametrize("source", ["import os", "x = y", "x = [1]", "x = f()", "a, b = 1, 2", "x = None", "x = = 1"])
def test_a_parameters_cell_holds_plain_defaults_only(source: str) -> None:
    with pytest.raises(ConfigurationError, match="parameters cell"):
        declared_parameters(_with_parameters(source), "n")


def test_a_notebook_has_exactly_one_parameters_cell() -> None:
    none = notebook("1")
    none["cells"][1]["metadata"] = {}
    with pytest.raises(ConfigurationError, match="one cell tagged parameters"):
        declared_parameters(none, "n")
    with pytest.raises(ConfigurationError, match="one cell tagged parameters"):
        declared_parameters({"cells": notebook("1")["cells"] * 2}, "n")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sead": 1}, ["no parameter sead", "seed"]),
        ({"seed": "1"}, ["seed has the wrong type", "whole number", "'1'"]),
        ({"seed": True}, ["seed has the wrong type"]),
        ({"as_of": 20260930}, ["as_of has the wrong type", "text"]),
    ],
)
def test_wrong_parameters_are_refused(given: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        check_parameters(_with_parameters(PARAMETERS), "n", given)
    assert all(word in str(refusal.value) for word in words)


def test_right_parameters_are_returned_as_given() -> None:
    assert check_parameters(_with_parameters(PARAMETERS), "n", {"seed": 3, "period": "2026"}) == {
        "period": "2026",
        "seed": 3,
    }
