"""The funnel's metrics: additive ones add up over every cut, and each says why where it has no value."""

from __future__ import annotations

import pytest

from builders import make_snapshot
from metrics.adding_up import drawn, parts_that_do_not_add_up, singles
from metrics.funnel.companies import by_chance, company, deal, lead, without_repeats
from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.funnel.catalogue import FAMILY
from revops_analysis.metrics.registry import compute_metric, metrics

OURS = [name for name, metric in metrics().items() if metric.family == FAMILY]
ADDITIVE = [name for name in OURS if metrics()[name].additive]


@pytest.fixture(scope="module")
def snapshot():
    leads, deals, tables = by_chance(3, 200)
    return company(leads, without_repeats(deals), tables=tables)


@pytest.fixture(scope="module")
def nothing_supplied():
    return make_snapshot({"opportunities": []})


@pytest.fixture(scope="module")
def empty():
    return company([])


@pytest.mark.parametrize("name", ADDITIVE)
def test_every_dimension_adds_up(name, snapshot) -> None:
    metric = metrics()[name]
    wrong, whole = parts_that_do_not_add_up(snapshot, metric, "2026", singles(metric))
    assert wrong == {}, whole
    assert whole, "nothing was there to add up"


@pytest.mark.parametrize("name", ADDITIVE)
def test_sets_of_dimensions_add_up_under_a_filter(name, snapshot) -> None:
    metric = metrics()[name]
    wrong, whole = parts_that_do_not_add_up(snapshot, metric, "2026", drawn(metric, 4), "source != Paid")
    assert wrong == {}, whole


@pytest.mark.parametrize("name", OURS)
def test_without_leads_each_says_so(name, nothing_supplied) -> None:
    frame = compute_metric(nothing_supplied, name, "2026-Q3").frame
    assert frame["value"].isna().all()
    assert frame["reason"].tolist() == ["the source has no leads table"]


@pytest.mark.parametrize("name", OURS)
def test_an_empty_table_gives_no_rate(name, empty) -> None:
    frame = compute_metric(empty, name, "2026-Q3", by=["source"]).frame
    assert not (frame["value"] > 0).any()


def test_one_lead_gives_counts_and_honest_rates() -> None:
    snapshot = company([lead("a", "2026-08-01", qualified_at="2026-08-02", first_response_at="2026-08-02 12:30:00")])
    assert compute_metric(snapshot, "leads_created", "2026-Q3").frame["value"].tolist() == [1.0]
    row = compute_metric(snapshot, "response_within_target", "2026-Q3").frame.iloc[0]
    assert (row["value"], row["n"]) == (1.0, 1)
    assert row["low"] < 0.3  # Wilson's interval of one of one
    assert compute_metric(snapshot, "response_minutes", "2026-Q3").frame["value"].tolist() == [30.0, 30.0]


def test_two_leads_of_one_deal_count_it_once() -> None:
    both = [lead(key, "2026-07-01", converted_at="2026-07-05", opportunity_id="o") for key in "ab"]
    won = deal("o", "2026-07-05", "Closed Won", amount=500, close_date="2026-08-01", closed_at="2026-08-01")
    snapshot = company(both, [won])
    assert compute_metric(snapshot, "leads_converted", "2026-Q3").frame["value"].tolist() == [2.0]
    assert compute_metric(snapshot, "leads_won", "2026-Q3").frame["value"].tolist() == [1.0]
    assert compute_metric(snapshot, "lead_won_amount", "2026-Q3").frame["value"].tolist() == [500.0]


def test_an_unanswered_lead_is_late_once_the_time_is_over_and_never_zero() -> None:
    leads = [
        lead("late", "2026-09-01", qualified_at="2026-09-01"),
        lead("just passed", "2026-09-30", qualified_at="2026-09-30 23:30:00"),
        lead("quick", "2026-09-01", qualified_at="2026-09-01", first_response_at="2026-09-01 12:59:00"),
        lead("slow", "2026-09-01", qualified_at="2026-09-01", first_response_at="2026-09-01 14:00:00"),
    ]
    snapshot = company(leads)
    row = compute_metric(snapshot, "response_within_target", "2026-Q3").frame.iloc[0]
    assert (row["n"], row["value"]) == (3, pytest.approx(1 / 3))
    frame = compute_metric(snapshot, "response_minutes", "2026-Q3").frame
    assert frame["n"].tolist() == [2, 2]
    assert compute_metric(snapshot, "leads_unanswered", "2026-Q3").frame["value"].tolist() == [2.0]


def test_without_recorded_answers_nothing_is_said_of_them() -> None:
    snapshot = company([lead("a", "2026-08-01", qualified_at="2026-08-02")])
    for name in ("response_minutes", "response_within_target", "leads_unanswered"):
        frame = compute_metric(snapshot, name, "2026-Q3").frame
        assert frame["value"].isna().all()
        assert "no first response" in frame["reason"].iloc[0]


def test_an_answer_before_the_lead_has_no_minutes() -> None:
    early = lead("a", "2026-08-02", qualified_at="2026-08-03", first_response_at="2026-08-01")
    before_passing = lead("b", "2026-08-02", qualified_at="2026-08-03", first_response_at="2026-08-02 12:10:00")
    frame = compute_metric(company([early, before_passing]), "response_minutes", "2026-Q3").frame
    assert frame["value"].tolist() == [10.0, 10.0]


def test_routing_problems_are_counted_by_kind() -> None:
    leads = [
        lead("none", "2026-08-01"),
        lead("gone", "2026-08-01", owner_id="u1"),
        lead("unknown", "2026-08-01", owner_id="u9"),
        lead("fine", "2026-08-01", {"employees": 50}, owner_id="u2", converted_at="2026-08-03", opportunity_id="o"),
    ]
    users = [{"user_id": "u1", "left_on": "2026-08-15"}, {"user_id": "u2"}]
    snapshot = company(leads, [deal("o", "2026-08-03", segment="Enterprise")], tables={"users": users})
    frame = compute_metric(snapshot, "leads_misrouted", "2026-Q3").frame
    assert dict(zip(frame["problem"], frame["value"], strict=True)) == {
        "no owner": 1.0,
        "owner unknown": 1.0,
        "owner has left": 1.0,
        "wrong segment": 1.0,
    }


def test_an_unknown_dimension_is_refused_with_near_names(snapshot) -> None:
    with pytest.raises(ConfigurationError, match="source"):
        compute_metric(snapshot, "leads_created", "2026", by=["sorce"])


def test_cuts_by_latest_values_are_noted(snapshot) -> None:
    compute_metric(snapshot, "leads_created", "2026", by=["segment", "owner_id"])
    assert {"leads.attributes", "leads.owner_id"} <= set(snapshot.used_current_columns)
