"""Replays: counts exact, unknown outcomes bounded and said, amounts to the cent, and rules refused that look ahead."""

from __future__ import annotations

import json
from decimal import Decimal

import pandas as pd
import pytest
from benchmarks.lead_rule import JOINT

from builders import make_snapshot
from metrics.funnel.companies import company, deal, lead
from models.lead_companies import chance_company, simulated
from revops_analysis.definitions.rule_text import parse_rule
from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.funnel import passes
from revops_analysis.models.lead_replay import AGAINST, EVERY, GROUPS, IN_FACT, NEW, replay

RULE = parse_rule("size >= 50 and keen = true")
TODAY = parse_rule("size >= 1")
SPAN = "2024-01-01..2026-09-30"


@pytest.fixture(scope="module")
def found():
    return replay(chance_company(), RULE, TODAY, SPAN)


def test_rules_are_counted_against_plain_pandas(found) -> None:
    leads = chance_company().table("leads").to_pandas()
    attributes = pd.DataFrame([json.loads(text) for text in leads["attributes"]])
    passed = (attributes["size"] >= 50) & attributes["keen"]
    row = found.of(NEW)
    assert row["passed"] == passed.sum()
    assert row["worked"] == (passed & leads["first_response_at"].notna()).sum()
    assert row["unknown"] == row["passed"] - row["worked"]
    assert row["deals"] == (passed & leads["converted_at"].notna()).sum()
    assert row["missed_deals"] == (~passed & leads["converted_at"].notna()).sum()
    months = 1004 / (365.25 / 12)
    assert row["passed_month"] == pytest.approx(row["passed"] / months)
    assert row["hours_month"] == pytest.approx(2 * row["passed"] / months)
    assert row["leads_per_seller"] == pytest.approx(row["passed"] / months / 3)


def test_amounts_are_exact_and_what_is_kept_and_missed_is_all(found) -> None:
    deals = chance_company().table("opportunities").to_pandas()
    whole = sum((value for value in deals["amount"].dropna()), Decimal(0))
    row = found.of(NEW)
    assert row["won_amount"] + row["missed_amount"] == whole == found.of(EVERY)["won_amount"]
    assert row["won"] + row["missed_won"] == deals["amount"].notna().sum()


def test_rates_are_of_the_worked_and_bounds_of_all(found) -> None:
    row = found.of(NEW)
    assert row["deal_low"] < row["deal_rate"] < row["deal_high"]
    # Everybody was watched to the horizon or refused, so the incidence is the plain share.
    assert row["deal_rate"] == pytest.approx(row["deals"] / row["worked"])
    assert row["deal_floor"] == pytest.approx(row["deals"] / row["passed"])
    assert row["deal_ceiling"] == pytest.approx((row["deals"] + row["unknown"]) / row["passed"])
    assert row["lift"] == pytest.approx(row["deal_rate"] / found.of(EVERY)["deal_rate"])
    assert 0.3 < row["deal_rate"] < 0.5
    assert row["recall"] > 0.85
    assert row["recall_floor"] < row["recall_low"] < row["recall"] < row["recall_high"]


def test_the_groups_add_up(found) -> None:
    groups = found.groups.set_index("group")
    rules = found.rules.set_index("rule")
    assert list(groups.index) == list(GROUPS)
    assert groups["leads"].sum() == rules.loc[EVERY, "passed"]
    assert groups.loc[["both rules", "only the new rule"], "leads"].sum() == rules.loc[NEW, "passed"]
    assert groups["deals"].sum() == rules.loc[IN_FACT, "deals"]
    assert found.months.groupby("rule")["passed"].sum().to_dict() == rules["passed"].to_dict()


def test_what_was_never_worked_is_said(found) -> None:
    assert f"{found.of(NEW)['unknown']:,} of the {found.of(NEW)['passed']:,}" in found.warnings[0]
    assert "never worked" in found.warnings[0]


def test_a_rule_that_passes_nothing_or_everything() -> None:
    nothing = replay(chance_company(), parse_rule("size > 1000"), TODAY, SPAN)
    row = nothing.of(NEW)
    assert (row["passed"], row["deals"], row["recall"]) == (0, 0, 0.0)
    assert pd.isna(row["deal_rate"])
    assert row["reason"] == "the rule passes no lead"
    everything = replay(chance_company(), parse_rule("size >= 0"), None, SPAN)
    assert everything.of(NEW)["missed_deals"] == 0
    assert everything.of(NEW)["recall"] == 1.0
    # The rule of the definitions uses a score that this company does not have: what was passed stands for it.
    assert everything.of(AGAINST)["passed"] == everything.of(IN_FACT)["passed"]
    assert "cannot be replayed" in everything.warnings[0]


def test_a_rule_on_later_entries_is_refused_with_the_evidence() -> None:
    with pytest.raises(ConfigurationError, match="filled in after a lead was accepted"):
        replay(chance_company(), parse_rule("calls >= 1"), TODAY, SPAN)


def test_an_unknown_attribute_and_a_period_ahead_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="size"):
        replay(chance_company(), parse_rule("sise >= 1"), TODAY, SPAN)
    with pytest.raises(ConfigurationError, match="not begun"):
        replay(chance_company(), RULE, TODAY, "2027-Q1")


def test_no_won_lead_one_lead_and_no_lead() -> None:
    one = company(
        [lead("a", "2026-08-01", {"size": 60, "keen": True}, qualified_at="2026-08-02", accepted_at="2026-08-03")]
    )
    row = replay(one, RULE, TODAY, "2026").of(NEW)
    assert (row["passed"], row["worked"], row["won"], row["won_amount"]) == (1, 1, 0, Decimal(0))
    assert pd.isna(row["recall"])
    assert "watched for 180 days" in row["reason"]
    none = replay(company([]), parse_rule("source = Paid"), parse_rule("source = Event"), "2026").of(NEW)
    assert none["passed"] == 0
    without = replay(
        make_snapshot({"opportunities": []}), parse_rule("source = Paid"), parse_rule("source = Paid"), "2026"
    )
    assert without.of(EVERY)["passed"] == 0


def test_without_recorded_answers_every_passed_lead_counts_as_worked() -> None:
    leads = [lead(f"l{n}", "2025-08-01", {"size": n}, qualified_at="2025-08-01") for n in range(40)]
    leads.append(
        lead(
            "won", "2025-08-01", {"size": 60}, qualified_at="2025-08-01", converted_at="2025-08-09", opportunity_id="o"
        )
    )
    snapshot = company(leads, [deal("o", "2025-08-09")])
    found = replay(snapshot, parse_rule("size >= 20"), TODAY, "2025")
    assert found.of(NEW)["worked"] == 21
    assert any("no answers" in warning for warning in found.warnings)


def test_two_leads_of_a_deal_bring_its_amount_once() -> None:
    both = [lead(key, "2025-07-01", {"size": 60}, converted_at="2025-07-05", opportunity_id="o") for key in "ab"]
    won = deal("o", "2025-07-05", "Closed Won", amount=500, close_date="2025-08-01", closed_at="2025-08-01")
    row = replay(company(both, [won]), parse_rule("size >= 20"), TODAY, "2025").of(NEW)
    assert (row["deals"], row["won"], row["won_amount"]) == (2, 1, Decimal(500))


def test_the_story_of_the_sample_company_holds_against_its_truth() -> None:
    """About 200 passed a month of which a tenth is worth it; the joint rule passes far fewer, a third of them good."""
    sample = simulated()
    joint = parse_rule(JOINT)
    found = replay(sample.snapshot, joint, None, "2023-01-01..2026-06-30")
    today, new = found.of(AGAINST), found.of(NEW)
    assert today["passed_month"] / 0.4 == pytest.approx(200, rel=0.1)
    assert new["passed_month"] / 0.4 == pytest.approx(74, rel=0.15)
    leads = sample.snapshot.table("leads")

    def good(rule):
        passed = leads.filter(passes(rule, leads, "duckdb")).lead_id.to_pyarrow().to_pylist()
        return float(sample.truth.loc[passed, "truly_good"].mean())

    current = sample.snapshot.definitions.lead_rule
    assert good(current) == pytest.approx(0.10, abs=0.02)
    assert good(joint) == pytest.approx(0.33, abs=0.03)
    # What is seen is near what is so: sales turns most good leads into deals, and a few others.
    assert new["deal_low"] - 0.08 < good(joint) < new["deal_high"] + 0.08
    assert new["deal_floor"] < good(joint) < new["deal_ceiling"]
    assert today["deal_rate"] < 0.5 * new["deal_rate"]
