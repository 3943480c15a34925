"""Figures of lifetimes, renewals and net retention say what they show, and draw nothing that is not there."""

from __future__ import annotations

import pytest

from models.lifetime.subscribers import annual_terms, company, subscribers
from revops_analysis.models.lifetime.overview import lifetime_overview
from revops_analysis.plots import lifetime as draw
from revops_analysis.reporting.key_figures import collect_rows

DRAWN = {
    "lifetimes": lambda o: (draw.plot_lifetimes(o.curves), draw.lifetimes_title(o.curves)),
    "value": lambda o: (draw.plot_value(o.value), draw.value_title(o.value)),
    "renewals": lambda o: (draw.plot_renewals(o.risk), draw.renewals_title(o.risk)),
    "trial": lambda o: (draw.plot_renewal_trial(o.trial), draw.renewal_trial_title(o.trial)),
    "nrr": lambda o: (draw.plot_nrr_ahead(o.forecast), draw.nrr_ahead_title(o.forecast)),
}


@pytest.fixture(scope="module")
def overview():
    return lifetime_overview(subscribers(annual_terms(300, 1)))


@pytest.fixture(scope="module")
def nothing():
    return lifetime_overview(company([], "2025-12-31"))


@pytest.mark.parametrize("name", DRAWN)
def test_the_title_states_the_finding(overview, name) -> None:
    figure, title = DRAWN[name](overview)
    assert figure.get_suptitle().replace("\n", " ") == title
    assert any(character.isdigit() for character in title)
    assert all(axes.get_xlabel() or axes.get_ylabel() for axes in figure.axes)


@pytest.mark.parametrize("name", DRAWN)
def test_without_data_the_figure_is_its_reason(nothing, name) -> None:
    figure, title = DRAWN[name](nothing)
    shown = figure.axes[0].texts[0].get_text().replace("\n", " ")
    assert shown == title
    assert "no subscription" in shown or "no accounts" in shown


def test_every_published_figure_has_a_value_or_a_reason(overview, nothing) -> None:
    """`collect_rows` refuses a missing value without a reason."""
    rows = collect_rows(list(overview.figures))
    assert {row.metric for row in rows} >= {"lifetime_value", "renewals_expected_loss", "nrr_forecast"}
    assert all(row.value is None for row in collect_rows(list(nothing.figures)) if row.metric != "new_customers")


def test_tables_have_the_columns_that_the_chapter_names(overview, nothing) -> None:
    for one in (overview, nothing):
        assert {"arr", "probability", "expected_loss"} <= set(one.renewals_table())
        assert {"brier", "log_loss", "roc_auc", "n", "lost"} <= set(one.trial_table())
        assert {"mean", "p10", "p97_5", "accounts", "past_periods"} <= set(one.outlook_table())
        assert {"renewals", "arr", "notice_arr"} <= set(one.windows_table())
        assert {"staying", "mean_low"} <= set(one.lifetimes_table())
        assert one.parts_table().columns[0] == "part"
        assert {"wape", "bias", "inside_80", "horizon", "n"} <= set(one.errors_table())
        assert {"ratio", "ratio_low", "churned"} <= set(one.regression.ratios())
        assert one.value.table().columns[1] == "n"
        assert len(one.notes_table())
