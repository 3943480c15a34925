"""Product-limit estimators against published examples, a plain loop, and lifelines where that is deterministic."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from revops_analysis.errors import ConfigurationError
from revops_analysis.statistics.survival import aalen_johansen, kaplan_meier

# Weeks of remission on 6-MP: Freireich et al., Blood 21 (1963) 699–716; figures below from Klein & Moeschberger,
# Survival Analysis (2003), table 4.1.
WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
RELAPSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
KLEIN_MOESCHBERGER = {
    6: (0.857, 0.0764),
    7: (0.807, 0.0869),
    10: (0.753, 0.0963),
    13: (0.690, 0.1068),
    16: (0.627, 0.1141),
    22: (0.538, 0.1282),
    23: (0.448, 0.1346),
}

# Satagopan et al., Br J Cancer 91 (2004) 1229–1235, table 2: 305 breast cancer patients, of whom the first nine.
SATAGOPAN_MONTHS = [7, 10, 14, 16, 18, 23, 24, 26, 27] + [28] * 296
SATAGOPAN_STATUS = [None, "cancer", None, "cancer", "other", "cancer", None, "other", "cancer"] + [None] * 296


def test_kaplan_meier_gives_the_published_table():
    curve = kaplan_meier(WEEKS, RELAPSED)
    found = curve.at(list(KLEIN_MOESCHBERGER))
    assert found["survival"].round(3).tolist() == [value for value, _ in KLEIN_MOESCHBERGER.values()]
    assert np.sqrt(found["variance"]).round(4).tolist() == [error for _, error in KLEIN_MOESCHBERGER.values()]
    assert curve.median == 23


def test_aalen_johansen_gives_the_published_example():
    curve = aalen_johansen(SATAGOPAN_MONTHS, SATAGOPAN_STATUS)
    at = [10, 16, 18, 23, 26, 27]
    # Step 1 of the table, in percent.
    assert (curve.survival.at(at)["survival"] * 100).round(1).tolist() == [99.7, 99.3, 99.0, 98.7, 98.3, 98.0]
    at_risk = curve.survival.frame.set_index("time")["at_risk"]
    assert at_risk[at].tolist() == [304, 302, 301, 300, 298, 297]
    # Step 2: each death from cancer adds 0.3%.
    cancer = curve.at([9, 10, 16, 23, 27], "cancer")["incidence"] * 100
    assert cancer.diff().iloc[1:].round(1).tolist() == [0.3, 0.3, 0.3, 0.3]
    # The table's last line adds up the rounded steps, 1.2; unrounded, 1/304 + .9967/302 + .9901/300 + .9835/297.
    assert cancer.iloc[-1] == pytest.approx(1.3202, abs=5e-5)


@pytest.mark.external_data
def test_telco_churn_figures(shared_data):
    """Figures in the README of the public data: month-to-month with internet, n 3,351, 1,556 events."""
    frame = pd.read_csv(shared_data / "telco_churn" / "Telco-Customer-Churn.csv")
    frame = frame[(frame["Contract"] == "Month-to-month") & (frame["InternetService"] != "No")]
    curve = kaplan_meier(frame["tenure"], frame["Churn"] == "Yes")
    assert (curve.n, curve.frame["events"].sum()) == (3351, 1556)
    assert curve.median == 34
    assert curve.at([12])["survival"].round(4).tolist() == [0.6950]


def _cases(seed: int, size: int, ties: bool):
    rng = np.random.default_rng(seed)
    end = rng.integers(1, 25, size).astype(float) if ties else rng.exponential(10, size)
    cause = rng.choice(np.array(["lost", "won", None], dtype=object), size)
    entry = np.where(rng.random(size) < 0.5, 0.0, end * rng.uniform(0.1, 0.9, size))
    return end, cause, entry


@pytest.mark.parametrize("ties", [True, False])
def test_kaplan_meier_agrees_with_lifelines(ties):
    from lifelines import KaplanMeierFitter

    end, cause, entry = _cases(3, 400, ties)
    event = pd.notna(cause)
    fitter = KaplanMeierFitter().fit(end, event, entry=entry)
    times = np.quantile(end, [0.2, 0.4, 0.6, 0.8])
    mine = kaplan_meier(end, event, entry=entry).at(times)
    theirs = fitter.survival_function_at_times(times).to_numpy()
    assert mine["survival"].to_numpy() == pytest.approx(theirs, abs=1e-10)
    limits = fitter.confidence_interval_.iloc[fitter.confidence_interval_.index.searchsorted(times, "right") - 1]
    assert mine[["low", "high"]].to_numpy() == pytest.approx(limits.to_numpy(), abs=1e-8)


def test_aalen_johansen_agrees_with_lifelines_without_ties():
    from lifelines import AalenJohansenFitter

    end, cause, _ = _cases(4, 300, ties=False)
    code = pd.Series(cause).map({"won": 1, "lost": 2}).fillna(0).astype(int)
    fitter = AalenJohansenFitter().fit(end, code, event_of_interest=1)
    mine = aalen_johansen(end, cause).frame.query("cause == 'won'").set_index("time")
    theirs = fitter.cumulative_density_.iloc[:, 0]
    assert mine["incidence"].to_numpy() == pytest.approx(theirs.reindex(mine.index).to_numpy(), abs=1e-10)
    spread = fitter.variance_.reindex(mine.index).fillna(0.0).to_numpy()
    assert mine["variance"].to_numpy() == pytest.approx(spread, rel=1e-9)


def _by_loop(end, cause, entry, label, horizon):
    """The definition, one time after the other: F = Σ S(t−) d ÷ n."""
    survival, incidence = 1.0, 0.0
    for t in sorted(set(end[end <= horizon])):
        n = int(((end >= t) & ((entry < t) | (entry == 0))).sum())
        incidence += survival * int(((end == t) & (cause == label)).sum()) / n if n else 0.0
        survival *= 1 - int(((end == t) & pd.notna(cause)).sum()) / n if n else 1.0
    return incidence


@given(seed=st.integers(0, 10_000), size=st.integers(5, 60), horizon=st.integers(1, 20))
@settings(max_examples=60)
def test_incidences_equal_their_definition_and_add_up(seed, size, horizon):
    end, cause, entry = _cases(seed, size, ties=True)
    curve = aalen_johansen(end, cause, entry=entry)
    horizon = min(horizon, curve.follow_up)
    for label in curve.causes:
        found = curve.at([horizon], label)["incidence"].iloc[0]
        assert found == pytest.approx(_by_loop(end, cause, entry, label, horizon), abs=1e-12)
    total = sum(curve.at(end, label)["incidence"] for label in curve.causes) + curve.survival.at(end)["survival"]
    assert total.to_numpy() == pytest.approx(np.ones(size), abs=1e-12)


@given(seed=st.integers(0, 10_000), size=st.integers(2, 60))
@settings(max_examples=60)
def test_one_cause_is_kaplan_meier_in_value_variance_and_interval(seed, size):
    end, cause, _ = _cases(seed, size, ties=True)
    only = np.where(pd.notna(cause), "won", None)
    incidence, curve = aalen_johansen(end, only), kaplan_meier(end, only)
    assume(incidence.causes)
    frame = incidence.frame
    assert (1 - frame["incidence"]).to_numpy() == pytest.approx(curve.frame["survival"].to_numpy(), abs=1e-12)
    assert frame["variance"].to_numpy() == pytest.approx(curve.frame["variance"].to_numpy(), abs=1e-12)
    assert (1 - frame["low"]).to_numpy() == pytest.approx(curve.frame["high"].to_numpy(), abs=1e-7, nan_ok=True)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30)
def test_row_order_and_aggregation_change_nothing(seed):
    end, cause, entry = _cases(seed, 50, ties=True)
    order = np.random.default_rng(seed).permutation(50)
    first = aalen_johansen(end, cause, entry=entry).frame
    pd.testing.assert_frame_equal(first, aalen_johansen(end[order], cause[order], entry=entry[order]).frame)
    counted = pd.DataFrame({"end": end, "cause": cause}).groupby(["end", "cause"], dropna=False).size().reset_index()
    weighted = aalen_johansen(counted["end"], counted["cause"], weights=counted[0])
    pd.testing.assert_frame_equal(aalen_johansen(end, cause).frame, weighted.frame)


def test_without_censoring_incidence_is_a_plain_share():
    cause = np.array(["won", "lost", "lost", "won", "won"])
    curve = aalen_johansen([0, 1, 1, 2, 3], cause)
    assert curve.at([0, 1, 2, 9], "won")["incidence"].tolist() == pytest.approx([0.2, 0.2, 0.4, 0.6])
    assert curve.at([9], "lost")["incidence"].iloc[0] == pytest.approx(0.4)
    assert curve.survival.frame["variance"].iloc[-1] == 0


def test_beyond_what_was_observed_nothing_is_known():
    curve = aalen_johansen([1, 5, 9], ["won", None, None])
    assert curve.at([0, 1, 9, 10, -1], "won")["incidence"].round(4).tolist()[:3] == [0, 0.3333, 0.3333]
    assert curve.at([10, -1], "won")["incidence"].isna().all()
    assert curve.survival.at([10])["survival"].isna().all()
    assert kaplan_meier([1, 5], [1, 0]).quantile(0.9) is None


def test_a_cause_nobody_met_is_zero_while_watched_and_unknown_after():
    curve = aalen_johansen([3, 4], ["lost", None])
    assert curve.at([2, 4], "won")["incidence"].tolist() == [0, 0]
    assert curve.at([5], "won")["incidence"].isna().all()


def test_no_subjects_gives_an_unknown_curve():
    curve = aalen_johansen([], [])
    assert curve.n == 0
    assert curve.at([0, 30], "won")["incidence"].isna().all()
    assert kaplan_meier([], []).median is None


def test_conditional_on_the_age_reached_equals_starting_from_there():
    end, cause, _ = _cases(8, 200, ties=True)
    curve, later = aalen_johansen(end, cause), end > 6
    fresh = aalen_johansen(end[later], cause[later])
    given_age = curve.conditional(6, [6, 10, 20], "won")["incidence"].to_numpy()
    assert given_age == pytest.approx(fresh.at([6, 10, 20], "won")["incidence"].to_numpy(), abs=1e-12)
    with pytest.raises(ConfigurationError, match="before the age"):
        curve.conditional(6, [5], "won")


@pytest.mark.parametrize(
    ("durations", "entry", "message"),
    [([1, np.nan], None, "numbers ≥ 0"), ([1, -2], None, "numbers ≥ 0"), ([1, 2], [0, 2], "enter before it ends")],
)
def test_impossible_times_are_refused(durations, entry, message):
    with pytest.raises(ConfigurationError, match=message):
        kaplan_meier(durations, [1, 1], entry=entry)


def test_lengths_must_agree():
    with pytest.raises(ConfigurationError, match="needs an event"):
        kaplan_meier([1, 2], [1])
    with pytest.raises(ConfigurationError, match="weights"):
        kaplan_meier([1, 2], [1, 1], weights=[1])


def test_a_million_durations_need_no_loop():
    rng = np.random.default_rng(0)
    end, cause = rng.exponential(200, 1_000_000), rng.integers(0, 3, 1_000_000)
    begun = time.process_time()
    curve = aalen_johansen(end, cause)
    print(f"1,000,000 distinct durations: {time.process_time() - begun:.2f} s")  # shown with -s; never asserted
    # Hazards of won and lost are equal and a third of all ends are censored: by symmetry F_won = (1 − S) ÷ 2.
    survival = curve.survival.at([200])["survival"].iloc[0]
    assert curve.at([200], 1)["incidence"].iloc[0] == pytest.approx((1 - survival) / 2, abs=0.003)
    assert survival == pytest.approx(np.exp(-2 / 3), abs=0.003)
