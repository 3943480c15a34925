"""The score of the data: the gate's own counts, cut in any way, and the money that problems touch."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from builders import make_snapshot
from dirty_company import soiled
from revops_analysis.tables.snapshot import Snapshot
from revops_analysis.validation import load_suites, validate
from revops_analysis.validation.quality import Quality, data_quality
from revops_analysis.validation.quality.dimensions import DIMENSIONS, WHOLE_LOAD, dimension_of
from revops_analysis.workspace import Workspace

EXPECTATIONS = Path(__file__).resolve().parents[3] / "expectations"


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return soiled(tmp_path_factory.mktemp("company"), dirt=2.0, scale=0.1)


@pytest.fixture(scope="module")
def quality(company: Workspace) -> Quality:
    return data_quality(company, EXPECTATIONS)


def test_every_count_is_that_of_the_gate(company: Workspace, quality: Quality) -> None:
    gate = validate(company.origin.info, company.definitions, company.as_of, expectations=EXPECTATIONS).results
    both = gate.set_index("rule").join(quality.rules.set_index("rule"), rsuffix="_here")
    assert len(both) == len(gate) == len(quality.rules)
    for column in ("status", "checked", "failed"):
        differs = both[
            both[column]
            .astype(object)
            .where(both[column].notna(), None)
            .ne(both[f"{column}_here"].astype(object).where(both[f"{column}_here"].notna(), None))
            & ~(both[column].isna() & both[f"{column}_here"].isna())
        ]
        assert differs.empty, differs[[column, f"{column}_here"]]


@pytest.mark.parametrize("cut", [["table"], ["rule"], ["dimension"], ["owner_id"], ["week"], ["table", "week"]])
def test_every_cut_adds_up_to_the_whole(quality: Quality, cut: list[str]) -> None:
    frame = quality.by(*cut)
    assert frame["checked"].sum() == quality.checks["checked"].sum()
    assert frame["failed"].sum() == quality.checks["failed"].sum()
    whole = 1 - frame["failed"].sum() / frame["checked"].sum()
    assert quality.score == pytest.approx(whole)
    assert frame["score"].between(0, 1).all()


def test_every_rule_has_one_dimension() -> None:
    found = {rule.id: dimension_of(rule) for rule in load_suites(EXPECTATIONS)}
    assert set(found.values()) == {*DIMENSIONS, WHOLE_LOAD}


def test_what_is_not_checked_is_no_pass(quality: Quality) -> None:
    unchecked = set(quality.not_checked["rule"])
    assert "revenue_ledger.key_unique" in unchecked
    assert not unchecked & set(quality.checks["rule"])
    assert quality.not_checked["reason"].str.len().min() > 10


def test_mess_costs_points_with_the_owner_and_in_the_week(company: Workspace, quality: Quality) -> None:
    deals = company.loaded("opportunities").to_pandas()
    lost = deals[(deals["stage"] == "Closed Lost") & deals["loss_reason"].isna()]
    rule = quality.checks[quality.checks["rule"] == "opportunities.lost_has_reason"]
    by_owner = rule.groupby("owner_id")["failed"].sum()
    expected = lost.groupby("owner_id").size()
    pd.testing.assert_series_equal(by_owner[by_owner > 0], expected, check_names=False)
    assert set(pd.to_datetime(rule["week"]).dt.dayofweek) == {0}


def test_touched_deals_count_once(company: Workspace, quality: Quality) -> None:
    touched = quality.touched
    assert 0 < touched.deals <= touched.open_deals
    assert 0 < touched.amount <= touched.open_amount
    assert touched.owners["deals"].sum() == touched.deals
    assert touched.owners["amount"].dropna().sum() == touched.amount
    assert touched.rules["deals"].max() <= touched.deals
    pipeline = company.metric("open_pipeline")["value"].iloc[0]
    assert float(touched.open_amount) == pytest.approx(float(pipeline))


def test_quarantined_rows_and_money_are_listed(company: Workspace, quality: Quality) -> None:
    counts = {row["table"]: row for row in company.load_counts}
    for row in quality.quarantined.to_dict("records"):
        assert row["quarantined"] == counts[row["table"]]["quarantined"] > 0
    assert "opportunities" in set(quality.quarantined["table"])


def test_nothing_of_later_days_is_seen() -> None:
    deal = {"opportunity_id": "o1", "stage": "Proposal", "created_at": "2026-06-01", "type": "new", "amount": 10}
    later = {"opportunity_id": "o2", "stage": "Proposal", "created_at": "2026-08-01"}
    early, both = (
        data_quality(make_snapshot({"opportunities": rows}, as_of="2026-06-30"), EXPECTATIONS)
        for rows in ([deal], [deal, later])
    )
    pd.testing.assert_frame_equal(early.rules, both.rules)
    pd.testing.assert_frame_equal(early.checks, both.checks)
    assert "as of 2026-06-30" in early.sees


def _tiny(**changes: object) -> Snapshot:
    deal = {"opportunity_id": "o1", "stage": "Proposal", "created_at": "2026-09-01", "type": "new", "amount": 10.5}
    deal |= {"source": "Outbound", "owner_id": "u1", "account_id": "a1", "close_date": "2026-11-01", "currency": "USD"}
    return make_snapshot({"opportunities": [deal | changes]})


def test_a_problem_names_its_money() -> None:
    quality = data_quality(_tiny(source=None), EXPECTATIONS)
    row = quality.problems.set_index("rule").loc["opportunities.source_present"]
    assert (row["failed"], row["deals"], row["amount"]) == (1, 1, Decimal("10.50"))
    assert data_quality(_tiny(), EXPECTATIONS).touched.deals == 0
    unpriced = data_quality(_tiny(source=None, amount=None), EXPECTATIONS).touched
    assert (unpriced.deals, unpriced.unpriced, unpriced.amount) == (1, 1, Decimal(0))
    assert unpriced.share is None, "of a pipeline without amount no share can be named"


def test_a_missing_value_is_judged_once() -> None:
    """Completeness fails for it, and no rule about the value itself counts it as passed."""
    checks = data_quality(_tiny(probability=None), EXPECTATIONS).checks
    assert "opportunities.probability_is_share" not in set(checks["rule"])


def test_no_rows_have_no_score() -> None:
    quality = data_quality(make_snapshot({"opportunities": []}), EXPECTATIONS)
    assert quality.score is None
    assert quality.tables.empty
    assert quality.problems.empty
    assert quality.owners.empty
