"""Key figures stored in notebooks are compared strictly; everything else must run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reporting.projects import PARAMETERS, chapter_notebook, make_project
from revops_analysis.reporting.notebooks import refresh

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted(path for path in (ROOT / "notebooks").rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)


STARTUP = "import revops_analysis, revops_analysis.heavy_imports; revops_analysis.heavy_imports.keep_for_good()"
"""What a report's kernels have done when they begin."""


@pytest.fixture(scope="module")
def ipython(tmp_path_factory: pytest.TempPathFactory) -> str:
    """IPython's folder of settings, with what kernels run first."""
    folder = tmp_path_factory.mktemp("ipython")
    startup = folder / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00-report.py").write_text(STARTUP)
    return str(folder)


def nbval(path: Path, ipython: str) -> subprocess.CompletedProcess[str]:
    """Run nbval on one notebook in a pytest of its own, with the settings of a report's kernels."""
    environment = {**os.environ, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment["IPYTHONDIR"] = ipython
    environment.pop("PYTEST_ADDOPTS", None)
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-cell-timeout=600", "-q", "-p", "no:cacheprovider"]
    command += ["-p", "no:xdist", "-c", os.devnull, "--rootdir", str(path.parent), str(path)]
    return subprocess.run(command, capture_output=True, text=True, cwd=path.parent, env=environment, check=False)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_its_key_figures_are_the_stored_ones(path: Path, ipython: str) -> None:
    answer = nbval(path, ipython)
    assert answer.returncode == 0, answer.stdout[-4000:]


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny notebook whose key figures were stored the way `make notebooks` does it."""
    project = make_project(tmp_path_factory.mktemp("project"), {"tiny": chapter_notebook("tiny")})
    path = project.notebooks / "tiny.ipynb"
    assert refresh([], project) == [path]
    return path


def _altered(path: Path, folder: Path, alter: Any) -> Path:
    content = json.loads(path.read_text())
    alter(content["cells"])
    other = folder / path.name
    other.write_text(json.dumps(content))
    return other


def test_stored_key_figures_pass_and_refreshing_again_changes_nothing(refreshed: Path, ipython: str) -> None:
    stored = json.loads(refreshed.read_text())
    with_output = [cell["id"] for cell in stored["cells"] if cell.get("outputs")]
    assert with_output == [stored["cells"][-1]["id"]]
    assert "win_rate [segment=SMB]: 25.0%" in "".join(stored["cells"][-1]["outputs"][0]["text"])
    assert nbval(refreshed, ipython).returncode == 0


def test_a_changed_figure_fails(refreshed: Path, tmp_path: Path, ipython: str) -> None:
    def alter(cells: list[dict[str, Any]]) -> None:
        output = cells[-1]["outputs"][0]
        assert "25.0%" in "".join(output["text"])
        output["text"] = "".join(output["text"]).replace("25.0%", "25.1%")

    answer = nbval(_altered(refreshed, tmp_path, alter), ipython)
    assert answer.returncode == 1
    assert "25.1%" in answer.stdout


def test_a_cell_that_does_not_run_fails(refreshed: Path, tmp_path: Path, ipython: str) -> None:
    def alter(cells: list[dict[str, Any]]) -> None:
        cells[1]["source"] = PARAMETERS + "\n1 / 0"

    answer = nbval(_altered(refreshed, tmp_path, alter), ipython)
    assert answer.returncode == 1
    assert "ZeroDivisionError" in answer.stdout
