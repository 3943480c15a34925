"""The parts of the definitions: stages, segments, categories, windows, weights, thresholds."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from revops_analysis.definitions.problems import Problem, refuse


class Part(BaseModel):
    """Base of every part: frozen, and a key that nobody knows is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Segment(Part):
    """A group of customers that is sold to in its own way."""

    name: str = Field(min_length=1, description="Name as it stands in accounts and deals.")
    meaning: str = Field(min_length=1, description="Who belongs to it, in a sentence.")
    employees_to: int | None = Field(
        default=None,
        ge=1,
        description="Largest number of employees of its companies, by which a lead's segment is told; none: no limit.",
    )


class Stage(Part):
    """A stage of a deal, in the order of the list."""

    name: str = Field(min_length=1, description="Name as it stands in deals.")
    outcome: Literal["open", "won", "lost"] = Field(description="Whether a deal in it is still open, won or lost.")
    entry: str = Field(min_length=1, description="What must be true before a deal may enter it.")
    probability: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Chance of winning that the CRM gives a deal in it, 0 to 1; none if not set.",
    )

    @model_validator(mode="after")
    def _closed_is_certain(self) -> Stage:
        certain = {"won": 1.0, "lost": 0.0}.get(self.outcome)
        if certain is not None and self.probability not in (None, certain):
            raise ValueError(f"a {self.outcome} stage has probability {certain:g}: remove the line")
        return self


class ForecastCategory(Part):
    """What a seller says about a deal in the forecast."""

    name: str = Field(min_length=1, description="Name as it stands in deals.")
    kind: Literal["closed", "commit", "best_case", "pipeline", "omitted"] = Field(
        description="Which of the five usual kinds it is; omitted deals count nowhere in the pipeline."
    )
    meaning: str = Field(min_length=1, description="What the seller states by choosing it.")


class Lookback(Part):
    """How far back a touch can lie and still receive credit."""

    sourced_days: int = Field(
        default=90, ge=1, description="Days before a deal's creation in which a touch can source it."
    )
    influence_days: int = Field(
        default=90,
        ge=1,
        description="Days before a deal's creation from which on touches, until closing, can influence it.",
    )

    @model_validator(mode="after")
    def _what_sources_also_influences(self) -> Lookback:
        if self.influence_days < self.sourced_days:
            raise ValueError(
                f"influence_days {self.influence_days} is less than sourced_days {self.sourced_days}: a touch that can "
                f"source a deal also influences it, so write {self.sourced_days} or more"
            )
        return self


class _Weights(Part):
    @model_validator(mode="after")
    def _add_up(self) -> _Weights:
        weights = [value for value in dict(self).values() if isinstance(value, float)]
        total = math.fsum(weights)
        if not math.isclose(total, 1.0, abs_tol=1e-9):
            refuse([Problem(f"weights add up to {total:g}, not 1", f"change them by {1 - total:+g} in all")])
        return self


class UShaped(_Weights):
    """Shares of a deal's credit: first touch, lead creation, and all between."""

    first: float = Field(default=0.4, ge=0, le=1, description="Share of the first touch.")
    lead_creation: float = Field(default=0.4, ge=0, le=1, description="Share of the touch that created the lead.")
    others: float = Field(default=0.2, ge=0, le=1, description="Share that all other touches split evenly.")


class WShaped(_Weights):
    """Shares of a deal's credit: first touch, lead creation, deal creation, and all between."""

    first: float = Field(default=0.3, ge=0, le=1, description="Share of the first touch.")
    lead_creation: float = Field(default=0.3, ge=0, le=1, description="Share of the touch that created the lead.")
    deal_creation: float = Field(default=0.3, ge=0, le=1, description="Share of the touch that created the deal.")
    others: float = Field(default=0.1, ge=0, le=1, description="Share that all other touches split evenly.")


class FullPath(_Weights):
    """Shares of a deal's credit: first touch, lead creation, deal creation, closing, and all between."""

    first: float = Field(default=0.225, ge=0, le=1, description="Share of the first touch.")
    lead_creation: float = Field(default=0.225, ge=0, le=1, description="Share of the touch that created the lead.")
    deal_creation: float = Field(default=0.225, ge=0, le=1, description="Share of the touch that created the deal.")
    closing: float = Field(default=0.225, ge=0, le=1, description="Share of the last touch before closing.")
    others: float = Field(default=0.1, ge=0, le=1, description="Share that all other touches split evenly.")


class PositionBased(_Weights):
    """Shares of a deal's credit: first touch, last touch, and all between."""

    first: float = Field(default=0.4, ge=0, le=1, description="Share of the first touch.")
    last: float = Field(default=0.4, ge=0, le=1, description="Share of the last touch.")
    others: float = Field(default=0.2, ge=0, le=1, description="Share that all other touches split evenly.")


Model = Literal[
    "first_touch",
    "last_touch",
    "linear",
    "u_shaped",
    "w_shaped",
    "full_path",
    "position",
    "time_decay",
    "markov",
    "markov_by_deal",
    "shapley",
    "shapley_ordered",
]
Team = Literal["marketing", "sales", "partners", "customer_success", "product"]


class Attribution(Part):
    """How credit for pipeline is shared out."""

    official_model: Model = Field(
        default="w_shaped", description="The model whose figures count where only one can be shown."
    )
    sourced_rule: Literal["crm_field", "first_touch", "lead_creation"] = Field(
        default="lead_creation", description="What decides who sourced a deal: the CRM's field or a touch."
    )
    half_life_days: float = Field(default=7, gt=0, description="Days after which a touch counts half under time decay.")
    markov_order: int = Field(default=1, ge=1, le=3, description="Touches that the Markov chain remembers.")
    u_shaped: UShaped = Field(default=UShaped(), description="Weights of the U-shaped model; they add up to 1.")
    w_shaped: WShaped = Field(default=WShaped(), description="Weights of the W-shaped model; they add up to 1.")
    full_path: FullPath = Field(default=FullPath(), description="Weights of the full path; they add up to 1.")
    position: PositionBased = Field(
        default=PositionBased(), description="Weights of the position-based model; they add up to 1."
    )
    activity_channels: dict[str, str] = Field(
        default_factory=dict, description="Activity kind to channel; a kind not named here is no touch."
    )
    answered: Literal["campaigns", "all", "none"] = Field(
        default="campaigns",
        description="Touches that count only once the person answered: those of a campaign, all, or none.",
    )
    duplicate_minutes: int = Field(
        default=30,
        ge=0,
        description="Minutes within which touches of one person, channel and campaign are one touch; 0: none are.",
    )
    channel_from_campaign: bool = Field(
        default=True, description="Whether a touch recorded without channel takes the channel of its campaign."
    )


class SourcingClaim(Part):
    """What one team says about the deals that a team sourced, by a definition of its own."""

    by: Team = Field(description="The team that says so.")
    of: Team = Field(description="The team whose deals are meant.")
    rule: Literal["any_touch", "crm_field", "first_touch", "lead_creation"] = Field(
        description="What decides: any touch of the team, the CRM's field, the first touch, or the lead's."
    )
    days: int | None = Field(
        default=None, ge=1, description="Days before a deal's creation in which its touches lie; none: sourced_days."
    )
    meaning: str = Field(min_length=1, description="The definition in a sentence, as its team would say it.")

    @model_validator(mode="after")
    def _days_of_touches(self) -> SourcingClaim:
        if self.rule != "any_touch" and self.days is not None:
            raise ValueError(f"a claim by {self.rule} has no days of its own: remove the line")
        return self


class Coverage(Part):
    """How the pipeline that a target needs is measured from history."""

    history_periods: int = Field(
        default=8, ge=1, description="Past periods over which the yield of pipeline is measured."
    )
    minimum_periods: int = Field(default=4, ge=1, description="Fewer past periods than this give no required coverage.")

    @model_validator(mode="after")
    def _minimum_within_history(self) -> Coverage:
        if self.minimum_periods > self.history_periods:
            raise ValueError(
                f"minimum_periods {self.minimum_periods} is more than history_periods {self.history_periods}"
            )
        return self


class Leads(Part):
    """When a passed lead counts as ignored or as sent back, and what a passed lead takes."""

    ignored_after_days: int = Field(
        default=30, ge=1, description="A passed lead that nobody answered or refused for so many days was ignored."
    )
    recycled_reasons: tuple[str, ...] = Field(
        default=(), description="Reasons of refusal that mean later and not never: the lead goes back to marketing."
    )
    hours_each: float = Field(
        default=2.0, gt=0, description="Hours of a seller that a passed lead takes, in the capacity that a rule needs."
    )
    known_at_creation: tuple[str, ...] = Field(
        default=(),
        description="Attributes that are never written after a lead is passed: the guard against leaks trusts them.",
    )
    behaviour_days: int = Field(
        default=14, ge=1, description="What a lead did counts for a rule until it was passed, at most so many days."
    )


class Sellers(Part):
    """Who counts as a seller, over how long sellers are compared, and what a fair assignment of quota is."""

    roles: tuple[str, ...] = Field(
        default=(), description="Roles of users who sell and carry a quota; none: whoever has a quota."
    )
    compared_periods: int = Field(
        default=4, ge=1, description="Periods up to the report's over which rates and pace of sellers are compared."
    )
    false_discovery: float = Field(
        default=0.05, gt=0, lt=1, description="Share of departures from peers that may be chance."
    )
    least_quota_coverage: float = Field(
        default=1.0, gt=0, description="Σ quotas ÷ target below which the target is not covered by quotas."
    )
    most_quota_coverage: float = Field(
        default=1.3, gt=0, description="Σ quotas ÷ target above which quotas are more than the plan needs."
    )

    @model_validator(mode="after")
    def _limits_in_order(self) -> Sellers:
        if self.most_quota_coverage <= self.least_quota_coverage:
            raise ValueError(
                f"most_quota_coverage {self.most_quota_coverage:g} is not above least_quota_coverage "
                f"{self.least_quota_coverage:g}: write a larger one"
            )
        return self


class DuplicateRules(Part):
    """When two records are taken to be one, and whether figures count them as one."""

    threshold: float = Field(
        default=0.95, ge=0.5, lt=1, description="Probability from which two records are taken to be one."
    )
    resolve: tuple[Literal["accounts", "contacts"], ...] = Field(
        default=(),
        description="Tables whose duplicates count under their survivor in every figure; none: as the source has them.",
    )


class Thresholds(Part):
    """Where a figure turns from normal into a warning or a refusal."""

    quarantined_share: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Share of a table's rows or amount in quarantine above which data are refused.",
    )
    freshness_days: int = Field(
        default=7, ge=0, description="Days before the as-of date by which the last change must lie."
    )
    volume_change_share: float = Field(
        default=0.5,
        gt=0,
        description="Change of a table's row count since the last load, as a share, above which to warn.",
    )
    overdue_share: float = Field(
        default=0.1, ge=0, le=1, description="Share of open pipeline with a close date in the past above which to warn."
    )
    missing_amount_share: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="Share of open deals past the first stage without amount above which to warn.",
    )
    inactive_days: int = Field(default=30, ge=1, description="Days without activity after which an open deal is quiet.")
    push_count: int = Field(
        default=3, ge=1, description="Times a close date may move later before the deal is flagged."
    )
    drift_past_share: float = Field(
        default=0.05,
        gt=0,
        description="Change of the number of rows dated up to the last load, as a share, above which to warn: history "
        "that was there should stay there.",
    )
    drift_new_share: float = Field(
        default=0.7,
        gt=0,
        description="Departure of the new rows since the last load from the pace before it, as a share, above which to "
        "warn: a feed that stopped or doubled.",
    )
    drift_missing_share: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Change of a column's share of missing values between loads, in points, above which to warn.",
    )
    drift_word_index: float = Field(
        default=0.25,
        gt=0,
        description="Population stability index between two loads of a column of words above which to warn; 0.25 is "
        "where credit scoring calls a population shifted.",
    )
    drift_amount_distance: float = Field(
        default=0.15,
        gt=0,
        le=1,
        description="Greatest difference between two loads in the share of amounts below any value (Kolmogorov and "
        "Smirnov's distance) above which to warn.",
    )
    drift_minimum_rows: int = Field(
        default=100, ge=1, description="Rows that both loads must have before shares and amounts are compared."
    )
