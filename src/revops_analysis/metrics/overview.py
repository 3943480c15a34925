"""Everything the pipeline chapter shows, computed once: figures, tables and texts are made from this and agree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import ibis
import pandas as pd

from revops_analysis.metrics.conversion import StageConversion, stage_conversion
from revops_analysis.metrics.coverage import period_ahead
from revops_analysis.metrics.dealflow.creation import CreationNeed, creation_need
from revops_analysis.metrics.dealflow.stage_chain import StageWhatIf, stage_what_if
from revops_analysis.metrics.movement import MovementSpan, PipelineMovement, pipeline_movement
from revops_analysis.metrics.registry import MetricRequest, MetricResult, compute_metric, get_metric
from revops_analysis.metrics.stalled import with_stall
from revops_analysis.metrics.velocity import VelocityChange, velocity_change
from revops_analysis.metrics.yields import open_now
from revops_analysis.periods import Period, parse_period, year_to

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

COMPANY = "Company"
AGE_BOUNDS = (30, 60, 90, 180)
"""Days at which the ages of deals are told apart: up to 30, up to 60 … and longer."""

_LARGEST = 15


@dataclass(frozen=True, eq=False)
class Coverage:
    """Coverage of a period as seen from the as-of date, beside what history says is required.

    `frame`: [scope, target, booked, expected_from_open, open_deals, coverage, required, low, high, reason], the company
    first and then each segment; `low` and `high` are the 95% interval of `required`. `period` is the report's, or the
    one after it when that is over.
    """

    period: Period
    frame: pd.DataFrame

    @property
    def units(self) -> dict[str, str]:
        """The unit of each column of `frame`."""
        money = dict.fromkeys(["target", "booked", "expected_from_open"], "currency")
        return {**money, "open_deals": "count", **dict.fromkeys(["coverage", "required", "low", "high"], "ratio")}


@dataclass(frozen=True, eq=False)
class Ageing:
    """How long open deals have been in their stage.

    `frame`: [stage, age, amount, deals] by open stage in order and age class (text, in order; null: not known);
    `stages`: [stage, deals, median_days, stalled_deals, stalled_amount], null where the source has no history;
    `stalled`: the largest stalled deals, [opportunity_id, name, owner, stage, segment, amount, days_in_stage,
    threshold_days, close_date]. Amounts in the reporting currency.
    """

    frame: pd.DataFrame
    stages: pd.DataFrame
    stalled: pd.DataFrame


@dataclass(frozen=True, eq=False)
class PipelineOverview:
    """The pipeline of a snapshot in a period: what is open, whether it is enough, what changed, how it flows and ages.

    `open_by_stage`: [stage, segment, value, n] in the order of the definitions; `open_by_period`: [close_period,
    is_overdue, value, n]; `movement`: of the whole open pipeline since the evening before the period;
    `period_movement`: of the pipeline expected in the period; `conversion`: of stages entered in the year that ends
    with the period, so that some were watched to the horizon; `what_if`: what improving each of them would bring;
    `stage_yields`: [stage, open, deals, yield, expected, low, high, reason] of the pipeline of the coverage's period;
    `velocity`: its factors now and a period ago; `creation`: what must be created for the quarters to come; `headline`
    and `figures`: metric results to publish.
    """

    period: Period
    currency: str
    headline: tuple[MetricResult, ...]
    figures: tuple[MetricResult, ...]
    open_by_stage: pd.DataFrame
    open_by_period: pd.DataFrame
    coverage: Coverage
    movement: PipelineMovement
    period_movement: PipelineMovement
    conversion: StageConversion
    ageing: Ageing
    what_if: StageWhatIf
    stage_yields: pd.DataFrame
    velocity: VelocityChange
    creation: CreationNeed

    def velocity_table(self) -> pd.DataFrame:
        """[factor, before, after, contribution, share, reason]: parts of the change of velocity, then their sum."""
        parts = self.velocity.frame.drop(columns=["n"])
        sides = parts.set_index("factor")[["before", "after"]]
        is_known = bool(parts["reason"].isna().all())
        product = {side: sides.drop(index="sales_cycle_days")[side].prod() for side in sides}
        cycle = parts[parts["factor"] == "sales_cycle_days"].iloc[0]
        whole = {
            "factor": "sales_velocity",
            **{side: product[side] / cycle[side] if is_known else float("nan") for side in ("before", "after")},
            "contribution": parts["contribution"].sum(min_count=1),
            "share": parts["share"].sum(min_count=1),
            "reason": parts["reason"].iloc[0],
        }
        return pd.concat([parts.astype({"factor": object}), pd.DataFrame([whole])], ignore_index=True)

    def flow_figures(self) -> list[pd.DataFrame]:
        """What is published of needed creation, by quarter, and of the stages' what-if, by stage: tidy frames."""
        need = self.creation.frame
        needed = need[["period", "low", "high", "n", "reason"]].assign(
            metric="pipeline_needed", value=need["needed"], unit="currency"
        )
        gains = self.what_if.frame[["stage", "low", "high"]].assign(
            metric="bookings_from_one_point_more",
            value=self.what_if.frame["gain"],
            unit="currency",
            n=self.what_if.frame["entered"],
            reason=self.what_if.reason,
        )
        return [needed, gains]

    def movement_table(self) -> pd.DataFrame:
        """Both movements side by side: [line, all, all_deals, in_period, in_period_deals]; empty lines left out."""
        whole = self.movement.lines.rename(columns={"value": "all", "n": "all_deals"})
        part = self.period_movement.lines.rename(columns={"value": "in_period", "n": "in_period_deals"})
        both = whole.merge(part, on="line")
        is_end = both["line"].isin(["opening", "closing"])
        return both[is_end | (both["all_deals"] > 0) | (both["in_period_deals"] > 0)].reset_index(drop=True)

    def largest_moves(self, snapshot: Snapshot) -> pd.DataFrame:
        """What changed the open pipeline most: [opportunity_id, name, owner, opening, closing, change,
        primary_reason].
        """
        top = self.movement.deals[self.movement.deals["change"] != 0].head(_LARGEST)
        deals = snapshot.deals
        known = deals.filter(
            deals.opportunity_id.isin(list(top["opportunity_id"])) if len(top) else ibis.literal(False)
        )
        words = known.select("opportunity_id", "name", owner=known.owner_name).to_pandas()
        named = top.merge(words, on="opportunity_id", how="left")
        renamed = named.rename(columns={"reason": "primary_reason"})  # a table's column `reason` says what is missing
        return renamed[["opportunity_id", "name", "owner", "opening", "closing", "change", "primary_reason"]]


def pipeline_overview(snapshot: Snapshot, period: str | Period) -> PipelineOverview:
    """Compute the pipeline chapter for a period that has begun by the as-of date.

    Raises ConfigurationError for a period that cannot be read or begins after the as-of date.
    """
    calendar = snapshot.definitions.fiscal_calendar
    span = parse_period(period, calendar) if isinstance(period, str) else period
    outlook, watched = period_ahead(snapshot, span), year_to(span)
    headline = tuple(compute_metric(snapshot, name, span) for name in _HEADLINE)
    ahead = tuple(compute_metric(snapshot, name, outlook) for name in ("coverage", "required_coverage"))
    return PipelineOverview(
        period=span,
        currency=snapshot.definitions.reporting_currency,
        headline=(*headline, *ahead),
        figures=tuple(compute_metric(snapshot, name, span) for name in _FIGURES),
        open_by_stage=_by_stage(snapshot, span),
        open_by_period=_by_period(snapshot, span),
        coverage=coverage_outlook(snapshot, outlook),
        movement=pipeline_movement(snapshot, MovementSpan.of(span, snapshot.as_of, whole_pipeline=True)),
        period_movement=pipeline_movement(snapshot, MovementSpan.of(span, snapshot.as_of)),
        conversion=_conversion(snapshot, watched),
        ageing=pipeline_ageing(snapshot),
        what_if=stage_what_if(snapshot, watched),
        stage_yields=stage_yields(snapshot, outlook),
        velocity=velocity_change(MetricRequest(get_metric("sales_velocity"), snapshot, span)),
        creation=creation_need(snapshot, outlook),
    )


def stage_yields(snapshot: Snapshot, period: Period) -> pd.DataFrame:
    """What the pipeline of a period in each stage yields by the period's end, as such pipeline did in past periods.

    [stage, open, deals, yield, expected, low, high, reason] in the order of the stages: `expected` bookings with 95%
    interval in the reporting currency. There is no required multiple by stage: a target is not one of a stage.
    """
    metric = get_metric("expected_bookings")
    found = compute_metric(snapshot, metric.name, period, by="stage").frame
    there = open_now(MetricRequest(metric, snapshot, period, ("stage",)), period.end)
    merged = found.merge(there[["stage", "open"]], on="stage", how="left")
    merged["yield"] = merged["value"] / merged["open"].where(merged["open"] > 0)
    order = {name: place for place, name in enumerate(snapshot.definitions.open_stages)}
    ranked = merged.loc[merged["stage"].map(order).fillna(len(order)).sort_values(kind="stable").index]
    renamed = ranked.rename(columns={"value": "expected", "n": "deals"}).round({"open": 2})
    return renamed[["stage", "open", "deals", "yield", "expected", "low", "high", "reason"]].reset_index(drop=True)


def _conversion(snapshot: Snapshot, period: Period) -> StageConversion:
    """Stage conversion, which says so when it is the history that is missing and not the deals."""
    found = stage_conversion(snapshot, period)
    if snapshot.has("opportunity_history"):
        return found
    return replace(found, frame=found.frame.assign(reason="the source has no opportunity_history table"))


_HEADLINE = ("open_pipeline", "bookings", "target", "win_rate")
_FIGURES = (
    "open_deals",
    "overdue_pipeline",
    "stalled_pipeline",
    "pipeline_created",
    "deals_won",
    "win_rate_amount",
    "average_deal_size",
    "median_deal_size",
    "sales_cycle_days",
    "sales_velocity",
    "restatements",
    "renewal_bookings",
    "concentration",
    "pipeline_gini",
)


def _by_stage(snapshot: Snapshot, period: Period) -> pd.DataFrame:
    frame = compute_metric(snapshot, "open_pipeline", period, by=("stage", "segment")).frame
    definitions = snapshot.definitions
    return _in_order(frame, {"stage": definitions.open_stages, "segment": definitions.segment_names})


def _in_order(frame: pd.DataFrame, orders: dict[str, tuple[str, ...]]) -> pd.DataFrame:
    """Order rows as the definitions order the words; other words follow, missing ones come last."""
    ranks = {
        name: frame[name].map({word: place for place, word in enumerate(words)}).fillna(len(words))
        for name, words in orders.items()
    }
    order = pd.DataFrame(ranks, index=frame.index).sort_values(list(orders), kind="stable").index
    return frame.loc[order, [*orders, "value", "n"]].reset_index(drop=True)


def _by_period(snapshot: Snapshot, period: Period) -> pd.DataFrame:
    frame = compute_metric(snapshot, "open_pipeline", period, by=("close_period", "is_overdue")).frame
    return frame[["close_period", "is_overdue", "value", "n"]]


def coverage_outlook(snapshot: Snapshot, period: Period) -> Coverage:
    """Coverage and required coverage of a period, for the company and each segment."""
    parts = []
    for by in ((), ("segment",)):
        found = {name: compute_metric(snapshot, name, period, by=by).frame for name in _COVERAGE}
        parts.append(_coverage_rows(found, by))
    if parts[1]["scope"].isna().all():
        parts.pop()  # no segments: the row would repeat the company's
    frame = pd.concat(parts, ignore_index=True)
    order = {COMPANY: -1, **{name: place for place, name in enumerate(snapshot.definitions.segment_names)}}
    ranked = frame.assign(order=frame["scope"].map(order).fillna(len(order)))
    ordered = ranked.sort_values("order", kind="stable", ignore_index=True).drop(columns=["order"])
    return Coverage(period, ordered)


_COVERAGE = ("coverage", "required_coverage", "target", "bookings", "expected_bookings")


def _coverage_rows(found: dict[str, pd.DataFrame], by: tuple[str, ...]) -> pd.DataFrame:
    def scoped(name: str, **columns: str) -> pd.DataFrame:
        frame = found[name].assign(scope=found[name][by[0]] if by else COMPANY)
        return frame[["scope", *columns]].rename(columns=columns)

    rows = scoped("coverage", value="coverage", n="open_deals", reason="reason")
    for name, columns in (
        ("required_coverage", {"value": "required", "low": "low", "high": "high", "reason": "why_not_required"}),
        ("target", {"value": "target"}),
        ("bookings", {"value": "booked"}),
        ("expected_bookings", {"value": "expected_from_open"}),
    ):
        rows = rows.merge(scoped(name, **columns), on="scope", how="left")
    rows = rows.assign(booked=rows["booked"].fillna(0.0))  # nothing is booked in a period that has not begun
    reason = rows["reason"].where(rows["reason"].notna(), rows["why_not_required"])
    shown = ["scope", "target", "booked", "expected_from_open", "open_deals", "coverage", "required", "low", "high"]
    return rows[shown].assign(reason=reason.astype(object).where(reason.notna(), None))


def pipeline_ageing(snapshot: Snapshot) -> Ageing:
    """Ages in stage of the open deals, by stage, and the largest that are stalled."""
    deals = with_stall(snapshot)
    days = deals.days_in_stage
    classes = [(days <= bound, f"up to {bound} days") for bound in AGE_BOUNDS]
    longer = (days > AGE_BOUNDS[-1], f"over {AGE_BOUNDS[-1]} days")
    aged = deals.mutate(age=ibis.cases(*classes, longer))
    amount = aged.amount.sum().fill_null(0)
    frame = aged.group_by(["stage", "age"]).aggregate(amount=amount, deals=aged.count()).to_pandas()
    stalled = aged.is_stalled.fill_null(False)
    stages = (
        aged.group_by("stage")
        .aggregate(
            deals=aged.count(),
            median_days=aged.days_in_stage.cast("float64").median(),
            judged=aged.is_stalled.count(),
            stalled_deals=stalled.sum(),
            stalled_amount=aged.amount.sum(where=stalled).fill_null(0),
        )
        .to_pandas()
    )
    unknown = stages["judged"] == 0  # no threshold or no day of entry: not assessed, and not free of stalled deals
    counts = {name: stages[name].astype("float64").mask(unknown) for name in ("stalled_deals", "stalled_amount")}
    stages = stages.assign(**counts).drop(columns=["judged"])
    largest = aged.filter(stalled).order_by([aged.amount.desc(), aged.opportunity_id]).limit(_LARGEST)
    return Ageing(
        _amounts_in_order(frame, "amount", snapshot),
        _amounts_in_order(stages, "stalled_amount", snapshot),
        _named(largest),
    )


def _amounts_in_order(frame: pd.DataFrame, money: str, snapshot: Snapshot) -> pd.DataFrame:
    ages = {f"up to {bound} days": place for place, bound in enumerate(AGE_BOUNDS)}
    stages = {name: place for place, name in enumerate(snapshot.definitions.open_stages)}
    rank = frame["stage"].map(stages).fillna(len(stages)) * 10
    if "age" in frame:
        rank += frame["age"].map(ages).fillna(len(ages)) + frame["age"].isna()
    amounts = frame[money].astype("float64").round(2)
    return frame.assign(**{money: amounts}).loc[rank.sort_values(kind="stable").index].reset_index(drop=True)


def _named(deals: ibis.Table) -> pd.DataFrame:
    shown = deals.select(
        "opportunity_id",
        "name",
        "stage",
        "segment",
        "amount",
        "days_in_stage",
        "threshold_days",
        "close_date",
        owner=deals.owner_name,
    )
    return shown.to_pandas().astype({"amount": "float64"})
