"""What a canonical table declares: its columns, their types and keys, and how each is read as of a date.

Each column declares its as-of rule, which says what of it may be seen at the end of day D:

- `fixed`    known from the moment the row exists and never altered;
- `event`    a fact with a date of its own (`dated_by`, by default the column itself): null if that is after D;
- `history`  rebuilt from `opportunity_history`: the value of the last change on or before D;
- `derived`  recomputed from dated facts on or before D;
- `current`  only the latest value is known, so a past date shows today's; refused as model feature, flag input and
  cohort attribute unless the definitions allow it, and listed by every report that used it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "date", "timestamp", "money", "rate", "number", "integer", "boolean", "json"]
Rule = Literal["fixed", "event", "history", "derived", "current"]

IBIS_TYPES: dict[str, str] = {
    "text": "string",
    "date": "date",
    "timestamp": "timestamp(6)",  # UTC, without zone: a zone that depends on the session would change days
    "money": "decimal(18, 2)",
    "rate": "decimal(18, 6)",
    "number": "float64",
    "integer": "int64",
    "boolean": "boolean",
    "json": "string",
}


@dataclass(frozen=True)
class Column:
    """One column of a canonical table.

    `required` means that a row without it cannot be used and is quarantined. `references` names the table whose key
    the column holds; a required reference without its target is an orphan. `personal` marks personal data, masked in
    reports by default. `dated_by` names the column that dates an `event`.
    """

    name: str
    kind: Kind
    rule: Rule
    description: str
    required: bool = False
    references: str | None = None
    personal: bool = False
    dated_by: str | None = None

    @property
    def ibis_type(self) -> str:
        """The column's type in the warehouse."""
        return IBIS_TYPES[self.kind]


@dataclass(frozen=True)
class TableSchema:
    """One canonical table: what a row is, its columns, its key, and the column from which on a row can be seen.

    `visible_from` is compared with the as-of date: a row dated later does not exist yet. None: the row is a plan or a
    register entry that was never dated, and is always visible. `visible_else` takes its place where it is null.
    `whole_month`: the row is of the month that begins on `visible_from`, and exists once that month is over.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    visible_from: str | None
    description: str
    visible_else: str | None = None
    whole_month: bool = False

    def column(self, name: str) -> Column:
        """Return the column called `name`; KeyError when the table has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name!r}; it has {', '.join(self.names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in the order of the warehouse."""
        return tuple(column.name for column in self.columns)

    @property
    def required(self) -> tuple[str, ...]:
        """Columns without which a row is quarantined."""
        return tuple(column.name for column in self.columns if column.required)

    @property
    def personal(self) -> tuple[str, ...]:
        """Columns that hold personal data."""
        return tuple(column.name for column in self.columns if column.personal)

    def ibis_types(self) -> dict[str, str]:
        """Column name → type in the warehouse, for `ibis.schema`."""
        return {column.name: column.ibis_type for column in self.columns}


def column_of(kind: Kind) -> Callable[..., Column]:
    """A short constructor for columns of one kind, so that the tables below read as a list."""

    def build(  # noqa: PLR0913 - one argument a declared property of a column
        name: str,
        rule: Rule,
        description: str,
        *,
        required: bool = False,
        references: str | None = None,
        personal: bool = False,
        dated_by: str | None = None,
    ) -> Column:
        return Column(name, kind, rule, description, required, references, personal, dated_by)

    return build
