"""Who watches a run in a test."""

from __future__ import annotations

from revops_analysis.sources.load import LoadResult


class Quiet:
    """Watches and keeps what it was told."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.steps = 0
        self.rows = -1
        self.cells: dict[str, tuple[int, int]] = {}

    def say(self, text: str) -> None:
        self.phases.append(text)

    def step(self, text: str, done: int, steps: int) -> None:
        self.steps = steps

    def loaded(self, result: LoadResult) -> None:
        self.rows = int(result.counts["loaded"].sum())

    def cell(self, chapter: str, done: int, cells: int) -> None:
        self.cells[chapter] = (done, cells)
