"""The comparison of models on a small company: sums, intervals and settings."""

from __future__ import annotations

import numpy as np
import pytest

from attribution.random_companies import random_company
from attribution.touch_rows import deal, snapshot_of, touch
from builders import make_definitions
from revops_analysis.attribution.credit import credit
from revops_analysis.attribution.journeys import journeys
from revops_analysis.attribution.robustness import NO_BOOKINGS, RobustnessOptions, robustness, sensitivity
from revops_analysis.attribution.totals import Cut
from revops_analysis.periods import parse_period

CALENDAR = make_definitions().fiscal_calendar
YEAR = parse_period("2026", CALENDAR)
FEW = RobustnessOptions(repeats=200)


@pytest.fixture(scope="module")
def made():
    tables = random_company(3, deals=60)
    return journeys(snapshot_of(tables["opportunities"], tables["touchpoints"], leads=tables["leads"]))


@pytest.fixture(scope="module")
def found(made):
    return robustness(made, YEAR, FEW)


def test_every_model_is_compared_and_shares_add_up(found):
    assert len(found.models) == 11
    assert found.models[-1] == "markov"
    assert found.shares.groupby("model")["share"].sum().to_numpy() == pytest.approx(np.ones(11))


def test_amounts_are_those_of_the_credit(made, found):
    for name in ("w_shaped", "shapley"):
        frame = credit(made, name).totals(cut=Cut(view="period", period=YEAR))
        frame = frame[frame["attributed"]].assign(channel=frame["channel"].fillna(""))
        expected = frame.set_index("channel")["bookings"].astype(float)
        mine = found.shares[found.shares["model"] == name]
        got = mine.assign(channel=mine["channel"].fillna("")).set_index("channel")["amount"]
        assert got.reindex(expected.index).to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-6)


def test_intervals_hold_the_share_and_are_the_same_again(made, found):
    rows = found.shares.dropna()
    assert ((rows["low"] <= rows["share"] + 0.05) & (rows["share"] - 0.05 <= rows["high"])).all()
    again = robustness(made, YEAR, FEW)
    assert again.shares.equals(found.shares)
    other = robustness(made, YEAR, RobustnessOptions(seed=1, repeats=200))
    assert not other.shares.equals(found.shares)


def test_one_account_has_no_spread():
    touches = [touch("t1", "2026-03-01", "Email"), touch("t2", "2026-03-02", "Event")]
    one = robustness(journeys(snapshot_of([deal()], touches)), YEAR, FEW)
    assert one.accounts == 1
    assert (one.shares["low"] == one.shares["high"]).all()


def test_a_single_channel_has_everything_under_every_model():
    one = robustness(journeys(snapshot_of([deal()], [touch("t1", "2026-03-01")])), YEAR, FEW)
    assert (one.shares["share"] == 1).all()
    assert one.agreement["rank_correlation"].isna().all()


def test_where_nothing_was_booked_it_says_so(made):
    nothing = robustness(made, parse_period("2020", CALENDAR), FEW)
    assert nothing.reason == NO_BOOKINGS
    assert robustness(journeys(snapshot_of([deal()], [])), YEAR, FEW).reason == NO_BOOKINGS


def test_sensitivity_halves_and_doubles(made):
    frame = sensitivity(made, YEAR)
    assert set(zip(frame["setting"], frame["value"], strict=True)) == {
        ("lookback_days", 45.0),
        ("lookback_days", 180.0),
        ("half_life_days", 3.5),
        ("half_life_days", 14.0),
    }
    by_setting = frame.groupby(["setting", "value"])
    assert by_setting["share"].sum().to_numpy() == pytest.approx(np.ones(4))
    assert by_setting["difference"].sum().to_numpy() == pytest.approx(np.zeros(4), abs=1e-9)
