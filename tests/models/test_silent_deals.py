"""The hidden process of deals: known rates are found again, and who is dead without anybody having said so."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.silent_company import ALIVE, CLOSED, DEAD, DEATH, TOLD, silent_company
from revops_analysis.models.silent_deals import SilentDeals, SilentOptions


@pytest.fixture(scope="module")
def company():
    return silent_company()


@pytest.fixture(scope="module")
def fitted(company):
    return SilentDeals().fit(company.states)


def test_the_rates_of_the_process_are_found_again(fitted):
    assert fitted.told_ == pytest.approx(TOLD, abs=0.08)
    assert fitted.closed_a_week_ == pytest.approx(CLOSED, abs=0.03)
    assert fitted.death_.mean() == pytest.approx(DEATH, abs=0.03)
    assert fitted.activities_alive_ == pytest.approx([ALIVE, ALIVE], abs=0.1)
    assert fitted.activities_dead_ == pytest.approx(DEAD, abs=0.05)


def test_who_is_alive_is_told_better_than_by_silence_alone(company, fitted):
    estimate = fitted.estimate(company.states)["alive"].to_numpy()
    quiet = company.states["days_since_activity"].to_numpy() < 14
    share = company.alive[quiet].mean(), company.alive[~quiet].mean()
    by_silence = np.where(quiet, *share)
    assert ((estimate - company.alive) ** 2).mean() < 0.85 * ((by_silence - company.alive) ** 2).mean()


def test_chances_are_calibrated(company, fitted):
    chance = fitted.estimate(company.states)
    won = company.states["won"]
    assert chance["win"].sum() == pytest.approx(won.sum(), rel=0.05)
    for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 0.6), (0.6, 1.0)):
        group = chance["win"].between(low, high, inclusive="left")
        assert chance.loc[group, "win"].mean() == pytest.approx(won[group].mean(), abs=0.05)
    assert (chance["win"] <= chance["win_if_alive"] + 1e-12).all()


def test_a_deal_on_which_something_happens_is_more_alive_than_a_silent_one(company, fitted):
    rows = company.states.copy()
    last = rows.groupby("opportunity_id")["cutoff"].transform("max") == rows["cutoff"]
    busy = rows.assign(activities_7d=rows["activities_7d"].where(~last, 3.0))
    silent = rows.assign(activities_7d=rows["activities_7d"].where(~last, 0.0))
    assert (fitted.estimate(busy)["alive"][last] > fitted.estimate(silent)["alive"][last]).mean() > 0.9


def test_what_comes_after_a_cutoff_changes_nothing_of_it(company, fitted):
    until = company.states["cutoff"] <= company.states["cutoff"].quantile(0.5)
    whole, part = fitted.estimate(company.states)[until], fitted.estimate(company.states[until])
    # Belief at a row uses what followed earlier rows, and nothing after itself.
    np.testing.assert_allclose(whole.to_numpy(), part.to_numpy(), rtol=1e-9)


def test_where_activities_are_not_recorded_stages_alone_speak(company):
    blind = company.states.assign(activities_7d=np.nan, days_since_activity=np.nan)
    chance = SilentDeals().fit(blind).estimate(blind)
    assert chance["win"].between(0, 1).all()
    assert chance["win"].sum() == pytest.approx(company.states["won"].sum(), rel=0.10)


def test_too_few_weeks_make_no_process(company):
    assert SilentDeals().fit(company.states.head(500)) is None
    assert SilentDeals().fit(company.states.assign(stage_order=np.nan)) is None


def test_what_was_learned_is_written_down_and_read_with_the_same_digits(company, fitted):
    again = SilentDeals.from_dict(json.loads(json.dumps(fitted.as_dict())), SilentOptions())
    np.testing.assert_array_equal(again.estimate(company.states), fitted.estimate(company.states))
    with pytest.raises(KeyError):
        SilentDeals.from_dict({"groups": [], "stages": 2})
