"""What a run said on its way, the last lines of it: for whoever must find out why it failed."""

from __future__ import annotations

import json
import re
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from revops_analysis.reporting.preparation import Watcher
    from revops_analysis.sources.load import LoadResult

LAST_LINES = 30
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class LastLines:
    """Passes on what a run says, and keeps the last lines of it."""

    def __init__(self, listener: Watcher) -> None:
        self._listener = listener
        self._lines: deque[str] = deque(maxlen=LAST_LINES)

    @property
    def text(self) -> str:
        """The lines kept."""
        return "\n".join(self._lines)

    def say(self, text: str) -> None:
        """Begin a phase."""
        self._lines.append(text)
        self._listener.say(text)

    def step(self, text: str, done: int, steps: int) -> None:
        """One more step of a load is done."""
        self._lines.append(f"  load: {text} ({done} of {steps})")
        self._listener.step(text, done, steps)

    def loaded(self, result: LoadResult) -> None:
        """The source was loaded."""
        counts = result.counts
        quarantined, read = int(counts["quarantined"].sum()), int(counts["read"].sum())
        self._lines.append(f"  loaded {result.warehouse.content_hash}: {read:,} rows read, {quarantined:,} quarantined")
        self._listener.loaded(result)

    def cell(self, chapter: str, done: int, cells: int) -> None:
        """One more cell of a chapter is done."""
        if self._lines and self._lines[-1].startswith(f"  {chapter}: cell "):
            self._lines.pop()
        self._lines.append(f"  {chapter}: cell {done} of {cells} done")
        self._listener.cell(chapter, done, cells)


def traceback_of(folder: Path, chapter: str) -> str:
    """The last lines of the error that stopped a chapter, from its executed notebook; empty where it has none."""
    path = folder / f"{chapter}.ipynb"
    if not path.is_file():
        return ""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", ()):
            if output["output_type"] == "error":
                lines = _COLOUR.sub("", "\n".join(output["traceback"])).splitlines()
                return "\n".join(lines[-LAST_LINES:])
    return ""
