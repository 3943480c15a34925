"""A run that was rendered earlier: its manifest, its key figures, and whether its files are still what they were."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from revops_analysis.errors import ConfigurationError
from revops_analysis.reporting.inputs import Inputs, hash_bytes
from revops_analysis.reporting.manifest import MANIFEST, read_manifest

KEY_FIGURES = "key_figures.json"
INPUTS = "inputs"

if TYPE_CHECKING:
    from revops_analysis.definitions import Definitions


@dataclass(frozen=True)
class PastRun:
    """A run's folder, links resolved, and the manifest in it."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def inputs(self) -> Mapping[str, Any]:
        """What the run depended on, by name."""
        found: Mapping[str, Any] = self.manifest["inputs"]
        return found

    @property
    def source_as_written(self) -> str:
        """The source as the chapters open it: a profile's name, or its path."""
        chapters = list(self.inputs["parameters"].values())
        return str(chapters[0]["source"])

    @property
    def label(self) -> str:
        """The run in a few words."""
        parts = (self.manifest["report"], self.manifest["source"], self.manifest["as_of"], self.manifest["period"])
        return f"{' '.join(parts)} ({self.manifest['input_hash'][:8]})"

    def read(self, name: str) -> bytes | None:
        """A file as it was rendered; None if it is not of the run, missing, a link, or not what was rendered."""
        listed, path = self.manifest["files"].get(name), self.folder / name
        if listed is None or not path.is_file() or path.is_symlink():
            return None
        content = path.read_bytes()
        return content if hash_bytes(content) == listed else None

    def names_below(self, folder: str) -> tuple[str, ...]:
        """Names of the run's files below one of its folders, in order."""
        return tuple(sorted(name for name in self.manifest["files"] if name.startswith(f"{folder}/")))

    @cached_property
    def altered(self) -> tuple[str, ...]:
        """Files that are missing, or not what was rendered, and files that have come since."""
        here = {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if not path.is_dir()}
        listed = set(self.manifest["files"])
        changed = {name for name in listed if self.read(name) is None}
        if Inputs(self.inputs).hash != self.manifest["input_hash"]:
            changed.add(MANIFEST)
        return tuple(sorted(changed | (here - listed - {MANIFEST})))

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The key figures as they stand in the folder."""
        path = self.folder / KEY_FIGURES
        rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["rows"]
        return rows


def read_past_run(place: Path) -> PastRun:
    """Read a run by its folder, a page in it, or the `latest` that points to it.

    Raises ConfigurationError for what is no rendered run.
    """
    folder = place.parent if place.suffix in (".html", ".json", ".pdf") else place
    return PastRun(folder.resolve(), read_manifest(folder))


def read_definitions(place: Path) -> Definitions:
    """Definitions from a file, or those that a run kept, by its folder.

    Raises ConfigurationError for a file that is wrong, and for a run that kept none or whose copy was altered.
    """
    from revops_analysis.definitions import load_definitions

    if not place.is_dir():
        return load_definitions(place)
    run = read_past_run(place)
    if run.read(f"{INPUTS}/definitions.json") is None:
        raise ConfigurationError(
            "The run has no definitions as it was rendered from.",
            where=str(run.folder),
            fix="give the definitions as a file",
        )
    return load_definitions(run.folder / INPUTS / "definitions.json")
