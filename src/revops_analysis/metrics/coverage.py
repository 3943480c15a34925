"""Is there enough pipeline? Yield, coverage, and the coverage that history says is required.

`yield`: of each unit of pipeline open in week w of a period, how much was booked by the period's end. `coverage`: that
pipeline now ÷ what is left of the target. `required_coverage`: the pipeline that would bring what is left, after what
is usually created and closed, and pulled in, by the period's end; measured, and never a flat multiple. Intervals draw
whole past periods with replacement.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from revops_analysis.metrics.deals import FAMILY, booked, grouped, headline
from revops_analysis.metrics.registry import Metric, MetricRequest, compute_metric, nothing, register
from revops_analysis.metrics.yields import (
    PARTS,
    YIELD_DIMENSIONS,
    Lookback,
    by_group,
    interval,
    open_now,
    past_periods,
    past_pipeline,
    resampled,
)
from revops_analysis.periods import Period, following, period_containing, weeks_of

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

TARGET_MET = "target met"
PERIOD_OVER = "the period is over"
MEASURE = "bookings"
PIPELINE = "pipeline_created"
"""Measures of `targets`, by the names of the metrics they are plans of."""

_PLANNED = {name: rule for name, rule in YIELD_DIMENSIONS.items() if name != "stage"}


_SHORTEST_QUARTER_DAYS = 80


def period_ahead(snapshot: Snapshot, period: Period) -> Period:
    """Return the period that coverage looks at: the one given, or the one after it once it is over.

    Of a week or a month for which no target is set: the quarter in which it lies, or the next once that is over.
    """
    calendar, today = snapshot.definitions.fiscal_calendar, snapshot.as_of
    ahead = period if today < period.end else following(period, calendar)
    if ahead.days >= _SHORTEST_QUARTER_DAYS or compute_metric(snapshot, "target", ahead).frame["value"].notna().all():
        return ahead
    quarter = period_containing(period.end, calendar)
    return quarter if today < quarter.end else following(quarter, calendar)


@dataclass(frozen=True)
class _Gap:
    """What is left of a target, or why that is not known."""

    target: float | None
    booked: float
    reason: str | None

    @property
    def left(self) -> float:
        return (self.target or 0.0) - self.booked


def _yield(request: MetricRequest) -> pd.DataFrame:
    """A row a week of the period, from week 0 (the evening before it begins) to its last but one."""
    ends = [(week, (end - request.period.start).days) for week, _, end in weeks_of(request.period)][:-1]
    weeks = dict([(0, -1), *ends])
    evidence = _evidence(request, tuple(weeks.values()))
    if isinstance(evidence, str):
        return nothing(request, evidence)
    rows = []
    for names, group in by_group(evidence, request.by):
        for week, offset in weeks.items():
            rows.append({**names, "week": week, **_ratio(group[group["offset"] == offset])})
    return pd.DataFrame(rows, columns=[*request.by, "week", "value", "low", "high", "n", "reason"])


def _evidence(request: MetricRequest, offsets: tuple[int, ...]) -> pd.DataFrame | str:
    """The sums of the past periods, or why there are too few of them."""
    past = past_periods(request.snapshot, request.period)
    needed = request.snapshot.definitions.coverage.minimum_periods
    if len(past) < needed:
        return f"{len(past)} past periods are on record, and at least {needed} are needed"
    return past_pipeline(request, Lookback(past, offsets))


def _ratio(sums: pd.DataFrame) -> dict[str, Any]:
    """Σ booked ÷ Σ open over past periods, with its interval."""
    values = sums[["booked", "open"]].to_numpy()
    top, bottom = values.sum(axis=0)
    if bottom <= 0:
        return {"value": None, "low": None, "high": None, "n": len(values), "reason": "no pipeline in past periods"}
    drawn = resampled(values)
    low, high = interval(_divided(drawn[:, 0], drawn[:, 1]))
    return {"value": top / bottom, "low": low, "high": high, "n": len(values), "reason": None}


def _divided(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    return np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)


def _coverage(request: MetricRequest) -> pd.DataFrame:
    pipeline = open_now(request, request.period.end)
    rows = []
    for names, gap in _gaps(request, pipeline):
        open_amount, n = _amount_of(pipeline, names)
        known = gap.reason is None
        rows.append({**names, "value": open_amount / gap.left if known else None, "n": n, "reason": gap.reason})
    return pd.DataFrame(rows, columns=[*request.by, "value", "n", "reason"])


def _required_coverage(request: MetricRequest) -> pd.DataFrame:
    evidence = _evidence(request, ((request.snapshot.as_of - request.period.start).days,))
    rows = []
    for names, gap in _gaps(request, open_now(request, request.period.end)):
        reason = gap.reason or (evidence if isinstance(evidence, str) else None)
        if reason is not None or isinstance(evidence, str):
            rows.append({**names, "value": None, "n": 0, "reason": reason})
        else:
            rows.append({**names, **_required(_rows_of(evidence, names), gap.left)})
    return pd.DataFrame(rows, columns=[*request.by, "value", "low", "high", "n", "reason"])


def _required(sums: pd.DataFrame, left: float) -> dict[str, Any]:
    """(left − expected create-and-close − expected pull-ins) ÷ yield ÷ left, never below 0."""
    n = len(sums)
    none = {"value": None, "low": None, "high": None, "n": n}
    if n == 0 or sums["open"].sum() <= 0:
        return {**none, "reason": "no pipeline in past periods"}
    if sums["booked"].sum() <= 0:
        return {**none, "reason": "nothing was ever booked from such pipeline in the past periods"}
    values = sums[list(PARTS)].to_numpy()
    value = _needed(values.sum(axis=0, keepdims=True), n, left)[0]
    low, high = interval(_needed(resampled(values), n, left))
    return {"value": value, "low": low, "high": high, "n": n, "reason": None}


def _needed(sums: np.ndarray, periods: int, left: float) -> np.ndarray:
    """Required coverage for each row of sums over `periods` periods (columns: PARTS)."""
    shares = _divided(sums[:, 0], sums[:, 1])
    by_itself = (sums[:, 2] + sums[:, 3]) / periods
    return _divided(np.maximum(left - by_itself, 0.0), np.where(shares > 0, shares, np.nan)) / left


def _expected_bookings(request: MetricRequest) -> pd.DataFrame:
    """Yield on this day of past periods × the pipeline now."""
    if request.period.end <= request.snapshot.as_of:
        return nothing(request, PERIOD_OVER)
    evidence = _evidence(request, ((request.snapshot.as_of - request.period.start).days,))
    if isinstance(evidence, str):
        return nothing(request, evidence)
    pipeline = open_now(request, request.period.end)
    rows = []
    for names, group in by_group(pipeline, request.by):
        ratio = _ratio(_rows_of(evidence, names))
        amount = float(group["open"].sum())
        scaled = {key: None if ratio[key] is None else ratio[key] * amount for key in ("value", "low", "high")}
        rows.append({**names, **scaled, "n": int(group["n"].sum()), "reason": ratio["reason"]})
    return pd.DataFrame(rows, columns=[*request.by, "value", "low", "high", "n", "reason"])


def _target(measure: str, request: MetricRequest) -> pd.DataFrame:
    found = targets_of(request, measure)
    if isinstance(found, str):
        return nothing(request, found)
    return found.rename(columns={"target": "value"})


def _gaps(request: MetricRequest, pipeline: pd.DataFrame) -> list[tuple[dict[str, Any], _Gap]]:
    """What is left of the target for each value of the cut that has a target or pipeline."""
    period, today = request.period, request.snapshot.as_of
    found = targets_of(request)
    reason = found if isinstance(found, str) else PERIOD_OVER if period.end <= today else None
    targets = pd.DataFrame(columns=[*request.by, "target"]) if isinstance(found, str) else found
    cut = request.cut(booked(headline(request.snapshot.deals), period))
    done = grouped(cut, request.by, booked=cut.amount.sum())
    names = [row for row, _ in by_group(pd.concat([targets, pipeline])[list(request.by)].drop_duplicates(), request.by)]
    return [(row, _gap(_rows_of(targets, row), _rows_of(done, row), reason)) for row in names]


def _gap(target: pd.DataFrame, done: pd.DataFrame, reason: str | None) -> _Gap:
    won = float(done["booked"].astype("float64").fillna(0.0).sum()) if len(done) else 0.0
    if reason is not None or target.empty:
        return _Gap(None, won, reason or "no target is set for it")
    aim = float(target["target"].astype("float64").sum())
    return _Gap(aim, won, TARGET_MET if won >= aim else None)


def targets_of(request: MetricRequest, measure: str = MEASURE) -> pd.DataFrame | str:
    """The targets of the period (of bookings) for the cut, [*by, target, n], or why there are none.

    Targets come from `targets` only. They must fill the period: the one of the year does not stand for a quarter.
    """
    snapshot, period = request.snapshot, request.period
    if not snapshot.has("targets"):
        return "no target: the source has no targets table"
    scope = _scope(request)
    if scope is None:
        return "no target: targets are set for the company or one segment, region or team, not for this cut"
    plan = snapshot.keep(f"targets of {measure}", lambda: _plan(snapshot, measure))
    start, end = ibis.literal(period.start), ibis.literal(period.end)
    rows = plan.filter((plan.scope_kind == scope.kind) & (plan.period_start >= start) & (plan.period_end <= end))
    money = rows if scope.name is None else rows.filter(rows.scope == scope.name)
    frame = money.select(*(["scope"] if request.by else []), "period_start", "period_end", "target").to_pandas()
    named = frame.rename(columns={"scope": request.by[0]}) if request.by else frame
    parts = [{**names, **_filled(group, period)} for names, group in by_group(named, request.by) if len(group)]
    filled = [part for part in parts if part["target"] is not None]
    if not filled:
        return f"no target for {period.label}" if frame.empty else f"the targets do not fill {period.label}"
    return pd.DataFrame(filled)


def _plan(snapshot: Snapshot, measure: str) -> ir.Table:
    plan = snapshot.table("targets")
    return snapshot.in_reporting_currency(plan.filter(plan.measure == measure), ["target"])


def _filled(rows: pd.DataFrame, period: Period) -> dict[str, Any]:
    """Σ target where the rows fill the period without gap or overlap; None where they do not."""
    first, last = pd.to_datetime(rows["period_start"]), pd.to_datetime(rows["period_end"])
    days = ((last - first).dt.days + 1).sum()
    ordered = rows.assign(first=first, last=last).sort_values("first")
    apart = (ordered["first"].iloc[1:].to_numpy() > ordered["last"].iloc[:-1].to_numpy()).all()
    whole = days == period.days and bool(apart)
    return {"target": sum(rows["target"]) if whole else None, "n": len(rows)}


@dataclass(frozen=True)
class _Scope:
    """Which targets answer the question: of the company, of all values of a dimension, or of one."""

    kind: str
    name: str | None


def _scope(request: MetricRequest) -> _Scope | None:
    conditions = request.where.conditions
    if not conditions:
        if len(request.by) > 1:
            return None
        return _Scope(request.by[0] if request.by else "company", None)
    only = conditions[0]
    if len(conditions) > 1 or only.op != "=" or request.by not in ((), (only.column,)):
        return None
    return _Scope(only.column, only.literals[0])


def _amount_of(pipeline: pd.DataFrame, names: dict[str, Any]) -> tuple[float, int]:
    rows = _rows_of(pipeline, names)
    return float(rows["open"].sum()), int(rows["n"].sum())


def _rows_of(frame: pd.DataFrame, names: dict[str, Any]) -> pd.DataFrame:
    """Rows whose dimensions have these values; a missing value matches a missing one."""
    keep = pd.Series(True, index=frame.index)
    for name, value in names.items():
        keep &= frame[name].isna() if pd.isna(value) else frame[name] == value
    return frame[keep]


_outlook = partial(Metric, grain="period", family=FAMILY, span="outlook")

register(
    _outlook(
        name="yield",
        title="Yield of pipeline",
        description="Of the pipeline open at the end of a week of past periods, the share booked by their end.",
        formula="Σ bookings by the period's end from deals open at week w with close date in the period or overdue "
        "÷ Σ their amount, over past periods",
        unit="rate",
        compute=_yield,
        dimensions=YIELD_DIMENSIONS,
        parts=("week",),
    )
)
register(
    _outlook(
        name="coverage",
        title="Pipeline coverage",
        description="Open pipeline expected in the period or overdue, per unit of target still to be booked.",
        formula="Σ amount open at D with close date ≤ end of P ÷ (target − bookings to date)",
        unit="ratio",
        compute=_coverage,
        dimensions=_PLANNED,
    )
)
register(
    _outlook(
        name="required_coverage",
        title="Required coverage",
        description="Coverage that brings the rest of the target at the yield of this day of past periods.",
        formula="(remaining target − expected create-and-close − expected pull-ins) ÷ yield ÷ remaining target",
        unit="ratio",
        compute=_required_coverage,
        dimensions=_PLANNED,
    )
)
register(
    _outlook(
        name="expected_bookings",
        title="Expected bookings from open pipeline",
        description="Open pipeline of the period × the yield on this day of past periods.",
        formula="yield(day of P) × Σ amount open at D with close date ≤ end of P",
        unit="currency",
        compute=_expected_bookings,
        dimensions=YIELD_DIMENSIONS,
    )
)
for _name, _measure, _words in (("target", MEASURE, "bookings"), ("pipeline_target", PIPELINE, "pipeline created")):
    register(
        _outlook(
            name=_name,
            title=f"{_words.capitalize()} target",
            description=f"The company's plan for {_words} in the period, from `targets` and from nowhere else.",
            formula=f"Σ targets of measure {_measure} that fill P",
            unit="currency",
            compute=partial(_target, _measure),
            dimensions={name: name for name in ("segment", "region", "team")},
            tables=("targets",),
        )
    )
