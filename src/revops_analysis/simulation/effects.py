"""What each channel really brings: bookings lost when it is switched off, everything else being equal.

Switched off, a channel brings no deals (but for the share that would have come anyway, `backup_share`), and its touches
lift no deal's quality. The deals whose quality falls into a lower class are run again with the same random numbers; all
others end as they did. With a customer who is not won, its later expansions are lost too. Not counted: that a lost deal
might come back later, that a deal lost here might have been found by another channel later, and renewals.
"""

from __future__ import annotations

import numpy as np

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.beginnings import quality_class
from revops_analysis.simulation.book import Book
from revops_analysis.simulation.columns import Columns, Floats, Ints, pick
from revops_analysis.simulation.dynamics import Rates, evolve
from revops_analysis.simulation.parameters import Parameters
from revops_analysis.simulation.plan import FIRST_QUARTER
from revops_analysis.simulation.truth import Outcomes, brought_by
from revops_analysis.simulation.words import CHANNELS, EXPANSION, NEW, RENEWAL, WON

QUARTERS = int(tl.quarter_of(np.array([tl.THROUGH]))[0]) - FIRST_QUARTER + 1


def channel_effects(book: Book, ends: Outcomes, rates: Rates, parameters: Parameters) -> Floats:
    """[channel × quarter × 4]: deals won, bookings in dollars, and both again without the channel."""
    result = np.zeros((len(CHANNELS), QUARTERS, 4))
    rows = np.flatnonzero(book.deals.kind != RENEWAL)
    won = ends.code[rows] == 1
    result[:, :, :2] = _by_quarter(ends.day[rows], ends.dollars[rows], won)
    replayed = _replay(book, rates, parameters)
    bringer = brought_by(book)
    for channel in range(len(CHANNELS)):
        code, day = ends.code.copy(), ends.day.copy()
        for part, values in zip((code, day), (replayed[1], replayed[2]), strict=True):
            mine = replayed[3] == channel
            part[replayed[0][mine]] = values[mine]
        code[(bringer == channel) & (book.facts.backup >= parameters.backup_share)] = 2
        gone = _customers_not_won(book, ends.code, code)
        code[(book.deals.kind == EXPANSION) & gone[book.facts.account]] = 2
        result[channel, :, 2:] = _by_quarter(day[rows], ends.dollars[rows], code[rows] == 1)
    return result


def _replay(book: Book, rates: Rates, parameters: Parameters) -> tuple[Ints, Ints, Ints, Ints]:
    """Deals whose class falls without a channel, run again: deal, new outcome, its day, and the channel."""
    deals, channels = [], []
    for channel in range(len(CHANNELS)):
        touched = book.facts.touched.copy()
        touched[:, channel] = False
        weaker = quality_class(parameters, book.facts.score, touched) < book.deals.quality
        rows = np.flatnonzero(weaker & (book.deals.kind != RENEWAL))
        deals.append(rows)
        channels.append(np.full(len(rows), channel))
    deal, channel_of = np.concatenate(deals), np.concatenate(channels)
    world = book.deals.take(deal)
    touched = book.facts.touched[deal].copy()
    touched[np.arange(len(deal)), channel_of] = False
    world.quality[:] = quality_class(parameters, book.facts.score[deal], touched)
    paths = evolve(world, rates, book.draws.take(deal))
    final, last = paths.outcome()
    code = np.select([final == WON, final > WON], [1, 2], 0)
    return deal, code, book.event_day[deal, last].astype(np.int64), channel_of


def _customers_not_won(book: Book, before: Ints, after: Ints) -> np.ndarray:
    """[account]: was won as it is, and is not won without the channel."""
    new = book.deals.kind == NEW
    was = np.zeros(len(book.accounts), dtype=bool)
    still = np.zeros(len(book.accounts), dtype=bool)
    was[book.facts.account[new & (before == 1)]] = True
    still[book.facts.account[new & (after == 1)]] = True
    return was & ~still


def _by_quarter(day: Ints, dollars: Floats, won: np.ndarray) -> Floats:
    quarter = tl.quarter_of(np.where(won, day, 0)) - FIRST_QUARTER
    inside = won & (quarter >= 0) & (quarter < QUARTERS) & (day <= tl.THROUGH)
    counts = np.bincount(quarter[inside], minlength=QUARTERS)
    return np.column_stack([counts, np.bincount(quarter[inside], dollars[inside], QUARTERS)])


def effects_table(effects: Floats) -> Columns:
    """The truth table `channel_effects`: one row a channel and quarter."""
    channel = np.repeat(np.arange(len(CHANNELS)), QUARTERS)
    quarter = np.tile(np.arange(QUARTERS), len(CHANNELS)) + FIRST_QUARTER
    flat = effects.reshape(-1, 4)
    return {
        "channel": pick(CHANNELS, channel),
        "starts_on": tl.quarter_start(quarter),
        "deals_won": flat[:, 0].astype(np.int64),
        "deals_won_without": flat[:, 2].astype(np.int64),
        "bookings_usd": flat[:, 1],
        "bookings_without_usd": flat[:, 3],
        "bookings_lost_usd": flat[:, 1] - flat[:, 3],
    }
