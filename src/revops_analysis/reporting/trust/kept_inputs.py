"""What a run keeps of its inputs, so that it can be rendered again after the project has moved on.

In the run's own folder, `inputs/`: `definitions.json` (every word, defaults written out), `report.json`,
`playbook.yml`, `notebooks/*.ipynb`, `expectations/*.json`. The source's profile is kept beside the data instead,
`warehouse/<source>/profiles/<hash>.json`: run folders are served and mailed, and a profile says where databases are.
The data stay in the warehouse, the code in git; the manifest names both by hash.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from revops_analysis.project import Project
from revops_analysis.reporting.key_figures import dump_json
from revops_analysis.reporting.publish import write_file
from revops_analysis.reporting.spec import load_report
from revops_analysis.reporting.trust.past_run import INPUTS

if TYPE_CHECKING:
    from revops_analysis.reporting.preparation import Preparation

FOLDER = INPUTS
DEFINITIONS = f"{FOLDER}/definitions.json"
REPORT = f"{FOLDER}/report.json"
PLAYBOOK = f"{FOLDER}/playbook.yml"
NOTEBOOKS = f"{FOLDER}/notebooks"
EXPECTATIONS = f"{FOLDER}/expectations"


def keep_inputs(prepared: Preparation, project: Project, staged: Path) -> None:
    """Write into `staged` what the run was rendered from, and the source's profile beside its data."""
    spec = load_report(prepared.spec.name, project)  # with the chapters that a cut leaves out
    for chapter in spec.notebooks:
        name = chapter.notebook
        content = prepared.notebooks.get(name) or (project.notebooks / f"{name}.ipynb").read_bytes()
        _write(staged / NOTEBOOKS / f"{name}.ipynb", content)
    for path in sorted(project.expectations.glob("*.json")):
        _write(staged / EXPECTATIONS / path.name, path.read_bytes())
    if project.playbook_file.is_file():
        _write(staged / PLAYBOOK, project.playbook_file.read_bytes())
    _write(staged / DEFINITIONS, dump_json(prepared.definitions.model_dump(mode="json")).encode())
    _write(staged / REPORT, dump_json(spec.model_dump(mode="json")).encode())
    profile = prepared.profile
    kept = profile_file(project, profile.name, profile.hash)
    if not kept.is_file():
        write_file(kept, dump_json(profile.model_dump(mode="json")))


def profile_file(project: Project, source: str, digest: str) -> Path:
    """Where the profile of a source with a given hash is kept."""
    return project.warehouse / source / "profiles" / f"{digest}.json"


def read_profile(project: Project, source: str, digest: str) -> Mapping[str, Any] | None:
    """The kept profile with that hash; None if it is not there."""
    path = profile_file(project, source, digest)
    found: Mapping[str, Any] | None = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    return found


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
