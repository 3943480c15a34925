"""Time to close: by hand, against the metrics of the same name, against the truth, and where nothing can be known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import make_snapshot
from metrics.generated import company
from models.cohorts import cohort, half_company
from revops_analysis.errors import ConfigurationError
from revops_analysis.metrics.registry import compute_metric
from revops_analysis.models.deal_times import deal_times
from revops_analysis.models.time_to_close import ALL_DEALS, TimeToClose, TimeToCloseOptions, time_to_close
from revops_analysis.statistics.survival import aalen_johansen
from revops_analysis.tables.snapshot import Snapshot

FEW = TimeToCloseOptions(ages=(0, 30), ahead=(30,), minimum_at_age=1, repeats=100)


def chance(found: TimeToClose, age: int, ahead: int | None, scope: str | None = ALL_DEALS) -> pd.Series:
    rows = found.conditional
    same = rows["scope"].isna() if scope is None else rows["scope"] == scope
    asked = rows["ahead"].isna() if ahead is None else rows["ahead"] == ahead
    return rows[same & asked & (rows["age"] == age)].iloc[0]


def test_by_hand() -> None:
    """Of four, one won on day 10, one lost on day 20; then one leaves open on day 25, and the last is won on day 40."""
    found = time_to_close(cohort([10, 20, 25, 40], ["won", "lost", "open", "won"]), options=FEW)
    row = found.summary.iloc[0]
    assert (row["scope"], row["n"], row["won"], row["lost"], row["open"], row["watched"]) == (ALL_DEALS, 4, 2, 1, 1, 3)
    assert row["won_share"] == pytest.approx(1 / 4 + 1 / 2)
    assert row["lost_share"] == pytest.approx(1 / 4)
    assert row["open_share"] == 0
    assert row["median_days"] == 40  # ½ · ¾ is more than the ¼ of day 10
    # Open at the end of day 0: all four. Within 30 days one is won. At 30 days one is left, and is won on day 40.
    assert chance(found, 0, 30)["value"] == pytest.approx(1 / 4)
    assert chance(found, 0, 30)["n"] == 4
    assert chance(found, 30, 30)[["value", "n", "open_now"]].tolist() == [1.0, 1, 0]
    assert chance(found, 0, 30)["open_now"] == 1
    assert chance(found, 30, None)["until"] == 180


def test_the_three_shares_add_up_on_every_day() -> None:
    rng = np.random.default_rng(1)
    times = cohort(rng.integers(0, 200, 500), rng.choice(["won", "lost", "open"], 500))
    wide = time_to_close(times, options=FEW).curves.pivot_table(index="days", columns="event", values="share")
    assert wide.sum(axis=1).to_numpy() == pytest.approx(1)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["won", "lost", "open"])), min_size=1, max_size=60))
def test_conditional_chances_are_those_of_the_formula_ties_or_not(deals: list[tuple[int, str]]) -> None:
    """(F(t) − F(age)) ÷ S(age), which `CumulativeIncidence.conditional` computes in another way."""
    days, events = zip(*deals, strict=True)
    options = TimeToCloseOptions(ages=(0, 3, 10), ahead=(5, 20), minimum_at_age=1, repeats=10)
    found = time_to_close(cohort(days, events), options=options)
    curve = aalen_johansen(days, [None if event == "open" else event for event in events])
    for row in found.conditional[found.conditional["n"] > 0].dropna(subset=["ahead"]).to_dict("records"):
        expected = curve.conditional(row["age"], [row["until"]], "won")["incidence"].iloc[0]
        assert row["value"] == pytest.approx(expected, nan_ok=True)


def test_ties_and_the_order_of_rows_change_nothing_and_twice_is_byte_identical() -> None:
    rng = np.random.default_rng(2)
    days, events = rng.integers(0, 12, 400), rng.choice(["won", "lost", "open"], 400)
    segments = rng.choice(["SMB", "Enterprise"], 400)
    shuffled = rng.permutation(400)
    one = time_to_close(cohort(days, events, list(segments)))
    two = time_to_close(cohort(days[shuffled], events[shuffled], list(segments[shuffled])))
    for name in ("summary", "curves", "conditional"):
        assert getattr(one, name).to_csv() == getattr(two, name).to_csv()


def test_by_segment_all_deals_come_first_and_missing_is_a_level() -> None:
    found = time_to_close(cohort([5, 6, 7], ["won", "lost", "won"], ["Enterprise", None, "SMB"]), options=FEW)
    assert found.scopes == [ALL_DEALS, "SMB", "Enterprise", None]
    assert found.summary["n"].tolist() == [3, 1, 1, 1]
    assert chance(found, 0, 30, None)["value"] == 0
    assert time_to_close(found.times, None, FEW).scopes == [ALL_DEALS]


def test_one_segment_has_no_row_of_its_own() -> None:
    assert time_to_close(cohort([5, 6], ["won", "lost"]), options=FEW).scopes == [ALL_DEALS]


def test_no_deals() -> None:
    found = time_to_close(cohort([], []), options=FEW)
    row = found.summary.iloc[0]
    assert (row["n"], row["reason"], row["median_reason"]) == (0, "no deals", "no deals")
    assert found.summary[["won_share", "lost_share", "open_share", "median_days"]].isna().all(axis=None)
    assert found.curves.empty
    assert set(found.conditional["reason"]) == {
        "no deal was open at 0 days; 1 are needed",
        "no deal was open at 30 days; 1 are needed",
    }


def test_all_lost() -> None:
    found = time_to_close(cohort([5, 40, 90], ["lost"] * 3), options=FEW)
    row = found.summary.iloc[0]
    assert (row["won_share"], row["lost_share"]) == (0, 1)
    assert np.isnan(row["won_low"])
    assert np.isnan(row["median_days"])
    assert row["median_reason"] == "no deal was won within 180 days of its creation"
    assert chance(found, 30, 30)["value"] == 0


def test_nothing_is_said_beyond_what_was_watched() -> None:
    found = time_to_close(cohort([10, 35, 40], ["won", "open", "open"]), options=FEW)
    row = found.summary.iloc[0]
    assert row["reason"] == "no deal has been watched for 180 days yet, the longest for 40"
    assert row["median_reason"] == "only 1 of 3 deals were created 180 days ago or earlier"
    assert np.isnan(chance(found, 30, 30)["value"])
    assert chance(found, 30, 30)["reason"] == "no deal of that age has been watched up to 60 days yet"
    assert chance(found, 0, 30)["reason"] is None


def test_few_deals_of_an_age_say_nothing_of_those_to_come() -> None:
    options = TimeToCloseOptions(ages=(0, 30, 180), ahead=(30,))
    found = time_to_close(cohort([5] * 20 + [50], ["won"] * 21), options=options)
    assert chance(found, 0, 30)["value"] == pytest.approx(20 / 21)
    assert chance(found, 30, 30)["reason"] == "only 1 deal was open at 30 days; 20 are needed"
    assert chance(found, 180, None)["reason"] == "the horizon of 180 days is over at that age"


def test_impossible_options_are_refused() -> None:
    for options in (TimeToCloseOptions(ages=(-1,)), TimeToCloseOptions(ahead=(-30,)), TimeToCloseOptions(0)):
        with pytest.raises(ConfigurationError, match="days from 0 on"):
            time_to_close(cohort([1], ["won"]), options=options)


def test_the_metrics_of_the_registry_say_the_same() -> None:
    snapshot = make_snapshot(company(5, 200), as_of="2026-09-30")
    found = time_to_close(deal_times(snapshot, "2025-07-01..2026-09-30", ("segment",)))
    asked = {"period": "2025-07-01..2026-09-30", "by": ("segment",)}
    shares = compute_metric(snapshot, "cohort_win_rate", **asked).frame
    medians = compute_metric(snapshot, "cohort_sales_cycle_days", **asked).frame
    rows = found.summary.iloc[1:].sort_values("scope").reset_index(drop=True)
    assert len(shares) > 2
    for column, other in (("won_share", "value"), ("won_low", "low"), ("won_high", "high"), ("n", "n")):
        assert rows[column].to_numpy(dtype=float) == pytest.approx(shares[other].to_numpy(dtype=float), nan_ok=True)
    assert rows["median_days"].to_numpy() == pytest.approx(medians["value"].to_numpy(), nan_ok=True)


# The truth: what became of the same deals afterwards, which only the simulation knows.

COHORT = "2024-10-01..2025-12-31"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Snapshot, pd.DataFrame]:
    """Half of the sample company seen nine months before its last day, and how each of its deals really ended."""
    return half_company(tmp_path_factory.mktemp("half"))


def truth_of(times: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    joined = times.merge(truth, on="opportunity_id", how="left", validate="one_to_one")
    took = (pd.to_datetime(joined["outcome_on"]) - pd.to_datetime(joined["created_on"])).dt.days
    return joined.assign(took=took, won=joined["outcome"] == "won")


def test_shares_and_medians_recover_what_really_became_of_the_deals(
    sample: tuple[Snapshot, pd.DataFrame],
) -> None:
    snapshot, truth = sample
    times = deal_times(snapshot, COHORT, ("segment",))
    found = time_to_close(times)
    ends = truth_of(times.frame, truth)
    assert (times.frame["event"] == "open").sum() > 100
    for row in found.summary.to_dict("records"):
        deals = ends if row["scope"] == ALL_DEALS else ends[ends["segment"] == row["scope"]]
        wins = deals[deals["won"] & (deals["took"] <= 180)]
        assert row["won_low"] <= len(wins) / len(deals) <= row["won_high"]
        half = wins["took"].sort_values().iloc[(len(wins) - 1) // 2]
        assert row["median_low"] <= half <= row["median_high"]


def test_young_deals_counted_as_not_won_would_miss_the_truth(sample: tuple[Snapshot, pd.DataFrame]) -> None:
    """The same deals without survival analysis: wins so far ÷ deals, and wins ÷ closed, both miss what comes."""
    snapshot, truth = sample
    times = deal_times(snapshot, "2025-07-01..2025-12-31", ("segment",))
    ends = truth_of(times.frame, truth)
    really = (ends["won"] & (ends["took"] <= 180)).mean()
    row = time_to_close(times, options=TimeToCloseOptions(horizon_days=150)).summary.iloc[0]
    by_150 = (ends["won"] & (ends["took"] <= 150)).mean()
    assert row["won_low"] <= by_150 <= row["won_high"]
    assert (times.frame["event"] == "won").mean() < really - 0.05


def test_chances_by_age_recover_what_became_of_open_deals(sample: tuple[Snapshot, pd.DataFrame]) -> None:
    """Open deals of the day, by age: those won within 90 days really, against the chance read from the past."""
    snapshot, truth = sample
    times = deal_times(snapshot, "2023-01-01..2025-12-31", ("segment",))
    found = time_to_close(times)
    ends = truth_of(times.frame, truth)
    is_open = ends[ends["event"] == "open"].copy()
    band = is_open["days"] // 30 * 30 + 15
    is_open["chance"] = band.map(lambda age: chance(found, int(min(age, 165)), 90)["value"])
    within = is_open["won"] & (is_open["took"] <= is_open["days"] + 90)
    spread = np.sqrt((is_open["chance"] * (1 - is_open["chance"])).sum()) / len(is_open)
    assert within.mean() == pytest.approx(is_open["chance"].mean(), abs=3 * spread)
