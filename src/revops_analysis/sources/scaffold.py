"""`revops sources new`: a first mapping for a folder of files, to be read and corrected by a person."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from revops_analysis.definitions import Definitions, load_definitions
from revops_analysis.errors import ConfigurationError
from revops_analysis.project import Project
from revops_analysis.sources.files import READABLE, FileSource, stage_files
from revops_analysis.sources.guess import Guess, guess_tables
from revops_analysis.sources.profile import Format
from revops_analysis.sources.staging import Staging, quoted

_READY = {
    "salesforce_export": ("Opportunity.csv", {"StageName", "CloseDate"}),
    "hubspot_export": ("deals.csv", {"Record ID", "Deal Stage"}),
}
_SHOWN = 12


def scaffold_profile(name: str, folder: Path, project: Project, data_through: date | None = None) -> Path:
    """Look at the files of `folder`, write `params/sources/<name>.yml`, and return its path.

    A folder of Salesforce or HubSpot exports gets a profile that extends the ready one. Otherwise tables and columns
    are guessed from names, what is not recognised stands as a comment, and stages that the definitions do not know
    are listed for mapping. Nothing is guessed silently: every line is there to be read.

    Raises ConfigurationError when the profile exists already, or the folder has no readable file.
    """
    if not name.replace("_", "").replace("-", "").isalnum():
        raise ConfigurationError(
            "This is no name for a source.", expected="letters, digits, - and _", found=name, fix="choose another name"
        )
    target = project.params / "sources" / f"{name}.yml"
    if target.exists():
        raise ConfigurationError(
            f"There is a source {name} already.", where=str(target), fix="edit it, or choose another name"
        )
    files = _files(folder)
    ready = _ready(folder, files)
    if ready:
        lines = _extending(ready, folder, target, data_through)
    else:
        lines = _mapping_lines(folder, files, target, project, data_through)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target


def _files(folder: Path) -> tuple[Path, ...]:
    if not folder.is_dir():
        raise ConfigurationError("There is no such folder.", found=str(folder), fix="give the folder of the exports")
    found = tuple(sorted(path for path in folder.iterdir() if path.name.lower().endswith(READABLE)))
    if not found:
        raise ConfigurationError(
            "The folder holds no file that can be read.",
            expected=f"files ending in {', '.join(READABLE)}",
            found=", ".join(sorted(path.name for path in folder.iterdir())[:_SHOWN]) or "an empty folder",
            where=str(folder),
            fix="export the tables as CSV, Parquet or Excel into this folder",
        )
    return found


def _ready(folder: Path, files: Sequence[Path]) -> str | None:
    with _staged(folder) as staging:
        for profile, (file, marks) in _READY.items():
            if folder / file in files and marks <= set(_headers(staging, folder, file)):
                return profile
    return None


class _staged:  # noqa: N801 - reads as a verb in a with statement
    """A scratch staging area that is gone afterwards."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Staging:
        import duckdb

        self._scratch = tempfile.TemporaryDirectory()
        self._connection = duckdb.connect()
        return Staging(self._connection, Path(self._scratch.name))

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._scratch.cleanup()


def _headers(staging: Staging, folder: Path, file: str) -> tuple[str, ...]:
    relation = stage_files(staging, FileSource(folder, str(folder)), file, Format.model_validate({}))
    return tuple(relation.columns)


def _extending(ready: str, folder: Path, target: Path, data_through: date | None) -> list[str]:
    return [
        f"# params/sources/ready/{ready}.yml says what is mapped; fields of your own go below, such as",
        "#     tables: {opportunities: {columns: {segment: Segment__c}}}",
        f"extends: ready/{ready}.yml",
        f"root: {_relative(folder, target)}",
        _data_through_line(data_through),
    ]


def _mapping_lines(
    folder: Path, files: Sequence[Path], target: Path, project: Project, data_through: date | None
) -> list[str]:
    definitions = load_definitions(project.definitions_file)
    with _staged(folder) as staging:
        headers = {path.name: _headers(staging, folder, path.name) for path in files}
        guesses = guess_tables(headers)
        lines = [
            "# A first mapping, guessed from names of files and columns. Read each line; docs/sources.md has all keys.",
            "kind: files",
            f"root: {_relative(folder, target)}",
            _data_through_line(data_through),
            "",
            "tables:",
        ]
        for guess in guesses:
            lines += _table_lines(guess)
            lines += _stage_lines(staging, folder, guess, definitions)
        rest = sorted(set(headers) - {guess.file for guess in guesses})
        if rest:
            lines += ["", f"# Not recognised: {', '.join(rest)}"]
    if not any(guess.table == "opportunities" for guess in guesses):
        lines += ["  # No file looks like deals. opportunities is the one table that is needed:", "  # opportunities:"]
        lines += [
            "  #   file: …",
            "  #   columns: {opportunity_id: …, stage: …, amount: …, close_date: …, created_at: …}",
        ]
    return lines


def _table_lines(guess: Guess) -> list[str]:
    lines = [f"  {guess.table}:", f"    file: {_text(guess.file)}", "    columns:"]
    lines += [f"      {name}: {_text(source)}" for name, source in guess.columns.items() if name != "stage"]
    lines += [f"      # {name}: …            # needed: rows without it are quarantined" for name in guess.missing]
    if guess.left_over:
        lines.append(f"      # not used: {', '.join(guess.left_over)}")
    return lines


def _stage_lines(staging: Staging, folder: Path, guess: Guess, definitions: Definitions) -> list[str]:
    """The stage column with its values: those the definitions know as they are, the others to be mapped."""
    source = guess.columns.get("stage")
    if source is None:
        return []
    relation = stage_files(staging, FileSource(folder, str(folder)), guess.file, Format.model_validate({}))
    found = staging.rows(
        f"SELECT trim({quoted(source)}), count(*) FROM {relation.name} WHERE {quoted(source)} IS NOT NULL "
        f"GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {_SHOWN}"
    )
    unknown = [(value, rows) for value, rows in found if value not in definitions.stage_names]
    if not unknown:
        return [f"      stage: {_text(source)}"]
    words = f"# the definitions know: {', '.join(definitions.stage_names)}"
    lines = ["      stage:", f"        column: {_text(source)}", f"        value_map:      {words}"]
    return lines + [
        f"          {_text(value)}: {_text(_likely(value, definitions))}      # {rows:,} rows"
        for value, rows in unknown
    ]


def _likely(value: str, definitions: Definitions) -> str:
    """The won or lost stage where the name says so, else the first open stage: to be corrected by the reader."""
    lower = value.lower()
    if "won" in lower and definitions.won_stages:
        return definitions.won_stages[0]
    if "lost" in lower and definitions.lost_stages:
        return definitions.lost_stages[0]
    return definitions.open_stages[0]


def _data_through_line(day: date | None) -> str:
    if day is not None:
        return f"data_through: {day.isoformat()}"
    return "data_through:                  # write the last day that the data covers, such as 2026-09-30"


def _relative(folder: Path, target: Path) -> str:
    return _text(Path(os.path.relpath(folder.resolve(), target.parent.resolve())).as_posix())


def _text(value: str) -> str:
    """A YAML scalar: bare where that is safe, else in double quotes."""
    safe = value.replace(" ", "").replace("_", "").replace(".", "").replace("/", "").replace("-", "")
    if (
        safe.isalnum()
        and not safe.isdigit()
        and value.lower() not in {"yes", "no", "true", "false", "null", "on", "off"}
    ):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
