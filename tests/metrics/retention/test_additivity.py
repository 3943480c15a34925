"""Every additive metric of retention adds up to the cent, over every dimension and every pair of them."""

from __future__ import annotations

import datetime as dt
import random
from itertools import combinations
from typing import Any

import pytest

from metrics.adding_up import drawn, parts_that_do_not_add_up, singles
from metrics.retention.companies import company, term
from revops_analysis.metrics.registry import compute_metric, metrics
from revops_analysis.tables.snapshot import Snapshot

ADDITIVE = [name for name, metric in metrics().items() if metric.additive and metric.family == "Retention"]
ACCOUNTS = "abcdefghijklmnop"
RATES = [
    {"currency": "EUR", "day": f"{year}-{month:02d}-01", "rate_to_reporting": 1 + ((month * 7 + year) % 11) / 37}
    for year in (2024, 2025)
    for month in range(1, 13)
]


def generated_terms(count: int) -> list[dict[str, Any]]:
    """Terms by chance, amounts with six places, several products an account, some switched on the day one ends."""
    rng = random.Random(11)  # noqa: S311 - test data
    rows = []
    for _ in range(count):
        start = dt.date(2024, 1, 1) + dt.timedelta(days=rng.randrange(700))
        end = start + dt.timedelta(days=rng.randrange(20, 300))
        mrr, account = f"{rng.randrange(10**6, 10**10) / 10**6:.6f}", rng.choice(ACCOUNTS)
        first, then = rng.sample(["Core", "Analytics", "Connect", None], 2)
        rows.append(term(account, str(start), str(end), mrr, first, currency=rng.choice([None, "EUR"])))
        if rng.random() < 0.4:
            rows.append(term(account, str(end + dt.timedelta(days=1)), rng.choice([None, "2025-10-15"]), mrr, then))
    return rows


@pytest.fixture(scope="module", params=["constant", "monthly"])
def snapshot(request: pytest.FixtureRequest) -> Snapshot:
    accounts = [
        {
            "account_id": name,
            "segment": ("SMB", "Enterprise", None)[place % 3],
            "industry": ("Software", None)[place % 2],
            "region": ("East", "West")[place % 5 // 3],
            "country": ("Canada", "Germany", None, "France")[place % 4],
        }
        for place, name in enumerate(ACCOUNTS)
    ]
    tables = {"exchange_rates": RATES, "accounts": accounts}
    return company(generated_terms(40), "2025-12-31", tables=tables, mrr_rates=request.param)


@pytest.mark.parametrize("where", [None, "segment != SMB"])
@pytest.mark.parametrize("name", ADDITIVE)
def test_every_dimension_adds_up(name: str, where: str | None, snapshot: Snapshot) -> None:
    wrong, whole = parts_that_do_not_add_up(snapshot, metrics()[name], "2025", singles(metrics()[name]), where)
    assert wrong == {}, whole
    assert whole


def test_movements_opening_and_closing_add_up_over_every_pair(snapshot: Snapshot) -> None:
    metric = metrics()["mrr_movement"]
    wrong, whole = parts_that_do_not_add_up(snapshot, metric, "2025", list(combinations(metric.dimensions, 2)))
    assert wrong == {}, whole
    assert {("opening",), ("new",), ("expansion",), ("churn",), ("closing",)} <= set(whole)


@pytest.mark.parametrize("where", [None, "product in (Core, Analytics) and region = West"])
@pytest.mark.parametrize("name", ADDITIVE)
def test_sets_of_dimensions_add_up_with_and_without_a_filter(name: str, where: str | None, snapshot: Snapshot) -> None:
    wrong, whole = parts_that_do_not_add_up(snapshot, metrics()[name], "2025", drawn(metrics()[name], 3), where)
    assert wrong == {}, whole


def test_what_passes_between_products_takes_no_cent_from_another_line() -> None:
    history = [
        term("x", "2025-01-01", "2025-01-31", "100.0045"),
        term("x", "2025-02-01", None, "100.0045", "Analytics"),
        term("z", "2025-01-01", None, 50),
        term("z", "2025-02-01", None, "0.004"),
        term("y", "2025-02-01", None, "20.004"),
    ]
    snapshot = company(history, "2025-02-28")
    lines = compute_metric(snapshot, "mrr_movement", "2025", by="product").frame.groupby("line", observed=True)["value"]
    assert lines.sum().to_dict() == {
        "brought_forward": 150.0,
        "new": 20.01,
        "expansion": 0.0,
        "transfer_in": 100.0,
        "transfer_out": -100.0,
        "closing": 170.01,
    }
