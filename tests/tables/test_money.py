"""Amounts are converted to the cent, at the rate of the day, as decimals would be."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import make_store
from revops_analysis.tables.money import RATE_TYPE, converted, exchange

CENT, MILLIONTH = Decimal("0.01"), Decimal("0.000001")
amounts = st.decimals(-(10**9), 10**9, places=2)
ties = st.integers(-(10**6), 10**6).map(lambda n: Decimal(n) / 2)
rates = st.decimals("0.000001", "200", places=6) | st.sampled_from([Decimal("1.23"), Decimal("0.01"), Decimal(1)])


def convert(pairs: list[tuple[Decimal, Decimal]], kind: str) -> list[Decimal]:
    columns = {
        "amount": pa.array([amount for amount, _ in pairs], pa.decimal128(18, 6 if "6" in kind else 2)),
        "rate": pa.array([rate for _, rate in pairs], pa.decimal128(20, 12)),
    }
    table = ibis.memtable(pa.table(columns))
    return table.select(x=converted(table.amount, table.rate, kind)).to_pyarrow()["x"].to_pylist()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.lists(st.tuples(amounts | ties.map(lambda tie: tie.quantize(CENT)), rates), min_size=20, max_size=60))
def test_cents_are_those_of_decimals(pairs: list[tuple[Decimal, Decimal]]) -> None:
    expected = [(amount * rate).quantize(CENT, ROUND_HALF_UP) for amount, rate in pairs]
    assert convert(pairs, "decimal(18, 2)") == expected


@pytest.mark.parametrize(
    ("amount", "rate"),
    [("1.50", "1.23"), ("-1.50", "1.23"), ("0.05", "0.1"), ("99999999999.99", "1.1"), ("1000000000000.03", "0.5")],
)
def test_ties_and_large_amounts_take_the_exact_way(amount: str, rate: str) -> None:
    product = (Decimal(amount) * Decimal(rate)).quantize(CENT, ROUND_HALF_UP)
    assert convert([(Decimal(amount), Decimal(rate))], "decimal(18, 2)") == [product]


def test_rates_of_recurring_revenue_keep_six_places() -> None:
    pairs = [(Decimal("1234.567891"), Decimal("1.234567")), (Decimal("-0.000001"), Decimal("0.5"))]
    expected = [(amount * rate).quantize(MILLIONTH, ROUND_HALF_UP) for amount, rate in pairs]
    assert convert(pairs, "decimal(18, 6)") == expected


def test_a_day_takes_the_last_rate_on_or_before_it() -> None:
    rows = [
        {"currency": "EUR", "day": "2026-09-25", "rate_to_reporting": 1.1},
        {"currency": "EUR", "day": "2026-09-28", "rate_to_reporting": 1.2},
        {"currency": "EUR", "day": "2026-10-05", "rate_to_reporting": 9},
        {"currency": "GBP", "day": "2026-09-27", "rate_to_reporting": 1.3},
    ]
    daily = exchange(make_store({"exchange_rates": rows}), "USD").daily.to_pyarrow().to_pylist()
    found = {(row["currency"], row["day"].day): float(row["rate_to_reporting"] or 0) for row in daily}
    euros = [found["EUR", day] for day in range(25, 31)]
    assert euros == [1.1, 1.1, 1.1, 1.2, 1.2, 1.2]
    assert [found["GBP", day] for day in (26, 27, 30)] == [0, 1.3, 1.3]
    assert max(row["day"] for row in daily) == dt.date(2026, 9, 30)
    assert ibis.dtype(RATE_TYPE).scale == 12


def test_without_rates_there_are_none() -> None:
    assert exchange(make_store({}), "USD").daily.count().execute() == 0
