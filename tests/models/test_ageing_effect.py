"""What stalled and overdue deals lose is what the flags page says, and nothing is said where it cannot be measured."""

from __future__ import annotations

import datetime as dt

import pytest

from builders import make_definitions, make_snapshot
from models.flagged_company import AS_OF, SETTINGS, flagged_company, rows
from revops_analysis.models.ageing_effect import MEASURED, ageing_effect
from revops_analysis.models.deal_flags import LOWERS, deal_flags

FLAGS = [
    {"name": name, "title": name, "meaning": name, "when": [{"measure": measure, "op": ">", "value": 0}]}
    for name, measure in MEASURED.items()
]


@pytest.fixture(scope="module")
def snapshot():
    """Dates 35 days sooner, so that deals that are not pushed are late before they end; half of all stays are long."""
    tables = rows(300)
    for row in tables["opportunity_history"]:
        if row["stage"] == "Discovery":
            row["close_date"] -= dt.timedelta(days=35)
    definitions = make_definitions(warnings={**SETTINGS, "weeks": 26, "flags": FLAGS}, stalled_quantile=0.5)
    return make_snapshot(tables, as_of=AS_OF, definitions=definitions)


@pytest.mark.parametrize("flag", list(MEASURED))
def test_it_is_the_number_of_the_flags_page(snapshot, flag):
    row = deal_flags(snapshot).flags.set_index("flag").loc[flag]
    found = ageing_effect(snapshot, flag)
    assert found.past_deals == row["past_deals"] >= 20
    assert found.horizon_days == SETTINGS["horizon_days"]
    assert (found.effect, found.low, found.high) == pytest.approx((row["effect"], row["low"], row["high"]))
    assert found.is_lower == (row["verdict"] == LOWERS)


def test_without_a_past_nothing_is_measured():
    bare = flagged_company({"opportunities": rows(30)["opportunities"]})
    few = flagged_company(rows(10))
    for snapshot in (bare, few):
        found = ageing_effect(snapshot, "overdue")
        assert found.effect is None
        assert found.reason
        assert not found.is_lower
