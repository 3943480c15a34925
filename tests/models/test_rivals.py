"""The rivals: each rule on deals small enough to reckon by hand, what it may not look at, and where it gives up."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import make_definitions, make_snapshot
from models.evidence_cases import Deal, make_evidence, quarters, random_deals
from revops_analysis.errors import ConfigurationError
from revops_analysis.models.cutoffs import Cutoff, week_ends
from revops_analysis.models.evidence import gather_evidence
from revops_analysis.models.forecaster import QUANTILES, NotPossible, Outlook
from revops_analysis.models.rivals import rivals
from revops_analysis.models.rivals.bookings_rules import LastPeriod, SamePeriodLastYear
from revops_analysis.models.rivals.conversion import StageWeekConversion
from revops_analysis.models.rivals.own_past import range_from_past
from revops_analysis.models.rivals.past import look_back
from revops_analysis.models.rivals.pipeline_rules import CategoryRollUp, CrmWeighted
from revops_analysis.models.rivals.stage_shares import StageWeighted
from revops_analysis.models.rivals.submissions import Submissions

NINE = quarters(9)
ASKED = week_ends(NINE[8], [5])[0]


def all_rivals():
    return rivals(make_definitions())


def booked(amounts, periods=NINE):
    """One deal a period that is created and won in its first week."""
    return [
        Deal(f"won{n}", period.start, period.start + timedelta(days=2), True, amount)
        for n, (amount, period) in enumerate(zip(amounts, periods, strict=False))
    ]


def at(deals, cutoff=ASKED, periods=NINE, **more):
    return make_evidence(deals, periods, cutoff.day, **more)


def test_last_period_repeats_it():
    outlook = LastPeriod().forecast(at(booked([10, 20, 30, 40, 50, 60, 70, 80, 5])), ASKED)
    assert outlook.mean == 80
    assert outlook.parts.set_index("component")["mean"].to_dict() == {"booked": 5, "signed": 0, "rest": 75}
    assert "2024-Q4" in outlook.notes[0]


def test_no_rule_of_past_bookings_forecasts_less_than_is_booked():
    evidence = at(booked([10, 20, 30, 40, 50, 60, 70, 80, 500]))
    for rule in (LastPeriod(), SamePeriodLastYear()):
        outlook = rule.forecast(evidence, ASKED)
        assert outlook.mean == 500
        assert min(outlook.quantiles) == 500


def test_last_year_grows_by_the_last_four_periods_over_the_four_before():
    outlook = SamePeriodLastYear().forecast(at(booked([10, 20, 30, 40, 50, 60, 70, 80])), ASKED)
    assert outlook.mean == pytest.approx(50 * (50 + 60 + 70 + 80) / (10 + 20 + 30 + 40))
    assert "2.600: the last 4 periods" in outlook.notes[0]


@pytest.mark.parametrize(("count", "mean", "words"), [(5, 20 * 50 / 10, "the last 1 periods"), (4, 10, "not known")])
def test_last_year_with_less_than_two_years_compares_the_same_seasons(count, mean, words):
    cutoff = week_ends(NINE[count], [5])[0]
    outlook = SamePeriodLastYear().forecast(at(booked([10, 20, 30, 40, 50][:count]), cutoff), cutoff)
    assert outlook.mean == pytest.approx(mean)
    assert words in outlook.notes[0]


def test_last_year_says_how_many_periods_it_needs():
    cutoff = week_ends(NINE[3], [5])[0]
    answer = SamePeriodLastYear().forecast(at(booked([10, 20, 30]), cutoff), cutoff)
    assert "4 past periods, there are 3" in answer.reason


def test_a_period_that_ends_on_the_cutoff_is_not_forecast_from_itself():
    cutoff = week_ends(NINE[7], [13])[0]
    evidence = at(booked([10, 20, 30, 40, 50, 60, 70, 0]), cutoff)
    assert evidence.past_periods == 8
    outlook = LastPeriod().forecast(evidence, cutoff)
    assert outlook.mean == 70
    assert "of 6 past periods" in outlook.notes[1]


def test_replays_know_only_periods_that_were_over_by_their_own_cutoff():
    evidence = at([], week_ends(NINE[8], [0])[0])
    past = look_back(evidence, week_ends(NINE[8], [0])[0])
    # The eve of a period is the last day of the one before, which is over then; a month earlier it is not.
    assert past.known.sum(axis=1).tolist() == list(range(9))
    month_ago = pd.Timedelta(days=30)
    early = replace(evidence, cutoffs=evidence.cutoffs.assign(cutoff=evidence.cutoffs["cutoff"] - month_ago))
    cutoff = Cutoff(week_ends(NINE[8], [0])[0].day - month_ago.to_pytimedelta(), NINE[8])
    assert look_back(early, cutoff).known.sum(axis=1).tolist() == [0, *range(8)]


OPEN = ASKED.day - timedelta(days=20)
INSIDE, OVERDUE, LATER = ASKED.day + timedelta(days=9), ASKED.day - timedelta(days=3), date(2025, 7, 1)


def test_roll_up_adds_what_is_committed_for_the_period_or_overdue():
    deals = [
        *booked([10, 20, 30, 40, 50, 60, 70, 80, 5]),
        Deal("inside", OPEN, None, amount=1, close_date=INSIDE),
        Deal("overdue", OPEN, None, amount=2, close_date=OVERDUE),
        Deal("later", OPEN, None, amount=4, close_date=LATER),
        Deal("best case", OPEN, None, amount=8, category="Best Case", close_date=INSIDE),
        Deal("without amount", OPEN, None, amount=None, close_date=INSIDE),
    ]
    outlook = CategoryRollUp(("Commit",)).forecast(at(deals), ASKED)
    assert outlook.parts.set_index("component")["mean"].to_dict() == {"booked": 5, "signed": 0, "open_won": 3}
    assert "1 of 5 open deals have no amount and count as nothing." in outlook.notes


def test_on_the_eve_of_a_period_a_deal_due_that_day_counts_and_one_due_between_does_not():
    cutoff = Cutoff(NINE[8].start - timedelta(days=30), NINE[8])
    deals = [
        Deal("due", OPEN - timedelta(days=90), None, amount=1, close_date=cutoff.day),
        Deal("between", OPEN - timedelta(days=90), None, amount=2, close_date=cutoff.day + timedelta(days=3)),
    ]
    full = make_evidence(deals, NINE, NINE[8].start - timedelta(days=1))
    day = pd.Timestamp(cutoff.day)
    moved = full.cutoffs["period"].eq("2025-Q1"), full.states["period"].eq("2025-Q1")
    evidence = replace(
        full,
        cutoffs=full.cutoffs.assign(cutoff=full.cutoffs["cutoff"].mask(moved[0], day)),
        states=full.states.assign(cutoff=full.states["cutoff"].mask(moved[1], day)),
    )
    assert CategoryRollUp(("Commit",)).forecast(evidence, cutoff).mean == 1


def test_crm_probability_weights_and_falls_back_on_the_stage():
    deals = [
        Deal("a", OPEN, None, amount=100, probability=0.3, close_date=INSIDE),
        Deal("b", OPEN, None, amount=100, probability=None, close_date=INSIDE),
        Deal("c", OPEN, None, amount=100, probability=None, stage="Odd", close_date=INSIDE),
        Deal("d", OPEN, None, amount=100, probability=0.9, close_date=LATER),
    ]
    assert CrmWeighted((("Proposal", 0.6),)).forecast(at(deals), ASKED).mean == pytest.approx(90)


def test_stage_weights_are_shares_of_closed_deals_won_whenever_that_was():
    early = NINE[0].start
    deals = [
        Deal("w1", early, NINE[0].end, True, stage="Proposal"),
        Deal("w2", early, NINE[5].start, True, stage="Proposal"),
        Deal("l1", early, NINE[2].start, False, stage="Proposal"),
        Deal("l2", early, NINE[3].start, False, stage="Solution"),
        Deal("ended in the period asked for", early, NINE[8].start, True, stage="Solution", amount=0),
        Deal("p", OPEN, None, amount=90, stage="Proposal", close_date=INSIDE),
        Deal("s", OPEN, None, amount=90, stage="Solution", close_date=INSIDE),
        Deal("new stage", OPEN, None, amount=100, stage="Trial", close_date=INSIDE),
    ]
    outlook = StageWeighted().forecast(at(deals), ASKED)
    assert outlook.mean == pytest.approx(90 * 2 / 3 + 90 * 0 / 1 + 100 * 2 / 4)
    assert "4 closings" in outlook.notes[0]


def test_conversion_takes_yields_of_the_same_week_and_scales_create_and_close_by_new_deals():
    deals = []
    for n, period in enumerate(NINE[:8]):
        week5, later = period.start + timedelta(days=34), period.start + timedelta(days=60)
        deals += [
            Deal(f"won{n}", period.start, later, True, 30, stage="Proposal"),
            Deal(f"lost{n}", period.start, later, False, 70, stage="Proposal"),
            Deal(f"early{n}", week5 + timedelta(days=2), later, True, 12),
        ]
    now = [Deal(f"now{n}", NINE[8].start, None, amount=50, stage="Proposal") for n in range(4)]
    parts = StageWeekConversion().forecast(at(deals + now), ASKED).parts.set_index("component")["mean"]
    assert parts["open_won"] == pytest.approx(200 * 0.3)
    past = [2] + [3] * 7  # deals created in the 91 days up to week 5: two of this quarter, one late in the last
    assert parts["created_won"] == pytest.approx(8 * 12 / sum(past) * 5)
    assert parts["other"] == 0


def said(day, user, amount, period=NINE[8], *, category="Commit", scope="own", override=None):
    return (pd.Timestamp(day), user, pd.Timestamp(period.start), category, scope, override, amount)


def test_submissions_take_the_latest_own_commit_and_add_committed_deals_of_the_silent():
    deals = [
        *booked([0, 0, 0, 0, 0, 0, 0, 0, 5]),
        Deal("covered", OPEN, None, amount=50, owner="u1", close_date=INSIDE),
        Deal("silent", OPEN, None, amount=7, owner="u9", close_date=INSIDE),
    ]
    calls = [
        said(ASKED.day - timedelta(days=9), "u1", 90),
        said(ASKED.day - timedelta(days=2), "u1", 40),
        said(ASKED.day - timedelta(days=2), "u1", 99, category="Best Case"),
        said(ASKED.day - timedelta(days=2), "boss", 1000, scope="team"),
        said(ASKED.day - timedelta(days=1), "u1", 60, override="u1"),
        said(ASKED.day - timedelta(days=2), "u2", 20),
        said(ASKED.day - timedelta(days=2), "u2", 500, period=NINE[7]),
        said(ASKED.day + timedelta(days=1), "u2", 900),
    ]
    outlook = Submissions(("Commit",)).forecast(at(deals, submissions=calls), ASKED)
    parts = outlook.parts.set_index("component")["mean"].to_dict()
    assert parts == {"booked": 5, "signed": 0, "submitted": 55, "not_submitted": 7}


def test_submissions_are_gathered_as_known_that_day_in_the_reporting_currency():
    deal = {"opportunity_id": "o1", "stage": "Closed Won", "amount": 500, "created_at": "2025-01-05", "type": "new"}
    deal |= {"close_date": "2025-02-20", "closed_at": "2025-02-20", "currency": "USD", "owner_id": "u1"}
    call = {"user_id": "u1", "period_start": "2025-01-01", "category": "Commit", "scope": "own"}
    calls = [
        call | {"submitted_at": "2025-02-03", "amount": 100, "currency": "EUR"},
        call | {"submitted_at": "2025-02-04 04:00:00", "amount": 70},  # still the 3rd in New York
        call | {"submitted_at": "2025-02-05", "amount": 900},
    ]
    rate = {"day": "2025-01-01", "currency": "EUR", "rate_to_reporting": 1.25}
    tables = {"opportunities": [deal], "forecast_submissions": calls, "exchange_rates": [rate]}
    asked = Cutoff(date(2025, 2, 4), NINE[8])
    evidence = gather_evidence(make_snapshot(tables, as_of="2025-02-04"), [asked])
    said = evidence.submissions
    assert list(said) == list(at([]).submissions)
    assert said["submitted_on"].dt.strftime("%m-%d").tolist() == ["02-03", "02-03"]
    assert said["amount"].tolist() == [125.0, 70.0]
    assert Submissions(("Commit",)).forecast(evidence, asked).mean == 70
    assert evidence.known_at(date(2025, 2, 2)).submissions.empty
    assert gather_evidence(make_snapshot({"opportunities": [deal]}, as_of="2025-02-04"), [asked]).submissions.empty


def test_without_submissions_the_rival_says_so():
    answer = Submissions(("Commit",)).forecast(at(booked([1] * 9)), ASKED)
    assert answer == NotPossible("submissions", answer.reason)
    assert "at least 1 seller" in answer.reason


def test_the_first_period_of_a_company_has_only_what_the_pipeline_says():
    cutoff = week_ends(NINE[0], [5])[0]
    deals = [Deal("a", NINE[0].start, None, amount=100, close_date=cutoff.day + timedelta(days=3))]
    answers = {rival.name: rival.forecast(at(deals, cutoff), cutoff) for rival in all_rivals()}
    possible = {name: answer.mean for name, answer in answers.items() if isinstance(answer, Outlook)}
    assert possible == {"category_roll_up": 100, "crm_weighted": 50}
    assert all(math.isnan(value) for value in answers["category_roll_up"].quantiles)
    for name in answers.keys() - possible.keys():
        assert any(digit in answers[name].reason for digit in "14"), answers[name]


def test_without_open_deals_the_forecast_is_what_is_booked_and_what_is_still_created():
    evidence = at(booked([10, 20, 30, 40, 50, 60, 70, 80, 5]))
    assert evidence.at(ASKED)[0].empty
    means = {rival.name: getattr(rival.forecast(evidence, ASKED), "mean", None) for rival in all_rivals()}
    assert [means[name] for name in ("category_roll_up", "crm_weighted", "stage_week_conversion")] == [5, 5, 5]


def test_when_no_open_deal_has_an_amount_pipeline_rules_give_up():
    deals = [*booked([10] * 9), *(Deal(f"n{n}", OPEN, None, amount=None, close_date=INSIDE) for n in range(3))]
    for rule in (CategoryRollUp(("Commit",)), CrmWeighted(), StageWeighted(), StageWeekConversion()):
        answer = rule.forecast(at(deals), ASKED)
        assert isinstance(answer, NotPossible)
        assert "None of the 3 open deals has an amount" in answer.reason


def test_without_categories_or_chances_the_rules_that_need_them_give_up():
    deals = [Deal("a", OPEN, None, category=None, probability=None, close_date=INSIDE)]
    assert "a forecast category" in CategoryRollUp(("Commit",)).forecast(at(deals), ASKED).reason
    assert "kind commit" in CategoryRollUp(()).forecast(at(deals), ASKED).reason
    assert "a chance of winning" in CrmWeighted().forecast(at(deals), ASKED).reason


def test_an_unknown_cutoff_is_refused():
    with pytest.raises(ConfigurationError, match="no such cutoff"):
        LastPeriod().forecast(at(booked([1] * 9)), Cutoff(ASKED.day - timedelta(days=1), ASKED.period))


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0, 3, 7, 12]))
def test_parts_add_up_and_quantiles_ascend(seed, week):
    cutoff = week_ends(NINE[8], [week])[0]
    evidence = at(random_deals(seed, NINE), cutoff)
    for rival in all_rivals():
        answer = rival.forecast(evidence, cutoff)
        if isinstance(answer, NotPossible):
            continue
        assert math.fsum(answer.parts["mean"]) == pytest.approx(answer.mean, rel=1e-12)
        assert answer.as_row()["method"] == rival.name
        if not math.isnan(answer.quantiles[0]):
            assert list(answer.quantiles) == sorted(answer.quantiles)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_nothing_dated_after_the_cutoff_changes_a_forecast(seed):
    deals = random_deals(seed, NINE)
    cutoff = week_ends(NINE[6], [4])[0]
    calls = [said(cutoff.day - timedelta(days=2), "u1", 300, NINE[6]), said(NINE[6].end, "u1", 9, NINE[6])]
    now = [replaced_future(deal, cutoff.day, seed) for deal in deals]
    later = make_evidence(deals, NINE, NINE[8].end, calls).known_at(cutoff.day)
    other = make_evidence([deal for deal in now if deal], NINE, NINE[8].end, calls[:1]).known_at(cutoff.day)
    for rival in all_rivals():
        one, two = rival.forecast(later, cutoff), rival.forecast(other, cutoff)
        if isinstance(one, NotPossible):
            assert one == two
            continue
        pd.testing.assert_series_equal(pd.Series(one.as_row()), pd.Series(two.as_row()))
        assert one.notes == two.notes


def replaced_future(deal, day, seed):
    """The deal with another fate, if that lies after the day; none if it was created later."""
    if deal.created > day:
        return None
    if deal.ended is not None and deal.ended <= day:
        return deal
    ended = day + timedelta(days=1 + (seed + len(deal.key)) % 90)
    return replace(deal, ended=ended, is_won=not deal.is_won, close_date=deal.close_date)


def test_ranges_are_read_off_the_past_where_it_is_long_enough():
    ratios = np.linspace(0.61, 1.39, 39)
    quantiles, notes = range_from_past(100.0, np.random.default_rng(0).permutation(ratios))
    places = [round(level * 40) for level in (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)]
    np.testing.assert_allclose(quantiles[1:6], [np.quantile(ratios, q, method="weibull") * 100 for q in QUANTILES[1:6]])
    assert quantiles[0] == pytest.approx(100 * ratios[places[0] - 1])
    assert quantiles[6] == pytest.approx(100 * ratios[places[6] - 1])
    assert len(notes) == 1


def test_a_short_past_says_which_ranges_are_model_based():
    notes = range_from_past(100.0, np.linspace(0.8, 1.2, 8))[1]
    assert notes[1].endswith("the 80% range (until 9) and the 95% range (until 39).")
    quantiles, notes = range_from_past(100.0, np.linspace(0.8, 1.2, 9))
    assert notes[1].endswith("the 95% range (until 39).")
    assert (quantiles[1], quantiles[5]) == pytest.approx((80, 120))
    two_values = np.array([0.9, 1.1] * 4)
    assert range_from_past(100.0, two_values)[0][1] < 89  # modelled: no level below the smallest can be read off
    assert range_from_past(100.0, np.append(two_values, 1.0))[0][1] == pytest.approx(90)


def test_the_range_is_wider_than_the_past_where_the_past_is_short():
    quantiles, _ = range_from_past(100.0, np.array([0.9, 1.0, 1.1, 1.2]))
    assert quantiles[0] < 90
    assert quantiles[6] > 120


@pytest.mark.parametrize(("ratios", "word"), [((1.4, 1.6), "little"), ((0.4, 0.6), "much")])
def test_the_range_of_a_rule_that_always_errs_to_one_side_holds_what_it_says(ratios, word):
    quantiles, notes = range_from_past(100.0, np.linspace(*ratios, 12))
    assert quantiles[0] <= 100 <= quantiles[6]
    assert list(quantiles) == sorted(quantiles)
    assert 100 in quantiles
    inner = np.quantile(np.linspace(*ratios, 12), QUANTILES[1:6], method="weibull") * 100
    np.testing.assert_allclose(quantiles[1:6], inner)  # the other levels are what came of it
    assert notes[-1] == f"It has said too {word} so far: its 95% range is extended to what it says."
    assert len(range_from_past(100.0, np.linspace(0.9, 1.1, 12))[1]) == 2


@pytest.mark.parametrize(("forecast", "n", "words"), [(100.0, 3, "there are 3"), (0.0, 9, "not above 0")])
def test_no_range_without_enough_past_or_without_a_forecast(forecast, n, words):
    quantiles, notes = range_from_past(forecast, np.ones(n))
    assert all(math.isnan(value) for value in quantiles)
    assert words in notes[0]


def test_past_outcomes_of_zero_keep_the_range_above_zero():
    quantiles, _ = range_from_past(100.0, np.array([0.0, 1.0, 1.0, 1.0, 2.0]))
    assert min(quantiles) >= 0
    assert list(quantiles) == sorted(quantiles)
