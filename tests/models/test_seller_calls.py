"""Sellers' and managers' calls: which one counts, how far each was off, and what results."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from models.forecast_cases import SELLERS, last_week, past_deals, tables_of, workspace_of
from revops_analysis.models.evidence import gather_evidence
from revops_analysis.models.forecast import BookingsForecast
from revops_analysis.models.seller_calls import TOO_FEW, SellerCalls, seller_calls
from revops_analysis.workspace import Workspace

FACTORS = {"u1": 2.0, "u2": 1.0}
"""Past calls of the first two sellers are these multiples of what they won; the third never submits."""


def _call(user: str, period: str, day: str, amount: float, **more: Any) -> dict[str, Any]:
    row = {"user_id": user, "period_start": period, "submitted_at": day, "category": "Commit", "scope": "own"}
    return row | {"override_of": None, "amount": round(amount, 2)} | more


def _now() -> list[dict[str, Any]]:
    """This quarter's calls: an old one, an override that a later call replaces, and one that stands."""
    q3 = "2026-07-01"
    return [
        _call("u1", q3, "2026-08-03", 900),
        _call("m1", q3, "2026-08-04", 100, scope="team", override_of="u1"),
        _call("u1", q3, "2026-08-17 10:00:00", 1000),
        _call("u2", q3, "2026-08-17 10:00:00", 500),
        _call("u2", q3, "2026-08-17 10:00:00", 9000, category="Best Case"),
        _call("m1", q3, "2026-08-17 18:00:00", 400, scope="team", override_of="u2"),
        _call("m1", q3, "2026-08-17 20:00:00", 1300, scope="team"),
        _call("u1", q3, "2026-08-19", 5000),
    ]


def _past(forecast: BookingsForecast) -> list[dict[str, Any]]:
    wins = forecast.evidence.wins.groupby(["first_day", "owner_id"])["amount"].sum()
    rows = [
        _call(owner, f"{first:%Y-%m-%d}", f"{first:%Y-%m}-08", FACTORS[owner] * amount)
        for (first, owner), amount in wins.items()
        if owner in FACTORS
    ]
    # What is said after the same day of the quarter says nothing of a call made as early as this one.
    return rows + [row | {"submitted_at": row["period_start"][:5] + "12-30", "amount": 1e6} for row in rows[:2]]


def _calls(forecast: BookingsForecast, rows: list[dict[str, Any]]) -> tuple[Workspace, SellerCalls]:
    tables = tables_of(past_deals() + last_week()) | {"forecast_submissions": rows}
    ws = workspace_of(tables)
    evidence = gather_evidence(ws, [forecast.cutoff])
    return ws, seller_calls(ws, replace(forecast, evidence=evidence))


@pytest.fixture(scope="module")
def calls(small_forecast: BookingsForecast) -> SellerCalls:
    return _calls(small_forecast, _past(small_forecast) + _now())[1]


def test_the_latest_word_counts_and_overrides_only_until_the_next_call(calls: SellerCalls) -> None:
    told = calls.submitters.set_index(["basis", "user_id"])["call"].to_dict()
    assert told == {
        ("own", "u1"): 1000.0,
        ("own", "u2"): 500.0,
        ("overridden", "u1"): 1000.0,
        ("overridden", "u2"): 400.0,
        ("managers", "m1"): 1300.0,
    }


def test_the_roll_up_adds_what_owners_without_a_call_have_booked(
    calls: SellerCalls, small_company: Workspace, small_forecast: BookingsForecast
) -> None:
    deals = small_company.deals
    period = small_forecast.cutoff.period
    won = deals.filter((deals.status == "won") & deals.booked_on.between(period.start, period.end)).to_pandas()
    by_owner = won["amount"].astype(float).groupby(won["owner_id"]).sum()
    roll = calls.rollup.set_index("basis")
    silent = by_owner.get("u3", 0.0)
    assert roll["submitted"].to_dict() == {"own": 1500.0, "overridden": 1400.0, "managers": 1300.0}
    assert roll["booked_by_others"].tolist() == pytest.approx([silent, silent, 0.0])
    assert calls.call == pytest.approx(1400.0 + silent)
    booked = calls.submitters.set_index(["basis", "user_id"])["booked"]
    assert booked[("own", "u1")] == pytest.approx(by_owner["u1"])
    assert booked[("managers", "m1")] == pytest.approx(by_owner[list(SELLERS)].sum())


def test_a_bias_is_measured_at_the_same_week_and_shrunk(calls: SellerCalls, small_forecast: BookingsForecast) -> None:
    own = calls.submitters[calls.submitters["basis"] == "own"].set_index("user_id")
    wins = small_forecast.evidence.wins
    assert own["raw"].to_dict() == pytest.approx(FACTORS, rel=1e-4)
    assert own["n"].to_dict() == {key: wins.loc[wins["owner_id"] == key, "period"].nunique() for key in FACTORS}
    assert 1 < own.loc["u2", "ratio"] < own.loc["u1", "ratio"] < 2
    assert ((own["low"] < own["ratio"]) & (own["ratio"] < own["high"])).all()
    assert own.loc["u1", "corrected"] == pytest.approx(
        max(1000 / own.loc["u1", "ratio"], own.loc["u1", "booked"]), rel=1e-6
    )
    official = calls.submitters[calls.submitters["basis"] == "overridden"]
    roll = calls.rollup.set_index("basis")
    assert calls.corrected == pytest.approx(official["corrected"].sum() + roll.loc["overridden", "booked_by_others"])


def test_a_corrected_call_is_never_below_what_is_booked(small_forecast: BookingsForecast) -> None:
    low = [_call("u1", "2026-07-01", "2026-08-10", 1.0)]
    found = _calls(small_forecast, _past(small_forecast) + low)[1].submitters.iloc[0]
    assert found["booked"] > 1.0
    assert found["corrected"] == found["booked"]


def test_one_past_period_is_too_few_to_measure_a_bias(small_forecast: BookingsForecast) -> None:
    found = _calls(small_forecast, _now())[1]
    assert found.call is not None
    assert found.corrected is None
    assert set(found.submitters["reason"]) == {TOO_FEW}
    assert (found.submitters["n"] == 0).all()
    assert found.submitters[["raw", "ratio", "low", "high", "corrected"]].isna().all().all()
    assert set(found.rollup["reason"]) == {TOO_FEW}


def test_without_calls_a_sentence_says_so(small_company: Workspace, small_forecast: BookingsForecast) -> None:
    none = seller_calls(small_company, small_forecast)
    assert (none.call, none.corrected, len(none.submitters), len(none.rollup)) == (None, None, 0, 0)
    assert none.reason == "The source has no forecast_submissions table, so no calls of sellers can be shown."
    evidence = replace(small_forecast.evidence, submissions=small_forecast.evidence.submissions.iloc[:0])
    ws = workspace_of(tables_of(last_week()) | {"forecast_submissions": _now()[:1]})
    silent = seller_calls(ws, replace(small_forecast, evidence=evidence))
    assert silent.reason == "Nobody has submitted a commit for 2026-Q3 by 2026-08-18."
