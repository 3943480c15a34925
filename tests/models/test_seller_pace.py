"""Pace of sellers: what was planted is found, what is alike is left alone, and the test is the log-rank test."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from lifelines.statistics import logrank_test

from models.selling_company import rows, selling_company
from revops_analysis.models.seller_pace import ADVANCED, ALL_STAGES, _log_rank, seller_pace
from revops_analysis.periods import Period

YEAR = Period("year", dt.date(2025, 10, 1), dt.date(2026, 9, 30))


@pytest.fixture(scope="module")
def pace():
    return seller_pace(selling_company(), YEAR)


def test_it_is_the_log_rank_test():
    """One stratum, two sellers: statistic and p-value of lifelines."""
    rng = np.random.default_rng(5)
    days, who = rng.integers(0, 60, 80), rng.integers(0, 2, 80)
    happened = rng.random(80) < 0.6
    observed, expected, variance = _log_rank((np.zeros(80, dtype=int), who, days), happened)
    ours = (observed[0, 0] - expected[0, 0]) ** 2 / variance[0, 0]
    theirs = logrank_test(days[who == 0], days[who == 1], happened[who == 0], happened[who == 1])
    assert ours == pytest.approx(theirs.test_statistic)
    assert observed.sum() == pytest.approx(expected.sum())


def test_the_slow_seller_is_found_and_nobody_else(pace):
    slow = pace.departures[pace.departures["pace"] < 1]
    assert set(slow.loc[slow["event"] == ADVANCED, "owner_id"]) == {"u0"}
    row = slow[(slow["stage"] == ALL_STAGES)].iloc[0]
    assert row["high"] < 1
    assert row["money"] > 0
    assert row["pace"] < row["shrunk"] < 1


def test_where_sellers_are_alike_nothing_is_said():
    alike = seller_pace(selling_company(rows(slow=None)), YEAR)
    assert len(alike.frame) > 6
    assert alike.departures.empty


def test_all_stages_are_the_sum_of_the_stages(pace):
    rows_ = pace.frame[pace.frame["event"] == ADVANCED]
    whole = rows_[rows_["stage"] == ALL_STAGES].set_index("owner_id")["observed"]
    parts = rows_[rows_["stage"] != ALL_STAGES].groupby("owner_id")["observed"].sum()
    assert (parts <= whole).all()  # stages with too little expected are left out


def test_sellers_still_ramping_are_left_out_and_counted():
    tables = rows(sellers=3)
    tables["users"][2]["hired_on"] = "2026-09-01"
    found = seller_pace(selling_company(tables), YEAR)
    assert found.ramping > 0
    assert "u2" not in set(found.frame["owner_id"])
    assert found.ramping + found.visits == seller_pace(selling_company(rows(sellers=3)), YEAR).visits


def test_without_history_or_peers_the_reason_is_said():
    nothing = seller_pace(selling_company({"opportunities": rows(1, 5)["opportunities"]}), YEAR)
    assert "opportunity_history" in nothing.reason
    alone = seller_pace(selling_company(rows(sellers=1)), YEAR)
    assert alone.frame.empty
    assert alone.reason
    assert isinstance(alone.departures, pd.DataFrame)
