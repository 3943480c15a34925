"""How recurring revenue moved from month to month, line by line, exact to the cent for every cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from ibis import _

from revops_analysis.metrics.retention.customers import customers, cut, moving_dimensions
from revops_analysis.metrics.retention.ledger import (
    MRR_TYPE,
    RecurringRevenue,
    month_end,
    month_label,
    require_revenue,
)
from revops_analysis.metrics.retention.rounding import allocate, publish_months, to_cents
from revops_analysis.metrics.where import Where, parse_where

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

LINES = (
    "brought_forward",
    "new",
    "expansion",
    "reactivation",
    "transfer_in",
    "contraction",
    "churn",
    "transfer_out",
    "exchange_rate",
)
"""What can move recurring revenue, in the order of a waterfall. `brought_forward` is the revenue found in the first
observed month; nobody knows when it came."""

GAINS, LOSSES = ("new", "expansion", "reactivation"), ("contraction", "churn")
_TRANSFERS = (LINES.index("transfer_in"), LINES.index("transfer_out"))
_ZERO = ibis.literal(0, MRR_TYPE)


@dataclass(frozen=True, eq=False)
class MrrMovements:
    """Movements of recurring revenue from the first observed to the last complete month.

    `frame`, a row a month, cell of the cut and line, ordered: month (text YYYY-MM), month_end (date), the cut's
    columns, line (`opening`, those of `LINES`, `closing`), cents (int64, hundredths of the reporting currency), n:
    accounts with that movement, or with revenue at the opening and closing; and annual_cents: twelve times the exact
    closing, on that line (0 on others). Lines of 0 in a cell are left out.
    """

    frame: pd.DataFrame
    by: tuple[str, ...]
    first_month: str
    last_month: str


def mrr_movements(snapshot: Snapshot, by: Sequence[str] = (), where: str | Where | None = None) -> MrrMovements:
    """Opening, every movement and closing of each month, by account and then summed over the cut.

    An account's month is one of new (its first revenue ever), reactivation (from 0, not the first), churn (to 0),
    expansion or contraction (by the sign of its change). Cut by something that an account can change (product),
    what one cell loses and another gains is a transfer; the greatest gains and losses are matched first, and only the
    rest is the account's movement. Under monthly rates the opening is first revalued (`exchange_rate`).

    In every cell opening + lines = closing, each closing is the next opening, and cells add up to the total, in cents.
    Raises DataRefusedError without recurring revenue.
    """
    condition = parse_where(where)
    revenue = require_revenue(snapshot)
    cells = _lines(snapshot, revenue, moving_dimensions(by, condition))
    shown = cut(snapshot, revenue, cells, by, condition)
    keys = ["month", *by]
    sums = {line: shown[line].sum() for line in LINES}
    counts = {f"n_{line}": (shown[line] != 0).sum() for line in LINES}
    balance = {"n_opening": (shown.opening > 0).sum(), "n_closing": (shown.closing > 0).sum()}
    wide = shown.group_by(keys).aggregate(**sums, **counts, **balance).to_pandas()
    frame = _published(wide, list(by), range(revenue.first, revenue.last + 1))
    return MrrMovements(frame, tuple(by), month_label(revenue.first), month_label(revenue.last))


def account_lines(snapshot: Snapshot, by: Sequence[str] = (), where: Where | None = None) -> ir.Table:
    """Movements before they are summed: a row an account (and product, where the cut asks) and month.

    Columns: account_id, month (number), product if it moves, opening, closing, each of `LINES` (DECIMAL(18, 6)), and
    the columns of the cut.
    """
    revenue = require_revenue(snapshot)
    condition = where or Where()
    cells = _lines(snapshot, revenue, moving_dimensions(by, condition))
    return cut(snapshot, revenue, cells, by, condition)


def _lines(snapshot: Snapshot, revenue: RecurringRevenue, moving: list[str]) -> ir.Table:
    def make() -> ir.Table:
        since = customers(snapshot, revenue).select("account_id", "first_month")
        joined = _balances(revenue, moving).join(since, "account_id")
        return _with_lines(_with_kind(joined, revenue.first, moving), moving)

    return revenue.keep(snapshot.con, f"lines {moving}", make)


def _balances(revenue: RecurringRevenue, moving: list[str]) -> ir.Table:
    """Opening, opening at this month's rates, and closing of each cell and month in which it has one."""
    seen = revenue.table.filter(revenue.table.month >= revenue.first)
    keys = ["account_id", *moving]
    now = seen.select(*keys, "month", opening=_ZERO, revalued=_ZERO, closing=seen.mrr)
    before = seen.filter(seen.month < revenue.last).select(
        *keys, month=_.month + 1, opening=_.mrr, revalued=_.mrr_at_next, closing=_ZERO
    )
    both = ibis.union(now, before)
    sums = {name: both[name].sum().cast(MRR_TYPE) for name in ("opening", "revalued", "closing")}
    return both.group_by([*keys, "month"]).aggregate(**sums)


def _with_kind(table: ir.Table, first: int, moving: list[str]) -> ir.Table:
    """Name the account's movement in the month; `change` is the cell's change at this month's rates.

    Where an account has one cell (`moving` is empty), the cell is the account and nothing needs to be summed.
    """
    table = table.mutate(change=table.closing - table.revalued)
    account = ibis.window(group_by=["account_id", "month"])
    opening, closing, whole = (
        table[name].sum().over(account) if moving else table[name] for name in ("opening", "closing", "change")
    )
    table = table.mutate(was=opening > 0, remains=closing > 0, whole=whole)
    starts = ~table.was & table.remains
    return table.mutate(
        kind=ibis.cases(
            (table.month == first, "brought_forward"),
            (starts & (table.month == table.first_month), "new"),
            (starts, "reactivation"),
            (table.was & ~table.remains, "churn"),
            (table.whole > 0, "expansion"),
            (table.whole < 0, "contraction"),
            else_="none",
        )
    )


def _with_lines(table: ir.Table, moving: list[str]) -> ir.Table:
    """Split each cell's change into transfers between the account's cells and the account's own movement."""
    gain, loss = ibis.greatest(table.change, _ZERO), ibis.greatest(-table.change, _ZERO)
    table = table.mutate(gain=gain, loss=loss)
    table = _with_transfers(table, moving) if moving else table.mutate(transfer_in=_ZERO, transfer_out=_ZERO)
    own = table.change - table.transfer_in - table.transfer_out
    lines = {
        name: ibis.ifelse(table.kind == name, own, _ZERO)
        for name in LINES
        if name not in ("transfer_in", "transfer_out", "exchange_rate")
    }
    done = table.mutate(**lines, exchange_rate=table.revalued - table.opening)
    return done.drop("gain", "loss", "change", "revalued", "was", "remains", "whole", "kind", "first_month")


def _with_transfers(table: ir.Table, moving: list[str]) -> ir.Table:
    account = ibis.window(group_by=["account_id", "month"])
    moved = ibis.least(table.gain.sum().over(account), table.loss.sum().over(account))
    sides = {}
    for side in ("gain", "loss"):
        order = [table[side].desc(), *[table[name] for name in moving]]
        so_far = ibis.window(group_by=["account_id", "month"], order_by=order, preceding=(None, 0), following=None)
        earlier = table[side].sum().over(so_far) - table[side]
        sides[side] = ibis.least(ibis.greatest(moved - earlier, _ZERO), table[side]).cast(MRR_TYPE)
    return table.mutate(transfer_in=sides["gain"], transfer_out=-sides["loss"])


def _published(wide: pd.DataFrame, by: list[str], months: range) -> pd.DataFrame:
    """Exact sums in, cents out, a row a month, cell and line."""
    cells = wide[by].drop_duplicates().sort_values(by, ignore_index=True) if by else pd.DataFrame(index=[0])
    position = cells.reset_index(names="cell")
    placed = wide.merge(position, on=by, how="left") if by else wide.assign(cell=0)
    at = (placed["month"].to_numpy(dtype=np.int64) - months.start, placed["cell"].to_numpy(dtype=np.int64))
    exact = np.zeros((len(months), len(cells), len(LINES)), dtype=np.int64)
    counts = np.zeros((len(months), len(cells), len(LINES) + 2), dtype=np.int64)
    for number, line in enumerate(LINES):
        exact[(*at, number)] = _millionths(placed[line])
    for number, name in enumerate(("opening", *LINES, "closing")):
        counts[(*at, number)] = placed[f"n_{name}"].to_numpy(dtype=np.int64)
    moved, closing = publish_months(exact, _TRANSFERS)
    opening = np.vstack([np.zeros((1, len(cells)), dtype=np.int64), closing[:-1]])
    amounts = np.concatenate([opening[..., None], moved, closing[..., None]], axis=2)
    annual = np.zeros_like(amounts)
    for month, balance in enumerate(12 * exact.sum(axis=2).cumsum(axis=0)):
        annual[month, :, -1] = allocate(balance, int(to_cents(balance.sum())))
    return _tidy({"cents": amounts, "n": counts, "annual_cents": annual}, cells, months)


def _tidy(values: dict[str, np.ndarray], cells: pd.DataFrame, months: range) -> pd.DataFrame:
    names = np.array(["opening", *LINES, "closing"])
    is_balance = np.isin(names, ["opening", "closing"])
    kept = np.nonzero((values["cents"] != 0) | (values["n"] != 0) | (is_balance & (len(cells) == 1)))
    month, cell, line = kept
    frame = pd.DataFrame(
        {
            "month": np.array([month_label(number) for number in months], dtype=object)[month],
            "month_end": np.array([month_end(number) for number in months], dtype=object)[month],
            **{name: cells[name].to_numpy(dtype=object)[cell] for name in cells.columns},
            "line": names[line].astype(object),
            **{name: numbers[kept] for name, numbers in values.items()},
        }
    )
    return frame.reset_index(drop=True)


def _millionths(values: pd.Series) -> np.ndarray:
    """Decimals of six places as whole millionths; nothing is 0, because a cell without a movement did not move."""
    return np.array([0 if pd.isna(value) else int(value.scaleb(6)) for value in values], dtype=np.int64)
