"""Counts add up over stretches of rows, and the engine's masks mean what Great Expectations means."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import ibis
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from revops_analysis.definitions import Definitions
from revops_analysis.validation.expectations import Verdict, judge
from revops_analysis.validation.frames import batches, moment_as_number, prepared
from revops_analysis.validation.masks import EXPECTATIONS, condition_columns, failing_rows
from revops_analysis.validation.suites import Rule, load_suites

SUITES = Path(__file__).resolve().parents[2] / "expectations"


def rule(kind: str, name: str = "users.rule", **kwargs: object) -> Rule:
    return Rule(name, "users", f"expect_column_{kind}", kwargs, "critical", "why", "fix", "owner")


def frame(**columns: list) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(values, dtype="Float64") for name, values in columns.items()})


def test_counts_add_up_over_frames() -> None:
    positive = rule("values_to_be_between", column="x", min_value=0)
    verdict = judge([positive], [frame(x=[1, -1, None]), frame(x=[2, 3, -4])])["users.rule"]
    assert verdict == Verdict(checked=5, failed=2, passed=False)


def test_mostly_is_judged_on_the_whole() -> None:
    mostly = rule("values_to_not_be_null", column="x", mostly=0.5)
    assert judge([mostly], [frame(x=[None, None]), frame(x=[1, 1, 1])])["users.rule"].passed
    assert not judge([mostly], [frame(x=[None, None]), frame(x=[1])])["users.rule"].passed


def test_no_frame_is_no_pass() -> None:
    verdict = judge([rule("values_to_not_be_null", column="x")], [])["users.rule"]
    assert not verdict.passed
    assert verdict.error


def test_a_rule_that_fails_to_run_in_one_frame_has_an_error() -> None:
    verdict = judge([rule("values_to_not_be_null", column="x")], [frame(x=[1]), frame(y=[1])])["users.rule"]
    assert not verdict.passed
    assert verdict.error
    assert "x" in verdict.error


@pytest.mark.parametrize("rows", [1, 2, 7, 100])
def test_stretches_hold_every_row_once(rows: int) -> None:
    con = ibis.duckdb.connect()
    table = con.create_table("t", ibis.memtable({"n": list(range(25)), "s": [f"s{n}" for n in range(25)]}))
    frames = list(batches(table.order_by("n"), ["n", "s"], rows=rows))
    assert sorted(pd.concat(frames)["n"]) == list(range(25))
    assert str(frames[-1]["s"].dtype) == "string"
    assert list(batches(table.filter(table.n < 0), ["n"], rows=rows)) == []


def test_repeated_words_are_categories_and_presence_is_all_that_is_carried() -> None:
    con = ibis.duckdb.connect()
    words = ["Won", None, "Lost", "Won"] * 25
    table = con.create_table("t", ibis.memtable({"stage": words, "name": words}))
    (frame,) = batches(table, ["stage"], ["name"])
    assert str(frame["stage"].dtype) == "category"
    assert frame["stage"].isna().sum() == frame["name"].isna().sum() == 25
    assert set(frame["name"].dropna()) == {1.0}


moments = st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(9999, 12, 31))


@settings(max_examples=10, deadline=None)
@given(found=st.lists(moments, min_size=1, max_size=20))
def test_the_engine_and_python_give_a_moment_the_same_number(definitions: Definitions, found: list) -> None:
    """To the microsecond for two centuries from 1970, and whole days in any year."""
    con = ibis.duckdb.connect()
    schema = ibis.schema({"campaign_id": "int64", "started_on": "date", "ended_on": "timestamp(6)"})
    days = [moment.date() for moment in found]
    rows = {"campaign_id": range(len(found)), "started_on": days, "ended_on": found}
    table = con.create_table("t", ibis.memtable(pd.DataFrame(rows, dtype=object), schema=schema))
    seen = prepared(table, "campaigns", definitions).order_by("campaign_id").to_pyarrow()
    assert seen["started_on"].to_pylist() == [moment_as_number(dt.datetime.combine(day, dt.time.min)) for day in days]
    assert seen["ended_on"].to_pylist() == [moment_as_number(moment) for moment in found]


numbers = st.lists(st.none() | st.integers(-3, 3).map(float), min_size=1, max_size=12)
KINDS: dict[str, dict[str, object]] = {
    "values_to_not_be_null": {},
    "values_to_be_null": {},
    "values_to_be_in_set": {"value_set": [0.0, 1.0]},
    "values_to_be_between": {"min_value": -1, "max_value": 1, "strict_max": True},
    "values_to_match_regex": {"regex": "^-?[01]"},
    "pair_values_a_to_be_greater_than_b": {"ignore_row_if": "either_value_is_missing", "or_equal": True},
}


def test_every_expectation_is_compared() -> None:
    assert {f"expect_column_{kind}" for kind in KINDS} == set(EXPECTATIONS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("conditional", [False, True])
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=numbers, others=numbers)
def test_masks_count_what_great_expectations_counts(
    kind: str, conditional: bool, values: list[float | None], others: list[float | None]
) -> None:
    size = min(len(values), len(others))
    data = pd.DataFrame({"x": values[:size], "y": others[:size], "z": range(size)}).astype(
        {"x": "float64", "y": "float64"}
    )
    kwargs = dict(KINDS[kind])
    kwargs |= {"column_A": "x", "column_B": "y"} if kind.startswith("pair") else {"column": "x"}
    if kind.endswith("regex"):
        data["x"] = data["x"].map(lambda value: None if pd.isna(value) else str(value)).astype("string[pyarrow]")
    if conditional:
        kwargs["row_condition"] = {"type": "comparison", "column": {"name": "z"}, "operator": "<", "parameter": 5}
    one = rule(kind, **kwargs)
    con = ibis.duckdb.connect()
    table = con.create_table("t", ibis.memtable(data))
    table = (
        table.mutate(x=table.x.nullif(float("nan")), y=table.y.nullif(float("nan"))) if "regex" not in kind else table
    )
    verdict = judge([one], batches(table, list(data.columns)))["users.rule"]
    assert verdict.error is None
    assert verdict.failed == failing_rows(table, one.type, one.kwargs).count().execute()


PATTERNS = sorted({rule.kwargs["regex"] for rule in load_suites(SUITES) if "regex" in rule.kwargs})
SPELLINGS = st.text(alphabet="aZ0.@-:/ \t\n\r\u00a0\u2003é", min_size=1, max_size=8)
LIKELY = st.sampled_from(
    ["USD", "EUR\n", "a@b.c", "a@b.c\n", "a\u00a0b@c.d", "acme.com", "acme.com\n", "x.y.z", " a.b"]
)


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=6, deadline=None)
@given(words=st.lists(SPELLINGS | LIKELY, min_size=5, max_size=40))
def test_patterns_mean_the_same_to_python_and_the_engine(pattern: str, words: list[str]) -> None:
    one = rule("values_to_match_regex", column="x", regex=pattern)
    con = ibis.duckdb.connect()
    table = con.create_table("t", ibis.memtable({"x": words}))
    verdict = judge([one], batches(table, ["x"]))["users.rule"]
    assert (verdict.error, verdict.checked) == (None, len(words))
    assert verdict.failed == failing_rows(table, one.type, one.kwargs).count().execute()


def test_columns_of_a_condition() -> None:
    both = {
        "type": "and",
        "conditions": [
            {"type": "nullity", "column": {"name": "a"}, "is_null": True},
            {"type": "comparison", "column": {"name": "b"}, "operator": "==", "parameter": 1},
        ],
    }
    assert condition_columns(both) == ("a", "b")
    assert condition_columns(None) == ()
