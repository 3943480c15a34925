"""The lead rule: which lead counts as qualified, as a typed expression over its attributes."""

from __future__ import annotations

import re
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

Scalar = bool | int | float | str
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "not in", "present", "missing"]
_ORDERED = ("<", "<=", ">", ">=")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class Condition(BaseModel):
    """One test of one attribute: `{attribute: employees, op: ">=", value: 200}`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    attribute: str = Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="Column of leads, or else a key of their `attributes`."
    )
    op: Operator = Field(description="How the attribute is compared; a missing attribute meets only `missing`.")
    value: Scalar | tuple[Scalar, ...] | None = Field(
        default=None,
        description="What it is compared with: a list for `in` and `not in`, nothing for `present` and `missing`.",
    )

    @model_validator(mode="after")
    def _value_fits_operator(self) -> Condition:
        if self.op in ("present", "missing"):
            wrong, expected = self.value is not None, "no value"
        elif self.op in ("in", "not in"):
            wrong, expected = not isinstance(self.value, tuple) or not self.value, "a list, as [Inbound, Event]"
        elif self.op in _ORDERED:
            wrong, expected = not _is_ordered(self.value), "a number or a day, as 200 or 2026-01-31"
        else:
            wrong, expected = isinstance(self.value, tuple | None), "one value"
        if wrong:
            raise ValueError(f"op {self.op!r} takes {expected}, found {self.value!r}")
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        if any(isinstance(value, float) and not isfinite(value) for value in values):
            raise ValueError(f"op {self.op!r} takes finite numbers, found {self.value!r}")
        return self


def _is_ordered(value: Scalar | tuple[Scalar, ...] | None) -> bool:
    """Whether a value has a place in an order that all agree on: a number, or a day."""
    if isinstance(value, str):
        return _DAY.fullmatch(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def _not_empty(parts: tuple[Rule, ...]) -> tuple[Rule, ...]:
    if not parts:
        raise ValueError("an empty list decides nothing: give at least one condition, or remove it")
    return parts


class AllOf(BaseModel):
    """Every part must hold: `{all: [...]}`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    all: Annotated[tuple[Rule, ...], AfterValidator(_not_empty)] = Field(
        description="Parts that must all hold, at least one."
    )


class AnyOf(BaseModel):
    """One part must hold: `{any: [...]}`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    any: Annotated[tuple[Rule, ...], AfterValidator(_not_empty)] = Field(
        description="Parts of which one must hold, at least one."
    )


def _kind(data: Any) -> str:
    for key, kind in (("all", "AllOf"), ("any", "AnyOf")):
        if (isinstance(data, dict) and key in data) or hasattr(data, key):
            return kind
    return "Condition"


Rule = Annotated[
    Annotated[Condition, Tag("Condition")] | Annotated[AllOf, Tag("AllOf")] | Annotated[AnyOf, Tag("AnyOf")],
    Discriminator(_kind),
]
"""A condition, or all or any of several, nested as deep as needed."""

AllOf.model_rebuild()
AnyOf.model_rebuild()
