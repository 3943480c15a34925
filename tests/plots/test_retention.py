"""Figures of retention say what they show, and draw nothing that is not there."""

from __future__ import annotations

import numpy as np
import pytest

from metrics.retention.companies import company, term
from revops_analysis.metrics.retention import (
    cohort_triangle,
    period_movements,
    retention_curves,
    retention_drivers,
    retention_rates,
)
from revops_analysis.plots import retention as draw

HISTORY = [
    term("old", "2023-01-01", None, 1000),
    term("a", "2023-05-10", "2024-08-31", 100),
    term("b", "2023-08-15", None, 100),
    term("b", "2024-07-01", None, 70, "Analytics"),
    term("c", "2024-09-30", None, 40),
]


@pytest.fixture(scope="module")
def snapshot():
    return company(HISTORY, "2024-09-30")


def texts(figure) -> str:
    found = [text.get_text() for axes in figure.axes for text in axes.texts]
    ticks = [label.get_text() for axes in figure.axes for label in [*axes.get_xticklabels(), *axes.get_yticklabels()]]
    return " | ".join([*found, *ticks, *[axes.get_xlabel() for axes in figure.axes]])


def test_the_waterfall_names_every_movement_and_its_currency(snapshot) -> None:
    movements = period_movements(snapshot, "2024-Q3")
    figure = draw.plot_mrr_movements(movements)
    shown = texts(figure)
    assert all(word in shown for word in ("Opening", "New", "Expansion", "Churn", "Closing", "+70", "−100", "(USD)"))
    assert figure.get_suptitle().replace("\n", " ") == draw.movements_title(movements)
    assert draw.movements_title(movements) == (
        "Recurring revenue grew by USD 10 (0.8%) in 2024-Q3: USD 110 gained, USD 100 lost"
    )


def test_a_standstill_and_a_fall_are_called_so() -> None:
    flat = company([term("a", "2024-01-01", None, 10)], "2024-06-30")
    assert draw.movements_title(period_movements(flat, "2024-Q2")).startswith("Recurring revenue stood still")
    fall = company([term("a", "2024-01-01", None, 10), term("b", "2024-01-01", "2024-05-30", 10)], "2024-06-30")
    assert draw.movements_title(period_movements(fall, "2024-Q2")).startswith("Recurring revenue shrank by USD 10")
    bars = draw.plot_mrr_movements(period_movements(flat, "2024-Q2")).axes[0].patches
    assert [bar.get_width() for bar in bars] == [10.0, 10.0]


def test_lines_are_labelled_and_titled_with_their_last_values(snapshot) -> None:
    rates = retention_rates(snapshot)
    figure = draw.plot_retention_rates(rates)
    last = rates.frame[rates.frame["month"] == "2024-09"].set_index("measure")["value"]
    assert f"NRR {last['nrr'] * 100:.0f}%" in texts(figure)
    assert f"NRR is {last['nrr'] * 100:.1f}%" in draw.rates_title(rates)
    assert "2024-09" in texts(figure)


def test_the_triangle_writes_mature_cells_and_leaves_the_others_blank(snapshot) -> None:
    triangle = cohort_triangle(snapshot)
    figure = draw.plot_cohort_triangle(triangle)
    grid = triangle.grid("nrr")
    figure.canvas.draw()
    assert "100%" in [label.get_text() for label in figure.axes[1].get_xticklabels()]
    written = [text.get_text() for text in figure.axes[0].texts]
    assert len(written) == int(np.isfinite(grid.drop(columns=0).to_numpy()).sum())
    assert f"{grid.loc['2023-Q3', 12] * 100:.0f}" in written
    assert draw.triangle_title(triangle).startswith("After 12 months cohorts show")


def test_many_cohorts_are_numbered_at_whole_years_only() -> None:
    history = [term(f"a{n}", f"{2022 + n // 12}-{n % 12 + 1:02d}-05", None, 10) for n in range(26)]
    triangle = cohort_triangle(company(history, "2024-02-29"), "month")
    figure = draw.plot_cohort_triangle(triangle, "grr")
    assert len(figure.axes[0].get_yticklabels()) == 26
    assert 0 < len(figure.axes[0].texts) <= 2 * 26


def test_the_bridge_of_a_year_names_its_months_and_arr(snapshot) -> None:
    bridge = period_movements(snapshot, "2023-10-01..2024-09-30", annual=True)
    assert draw.movements_title(bridge).startswith("ARR grew by USD 120 (0.8%) from 2023-10 to 2024-09")
    assert "Annual recurring revenue" in texts(draw.plot_mrr_movements(bridge))


def test_curves_name_their_groups_and_the_accounts_at_risk() -> None:
    history = [term("old", "2023-01-01", None, 1)]
    history += [term(f"a{n}", "2023-02-01", "2023-09-30" if n < 5 else None, 10) for n in range(25)]
    accounts = [{"account_id": row["account_id"], "segment": "$SMB$"} for row in history]
    curves = retention_curves(company(history, "2024-09-30", tables={"accounts": accounts}))
    figure = draw.plot_retention_curves(curves, "logo")
    assert "$SMB$ | 25 | 25 | 25 | 25" in texts(figure)
    assert draw.curves_title(curves, "logo") == "After 12 months $SMB$ has 80% logo retention"


def test_drivers_say_the_change_and_whose_it_is() -> None:
    history = [term("old", "2022-01-01", None, 100), term("b", "2022-01-01", "2023-12-31", 100)]
    accounts = [{"account_id": "old", "segment": "SMB"}, {"account_id": "b"}]
    drivers = retention_drivers(company(history, "2024-09-30", tables={"accounts": accounts}))
    assert draw.drivers_title(drivers).startswith("NRR fell by 50.0 points to 50.0% in 2024-09")
    shown = texts(draw.plot_retention_drivers(drivers))
    assert "not set" in shown
    assert "−50.00" in shown


def test_without_revenue_each_figure_is_its_reason() -> None:
    nothing = company([], "2024-09-30")
    for figure in (
        draw.plot_mrr_movements(period_movements(nothing, "2024-Q3")),
        draw.plot_retention_rates(retention_rates(nothing)),
        draw.plot_cohort_triangle(cohort_triangle(nothing)),
        draw.plot_retention_curves(retention_curves(nothing)),
        draw.plot_retention_drivers(retention_drivers(nothing)),
    ):
        assert "no subscriptions" in figure.axes[0].texts[0].get_text().replace("\n", " ")
    assert "cannot be shown" in draw.movements_title(period_movements(nothing, "2024-Q3"))
    assert "cannot be shown" in draw.rates_title(retention_rates(nothing))
    assert "cannot be shown" in draw.triangle_title(cohort_triangle(nothing))
