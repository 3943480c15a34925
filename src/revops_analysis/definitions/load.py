"""Reading a definitions file: every problem at once, each with its line and what to write instead."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from revops_analysis.definitions.model import Definitions
from revops_analysis.definitions.problems import Problem, nearest, repeated
from revops_analysis.errors import ConfigurationError
from revops_analysis.yaml_document import read_yaml


def load_definitions(path: Path) -> Definitions:
    """Read and check a definitions file.

    Raises ConfigurationError that lists every problem, each with its line, what was found and what to write instead.
    """
    document = read_yaml(path)
    problems = [(line, Problem(what, fix)) for line, what, fix in document.problems]
    definitions = None
    try:
        definitions = Definitions.model_validate(document.values)
    except ValidationError as error:
        found = error.errors(include_url=False)
        for details in found:
            problems += [(document.line_of((*details["loc"], *problem.at)), problem) for problem in _explain(details)]
        for section in sorted({str(details["loc"][0]) for details in found if len(details["loc"]) > 1}):
            hidden = _names_twice(document.values, section)
            problems += [(document.line_of((section, *problem.at)), problem) for problem in hidden]
    if definitions is None or problems:
        raise _error(path, problems)
    return definitions


def _names_twice(values: Any, section: str) -> list[Problem]:
    """Names that stand twice in a list with a faulty entry, which the model then does not get to compare."""
    entries = values.get(section) if isinstance(values, dict) else None
    if not isinstance(entries, list):
        return []
    names = [str(entry.get("name", "")) if isinstance(entry, dict) else "" for entry in entries]
    return [problem for problem in repeated(names, f"{section}: name") if names[int(problem.at[0])]]


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
