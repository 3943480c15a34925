"""Terms, prices and the chain from a deal to a customer."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.beginnings import end_of_term
from revops_analysis.simulation.lifecycle import price_factors
from revops_analysis.simulation.sizing import COURSE_DAY, COURSE_SHARE, recurring
from simulation import blocks


@given(st.dates(dt.date(2020, 1, 1), dt.date(2030, 12, 31)), st.sampled_from([12, 24, 36]))
def test_a_term_ends_the_day_before_its_anniversary(start: dt.date, months: int) -> None:
    """pandas moves 29 February to the 28th where there is none, as we do."""
    end = end_of_term(np.array([tl.number(start)]), np.array([months]))[0]
    expected = pd.Timestamp(start) + pd.DateOffset(months=months) - pd.Timedelta(days=1)
    assert end == tl.number(expected.date())


def test_prices_start_at_the_first_and_are_only_cut_late() -> None:
    factors = price_factors(blocks.block().book.draws)
    assert (factors[:, :3] == 1).all()
    assert (factors[:, 4] <= factors[:, 3]).all()
    assert (factors[:, 5] <= factors[:, 4]).all()
    assert 0.4 < (factors[:, 3] != 1).mean() < 0.7
    assert 0.8 < factors[:, 5].mean() < 1.0


def test_every_customer_was_won_or_there_at_the_start() -> None:
    book = blocks.block().book
    final, _ = blocks.ends(blocks.block())
    begun = book.terms.deal[(book.terms.deal >= 0)]
    assert (final[begun] == 5).all()
    without = book.terms.account[book.terms.deal < 0]
    assert book.accounts.opening[without].all()


def test_terms_of_a_customer_follow_each_other() -> None:
    terms = blocks.block().book.terms
    later = np.flatnonzero(terms.renews >= 0)
    gap = terms.start[later] - terms.end[terms.renews[later]] - 1
    assert gap.min() == 0
    assert 0.02 < (gap > 0).mean() < 0.25
    assert (terms.end >= terms.start).all()


def test_expansions_belong_to_a_customer_at_the_time() -> None:
    book = blocks.block().book
    rows = np.flatnonzero(book.deals.kind == 1)
    term = book.facts.term[rows]
    assert (book.terms.account[term] == book.facts.account[rows]).all()
    assert (book.deals.created[rows] >= book.terms.start[term]).all()
    assert (book.deals.created[rows] <= book.terms.end[term]).all()


def test_the_opening_base_puts_the_company_on_course() -> None:
    made = blocks.block()
    opening = made.book.accounts.opening
    factor = made.multiplier[opening][0]
    total = factor * recurring(made.book, COURSE_DAY, opening) + recurring(made.book, COURSE_DAY, ~opening)
    assert 0.5 < factor < 2.5
    np.testing.assert_allclose(total, COURSE_SHARE * made.parameters.ending_arr)
    assert (made.multiplier[~opening] == 1).all()
