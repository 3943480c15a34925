"""Win probability: what it learns, when it falls back, why it says so, and that no leak goes unseen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from models.evidence_cases import quarters
from revops_analysis.models.cutoffs import week_ends
from revops_analysis.models.features import FEATURES, GROUPS
from revops_analysis.models.probability_scores import score_probabilities
from revops_analysis.models.win_probability import StageRates, WinModelOptions, WinProbability

STAGES = ("Discovery", "Solution", "Proposal")
TEN = quarters(10)


def made_states(seed=0, periods=TEN, deals=70) -> pd.DataFrame:
    """States of deals whose chance is known: by stage, and by how long nobody spoke with the customer."""
    rng = np.random.default_rng(seed)
    rows = []
    for period in periods:
        stage, quiet = rng.integers(0, 3, deals), rng.integers(0, 60, deals).astype("float64")
        chance = 1 / (1 + np.exp(-(-1.6 + 0.8 * stage - 0.06 * (quiet - 20))))
        won = (rng.random(deals) < chance).astype("float64")
        for cutoff in week_ends(period, (2, 6, 10)):
            rows.append(_rows(cutoff, rng, {"stage": stage, "quiet": quiet, "won": won, "truth": chance}))
    return pd.concat(rows, ignore_index=True)


def _rows(cutoff, rng, known) -> pd.DataFrame:
    count = len(known["stage"])
    keys = [f"{cutoff.period.label}-{n}" for n in range(count)]
    close = pd.Timestamp(cutoff.period.end) + pd.to_timedelta(rng.integers(-20, 60, count), unit="D")
    plain = dict.fromkeys(("pushes", "days_pushed", "amount_changes", "reopenings", "stage_changes"), 0.0)
    return pd.DataFrame(
        {
            "cutoff": pd.Timestamp(cutoff.day),
            "period": cutoff.period.label,
            "first_day": pd.Timestamp(cutoff.period.start),
            "last_day": pd.Timestamp(cutoff.period.end),
            "opportunity_id": keys,
            "owner_id": "u1",
            "type": "new",
            "segment": rng.choice(["SMB", "Enterprise"], count),
            "product": None,
            "source": "Inbound",
            "stage": np.array(STAGES)[known["stage"]],
            "stage_order": known["stage"] + 1.0,
            "category": "Pipeline",
            "crm_probability": 0.3,
            "close_date": close,
            "age_days": rng.integers(5, 90, count).astype("float64"),
            "days_in_stage": rng.integers(0, 40, count).astype("float64"),
            "amount": rng.integers(10, 100, count) * 10.0,
            "first_amount": 500.0,
            **plain,
            "days_since_activity": known["quiet"],
            "activities_14d": (known["quiet"] < 14) * 1.0,
            "activities_56d": (known["quiet"] < 56) * 2.0,
            "contacts": 2.0,
            "owner_won": 5.0,
            "owner_closed": 20.0,
            "won": known["won"],
            "won_amount": known["won"] * 500.0,
            "truth": known["truth"],
        }
    )


OPTIONS = WinModelOptions(minimum_wins=60, trees=60)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads that wait for each other make small fits slow on a busy machine."""
    with threadpool_limits(limits=1):
        yield


@pytest.fixture(scope="module")
def states():
    return made_states()


@pytest.fixture(scope="module")
def parts(states):
    is_later = states["period"].isin([period.label for period in TEN[-2:]])
    return states[~is_later], states[is_later]


@pytest.fixture(scope="module")
def fitted(parts):
    return WinProbability(OPTIONS).fit(parts[0])


def brier(states, probability):
    return float(((states["won"] - probability) ** 2).mean())


def test_it_recovers_the_chances_that_made_the_deals(parts, fitted):
    train, later = parts
    probability = fitted.predict_proba(later)
    assert fitted.basis_ == "model"
    assert fitted.note_ == ""
    assert ((probability >= 0) & (probability <= 1)).all()
    assert np.corrcoef(probability, later["truth"])[0, 1] > 0.9
    by_stage = brier(later, StageRates().fit(train).predict_proba(later))
    base = brier(later, train["won"].mean())
    assert brier(later, probability) < by_stage - 0.01 < base - 0.01
    assert brier(later, probability) < brier(later, later["truth"]) + 0.01


def test_the_same_data_gives_the_same_digits(parts, fitted):
    again = WinProbability(OPTIONS).fit(parts[0])
    np.testing.assert_array_equal(again.predict_proba(parts[1]), fitted.predict_proba(parts[1]))


def test_rows_whose_period_still_runs_teach_nothing(states, parts, fitted):
    running = states.assign(won=states["won"].where(states["period"].isin(parts[0]["period"])))
    more = WinProbability(OPTIONS).fit(running)
    assert more.n_ == fitted.n_
    np.testing.assert_array_equal(more.predict_proba(parts[1]), fitted.predict_proba(parts[1]))


@pytest.mark.parametrize(
    ("options", "periods", "needed"),
    [
        (WinModelOptions(), 3, "needs 4 periods that are over, and the history has 3"),
        (WinModelOptions(minimum_wins=10_000), 5, "needs 10000 deals won, and the history has "),
        (WinModelOptions(), 0, "needs 4 periods that are over, and the history has 0"),
    ],
)
def test_too_little_history_falls_back_to_stage_rates_and_says_how_much_is_needed(states, options, periods, needed):
    known = states[states["period"].isin([period.label for period in TEN[:periods]])]
    model = WinProbability(options).fit(known)
    assert model.basis_ == "stage rates"
    assert model.note_.startswith("Win rates by stage are used: ")
    assert needed in model.note_
    assert model.reasons(states).empty
    probability = model.predict_proba(states)
    if periods:
        np.testing.assert_array_equal(probability, StageRates().fit(known).predict_proba(states))
        assert ((probability > 0) & (probability < 1)).all()
    else:
        assert np.isnan(probability).all()


def test_what_was_never_seen_gets_a_probability_all_the_same(parts, fitted):
    strange = parts[1].assign(stage="Pilot", stage_order=np.nan, segment="Giant", type="partner", source=None)
    bare = strange.assign(**dict.fromkeys(("amount", "first_amount", "pushes", "contacts", "age_days"), np.nan))
    for rows in (strange, bare):
        probability = fitted.predict_proba(rows)
        assert ((probability > 0) & (probability < 1)).all()
        assert len(fitted.reasons(rows)) == 3 * len(rows)
    rates = StageRates().fit(parts[0])
    assert rates.predict_proba(strange) == pytest.approx(parts[0]["won"].mean())
    assert fitted.predict_proba(parts[1].iloc[:0]).shape == (0,)


@pytest.mark.parametrize("outcome", [0.0, 1.0], ids=["all lost", "all won"])
def test_one_outcome_alone_gives_its_rate_and_says_why_there_is_no_model(parts, outcome):
    train, later = parts
    model = WinProbability(WinModelOptions(minimum_wins=0)).fit(train.assign(won=outcome))
    assert "needs deals won and deals not won before the latest 40% of the periods" in model.note_
    assert (model.predict_proba(later) == outcome).all()
    all_lost = WinProbability(OPTIONS).fit(train.assign(won=0.0))
    assert all_lost.note_.endswith("and the history has 0.")


def test_reasons_are_the_strongest_groups_with_signs_that_make_sense(parts, fitted):
    later = parts[1]
    reasons = fitted.reasons(later)
    assert list(reasons) == ["opportunity_id", "rank", "group", "effect", "text"]
    assert set(reasons["group"]) <= set(GROUPS) - {"time", "stage", "process"}
    strength = reasons["effect"].abs().to_numpy().reshape(-1, 3)
    assert (np.diff(strength, axis=1) <= 0).all()
    assert reasons["rank"].tolist() == [1, 2, 3] * len(later)
    quiet, lively = (later.assign(days_since_activity=value) for value in (55.0, 0.0))
    for mixed, sign in ((quiet, -1), (lively, 1)):
        rows = pd.concat([mixed.iloc[:1], later.iloc[1:]])
        first = fitted.reasons(rows, top=len(GROUPS)).head(len(GROUPS) - 3).set_index("group")
        assert sign * first.loc["activity", "effect"] > 0.02
    assert "last activity 0 days ago" in first.loc["activity", "text"]


GUARD = WinModelOptions(minimum_wins=60, trees=10, learning_rate=0.3)
"""A leak shows in the first trees."""


def auc_on_later(states) -> float:
    """AUC on deals first seen in the last two periods, of a model of the others: what the guard against leaks sees."""
    labels = states.sort_values("last_day", kind="stable")["period"].unique()
    is_later = states["period"].isin(labels[-2:])
    model = WinProbability(GUARD).fit(states[~is_later])
    is_later &= ~states["opportunity_id"].isin(states.loc[~is_later, "opportunity_id"])
    scores = score_probabilities(states.loc[is_later, "won"], model.predict_proba(states[is_later]))
    return float(scores.set_index("score").loc["roc_auc", "value"])


LEAK = 0.55


def test_the_guard_sees_a_planted_leak():
    """Outcomes made by chance cannot be told beforehand; a feature that knows them is seen at once."""
    states = made_states(seed=4).assign(stage="Proposal", stage_order=3.0)
    keys = states["opportunity_id"].unique()

    def by_chance(seed: int) -> pd.DataFrame:
        owns = np.random.default_rng(seed).permutation(keys)
        chance = pd.Series(np.arange(len(owns)) % 4 == 0, index=owns).astype("float64")
        return states.assign(won=states["opportunity_id"].map(chance))

    # One draw of a few hundred deals scatters by .04 around .5; four are told apart from a leak.
    assert np.mean([auc_on_later(by_chance(seed)) for seed in range(4)]) < LEAK
    blind = by_chance(0)
    leaking = blind.assign(amount=blind["amount"].where(blind["won"] == 1, 0.0))  # a lost deal lost its amount
    assert auc_on_later(leaking) > 0.95
    unrecorded = leaking.assign(pushes=np.nan)  # without history that is today's amount, and must not be looked at
    unseen = blind.assign(pushes=np.nan)
    assert auc_on_later(unrecorded) == auc_on_later(unseen)


def test_every_feature_belongs_to_one_group():
    assert len(set(FEATURES)) == len(FEATURES) == sum(len(names) for names in GROUPS.values())
