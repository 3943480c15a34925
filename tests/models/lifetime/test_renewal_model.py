"""The chance of losing a renewal: recovered where it is known, calibrated, and a rate where little is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.lifetime.subscribers import LOSS, annual_terms, company, subscribers, term
from revops_analysis.models.lifetime.renewal_model import RenewalModel
from revops_analysis.models.lifetime.renewal_risk import loss_range, renewal_history, renewal_risk
from revops_analysis.models.lifetime.renewal_trial import TrialOptions, try_renewals
from revops_analysis.models.lifetime.terms import ROWS


@pytest.fixture(scope="module")
def snapshot():
    return subscribers(annual_terms(700, 1))


@pytest.fixture(scope="module")
def risk(snapshot):
    return renewal_risk(snapshot)


def test_the_known_chance_is_recovered(risk) -> None:
    """Far from the end nothing tells lots apart but the segment; notice comes 40 days before."""
    assert risk.basis == "model"
    far = risk.accounts[risk.accounts["days"] > 60]
    for segment, truth in LOSS.items():
        assert far.loc[far["segment"] == segment, "probability"].mean() == pytest.approx(truth, abs=0.05)
    noticed = risk.accounts[risk.accounts["notice_on"].notna()]
    assert len(noticed) >= 1
    assert noticed["probability"].min() > 0.9
    silent = risk.accounts[(risk.accounts["days"] <= 30) & risk.accounts["notice_on"].isna()]
    left = {name: p / 2 / (1 - p / 2) for name, p in LOSS.items()}  # half of the leavers would have said so
    for segment, truth in left.items():
        assert silent.loc[silent["segment"] == segment, "probability"].mean() == pytest.approx(truth, abs=0.08)


def test_reasons_name_what_moves_the_chance(risk) -> None:
    first = risk.accounts[risk.accounts["notice_on"].notna()].iloc[0]
    assert first["reasons"].startswith(f"notice given on {first['notice_on'].date().isoformat()} (+")


def test_sums_agree_and_most_expected_loss_comes_first(risk) -> None:
    near, far = risk.summary.iloc[0], risk.summary.iloc[1]
    due = risk.within(90)
    assert near["arr"] == pytest.approx(12 * due["mrr"].sum())
    assert near["expected_loss"] == pytest.approx((due["arr"] * due["probability"]).sum())
    assert near["low"] <= near["expected_loss"] <= near["high"] <= near["arr"]
    assert far["renewals"] == len(risk.accounts) > near["renewals"]
    assert risk.accounts["expected_loss"].is_monotonic_decreasing


def test_chances_are_calibrated_on_later_renewals_and_beat_the_base_rate(snapshot) -> None:
    history = renewal_history(snapshot)
    trial = try_renewals(history.panel, history.models, TrialOptions(cutoffs=8))
    assert trial.reason is None
    assert trial.score("model", "brier") < trial.score("base_rate", "brier")
    assert trial.score("model", "roc_auc") > 0.62
    assert trial.score("base_rate", "roc_auc") < 0.58
    assert trial.score("model", "calibration_error") < 0.06
    inside = (trial.money["lost"] >= trial.money["low"]) & (trial.money["lost"] <= trial.money["high"])
    assert inside.mean() >= 0.75
    assert trial.rows["cutoff"].max() <= pd.Timestamp("2025-09-30")


def test_each_model_learns_from_its_own_past_only(snapshot) -> None:
    history = renewal_history(snapshot)
    day = sorted(history.models)[-4]
    earlier = renewal_history(snapshot.at(day)).now
    rows = history.panel.at(day)
    assert earlier.lots_ == history.models[day].lots_ > 150
    assert earlier.predict_proba(rows) == pytest.approx(history.models[day].predict_proba(rows), abs=1e-12)


def test_few_decisions_give_rates_and_say_so() -> None:
    risk = renewal_risk(subscribers(annual_terms(60, 2), "2024-06-30"))
    assert risk.basis == "segment rates"
    assert risk.notes[0].startswith("Rates by segment are used: a model needs 150 decided renewals, 30 of them lost;")
    assert risk.accounts["probability"].between(0.01, 0.99).all()
    assert set(risk.accounts["reasons"].str.split(" ").str[0]) <= {"segment", "notice"}


def test_no_decision_gives_no_chance() -> None:
    risk = renewal_risk(company([term("a", "2023-07-01", "2024-06-30", 100)], "2024-05-31"))
    assert risk.basis == "nothing"
    assert risk.accounts["probability"].isna().all()
    assert risk.summary["reason"].tolist() == ["no renewal was decided yet"] * 2
    assert np.isnan(risk.summary["expected_loss"]).all()
    assert risk.summary["arr"].tolist() == [1200.0, 1200.0]


def test_nobody_ever_left() -> None:
    rows = annual_terms(40, 3)
    kept = [{**row, "cancelled_at": None, "churn_reason": None} for row in rows]
    for number, row in enumerate(kept):  # whoever left starts again the next day
        has_next = number + 1 < len(kept) and kept[number + 1]["account_id"] == row["account_id"]
        if not has_next:
            row["ended_on"] = "2027-12-31"
    risk = renewal_risk(subscribers(kept))
    assert risk.basis == "segment rates"
    assert risk.accounts["probability"].between(0, 0.1).all()


@pytest.mark.parametrize("terms", [[], [term("a", "2023-07-01", None, 100)]], ids=["nothing", "open-ended"])
def test_nothing_due_is_said(terms) -> None:
    risk = renewal_risk(company(terms, "2024-05-31"))
    assert risk.accounts.empty
    assert risk.reason
    assert risk.summary[["expected_loss", "low", "high"]].isna().all(axis=None)
    assert risk.summary["renewals"].tolist() == [0, 0]


def test_the_range_of_a_sum_is_that_of_its_distribution() -> None:
    p, amount = np.full(400, 0.2), np.full(400, 1.0)
    low, high = loss_range(p, amount)
    assert (low, high) == (pytest.approx(65, abs=2), pytest.approx(96, abs=2))
    many = loss_range(np.full(4_000, 0.2), np.full(4_000, 1.0))
    assert many == (pytest.approx(800 - 1.96 * 25.3, abs=1), pytest.approx(800 + 1.96 * 25.3, abs=1))


def panel_rows(n: int, seed: int) -> pd.DataFrame:
    """Rows of a panel in which only the stage of the deal matters."""
    rng = np.random.default_rng(seed)
    cutoff = pd.Timestamp("2022-03-31") + pd.to_timedelta(92 * rng.integers(0, 10, n), unit="D")
    lead = rng.integers(1, 90, n)
    stage = rng.integers(1, 6, n)
    truth = 0.5 - 0.09 * stage
    rows = pd.DataFrame(
        {
            "cutoff": cutoff,
            "account_id": [f"a{k:05d}" for k in range(n)],
            "ended_on": cutoff + pd.to_timedelta(lead, unit="D"),
            "lead_days": lead,
            "mrr": np.exp(rng.normal(6, 0.5, n)),
            "terms": 1,
            "products": 1,
            "started_on": cutoff - pd.Timedelta(days=300),
            "notice_on": pd.NaT,
            "auto_renews": False,
            "first_start": cutoff - pd.Timedelta(days=900),
            "earlier_lots": 1,
            "segment": "SMB",
            "deal_id": "o",
            "deal_status": "open",
            "deal_stage": stage.astype(float),
            "stage_days": 5.0,
            "renewed_on": pd.NaT,
        }
    )
    rows = rows.assign(account_mrr=rows["mrr"], settled_on=rows["ended_on"] + pd.Timedelta(days=60))
    return rows[list(ROWS)].astype(ROWS).assign(lost=(rng.random(n) < truth).astype(float), truth=truth)


def test_the_progress_of_the_deal_is_learned() -> None:
    model = RenewalModel(5).fit(panel_rows(4_000, 0))
    later = panel_rows(2_000, 1)
    stated = pd.Series(model.predict_proba(later))
    by_stage = stated.groupby(later["deal_stage"].to_numpy()).mean()
    truth = later.groupby("deal_stage")["truth"].mean()
    assert by_stage.to_numpy() == pytest.approx(truth.to_numpy(), abs=0.08)
    assert by_stage.is_monotonic_decreasing
    assert model.reasons(later[later["deal_stage"] == 5].head(1)).iloc[0].startswith("renewal deal in an unknown stage")
