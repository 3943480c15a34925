"""What a measure gives: rows that break a rule, a reading, or the reason why there is nothing to look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis


@dataclass(frozen=True)
class Violations:
    """Rows that were looked at, and which of them break the rule.

    `failing` is a condition on `rows`; `key` are the columns that name a row to the reader. `nothing` says why the
    rule is not checked when there are no rows.
    """

    rows: ibis.Table
    failing: ibis.expr.types.BooleanValue
    key: tuple[str, ...]
    nothing: str


@dataclass(frozen=True)
class Reading:
    """One figure: its value, how a reader sees it, and of `checked` rows the `failed` ones where that makes sense.

    `of` are the rows behind a share, for whoever must find them.
    """

    value: float
    text: str
    checked: int = 1
    failed: int | None = None
    of: Violations | None = None


@dataclass(frozen=True)
class NotChecked:
    """Nothing to look at, and why: never a pass."""

    reason: str


Outcome = Violations | Reading | NotChecked
