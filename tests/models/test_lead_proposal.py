"""The score and the proposed rule: near the best possible, learned from the past only, honest without data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from benchmarks.lead_rule import score

from builders import make_snapshot
from metrics.funnel.companies import company, lead
from models.lead_companies import chance_company, simulated
from revops_analysis.definitions.rule_text import parse_rule
from revops_analysis.models.lead_proposal import propose_rule
from revops_analysis.models.lead_records import lead_records
from revops_analysis.models.lead_score import LeadScore, gains, precision_at, split_by_time
from revops_analysis.models.rule_search import holds


@pytest.fixture(scope="module")
def row():
    return score(simulated())


def test_the_rule_reaches_nine_tenths_of_the_achievable_precision(row) -> None:
    assert row["of_achievable"] >= 0.9, row["text"]
    assert row["expected_of_achievable"] >= 0.9
    assert row["conditions"] <= 4


def test_the_score_comes_near_the_best_possible(row) -> None:
    assert row["score_auc"] > row["best_auc"] - 0.03


def test_what_is_filled_in_later_is_in_neither(row) -> None:
    assert row["refused"] == "calls_logged"
    assert "calls_logged" not in row["text"]


def test_probabilities_mean_what_they_say() -> None:
    scores = propose_rule(simulated().snapshot).scores.set_index("method")
    assert scores.loc["score", "calibration_error"] < 0.05
    assert scores.loc["score", "brier"] < scores.loc["all leads alike", "brier"]
    assert scores.loc["score", "roc_auc"] > 0.7


def test_windows_follow_each_other_and_share_no_day() -> None:
    known = lead_records(chance_company()).known
    windows = split_by_time(known)
    assert len(windows.train) + len(windows.calibration) + len(windows.test) == len(known)
    assert windows.train["qualified_on"].max() < windows.calibration["qualified_on"].min()
    assert windows.calibration["qualified_on"].max() < windows.test["qualified_on"].min()


def test_later_leads_change_nothing_of_what_was_learned() -> None:
    """The same company seen earlier has the same first leads: what is learned from them is the same."""
    whole = lead_records(chance_company())
    known = whole.known
    early = known[known["qualified_on"] < known["qualified_on"].iloc[len(known) // 2]]
    kinds = {"size": "number", "keen": "flag", "plan": "text"}
    models = [LeadScore().fit(split_by_time(rows), kinds) for rows in (early, early.copy())]
    np.testing.assert_array_equal(*[model.predict_proba(known) for model in models])
    snapshot = chance_company().at("2025-03-31")
    then = lead_records(snapshot).frame
    assert (then["lead_on"] <= pd.Timestamp("2025-03-31")).all()
    recent = then["qualified_on"] > pd.Timestamp("2025-03-31") - pd.Timedelta(days=90)
    assert then.loc[recent, "outcome"].isna().all(), "a lead is not judged before its time"


def test_missing_and_unseen_values_are_answered() -> None:
    known = lead_records(chance_company()).known
    kinds = {"size": "number", "keen": "flag", "plan": "text"}
    model = LeadScore().fit(split_by_time(known), kinds)
    strange = known.head(2).assign(size=[np.nan, 1e9], keen=np.nan, plan=[None, "never seen"])
    assert ((model.predict_proba(strange) >= 0) & (model.predict_proba(strange) <= 1)).all()
    assert len(model.predict_proba(known.head(0))) == 0


def test_the_proposal_of_a_planted_company_is_what_was_planted() -> None:
    proposal = propose_rule(chance_company(), parse_rule("size >= 1"))
    records = lead_records(chance_company()).frame
    planted = ((records["size"] >= 50) & (records["keen"] == 1)).to_numpy()
    found = holds(proposal.found.rule, records)
    assert (found & planted).sum() / (found | planted).sum() > 0.9, proposal.text
    assert proposal.snippet.startswith("lead_rule:\n")
    against = proposal.against.set_index("rule")
    assert against.loc["proposed rule", "precision"] > 2 * against.loc["today's rule", "precision"]


@pytest.mark.parametrize(
    ("snapshot", "says"),
    [
        (lambda: company([]), "0 worked leads"),
        (lambda: company([lead("a", "2026-01-01", {"size": 1}, accepted_at="2026-01-02")]), "1 worked leads"),
        (lambda: make_snapshot({"opportunities": []}), "0 worked leads"),
        (
            lambda: company([lead(f"l{n}", "2026-01-01", "{broken", accepted_at="2026-01-02") for n in range(400)]),
            "0 of them deals",
        ),
    ],
    ids=["none", "one", "no table", "no deal"],
)
def test_too_little_gives_a_reason_and_no_rule(snapshot, says) -> None:
    proposal = propose_rule(snapshot())
    assert says in proposal.reason
    assert (proposal.found, proposal.text, proposal.snippet) == (None, "", "")


def test_gains_of_a_perfect_and_of_a_blind_score() -> None:
    outcome = np.array([1.0] * 10 + [0.0] * 90)
    perfect = gains(outcome, outcome, [0.1, 1.0])
    assert perfect["precision"].tolist() == [1.0, 0.1]
    blind = gains(outcome, np.full(100, 0.3), [0.25])
    assert blind.iloc[0].tolist() == [0.25, 0.25, 0.1]
    assert precision_at(outcome, outcome, 0.5) == 1.0
    assert precision_at([1, 0, 0, 1, 0], [0.9, 0.8, 0.7, 0.6, 0.5], 0.5) == 1.0, "what follows the first is not needed"
    assert np.isnan(precision_at(np.zeros(5), np.arange(5), 0.5))
