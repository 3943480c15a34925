"""The notebooks in git: stripped of outputs, but for the key figures, which are kept and compared.

Run as `python -m revops_analysis.reporting.notebooks [NAME …]` (`make notebooks`) after a figure has moved on purpose:
it runs the chapters on their defaults and stores the new key figures. Whoever reviews the change sees both.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from revops_analysis.errors import ChapterFailedError
from revops_analysis.project import Project, find_project

if TYPE_CHECKING:
    from nbformat import NotebookNode

KEPT = "keep_output"
_METADATA = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}


def stripped(notebook: NotebookNode) -> NotebookNode:
    """The notebook as git holds it: outputs and execution counts in cells tagged `keep_output` only, no other state.

    nbval never compares a cell without an execution count, so the counts of those cells stay too.
    """
    notebook.metadata = type(notebook)(_METADATA)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = type(notebook)({"tags": tags} if tags else {})
        if cell.cell_type == "code" and KEPT not in tags:
            cell.outputs, cell.execution_count = [], None
    return notebook


def refreshed(name: str, content: str, project: Project, folder: Path) -> NotebookNode:
    """Run a notebook on its defaults, in `folder`, and return it stripped, with new key figures.

    Raises ChapterFailedError when it does not come to its end.
    """
    import nbformat

    from revops_analysis.reporting.kernels import KernelServer
    from revops_analysis.reporting.runner import Job, run_to_the_end

    job = Job(name, nbformat.reads(content, as_version=4), {}, cell_timeout_seconds=600)
    with KernelServer(environment={"REVOPS_HOME": str(project.root)}) as server:
        executed, error = run_to_the_end(job, folder, server)
    if error:
        raise ChapterFailedError(f"The notebook {name} did not finish.", found=error, where=f"{name}.ipynb")
    return stripped(executed)


def refresh(names: Sequence[str], project: Project) -> list[Path]:
    """Store new key figures in the named notebooks (default: all); returns the files that changed."""
    import nbformat

    files = sorted(project.notebooks.rglob("*.ipynb"))
    changed = []
    for path in (file for file in files if not names or file.stem in names):
        before = path.read_text(encoding="utf-8")
        after = nbformat.writes(refreshed(path.stem, before, project, path.parent)) + "\n"
        if after != before:
            path.write_text(after, encoding="utf-8")
            changed.append(path)
    return changed


def main(arguments: Sequence[str] | None = None) -> Any:
    """Refresh the notebooks named on the command line and print those that changed."""
    project = find_project()
    for path in refresh(sys.argv[1:] if arguments is None else arguments, project):
        print(path.relative_to(project.root).as_posix())


if __name__ == "__main__":
    main()
