"""What leads had done by the time they were decided on: counted by hand, and blind to everything that came later."""

from __future__ import annotations

import datetime as dt
import random

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.funnel.companies import company, deal, lead
from revops_analysis.definitions.rule_text import parse_rule
from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.funnel import passes, require_usable
from revops_analysis.metrics.funnel.behaviour import DECISIONS, behaviour, behaviour_names, with_behaviour
from revops_analysis.models.lead_records import lead_records
from revops_analysis.models.lead_replay import NEW, replay
from revops_analysis.models.leak_guard import check_leaks
from revops_analysis.models.rule_search import find_rule, holds

KINDS = ("email opened", "Pricing page", "webinar")


def touch(key, whose, moment, kind="email opened", **more):
    return {"touchpoint_id": key, "lead_id": whose, "occurred_at": moment, "kind": kind, **more}


LEADS = [
    lead("passed", "2026-03-01 12:00", {"employees": 90, "kind_webinar": 5}, qualified_at="2026-03-03 12:00"),
    lead("waiting", "2026-03-01 12:00", {"employees": 9}),
    lead("refused", "2026-03-01 12:00", disqualified_at="2026-03-02 12:00", qualified_at="2026-03-04 12:00"),
    lead("silent", "2026-03-01 12:00"),
]
TOUCHES = [
    touch("1", "passed", "2026-03-01 11:00", channel="E-Mail", responded_at="2026-03-02"),
    touch(
        "2", "passed", "2026-03-03 12:00", "Pricing page", channel="email", responded_at="2026-03-05"
    ),  # to the moment
    touch("3", "passed", "2026-03-03 12:00:01"),  # a second too late
    touch("4", "passed", "2025-11-01"),  # before the lookback
    touch("5", "passed", None),
    touch("6", "waiting", "2026-03-15 11:59", channel="Event"),
    touch("7", "waiting", "2026-03-15 12:01"),  # after a fortnight
    touch("8", "refused", "2026-03-02 13:00"),  # refused before it was passed
    touch("9", "refused", "2026-02-28 12:00", "webinar"),
    touch("10", None, "2026-03-01", contact_id="c1"),
]


@pytest.fixture(scope="module")
def snapshot():
    return company(LEADS, tables={"touchpoints": TOUCHES})


def test_touches_count_until_the_decision_and_not_after(snapshot) -> None:
    found = behaviour(snapshot).to_pandas().set_index("lead_id")
    assert found["touches"].to_dict() == {"passed": 2, "waiting": 1, "refused": 1, "silent": 0}
    assert found["touches_answered"].to_dict() == {"passed": 1, "waiting": 0, "refused": 0, "silent": 0}
    assert found["kind_email_opened"].to_dict() == {"passed": 1, "waiting": 1, "refused": 0, "silent": 0}
    assert found["kind_pricing_page"]["passed"] == 1
    assert found["channel_email"]["passed"] == 2  # two spellings, one channel
    assert found["channel_event"]["waiting"] == 1
    assert found["days_since_last_touch"].dropna().to_dict() == {"passed": 0, "waiting": 0, "refused": 2}
    assert "kind_webinar" in found.columns
    assert "kind_webinar" not in behaviour_names(snapshot)  # an attribute is called so, and comes first


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("touches >= 2", {"passed"}),
        ("kind_pricing_page >= 1 and employees >= 80", {"passed"}),
        ("days_since_last_touch missing", {"silent"}),
        ("days_since_last_touch > 1", {"refused"}),
        ("channel_event = 1 or touches = 0", {"waiting", "silent"}),
        ("touches in [0, 2]", {"passed", "silent"}),
        ("touches != 1", {"passed", "silent"}),
        ("kind_webinar = 5", {"passed"}),
    ],
)
def test_rules_read_behaviour(snapshot, text, expected) -> None:
    rule = parse_rule(text)
    require_usable(snapshot, rule)
    leads = with_behaviour(snapshot.table("leads"), snapshot, behaviour_names(snapshot))
    assert set(leads.filter(passes(rule, leads, "duckdb")).to_pandas()["lead_id"]) == expected


@pytest.mark.parametrize("text", ["touches = true", "touches >= 2026-01-01", "touches = many", "touches in [a]"])
def test_a_count_is_compared_with_a_number(snapshot, text) -> None:
    leads = with_behaviour(snapshot.table("leads"), snapshot, ["touches"])
    with pytest.raises(ConfigurationError, match="number of touches"):
        passes(parse_rule(text), leads, "duckdb")


def test_unknown_behaviour_is_refused_with_the_near_names(snapshot) -> None:
    with pytest.raises(ConfigurationError) as error:
        require_usable(snapshot, parse_rule("kind_pricing_pag >= 1"))
    assert "kind_pricing_page" in str(error.value)


@pytest.mark.parametrize("tables", [{}, {"touchpoints": []}, {"touchpoints": [touch("x", None, "2026-03-01")]}])
def test_without_touches_of_leads_there_is_no_behaviour(tables) -> None:
    assert behaviour_names(company(LEADS, tables=tables)) == ()


def by_chance(seed, count=25):
    """Leads with touches around everything that happens to them, and the same with more after each decision."""
    draw = random.Random(seed)  # noqa: S311
    leads, touches, later = [], [], []
    for number in range(count):
        created = dt.datetime(2026, 3, 1) + dt.timedelta(hours=draw.randrange(2_000))
        moments = {name: created + dt.timedelta(hours=draw.randrange(600)) for name in DECISIONS if draw.random() < 0.3}
        # A touch is later than the decision if it is later than the first that happened, or than a fortnight.
        decided = min([created + dt.timedelta(days=14), *moments.values()])
        leads.append(lead(f"l{number}", created, {"employees": number}, **moments))
        for key in range(draw.randrange(4)):
            before = decided - dt.timedelta(hours=draw.randrange(500))
            touches.append(touch(f"t{number}.{key}", f"l{number}", before, draw.choice(KINDS), channel="Email"))
        for key in range(draw.randrange(1, 4)):
            after = decided + dt.timedelta(seconds=1 + draw.randrange(10**6))
            later.append(touch(f"u{number}.{key}", f"l{number}", after, draw.choice(KINDS), channel="Email"))
        for row in touches:
            row.setdefault("responded_at", decided + dt.timedelta(days=40))
    return leads, touches, later


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10_000))
def test_what_comes_after_the_decision_changes_nothing(seed) -> None:
    leads, touches, later = by_chance(seed)
    answered = [{**row, "responded_at": None} for row in touches]
    seen = [
        touch(f"k{kind}", "l0", "2025-01-01", kind, channel="Email") for kind in KINDS
    ]  # so that names are the same
    before = company(leads, tables={"touchpoints": [*seen, *answered]})
    after = company(leads, tables={"touchpoints": [*later, *seen, *touches]})
    assert behaviour_names(before) == behaviour_names(after) != ()
    frames = [behaviour(each).to_pandas().sort_values("lead_id", ignore_index=True) for each in (before, after)]
    pd.testing.assert_frame_equal(*frames)
    assert frames[0]["touches"].sum() > 0


def test_a_replay_and_a_proposal_use_what_leads_did() -> None:
    draw = random.Random(4)  # noqa: S311
    leads, deals, touches = [], [], []
    for number in range(500):
        created = dt.datetime(2025, 1, 1) + dt.timedelta(hours=18 * number)
        visits = draw.randrange(4)
        becomes = draw.random() < (0.5 if visits >= 2 else 0.04)
        row = lead(f"l{number:03d}", created, {"employees": draw.randrange(100)}, source=("Paid", "Event")[number % 2])
        row |= {"qualified_at": created + dt.timedelta(days=1), "first_response_at": created + dt.timedelta(days=2)}
        if becomes:
            row |= {"converted_at": created + dt.timedelta(days=9), "opportunity_id": f"o{number}"}
            deals.append(deal(f"o{number}", created + dt.timedelta(days=9)))
        else:
            row["disqualified_at"] = created + dt.timedelta(days=9)
        leads.append(row)
        when = [created + dt.timedelta(hours=hour) for hour in range(visits)]
        # Sales looks at the page with those that became deals: after the decision, so it must not count.
        when += [created + dt.timedelta(days=8)] * (5 if becomes else 0)
        touches += [touch(f"{number}.{at}", f"l{number:03d}", day, "Pricing page") for at, day in enumerate(when)]
    made = company(leads, deals, tables={"touchpoints": touches})
    records = lead_records(made)
    checked = check_leaks(records)
    assert {"touches", "days_since_last_touch"} <= {*checked.usable}
    found = find_rule(records.known, {name: records.kinds[name] for name in checked.usable})
    assert found.rule == parse_rule("touches >= 2")
    row = replay(made, found.rule, period="2025-01-01..2026-09-30").of(NEW)
    frame = records.frame
    assert row["passed"] == holds(found.rule, frame).sum()
    assert row["deals"] == frame.loc[holds(found.rule, frame), "deal_on"].notna().sum()
    assert row["deal_rate"] == pytest.approx(0.5, abs=0.1)
