"""A first mapping from a folder: useful as it stands, nothing guessed in silence, nothing overwritten."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest

from revops_analysis.errors import ConfigurationError
from revops_analysis.project import Project
from revops_analysis.sources.guess import guess_tables
from revops_analysis.sources.profile import load_profile
from revops_analysis.sources.scaffold import scaffold_profile

DAY = dt.date(2026, 9, 30)


@pytest.fixture
def project(tmp_path: Path, project_root: Path) -> Project:
    shutil.copytree(project_root / "params", tmp_path / "params")
    return Project(tmp_path)


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "deals.csv").write_text(
        "Deal Id,Account,Deal Stage,Close Value,Created,Mood\n1,A,Won,$5,2026-01-02,ok\n2,A,Early talks,,2026-01-03,\n",
        encoding="utf-8",
    )
    (folder / "accounts.csv").write_text("account,sector\nA,retail\n", encoding="utf-8")
    (folder / "notes.txt").write_text("a\tb\n1\t2\n", encoding="utf-8")
    return folder


def test_the_draft_loads_as_a_profile_and_maps_what_it_recognised(project: Project, exports: Path) -> None:
    path = scaffold_profile("acme", exports, project, DAY)
    profile = load_profile("acme", project)
    assert profile.data_through == DAY
    assert profile.root_folder(project) == exports.resolve()
    deals = profile.tables["opportunities"][0]
    assert {name: spec.column for name, spec in deals.columns.items()} == {
        "opportunity_id": "Deal Id",
        "account_id": "Account",
        "stage": "Deal Stage",
        "amount": "Close Value",
        "created_at": "Created",
    }
    assert deals.columns["stage"].value_map["Won"] == "Closed Won"
    assert "Early talks" in deals.columns["stage"].value_map
    text = path.read_text(encoding="utf-8")
    assert "# not used: Mood" in text
    assert "# Not recognised: notes.txt" in text


def test_the_day_is_left_to_a_person_and_its_absence_is_an_error(project: Project, exports: Path) -> None:
    scaffold_profile("acme", exports, project)
    with pytest.raises(ConfigurationError, match="data_through is missing"):
        load_profile("acme", project)


def test_a_crm_export_extends_the_ready_profile(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "sf"
    folder.mkdir()
    (folder / "Opportunity.csv").write_text("Id,StageName,CloseDate\n1,Closed Won,2026-01-02\n", encoding="utf-8")
    scaffold_profile("sf", folder, project, DAY)
    profile = load_profile("sf", project)
    assert profile.tables["opportunities"][0].columns["stage"].column == "StageName"
    assert profile.definitions_path(project).name == "salesforce.definitions.yml"


def test_a_needed_column_that_was_not_found_is_named(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "opportunities.csv").write_text("opportunity_id,amount,close_date,created\n1,2,3,4\n", encoding="utf-8")
    assert "# stage: …" in scaffold_profile("odd", folder, project, DAY).read_text(encoding="utf-8")


def test_without_deals_the_draft_says_what_is_needed(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "few"
    folder.mkdir()
    (folder / "quotas.csv").write_text("user_id,period_start,period_end,quota\n1,2026-01-01,2026-03-31,5\n", "utf-8")
    assert "No file looks like deals" in scaffold_profile("few", folder, project, DAY).read_text(encoding="utf-8")


def test_an_existing_profile_is_never_overwritten(project: Project, exports: Path) -> None:
    scaffold_profile("acme", exports, project)
    with pytest.raises(ConfigurationError, match="already"):
        scaffold_profile("acme", exports, project)


@pytest.mark.parametrize("name", ["../evil", "a b", ""])
def test_a_name_cannot_leave_its_folder(project: Project, exports: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="no name for a source"):
        scaffold_profile(name, exports, project)


def test_an_empty_or_absent_folder_says_what_is_expected(project: Project, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match="no file that can be read"):
        scaffold_profile("acme", tmp_path / "empty", project)
    with pytest.raises(ConfigurationError, match="no such folder"):
        scaffold_profile("acme", tmp_path / "gone", project)


def test_a_file_serves_one_table_and_a_table_one_file() -> None:
    guesses = guess_tables(
        {
            "deals.csv": ["deal_id", "stage", "amount", "close_date"],
            "old_deals.csv": ["deal_id", "stage", "amount"],
            "weather.csv": ["temperature"],
        }
    )
    assert [(guess.table, guess.file) for guess in guesses] == [("opportunities", "deals.csv")]


@pytest.mark.external_data
def test_the_public_crm_data_is_recognised(project: Project, shared_data: Path) -> None:
    scaffold_profile("maven", shared_data / "maven_crm", project, DAY)
    profile = load_profile("maven", project)
    assert set(profile.tables) == {"accounts", "users", "opportunities"}
    assert profile.tables["opportunities"][0].columns["amount"].column == "close_value"
