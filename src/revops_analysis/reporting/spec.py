"""A report's description: `params/reports/<name>.yml`, typed, unknown keys refused with their line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from revops_analysis.errors import ConfigurationError
from revops_analysis.paths import stay_inside
from revops_analysis.project import Project
from revops_analysis.yaml_document import Document, read_yaml

Scalar = bool | int | float | str
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_SET_BY_THE_RUN = ("source", "as_of", "period", "data_hash", "out")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Gate(_Strict):
    """What a report asks of its data."""

    refuse_on: Literal["critical", "warning"] = Field(
        "critical", description="Least severity of a failed rule that refuses the report"
    )


class ChapterSpec(_Strict):
    """One chapter: a notebook of `notebooks/`, and parameters that only it gets."""

    notebook: str = Field(description="Notebook in notebooks/, without .ipynb")
    period: Literal["report", "week", "month", "quarter", "year"] = Field(
        "report", description="Period of this chapter: the report's, or the one of that length in which the day lies"
    )
    parameters: dict[str, Scalar] = Field(default_factory=dict, description="Parameters for this chapter only")
    whole_company: str = Field(
        "", description="Why the chapter has no meaning for a part of the company; such a run leaves it out"
    )


class ReportSpec(_Strict):
    """One report: its chapters in order, their parameters, its gate."""

    name: str = Field(description="File name without .yml, and the name of the report's folder")
    title: str = Field(min_length=1, description="Title of the report's first page")
    description: str = Field("", description="One or two sentences below the title")
    period: Literal["week", "month", "quarter", "year"] = Field(
        "quarter", description="Length of the period: the one in which the as-of day lies, if --period names none"
    )
    notebooks: tuple[ChapterSpec, ...] = Field(min_length=1, description="Chapters in order")
    parameters: dict[str, Scalar] = Field(default_factory=dict, description="Parameters for every chapter")
    pdf: Literal["auto", "always", "never"] = Field(
        "auto", description="Whether runs have a report.pdf: where Pango is installed, always (an error without), never"
    )
    personal_data: Literal["masked", "shown"] = Field(
        "masked", description="Whether names, addresses and numbers of people outside the company are masked or shown"
    )
    gate: Gate = Field(default=Gate.model_validate({}), description="What the report asks of its data")
    cell_timeout_seconds: int = Field(600, ge=1, description="Longest time one cell may take")

    @field_validator("notebooks", mode="before")
    @classmethod
    def _names_alone(cls, value: Any) -> Any:
        """A chapter without parameters may be written as its name."""
        if isinstance(value, Sequence) and not isinstance(value, str):
            return [{"notebook": item} if isinstance(item, str) else item for item in value]
        return value

    @field_validator("notebooks")
    @classmethod
    def _each_once(cls, value: tuple[ChapterSpec, ...]) -> tuple[ChapterSpec, ...]:
        names = [chapter.notebook for chapter in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} is named twice; a chapter has one page")
        wrong = [name for name in names if not re.fullmatch(r"[a-z][a-z0-9_]*", name)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is no notebook name: lower-case letters, digits and _, without .ipynb")
        return value

    @field_validator("parameters")
    @classmethod
    def _not_set_by_the_run(cls, value: dict[str, Scalar]) -> dict[str, Scalar]:
        taken = sorted(set(value) & set(_SET_BY_THE_RUN))
        if taken:
            raise ValueError(f"{', '.join(taken)} is set by the run (--source, --as-of, --period), not by the report")
        return value

    def parameters_of(self, chapter: ChapterSpec) -> dict[str, Scalar]:
        """The report's parameters, overridden by the chapter's own."""
        return {**self.parameters, **chapter.parameters}


def load_report(name: str, project: Project) -> ReportSpec:
    """Read `params/reports/<name>.yml`.

    Raises ConfigurationError naming file, line and repair: no such report, an unknown key, a wrong value.
    """
    folder = project.params / "reports"
    path = folder / f"{name}.yml"
    if not _NAME.fullmatch(name) or not path.is_file():
        known = sorted(file.stem for file in folder.glob("*.yml"))
        raise ConfigurationError(
            "There is no such report.",
            expected=f"one of {', '.join(known) or 'none yet'}",
            found=name,
            where=f"{folder.relative_to(project.root).as_posix()}/",
        )
    document = read_yaml(stay_inside(path, folder, "A report's description"))
    for line, what, fix in document.problems:
        raise ConfigurationError(f"The report {name} is wrong: {what}.", where=f"{path} line {line}", fix=fix)
    if not isinstance(document.values, dict):
        raise ConfigurationError("A report is a list of settings.", found=repr(document.values), where=str(path))
    try:
        return ReportSpec.model_validate({"name": name, **document.values})
    except ValidationError as error:
        raise _explained(error, document) from error


def _explained(error: ValidationError, document: Document) -> ConfigurationError:
    first = error.errors(include_url=False)[0]
    place = [part for part in first["loc"] if isinstance(part, (str, int))]
    key = ".".join(str(part) for part in place)
    where = f"{document.path} line {document.line_of(place)}"
    if first["type"] == "extra_forbidden":
        model: type[BaseModel] = ReportSpec if len(place) == 1 else Gate if place[0] == "gate" else ChapterSpec
        expected = ", ".join(name for name in model.model_fields if name != "name")
        return ConfigurationError(
            f"Unknown key {place[-1]}.",
            expected=f"one of {expected}",
            where=where,
            fix="correct or remove it",
        )
    found = None if isinstance(first["input"], (dict, list)) else repr(first["input"])
    message = first["msg"].removeprefix("Value error, ")
    return ConfigurationError(f"{key}: {message}.", found=found, where=where)
