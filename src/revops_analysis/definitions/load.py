"""Reading a definitions file: every problem at once, each with its line and what to write instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from revops_analysis.definitions.model import Definitions
from revops_analysis.definitions.problems import Problem, nearest
from revops_analysis.errors import ConfigurationError

_STR, _MAP = "tag:yaml.org,2002:", "tag:yaml.org,2002:map"


@dataclass
class Document:
    """A YAML file as plain values, with the line of each path and the problems met while reading."""

    values: Any = None
    lines: dict[tuple[str | int, ...], int] = field(default_factory=dict)
    problems: list[tuple[int, Problem]] = field(default_factory=list)


def load_definitions(path: Path) -> Definitions:
    """Read and check a definitions file.

    Raises ConfigurationError that lists every problem, each with its line, what was found and what to write instead.
    """
    document = read_yaml(path)
    problems = list(document.problems)
    definitions = None
    try:
        definitions = Definitions.model_validate(document.values)
    except ValidationError as error:
        for details in error.errors(include_url=False):
            problems += [_placed(document, details["loc"], problem) for problem in _explain(details)]
    if definitions is None or problems:
        raise _error(path, problems)
    return definitions


def read_yaml(path: Path) -> Document:
    """Read a YAML file with the line of every key and item; a key that stands twice is a problem, not a choice.

    Raises ConfigurationError when the file is missing, is not UTF-8 or is not YAML.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as problem:
        raise ConfigurationError(
            "Cannot read the definitions.", found=problem.strerror, where=str(path), fix="give the path of a YAML file"
        ) from problem
    except UnicodeDecodeError as problem:
        raise ConfigurationError(
            "The file is not UTF-8 text.", where=f"{path}, byte {problem.start}", fix="save it as UTF-8"
        ) from problem
    document = Document()
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as problem:
        line = problem.problem_mark.line + 1 if problem.problem_mark else 1
        raise ConfigurationError(
            "The file is not YAML.", found=problem.problem, where=f"{path} line {line}", fix="correct that line"
        ) from problem
    document.values = {} if node is None else _plain(node, (), document, ())
    return document


def _plain(node: Any, path: tuple[str | int, ...], document: Document, above: tuple[int, ...]) -> Any:
    """Turn a node into plain values, noting lines; an alias to something that holds it is refused."""
    document.lines.setdefault(path, node.start_mark.line + 1)
    if id(node) in above:
        document.problems.append((document.lines[path], Problem("the alias points to what holds it", "write it out")))
        return None
    above = (*above, id(node))
    if node.tag == _MAP:
        return _mapping(node, path, document, above)
    if node.tag == f"{_STR}seq":
        return [_plain(item, (*path, i), document, above) for i, item in enumerate(node.value)]
    return _scalar(node, path, document)


def _mapping(node: Any, path: tuple[str | int, ...], document: Document, above: tuple[int, ...]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if key in values:
            first = document.lines[(*path, key)]
            document.problems.append((line, Problem(f"{key} stands twice, first on line {first}", "keep one of them")))
            continue
        document.lines[(*path, key)] = line
        values[key] = _plain(value_node, (*path, key), document, above)
    return values


def _scalar(node: Any, path: tuple[str | int, ...], document: Document) -> Any:
    kind, text = node.tag.removeprefix(_STR), node.value
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "int":
        return int(text.replace("_", ""), 0) if text.strip("+-").startswith("0") else int(text.replace("_", ""))
    if kind == "float":
        return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
    if kind in ("str", "timestamp", "value"):
        return text
    document.problems.append((document.lines[path], Problem(f"tag {node.tag} is not allowed", "write a plain value")))
    return None


def _placed(document: Document, loc: Sequence[str | int], problem: Problem) -> tuple[int, Problem]:
    """Return the problem with the line of the deepest part of its path that stands in the file.

    Pydantic puts names of union members into paths; they are not in the file and are passed over.
    """
    path: tuple[str | int, ...] = ()
    for part in (*loc, *problem.at):
        if (*path, part) in document.lines:
            path = (*path, part)
    return document.lines.get(path, 1), problem


def _explain(details: ErrorDetails) -> list[Problem]:
    """Say in the reader's words what pydantic found."""
    loc, context = details["loc"], details.get("ctx", {})
    if "problems" in context:
        name = ".".join(str(part) for part in loc)
        return [Problem(f"{name}: {p.what}", p.fix, p.at) for p in context["problems"]]
    owner, name = _owner(loc), str(loc[-1]) if loc else "the file"
    if details["type"] == "extra_forbidden":
        return [Problem(f"unknown key {name}", nearest(name, list(owner.model_fields)) if owner else "remove it")]
    meaning = _meaning(owner, name)
    if details["type"] == "missing":
        return [Problem(f"{name} is missing", f"add `{name}:`{meaning}")]
    found = details["input"]
    if details["type"] == "literal_error" and isinstance(found, str):
        allowed = [item.strip().strip("'") for item in str(context["expected"]).replace(" or ", ", ").split(", ")]
        return [Problem(f"{name} cannot be {found!r}", nearest(found, allowed) + meaning)]
    message = details["msg"].removeprefix("Value error, ")
    if details["type"] == "value_error":
        what, _, fix = message.partition(": ")
        return [Problem(f"{name}: {what}", fix or "correct it")]
    shown = repr(found) if isinstance(found, str | int | float | bool | None) else type(found).__name__
    return [Problem(f"{name}: {message[:1].lower()}{message[1:]}, found {shown}", f"correct the value{meaning}")]


def _meaning(owner: type[BaseModel] | None, name: str) -> str:
    if owner is None or name not in owner.model_fields:
        return ""
    return f" ({owner.model_fields[name].description})"


def _owner(loc: Sequence[str | int]) -> type[BaseModel] | None:
    """Return the model that holds the last part of the path, where one does."""
    model: type[BaseModel] | None = Definitions
    for part in loc[:-1]:
        models = (
            {found.__name__: found for found in _models(model.model_fields[part].annotation)}
            if (model is not None and isinstance(part, str) and part in model.model_fields)
            else None
        )
        if models is not None:
            choices = models
            model = next(iter(models.values())) if len(models) == 1 else None
        elif isinstance(part, str) and part in choices:
            model = choices[part]
    return model


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the models that a type mentions: itself, or the members of a tuple, a union or an optional."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    origin = get_origin(annotation)
    arguments = get_args(annotation)
    if origin is Annotated:
        arguments = arguments[:1]
    elif origin not in (tuple, Union, UnionType, dict):
        return []
    return [model for argument in arguments for model in _models(argument)]


def _error(path: Path, problems: Sequence[tuple[int, Problem]]) -> ConfigurationError:
    ordered = sorted(problems, key=lambda item: item[0])
    listed = "\n".join(f"    line {line}: {problem.what} → {problem.fix}" for line, problem in ordered)
    count = "One problem" if len(ordered) == 1 else f"{len(ordered)} problems"
    return ConfigurationError(
        f"{count} in the definitions.",
        found=f"\n{listed}",
        where=f"{path} line {ordered[0][0]}" if ordered else str(path),
        fix="correct the lines above; the meaning of each key is in revops_analysis.definitions.Definitions",
    )
