"""Warning flags: rules over what is measured of an open deal, and how their effect on winning is measured."""

from __future__ import annotations

from math import isfinite
from typing import Literal

from pydantic import Field, field_validator

from revops_analysis.definitions.problems import Problem, refuse, repeated
from revops_analysis.definitions.words import Part

Measure = Literal[
    "age_days",
    "days_in_stage",
    "days_beyond_stalled",
    "days_overdue",
    "days_to_close",
    "days_without_activity",
    "activities_14_days",
    "contacts",
    "decision_makers",
    "pushes",
    "days_pushed",
    "close_date_changes",
    "closes_at_month_end",
    "amount",
    "amount_change",
    "amount_missing",
    "stages_skipped",
    "steps_back",
    "stages_passed",
    "stages_left",
    "reopenings",
    "next_steps",
]
"""What a rule can compare; revops_analysis.models.flag_measures says what each is and where it comes from."""

Threshold = Literal["inactive_days", "push_count"]
"""Settings of `thresholds` that a test may name instead of giving a number."""


class FlagTest(Part):
    """One comparison of a rule: `{measure: pushes, op: ">=", value: push_count}`."""

    measure: Measure = Field(description="What is looked at of the deal on the day.")
    op: Literal["<", "<=", "=", ">=", ">"] = Field(description="How it is compared; what is not known never decides.")
    value: float | Threshold = Field(description="A number, or the name of a setting of `thresholds`.")

    @field_validator("value")
    @classmethod
    def _finite(cls, value: float | Threshold) -> float | Threshold:
        if isinstance(value, float) and not isfinite(value):
            raise ValueError(f"{value!r} is no limit: write a number")
        return value


class WarningFlag(Part):
    """A warning on open deals: a name, a sentence, and the tests that must all hold."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Short name, in lower-case letters, digits and _.")
    title: str = Field(min_length=1, description="Name as reports show it.")
    meaning: str = Field(min_length=1, description="What the flag says of a deal, in a sentence.")
    when: tuple[FlagTest, ...] = Field(min_length=1, description="Tests that must all hold for the flag to stand.")


_DEFAULT_FLAGS = (
    WarningFlag(
        name="stalled",
        title="Stalled",
        meaning="Longer in its stage than nearly all deals that were later won (the stalled quantile).",
        when=(FlagTest(measure="days_beyond_stalled", op=">", value=0),),
    ),
    WarningFlag(
        name="overdue",
        title="Overdue",
        meaning="The close date has passed.",
        when=(FlagTest(measure="days_overdue", op=">", value=0),),
    ),
    WarningFlag(
        name="pushed",
        title="Pushed again and again",
        meaning="The close date was moved later as often as `push_count` or more.",
        when=(FlagTest(measure="pushes", op=">=", value="push_count"),),
    ),
    WarningFlag(
        name="quiet",
        title="No activity",
        meaning="Nothing was logged on the deal for `inactive_days` or more.",
        when=(FlagTest(measure="days_without_activity", op=">=", value="inactive_days"),),
    ),
)


class Warnings(Part):
    """Which flags are put on open deals, and how the effect of each on winning is measured."""

    horizon_days: int = Field(
        default=90, ge=7, description="Days after a past day within which a deal must be won to count as won."
    )
    weeks: int = Field(default=156, ge=8, description="Past weeks at whose ends deals with and without are compared.")
    age_bands: tuple[int, ...] = Field(
        default=(30, 60, 90, 180),
        description="Ages in days between the bands within which, and within a stage, deals are compared.",
    )
    minimum_deals: int = Field(
        default=20, ge=2, description="Fewer past deals with the flag, or without it, and no effect is said."
    )
    false_discovery: float = Field(
        default=0.05, gt=0, lt=1, description="Share of flags said to have an effect that may have none."
    )
    decision_maker_roles: tuple[str, ...] = Field(
        default=("Decision maker", "Economic buyer"),
        description="Roles of people on a deal who can decide, whatever their case.",
    )
    flags: tuple[WarningFlag, ...] = Field(
        default=_DEFAULT_FLAGS, description="The flags, in the order of reports; own ones are added here."
    )

    @field_validator("age_bands")
    @classmethod
    def _bands_rise(cls, limits: tuple[int, ...]) -> tuple[int, ...]:
        refuse(
            [
                Problem(f"limit {limit} of an age band is not above {before}", "write rising limits above 0", (i,))
                for i, (before, limit) in enumerate(zip((0, *limits), limits, strict=False))
                if limit <= before
            ]
        )
        return limits

    @field_validator("flags")
    @classmethod
    def _flags_differ(cls, flags: tuple[WarningFlag, ...]) -> tuple[WarningFlag, ...]:
        refuse(repeated([flag.name for flag in flags], "flag"))
        return flags
