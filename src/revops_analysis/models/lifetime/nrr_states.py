"""What net retention was made of on past days: each account's revenue at the month and three, six, nine and twelve
months before it, as it was known then."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from revops_analysis.metrics.retention.ledger import (
    AccountMonths,
    month_end,
    month_label,
    recurring_revenue,
    revenue_on_days,
)
from revops_analysis.metrics.retention.rates import YEAR
from revops_analysis.metrics.retention.rounding import MICRO

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

    def changes_since(self, before: NrrState) -> pd.DataFrame:
        """How each account's revenue changed since an earlier state, by account_id: segment, was (it paid then), ratio.

        This state has both months at its own rates and with what was booked late; who paid is as known then. Accounts
        without revenue to compare with are left out. Found once.
        """
        if before not in self._changes:
            self._changes[before] = self._changed(before)
        return self._changes[before]

    @cached_property
    def _changes(self) -> dict[NrrState, pd.DataFrame]:
        return {}

    def _changed(self, before: NrrState) -> pd.DataFrame:
        frame = self.frame
        then = before.frame.set_index("account_id")["m0"]
        paid = frame["account_id"].map(then).fillna(0.0) > 0
        start, end = frame[f"m{self.month - before.month}"], frame["m0"]
        left_base = frame[f"m{YEAR}"]
        ratio = np.where(paid, end / start.where(start > 0), end / left_base.where(left_base > 0))
        rows = frame[["account_id", "segment"]].assign(was=paid, ratio=ratio).set_index("account_id")
        return rows[rows["ratio"].notna()]

    @property
    def label(self) -> str:
        """The month as YYYY-MM."""
        return month_label(self.month)

    def now(self, back: int) -> pd.Series:
        """Revenue at the month that counts for accounts that paid `back` months before it."""
        if self.counts_reactivated or back == 0:
            return self.frame["m0"]
        return self.frame["m0"].where(self.frame[f"n{back}"] == back + 1, 0.0)

    @cached_property
    def nrr(self) -> float:
        """Net retention of the month as it was published on the day; null where twelve months before are not known."""
        if self.month - YEAR < self.first:
            return float("nan")
        base = self.frame[f"m{YEAR}"]
        counted = self.now(YEAR).where(base > 0, 0.0)
        return float(counted.sum() / base.sum()) if base.sum() > 0 else float("nan")


def nrr_states(snapshot: Snapshot) -> tuple[NrrState, ...]:
    """The states at the last complete month and every third before it, oldest first; empty without revenue.

    Each is what the day of its own month's end knew (the last: the snapshot's): terms that were booked later, and
    back-dated, are not in it.
    """
    revenue = recurring_revenue(snapshot)
    if revenue is None:
        return ()
    months = range(revenue.first, revenue.last + 1)[::-1][::STEP][::-1]
    days = [*(month_end(number) for number in months[:-1]), snapshot.as_of]
    segments, counts = _segments(snapshot), snapshot.definitions.nrr_counts_reactivated
    states = []
    for number, known in zip(months, revenue_on_days(snapshot, days, YEAR + 1), strict=True):
        frame = _frame(known)
        labels = frame["account_id"].map(segments).astype(object)
        named = frame.assign(segment=labels.where(labels.notna(), None))
        states.append(NrrState(number, month_end(number), revenue.first, named, counts))
    return tuple(states)


def _frame(known: AccountMonths) -> pd.DataFrame:
    """A row an account that paid in the year up to the month."""
    paid = np.maximum(known.mrr, 0)[::-1]  # the month itself first
    at = {f"m{back}": paid[back] / MICRO for back in BACK}
    since = {f"n{back}": (paid[: back + 1] > 0).sum(axis=0) for back in BACK if back}
    return pd.DataFrame({"account_id": known.accounts, **at, **since})


def _segments(snapshot: Snapshot) -> pd.Series:
    if "accounts.segment" not in snapshot.definitions.allowed_current_columns:
        return pd.Series(dtype=object)
    snapshot.require_dated(["accounts.segment"], "a model's feature")
    return snapshot.table("accounts").select("account_id", "segment").to_pandas().set_index("account_id")["segment"]
