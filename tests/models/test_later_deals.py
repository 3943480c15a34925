"""Deals not yet created: a steady company gives rate × share × amount, and what is not known gives nothing."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from models.evidence_cases import Deal, make_evidence, quarters
from revops_analysis.models.cutoffs import Cutoff
from revops_analysis.models.later_deals import LaterOptions, expect_later_deals
from revops_analysis.periods import FiscalCalendar, following

EIGHT = quarters(8)
NEXT = following(EIGHT[-1], FiscalCalendar())
END = EIGHT[-1].end


def steady(per_day=1, periods=EIGHT, days_to_win=20, is_kept=lambda day: True) -> list[Deal]:
    """So many deals a day, every fourth of which is won after some days for 100 or 300."""
    first, span = periods[0].start, (periods[-1].end - periods[0].start).days + 1
    made = [first + timedelta(days=n // per_day) for n in range(span * per_day)]
    return [
        Deal(f"d{n}", day, day + timedelta(days=days_to_win), n % 4 == 0, 100.0 if n % 8 else 300.0)
        for n, day in enumerate(made)
        if is_kept(day)
    ]


def expected(deals, day=END, period=NEXT, periods=EIGHT, options=None):
    evidence = make_evidence(deals, (*periods, period), day)
    return expect_later_deals(evidence, Cutoff(day, period), options)


def test_a_steady_company_gives_rate_times_share_times_amount():
    found = expected(steady(2)).groups.iloc[0]
    days = (NEXT.end - NEXT.start).days + 1
    assert found["created"] == pytest.approx(2 * days, rel=0.02)
    # Deals created in the last 20 days cannot be won in the period; a quarter of the others is.
    assert found["wins"] == pytest.approx(2 * (days - 20) / 4, rel=0.10)
    assert found["mean_amount"] == pytest.approx(200, rel=0.02)
    assert found["bookings"] == found["wins"] * found["mean_amount"]


def test_the_nearer_the_end_the_less_comes():
    deals, means = steady(2, (*EIGHT, NEXT)), []
    for day in (NEXT.start - timedelta(days=1), *(NEXT.start + timedelta(days=n) for n in (30, 60, 85)), NEXT.end):
        means.append(expected([d for d in deals if d.created <= day], day).mean)
    assert means == sorted(means, reverse=True)
    assert means[3] < 0.1 * means[0]
    assert means[-1] == 0.0


def test_as_of_before_the_period_the_lead_counts_too():
    """Deals created in the month before the period are not yet created either, and can be won in it."""
    day = NEXT.start - timedelta(days=31)
    early = expected([deal for deal in steady(2) if deal.created <= day], day)
    at_start = expected(steady(2))
    assert early.groups["created"].iloc[0] == pytest.approx(2 * ((NEXT.end - day).days), rel=0.02)
    assert early.mean > at_start.mean


def test_growth_carries_on_drawn_towards_none():
    half_before = steady(4, is_kept=lambda day: True)
    first_year = [deal for n, deal in enumerate(half_before) if deal.created.year > 2023 or n % 2]
    flat, grown = expected(half_before), expected(first_year)
    rates = [found.groups["created"].iloc[0] for found in (flat, grown)]
    assert rates[0] == pytest.approx(4 * 90, rel=0.02)
    assert 1.2 * rates[0] < rates[1] < 2 * rates[0]
    shy = expected(first_year, options=LaterOptions(growth_weight=1e9)).groups["created"].iloc[0]
    assert shy == pytest.approx(rates[0], rel=0.05)


def test_a_season_is_seen_after_two_years():
    twelve = quarters(12)
    period = following(twelve[-1], FiscalCalendar())
    busy = steady(4, twelve, is_kept=lambda day: day.month > 3 or day.day % 2 == 0)  # half as many from January on
    found = expected(busy, twelve[-1].end, period, twelve).groups["created"].iloc[0]
    assert found < 0.75 * 4 * 90
    one_year = [deal for deal in busy if deal.created.year == 2025]
    blind = expected(one_year, twelve[-1].end, period, twelve).groups["created"].iloc[0]
    assert blind > 0.8 * 4 * 90


@pytest.mark.parametrize("deals", [[], steady()[:29], [Deal(f"d{n}", date(2023, 2, 1), None) for n in range(50)]])
def test_without_a_past_nothing_is_expected_and_it_is_said(deals):
    found = expected(deals)
    assert found.mean == 0.0
    assert found.pools == ()
    assert found.note.startswith("Deals not yet created are left out: ")
    assert list(found.groups) == ["type", "segment", "created", "wins", "mean_amount", "bookings"]


def test_a_group_that_was_never_won_is_worth_nothing_and_a_new_one_does_not_break_it():
    evidence = make_evidence(steady(2), (*EIGHT, NEXT), END)
    fresh = pd.DataFrame({"opportunity_id": ["n1", "n2"], "type": ["new", None], "segment": [None, "Giant"]}).assign(
        created_on=pd.Timestamp(END)
    )
    evidence.created.loc[len(evidence.created)] = fresh.iloc[0]
    evidence.created.loc[len(evidence.created)] = fresh.iloc[1]
    found = expect_later_deals(evidence, Cutoff(END, NEXT))
    rows = found.groups.set_index(["type", "segment"])
    assert rows.loc[("new", ""), "bookings"] == 0.0
    assert rows.loc[("", "Giant"), "bookings"] == 0.0
    assert rows["wins"].between(0, np.inf).all()
    assert [pool.tolist() for pool in found.pools].count([0.0]) == 2
