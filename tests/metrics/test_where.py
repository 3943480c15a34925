"""Filters: what they accept, what they refuse, and that text never becomes a query."""

from __future__ import annotations

import ibis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.where import Condition, parse_where

TABLE = ibis.memtable(
    {
        "segment": ["SMB", "Mid-Market", None, "O'Neill and Sons"],
        "amount": [10.0, 20.0, 30.0, None],
        "day": ["2026-01-01", "2026-02-01", "2026-03-01", None],
        "is_open": [True, False, None, True],
    }
).mutate(day=lambda t: t.day.cast("date"))


def kept(text: str) -> list[int]:
    numbered = TABLE.mutate(row=ibis.row_number())
    conditions = [item.predicate(numbered[item.column]) for item in parse_where(text).conditions]
    return sorted(numbered.filter(conditions).row.to_pandas().tolist())


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("segment = SMB", [0]),
        ("segment != SMB", [1, 3]),
        ("segment in (SMB, 'Mid-Market')", [0, 1]),
        ("segment = 'O''Neill and Sons'", [3]),
        ('segment = "O\'Neill and Sons"', [3]),
        ("segment = null", [2]),
        ("segment != null", [0, 1, 3]),
        ("amount >= 20", [1, 2]),
        ("amount > 10 and segment = Mid-Market", [1]),
        ("day < 2026-02-01", [0]),
        ("is_open = true AND segment = SMB", [0]),
        ("segment = 'null'", []),
    ],
)
def test_filters_keep_the_rows_they_name(text: str, rows: list[int]) -> None:
    assert kept(text) == rows


@pytest.mark.parametrize(
    "text",
    [
        "segment",
        "segment ~ SMB",
        "segment = ",
        "segment = 'SMB",
        "segment in SMB",
        "segment in (SMB",
        "segment in (SMB, null)",
        "segment > null",
        "= SMB",
        "segment = 'SMB' or 1=1",
        "segment = SMB and",
    ],
)
def test_what_is_no_filter_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(ConfigurationError) as problem:
        parse_where(text)
    assert "character" in str(problem.value)


@pytest.mark.parametrize("text", ["amount = many", "day = 01/02/2026", "is_open = maybe"])
def test_a_value_of_another_type_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="another type"):
        kept(text)


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30))
def test_a_quoted_value_is_always_a_value(text: str) -> None:
    quoted = "'" + text.replace("'", "''") + "'"
    assert parse_where(f"segment = {quoted}").conditions == (Condition("segment", "=", (text,)),)


def test_a_value_cannot_reach_the_query() -> None:
    assert kept("segment = SMB'; DROP TABLE x; --") == []
