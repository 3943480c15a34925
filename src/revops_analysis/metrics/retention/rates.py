"""Net and gross revenue retention and logo retention over twelve months, with intervals over accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.metrics.retention.cells import (
    Balances,
    Cells,
    balances,
    band_labels,
    bands_of,
    cells_of,
    in_order_of_size,
)
from revops_analysis.metrics.retention.customers import moving_dimensions
from revops_analysis.metrics.retention.ledger import (
    Exact,
    RecurringRevenue,
    missing_reason,
    month_end,
    month_label,
    require_revenue,
)
from revops_analysis.metrics.retention.movements import month_lines
from revops_analysis.metrics.retention.rounding import MICRO, to_cents
from revops_analysis.metrics.where import Where, parse_where
from revops_analysis.statistics.bootstrap import bootstrap_ratios
from revops_analysis.statistics.intervals import wilson_interval

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

Measure = Literal["nrr", "grr", "logo"]
MEASURES: tuple[Measure, ...] = ("nrr", "grr", "logo")
YEAR = 12
SEED = 0
"""Seed of every interval here, so that the same question has the same answer."""


@dataclass(frozen=True, eq=False)
class RetentionRates:
    """Retention of the revenue of twelve months before.

    `frame`, a row a month, cell and measure: month (YYYY-MM), month_end, the cut's columns, measure (nrr, grr, logo),
    value, low, high (shares; 95% interval), n (accounts with revenue twelve months before), base_mrr (their revenue
    then, float64, reporting currency) and reason (where value is null). `reason`: why the frame is empty.
    """

    frame: pd.DataFrame
    by: tuple[str, ...]
    reason: str | None = None

    def table(self) -> pd.DataFrame:
        """A row a month and cell: month, the cut, accounts, base_mrr, then nrr, nrr_low, nrr_high, grr …, reason."""
        keys = ["month", *self.by]
        wide = self.frame[[*keys, "n", "base_mrr"]].drop_duplicates(keys).rename(columns={"n": "accounts"})
        for measure in MEASURES:
            rows = self.frame[self.frame["measure"] == measure].rename(
                columns={"value": measure, "low": f"{measure}_low", "high": f"{measure}_high"}
            )
            wide = wide.merge(rows[[*keys, measure, f"{measure}_low", f"{measure}_high"]], on=keys)
        return wide.merge(self.frame[[*keys, "reason"]].drop_duplicates(keys), on=keys)

    def year_on_year(self) -> pd.DataFrame:
        """The last month beside the same month a year before: a row a cell and measure.

        Columns: the cut, measure, month, accounts, now, low, high, year_before, low_before, high_before, change (now
        less then; not tested) and reason (why either is missing).
        """
        last = str(self.frame["month"].max()) if len(self.frame) else ""
        before = f"{int(last[:4]) - 1}{last[4:]}" if last else ""
        keys = [*self.by, "measure"]
        names = {"value": "year_before", "low": "low_before", "high": "high_before", "reason": "reason_before"}
        now = self.frame[self.frame["month"] == last].rename(columns={"value": "now", "n": "accounts"})
        then = self.frame[self.frame["month"] == before].rename(columns=names)[[*keys, *names.values()]]
        both = now.merge(then, on=keys, how="left")
        both["change"] = both["now"].astype(float) - both["year_before"].astype(float)
        both["reason"] = both["reason"].where(both["reason"].notna(), both["reason_before"])
        shown = ["month", "accounts", "now", "low", "high", "year_before", "low_before", "high_before", "change"]
        return both[[*keys, *shown, "reason"]]


@dataclass(frozen=True)
class RateOptions:
    """Over how many months retention is measured, and whether accounts count by their revenue or each alike.

    `weight` account: the mean over accounts of their revenue now ÷ then (its lesser with 1 for GRR); a few small
    accounts that grew much can carry it, so it stands beside the other and never instead.
    """

    window: int = YEAR
    weight: Literal["revenue", "account"] = "revenue"


def retention_rates(
    snapshot: Snapshot,
    months: Sequence[int] | None = None,
    by: Sequence[str] = (),
    where: str | Where | None = None,
    options: RateOptions = RateOptions(),
) -> RetentionRates:
    """NRR, GRR and logo retention of each month (numbers as in `ledger`; by default every month that has a base).

    Of the accounts with revenue at m − 12: their revenue at m (NRR), the lesser of then and now (GRR), and the share
    that still has any (logo), each ÷ what was there at m − 12. Accounts that left and came back in between count
    unless `nrr_counts_reactivated` is off. Under monthly rates each month has its own rates, so NRR includes them.
    Under `nrr_basis: movements` NRR is (opening + expansion, contraction, churn and, unless off, reactivation of the
    twelve months) ÷ opening, of accounts won within them too, and GRR leaves the gains out.
    Cut by `size_band`, accounts stay in the band that they were in at m − 12.

    NRR and GRR: bootstrap over accounts. Logo: Wilson. A month whose base lies before the first observed month is null,
    with the reason. Without recurring revenue, or with less than thirteen months of it, the result is empty, with the
    reason.
    """
    condition = parse_where(where)
    missing = missing_reason(snapshot)
    if missing:
        return RetentionRates(_empty(list(by)), tuple(by), missing)
    revenue = require_revenue(snapshot)
    window = options.window
    wanted = list(range(revenue.first + window, revenue.last + 1)) if months is None else list(months)
    if not wanted:
        known = f"recurring revenue is known from {month_label(revenue.first)} to {month_label(revenue.last)}"
        apart = "twelve months" if window == YEAR else f"{window} months"
        return RetentionRates(_empty(list(by)), tuple(by), f"{apart} apart are needed; {known}")
    compared = Comparison(snapshot, revenue, (tuple(by), condition), options)
    rows = [row for number in wanted for row in _month(compared, number)]
    frame = pd.DataFrame(rows, columns=_columns(list(by)))
    return RetentionRates(in_order_of_size(frame, snapshot.definitions.mrr_bands), tuple(by))


@dataclass(frozen=True, eq=False)
class Comparison:
    """Months against months before: which rows are compared, in which cells, and what they had."""

    snapshot: Snapshot
    revenue: RecurringRevenue
    cut: tuple[tuple[str, ...], Where]
    options: RateOptions = RateOptions()

    @cached_property
    def rows(self) -> Balances:
        """Accounts, or their products where the cut asks for them."""
        moving = [name for name in moving_dimensions(*self.cut) if name != "size_band"]
        return balances(self.snapshot, self.revenue, moving)

    @property
    def is_by_size(self) -> bool:
        """Whether the cut asks for the size band, which is that of the earlier month."""
        return "size_band" in moving_dimensions(*self.cut)

    @cached_property
    def _same_cells(self) -> Cells:
        return cells_of(self.snapshot, self.revenue, self.rows, *self.cut)

    def cells(self, number: int) -> Cells:
        """The cells of a month's comparison."""
        if not self.is_by_size:
            return self._same_cells
        limits = self.snapshot.definitions.mrr_bands
        then = self.revenue.mrr[[number - self.options.window - self.revenue.earliest]]
        band = bands_of(self.revenue.by_account(then)[0], limits)[self.rows.owner]
        labels = np.array(band_labels(limits), dtype=object)[band]
        rows = replace(self.rows, moving=self.rows.moving.assign(size_band=labels))
        return cells_of(self.snapshot, self.revenue, rows, *self.cut)

    def sides(self, number: int) -> Sides:
        """What every row had at the beginning of the window that ends with a month, and what became of it."""
        end = number - self.revenue.first
        start = end - self.options.window
        closing = self.rows.closing
        base, now = closing[start], closing[end]
        if not self.snapshot.definitions.nrr_counts_reactivated:
            now = np.where((closing[start : end + 1] > 0).all(axis=0), now, 0)
        now = np.where(base > 0, now, 0)
        if self.snapshot.definitions.nrr_basis == "cohort":
            return Sides(base, now, np.minimum(base, now), now > 0)
        net, lost = self._moved
        before = (net[start], lost[start])
        return Sides(base, base + net[end] - before[0], base + lost[end] - before[1], now > 0)

    @cached_property
    def _moved(self) -> tuple[Exact, Exact]:
        """Movements added up from the first month: those that count in NRR, and the losses among them."""
        counted = ["expansion", "contraction", "churn"]
        counted += ["reactivation"] if self.snapshot.definitions.nrr_counts_reactivated else []
        months = list(month_lines(self.revenue, self.rows))
        net = np.vstack([sum(month.lines[name] for name in counted) for month in months])
        lost = np.vstack([month.lines["contraction"] + month.lines["churn"] for month in months])
        return net.cumsum(axis=0), lost.cumsum(axis=0)


@dataclass(frozen=True, eq=False)
class Sides:
    """A number a row, in millionths: revenue then, what counts of it in NRR and in GRR now; and who still has any."""

    base: Exact
    net: Exact
    gross: Exact
    stays: npt.NDArray[np.bool_]

    def of(self, rows: npt.NDArray[np.int64]) -> Sides:
        """The same of some rows."""
        return Sides(self.base[rows], self.net[rows], self.gross[rows], self.stays[rows])

    @property
    def counts(self) -> npt.NDArray[np.bool_]:
        """Rows that a rate rests on."""
        counted: npt.NDArray[np.bool_] = (self.base > 0) | (self.net != self.base)
        return counted


def _month(compared: Comparison, number: int) -> list[dict[str, object]]:
    by, revenue = compared.cut[0], compared.revenue
    reason = _no_base(number, revenue, compared.options.window)
    found: list[dict[str, object]] = []
    if revenue.first + compared.options.window <= number <= revenue.last:
        cells, sides = compared.cells(number), compared.sides(number)
        for place, names in enumerate(_names(cells, by)):
            rows = cells.kept[cells.code == place]
            some = sides.of(rows[sides.counts[rows]])
            if len(some.base) or not by:
                found += [{**names, **row} for row in measured(some, reason, compared.options.weight)]
    if not found:
        found = [{**dict.fromkeys(by), **row} for row in rates_of(pd.Series(), pd.Series(), reason)]
    return [{"month": month_label(number), "month_end": month_end(number), **row} for row in found]


def _names(cells: Cells, by: Sequence[str]) -> list[dict[str, object]]:
    """The labels of each cell; without a cut, one cell without labels."""
    return [{str(key): value for key, value in row.items()} for row in cells.labels.to_dict("records")] if by else [{}]


def rates_of(base: pd.Series, now: pd.Series, reason: str) -> list[dict[str, object]]:
    """The three measures of one group of accounts; `reason` says why there is no base, should there be none."""
    before, after = (np.rint(side.to_numpy(dtype=float) * MICRO).astype(np.int64) for side in (base, now))
    return measured(Sides(before, after, np.minimum(before, after), after > 0), reason)


def measured(sides: Sides, reason: str, weight: Literal["revenue", "account"] = "revenue") -> list[dict[str, object]]:
    """The three measures of one group of rows, with intervals."""
    is_base = sides.base > 0
    n = int(is_base.sum())
    if n == 0:
        return [{"measure": measure, **_nothing(reason), "n": 0, "base_mrr": None} for measure in MEASURES]
    shared = {"reason": None, "n": n, "base_mrr": int(to_cents(int(sides.base.sum()))) / 100}
    if weight == "account":
        some = sides.of(np.flatnonzero(is_base))
        base = np.ones(n)
        kept = np.column_stack([some.net / some.base, some.gross / some.base])
    else:
        base = sides.base.astype(np.float64)  # whole numbers: their sums do not depend on the order of accounts
        kept = np.column_stack([sides.net, sides.gross]).astype(np.float64)
    rows = ratio_rows(("nrr", "grr"), kept, base)
    stayed = int(sides.stays.sum())
    low, high = wilson_interval([stayed], [n])
    rows.append({"measure": "logo", "value": stayed / n, "low": float(low[0]), "high": float(high[0])})
    return [{**row, **shared} for row in rows]


def ratio_rows(
    names: Sequence[str], kept: npt.NDArray[np.float64], base: npt.NDArray[np.float64]
) -> list[dict[str, object]]:
    """Ratios of sums with bootstrap intervals, a row a column of `kept`; None where there is no interval."""
    found = bootstrap_ratios(kept, base, SEED)
    shown = [[None if np.isnan(number) else float(number) for number in row] for row in found]
    return [
        {"measure": name, "value": value, "low": low, "high": high}
        for name, (value, low, high) in zip(names, shown, strict=True)
    ]


def _nothing(reason: str) -> dict[str, object]:
    return {"value": None, "low": None, "high": None, "reason": reason}


def _no_base(number: int, revenue: RecurringRevenue, window: int) -> str:
    if number - window < revenue.first:
        return f"needs revenue of {month_label(number - window)}, but it is known from {month_label(revenue.first)} on"
    if number > revenue.last:
        return f"{month_label(number)} is not over yet"
    return f"no account had revenue in {month_label(number - window)}"


def _columns(by: list[str]) -> list[str]:
    return ["month", "month_end", *by, "measure", "value", "low", "high", "reason", "n", "base_mrr"]


def _empty(by: list[str]) -> pd.DataFrame:
    return pd.DataFrame(columns=_columns(by))
