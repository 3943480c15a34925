"""The project is found from anywhere inside it, and its absence is explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from revops_analysis.errors import ConfigurationError
from revops_analysis.project import find_project


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "definitions.yml").write_text("version: '1'\n", encoding="utf-8")
    return tmp_path


def test_found_from_a_folder_below(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REVOPS_HOME", raising=False)
    below = elsewhere / "notebooks" / "questions"
    below.mkdir(parents=True)
    assert find_project(below).root == elsewhere.resolve()


def test_the_environment_names_it(elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVOPS_HOME", str(elsewhere))
    project = find_project(tmp_path / "nowhere")
    assert project.params == elsewhere.resolve() / "params"
    assert project.definitions_file.is_file()


def test_a_wrong_home_is_an_error_and_not_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVOPS_HOME", str(tmp_path / "gone"))
    with pytest.raises(ConfigurationError, match="No project found") as caught:
        find_project()
    assert "REVOPS_HOME" in str(caught.value)
