"""Figures of flags say what they show, and draw nothing that is not there."""

from __future__ import annotations

import pytest

from models.flagged_company import flagged_company, rows
from revops_analysis.models.deal_flags import deal_flags
from revops_analysis.plots import flags as draw

DRAWN = {
    "effects": (draw.plot_flag_effects, draw.effects_title),
    "warned": (draw.plot_warned, draw.warned_title),
}


@pytest.fixture(scope="module")
def found():
    return deal_flags(flagged_company())


@pytest.mark.parametrize("name", DRAWN)
def test_the_title_states_the_finding(found, name) -> None:
    plot, title = DRAWN[name]
    figure = plot(found)
    assert figure.get_suptitle().replace("\n", " ") == title(found)
    assert any(character.isdigit() for character in title(found))
    assert figure.axes[0].get_xlabel()


def test_only_measured_flags_are_drawn_in_colour(found) -> None:
    axes = draw.plot_flag_effects(found).axes[0]
    labels = {label.get_text(): label.get_color() for label in axes.get_yticklabels()}
    assert labels.pop("Pushed again and again") == draw.INK
    greyed = [row["title"] for row in found.flags.to_dict("records") if row["title"] in labels]
    assert {labels[title] for title in greyed if title not in set(found.measured["title"])} == {draw.GREY}


def test_without_a_past_the_figure_is_its_reason() -> None:
    nothing = deal_flags(flagged_company({name: [] for name in rows(1)}))
    for plot, title in DRAWN.values():
        assert "not known" in title(nothing)
        assert plot(nothing).axes[0].texts
