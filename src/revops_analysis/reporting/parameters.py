"""A notebook's parameters, read from its parameters cell and checked before anything runs."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from revops_analysis.errors import ConfigurationError

_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def declared_parameters(notebook: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Names and defaults of the cell tagged `parameters`; `notebook` is the content of an .ipynb file.

    Raises ConfigurationError unless there is exactly one such cell and it holds nothing but plain assignments of
    texts, numbers and booleans.
    """
    cells = [cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    if len(cells) != 1:
        raise ConfigurationError(
            "A chapter needs one cell tagged parameters.", found=f"{len(cells)} of them", where=f"{name}.ipynb"
        )
    found: dict[str, Any] = {}
    for statement in _statements("".join(cells[0]["source"]), name):
        value = _plain_value(statement)
        if value is None:
            raise ConfigurationError(
                "A parameters cell holds something else than a plain default.",
                expected='lines such as as_of = "2026-09-30"',
                found=ast.unparse(statement),
                where=f"{name}.ipynb",
            )
        found[value[0]] = value[1]
    return found


def _statements(source: str, name: str) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except SyntaxError as error:
        raise ConfigurationError(
            "The parameters cell is no Python.", found=str(error), where=f"{name}.ipynb", fix="correct the cell"
        ) from error


def _plain_value(statement: ast.stmt) -> tuple[str, Any] | None:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target: ast.expr = statement.targets[0]
        value: ast.expr | None = statement.value
    elif isinstance(statement, ast.AnnAssign):
        target, value = statement.target, statement.value
    else:
        return None
    if not isinstance(target, ast.Name) or value is None:
        return None
    try:
        literal = ast.literal_eval(value)
    except ValueError:
        return None
    return (target.id, literal) if type(literal) in _KINDS else None


def check_parameters(notebook: Mapping[str, Any], name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters to run a notebook with, each of the type of its default.

    papermill only warns of an unknown parameter and checks no type; here both are refused before anything runs.
    Raises ConfigurationError naming the parameter, what was expected and what was found.
    """
    from pydantic import ConfigDict, ValidationError, create_model

    declared = declared_parameters(notebook, name)
    fields: dict[str, Any] = {key: (type(default), default) for key, default in declared.items()}
    model = create_model("Parameters", __config__=ConfigDict(extra="forbid", strict=True), **fields)
    try:
        checked = model.model_validate(dict(given))
    except ValidationError as error:
        raise _explained(error, name, declared) from error
    return {key: getattr(checked, key) for key in declared if key in given}


def _explained(error: Exception, name: str, declared: Mapping[str, Any]) -> ConfigurationError:
    first = error.errors(include_url=False)[0]  # type: ignore[attr-defined]
    key = str(first["loc"][0])
    if key not in declared:
        return ConfigurationError(
            f"The chapter {name} has no parameter {key}.",
            expected=f"one of {', '.join(declared)}",
            where=f"parameters cell of {name}.ipynb",
            fix="correct the name, or declare it with a default in the notebook's parameters cell",
        )
    return ConfigurationError(
        f"The parameter {key} has the wrong type.",
        expected=f"{_KINDS[type(declared[key])]}, like its default {declared[key]!r}",
        found=repr(first["input"]),
        where=f"chapter {name}",
    )
