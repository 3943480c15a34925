"""Journeys: which touches belong to a deal, in which order, and what becomes of all others."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest

from attribution.random_companies import random_company
from attribution.touch_rows import deal, snapshot_of, touch, words_with
from builders import make_definitions
from revops_analysis.attribution.journeys import JourneyOptions, journeys
from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.channels import channel_of, unknown_channels
from revops_analysis.simulation.words import CHANNEL_SPELLINGS


def rows(made):
    return made.touches.order_by(["opportunity_id", "touch_order"]).to_pandas()


def keys(made):
    return rows(made)["touchpoint_id"].tolist()


def reasons(made, grain="touch"):
    frame = made.exclusions
    chosen = frame[frame["grain"] == grain]
    size = "touches" if grain == "touch" else "deals"
    return dict(zip(chosen["reason"], chosen[size], strict=True))


def test_anchors_and_order_of_a_journey_with_a_lead(lead_company):
    made = rows(journeys(lead_company))
    assert made["touch_order"].tolist() == [1, 2, 3, 4, 5, 6]
    assert made["sourced_order"].fillna(0).tolist() == [1, 2, 3, 4, 0, 0]
    assert set(made["sourced_touches"].dropna()) == {4}
    flags = {"first": "t1", "lead_creation": "t2", "deal_creation": "t4", "closing": "t6", "last": "t6"}
    for name, key in flags.items():
        assert made.loc[made[f"is_{name}"], "touchpoint_id"].tolist() == [key], name
    assert made["team"].tolist() == ["marketing", "marketing", "marketing", "sales", "marketing", "partners"]
    assert made["days_before_anchor"].tolist() == [140, 121, 102, 61, 41, 1]


def test_an_open_deal_has_no_closing_and_runs_to_the_as_of_day():
    open_deal = deal(stage="Proposal", close_date="2026-12-31", closed_at=None)
    made = rows(journeys(snapshot_of([open_deal], [touch("t1", "2026-04-01"), touch("t2", "2026-09-30")])))
    assert made["is_closing"].tolist() == [False, False]
    assert made["days_before_anchor"].tolist() == [182, 0]


def test_a_lead_after_the_deal_or_before_the_lookback_is_no_anchor():
    touches = [touch("t1", "2026-04-01"), touch("t2", "2026-04-15")]
    for created in ("2026-05-02", "2025-06-01"):
        lead = {"lead_id": "l1", "created_at": created, "account_id": "a1", "converted_at": "2026-05-03"}
        assert not rows(journeys(snapshot_of([deal()], touches, leads=[lead])))["is_lead_creation"].any()


def test_windows_are_inclusive_and_everything_outside_is_counted():
    touches = [
        touch("early", "2026-01-31 11:59:59"),
        touch("edge", "2026-01-31 12:00:00"),
        touch("creation", "2026-05-01 12:00:00"),
        touch("after creation", "2026-05-01 12:00:01"),
        touch("closing day", "2026-07-01 03:59:59"),  # still 30 June in New York
        touch("late", "2026-07-01 04:00:00"),
    ]
    made = journeys(snapshot_of([deal()], touches))
    assert keys(made) == ["edge", "creation", "after creation", "closing day"]
    assert rows(made)["sourced_order"].fillna(0).tolist() == [1, 2, 0, 0]
    assert reasons(made) == {"in a journey": 4, "before the lookback": 1, "after closing": 1}
    frame = made.exclusions
    late = frame[(frame["grain"] == "sourced") & (frame["reason"] == "after creation")]
    assert late["touches"].tolist() == [2]


def test_touches_are_joined_by_account_person_lead_and_deal():
    touches = [
        touch("account", "2026-04-01", contact_id=None),
        touch("person", "2026-04-02", account_id=None, contact_id="c1"),
        touch("lead", "2026-04-03", account_id=None, contact_id=None, lead_id="l1"),
        touch("person of lead", "2026-04-04", account_id=None, contact_id=None, lead_id="l2"),
        touch("deal of lead", "2026-04-05", account_id=None, contact_id=None, lead_id="l3"),
        touch("deal", "2026-04-06", account_id=None, contact_id=None, opportunity_id="o1"),
        touch("nowhere", "2026-04-07", account_id=None, contact_id="nobody"),
        touch("elsewhere", "2026-04-08", account_id="a2"),
    ]
    leads = [
        {"lead_id": "l1", "account_id": "a1"},
        {"lead_id": "l2", "contact_id": "c1"},
        {"lead_id": "l3", "opportunity_id": "o1"},
    ]
    leads = [{"created_at": "2026-03-01", "converted_at": "2026-05-01", **lead} for lead in leads]
    people = [{"contact_id": "c1", "account_id": "a1", "created_at": "2026-01-01"}]
    made = journeys(snapshot_of([deal()], touches, leads=leads, contacts=people))
    assert keys(made) == ["account", "person", "lead", "person of lead", "deal of lead", "deal"]
    assert reasons(made) == {
        "in a journey": 6,
        "no account, person, lead or deal to join on": 1,
        "account without a deal": 1,
    }


def test_a_touch_on_a_deal_of_another_account_belongs_to_both_once():
    deals = [deal(1), deal(2, account_id="a2"), deal(3, account_id=None)]
    touches = [touch("t1", "2026-04-01", opportunity_id="o2"), touch("t2", "2026-04-02", opportunity_id="o1")]
    touches.append(touch("t3", "2026-04-03", account_id=None, opportunity_id="o3"))
    made = rows(journeys(snapshot_of(deals, touches)))
    pairs = list(zip(made["opportunity_id"], made["touchpoint_id"], strict=True))
    assert pairs == [("o1", "t1"), ("o1", "t2"), ("o2", "t1"), ("o3", "t3")]


def test_a_touch_without_time_is_counted_and_one_without_channel_is_used():
    touches = [
        touch("timeless", None, responded_at="2026-04-01"),
        touch("nameless", "2026-04-02", None),
        touch("of a campaign", "2026-04-03", None, campaign_id="k1"),
        touch("unknown word", "2026-04-04", " Fax "),
    ]
    campaigns = [{"campaign_id": "k1", "channel": "seo", "started_on": "2026-01-01"}]
    snapshot = snapshot_of([deal()], touches, campaigns=campaigns)
    made = rows(journeys(snapshot))
    assert made["channel"].fillna("-").tolist() == ["-", "Organic search", "Fax"]
    assert made["team"].fillna("-").tolist() == ["-", "marketing", "-"]
    assert reasons(journeys(snapshot)) == {"in a journey": 3, "no time": 1}
    assert reasons(journeys(snapshot), "gap") == {
        "touch without channel": 1,
        "touch whose channel is its campaign's": 1,
        "touch of a channel that no team runs": 1,
    }
    assert unknown_channels(snapshot) == ("Fax",)
    apart = journeys(snapshot, JourneyOptions(channel_from_campaign=False))
    assert rows(apart)["channel"].fillna("-").tolist() == ["-", "-", "Fax"]


@pytest.mark.parametrize(("answered", "used"), [("campaigns", ["call"]), ("all", []), ("none", ["call", "mail"])])
def test_who_must_answer_is_a_setting(answered, used):
    touches = [
        touch("call", "2026-04-01", "Outbound", responded_at=None),
        touch("mail", "2026-04-02", campaign_id="k1", responded_at=None),
    ]
    made = journeys(snapshot_of([deal()], touches, words=words_with(answered=answered)))
    assert keys(made) == used
    assert reasons(made).get("not answered", 0) == 2 - len(used)


def test_an_answer_after_the_as_of_day_is_none_yet():
    touches = [touch("t1", "2026-04-01", campaign_id="k1", responded_at="2026-08-01")]
    open_deal = deal(stage="Proposal", closed_at=None)
    assert keys(journeys(snapshot_of([open_deal], touches, as_of="2026-07-31"))) == []
    assert keys(journeys(snapshot_of([open_deal], touches, as_of="2026-08-01"))) == ["t1"]


def test_repeats_of_one_person_channel_and_campaign_are_one_touch():
    same = {"contact_id": "c1", "campaign_id": "k1"}
    touches = [
        touch("t1", "2026-04-01 10:00:00", **same),
        touch("t2", "2026-04-01 10:30:00", **same),
        touch("t3", "2026-04-01 11:00:00", "e-mail", **same),  # a repeat of a repeat, in another spelling
        touch("t4", "2026-04-01 11:30:01", **same),
        touch("t5", "2026-04-01 11:31:00", "Event", **same),
        touch("t6", "2026-04-01 11:32:00", contact_id="c1"),
        touch("t7", "2026-04-01 11:33:00", contact_id="c2", campaign_id="k1"),
        touch("t8", "2026-04-01 11:33:00", contact_id=None, campaign_id="k1"),
        touch("t9", "2026-04-01 11:33:00", contact_id=None, campaign_id="k1"),
    ]
    made = journeys(snapshot_of([deal()], touches))
    assert keys(made) == ["t1", "t4", "t5", "t6", "t7", "t8", "t9"]
    assert reasons(made)["repeated"] == 2
    assert len(keys(journeys(snapshot_of([deal()], touches), JourneyOptions(duplicate_minutes=0)))) == 9


def test_activities_are_touches_only_where_the_definitions_give_them_a_channel():
    done = [
        {"activity_id": "x1", "account_id": "a1", "kind": "call", "occurred_at": "2026-04-01"},
        {"activity_id": "x2", "account_id": "a1", "kind": "email", "occurred_at": "2026-04-02"},
    ]
    assert keys(journeys(snapshot_of([deal()], [], activities=done))) == []
    mapped = words_with(activity_channels={"call": "Outbound"}, answered="all")
    made = rows(journeys(snapshot_of([deal()], [], activities=done, words=mapped)))
    assert made[["touchpoint_id", "channel", "team"]].iloc[0].tolist() == ["activity:x1", "Outbound", "sales"]


def test_every_deal_without_touches_has_a_reason_and_its_money():
    deals = [
        deal("touched"),
        deal("none", account_id="a2"),
        deal("no account", account_id=None),
        deal("early", account_id="a3"),
        deal("late", account_id="a4"),
        deal("both", account_id="a5"),
        deal("silent", account_id="a6"),
        deal("timeless", account_id="a7"),
        deal("since", account_id="a8", amount=None),
        deal("undated", account_id="a1", created_at=None),
        deal("renewal", type="renewal"),
    ]
    touches = [
        touch("t1", "2026-04-01"),
        touch("t3", "2025-04-01", account_id="a3"),
        touch("t4", "2026-08-01", account_id="a4"),
        touch("t5", "2025-04-01", account_id="a5"),
        touch("t6", "2026-08-01", account_id="a5"),
        touch("t7", "2026-04-01", account_id="a6", campaign_id="k", responded_at=None),
        touch("t8", None, account_id="a7"),
        touch("t9", "2026-06-01", account_id="a8"),
    ]
    made = journeys(snapshot_of(deals, touches))
    frame = made.deals.to_pandas().set_index("opportunity_id")
    expected = {
        "otouched": None,
        "onone": "no touch of the account or the deal",
        "ono account": "deal without account",
        "oearly": "touched only before the lookback",
        "olate": "touched only after closing",
        "oboth": "touched only before the lookback and after closing",
        "osilent": "touched, but never answered",
        "otimeless": "touched at unknown times only",
        "osince": None,
        "oundated": "deal without creation day",
    }
    found = frame["unattributed"].astype(object).where(frame["unattributed"].notna(), None)
    assert found.to_dict() == expected
    assert frame.loc["osince", ["touches", "sourced_touches", "unsourced"]].tolist() == [
        1,
        0,
        "touched only after creation",
    ]
    assert (frame["touches"] == 0).tolist() == frame["unattributed"].notna().tolist()
    counted = made.exclusions
    deal_rows = counted[counted["grain"] == "deal"]
    assert deal_rows["deals"].sum() == len(deals)
    assert sum(amount for amount in deal_rows["amount"] if amount is not None) == Decimal(10_000)
    assert reasons(made, "gap")["deal without amount"] == 1
    assert reasons(made)["in a journey"] + sum(n for r, n in reasons(made).items() if r != "in a journey") == 8


def test_deals_can_be_of_all_types_and_at_their_first_price():
    history = [
        {"opportunity_id": "o1", "changed_at": "2026-05-01", "change_number": 1, "stage": "Discovery", "amount": 700},
        {"opportunity_id": "o1", "changed_at": "2026-06-30", "change_number": 1, "stage": "Closed Won", "amount": 900},
    ]
    tables = {"opportunity_history": history}
    snapshot = snapshot_of([deal(1, type="renewal")], [touch("t1", "2026-04-01")], **tables)
    assert journeys(snapshot).deals.count().execute() == 0
    for priced, amount in (("latest", 900), ("first", 700)):
        made = journeys(snapshot, JourneyOptions(types="all", priced=priced))
        assert made.deals.to_pandas()["amount"].tolist() == [Decimal(amount)]


def test_windows_that_do_not_fit_are_refused_and_equal_options_are_computed_once():
    snapshot = snapshot_of([deal()], [touch("t1", "2026-04-01")])
    with pytest.raises(ConfigurationError, match="influence_days at least as long"):
        journeys(snapshot, JourneyOptions(sourced_days=30, influence_days=10))
    assert journeys(snapshot) is journeys(snapshot, JourneyOptions(sourced_days=90))
    assert journeys(snapshot, JourneyOptions(sourced_days=120)).options.influence_days == 120


def test_shorter_sourced_window_within_the_influence_window():
    touches = [
        touch("t1", "2026-03-01"),
        touch("t2", "2026-04-20"),
        touch("t3", "2026-04-30"),
        touch("t4", "2026-06-01"),
    ]
    made = rows(journeys(snapshot_of([deal()], touches), JourneyOptions(sourced_days=30)))
    assert made["sourced_order"].fillna(0).tolist() == [0, 1, 2, 0]
    assert set(made["sourced_touches"].dropna()) == {2}


def test_the_definitions_know_every_spelling_of_the_sample_company():
    words = make_definitions()
    for channel, spellings in CHANNEL_SPELLINGS.items():
        for spelling in (channel, *spellings, channel.upper()):
            assert channel_of(spelling, words) == channel


def test_nothing_dated_after_the_day_changes_a_journey():
    known, day = random_company(4, deals=30), "2026-05-20"
    changed = {name: [dict(row) for row in rows] for name, rows in known.items()}
    changed["touchpoints"] = [row for row in changed["touchpoints"] if row["occurred_at"] < day]
    for number, row in enumerate(changed["touchpoints"]):
        late = number % 3 == 0
        for rows in (known["touchpoints"], changed["touchpoints"]):
            same = next(each for each in rows if each["touchpoint_id"] == row["touchpoint_id"])
            same |= {"campaign_id": "k1", "responded_at": None} if late else {"campaign_id": "k1"}
        if late:
            row["responded_at"] = "2026-06-01"
    changed["touchpoints"].append(touch("later", "2026-05-25", account_id="a1"))
    changed["leads"].append({"lead_id": "later", "created_at": "2026-05-25", "account_id": "a1"})
    made = [
        journeys(snapshot_of(t["opportunities"], t["touchpoints"], leads=t["leads"], as_of=day))
        for t in (known, changed)
    ]
    frames = [each.touches.to_pandas().sort_values(["opportunity_id", "touchpoint_id"]) for each in made]
    assert len(frames[0]) > 20
    pd.testing.assert_frame_equal(*[frame.reset_index(drop=True) for frame in frames])
    pd.testing.assert_frame_equal(*[each.exclusions for each in made])
