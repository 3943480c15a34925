"""Results kept beside the data, under the hash of all that they depend on; a file is believed only if nothing changed.

Nothing is ever cleared by age. A file that was damaged, or that does not say what it should, counts as absent, and is
made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from revops_analysis.errors import ConfigurationError

if TYPE_CHECKING:
    from revops_analysis.project import Project
    from revops_analysis.tables.snapshot import Snapshot

_CODE = ("metrics", "models", "statistics", "tables")
_LIBRARIES = ("numpy", "pandas", "scipy", "scikit-learn", "skops", "duckdb", "ibis-framework")


def model_folder(project: Project, source: str) -> Path:
    """Where what is computed for a source's models is kept: `warehouse/<source>/models`."""
    return project.warehouse / source / "models"


def key_of(snapshot: Snapshot, **asked: Any) -> dict[str, Any]:
    """All that a result depends on: data, day, definitions, what was asked, and what computes it (text and libraries).

    `asked` must be plain values, as JSON has them.
    """
    return {
        "source": snapshot.source,
        "data_hash": snapshot.data_hash,
        "as_of": snapshot.as_of.isoformat(),
        "definitions": snapshot.definitions.hash,
        **asked,
        "code": code_hash(),
        "libraries": {name: version(name) for name in _LIBRARIES},
    }


@lru_cache
def code_hash() -> str:
    """sha256 over the modules that compute what is kept: their paths in the package and their text."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(path for part in _CODE for path in (package / part).rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def settings_of(settings: object) -> dict[str, Any]:
    """The class of a forecaster or of options and its fields, as they go into the key.

    Raises ConfigurationError unless it is a dataclass whose fields are plain values, sequences or dataclasses of them:
    of anything else it cannot be told whether two are the same.

    >>> from revops_analysis.models.rivals.pipeline_rules import CategoryRollUp
    >>> settings_of(CategoryRollUp(("Commit",)))
    {'class': 'revops_analysis.models.rivals.pipeline_rules.CategoryRollUp', 'fields': {'commit': ['Commit']}}
    """
    kind = f"{type(settings).__module__}.{type(settings).__qualname__}"
    try:
        fields = asdict(settings) if is_dataclass(settings) and not isinstance(settings, type) else None
        plain = None if fields is None else json.loads(json.dumps(fields, sort_keys=True))
    except (TypeError, ValueError):
        plain = None
    if plain is None:
        raise ConfigurationError(
            "The settings of a forecaster cannot be told, so its results cannot be kept.",
            expected="a dataclass whose fields are numbers, texts, sequences or dataclasses of them",
            found=kind,
            fix="make it such a dataclass, or call backtest, which keeps nothing",
        )
    return {"class": kind, "fields": plain}


@dataclass(frozen=True)
class Kept:
    """A place in a folder for the files of one result: `kind` begins their names, `key` is all it depends on."""

    folder: Path
    kind: str
    key: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What the names of its files begin with."""
        digest = hashlib.sha256(json.dumps(self.key, sort_keys=True).encode()).hexdigest()
        return f"{self.kind}-{digest[:16]}"

    def read(self, parts: Sequence[str]) -> dict[str, bytes] | None:
        """The content of each part; None if it was never made, or if any file is not what was written."""
        try:
            record = json.loads((self.folder / f"{self.name}.json").read_text(encoding="utf-8"))
            if record["key"] != self.key:
                return None
            contents = {part: (self.folder / f"{self.name}-{part}").read_bytes() for part in parts}
            hashes = {part: record["sha256"][part] for part in parts}
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return contents if hashes == _hashes(contents) else None

    def write(self, contents: Mapping[str, bytes]) -> None:
        """Parts first and the record that vouches for them last, each written aside and renamed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for part, content in contents.items():
            _replace(self.folder / f"{self.name}-{part}", content)
        record = json.dumps({"key": self.key, "sha256": _hashes(contents)}, indent=1, sort_keys=True)
        _replace(self.folder / f"{self.name}.json", record.encode())


def _hashes(contents: Mapping[str, bytes]) -> dict[str, str]:
    return {part: hashlib.sha256(content).hexdigest() for part, content in contents.items()}


def _replace(path: Path, content: bytes) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}")
    try:
        aside.write_bytes(content)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
