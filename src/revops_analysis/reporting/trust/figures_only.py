"""Key figures under inputs that no run ever had together: chapters run, no gate, no pages, nothing published."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from revops_analysis.project import Project
from revops_analysis.reporting.chapter import PARTS
from revops_analysis.reporting.preparation import prepare
from revops_analysis.reporting.publish import staging_folder
from revops_analysis.reporting.run import imports_of, run_all_chapters
from revops_analysis.reporting.trust.comparison import FigureKey, by_name
from revops_analysis.reporting.trust.replica import Stand, replica, request_of
from revops_analysis.tables.memory import share_of

if TYPE_CHECKING:
    from revops_analysis.reporting.preparation import Watcher


@dataclass(frozen=True)
class Figures:
    """Published rows by name; `missing` says why rows that one would expect may not be there (empty: all are)."""

    rows: Mapping[FigureKey, Mapping[str, Any]]
    missing: str = ""


def figures_under(stand: Stand, project: Project, watcher: Watcher) -> Figures:
    """Run the chapters of `stand` and return what they publish.

    A chapter that fails under these inputs leaves its figures out, and `missing` says so. Raises ConfigurationError
    when the data are no longer kept.
    """
    from revops_analysis.reporting.kernels import KernelServer

    with replica(stand, project, share_models=True) as made:
        request = request_of(stand, made)
        memory = share_of(sum(place.startswith("notebooks/") for place in stand.files))
        with KernelServer(imports_of(stand.report, made), {"REVOPS_HOME": str(made.root), **memory}) as server:
            prepared = prepare(request, made, watcher)
            with staging_folder(made.reports) as staged:
                outcomes = run_all_chapters(prepared, staged, server, watcher)
                parts = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(staged.glob(f"{PARTS}/*"))]
    failed = [f"the chapter {outcome.name} failed: {outcome.error}" for outcome in outcomes if outcome.error]
    return Figures(by_name([row for part in parts for row in part["rows"]]), "; ".join(failed))
