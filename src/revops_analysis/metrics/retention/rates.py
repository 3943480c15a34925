"""Net and gross revenue retention and logo retention over twelve months, with intervals over accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from ibis import _

from revops_analysis.metrics.retention.customers import cut, moving_dimensions
from revops_analysis.metrics.retention.ledger import (
    RecurringRevenue,
    missing_reason,
    month_end,
    month_label,
    require_revenue,
)
from revops_analysis.metrics.where import Where, parse_where
from revops_analysis.statistics.bootstrap import bootstrap_ratio
from revops_analysis.statistics.intervals import wilson_interval

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

Measure = Literal["nrr", "grr", "logo"]
MEASURES: tuple[Measure, ...] = ("nrr", "grr", "logo")
YEAR = 12
SEED = 0
"""Seed of every interval here, so that the same question has the same answer."""
MOST_UNITS = 2_000
"""More accounts than this are drawn in random groups."""


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


def retention_rates(
    snapshot: Snapshot,
    months: Sequence[int] | None = None,
    by: Sequence[str] = (),
    where: str | Where | None = None,
) -> RetentionRates:
    """NRR, GRR and logo retention of each month (numbers as in `ledger`; by default every month that has a base).

    Of the accounts with revenue at m − 12: their revenue at m (NRR), the lesser of then and now (GRR), and the share
    that still has any (logo), each ÷ what was there at m − 12. Accounts that left and came back in between count
    unless `nrr_counts_reactivated` is off. Under monthly rates each month has its own rates, so NRR includes them.

    NRR and GRR: bootstrap over accounts. Logo: Wilson. A month whose base lies before the first observed month is null,
    with the reason. Without recurring revenue, or with less than thirteen months of it, the result is empty, with the
    reason.
    """
    condition = parse_where(where)
    missing = missing_reason(snapshot)
    if missing:
        return RetentionRates(_empty(list(by)), tuple(by), missing)
    revenue = require_revenue(snapshot)
    wanted = list(range(revenue.first + YEAR, revenue.last + 1)) if months is None else list(months)
    if not wanted:
        known = f"recurring revenue is known from {month_label(revenue.first)} to {month_label(revenue.last)}"
        return RetentionRates(_empty(list(by)), tuple(by), f"twelve months apart are needed; {known}")
    pairs = _pairs(snapshot, revenue, by, condition)
    accounts = pairs.filter(pairs.month.isin(wanted)).to_pandas()
    parts = [_month(accounts, number, list(by), revenue) for number in wanted]
    return RetentionRates(pd.concat(parts, ignore_index=True), tuple(by))


def _pairs(snapshot: Snapshot, revenue: RecurringRevenue, by: Sequence[str], where: Where) -> ir.Table:
    """A row an account (and product, where the cut asks) and month with revenue at m − 12: base, now."""
    moving = moving_dimensions(by, where)
    pairs = revenue.keep(snapshot.con, f"pairs {moving}", lambda: _unit_pairs(snapshot, revenue, moving))
    return cut(snapshot, revenue, pairs, by, where).select("month", "base", "now", *by)


def _unit_pairs(snapshot: Snapshot, revenue: RecurringRevenue, moving: list[str]) -> ir.Table:
    keys = ["account_id", *moving]
    seen = revenue.table.filter(revenue.table.month >= revenue.first)
    units = seen.group_by([*keys, "month"]).aggregate(mrr=_.mrr.sum()).filter(_.mrr > 0)
    spells = _with_spell(units, keys)
    base = units.filter(units.month <= revenue.last - YEAR).select(*keys, month=_.month + YEAR, base=_.mrr)
    joined = base.left_join(spells, [*keys, "month"], rname="{name}_now")
    stayed = joined.since <= joined.month - YEAR
    counts = ibis.literal(True) if snapshot.definitions.nrr_counts_reactivated else stayed.fill_null(False)
    now = ibis.ifelse(counts, joined.mrr.fill_null(0), 0)
    return joined.select(*keys, "month", base=joined.base.cast("float64"), now=now.cast("float64"))


def _with_spell(units: ir.Table, keys: list[str]) -> ir.Table:
    """Add `since`: the month in which the unbroken run of months with revenue began."""
    in_order = ibis.window(group_by=keys, order_by="month")
    numbered = units.mutate(place=ibis.row_number().over(in_order)).mutate(run=_.month - _.place).drop("place")
    return numbered.mutate(since=numbered.month.min().over(ibis.window(group_by=[*keys, "run"]))).drop("run")


def _month(accounts: pd.DataFrame, number: int, by: list[str], revenue: RecurringRevenue) -> pd.DataFrame:
    rows = accounts[accounts["month"] == number] if len(accounts) else pd.DataFrame(columns=["base", "now", *by])
    grouping = rows.groupby(by, dropna=False, sort=True) if by and len(rows) else [((), rows)]
    found = []
    for label, group in grouping:
        names = dict(zip(by, label, strict=True)) if label else dict.fromkeys(by)
        reason = _no_base(number, revenue)
        found += [{**names, **row} for row in rates_of(group["base"], group["now"], reason)]
    frame = pd.DataFrame(found)
    frame.insert(0, "month", month_label(number))
    frame.insert(1, "month_end", month_end(number))
    return frame


def rates_of(base: pd.Series, now: pd.Series, reason: str) -> list[dict[str, object]]:
    """The three measures of one group of accounts; `reason` says why there is no base, should there be none."""
    before, after = base.to_numpy(dtype=float), now.to_numpy(dtype=float)
    n, total = len(before), round(float(np.sort(before).sum()), 2)  # sorted: the same sum whatever the engine
    if n == 0:
        return [{"measure": measure, **_nothing(reason), "n": 0, "base_mrr": None} for measure in MEASURES]
    rows: list[dict[str, object]] = []
    groups = _groups(before, after)
    for measure, kept in (("nrr", after), ("grr", np.minimum(before, after))):
        ratio = bootstrap_ratio(kept, before, SEED, clusters=groups)
        rows.append({"measure": measure, "value": ratio.value, "low": ratio.low, "high": ratio.high})
    stayed = int((after > 0).sum())
    low, high = wilson_interval([stayed], [n])
    rows.append({"measure": "logo", "value": stayed / n, "low": float(low[0]), "high": float(high[0])})
    return [{**row, "reason": None, "n": n, "base_mrr": total} for row in rows]


def _groups(before: np.ndarray, after: np.ndarray) -> np.ndarray | None:
    """Deal very many accounts into random groups that are drawn together; None where there are few.

    The spread of a sum over groups is that over accounts, and a rate of every month stays affordable.
    """
    if len(before) <= MOST_UNITS:
        return None
    groups = np.empty(len(before), dtype=np.int64)
    groups[np.lexsort((after, before))] = np.random.default_rng(SEED).permutation(len(before)) % MOST_UNITS
    return groups


def _nothing(reason: str) -> dict[str, object]:
    return {"value": None, "low": None, "high": None, "reason": reason}


def _no_base(number: int, revenue: RecurringRevenue) -> str:
    if number - YEAR < revenue.first:
        return f"needs revenue of {month_label(number - YEAR)}, but it is known from {month_label(revenue.first)} on"
    if number > revenue.last:
        return f"{month_label(number)} is not over yet"
    return f"no account had revenue in {month_label(number - YEAR)}"


def _empty(by: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        columns=["month", "month_end", *by, "measure", "value", "low", "high", "reason", "n", "base_mrr"]
    )
