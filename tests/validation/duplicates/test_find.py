"""Who is put together and who is not, on people and companies written by hand."""

from __future__ import annotations

import pytest

from revops_analysis.errors import ConfigurationError
from revops_analysis.validation.duplicates.find import Found, find_duplicates
from validation.duplicates.people import account, company, contact, crowd

CROWD = crowd()


def groups(found: Found) -> set[frozenset[str]]:
    return {frozenset(group) for _, group in found.clusters.groupby("cluster")["record"]}


def contacts(*rows) -> Found:
    return find_duplicates(company(contacts=[*CROWD, *rows]), "contacts")


def test_ways_of_writing_one_person_are_one():
    same = [
        contact(
            "a1",
            "Dr. Margaret O'Brien",
            email="margaret.obrien@acme.example",
            phone="+1 (555) 234-5678",
            account_id="acme",
        ),
        contact("a2", "O'Brien, Peggy", email="Margaret.OBrien+news@ACME.example", account_id="acme"),
        contact("a3", "M. OBrien", email=None, phone="001 555 234 5678 ext. 12", account_id="acme"),
        contact("a4", "Margaret O’Brein", email="margaret.obrien@gmail.com", phone="555 234 5678", account_id="acme"),
        contact("a5", "MARGARET OBRIEN", account_id="acme"),
    ]
    assert groups(contacts(*same)) == {frozenset({"a1", "a2", "a3", "a4", "a5"})}


def test_a_shared_mailbox_makes_nobody_one():
    found = contacts(
        contact("a", "Emma Stone", email="info@acme.example", phone="+1 555 234 5678", account_id="acme"),
        contact("b", "Noah Field", email="info@acme.example", phone="+1 555 234 5678", account_id="acme"),
        contact("c", None, email="info@acme.example", phone="+1 555 234 5678", account_id="acme"),
        contact("d", "", email="info@acme.example", account_id="acme"),
    )
    assert groups(found) == set()


def test_a_family_at_one_company_is_not_one_person():
    found = contacts(
        contact("a", "John Miller", email="miller@acme.example", phone="+1 555 234 5678", account_id="acme"),
        contact("b", "Mary Miller", email="miller@acme.example", phone="+1 555 234 5678", account_id="acme"),
        contact("c", "John Miller Jr.", email="john.miller@acme.example", phone="+1 555 234 5678", account_id="acme"),
        contact("d", "John Miller Sr.", email="johnmiller@acme.example", phone="+1 555 234 5678", account_id="acme"),
    )
    together = groups(found)
    assert not any({"b"} & group for group in together)
    assert not any({"c", "d"} <= group for group in together)
    reasons = found.pairs.set_index(["left", "right"])["reason"]
    assert reasons["a", "b"] == "different first names"


def test_people_who_share_a_surname_and_a_switchboard_are_not_one():
    found = contacts(
        *[
            contact(f"s{n}", f"{first} Santos", phone="+1 555 234 5678", account_id="acme")
            for n, first in enumerate(["Ana", "Eva", "Leo", "Rui", "Ivo"])
        ],
        contact("m", "Maria Lopez", phone="+1 555 999 1234", account_id="acme"),
        contact("n", "Maria Chen", phone="+1 555 999 1234", account_id="acme"),
    )
    assert groups(found) == set()


def test_an_initial_that_fits_two_people_is_given_to_neither():
    found = contacts(
        contact("a", "Jane Miller", email="jane.miller@acme.example", account_id="acme"),
        contact("b", "Jack Miller", email="jack.miller@acme.example", account_id="acme"),
        contact("c", "J. Miller", account_id="acme"),
    )
    assert groups(found) == set()
    assert set(found.review["reason"]) == {"fits two records that cannot be one, about equally well"}


def test_an_initial_with_a_phone_goes_to_whom_the_phone_belongs():
    found = contacts(
        contact("a", "Jane Miller", email="jane.miller@acme.example", phone="+1 555 111 7777", account_id="acme"),
        contact("b", "Jack Miller", email="jack.miller@acme.example", phone="+1 555 222 8888", account_id="acme"),
        contact("c", "J. Miller", phone="(555) 222-8888", account_id="acme"),
    )
    assert groups(found) == {frozenset({"b", "c"})}


def test_one_name_at_two_companies_is_two_people():
    found = contacts(
        contact("a", "John Smith", email="john.smith@acme.example", account_id="acme"),
        contact("b", "John Smith", email="john.smith@globex.example", account_id="globex"),
    )
    assert groups(found) == set()


ACCOUNTS = [
    account(f"k{n:03d}", f"{a}{b} {c}", domain=f"{a}{b}{c}.example".lower(), country="Germany", employees=20 + 7 * n)
    for n, (a, b, c) in enumerate(
        (a, b, c)
        for a in ("Sun", "Moon", "Star", "Sky", "Sea")
        for b in ("berg", "feld", "haus", "wald")
        for c in ("Optik", "Druck", "Stahl", "Holz")
    )
]


def accounts(*rows) -> Found:
    return find_duplicates(company(accounts=[*ACCOUNTS, *rows]), "accounts")


def test_ways_of_writing_one_company_are_one():
    found = accounts(
        account("a", "Acme Müller & Co. KG", domain="https://www.acme-mueller.de/start", country="Germany"),
        account("b", "ACME MULLER AND", domain="acme-mueller.de", country="Germany"),
        account("c", "The Quux Corporation", domain="quux.example", country="France", employees=417),
        account("d", "Quux S.A.", domain="quux.fr", country="France", employees=417),
    )
    assert groups(found) == {frozenset("ab"), frozenset("cd")}


def test_companies_of_one_group_with_one_domain_stay_apart():
    found = accounts(
        account("p", "Globex Corporation", domain="globex.example", country="Germany", employees=9000),
        account("q", "Globex Deutschland GmbH", domain="globex.example", country="Germany", parent_account_id="p"),
        account("r", "Globex France SAS", domain="globex.example", country="France", parent_account_id="p"),
        account("s", "Initech Brakes Ltd", domain="globex.example", country="Germany", parent_account_id="p"),
        account("t", "Globex Germany 2", domain="globex.example", country="Germany"),
        account("u", "Globex Germany 3", domain="globex.example", country="Germany"),
        account("v", "Hooli Chips", domain="globex.example", country="Germany"),
    )
    assert groups(found) == set()


def test_free_mail_says_nothing_about_a_company():
    found = accounts(
        account("a", "Bakery Jones", domain="gmail.com", country="Germany"),
        account("b", "Bakery James", domain="gmail.com", country="Germany"),
        account("c", "Plumber Smith", domain="gmail.com", country="Germany"),
    )
    assert groups(found) == set()


def test_leads_are_found_among_contacts_by_address_or_by_the_name_in_it():
    made = company(
        contacts=[*CROWD, contact("a", "Jane Miller", email="jane.miller@acme.example", account_id="acme")],
        leads=[
            {"lead_id": "l1", "email": "Jane.Miller@acme.example", "created_at": "2025-03-01"},
            {"lead_id": "l2", "email": "jane.miller@gmail.com", "company": "Firm acme", "created_at": "2025-03-01"},
            {"lead_id": "l3", "email": "info@acme.example", "company": "Firm acme", "created_at": "2025-03-01"},
            {"lead_id": "l4", "email": None, "company": "Firm acme", "created_at": "2025-03-01"},
        ],
    )
    found = find_duplicates(made, "leads-contacts")
    assert groups(found) == {frozenset({"a", "l1", "l2"})}
    assert set(found.clusters["cluster"]) == {"a"}, "the contact outlives its leads"


def test_contacts_without_leads_have_none_to_link():
    """A part of the company has contacts and no leads: those are withheld from it."""
    found = find_duplicates(company(contacts=[contact("1", "Ana Ruiz"), contact("2", "Bo Li")]), "leads-contacts")
    assert (found.records, found.copies, found.compared) == (0, 0, 0)
    assert found.weights.notes == ("No two records to compare: nothing to train.",)


@pytest.mark.parametrize("rows", [[], [contact("a", "Ann Lee", email="a@b.example")]])
def test_fewer_than_two_records_have_no_duplicates(rows):
    found = find_duplicates(company(contacts=rows), "contacts")
    assert (found.copies, len(found.pairs), found.records) == (0, 0, len(rows))
    assert "nothing to train" in " ".join(found.weights.notes)


def test_without_any_duplicate_the_defaults_are_used_and_nothing_is_found():
    found = contacts()
    assert found.copies == 0
    assert set(found.weights.frame["basis"]) == {"default"}
    assert any("default weights" in note for note in found.weights.notes)


def test_two_records_alone_are_compared_by_the_defaults():
    rows = [contact(key, "Ann Lee", email="ann.lee@b.example", phone="030 1234599") for key in "ab"]
    assert groups(find_duplicates(company(contacts=rows), "contacts")) == {frozenset("ab")}


def test_empty_columns_and_placeholders_bring_nobody_together():
    empty = [contact(f"e{n}", None) for n in range(30)]
    noise = [contact(f"n{n}", "n/a", email="none", phone="000-000 0000", account_id="acme") for n in range(30)]
    found = find_duplicates(company(contacts=[*empty, *noise]), "contacts")
    assert (found.copies, found.records) == (0, 60)


def test_hostile_values_are_values():
    texts = [
        "'; DROP TABLE records; --",
        "=HYPERLINK(1)",
        "<b>Ann</b>",
        "\x00\x07",
        "🙂 🙂",
        "a" * 5000,
        "O'\"\\",
        "%s {x}",
    ]
    rows = [contact(f"h{n}", text, email=text, phone=text, account_id="acme") for n, text in enumerate(texts)]
    assert groups(find_duplicates(company(contacts=[*CROWD, *rows]), "contacts")) == set()


@pytest.mark.parametrize(("table", "threshold"), [("deals", 0.95), ("contacts", 0.2), ("contacts", 1.0)])
def test_what_cannot_be_asked_is_refused(table, threshold):
    with pytest.raises(ConfigurationError):
        find_duplicates(company(contacts=[]), table, threshold)
