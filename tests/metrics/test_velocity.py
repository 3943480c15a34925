"""Sales velocity: the product of its factors, and parts of a change that leave no rest."""

from __future__ import annotations

import numpy as np
import pytest

from revops_analysis.metrics.registry import compute_metric
from revops_analysis.metrics.velocity import FACTORS
from revops_analysis.tables.snapshot import Snapshot

PERIODS = "2025-Q3...2025-Q4"


def test_velocity_is_the_product_of_its_factors(sample_snapshot: Snapshot) -> None:
    values = {name: compute_metric(sample_snapshot, name, "2025").frame["value"][0] for name in FACTORS}
    expected = np.prod([values[name] for name in FACTORS[:3]]) / values["sales_cycle_days"]
    row = compute_metric(sample_snapshot, "sales_velocity", "2025").frame.loc[0]
    assert row["value"] == pytest.approx(expected, rel=1e-3)
    assert row["unit"] == "currency_per_day"


def test_the_parts_of_a_change_add_up_to_it(sample_snapshot: Snapshot) -> None:
    velocity = compute_metric(sample_snapshot, "sales_velocity", "2024...2025", by="segment").frame
    change = velocity.pivot_table(index="segment", columns="period", values="value")
    parts = compute_metric(sample_snapshot, "sales_velocity_change", "2025", by="segment").frame
    assert list(parts["factor"][:4]) == list(FACTORS)
    summed = parts.groupby("segment")["value"].sum()
    known = (change["2025"] - change["2024"]).dropna()
    assert len(known) == 3
    assert summed[known.index].to_numpy() == pytest.approx(known.to_numpy(), abs=0.03)


def test_where_a_factor_is_missing_velocity_says_which(sample_snapshot: Snapshot) -> None:
    row = compute_metric(sample_snapshot, "sales_velocity", "2019-Q1").frame.loc[0]
    assert np.isnan(row["value"])
    assert row["reason"] == "no deal closed in the period"
    parts = compute_metric(sample_snapshot, "sales_velocity_change", "2019-Q1").frame
    assert parts["value"].isna().all() and parts["reason"].notna().all()
