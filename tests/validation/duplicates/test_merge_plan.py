"""The merge plan: the survivor field by field, what moves, and that it can be taken back."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from revops_analysis.errors import ConfigurationError
from revops_analysis.reporting.exports import to_csv
from revops_analysis.validation.duplicates.find import Found, find_duplicates
from revops_analysis.validation.duplicates.merge_plan import merge_plan, plan_tables
from revops_analysis.validation.duplicates.plan_steps import MergePlan, read_merge_plan
from validation.duplicates.people import account, company, contact, crowd

PEOPLE = [
    contact("a1", "Ann Lee", email="ann.lee@acme.example", phone=None, account_id="acme", created_at="2024-01-01"),
    contact("a2", "'Ann Lee", email="ann.lee@acme.example", phone="+1 555 7654321", title="=CTO()", account_id="acme"),
    contact("a3", "Ann Lee", phone="+1 555 7654321", title="Chief", account_id="acme", created_at="2025-06-01"),
]
LINKED = {
    "opportunities": [{"opportunity_id": key, "account_id": "acme", "stage": "Proposal"} for key in ("o1", "o2", "o3")],
    "opportunity_contacts": [
        {"opportunity_id": "o1", "contact_id": "a1", "role": "champion"},
        {"opportunity_id": "o1", "contact_id": "a2", "role": "decision maker", "is_primary": True},
        {"opportunity_id": "o2", "contact_id": "a2"},
        {"opportunity_id": "o2", "contact_id": "a3"},
        {"opportunity_id": "o3", "contact_id": "a3"},
    ],
    "activities": [
        {"activity_id": "t1", "contact_id": "a3", "kind": "call", "occurred_at": "2025-07-01"},
        {"activity_id": "t2", "contact_id": "x0001", "kind": "call", "occurred_at": "2025-07-01"},
    ],
    "touchpoints": [{"touchpoint_id": "p1", "contact_id": "a2", "kind": "click", "occurred_at": "2025-07-01"}],
}


@pytest.fixture(scope="module")
def snapshot():
    return company(contacts=[*crowd(60), *PEOPLE], **LINKED)


@pytest.fixture(scope="module")
def found(snapshot) -> Found:
    return find_duplicates(snapshot, "contacts")


@pytest.fixture(scope="module")
def plan(snapshot, found) -> MergePlan:
    return merge_plan(snapshot, found)


def test_the_oldest_survives_and_what_it_lacks_is_filled_from_the_newest(plan):
    rows = plan.frame[plan.frame["record"] == "a1"].set_index("field")
    assert set(plan.frame["cluster"]) == {"a1"}
    assert rows.loc["phone", ["action", "before", "after", "taken_from"]].tolist() == [
        "fill",
        None,
        "+1 555 7654321",
        "a3",
    ]
    assert rows.loc["title", ["action", "after", "taken_from"]].tolist() == ["fill", "Chief", "a3"]
    assert rows.loc["email", ["action", "after", "taken_from"]].tolist() == ["keep", "ann.lee@acme.example", "a1"]
    assert rows.loc["created_at", "action"] == "keep"


def test_what_pointed_to_the_others_points_to_the_survivor_and_no_link_stands_twice(snapshot, plan):
    after = plan.apply(plan_tables(snapshot, "contacts"))
    links = after["opportunity_contacts"]
    assert links[["opportunity_id", "contact_id"]].to_numpy().tolist() == [["o1", "a1"], ["o2", "a1"], ["o3", "a1"]]
    assert links["role"].tolist() == ["champion", None, None]
    assert after["activities"]["contact_id"].tolist() == ["a1", "x0001"]
    assert after["touchpoints"]["contact_id"].tolist() == ["a1"]
    assert not {"a2", "a3"} & set(after["contacts"]["contact_id"])
    assert len(after["contacts"]) == 61


def test_undoing_gives_back_every_value(snapshot, plan, tmp_path: Path):
    before = plan_tables(snapshot, "contacts")
    path = tmp_path / "plan.csv"
    path.write_text(to_csv(plan.csv_frame()), encoding="utf-8", newline="")
    read = read_merge_plan(path, "contacts")
    pd.testing.assert_frame_equal(read.frame, plan.frame)
    for each in (plan, read):
        after = each.apply(before)
        assert any(not after[name].equals(before[name]) for name in before)
        back = each.undo(after)
        for name in before:
            pd.testing.assert_frame_equal(back[name], before[name])


def test_no_field_of_the_file_is_a_formula(plan, tmp_path: Path):
    text = to_csv(plan.csv_frame())
    assert "'=CTO()" in text and "'+1 555" in text
    assert not any(cell.startswith(("=", "+", "-", "@")) for line in text.splitlines() for cell in line.split(","))


def test_a_plan_is_not_applied_to_other_data(snapshot, plan):
    tables = plan_tables(snapshot, "contacts")
    tables["contacts"].loc[tables["contacts"]["contact_id"] == "a1", "phone"] = "changed"
    with pytest.raises(ConfigurationError, match="does not fit"):
        plan.apply(tables)
    with pytest.raises(ConfigurationError, match="Not a merge plan"):
        read_merge_plan(Path(__file__).with_name("people.py"), "contacts")


def test_accounts_keep_their_subsidiaries_and_no_revenue_is_lost():
    filler = [account(f"f{n}", f"Firm number{n}", domain=f"f{n}.example") for n in range(40)]
    made = company(
        accounts=[
            *filler,
            account(
                "g1", "Globex Ltd", domain="globex.example", country="Spain", employees=431, created_at="2024-01-01"
            ),
            account("g2", "GLOBEX", domain="www.globex.example", country="Spain", employees=431),
            account("g3", "Globex Brakes", domain="brakes.example", parent_account_id="g2"),
        ],
        revenue_ledger=[
            {"account_id": key, "product": "Core", "month": "2026-01-01", "mrr": 100, "currency": "USD"}
            for key in ("g1", "g2", "g3")
        ],
    )
    found = find_duplicates(made, "accounts")
    plan, before = merge_plan(made, found), plan_tables(made, "accounts")
    after = plan.apply(before)
    assert after["revenue_ledger"]["account_id"].tolist() == ["g1", "g1", "g3"]
    assert after["accounts"].set_index("account_id").loc["g3", "parent_account_id"] == "g1"
    back = plan.undo(after)
    assert all(back[name].equals(before[name]) for name in before)


def test_leads_get_the_contact_that_they_are_and_keep_the_one_they_have():
    made = company(
        contacts=[*crowd(60), contact("a", "Jane Miller", email="jane.miller@acme.example", account_id="acme")],
        leads=[
            {"lead_id": "l1", "email": "jane.miller@acme.example", "created_at": "2025-03-01"},
            {
                "lead_id": "l2",
                "email": "jane.miller@acme.example",
                "created_at": "2025-03-01",
                "converted_at": "2025-03-02",
                "contact_id": "x0001",
            },
        ],
    )
    plan = merge_plan(made, find_duplicates(made, "leads-contacts"))
    assert plan.frame[["action", "record", "field", "before", "after"]].to_numpy().tolist() == [
        ["link", "l1", "contact_id", None, "a"]
    ]


def test_without_clusters_there_is_an_empty_plan():
    made = company(contacts=crowd(30))
    plan = merge_plan(made, find_duplicates(made, "contacts"))
    before = plan_tables(made, "contacts")
    assert plan.frame.empty and plan.summary.empty
    assert all(frame.equals(before[name]) for name, frame in plan.apply(before).items())
