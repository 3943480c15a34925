"""Pipeline movement: each line in a case of its own, and sums that tie out to the cent on generated histories."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from builders import make_snapshot
from metrics.generated import company
from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.movement import (
    LINES,
    MovementSpan,
    PipelineMovement,
    movement_between,
    pipeline_movement,
)
from revops_analysis.metrics.movement_scope import narrowed
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.metrics.where import Where
from revops_analysis.periods import Period
from revops_analysis.tables.snapshot import Snapshot

QUARTER = Period("2026-Q3", dt.date(2026, 7, 1), dt.date(2026, 9, 30))
SPAN = MovementSpan.of(QUARTER, QUARTER.end)
BEFORE, WITHIN, LATER = "2026-06-15", "2026-09-15", "2026-12-15"


def change(
    at: str, stage: str = "Proposal", amount: float | None = 100, close: str | None = WITHIN, **more: Any
) -> dict:
    return {"changed_at": at, "stage": stage, "amount": amount, "close_date": close, "owner_id": "u1", **more}


def snapshot_of(deals: dict[str, tuple[dict, ...]], deleted: dict[str, str], rates: dict[str, float]) -> Snapshot:
    """One deal a case, whose product is the name of the case."""
    tables: dict[str, list[dict]] = {"opportunities": [], "opportunity_history": [], "exchange_rates": []}
    for name, changes in deals.items():
        ordered = [{"opportunity_id": name, "change_number": 1, **item} for item in changes]
        state = {key: value for key, value in ordered[-1].items() if key not in ("changed_at", "change_number")}
        deal = {"type": "new", "product": name, "created_at": changes[0]["changed_at"], "deleted_at": deleted.get(name)}
        tables["opportunities"].append({**deal, **state})
        tables["opportunity_history"] += ordered
    tables["exchange_rates"] = [{"currency": "EUR", "day": d, "rate_to_reporting": r} for d, r in rates.items()]
    return make_snapshot(tables)


def lines_of(result: PipelineMovement) -> dict[Any, float]:
    kept = result.lines[result.lines["value"] != 0]
    keys = kept["line"] if not result.by else list(zip(kept[result.by[0]], kept["line"], strict=True))
    return dict(zip(keys, kept["value"], strict=True))


CASES: dict[str, tuple[tuple[dict, ...], dict[str, float]]] = {
    "untouched": ((change("2026-05-01"),), {"opening": 100, "closing": 100}),
    "created, repriced": (
        (change("2026-07-05", amount=70), change("2026-08-01", amount=100)),
        {"created": 70, "amount_up": 30, "closing": 100},
    ),
    "won at its final amount": (
        (change("2026-05-01"), change("2026-08-01", "Closed Won", 130, "2026-08-01")),
        {"opening": 100, "amount_up": 30, "won": -130},
    ),
    "created and won": (
        (change("2026-07-05"), change("2026-08-01", "Closed Won", 90, "2026-08-01")),
        {"created": 100, "amount_down": -10, "won": -90},
    ),
    "lost with what it last was": (
        (change("2026-05-01"), change("2026-08-01", "Closed Lost", 0, "2026-08-01")),
        {"opening": 100, "lost": -100},
    ),
    "pushed out": (
        (change("2026-05-01"), change("2026-08-01", amount=120, close=LATER)),
        {"opening": 100, "amount_up": 20, "moved_out_pushed": -120},
    ),
    "pulled out": (
        (change("2026-05-01"), change("2026-08-01", close=BEFORE)),
        {"opening": 100, "moved_out_pulled": -100},
    ),
    "date taken away": (
        (change("2026-05-01"), change("2026-08-01", close=None)),
        {"opening": 100, "moved_out_pushed": -100},
    ),
    "pulled in": (
        (change("2026-05-01", close=LATER), change("2026-08-01", amount=90)),
        {"moved_in_pulled": 100, "amount_down": -10, "closing": 90},
    ),
    "pushed in": (
        (change("2026-05-01", close=BEFORE), change("2026-08-01")),
        {"moved_in_pushed": 100, "closing": 100},
    ),
    "pulled in and won": (
        (change("2026-05-01", close=LATER), change("2026-08-01"), change("2026-08-20", "Closed Won", 100)),
        {"moved_in_pulled": 100, "won": -100},
    ),
    "won while expected later: not of this pipeline": (
        (change("2026-05-01", close=LATER), change("2026-08-20", "Closed Won", 100, "2026-08-20")),
        {},
    ),
    "pushed out, then won": (
        (
            change("2026-05-01"),
            change("2026-08-01", close=LATER),
            change("2026-08-20", "Closed Won", 150, "2026-08-20"),
        ),
        {"opening": 100, "moved_out_pushed": -100},
    ),
    "omitted": (
        (change("2026-05-01"), change("2026-08-01", forecast_category="Omitted")),
        {"opening": 100, "omitted": -100},
    ),
    "no longer omitted": (
        (change("2026-05-01", forecast_category="Omitted"), change("2026-08-01", forecast_category="Pipeline")),
        {"omitted": 100, "closing": 100},
    ),
    "reopened": (
        (change("2026-05-01"), change("2026-06-01", "Closed Lost"), change("2026-08-01")),
        {"reopened": 100, "closing": 100},
    ),
    "first priced later": (
        (change("2026-05-01", amount=None), change("2026-08-01", amount=50)),
        {"amount_up": 50, "closing": 50},
    ),
    "came and went within the span": (
        (change("2026-07-05"), change("2026-08-01", close=LATER)),
        {},
    ),
}


EURO = {"currency": "EUR"}
HANDED_OVER = (change("2026-05-01"), change("2026-08-01", amount=120, owner_id="u2"))
SPECIAL = {
    "deleted: with its opening amount": (change("2026-05-01"),),
    "a change of rate is not one of amount": (change("2026-05-01", **EURO), change("2026-08-01", amount=200, **EURO)),
    "handed over": HANDED_OVER,
    "won by the new owner": (
        change("2026-05-01"),
        change("2026-08-01", "Closed Won", 100, "2026-08-01", owner_id="u2"),
    ),
}


@pytest.fixture(scope="module")
def cases() -> Snapshot:
    deals = {name: changes for name, (changes, _) in CASES.items()} | SPECIAL
    rates = {"2026-01-01": 1.10, "2026-08-15": 1.25}
    return snapshot_of(deals, {"deleted: with its opening amount": "2026-08-01"}, rates)


def test_each_line_in_its_own_case(cases: Snapshot) -> None:
    found: dict[str, dict[str, float]] = {name: {} for name in CASES | SPECIAL}
    for (name, line), value in lines_of(pipeline_movement(cases, SPAN, by=("product",))).items():
        found[name][line] = value
    expected = {name: lines for name, (_, lines) in CASES.items()} | {
        "deleted: with its opening amount": {"opening": 100, "deleted": -100},
        "a change of rate is not one of amount": {
            "opening": 110,
            "amount_up": 110,
            "exchange_rate": 30,
            "closing": 250,
        },
        "handed over": {"opening": 100, "amount_up": 20, "closing": 120},
        "won by the new owner": {"opening": 100, "won": -100},
    }
    assert found == expected


def test_under_a_cut_a_deal_is_handed_over_at_its_new_amount(cases: Snapshot) -> None:
    by_owner = pipeline_movement(
        cases, SPAN, by=("owner_id",), where="product in ('handed over', 'won by the new owner')"
    )
    assert lines_of(by_owner) == {
        ("u1", "opening"): 200,
        ("u1", "amount_up"): 20,
        ("u1", "transferred"): -220,
        ("u2", "transferred"): 220,
        ("u2", "won"): -100,
        ("u2", "closing"): 120,
    }


def test_a_filter_that_a_deal_leaves_is_a_transfer(cases: Snapshot) -> None:
    assert lines_of(pipeline_movement(cases, SPAN, where="product = 'handed over' and owner_id = u1")) == {
        "opening": 100,
        "amount_up": 20,
        "transferred": -120,
    }


def test_the_primary_reason_is_how_a_deal_left_before_how_it_came(cases: Snapshot) -> None:
    reasons = pipeline_movement(cases, SPAN).deals.set_index("opportunity_id")["reason"]
    assert reasons["created and won"] == "won"
    assert reasons["created, repriced"] == "created"
    assert reasons["first priced later"] == "amount_up"
    assert reasons["a change of rate is not one of amount"] == "amount_up"
    assert reasons["untouched"] is None


def test_wins_that_were_expected_elsewhere_stand_in_the_reconciliation(cases: Snapshot) -> None:
    steps = pipeline_movement(cases, SPAN).reconciliation.set_index("line")["value"]
    assert steps["won_expected_elsewhere"] == 100 + 150
    assert steps["bookings"] == 130 + 90 + 100 + 100 + 150 + 100


@pytest.mark.parametrize(
    "span", [MovementSpan(QUARTER.end, QUARTER.end), MovementSpan(QUARTER.start, dt.date(2027, 1, 1))]
)
def test_a_span_that_makes_no_sense_is_refused(span: MovementSpan) -> None:
    snapshot = make_snapshot({"opportunities": [{"opportunity_id": "o1", "stage": "Proposal"}]})
    with pytest.raises(ConfigurationError, match="earlier day"):
        pipeline_movement(snapshot, span)


def expected_pipeline(snapshot: Snapshot, day: dt.date, period: Period | None) -> float:
    """The pipeline of a day by another way: counted in pandas, deal by deal."""
    deals = snapshot.at(day).deals.to_pandas()
    kept = deals[(deals["status"] == "open") & deals["is_headline"] & ~deals["is_omitted"]]
    if period is not None:
        kept = kept[pd.to_datetime(kept["close_date"]).between(str(period.start), str(period.end))]
    return round(float(sum(kept["amount"].dropna())), 2)


@settings(max_examples=3, deadline=None, derandomize=True, phases=[Phase.generate])
@given(
    seed=st.integers(0, 10_000),
    start=st.dates(dt.date(2024, 1, 1), dt.date(2026, 6, 30)),
    length=st.integers(1, 400),
    quarter=st.sampled_from([None, QUARTER, Period("2025-Q2", dt.date(2025, 4, 1), dt.date(2025, 6, 30))]),
    by=st.sampled_from(["segment", "owner_id", "stage", "team", "region", "industry", "currency"]),
)
def test_lines_tie_out(seed: int, start: dt.date, length: int, quarter: Period | None, by: str) -> None:
    snapshot = make_snapshot(company(seed, 200))
    span = MovementSpan(start, min(start + dt.timedelta(days=length), snapshot.as_of), quarter)
    result = pipeline_movement(snapshot, span)
    assert result.opening == expected_pipeline(snapshot, span.start, quarter)
    assert result.closing == expected_pipeline(snapshot, span.end, quarter)
    assert tied(result.lines)
    moved = result.deals["entered"] + result.deals["amount_change"] + result.deals["exchange_rate"]
    assert ((moved - result.deals["ended"]).abs() < 0.005).all()
    assert round(result.deals["change"].sum() - (result.closing - result.opening), 2) == 0

    cut = pipeline_movement(snapshot, span, by=(by,))
    assert all(tied(rows) for _, rows in cut.lines.groupby(by, dropna=False))
    whole = result.lines.set_index("line")["value"]
    over_cut = cut.lines.groupby("line")["value"].sum().reindex(whole.index)
    assert ((over_cut.fillna(0) - whole).abs() < 0.005).all()

    steps = result.reconciliation.set_index("line")["value"]
    assert steps["won_from_this_pipeline"] == round(-result.value("won"), 2)
    assert round(steps.iloc[:-1].sum() - steps["bookings"], 2) == 0
    period = span.booking_period
    booked = compute_metric(snapshot.at(span.end), "bookings", period).frame["value"][0]
    assert round(booked - steps["bookings"], 2) == 0


def tied(lines: pd.DataFrame) -> bool:
    values = lines.set_index("line")["value"]
    return bool(abs(values[list(LINES[:-1])].sum() - values["closing"]) < 0.005)


def test_the_metric_lists_the_lines_in_their_order() -> None:
    frame = compute_metric(make_snapshot(company(3, 80)), "pipeline_movement", "2026-Q2...2026-Q3", by="segment").frame
    first = frame[(frame["period"] == "2026-Q2") & (frame["segment"] == "SMB")]
    assert list(first["line"]) == list(LINES)
    assert set(frame["period"]) == {"2026-Q2", "2026-Q3"}


@settings(max_examples=2, deadline=None, derandomize=True, phases=[Phase.generate])
@given(
    seed=st.integers(0, 10_000), start=st.dates(dt.date(2024, 6, 1), dt.date(2026, 6, 30)), length=st.integers(1, 200)
)
def test_leaving_out_deals_that_nothing_happened_to_changes_no_line(seed: int, start: dt.date, length: int) -> None:
    span = MovementSpan(start, min(start + dt.timedelta(days=length), QUARTER.end), QUARTER if seed % 2 else None)
    whole = make_snapshot(company(seed, 150))
    part = narrowed(whole, span, Where(), worth_it=0)
    assert part.deals.count().execute() < whole.deals.count().execute()
    found, expected = (pipeline_movement(each, span, by=("owner_id",)) for each in (part, whole))
    for name in ("lines", "reasons", "reconciliation"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(expected, name))
    pd.testing.assert_frame_equal(found.moved.lines, expected.moved.lines)


def test_the_lines_of_deals_are_those_of_the_movement_to_the_cent() -> None:
    snapshot = make_snapshot(company(11, 150))
    for by in ((), ("segment",)):
        found = pipeline_movement(snapshot, SPAN, by=by)
        keys = [*by, "line"]
        sums = found.moved.lines.groupby(keys, dropna=False)["value"].agg(["sum", "size"])
        shown = found.lines[found.lines["n"] > 0].set_index(keys)
        assert (sums["sum"].reindex(shown.index) - shown["value"]).abs().max() < 0.005
        assert list(sums["size"].reindex(shown.index)) == list(shown["n"])
    lost = found.moved.of("lost")
    assert round(lost["value"].sum() - found.value("lost"), 2) == 0
    assert lost["value"].abs().is_monotonic_decreasing
    assert list(found.moved.of("lost", 2)["opportunity_id"]) == list(lost["opportunity_id"][:2])
    with pytest.raises(ConfigurationError, match="line of a movement"):
        found.moved.of("lots")


def test_reasons_are_ranked_by_what_they_moved(cases: Snapshot) -> None:
    found = movement_between(cases, "2026-06-30", "2026-09-30")
    assert found.reasons["gross"].is_monotonic_decreasing
    assert found.reasons["share"].sum() == pytest.approx(1)
    counted = found.deals["reason"].value_counts()
    assert dict(zip(found.reasons["reason"], found.reasons["deals"], strict=True)) == dict(counted)
    only = pipeline_movement(cases, SPAN, where="product = 'pulled in'")
    assert list(only.deals["opportunity_id"]) == ["pulled in"]
    with pytest.raises(ConfigurationError, match="not a day"):
        movement_between(cases, "June", "2026-09-30")
