"""Which loads are still needed: a load stays as long as a manifest names it, so that its runs can be verified."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from revops_analysis.project import Project
from revops_analysis.reporting.manifest import MANIFEST, read_manifest
from revops_analysis.tables.load_log import load_log

if TYPE_CHECKING:
    import pandas as pd

_STAY = 2
"""The latest load, and the one before, with which the gate compares the next."""


def list_loads(project: Project, source: str, reports: Path) -> pd.DataFrame:
    """Every load of a source that is kept, the latest first.

    Columns: data_hash, bytes, runs (manifests below `reports` that rest on it or compare with it), needed (whether it
    stays: a run names it, or it is one of the two latest).
    """
    import pandas as pd

    folder = project.warehouse / source
    here = {path.stem: path.stat().st_size for path in folder.glob("[!.]*.duckdb")}
    in_order = [digest for digest in dict.fromkeys(load_log(project, source)) if digest in here]
    in_order += sorted(set(here) - set(in_order))
    named = _named(reports, source)
    rows = [
        {
            "data_hash": digest,
            "bytes": here[digest],
            "runs": named[digest],
            "needed": place < _STAY or named[digest] > 0,
        }
        for place, digest in enumerate(in_order)
    ]
    return pd.DataFrame(rows, columns=["data_hash", "bytes", "runs", "needed"])


def _named(reports: Path, source: str) -> Counter[str]:
    """How many manifests name each load; one that cannot be read is an error, for it may name any."""
    named: Counter[str] = Counter()
    for path in sorted(reports.rglob(MANIFEST)):
        if path.parent.is_symlink():
            continue
        document = read_manifest(path.parent)
        if document.get("source") == source:
            inputs = document.get("inputs", {})
            digests = {inputs.get(name) for name in ("data_hash", "previous_data_hash", "cut_of")}
            named.update(digest for digest in digests if digest)
    return named


def prune_loads(project: Project, source: str, reports: Path) -> list[str]:
    """Remove the loads that nothing needs, quarantined rows with them; returns their hashes."""
    listed = list_loads(project, source, reports)
    removed = [str(digest) for digest in listed.loc[~listed["needed"].astype(bool), "data_hash"]]
    for digest in removed:
        path = project.warehouse / source / f"{digest}.duckdb"
        path.unlink()
        shutil.rmtree(path.with_suffix(".quarantine"), ignore_errors=True)
    return removed
