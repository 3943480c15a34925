"""A store with duplicates under their survivors: nothing is lost, and nothing points to a record that is gone."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import DATA_THROUGH, make_definitions, make_store
from revops_analysis.tables.resolved import ResolvedStore
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.snapshot import Snapshot

ACCOUNTS = [f"a{n}" for n in range(6)]
CONTACTS = [f"c{n}" for n in range(6)]


def made(seed: int) -> dict:
    draw = Random(seed)  # noqa: S311
    any_of = lambda keys: draw.choice([*keys, None])  # noqa: E731
    day = lambda: f"2026-0{draw.randrange(1, 9)}-11"  # noqa: E731
    return {
        "accounts": [
            {"account_id": a, "name": any_of("XY"), "parent_account_id": any_of(ACCOUNTS), "created_at": day()}
            for a in ACCOUNTS
        ],
        "contacts": [
            {"contact_id": c, "account_id": any_of(ACCOUNTS), "phone": any_of("12"), "created_at": any_of([day()])}
            for c in CONTACTS
        ],
        "opportunities": [
            {
                "opportunity_id": f"o{n}",
                "account_id": any_of(ACCOUNTS),
                "stage": "Proposal",
                "amount": draw.randrange(99),
            }
            for n in range(8)
        ],
        "opportunity_contacts": [
            {"opportunity_id": o, "contact_id": c, "is_primary": draw.random() < 0.3, "created_at": day()}
            for o, c in {(f"o{draw.randrange(8)}", draw.choice(CONTACTS)) for _ in range(12)}
        ],
        "touchpoints": [
            {
                "touchpoint_id": f"t{n}",
                "account_id": any_of(ACCOUNTS),
                "contact_id": any_of(CONTACTS),
                "occurred_at": day(),
            }
            for n in range(12)
        ],
        "subscriptions": [
            {
                "subscription_id": f"s{n}",
                "account_id": draw.choice(ACCOUNTS),
                "started_on": day(),
                "mrr": draw.randrange(999),
            }
            for n in range(10)
        ],
        "revenue_ledger": [
            {"account_id": a, "product": "Core", "month": "2026-03-01", "mrr": draw.randrange(999)} for a in ACCOUNTS
        ],
    }


@settings(max_examples=4)
@given(st.integers(0, 10_000))
def test_sums_are_conserved_and_nothing_points_to_what_is_gone(seed):
    found = {"accounts": {"a1": "a0", "a2": "a0", "a4": "a3"}, "contacts": {"c5": "c4", "c1": "c0"}}
    plain = make_store(made(seed))
    resolved = ResolvedStore(plain, found)
    for name, column in [("opportunities", "amount"), ("subscriptions", "mrr"), ("revenue_ledger", "mrr")]:
        before, after = plain.table(name), resolved.table(name)
        assert before[column].sum().execute() == after[column].sum().execute()
        assert before.count().execute() == after.count().execute()
        assert after.columns == before.columns and after.schema() == before.schema()
    pointing = [schema for schema in TABLES.values() if {c.references for c in schema.columns} & set(found)]
    for schema in pointing:
        rows = resolved.table(schema.name).to_pandas()
        for column in schema.columns:
            if column.references in found:
                assert not set(rows[column.name].dropna()) & set(found[column.references])
    assert resolved.table("touchpoints").count().execute() == 12
    links = resolved.table("opportunity_contacts").to_pandas()
    assert not links.duplicated(["opportunity_id", "contact_id"]).any()
    deals = set(plain.table("opportunity_contacts").to_pandas()["opportunity_id"])
    assert set(links["opportunity_id"]) == deals
    assert set(resolved.table("accounts").to_pandas()["account_id"]) == {"a0", "a3", "a5"}
    assert set(resolved.table("contacts").to_pandas()["contact_id"]) == {"c0", "c2", "c3", "c4"}


def test_the_survivor_keeps_its_values_and_takes_what_it_lacks_from_the_newest():
    rows = [
        {"contact_id": "c0", "email": "own", "phone": None, "created_at": "2024-01-01"},
        {"contact_id": "c1", "email": "x", "phone": "1", "title": "CFO", "created_at": "2025-01-01"},
        {"contact_id": "c2", "email": "y", "phone": "2", "created_at": "2026-01-01"},
    ]
    store = ResolvedStore(make_store({"contacts": rows}), {"contacts": {"c1": "c0", "c2": "c0"}})
    [row] = store.table("contacts").to_pandas().to_dict("records")
    assert (row["contact_id"], row["email"], row["phone"], row["title"]) == ("c0", "own", "2", "CFO")
    assert str(row["created_at"])[:10] == "2024-01-01"


def test_a_company_never_owns_itself_and_a_link_stays_primary():
    tables = {
        "accounts": [
            {"account_id": "a0", "created_at": "2024-01-01"},
            {"account_id": "a1", "parent_account_id": "a0", "created_at": "2025-01-01"},
            {"account_id": "a2", "parent_account_id": "a1", "created_at": "2025-01-01"},
        ],
        "opportunity_contacts": [
            {"opportunity_id": "o", "contact_id": "c0", "role": "champion", "is_primary": False},
            {"opportunity_id": "o", "contact_id": "c1", "role": None, "is_primary": True},
        ],
    }
    store = ResolvedStore(make_store(tables), {"accounts": {"a1": "a0"}, "contacts": {"c1": "c0"}})
    parents = store.table("accounts").to_pandas().set_index("account_id")["parent_account_id"].to_dict()
    assert parents == {"a0": None, "a2": "a0"}
    [link] = store.table("opportunity_contacts").to_pandas().to_dict("records")
    assert (link["contact_id"], link["role"], link["is_primary"]) == ("c0", "champion", True)


def test_a_snapshot_says_that_it_is_resolved_and_can_read_the_rows_as_loaded():
    tables = {
        "accounts": [{"account_id": f"a{n}", "name": f"N{n}", "created_at": "2024-01-01"} for n in range(2)],
        "opportunities": [
            {"opportunity_id": "o", "account_id": "a1", "stage": "Proposal", "amount": 5, "created_at": "2026-01-01"}
        ],
    }
    plain = make_store(tables)
    before = Snapshot(plain, make_definitions(), DATA_THROUGH)
    after = Snapshot(ResolvedStore(plain, {"accounts": {"a1": "a0"}}), make_definitions(), DATA_THROUGH)
    assert before.deals.account_name.to_pandas().tolist() == ["N1"]
    assert after.deals.account_name.to_pandas().tolist() == ["N0"]
    assert after.deals.amount.sum().execute() == before.deals.amount.sum().execute() == Decimal(5)
    assert after.notes[0] == "Duplicates are resolved: 1 accounts count under the record that they repeat."
    assert after.as_loaded.deals.account_name.to_pandas().tolist() == ["N1"]
    assert before.as_loaded is before


def test_on_postgres_the_same(postgres_url):
    import ibis

    con = ibis.connect(postgres_url)
    found = {"accounts": {"a1": "a0", "a2": "a0"}, "contacts": {"c5": "c4"}}
    con.raw_sql("CREATE SCHEMA resolved_test").close()
    con.con.commit()
    there = ResolvedStore(make_store(made(3), con=con, database="resolved_test"), found)
    here = ResolvedStore(make_store(made(3)), found)
    for name in ("accounts", "contacts", "opportunity_contacts", "subscriptions", "touchpoints"):
        one, other = (
            store.table(name).to_pandas().sort_values(list(TABLES[name].key)).astype(str).reset_index(drop=True)
            for store in (here, there)
        )
        assert one.equals(other[one.columns]), name
    con.disconnect()


@pytest.mark.parametrize("tables", [("leads",), ("accounts", "deals")])
def test_only_accounts_and_contacts_can_be_resolved(tables):
    with pytest.raises(ValueError, match="duplicates"):
        make_definitions(duplicates={"resolve": tables})
