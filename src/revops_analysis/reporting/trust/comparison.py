"""Two renderings of one run compared: every byte, and apart from that every published figure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from revops_analysis.reporting.manifest import MANIFEST
from revops_analysis.reporting.trust.past_run import KEY_FIGURES

_FIELDS = ("value", "unit", "low", "high", "n", "reason")
_SHOWN = 20


@dataclass(frozen=True)
class Moved:
    """One published figure that is not the same: which file and place, and what stood there and stands there now."""

    file: str
    place: str
    then: str
    now: str


@dataclass(frozen=True)
class Comparison:
    """What two folders of one run have in common.

    `files` counts those compared; `different` names those whose bytes differ or that only one of them has; `figures`
    are the key figures and table cells among them that moved, the first few of each file.
    """

    files: int
    different: tuple[str, ...]
    figures: tuple[Moved, ...]

    @property
    def identical(self) -> bool:
        """Whether every byte is the same, the manifest's `run` section aside."""
        return not self.different


def compare(then: Path, now: Path) -> Comparison:
    """Compare the files of two folders; the manifest without its `run` section."""
    old, new = _contents(then), _contents(now)
    names = sorted(old | new)
    different = tuple(name for name in names if old.get(name) != new.get(name))
    moved = [figure for name in different for figure in _moved(name, old.get(name), new.get(name))]
    return Comparison(len(names), different, tuple(moved))


def _contents(folder: Path) -> dict[str, bytes]:
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    contents = {name: path.read_bytes() for name, path in files.items()}
    if MANIFEST in contents:
        document = json.loads(contents[MANIFEST])
        document.pop("run", None)
        contents[MANIFEST] = json.dumps(document).encode()
    return contents


def _moved(name: str, old: bytes | None, new: bytes | None) -> list[Moved]:
    """Figures that moved in a file that publishes figures; nothing for a page, a picture or a notebook."""
    if name != KEY_FIGURES and not name.endswith(".csv"):
        return []
    if old is None or new is None:
        return [Moved(name, "the whole file", _there(old), _there(new))]
    found = _key_figures(name, old, new) if name == KEY_FIGURES else _cells(name, old, new)
    return found[:_SHOWN]


def _there(content: bytes | None) -> str:
    return "not there" if content is None else "there"


def _key_figures(name: str, old: bytes, new: bytes) -> list[Moved]:
    try:
        before, after = (by_name(json.loads(content)["rows"]) for content in (old, new))
    except (ValueError, KeyError, TypeError):
        return [Moved(name, "the whole file", "key figures", "cannot be read")]
    moved = []
    for key in list(dict.fromkeys([*before, *after])):
        one, two = before.get(key), after.get(key)
        for field in _FIELDS if one and two else ("value",):
            was, is_now = (row.get(field) if row else "not there" for row in (one, two))
            if was != is_now:
                moved.append(Moved(name, f"{figure_name(key)}: {field}", str(was), str(is_now)))
    return moved


FigureKey = tuple[str, tuple[tuple[str, str | None], ...]]
"""What names a key figure: its metric, and its dimensions in order."""


def by_name(rows: Iterable[Mapping[str, Any]]) -> dict[FigureKey, Mapping[str, Any]]:
    """Published rows by what names them."""
    return {(row["metric"], tuple(sorted(row["dims"].items()))): row for row in rows}


def figure_name(key: FigureKey) -> str:
    """The name of a key figure for a reader.

    >>> figure_name(("win_rate", (("segment", "SMB"), ("stage", None))))
    'win_rate, segment SMB, stage –'
    """
    metric, dims = key
    return ", ".join([metric, *(f"{name} {'–' if value is None else value}" for name, value in dims)])


def _cells(name: str, old: bytes, new: bytes) -> list[Moved]:
    before, after = (
        list(csv.reader(io.StringIO(content.decode("utf-8", "replace"), newline=""))) for content in (old, new)
    )
    heads = before[0] if before else []
    moved: list[Moved] = []
    nothing: list[str] = []
    for number, (one, two) in enumerate(zip_longest(before, after, fillvalue=nothing), start=1):
        for column, (was, is_now) in enumerate(zip_longest(one, two, fillvalue="not there")):
            if was != is_now:
                head = heads[column] if column < len(heads) else f"column {column + 1}"
                moved.append(Moved(name, f"line {number}, {head}", was, is_now))
    return moved
