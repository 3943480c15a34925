"""How recurring revenue moved from month to month, line by line, exact to the cent for every cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.metrics.retention.cells import Balances, Cells, Split, balances, cells_of
from revops_analysis.metrics.retention.customers import moving_dimensions
from revops_analysis.metrics.retention.ledger import (
    Exact,
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


@dataclass(frozen=True, eq=False)
class MonthLines:
    """One month of some rows: its number, each of `LINES` (millionths, a number a row), opening and closing."""

    month: int
    lines: dict[str, Exact]
    opening: Exact
    closing: Exact


def mrr_movements(
    snapshot: Snapshot, by: Sequence[str] = (), where: str | Where | None = None, *, annual: bool = False
) -> MrrMovements:
    """Opening, every movement and closing of each month, by account and then summed over the cut.

    An account's month is one of new (its first revenue ever), reactivation (from 0, not the first), churn (to 0),
    expansion or contraction (by the sign of its change). Cut by something that an account can change (product,
    size band), what one cell loses and another gains is a transfer; the greatest gains and losses are matched first,
    and only the rest is the account's movement. Under monthly rates the opening is first revalued (`exchange_rate`).

    `annual`: twelve times all amounts, rounded once. In every cell opening + lines = closing, each closing is the next
    opening, and cells add up to the total, in cents.
    Raises DataRefusedError without recurring revenue.
    """
    condition = parse_where(where)
    revenue = require_revenue(snapshot)
    rows = balances(snapshot, revenue, moving_dimensions(by, condition))
    cells = cells_of(snapshot, revenue, rows, by, condition)
    frame = _published(revenue, rows, cells, 12 if annual else 1)
    return MrrMovements(frame, tuple(by), month_label(revenue.first), month_label(revenue.last))


def month_lines(revenue: RecurringRevenue, rows: Balances, months: Sequence[int] | None = None) -> Iterator[MonthLines]:
    """The movements of every row, month by month; all observed months unless some (numbers) are named."""
    first = revenue.first_rows + revenue.earliest
    whole = rows if rows.split is None else rows.split.whole
    for number in revenue.months if months is None else months:
        month = _month_lines(whole, number, (revenue.first, first))
        yield month if rows.split is None else _in_bands(rows, rows.split, month, number - revenue.first)


def _month_lines(rows: Balances, number: int, since: tuple[int, npt.NDArray[np.int64]]) -> MonthLines:
    observed, first = since
    place = number - observed
    opening, closing, carried = rows.opening(place), rows.closing[place], rows.carried[place]
    change = closing - carried
    moved_in, moved_out = _transfers(rows, change)
    own = change - moved_in - moved_out
    kind = _kinds(rows, (opening, closing, change), (number == observed, first == number))
    lines = {name: np.where(kind == code, own, 0) for code, name in enumerate(LINES) if name in _OWN}
    lines |= {"transfer_in": moved_in, "transfer_out": moved_out, "exchange_rate": carried - opening}
    return MonthLines(number, lines, opening, closing)


def _in_bands(rows: Balances, split: Split, month: MonthLines, place: int) -> MonthLines:
    """Movements count in the band of the month's opening (of its closing, for who had nothing); then the account moves.

    So every movement is the same whether or not bands are told apart, and what changes band is a transfer.
    """
    now = split.bands[place]
    before = split.bands[place - 1] if place else np.full(len(now), -1)
    counted = np.where(before >= 0, before, now)[rows.owner] == split.band
    lines = {name: np.where(counted, line[split.row], 0) for name, line in month.lines.items()}
    moves = ((before >= 0) & (now >= 0) & (before != now))[rows.owner]
    passed = month.closing[split.row]
    lines["transfer_in"] += np.where(moves & (now[rows.owner] == split.band), passed, 0)
    lines["transfer_out"] -= np.where(moves & (before[rows.owner] == split.band), passed, 0)
    return MonthLines(month.month, lines, rows.opening(place), rows.closing[place])


_OWN = ("brought_forward", "new", "expansion", "reactivation", "contraction", "churn")
"""Lines that an account as a whole has: one of them in a month."""


def _kinds(
    rows: Balances, amounts: tuple[Exact, Exact, Exact], when: tuple[bool, npt.NDArray[np.bool_]]
) -> npt.NDArray[np.int64]:
    """Which of `_OWN` each row's account had in the month, as a position in `LINES`; −1 for none."""
    is_observed_first, is_first = when
    starts = rows.starts
    opening, closing, change = (np.add.reduceat(amount, starts) if len(starts) else amount for amount in amounts)
    was, remains = opening > 0, closing > 0
    starting = ~was & remains
    conditions = [
        np.full(len(starts), is_observed_first),
        starting & is_first[rows.owner[starts]],
        starting,
        was & ~remains,
        change > 0,
        change < 0,
    ]
    names = ("brought_forward", "new", "reactivation", "churn", "expansion", "contraction")
    kind = np.select(conditions, [LINES.index(name) for name in names], default=-1)
    sizes = np.diff(np.r_[starts, len(rows.owner)])
    return np.repeat(kind, sizes)


def _transfers(rows: Balances, change: Exact) -> tuple[Exact, Exact]:
    """What each row gained from and lost to other rows of its account; the greatest are matched first."""
    none = np.zeros(len(change), dtype=np.int64)
    starts = rows.starts
    if len(starts) == len(rows.owner):
        return none, none
    sides = [np.maximum(change, 0), np.maximum(-change, 0)]
    totals = [np.add.reduceat(side, starts) for side in sides]
    moved = np.repeat(np.minimum(*totals), np.diff(np.r_[starts, len(rows.owner)]))
    some = np.flatnonzero(moved)
    passed = [_matched(rows.owner[some], side[some], moved[some]) for side in sides]
    moved_in, moved_out = none.copy(), none.copy()
    moved_in[some], moved_out[some] = passed[0], -passed[1]
    return moved_in, moved_out


def _matched(owner: npt.NDArray[np.int64], amounts: Exact, moved: Exact) -> Exact:
    """Of each account's amounts, the greatest first, as much as `moved`; earlier rows go first between equals."""
    if not len(owner):
        return amounts
    order = np.lexsort((np.arange(len(owner)), -amounts, owner))
    ranked, account = amounts[order], owner[order]
    begins = np.r_[True, account[1:] != account[:-1]]
    before = ranked.cumsum() - ranked
    earlier = before - np.repeat(before[begins], np.diff(np.r_[np.flatnonzero(begins), len(owner)]))
    taken = np.empty_like(amounts)
    taken[order] = np.clip(moved[order] - earlier, 0, ranked)
    return taken


def _published(revenue: RecurringRevenue, rows: Balances, cells: Cells, factor: int) -> pd.DataFrame:
    """Exact sums, then cents: a row a month, cell and line."""
    months = revenue.months
    shape = (len(months), len(cells.labels))
    exact = np.zeros((*shape, len(LINES)), dtype=np.int64)
    counts = np.zeros((*shape, len(LINES) + 2), dtype=np.int64)
    for place, month in enumerate(month_lines(revenue, rows)):
        for number, line in enumerate(LINES):
            if month.lines[line].any():
                exact[place, :, number] = factor * cells.sums(month.lines[line])
                counts[place, :, number + 1] = cells.sums(month.lines[line] != 0)
        counts[place, :, 0], counts[place, :, -1] = cells.sums(month.opening > 0), cells.sums(month.closing > 0)
    moved, closing = publish_months(exact, _TRANSFERS)
    opening = np.vstack([np.zeros((1, shape[1]), dtype=np.int64), closing[:-1]])
    amounts = np.concatenate([opening[..., None], moved, closing[..., None]], axis=2)
    annual = np.zeros_like(amounts)
    for month_number, balance in enumerate(12 // factor * exact.sum(axis=2).cumsum(axis=0)):
        annual[month_number, :, -1] = allocate(balance, int(to_cents(balance.sum())))
    return _tidy({"cents": amounts, "n": counts, "annual_cents": annual}, cells.labels, months)


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
