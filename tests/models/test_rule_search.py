"""The search for a short rule: it finds what was planted, as short as it goes, and means what the engine means."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.lead_companies import chance_company
from revops_analysis.definitions.rule_text import parse_rule, rule_text
from revops_analysis.metrics.funnel import passes
from revops_analysis.models.lead_records import lead_records
from revops_analysis.models.rule_search import RuleSearchOptions, find_rule, holds, round_number


def planted(seed, count=3_000, noise=0.03):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "lead_id": [f"l{n}" for n in range(count)],
            "size": rng.integers(1, 200, count).astype(float),
            "keen": (rng.random(count) < 0.5).astype(float),
            "asked": (rng.random(count) < 0.2).astype(float),
            "title": rng.choice(["Analyst", "Manager", "Director", "Intern"], count),
            "noise": rng.normal(size=count),
        }
    )
    fits = (frame["size"] >= 80) & frame["title"].isin(["Manager", "Director"]) & ((frame["keen"] + frame["asked"]) > 0)
    frame["outcome"] = (rng.random(count) < np.where(fits, 0.5, noise)).astype(float)
    return frame, fits.to_numpy()


KINDS = {"size": "number", "keen": "flag", "asked": "flag", "title": "text", "noise": "number"}


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_rule_is_found_with_four_conditions(seed) -> None:
    frame, fits = planted(seed)
    found = find_rule(frame, KINDS)
    assert found.conditions <= 4
    overlap = (holds(found.rule, frame) & fits).sum() / (holds(found.rule, frame) | fits).sum()
    assert overlap > 0.9, rule_text(found.rule)


def test_the_order_of_rows_changes_nothing() -> None:
    frame, _ = planted(0)
    shuffled = frame.sample(frac=1.0, random_state=5)
    assert find_rule(shuffled, KINDS) == find_rule(frame, KINDS)


def test_a_limit_of_two_conditions_is_kept() -> None:
    frame, _ = planted(0)
    assert find_rule(frame, KINDS, RuleSearchOptions(most_conditions=2)).conditions <= 2


def test_one_sign_makes_one_condition() -> None:
    frame, _ = planted(0)
    frame["outcome"] = frame["keen"]
    assert rule_text(find_rule(frame, KINDS).rule) == "keen = true"


def test_without_deals_or_without_others_there_is_no_rule() -> None:
    frame, _ = planted(0, 200)
    assert find_rule(frame.assign(outcome=0.0), KINDS) is None
    assert find_rule(frame.assign(outcome=1.0), KINDS) is None
    assert find_rule(frame.iloc[:0], KINDS) is None
    assert find_rule(frame, {}) is None


def test_a_text_of_many_levels_makes_no_rule() -> None:
    frame, _ = planted(0)
    named = frame.assign(title=[f"Title {n % 90}" for n in range(len(frame))])
    assert "title" not in rule_text(find_rule(named, KINDS).rule)


RULES = (
    "size >= 50 and keen = true",
    "size < 20 or plan in [small, huge]",
    "plan not in [small] and size present",
    "keen != true",
    "late missing and (keen = false or size >= 90.5)",
    "source = Paid and calls > 0",
    "plan = large",
)


@pytest.mark.parametrize("text", RULES)
def test_records_and_engine_agree_on_who_passes(text) -> None:
    snapshot, rule = chance_company(), parse_rule(text)
    records = lead_records(snapshot).frame
    leads = snapshot.table("leads")
    passed = leads.filter(passes(rule, leads, "duckdb")).order_by("lead_id").lead_id.to_pyarrow().to_pylist()
    assert records.loc[holds(rule, records), "lead_id"].tolist() == passed
    assert 0 < len(passed) < len(records)


@settings(max_examples=100, deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e5))
def test_a_round_number_lies_in_the_gap(low, gap) -> None:
    high = low + gap
    if low < high:
        assert low < round_number(low, high) <= high
