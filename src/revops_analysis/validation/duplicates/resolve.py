"""Figures on resolved records: which record each duplicate counts under, as the definitions ask for it."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from revops_analysis.validation.duplicates.find import Say, known_duplicates

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot


def survivors(snapshot: Snapshot, table: str, say: Say = lambda _: None) -> dict[str, str]:
    """The record under which each duplicate of a table counts: duplicate → survivor, as of the snapshot's day.

    Who is one with whom is taken from what is known on that day, also for figures of earlier days: like every value
    without a history.
    """
    found = known_duplicates(snapshot, table, say=say)
    copies = found.clusters[~found.clusters["is_survivor"].astype(bool)]
    return dict(zip(copies["record"], copies["cluster"], strict=True))


@lru_cache
def search_hash() -> str:
    """sha256 over the modules that find duplicates, under which what they found is kept."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
