"""The card says what the registry says, looks back eight periods, and gives a reason for whatever is missing."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from models.forecast_cases import past_deals, tables_of, workspace_of
from models.lifetime.subscribers import annual_terms
from revops_analysis.findings.scorecard_actions import NOBODY_LOOKS, Action, scorecard_actions
from revops_analysis.models import scorecard as module
from revops_analysis.models.scorecard import MEASURES, PERIODS, Scorecard, scorecard
from revops_analysis.periods import parse_period
from revops_analysis.plots.scorecard import plot_trends
from revops_analysis.project import find_project
from revops_analysis.reporting.fragments import TEMPLATES
from revops_analysis.reporting.key_figures import collect_rows
from revops_analysis.reporting.printing.printer import write_pdf
from revops_analysis.reporting.scorecard_table import render_scorecard
from revops_analysis.workspace import Origin, Workspace

PERIOD = "2026-Q3"
REGISTERED = ("pipeline_created", "bookings", "win_rate", "average_deal_size", "sales_cycle_days", "nrr", "grr")


def _workspace(**tables: object) -> Workspace:
    """A small company, in the project of this repository, which has the playbook."""
    made = workspace_of({**tables_of(past_deals()), **tables})  # type: ignore[dict-item]
    origin = Origin(find_project(), made.origin.profile, made.origin.info)
    return Workspace(made._store, made.definitions, made.as_of, origin)


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    return _workspace(subscriptions=annual_terms(40, 1, first="2024-01-15"))


@pytest.fixture(scope="module")
def card(workspace: Workspace) -> Scorecard:
    return scorecard(workspace, PERIOD)


def test_values_and_those_of_a_year_ago_are_the_registrys(workspace: Workspace, card: Scorecard) -> None:
    lines = card.lines.set_index("measure")
    for name in REGISTERED:
        for column, period in (("value", PERIOD), ("year_ago", "2025-Q3")):
            expected = workspace.metric(name, period)["value"].iloc[0]
            assert lines.loc[name, column] == pytest.approx(expected, nan_ok=True)
    assert lines.index.tolist() == [measure.name for measure in MEASURES]
    assert lines.loc["bookings", "change"] == lines.loc["bookings", "value"] - lines.loc["bookings", "year_ago"]
    assert lines.loc["bookings", "target"] == 2000
    assert lines["definition"].str.len().min() > 0


def test_trends_end_with_the_value_and_look_back_eight_periods(card: Scorecard) -> None:
    for line in card.lines.to_dict("records"):
        trend = card.of(line["measure"])
        periods = list(dict.fromkeys(trend["period"]))
        assert (len(periods), periods[-1]) == (PERIODS, line["period"])
        if line["measure"] != "sourced_share":
            assert trend["value"].iloc[-1] == pytest.approx(line["value"], nan_ok=True)


def test_past_coverage_is_that_of_the_same_day_as_it_was_seen_then(workspace: Workspace, card: Scorecard) -> None:
    trend = card.of("coverage").set_index("period")
    day = dt.date(2026, 4, 1) + (workspace.as_of - dt.date(2026, 7, 1))
    assert trend.loc["2026-Q2", "reason"] == workspace.at(day).metric("coverage", "2026-Q2")["reason"].iloc[0]
    assert trend.loc[PERIOD, "value"] == workspace.metric("coverage", PERIOD)["value"].iloc[0]


def test_whatever_is_missing_has_its_reason(card: Scorecard) -> None:
    lines = card.lines.set_index("measure")
    for value, reason in (("value", "reason"), ("target", "target_reason"), ("year_ago", "year_ago_reason")):
        assert (lines[value].isna() == lines[reason].notna()).all()
    assert lines.loc["sourced_share", "reason"] == "the source has no touchpoints table"
    for rows in (card.headline, list(card.figures)):
        collect_rows(rows, PERIOD)  # refuses a missing value without a reason


def test_a_month_finds_its_year_ago_further_back_than_its_trend(workspace: Workspace) -> None:
    measure = next(each for each in MEASURES if each.name == "bookings")
    month = parse_period("2026-07", workspace.definitions.fiscal_calendar)
    trend = module._trend(workspace, measure, month)
    line = module._line(workspace, measure, trend, month)
    assert line["year_ago"] == workspace.metric("bookings", "2025-07")["value"].iloc[0]
    assert trend["period"].tolist() == ["2025-07", "2025-12", *(f"2026-{number:02d}" for number in range(1, 8))]


def test_values_of_lifetimes_are_compared_over_one_horizon(card: Scorecard) -> None:
    trend = card.of("lifetime_value")
    known = trend["value"].notna()
    assert known.iloc[-1]
    assert not known.iloc[0]
    assert trend.loc[~known, "reason"].str.contains("months ago").all()


def test_every_line_has_what_to_do_or_why_there_is_nothing(workspace: Workspace, card: Scorecard) -> None:
    actions = scorecard_actions(workspace, card)
    assert list(actions) == card.lines["measure"].tolist()
    assert actions["sales_velocity"] == Action(None, NOBODY_LOOKS)
    assert all((action.finding is None) == bool(action.words) for action in actions.values())
    assert "Could not be assessed: sourcing disputed" in actions["sourced_share"].words


def test_the_card_is_drawn_and_told_without_markup_of_the_data(workspace: Workspace, card: Scorecard) -> None:
    pictures = plot_trends(card)
    known = {name for name in card.lines["measure"] if card.of(name)["value"].notna().any()}
    assert set(pictures) == known
    hostile = {name: Action(None, "<script>alert(1)</script>") for name in card.lines["measure"]}
    page = render_scorecard(card, hostile, dict.fromkeys(pictures, "<svg/>"), "tables/x.csv")
    assert "<script>" not in page
    assert page.count('<th scope="row">') == len(MEASURES)
    assert page.count("<img ") == len(known)
    assert "the source has no touchpoints table" in page
    assert 'href="pipeline_health.html"' in page


def test_the_split_is_that_of_the_registry_and_adds_up() -> None:
    touches = [
        {"touchpoint_id": f"t{day}", "account_id": "a1", "contact_id": "c", "occurred_at": f"2026-0{day}-05"}
        | {"responded_at": f"2026-0{day}-05", "channel": channel}
        for day, channel in ((5, "Email"), (6, "Outbound"), (7, "Partner"))
    ]
    workspace = _workspace(touchpoints=touches)
    measure = next(each for each in MEASURES if each.name == "sourced_share")
    period = parse_period(PERIOD, workspace.definitions.fiscal_calendar)
    trend = module._trend(workspace, measure, period)
    now = trend[trend["period"] == PERIOD]
    assert now["value"].sum() == pytest.approx(1)
    line = module._line(workspace, measure, trend, period)
    assert line["value"] == pytest.approx(now.loc[now["part"].notna(), "value"].sum())


def test_the_card_prints_on_one_page_even_if_every_line_has_much_to_do(card: Scorecard, tmp_path: Path) -> None:
    page = render_scorecard(card, dict.fromkeys(card.lines["measure"], Action(None, "much to do " * 40)), {})
    css = (TEMPLATES / "print.css").read_text()
    html = f'<style>{css}</style><section class="pr-one-page"><h1>T</h1><p>Why?</p><p>How</p>{page}</section>'
    assert "much to do much" in page
    assert write_pdf(html, tmp_path, "one") == 1
