"""What forecasts rest on: parts that add up, the registry's own bookings, and nothing that came later."""

from __future__ import annotations

import datetime as dt

import pytest

from builders import make_snapshot
from metrics.generated import company
from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.models.cutoffs import Cutoff, week_ends
from revops_analysis.models.evidence import gather_evidence
from revops_analysis.periods import parse_period


@pytest.fixture(scope="module")
def snapshot():
    return make_snapshot(company(5, 200))


@pytest.fixture(scope="module")
def evidence(snapshot):
    period = parse_period("2026-Q4", snapshot.definitions.fiscal_calendar)
    return gather_evidence(snapshot, [Cutoff(dt.date(2026, 9, 30), period)])


def test_the_parts_of_past_bookings_add_up(evidence):
    past = evidence.past
    parts = past[["booked", "signed", "open_won", "created_won", "other"]].sum(axis=1)
    assert past["bookings"].sum() > 0
    assert (parts - past["bookings"]).abs().max() < 0.005
    assert (past[["open_won", "created_won"]].to_numpy() >= 0).all()


def test_past_bookings_are_the_registry_s_as_of_the_period_s_end(snapshot, evidence):
    found = evidence.past.drop_duplicates("period").set_index("period")["bookings"]
    assert len(found) >= 3
    for label, value in found.items():
        period = parse_period(label, snapshot.definitions.fiscal_calendar)
        registry = compute_metric(snapshot.at(period.end), "bookings", label).frame["value"].iloc[0]
        assert value == pytest.approx(float(registry), abs=0.005), label


def test_wins_are_what_bookings_are_made_of(evidence):
    by_period = evidence.wins.groupby("period")["amount"].sum()
    bookings = evidence.past.drop_duplicates("period").set_index("period")["bookings"]
    assert (bookings - by_period.reindex(bookings.index).fillna(0.0)).abs().max() < 0.005


def test_at_an_earlier_day_nothing_later_is_left(evidence):
    day = dt.date(2026, 5, 10)
    known = evidence.known_at(day)
    assert (known.states["cutoff"].dt.date <= day).all()
    assert (known.created["created_on"].dt.date <= day).all()
    assert (known.wins["last_day"].dt.date <= day).all()
    running = known.cutoffs["last_day"].dt.date > day
    assert running.any()
    assert known.cutoffs.loc[running, "bookings"].isna().all()
    assert known.states.loc[known.states["last_day"].dt.date > day, "won"].isna().all()


def test_a_cutoff_that_was_not_gathered_is_refused_by_name(snapshot, evidence):
    period = parse_period("2026-Q4", snapshot.definitions.fiscal_calendar)
    with pytest.raises(ConfigurationError, match="no such cutoff"):
        evidence.at(Cutoff(dt.date(2026, 9, 29), period))


def test_ahead_of_a_period_past_cutoffs_lie_as_far_ahead(snapshot):
    period = parse_period("2027-Q1", snapshot.definitions.fiscal_calendar)
    ahead = gather_evidence(snapshot, [Cutoff(dt.date(2026, 9, 30), period)], lead_days=93)
    offsets = set(ahead.past["offset"].unique())
    assert offsets <= {-107, -100, -93, -86, -79}
    assert -93 in offsets


def test_weeks_end_where_the_period_does(snapshot):
    period = parse_period("2026-Q3", snapshot.definitions.fiscal_calendar)
    ends = week_ends(period)
    assert [end.week for end in ends[1:]] == list(range(1, 14))
    assert ends[0].day == dt.date(2026, 6, 30)
    assert ends[-1].day == period.end
