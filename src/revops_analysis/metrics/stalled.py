"""Stalled deals: open deals that have been in their stage longer than deals that were won ever are, but for a few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from revops_analysis.metrics.deals import at_level, deal_metric, headline, number_of, open_deals, total
from revops_analysis.metrics.registry import MetricRequest, register
from revops_analysis.metrics.stages import stage_stays

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

MINIMUM_STAYS = 20
"""Fewer stays of won deals than this give no threshold: the 90% point of a handful is their maximum."""

_SEGMENT = "opportunities.segment"
_KNOWN: WeakKeyDictionary[Snapshot, StalledThresholds] = WeakKeyDictionary()


@dataclass(frozen=True)
class StalledThresholds:
    """After how many days in a stage an open deal counts as stalled.

    `frame` has a row per open stage and segment, and one per stage with a null segment, for deals of any other:
    `stage, segment, threshold_days, stays, basis`. `basis` is 'stage and segment'; 'stage', where the segment has fewer
    than 20 stays; or null, with a null threshold, where the stage has. `quantile` is the share of the definitions.
    """

    frame: pd.DataFrame
    quantile: float


def stalled_thresholds(snapshot: Snapshot) -> StalledThresholds:
    """The q-quantile of the days that deals won by the as-of date stayed in each stage, by stage and segment.

    Headline deals; each unbroken stay counts. Segments are told apart only where the definitions allow the column to
    serve for past dates (`allowed_current_columns`). Source: METRICS, stalled. Computed once a snapshot.
    """
    if snapshot not in _KNOWN:
        _KNOWN[snapshot] = _measure(snapshot)
    return _KNOWN[snapshot]


def _measure(snapshot: Snapshot) -> StalledThresholds:
    definitions = snapshot.definitions
    share = definitions.stalled_quantile
    by_segment = _SEGMENT in definitions.allowed_current_columns
    counts = _stays_of_won_deals(snapshot, by_segment)
    whole, cut = _quantiles(counts, ["stage"], share), _quantiles(counts, ["stage", "segment"], share)
    segments = definitions.segment_names if by_segment else ()
    if segments:
        snapshot.require_dated([_SEGMENT], "an input of the stalled flag")
    return StalledThresholds(_filled(whole, cut, (definitions.open_stages, segments)), share)


def _stays_of_won_deals(snapshot: Snapshot, by_segment: bool) -> pd.DataFrame:
    """How many stays of headline deals won lasted so many days: stage, segment, days, cases, counted in the engine."""
    deals = headline(snapshot.deals)
    won = deals.filter(deals.status == "won")
    segment = won.segment if by_segment else ibis.null("string")
    won = won.select("opportunity_id", segment=segment)
    stays = stage_stays(snapshot, won).inner_join(won, "opportunity_id")
    stays = stays.filter(stays.stage.isin(snapshot.definitions.open_stages))
    return stays.group_by(["stage", "segment", "days"]).aggregate(cases=stays.count()).to_pandas()


def _quantiles(counts: pd.DataFrame, keys: list[str], share: float) -> pd.DataFrame:
    """threshold_days and stays by keys; interpolated between days as usual (Hyndman & Fan's type 7)."""
    rows = []
    for label, group in counts.groupby(keys, dropna=False, sort=True):
        lengths = np.repeat(group["days"].to_numpy(), group["cases"].to_numpy())
        values = dict(zip(keys, label, strict=True))
        rows.append({**values, "threshold_days": float(np.quantile(lengths, share)), "stays": len(lengths)})
    frame = pd.DataFrame(rows, columns=[*keys, "threshold_days", "stays"])
    return frame.astype({"threshold_days": "float64", "stays": "int64"})


def _filled(whole: pd.DataFrame, cut: pd.DataFrame, names: tuple[tuple[str, ...], tuple[str, ...]]) -> pd.DataFrame:
    """Every stage and segment, with the stage's own threshold where the segment has too few stays."""
    stages, segments = names
    grid = pd.MultiIndex.from_product([stages, [*segments, None]], names=["stage", "segment"]).to_frame(index=False)
    wide = grid.merge(cut[cut["segment"].notna()], how="left", on=["stage", "segment"])
    wide = wide.merge(whole, how="left", on="stage", suffixes=("", "_stage"))
    own = wide["stays"].fillna(0) >= MINIMUM_STAYS
    any_segment = ~own & (wide["stays_stage"].fillna(0) >= MINIMUM_STAYS)
    threshold = wide["threshold_days"].where(own, wide["threshold_days_stage"].where(any_segment))
    basis = pd.Series(None, index=wide.index, dtype=object).mask(own, "stage and segment").mask(any_segment, "stage")
    stays = wide["stays"].where(own, wide["stays_stage"]).fillna(0).astype("int64")
    return wide[["stage", "segment"]].assign(threshold_days=threshold.astype(float), stays=stays, basis=basis)


def with_stall(snapshot: Snapshot) -> ir.Table:
    """Open headline deals with days_in_stage, threshold_days and is_stalled (null where there is no threshold).

    Columns: those of `Snapshot.deals` and these three. A deal whose entry into its stage is not known has null days.
    """
    return snapshot.keep("deals with stall", lambda: _judged(snapshot))


def _judged(snapshot: Snapshot) -> ir.Table:
    deals = open_deals(snapshot.deals)
    entered = snapshot.day_of(deals.stage_entered_at)
    known = deals.mutate(
        days_in_stage=ibis.literal(snapshot.as_of).delta(entered, unit="day"),
        threshold_days=_threshold(deals, stalled_thresholds(snapshot).frame.dropna(subset=["threshold_days"])),
    )
    return known.mutate(is_stalled=known.days_in_stage > known.threshold_days)


def _threshold(deals: ir.Table, known: pd.DataFrame) -> ir.Value:
    """The threshold of each deal: that of its stage and segment, else that of its stage."""
    exact = known[known["segment"].notna()]
    general = known[known["segment"].isna()]
    branches = [
        ((deals.stage == stage) & (deals.segment == segment), float(days))
        for stage, segment, days in zip(exact["stage"], exact["segment"], exact["threshold_days"], strict=True)
    ]
    branches += [
        (deals.stage == stage, float(days))
        for stage, days in zip(general["stage"], general["threshold_days"], strict=True)
    ]
    return ibis.cases(*branches, else_=ibis.null("float64")) if branches else ibis.null("float64")


def _stalled(request: MetricRequest) -> tuple[MetricRequest, ir.Table]:
    snapshot = at_level(request)
    deals = with_stall(snapshot)
    at = MetricRequest(request.metric, snapshot, request.period, request.by, request.where)
    return at, deals.filter(deals.is_stalled.fill_null(False))


def _stalled_pipeline(request: MetricRequest) -> pd.DataFrame:
    return total(*_stalled(request))


def _stalled_deals(request: MetricRequest) -> pd.DataFrame:
    return number_of(*_stalled(request))


_RULE = "open deals in their stage for longer than the stalled quantile of won deals' stays, same stage and segment"
_NEEDED = ("opportunities", "opportunity_history")

register(
    deal_metric(
        name="stalled_pipeline",
        title="Stalled pipeline",
        description="The part of the open pipeline that has been in its stage longer than most deals that were won.",
        formula=f"Σ amount of {_RULE}",
        unit="currency",
        compute=_stalled_pipeline,
        additive=True,
        span="level",
        tables=_NEEDED,
    )
)
register(
    deal_metric(
        name="stalled_deals",
        title="Stalled deals",
        description="Number of open deals that have been in their stage longer than most deals that were won.",
        formula=f"count of {_RULE}",
        unit="count",
        compute=_stalled_deals,
        additive=True,
        span="level",
        tables=_NEEDED,
    )
)
