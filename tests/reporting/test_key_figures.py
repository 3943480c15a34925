"""The one writer of key figures: money exact, missing explained, the same text every time."""

from __future__ import annotations

import json
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from revops_analysis.errors import ConfigurationError
from revops_analysis.reporting.key_figures import Facts, KeyFigures, collect_rows, dump_json, publish

FACTS = Facts("sample", "a" * 16, "2026-09-30", "2026-Q3", "1", "d" * 16, "USD", 0, ("No targets.",))


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2))
def test_money_is_written_to_the_cent(amount: Decimal) -> None:
    assert Decimal(str(publish(float(amount), "currency"))) == amount
    assert Decimal(str(publish(amount, "currency"))) == amount


@pytest.mark.parametrize(
    ("value", "unit", "published"),
    [
        (float("nan"), "currency", None),
        (float("inf"), "ratio", None),
        (-0.0, "rate", 0.0),
        (-0.001, "currency", "0.00"),
        (2 / 3, "rate", 0.666667),
        (2 / 3, "days", 0.6667),
        (3.0, "count", 3),
        (2.5, "count", 2.0),
    ],
)
def test_published_precision(value: float, unit: str, published: object) -> None:
    assert publish(value, unit) == published
    assert str(publish(value, unit)) == str(published)


def test_rows_keep_the_metrics_order_and_sort_their_dimensions() -> None:
    frame = pd.DataFrame(
        {
            "metric": ["win_rate", "bookings", "win_rate"],
            "period": ["2026-Q3", "2026-Q2", "2026-Q3"],
            "segment": ["SMB", None, "Enterprise"],
            "value": [0.5, 10.0, 0.25],
            "unit": ["rate", "currency", "rate"],
        }
    )
    rows = collect_rows(frame, "2026-Q3")
    assert [(row.metric, dict(row.dims)) for row in rows] == [
        ("win_rate", {"segment": "Enterprise"}),
        ("win_rate", {"segment": "SMB"}),
        ("bookings", {"period": "2026-Q2", "segment": None}),
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"metric": "m", "value": None, "unit": "rate"}, "missing without a reason"),
        ({"metric": "m", "value": "12", "unit": "rate"}, "not a number"),
        (pd.DataFrame({"metric": ["m"], "value": [1.0]}), "lacks columns"),
        (42, "unknown shape"),
    ],
)
def test_what_would_mislead_is_refused(row: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        collect_rows(row)


def test_the_document_has_the_fields_of_the_specification() -> None:
    rows = collect_rows({"metric": "m", "value": None, "unit": "rate", "n": 0, "reason": "nothing closed"})
    document = json.loads(dump_json(KeyFigures(FACTS, rows).as_json("metric m")))
    assert document == {
        "schema": "revops.key_figures/1",
        "command": "metric m",
        "source": "sample",
        "data_hash": "a" * 16,
        "as_of": "2026-09-30",
        "period": "2026-Q3",
        "definitions": {"version": "1", "hash": "d" * 16},
        "currency": "USD",
        "seed": 0,
        "warnings": ["No targets."],
        "rows": [
            {
                "metric": "m",
                "dims": {},
                "value": None,
                "unit": "rate",
                "low": None,
                "high": None,
                "n": 0,
                "reason": "nothing closed",
            }
        ],
    }


def test_json_cannot_hold_what_is_no_json() -> None:
    with pytest.raises(ValueError, match="JSON"):
        dump_json({"value": float("nan")})
