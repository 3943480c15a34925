"""Progress on stderr: phases, cells done, time left. Where nobody watches, a plain line a phase."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from revops_analysis.sources.load import LoadResult


class Progress:
    """Tells a person how far a run is; use as a context manager. Never writes to stdout."""

    def __init__(self, on_load: Callable[[LoadResult], None] | None = None) -> None:
        self._on_load = on_load
        self._live = sys.stderr.isatty()
        self._bar: Any = None
        self._tasks: dict[str, Any] = {}
        self._phase: Any = None
        self._steps: Any = None

    def __enter__(self) -> Progress:
        if self._live:
            self._bar = _bar()
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, text: str) -> None:
        """Begin a phase; the one before it is done."""
        if self._bar is None:
            print(f"==> {text}", file=sys.stderr, flush=True)
            return
        if self._phase is not None:
            self._bar.update(self._phase, total=1, completed=1)
        self._phase = self._bar.add_task(text, total=None)

    def step(self, text: str, done: int, steps: int) -> None:
        """One more step of a load is done; plain lines would be too many, so they are shown live only."""
        if self._bar is None:
            return
        if self._steps is None:
            self._steps = self._bar.add_task(text, total=steps)
        self._bar.update(self._steps, description=text, total=steps, completed=done)

    def loaded(self, result: LoadResult) -> None:
        """The source was loaded: whoever asked for it says what became of its rows."""
        if self._on_load is not None:
            self._on_load(result)

    def cell(self, chapter: str, done: int, cells: int) -> None:
        """One more cell of a chapter is done."""
        if self._bar is None:
            if done == cells:
                print(f"    {chapter}: {cells} cells done", file=sys.stderr, flush=True)
            return
        if chapter not in self._tasks:
            self._tasks[chapter] = self._bar.add_task(f"  {chapter}", total=cells)
        self._bar.update(self._tasks[chapter], completed=done)


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Bar(*columns, console=Console(stderr=True))
