"""How large the opening customers must be for the company to reach its recurring revenue."""

from __future__ import annotations

import datetime as dt

import numpy as np
from numpy.typing import NDArray

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.book import Book
from revops_analysis.simulation.columns import Floats
from revops_analysis.simulation.parameters import Parameters

COURSE_DAY = tl.number(dt.date(2025, 12, 31))
"""The day on which the company must be on course: before every scenario of 2026 begins."""
COURSE_SHARE = 0.872
"""What of `ending_arr` it then has."""


def recurring(book: Book, day: int, accounts: NDArray[np.bool_]) -> float:
    """Annual recurring revenue on a day of the accounts marked, in list dollars and before sizing."""
    terms = (book.terms.start <= day) & (book.terms.end >= day) & accounts[book.terms.account]
    extra = (book.add_ons.start <= day) & (book.add_ons.end >= day) & accounts[book.add_ons.account]
    return float(12 * (book.terms.mrr[terms].sum() + book.add_ons.mrr[extra].sum()))


def account_multiplier(book: Book, parameters: Parameters) -> Floats:
    """The factor on every price of each account: 1, but for opening customers what puts the company on course.

    The opening base is the only thing that is sized, so that new business depends on nothing but its parameters.
    """
    opening = book.accounts.opening
    wanted = COURSE_SHARE * parameters.ending_arr * parameters.size
    others = recurring(book, COURSE_DAY, ~opening)
    factor = (wanted - others) / max(recurring(book, COURSE_DAY, opening), 1.0)
    return np.where(opening, np.clip(factor, 0.3, 4.0), 1.0)
