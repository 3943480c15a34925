from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from revops_analysis.simulation.columns import append_rows, canonical, fixed_point, identifiers, keep_rows, pick
from revops_analysis.simulation.timeline import NO_DAY

CENTS = st.integers(-(10**12), 10**12)


@given(st.lists(CENTS, min_size=1, max_size=20))
def test_decimals_are_exact(cents: list[int]) -> None:
    values = fixed_point(np.array(cents) / 100, 2).to_pylist()
    assert values == [Decimal(cent).scaleb(-2) for cent in cents]


def test_nan_is_null() -> None:
    assert fixed_point(np.array([1.5, np.nan, -0.25]), 2).to_pylist() == [Decimal("1.50"), None, Decimal("-0.25")]


def test_minus_one_is_null() -> None:
    assert identifiers("OPP", np.array([7, -1])).to_pylist() == ["OPP-000000007", None]
    assert pick(("a", "b"), np.array([1, -1, 0])).to_pylist() == ["b", None, "a"]


def test_a_table_has_the_columns_of_its_schema_and_no_others() -> None:
    table = canonical("campaigns", {"campaign_id": pa.array(["C1"]), "ended_on": np.array([NO_DAY])})
    assert table.column_names == ["campaign_id", "name", "channel", "started_on", "ended_on"]
    assert table.to_pylist() == [
        {"campaign_id": "C1", "name": None, "channel": None, "started_on": None, "ended_on": None}
    ]
    with pytest.raises(KeyError, match="budget"):
        canonical("campaigns", {"campaign_id": pa.array(["C1"]), "budget": np.array([1.0])})


def test_rows_are_kept_and_appended_in_order() -> None:
    table = {"n": np.arange(4), "t": pa.array(["a", "b", "c", "d"])}
    kept = keep_rows(table, np.array([True, False, False, True]))
    both = append_rows(kept, keep_rows(table, np.array([False, True, False, False])))
    assert both["n"].tolist() == [0, 3, 1]
    assert both["t"].to_pylist() == ["a", "d", "b"]
