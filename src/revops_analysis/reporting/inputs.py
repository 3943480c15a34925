"""What a run depends on, and the hash that names its folder: equal inputs, equal hash, and the folder is used again."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import revops_analysis
from revops_analysis.project import Project

_SOURCE_ENDINGS = (".py", ".j2", ".css", ".js", ".json")
_SHORT = 8


@dataclass(frozen=True)
class Inputs:
    """Everything that can change a run's bytes, each thing by name: hashes of files, and plain settings."""

    items: Mapping[str, Any]

    @property
    def hash(self) -> str:
        """sha256 over all inputs."""
        return hashlib.sha256(json.dumps(dict(self.items), sort_keys=True).encode()).hexdigest()

    @property
    def short(self) -> str:
        """The eight digits that name the run's folder."""
        return self.hash[:_SHORT]


def hash_bytes(content: bytes) -> str:
    """sha256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def hash_files(files: Iterable[Path], root: Path) -> str:
    """One hash over files: their paths below `root` and their contents, whatever the order given."""
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(root).as_posix()}\0{hash_bytes(path.read_bytes())}\n".encode())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def package_hash() -> str:
    """One hash over this package's own code and templates."""
    root = Path(revops_analysis.__file__).parent
    return hash_files((path for path in root.rglob("*") if path.suffix in _SOURCE_ENDINGS), root)


def environment_hash(project: Project) -> str:
    """One hash over what the libraries are: the lock and the Python version."""
    lock = project.root / "requirements.lock"
    content = lock.read_bytes() if lock.is_file() else b"no lock"
    return hash_bytes(content + platform.python_version().encode())


def playbook_hash(project: Project) -> str | None:
    """The hash of the playbook, whose words stand in findings; None where the project has none."""
    path = project.playbook_file
    return hash_bytes(path.read_bytes()) if path.is_file() else None


def expectations_hash(project: Project) -> str:
    """One hash over the suites of the gate."""
    return hash_files(project.expectations.glob("*.json"), project.expectations)
