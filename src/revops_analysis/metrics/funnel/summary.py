"""The funnel in one frame: what entered each step, what advanced, how it left, and how long it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis.expr.types as ir
import pandas as pd

from revops_analysis.metrics.deals import within
from revops_analysis.metrics.funnel.steps import OUTCOMES, STEPS, step_table
from revops_analysis.metrics.incidence import Row, at_horizon, by_cut, durations
from revops_analysis.metrics.registry import MetricRequest
from revops_analysis.metrics.where import Where, check_names, parse_where
from revops_analysis.periods import Period

if TYPE_CHECKING:
    from revops_analysis.statistics.survival import CumulativeIncidence
    from revops_analysis.tables.snapshot import Snapshot

COUNTS = ("entered", *(outcome.replace(" ", "_") for outcome in OUTCOMES))
COLUMNS = ("step", *COUNTS, "share", "share_low", "share_high", "conversion", "low", "high")
DAYS = ("median_days", "p90_days")


@dataclass(frozen=True, eq=False)
class Funnel:
    """What became of the leads that entered each step in a period.

    `frame` has a row per cut and step, in order: `[*by, step, entered, advanced, disqualified, recycled, ignored, lost,
    still_open, share, share_low, share_high, conversion, low, high, median_days, p90_days, reason]`. Counts are as at
    the as-of date and add up: entered = the six outcomes. `share` is advanced ÷ entered so far with Wilson's interval,
    a floor while leads are open. `conversion` is the share that advances within `horizon_days`: exits compete, and an
    open lead counts for as long as it was watched, not as lost; null, with the reason, while none was watched so long.
    `median_days`, `p90_days`: of those that advanced so far.
    """

    frame: pd.DataFrame
    period: Period
    horizon_days: int


def funnel(snapshot: Snapshot, period: Period, by: Sequence[str] = (), where: str | Where | None = None) -> Funnel:
    """The funnel of the leads that entered each step in `period`.

    `by` and `where` take the dimensions of leads. Without leads in a step its counts are 0 and its rates null.
    Source: METRICS, funnel and hand-off; competing exits as in Aalen & Johansen (1978).
    """
    from revops_analysis.metrics.funnel.catalogue import CONVERSION, LEAD_DIMENSIONS, note_dimensions

    condition = parse_where(where)
    check_names([*by, *condition.columns], LEAD_DIMENSIONS, "dimension of leads", "funnel")
    note_dimensions(snapshot, [*by, *condition.columns])
    request = MetricRequest(CONVERSION, snapshot, period, tuple(by), condition)
    horizon = snapshot.definitions.conversion_horizon_days
    counts = durations(entered(request), request.keys)

    def summary(curve: CumulativeIncidence, group: pd.DataFrame) -> Row:
        return _row(at_horizon(curve, "advanced", horizon, snapshot.as_of, "lead"), group)

    frame = by_cut(counts, request.keys, summary)
    frame = (
        frame.reindex(columns=[*by, "step", *COUNTS, "conversion", "low", "high", "reason"])
        if by
        else _all_steps(frame, snapshot)
    )
    frame = _plain_keys(frame, by).merge(_plain_keys(advance_days(request), by), how="left", on=request.keys)
    frame["step"] = pd.Categorical(frame["step"], list(STEPS), ordered=True)
    ordered = frame.sort_values([*by, "step"], ignore_index=True).astype({"step": object})
    return Funnel(with_share(ordered)[[*by, *COLUMNS, *DAYS, "reason"]], period, horizon)


def entered(request: MetricRequest) -> ir.Table:
    """Steps that leads entered in the period, cut and filtered."""
    steps = step_table(request.snapshot)
    return request.cut(steps.filter(within(steps.entered_on, request.period)))


def advance_days(request: MetricRequest) -> pd.DataFrame:
    """Median and 90% point of the days to advancing, of those that advanced: keys, median_days, p90_days."""
    steps = entered(request)
    moved = steps.filter(steps.result == "advanced")
    days = moved.days.cast("float64")
    values = {"median_days": days.quantile(0.5), "p90_days": days.quantile(0.9)}
    return moved.group_by(request.keys).aggregate(**values).to_pandas()


def _plain_keys(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Dimensions as objects with None for missing: a dimension that is missing everywhere comes out as a number."""
    return frame.assign(**{name: frame[name].astype(object).where(frame[name].notna(), None) for name in by})


def _row(conversion: Row, group: pd.DataFrame) -> Row:
    ended = group.assign(result=group["result"].fillna("still open")).groupby("result")["cases"].sum()
    counts = {name.replace(" ", "_"): int(ended.get(name, 0)) for name in OUTCOMES}
    return {
        "entered": conversion["n"],
        **counts,
        "conversion": conversion["value"],
        "low": conversion["low"],
        "high": conversion["high"],
        "reason": conversion["reason"],
    }


def _all_steps(frame: pd.DataFrame, snapshot: Snapshot) -> pd.DataFrame:
    """A row for every step: one that no lead entered has counts of 0 and no rate."""
    columns = ["step", *COUNTS, "conversion", "low", "high", "reason"]
    named = frame.reindex(columns=columns).set_index("step").reindex(list(STEPS)).reset_index()
    none = named["entered"].isna()
    why = "no lead entered the step in the period" if snapshot.has("leads") else "the source has no leads table"
    return named.assign(
        reason=named["reason"].astype(object).mask(none, why),
        **{name: named[name].fillna(0).astype("int64") for name in COUNTS},
    )


def with_share(frame: pd.DataFrame) -> pd.DataFrame:
    """Add share, share_low and share_high: advanced ÷ entered with Wilson's interval."""
    from revops_analysis.statistics.intervals import wilson_interval

    low, high = wilson_interval(frame["advanced"], frame["entered"])
    n = frame["entered"].astype("float64")
    return frame.assign(share=frame["advanced"] / n.where(n > 0), share_low=low, share_high=high)
