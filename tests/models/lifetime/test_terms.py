"""What comes up for renewal, what became of it, and that nothing later shows."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.lifetime.subscribers import company, subscribers, term
from revops_analysis.models.lifetime.terms import ROWS, quarter_cutoffs, renewal_panel

CUTOFF = dt.date(2024, 3, 31)
LATER = "2024-12-31"


def lots(terms, as_of=LATER, day=CUTOFF, **more):
    panel = renewal_panel(company(terms, as_of, **more), [day])
    known = panel.known_at(dt.date.fromisoformat(as_of))
    return known.set_index("account_id"), panel


def test_a_lot_is_what_an_account_has_ending_on_one_day() -> None:
    rows = [
        term("a", "2023-07-01", "2024-06-30", 100),
        term("a", "2023-10-01", "2024-06-30", 20, "Analytics"),
        term("a", "2023-10-01", "2024-08-31", 5, "Connect"),
        term("b", "2023-07-01", "2026-06-30", 9),
        term("c", "2023-07-01", None, 9),
        term("d", "2023-07-01", "2024-06-30", 0),
        term("e", "2024-07-01", "2024-06-01", 9),
    ]
    found, panel = lots(rows)
    assert found[["mrr", "account_mrr", "terms", "products", "lead_days"]].to_numpy().tolist() == [
        [120, 125, 2, 2, 91],
        [5, 125, 1, 1, 153],
    ]
    assert panel.left_out == (
        "1 term without an end: they come up for no renewal.",
        "1 term without revenue above zero: nothing is at stake when they end.",
        "1 term that end before they start: left out.",
    )


@pytest.mark.parametrize(
    ("renewal", "lost"),
    [
        (term("a", "2024-07-01", None, 90), 0.0),
        (term("a", "2024-07-20", None, 90, "Analytics"), 0.0),
        (term("a", "2024-07-01", None, 90, booked_at="2024-08-10"), 0.0),
        (term("a", "2024-10-20", None, 90), 1.0),
        (term("a", "2024-10-20", None, 90, renews_subscription_id="s00000"), 0.0),
        (term("b", "2024-07-01", None, 90), 1.0),
    ],
    ids=["on time", "another product", "booked late, back-dated", "too late", "late but named", "somebody else"],
)
def test_what_renews_a_lot(renewal, lost) -> None:
    found, _ = lots([term("a", "2023-07-01", "2024-06-30", 100), renewal])
    assert found.loc["a", "lost"] == lost


def test_a_lot_is_decided_when_the_time_for_late_renewals_is_over() -> None:
    terms = [
        term("lost", "2023-07-01", "2024-06-30", 1),
        term("kept", "2023-07-01", "2024-06-30", 1),
        term("kept", "2024-07-01", None, 1, booked_at="2024-05-01"),
    ]
    panel = renewal_panel(company(terms, LATER), [CUTOFF])
    before, after = panel.known_at(dt.date(2024, 8, 28)), panel.known_at(dt.date(2024, 8, 29))
    assert before["lost"].isna().all()  # the renewed one alone would teach that nobody leaves
    assert after.set_index("account_id")["lost"].to_dict() == {"lost": 1.0, "kept": 0.0}


def test_what_was_renewed_before_the_cutoff_is_no_longer_due() -> None:
    terms = [term("a", "2023-07-01", "2024-06-30", 7), term("a", "2024-07-01", None, 8, booked_at="2024-03-31")]
    found, panel = lots(terms)
    assert found.empty
    assert panel.early["mrr"].tolist() == [7.0]


def test_overdue_lots_may_still_be_renewed() -> None:
    terms = [term("a", "2023-07-01", "2024-06-30", 7), term("b", "2023-01-01", "2024-04-30", 3)]
    snapshot = company(terms, "2024-07-15")
    panel = renewal_panel(snapshot, [CUTOFF, dt.date(2024, 7, 15)])
    assert panel.overdue()["account_id"].tolist() == ["a"]


def test_notice_and_terms_are_seen_only_once_given_and_booked() -> None:
    terms = [
        term("a", "2023-07-01", "2024-06-30", 7, cancelled_at="2024-05-01", churn_reason="Price"),
        term("b", "2023-07-01", "2024-06-30", 7, cancelled_at="2024-03-31 10:00:00", churn_reason="Price"),
        term("c", "2024-01-01", "2024-06-30", 7, booked_at="2024-04-15"),
    ]
    found, _ = lots(terms)
    assert found["notice_on"].notna().to_dict() == {"a": False, "b": True}


def test_the_renewal_deal_is_read_as_it_stood() -> None:
    terms = [term("a", "2023-07-01", "2024-06-30", 7), term("b", "2023-07-01", "2024-06-30", 7)]
    deals = [
        {"opportunity_id": f"o{n}", "account_id": "a", "type": kind, "created_at": day, "stage": "Closed Won"}
        for n, (kind, day) in enumerate(
            [("renewal", "2023-05-01"), ("renewal", "2024-02-10"), ("expansion", "2024-03-01")]
        )
    ]
    history = [
        {"opportunity_id": "o1", "changed_at": "2024-02-10", "stage": "Discovery"},
        {"opportunity_id": "o1", "changed_at": "2024-03-20", "stage": "Proposal"},
        {"opportunity_id": "o1", "changed_at": "2024-05-20", "stage": "Closed Won"},
        {"opportunity_id": "o0", "changed_at": "2023-05-01", "stage": "Proposal"},
    ]
    found, _ = lots(terms, tables={"opportunities": deals, "opportunity_history": history})
    assert found.loc["a", ["deal_id", "deal_status", "deal_stage", "stage_days"]].tolist() == ["o1", "open", 4, 11]
    assert found.loc["b", "deal_status"] is None


def test_other_currencies_are_converted() -> None:
    rates = [{"currency": "EUR", "day": "2020-01-01", "rate_to_reporting": 1.5}]
    found, _ = lots([term("a", "2023-07-01", "2024-06-30", 10, currency="EUR")], tables={"exchange_rates": rates})
    assert found.loc["a", ["mrr", "account_mrr"]].tolist() == [15, 15]


def test_without_terms_the_reason_is_said() -> None:
    assert "no subscription terms" in str(renewal_panel(company([], LATER), [CUTOFF]).reason)
    ledger = [{"account_id": "a", "month": "2024-01-01", "mrr": 5}]
    panel = renewal_panel(company([], LATER, tables={"revenue_ledger": ledger}), [CUTOFF])
    assert "does not say when they end" in str(panel.reason)
    free = renewal_panel(company([term("a", "2023-07-01", "2024-06-30", 0)], LATER), [CUTOFF])
    assert free.reason == "no paid term with an end was running on any of the days"
    assert list(free.rows.columns) == list(ROWS)


days = st.integers(0, 900).map(lambda n: dt.date(2022, 7, 1) + dt.timedelta(days=n))
drawn_terms = st.lists(
    st.tuples(st.sampled_from("abc"), days, st.integers(1, 500), st.integers(-40, 90), st.integers(-30, 400)),
    min_size=1,
    max_size=10,
)


def as_rows(drawn):
    rows = []
    for number, (account, start, length, booked, notice) in enumerate(drawn):
        end = start + dt.timedelta(days=length)
        rows.append(
            term(account, start.isoformat(), end.isoformat(), 10 + number, subscription_id=f"t{number}")
            | {"booked_at": (start + dt.timedelta(days=booked)).isoformat()}
            | {"cancelled_at": (start + dt.timedelta(days=notice)).isoformat() if notice % 2 else None}
        )
    return rows


@settings(max_examples=6)
@given(drawn_terms, drawn_terms)
def test_nothing_that_came_later_shows(past, future) -> None:
    """Terms booked, and notices given, after the day change nothing that is seen or learned on it."""
    before = [row for row in as_rows(past) if row["booked_at"] <= CUTOFF.isoformat()]
    known = [
        {**row, "cancelled_at": row["cancelled_at"] if (row["cancelled_at"] or "") <= CUTOFF.isoformat() else None}
        for row in before
    ]
    later = [{**row, "subscription_id": "x" + row["subscription_id"]} for row in as_rows(future)]
    later = [row for row in later if row["booked_at"] > CUTOFF.isoformat()]
    days_before = [dt.date(2023, 9, 30), CUTOFF]
    one = renewal_panel(subscribers(known, CUTOFF.isoformat()), days_before)
    two = renewal_panel(subscribers(before + later, LATER), days_before)
    pd.testing.assert_frame_equal(one.at(CUTOFF), two.at(CUTOFF))
    same = ["cutoff", "account_id", "ended_on", "mrr", "notice_on", "renewed_on", "lost"]
    pd.testing.assert_frame_equal(
        one.known_at(CUTOFF)[same].reset_index(drop=True), two.known_at(CUTOFF)[same].reset_index(drop=True)
    )


def test_cutoffs_are_quarters_back_from_the_last_complete_month() -> None:
    found = quarter_cutoffs(12 * 2024, dt.date(2024, 8, 10))
    assert [day.isoformat() for day in found] == ["2024-01-31", "2024-04-30", "2024-07-31", "2024-08-10"]
