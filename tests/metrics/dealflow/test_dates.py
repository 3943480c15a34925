"""Slippage and close-date habits: what became of dates that were given, in cases worked out by hand."""

from __future__ import annotations

import datetime as dt

import pytest

from builders import make_snapshot
from metrics.dealflow.stories import AHEAD, STORIES, book_of, change
from metrics.generated import company
from revops_analysis.metrics.dealflow.book import DealBook, deal_book, month_ends
from revops_analysis.metrics.dealflow.habits import ALL, date_habits, dates_given
from revops_analysis.metrics.dealflow.slippage import OUTCOMES, expected, pushed_deals, slippage
from revops_analysis.tables.snapshot import Snapshot


@pytest.fixture(scope="module")
def book() -> DealBook:
    return book_of(STORIES)


def test_what_became_of_deals_expected_in_july(book: DealBook) -> None:
    rows = expected(book)
    july = rows[rows["month"] == "2026-07-31"].set_index("opportunity_id")
    assert july["outcome"].to_dict() == {
        "won in its month": "won",
        "lost in its month": "lost",
        "pushed, then won": "pushed",
        "left overdue": "overdue",
        "date taken away": "pushed",
        "omitted": "left",
    }
    assert set(july[july["slipped"]].index) == {"pushed, then won", "left overdue", "date taken away"}
    assert rows.loc[rows["month"] == "2026-08-31", "outcome"].tolist() == ["won"]


def test_months_add_up_and_money_is_exact(book: DealBook) -> None:
    months = slippage(book).months.set_index("month")
    assert (months[list(OUTCOMES)].sum(axis=1) == months["deals"]).all()
    july = months.loc["2026-07-31"]
    assert (july["slipped"], july["amount"], july["slipped_amount"]) == (0.5, 600.6, 300.3)
    assert july["low"] < 0.5 < july["high"]
    assert (july["pushes"], july["days_pushed"]) == (1, 31)


def test_a_seller_with_few_deals_is_drawn_to_the_others() -> None:
    stories = {f"kept {n}": STORIES["won in its month"] for n in range(30)}
    stories |= {f"late {n}": STORIES["left overdue"] for n in range(30)}
    stories["one"] = (change("2026-05-05", "2026-07-20", owner_id="u2"),)
    owners = slippage(book_of(stories)).owners.set_index("owner")
    assert owners.loc["<b>Bo</b>", "slipped"] == 1
    assert 0.4 < owners.loc["<b>Bo</b>", "shrunk"] < 0.75
    assert owners.loc["Ann", "slipped"] == 0.5


def test_open_deals_that_were_pushed_are_listed_with_their_days() -> None:
    story = (change("2026-05-05", "2026-07-20"), change("2026-07-10", "2026-08-09"), change("2026-08-01", "2026-10-01"))
    pushed = pushed_deals(book_of({"twice": story, "pulled": (*story[:1], change("2026-07-10", "2026-07-15"))}))
    assert pushed[["opportunity_id", "pushes", "days_pushed"]].to_numpy().tolist() == [["twice", 2, 73]]


def test_dates_come_true_early_on_time_late_or_not_at_all(book: DealBook) -> None:
    rows = dates_given(book)
    may = rows[rows["cutoff"] == "2026-05-31"].set_index("opportunity_id")
    assert may["outcome"].to_dict() == {
        "won in its month": "on_time",
        "lost in its month": "lost",
        "pushed, then won": "late",
        "left overdue": "late",
        "date taken away": "late",
        "omitted": "late",
        "pulled in and won early": "early",
    }
    assert may.loc["pushed, then won", "days_late"] == 20
    habits = date_habits(book).set_index("owner")
    assert habits.index[0] == ALL
    shares = habits.loc[ALL, ["early", "on_time", "late"]].astype(float)
    assert shares.sum() == pytest.approx(1)
    decided = rows["outcome"].dropna()
    assert habits.loc[ALL, "lost"] == pytest.approx((decided == "lost").mean())
    assert shares["late"] == pytest.approx((decided == "late").sum() / (decided != "lost").sum())
    assert habits.loc[ALL, "month_end"] == pytest.approx((rows["given"].dt.is_month_end).mean())


def test_a_date_that_is_still_ahead_is_undecided() -> None:
    late = book_of({"ahead": (change("2026-05-05", "2026-12-31"),)})
    habits = date_habits(late)
    assert (habits["undecided"] == habits["dates"]).all()
    assert habits["on_time"].isna().all()


def test_months_are_whole_ones() -> None:
    assert month_ends(dt.date(2026, 9, 29))[-1] == dt.date(2026, 8, 31)
    assert month_ends(dt.date(2026, 9, 30))[-1] == dt.date(2026, 9, 30)
    assert len(month_ends(dt.date(2026, 3, 15))) == 13


def test_without_history_nothing_is_known_and_nothing_fails() -> None:
    tables = company(7, 40)
    bare = make_snapshot({name: tables[name] for name in ("opportunities", "users", "exchange_rates")})
    found = slippage(deal_book(bare, AHEAD))
    assert found.promises.empty and found.months.empty and found.owners.empty
    assert date_habits(deal_book(bare, AHEAD))["on_time"].isna().all()


def test_what_comes_later_does_not_show(generated_snapshot: Snapshot) -> None:
    earlier = generated_snapshot.at("2026-03-31")
    promises = expected(deal_book(earlier, AHEAD))
    again = expected(deal_book(generated_snapshot, AHEAD))
    shared = again[again["month"].isin(promises["month"])]
    columns = ["month", "opportunity_id", "owner_id", "outcome"]
    kept = promises[promises["month"].isin(shared["month"])].merge(again[columns], on=columns[:2], how="inner")
    same = kept["outcome_x"] == kept["outcome_y"]
    assert same.mean() > 0.95  # a deal reopened or deleted since is what may differ
