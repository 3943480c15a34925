"""The definitions as an object: order of stages, kinds of categories."""

from __future__ import annotations

import pytest

from revops_analysis.definitions import Definitions

WORDS = Definitions.model_validate(
    {
        "version": "1",
        "reporting_currency": "EUR",
        "business_time_zone": "Europe/Paris",
        "stages": [
            {"name": "Talk", "outcome": "open", "entry": "Someone answered.", "probability": 0.2},
            {"name": "Offer", "outcome": "open", "entry": "A price is out."},
            {"name": "Won", "outcome": "won", "entry": "Signed."},
            {"name": "Lost", "outcome": "lost", "entry": "Over."},
            {"name": "Dropped", "outcome": "lost", "entry": "No answer for a year."},
        ],
        "forecast_categories": [
            {"name": "Out", "kind": "omitted", "meaning": "Left out."},
            {"name": "In", "kind": "commit", "meaning": "Promised."},
        ],
    }
)


def test_stages_keep_their_order_and_outcome() -> None:
    assert [WORDS.stage_order(name) for name in WORDS.stage_names] == [1, 2, 3, 4, 5]
    assert WORDS.lost_stages == ("Lost", "Dropped")
    assert WORDS.category_names == ("Out", "In")


def test_an_unknown_stage_names_those_that_exist() -> None:
    with pytest.raises(KeyError, match="Talk, Offer, Won, Lost, Dropped"):
        WORDS.stage_order("talk")


def test_equal_words_have_equal_hashes_and_other_words_do_not() -> None:
    again = Definitions.model_validate(WORDS.model_dump())
    assert again == WORDS
    assert again.hash == WORDS.hash
    assert WORDS.model_copy(update={"gross_margin": 0.5}).hash != WORDS.hash
