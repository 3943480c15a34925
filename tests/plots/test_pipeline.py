"""Figures of the pipeline: what stands on them, and that titles say what the figures show."""

from __future__ import annotations

import datetime as dt
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from revops_analysis.metrics.conversion import StageConversion
from revops_analysis.metrics.movement import LINES, MovementSpan, PipelineMovement
from revops_analysis.metrics.overview import Ageing, Coverage
from revops_analysis.periods import Period
from revops_analysis.plots import movement as draw_movement
from revops_analysis.plots import pipeline as draw
from revops_analysis.plots import stages as draw_stages
from revops_analysis.plots.style import PALETTE
from revops_analysis.reporting.figures import as_svg

QUARTER = Period("2026-Q3", dt.date(2026, 7, 1), dt.date(2026, 9, 30))
OPEN = pd.DataFrame(
    [("Discovery", "SMB", 100.0, 2), ("Discovery", None, 50.0, 1), ("Proposal", "SMB", 250.0, 3)],
    columns=["stage", "segment", "value", "n"],
)


def movement(**values: float) -> PipelineMovement:
    lines = pd.DataFrame({"line": LINES, "value": [values.get(line, 0.0) for line in LINES]})
    lines["n"] = (lines["value"] != 0).astype(int)
    span = MovementSpan(dt.date(2026, 6, 30), dt.date(2026, 9, 30))
    return PipelineMovement(span, "USD", (), lines, pd.DataFrame(), pd.DataFrame(), cast(Any, None))


def coverage(*rows: tuple) -> Coverage:
    columns = ["scope", "coverage", "required", "low", "high", "reason"]
    return Coverage(QUARTER, pd.DataFrame(rows, columns=columns))


def labels(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def written(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def assert_nothing_cut_off(figure: Figure) -> None:
    """Every text lies within the figure."""
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    assert box.x0 >= -0.02 and box.y0 >= -0.02
    assert box.x1 <= figure.get_figwidth() + 0.02 and box.y1 <= figure.get_figheight() + 0.02


def test_open_pipeline_stacks_segments_by_stage() -> None:
    figure = draw.plot_open_pipeline(OPEN, "USD")
    axes = figure.axes[0]
    assert labels(figure) == ["Discovery", "Proposal"]
    assert [bar.get_label() for bar in axes.containers] == ["SMB", "not set"]
    assert [patch.get_width() for patch in axes.containers[0]] == [100, 250]
    assert axes.get_xlabel() == "Open pipeline (USD)"
    assert written(figure) == ["150", "250"]
    assert figure.get_suptitle().replace("\n", " ") == "USD 400 is open in 6 deals; 62% of it in Proposal"
    assert_nothing_cut_off(figure)


def test_segments_differ_in_colour() -> None:
    axes = draw.plot_open_pipeline(OPEN, "USD").axes[0]
    assert len({patch.patches[0].get_facecolor() for patch in axes.containers}) == 2
    assert len(set(PALETTE)) == len(PALETTE)


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (OPEN.head(0), "No deal is open on this day."),
        (OPEN.assign(value=np.nan), "6 deals are open, and none has an amount."),
    ],
)
def test_where_there_is_nothing_to_draw_the_figure_says_why(frame: pd.DataFrame, text: str) -> None:
    assert written(draw.plot_open_pipeline(frame, "USD")) == [text]


def test_a_waterfall_ends_where_its_lines_lead() -> None:
    figure = draw_movement.plot_movement(
        movement(opening=100, created=60, amount_down=-10, lost=-70, won=-40, closing=40)
    )
    bars = figure.axes[0].patches
    assert labels(figure) == ["Opening", "Created", "Amount down", "Lost", "Won", "Closing"]
    assert [(bar.get_x(), bar.get_width()) for bar in bars][1] == (100, 60)
    assert bars[4].get_x() + bars[4].get_width() == 40 == bars[5].get_width()
    assert bars[1].get_facecolor() != bars[3].get_facecolor()
    assert written(figure) == ["100", "+60", "−10", "−70", "−40", "40"]
    title = figure.get_suptitle().replace("\n", " ")
    assert title == "The open pipeline fell by USD 60 since 2026-06-30: lost −70, created 60, won −40"
    assert_nothing_cut_off(figure)


def test_a_pipeline_that_did_not_move_says_so() -> None:
    still = movement(opening=100, closing=100)
    assert draw_movement.movement_title(still) == "The open pipeline did not move since 2026-06-30"
    draw_movement.plot_movement(still)
    draw_movement.plot_movement(movement())


@pytest.mark.parametrize(
    ("have", "words"),
    [(1.0, "1.0×, less than the 2.0×"), (2.1, "2.1×, about the 2.0×"), (3.0, "3.0×, more than the 2.0×")],
)
def test_the_verdict_on_coverage_respects_the_interval(have: float, words: str) -> None:
    title = draw.coverage_title(coverage(("Company", have, 2.0, 1.8, 2.2, None)))
    assert title == f"Coverage of 2026-Q3 is {words} that history says is required"


def test_coverage_shows_dot_and_interval_per_scope() -> None:
    figure = draw.plot_coverage(
        coverage(
            ("Company", 1.7, 2.2, 1.9, 2.4, None),
            ("SMB", 1.4, np.nan, np.nan, np.nan, "no pipeline in past periods"),
            (None, np.nan, np.nan, np.nan, np.nan, "no target is set for it"),
        )
    )
    assert labels(figure) == ["Company", "SMB"]
    assert written(figure) == ["1.7× of 2.2×", "1.4×"]
    assert figure.axes[0].get_xlabel() == "Open pipeline ÷ target still to be booked"
    assert_nothing_cut_off(figure)


def test_coverage_that_is_not_known_says_why() -> None:
    unknown = coverage(("Company", np.nan, np.nan, np.nan, np.nan, "target met"))
    assert draw.coverage_title(unknown) == "Coverage of 2026-Q3 is not known: target met."
    assert written(draw.plot_coverage(unknown)) == ["Coverage of 2026-Q3 is not known: target met."]


def conversion(rows: list[tuple]) -> StageConversion:
    columns = ["stage", "entered", "conversion", "low", "high", "loss", "reason"]
    return StageConversion(pd.DataFrame(rows, columns=columns), QUARTER, 180)


def test_conversion_names_the_narrowest_stage() -> None:
    figure = draw_stages.plot_stage_conversion(
        conversion(
            [
                ("Discovery", 1200, 0.5, 0.45, 0.55, 0.4, None),
                ("Proposal", 0, np.nan, np.nan, np.nan, np.nan, "no deal entered"),
                ("Negotiation", 80, 0.9, 0.85, 0.95, 0.1, None),
            ]
        )
    )
    assert labels(figure) == ["Discovery", "Negotiation"]
    assert written(figure) == ["50% of 1,200", "90% of 80"]
    assert "180 days" in figure.axes[0].get_xlabel()
    assert figure.get_suptitle().startswith("Discovery is the narrowest stage: 50%")
    assert_nothing_cut_off(figure)


def test_conversion_without_history_says_so() -> None:
    title = draw_stages.conversion_title(conversion([]))
    assert title == "Stage conversion is not known: the source has no history of stages."


def test_ageing_runs_from_light_to_dark() -> None:
    frame = pd.DataFrame(
        [("Discovery", "up to 30 days", 10.0, 1), ("Discovery", "over 180 days", 30.0, 2), ("Proposal", None, 5.0, 1)],
        columns=["stage", "age", "amount", "deals"],
    )
    stages = pd.DataFrame({"stage": ["Discovery"], "stalled_deals": [2], "stalled_amount": [30.0]})
    ageing = Ageing(frame, stages, pd.DataFrame())
    figure = draw.plot_ageing(ageing, "USD")
    bars = figure.axes[0].containers
    assert [bar.get_label() for bar in bars] == ["up to 30 days", "over 180 days", "not set"]
    assert sum(bars[0].patches[0].get_facecolor()[:3]) > sum(bars[1].patches[0].get_facecolor()[:3])
    assert draw.ageing_title(ageing, "USD").startswith("2 deals worth USD 30 (67% of the open pipeline) are stalled")
    assert_nothing_cut_off(figure)


def test_ages_that_are_not_known_are_said_to_be() -> None:
    frame = pd.DataFrame({"stage": ["Discovery"], "age": [None], "amount": [5.0], "deals": [1]})
    ageing = Ageing(frame, pd.DataFrame({"stalled_deals": [np.nan], "stalled_amount": [np.nan]}), pd.DataFrame())
    assert "no history of stages" in draw.ageing_title(ageing, "USD")
    assert "too few deals" in draw.ageing_title(Ageing(frame.assign(age="up to 30 days"), ageing.stages, frame), "USD")
    draw.plot_ageing(ageing, "USD")


def test_a_figure_is_the_same_bytes_every_time() -> None:
    assert as_svg(draw.plot_open_pipeline(OPEN, "USD")) == as_svg(draw.plot_open_pipeline(OPEN, "USD"))


def test_hostile_names_are_drawn_as_they_are() -> None:
    hostile = OPEN.assign(segment=["$x^2$", "_underscore", "<script>"])
    figure = draw.plot_open_pipeline(hostile, "USD")
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert shown == ["$x^2$", "_underscore", "<script>"]
