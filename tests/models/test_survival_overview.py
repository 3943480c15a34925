"""The chapter on time to close: what it shows of the sample company, and of companies of which little is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from builders import make_definitions, make_snapshot
from models.cohorts import cohort, half_company
from revops_analysis.errors import ConfigurationError
from revops_analysis.models.close_regression import close_regression
from revops_analysis.models.survival_overview import DealSurvival, deal_survival
from revops_analysis.models.survival_words import statements
from revops_analysis.models.time_to_close import TimeToCloseOptions, time_to_close
from revops_analysis.reporting.key_figures import collect_rows
from revops_analysis.tables.snapshot import Snapshot


def deal(key: str, created: str, closed: str | None = None, stage: str = "Proposal", **more: Any) -> dict[str, Any]:
    row = {"opportunity_id": key, "type": "new", "segment": "SMB", "source": "Inbound", "stage": stage, "amount": 100}
    dates = {"created_at": created, "close_date": closed or "2026-12-31", "closed_at": closed}
    return {**row, **dates, **more}


def overview(deals: list[dict[str, Any]], **changes: Any) -> DealSurvival:
    return deal_survival(
        make_snapshot({"opportunities": deals}, definitions=make_definitions(**changes)), "2026-Q3", seed=0
    )


def said(found: DealSurvival) -> list[str]:
    return found.statements["statement"].tolist()


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return half_company(tmp_path_factory.mktemp("half"))[0]


@pytest.fixture(scope="module")
def sample(company: Snapshot) -> DealSurvival:
    return deal_survival(company, "2025-Q4")


def test_two_years_of_deals_and_figures_that_agree_with_the_curves(sample: DealSurvival) -> None:
    assert (sample.cohort.label, sample.period.label) == ("2024-01-01..2025-12-31", "2025-Q4")
    rows = collect_rows([sample.headline, *sample.figures], "2025-Q4")
    named = {(row.metric, row.dims): row for row in rows}
    whole = sample.times.summary.iloc[0]
    won = named[("won_within_horizon", (("horizon", "180 days"),))]
    assert (won.value, won.low, won.high, won.n) == (
        *(whole[name] for name in ("won_share", "won_low", "won_high")),
        whole["n"],
    )
    assert named[("median_days_to_win", ())].value == whole["median_days"]
    segment = named[("median_days_to_win", (("segment", "SMB"),))]
    assert segment.value == sample.times.summary.set_index("scope").loc["SMB", "median_days"]
    assert {"lost_within_horizon", "chance_to_win", "win_order_concordance", "model_checks"} <= {r.metric for r in rows}
    checks = [row.value for row in rows if row.metric == "model_checks"]
    assert sum(checks) == len(sample.regression.checks)


def test_tables_have_a_row_a_scope_and_age(sample: DealSurvival) -> None:
    chances = sample.chances()
    assert chances["age_days"].drop_duplicates().tolist() == [0, 30, 60, 90, 120, 180, 270]
    assert len(chances) == 7 * len(sample.times.scopes)
    whole = chances[chances["scope"] == "All deals"]
    assert whole["open_now"].sum() == sample.times.summary.iloc[0]["open"]
    assert set(sample.chance_units) < set(chances.columns)
    assert set(sample.outcome_units) < set(sample.outcomes().columns)
    values = chances[["within_30", "within_60", "within_90", "by_horizon"]]
    assert (chances["reason"].notna() == values.isna().all(axis=1)).all()
    assert (values["within_30"].dropna() <= values["within_90"].dropna() + 1e-12).all()
    assert list(sample.checks_table()) == ["check", "term", "verdict", "finding", "advice", "p_value"]


def test_ratios_that_failed_their_check_are_not_shown(sample: DealSurvival) -> None:
    ratios, found = sample.ratios().set_index("term"), sample.regression
    cox = found.of("cox").set_index("term")
    sound = [term for term in cox.index if term not in found.changing]
    assert found.changing and sound
    assert ratios.loc[sound, "pace_high"].tolist() == cox.loc[sound, "ratio_high"].tolist()
    assert ratios.loc[list(found.changing), ["pace_ratio", "pace_low", "pace_high"]].isna().all(axis=None)
    assert ratios.loc[list(found.changing), "reason"].str.startswith("the ratio changes with the age of deals").all()
    assert found.weibull_misleads  # lost deals that nobody logged bend the curve of the sample company
    assert ratios[["time_ratio", "time_low", "time_high"]].isna().all(axis=None)
    assert ratios.loc[sound, "reason"].unique().tolist() == [
        "the Weibull curve does not fit, so its times are not shown"
    ]
    verdict = found.checks["verdict"].mask(found.checks["check"] == "Weibull curve", "PASS")
    fits = replace(sample, regression=replace(found, checks=found.checks.assign(verdict=verdict)))
    assert fits.ratios()["time_low"].tolist() == found.of("weibull")["ratio_low"].tolist()
    assert fits.ratios().set_index("term").loc[sound, "reason"].isna().all()


def test_a_second_call_gives_the_same_bytes(sample: DealSurvival, company: Snapshot) -> None:
    again = deal_survival(company, "2025-Q4")
    for name in ("outcomes", "chances", "ratios", "checks_table", "notes_table"):
        assert getattr(again, name)().to_csv() == getattr(sample, name)().to_csv()
    assert again.statements.to_csv() == sample.statements.to_csv()


def test_no_deals_in_two_years() -> None:
    found = overview([deal("old", "2020-01-01")])
    assert said(found) == [
        "How deals end is not known: no deals.",
        "What makes deals win sooner is not known: no deals.",
    ]
    reasons = {row.metric: row.reason for row in collect_rows([found.headline, *found.figures]) if row.value is None}
    assert reasons == {
        "won_within_horizon": "no deals",
        "lost_within_horizon": "no deals",
        "median_days_to_win": "no deals",
        "chance_to_win": "no deal was open at 90 days; 20 are needed",
        "win_order_concordance": "no deals",
    }
    assert found.notes_table()["note"].tolist() == ["Nothing was left out."]
    assert found.ratios().empty


def test_all_lost() -> None:
    lost = [deal(f"o{n}", "2025-01-01", f"2025-0{2 + n % 5}-01", "Closed Lost") for n in range(30)]
    found = overview(lost)
    assert said(found)[:2] == [
        "0% of deals are won within 180 days of their creation, 100% are lost, and 0% are still open.",
        "How long wins take is not known: no deal was won within 180 days of its creation.",
    ]
    assert said(found)[-1] == "What makes deals win sooner is not known: none of 30 deals was won."


def test_a_deal_won_before_it_was_created_is_in_the_notes() -> None:
    found = overview([deal("back", "2025-02-01", "2025-01-15", "Closed Won"), deal("open", "2025-03-01")])
    assert "1 deal closed before it was created and counts as closed on the day of creation." in found.notes


def test_columns_that_the_definitions_do_not_allow_are_left_out_with_a_note() -> None:
    found = overview([deal("a", "2025-02-01", "2025-03-15", "Closed Won")], allowed_current_columns=[])
    assert found.times.by is None
    assert found.times.times.attributes == ("type",)
    assert found.notes[0] == (
        "segment is left out: only today's value is known, and allowed_current_columns does not name it."
    )


def test_a_period_that_has_not_begun_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="has not begun"):
        deal_survival(make_snapshot({"opportunities": []}), "2026-Q4")


FEW = TimeToCloseOptions(repeats=200)


def test_only_differences_beyond_chance_are_called_so() -> None:
    nothing = close_regression(pd.DataFrame({"days": [], "event": [], "x": []}), ["x"])
    rng = np.random.default_rng(1)
    segments = list(np.repeat(["SMB", "Enterprise"], 400))
    alike = cohort(rng.integers(20, 100, 800), rng.choice(["won", "lost"], 800), segments)
    words = statements(time_to_close(alike, options=FEW), nothing)["statement"].tolist()
    assert "No difference beyond chance in how often deals are won was found by segment." in words
    assert "No difference beyond chance in how long wins take was found by segment." in words
    slow = np.concatenate([rng.integers(20, 60, 400), rng.integers(90, 150, 400)])
    rare = np.concatenate([rng.choice(["won", "lost"], 400), rng.choice(["won", "lost"], 400, p=[0.2, 0.8])])
    words = statements(time_to_close(cohort(slow, rare, segments), options=FEW), nothing)["statement"].tolist()
    assert any(word.startswith("SMB deals are won most often (") and "Enterprise deals least" in word for word in words)
    assert any(word.startswith("Enterprise deals take longest: half of their wins come within 1") for word in words)


def test_a_ratio_that_changes_with_age_is_not_said_as_one_number(sample: DealSurvival) -> None:
    changing = sample.regression.changing
    assert changing  # the sample's segments and types differ most when deals are young
    for row in collect_rows(list(sample.figures)):
        if row.metric == "pace_ratio" and dict(row.dims)["of"] in changing:
            assert (row.value, row.reason) == (None, "the ratio changes with the age of deals")
    for term in changing:
        of = term.replace(": ", " ")
        for word in said(sample):
            if f"deals with {of}," in word:
                assert " pace. The ratio is " in word
                assert "times" not in word
