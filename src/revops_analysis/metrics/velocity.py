"""Sales velocity: what the open deals are worth a day, and which of its four factors moved it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from revops_analysis.metrics.deals import DEAL_DIMENSIONS, deal_metric
from revops_analysis.metrics.registry import MetricRequest, get_metric, register
from revops_analysis.periods import Period, previous

FACTORS = ("open_deals", "win_rate", "average_deal_size", "sales_cycle_days")
"""The factors, in order; the last one divides."""


@dataclass(frozen=True, eq=False)
class VelocityChange:
    """Sales velocity of two periods and each factor's part of the change.

    `frame`: [*by, factor, before, after, contribution, share, reason]; contributions (currency a day) add up to the
    change of velocity and shares to 1. Null with a reason where either velocity is null or 0: a product that was or
    became 0 cannot be shared out.
    """

    before: Period
    after: Period
    frame: pd.DataFrame


def velocity_change(request: MetricRequest) -> VelocityChange:
    """Share the change of sales velocity since the period before among its factors.

    Each factor's part is L(v₁, v₀) × ln(f₁ ÷ f₀), with L the logarithmic mean, and the inverse for the cycle: the only
    way that leaves no rest and treats the factors alike. Source: Ang, Energy Policy 33 (2005) 867–871 (LMDI).
    """
    earlier = previous(request.period, request.snapshot.definitions.fiscal_calendar)
    after, before = factors(request), factors(replace(request, period=earlier))
    keys = list(request.by)
    both = after.merge(
        before, how="outer", on=keys or None, left_index=not keys, right_index=not keys, suffixes=("", "_0")
    )
    new, old = both["value"], both["value_0"]
    can = (new > 0) & (old > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = np.log(new / old)
        mean: pd.Series = ((new - old) / log_ratio).where(log_ratio.abs() > 0, new).where(can)
        parts = [_part(both, keys, factor, mean) for factor in FACTORS]
    frame = pd.concat(parts, ignore_index=True)
    frame["factor"] = pd.Categorical(frame["factor"], FACTORS, ordered=True)
    ordered = frame.sort_values([*keys, "factor"], kind="stable", ignore_index=True)
    return VelocityChange(earlier, request.period, ordered)


def factors(request: MetricRequest) -> pd.DataFrame:
    """The four factors and the velocity they make: [*by, open_deals, …, value, n, reason]."""
    keys = list(request.by)
    frames = []
    for name in FACTORS:
        metric = get_metric(name)
        answer = pd.DataFrame(metric.compute(replace(request, metric=metric)))
        reason = answer.get("reason")
        frames.append(answer[keys].assign(**{name: answer["value"].astype("float64"), f"why_{name}": reason}))
    made = frames[0]
    for frame in frames[1:]:
        made = made.merge(frame, how="outer", on=keys) if keys else made.join(frame)
    made["open_deals"] = made["open_deals"].fillna(0.0)
    cycle = made["sales_cycle_days"]
    value = made["open_deals"] * made["win_rate"] * made["average_deal_size"] / cycle.where(cycle > 0)
    reason = pd.Series(None, index=made.index, dtype=object)
    for name in FACTORS[1:]:
        why = made[f"why_{name}"].astype(object)
        why = why.where(why.notna(), f"no {get_metric(name).title.lower()} in the period")
        reason = reason.where(reason.notna(), why.where(made[name].isna(), None))
    reason = reason.where(reason.notna() | value.notna(), "the sales cycle is 0 days")
    return made.assign(value=value, n=made["open_deals"].astype("int64"), reason=reason)


def _part(both: pd.DataFrame, keys: list[str], factor: str, mean: pd.Series) -> pd.DataFrame:
    before, after = both[f"{factor}_0"], both[factor]
    sign = -1 if factor == "sales_cycle_days" else 1
    contribution = sign * mean * np.log(after / before)
    change = both["value"] - both["value_0"]
    why = both["reason"].where(both["reason"].notna(), both["reason_0"])
    why = why.where(why.notna(), "velocity was or became 0")
    return both[keys].assign(
        factor=factor,
        before=before,
        after=after,
        contribution=contribution,
        share=(contribution / change.where(change != 0)),
        n=both["n"].fillna(0).astype("int64"),
        reason=why.where(contribution.isna(), None),
    )


def _velocity(request: MetricRequest) -> pd.DataFrame:
    return factors(request)


def _velocity_change(request: MetricRequest) -> pd.DataFrame:
    return velocity_change(request).frame.rename(columns={"contribution": "value"})


# Cuts that only open or only closed deals have would multiply what does not belong together.
_SHARED = {
    name: rule
    for name, rule in DEAL_DIMENSIONS.items()
    if name not in ("stage", "forecast_category", "loss_reason", "close_period", "is_overdue")
}

register(
    deal_metric(
        name="sales_velocity",
        title="Sales velocity",
        description="What the open deals bring a day if they are won as often, as large and as fast as those of P.",
        formula="open deals × win rate × average deal size ÷ sales cycle days",
        unit="currency_per_day",
        compute=_velocity,
        dimensions=_SHARED,
    )
)
register(
    deal_metric(
        name="sales_velocity_change",
        title="Change of sales velocity by factor",
        description="Each factor's part of the change of sales velocity since the period before; parts add up to it.",
        formula="L(v₁, v₀) × ln(factor₁ ÷ factor₀), L the logarithmic mean; inverse for the cycle",
        unit="currency_per_day",
        compute=_velocity_change,
        dimensions=_SHARED,
        parts=("factor",),
    )
)
