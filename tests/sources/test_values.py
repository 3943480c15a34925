"""Numbers, money, truth values and texts, from whatever the source holds."""

from decimal import Decimal

import duckdb
import pytest

from revops_analysis.errors import ConfigurationError
from revops_analysis.sources import values


@pytest.fixture(scope="module")
def engine():
    con = duckdb.connect()
    yield con
    con.close()


def number(engine, text, kind="money", decimal=".", currencies=("USD",)):
    sql = values.read_number("v", kind, decimal=decimal, currencies=currencies)
    return engine.execute(f"SELECT {sql} FROM (SELECT $1::VARCHAR AS v)", [text]).fetchone()[0]


@pytest.mark.parametrize(
    ("text", "amount"),
    [("$1,234", "1234.00"), ("1234.565", "1234.57"), ("(1,234.50)", "-1234.50"), ("$-5", "-5.00"), ("-$5", "-5.00"),
     ("USD 5", "5.00"), ("5 USD", "5.00"), ("1 234", "1234.00"), ("1,234,567.8", "1234567.80"), ("+5", "5.00"),
     ("1e3", "1000.00"), ("0", "0.00")],
)  # fmt: skip
def test_money_as_people_write_it(engine, text, amount):
    assert number(engine, text) == Decimal(amount)


@pytest.mark.parametrize("text", ["12O0", "1,23", "1,2345", "five", "€5", "EUR 5", "5%", "1.2.3", "9" * 20, "--5", "$"])
def test_what_is_no_amount_is_null(engine, text):
    assert number(engine, text) is None


def test_a_foreign_sign_counts_only_where_rows_name_their_currency(engine):
    assert number(engine, "€5", currencies=None) == Decimal("5.00")


def test_a_declared_comma_is_the_decimal_mark(engine):
    assert number(engine, "€1.234,50", decimal=",", currencies=None) == Decimal("1234.50")
    assert number(engine, "1.234", decimal=",") == Decimal("1234.00")
    assert number(engine, "1,234.50", decimal=",") is None


def test_numbers_and_whole_numbers(engine):
    assert number(engine, "50%", "number") == 0.5
    assert number(engine, "inf", "number") is None
    assert number(engine, "2,822", "integer") == 2822
    assert number(engine, "12.0", "integer") == 12
    assert number(engine, "12.5", "integer") is None


def test_truth_values(engine):
    sql = f"SELECT {values.read_boolean('v')} FROM (SELECT $1::VARCHAR AS v)"
    found = [engine.execute(sql, [text]).fetchone()[0] for text in ("TRUE", "y", "0", "No", "maybe", None)]
    assert found == [True, True, False, False, None, None]


def test_text_loses_blanks_and_words_for_missing(engine):
    sql = f"SELECT {values.as_text('v', 'VARCHAR', ('NULL',))} FROM (SELECT $1::VARCHAR AS v)"
    given = ["  a b ", "\u00a0x", "", "  ", "NULL", " NULL ", "Unknown"]
    assert [engine.execute(sql, [text]).fetchone()[0] for text in given] == [
        "a b",
        "x",
        None,
        None,
        None,
        None,
        "Unknown",
    ]


def test_a_key_that_a_frame_made_a_float_is_whole_again(engine):
    sql = f"SELECT {values.as_text('v', 'DOUBLE', ())} FROM (SELECT $1::DOUBLE AS v)"
    assert [engine.execute(sql, [value]).fetchone()[0] for value in (123.0, 1.5, float("nan"))] == ["123", "1.5", None]


def test_a_decimal_mark_that_cannot_be_told_is_an_error(lab):
    with pytest.raises(ConfigurationError) as caught:
        lab.deals("opportunity_id,stage,amount\n1,Discovery,1.234\n2,Discovery,5.678\n")
    assert "1.234 (deals.csv row 2), 5.678 (deals.csv row 3)" in caught.value.found
    assert 'decimal: ","' in caught.value.fix
    assert 'decimal: "."' in caught.value.fix


def test_one_strange_amount_among_plain_ones_is_quarantined(lab, counts):
    text = 'opportunity_id,stage,amount\n1,Discovery,"12,5"\n2,Discovery,10.50\n3,Discovery,$1,000.00\n'
    result = lab.deals(text.replace("$1,000.00", '"$1,000.00"'))
    assert counts(result, "opportunities") == {"read": 3, "loaded": 2, "collapsed": 0, "quarantined": 1, "filtered": 0}
    (bad,) = lab.quarantine(result, "opportunities")
    assert bad["reasons"] == ["amount: not an amount (12,5)"]
    assert bad["source_file"] == "deals.csv"
    assert bad["row_number"] == 2
    assert bad["row"] == {"opportunity_id": "1", "stage": "Discovery", "amount": "12,5"}
