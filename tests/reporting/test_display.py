"""What a notebook shows of results, and which names it completes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import make_definitions, make_store
from metrics.test_bookings import DEALS
from revops_analysis.errors import ConfigurationError, UnknownNameError
from revops_analysis.metrics.registry import MetricResult, metrics
from revops_analysis.reporting.completion import completions
from revops_analysis.reporting.display import activate, metric_html, sparkline
from revops_analysis.workspace import Workspace

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def ws() -> Workspace:
    deals = [{**deal, "segment": HOSTILE} if deal["opportunity_id"] == "w1" else deal for deal in DEALS]
    origin: Any = SimpleNamespace(project=None, profile=SimpleNamespace(hash=""), info=SimpleNamespace(profile_hash=""))
    return Workspace(make_store({"opportunities": deals}), make_definitions(), "2026-09-30", origin)


def test_a_metric_is_found_by_attribute_and_key_and_computes(ws: Workspace) -> None:
    assert "win_rate" in dir(ws.metrics)
    assert set(ws.metrics) == set(metrics())
    called = ws.metrics.bookings("2026-Q3", by="type")
    assert called.frame.equals(ws.metric("bookings", "2026-Q3", by=["type"]))
    assert ws.metrics["bookings"]["type"].frame.equals(called.frame)
    assert "segment" in ws.metrics.bookings._ipython_key_completions_()
    assert ws.metrics.to_frame().set_index("name").loc["win_rate", "unit"] == "rate"


def test_a_name_that_does_not_exist_is_answered_with_near_ones(ws: Workspace) -> None:
    with pytest.raises(UnknownNameError, match=r"no metric win_rat; did you mean win_rate"):
        _ = ws.metrics.win_rat
    assert not hasattr(ws.metrics, "win_rat")
    with pytest.raises(ConfigurationError, match="did you mean win_rate"):
        _ = ws.metrics["win_rat"]
    with pytest.raises(ConfigurationError, match="did you mean segment"):
        _ = ws.metrics.win_rate["segmnt"]
    with pytest.raises(UnknownNameError, match=r"no table acounts; did you mean accounts"):
        _ = ws.tables.acounts
    with pytest.raises(ConfigurationError, match="did you mean accounts"):
        _ = ws.tables["acounts"]


def test_menus_show_words_and_what_is_supplied(ws: Workspace) -> None:
    shown = ws.metrics._repr_html_()
    assert all(f"<code>{name}</code>" in shown for name in metrics())
    assert "won ÷ (won + lost)" in ws.metrics.win_rate._repr_html_()
    tables = ws.tables.to_frame().set_index("table")["supplied"]
    assert tables["opportunities"]
    assert not tables["contacts"]
    contacts = ws.tables.contacts
    assert "masked in reports" in contacts._repr_html_()
    assert "Not supplied" in repr(contacts)
    assert set(contacts.to_frame().query("personal").column) == {"name", "email", "phone"}
    assert ws.tables.opportunities().count().execute() == len(DEALS)


def test_a_result_shows_units_and_words_and_no_markup_of_the_data(ws: Workspace) -> None:
    cut = metric_html(ws.metrics.bookings("2026-Q3", by="segment"))
    assert "reporting currency" in cut
    assert HOSTILE not in cut
    assert "&lt;script&gt;" in cut
    assert "<svg" not in cut
    series = metric_html(ws.metrics.win_rate("2026-Q1...2026-Q3"))
    assert "%</td>" in series
    assert series.count("<svg") == 1


def test_a_kernel_uses_the_formatters_and_completions(ws: Workspace) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    try:
        activate()
        activate()
        html = shell.display_formatter.format(ws.metrics.win_rate("2026-Q3"))[0]["text/html"]
        assert "rv-shown" in html
        assert len(shell.Completer.custom_matchers) == 1
        shell.user_ns["ws"] = ws
        assert (
            shell.Completer.custom_matchers[0](SimpleNamespace(text_until_cursor='ws.metric("win_r'))["completions"][
                0
            ].text
            == "win_rate"
        )
    finally:
        InteractiveShell.clear_instance()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('ws.metric("win_ra', "win_rate"),
        ("x = ws.metric_result('win_ra", "win_rate"),
        ('ws.metrics["open_pi', "open_pipeline"),
        ('ws.metrics.win_rate["segm', "segment"),
        ('ws.metric("win_rate", "2026-Q3", by=["type", "segm', "segment"),
        ('ws.metrics.win_rate(by="segm', "segment"),
        ('ws.tables["opportunity_h', "opportunity_history"),
    ],
)
def test_names_in_quotes_complete(ws: Workspace, text: str, name: str) -> None:
    begun, names = completions(text, {"ws": ws})
    assert name in names
    assert text.endswith(begun)


@pytest.mark.parametrize(
    "text", ['other["win', 'ws.metric("nope", by=["s', 'ws.metrics.nope["s', "ws.metric(", 'print("win']
)
def test_other_text_is_left_to_ipython(ws: Workspace, text: str) -> None:
    assert completions(text, {"ws": ws, "other": {}})[1] == []
    assert completions('ws.metric("win', {"ws": object()})[1] == []


@given(st.lists(st.none() | st.floats(-1e12, 1e12), min_size=2, max_size=8))
def test_a_small_line_stays_in_its_frame_and_has_no_point_where_nothing_is_known(values: list[float | None]) -> None:
    import re

    svg = sparkline(values, [f"P{n}" for n in range(len(values))], "ratio")
    known = sum(value is not None for value in values)
    if known < 2:
        assert svg == ""
        return
    drawn = " ".join(re.findall(r'points="([^"]*)"', svg))
    points = [pair.split(",") for pair in drawn.split()]
    assert len(points) + svg.count("<circle") == known
    assert all(0 <= float(x) <= 240 and 0 <= float(y) <= 48 for x, y in points)


def test_a_result_type_is_what_the_formatter_names() -> None:
    assert (MetricResult.__module__, MetricResult.__name__) == ("revops_analysis.metrics.registry", "MetricResult")
