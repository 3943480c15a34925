"""Regressions of the time to a win: published figures, known truths, checks that can fail, and too little to go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from revops_analysis.errors import ConfigurationError
from revops_analysis.models.close_design import design, distinct, inflation
from revops_analysis.models.close_regression import CloseRegression, close_regression
from revops_analysis.statistics.survival import kaplan_meier


def verdicts(found: CloseRegression) -> dict[str, str]:
    """Check or term → verdict."""
    rows = found.checks
    return dict(zip(rows["term"].fillna(rows["check"]), rows["verdict"], strict=True))


def finding(found: CloseRegression, check: str) -> str:
    return str(found.checks.loc[found.checks["check"] == check, "finding"].iloc[0])


# Published figures

ROSSI = ["fin", "age", "race", "wexp", "mar", "paro", "prio"]


@pytest.fixture(scope="module")
def rossi() -> CloseRegression:
    """Recidivism of 432 released prisoners (Rossi, Berk & Lenihan, 1980), as lifelines ships them."""
    from lifelines.datasets import load_rossi

    frame = load_rossi()
    return close_regression(
        frame.assign(days=frame["week"], event=np.where(frame["arrest"] == 1, "won", "open")), ROSSI
    )


def test_cox_has_the_published_coefficients(rossi: CloseRegression) -> None:
    """Fox & Weisberg, Cox Proportional-Hazards Regression for Survival Data in R (2018), sec. 3.2: R's coxph."""
    rows = rossi.of("cox")
    published = [-0.37942, -0.05744, 0.31390, -0.14980, -0.43370, -0.08487, 0.09150]
    errors = [0.19138, 0.02200, 0.30799, 0.21222, 0.38187, 0.19576, 0.02865]
    assert rows["coefficient"].to_numpy() == pytest.approx(published, abs=5e-5)
    assert ((rows["high"] - rows["low"]) / (2 * 1.959964)).to_numpy() == pytest.approx(errors, abs=1e-4)
    assert rows["ratio"].to_numpy() == pytest.approx(np.exp(published), abs=2e-4)
    assert rossi.concordance == pytest.approx(0.640, abs=5e-4)
    assert (rossi.n, rossi.won) == (432, 114)


def test_weibull_has_the_published_coefficients(rossi: CloseRegression) -> None:
    """Allison, Survival Analysis Using SAS (2nd ed. 2010), ch. 4: PROC LIFEREG, Weibull; shape 1.4037."""
    rows = rossi.of("weibull")
    published = [0.2722, 0.0407, -0.2248, 0.1066, 0.3113, 0.0588, -0.0658]
    assert rows["coefficient"].to_numpy() == pytest.approx(published, abs=1e-4)
    assert rossi.shape == pytest.approx(1.4037, abs=2e-4)


def test_age_is_what_breaks_proportional_hazards_there(rossi: CloseRegression) -> None:
    """Fox & Weisberg, sec. 5.1, find age (p = .004 on the time's own scale) and no evidence against fin and prio."""
    found = verdicts(rossi)
    p_values = rossi.checks.dropna(subset=["term"]).set_index("term")["p_value"]
    assert p_values["age"] < 0.01
    assert found["age"] == "REVIEW"
    assert min(p_values["fin"], p_values["prio"]) > 0.5
    assert (found["fin"], found["prio"]) == ("REVIEW", "REVIEW")  # 114 wins for 7 coefficients are too few to pass


@pytest.mark.external_data
def test_telco_has_its_published_figures(shared_data: Path) -> None:
    """README of the public data sets: month-to-month contracts with internet; leaving is the event."""
    table = pd.read_csv(shared_data / "telco_churn" / "Telco-Customer-Churn.csv")
    table = table[(table["Contract"] == "Month-to-month") & (table["InternetService"] != "No")]
    features = {name: (table[name] == "Yes").astype(int) for name in ("Dependents", "OnlineBackup", "TechSupport")}
    features["DSL"] = (table["InternetService"] == "DSL").astype(int)
    event = np.where(table["Churn"] == "Yes", "won", "open")
    frame = pd.DataFrame({"days": table["tenure"], "event": event, **features})
    curve = kaplan_meier(frame["days"], frame["event"] == "won")
    assert curve.median == 34
    assert curve.at([12])["survival"].iloc[0] == pytest.approx(0.6950, abs=5e-5)
    found = close_regression(frame, ["Dependents", "DSL", "OnlineBackup", "TechSupport"])
    published = [-0.3287, -0.2173, -0.7766, -0.6392]
    assert found.of("cox")["coefficient"].to_numpy() == pytest.approx(published, abs=5e-5)
    assert found.concordance == pytest.approx(0.6409, abs=5e-5)
    assert (found.n, found.won) == (3351, 1556)


# Known truths

SHAPE = 1.5


def deals(n: int, seed: int, *, crossing: bool = False) -> pd.DataFrame:
    """Weibull times to a win with pace ratio 2 of Partner deals and .6 a unit of size; losses compete.

    `crossing`: Partner deals are won fast before day 20 and hardly ever after it.
    """
    rng = np.random.default_rng(seed)
    partner, size = rng.random(n) < 0.4, rng.normal(size=n).round(2)
    pace = np.where(partner, 2.0, 1.0) * 0.6**size
    won_on = 60 * (rng.exponential(size=n) / pace) ** (1 / SHAPE)
    if crossing:
        won_on = np.where(partner & (won_on > 20), 20 + 6 * (won_on - 20), won_on)
    lost_on, watched = rng.exponential(80, n), rng.uniform(60, 300, n)
    end = np.minimum(np.minimum(won_on, lost_on), watched)
    event = np.select([end == won_on, end == lost_on], ["won", "lost"], "open")
    source = np.where(partner, "Partner", "Inbound").astype(object)
    return pd.DataFrame({"days": np.ceil(end), "event": event, "source": source, "size": size})


def test_known_ratios_are_recovered() -> None:
    frame = deals(4_000, 1).rename(columns={"size": "scale"})
    found = close_regression(frame, ["source", "scale"])
    cox, weibull = found.of("cox").set_index("term"), found.of("weibull").set_index("term")
    assert list(cox.index) == ["source: Partner", "scale"]
    truth = {"source: Partner": np.log(2), "scale": np.log(0.6)}
    for term, value in truth.items():
        assert cox.loc[term, "low"] <= value <= cox.loc[term, "high"]
        assert weibull.loc[term, "low"] <= -value / SHAPE <= weibull.loc[term, "high"]
    assert cox.loc["source: Partner", ["level", "reference"]].tolist() == ["Partner", "Inbound"]
    assert found.shape == pytest.approx(SHAPE, abs=0.08)
    assert set(found.checks["verdict"]) == {"PASS"}
    assert found.changing == frozenset()
    assert found.reason is None


def test_a_ratio_that_changes_with_age_fails_and_says_how() -> None:
    found = close_regression(deals(4_000, 2, crossing=True), ["source"])
    assert verdicts(found)["source: Partner"] == "FAIL"
    assert found.changing == {"source: Partner"}
    row = found.checks.dropna(subset=["term"]).iloc[0]
    early, late = (float(row["finding"].split(word)[1].split()[0]) for word in ("ratio is ", "and "))
    assert early > 1.2
    assert late < 1
    assert row["advice"].startswith("Do not quote one ratio")


def test_a_curve_that_is_no_weibull_is_found() -> None:
    rng = np.random.default_rng(4)
    days = np.where(rng.random(2_000) < 0.5, rng.integers(5, 10, 2_000), rng.integers(150, 160, 2_000))
    frame = pd.DataFrame({"days": days, "event": "won", "x": rng.integers(0, 2, 2_000)})
    found = close_regression(frame, ["x"])
    assert verdicts(found)["Weibull curve"] == "FAIL"
    assert "points off, on day" in finding(found, "Weibull curve")
    assert verdicts(found)["order of wins"] == "FAIL"  # x says nothing


def test_ties_row_order_and_a_second_call_change_nothing() -> None:
    frame = deals(600, 5).assign(days=lambda made: (made["days"] // 10) * 10)
    one, two = (close_regression(frame, ["source"]) for _ in range(2))
    assert one.coefficients.to_csv() == two.coefficients.to_csv()
    assert one.checks.to_csv() == two.checks.to_csv()
    shuffled = close_regression(frame.sample(frac=1, random_state=1), ["source"])
    assert shuffled.coefficients["coefficient"].to_numpy() == pytest.approx(one.coefficients["coefficient"].to_numpy())


# Too little to go on: no evidence is never a pass


ALIKE = "the deals do not differ in source, or too few of each kind were won"


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (deals(30, 1).head(0), "no deals"),
        (deals(60, 1).assign(event="lost"), "none of 60 deals was won"),
        (deals(300, 1).assign(source="Inbound"), ALIKE),
        (deals(300, 1).assign(source=None), ALIKE),
        (deals(300, 1).assign(source=[f"s{n}" for n in range(300)]), ALIKE),
    ],
    ids=["no deals", "all lost", "one level", "all missing", "a level a deal"],
)
def test_where_nothing_can_be_fitted_it_says_why(frame: pd.DataFrame, reason: str) -> None:
    found = close_regression(frame, ["source"])
    assert found.reason == reason
    assert found.coefficients.empty
    assert (found.concordance, found.shape) == (None, None)
    assert "PASS" not in set(found.checks["verdict"])
    assert finding(found, "order of wins") == f"Not checked: {reason}."
    assert verdicts(found)["enough wins"] == "FAIL"


def test_too_few_wins_say_how_many_are_needed() -> None:
    frame = deals(40, 1)
    won = int((frame["event"] == "won").sum())
    frame = frame.assign(a=np.arange(40) % 3 / 2, b=np.arange(40) % 5 / 4, c=np.arange(40) % 7 / 6)
    found = close_regression(frame, ["a", "b", "c"])
    assert won < 30
    assert found.reason == f"{won} deals were won; 3 coefficients need at least 30"
    advice = found.checks.loc[found.checks["check"] == "enough wins", "advice"].iloc[0]
    assert advice == "Use fewer attributes, or a longer period with at least 30 wins."


def test_wins_that_just_suffice_do_not_pass() -> None:
    """15 wins for one coefficient: enough to fit, too few for a test that finds nothing to be a pass."""
    frame = deals(40, 3).rename(columns={"size": "scale"})
    frame = frame[(frame["event"] == "won").cumsum() <= 15]
    found = close_regression(frame, ["scale"])
    assert (found.won, found.reason) == (15, None)
    said = verdicts(found)
    assert (said["enough wins"], said["scale"]) == ("REVIEW", "REVIEW")
    assert "too few wins" in finding(found, "one ratio at all ages")
    assert said["Weibull curve"] == "REVIEW"
    assert "too few deals" in finding(found, "Weibull curve")


BAD: list[tuple[dict[str, Any], str]] = [
    ({"days": [-1.0, 3.0]}, "whole days from 0 on"),
    ({"days": [1.5, 3.0]}, "whole days from 0 on"),
    ({"days": [np.nan, 3.0]}, "whole days from 0 on"),
    ({"event": ["won", "Closed Won"]}, "event is not known"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_bad_input_is_refused(change: dict[str, Any], message: str) -> None:
    frame = pd.DataFrame({"days": [1.0, 2.0], "event": ["won", "lost"], "source": ["a", "b"], **change})
    with pytest.raises(ConfigurationError, match=message):
        close_regression(frame, ["source"])


def test_missing_and_reserved_columns_are_refused() -> None:
    frame = pd.DataFrame({"days": [1.0], "event": ["won"]})
    with pytest.raises(ConfigurationError, match="column is missing"):
        close_regression(frame, ["source"])
    with pytest.raises(ConfigurationError, match="model itself uses"):
        close_regression(frame, ["days"])


# Columns


def test_a_level_with_too_few_wins_leaves_with_its_deals() -> None:
    frame = deals(400, 6)
    frame.loc[frame.index[:5], "source"] = "Rare"
    found = close_regression(frame, ["source"])
    assert found.n == 395
    assert found.notes == ("5 deals with source Rare left out: a level needs 10 wins.",)


def test_an_attribute_whose_levels_are_nearly_all_rare_leaves_and_its_deals_stay() -> None:
    frame = deals(400, 6).assign(campaign=[f"c{n // 2}" if n % 3 else "main" for n in range(400)])
    found = close_regression(frame, ["campaign", "source"])
    assert found.n == 400
    assert found.of("cox")["term"].tolist() == ["source: Partner"]
    assert found.notes == ("campaign is left out: 266 of 400 deals have one of which fewer than 10 were won.",)
    missing = deals(400, 6).assign(score=[None if n % 3 else float(n) for n in range(400)])
    notes = close_regression(missing.astype({"score": "float64"}), ["score", "source"]).notes
    assert notes == ("score is left out: 266 of 400 deals have no value of it.",)


def test_missing_text_is_a_level_and_a_missing_number_leaves_the_deal_out() -> None:
    frame = deals(400, 7).rename(columns={"size": "scale"})
    frame.loc[frame.index[:100], "source"] = None
    frame.loc[frame.index[100:103], "scale"] = np.nan
    found = close_regression(frame, ["source", "scale"])
    assert "source: not set" in set(found.of("cox")["term"])
    assert found.n == 397
    assert found.notes == ("3 deals without scale left out.",)


def test_a_column_that_others_determine_is_left_out() -> None:
    frame = deals(400, 8).assign(copy=lambda made: made["source"].str.upper())
    made = design(frame, ["source", "copy"], frame["event"] == "won")
    assert list(made.matrix.columns) == ["source: Partner"]
    assert made.notes == ("copy: PARTNER is left out: the other columns determine it.",)


def test_attributes_that_nearly_coincide_are_not_both_used() -> None:
    frame = deals(1_000, 9)
    blurred = frame["source"].where(np.arange(1_000) % 50 != 0, "Inbound")
    frame = frame.assign(channel=blurred, x=np.arange(1_000) % 2)
    known, notes = distinct(frame, ["source", "channel", "x"], frame["event"] == "won")
    assert known == ("source", "x")
    assert notes[0].startswith("channel is left out: source nearly determine")
    both = close_regression(frame, ["source", "channel"])
    assert verdicts(both)["columns told apart"] == "FAIL"


def test_inflation_by_hand() -> None:
    """Two columns with correlation ½: 1 ÷ (1 − ¼)."""
    matrix = pd.DataFrame({"a": [0.0, 1, 0, 1, 0, 1, 0, 1], "b": [0.0, 1, 0, 1, 0, 1, 1, 0]})
    assert inflation(matrix).to_numpy() == pytest.approx(4 / 3)
    assert inflation(matrix[["a"]]).tolist() == [1.0]
