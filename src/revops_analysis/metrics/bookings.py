"""Bookings: what was won, how often, how large and how fast.

Headline bookings and win rate take the headline types of the definitions; renewals are apart. A deal is booked at D
when it is won at D and its booking day is on or before D; it counts with its amount as at D.
"""

from __future__ import annotations

import ibis.expr.types as ir
import pandas as pd

from revops_analysis.metrics.deals import booked, closed, deal_metric, grouped, headline, number_of, ratio_by, share
from revops_analysis.metrics.deals import total as total_of
from revops_analysis.metrics.registry import MetricRequest, register
from revops_analysis.periods import end_of_day_utc


def _won(request: MetricRequest) -> ir.Table:
    return booked(headline(request.snapshot.deals), request.period)


def _bookings(request: MetricRequest) -> pd.DataFrame:
    return total_of(request, _won(request))


def _all_bookings(request: MetricRequest) -> pd.DataFrame:
    return total_of(request, booked(request.snapshot.deals, request.period))


def _renewal_bookings(request: MetricRequest) -> pd.DataFrame:
    deals = request.snapshot.deals
    return total_of(request, booked(deals.filter(~deals.is_headline), request.period))


def _deals_won(request: MetricRequest) -> pd.DataFrame:
    return number_of(request, _won(request))


def _deals_lost(request: MetricRequest) -> pd.DataFrame:
    ended = closed(headline(request.snapshot.deals), request.period)
    return number_of(request, ended.filter(ended.status == "lost"))


def _restatements(request: MetricRequest) -> pd.DataFrame:
    return total_of(request, restated(request))


def restated(request: MetricRequest) -> ir.Table:
    """Deals booked in the period whose win was recorded only after the period had ended."""
    deals = _won(request)
    end = end_of_day_utc(request.period.end, request.snapshot.definitions.business_time_zone)
    return deals.filter((deals.stage_entered_at >= end).fill_null(False))


def _win_rate(request: MetricRequest) -> pd.DataFrame:
    cut = request.cut(closed(headline(request.snapshot.deals), request.period))
    frame = grouped(cut, request.keys, won=(cut.status == "won").sum(), closed=cut.count())
    counts = frame.assign(won=frame["won"].astype("float64").fillna(0.0))
    return _named(share(counts, "won", "closed"), "no deal closed in the period")


def _win_rate_amount(request: MetricRequest) -> pd.DataFrame:
    cut = request.cut(closed(headline(request.snapshot.deals), request.period))
    priced = cut.drop_null(["amount"])
    frame = priced.select(*request.keys, "amount", "status").to_pandas()
    size = frame["amount"].astype("float64")
    frame = frame.assign(closed=size, won=size.where(frame["status"] == "won", 0.0))
    rates = _named(ratio_by(frame, request.keys, "won", "closed"), "no deal with an amount closed in the period")
    return _unless_lost_are_unpriced(request, cut, rates)


def _unless_lost_are_unpriced(request: MetricRequest, cut: ir.Table, rates: pd.DataFrame) -> pd.DataFrame:
    """No rate where the source keeps no amounts of lost deals: it would be 1 however many were lost."""
    lost = cut.filter(cut.status == "lost")
    counts = grouped(lost, request.keys, lost=lost.count(), lost_amount=lost.amount.sum().fill_null(0).cast("float64"))
    known = rates.merge(counts, how="left", on=request.keys) if request.keys else rates.join(counts)
    useless = (known["lost"].fillna(0) > 0) & (known["lost_amount"].fillna(0.0) == 0)
    shown = {name: known[name].mask(useless) for name in ("value", "low", "high")}
    return rates.assign(**shown, reason=rates["reason"].mask(useless, "the lost deals of the period have no amount"))


def _average_deal_size(request: MetricRequest) -> pd.DataFrame:
    cut = request.cut(_won(request))
    frame = cut.drop_null(["amount"]).select(*request.keys, "amount").to_pandas().assign(deals=1.0)
    return _named(ratio_by(frame, request.keys, "amount", "deals"), "no deal with an amount was won in the period")


def _median_deal_size(request: MetricRequest) -> pd.DataFrame:
    cut = request.cut(_won(request))
    priced = cut.drop_null(["amount"])
    return _medians(request, priced, priced.amount.cast("float64"), "no deal with an amount was won in the period")


def _sales_cycle_days(request: MetricRequest) -> pd.DataFrame:
    cut = request.cut(_won(request))
    timed = cut.filter((cut.booked_on >= cut.created_on).fill_null(False))
    days = timed.booked_on.delta(timed.created_on, unit="day").cast("float64")
    return _medians(request, timed, days, "no won deal of the period has both days")


def _medians(request: MetricRequest, table: ir.Table, values: ir.Value, reason: str) -> pd.DataFrame:
    frame = grouped(table, request.keys, value=values.median(), n=table.count())
    return frame.assign(reason=pd.Series(None, index=frame.index, dtype=object).mask(frame["n"] == 0, reason))


def _named(frame: pd.DataFrame, reason: str) -> pd.DataFrame:
    """Say in the metric's own words why there are no cases."""
    return frame.assign(reason=frame["reason"].mask(frame["n"] == 0, reason))


_WON = "deals won at D with booking day in P and ≤ D"

register(
    deal_metric(
        name="bookings",
        title="Bookings",
        description="Amount of the deals of headline types booked in the period, as at the as-of date.",
        formula=f"Σ amount of {_WON}; headline types",
        unit="currency",
        compute=_bookings,
        additive=True,
    )
)
register(
    deal_metric(
        name="all_bookings",
        title="Bookings of all types",
        description="Amount of all deals booked in the period, renewals included; cut it by `type`.",
        formula=f"Σ amount of {_WON}",
        unit="currency",
        compute=_all_bookings,
        additive=True,
    )
)
register(
    deal_metric(
        name="renewal_bookings",
        title="Renewal bookings",
        description="Amount of the booked deals of types that the headline leaves out.",
        formula=f"Σ amount of {_WON}; types that are not headline types",
        unit="currency",
        compute=_renewal_bookings,
        additive=True,
    )
)
register(
    deal_metric(
        name="restatements",
        title="Restated bookings",
        description="Bookings back-dated into the period: won deals whose win was recorded after it had ended.",
        formula=f"Σ amount of {_WON} that entered the won stage after the last day of P",
        unit="currency",
        compute=_restatements,
        additive=True,
        tables=("opportunities", "opportunity_history"),
    )
)
register(
    deal_metric(
        name="deals_won",
        title="Deals won",
        description="Number of deals of headline types booked in the period.",
        formula=f"count of {_WON}",
        unit="count",
        compute=_deals_won,
        additive=True,
    )
)
register(
    deal_metric(
        name="deals_lost",
        title="Deals lost",
        description="Number of deals of headline types lost in the period.",
        formula="count of deals lost at D that closed in P",
        unit="count",
        compute=_deals_lost,
        additive=True,
    )
)
register(
    deal_metric(
        name="win_rate",
        title="Win rate",
        description="Share of the deals closed in the period that were won, by number; Wilson's 95% interval.",
        formula="won ÷ (won + lost) among deals closed in P",
        unit="rate",
        compute=_win_rate,
    )
)
register(
    deal_metric(
        name="win_rate_amount",
        title="Win rate by amount",
        description="Share of the amount of closed deals that was won; bootstrap interval. Without amount: left out.",
        formula="Σ amount won ÷ Σ amount (won + lost) among deals closed in P",
        unit="rate",
        compute=_win_rate_amount,
    )
)
register(
    deal_metric(
        name="average_deal_size",
        title="Average deal size",
        description="Mean amount of the deals won in the period; bootstrap interval.",
        formula=f"Σ amount ÷ count of {_WON} that have an amount",
        unit="currency",
        compute=_average_deal_size,
    )
)
register(
    deal_metric(
        name="median_deal_size",
        title="Median deal size",
        description="Median amount of the deals won in the period: half of them are smaller.",
        formula=f"median amount of {_WON} that have an amount",
        unit="currency",
        compute=_median_deal_size,
    )
)
register(
    deal_metric(
        name="sales_cycle_days",
        title="Sales cycle",
        description="Median days from creation to booking of the deals won in P. Booked before created: left out.",
        formula=f"median of booking day − creation day over {_WON}",
        unit="days",
        compute=_sales_cycle_days,
    )
)
