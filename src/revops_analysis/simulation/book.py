"""All deals, terms and accounts of one block: what the lifecycle writes and every table reads."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from revops_analysis.simulation.columns import Floats, Ints
from revops_analysis.simulation.dynamics import Deals, Draws, Paths

T = TypeVar("T")


@dataclass(frozen=True)
class Accounts:
    """Companies that are or become customers or were tried: one entry each."""

    segment: Ints
    seat: Ints
    success_seat: Ints
    region: Ints
    euro: NDArray[np.bool_]
    opening: NDArray[np.bool_]
    first_day: Ints

    def __len__(self) -> int:
        return len(self.segment)


@dataclass(frozen=True)
class DealFacts:
    """What is fixed of each deal at its creation, hidden or not.

    `account`, true `origin` (code of `words.SOURCES`), `score` (hidden quality without touches), `touched` [deal ×
    channel], `base` (first price, list dollars), `ratio` (renewals: final price ÷ first), `product`, `months`, `lead`,
    `term` (the term that an expansion or renewal belongs to, −1), `attempt` (1 for an account's first new deal),
    `backup` (uniform: below the backup share the deal would have come without its channel) and `channel` (of its lead,
    −1).
    """

    account: Ints
    origin: Ints
    score: Floats
    touched: NDArray[np.bool_]
    base: Floats
    ratio: Floats
    product: Ints
    months: Ints
    lead: Ints
    term: Ints
    attempt: Ints
    backup: Floats
    channel: Ints


@dataclass(frozen=True)
class Terms:
    """Contract terms of customers: `mrr` [term × product] in list dollars, `deal` and `renews` −1 where there is none.

    `left` is the day on which the customer gave notice, `late` whether the renewal came after the end.
    """

    account: Ints
    start: Ints
    end: Ints
    mrr: Floats
    deal: Ints
    renews: Ints
    booked: Ints


@dataclass(frozen=True)
class AddOns:
    """Expansions that were won: what they add to a term, from when to when."""

    account: Ints
    start: Ints
    end: Ints
    mrr: Floats
    product: Ints
    deal: Ints
    term: Ints
    booked: Ints


@dataclass(frozen=True)
class Book:
    """One block's whole life."""

    accounts: Accounts
    deals: Deals
    facts: DealFacts
    paths: Paths
    draws: Draws
    event_day: NDArray[np.int32]
    terms: Terms
    add_ons: AddOns
    notice: Ints
    """[term]: the day on which the customer let the term end, `NO_DAY` while it was renewed or runs."""


def stack(parts: list[T]) -> T:
    """Join instances of one dataclass of arrays end to end."""
    first = parts[0]
    return type(first)(
        *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(first))  # type: ignore[arg-type]
    )


def rows_of(whole: T, rows: NDArray) -> T:
    """These entries of a dataclass of arrays."""
    return type(whole)(*(getattr(whole, f.name)[rows] for f in fields(whole)))  # type: ignore[arg-type]
