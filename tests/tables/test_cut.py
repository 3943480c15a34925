"""A cut holds its own rows, nothing of the rest, and no number that was made of both."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import make_definitions, rows_table
from revops_analysis.errors import ConfigurationError
from revops_analysis.project import Project
from revops_analysis.tables.cut import Cut, CutLoad, cut_warehouse
from revops_analysis.tables.snapshot import Snapshot
from revops_analysis.tables.store import open_store
from revops_analysis.tables.warehouse import (
    LoadRecord,
    WarehouseInfo,
    WarehouseWriter,
    find_warehouse,
    latest_warehouse,
    load_counts,
)
from revops_analysis.workspace import parse_cut
from tables.cut_company import OUTSIDE, TABLES_OF_THE_COMPANY, THROUGH, load_company

EMEA = Cut.of({"region": "EMEA"})


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def whole(project: Project) -> WarehouseInfo:
    return load_company(project)


@pytest.fixture(scope="module")
def cut(project: Project, whole: WarehouseInfo) -> CutLoad:
    return cut_warehouse(project, whole, EMEA)


def _keys(cut: CutLoad, table: str) -> list[str]:
    rows = open_store(cut.warehouse).table(table).to_pandas()
    return sorted(rows[rows.columns[0]])


def test_each_table_has_the_rows_of_the_cut(cut: CutLoad) -> None:
    assert {name: _keys(cut, name) for name in ("accounts", "opportunities", "contacts", "subscriptions", "users")} == {
        "accounts": ["a-emea", "a-emea2"],
        "opportunities": ["d-emea", "d-emea-won"],
        "contacts": ["c-emea"],
        "subscriptions": ["s-emea"],
        "users": ["u-boss", "u-both"],
    }
    assert _keys(cut, "activities") == ["by-account", "by-deal", "by-person"]
    assert _keys(cut, "opportunity_contacts") == ["d-emea"]


def test_nothing_of_the_rest_is_in_the_file(cut: CutLoad, whole: WarehouseInfo) -> None:
    """The bytes of the file are looked at: a row that was filtered late, or a reference, would be there."""
    assert whole.path is not None
    assert cut.warehouse.path is not None
    content, everything = cut.warehouse.path.read_bytes(), whole.path.read_bytes()
    assert [word for word in OUTSIDE if word.encode() not in everything] == []
    assert [word for word in OUTSIDE if word.encode() in content] == []
    assert load_counts(cut.warehouse)["read"].sum() == cut.counts["kept"].sum()


def test_targets_are_the_cuts_own_or_none(project: Project, whole: WarehouseInfo, cut: CutLoad) -> None:
    targets = open_store(cut.warehouse).table("targets").to_pandas()
    assert targets[["scope_kind", "target"]].to_numpy().tolist() == [["company", Decimal("4000.00")]]
    both = Cut.of({"region": "EMEA", "segment": "SMB"})
    accounts = [{**row, "segment": "SMB"} for row in TABLES_OF_THE_COMPANY["accounts"]]
    other = load_company(Project(project.root / "other"), accounts=accounts)
    narrow = cut_warehouse(Project(project.root / "other"), other, both)
    assert open_store(narrow.warehouse).table("targets").count().execute() == 0


def test_what_cannot_be_placed_is_withheld_with_a_reason(cut: CutLoad) -> None:
    assert sorted(cut.warehouse.withheld) == ["leads", "quotas", "spend"]
    assert not {"leads", "quotas", "spend"} & set(cut.warehouse.supplied_tables)
    assert all(open_store(cut.warehouse).table(name).count().execute() == 0 for name in ("leads", "quotas", "spend"))
    notes = Snapshot(open_store(cut.warehouse), make_definitions(), "2026-09-30").notes
    assert any(note.startswith("These figures are of region = EMEA alone") for note in notes)
    assert any(
        "No quotas for region = EMEA: they are set for sellers who also sell elsewhere" in note for note in notes
    )
    assert not any("No quotas: " in note for note in notes)


def test_what_can_be_placed_is_kept(tmp_path: Path) -> None:
    """A seller who sells nowhere else brings his quota and his own forecast, not that of his team."""
    project = Project(tmp_path)
    deals = [
        row for row in TABLES_OF_THE_COMPANY["opportunities"] if not str(row["opportunity_id"]).startswith("d-west")
    ]
    said = {"user_id": "u-both", "period_start": "2026-07-01", "submitted_at": "2026-07-02", "category": "Commit"}
    submissions = [{**said, "scope": scope, "amount": 1} for scope in ("own", "team")]
    quota = TABLES_OF_THE_COMPANY["quotas"][0]
    info = load_company(
        project,
        opportunities=deals,
        leads=[{"lead_id": "l1", "created_at": "2026-01-01", "account_id": "a-emea"}],
        quotas=[quota, {**quota, "user_id": "u-west"}],
        forecast_submissions=submissions,
    )
    cut = cut_warehouse(project, info, EMEA)
    assert sorted(cut.warehouse.withheld) == ["spend"]
    assert (_keys(cut, "quotas"), _keys(cut, "leads")) == (["u-both"], ["l1"])
    assert open_store(cut.warehouse).table("forecast_submissions").to_pandas()["scope"].tolist() == ["own"]


def test_a_cut_is_never_the_latest_load_and_equal_cuts_are_one(
    project: Project, whole: WarehouseInfo, cut: CutLoad
) -> None:
    assert latest_warehouse(project, "tiny") == whole
    assert cut_warehouse(project, whole, EMEA).warehouse == cut.warehouse
    assert find_warehouse(project, "tiny", cut.warehouse.content_hash).cut == "region = EMEA"
    assert (whole.cut, whole.withheld) == ("", {})


def test_a_cut_of_all_there_is_is_still_another_load(tmp_path: Path) -> None:
    project = Project(tmp_path)
    rows = {"accounts": [{"account_id": "a", "region": "EMEA"}], "opportunities": []}
    with WarehouseWriter(project, "all") as writer:
        writer.insert("accounts", rows_table("accounts", rows["accounts"]))
        info = writer.commit(LoadRecord(THROUGH, ("accounts", "opportunities")))
    assert cut_warehouse(project, info, EMEA).warehouse.content_hash != info.content_hash


def test_nobody_in_the_cut_is_refused_with_the_values_there_are(project: Project, whole: WarehouseInfo) -> None:
    with pytest.raises(ConfigurationError, match=r"region: EMEA, West[\s\S]*region = emea"):
        cut_warehouse(project, whole, Cut.of({"region": "emea"}))


def test_a_company_without_accounts_is_refused(tmp_path: Path) -> None:
    from reporting.projects import load_deals

    project = Project(tmp_path)
    load_deals(project)
    info = latest_warehouse(project, "tiny")
    assert info is not None
    with pytest.raises(ConfigurationError, match="its accounts are not known"):
        cut_warehouse(project, info, EMEA)


@given(st.dictionaries(st.sampled_from(["region", "segment"]), st.text("aA -_.=Ü", min_size=1), min_size=1))
def test_slugs_are_safe_and_tell_cuts_apart(parts: dict[str, str]) -> None:
    cut = Cut.of(parts)
    assert set(cut.slug) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
    for other in (
        {**parts, "region": parts.get("region", "") + "a"},
        {**parts, "region": parts.get("region", "") + " "},
    ):
        assert Cut.of(other) == cut or Cut.of(other).slug != cut.slug


@pytest.mark.parametrize("text", ["", "region", "region != EMEA", "region in (EMEA)", "region = null", "owner = Ann",
                                  "region = EMEA and region = West"])  # fmt: skip
def test_what_is_no_cut_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_cut(text)
