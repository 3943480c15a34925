"""Dates are read one way or not at all."""

import datetime as dt

import duckdb
import pytest

from revops_analysis.errors import ConfigurationError
from revops_analysis.sources import dates

NEW_YORK = "America/New_York"


@pytest.fixture(scope="module")
def engine():
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    yield con
    con.close()


def read(engine, texts, kind="date", formats=(), zone="UTC"):
    engine.execute("CREATE OR REPLACE TEMP TABLE t AS SELECT unnest($1::VARCHAR[]) AS v", [texts])
    others, timed = engine.execute(f"SELECT {', '.join(dates.glance('v'))} FROM t").fetchone()
    counts = dates.NOTHING
    if others and not formats:
        survey = ", ".join(dates.survey("v"))
        counts = engine.execute(f"SELECT {survey} FROM t WHERE {dates.not_iso('v')}").fetchone()
    style, is_open = dates.decide(counts, formats, timed=bool(timed))
    values = engine.execute(f"SELECT {dates.read_text('v', kind, style, (zone, NEW_YORK))} FROM t").fetchall()
    return is_open, [value for (value,) in values]


moment = dt.datetime.fromisoformat
APRIL_3 = dt.date(2026, 4, 3)


@pytest.mark.parametrize(
    "text",
    ["2026-04-03", "2026-4-3", "2026/04/03", "2026.4.3", "3 Apr 2026", "03-Apr-2026", "03-Apr-26", "Apr 3, 2026",
     "April 3, 2026", "3 April 2026", "2026-04-03T00:00:00.000Z", "2026-04-03 00:00:00"],
)  # fmt: skip
def test_what_can_be_read_in_one_way_needs_no_declaration(engine, text):
    assert read(engine, [text]) == (False, [APRIL_3])


@pytest.mark.parametrize("text", ["03/04/2026", "3.4.2026", "03-04-2026", "03/04/2026 10:00", "01/02/03"])
def test_day_and_month_are_never_guessed(engine, text):
    is_open, _ = read(engine, [text])
    assert is_open


def test_another_value_of_the_column_settles_the_order(engine):
    assert read(engine, ["03/04/2026", "25/04/2026"]) == (False, [APRIL_3, dt.date(2026, 4, 25)])
    assert read(engine, ["04/03/2026", "04/25/2026"]) == (False, [APRIL_3, dt.date(2026, 4, 25)])


def test_a_column_that_speaks_for_both_orders_is_open(engine):
    assert read(engine, ["25/04/2026", "04/25/2026"])[0]


def test_the_same_number_twice_is_no_question(engine):
    assert read(engine, ["04/04/2026"]) == (False, [dt.date(2026, 4, 4)])


def test_two_digit_years_need_one_order_that_fits_all(engine):
    assert read(engine, ["02/23/26", "02/03/24"]) == (False, [dt.date(2026, 2, 23), dt.date(2024, 2, 3)])
    assert read(engine, ["31.12.99", "31.12.68"]) == (False, [dt.date(1999, 12, 31), dt.date(2068, 12, 31)])
    assert read(engine, ["26/02/23", "24/02/03"])[0]


def test_declared_formats_take_their_times_and_iso_but_nothing_else(engine):
    is_open, values = read(
        engine,
        ["03/04/2026", "3/4/26", "2026-04-03", "03/04/2026 10:00", "04-25-2026"],
        formats=("%d/%m/%Y", "%d/%m/%y"),
    )
    assert not is_open
    assert values == [APRIL_3, APRIL_3, APRIL_3, APRIL_3, None]


def test_epochs_are_read_where_declared(engine):
    first = moment("2020-01-01 00:00")
    assert read(engine, ["1577836800"], "timestamp", ("epoch_s",))[1] == [first]
    assert read(engine, ["1577836800000", "9" * 19], "timestamp", ("epoch_ms",))[1] == [first, None]


@pytest.mark.parametrize("text", ["2026-02-30", "31/31/2026 x", "soon", "2026-13-01", "12345678901234567890"])
def test_what_is_no_date_becomes_null(engine, text):
    assert read(engine, [text, "2026-01-25"])[1][0] is None


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-07-01T12:00:00Z", moment("2026-07-01 12:00")),
        ("2026-07-01T12:00:00.000+0000", moment("2026-07-01 12:00")),
        ("2026-07-01 12:00:00-05:00", moment("2026-07-01 17:00")),
        ("2026-07-01 12:00:00", moment("2026-07-01 12:00")),
        ("2026-07-01", moment("2026-07-01 04:00")),
        ("2026-01-01", moment("2026-01-01 05:00")),
    ],
)
def test_moments_become_utc_and_a_bare_day_begins_in_the_business_zone(engine, text, utc):
    assert read(engine, [text, "2026-07-01 01:00"], "timestamp")[1][0] == utc
    if ":" not in text:
        assert read(engine, [text], "timestamp")[1] == [utc]


def test_a_declared_zone_applies_to_moments_that_carry_none(engine):
    values = read(engine, ["2026-07-01 00:30", "2026-07-01 00:30Z"], "timestamp", zone=NEW_YORK)[1]
    assert values == [moment("2026-07-01 04:30"), moment("2026-07-01 00:30")]


def test_a_moment_near_midnight_falls_on_its_business_day(engine):
    texts = ["2026-07-02 03:59:59", "2026-07-02 04:00:00", "2026-07-02 00:00:00"]
    assert read(engine, texts)[1] == [dt.date(2026, 7, 1), dt.date(2026, 7, 2), dt.date(2026, 7, 2)]


def test_an_open_order_is_an_error_with_three_values_and_the_line_to_add(lab):
    text = "opportunity_id,stage,Closes On\n1,Discovery,03/04/2026\n2,Discovery,\n3,Discovery,05/06/2026\n"
    text += "4,Discovery,07/08/2026\n5,Discovery,09/10/2026\n"
    columns = {"opportunity_id": "opportunity_id", "stage": "stage", "close_date": "Closes On"}
    with pytest.raises(ConfigurationError) as caught:
        lab.deals(text, columns=columns)
    error = caught.value
    assert error.found == "03/04/2026 (deals.csv row 2), 05/06/2026 (deals.csv row 4), 07/08/2026 (deals.csv row 5)"
    assert "Closes On" in error.where
    assert '`close_date: {column: Closes On, date_format: "%d/%m/%Y"}`' in error.fix
    columns["close_date"] = {"column": "Closes On", "date_format": "%d/%m/%Y"}
    result = lab.deals(text, columns=columns)
    days = [day for (day,) in lab.rows(result, "opportunities", "close_date")]
    assert days[0] == APRIL_3
    assert days[-1] is None
