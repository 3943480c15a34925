"""Every notebook is thin and stripped, and each rule is seen to fail."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from notebooks.hygiene import problems
from reporting.projects import notebook
from revops_analysis.project import Project
from revops_analysis.reporting.run import imports_of
from revops_analysis.reporting.spec import load_report

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted(path for path in (ROOT / "notebooks").rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)


def test_every_report_has_its_notebooks() -> None:
    reports = sorted((ROOT / "params" / "reports").glob("*.yml"))
    assert reports
    for report in reports:
        for chapter in load_report(report.stem, Project(ROOT)).notebooks:
            assert (ROOT / "notebooks" / f"{chapter.notebook}.ipynb") in NOTEBOOKS
        assert "revops_analysis.reporting.chapter" in imports_of(report.stem, Project(ROOT))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_thin_and_stripped(path: Path) -> None:
    assert problems(json.loads(path.read_text(encoding="utf-8"))) == []


def _good() -> dict[str, Any]:
    made = notebook("import pandas as pd", "chapter.key_figures([])")
    made["cells"][-1] |= {
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "x: 1\n"}],
        "execution_count": 3,
    }
    return made


def _source(number: int, text: str) -> Callable[[dict[str, Any]], None]:
    return lambda made: made["cells"][number].update(source=text)


BAD: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no question": (_source(0, "# Title"), "the question"),
    "no title": (_source(0, "What?"), "a title"),
    "no parameters": (lambda made: made["cells"][1]["metadata"].clear(), "tagged parameters"),
    "a parameter missing": (_source(1, 'source = "sample"'), "lacks as_of"),
    "a function": (_source(2, "def f():\n    pass"), "defines a function"),
    "a lambda": (_source(2, "f = lambda x: x"), "defines a function"),
    "a class": (_source(2, "class A:\n    pass"), "defines a function or a class"),
    "a hidden warning": (_source(2, "import pandas\npandas.filterwarnings('ignore')"), "hides warnings"),
    "a foreign import": (_source(2, "import requests"), "imports requests"),
    "a shell command": (_source(2, "!ls"), "shell command"),
    "a stored output": (lambda made: made["cells"][2].update(execution_count=1), "stored output"),
    "no key figures": (_source(3, "1"), "call key_figures"),
    "no stored key figures": (lambda made: made["cells"][3].update(outputs=[]), "nothing would be compared"),
    "no execution count": (lambda made: made["cells"][3].update(execution_count=None), "nothing would be compared"),
    "one id twice": (lambda made: made["cells"][2].update(id="title"), "same id"),
    "cell metadata": (lambda made: made["cells"][2]["metadata"].update(collapsed=True), "metadata other than tags"),
    "notebook metadata": (lambda made: made["metadata"].update(widgets={}), "more than the kernel"),
    "too large": (_source(2, "#" * 200_000), "too large"),
}


def test_a_good_notebook_has_no_problems() -> None:
    assert problems(_good()) == []


@pytest.mark.parametrize("name", BAD)
def test_each_rule_can_fail(name: str) -> None:
    alter, message = BAD[name]
    made = copy.deepcopy(_good())
    alter(made)
    assert any(message in problem for problem in problems(made))
