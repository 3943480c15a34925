"""What is a mistyped word and what is a word of its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import make_definitions
from revops_analysis.validation.repairs.columns import FAMILIES, KnownWords, known_words
from revops_analysis.validation.repairs.likeness import slip
from revops_analysis.validation.repairs.suggest import SuggestOptions, suggest

NOTHING = KnownWords()


@pytest.mark.parametrize(
    ("word", "right"),
    [
        ("technolgy", "Technology"),
        ("Tecnology", "Technology"),
        ("Techonlogy", "Technology"),
        ("Retial", "Retail"),
        ("Retaill", "Retail"),
        ("Retsil", "Retail"),
        ("Manufacurin", "Manufacturing"),
        ("Finacial Services", "Financial Services"),
        ("logistic", "Logistics"),
        ("Partners", "Partner"),
        ("No decison", "No decision"),
        ("Enterprize", "Enterprise"),
    ],
)
def test_slips_of_typists_are_repaired(word: str, right: str) -> None:
    found, doubts = suggest({right: 500, word: 4}, NOTHING)
    assert [(each.value, each.replacement, each.kind) for each in found] == [(word, right, "typing")]
    assert not doubts


@pytest.mark.parametrize(
    ("word", "right"),
    [("MEDIA", "Media"), ("Health care", "Healthcare"), ("closed-won", "Closed Won"), ("emea", "EMEA")],
)
def test_case_blanks_and_punctuation_are_spelling(word: str, right: str) -> None:
    found, _ = suggest({right: 500, word: 300}, NOTHING)
    assert [(each.value, each.replacement, each.kind) for each in found] == [(word, right, "spelling")]


@pytest.mark.parametrize(
    ("rare", "frequent"),
    [
        ("Rental", "Retail"),
        ("South", "North"),
        ("West", "East"),
        ("Tier 2", "Tier 1"),
        ("Phase 12", "Phase 11"),
        ("Series B", "Series A"),
        ("Type III", "Type II"),
        ("1-10", "11-0"),
        ("<50", ">50"),
        ("C++", "C#"),
        ("SMB+", "SMB"),
        ("R&D", "R D"),
        ("Austria", "Australia"),
        ("Niger", "Nigeria"),
        ("Slovenia", "Slovakia"),
        ("Iran", "Iraq"),
        ("Gambia", "Zambia"),
        ("Northwestern", "Northeastern"),
        ("Biotechnology", "Technology"),
        ("Unqualified", "Qualified"),
        ("Outbound", "Inbound"),
        ("Marina", "Marine"),
        ("Mixing", "Mining"),
        ("Prize", "Price"),
        ("Prince", "Price"),
        ("Q1", "Q2"),
        ("Media", "Medical"),
        ("Non-profit", "Profit"),
    ],
)
def test_words_of_their_own_are_left_alone(rare: str, frequent: str) -> None:
    found, _ = suggest({frequent: 1000, rare: 2}, NOTHING)
    assert found == []


def test_two_frequent_words_are_two_words() -> None:
    found, doubts = suggest({"Partner": 500, "Partners": 200}, NOTHING)
    assert found == []
    assert [(doubt.value, doubt.candidates) for doubt in doubts] == [("Partners", ("Partner",))]


def test_a_few_rows_make_no_established_word() -> None:
    assert suggest({"Technology": 9, "technolgy": 1}, NOTHING)[0] == []
    known = KnownWords(frozenset({"Technology"}))
    assert len(suggest({"technolgy": 1}, known)[0]) == 1, "a word of the definitions needs no rows"


def test_a_word_near_two_others_is_a_doubt() -> None:
    found, doubts = suggest(
        {"Portals": 300, "Porters": 300, "Porals": 1, "Retals": 1, "Rentals": 200, "Retails": 200}, NOTHING
    )
    assert {each.value for each in found} == {"Porals"}
    assert [(doubt.value, doubt.candidates) for doubt in doubts] == [("Retals", ("Rentals", "Retails"))]


def test_a_word_of_the_definitions_is_never_a_mistake() -> None:
    known = KnownWords(frozenset({"Event", "Events"}))
    assert suggest({"Events": 900, "Event": 1}, known)[0] == []
    assert suggest({"EVENTS": 900, "Events": 1}, known)[0][0].replacement == "Events"


def test_words_that_the_definitions_map_are_left_to_them() -> None:
    known = known_words("channel", make_definitions())
    found, _ = suggest({"Webinar": 500, "Webinars": 5, "Webinr": 2, "paid-search": 9}, known)
    assert [(each.value, each.replacement) for each in found] == [("Webinr", "Webinar")]


def test_a_long_list_of_words_is_not_judged() -> None:
    words = {f"Word{chr(97 + n // 26)}{chr(97 + n % 26)}": 50 for n in range(450)}
    assert suggest(words | {"Technology": 500, "technolgy": 1}, NOTHING) == ([], [])


_WORDS = st.dictionaries(st.text("abAB cé1+-", min_size=1, max_size=9), st.integers(1, 500), max_size=8)


@given(rows=_WORDS, right=st.lists(st.text("abAB cé1+-", min_size=1, max_size=9), max_size=2))
def test_suggestions_end_somewhere(rows: dict[str, int], right: list[str]) -> None:
    """What is suggested is there or known, is no suggestion itself, and a known word stays what it is."""
    known = KnownWords(frozenset(right))
    found, doubts = suggest(rows, known, SuggestOptions(rare_share=0.5, established_rows=1))
    replaced = [each.value for each in found]
    assert len(replaced) == len(set(replaced))
    assert set(replaced) <= rows.keys() - known.right
    assert not {each.replacement for each in found} & set(replaced)
    assert {each.replacement for each in found} <= rows.keys() | known.right
    assert not set(replaced) & {doubt.value for doubt in doubts}


@given(word=st.text("abcde 12", min_size=1, max_size=12), other=st.text("abcde 12", min_size=1, max_size=12))
def test_words_with_other_digits_never_resemble(word: str, other: str) -> None:
    digits = ["".join(letter for letter in text if letter.isdigit()) for text in (word, other)]
    if digits[0] != digits[1]:
        assert slip(word, other) in ("none", "near")


def test_only_columns_of_words_are_looked_at() -> None:
    from revops_analysis.tables.schema import TABLES

    free = {"name", "title", "email", "phone", "next_step", "domain", "company"}
    for places in FAMILIES.values():
        for table, column in places:
            declared = TABLES[table].column(column)
            assert declared.kind == "text" and not declared.personal and declared.references is None
            assert column not in free and column not in TABLES[table].key[:1]
