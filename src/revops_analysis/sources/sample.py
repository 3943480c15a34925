"""The sample company as a source: simulated once for each set of options, then loaded like any other files."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from revops_analysis import simulation
from revops_analysis.project import Project
from revops_analysis.simulation.options import SimulationOptions
from revops_analysis.simulation.timeline import DATA_THROUGH
from revops_analysis.sources.profile import SourceProfile, TableMap
from revops_analysis.tables.schema import TABLES

_DONE = ".complete"


def sample_profile(
    profile: SourceProfile, project: Project, progress: Callable[[str, int, int], None]
) -> SourceProfile:
    """Return the profile of the files that the simulation makes with these options; simulate unless they are there.

    The files lie in `warehouse/<source>/_generated/<key>/tables`. The key is a hash of the options and of the
    simulation's own code, so that a changed simulation is never mistaken for an earlier one.
    """
    options = SimulationOptions(profile.seed, profile.scale, profile.dirt, profile.scenario)
    folder = project.warehouse / profile.name / "_generated" / _key(options)
    if not (folder / _DONE).is_file():
        progress("simulate", 0, 1)
        _simulate(folder, options)
    return _files_profile(profile, folder / "tables")


def _simulate(folder: Path, options: SimulationOptions) -> None:
    aside = folder.with_name(f".{folder.name}-{os.getpid()}-{uuid.uuid4().hex[:8]}")
    aside.mkdir(parents=True)
    try:
        simulation.simulate(aside, options)
        (aside / _DONE).touch()
        if folder.exists():
            shutil.rmtree(folder)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _key(options: SimulationOptions) -> str:
    digest = hashlib.sha256(repr(sorted(asdict(options).items())).encode())
    code = Path(str(simulation.__file__)).parent
    for path in sorted(code.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _files_profile(profile: SourceProfile, tables: Path) -> SourceProfile:
    found: dict[str, tuple[TableMap, ...]] = {
        name: (TableMap(file=pattern),)
        for name in TABLES
        for pattern in (f"{name}.parquet", f"{name}/*.parquet")
        if any(tables.glob(pattern))
    }
    made = SourceProfile(
        kind="files",
        data_through=DATA_THROUGH,
        definitions=profile.definitions,
        root=str(tables),
        tables=found,
    )
    return made.stands_for(profile)
