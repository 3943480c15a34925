"""Win rate and sales cycle of deals by when they were created, with open deals as not yet known instead of lost."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pandas as pd

from revops_analysis.metrics.deals import deal_metric, headline, within
from revops_analysis.metrics.incidence import Row, at_horizon, by_cut, durations
from revops_analysis.metrics.registry import MetricRequest, register

if TYPE_CHECKING:
    from revops_analysis.statistics.survival import CumulativeIncidence


def created_deals(request: MetricRequest) -> ir.Table:
    """Headline deals created in the period, cut and filtered, with how long they were watched and how they ended.

    Adds result ('won' when booked by the as-of date, 'lost', null while open), days (creation to that, or to the as-of
    date; a close before the creation counts as day 0) and is_mature (watched for the whole horizon).
    """
    snapshot = request.snapshot
    deals = headline(snapshot.deals)
    deals = request.cut(deals.filter(within(deals.created_on, request.period)))
    today = ibis.literal(snapshot.as_of)
    # Marked won or lost with a close date that has not come yet: no day of closing, so still open for this purpose.
    result = ibis.ifelse(deals.closed_on <= today, deals.status, ibis.null("string"))
    days = ibis.coalesce(deals.closed_on, today).delta(deals.created_on, unit="day")
    age = today.delta(deals.created_on, unit="day")
    horizon = snapshot.definitions.conversion_horizon_days
    floor = ibis.literal(0, "int64")
    return deals.mutate(result=result, days=ibis.greatest(days, floor), is_mature=age >= horizon)


def _cohort_win_rate(request: MetricRequest) -> pd.DataFrame:
    counts = durations(created_deals(request), request.keys)
    horizon, as_of = request.snapshot.definitions.conversion_horizon_days, request.snapshot.as_of
    return by_cut(counts, request.keys, lambda curve, _group: at_horizon(curve, "won", horizon, as_of))


def _cohort_sales_cycle(request: MetricRequest) -> pd.DataFrame:
    counts = durations(created_deals(request), request.keys, "is_mature")
    horizon = request.snapshot.definitions.conversion_horizon_days
    return by_cut(counts, request.keys, partial(_half_way, horizon=horizon))


def _half_way(curve: CumulativeIncidence, group: pd.DataFrame, horizon: int) -> Row:
    """The smallest t with CIF_won(t) ≥ ½ CIF_won(H)."""
    n = round(curve.n)
    answer: Row = {"value": None, "low": None, "high": None, "n": n, "reason": None}
    if n == 0:
        return {**answer, "reason": "no deals"}
    mature = int(group.loc[group["is_mature"].astype(bool), "cases"].sum())
    if 2 * mature < n:
        return {**answer, "reason": f"only {mature} of {n} deals were created {horizon} days ago or earlier"}
    whole = float(curve.at([horizon], "won")["incidence"].iloc[0])
    if not whole > 0:
        return {**answer, "reason": f"no deal was won within {horizon} days of its creation"}
    won = curve.frame[curve.frame["cause"] == "won"]
    reached = won.loc[won["incidence"] >= whole / 2 - 1e-12, "time"]
    return {**answer, "value": float(reached.iloc[0])}


register(
    deal_metric(
        name="cohort_win_rate",
        title="Win rate of the cohort",
        description="Share of the deals created in the period that are won within the horizon; losing competes, and "
        "open deals count for as long as they were watched, not as lost.",
        formula="cumulative incidence of winning at H among deals created in P (Aalen–Johansen)",
        unit="rate",
        compute=_cohort_win_rate,
    )
)
register(
    deal_metric(
        name="cohort_sales_cycle_days",
        title="Sales cycle of the cohort",
        description="Days after which half of the wins within the horizon had come, of deals created in the period; "
        "null while fewer than half of them are as old as the horizon.",
        formula="smallest t with CIF won(t) ≥ ½ CIF won(H) among deals created in P",
        unit="days",
        compute=_cohort_sales_cycle,
    )
)
