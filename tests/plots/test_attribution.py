"""Figures of attribution state what they show, and say why where there is nothing."""

from __future__ import annotations

import warnings
from dataclasses import replace
from io import BytesIO

import pytest

from attribution.overview_cases import company
from revops_analysis.attribution.overview import attribution_overview
from revops_analysis.plots import attribution as draw

NAMES = ("dispute", "credit", "returns", "flow", "team_pipeline")
TITLES = {name: getattr(draw, f"{'team' if name == 'team_pipeline' else name}_title") for name in NAMES}


@pytest.fixture(scope="module")
def overview():
    return attribution_overview(company(), "2026-Q3")


def texts(made) -> str:
    found = [text.get_text() for axes in made.axes for text in axes.texts]
    ticks = [label.get_text() for axes in made.axes for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]]
    return " | ".join([*found, *ticks, *[axes.get_xlabel() for axes in made.axes]])


@pytest.mark.parametrize("name", NAMES)
def test_the_title_is_the_finding_and_nothing_is_cut_off(overview, name):
    made = getattr(draw, f"plot_{name}")(overview)
    assert " ".join(made.get_suptitle().split()) == TITLES[name](overview)
    made.savefig(BytesIO())
    width = made.bbox.width
    for axes in made.axes:
        for text in axes.texts:
            box = text.get_window_extent()
            assert box.x0 >= -1, text.get_text()
            assert box.x1 <= width + 1, text.get_text()


def test_sentences_name_the_figures(overview):
    assert draw.dispute_title(overview).startswith("Marketing sourced ")
    assert "marketing says" in draw.dispute_title(overview)
    assert "Email is credited with more than programmes cost, Event less" in draw.returns_title(overview)
    assert (
        draw.flow_title(overview)
        == "100% of booked deals end with another channel than they began with; Email begins 50%"
    )
    assert "by model it is" in draw.credit_title(overview)


def test_channels_and_models_are_named_on_the_axes(overview):
    shown = texts(draw.plot_credit(overview))
    assert all(name in shown for name in ("Email", "Event", "Outbound"))
    assert "First touch" in texts(draw.plot_flow(overview))
    assert "Official" in texts(draw.plot_dispute(overview))


def test_where_there_is_nothing_the_figure_says_why():
    nothing = attribution_overview(company(spend=False, touched=False), "2026-Q3")
    for name in ("credit", "returns", "flow"):
        (axes,) = getattr(draw, f"plot_{name}")(nothing).axes
        assert axes.texts[0].get_text().replace("\n", " ") == TITLES[name](nothing)
    earlier = attribution_overview(company(), "2025-Q1")
    assert "No pipeline" in draw.dispute_title(earlier)
    assert "No pipeline" in draw.team_title(earlier)


def test_a_channel_that_brought_nothing_stands_at_the_left_edge(overview):
    returns = overview.returns.copy()
    returns.loc[returns.index[-1], ["official", "lowest", "low"]] = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        axes = draw.plot_returns(replace(overview, returns=returns)).axes[0]
    assert "nothing stands at the left edge" in axes.get_xlabel()
    left, right = axes.get_xlim()
    assert 0 < left < right
    (points,) = (line for line in axes.lines if line.get_marker() == "o")
    assert min(points.get_xdata()) == pytest.approx(left)
