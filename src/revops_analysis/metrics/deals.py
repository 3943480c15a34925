"""What the metrics over deals share: the dimensions of a deal, sums that tie out, and rates with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pandas as pd

from revops_analysis.metrics.registry import DimensionRule, Metric, MetricRequest
from revops_analysis.periods import Period, following, period_containing

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

SEED = 0
"""Seed of every bootstrap interval in the registry, so that the same question has the same answer."""


def close_period(snapshot: Snapshot, deals: ir.Table) -> ir.Value:
    """The label of the quarter in which a deal's close date lies; null where it has none."""
    return quarter_label(snapshot, snapshot.deals, deals.close_date, "close_date")


def quarter_label(snapshot: Snapshot, table: ir.Table, day: ir.Value, column: str = "") -> ir.Value:
    """The label of the fiscal quarter in which `day` lies; null where it is null.

    Quarters are those between the first and the last day of `column` of `table` (by default of `day`, an expression
    on `table`).
    """
    days = table[column] if column else day
    bounds = table.aggregate(first=days.min(), last=days.max()).to_pandas()
    first, last = bounds.loc[0, "first"], bounds.loc[0, "last"]
    if pd.isna(first):
        return ibis.null("string")
    calendar = snapshot.definitions.fiscal_calendar
    quarter = period_containing(pd.Timestamp(first).date(), calendar)
    branches = []
    while quarter.start <= pd.Timestamp(last).date():
        branches.append((day.between(_day(quarter.start), _day(quarter.end)), quarter.label))
        quarter = following(quarter, calendar)
    return ibis.cases(*branches)


def is_overdue(snapshot: Snapshot, deals: ir.Table) -> ir.Value:
    """Whether an open deal's close date has passed; null where it has none."""
    return (deals.status == "open") & (deals.close_date < _day(snapshot.as_of))


DEAL_DIMENSIONS: dict[str, DimensionRule] = {
    "segment": "segment",
    "type": "type",
    "product": "product",
    "source": "source",
    "owner_id": "owner_id",
    "team": "owner_team",
    "region": "owner_region",
    "account_id": "account_id",
    "account_region": "account_region",
    "industry": "account_industry",
    "country": "account_country",
    "currency": "currency",
    "stage": "stage",
    "forecast_category": "forecast_category",
    "competitor": "competitor",
    "loss_reason": "loss_reason",
    "close_period": close_period,
    "is_overdue": is_overdue,
}
"""What a metric over deals can be cut by. `team` and `region` are the owner's, `close_period` is the quarter of the
close date, `is_overdue` says that an open deal's close date has passed."""

FAMILY = "Pipeline and bookings"

deal_metric = partial(Metric, grain="deal", family=FAMILY, dimensions=DEAL_DIMENSIONS)
"""A metric of this family: a row of its table is a deal."""


def _day(day: date) -> ir.DateScalar:
    return ibis.date(day.year, day.month, day.day)


def within(day: ir.Value, period: Period) -> ir.BooleanValue:
    """Whether a day lies in a period; false, not unknown, where there is no day."""
    return day.between(_day(period.start), _day(period.end)).fill_null(False)


def before(day: ir.Value, limit: date) -> ir.BooleanValue:
    """Whether a day lies before a limit; false, not unknown, where there is no day."""
    return (day < _day(limit)).fill_null(False)


def missing(value: ir.Value) -> ir.BooleanValue:
    """Whether a value is not there."""
    return value.isnull()  # noqa: PD003 - an Ibis column, not a pandas one


def at_level(request: MetricRequest) -> Snapshot:
    """The snapshot of a level metric: at the end of the period, or at the as-of date where that comes first."""
    day = min(request.period.end, request.snapshot.as_of)
    return request.snapshot if day == request.snapshot.as_of else request.snapshot.at(day)


def headline(deals: ir.Table) -> ir.Table:
    """Deals of the headline types; a deal whose type the source does not give is one of them."""
    return deals.filter(deals.is_headline)


def open_deals(deals: ir.Table, types: str = "headline") -> ir.Table:
    """Open deals outside the omitted category, of headline types (or `types="all"`)."""
    kept = headline(deals) if types == "headline" else deals
    return kept.filter((kept.status == "open") & ~kept.is_omitted)


def booked(deals: ir.Table, period: Period) -> ir.Table:
    """Won deals whose booking day lies in the period."""
    return deals.filter((deals.status == "won") & within(deals.booked_on, period))


def closed(deals: ir.Table, period: Period) -> ir.Table:
    """Deals closed in the period: won ones by booking day, lost ones by the day they closed."""
    won = (deals.status == "won") & within(deals.booked_on, period)
    return deals.filter(won | ((deals.status == "lost") & within(deals.closed_on, period)))


def grouped(table: ir.Table, keys: Sequence[str], **values: ir.Value) -> pd.DataFrame:
    """Aggregate in the engine: one row a combination of `keys` (missing ones are a value of their own)."""
    return (table.group_by(list(keys)).aggregate(**values) if keys else table.aggregate(**values)).to_pandas()


def total(request: MetricRequest, table: ir.Table, amount: str = "amount") -> pd.DataFrame:
    """Σ of a money column in DECIMAL, with n deals.

    No deals: 0, as nothing was there to add. Deals of which none has an amount: null, with the reason.
    """
    cut = request.cut(table)
    frame = grouped(cut, request.keys, value=cut[amount].sum(), n=cut.count(), priced=cut[amount].count())
    return sums(frame)


def sums(frame: pd.DataFrame) -> pd.DataFrame:
    """Say what a sum is where the engine says null: 0 without rows, unknown where no row has a number.

    Columns in: value, n (rows), priced (rows with a number). Out: value, n, reason.
    """
    unknown = (frame["n"] > 0) & (frame["priced"] == 0)
    value = frame["value"].astype(object).mask(frame["n"] == 0, Decimal(0)).mask(unknown, None)
    reason = pd.Series(None, index=frame.index, dtype=object)
    reason[unknown] = "none of " + frame.loc[unknown, "n"].astype(str) + " deals has an amount"
    return frame.drop(columns=["priced"]).assign(value=value, reason=reason)


def number_of(request: MetricRequest, table: ir.Table) -> pd.DataFrame:
    """How many rows."""
    cut = request.cut(table)
    frame = grouped(cut, request.keys, n=cut.count())
    return frame.assign(value=frame["n"])


def share(frame: pd.DataFrame, successes: str, cases: str) -> pd.DataFrame:
    """A proportion of counts with Wilson's interval: adds value, low, high, n; null without cases."""
    from revops_analysis.statistics.intervals import wilson_interval

    low, high = wilson_interval(frame[successes], frame[cases])
    n = frame[cases].astype("float64")
    value = frame[successes].astype("float64").div(n.where(n > 0))
    reason = pd.Series(None, index=frame.index, dtype=object).mask(n == 0, "no cases")
    return frame.assign(value=value, low=low, high=high, n=frame[cases], reason=reason)


def ratio_by(frame: pd.DataFrame, keys: Sequence[str], top: str, bottom: str) -> pd.DataFrame:
    """Σ top ÷ Σ bottom for each combination of keys, with a bootstrap interval over the rows.

    `frame` has one row a deal (or another unit that is drawn as a whole), numbers without gaps. Returns a row a
    combination: keys, value, low, high, n, reason. Without keys there is always one row.
    """
    grouping = frame.groupby(list(keys), dropna=False, sort=True) if keys else [((), frame)]
    rows = []
    for label, group in grouping:
        names = dict(zip(keys, label if isinstance(label, tuple) else (label,), strict=True))
        rows.append({**names, **_ratio(group[top], group[bottom])})
    return pd.DataFrame(rows, columns=[*keys, "value", "low", "high", "n", "reason"])


def _ratio(top: pd.Series, bottom: pd.Series) -> dict[str, object]:
    from revops_analysis.statistics.bootstrap import bootstrap_ratio

    result = bootstrap_ratio(top.astype("float64").to_numpy(), bottom.astype("float64").to_numpy(), SEED)
    reason = None if result.value is not None else result.reason
    return {"value": result.value, "low": result.low, "high": result.high, "n": result.n, "reason": reason}
