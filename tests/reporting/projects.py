"""A small project in a folder of its own: definitions, one source already loaded, one report of tiny notebooks."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ibis
import pandas as pd

from revops_analysis.project import Project
from revops_analysis.tables.warehouse import LoadRecord, WarehouseWriter

ROOT = Path(__file__).resolve().parents[2]
NASTY = "<script>alert(1)</script>{{7*7}}"

_WORKSPACE = """
import os
from datetime import date
from types import SimpleNamespace

import pandas as pd
from matplotlib.figure import Figure

from revops_analysis.reporting.chapter import Chapter

definitions = SimpleNamespace(version="1", hash="d" * 64, reporting_currency="USD")
workspace = SimpleNamespace(
    source=source, data_hash=data_hash, as_of=date.fromisoformat(as_of), definitions=definitions,
    notes=("No targets were supplied.",), used_current_columns=("accounts.segment",),
)
chapter = Chapter(NAME, workspace, period=period, out=out, seed=seed)
chapter.opening()
print(sorted(f"{name}={value}" for name, value in os.environ.items() if "SMTP" in name))
""".strip()
_HEADLINE = 'chapter.headline({"metric": "open_pipeline", "value": 1234567.5, "unit": "currency", "n": 12})'
_TABLE = """
frame = pd.DataFrame({"account": [TEXT, "Acme", "Zeta"], "amount": [-1500.5, 20000.0, 3.25], "deals": [3, 20, 100]})
chapter.table(frame, name="accounts", title="Accounts", units={"amount": "currency", "deals": "count"})
""".strip()
_FIGURE = """
figure = Figure(figsize=(6, 3))
figure.subplots().bar(["SMB", "Enterprise"], [1, 2])
chapter.figure(figure, name="bars", title="Bars", alt="Two bars, the second twice as high.")
""".strip()
_KEY_FIGURES = """
chapter.key_figures([
    {"metric": "open_pipeline", "value": 1234567.5, "unit": "currency", "n": 12},
    {"metric": "win_rate", "segment": "SMB", "value": 0.25, "unit": "rate", "low": 0.2, "high": 0.3, "n": 80},
])
""".strip()
PARAMETERS = 'source = "tiny"\nas_of = "2026-09-30"\nperiod = "2026-Q3"\nseed = 0\ndata_hash = ""\nout = ""'


def notebook(*sources: str, title: str = "A chapter") -> dict[str, Any]:
    """A notebook's content: title, parameters cell, then code cells; the last one is tagged keep_output."""
    cells: list[dict[str, Any]] = [
        {
            "cell_type": "markdown",
            "id": "title",
            "metadata": {},
            "source": f"# {title}\n\nWhat stands here?\n\n## Detail",
        },
        _code("parameters", PARAMETERS, ["parameters"]),
    ]
    for number, source in enumerate(sources):
        tags = ["keep_output"] if number == len(sources) - 1 else []
        cells.append(_code(f"cell-{number}", source, tags))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def _code(cell_id: str, source: str, tags: Sequence[str]) -> dict[str, Any]:
    metadata = {"tags": list(tags)} if tags else {}
    return {
        "cell_type": "code",
        "id": cell_id,
        "metadata": metadata,
        "source": source,
        "outputs": [],
        "execution_count": None,
    }


def chapter_notebook(name: str, *extra: str, title: str = "A chapter") -> dict[str, Any]:
    """A complete chapter: opening, headline, a table with a hostile name, a figure, extra cells, key figures."""
    opening = _WORKSPACE.replace("NAME", repr(name))
    return notebook(opening, _HEADLINE, _TABLE.replace("TEXT", repr(NASTY)), _FIGURE, *extra, _KEY_FIGURES, title=title)


def make_project(root: Path, notebooks: Mapping[str, Mapping[str, Any]], report: str = "") -> Project:
    """A project with the given notebooks as the report `tiny`, without PDF, and the loaded source `tiny`."""
    (root / "params" / "sources").mkdir(parents=True)
    (root / "params" / "reports").mkdir()
    (root / "notebooks").mkdir()
    shutil.copy(ROOT / "params" / "definitions.yml", root / "params" / "definitions.yml")
    shutil.copytree(ROOT / "expectations", root / "expectations")
    (root / "params" / "sources" / "tiny.yml").write_text(
        "kind: files\ndata_through: 2026-09-30\ntables:\n  opportunities:\n    file: deals.csv\n"
    )
    names = "".join(f"  - {name}\n" for name in notebooks)
    text = report or f"title: A tiny report\nnotebooks:\n{names}parameters:\n  seed: 0\npdf: never\n"
    (root / "params" / "reports" / "tiny.yml").write_text(text)
    for name, content in notebooks.items():
        (root / "notebooks" / f"{name}.ipynb").write_text(json.dumps(content))
    project = Project(root)
    load_deals(project)
    return project


def load_deals(project: Project, stage: str = "Discovery") -> None:
    """Load two deals as the source `tiny`; another `stage` makes another load."""
    deals = {
        "opportunity_id": ["1", "2"],
        "stage": [stage, "Closed Won"],
        "type": ["new", "new"],
        "created_at": [pd.Timestamp("2026-01-05"), pd.Timestamp("2026-02-05")],
        "close_date": [dt.date(2026, 12, 1), dt.date(2026, 8, 1)],
        "amount": [1000, 2000],
    }
    with WarehouseWriter(project, "tiny") as writer:
        writer.insert("opportunities", ibis.memtable(deals))
        writer.commit(LoadRecord(dt.date(2026, 9, 30), ("opportunities",)))
