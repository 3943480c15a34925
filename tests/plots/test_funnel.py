"""Figures of the hand-off say what they show, and draw nothing that is not there."""

from __future__ import annotations

import pytest

from models.lead_companies import bare, chance_company
from revops_analysis.models.lead_handoff import lead_handoff
from revops_analysis.plots import funnel as draw

NAMES = ("funnel", "quarrel", "speed", "refusals", "near_best")


@pytest.fixture(scope="module")
def found():
    return lead_handoff(chance_company(), "2026-Q2")


def texts(figure) -> str:
    words = [text.get_text() for axes in figure.axes for text in axes.texts]
    words += [label.get_text() for axes in figure.axes for label in axes.get_yticklabels()]
    words += [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return " | ".join(words)


@pytest.mark.parametrize("name", NAMES)
def test_each_figure_is_titled_with_its_finding(name, found) -> None:
    figure = getattr(draw, f"plot_{name}")(found)
    assert figure.get_suptitle().replace("\n", " ") == getattr(draw, f"{name}_title")(found)


def test_bars_carry_their_numbers(found) -> None:
    reached = found.reached.set_index("stage")["n"]
    assert f"{reached['lead']:,}" in texts(draw.plot_funnel(found))
    assert "Not answered" in texts(draw.plot_speed(found))
    quarrel = draw.plot_quarrel(found)
    assert "never worked: unknown" in texts(quarrel)
    widths = [bar.get_width() for bar in quarrel.axes[0].patches]
    assert sum(widths[:3]) == pytest.approx(found.replay.of("current rule")["passed_month"])
    assert sum(widths[3:6]) == pytest.approx(found.replay.of("new rule")["passed_month"])


def test_refusals_add_up_by_side(found) -> None:
    figure = draw.plot_refusals(found)
    assert sum(bar.get_width() for bar in figure.axes[0].patches) == found.refusals["n"].sum()


def test_the_rules_stand_where_their_figures_say(found) -> None:
    figure = draw.plot_near_best(found)
    row = found.proposal.against.set_index("rule").loc["proposed rule"]
    points = [line.get_xydata()[0].tolist() for line in figure.axes[0].lines if len(line.get_xydata()) == 1]
    assert [row["recall"], row["precision"]] in points


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("which", ["no table", "empty", "one lead"])
def test_without_data_each_figure_is_its_reason(name, which) -> None:
    found = lead_handoff(bare(which), "2026-Q2")
    figure = getattr(draw, f"plot_{name}")(found)
    assert figure.axes
    assert getattr(draw, f"{name}_title")(found)
    if which == "no table":
        assert "no leads table" in getattr(draw, f"{name}_title")(found)
