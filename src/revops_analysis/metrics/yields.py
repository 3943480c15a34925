"""What pipeline turned into in past periods: the evidence behind yield, coverage and required coverage.

For each past period and each day in it, the deals that were open on that day with a close date in the period or before
it, their amounts, and what of them was booked by the period's end; beside them what was booked from deals created
after that day, and from deals that were expected later (pull-ins). A day is counted from the start of its period, so
that day 30 of this quarter is compared with day 30 of those before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from revops_analysis.metrics.deals import SEED, grouped, missing
from revops_analysis.metrics.registry import DimensionRule, MetricRequest
from revops_analysis.periods import Period, previous

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

YIELD_DIMENSIONS: dict[str, DimensionRule] = {
    "segment": "segment",
    "type": "type",
    "product": "product",
    "source": "source",
    "owner_id": "owner_id",
    "team": "owner_team",
    "region": "owner_region",
    "stage": "stage",
}
"""What yields can be cut by: the stage is that of the day looked at, the owner that of the last day."""

PARTS = ("booked", "open", "created_and_closed", "pulled_in")
_REPEATS = 1_000


@dataclass(frozen=True)
class Lookback:
    """Which past periods serve as evidence, and on which days of each (from its first day, which is day 0)."""

    periods: tuple[Period, ...]
    offsets: tuple[int, ...]

    def cutoffs(self) -> list[dict[str, object]]:
        """A row a past period and day: period, offset, cutoff (never after the period's end), first and last day."""
        return [
            {
                "past": period.label,
                "offset": offset,
                "cutoff": min(period.start + timedelta(days=offset), period.end),
                "first_day": period.start,
                "last_day": period.end,
            }
            for period in self.periods
            for offset in self.offsets
        ]


def past_periods(snapshot: Snapshot, period: Period) -> tuple[Period, ...]:
    """The latest past periods that are over at the as-of date and lie wholly after the first recorded day.

    As many as the definitions ask for (`coverage.history_periods`), oldest first.
    """
    first = _first_day(snapshot)
    calendar, wanted = snapshot.definitions.fiscal_calendar, snapshot.definitions.coverage.history_periods
    found: list[Period] = []
    past = previous(period, calendar)
    while first is not None and past.start > first and len(found) < wanted:
        if past.end <= snapshot.as_of:
            found.append(past)
        past = previous(past, calendar)
    return tuple(reversed(found))


def past_pipeline(request: MetricRequest, lookback: Lookback) -> pd.DataFrame:
    """Sums of the past: [*by, past, offset, booked, open, created_and_closed, pulled_in], reporting currency.

    A combination that had nothing in a period is a row of zeros, so that every ratio rests on all past periods.
    """
    snapshot, keys = request.snapshot, list(request.by)
    index = [*keys, "past", "offset"]
    # Neither depends on the cut or the filter: computed once, and each cut is a short query.
    seen = request.cut(snapshot.keep(f"yields: seen {lookback}", lambda: _seen(snapshot, lookback)))
    frames = [grouped(seen, index, **{part: seen[part].sum() for part in PARTS})]
    if "stage" not in keys:  # a deal created later was in no stage on that day
        made = request.cut(snapshot.keep(f"yields: made {lookback}", lambda: _made(snapshot, lookback)))
        frames.append(grouped(made, index, created_and_closed=made.created_and_closed.sum()))
    both = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    both = both.reindex(columns=[*index, *PARTS])
    both[list(PARTS)] = both[list(PARTS)].astype("float64").fillna(0.0)
    return _completed(both, keys, lookback)


def _seen(snapshot: Snapshot, lookback: Lookback) -> ir.Table:
    """One row a past day and deal that was open on it, its amount, and what of it was booked in time."""
    days = ibis.memtable(pd.DataFrame(lookback.cutoffs()), schema=_CUTOFFS)
    states = snapshot.keep("yields: states", lambda: _states(snapshot))
    wins = snapshot.deals.filter((snapshot.deals.status == "won") & snapshot.deals.is_headline)
    won = wins.select(won_id=wins.opportunity_id, booked_on=wins.booked_on, won_amount=wins.amount)
    seen = states.inner_join(days, _holds(states, days))
    joined = seen.left_join(
        won, [seen.opportunity_id == won.won_id, won.booked_on.between(seen.first_day, seen.last_day)]
    )
    in_time = (joined.close_date <= joined.last_day).fill_null(False)
    booked = joined.won_amount.fill_null(0)
    return joined.mutate(
        booked=ibis.ifelse(in_time, booked, 0),
        open=ibis.ifelse(in_time, joined.amount.fill_null(0), 0),
        pulled_in=ibis.ifelse(in_time, 0, booked),
        created_and_closed=ibis.literal(0).cast("decimal(18, 2)"),
    )


def _made(snapshot: Snapshot, lookback: Lookback) -> ir.Table:
    """One row a past day and deal that was created after it and booked by the period's end."""
    days = ibis.memtable(pd.DataFrame(lookback.cutoffs()), schema=_CUTOFFS)
    deals = snapshot.deals
    won = deals.filter((deals.status == "won") & deals.is_headline)
    pairs = won.inner_join(days, [won.created_on > days.cutoff, won.booked_on.between(days.first_day, days.last_day)])
    return pairs.mutate(created_and_closed=pairs.amount)


def open_now(request: MetricRequest, last_day: date) -> pd.DataFrame:
    """Σ amount of the deals open at D with close date up to `last_day`, overdue ones too: [*by, open, n]."""
    deals = request.snapshot.deals
    chosen = deals.filter((deals.status == "open") & deals.is_headline & ~deals.is_omitted)
    cut = request.cut(chosen.filter((chosen.close_date <= ibis.literal(last_day)).fill_null(False)))
    frame = grouped(cut, request.by, open=cut.amount.sum(), n=cut.count())
    return frame.assign(open=frame["open"].astype("float64").fillna(0.0))


def resampled(sums: np.ndarray) -> np.ndarray:
    """Sums over past periods drawn with replacement: `sums` (periods × parts) to (repeats × parts), seeded.

    Periods are drawn whole, because what makes one period unlike another (the economy, a price change) is common to all
    of its deals.
    """
    rng = np.random.default_rng(SEED)
    drawn = rng.integers(0, len(sums), size=(_REPEATS, len(sums)))
    return sums[drawn].sum(axis=1)


def interval(values: np.ndarray) -> tuple[float | None, float | None]:
    """The 95% percentile interval of resampled values; none when one in twenty or more cannot be computed."""
    known = values[np.isfinite(values)]
    if len(known) < 0.95 * len(values):
        return None, None
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


_CUTOFFS = ibis.schema({"past": "string", "offset": "int64", "cutoff": "date", "first_day": "date", "last_day": "date"})


def _first_day(snapshot: Snapshot) -> date | None:
    """The first day on which a deal was created."""
    first = snapshot.deals.created_on.min().to_pandas()
    return None if pd.isna(first) else pd.Timestamp(first).date()


def _holds(states: ir.Table, days: ir.Table) -> list[ir.BooleanValue]:
    """Whether a state was the deal's at the end of the cutoff day."""
    return [states.since <= days.cutoff, missing(states.until) | (states.until > days.cutoff)]


def _states(snapshot: Snapshot) -> ir.Table:
    """Every stay of a deal in one open state: since (day), until (day it ended, null: it still holds), what it was.

    From history where there is one, deleted deals included until their deletion; deals without changes are open from
    creation to closing, with the amount and close date that they have now.
    """
    definitions = snapshot.definitions
    described = _described(snapshot)
    history = snapshot.history
    until = snapshot.history.valid_until
    stays = history.select(
        "opportunity_id",
        "stage",
        "amount",
        "close_date",
        "forecast_category",
        "status",
        since=history.changed_on,
        until=snapshot.day_of(until),
    )
    rebuilt = snapshot.deals.filter(snapshot.deals.basis == "rebuilt")
    whole = rebuilt.select(
        "opportunity_id",
        stage=ibis.ifelse(rebuilt.status == "open", rebuilt.stage, ibis.null("string")),
        amount=rebuilt.amount,
        close_date=rebuilt.close_date,
        forecast_category=ibis.ifelse(rebuilt.status == "open", rebuilt.forecast_category, ibis.null("string")),
        status=ibis.literal("open"),
        since=rebuilt.created_on,
        until=rebuilt.closed_on,
    )
    both = ibis.union(stays, whole)
    omitted = definitions.omitted_categories
    counted = ~both.forecast_category.isin(omitted).fill_null(False) if omitted else ibis.literal(True)
    is_open = both.filter((both.status == "open") & counted)
    joined = is_open.inner_join(described, is_open.opportunity_id == described.deal_id)
    lasting = joined.filter(missing(joined.gone_on) | (joined.since < joined.gone_on).fill_null(True))
    return lasting.mutate(
        until=ibis.least(ibis.coalesce(lasting.until, lasting.gone_on), lasting.gone_on.fill_null(_FAR))
    )


_FAR = ibis.date(9999, 12, 31)


def _described(snapshot: Snapshot) -> ir.Table:
    """What deals can be cut by, deleted ones included, and the day on which they were deleted."""
    deals, users = snapshot.table("opportunities"), snapshot.table("users")
    chosen = deals.filter(deals.type.isin(snapshot.definitions.headline_types).fill_null(True))
    owners = users.select(user_id=users.user_id, owner_team=users.team, owner_region=users.region)
    joined = chosen.left_join(owners, chosen.owner_id == owners.user_id)
    return joined.select(
        "segment",
        "type",
        "product",
        "source",
        "owner_id",
        "owner_team",
        "owner_region",
        deal_id=joined.opportunity_id,
        gone_on=snapshot.day_of(joined.deleted_at),
        created_on=snapshot.day_of(joined.created_at),
    )


def _completed(sums: pd.DataFrame, keys: Sequence[str], lookback: Lookback) -> pd.DataFrame:
    """Sum the parts and add the combinations that are not there as zeros."""
    index = [*keys, "past", "offset"]
    frame = sums.groupby(index, dropna=False, sort=True)[list(PARTS)].sum().reset_index()
    grid = pd.DataFrame(
        [(period.label, offset) for period in lookback.periods for offset in lookback.offsets],
        columns=["past", "offset"],
    )
    groups = frame[list(keys)].drop_duplicates() if keys else pd.DataFrame(index=[0])
    full = groups.merge(grid, how="cross").merge(frame, on=index, how="left")
    full[list(PARTS)] = full[list(PARTS)].fillna(0.0)
    return full


def by_group(frame: pd.DataFrame, keys: Iterable[str]) -> list[tuple[dict[str, object], pd.DataFrame]]:
    """The frame's rows for each combination of keys, missing values kept; without keys the frame itself."""
    names = list(keys)
    if not names:
        return [({}, frame)]
    grouping = frame.groupby(names, dropna=False, sort=True)
    return [(dict(zip(names, label, strict=True)), group) for label, group in grouping]
