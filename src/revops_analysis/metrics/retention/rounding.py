"""Publishing exact amounts to the cent, so that what must add up still does.

Recurring revenue is kept to a millionth and rounded once. The total of each month is rounded to the nearest cent; then
cells and lines get their cents by largest remainder, so that lines lead from opening to closing in every cell, each
closing is the next opening, and the cells add up to the total. A line that is 0 stays 0. What a cell is owed from
earlier rounding decides who gets the next odd cent, so a cell never drifts away from its exact value.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MICRO = 1_000_000
"""Exact amounts are whole millionths of the currency."""
_CENT = MICRO // 100

Exact = npt.NDArray[np.int64]


def to_cents(exact: int | Exact) -> Exact:
    """Nearest whole cents of amounts in millionths, halves away from zero.

    >>> to_cents(np.array([14_999, 15_000, -15_000, 0])).tolist()
    [1, 2, -2, 0]
    """
    amounts = np.asarray(exact, dtype=np.int64)
    return np.sign(amounts) * ((np.abs(amounts) + _CENT // 2) // _CENT)


def allocate(exact: Exact, total: int, owed: Exact | None = None) -> Exact:
    """Cents for each amount, each rounded down or up, that add up to `total` cents.

    Who is furthest above its rounded-down value, plus what it is `owed` (millionths), is rounded up first; ties go to
    the first. Whole cents stay as they are.

    Raises ValueError when no such rounding exists: `total` is not within a cent's rounding of each amount.

    >>> allocate(np.array([33_333_333, 33_333_333, 33_333_334]), 10_000).tolist()
    [3333, 3333, 3334]
    """
    floors = exact // _CENT
    parts = exact - floors * _CENT
    missing = int(total - floors.sum())
    can_rise = np.flatnonzero(parts)
    if not 0 <= missing <= len(can_rise):
        raise ValueError(f"{total} cents cannot be reached by rounding amounts that sum to {int(exact.sum()) / MICRO}")
    wants = parts if owed is None else parts + owed
    order = can_rise[np.argsort(-wants[can_rise], kind="stable")]
    cents = floors.copy()
    cents[order[:missing]] += 1
    return cents


def publish_months(lines: Exact, pair: tuple[int, int] | None = None) -> tuple[Exact, Exact]:
    """Cents of movement lines and of the closing balances they lead to.

    `lines` in millionths, shape (months, cells, lines), from a balance of 0 before the first month. `pair`: the two
    lines of what only passes from cell to cell: rounded as their sum, so that they take no cents from other lines.
    Returns lines in cents of the same shape, and closing balances in cents, shape (months, cells).
    """
    months, cells, kinds = lines.shape
    cents = np.zeros_like(lines)
    closing = np.zeros((months, cells), dtype=np.int64)
    exact_total, total = 0, 0
    owed = np.zeros(cells, dtype=np.int64)
    balance = np.zeros(cells, dtype=np.int64)
    for month in range(months):
        by_line = lines[month].sum(axis=0)
        exact_total += int(by_line.sum())
        target = int(to_cents(exact_total))
        line_cents = _line_cents(by_line, target - total, pair)
        total = target
        for line in range(kinds):
            cents[month, :, line] = allocate(lines[month, :, line], int(line_cents[line]), owed)
            owed += lines[month, :, line] - cents[month, :, line] * _CENT
        balance = balance + cents[month].sum(axis=1)
        closing[month] = balance
    return cents, closing


def _line_cents(by_line: Exact, total: int, pair: tuple[int, int] | None) -> Exact:
    """Cents of each line summed over the cells, the same whether or not a cut shows what passes between its cells."""
    if pair is None:
        return allocate(by_line, total)
    net = by_line[list(pair)].sum()
    rest = np.append(np.delete(by_line, pair), net)
    shared = allocate(rest, total)
    cents = np.zeros_like(by_line)
    cents[np.delete(np.arange(len(by_line)), pair)] = shared[:-1]
    cents[list(pair)] = allocate(by_line[list(pair)], int(shared[-1]))
    return cents
