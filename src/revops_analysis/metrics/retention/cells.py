"""Who counts in which cell of a cut, and what they had at the beginning and the end of each month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import ibis
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from revops_analysis.metrics.retention.customers import DIMENSIONS, account_attributes, moving_dimensions
from revops_analysis.metrics.retention.ledger import Exact, RecurringRevenue
from revops_analysis.metrics.retention.rounding import MICRO
from revops_analysis.metrics.where import Where, check_names

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Balances:
    """Revenue of the observed months by row: an account, or the part of an account in one product or size band.

    `owner`: each row's account (position in `revenue.accounts`), in order. `closing`: a row a month, a column a row,
    millionths. `carried`: the closing of the month before at this month's rates; 0 in the first month. `moving`: the
    rows' values of the dimensions that an account can change. `split`: what the rows were before size bands told them
    apart.
    """

    owner: Ints
    closing: Exact
    carried: Exact
    moving: pd.DataFrame
    split: Split | None = None

    @property
    def starts(self) -> Ints:
        """First row of each account that has one."""
        return np.flatnonzero(np.r_[True, self.owner[1:] != self.owner[:-1]][: len(self.owner)])

    def opening(self, month: int) -> Exact:
        """Closing of the month before (position); 0 before the first observed month."""
        return self.closing[month - 1] if month else np.zeros(self.closing.shape[1], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Split:
    """How rows came from fewer: `row`, the one that each comes from, `band`, the size band that it is the part of.

    `bands`: each account's size band, a row a month; −1 where it has no revenue.
    """

    whole: Balances
    row: Ints
    band: Ints
    bands: Ints


def balances(snapshot: Snapshot, revenue: RecurringRevenue, moving: Sequence[str]) -> Balances:
    """Balances by account, or by what of it the dimensions in `moving` tell apart; rows without any are left out."""
    return snapshot.once(("balances", *moving), lambda: _balances(snapshot, revenue, moving))


def _balances(snapshot: Snapshot, revenue: RecurringRevenue, moving: Sequence[str]) -> Balances:
    skip = revenue.first - revenue.earliest
    closing, at_next = revenue.mrr[skip:], revenue.at_next[skip:]
    owner = revenue.units["account"].to_numpy()
    attributes = pd.DataFrame({"product": revenue.units["product"]})
    if "product" not in moving:
        closing, at_next = revenue.by_account(closing), revenue.by_account(at_next)
        owner = np.arange(len(revenue.accounts))
        attributes = pd.DataFrame(index=owner)
    carried = np.vstack([np.zeros((1, closing.shape[1]), dtype=np.int64), at_next[:-1]])
    known = _existing(Balances(owner, closing, carried, attributes))
    if "size_band" not in moving:
        return known
    totals = revenue.by_account(revenue.mrr[skip:])
    return _by_band(known, totals, snapshot.definitions.mrr_bands)


def _existing(all_rows: Balances) -> Balances:
    some = (all_rows.closing != 0).any(axis=0)
    if some.all():
        return all_rows
    moving = all_rows.moving[some].reset_index(drop=True)
    return Balances(all_rows.owner[some], all_rows.closing[:, some], all_rows.carried[:, some], moving)


def band_labels(limits: Sequence[int]) -> list[str]:
    """Size bands in rising order.

    >>> band_labels([500, 2000])
    ['under 500', '500 to under 2,000', '2,000 and more']
    """
    between = [f"{low:,} to under {high:,}" for low, high in pairwise(limits)]
    return [f"under {limits[0]:,}", *between, f"{limits[-1]:,} and more"] if limits else ["all"]


def bands_of(totals: Exact, limits: Sequence[int]) -> Ints:
    """Position of the size band of each amount (millionths)."""
    return np.searchsorted(np.array(limits, dtype=np.int64) * MICRO, totals, side="right")


def _by_band(rows: Balances, totals: Exact, limits: Sequence[int]) -> Balances:
    """Split each row into one for each band in which its account ever was: what it had while it was there."""
    bands = np.where(totals > 0, bands_of(totals, limits), -1)
    band = np.where(rows.closing != 0, bands[:, rows.owner], -1)
    before = np.vstack([np.full((1, bands.shape[1]), -1), bands[:-1]])
    counted = np.where(rows.closing != 0, before[:, rows.owner], -1)  # a new product counts where the account was
    parts = [
        (np.flatnonzero(((band == place) | (counted == place)).any(axis=0)), place) for place in range(len(limits) + 1)
    ]
    row = np.concatenate([some for some, _ in parts])
    own = np.concatenate([np.full(len(some), place) for some, place in parts])
    order = np.lexsort((own, row))
    row, own = row[order], own[order]
    is_there = band[:, row] == own
    was_there = np.vstack([np.zeros((1, len(row)), dtype=bool), is_there[:-1]])
    labels = np.array(band_labels(limits), dtype=object)[own]
    moving = rows.moving.iloc[row].reset_index(drop=True).assign(size_band=labels)
    closing, carried = np.where(is_there, rows.closing[:, row], 0), np.where(was_there, rows.carried[:, row], 0)
    return Balances(rows.owner[row], closing, carried, moving, Split(rows, row, own, bands))


@dataclass(frozen=True, eq=False)
class Cells:
    """A cut of some rows: `labels`, a row a cell in order, and the rows of each.

    `kept`: positions of the rows that pass the filter, ordered by cell; `code`: the cell of each of them.
    """

    labels: pd.DataFrame
    kept: Ints
    code: Ints

    def sums(self, amounts: Exact | npt.NDArray[np.bool_]) -> Exact:
        """Exact sum of each cell over an array with a number a row."""
        if not len(self.labels):
            return np.zeros(0, dtype=np.int64)
        if not len(self.kept):
            return np.zeros(len(self.labels), dtype=np.int64)
        starts = np.flatnonzero(np.r_[True, self.code[1:] != self.code[:-1]])
        return np.add.reduceat(amounts[self.kept].astype(np.int64, copy=False), starts)


def cells_of(snapshot: Snapshot, revenue: RecurringRevenue, rows: Balances, by: Sequence[str], where: Where) -> Cells:
    """Filter rows and tell them apart by the dimensions of a cut.

    Without a cut there is one cell, whoever passes. Raises ConfigurationError for a name that is no dimension.
    """
    check_names(by, DIMENSIONS, "dimension", "by, of retention")
    check_names(where.columns, DIMENSIONS, "column in a filter", "filter on retention")
    named = list(dict.fromkeys([*by, *where.columns]))
    if not named:
        every = np.arange(len(rows.owner))
        return Cells(pd.DataFrame(index=[0]), every, np.zeros_like(every))
    frame = account_attributes(snapshot, revenue, named).iloc[rows.owner].reset_index(drop=True)
    for name in moving_dimensions(named, Where()):
        frame[name] = rows.moving[name]
    kept = np.flatnonzero(passing(snapshot, frame, where))
    if not by:
        return Cells(pd.DataFrame(index=[0]), kept, np.zeros(len(kept), dtype=np.int64))
    shown = frame.iloc[kept][list(by)]
    ranked = in_order_of_size(shown, snapshot.definitions.mrr_bands)
    places = ranked.drop_duplicates().sort_values(list(by)).index
    labels = ranked.loc[places].reset_index(drop=True)
    code = ranked.groupby(list(by), dropna=False, sort=True, observed=True).ngroup().to_numpy()
    order = np.argsort(code, kind="stable")
    return Cells(labels, kept[order], code[order].astype(np.int64))


def in_order_of_size(frame: pd.DataFrame, limits: Sequence[int]) -> pd.DataFrame:
    """The frame with its size bands, where it has any, as a category that sorts by size and not by its text."""
    if "size_band" not in frame:
        return frame
    return frame.assign(size_band=pd.Categorical(frame["size_band"], band_labels(limits), ordered=True))


def passing(snapshot: Snapshot, frame: pd.DataFrame, where: Where) -> npt.NDArray[np.bool_]:
    """Which rows of a frame of texts pass a filter, as the engine decides it."""
    if not where:
        return np.ones(len(frame), dtype=bool)
    names = list(dict.fromkeys(where.columns))
    distinct = frame[names].drop_duplicates().reset_index(drop=True)
    columns = {name: pa.array(distinct[name], pa.string()) for name in names}
    table = ibis.memtable(pa.table({**columns, "row": pa.array(np.arange(len(distinct)))}))
    held = table.filter([item.predicate(table[item.column]) for item in where.conditions]).select("row")
    holds = snapshot.con.to_pandas(held)["row"]
    passes = np.zeros(len(distinct), dtype=bool)
    passes[holds.to_numpy(dtype=np.int64)] = True
    place = frame.groupby(names, dropna=False, sort=False).ngroup().to_numpy()
    first = distinct.groupby(names, dropna=False, sort=False).ngroup().to_numpy()
    by_group = np.zeros(len(distinct), dtype=bool)
    by_group[first] = passes
    found: npt.NDArray[np.bool_] = by_group[place] if len(frame) else np.zeros(0, dtype=bool)
    return found
