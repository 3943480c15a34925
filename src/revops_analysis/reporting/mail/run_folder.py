"""A published run as a mail needs it: read from its folder, and refused if it changed since it was rendered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from revops_analysis.errors import ConfigurationError
from revops_analysis.reporting.inputs import hash_bytes
from revops_analysis.reporting.manifest import read_manifest
from revops_analysis.reporting.preparation import report_folder
from revops_analysis.reporting.summary import SCHEMA, SUMMARY
from revops_analysis.tables.cut import Cut
from revops_analysis.workspace import parse_cut

KEY_FIGURES = "key_figures.json"


@dataclass(frozen=True)
class MailedRun:
    """A run's folder with its manifest, key figures and summary, each as the JSON in it says."""

    folder: Path
    manifest: Mapping[str, Any]
    key_figures: Mapping[str, Any]
    summary: Mapping[str, Any]

    @property
    def place(self) -> str:
        """Where the run stands below the reports folder: source, report, day, period, inputs."""
        report = report_folder(self.manifest["report"], self.cut)
        parts = (self.manifest["source"], report, self.manifest["as_of"], self.manifest["period"])
        return "/".join([*parts, self.manifest["input_hash"][:8]])

    @property
    def cut(self) -> Cut | None:
        """The part of the company that the run holds alone; None: all of it."""
        label = self.manifest.get("cut", "")
        return parse_cut(label) if label else None

    @property
    def key(self) -> str:
        """What tells this run from every other: equal inputs, equal key, wherever it was rendered."""
        return f"{self.place.rsplit('/', 1)[0]}/{self.manifest['input_hash']}"

    def read(self, name: str) -> bytes:
        """A file of the run, checked against the manifest.

        Raises ConfigurationError for one that is missing, not of the run, or not what was rendered.
        """
        return _checked(self.folder, self.manifest, name)


def read_run(folder: Path) -> MailedRun:
    """Read a run that may be sent: complete, and unchanged since it was rendered.

    Raises ConfigurationError for a folder that is no run, whose chapters did not all finish, that has no summary (an
    older version rendered it), or whose files are not those of its manifest.
    """
    manifest = read_manifest(folder)
    failed = [chapter["title"] for chapter in manifest["chapters"] if chapter["error"]]
    if failed:
        raise ConfigurationError(
            "A run with unfinished chapters is not sent.",
            found=f"did not finish: {', '.join(failed)}",
            where=str(folder),
            fix="render the report again",
        )
    if SUMMARY not in manifest["files"]:
        raise ConfigurationError(
            f"The run has no {SUMMARY}: an older version rendered it.", where=str(folder), fix="render the report again"
        )
    figures, summary = (json.loads(_checked(folder, manifest, name)) for name in (KEY_FIGURES, SUMMARY))
    if summary["schema"] != SCHEMA:
        raise ConfigurationError(
            "The run's summary has another form.", expected=SCHEMA, found=summary["schema"], where=str(folder)
        )
    return MailedRun(folder.resolve(), manifest, figures, summary)


def latest_run(reports: Path, report: str, source: str) -> Path:
    """The folder of the newest run of a report on a source: the latest day, and of that day the last rendered.

    Raises ConfigurationError when there is none.
    """
    found = [_dated(path) for path in (reports / source / report).glob("*/*/latest/manifest.json")]
    if not found:
        raise ConfigurationError(
            f"There is no run of {report} on {source} to send.",
            where=str(reports / source / report),
            fix=f"render one first: revops report {report} --source {source} --as-of 2026-09-30 (with your own day)",
        )
    return max(found)[-1].resolve()


def _dated(path: Path) -> tuple[str, str, Path]:
    manifest = json.loads(path.read_text(encoding="utf-8"))
    return manifest["as_of"], manifest["run"]["started_at"], path.parent


def _checked(folder: Path, manifest: Mapping[str, Any], name: str) -> bytes:
    listed = manifest["files"].get(name)
    path = folder / name
    content = path.read_bytes() if listed and path.is_file() and not path.is_symlink() else None
    if content is None or hash_bytes(content) != listed:
        raise ConfigurationError(
            "The run is not as it was rendered, so it is not sent.",
            found=f"{name} is {'missing' if content is None else 'changed'}",
            where=str(folder),
            fix="render the report again",
        )
    return content
