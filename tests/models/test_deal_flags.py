"""Warning flags: raised as the rule says, measured as it is, and silent where there is nothing to say."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from builders import make_definitions, make_snapshot
from models.flagged_company import AS_OF, WON_ELSE, WON_IF_PUSHED, flagged_company, rows
from revops_analysis.definitions import FlagTest, WarningFlag
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.models.deal_flags import (
    FEW,
    LOWERS,
    NONE,
    REFUSED,
    DealFlags,
    deal_flags,
    measure_effects,
    raise_flag,
)
from revops_analysis.models.flag_measures import flag_states
from revops_analysis.models.flag_tables import effects_table, flag_figures, muted
from revops_analysis.reporting.key_figures import collect_rows


@pytest.fixture(scope="module")
def snapshot():
    return flagged_company()


@pytest.fixture(scope="module")
def found(snapshot) -> DealFlags:
    return deal_flags(snapshot)


def flag_of(*tests):
    return WarningFlag(
        name="f", title="F", meaning="A test.", when=[FlagTest(measure=m, op=o, value=v) for m, o, v in tests]
    )


def test_all_tests_must_hold_and_one_that_fails_settles_it():
    nan = np.nan
    states = pd.DataFrame({"pushes": [3, 3, 2, 2, nan, nan], "contacts": [1, nan, 1, nan, 2, 1]}, dtype=float)
    flag = flag_of(("pushes", ">=", "push_count"), ("contacts", "<=", 1))
    raised = raise_flag(states, flag, make_definitions())
    np.testing.assert_array_equal(raised, [1, nan, 0, 0, 0, nan])


@pytest.mark.parametrize(("op", "expected"), [("<", 0), ("<=", 1), ("=", 1), (">=", 1), (">", 0)])
def test_every_comparison_is_what_it_says(op, expected):
    states = pd.DataFrame({"age_days": [14.0]})
    assert raise_flag(states, flag_of(("age_days", op, 14)), make_definitions()).tolist() == [expected]


def test_what_was_planted_is_measured(found):
    pushed = found.flags.set_index("flag").loc["pushed"]
    assert pushed["verdict"] == LOWERS
    assert pushed["low"] < WON_IF_PUSHED - WON_ELSE < pushed["high"]
    assert pushed["p_adjusted"] < 1e-6
    assert pushed["past_deals"] > 100


def test_what_no_deal_differs_in_has_no_measured_effect(found):
    verdicts = found.flags.set_index("flag")["verdict"]
    assert verdicts["reopened"] == FEW
    assert verdicts["no_next_step"] == REFUSED
    assert verdicts["single_contact"] == REFUSED  # the source has no table of people on deals
    table = effects_table(found)
    assert table["flag"].iloc[0] == "Pushed again and again"
    assert muted(table)[0] is False
    assert muted(table)[-1] is True
    reasons = found.flags.set_index("flag")["reason"]
    assert "only today's value of opportunities.next_step" in reasons["no_next_step"]
    assert "no opportunity_contacts table" in reasons["single_contact"]
    assert any("No next step" in note for note in found.notes)


def test_open_deals_are_those_of_the_pipeline_and_carry_their_strongest_flag(snapshot, found):
    whole = compute_metric(snapshot, "open_pipeline").frame.iloc[0]
    assert len(found.deals) == whole["n"]
    assert found.deals["amount"].sum() == pytest.approx(whole["value"], abs=0.005)
    effect = found.flags.set_index("flag")["effect"]
    warned = found.warned
    assert set(warned["worst"]) == {"pushed"}
    np.testing.assert_allclose(warned["expected_loss"], (-effect["pushed"] * warned["amount"]).round(2))
    assert warned["flags"].str.startswith("Pushed again and again").all()
    rest = found.deals[found.deals["worst"].isna()]
    assert rest["expected_loss"].isna().all()
    stands = found.marks.groupby("opportunity_id").size()
    assert found.deals.set_index("opportunity_id")["n_flags"].sum() == stands.sum()


@pytest.mark.parametrize("cut", ["owner", "team", "segment", "stage", "type"])
def test_every_cut_adds_up(found, cut):
    table = found.by(cut)
    assert table["open_deals"].sum() == len(found.deals)
    assert table["expected_loss"].sum() == pytest.approx(found.deals["expected_loss"].sum())
    assert table[cut].is_unique


def test_two_sellers_of_one_name_are_two(found):
    names = set(found.by("owner")["owner"])
    assert {"Ann Lee (u0)", "Ann Lee (u1)", "Seller 2"} <= names


def test_shuffled_flags_are_found_to_have_an_effect_as_often_as_agreed(snapshot):
    """A flag drawn by lot for each deal: a false alarm in about one of twenty, at most in a few more."""
    days = [AS_OF - dt.timedelta(days=60 + 7 * n) for n in range(60)]
    past = flag_states(snapshot, days, 60).dropna(subset=["outcome"]).reset_index(drop=True)
    deals, rng = past["opportunity_id"].unique(), np.random.default_rng(0)
    names = [f"lot{n}" for n in range(60)]
    lots = {
        name: past["opportunity_id"].map(dict(zip(deals, rng.random(len(deals)) < 0.3, strict=True))) for name in names
    }
    effects = measure_effects(past.assign(**{n: v.astype(float) for n, v in lots.items()}), names, snapshot.definitions)
    assert effects["p_value"].notna().all()
    assert (effects["p_value"] < 0.05).mean() <= 0.12
    assert (effects["p_adjusted"] <= 0.05).sum() == 0


def test_own_rules_are_measured_beside_the_others():
    own = {
        "name": "mine",
        "title": "Mine",
        "meaning": "Pushed by more than 25 days.",
        "when": [{"measure": "days_pushed", "op": ">", "value": 25}],
    }
    result = deal_flags(flagged_company(flags=[own]))
    assert result.flags["flag"].tolist() == ["mine"]
    assert result.flags["rule"].tolist() == ["days by which its close date moved later > 25"]
    assert result.flags["verdict"].tolist() == [LOWERS]


def test_few_past_deals_say_nothing():
    result = deal_flags(flagged_company(rows(12)))
    assert set(result.flags["verdict"]) <= {FEW, REFUSED, NONE}
    pushed = result.flags.set_index("flag").loc["pushed"]
    assert pd.isna(pushed["effect"])
    assert "20 are needed" in pushed["reason"]


def test_without_history_every_flag_says_why():
    tables = {"opportunities": rows(30)["opportunities"]}
    result = deal_flags(make_snapshot(tables, as_of=AS_OF))
    assert result.flags["reason"].notna().all()
    assert len(result.measured) == 0
    assert {row["value"] for row in flag_figures(result) if row["metric"] == "flag_effect"} == {None}


def test_no_deals_at_all_are_no_clean_bill():
    result = deal_flags(make_snapshot({"opportunities": [], "opportunity_history": []}, as_of=AS_OF))
    assert result.reason is not None
    assert result.deals.empty
    assert collect_rows(flag_figures(result))[0].value is None


def test_key_figures_are_rows_with_reasons(found):
    rows_ = collect_rows(flag_figures(found))
    effect = next(row for row in rows_ if row.dims == (("flag", "pushed"),))
    assert effect.low < effect.value < effect.high < 0
