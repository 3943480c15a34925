"""Filters a reader can type: `column op literal [and …]`, parsed here and never pasted into a query.

    segment = SMB
    segment in (SMB, 'Mid-Market') and amount >= 10000
    stage != 'Closed Won' and created_on >= 2026-01-01
    owner_id = null

Operators are `=`, `!=`, `<`, `<=`, `>`, `>=` and `in`. A literal is a quoted string ('' inside quotes stands for one
quote), or everything up to the next `and`. `null`, unquoted, is the missing value and takes `=` and `!=` only.
Comparisons other than `= null` never match a missing value; `!=` in particular leaves missing values out.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import ibis
import ibis.expr.types as ir

from revops_analysis.errors import ConfigurationError

OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "in")

_NAME = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)")
_OPERATOR = re.compile(r"\s*(!=|<=|>=|=|<|>|in(?=[\s(]))", re.IGNORECASE)
_QUOTED = re.compile(r"\s*'((?:[^']|'')*)'|\s*\"((?:[^\"]|\"\")*)\"")
_BARE = re.compile(r"\s*(\S.*?)\s*(?=$|\sand(?:\s|$))", re.IGNORECASE)
_BARE_IN_LIST = re.compile(r"\s*([^\s,()'\"][^,()'\"]*?)\s*(?=[,)])")
_AND = re.compile(r"\s+and\s+", re.IGNORECASE)

COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
"""Comparisons of a filter or rule, as functions of two expressions."""

_FORMS: tuple[tuple[str, Callable[[Any], bool], Callable[[str], Any]], ...] = (
    ("a day as YYYY-MM-DD", lambda kind: kind.is_date(), date.fromisoformat),
    ("a moment as YYYY-MM-DDTHH:MM:SS", lambda kind: kind.is_timestamp(), datetime.fromisoformat),
    ("true or false", lambda kind: kind.is_boolean(), lambda text: {"true": True, "false": False}[text.lower()]),
    ("a number", lambda kind: kind.is_floating(), float),
    ("a number", lambda kind: kind.is_numeric(), Decimal),
)
"""How a literal must look for a column of each type that is not text, and what makes a value of it."""


@dataclass(frozen=True)
class Condition:
    """One comparison: a column, an operator of `OPERATORS`, and its literals as text (None: the missing value)."""

    column: str
    op: str
    literals: tuple[str | None, ...]

    def predicate(self, column: ir.Value) -> ir.BooleanValue:
        """The comparison as an Ibis expression on `column`, the literals typed like the column."""
        if self.literals == (None,):
            return column.isnull() if self.op == "=" else column.notnull()
        values = [_typed(str(text), column, self.column) for text in self.literals]
        return column.isin(values) if self.op == "in" else COMPARE[self.op](column, values[0])


@dataclass(frozen=True)
class Where:
    """A parsed filter: every condition must hold. Empty: everything passes.

    >>> parse_where("segment in (SMB, 'Mid-Market') and amount >= 10").conditions[1]
    Condition(column='amount', op='>=', literals=('10',))
    """

    conditions: tuple[Condition, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that the filter reads."""
        return tuple(condition.column for condition in self.conditions)

    def __bool__(self) -> bool:
        return bool(self.conditions)


def parse_where(text: str | Where | None) -> Where:
    """Parse a filter; None and the empty text filter nothing.

    Raises ConfigurationError, showing what was found at which position, when the text does not follow the grammar.
    """
    if isinstance(text, Where):
        return text
    if text is None or not text.strip():
        return Where()
    conditions: list[Condition] = []
    position = 0
    while True:
        condition, position = _condition(text, position)
        conditions.append(condition)
        if not text[position:].strip():
            return Where(tuple(conditions))
        joint = _AND.match(text, position)
        if not joint:
            raise _error(text, position, "`and` or the end")
        position = joint.end()


def check_names(names: Iterable[str], known: Iterable[str], what: str, where: str) -> None:
    """Raise ConfigurationError for the first of `names` that is not `known`, naming the nearest known ones."""
    choices = sorted(known)
    for name in names:
        if name in choices:
            continue
        near = difflib.get_close_matches(name, choices, n=3, cutoff=0.5)
        raise ConfigurationError(
            f"Unknown {what}.",
            expected=f"one of {', '.join(choices)}",
            found=name,
            where=where,
            fix=f"did you mean {' or '.join(near)}?" if near else f"use a {what} of the list",
        )


def _condition(text: str, position: int) -> tuple[Condition, int]:
    name = _NAME.match(text, position)
    if not name:
        raise _error(text, position, "a column name")
    op = _OPERATOR.match(text, name.end())
    if not op:
        raise _error(text, name.end(), f"one of {' '.join(OPERATORS)}")
    symbol = op.group(1).lower()
    if symbol == "in":
        literals, end = _list(text, op.end())
    else:
        literal, end = _literal(text, op.end(), _BARE)
        literals = (literal,)
    if None in literals and symbol not in ("=", "!="):
        raise _error(text, op.end(), f"a value: null goes with = and != only, not with {symbol}")
    return Condition(name.group(1), symbol, literals), end


def _list(text: str, position: int) -> tuple[tuple[str | None, ...], int]:
    opening = re.compile(r"\s*\(").match(text, position)
    if not opening:
        raise _error(text, position, "( after in")
    position = opening.end()
    literals: list[str | None] = []
    while True:
        literal, position = _literal(text, position, _BARE_IN_LIST)
        literals.append(literal)
        after = re.compile(r"\s*([,)])").match(text, position)
        if not after:
            raise _error(text, position, ", or )")
        position = after.end()
        if after.group(1) == ")":
            return tuple(literals), position


def _literal(text: str, position: int, bare: re.Pattern[str]) -> tuple[str | None, int]:
    quoted = _QUOTED.match(text, position)
    if quoted:
        single, double = quoted.group(1), quoted.group(2)
        value = single.replace("''", "'") if single is not None else double.replace('""', '"')
        return value, quoted.end()
    word = bare.match(text, position)
    if not word or word.group(1)[0] in "'\"":
        raise _error(text, position, "a value (a quoted value needs its closing quote)")
    value = word.group(1)
    return (None if value.lower() == "null" else value), word.end()


def _typed(text: str, column: ir.Value, name: str) -> Any:
    """The literal as a value of the column's type, so that text is never compared with a number or a day."""
    kind = column.type()
    form, convert = next(((form, make) for form, applies, make in _FORMS if applies(kind)), ("text", str))
    try:
        return ibis.literal(convert(text))
    except (ValueError, KeyError, InvalidOperation) as problem:
        raise ConfigurationError(
            "A filter compares a column with a value of another type.",
            expected=form,
            found=repr(text),
            where=f"column {name} of the filter",
            fix="write the value in the form of the column",
        ) from problem


def _error(text: str, position: int, expected: str) -> ConfigurationError:
    return ConfigurationError(
        "A filter could not be read.",
        expected=f"{expected}, in `column op literal [and …]`",
        found=repr(text[position:].strip() or "the end"),
        where=f"character {position + 1} of {text!r}",
        fix="for example: segment = SMB and amount >= 10000",
    )
