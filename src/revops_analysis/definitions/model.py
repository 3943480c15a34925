"""The definitions: what every word and threshold of the company means, in one frozen object."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import Field, ValidationInfo, field_validator

from revops_analysis.definitions.problems import Problem, nearest, refuse, repeated
from revops_analysis.definitions.rules import Rule
from revops_analysis.definitions.words import (
    Attribution,
    Coverage,
    DuplicateRules,
    ForecastCategory,
    Leads,
    Lookback,
    Part,
    Segment,
    SourcingClaim,
    Stage,
    Team,
    Thresholds,
)
from revops_analysis.periods import FiscalCalendar

DealType = Literal["new", "expansion", "renewal"]


class Definitions(Part):
    """Typed form of `params/definitions.yml`.

    Only the version, the reporting currency, the time zone and the stages must be given; everything else has a
    default. `hash` covers the content with its defaults, not the comments: equal hashes mean equal words.
    """

    version: str = Field(min_length=1, description="Version of these definitions, printed in every report.")
    reporting_currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO code of the currency that reports use.")
    business_time_zone: str = Field(description="IANA time zone in which a moment becomes a day.")
    fiscal_calendar: FiscalCalendar = Field(
        default=FiscalCalendar(), description="How the company cuts its years into quarters and months."
    )
    exchange_rate_day: Literal["as_of", "booking_day"] = Field(
        default="booking_day",
        description="Day whose rate converts a won deal; open deals always take the as-of date's.",
    )
    amount_basis: Literal["arr", "acv", "tcv"] = Field(
        default="arr",
        description="What a deal's amount means: a year's recurring, a contract year's, or the whole contract's.",
    )
    booking_day: Literal["close_date", "closed_at"] = Field(
        default="close_date",
        description="Which date books a won deal: its close date, or the moment it was marked won.",
    )
    headline_types: tuple[DealType, ...] = Field(
        default=("new", "expansion"),
        min_length=1,
        description="Deal types that headline bookings and pipeline take in.",
    )
    segments: tuple[Segment, ...] = Field(
        default=(), description="Customer segments, in the order in which reports list them."
    )
    stages: tuple[Stage, ...] = Field(min_length=1, description="Stages of a deal, in order, closed ones last.")
    forecast_categories: tuple[ForecastCategory, ...] = Field(
        default=(), description="Forecast categories, from least to most certain."
    )
    lead_rule: Rule | None = Field(default=None, description="Which lead counts as qualified; none: what the CRM says.")
    leads: Leads = Field(default=Leads(), description="How the hand-off of leads is measured.")
    duplicates: DuplicateRules = Field(
        default=DuplicateRules(), description="When records are one, and whether figures count them as one."
    )
    lookback: Lookback = Field(default=Lookback(), description="How far back a touch can lie.")
    attribution: Attribution = Field(default=Attribution(), description="How credit is shared out.")
    channel_map: dict[str, str] = Field(
        default_factory=dict,
        description="Word for a channel as the data have it, whatever its case, to the channel reports name.",
    )
    channel_teams: dict[str, Team] = Field(
        default_factory=dict, description="Channel, as reports name it, to the team that runs it."
    )
    source_teams: dict[str, Team] = Field(
        default_factory=dict, description="Word in the CRM's source field of a deal, to the team it stands for."
    )
    sourcing_claims: tuple[SourcingClaim, ...] = Field(
        default=(), description="Each team's own definition of what was sourced by whom, in the order of reports."
    )
    coverage: Coverage = Field(default=Coverage(), description="How required coverage is measured.")
    stalled_quantile: float = Field(
        default=0.9,
        gt=0,
        lt=1,
        description="An open deal is stalled once older in its stage than this share of won deals were.",
    )
    conversion_horizon_days: int = Field(
        default=180,
        ge=1,
        description="Days after entering a stage within which a deal's advance, win or loss is counted.",
    )
    gross_margin: float = Field(
        default=0.78, gt=0, le=1, description="Gross margin, as a share of revenue, in lifetime value."
    )
    discount_rate: float = Field(
        default=0.1, ge=0, lt=1, description="Yearly rate that discounts revenue in lifetime value."
    )
    ramp_months: dict[str, int] = Field(
        default_factory=dict, description="Months after hiring in which a seller is not yet full, by segment sold to."
    )
    speed_to_lead_minutes: int = Field(
        default=60, ge=1, description="Minutes within which a new lead should have an answer."
    )
    mrr_rates: Literal["constant", "monthly"] = Field(
        default="constant",
        description="Rates that convert recurring revenue: the as-of date's for all months, or each month's.",
    )
    nrr_counts_reactivated: bool = Field(
        default=True,
        description="Whether an account that left and came back within the twelve months counts in net retention.",
    )
    late_renewal_grace_days: int = Field(
        default=0, ge=0, description="Days between a term and its renewal over which the customer counts as never gone."
    )
    retention_account: Literal["account", "parent"] = Field(
        default="account",
        description="Who a customer is in retention: each account, or the topmost account that owns it.",
    )
    nrr_basis: Literal["cohort", "movements"] = Field(
        default="cohort",
        description="What net and gross retention are: revenue now of the accounts of twelve months before ÷ theirs "
        "then, or opening revenue with the movements of twelve months ÷ opening revenue.",
    )
    cohort_attributes: Literal["latest", "first_deal"] = Field(
        default="latest",
        description="Where a cohort's segment comes from: the account as known now, or the first deal that it won.",
    )
    mrr_bands: tuple[int, ...] = Field(
        default=(500, 2_000, 10_000),
        description="Limits between the size bands of customers, in monthly recurring revenue.",
    )
    recurring_revenue_from: date | None = Field(
        default=None, description="First day from which recurring revenue is complete; none: from its first month."
    )
    allowed_current_columns: tuple[str, ...] = Field(
        default=(),
        description="Columns without history, as table.column, that may nevertheless be used for past dates.",
    )
    thresholds: Thresholds = Field(default=Thresholds(), description="Where a figure becomes a warning.")

    @field_validator("business_time_zone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            refuse([Problem(f"{name!r} is not a time zone", nearest_zone(name))])
        return name

    @field_validator("headline_types")
    @classmethod
    def _types_differ(cls, types: tuple[DealType, ...]) -> tuple[DealType, ...]:
        refuse(repeated(types, "deal type"))
        return types

    @field_validator("segments", "forecast_categories")
    @classmethod
    def _names_differ(cls, parts: tuple[Any, ...], info: ValidationInfo) -> tuple[Any, ...]:
        kind = "segment" if info.field_name == "segments" else "forecast category"
        refuse(repeated([part.name for part in parts], kind))
        return parts

    @field_validator("segments")
    @classmethod
    def _sizes_rise(cls, segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
        """Either no segment has a size, or sizes rise from the first to the last, which may have no limit."""
        sizes = [segment.employees_to for segment in segments]
        limits = [float("inf") if size is None else float(size) for size in sizes]
        if any(size is not None for size in sizes):
            refuse(
                [
                    Problem(
                        f"segment {segments[i].name!r} is not larger than the one before it",
                        "let employees_to rise in the order of the list; only the last may go without",
                        (i,),
                    )
                    for i in range(1, len(limits))
                    if limits[i] <= limits[i - 1]
                ]
            )
        return segments

    @field_validator("stages")
    @classmethod
    def _stages_make_a_path(cls, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
        problems = repeated([stage.name for stage in stages], "stage")
        outcomes = [stage.outcome for stage in stages]
        problems += [
            Problem(f"no stage has outcome {outcome}", f"add the stage of {meaning} with outcome: {outcome}")
            for outcome, meaning in (("open", "open deals"), ("won", "won deals"), ("lost", "lost deals"))
            if outcome not in outcomes
        ]
        first_closed = next((i for i, outcome in enumerate(outcomes) if outcome != "open"), len(stages))
        problems += [
            Problem(f"open stage {stage.name!r} stands after a closed one", "move it before the closed stages", (i,))
            for i, stage in enumerate(stages)
            if stage.outcome == "open" and i > first_closed
        ]
        refuse(problems)
        return stages

    @field_validator("mrr_bands")
    @classmethod
    def _bands_rise(cls, limits: tuple[int, ...]) -> tuple[int, ...]:
        refuse(
            [
                Problem(f"limit {limit} of a size band is not above {before}", "write rising limits above 0", (i,))
                for i, (before, limit) in enumerate(zip((0, *limits), limits, strict=False))
                if limit <= before
            ]
        )
        return limits

    @field_validator("channel_map")
    @classmethod
    def _words_differ(cls, words: dict[str, str]) -> dict[str, str]:
        refuse([Problem(p.what, p.fix, (list(words)[int(p.at[0])],)) for p in repeated(list(words), "channel word")])
        return words

    @field_validator("channel_teams")
    @classmethod
    def _every_channel_has_a_team(cls, teams: dict[str, Team], info: ValidationInfo) -> dict[str, Team]:
        attribution = info.data.get("attribution")
        named = {"channel_map": info.data.get("channel_map", {})}
        named["activity_channels"] = attribution.activity_channels if attribution else {}
        missing = {channel: key for key, words in named.items() for channel in words.values() if channel not in teams}
        refuse(
            [
                Problem(f"channel {name!r} of {key} has no team", _team_for(name, tuple(teams)))
                for name, key in missing.items()
            ]
            + repeated(list(teams), "channel")
        )
        return teams

    @field_validator("sourcing_claims")
    @classmethod
    def _sources_have_teams(cls, claims: tuple[SourcingClaim, ...], info: ValidationInfo) -> tuple[SourcingClaim, ...]:
        lacks = not info.data.get("source_teams")
        refuse(
            [
                Problem("a claim by crm_field, but no source has a team", "add source_teams", (place,))
                for place, claim in enumerate(claims)
                if claim.rule == "crm_field" and lacks
            ]
        )
        return claims

    @field_validator("ramp_months")
    @classmethod
    def _ramp_by_segment(cls, months: dict[str, int], info: ValidationInfo) -> dict[str, int]:
        names = [segment.name for segment in info.data.get("segments", ())]
        problems = [Problem(f"ramp of {v} months", "write 0 or more", (k,)) for k, v in months.items() if v < 0]
        if names:
            problems += [
                Problem(f"{name!r} is no segment", nearest(name, names), (name,))
                for name in months
                if name not in names
            ]
        refuse(problems)
        return months

    @field_validator("allowed_current_columns")
    @classmethod
    def _table_and_column(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        refuse(
            [
                Problem(f"{name!r} is no table.column", "write for example opportunities.segment", (i,))
                for i, name in enumerate(columns)
                if len([part for part in name.split(".") if part.isidentifier()]) != 2 or name.count(".") != 1
            ]
        )
        return columns

    @property
    def hash(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the content, defaults included."""
        content = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @property
    def stage_names(self) -> tuple[str, ...]:
        """All stages in order."""
        return tuple(stage.name for stage in self.stages)

    @property
    def open_stages(self) -> tuple[str, ...]:
        """Stages of open deals, in order."""
        return self._stages_with("open")

    @property
    def won_stages(self) -> tuple[str, ...]:
        """Stages of won deals."""
        return self._stages_with("won")

    @property
    def lost_stages(self) -> tuple[str, ...]:
        """Stages of lost deals."""
        return self._stages_with("lost")

    @property
    def segment_names(self) -> tuple[str, ...]:
        """Segments in the order of reports."""
        return tuple(segment.name for segment in self.segments)

    @property
    def category_names(self) -> tuple[str, ...]:
        """Forecast categories in order."""
        return tuple(category.name for category in self.forecast_categories)

    @property
    def omitted_categories(self) -> tuple[str, ...]:
        """Forecast categories whose deals count nowhere in the pipeline."""
        return self.categories_of("omitted")

    def categories_of(self, kind: str) -> tuple[str, ...]:
        """Return the forecast categories of a kind (closed, commit, best_case, pipeline, omitted)."""
        return tuple(category.name for category in self.forecast_categories if category.kind == kind)

    def stage_order(self, name: str) -> int:
        """Return the place of a stage, from 1; KeyError, naming the stages, when there is none of that name."""
        try:
            return self.stage_names.index(name) + 1
        except ValueError:
            raise KeyError(f"no stage {name!r}; the stages are {', '.join(self.stage_names)}") from None

    def _stages_with(self, outcome: str) -> tuple[str, ...]:
        return tuple(stage.name for stage in self.stages if stage.outcome == outcome)


def _team_for(channel: str, known: tuple[str, ...]) -> str:
    """Return advice for a channel that has no team: the near name that has one, or the line to add."""
    advice = nearest(channel, known) if known else ""
    line = f"add `{channel}: marketing` (or its team)"
    return f"{advice}, or {line}" if advice and advice.count(",") == 0 and "one of" not in advice else line


def nearest_zone(name: str) -> str:
    """Return advice for an unknown time zone.

    >>> nearest_zone("America/NewYork")
    'write America/New_York'
    """
    zones = sorted(available_timezones())
    advice = nearest(name, zones)
    return advice if advice.count(",") == 0 else "write an IANA name such as America/New_York or Europe/Berlin"
