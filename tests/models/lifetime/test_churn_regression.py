"""What makes accounts leave sooner: published figures, delayed entry, known ratios, and refusals with a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from revops_analysis.errors import ConfigurationError
from revops_analysis.models.lifetime.churn_regression import churn_regression
from revops_analysis.models.lifetime.curves import CurveOptions, lifetime_curves
from revops_analysis.models.lifetime.lifetimes import AccountLifetimes


@pytest.mark.external_data
def test_telco_has_its_published_figures(shared_data: Path) -> None:
    """README of the public data sets: month-to-month contracts with internet, n 3,351, 1,556 departures."""
    table = pd.read_csv(shared_data / "telco_churn" / "Telco-Customer-Churn.csv")
    table = table[(table["Contract"] == "Month-to-month") & (table["InternetService"] != "No")]
    features = {name: (table[name] == "Yes").astype(int) for name in ("Dependents", "OnlineBackup", "TechSupport")}
    features["DSL"] = (table["InternetService"] == "DSL").astype(int)
    frame = pd.DataFrame({"months": table["tenure"], "churned": table["Churn"] == "Yes", "entry_age": 0, **features})
    found = churn_regression(frame, ["Dependents", "DSL", "OnlineBackup", "TechSupport"])
    published = [-0.3287, -0.2173, -0.7766, -0.6392]
    assert found.coefficients["coefficient"].to_numpy() == pytest.approx(published, abs=5e-5)
    assert found.concordance == pytest.approx(0.6409, abs=5e-5)
    assert (found.n, found.churned) == (3351, 1556)
    lifetimes = AccountLifetimes(frame, (), "", "", 0, 0, {}, ())
    curves = lifetime_curves(lifetimes, None, CurveOptions(horizon_months=12))
    row = curves.summary.iloc[0]
    assert row["median_months"] == 34
    assert row["staying"] == pytest.approx(0.6950, abs=5e-5)


def accounts(n: int, seed: int, *, late: bool = False) -> pd.DataFrame:
    """Exponential lifetimes; plan B leaves twice as fast. `late`: half are first watched at a later age."""
    rng = np.random.default_rng(seed)
    plan = np.where(rng.random(n) < 0.5, "A", "B")
    end = np.ceil(rng.exponential(30.0, n) / np.where(plan == "B", 2.0, 1.0)).astype(int)
    entry = np.where(rng.random(n) < 0.5, rng.integers(1, 15, n), 0) if late else np.zeros(n, dtype=int)
    until = entry + rng.integers(10, 40, n)
    frame = pd.DataFrame({"months": np.minimum(end, until), "churned": end <= until, "entry_age": entry, "plan": plan})
    return frame[frame["months"] > frame["entry_age"]].reset_index(drop=True)


def test_the_known_ratio_is_recovered_also_from_survivors() -> None:
    for late in (False, True):
        found = churn_regression(accounts(3_000, 1, late=late), ["plan"])
        row = found.coefficients.iloc[0]
        ratio = row["ratio"] if row["level"] == "B" else 1 / row["ratio"]
        assert ratio == pytest.approx(2.0, rel=0.12)
        assert found.changing == frozenset()
        assert found.concordance > 0.55


def test_a_ratio_that_changes_with_age_is_not_shown() -> None:
    frame = accounts(3_000, 2)
    flips = (frame["plan"] == "B") & (frame["months"] > 8)
    frame.loc[flips, "churned"] = False
    frame.loc[flips, "months"] = 40
    found = churn_regression(frame, ["plan"])
    assert len(found.changing) == 1
    assert found.ratios()["ratio"].isna().all()
    assert found.ratios()["reason"].tolist() == ["the ratio changes with the age of accounts"]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (accounts(100, 3).iloc[:0], "no accounts"),
        (accounts(100, 3).assign(churned=False), "accounts left"),
        (accounts(100, 3).assign(plan="A"), "do not differ in plan"),
    ],
    ids=["nobody", "no churn", "all alike"],
)
def test_without_a_model_the_reason_is_said(frame, reason) -> None:
    found = churn_regression(frame, ["plan"])
    assert reason in str(found.reason)
    assert found.ratios().empty
    assert set(found.checks["verdict"]) <= {"FAIL", "REVIEW"}
    assert len(found.checks) == 5


def test_attributes_that_departures_cannot_carry_leave_from_the_last_on() -> None:
    rng = np.random.default_rng(0)
    frame = accounts(26, 4).assign(colour=lambda rows: rng.choice(list("xyz"), len(rows)))
    found = churn_regression(frame, ["plan", "colour"])
    assert set(found.coefficients["attribute"]) <= {"plan"}
    assert any(note.startswith("colour is left out") for note in found.notes)


def test_columns_and_months_are_checked() -> None:
    with pytest.raises(ConfigurationError, match="column"):
        churn_regression(accounts(20, 5).drop(columns=["entry_age"]), ["plan"])
    with pytest.raises(ConfigurationError, match="whole months"):
        churn_regression(accounts(20, 5).assign(months=1.5), ["plan"])
