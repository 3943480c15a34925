"""Figures of duplicates say what they show, add up, and show nobody's data."""

from __future__ import annotations

import pytest

from revops_analysis.plots import duplicates as draw
from revops_analysis.validation.duplicates import duplicate_people
from validation.duplicates.people import company, contact, crowd


@pytest.fixture(scope="module")
def people():
    twice = [
        contact("a", "Margaret Hall", email="m.hall@acme.example", phone="+1 555 7654321", account_id="acme"),
        contact("b", "Peggy Hall", email="peggy@home.example", phone="5557654321", account_id="acme"),
    ]
    return duplicate_people(company(contacts=[*crowd(80), *twice]))


def test_the_reasons_add_up_to_the_sum_and_name_nobody(people) -> None:
    made = draw.plot_why(people, "a", "b")
    axes = made.axes[0]
    widths = [bar.get_width() for bar in axes.patches]
    assert sum(widths[:-1]) == pytest.approx(widths[-1])
    names = [label.get_text().replace("\n", " ") for label in axes.get_yticklabels()]
    assert names[0] == "where every pair starts" and names[-1] == "sum"
    assert "first name and its short form" in names and "same phone" in names
    text = " ".join([*names, made.get_suptitle()])
    assert "Hall" not in text and "@" not in text
    assert made.get_suptitle().replace("\n", " ").startswith("Two contacts are one with a probability of")


def test_every_pair_is_in_the_distribution(people) -> None:
    made = draw.plot_match_weights(people)
    assert sum(bar.get_height() for bar in made.axes[0].patches) == len(people.pairs)
    assert made.get_suptitle().replace("\n", " ") == draw.weights_title(people)
    assert "1 pair is one and the same" in draw.weights_title(people)


def test_without_pairs_the_figures_say_so() -> None:
    nobody = duplicate_people(company(contacts=[]))
    assert draw.weights_title(nobody) == "No two of 0 records are likely to be one"
    for made in (draw.plot_match_weights(nobody), draw.plot_why(nobody)):
        assert made.axes[0].texts
