"""CSV files: one order, no formulas, no people."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from revops_analysis.reporting.exports import MASK, mask_personal, order_by_key, personal_names, to_csv

TEXTS = st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=12)


def _read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@given(st.lists(st.tuples(TEXTS, st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=8))
def test_no_text_field_can_be_a_formula_and_numbers_stay_numbers(rows: list[tuple[str, float]]) -> None:
    frame = pd.DataFrame(rows, columns=["name", "value"])
    read = _read(to_csv(frame))[1:]
    assert len(read) == len(rows)
    for (name, value), (shown, number) in zip(rows, read, strict=True):
        assert not shown.startswith(("=", "+", "-", "@", "\t", "\r"))
        assert shown in (name, f"'{name}")
        assert float(number) == pytest.approx(value, abs=1e-6, rel=1e-12)


@given(st.permutations(range(6)))
def test_the_order_of_a_file_does_not_depend_on_the_order_of_rows(order: list[int]) -> None:
    frame = pd.DataFrame(
        {
            "segment": ["b", None, "a", "a", "b", "a"],
            "stage": ["x", "x", "y", None, "x", "y"],
            "amount": [1.0, 2.0, 3.0, 4.0, 0.5, None],
        }
    )
    assert to_csv(order_by_key(frame.iloc[order])) == to_csv(order_by_key(frame))


def test_missing_is_an_empty_field_and_money_has_cents() -> None:
    frame = pd.DataFrame({"name": [None, "x"], "amount": [1.5, None], "share": [1 / 3, 0.0], "n": [1, 2]})
    assert to_csv(frame, {"amount": "currency"}) == "name,amount,share,n\r\n,1.50,0.333333,1\r\nx,,0,2\r\n"


def test_column_names_cannot_be_formulas_either() -> None:
    assert to_csv(pd.DataFrame({"=1+1": [1]})).startswith("'=1+1\r\n")


def test_people_are_masked_and_companies_are_not() -> None:
    assert {"email", "phone", "contact_name", "contact_email", "lead_email"} <= personal_names()
    frame = pd.DataFrame({"name": ["Acme"], "Email": ["a@b.c"], "contact_name": [None], "buyer": ["Ann"]})
    masked = mask_personal(frame, personal=["buyer"])
    assert masked.loc[0, "name"] == "Acme"
    assert masked.loc[0, "Email"] == MASK
    assert masked.loc[0, "buyer"] == MASK
    assert masked.loc[0, "contact_name"] is None
    assert frame.loc[0, "Email"] == "a@b.c"
