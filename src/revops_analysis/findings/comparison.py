"""What a detector that looks over cuts hands in: every comparison it made, and how to say the ones that hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.findings.finding import Evidence

if TYPE_CHECKING:
    from revops_analysis.findings.finding import Finding
    from revops_analysis.findings.registry import Question

Row = dict[str, Any]

REQUIRED = ("dims", "n", "effect", "low", "high", "p_value", "money")
_NUMBERS = ("effect", "low", "high", "p_value", "money", "weight", "watch", "preference")


@dataclass(frozen=True, eq=False)
class Comparisons:
    """All comparisons that a detector made, those that show nothing too: a row each.

    Columns of `frame`:
    - dims: the cut as a tuple of (dimension, value) pairs, () for the whole company. Several rows may have one cut (a
      longer and a shorter span): one of those that hold becomes its finding;
    - n: cases; effect, low, high: the measured size and its 95% interval, in `unit`;
    - p_value: one-sided, of what is at least as bad if nothing is wrong. A detector of falls does not look for rises,
      and what did well must come out near 1. nan where it could not be made: such a row is no comparison;
    - money: what is at stake, positive, nan where no honest amount can be named;
    - preference (optional, 0): of several rows of one cut that hold, the lowest is said, the clearest among equals;
    - weight (optional, 1): where power is wanted, chosen without looking at outcomes (`power_weights`);
    - watch (optional, 1): the same for the watch list, 0 for what is not watched;
    - is_reported (optional, True): False for rows that belong to the family but are not said on their own;
    - whatever else `say` reads.

    `narrow`, where given, says which of the rows that hold say something of their own (a mask over them): a segment
    that falls takes its products and the whole company with it, and one finding is enough.

    `say` makes the finding of one row. It gets the row with p_adjusted, confidence, evidence and among (how many
    comparisons were made in all) added, and leaves these as they are.
    """

    frame: pd.DataFrame
    unit: str
    say: Callable[[Question, Row], Finding]
    narrow: Callable[[pd.DataFrame], pd.Series] | None = None

    def __post_init__(self) -> None:
        missing = [name for name in REQUIRED if name not in self.frame.columns]
        if missing:
            raise ConfigurationError("A detector's comparisons lack columns.", found=f"no {', '.join(missing)}")
        filled = {"weight": 1.0, "watch": 1.0, "preference": 0.0, "is_reported": True}
        frame = self.frame.assign(**{name: value for name, value in filled.items() if name not in self.frame.columns})
        frame = frame.astype(dict.fromkeys(_NUMBERS, "float64")).reset_index(drop=True)
        object.__setattr__(self, "frame", frame)

    @property
    def made(self) -> int:
        """How many comparisons could be made."""
        return int(self.frame["p_value"].notna().sum())


def cut_of(dimension: str | None, value: object) -> tuple[tuple[str, object], ...]:
    """The cut of a dimension and its value as `dims` holds it; no dimension: the whole company.

    >>> cut_of("segment", "SMB"), cut_of(None, None)
    ((('segment', 'SMB'),), ())
    """
    return () if dimension is None else ((dimension, None if pd.isna(value) else value),)  # type: ignore[call-overload]


def dims_of(dimensions: Iterable[str | None], values: Iterable[object]) -> pd.Series:
    """`cut_of` for each pair, as the column `dims` of a frame with the same rows in order."""
    return pd.Series([cut_of(*pair) for pair in zip(dimensions, values, strict=True)], dtype=object)


def evidence_of(row: Mapping[str, Any], unit: str) -> Evidence:
    """The evidence of a judged row."""
    numbers = {name: None if pd.isna(row[name]) else float(row[name]) for name in ("effect", "low", "high")}
    return Evidence(int(row["n"]), unit=unit, p_adjusted=float(row["p_adjusted"]), among=int(row["among"]), **numbers)
