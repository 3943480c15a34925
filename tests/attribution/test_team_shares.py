"""Sourced and influenced shares as metrics: what adds up, what does not, and of what they are shares."""

from __future__ import annotations

import pytest

from attribution.random_companies import random_company
from attribution.test_sourcing import DEALS, LEAD, TOUCHES
from attribution.touch_rows import deal, snapshot_of, touch, words_with
from builders import make_snapshot
from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.workspace import describe_metrics

QUARTER = "2026-Q2"


def company(rule="lead_creation"):
    return snapshot_of(DEALS, TOUCHES, leads=[LEAD], words=words_with(sourced_rule=rule))


def shares(snapshot, name, by="team", where=None, period=QUARTER):
    frame = compute_metric(snapshot, name, period, by, where).frame
    keys = frame["team"].astype(object).where(frame["team"].notna(), None) if by == "team" else frame["period"]
    return dict(zip(keys, frame["value"], strict=True)), frame


def test_sourced_shares_of_money_and_of_deals_add_up_to_one_with_the_unattributed():
    money, frame = shares(company(), "sourced_share")
    assert money == pytest.approx({"marketing": 0.4, "sales": 0.3, "partners": 0.1, None: 0.2})
    assert frame["n"].tolist() == [4, 4, 4, 4]
    deals, _ = shares(company(), "sourced_deals_share")
    assert deals == pytest.approx({"marketing": 0.25, "sales": 0.25, "partners": 0.25, None: 0.25})
    assert shares(company("crm_field"), "sourced_share")[0] == pytest.approx(
        {"marketing": 0.6, "sales": 0.3, "partners": 0.1, None: 0.0}
    )


def test_influence_counts_a_deal_for_every_team_that_touched_it():
    deals, frame = shares(company(), "influenced_share")
    assert deals == pytest.approx({"marketing": 0.75, "sales": 0.5, "partners": 0.25})
    assert ((frame["low"] < frame["value"]) & (frame["value"] < frame["high"])).all()
    money, _ = shares(company(), "influenced_pipeline_share")
    assert money == pytest.approx({"marketing": 0.9, "sales": 0.7, "partners": 0.1})


def test_a_filter_on_team_changes_what_is_counted_and_any_other_of_what_it_is_a_share():
    only = shares(company(), "sourced_share", by=(), where="team = marketing")[0]
    assert only == pytest.approx({QUARTER: 0.4})
    assert shares(company(), "sourced_share", by=())[0] == pytest.approx({QUARTER: 0.8})  # of any team
    either = shares(company(), "influenced_share", by=(), where="team in (sales, partners)")[0]
    assert either == pytest.approx({QUARTER: 0.75})
    part = compute_metric(company(), "sourced_share", QUARTER, ["source"], "team = sales").frame
    assert part.set_index("source")["value"].to_dict() == {"Inbound": 0, "Outbound": 1, "Paid": 0, "Partner": 0}
    some = shares(company(), "sourced_share", by=(), where="team = marketing and source in (Inbound, Outbound)")[0]
    assert some == pytest.approx({QUARTER: 4 / 7})


def test_no_evidence_is_no_zero():
    nothing = snapshot_of(DEALS, [], words=words_with())
    for name in ("sourced_share", "influenced_share"):
        row = compute_metric(nothing, name, "2020-Q1").frame.iloc[0]
        assert row["value"] != row["value"]
        assert row["reason"]
    unpriced = compute_metric(company(), "sourced_share", "2026-Q3").frame.iloc[0]
    assert unpriced["reason"] == "no deal with an amount was created in the period"
    assert compute_metric(company(), "sourced_deals_share", "2026-Q3").frame.iloc[0]["value"] == 0


def test_without_a_table_of_touches_the_reason_says_so_and_the_field_still_counts():
    tables = {"opportunities": [deal("one", source="Inbound")]}
    bare = make_snapshot(tables, as_of="2026-09-30", definitions=words_with())
    row = compute_metric(bare, "influenced_share", QUARTER).frame.iloc[0]
    assert (row["value"] != row["value"], row["reason"]) == (True, "the source has no touchpoints table")
    field = make_snapshot(tables, as_of="2026-09-30", definitions=words_with(sourced_rule="crm_field"))
    assert shares(field, "sourced_share")[0]["marketing"] == 1


def test_every_cut_adds_up_in_random_companies():
    tables = random_company(3)
    segments = ("SMB", "Enterprise", None)
    rows = [{**row, "segment": segments[place % 3]} for place, row in enumerate(tables["opportunities"])]
    snapshot = snapshot_of(rows, tables["touchpoints"], leads=tables["leads"])
    for name in ("sourced_share", "sourced_deals_share"):
        frame = compute_metric(snapshot, name, "2026-Q1...2026-Q2", ["team", "segment"]).frame.dropna(subset="value")
        sums = frame.groupby(["period", "segment"], dropna=False)["value"].sum()
        assert len(sums) == 3
        assert sums.tolist() == pytest.approx([1] * len(sums))


def test_they_are_listed_with_the_others_and_know_their_dimensions():
    listed = describe_metrics().set_index("name")
    assert {"sourced_share", "influenced_share", "bookings", "nrr"} <= set(listed.index)
    assert listed.loc["sourced_share", "dimensions"].startswith("team, segment")
    with pytest.raises(ConfigurationError, match="region"):
        compute_metric(company(), "sourced_share", QUARTER, where="region = West")


def test_touches_of_teams_without_deals_have_no_row():
    lonely = snapshot_of([deal("one", account_id="a1")], [touch("m", "2026-04-20", "Email", account_id="a1")])
    assert shares(lonely, "influenced_share")[0] == {"marketing": 1}
