"""Path models on deals: each deal is given away to the cent, and the chain's totals are those of the bookings."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from attribution.random_companies import random_company, shuffled
from attribution.touch_rows import deal, snapshot_of, touch, words_with
from builders import make_definitions
from revops_analysis.attribution.credit import credit, models
from revops_analysis.attribution.deal_paths import BY_DEAL, deal_paths
from revops_analysis.attribution.every_model import every_model
from revops_analysis.attribution.journeys import journeys
from revops_analysis.attribution.markov import NO_CONVERSION, markov
from revops_analysis.attribution.markov_draws import account_counts, chain_credit
from revops_analysis.attribution.path_models import markov_totals
from revops_analysis.attribution.totals import Cut
from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.where import parse_where
from revops_analysis.periods import parse_period

CALENDAR = make_definitions().fiscal_calendar


def company(tables):
    return snapshot_of(tables["opportunities"], tables["touchpoints"], leads=tables["leads"])


@pytest.fixture(scope="module")
def drawn():
    return journeys(company(random_company(1, deals=80)))


@pytest.fixture(scope="module")
def another():
    return journeys(company(random_company(2, deals=40)))


@pytest.fixture(params=["drawn", "another"])
def made(request):
    return request.getfixturevalue(request.param)


def three_deals(**last):
    """C1 > C2 > C3 is won; C1 and C2 > C3 are lost: the worked example of METRICS.md."""
    deals = [
        deal(1, account_id="a1", amount="100.01"),
        deal(2, account_id="a2", stage="Closed Lost"),
        deal(3, account_id="a3", **{"stage": "Closed Lost", **last}),
    ]
    paths = {"a1": ("Email", "Event", "Partner"), "a2": ("Email",), "a3": ("Event", "Partner")}
    touches = [
        touch(f"{account}.{at}", f"2026-03-0{at + 1}", channel, account_id=account)
        for account, channels in paths.items()
        for at, channel in enumerate(channels)
    ]
    return snapshot_of(deals, touches)


def test_the_worked_example_from_the_tables_on():
    found = markov_totals(journeys(three_deals()))
    assert found["channel"].tolist() == ["Email", "Event", "Partner"]
    assert found["removal_effect"].to_numpy() == pytest.approx([0.5, 1.0, 1.0])
    assert found["won_deals"].to_numpy() == pytest.approx([0.2, 0.4, 0.4])
    # Largest remainder: 20.002, 40.004 and 40.004 of 100.01.
    assert found["bookings"].tolist() == [Decimal("20.00"), Decimal("40.01"), Decimal("40.00")]


def test_an_open_deal_is_a_path_that_led_to_nothing():
    lost, still_open = (markov_totals(journeys(three_deals(**last))) for last in ({}, {"stage": "Proposal"}))
    assert lost.equals(still_open)


def test_a_deal_is_shared_by_removal_effects_within_its_path():
    made = journeys(three_deals())
    frame = credit(made, "markov_by_deal").table.to_pandas().set_index("touchpoint_id")
    assert frame.loc[["a1.0", "a1.1", "a1.2"], "share"].to_numpy() == pytest.approx([0.2, 0.4, 0.4], abs=1e-9)
    assert frame.loc[["a1.0", "a1.1", "a1.2"], "amount"].sum() == Decimal("100.01")


def test_every_deal_is_given_away_to_the_cent_and_never_below_nothing(made):
    deals = made.deals.filter(made.deals.touches > 0).to_pandas().set_index("opportunity_id")
    for name in BY_DEAL:
        frame = credit(made, name).table.to_pandas()
        assert set(frame["opportunity_id"]) == set(deals.index)
        assert frame.groupby("opportunity_id")["share"].sum().to_numpy() == pytest.approx(np.ones(len(deals)))
        assert (frame["share"] >= 0).all()
        given_away = defaultdict(Decimal)
        for row in frame.dropna(subset=["amount"]).itertuples():
            given_away[row.opportunity_id] += row.amount
        expected = deals["amount"].dropna()
        assert {key: given_away[key] for key in expected.index} == expected.to_dict()


def test_the_order_of_rows_does_not_matter(drawn):
    one, other = markov_totals(drawn), markov_totals(journeys(company(shuffled(random_company(1, deals=80), 5))))
    assert one.equals(other)


def test_the_chain_gives_away_the_bookings_of_deals_with_touches(made):
    deals = made.deals.filter((made.deals.touches > 0) & (made.deals.status == "won")).to_pandas()
    found = markov_totals(made)
    assert sum(found["bookings"]) == sum(deals["amount"].dropna(), Decimal(0))
    assert found["won_deals"].sum() == pytest.approx(len(deals))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_batched_chain_is_the_chain(made, order):
    known = deal_paths(made, order=order)
    sums = account_counts(known, np.ones(len(known.deals))).toarray().sum(axis=0, keepdims=True)
    expected = markov(known.paths, order).frame["value"].to_numpy()
    assert chain_credit(np.vstack([sums, 3 * sums, 0 * sums]), known) == pytest.approx(
        np.vstack([expected, 3 * expected, 0 * expected]), abs=1e-6
    )


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_resample_is_the_chain_of_the_accounts_drawn(made, order):
    known = deal_paths(made, order=order)
    account = known.deals["account_id"].fillna("")
    times = np.asarray(account.factorize()[0] % 3, dtype=float)
    sums = account_counts(known, times).toarray().sum(axis=0, keepdims=True)
    expected = markov(known.weighted(times), order).frame["value"].to_numpy()
    assert chain_credit(sums, known)[0] == pytest.approx(expected, abs=1e-6)


def test_touches_without_channel_are_a_step_and_are_missing_again_in_results():
    snapshot = snapshot_of([deal()], [touch("t1", "2026-03-01", None), touch("t2", "2026-03-02", "Email")])
    found = markov_totals(journeys(snapshot))
    assert found["channel"].tolist() == ["Email", None]
    assert found["bookings"].tolist() == [Decimal(500), Decimal(500)]
    frame = credit(journeys(snapshot), "shapley").table.to_pandas().set_index("touchpoint_id")
    assert frame["channel"].isna().to_dict() == {"t1": True, "t2": False}


def test_a_period_takes_what_closed_in_it_and_what_is_open():
    made = journeys(three_deals(close_date="2026-08-01", closed_at="2026-08-01"))
    whole, quarter = markov_totals(made), markov_totals(made, parse_period("2026-Q2", CALENDAR))
    # Without the deal that was lost later, only the path Email > Event > Partner and Email alone are left.
    assert quarter["removal_effect"].to_numpy() == pytest.approx([1.0, 1.0, 1.0])
    assert sum(quarter["bookings"]) == Decimal("100.01")
    assert not quarter.equals(whole)
    nothing = markov_totals(made, parse_period("2026-Q1", CALENDAR))
    assert set(nothing["reason"]) == {NO_CONVERSION}
    assert sum(nothing["bookings"]) == 0
    assert nothing["removal_effect"].isna().all()


def test_won_deals_without_a_usable_amount_convert_and_are_counted():
    deals = [deal(1, amount=None), deal(2, account_id="a2", amount=-50), deal(3, account_id="a3", amount=200)]
    touches = [touch(f"t{n}", "2026-03-01", "Email", account_id=f"a{n}") for n in (1, 2, 3)]
    known = deal_paths(journeys(snapshot_of(deals, touches)))
    assert (known.unpriced, known.negative) == (1, 1)
    assert known.paths.conversions.tolist() == [3.0]
    assert known.paths.value.tolist() == [200.0]


def test_bookings_without_amounts_follow_the_deals_won():
    made = journeys(snapshot_of([deal(amount=None)], [touch("t1", "2026-03-01", "Email")]))
    found = markov_totals(made)
    assert found["won_deals"].tolist() == [1.0]
    assert found["bookings"].tolist() == [Decimal(0)]
    assert found["reason"].notna().all()


def test_without_touches_there_is_nothing_to_credit():
    made = journeys(snapshot_of([deal()], []))
    assert markov_totals(made).empty
    for name in BY_DEAL:
        assert credit(made, name).table.to_pandas().empty


def test_the_order_of_the_chain_is_that_of_the_definitions():
    deals = [deal(1), deal(2, account_id="a2", stage="Closed Lost")]
    touches = [
        touch("t1", "2026-03-01", "Email"),
        touch("t2", "2026-03-02", "Event"),
        touch("t3", "2026-03-03", "Email"),
    ]
    touches += [
        touch("t4", "2026-03-01", "Event", account_id="a2"),
        touch("t5", "2026-03-02", "Email", account_id="a2"),
    ]
    first, third = (journeys(snapshot_of(deals, touches, words=words_with(markov_order=order))) for order in (1, 3))
    assert (deal_paths(first).order, deal_paths(third).order) == (1, 3)
    assert deal_paths(first, order=3).order == 3


def test_path_models_stand_after_the_rules():
    chains = ["markov", "markov_1", "markov_2", "markov_3"]
    assert list(models())[-7:] == ["markov_by_deal", "shapley", "shapley_ordered", *chains]


def test_every_model_stands_beside_the_others_where_it_has_figures(made):
    period = Cut(view="period", period=parse_period("2026", CALENDAR))
    frame, left_out = every_model(made, period)
    assert (len(frame["model"].unique()), left_out) == (14, ())
    # With what is not attributed every model has all bookings.
    assert len(set(frame.groupby("model")["bookings"].sum())) == 1
    for name in ("markov_2", "shapley_ordered"):
        rows = frame[frame["model"] == name].reset_index(drop=True)
        pd.testing.assert_frame_equal(rows, credit(made, name).totals(cut=period), check_dtype=False)
    alone = credit(made, "markov").totals(cut=period)["bookings"]
    assert frame.loc[frame["model"] == "markov_1", "bookings"].tolist() == alone.tolist()
    frame, left_out = every_model(made, Cut(by=("team",)))
    assert (len(frame["model"].unique()), len(left_out)) == (11, 1)
    assert "markov_3" in left_out[0]


def test_the_chain_is_a_model_with_totals_by_channel_only():
    made = journeys(three_deals())
    cut = Cut(view="period", period=parse_period("2026-Q2", CALENDAR))
    found = credit(made, "markov").totals(cut=cut)
    assert found["bookings"].tolist() == [Decimal("20.00"), Decimal("40.01"), Decimal("40.00")]
    assert list(found.columns) == list(credit(made, "linear").totals(cut=cut).columns)
    for asked in (Cut(by=("team",), view="period"), Cut(), Cut(view="period", where=parse_where("segment = SMB"))):
        with pytest.raises(ConfigurationError, match="totals by channel only"):
            credit(made, "markov").totals(cut=asked)
    with pytest.raises(ConfigurationError, match="markov_by_deal"):
        _ = credit(made, "markov").table


def test_the_chain_lists_bookings_without_touches_apart():
    made = journeys(snapshot_of([deal(), deal(2, account_id="a2", amount=70)], [touch("t1", "2026-03-01")]))
    found = credit(made, "markov").totals().set_index("attributed")["bookings"]
    assert found.to_dict() == {True: Decimal(1000), False: Decimal(70)}
