"""Everything the chapter of the pipeline's detail shows, computed once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.metrics.coverage import period_ahead
from revops_analysis.metrics.dealflow.book import deal_book
from revops_analysis.metrics.dealflow.concentration import concentration, largest_deals
from revops_analysis.metrics.dealflow.habits import date_habits
from revops_analysis.metrics.dealflow.slippage import Slippage, pushed_deals, slippage
from revops_analysis.metrics.dealflow.win_loss import WinLoss, win_loss
from revops_analysis.periods import Period, parse_period, year_to

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot


@dataclass(frozen=True, eq=False)
class PipelineDetail:
    """Slippage, close-date habits, wins and losses of the year that ends with the period, and the largest deals.

    `key_figures`: [metric, value, unit, low, high, n, reason], what is published of it.
    """

    period: Period
    year: Period
    slippage: Slippage
    pushed: pd.DataFrame
    habits: pd.DataFrame
    win_loss: WinLoss
    concentration: pd.DataFrame
    largest: pd.DataFrame
    key_figures: pd.DataFrame


def pipeline_detail(snapshot: Snapshot, period: str | Period) -> PipelineDetail:
    """Compute the chapter for a period; see `PipelineDetail`. Raises ConfigurationError for a period that is none."""
    calendar = snapshot.definitions.fiscal_calendar
    span = parse_period(period, calendar) if isinstance(period, str) else period
    book, year = deal_book(snapshot, period_ahead(snapshot, span)), year_to(span)
    slipped, habits, ended = slippage(book), date_habits(book), win_loss(book, year)
    return PipelineDetail(
        period=span,
        year=year,
        slippage=slipped,
        pushed=pushed_deals(book),
        habits=habits,
        win_loss=ended,
        concentration=concentration(book),
        largest=largest_deals(book),
        key_figures=_published(slipped, habits, ended),
    )


def _published(slipped: Slippage, habits: pd.DataFrame, ended: WinLoss) -> pd.DataFrame:
    from revops_analysis.statistics.intervals import wilson_interval

    promises, all_dates = slipped.promises, habits.iloc[0]
    late = int(promises["slipped"].sum())
    deals = promises["opportunity_id"].nunique()
    part = late / len(promises) if len(promises) else None
    low, high = wilson_interval([0.0 if part is None else part * deals], [deals])
    won = round(ended.rate * ended.closed) if ended.rate is not None else 0
    won_low, won_high = wilson_interval([won], [ended.closed])
    decided = int(all_dates["dates"]) - int(all_dates["undecided"])
    judged = round(decided * (1 - float(all_dates["lost"]))) if decided else 0
    no_dates = "no date given by sellers is on record and decided"
    rows: list[tuple[Any, ...]] = [
        (
            "slipped_share",
            part,
            "rate",
            low[0],
            high[0],
            deals,
            "no deal is known to have been expected in a past month",
        ),
        ("win_rate_of_year", ended.rate, "rate", won_low[0], won_high[0], ended.closed, "no deal closed in the year"),
        ("dates_kept", all_dates["on_time"], "rate", None, None, judged, no_dates),
        ("dates_at_month_end", all_dates["month_end"], "rate", None, None, int(all_dates["dates"]), no_dates),
        ("days_late", all_dates["days_late"], "days", None, None, judged, "too few of the deals have closed"),
    ]
    frame = pd.DataFrame(rows, columns=["metric", "value", "unit", "low", "high", "n", "reason"])
    return frame.assign(reason=frame["reason"].where(frame["value"].isna(), None))
