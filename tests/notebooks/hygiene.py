"""What a notebook in git must be: thin, runnable on its defaults, without outputs but for its key figures."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from typing import Any

ALLOWED_IMPORTS = frozenset(
    {"revops_analysis", "pandas", "numpy", "ibis", "matplotlib", "seaborn", "datetime", "decimal"}
)
STANDARD_PARAMETERS = ("source", "as_of", "period", "seed", "data_hash", "out")
KEPT = "keep_output"
_LARGEST = 100_000
_HIDING = ("filterwarnings", "simplefilter", "catch_warnings", "%%capture", "warnings.")


def problems(notebook: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with a notebook, a sentence each."""
    return [*_shape(notebook), *_code(notebook), *_outputs(notebook)]


def _source(cell: Mapping[str, Any]) -> str:
    return "".join(cell["source"])


def _tags(cell: Mapping[str, Any]) -> list[str]:
    return list(cell["metadata"].get("tags", []))


def _code_cells(notebook: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _shape(notebook: Mapping[str, Any]) -> Iterator[str]:
    cells = notebook["cells"]
    first = cells[0]
    if first["cell_type"] != "markdown" or not _source(first).startswith("# ") or "?" not in _source(first):
        yield "the first cell must hold a title and the question that the chapter answers"
    parameters = [cell for cell in cells if "parameters" in _tags(cell)]
    if len(parameters) != 1 or parameters[0] is not _code_cells(notebook)[0]:
        yield "the first code cell, and no other, must be tagged parameters"
    else:
        names = [node.targets[0].id for node in ast.parse(_source(parameters[0])).body if isinstance(node, ast.Assign)]
        missing = [name for name in STANDARD_PARAMETERS if name not in names]
        if missing:
            yield f"the parameters cell lacks {', '.join(missing)}"
    last = cells[-1]
    if KEPT not in _tags(last) or "key_figures(" not in _source(last):
        yield "the last cell must be tagged keep_output and call key_figures"
    ids = [cell["id"] for cell in cells]
    if len(set(ids)) != len(ids):
        yield "two cells have the same id"
    if set(notebook["metadata"]) - {"kernelspec"}:
        yield "the notebook's metadata hold more than the kernel"
    if len(json.dumps(notebook)) > _LARGEST:
        yield "the notebook is too large: code belongs in the package"


def _code(notebook: Mapping[str, Any]) -> Iterator[str]:
    for cell in _code_cells(notebook):
        source = _source(cell)
        yield from (f"it hides warnings: {word}" for word in _HIDING if word in source)
        if source.lstrip().startswith(("%", "!")):
            yield "it uses a magic or a shell command"
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
                yield f"it defines a function or a class (line {node.lineno} of {cell['id']})"
            yield from (f"it imports {name}" for name in _imported(node) if name.split(".")[0] not in ALLOWED_IMPORTS)


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or "."] if isinstance(node, ast.ImportFrom) else []


def _outputs(notebook: Mapping[str, Any]) -> Iterator[str]:
    for cell in _code_cells(notebook):
        if KEPT in _tags(cell):
            if not cell["outputs"] or cell["execution_count"] is None:
                yield "a keep_output cell has no stored output or no execution count, so nothing would be compared"
        elif cell["outputs"] or cell["execution_count"] is not None:
            yield f"the cell {cell['id']} has a stored output"
        if set(cell["metadata"]) - {"tags"}:
            yield f"the cell {cell['id']} has metadata other than tags"
