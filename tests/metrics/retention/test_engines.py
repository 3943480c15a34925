"""The same figures from another engine: PostgreSQL, on a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ibis
import pandas as pd
import pytest

from metrics.retention.companies import company, term
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.metrics.retention import (
    cohort_triangle,
    lost_revenue,
    mrr_movements,
    retention_rates,
    revenue_quality,
    tie_out,
)
from revops_analysis.tables.snapshot import Snapshot

HISTORY = [
    term("a", "2024-01-01", "2025-03-15", "33.333333", currency="EUR"),
    term("a", "2025-04-05", None, "66.666667", "Connect"),
    term("b", "2024-02-01", None, "10.10"),
    term("b", "2025-02-01", "2025-03-31", "5", "Connect"),
    term("c", "2024-05-02", "2025-01-15", "80", None, cancelled_at="2024-12-01", churn_reason="Price"),
    term("b", "2025-05-01", None, "5", "Connect", opportunity_id="o1"),
    term("b", "2025-05-01", None, "5", "Connect", opportunity_id="o1"),
]
TABLES = {
    "exchange_rates": [
        {"currency": "EUR", "day": f"2024-{month:02d}-01", "rate_to_reporting": 1 + month / 37}
        for month in range(1, 13)
    ],
    "accounts": [
        {"account_id": name, "segment": segment, "parent_account_id": above}
        for name, segment, above in (("a", "SMB", None), ("b", "SMB", None), ("c", None, "b"))
    ],
}
DEALS = [
    {
        "opportunity_id": "o1",
        "account_id": "b",
        "type": "new",
        "stage": "Closed Won",
        "arr": 60,
        "source": "Partner",
        "created_at": "2024-01-01",
        "close_date": "2025-05-01",
        "closed_at": "2025-05-01",
    }
]


def parents(snapshot: Snapshot) -> Snapshot:
    """The same with groups of companies as customers."""
    return snapshot.under(snapshot.definitions.model_copy(update={"retention_account": "parent"}))


ANSWERS: dict[str, Callable[[Snapshot], pd.DataFrame]] = {
    "movements": lambda snapshot: mrr_movements(snapshot).frame,
    "movements by product": lambda snapshot: mrr_movements(snapshot, by=["product"]).frame,
    "movements of a segment": lambda snapshot: mrr_movements(snapshot, by=["cohort"], where="segment = SMB").frame,
    "rates": lambda snapshot: retention_rates(snapshot, by=["segment"]).frame,
    "cohorts": lambda snapshot: cohort_triangle(snapshot, by=["first_product"]).frame,
    "movements by size band": lambda snapshot: mrr_movements(snapshot, by=["product", "size_band"]).frame,
    "losses": lambda snapshot: lost_revenue(snapshot).accounts,
    "oddities": lambda snapshot: revenue_quality(snapshot).frame,
    "tie-out": lambda snapshot: tie_out(snapshot, "2025-Q2").deals,
    "families": lambda snapshot: mrr_movements(parents(snapshot), by=["channel"]).frame,
    "quick ratio": lambda snapshot: compute_metric(snapshot, "quick_ratio", "2025-Q1").frame,
    "customers": lambda snapshot: compute_metric(snapshot, "paying_customers", "2025-Q1", by=["product"]).frame,
}


def build(con: Any, mrr_rates: str) -> Snapshot:
    settings = {"mrr_rates": mrr_rates, "late_renewal_grace_days": 30, "nrr_counts_reactivated": False}
    return company(HISTORY, "2025-06-30", tables=TABLES | {"opportunities": DEALS}, con=con, **settings)


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Any]:
    con = ibis.connect(postgres_url)
    con.raw_sql("DROP SCHEMA public CASCADE").close()
    con.raw_sql("CREATE SCHEMA public").close()
    yield con
    con.raw_sql("DROP SCHEMA public CASCADE").close()
    con.raw_sql("CREATE SCHEMA public").close()
    con.disconnect()


@pytest.mark.postgres
@pytest.mark.parametrize("mrr_rates", ["constant", "monthly"])
def test_postgres_gives_the_same_figures(postgres: Any, mrr_rates: str) -> None:
    there, here = build(postgres, mrr_rates), build(None, mrr_rates)
    for name, answer in ANSWERS.items():
        pd.testing.assert_frame_equal(answer(there), answer(here), obj=name)
