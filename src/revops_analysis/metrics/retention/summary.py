"""Movements of recurring revenue over a period: what a waterfall shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from revops_analysis.metrics.retention.cells import in_order_of_size
from revops_analysis.metrics.retention.ledger import (
    RecurringRevenue,
    missing_reason,
    month_end,
    month_label,
    require_revenue,
)
from revops_analysis.metrics.retention.movements import LINES, mrr_movements
from revops_analysis.metrics.where import Where
from revops_analysis.periods import Period, parse_period

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

ORDER = ("opening", *LINES, "closing")


@dataclass(frozen=True, eq=False)
class PeriodMovements:
    """Opening, movements and closing of a period's complete months.

    `frame`: the cut's columns, line (ordered as `ORDER`), cents (int64), value (float64, in `currency`) and n: for a
    movement the number of account-months that had it, for opening and closing the paying accounts. `months`: first and
    last month counted, as YYYY-MM. `reason`: why there is nothing, and what is known instead; then `frame` is empty.
    `annual`: amounts are those of a year.
    """

    frame: pd.DataFrame
    by: tuple[str, ...]
    period: str
    months: tuple[str, str]
    currency: str
    reason: str | None = None
    annual: bool = False

    def table(self) -> pd.DataFrame:
        """A row a cell of the cut, a column a line (amounts in `currency`); a line that did not occur is 0."""
        frame = self.frame.assign(line=self.frame["line"].astype(str))
        lines = [line for line in ORDER if (frame["line"] == line).any()]
        if not self.by:
            return frame[["line", "value", "n"]]
        wide = frame.set_index([*self.by, "line"])["value"].unstack("line").reindex(columns=lines)
        return wide.fillna(0.0).reset_index().rename_axis(columns=None)


def period_movements(
    snapshot: Snapshot,
    period: str | Period,
    by: Sequence[str] = (),
    where: str | Where | None = None,
    *,
    annual: bool = False,
) -> PeriodMovements:
    """Sum the monthly movements over the months that end in the period and were over by the as-of date.

    Opening is that of the first month, closing that of the last, so opening + lines = closing to the cent in every
    cell. An account that leaves in July and returns in September counts in churn and in reactivation.
    `annual`: ARR, not MRR.

    Without recurring revenue, or where no complete month of the period is known, the result is empty, with the reason.
    """
    calendar = snapshot.definitions.fiscal_calendar
    span = parse_period(period, calendar) if isinstance(period, str) else period
    missing = missing_reason(snapshot)
    if missing:
        return _nothing(snapshot, span, by, missing)
    revenue = require_revenue(snapshot)
    months = revenue.months_in(span)
    if not months:
        return _nothing(snapshot, span, by, no_month(revenue, span))
    first, last = month_label(months[0]), month_label(months[-1])
    frame = mrr_movements(snapshot, by, where, annual=annual).frame
    inside = frame[frame["month"].between(first, last)]
    kept = inside[
        ~((inside["line"] == "opening") & (inside["month"] != first))
        & ~((inside["line"] == "closing") & (inside["month"] != last))
    ]
    line = pd.Categorical(kept["line"], categories=ORDER, ordered=True)
    keys = [*by, "line"]
    kept = in_order_of_size(kept, snapshot.definitions.mrr_bands)
    summed = kept.assign(line=line).groupby(keys, dropna=False, observed=True, sort=True)[["cents", "n"]].sum()
    tidy = summed.reset_index()
    tidy.insert(len(keys) + 1, "value", tidy["cents"] / 100)
    currency = snapshot.definitions.reporting_currency
    return PeriodMovements(tidy, tuple(by), span.label, (first, last), currency, annual=annual)


def last_month_of(snapshot: Snapshot, period: str | Period) -> int | None:
    """Number of the last complete month that ends in a period; None where recurring revenue has none there."""
    if missing_reason(snapshot):
        return None
    span = parse_period(period, snapshot.definitions.fiscal_calendar) if isinstance(period, str) else period
    months = require_revenue(snapshot).months_in(span)
    return months[-1] if months else None


def twelve_months_to(month: int | None, period: str) -> str:
    """The twelve months that end with a month, as a period; the given period where there is no month.

    >>> twelve_months_to(12 * 2026 + 8, "2026-Q3")
    '2025-10-01..2026-09-30'
    """
    if month is None:
        return period
    return f"{month_label(month - 11)}-01..{month_end(month).isoformat()}"


def _nothing(snapshot: Snapshot, span: Period, by: Sequence[str], reason: str) -> PeriodMovements:
    frame = pd.DataFrame(columns=[*by, "line", "value", "cents", "n"])
    currency = snapshot.definitions.reporting_currency
    return PeriodMovements(frame, tuple(by), span.label, ("", ""), currency, reason)


def no_month(revenue: RecurringRevenue, period: Period) -> str:
    """Why a period has no month of recurring revenue."""
    known = f"recurring revenue is known from {month_label(revenue.first)} to {month_label(revenue.last)}"
    return f"no complete month ends in {period.label}; {known}"
