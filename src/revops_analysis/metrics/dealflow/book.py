"""The deals of a snapshot as frames, read once: what the pipeline's detail is computed from.

Amounts are whole cents in float64 (exact far beyond any company's sum), null where the deal has none; days are
datetime64. Only deals of headline types; deleted ones are not among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from revops_analysis.metrics.deals import headline, missing
from revops_analysis.metrics.yields import past_periods

if TYPE_CHECKING:
    from revops_analysis.periods import Period
    from revops_analysis.tables.snapshot import Snapshot

MONTHS = 12
"""How many whole calendar months up to the as-of date serve as evidence of how dates are kept."""


@dataclass(frozen=True, eq=False)
class DealBook:
    """Deals, the dates they were given, and what was open on past days.

    - `deals`: [opportunity_id, name, owner_id, owner, segment, type, source, competitor, loss_reason, status,
      is_omitted, stage, cents, first_cents, created_on, close_date, closed_on], as at the as-of date;
    - `moves`: [opportunity_id, owner_id, changed_on, was, became, cents], a row a change of an open deal's close date;
    - `seen`: [cutoff, opportunity_id, owner_id, close_date, cents], a row a past day and deal open at its end (omitted
      ones left out): `month_ends`, and the day of the report in past quarters, `analogues` (label, cutoff).
    """

    as_of: date
    deals: pd.DataFrame
    moves: pd.DataFrame
    seen: pd.DataFrame
    month_ends: tuple[date, ...]
    analogues: tuple[tuple[Period, date], ...]

    @property
    def open(self) -> pd.DataFrame:
        """The deals that make up the open pipeline."""
        return self.deals[(self.deals["status"] == "open") & ~self.deals["is_omitted"].astype(bool)]

    @property
    def owner_names(self) -> dict[str, str]:
        """Names of owners by id, as they are now; an owner who has no deal now is not among them."""
        known = self.deals.dropna(subset=["owner_id"]).drop_duplicates("owner_id")
        return dict(zip(known["owner_id"], known["owner"].fillna(known["owner_id"]), strict=True))


def deal_book(snapshot: Snapshot, outlook: Period) -> DealBook:
    """Read the deals once a snapshot and period ahead; see `DealBook`. Without history `moves` and `seen` are empty."""
    return snapshot.once(("deal book", outlook), lambda: _read(snapshot, outlook))


def month_ends(as_of: date) -> tuple[date, ...]:
    """The last days of the months before and of the last `MONTHS` whole months, oldest first.

    >>> [day.isoformat() for day in month_ends(date(2026, 9, 29))[-2:]]
    ['2026-07-31', '2026-08-31']
    """
    last = (as_of + timedelta(days=1)).replace(day=1) - timedelta(days=1)
    days = [last]
    while len(days) <= MONTHS:
        days.append(days[-1].replace(day=1) - timedelta(days=1))
    return tuple(reversed(days))


def _read(snapshot: Snapshot, outlook: Period) -> DealBook:
    offset = (snapshot.as_of - outlook.start).days
    analogues = tuple(
        (past, min(past.start + timedelta(days=offset), past.end)) for past in past_periods(snapshot, outlook)
    )
    ends = month_ends(snapshot.as_of)
    cutoffs = tuple(sorted({*ends, *(day for _, day in analogues)}))
    return DealBook(snapshot.as_of, _deals(snapshot), _moves(snapshot), _seen(snapshot, cutoffs), ends, analogues)


def cents(amount: ir.Value) -> ir.Value:
    """An amount as whole cents."""
    return (amount * 100).cast("int64")


def _deals(snapshot: Snapshot) -> pd.DataFrame:
    deals = headline(snapshot.deals)
    snapshot.use_columns(["owner_name", "segment", "source", "competitor", "loss_reason"])
    names = ("opportunity_id", "name", "owner_id", "segment", "type", "source", "competitor", "loss_reason")
    frame = deals.select(
        *names,
        *("status", "is_omitted", "stage", "created_on", "close_date", "closed_on"),
        owner=deals.owner_name,
        cents=cents(deals.amount),
        first_cents=cents(deals.first_amount),
    ).to_pandas()
    return _typed(frame, ["created_on", "close_date", "closed_on"], ["cents", "first_cents"]).sort_values(
        "opportunity_id", ignore_index=True
    )


def _moves(snapshot: Snapshot) -> pd.DataFrame:
    """Changes of the close date of deals that stayed open."""
    history = snapshot.history.semi_join(headline(snapshot.deals), "opportunity_id")
    in_order = ibis.window(group_by="opportunity_id", order_by=["changed_at", "change_number"])
    looked = history.mutate(was=history.close_date.lag().over(in_order), before=history.status.lag().over(in_order))
    moved = looked.filter((looked.status == "open") & (looked.before == "open") & (looked.close_date != looked.was))
    frame = moved.select(
        "opportunity_id", "owner_id", "changed_on", "was", became=moved.close_date, cents=cents(moved.amount)
    ).to_pandas()
    return _typed(frame, ["changed_on", "was", "became"], ["cents"]).sort_values(
        ["opportunity_id", "changed_on", "became"], ignore_index=True
    )


def _seen(snapshot: Snapshot, cutoffs: tuple[date, ...]) -> pd.DataFrame:
    days = ibis.memtable(pd.DataFrame({"cutoff": list(cutoffs)}), schema=ibis.schema({"cutoff": "date"}))
    history = snapshot.history.semi_join(headline(snapshot.deals), "opportunity_id")
    omitted = snapshot.definitions.omitted_categories
    counts = ~history.forecast_category.isin(omitted).fill_null(False) if omitted else ibis.literal(True)
    is_open = history.filter((history.status == "open") & counts)
    until = snapshot.day_of(is_open.valid_until)
    states = is_open.select(
        "opportunity_id", "owner_id", "close_date", since=is_open.changed_on, until=until, cents=cents(is_open.amount)
    )
    holds = [states.since <= days.cutoff, missing(states.until) | (states.until > days.cutoff)]
    frame = states.inner_join(days, holds).drop("since", "until").to_pandas()
    ordered = _typed(frame, ["cutoff", "close_date"], ["cents"]).sort_values(["cutoff", "opportunity_id"])
    return ordered[["cutoff", "opportunity_id", "owner_id", "close_date", "cents"]].reset_index(drop=True)


def _typed(frame: pd.DataFrame, days: list[str], amounts: list[str]) -> pd.DataFrame:
    typed = {name: pd.to_datetime(frame[name]).astype("datetime64[ns]") for name in days}
    numbers = {name: pd.to_numeric(frame[name]).astype("float64") for name in amounts}
    return frame.assign(**typed, **numbers)


def amount_of(values: pd.Series) -> float:
    """Σ of cents as an amount, exact; null where there are deals and none has one."""
    known = values.dropna()
    return float("nan") if len(values) and known.empty else float(np.round(known.sum()) / 100)
