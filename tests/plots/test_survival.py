"""Figures of time to close: what stands on them, and that titles say what the figures show."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.cohorts import cohort
from revops_analysis.models.close_regression import CloseRegression, close_regression
from revops_analysis.models.time_to_close import TimeToClose, TimeToCloseOptions, time_to_close
from revops_analysis.plots import survival as draw
from revops_analysis.reporting.figures import as_svg

OPTIONS = TimeToCloseOptions(ages=(0, 30, 60, 90, 180), ahead=(90,), minimum_at_age=5, repeats=100)


def title(figure: Figure) -> str:
    return figure.get_suptitle().replace("\n", " ")


def written(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def rows(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def assert_nothing_cut_off(figure: Figure) -> None:
    """Every text lies within the figure."""
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    assert box.x0 >= -0.02 and box.y0 >= -0.02
    assert box.x1 <= figure.get_figwidth() + 0.02 and box.y1 <= figure.get_figheight() + 0.02


@pytest.fixture(scope="module")
def times() -> TimeToClose:
    """SMB: 30 of 100 won on day 40, the rest lost on day 50. Enterprise: 10 of 100 won on day 120, the rest on 130."""
    days = [40] * 30 + [50] * 70 + [120] * 10 + [130] * 90
    events = ["won"] * 30 + ["lost"] * 70 + ["won"] * 10 + ["lost"] * 90
    return time_to_close(cohort(days, events, ["SMB"] * 100 + ["Enterprise"] * 100), options=OPTIONS)


def test_incidence_shows_both_ends_and_the_numbers_at_risk(times: TimeToClose) -> None:
    figure = draw.plot_incidence(times)
    won, lost, numbers = figure.axes
    assert (won.get_ylabel(), lost.get_ylabel()) == ("Share won", "Share lost")
    assert numbers.get_xlabel() == "Days since creation\n(rows: deals still open and watched)"
    assert rows(numbers) == ["All deals", "SMB", "Enterprise"]
    at = ["0", "30", "60", "90", "120", "150", "180"]
    assert [label.get_text() for label in numbers.get_xticklabels()] == at
    assert written(numbers)[7:14] == ["100", "100", "0", "0", "0", "0", "0"]
    assert written(numbers)[14:] == ["100", "100", "100", "100", "100", "0", "0"]
    ends = [float(np.asarray(line.get_ydata())[-1]) for line in won.lines]
    assert ends == pytest.approx([0.2, 0.3, 0.1])
    assert [float(np.asarray(line.get_ydata())[-1]) for line in lost.lines] == pytest.approx([0.8, 0.7, 0.9])
    assert title(figure) == (
        "20% of deals are won within 180 days, half of them within 40 days; SMB most (30%), Enterprise least (10%)"
    )
    assert_nothing_cut_off(figure)


def test_curves_differ_in_colour_and_dash(times: TimeToClose) -> None:
    won = draw.plot_incidence(times).axes[0]
    assert len({line.get_color() for line in won.lines}) == 3
    assert [line.get_linestyle() for line in won.lines[1:]] == ["-", "--"]


def test_chances_by_age_show_how_many_deals_they_rest_on(times: TimeToClose) -> None:
    figure = draw.plot_chances(times)
    curves, numbers = figure.axes
    assert curves.get_ylabel() == "Won within 90 days"
    assert numbers.get_xlabel() == "Age of the open deal in days\n(rows: deals open at that age)"
    smb, enterprise = curves.lines[1:]
    assert np.asarray(smb.get_ydata()) == pytest.approx([0.3, 0.3])  # nobody is left at 60 days
    assert np.asarray(enterprise.get_ydata()) == pytest.approx([0.0, 0.1, 0.1, 0.1])
    assert title(figure) == (
        "The chance of an open deal does not change beyond chance with its age: 10% to 20% are won within 90 days"
    )
    assert_nothing_cut_off(figure)


def test_the_best_age_is_named_where_ages_differ_beyond_chance() -> None:
    days = [40] * 300 + [50] * 300 + [250] * 20 + [400] * 280
    events = ["won"] * 300 + ["lost"] * 300 + ["won"] * 20 + ["lost"] * 280
    found = time_to_close(cohort(days, events), options=OPTIONS)
    assert draw.chances_title(found) == (
        "Open deals have the best chance at an age of 0 days: 33% are won within 90 days; at 180 days it is 7%"
    )


def test_one_segment_has_one_curve_with_its_band() -> None:
    figure = draw.plot_incidence(time_to_close(cohort([10, 20, 200], ["won", "lost", "open"]), options=OPTIONS))
    assert rows(figure.axes[2]) == ["All deals"]
    assert len(figure.axes[0].lines) == len(figure.axes[0].collections) == 1
    assert title(figure) == "33% of deals are won within 180 days, half of them within 10 days"


def test_a_curve_ends_where_nothing_more_was_watched() -> None:
    figure = draw.plot_incidence(time_to_close(cohort([10, 70, 80], ["won", "open", "open"]), options=OPTIONS))
    assert np.asarray(figure.axes[0].lines[0].get_xdata())[-1] == 80
    assert title(figure) == "How deals end is not known: no deal has been watched for 180 days yet, the longest for 80."


def test_all_lost_is_drawn_as_it_is() -> None:
    figure = draw.plot_incidence(time_to_close(cohort([10, 70], ["lost", "lost"]), options=OPTIONS))
    assert title(figure) == "0% of deals are won within 180 days"
    lost = time_to_close(cohort([40] * 10, ["lost"] * 10), options=OPTIONS)
    assert draw.chances_title(lost) == "No deal of any age was won within 90 days"
    draw.plot_chances(lost)


def test_where_there_is_nothing_to_draw_the_figure_says_why() -> None:
    nothing = time_to_close(cohort([], []), options=OPTIONS)
    assert written(draw.plot_incidence(nothing).axes[0]) == ["How deals end is not known: no deals."]
    text = " ".join(written(draw.plot_chances(nothing).axes[0])).replace("\n", " ")
    assert text == "The chance of an open deal is not known: no deal was open at 0 days; 5 are needed."
    assert (
        draw.chances_title(nothing, 45) == "The chance of an open deal is not known: 45 days ahead was not asked for."
    )


def test_hostile_and_missing_names_are_drawn_as_they_are_and_long_ones_shortened() -> None:
    names = ["$x^2$", "<script>", None, "A segment with a very long name"]
    figure = draw.plot_incidence(time_to_close(cohort([5] * 4, ["won"] * 4, names), options=OPTIONS))
    shown = ["$x^2$", "<script>", "A segment with a…", "not set"]
    assert rows(figure.axes[2]) == ["All deals", *shown]
    assert_nothing_cut_off(figure)


def test_of_many_levels_the_four_with_the_most_deals_are_drawn() -> None:
    names = [f"s{n}" for n in range(9) for _ in range(n + 1)]
    figure = draw.plot_incidence(time_to_close(cohort([5] * 45, ["won"] * 45, names), options=OPTIONS))
    assert rows(figure.axes[2]) == ["All deals", *(f"s{n}" for n in range(5, 9))]
    assert_nothing_cut_off(figure)


def regression(*changed: str, low: float = 0.3) -> CloseRegression:
    coefficients = pd.DataFrame(
        {
            "model": "cox",
            "term": ["segment: Enterprise", "size"],
            "attribute": ["segment", "size"],
            "level": ["Enterprise", None],
            "reference": ["SMB", None],
            "coefficient": [-0.69, 0.01],
            "low": [np.log(low), -0.1],
            "high": [-0.3 if low < 1 else 0.3, 0.12],
            "ratio": [0.5, 1.01],
            "ratio_low": [low, 0.9],
            "ratio_high": [0.74, 1.13],
        }
    )
    checks = pd.DataFrame({"check": "one ratio at all ages", "term": list(changed), "verdict": "FAIL"})
    return CloseRegression(coefficients, checks, 0.6, 1.2, 100, 50)


def test_pace_shows_ratios_on_a_log_scale() -> None:
    figure = draw.plot_pace(regression())
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    assert rows(axes) == ["Enterprise\nagainst SMB", "size\n(one more)"]
    assert written(axes) == ["0.50 (0.30–0.74)", "1.01 (0.90–1.13)"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.5×", "1×"]
    assert "hazard ratio" in axes.get_xlabel()
    assert title(figure) == "Enterprise deals, against SMB, are won at 0.50 times the pace"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ratio with 95% interval"]
    assert_nothing_cut_off(figure)


def test_a_ratio_that_changes_with_age_is_hollow_and_not_in_the_title() -> None:
    figure = draw.plot_pace(regression("segment: Enterprise"))
    faces = figure.axes[0].collections[1].get_facecolors()
    assert faces[0].tolist() == [1, 1, 1, 1]
    assert faces[1].tolist() != [1, 1, 1, 1]
    assert [text.get_text() for text in figure.legends[0].get_texts()][1] == "changes with age"
    assert title(figure) == "Enterprise deals, against SMB, are won at a slower pace, by how much depends on age"


def test_no_clear_ratio_and_no_model_say_so() -> None:
    unclear = regression()
    unclear.coefficients["high"] = 0.5
    assert draw.pace_title(unclear) == "No attribute changes the pace of wins beyond chance"
    none = close_regression(pd.DataFrame({"days": [1], "event": ["lost"], "x": [1]}), ["x"])
    text = written(draw.plot_pace(none).axes[0])[0].replace("\n", " ")
    assert text == "What makes deals win sooner is not known: none of 1 deals was won."


def test_a_figure_is_the_same_bytes_every_time(times: TimeToClose) -> None:
    for made in (lambda: draw.plot_incidence(times), lambda: draw.plot_chances(times)):
        assert as_svg(made()) == as_svg(made())
    assert as_svg(draw.plot_pace(regression())) == as_svg(draw.plot_pace(regression()))
