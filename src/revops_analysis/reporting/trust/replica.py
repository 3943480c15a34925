"""A project as it was: a run's inputs in a temporary folder, from which it can be rendered again.

Data are linked, not copied; results of models that the project keeps are left out unless asked for, so that what is
rendered again is computed again.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from revops_analysis.errors import ConfigurationError
from revops_analysis.models.kept_files import model_folder
from revops_analysis.project import Project
from revops_analysis.reporting.preparation import RunRequest
from revops_analysis.reporting.trust import kept_inputs
from revops_analysis.reporting.trust.past_run import PastRun
from revops_analysis.sources.profile import load_profile
from revops_analysis.sources.variables import expand
from revops_analysis.tables.cut import Cut
from revops_analysis.tables.load_log import enter_load
from revops_analysis.tables.warehouse import find_warehouse
from revops_analysis.workspace import parse_cut


@dataclass(frozen=True)
class Stand:
    """Everything that a report is rendered from, but the code.

    `source` is the profile as chapters open it; `data` and `previous` are data hashes, `previous` that of the load
    which the gate compares with; `cut` is the part of the company, where the run holds no more; `pdf` says that a PDF
    was asked for against the report's setting. `files` are contents by their path below the project.
    """

    report: str
    source: str
    source_name: str
    profile: Mapping[str, Any]
    as_of: date
    period: str
    data: str
    previous: str | None
    allow_invalid: bool
    pdf: bool
    cut: Cut | None
    definitions: bytes
    files: Mapping[str, bytes]


def stand_of(run: PastRun, project: Project) -> Stand:
    """What a run was rendered from: its kept inputs, and what today's project has where nothing was kept.

    Raises ConfigurationError when neither has something.
    """
    inputs, manifest = run.inputs, run.manifest
    kept = kept_inputs.read_profile(project, manifest["source"], inputs["profile"])
    profile = kept or load_profile(run.source_as_written, project).model_dump(mode="json")
    return Stand(
        report=manifest["report"],
        source=run.source_as_written,
        source_name=manifest["source"],
        profile=profile,
        as_of=date.fromisoformat(manifest["as_of"]),
        period=manifest["period"],
        data=inputs.get("cut_of") or inputs["data_hash"],  # a cut is made again from the whole
        previous=inputs.get("previous_data_hash"),
        allow_invalid=inputs["allow_invalid"],
        cut=parse_cut(manifest["cut"]) if manifest.get("cut") else None,
        pdf=inputs.get("pdf", False) and inputs["report"].get("pdf") == "never",
        definitions=definitions_of(run, project),
        files=_files(run, project),
    )


def definitions_of(run: PastRun, project: Project) -> bytes:
    """The definitions of a run, as JSON: those it kept, else those of today's project."""
    kept = run.read(kept_inputs.DEFINITIONS)
    if kept is not None:
        return kept
    from revops_analysis.definitions import load_definitions

    found = load_definitions(load_profile(run.source_as_written, project).definitions_path(project))
    return json.dumps(found.model_dump(mode="json"), ensure_ascii=False).encode()


def _files(run: PastRun, project: Project) -> dict[str, bytes]:
    places = {
        **{f"notebooks/{name}.ipynb": f"{kept_inputs.NOTEBOOKS}/{name}.ipynb" for name in run.inputs["notebooks"]},
        **{name.removeprefix(f"{kept_inputs.FOLDER}/"): name for name in run.names_below(kept_inputs.NOTEBOOKS)},
        **{name.removeprefix(f"{kept_inputs.FOLDER}/"): name for name in run.names_below(kept_inputs.EXPECTATIONS)},
        "params/playbook.yml": kept_inputs.PLAYBOOK,
    }
    if not run.names_below(kept_inputs.EXPECTATIONS):
        places |= {f"expectations/{path.name}": "" for path in project.expectations.glob("*.json")}
    found = {place: _content(run, project, place, name) for place, name in places.items()}
    files = {place: content for place, content in found.items() if content is not None}
    kept = run.read(kept_inputs.REPORT)
    described = json.loads(kept) if kept else run.inputs["report"]
    spec = {key: value for key, value in described.items() if key != "name"}
    return {**files, f"params/reports/{run.manifest['report']}.yml": json.dumps(spec, ensure_ascii=False).encode()}


def _content(run: PastRun, project: Project, place: str, kept_name: str) -> bytes | None:
    kept = run.read(kept_name)
    if kept is not None or kept_name in run.manifest["files"]:
        return kept  # a kept copy that was altered is no input, and today's file would hide that
    today = project.root / place
    return today.read_bytes() if today.is_file() else None


@contextmanager
def replica(stand: Stand, project: Project, *, share_models: bool = False) -> Iterator[Project]:
    """A temporary project that holds what `stand` says, and no more; gone afterwards.

    `share_models` lets it use and add to what `project` keeps of its models, which saves minutes.

    Raises ConfigurationError when the data, or the load that they are compared with, are no longer kept.
    """
    with tempfile.TemporaryDirectory(prefix="revops-again-") as folder:
        made = Project(Path(folder).resolve())
        _write(made.root / "params" / "definitions.yml", stand.definitions)
        for place, content in stand.files.items():
            _write(made.root / place, content)
        _place_profile(stand, made)
        lock = project.root / "requirements.lock"
        if lock.is_file():
            shutil.copy(lock, made.root)
        for digest in (stand.previous, stand.data):  # the later one is the one that is found
            if digest:
                _link_data(stand.source_name, digest, project, made)
        kept = model_folder(project, stand.source_name)
        if share_models:
            kept.mkdir(parents=True, exist_ok=True)
            model_folder(made, stand.source_name).symlink_to(kept)
        yield made


def request_of(stand: Stand, made: Project) -> RunRequest:
    """The request that renders `stand` in its replica, into the replica's own folder of reports."""
    return RunRequest(
        stand.report,
        str(_profile_place(stand, made) or stand.source),
        stand.as_of,
        made.reports,
        stand.period,
        stand.allow_invalid,
        cut=stand.cut,
        pdf=stand.pdf,
    )


def _place_profile(stand: Stand, made: Project) -> None:
    """Write the profile where the run had it, and the definitions where the profile says that they are."""
    place = _profile_place(stand, made)
    if place is None:
        return  # a profile outside the project is read where it lies
    _write(place, json.dumps(stand.profile, ensure_ascii=False).encode())
    written = stand.profile.get("definitions")
    if written:
        target = (place.parent / expand(written, "definitions")).resolve()
        if target.is_relative_to(made.root):
            _write(target, stand.definitions)


def _profile_place(stand: Stand, made: Project) -> Path | None:
    if Path(stand.source).is_absolute():
        return None
    if "/" in stand.source or stand.source.endswith((".yml", ".yaml")):
        return made.root / stand.source
    return made.params / "sources" / f"{stand.source}.yml"


def _link_data(source: str, digest: str, project: Project, made: Project) -> None:
    info = find_warehouse(project, source, digest)
    if info.path is None or info.content_hash != digest:
        raise ConfigurationError("The data are no longer kept.", expected=digest, where=f"warehouse/{source}")
    target = made.warehouse / source / info.path.name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(info.path.resolve())
    enter_load(made, source, digest, info.data_through)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
