"""Deals as of a day: each awkward case of docs/as-of.md, on small tables."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from builders import Rows, make_definitions, make_snapshot, moment
from revops_analysis.errors import ConfigurationError, DataRefusedError
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.snapshot import Snapshot, parse_day

DAY = "2026-06-30"
"""The as-of date of these tests; in New York it ends at 04:00 UTC of 1 July."""


def deal(key: str = "o1", **values: Any) -> dict[str, Any]:
    base = {"opportunity_id": key, "type": "new", "stage": "Proposal", "amount": 1000, "created_at": "2026-01-10"}
    return {**base, **values}


def change(moment: str, stage: str | None, amount: Any = 1000, key: str = "o1", **values: Any) -> dict[str, Any]:
    base = {"opportunity_id": key, "changed_at": moment, "change_number": 1, "stage": stage, "amount": amount}
    return {**base, "close_date": "2026-08-15", **values}


def snapshot(deals: Rows, history: Rows | None = None, as_of: str = DAY, **tables: Rows) -> Snapshot:
    given = {"opportunities": deals, **tables}
    if history is not None:
        given["opportunity_history"] = history
    return make_snapshot(given, as_of=as_of)


def only(found: Snapshot) -> dict[str, Any]:
    rows = found.deals.to_pyarrow().to_pylist()
    assert len(rows) == 1
    return rows[0]


def test_state_is_that_of_the_last_change_on_or_before_the_day() -> None:
    history = [
        change("2026-01-10", "Discovery", None),
        change("2026-03-01", "Proposal", 500, forecast_category="Pipeline", probability=0.5, owner_id="u1"),
        change("2026-07-15", "Closed Won", 900),
    ]
    row = only(snapshot([deal(stage="Closed Won", amount=900)], history))
    assert (row["stage"], row["status"], row["stage_order"]) == ("Proposal", "open", 4)
    assert (row["amount"], row["first_amount"]) == (Decimal("500.00"), Decimal("500.00"))
    assert row["close_date"] == dt.date(2026, 8, 15)
    assert (row["forecast_category"], row["probability"], row["owner_id"]) == ("Pipeline", 0.5, "u1")
    assert row["stage_entered_at"] == moment("2026-03-01")
    assert (row["closed_at"], row["booked_on"], row["closed_on"]) == (None, None, None)
    assert row["basis"] == "history"


@pytest.mark.parametrize(
    ("moment", "stage"),
    [("2026-07-01 03:59:59.999999", "Negotiation"), ("2026-07-01 04:00:00", "Proposal")],
)
def test_the_day_ends_at_midnight_of_the_business_time_zone(moment: str, stage: str) -> None:
    history = [change("2026-01-10", "Proposal"), change(moment, "Negotiation")]
    assert only(snapshot([deal()], history))["stage"] == stage


def test_the_hour_that_a_clock_change_repeats_belongs_to_one_day() -> None:
    # On 1 November 2026 New York is at UTC−4 until 06:00 UTC: the day begins at 04:00 UTC and lasts 25 hours.
    history = [change("2026-01-10", "Proposal"), change("2026-11-02 04:59:59", "Negotiation")]
    tables = {"opportunities": [deal()], "opportunity_history": history}
    for day, stage in (("2026-10-31", "Proposal"), ("2026-11-01", "Negotiation")):
        assert only(make_snapshot(tables, as_of=day, data_through="2026-12-31"))["stage"] == stage


def test_days_are_business_days() -> None:
    history = [
        change("2026-01-11 02:00:00", "Proposal"),
        change("2026-04-01 02:30:00", "Closed Lost", close_date="2026-05-30"),
    ]
    row = only(snapshot([deal(created_at="2026-01-11 02:00:00")], history))
    assert (row["created_on"], row["closed_on"]) == (dt.date(2026, 1, 10), dt.date(2026, 3, 31))


def test_several_changes_in_one_second_follow_their_number() -> None:
    history = [
        change("2026-02-01", "Negotiation", 30, change_number=3),
        change("2026-02-01", "Discovery", 10, change_number=1),
        change("2026-02-01", "Proposal", 20, change_number=2),
    ]
    found = snapshot([deal()], history)
    assert (only(found)["stage"], only(found)["amount"], only(found)["first_amount"]) == ("Negotiation", 30, 10)
    shown = found.history.order_by("change_index").to_pandas()
    assert shown.stage.tolist() == ["Discovery", "Proposal", "Negotiation"]
    assert shown.from_stage.tolist() == [None, "Discovery", "Proposal"]
    assert shown.valid_until.notna().tolist() == [True, True, False]


def test_a_reopened_deal_is_open_and_closes_anew() -> None:
    history = [
        change("2026-01-10", "Proposal"),
        change("2026-02-01", "Closed Lost"),
        change("2026-03-01", "Negotiation"),
        change("2026-05-01", "Closed Won", close_date="2026-05-02"),
    ]
    found = snapshot([deal(stage="Closed Won", loss_reason="price", closed_at="2026-05-01")], history)
    seen = {day: only(found.at(day)) for day in ("2026-02-15", "2026-03-15", DAY)}
    assert [row["status"] for row in seen.values()] == ["lost", "open", "won"]
    assert [row["closed_at"] for row in seen.values()] == [
        moment("2026-02-01"),
        None,
        moment("2026-05-01"),
    ]
    assert seen["2026-02-15"]["closed_on"] == dt.date(2026, 2, 1)
    assert seen[DAY]["booked_on"] == seen[DAY]["closed_on"] == dt.date(2026, 5, 2)
    # What was lost in February was explained later, if at all: the reason belongs to the last closing.
    assert [row["loss_reason"] for row in seen.values()] == [None, None, None]


def test_edits_after_closing_do_not_move_the_closing() -> None:
    history = [change("2026-03-01", "Closed Won", 10), change("2026-05-01", "Closed Won", 20)]
    row = only(snapshot([deal(stage="Closed Won")], history))
    assert (row["closed_at"], row["amount"]) == (moment("2026-03-01"), 20)


def test_deleted_deals_go_on_the_day_they_are_deleted() -> None:
    found = snapshot([deal(deleted_at="2026-05-05")], [change("2026-01-10", "Proposal")])
    assert found.deals.count().execute() == 0
    assert found.table("opportunities").deleted_at.to_pyarrow().to_pylist() == [moment("2026-05-05")]
    earlier = found.at("2026-05-04")
    assert only(earlier)["deleted_at"] is None
    assert earlier.history.count().execute() == 1


def test_a_merged_deal_is_counted_once() -> None:
    # o2 was merged into o1: it is deleted at that moment, and its changes stay its own.
    deals = [deal("o1"), deal("o2", deleted_at="2026-04-01")]
    history = [
        change("2026-01-10", "Discovery", 100),
        change("2026-01-10", "Discovery", 70, "o2"),
        change("2026-04-01", "Discovery", 170),
    ]
    found = snapshot(deals, history)
    totals = {day: found.at(day).deals.amount.sum().execute() for day in ("2026-03-31", "2026-04-01")}
    assert totals == {"2026-03-31": 170, "2026-04-01": 170}


def test_history_that_starts_after_creation_says_nothing_earlier() -> None:
    found = snapshot([deal(created_at="2025-03-01")], [change("2026-05-01", "Negotiation", 700)])
    row = only(found.at("2026-04-30"))
    assert (row["basis"], row["status"]) == ("before history", "open")
    assert [row[name] for name in ("stage", "stage_order", "amount", "first_amount", "close_date")] == [None] * 5
    assert any("1 deal has no recorded change by 2026-04-30" in note for note in found.at("2026-04-30").notes)
    assert only(found)["amount"] == 700
    assert only(found)["stage_entered_at"] == moment("2026-05-01")


def test_deals_created_later_do_not_exist_even_with_earlier_changes() -> None:
    found = snapshot([deal(created_at="2026-07-05")], [change("2026-06-01", "Proposal")])
    assert found.deals.count().execute() == 0
    assert found.history.count().execute() == 0
    assert any("the data begins later" in note for note in found.notes)


def test_changes_of_no_deal_are_left_out() -> None:
    found = snapshot([deal()], [change("2026-02-01", "Proposal"), change("2026-02-01", "Proposal", key="gone")])
    assert found.deals.count().execute() == 1
    assert found.history.count().execute() == 1


@pytest.mark.parametrize(
    ("values", "status", "stage"),
    [
        ({"stage": "Closed Won", "closed_at": "2026-05-01"}, "won", "Closed Won"),
        ({"stage": "Closed Won", "close_date": "2026-06-30"}, "won", "Closed Won"),
        ({"stage": "Closed Lost", "close_date": "2026-07-01"}, "open", None),
        ({"stage": "Closed Won", "closed_at": "2026-07-02", "close_date": "2026-05-01"}, "open", None),
        ({"stage": "Closed Won"}, "open", None),
        ({"stage": "Proposal", "close_date": "2026-05-01"}, "open", None),
    ],
)
def test_without_history_deals_are_rebuilt_from_their_dates(values: dict, status: str, stage: str | None) -> None:
    found = snapshot([deal(forecast_category="Closed", probability=1.0, **values)])
    row = only(found)
    assert (row["basis"], row["status"], row["stage"]) == ("rebuilt", status, stage)
    assert row["amount"] == row["first_amount"] == 1000
    assert (row["forecast_category"] is None) == (row["probability"] is None) == (status == "open")
    assert any(note.startswith("No opportunity_history: deals are rebuilt") for note in found.notes)
    assert found.history.count().execute() == 0
    assert not found.has_history


def test_on_the_last_day_the_current_state_is_the_state() -> None:
    row = only(snapshot([deal(stage="Negotiation", probability=0.7)], as_of="2026-09-30"))
    assert (row["stage"], row["probability"], row["stage_entered_at"]) == ("Negotiation", 0.7, None)


def test_a_deal_without_changes_among_others_is_rebuilt_and_counted() -> None:
    found = snapshot([deal("o1"), deal("o2", stage="Closed Won", close_date=DAY)], [change("2026-02-01", "Proposal")])
    rows = {row["opportunity_id"]: row for row in found.deals.to_pyarrow().to_pylist()}
    assert (rows["o2"]["basis"], rows["o2"]["booked_on"]) == ("rebuilt", dt.date(2026, 6, 30))
    assert any("1 deal has no recorded changes at all" in note for note in found.notes)


def test_a_win_is_booked_on_the_day_that_the_definitions_name() -> None:
    deals = [deal(stage="Closed Won")]
    history = [change("2026-05-20", "Closed Won", close_date="2026-05-15")]
    by_close_date = only(snapshot(deals, history))
    assert by_close_date["booked_on"] == dt.date(2026, 5, 15)
    tables = {"opportunities": deals, "opportunity_history": history}
    by_moment = make_snapshot(tables, as_of=DAY, definitions=make_definitions(booking_day="closed_at"))
    assert only(by_moment)["booked_on"] == dt.date(2026, 5, 20)


def test_a_win_with_a_later_close_date_is_not_booked_yet() -> None:
    row = only(snapshot([deal()], [change("2026-05-20", "Closed Won", close_date="2026-07-15")]))
    assert (row["status"], row["booked_on"], row["closed_on"]) == ("won", None, None)


def test_headline_and_omitted_follow_the_definitions() -> None:
    deals = [deal("a"), deal("b", type="renewal"), deal("c", type=None, forecast_category="Omitted")]
    found = snapshot(deals, as_of="2026-09-30")
    rows = {row["opportunity_id"]: row for row in found.deals.to_pyarrow().to_pylist()}
    assert {key: row["is_headline"] for key, row in rows.items()} == {"a": True, "b": False, "c": True}
    assert {key: row["is_omitted"] for key, row in rows.items()} == {"a": False, "b": False, "c": True}
    assert any("1 deal has no type" in note for note in found.notes)


def test_owner_and_account_come_along() -> None:
    found = snapshot(
        [deal(owner_id="u1", account_id="a1"), deal("o2", owner_id="gone", account_id="gone")],
        users=[{"user_id": "u1", "name": "Ada", "team": "Blue", "region": "East", "role": "AE"}],
        accounts=[{"account_id": "a1", "name": "Acme", "industry": "Steel", "region": "West", "country": "US"}],
    )
    rows = {row["opportunity_id"]: row for row in found.deals.to_pyarrow().to_pylist()}
    assert [rows["o1"][name] for name in ("owner_name", "owner_team", "account_name", "account_industry")] == [
        "Ada",
        "Blue",
        "Acme",
        "Steel",
    ]
    assert rows["o2"]["owner_team"] is None


def test_last_activity_comes_from_activities_up_to_the_day() -> None:
    activities = [
        {"activity_id": "1", "opportunity_id": "o1", "occurred_at": "2026-05-01"},
        {"activity_id": "2", "opportunity_id": "o1", "occurred_at": "2026-07-02"},
        {"activity_id": "3", "occurred_at": "2026-06-02"},
    ]
    stored = deal(last_activity_at="2026-07-02")
    assert only(snapshot([stored], activities=activities))["last_activity_at"] == moment("2026-05-01")
    assert only(snapshot([stored]))["last_activity_at"] is None
    assert only(snapshot([deal(last_activity_at="2026-06-02")]))["last_activity_at"] == moment("2026-06-02")


RATES = [
    {"currency": "EUR", "day": "2026-01-01", "rate_to_reporting": 1.1},
    {"currency": "EUR", "day": "2026-05-01", "rate_to_reporting": 1.25},
    {"currency": "EUR", "day": "2026-07-01", "rate_to_reporting": 9},
]


def test_open_amounts_take_the_rate_of_the_day_and_won_ones_that_of_their_booking() -> None:
    deals = [
        deal("open", currency="EUR"),
        deal("won", currency="EUR", stage="Closed Won", close_date="2026-04-30"),
        deal("dollars", currency="USD"),
        deal("unsaid"),
        deal("empty", currency="EUR", amount=None),
    ]
    rows = {r["opportunity_id"]: r for r in snapshot(deals, exchange_rates=RATES).deals.to_pyarrow().to_pylist()}
    amounts = {key: row["amount"] for key, row in rows.items()}
    assert amounts == {"open": 1250, "won": 1100, "dollars": 1000, "unsaid": 1000, "empty": None}
    assert (rows["open"]["amount_original"], rows["open"]["currency"]) == (1000, "EUR")
    assert rows["open"]["first_amount"] == 1100
    tables = {"opportunities": deals, "exchange_rates": RATES}
    flat = make_snapshot(tables, as_of=DAY, definitions=make_definitions(exchange_rate_day="as_of"))
    assert set(flat.deals.filter(flat.deals.currency == "EUR").amount.to_pyarrow().to_pylist()) == {1250, None}


def test_cents_are_rounded_half_away_from_zero() -> None:
    rates = [{"currency": "EUR", "day": "2026-01-01", "rate_to_reporting": 1.23}]
    deals = [deal("a", currency="EUR", amount="1.50"), deal("b", currency="EUR", amount="-1.50")]
    rows = snapshot(deals, exchange_rates=rates).deals.order_by("opportunity_id").amount.to_pyarrow().to_pylist()
    assert rows == [Decimal("1.85"), Decimal("-1.85")]


def test_a_missing_rate_names_currency_and_day() -> None:
    deals = [
        deal("a", currency="EUR"),
        deal("b", currency="GBP"),
        deal("c", currency="EUR", stage="Closed Won", close_date="2025-12-31", created_at="2026-01-10"),
    ]
    with pytest.raises(DataRefusedError, match="No exchange rate for EUR on or before 2025-12-31") as caught:
        _ = snapshot(deals, exchange_rates=RATES).deals
    assert "exchange_rates" in str(caught.value)
    with pytest.raises(DataRefusedError, match="No exchange rate for GBP on or before 2026-06-30"):
        _ = snapshot(deals[:2], exchange_rates=RATES).deals
    with pytest.raises(DataRefusedError, match="No exchange rate for EUR"):
        _ = snapshot(deals[:1]).deals


def test_a_missing_rate_of_nothing_is_not_missed() -> None:
    assert only(snapshot([deal(currency="GBP", amount=None)]))["amount"] is None


def test_history_is_at_one_rate_so_that_changes_are_changes() -> None:
    history = [
        change("2026-02-01", "Proposal", 100, currency="EUR"),
        change("2026-05-10", "Proposal", 100, currency="EUR"),
    ]
    found = snapshot([deal()], history, exchange_rates=RATES)
    assert found.history.amount.to_pyarrow().to_pylist() == [Decimal("125.00")] * 2
    with pytest.raises(DataRefusedError, match="CHF"):
        _ = snapshot([deal()], [change("2026-02-01", "Proposal", 1, currency="CHF")]).history


def test_any_table_can_be_converted() -> None:
    quotas = [
        {"user_id": "u1", "period_start": "2026-04-01", "period_end": "2026-06-30", "quota": 100, "currency": "EUR"},
        {"user_id": "u2", "period_start": "2026-04-01", "period_end": "2026-06-30", "quota": 100},
    ]
    found = snapshot([deal()], quotas=quotas, exchange_rates=RATES)
    table = found.table("quotas")
    assert found.in_reporting_currency(table, ["quota"]).order_by("user_id").quota.to_pyarrow().to_pylist() == [
        125,
        100,
    ]
    of_day = found.in_reporting_currency(table, ["quota"], day="period_start")
    assert of_day.order_by("user_id").quota.to_pyarrow().to_pylist() == [110, 100]
    assert of_day.schema() == table.schema()
    with pytest.raises(DataRefusedError, match="EUR"):
        snapshot([deal()], quotas=quotas).in_reporting_currency(
            snapshot([deal()], quotas=quotas).table("quotas"), ["quota"]
        )


def test_rows_and_events_after_the_day_are_unknown() -> None:
    lead = {"lead_id": "1", "created_at": "2026-06-01", "qualified_at": "2026-06-02", "converted_at": "2026-07-02"}
    leads = [{**lead, "opportunity_id": "o1", "disqualified_reason": "?"}, {"lead_id": "2", "created_at": "2026-07-01"}]
    found = snapshot([deal()], leads=leads)
    rows = found.table("leads").to_pyarrow().to_pylist()
    assert [row["lead_id"] for row in rows] == ["1"]
    assert rows[0]["qualified_at"] == moment("2026-06-02")
    assert (rows[0]["converted_at"], rows[0]["opportunity_id"]) == (None, None)
    assert rows[0]["disqualified_reason"] is None, "an event without a date is known on the last day only"
    last = make_snapshot({"opportunities": [], "leads": leads}).table("leads").to_pyarrow().to_pylist()
    assert last[0]["disqualified_reason"] == "?"


def test_rows_without_a_date_are_always_visible() -> None:
    found = snapshot([deal(created_at=None)], accounts=[{"account_id": "a1"}])
    assert found.table("accounts").count().execute() == 1
    assert only(found)["created_on"] is None


def test_subscriptions_without_booking_begin_with_their_term() -> None:
    term = {"account_id": "a", "mrr": 1}
    terms = [
        {"subscription_id": "1", "started_on": "2026-06-30", **term},
        {"subscription_id": "2", "started_on": "2026-07-01", **term},
        {"subscription_id": "3", "started_on": "2026-09-01", "booked_at": "2026-06-01", **term},
        {"subscription_id": "4", "started_on": "2026-06-01", "booked_at": "2026-07-02", **term},
    ]
    found = snapshot([], subscriptions=terms).table("subscriptions")
    assert sorted(found.subscription_id.to_pyarrow().to_pylist()) == ["1", "3"]


def test_a_month_exists_once_it_is_over() -> None:
    rows = [{"account_id": "a", "month": month, "mrr": 1} for month in ("2026-05-01", "2026-06-01", "2026-07-01")]
    tables = {"opportunities": [], "revenue_ledger": rows}
    for day, months in (("2026-06-30", 2), ("2026-06-29", 1), ("2026-07-31", 3)):
        assert make_snapshot(tables, as_of=day).table("revenue_ledger").count().execute() == months


def test_deals_at_an_earlier_day_are_those_of_a_fresh_snapshot() -> None:
    deals = [deal("o1"), deal("o2", created_at="2026-05-05"), deal("o3", stage="Closed Won", close_date="2026-03-03")]
    history = [change("2026-01-10", "Discovery", 10), change("2026-05-01", "Closed Won", 20)]
    found = snapshot(deals, history)
    fresh = snapshot(deals, history, as_of="2026-04-01")
    expected = fresh.deals.order_by("opportunity_id").to_pyarrow()
    assert found.deals_at("2026-04-01").order_by("opportunity_id").to_pyarrow().equals(expected)
    assert found.at(dt.date(2026, 4, 1)).deals.order_by("opportunity_id").to_pyarrow().equals(expected)
    assert found.deals_at(DAY).equals(found.deals)
    assert found.at(DAY) is found
    with pytest.raises(ConfigurationError, match="2026-07-01 lies after this snapshot"):
        found.at("2026-07-01")


def test_a_day_after_the_data_is_refused_with_both_dates() -> None:
    with pytest.raises(ConfigurationError) as caught:
        snapshot([], as_of="2026-10-01")
    assert "2026-10-01" in str(caught.value)
    assert "2026-09-30" in str(caught.value)


@pytest.mark.parametrize(
    "value", ["", None, "30.09.2026", "2026-9-30", "2026-02-30", moment("2026-06-30 00:00:00"), 20260630]
)
def test_what_is_no_day_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="as_of"):
        parse_day(value)


def test_what_is_there_and_what_is_missing() -> None:
    found = snapshot([deal()], users=[])
    assert found.has("users")
    assert not found.has("leads")
    assert found.missing_tables == tuple(name for name in TABLES if name not in ("opportunities", "users"))
    assert not any(note.startswith("No users") for note in found.notes)
    with pytest.raises(ConfigurationError, match="No such table"):
        found.table("opportunity")
    with pytest.raises(ConfigurationError, match="No such table"):
        found.has("user")


def test_current_columns_are_noted_or_refused() -> None:
    found = snapshot([deal()])
    found.use_columns(["segment", "stage", "owner_team", "created_on", "accounts.industry"])
    assert found.used_current_columns == ("accounts.industry", "opportunities.segment", "users.team")
    with pytest.raises(ConfigurationError, match=r"opportunities\.next_step"):
        found.require_dated(["stage", "next_step"], "a model's feature")
    found.require_dated(["product", "amount"], "a model's feature")
    assert "opportunities.product" in found.used_current_columns


def test_what_was_found_once_is_remembered_with_the_snapshot() -> None:
    found, numbers = snapshot([deal()]), iter(range(10))
    assert [found.once("a", lambda: next(numbers)) for _ in range(3)] == [0, 0, 0]
    assert found.once("b", lambda: next(numbers)) == 1
    earlier = found.at("2025-12-30")
    assert found.at("2025-12-30") is earlier
    assert earlier.once("a", lambda: next(numbers)) == 2  # another day, another answer
