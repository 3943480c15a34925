"""The registry: one call for every metric, and tidy answers."""

from __future__ import annotations

import datetime as dt

import pytest

from builders import make_snapshot
from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.registry import Metric, compute_metric, describe_metrics, metrics, register
from revops_analysis.tables.snapshot import Snapshot

COLUMNS = ["value", "unit", "low", "high", "n", "reason"]


def test_an_answer_is_tidy_and_ordered(generated_snapshot: Snapshot) -> None:
    frame = compute_metric(generated_snapshot, "win_rate", "2025-Q1...2025-Q4", by=["segment", "type"]).frame
    assert list(frame.columns) == ["metric", "period", "segment", "type", *COLUMNS]
    assert list(dict.fromkeys(frame["period"])) == ["2025-Q1", "2025-Q2", "2025-Q3", "2025-Q4"]
    first = frame[frame["period"] == "2025-Q3"][["segment", "type"]].fillna("~")
    assert list(map(tuple, first.to_numpy())) == sorted(map(tuple, first.to_numpy()))
    assert frame["segment"].isna().any()  # a missing dimension stays missing
    assert ((frame["low"] <= frame["value"]) & (frame["value"] <= frame["high"])).all()


def test_a_period_series_gives_a_row_a_period(generated_snapshot: Snapshot) -> None:
    frame = compute_metric(generated_snapshot, "bookings", "2025-Q1...2026-Q3").frame
    year = compute_metric(generated_snapshot, "bookings", "2025").frame
    assert len(frame) == 7
    assert round(frame["value"][:4].sum(), 2) == year["value"][0]


def test_a_level_is_that_of_the_end_of_the_period(generated_snapshot: Snapshot) -> None:
    frame = compute_metric(generated_snapshot, "open_pipeline", "2025-Q4...2026-Q3").frame
    earlier = compute_metric(generated_snapshot.at("2025-12-31"), "open_pipeline").frame
    assert frame["value"][0] == earlier["value"][0]
    assert frame["value"].nunique() == 4


def test_a_period_that_lies_ahead_has_no_value_and_says_why(generated_snapshot: Snapshot) -> None:
    row = compute_metric(generated_snapshot, "bookings", "2026-Q4").frame.loc[0]
    assert row["value"] != row["value"]
    assert "begins after the as-of date 2026-09-30" in row["reason"]


def test_without_its_table_a_metric_is_null_with_the_reason() -> None:
    deal = {"opportunity_id": "o1", "stage": "Closed Won", "amount": 5, "close_date": "2026-08-01"}
    snapshot = make_snapshot({"opportunities": [deal]})
    row = compute_metric(snapshot, "restatements").frame.loc[0]
    assert row["reason"] == "the source has no opportunity_history table"
    assert compute_metric(snapshot, "bookings").frame["value"][0] == 5


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        ({"name": "bookingz"}, "bookings"),
        ({"name": "bookings", "by": ["segmnt"]}, "segment"),
        ({"name": "bookings", "where": "segmnt = SMB"}, "segment"),
        ({"name": "bookings", "period": "2026-Q5"}, "Q"),
    ],
)
def test_a_question_that_names_nothing_known_is_refused_with_what_is_near(
    generated_snapshot: Snapshot, call: dict, hint: str
) -> None:
    with pytest.raises(ConfigurationError) as problem:
        compute_metric(generated_snapshot, **call)
    assert hint in str(problem.value)


def test_a_filter_is_the_same_as_its_row_of_the_cut(generated_snapshot: Snapshot) -> None:
    cut = compute_metric(generated_snapshot, "all_bookings", "2025", by="segment").frame.set_index("segment")["value"]
    for text, key in (("segment = SMB", "SMB"), ("segment = 'Mid-Market' and amount >= 0", "Mid-Market")):
        assert compute_metric(generated_snapshot, "all_bookings", "2025", where=text).frame["value"][0] == cut[key]


def test_columns_without_history_are_noted_when_a_cut_uses_them() -> None:
    snapshot = make_snapshot({"opportunities": [{"opportunity_id": "o1", "stage": "Proposal", "amount": 5}]})
    compute_metric(snapshot, "open_pipeline", by=["segment", "team"], where="product = Core and owner_id = u1")
    assert snapshot.used_current_columns == ("opportunities.product", "opportunities.segment", "users.team")


def test_money_is_published_as_text_with_two_places(generated_snapshot: Snapshot) -> None:
    row = compute_metric(generated_snapshot, "average_deal_size", "2025", by="segment").rows()[0]
    assert set(row) == {"metric", "period", "dims", "value", "unit", "low", "high", "n", "reason"}
    assert row["value"].split(".")[1].isdigit() and len(row["value"].split(".")[1]) == 2
    assert row["dims"] == {"segment": "Mid-Market"}
    rate = compute_metric(generated_snapshot, "win_rate", "2025").rows()[0]
    assert isinstance(rate["value"], float) and isinstance(rate["n"], int)


def test_every_metric_says_what_it_is() -> None:
    listed = describe_metrics()
    assert {"bookings", "win_rate", "coverage", "required_coverage", "yield", "pipeline_movement"} <= set(
        listed["name"]
    )
    words = listed[["title", "description", "formula", "grain", "family"]]
    assert (words.map(len) > 3).all().all()


def test_a_name_is_taken_once() -> None:
    taken = metrics()["bookings"]
    other = Metric(**{**vars(taken), "compute": lambda request: request})
    with pytest.raises(ConfigurationError, match="taken"):
        register(other)
    assert register(taken) is taken


def test_a_snapshot_of_another_day_gives_that_day(generated_snapshot: Snapshot) -> None:
    day = dt.date(2025, 12, 31)
    then = compute_metric(generated_snapshot.at(day), "bookings", "2025-Q4").frame["n"][0]
    now = compute_metric(generated_snapshot, "bookings", "2025-Q4").frame["n"][0]
    back_dated = compute_metric(generated_snapshot, "restatements", "2025-Q4").frame["n"][0]
    assert now - then <= back_dated


def test_a_question_asked_twice_is_answered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = make_snapshot({"opportunities": [{"opportunity_id": "d1", "segment": "SMB", "amount": "10"}]})
    first = compute_metric(snapshot, "deals_created", "2025-Q4", by="segment")
    kept = first.frame.copy()
    first.frame.loc[:, "value"] = -1.0  # what a reader does with an answer is not what the next one gets

    def refuse(_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("revops_analysis.metrics.registry._answer", refuse)
    again = compute_metric(snapshot, "deals_created", "2025-Q4", by=["segment"])
    assert again.frame.equals(kept)
    with pytest.raises(AssertionError):
        compute_metric(snapshot, "deals_created", "2025-Q4", by="segment", where="segment = SMB")
    with pytest.raises(AssertionError):
        compute_metric(snapshot.at("2025-12-30"), "deals_created", "2025-Q4", by="segment")
