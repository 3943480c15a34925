"""The chance of a live deal to be won by the end of the period, against enumeration."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from revops_analysis.models.deal_weeks import Groups
from revops_analysis.models.stage_paths import Pace, chance_to_win

GROUPS = Groups((("new", "SMB"),), 3)
ODDS = -1.2
DEATH = np.array([[0.10, 0.06, 0.03]])
JUMPS = np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [1.0, 0.0, 0.0]])


def _pace() -> Pace:
    features = 1 * 3 + 1 + 4 + 3 + 4  # group × stage, group, record and contacts, waiting by stage, calendar
    return Pace(np.zeros(features), ODDS, DEATH, JUMPS)


def _states(stage: list[int], weeks_left: list[int]) -> pd.DataFrame:
    last = pd.Timestamp("2026-09-30")
    return pd.DataFrame(
        {
            "type": "new",
            "segment": "SMB",
            "stage_order": np.array(stage, dtype="float64"),
            "days_in_stage": 10.0,
            "cutoff": [last - pd.Timedelta(days=7 * n) for n in weeks_left],
            "first_day": pd.Timestamp("2026-07-01"),
            "last_day": last,
            "owner_won": 2.5,
            "owner_closed": 10.0,
            "contacts": 1.0,
        }
    )


def _by_matrix(stage: int, weeks: int) -> float:
    """Won within so many weeks: the weekly chain of stages 1–3, won and dead, multiplied out."""
    advance = 1 / (1 + np.exp(-ODDS))
    chain = np.zeros((5, 5))
    for place in range(3):
        die = DEATH[0, place]
        chain[place, place] = 1 - advance - die
        chain[place, 4] = die
        for jump in range(3):
            chain[place, min(place + jump + 1, 3)] += advance * JUMPS[place, jump]
    chain[3, 3] = chain[4, 4] = 1.0
    return float(np.linalg.matrix_power(chain, weeks)[stage - 1, 3])


@pytest.mark.parametrize("stage", [1, 2, 3])
@pytest.mark.parametrize("weeks", [0, 1, 2, 5, 13])
def test_constant_rates_give_what_the_chain_gives(stage, weeks):
    found = chance_to_win(_states([stage], [weeks]), _pace(), GROUPS)
    assert found[0] == pytest.approx(_by_matrix(stage, weeks), abs=1e-12)


def test_many_deals_at_once_are_the_same_as_each_alone():
    stages, weeks = [1, 3, 2, 2, 1], [13, 1, 4, 0, 7]
    together = chance_to_win(_states(stages, weeks), _pace(), GROUPS)
    alone = [chance_to_win(_states([s], [w]), _pace(), GROUPS)[0] for s, w in zip(stages, weeks, strict=True)]
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def test_half_a_week_is_less_than_a_week_and_more_than_nothing():
    row = _states([3], [1]).assign(cutoff=pd.Timestamp("2026-09-27"))
    part = chance_to_win(row, _pace(), GROUPS)[0]
    assert 0 < part < _by_matrix(3, 1)


def test_no_deal_has_no_chance():
    assert len(chance_to_win(_states([], []), _pace(), GROUPS)) == 0
