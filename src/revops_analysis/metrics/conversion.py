"""Stage conversion and time in stage, with open deals as not yet known instead of lost.

Winning or advancing competes with losing: of the deals that entered, some advance, some are lost, and of the rest
nothing is known yet. The Aalen–Johansen estimate uses each deal for as long as it was watched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import ibis.expr.types as ir
import pandas as pd

from revops_analysis.metrics.deals import DEAL_DIMENSIONS, FAMILY, headline, within
from revops_analysis.metrics.incidence import Row, at_horizon, by_cut, durations
from revops_analysis.metrics.registry import Metric, MetricRequest, register
from revops_analysis.metrics.stages import stage_visits

if TYPE_CHECKING:
    from revops_analysis.periods import Period
    from revops_analysis.statistics.survival import CumulativeIncidence
    from revops_analysis.tables.snapshot import Snapshot

QUANTILES = (0.25, 0.5, 0.75, 0.9)
"""The shares of deals for which `stage_duration_days` says by when they had left the stage."""


@dataclass(frozen=True)
class StageConversion:
    """What became of the deals that entered each stage in a period.

    `frame` has a row per cut and open stage, in the order of the stages: `[*by, stage, entered, advanced, lost,
    still_there, conversion, low, high, loss, median_days, reason]`. The counts are as at the as-of date and add up:
    entered = advanced + lost + still_there. `conversion` and `loss` are the shares that advance and are lost within
    `horizon_days`; null, with the reason, while no deal has been watched that long. `median_days`: days until half had
    left the stage either way; null while fewer have.
    """

    frame: pd.DataFrame
    period: Period
    horizon_days: int


def stage_conversion(snapshot: Snapshot, period: Period, by: Sequence[str] = ()) -> StageConversion:
    """Stage conversion of the headline deals that entered a stage in `period`, cut by dimensions of deals.

    Source: METRICS, stage_conversion; competing risks as in Aalen & Johansen (1978). Losing competes with advancing.
    Needs `opportunity_history`; without it the frame has no rows.
    """
    definitions = snapshot.definitions
    request = MetricRequest(_CONVERSION, snapshot, period, tuple(by))
    counts = durations(_entered(request), request.keys)
    horizon = definitions.conversion_horizon_days

    def summary(curve: CumulativeIncidence, group: pd.DataFrame) -> Row:
        return _stage_row(curve, group, partial(at_horizon, horizon=horizon, as_of=snapshot.as_of))

    frame = by_cut(counts, request.keys, summary)
    if not len(by):
        frame = _all_stages(frame, definitions.open_stages)
    frame["stage"] = pd.Categorical(frame["stage"], definitions.open_stages, ordered=True)
    ordered = frame.sort_values([*by, "stage"], ignore_index=True).astype({"stage": object})
    return StageConversion(ordered.reindex(columns=[*by, *_COLUMNS]), period, horizon)


_COLUMNS = (
    *("stage", "entered", "advanced", "lost", "still_there"),
    *("conversion", "low", "high", "loss", "median_days", "reason"),
)


def _stage_row(curve: CumulativeIncidence, group: pd.DataFrame, read: partial[Row]) -> Row:
    advanced, lost = read(curve, "advanced"), read(curve, "lost")
    ended = group.groupby("result")["cases"].sum()
    counts = {name: int(ended.get(name, 0)) for name in ("advanced", "lost")}
    return {
        "entered": advanced["n"],
        **counts,
        "still_there": advanced["n"] - counts["advanced"] - counts["lost"],
        "conversion": advanced["value"],
        "low": advanced["low"],
        "high": advanced["high"],
        "loss": lost["value"],
        "median_days": curve.survival.median,
        "reason": advanced["reason"],
    }


def _all_stages(frame: pd.DataFrame, stages: Sequence[str]) -> pd.DataFrame:
    """A row for every open stage: one that no deal entered has counts of 0 and no rate."""
    named = frame.reindex(columns=list(_COLUMNS)).set_index("stage").reindex(list(stages)).reset_index()
    counts = ["entered", "advanced", "lost", "still_there"]
    none = named["entered"].isna()
    return named.assign(
        reason=named["reason"].astype(object).mask(none, "no deal entered the stage in the period"),
        **{name: named[name].fillna(0).astype("int64") for name in counts},
    )


def _entered(request: MetricRequest) -> ir.Table:
    """Visits of headline deals that began in the period, cut and filtered."""
    visits = headline(stage_visits(request.snapshot))
    return request.cut(visits.filter(within(visits.entered_on, request.period)))


def _incidence(request: MetricRequest, cause: str) -> pd.DataFrame:
    counts = durations(_entered(request), request.keys)
    horizon, as_of = request.snapshot.definitions.conversion_horizon_days, request.snapshot.as_of
    return by_cut(counts, request.keys, lambda curve, _group: at_horizon(curve, cause, horizon, as_of))


def _conversion(request: MetricRequest) -> pd.DataFrame:
    return _incidence(request, "advanced")


def _loss(request: MetricRequest) -> pd.DataFrame:
    return _incidence(request, "lost")


def _entries(request: MetricRequest) -> pd.DataFrame:
    visits = _entered(request)
    named = visits.mutate(outcome=visits.result.fill_null("still there"))
    frame = named.group_by(request.keys).aggregate(n=named.count()).to_pandas()
    return frame.assign(value=frame["n"])


def _duration(request: MetricRequest) -> pd.DataFrame:
    keys = [key for key in request.keys if key != "quantile"]
    counts = durations(_entered(request), keys)
    parts = [by_cut(counts, keys, partial(_left_by, share=share)).assign(quantile=f"{share:g}") for share in QUANTILES]
    return pd.concat(parts, ignore_index=True)


def _left_by(curve: CumulativeIncidence, _group: pd.DataFrame, share: float) -> Row:
    value = curve.survival.quantile(share)
    low, high = curve.survival.quantile_interval(share)
    n = round(curve.n)
    reason = None
    if value is None:
        reason = "no deals" if n == 0 else f"fewer than {share:.0%} of {n} deals were seen to leave the stage"
    return {"value": value, "low": low, "high": high, "n": n, "reason": reason}


_STAGE_DIMENSIONS = {name: rule for name, rule in DEAL_DIMENSIONS.items() if name != "stage"}
_stage_metric = partial(
    Metric,
    grain="deal × stage",
    family=FAMILY,
    dimensions=_STAGE_DIMENSIONS,
    tables=("opportunities", "opportunity_history"),
)

_CONVERSION = register(
    _stage_metric(
        name="stage_conversion",
        title="Stage conversion",
        description="Share of the deals that entered a stage in the period that reach a later stage, or win, within "
        "the horizon; losing competes, open deals count for as long as they were watched. Skipped stages count.",
        formula="cumulative incidence of advancing at H among deals that entered the stage in P (Aalen–Johansen)",
        unit="rate",
        compute=_conversion,
        parts=("stage",),
    )
)
register(
    _stage_metric(
        name="stage_loss",
        title="Lost from the stage",
        description="Share of the deals that entered a stage in the period that are lost from it within the horizon.",
        formula="cumulative incidence of losing at H among deals that entered the stage in P, advancing competing",
        unit="rate",
        compute=_loss,
        parts=("stage",),
    )
)
register(
    _stage_metric(
        name="stage_entries",
        title="Deals that entered the stage",
        description="Number of deals that entered a stage in the period, by what became of them by the as-of date: "
        "advanced, lost, still there.",
        formula="count of deals that entered the stage in P, by outcome at D",
        unit="count",
        compute=_entries,
        parts=("stage", "outcome"),
        additive=True,
    )
)
register(
    _stage_metric(
        name="stage_duration_days",
        title="Days in stage",
        description="Days by which a share (`quantile`) of the deals that entered a stage in the period had left it, "
        "either way; deals still there count for as long as they were watched.",
        formula="quantiles of the Kaplan–Meier time from entering the stage to leaving it",
        unit="days",
        compute=_duration,
        parts=("stage", "quantile"),
    )
)
