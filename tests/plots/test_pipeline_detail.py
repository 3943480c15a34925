"""Figures of stages' what-if and of the pipeline's detail: what stands on them, and that titles say what they show."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from metrics.dealflow.stories import STORIES, book_of
from revops_analysis.metrics.dealflow.slippage import slippage
from revops_analysis.metrics.dealflow.stage_chain import StageWhatIf
from revops_analysis.metrics.dealflow.win_loss import win_loss
from revops_analysis.periods import Period
from revops_analysis.plots import pipeline_detail as draw
from revops_analysis.plots import stages

YEAR = Period("2025-10-01..2026-09-30", dt.date(2025, 10, 1), dt.date(2026, 9, 30))
STAGES = ("Discovery", "<b>Proposal</b> $x$")


def what_if(best: tuple[float, float], reason: str | None = None) -> StageWhatIf:
    gain = np.array([1000.0, 2000.0])
    columns = {"gain": gain, "low": gain * 0.9, "high": gain * 1.1, "best": best, "best_faster": (0.5, 0.5)}
    frame = pd.DataFrame({"stage": STAGES, **columns})
    if reason:
        frame[["gain", "low", "high", "best"]] = np.nan
    return StageWhatIf(frame, 10_000.0, 9_000.0, 11_000.0, 180, reason)


def written(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def title(figure: Figure) -> str:
    return " ".join(figure.get_suptitle().split())


def test_the_bottleneck_is_named_only_where_it_stands_out() -> None:
    figure = stages.plot_stage_what_if(what_if((0.1, 0.9)), "USD")
    assert title(figure).startswith("<b>Proposal</b> $x$ is the bottleneck")
    assert written(figure) == ["1K, best in 10%", "2K, best in 90%"]
    assert stages.what_if_title(what_if((0.4, 0.6)), "USD").startswith("No stage stands out")
    nothing = what_if((0.4, 0.6), "no deal was won in the year")
    assert "no deal was won in the year" in stages.what_if_title(nothing, "USD")
    assert written(stages.plot_stage_what_if(nothing, "USD"))


def test_months_show_what_became_of_their_deals() -> None:
    found = slippage(book_of(STORIES))
    figure = draw.plot_slippage(found)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["Jul 2026", "Aug 2026"]
    assert "50% of 6" in written(figure)
    widths = {}
    for patch in figure.axes[0].patches:
        row = round(patch.get_y() + patch.get_height() / 2)
        widths[row] = widths.get(row, 0) + patch.get_width()
    assert all(abs(width - 1) < 1e-9 for width in widths.values())
    assert "were still open at its end" in title(figure)
    nothing = slippage(book_of({}))
    assert "not known" in written(draw.plot_slippage(nothing))[0].replace("\n", " ")


def test_win_rates_show_each_kind_and_say_when_nothing_stands_out() -> None:
    found = win_loss(book_of(STORIES), YEAR)
    figure = draw.plot_win_rates(found)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert "type: new" in names and "competitor: not set" in names
    assert not any(name.startswith("owner") for name in names)
    assert "no kind of deal clearly less often" in title(figure)
    before = Period("2020", YEAR.start.replace(year=2020), YEAR.end.replace(year=2020))
    assert "No deal closed" in written(draw.plot_win_rates(win_loss(book_of(STORIES), before)))[0]
