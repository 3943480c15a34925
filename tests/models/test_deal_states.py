"""Deals at past days: as a snapshot of that day has them, and nothing that came later."""

from __future__ import annotations

import datetime as dt

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from builders import make_definitions, make_snapshot, make_store
from metrics.generated import company
from revops_analysis.models.cutoffs import Cutoff, week_ends
from revops_analysis.models.deal_states import deal_states
from revops_analysis.models.deal_stays import deal_stays
from revops_analysis.models.evidence import gather_evidence
from revops_analysis.models.features import FEATURES, Encoding, feature_matrix
from revops_analysis.periods import FiscalCalendar, parse_period
from revops_analysis.tables.snapshot import Snapshot
from worlds import DAY, World

Q2, Q3 = (parse_period(label, FiscalCalendar()) for label in ("2026-Q2", "2026-Q3"))
SHARED = {
    "owner_id": "owner_id",
    "type": "type",
    "segment": "segment",
    "product": "product",
    "source": "source",
    "stage": "stage",
    "stage_order": "stage_order",
    "category": "forecast_category",
    "crm_probability": "probability",
    "close_date": "close_date",
    "amount": "amount",
}
"""Column of the states → the same column of `Snapshot.deals`."""


def no_life(states):
    """What `SilentDeals.estimate` says where there is no process: nothing."""
    return pd.DataFrame(np.nan, index=states.index, columns=["alive", "win", "win_if_alive"])


def change(day: str, deal: str = "o1", **values):
    base = {"opportunity_id": deal, "changed_at": day, "stage": "Discovery", "close_date": "2026-09-15"}
    return {**base, "amount": 1000, "forecast_category": "Pipeline", "owner_id": "u1", **values}


def deal(key: str, **values):
    return {"opportunity_id": key, "type": "new", "created_at": "2026-07-01", **values}


LOST = {"stage": "Closed Lost"}
CHANGES = [
    change("2026-07-01", "counted", amount=None),
    change("2026-07-05", "counted", amount=1000, close_date="2026-09-01"),  # pulled in: no push
    change("2026-07-10", "counted", stage="Proposal", close_date="2026-09-11"),
    change("2026-07-15", "counted", stage="Proposal", close_date="2026-09-11", amount=700),
    change("2026-07-01", "busy"),
    change("2026-07-02 15:00:00", "busy", stage="Closed Won", owner_id="u3"),
    change("2026-07-02 15:00:00", "busy", stage="Proposal", change_number=2),
    change("2026-07-03 03:59:59", "busy", stage="Solution"),  # still the second in New York
    change("2026-07-01", "reopened", owner_id="u2"),
    change("2026-07-10", "reopened", owner_id="u2", stage="Closed Lost"),
    change("2026-08-01", "reopened", owner_id="u2", stage="Proposal"),
    change("2026-07-01", "deleted"),
    change("2026-08-01", "late", stage="Proposal"),
    change("2026-07-01", "foreign", currency="EUR"),
    change("2026-08-15", "foreign", currency="USD", amount=1500),
    change("2026-07-05 10:00:00", "twice", stage="Closed Won", owner_id="u2"),
    change("2026-07-05 10:00:00", "twice", stage="Closed Won", owner_id="u2", amount=9, change_number=2),
]
BY_HAND = {
    "opportunities": [
        *(deal(key) for key in ("counted", "busy", "reopened", "late", "foreign", "twice")),
        deal("deleted", deleted_at="2026-08-01"),
        deal("unrecorded deleted", deleted_at="2026-08-01", stage="Discovery", amount=10),
        deal("unrecorded", stage="Proposal", probability=0.6, forecast_category="Commit", amount=50),
        deal("lost late", closed_at="2026-08-10", close_date="2026-08-20", **LOST),
        deal("lost early", closed_at="2026-08-20", close_date="2026-08-10", **LOST),
        deal("lost by date", close_date="2026-08-20", **LOST),
        deal("won undated", stage="Closed Won", amount=5),
        deal("gone", deleted_at="2026-09-01", owner_id="u2", closed_at="2026-07-12", **LOST),
        deal("renewal", owner_id="u2", closed_at="2026-07-10", **LOST) | {"type": "renewal"},
        deal("undated", stage="Proposal") | {"created_at": None},
    ],
    "opportunity_history": CHANGES,
    "activities": [
        {"activity_id": f"a{n}", "opportunity_id": "counted", "occurred_at": at}
        # The first two are of the tenth in New York.
        for n, at in enumerate(["2026-07-10 23:00:00", "2026-07-11 03:00:00", "2026-07-25"])
    ],
    "opportunity_contacts": [
        {"opportunity_id": "counted", "contact_id": "c1", "created_at": "2026-07-20"},
        {"opportunity_id": "counted", "contact_id": "c2"},
    ],
    "exchange_rates": [
        {"currency": "EUR", "day": day, "rate_to_reporting": rate}
        for day, rate in [("2026-01-01", 1), ("2026-08-01", 2)]
    ],
}
EVERY_DAY = [Cutoff(Q3.start + dt.timedelta(days=n), Q3) for n in range(92)]


@pytest.fixture(scope="module")
def by_hand() -> Snapshot:
    return make_snapshot(BY_HAND)


@pytest.fixture(scope="module")
def seen(by_hand):
    """The rows of one of the deals made by hand, by cutoff."""
    states = deal_states(by_hand, EVERY_DAY).set_index("cutoff")

    def look(key, *texts):
        rows = states[states["opportunity_id"] == key]
        return rows if not texts else rows.reindex(pd.to_datetime(list(texts))).rename_axis("cutoff")

    return look


def of_the_day(snapshot: Snapshot, day: dt.date) -> pd.DataFrame:
    """What a snapshot of the day says of its open headline deals."""
    deals = snapshot.at(day).deals
    shown = deals.filter((deals.status == "open") & deals.is_headline)
    columns = {name: shown[source] for name, source in SHARED.items()}
    columns |= {
        "age_days": ibis.literal(day).delta(shown.created_on, unit="day"),
        "days_in_stage": ibis.literal(day).delta(snapshot.day_of(shown.stage_entered_at), unit="day"),
    }
    numbers = {n: columns[n].cast("float64") for n in ("amount", "stage_order", "age_days", "days_in_stage")}
    table = shown.select("opportunity_id", **{**columns, **numbers}).order_by("opportunity_id")
    return table.to_pyarrow().to_pandas(date_as_object=False)


def check_against_the_day(snapshot: Snapshot, cutoffs: list[Cutoff]) -> int:
    states = deal_states(snapshot, cutoffs)
    for cutoff in cutoffs:
        expected = of_the_day(snapshot, cutoff.day)
        found = states[states["cutoff"] == pd.Timestamp(cutoff.day)][list(expected)].reset_index(drop=True)
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    return len(states)


def test_a_state_is_what_a_snapshot_of_the_day_shows(by_hand):
    """Of a generated company, and of the deals made by hand, without history among them."""
    definitions = make_definitions(booking_day="closed_at")
    generated = make_snapshot(company(7, 150), definitions=definitions)
    assert check_against_the_day(generated, week_ends(Q3, [0, 7])) > 40
    assert check_against_the_day(by_hand, [EVERY_DAY[n] for n in (1, 40, 91)]) > 20


def test_a_state_is_what_a_snapshot_of_the_day_shows_in_any_world():
    cutoffs = [Cutoff(DAY - dt.timedelta(days=ago), Q2) for ago in (20, 0)]
    snapshot = make_snapshot(World(3, 8, history=True, deals=200).tables())
    assert check_against_the_day(snapshot, cutoffs) > 10


SEEDS = st.integers(0, 2**32 - 1)


def known_on_the_day(tables):
    """What was known on DAY, cut out of what somebody gathered much later, and the features of its deals."""
    known = gather_evidence(make_snapshot(tables), week_ends(Q3, [0])).known_at(DAY)
    encoding = Encoding(dict.fromkeys(("type", "segment", "product", "source", "category"), ("a", "b")), 0.2)
    frames = (known.states, known.cutoffs, known.wins, known.created, known.submissions)
    features = feature_matrix(known.states, encoding, no_life(known.states))
    return [frame.reset_index(drop=True) for frame in (*frames, features)]


@pytest.mark.parametrize("history", [True, False], ids=["with history", "without history"])
@settings(max_examples=1, deadline=None, derandomize=True, phases=[Phase.generate])
@given(SEEDS, SEEDS, SEEDS)
def test_nothing_later_shows_in_what_was_known(history, past, one, other):
    """The guard: two companies of one past and different futures, both looked at from the future."""
    found = [known_on_the_day(World(past, future, history=history, deals=300).tables()) for future in (one, other)]
    for mine, theirs in zip(*found, strict=True):
        pd.testing.assert_frame_equal(mine, theirs)
    assert len(found[0][0]) > 2


def test_a_row_counts_what_happened_so_far(seen):
    found = seen("counted", "2026-07-04", "2026-07-09", "2026-07-12", "2026-07-15")
    names = ["amount", "first_amount", "amount_changes", "pushes", "days_pushed", "stage_changes", "days_in_stage"]
    expected = [
        [np.nan, np.nan, 0, 0, 0, 0, 3],
        [1000, 1000, 0, 0, 0, 0, 8],
        [1000, 1000, 0, 1, 10, 1, 2],
        [700, 1000, 1, 1, 10, 1, 5],
    ]
    np.testing.assert_array_equal(found[names].to_numpy(), np.array(expected, dtype="float64"))
    assert found["age_days"].tolist() == [3, 8, 11, 14]


def test_of_several_changes_in_a_day_the_last_shows(seen):
    found = seen("busy", "2026-07-01", "2026-07-02", "2026-07-03")
    assert found["stage"].tolist() == ["Discovery", "Solution", "Solution"]
    assert found["reopenings"].tolist() == [0, 1, 1]


def test_a_reopened_deal_is_back(seen):
    found = seen("reopened", "2026-07-09", "2026-07-10", "2026-07-31", "2026-08-01")
    assert found["stage"].fillna("not open").tolist() == ["Discovery", "not open", "not open", "Proposal"]
    assert found["reopenings"].iloc[[0, 3]].tolist() == [0, 1]


@pytest.mark.parametrize("key", ["deleted", "unrecorded deleted"])
def test_a_deal_that_is_deleted_later_was_there_before(seen, key):
    assert seen(key).index.max() == pd.Timestamp("2026-07-31")


def test_before_its_recorded_history_a_deal_is_open_and_nothing_is_known_but_its_age(seen):
    row = seen("late", "2026-07-31").iloc[0]
    assert row["age_days"] == 30
    assert set(row.dropna().index) == {
        *("period", "first_day", "last_day", "opportunity_id", "type", "age_days"),
        *("owner_won", "owner_closed", "activities_7d", "activities_14d", "activities_56d", "contacts"),
    }


def test_a_deal_whose_whole_history_lies_ahead_is_there_already():
    early = Snapshot(make_store(BY_HAND), make_definitions(), "2026-07-31")
    assert "late" in set(deal_states(early, [Cutoff(dt.date(2026, 7, 31), Q3)])["opportunity_id"])


def test_without_history_the_stage_is_known_on_the_last_day_only(seen):
    """Earlier it would tell which deals were to survive: those that have a stage at all."""
    found = seen("unrecorded", "2026-09-29", "2026-09-30")
    assert found["stage"].tolist() == [None, "Proposal"]
    assert found["category"].tolist() == [None, "Commit"]
    assert found["stage_order"].isna().tolist() == [True, False]
    assert found["crm_probability"].isna().tolist() == [True, False]
    assert found["amount"].tolist() == [50, 50]


@pytest.mark.parametrize(
    ("key", "last_open"),
    [
        ("lost late", "2026-08-09"),
        ("lost early", "2026-08-19"),
        ("lost by date", "2026-08-19"),
        ("won undated", "2026-09-29"),  # known as won on the last day that the data covers
        ("undated", "2026-09-30"),
    ],
)
def test_without_history_a_deal_is_open_until_it_closed(seen, key, last_open):
    assert seen(key).index.max() == pd.Timestamp(last_open)
    assert seen(key).index.min() == pd.Timestamp("2026-07-01")
    assert seen(key)["stage"].isna().sum() >= 39


def test_what_may_be_todays_value_is_no_feature(seen):
    """Of deals without history amount, close date and owner are today's: a lost deal may have lost its amount."""
    states = seen("lost late", "2026-08-01").reset_index()
    none = Encoding(dict.fromkeys(("type", "segment", "product", "source", "category"), ()), 0.2)
    known = feature_matrix(states, none, no_life(states)).iloc[0].dropna()
    assert set(known.index) == {
        *("age_days", "days_left", "days_to_start", "days_since_activity"),
        *("activities_14d", "activities_week", "contacts"),
    }


def test_columns_without_history_serve_only_where_the_definitions_allow_it():
    row = deal("o1", segment="SMB", product="Core", source="Inbound")
    strict = make_definitions(allowed_current_columns=["opportunities.product"])
    names, cutoffs = ["segment", "product", "source"], [EVERY_DAY[30]]
    allowed, refused = (make_snapshot({"opportunities": [row]}, definitions=d) for d in (None, strict))
    assert deal_states(allowed, cutoffs)[names].iloc[0].tolist() == ["SMB", "Core", "Inbound"]
    found = deal_states(refused, cutoffs)
    assert found[names].iloc[0].tolist() == [None, "Core", None]
    assert refused.used_current_columns == ("opportunities.product",)
    recorded = ["days_since_activity", "activities_7d", "activities_14d", "activities_56d", "contacts"]
    assert found[recorded].isna().to_numpy().all()  # this source records none of it


def test_activities_and_people_count_up_to_the_cutoff_by_business_day(seen):
    names = ["days_since_activity", "activities_7d", "activities_14d", "activities_56d", "contacts"]
    found = seen("counted", "2026-07-09", "2026-07-10", "2026-07-24", "2026-07-25")[names]
    expected = [[np.nan, 0, 0, 0, 1], [0, 2, 2, 2, 1], [14, 0, 0, 2, 2], [0, 1, 1, 3, 2]]
    np.testing.assert_array_equal(found.to_numpy(), np.array(expected, dtype="float64"))


def test_the_owners_record_counts_each_closing_once_even_of_deals_deleted_since(seen):
    found = seen("reopened", "2026-07-04", "2026-07-06", "2026-08-01")
    assert found[["owner_won", "owner_closed"]].to_numpy().tolist() == [[0, 0], [1, 1], [1, 3]]


def test_amounts_take_the_rate_of_their_cutoff_and_the_first_keeps_its_currency(seen):
    found = seen("foreign", "2026-07-31", "2026-08-01", "2026-08-15")
    assert found[["amount", "first_amount"]].to_numpy().tolist() == [[1000, 1000], [2000, 2000], [1500, 2000]]


def test_no_deals_give_an_empty_frame_with_its_columns(by_hand):
    found = deal_states(make_snapshot({"opportunities": []}), EVERY_DAY[:1])
    assert found.empty
    assert list(found) == list(deal_states(by_hand, EVERY_DAY))
    assert feature_matrix(found, Encoding.learn(found), no_life(found)).columns.tolist() == list(FEATURES)


@pytest.mark.postgres
def test_both_engines_agree(postgres_url):
    con = ibis.connect(postgres_url)
    con.create_database("states")
    tables = World(3, 8, history=True, deals=200).tables()
    theirs = Snapshot(make_store(tables, con=con, database="states"), make_definitions(), DAY)
    ours = make_snapshot(tables, as_of=DAY)
    asked = week_ends(Q2, [4, 13])
    for make in (lambda s: deal_states(s, asked), lambda s: deal_stays(s).to_pyarrow().to_pandas()):
        frames = [frame.sort_values(list(frame), ignore_index=True) for frame in (make(theirs), make(ours))]
        pd.testing.assert_frame_equal(*frames, check_dtype=False)
    both = [gather_evidence(snapshot, asked) for snapshot in (theirs, ours)]
    for name in ("states", "cutoffs", "wins", "created", "submissions"):
        pd.testing.assert_frame_equal(*(getattr(evidence, name) for evidence in both), check_dtype=False)
    con.disconnect()
