"""Pipeline: what is open, when it is expected, how much was made, and how much hangs on few deals."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from revops_analysis.metrics.deals import (
    at_level,
    before,
    deal_metric,
    grouped,
    headline,
    number_of,
    open_deals,
    total,
    within,
)
from revops_analysis.metrics.registry import MetricRequest, register

_TOP = (1, 5, 10)


def _open_pipeline(request: MetricRequest) -> pd.DataFrame:
    return total(_at(request), open_deals(at_level(request).deals))


def _open_renewals(request: MetricRequest) -> pd.DataFrame:
    deals = at_level(request).deals
    return total(_at(request), open_deals(deals.filter(~deals.is_headline), types="all"))


def _open_deals(request: MetricRequest) -> pd.DataFrame:
    return number_of(_at(request), open_deals(at_level(request).deals))


def _overdue_pipeline(request: MetricRequest) -> pd.DataFrame:
    snapshot = at_level(request)
    deals = open_deals(snapshot.deals)
    return total(_at(request), deals.filter(before(deals.close_date, snapshot.as_of)))


def _at(request: MetricRequest) -> MetricRequest:
    """The request with its snapshot moved to the day of the level, for dimensions that depend on the day."""
    return MetricRequest(request.metric, at_level(request), request.period, request.by, request.where)


def _pipeline_created(request: MetricRequest) -> pd.DataFrame:
    return total(request, _created(request), "first_amount")


def _deals_created(request: MetricRequest) -> pd.DataFrame:
    return number_of(request, _created(request))


def _created(request: MetricRequest) -> ir.Table:
    deals = headline(request.snapshot.deals)
    return deals.filter(within(deals.created_on, request.period))


def _amounts(request: MetricRequest) -> ir.Table:
    """Open deals with an amount above zero, and their rank within the cut, largest first (ties by key)."""
    cut = _at(request).cut(open_deals(at_level(request).deals))
    priced = cut.filter(cut.amount > 0)
    window = ibis.window(group_by=list(request.by) or None, order_by=[priced.amount.desc(), priced.opportunity_id])
    return priced.mutate(place=ibis.row_number().over(window) + 1)


def _concentration(request: MetricRequest) -> pd.DataFrame:
    ranked = _amounts(request)
    tops = {f"top_{k}": ranked.amount.sum(where=ranked.place <= k) for k in _TOP}
    frame = grouped(ranked, request.by, whole=ranked.amount.sum(), n=ranked.count(), **tops)
    parts = [
        frame[[*request.by, "n"]].assign(top=str(k), value=_divided(frame[f"top_{k}"], frame["whole"])) for k in _TOP
    ]
    answer = pd.concat(parts, ignore_index=True)
    answer["top"] = pd.Categorical(answer["top"], [str(k) for k in _TOP], ordered=True)
    return answer.assign(reason=_unpriced(answer))


def _gini(request: MetricRequest) -> pd.DataFrame:
    ranked = _amounts(request)
    frame = grouped(
        ranked, request.by, whole=ranked.amount.sum(), weighted=(ranked.amount * ranked.place).sum(), n=ranked.count()
    )
    n = frame["n"].astype("float64")
    # Ranks run from the largest (1) to the smallest (n): G = (n + 1 − 2 Σ rank·amount ÷ Σ amount) ÷ n.
    value = (n + 1 - 2 * _divided(frame["weighted"], frame["whole"])) / n.where(n > 0)
    return frame.assign(value=value, reason=_unpriced(frame))


def _divided(top: pd.Series, bottom: pd.Series) -> pd.Series:
    whole = bottom.astype("float64")
    return top.astype("float64") / whole.where(whole > 0, np.nan)


def _unpriced(frame: pd.DataFrame) -> pd.Series:
    return pd.Series(None, index=frame.index, dtype=object).mask(frame["n"] == 0, "no open deal has an amount")


register(
    deal_metric(
        name="open_pipeline",
        title="Open pipeline",
        description="Amount of the open deals of headline types, omitted category left out, at today's rates.",
        formula="Σ amount of deals created ≤ D and not closed at D, D = end of the period or as-of date",
        unit="currency",
        compute=_open_pipeline,
        additive=True,
        span="level",
    )
)
register(
    deal_metric(
        name="open_renewals",
        title="Open renewals",
        description="Amount of the open deals of the types that the headline leaves out.",
        formula="Σ amount of open deals whose type is not a headline type",
        unit="currency",
        compute=_open_renewals,
        additive=True,
        span="level",
    )
)
register(
    deal_metric(
        name="open_deals",
        title="Open deals",
        description="Number of the deals that make up the open pipeline.",
        formula="count of deals created ≤ D and not closed at D, omitted category excluded",
        unit="count",
        compute=_open_deals,
        additive=True,
        span="level",
    )
)
register(
    deal_metric(
        name="overdue_pipeline",
        title="Overdue pipeline",
        description="The part of the open pipeline whose close date has passed.",
        formula="Σ amount of open deals with close date < D",
        unit="currency",
        compute=_overdue_pipeline,
        additive=True,
        span="level",
    )
)
register(
    deal_metric(
        name="pipeline_created",
        title="Pipeline created",
        description="Amount, as first priced, of the deals created in the period; headline types.",
        formula="Σ first amount of deals created in P",
        unit="currency",
        compute=_pipeline_created,
        additive=True,
    )
)
register(
    deal_metric(
        name="deals_created",
        title="Deals created",
        description="Number of deals of headline types created in the period.",
        formula="count of deals created in P",
        unit="count",
        compute=_deals_created,
        additive=True,
    )
)
register(
    deal_metric(
        name="concentration",
        title="Concentration of the open pipeline",
        description="Share of the open pipeline in its largest deal, its 5 and its 10 largest deals.",
        formula="Σ amount of the k largest open deals ÷ Σ amount of all, k = 1, 5, 10 (`top`)",
        unit="rate",
        compute=_concentration,
        span="level",
        parts=("top",),
    )
)
register(
    deal_metric(
        name="pipeline_gini",
        title="Inequality of open deals (Gini)",
        description="0 when all open deals are equally large; near 1 when one deal is the whole pipeline.",
        formula="Σᵢ Σⱼ |aᵢ − aⱼ| ÷ (2 n Σ a) over open deals with an amount above 0",
        unit="ratio",
        compute=_gini,
        span="level",
    )
)
