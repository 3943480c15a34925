"""What net retention was made of on past days: each account's revenue at the month and three, six, nine and twelve
months before it, as it was known then."""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
from ibis import _

from revops_analysis.metrics.retention.ledger import month_end, month_label, recurring_revenue, require_revenue
from revops_analysis.metrics.retention.rates import YEAR

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

STEP = 3
"""Months between two days that are looked at."""

BACK = tuple(range(0, YEAR + 1, STEP))


@dataclass(frozen=True, eq=False)
class NrrState:
    """One month, seen from its last day (the latest from the as-of date).

    `frame`, a row an account that paid at the month or in the year before it: account_id, segment, m0, m3, m6, m9, m12
    (revenue so many months before; 0: none) and n3 … n12 (paying months since, that one included).

    `month` is its number, `first` the number of the first observed month: those before it are not known.
    """

    month: int
    day: dt.date
    first: int
    frame: pd.DataFrame
    counts_reactivated: bool

    @property
    def label(self) -> str:
        """The month as YYYY-MM."""
        return month_label(self.month)

    def now(self, back: int) -> pd.Series:
        """Revenue at the month that counts for accounts that paid `back` months before it."""
        if self.counts_reactivated or back == 0:
            return self.frame["m0"]
        return self.frame["m0"].where(self.frame[f"n{back}"] == back + 1, 0.0)

    @property
    def nrr(self) -> float:
        """Net retention of the month as it was published on the day; null where twelve months before are not known."""
        if self.month - YEAR < self.first:
            return float("nan")
        base = self.frame[f"m{YEAR}"]
        counted = self.now(YEAR).where(base > 0, 0.0)
        return float(counted.sum() / base.sum()) if base.sum() > 0 else float("nan")


def nrr_states(snapshot: Snapshot) -> tuple[NrrState, ...]:
    """The states at the last complete month and every third before it, oldest first; empty without revenue.

    Each is taken from the snapshot of its own month's end: terms that were booked later, and back-dated, are not in it.
    Of a workspace the past ones are kept beside the data, because they never change.
    """
    revenue = recurring_revenue(snapshot)
    if revenue is None:
        return ()
    months = range(revenue.first, revenue.last + 1)[::-1][::STEP][::-1]
    parts = [(number, _past_frame(snapshot, number)) for number in months[:-1]]
    parts.append((revenue.last, _frame(snapshot, revenue.last)))
    segments, counts = _segments(snapshot), snapshot.definitions.nrr_counts_reactivated
    states = []
    for number, frame in parts:
        labels = frame["account_id"].map(segments).astype(object)
        named = frame.assign(segment=labels.where(labels.notna(), None))
        states.append(NrrState(number, month_end(number), revenue.first, named, counts))
    return tuple(states)


def _past_frame(snapshot: Snapshot, month: int) -> pd.DataFrame:
    """The frame of a month that is over, from the file if there is one."""
    from revops_analysis.models.kept_files import Kept, key_of, model_folder

    then = snapshot.at(month_end(month))
    project = getattr(snapshot, "project", None)
    if project is None:
        return _frame(then, month)
    kept = Kept(model_folder(project, snapshot.source), "nrr-state", key_of(then, month=month))
    known = kept.read([_FILE])
    if known is not None:
        return pd.read_parquet(io.BytesIO(known[_FILE]))
    frame = _frame(then, month)
    kept.write({_FILE: frame.to_parquet(index=False)})
    return frame


_FILE = "frame.parquet"


def _frame(snapshot: Snapshot, month: int) -> pd.DataFrame:
    """Revenue at the month and before it, as the snapshot knows it; a row an account that paid in the year up to it."""
    if recurring_revenue(snapshot) is None:  # all that was paid by then was booked later
        names = [*(f"m{back}" for back in BACK), *(f"n{back}" for back in BACK if back)]
        return pd.DataFrame({"account_id": pd.Series(dtype=object), **{n: pd.Series(dtype=float) for n in names}})
    table = require_revenue(snapshot).table
    recent = table.filter((table.month >= month - YEAR) & (table.month <= month))
    paid = recent.group_by(["account_id", "month"]).aggregate(mrr=_.mrr.sum()).filter(_.mrr > 0)
    at = {f"m{back}": paid.mrr.sum(where=paid.month == month - back).cast("float64").fill_null(0.0) for back in BACK}
    since = {f"n{back}": (paid.month >= month - back).sum() for back in BACK if back}
    return paid.group_by("account_id").aggregate(**at, **since).order_by("account_id").to_pandas()


def _segments(snapshot: Snapshot) -> pd.Series:
    if "accounts.segment" not in snapshot.definitions.allowed_current_columns:
        return pd.Series(dtype=object)
    snapshot.require_dated(["accounts.segment"], "a model's feature")
    return snapshot.table("accounts").select("account_id", "segment").to_pandas().set_index("account_id")["segment"]
