"""The expectations that suites may use, each with its mask: which rows fail, as a condition in the engine.

Great Expectations counts the failing rows. The mask finds their keys without carrying them all out of the engine, and
its own count must equal Great Expectations', so that a difference in meaning is noticed and never published.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

from revops_analysis.errors import ConfigurationError
from revops_analysis.tables.schema import TABLES
from revops_analysis.validation.frames import DERIVED

if TYPE_CHECKING:
    import ibis

Kwargs = Mapping[str, Any]
Mask = Callable[["ibis.Table", Kwargs], "ibis.expr.types.BooleanValue"]


@dataclass(frozen=True)
class Shape:
    """What an expectation takes and which rows fail it. Missing values fail only where being there is the rule."""

    required: frozenset[str]
    optional: frozenset[str]
    failing: Mask


def _null(table: ibis.Table, kwargs: Kwargs) -> ibis.expr.types.BooleanValue:
    return table[kwargs["column"]].isnull()


def _there(table: ibis.Table, kwargs: Kwargs) -> ibis.expr.types.BooleanValue:
    return table[kwargs["column"]].notnull()


def _outside_set(table: ibis.Table, kwargs: Kwargs) -> ibis.expr.types.BooleanValue:
    return table[kwargs["column"]].notin(list(kwargs["value_set"]))


def _outside_range(table: ibis.Table, kwargs: Kwargs) -> ibis.expr.types.BooleanValue:
    import ibis

    value = table[kwargs["column"]]
    failing = ibis.literal(False)
    if kwargs.get("min_value") is not None:
        low = ibis.literal(kwargs["min_value"])
        failing = failing | (value <= low if kwargs.get("strict_min") else value < low)
    if kwargs.get("max_value") is not None:
        high = ibis.literal(kwargs["max_value"])
        failing = failing | (value >= high if kwargs.get("strict_max") else value > high)
    return failing


def _unlike(table: ibis.Table, kwargs: Kwargs) -> ibis.expr.types.BooleanValue:
    pattern = kwargs["regex"]
    if pattern.endswith("$"):  # in Python it also matches before a last line feed, in the engine it does not
        pattern = pattern[:-1] + r"\n?\z"
    return ~table[kwargs["column"]].re_search(pattern)


def _not_after(table: ibis.Table, kwargs: Kwargs) -> ibis.expr.types.BooleanValue:
    first, second = table[kwargs["column_A"]], table[kwargs["column_B"]]
    return first < second if kwargs.get("or_equal") else first <= second


_CLASSES = re.compile(r"\\[sSwWdDbBZ]|\(\?")
_ALWAYS = frozenset({"row_condition", "mostly"})
_COLUMN = frozenset({"column"})

EXPECTATIONS: dict[str, Shape] = {
    "expect_column_values_to_not_be_null": Shape(_COLUMN, _ALWAYS, _null),
    "expect_column_values_to_be_null": Shape(_COLUMN, _ALWAYS, _there),
    "expect_column_values_to_be_in_set": Shape(_COLUMN | {"value_set"}, _ALWAYS, _outside_set),
    "expect_column_values_to_be_between": Shape(
        _COLUMN, _ALWAYS | {"min_value", "max_value", "strict_min", "strict_max"}, _outside_range
    ),
    "expect_column_values_to_match_regex": Shape(_COLUMN | {"regex"}, _ALWAYS, _unlike),
    "expect_column_pair_values_a_to_be_greater_than_b": Shape(
        frozenset({"column_A", "column_B", "ignore_row_if"}), _ALWAYS | {"or_equal"}, _not_after
    ),
}

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "IN": lambda value, words: value.isin(list(words)),
    "NOT_IN": lambda value, words: value.notin(list(words)),
}


def failing_rows(table: ibis.Table, expectation: str, kwargs: Kwargs) -> ibis.Table:
    """The rows of a prepared table that fail an expectation, within its row condition."""
    mask = EXPECTATIONS[expectation].failing(table, kwargs)
    if "row_condition" in kwargs:
        mask = mask & _condition(table, kwargs["row_condition"])
    return table.filter(mask)


def judged_rows(table: ibis.Table, expectation: str, kwargs: Kwargs) -> ibis.expr.types.BooleanValue:
    """Which rows of a prepared table an expectation judges: within its condition, and with the values it compares."""
    import ibis

    judged: Any = ibis.literal(True)
    if "row_condition" in kwargs:
        judged = judged & _condition(table, kwargs["row_condition"]).fill_null(False)
    if not expectation.endswith("be_null"):
        for name in ("column", "column_A", "column_B"):
            if name in kwargs:
                judged = judged & table[kwargs[name]].notnull()
    return judged


def _condition(table: ibis.Table, condition: Kwargs) -> Any:
    """Great Expectations' own form of a row condition, as a condition in the engine."""
    if condition["type"] == "and":
        return reduce(operator.and_, [_condition(table, part) for part in condition["conditions"]])
    value = table[condition["column"]["name"]]
    if condition["type"] == "nullity":
        return value.isnull() if condition["is_null"] else value.notnull()
    return _COMPARE[condition["operator"]](value, condition["parameter"])


def condition_columns(condition: Kwargs | None) -> tuple[str, ...]:
    """Columns that a row condition reads.

    >>> condition_columns({"type": "nullity", "column": {"name": "stage"}, "is_null": True})
    ('stage',)
    """
    if not condition:
        return ()
    if condition["type"] == "and":
        return tuple(name for part in condition["conditions"] for name in condition_columns(part))
    return (condition["column"]["name"],)


def columns_of(kwargs: Kwargs) -> tuple[str, ...]:
    """Every column that a rule over single rows reads."""
    own = (kwargs[name] for name in ("column", "column_A", "column_B") if name in kwargs)
    return tuple(dict.fromkeys((*own, *condition_columns(kwargs.get("row_condition")))))


def compared_columns(expectation: str, kwargs: Kwargs) -> tuple[str, ...]:
    """Columns of which a rule reads the values; of its others it only sees whether they are there.

    >>> compared_columns("expect_column_values_to_not_be_null", {"column": "amount"})
    ()
    """
    if not expectation.endswith("be_null"):
        return columns_of(kwargs)
    return condition_columns(kwargs.get("row_condition"))


def check_kwargs(table: str, expectation: str, kwargs: Kwargs, where: str) -> None:
    """Refuse an expectation, an option or a column that the gate does not know.

    Raises ConfigurationError that names the place, what was written and what can be written.
    """
    shape = EXPECTATIONS.get(expectation)
    if shape is None:
        raise _unknown("expectation", expectation, EXPECTATIONS, where)
    for name in sorted(shape.required - set(kwargs)):
        raise ConfigurationError("A rule lacks an option.", expected=name, where=where, fix=f"add {name} to its kwargs")
    for name in sorted(set(kwargs) - shape.required - shape.optional):
        raise _unknown("option", name, sorted(shape.required | shape.optional), where)
    _check_condition(kwargs.get("row_condition"), where)
    _check_pattern(kwargs.get("regex"), where)
    known = (*TABLES[table].names, *DERIVED.get(table, ()))
    for name in columns_of(kwargs):
        if name not in known:
            raise _unknown("column", name, known, where)


def _check_pattern(pattern: str | None, where: str) -> None:
    """Refuse what Python and the engine read differently: Python's classes know all scripts, the engine's ASCII."""
    found = _CLASSES.search(pattern or "")
    if found:
        raise ConfigurationError(
            "A pattern uses a class that means different things to Python and to the engine.",
            expected="the characters themselves, for example [0-9] or [ \\t\\r\\n]",
            found=found.group(),
            where=where,
            fix="write the characters out",
        )


def _check_condition(condition: Any, where: str) -> None:
    if condition is None:
        return
    kind = condition.get("type") if isinstance(condition, Mapping) else condition
    if kind not in ("comparison", "nullity", "and"):
        raise _unknown("row condition", str(kind), ("comparison", "nullity", "and"), where)
    if kind == "and":
        for part in condition["conditions"]:
            _check_condition(part, where)
    elif kind == "comparison" and condition["operator"] not in _COMPARE:
        raise _unknown("operator", condition["operator"], _COMPARE, where)


def _unknown(kind: str, found: str, known: Any, where: str) -> ConfigurationError:
    return ConfigurationError(
        f"A rule uses an unknown {kind}.", expected=", ".join(known), found=found, where=where, fix="correct the name"
    )
