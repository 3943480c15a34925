"""How values read: signs, percent, thousands, units, and nothing where there is nothing."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from revops_analysis.reporting.formats import format_value, is_missing, is_number, with_unit

CASES = [
    (-0.5, "rate", "−50.0%"),
    (1.0, "rate", "100.0%"),
    (0, "rate", "0.0%"),
    (1234567.891, "currency", "1,234,568"),
    (-12.5, "currency", "−12.50"),
    (Decimal("-1234.56"), "currency", "−1,235"),
    (-0.004, "currency", "0.00"),
    (-0.0004, "rate", "0.0%"),
    (12, "count", "12"),
    (np.int64(1200), "count", "1,200"),
    (np.int64(7), "", "7"),
    (12.345, "days", "12.3"),
    (3.14159, "ratio", "3.14"),
    (math.inf, "ratio", "∞"),
    (-math.inf, "ratio", "−∞"),
    (math.nan, "currency", "–"),
    (None, "rate", "–"),
    (pd.NA, "count", "–"),
    (pd.NaT, "", "–"),
    (dt.date(2026, 9, 30), "", "2026-09-30"),
    (pd.Timestamp("2026-09-30 12:34:56"), "", "2026-09-30 12:34"),
    (True, "", "yes"),
    (np.bool_(False), "", "no"),
    ("True", "", "True"),
    ("{{7*7}}", "", "{{7*7}}"),
]


@pytest.mark.parametrize(("value", "unit", "text"), CASES)
def test_a_value_reads_as_people_write_it(value: object, unit: str, text: str) -> None:
    assert format_value(value, unit) == text


def test_a_value_alone_carries_its_unit() -> None:
    assert with_unit(-41_200_000, "currency", "USD") == "USD −41,200,000"
    assert with_unit(1500.0, "currency_per_day", "EUR") == "EUR 1,500 a day"
    assert with_unit(None, "currency", "USD") == "–"


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_a_negative_number_differs_from_its_positive_by_the_sign_alone(value: float) -> None:
    text, mirrored = format_value(value, "currency", 2), format_value(-value, "currency", 2)
    assert text.replace("−", "") == mirrored.replace("−", "")
    assert "-" not in text
    assert ("−" in text) == (value < 0 and any(digit in text for digit in "123456789"))


@given(st.one_of(st.none(), st.text(), st.booleans(), st.dates()))
def test_only_numbers_are_numbers(value: object) -> None:
    assert not is_number(value)
    assert is_missing(value) == (value is None)
