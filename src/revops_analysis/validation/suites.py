"""The rules: Great Expectations suites read from `expectations/<table>.json`, checked before anything runs.

A rule is a Great Expectations expectation with an id, a severity, and in `meta` why it matters, how to repair it and
who does that. A rule over single rows names a column of its table. A rule that needs more than one row or one table
names a `measure` instead: the engine computes it, and the expectation judges the figure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from revops_analysis.definitions import Definitions
from revops_analysis.errors import ConfigurationError
from revops_analysis.tables.schema import TABLES
from revops_analysis.validation.masks import check_kwargs
from revops_analysis.validation.measures import check_measure
from revops_analysis.validation.references import check_reference, resolve

Severity = Literal["critical", "warning"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Meta(_Strict):
    why: str = Field(min_length=20)
    fix: str = Field(min_length=20)
    owner: str = Field(min_length=2)
    measure: dict[str, Any] | None = None


class _Expectation(_Strict):
    id: str = Field(pattern=r"^[a-z_]+\.[a-z_]+$")
    type: str
    kwargs: dict[str, Any]
    severity: Severity
    meta: _Meta


class _Suite(_Strict):
    name: str
    expectations: list[_Expectation] = Field(min_length=1)
    meta: dict[str, Any]


@dataclass(frozen=True)
class Rule:
    """One rule of one table.

    `kwargs` are those of the expectation `type`. `measure` is None for a rule over single rows; else it names what
    the engine computes (`kind` and its options), and the expectation judges the column called like the rule.
    """

    id: str
    table: str
    type: str
    kwargs: Mapping[str, Any]
    severity: Severity
    why: str
    fix: str
    owner: str
    measure: Mapping[str, Any] | None = None

    @property
    def column(self) -> str:
        """The column or columns that the rule is about, as a reader sees them; empty for the table as a whole."""
        source = self.kwargs if self.measure is None else self.measure
        names = [source[name] for name in ("column", "column_A", "column_B") if name in source]
        return ", ".join([*names, *source.get("columns", ())])

    @property
    def empty_domain(self) -> bool:
        """True when the words that the rule allows are none, so that it cannot judge anything."""
        return self.kwargs.get("value_set") == []

    def resolved(self, definitions: Definitions, data_through: date) -> Rule:
        """The rule with its symbolic values replaced by those of the definitions and the data."""
        measure = self.measure and resolve(self.measure, definitions, data_through)
        return replace(self, kwargs=resolve(self.kwargs, definitions, data_through), measure=measure)


def load_suites(folder: Path) -> tuple[Rule, ...]:
    """Read every suite of a folder: the rules, in the order of the canonical tables and of each file.

    Raises ConfigurationError for a missing folder, a file that is no suite, a table that does not exist, an unknown
    expectation, measure, option or reference, and an id that stands twice.
    """
    if not folder.is_dir():
        raise ConfigurationError(
            "The folder of expectations is missing.",
            expected="one JSON file a table",
            where=str(folder),
            fix="restore the folder from the repository",
        )
    files = {path.stem: path for path in sorted(folder.glob("*.json"))}
    for name, path in files.items():
        if name not in TABLES:
            raise ConfigurationError(
                "A suite is named after no table.",
                expected=", ".join(TABLES),
                found=name,
                where=str(path),
                fix="rename the file after the table whose rules it holds",
            )
    if "opportunities" not in files:
        raise ConfigurationError(
            "The deals have no suite, so nothing would be checked.",
            expected="opportunities.json",
            where=str(folder),
            fix="restore the file from the repository",
        )
    rules = tuple(rule for name in TABLES if name in files for rule in _read(files[name]))
    _refuse_repeated(rules, folder)
    return rules


def _read(path: Path) -> list[Rule]:
    try:
        suite = _Suite.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except json.JSONDecodeError as problem:
        raise ConfigurationError(
            "The suite is not JSON.", found=problem.msg, where=f"{path} line {problem.lineno}", fix="correct that line"
        ) from problem
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        raise ConfigurationError(
            "The suite has a rule that cannot be read.",
            found=first["msg"],
            where=f"{path}, {'.'.join(str(part) for part in first['loc'])}",
            fix="give each rule id, type, kwargs, severity (critical or warning) and meta: why, fix, owner",
        ) from problem
    return [_rule(path, item) for item in suite.expectations]


def _rule(path: Path, item: _Expectation) -> Rule:
    table, where = path.stem, f"{path}, rule {item.id}"
    if not item.id.startswith(f"{table}."):
        raise ConfigurationError(
            "A rule's id must begin with its table.",
            expected=f"{table}.…",
            found=item.id,
            where=where,
            fix="rename the rule",
        )
    meta = item.meta
    check_reference(item.kwargs, where)
    check_reference(meta.measure, where)
    if meta.measure is None:
        check_kwargs(table, item.type, item.kwargs, where)
    else:
        check_measure(TABLES[table], meta.measure, where)
        _check_judgement(item, where)
    return Rule(item.id, table, item.type, item.kwargs, item.severity, meta.why, meta.fix, meta.owner, meta.measure)


def _check_judgement(item: _Expectation, where: str) -> None:
    """A measure is one figure in a column named like its rule; what judges it is a range with an end."""
    bounds = {"min_value", "max_value"} & set(item.kwargs)
    known = {"column", "min_value", "max_value", "strict_min", "strict_max"}
    is_range = item.type == "expect_column_values_to_be_between" and bounds and set(item.kwargs) <= known
    if not is_range or item.kwargs.get("column") != item.id:
        raise ConfigurationError(
            "A measured rule must judge its own figure.",
            expected=f"expect_column_values_to_be_between on column {item.id} with min_value or max_value",
            found=f"{item.type} on column {item.kwargs.get('column')}",
            where=where,
            fix="correct the type and the column",
        )


def _refuse_repeated(rules: tuple[Rule, ...], folder: Path) -> None:
    ids = [rule.id for rule in rules]
    repeated = sorted({name for name in ids if ids.count(name) > 1})
    if repeated:
        raise ConfigurationError(
            "A rule stands twice.", found=", ".join(repeated), where=str(folder), fix="give each rule its own id"
        )
