"""Figures of the forecast: what stands on them, and that titles say what the figures show."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from plots.forecasts import QUANTILES, make_forecast
from plots.test_pipeline import assert_nothing_cut_off, labels, written
from revops_analysis.models.forecast_changes import LINES, ForecastChanges
from revops_analysis.models.forecaster import QUANTILE_NAMES
from revops_analysis.plots import forecast as draw
from revops_analysis.plots import forecast_accuracy as draw_accuracy
from revops_analysis.plots.style import BLUE, GAIN, GREEN, LOSS, ORANGE, TOTAL
from revops_analysis.reporting.figures import as_svg


def said(figure: Figure) -> str:
    return figure.get_suptitle().replace("\n", " ")


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def fan(weeks: int = 4) -> pd.DataFrame:
    days = pd.date_range("2026-10-07", periods=weeks, freq="7D")
    rows = {"cutoff": days, "mean": np.linspace(950, 1000, weeks), "booked": np.linspace(50, 300, weeks)}
    return pd.DataFrame(rows).assign(**QUANTILES)


def no_range(**changes):
    made = make_forecast()
    return make_forecast(
        summary=made.summary.assign(**dict.fromkeys(QUANTILE_NAMES, np.nan)), draws=np.zeros(0), **changes
    )


def test_the_fan_shows_forecast_ranges_bookings_and_target() -> None:
    figure = draw.plot_fan(fan(), make_forecast())
    axes = figure.axes[0]
    assert len(axes.collections) == 3
    assert axes.lines[0].get_ydata().tolist() == pytest.approx(fan()["mean"].tolist())
    assert axes.lines[1].get_ydata().tolist() == pytest.approx(fan()["booked"].tolist())
    assert axes.lines[2].get_ydata()[0] == 1100
    assert axes.get_ylabel() == "Bookings (USD)"
    assert axes.get_xlabel() == "Day on which 2026-Q4 was forecast"
    assert legend(figure) == ["forecast", "50% range", "80% range", "95% range", "booked", "target"]
    assert axes.get_ylim()[0] == 0
    assert said(figure).startswith(
        "2026-Q4 is forecast at USD 1K (80% range 880 to 1.12K); the chance to reach the target"
    )
    assert_nothing_cut_off(figure)


def test_a_single_day_has_bars_for_its_ranges() -> None:
    figure = draw.plot_fan(fan(1), make_forecast())
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    assert heights == pytest.approx([400, 240, 120])
    assert_nothing_cut_off(figure)


def test_a_fan_without_target_or_range_says_so() -> None:
    title = draw.fan_title(fan(), make_forecast(target=None))
    assert title == "2026-Q4 is forecast at USD 1K (80% range 880 to 1.12K); no target is set"
    bare = fan().assign(**dict.fromkeys(QUANTILE_NAMES, np.nan))
    figure = draw.plot_fan(bare, no_range())
    assert said(figure) == "2026-Q4 is forecast at USD 1K, without a range, against the target of 1.1K"
    assert written(draw.plot_fan(fan().head(0), make_forecast())) == ["2026-Q4 has not been forecast on any day."]


@pytest.mark.parametrize(("target", "words"), [(5000.0, "under 1%"), (10.0, "over 99%"), (1000.0, "49%")])
def test_a_chance_is_never_nothing_or_certain(target: float, words: str) -> None:
    assert draw.fan_title(fan(), make_forecast(target=target)).endswith(f"is {words}")


def test_components_lead_from_booked_to_the_forecast() -> None:
    figure = draw.plot_components(make_forecast())
    bars = figure.axes[0].patches
    assert labels(figure) == ["Booked so far", "Open, likely", "Open, less likely", "Not yet created", "Forecast"]
    assert [(bar.get_x(), bar.get_width()) for bar in bars[:-1]] == [(0, 300), (300, 350), (650, 150), (800, 200)]
    assert (bars[4].get_x(), bars[4].get_width()) == (0, 1000)
    assert [to_hex(bar.get_facecolor()).upper() for bar in bars] == [GREEN, BLUE, BLUE, BLUE, TOTAL]
    assert legend(figure) == ["certain", "expected", "80% range", "target"]
    title = "30% of the forecast of 2026-Q4 is certain; 35% is expected from open deals that are likely to be won"
    assert said(figure) == title
    assert_nothing_cut_off(figure)


def test_where_nothing_is_expected_the_figure_says_so() -> None:
    made = make_forecast()
    nothing = make_forecast(
        components=made.components.assign(mean=0.0), summary=made.summary.assign(mean=0.0), target=None
    )
    assert written(draw.plot_components(nothing)) == ["Nothing is expected to be booked in 2026-Q4."]


def test_groups_are_shown_largest_first_with_what_belongs_to_none_last() -> None:
    figure = draw.plot_groups(make_forecast(), "segment")
    assert labels(figure) == ["SMB", "Enterprise"]
    assert [bar.get_width() for bar in figure.axes[0].patches] == [200, 100]
    assert said(figure) == "SMB brings 60% of the forecast; Enterprise is the least certain segment, 200 to 600"
    assert_nothing_cut_off(figure)
    teams = draw.plot_groups(make_forecast(), "team")
    assert labels(teams) == ["Northern and\nBaltic countries", "Deals not yet\ncreated"]
    assert_nothing_cut_off(teams)


def test_a_forecast_by_rule_has_no_groups() -> None:
    made = make_forecast()
    bare = make_forecast(groups=made.groups.head(0))
    assert written(draw.plot_groups(bare, "region")) == ["The forecast cannot be told apart by region."]


def changes(before: float | None = 1000.0, reason: str | None = None, **steps: float) -> ForecastChanges:
    after = (before or 0.0) + sum(steps.values())
    rows = [(line, LINES[line], value, 1) for line, value in steps.items()]
    lines = pd.DataFrame(rows, columns=["line", "title", "change", "n"])
    return ForecastChanges(dt.date(2026, 10, 24), before, after, lines, pd.DataFrame(), reason)


def test_changes_lead_from_the_forecast_before_to_the_one_after() -> None:
    figure = draw.plot_changes(changes(won=60, lost=-500, amount=0), "USD")
    bars = figure.axes[0].patches
    assert labels(figure) == ["2026-10-24", "Won", "Lost or moved out", "Now"]
    assert bars[2].get_x() == pytest.approx(560)
    assert bars[2].get_width() == pytest.approx(500)
    assert [to_hex(bar.get_facecolor()).upper() for bar in bars] == [TOTAL, GAIN, LOSS, TOTAL]
    assert written(figure) == ["1K", "+60", "−500", "560"]
    assert said(figure) == "The forecast fell by USD 440 since 2026-10-24: lost or moved out −500, won +60"
    assert figure.axes[0].get_xlim()[0] == 0
    assert_nothing_cut_off(figure)


def test_small_changes_are_drawn_on_an_axis_that_says_where_it_starts() -> None:
    figure = draw.plot_changes(changes(won=6, lost=-5), "USD")
    assert figure.axes[0].get_xlim()[0] > 900
    assert "does not start at zero" in figure.axes[0].get_xlabel()
    assert_nothing_cut_off(figure)


def test_a_forecast_that_did_not_move_says_so() -> None:
    still = changes(won=0)
    assert draw.changes_title(still, "USD") == "The forecast did not move since 2026-10-24"
    draw.plot_changes(still, "USD")
    draw.plot_changes(changes(before=0.0), "USD")


def test_a_forecast_that_cannot_be_compared_says_why() -> None:
    figure = draw.plot_changes(changes(before=None, reason="The data has nothing for that day."), "USD")
    assert written(figure) == ["The data has nothing for that day."]


def past(count: int = 6) -> pd.DataFrame:
    outcome = np.linspace(700, 1250, count)
    frame = pd.DataFrame({"period": [f"2025-Q{n}" for n in range(1, count + 1)], "week": 4, "outcome": outcome})
    return frame.assign(mean=1000.0, **QUANTILES)


def test_past_forecasts_stand_beside_what_was_booked() -> None:
    figure = draw_accuracy.plot_past(pd.concat([past(), past().assign(week=10, mean=0.0)]), "USD", 5)
    axes = figure.axes[0]
    assert len(axes.patches) == 18
    assert axes.get_ylabel() == "Bookings (USD)"
    assert axes.get_xticklabels()[0].get_text() == "2025\nQ1"
    assert said(figure) == (
        "Forecasts made at the end of week 4 were 16.9% off; in 2 of 6 periods bookings fell within the 80% range"
    )
    assert_nothing_cut_off(figure)
    assert "too short" in written(draw_accuracy.plot_past(past().head(0), "USD", 5))[0]


def accuracy() -> pd.DataFrame:
    errors = {"chosen": (0.2, 0.1, 0.05), "stage_weighted": (0.25, 0.12, 0.04), "last_period": (0.3, 0.3, np.nan)}
    rows = [
        {"method": name, "title": name.replace("_", " ").capitalize(), "week": week, "wape": wape, "n": 8}
        for name, wapes in errors.items()
        for week, wape in zip((1, 4, 10), wapes, strict=True)
    ]
    return pd.DataFrame(rows)


def overall(best: str | None) -> pd.DataFrame:
    return pd.DataFrame({"method": ["chosen"], "rival": [best]})


def test_accuracy_highlights_ours_and_the_best_rival() -> None:
    figure = draw_accuracy.plot_accuracy(accuracy(), overall("stage_weighted"))
    colours = [line.get_color() for line in figure.axes[0].lines]
    assert colours[-1] == BLUE
    assert colours[-2] == ORANGE
    assert len(set(colours)) == 3
    assert legend(figure) == ["our forecast", "best rival: stage weighted", "other methods"]
    assert said(figure) == (
        "The forecast is 20.0% off at the end of week 1 and 5.0% at the end of week 10; in 2 of 3 weeks closer than "
        "the best rule"
    )
    assert_nothing_cut_off(figure)


def test_accuracy_without_rivals_or_without_a_past_is_still_a_figure() -> None:
    alone = accuracy()[lambda frame: frame["method"] == "chosen"]
    assert legend(draw_accuracy.plot_accuracy(alone, overall(None))) == ["our forecast"]
    assert "not known" in written(draw_accuracy.plot_accuracy(accuracy().head(0), overall(None)))[0]
    assert_nothing_cut_off(draw_accuracy.plot_accuracy(alone[alone["week"] == 1], overall(None)))


def coverage(*shares: float) -> pd.DataFrame:
    frame = pd.DataFrame({"interval": [50, 80, 95], "n": 40, "share": shares})
    return frame.assign(low=frame["share"] - 0.1, high=(frame["share"] + 0.1).clip(upper=1.0))


@pytest.mark.parametrize(
    ("shares", "verdict"),
    [
        ((0.5, 0.8, 0.93), "as promised, within chance"),
        ((0.3, 0.6, 0.8), "too narrow"),
        ((0.7, 0.95, 1.0), "wider than they need be"),
        ((0.3, 0.95, 0.95), "not as promised"),
    ],
)
def test_ranges_are_judged_with_their_chance(shares: tuple[float, ...], verdict: str) -> None:
    figure = draw_accuracy.plot_coverage(coverage(*shares))
    assert said(figure).endswith(f"of the time: {verdict}")
    assert labels(figure) == ["50% range", "80% range", "95% range"]
    assert_nothing_cut_off(figure)


def test_a_figure_is_the_same_bytes_every_time() -> None:
    made = make_forecast()
    assert as_svg(draw.plot_fan(fan(), made)) == as_svg(draw.plot_fan(fan(), made))


def test_hostile_names_are_drawn_as_they_are() -> None:
    made = make_forecast()
    hostile = make_forecast(groups=made.groups.assign(group=["$x^2$", "_under", "<b>", "c"]))
    assert labels(draw.plot_groups(hostile, "segment")) == ["$x^2$", "_under"]
