"""Repairs of whole loads, scored against what the simulation mistyped."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from builders import make_snapshot
from dirty_company import soiled
from revops_analysis.project import Project
from revops_analysis.simulation.words import CHANNEL_SPELLINGS, INDUSTRIES, INDUSTRY_TYPOS, STAGE_TYPOS, STAGES
from revops_analysis.sources.load import load_source
from revops_analysis.sources.profile import load_profile
from revops_analysis.validation.repairs import find_repairs, repairs_of_load, value_map_snippet
from revops_analysis.workspace import Workspace

TRUTH = {("industry", typo): right for typo, right in zip(INDUSTRY_TYPOS, INDUSTRIES, strict=True)}
TRUTH |= {("stage", typo): right for typo, right in zip(STAGE_TYPOS, STAGES, strict=True)}
TRUTH |= {("channel", other): right for right, others in CHANNEL_SPELLINGS.items() for other in others}
TRUTH |= {("channel", "webinar"): "Webinar"}


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return soiled(tmp_path_factory.mktemp("dirty"), dirt=2.0)


def test_every_suggestion_is_right_and_no_mistyped_word_is_missed(dirty: Workspace) -> None:
    repairs = find_repairs(dirty, dirty.origin.info.quarantine)
    found = {(row["column"], row["value"]): row["replacement"] for row in repairs.suggestions.to_dict("records")}
    assert found
    assert {place: TRUTH.get(place) for place in found} == found, "precision 1"
    raw = dirty._store.table("accounts")
    there = set(raw.industry.execute().dropna()) & set(INDUSTRY_TYPOS)
    assert {value for column, value in found if column == "industry"} == there, "recall 1 on industries"
    assert len({value for column, value in found if column == "stage"}) >= 4
    assert repairs.suggestions.query("column == 'stage'")["quarantined"].min() > 0


def test_words_of_the_clean_company_are_left_alone(tmp_path: Path) -> None:
    clean = soiled(tmp_path, dirt=0.0, scale=0.05)
    repairs = find_repairs(clean, clean.origin.info.quarantine)
    assert repairs.suggestions.empty
    assert repairs.doubts.empty
    assert len(repairs.looked_at) > 25


def test_an_earlier_day_does_not_see_the_quarantine(dirty: Workspace) -> None:
    earlier = find_repairs(dirty.at("2026-06-30"), dirty.origin.info.quarantine)
    assert set(earlier.suggestions["quarantined"]) == {0}
    assert "industry" in set(earlier.suggestions["column"])


def test_columns_that_mean_the_same_are_counted_together() -> None:
    deals = [{"opportunity_id": f"o{n}", "stage": "Proposal", "source": "Outbond"} for n in range(2)]
    leads = [{"lead_id": f"l{n}", "source": "Outbound", "created_at": "2026-01-01"} for n in range(40)]
    found = find_repairs(make_snapshot({"opportunities": deals, "leads": leads})).suggestions
    assert found[["table", "column", "value", "replacement", "rows", "rows_of_replacement"]].values.tolist() == [
        ["opportunities", "source", "Outbond", "Outbound", 2, 40]
    ]


def test_a_source_without_words_has_no_suggestions() -> None:
    found = find_repairs(make_snapshot({"opportunities": [{"opportunity_id": "o", "stage": "Proposal"}]}))
    assert found.suggestions.empty
    assert value_map_snippet(found) == ""


PROFILE = """
kind: files
data_through: 2026-09-30
definitions: ../definitions.yml
root: {root}
tables:
  accounts:
    file: accounts.csv
    columns:
      account_id: Id
      industry: {{column: "Branche: x", value_map: {{Tech: Technology}}}}
  opportunities:
    file: deals.csv
    columns: {{opportunity_id: Id, stage: Stage, created_at: Created, loss_reason: Why}}
"""
HOSTILE = "=cmd|' /C calc'!A0"


def _acme(root: Path, project_root: Path) -> Project:
    project = Project(root)
    (root / "params" / "sources").mkdir(parents=True)
    (root / "params" / "definitions.yml").write_text((project_root / "params" / "definitions.yml").read_text())
    words = ["Technology"] * 30 + ["Tech", "technolgy", "yes: no", HOSTILE, "<b>Technology</b>"]
    frame = pd.DataFrame({"Id": [f"a{n}" for n in range(len(words))], "Branche: x": words})
    frame.to_csv(root / "accounts.csv", index=False)
    deals = pd.DataFrame({"Id": [f"o{n}" for n in range(20)], "Stage": ["Proposal"] * 18 + ["Proposl", "proposal"]})
    deals.assign(Created="2026-01-01", Why=[HOSTILE] * 18 + [HOSTILE[:-3] + "!A0"] * 2).to_csv(
        root / "deals.csv", index=False
    )
    (root / "params" / "sources" / "acme.yml").write_text(PROFILE.format(root=root))
    return project


def test_the_pasted_snippet_repairs_the_next_load(tmp_path: Path, project_root: Path) -> None:
    project = _acme(tmp_path, project_root)
    profile = load_profile("acme", project)
    first = load_source(profile, project)
    definitions = soiled_definitions(project)
    repairs = repairs_of_load(first.warehouse, definitions)
    assert repairs.by_column == {
        ("accounts", "industry"): {"technolgy": "Technology"},
        ("opportunities", "stage"): {"Proposl": "Proposal", "proposal": "Proposal"},
    }
    text = value_map_snippet(repairs, profile)
    assert text.startswith("# Suggested, not applied")
    suggested = YAML(typ="safe").load(text)
    assert suggested["tables"]["accounts"]["columns"]["industry"] == {
        "column": "Branche: x",
        "value_map": {"Tech": "Technology", "technolgy": "Technology"},
    }
    _paste(project, suggested)
    again = load_source(load_profile("acme", project), project)
    counts = again.counts.set_index("table")
    assert (
        first.counts.set_index("table")["quarantined"]["opportunities"],
        counts["quarantined"]["opportunities"],
    ) == (2, 0)
    assert repairs_of_load(again.warehouse, definitions).suggestions.empty


def soiled_definitions(project: Project):
    from revops_analysis.definitions import load_definitions

    return load_definitions(project.definitions_file)


def _paste(project: Project, suggested: dict) -> None:
    path = project.params / "sources" / "acme.yml"
    profile = YAML(typ="safe").load(path.read_text())
    for table, lines in suggested["tables"].items():
        profile["tables"][table]["columns"] |= lines["columns"]
    with path.open("w") as file:
        YAML().dump(profile, file)
