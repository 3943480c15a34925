"""Running chapters: strictly, in parallel, each in its own kernel; one that fails does not stop the others."""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import revops_analysis
from revops_analysis.heavy_imports import heavy_imports
from revops_analysis.reporting.chapter import PARTS

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from revops_analysis.reporting.kernels import KernelServer

SENTINEL = "revops: the chapter came to its end"
_SENTINEL_ID = "sentinel"
_INJECTED_ID = "injected-parameters"
_KERNEL_FILE = re.compile(r"\S*/ipykernel_\d+/\d+\.py")
_KEPT_TAGS = ("parameters", "injected-parameters", "keep_output", "answer")
Watch = Callable[[str, int, int], None]
"""Called with the chapter's name, cells done and cells in all."""


@dataclass(frozen=True)
class Job:
    """One chapter to run: its notebook, checked parameters, and the longest time a cell may take."""

    name: str
    notebook: NotebookNode
    parameters: Mapping[str, Any]
    cell_timeout_seconds: int


@dataclass(frozen=True)
class Outcome:
    """One chapter as it came out: the executed notebook, cleaned, and what went wrong (empty: nothing)."""

    name: str
    notebook: NotebookNode
    error: str
    seconds: float = field(compare=False, default=0.0)


def run_chapters(
    jobs: Sequence[Job], folder: Path, server: KernelServer, *, workers: int = 0, watch: Watch | None = None
) -> list[Outcome]:
    """Run all chapters in `folder`, `workers` at a time (0: one a core), and return their outcomes in order.

    A chapter's failure, a killed kernel, a cell over its time, an early `sys.exit` or missing key figures are outcomes
    with an error, not exceptions: the others finish.
    """
    count = workers or len(os.sched_getaffinity(0))
    import_machinery()
    with ThreadPoolExecutor(max_workers=count) as pool:
        return list(pool.map(lambda job: _run_one(job, folder, server, watch), jobs))


def import_machinery() -> None:
    """Import in one thread what several will use, and let errors be told once: by us."""
    with heavy_imports():
        import papermill

    logging.getLogger(papermill.__name__).setLevel(logging.CRITICAL)


def _run_one(job: Job, folder: Path, server: KernelServer, watch: Watch | None) -> Outcome:
    started = time.monotonic()
    executed, error = run_to_the_end(job, folder, server, watch)
    if not error and not (folder / PARTS / f"{job.name}.json").is_file():
        error = f"it published no key figures: its last cell must call key_figures of Chapter({job.name!r}, …)"
    return Outcome(job.name, executed, error, time.monotonic() - started)


def run_to_the_end(
    job: Job, folder: Path, server: KernelServer, watch: Watch | None = None
) -> tuple[NotebookNode, str]:
    """Run one notebook; return it executed and cleaned, and one sentence on what stopped it (empty: nothing)."""
    prepared = with_sentinel(job.notebook)
    executed, error = _execute(job, prepared, folder, server, watch)
    if not error and not _reached_the_end(executed):
        error = "it ended early, before its last cell (did a cell leave with sys.exit, or did the kernel die?)"
    return clean(executed), error


def _execute(
    job: Job, prepared: NotebookNode, folder: Path, server: KernelServer, watch: Watch | None
) -> tuple[NotebookNode, str]:
    """Run with papermill; return what was run and one sentence on what stopped it."""
    import nbformat
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    from revops_analysis.reporting.kernels import manager_for

    saved = server.folder / f"{job.name}.ipynb"
    started: list[NotebookNode] = []
    try:
        executed = papermill.execute_notebook(
            prepared,
            str(saved),
            parameters=dict(job.parameters),
            kernel_name="python3",
            progress_bar=False,
            request_save_on_cell_execute=False,  # writing every picture again after every cell took a second
            execution_timeout=job.cell_timeout_seconds,
            kernel_manager_class=manager_for(server, folder, job.name),
            on_cell_start=lambda cell, cell_index: started.append(cell),
            on_cell_complete=_reporter(job, len(prepared.cells), watch),
        )
    except PapermillExecutionError as failure:
        error = f"{failure.ename}: {failure.evalue}".strip().splitlines()[0]
        return nbformat.read(saved, as_version=4), error
    except CellTimeoutError:
        error = f"a cell took longer than {job.cell_timeout_seconds} seconds (cell_timeout_seconds of the report)"
        return _as_far_as_it_came(prepared, started), error
    except DeadKernelError:
        return _as_far_as_it_came(prepared, started), "its kernel died; most often the machine ran out of memory"
    return executed, ""


def _as_far_as_it_came(prepared: NotebookNode, started: Sequence[NotebookNode]) -> NotebookNode:
    """The cells that were started, with their outputs, and the rest as it was."""
    ids = {cell.id for cell in started}
    places = [place for place, cell in enumerate(prepared.cells) if cell.id in ids]
    rest = prepared.cells[places[-1] + 1 :] if places else prepared.cells
    prepared.cells = [*started, *rest]
    return prepared


def _reporter(job: Job, cells: int, watch: Watch | None) -> Callable[..., None]:
    def report(cell: NotebookNode, cell_index: int) -> None:
        if watch is not None:
            watch(job.name, cell_index + 1, cells)

    return report


def with_sentinel(notebook: NotebookNode) -> NotebookNode:
    """A copy without outputs, whose last cell says that the end was reached.

    papermill takes `sys.exit(0)` for success, and the file of a killed kernel marks every cell as completed; only the
    words of a last cell prove that all cells ran.
    """
    import copy

    from nbformat.v4 import new_code_cell

    prepared = copy.deepcopy(notebook)
    for cell in prepared.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    prepared.cells.append(new_code_cell(f"print({SENTINEL!r})", id=_SENTINEL_ID))
    return prepared


def _reached_the_end(notebook: NotebookNode) -> bool:
    last = notebook.cells[-1] if notebook.cells else {}
    outputs = last.get("outputs", []) if last.get("id") == _SENTINEL_ID else []
    return any(output.get("text", "").strip() == SENTINEL for output in outputs)


def clean(notebook: NotebookNode) -> NotebookNode:
    """The executed notebook as it is published: the same bytes on every run.

    Times, papermill's notes, random ids, the sentinel and the run's own folder are dropped; parts of one printed text
    that came in several messages are joined.
    """
    kept = [cell for cell in notebook.cells if cell.get("id") != _SENTINEL_ID and not _is_marker(cell)]
    notebook.cells = kept
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("widgets", None)
    for cell in kept:
        tags = [tag for tag in cell.metadata.get("tags", []) if tag in _KEPT_TAGS]
        cell.metadata.clear()
        if tags:
            cell.metadata["tags"] = tags
        if "injected-parameters" in tags:
            cell["id"] = _INJECTED_ID
            cell.source = "\n".join(
                'out = ""' if line.startswith("out = ") else line for line in cell.source.splitlines()
            )
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
            for output in cell.outputs:
                _without_places(output)
    return notebook


def _without_places(output: NotebookNode) -> None:
    """Take process numbers and this machine's folders out of warnings and tracebacks."""
    if output.output_type == "stream":
        output.text = _placeless(output.text)
    elif output.output_type == "error":
        output.traceback = [_placeless(line) for line in output.traceback]


def _placeless(text: str) -> str:
    text = _KERNEL_FILE.sub("cell", text)
    for folder, name in ((sys.prefix, "environment"), (str(Path(revops_analysis.__file__).parent), "revops_analysis")):
        text = text.replace(folder, name)
    return text


def _is_marker(cell: NotebookNode) -> bool:
    return "papermill-error-cell-tag" in cell.metadata.get("tags", [])


def _joined(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last is not None and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined
