"""Where a project's folders are: parameters, expectations, notebooks, warehouse, reports."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from revops_analysis.errors import ConfigurationError
from revops_analysis.paths import MARKER


@dataclass(frozen=True)
class Project:
    """The folders of one project, all relative to its root."""

    root: Path

    @property
    def params(self) -> Path:
        """Definitions, source profiles and report descriptions."""
        return self.root / "params"

    @property
    def definitions_file(self) -> Path:
        """The one file in which words get their meaning."""
        return self.root / MARKER

    @property
    def playbook_file(self) -> Path:
        """What to do about each kind of problem, in the company's words."""
        return self.params / "playbook.yml"

    @property
    def expectations(self) -> Path:
        """Great Expectations suites, one JSON file a table."""
        return self.root / "expectations"

    @property
    def notebooks(self) -> Path:
        """One notebook per report chapter."""
        return self.root / "notebooks"

    @property
    def warehouse(self) -> Path:
        """Loaded data: `<source>/<content-hash>.duckdb`, its quarantine, and the state database."""
        return self.root / "warehouse"

    @property
    def state_file(self) -> Path:
        """The SQLite file of what happened when: loads, and mails sent."""
        return self.warehouse / "state.sqlite"

    @property
    def reports(self) -> Path:
        """Rendered runs."""
        return self.root / "reports"


def find_project(start: Path | None = None) -> Project:
    """Find the project: `REVOPS_HOME` if set, else the nearest folder upward that holds `params/definitions.yml`.

    The search starts at `start` (default: the working directory) and ends at the checkout that this package is
    installed from, so that a notebook opened anywhere finds the same project.

    Raises ConfigurationError when no such folder exists.
    """
    home = os.environ.get("REVOPS_HOME")
    if home:
        candidates = [Path(home).expanduser()]
    else:
        begin = (start or Path.cwd()).resolve()
        candidates = [begin, *begin.parents, Path(__file__).resolve().parents[2]]
    for folder in candidates:
        if (folder / MARKER).is_file():
            return Project(folder.resolve())
    raise ConfigurationError(
        "No project found.",
        expected=f"a folder that holds {MARKER.as_posix()}",
        found=f"none at or above {candidates[0]}",
        fix="run inside the project, or set REVOPS_HOME to its folder",
    )
