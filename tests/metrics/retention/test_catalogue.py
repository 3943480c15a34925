"""The retention family as the registry answers it."""

from __future__ import annotations

from functools import cache

import pytest

from metrics.retention.companies import company, term
from revops_analysis.metrics.registry import compute_metric, metrics
from revops_analysis.tables.snapshot import Snapshot

HISTORY = [
    term("a", "2024-01-01", "2024-12-31", "3333.333333"),
    term("a", "2025-01-01", None, "3333.333333", "Analytics"),
    term("b", "2024-01-01", "2025-02-15", 100),
    term("c", "2025-02-01", None, 250),
    term("c", "2025-03-01", None, 50, "Analytics"),
]
NAMES = sorted(name for name, metric in metrics().items() if metric.family == "Retention")


@cache
def known(as_of: str, *, bare: bool = False) -> Snapshot:
    """One snapshot a day for the whole module: it is never altered, and building it takes longer than asking it."""
    return company([] if bare else HISTORY, as_of)


def ask(name: str, period: str = "2025-Q1", as_of: str = "2025-03-31", **more):
    return compute_metric(known(as_of), name, period, **more).frame


def test_the_family_is_complete() -> None:
    assert NAMES == [
        "arr",
        "cohort_grr",
        "cohort_logo",
        "cohort_nrr",
        "grr",
        "logo_retention",
        "mrr",
        "mrr_movement",
        "nrr",
        "paying_customers",
        "quick_ratio",
    ]


def test_figures_by_hand() -> None:
    assert ask("mrr")["value"].to_list() == [3633.33]
    assert ask("arr")["value"].to_list() == [43600.00]  # 12 × 3,333.333333 + 12 × 300, rounded once
    assert ask("paying_customers")["value"].to_list() == [2.0]
    moved = ask("mrr_movement").set_index("line")["value"].to_dict()
    assert moved == {"opening": 3433.33, "new": 250.0, "expansion": 50.0, "churn": -100.0, "closing": 3633.33}
    assert ask("quick_ratio")["value"].to_list() == [pytest.approx(3.0)]
    assert ask("nrr")["value"].to_list() == [pytest.approx(3333.333333 / 3433.333333)]
    assert ask("logo_retention")["value"].to_list() == [0.5]


def test_a_level_takes_the_last_complete_month_and_a_series_each_period() -> None:
    assert ask("mrr", as_of="2025-03-30")["value"].to_list() == [3583.33]  # February: b left, c has one product
    series = ask("mrr", "2024-Q4...2025-Q1")
    assert series["value"].to_list() == [3433.33, 3633.33]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_ever_made_up(name: str) -> None:
    bare = compute_metric(known("2025-03-31", bare=True), name, "2025-Q1").frame
    assert bare["value"].isna().all()
    assert bare["reason"].str.contains("no subscriptions and no revenue_ledger").all()
    before = ask(name, "2023-Q1")
    assert before["value"].isna().all()
    assert before["reason"].str.contains("known from 2024-01 to 2025-03").all()


def test_nothing_lost_gives_no_quick_ratio() -> None:
    frame = compute_metric(company([term("a", "2025-01-01", None, 5)], "2025-03-31"), "quick_ratio", "2025-Q1").frame
    assert frame["value"].isna().all()
    assert frame["reason"].notna().all()
    gained = [term("a", "2025-01-01", None, 5), term("b", "2025-02-01", None, 5)]
    frame = compute_metric(company(gained, "2025-03-31"), "quick_ratio", "2025-Q1").frame
    assert frame["reason"].to_list() == ["no revenue was lost"]
