"""A run's folder appears complete or not at all, and two runs at once do not disturb each other."""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIST_OF_RUNS = "index.html"
"""The page in the folder of reports that lists its runs."""


@contextmanager
def only_one(reports: Path, name: str) -> Iterator[None]:
    """Hold the lock called `name`; whoever comes second waits. A run that dies gives its lock back by itself."""
    folder = reports / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def staging_folder(reports: Path) -> Iterator[Path]:
    """A folder beside the published ones to write into; what is left of it at the end is removed."""
    folder = reports / f".writing-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(staged: Path, target: Path) -> None:
    """Give a finished folder its place in one step; an older folder there steps aside first and is then removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    old = staged.with_name(f"{staged.name}-old")
    if target.exists():
        target.rename(old)
    staged.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def point_latest(target: Path) -> None:
    """Let `latest` beside the folder point to it, in one step."""
    link = target.parent / f".latest-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    link.symlink_to(target.name)
    link.replace(target.parent / "latest")


def write_file(path: Path, content: str) -> None:
    """Write a text file aside and rename it, so that no reader sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}-{os.getpid()}-{uuid.uuid4().hex[:8]}")
    aside.write_text(content, encoding="utf-8")
    aside.replace(path)


def is_listed(reports: Path, folder: Path) -> bool:
    """Whether the list of runs in the folder of reports has this run."""
    page = reports / LIST_OF_RUNS
    return page.is_file() and f'"{folder.relative_to(reports).as_posix()}/' in page.read_text(encoding="utf-8")
