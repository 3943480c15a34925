"""Opening a workspace whose definitions count duplicates under their survivors."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from revops_analysis import open_workspace
from revops_analysis.errors import ConfigurationError
from revops_analysis.project import Project
from revops_analysis.sources.load import load_source
from revops_analysis.sources.profile import load_profile

PROFILE = """
kind: files
data_through: 2026-09-30
tables:
  opportunities: {file: deals.csv}
  accounts: {file: accounts.csv}
"""
ACCOUNTS = """account_id,name,domain,country,employees,created_at
a1,Acme Optics Ltd,acme-optics.example,Spain,417,2024-01-10
a2,ACME OPTICS,www.acme-optics.example,Spain,417,2025-01-10
a3,Globex Brakes,globex.example,Spain,31,2025-01-10
"""
DEALS = """opportunity_id,name,account_id,type,stage,amount,created_at,close_date
o1,one,a1,new,Closed Won,1000,2026-01-10,2026-07-15
o2,two,a2,new,Closed Won,500,2026-01-10,2026-08-15
o3,three,a3,new,Proposal,250,2026-01-10,2026-12-15
"""


@pytest.fixture
def project(tmp_path: Path, project_root: Path) -> Project:
    home = Project(tmp_path)
    sources = home.params / "sources"
    sources.mkdir(parents=True)
    shutil.copy(project_root / "params" / "definitions.yml", home.definitions_file)
    (sources / "tiny.yml").write_text(PROFILE)
    (sources / "deals.csv").write_text(DEALS)
    (sources / "accounts.csv").write_text(ACCOUNTS)
    load_source(load_profile("tiny", home), home)
    return home


def buyers(workspace) -> list[str]:
    return workspace.deals.order_by("opportunity_id").to_pandas()["account_id"].tolist()


def test_it_is_off_by_default_and_one_word_switches_it_on(project: Project, capsys) -> None:
    plain = open_workspace("tiny", as_of="2026-09-30", project=project)
    assert buyers(plain) == ["a1", "a2", "a3"]
    text = project.definitions_file.read_text(encoding="utf-8")
    project.definitions_file.write_text(text.replace("resolve: []", "resolve: [accounts]"), encoding="utf-8")
    resolved = open_workspace("tiny", as_of="2026-09-30", project=project)
    assert "Looking for duplicate accounts" in capsys.readouterr().err
    assert buyers(resolved) == ["a1", "a1", "a3"]
    assert resolved.notes[0] == "Duplicates are resolved: 1 accounts count under the record that they repeat."
    assert buyers(resolved.at("2026-08-31")) == ["a1", "a1", "a3"]
    for name in ("bookings", "open_pipeline"):
        one, other = (ws.metric(name, period="2026-Q3")["value"].tolist() for ws in (plain, resolved))
        assert one == other, "sums are conserved"
    assert buyers(open_workspace("tiny", as_of="2026-09-30", project=project)) == ["a1", "a1", "a3"]
    assert "Looking" not in capsys.readouterr().err, "found once and kept"
    assert buyers(plain.resolved(["accounts"])) == ["a1", "a1", "a3"]
    assert buyers(resolved.resolved([])) == ["a1", "a2", "a3"]
    with pytest.raises(ConfigurationError, match="cannot be resolved"):
        plain.resolved(["leads"])
