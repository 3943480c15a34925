"""A load stays while a manifest names it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from end_to_end.commands import revops
from reporting.projects import load_deals, make_project
from revops_analysis.errors import ConfigurationError
from revops_analysis.project import Project
from revops_analysis.reporting.trust.loads import list_loads, prune_loads
from revops_analysis.tables.load_log import load_log


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = make_project(tmp_path, {})
    for stage in ("Solution", "Proposal", "Discovery", "Negotiation"):
        load_deals(made, stage)
    return made


def _name(project: Project, place: str, **inputs: str | None) -> None:
    path = project.reports / place / "manifest.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"source": "tiny", "files": {}, "inputs": inputs}))


def test_only_what_no_run_names_and_is_not_recent_goes(project: Project) -> None:
    negotiation, discovery, proposal, solution = dict.fromkeys(load_log(project, "tiny"))
    _name(project, "tiny/r/2026-09-30/2026-Q3/a", data_hash=solution, previous_data_hash=None)
    (project.reports / "tiny/r/2026-09-30/2026-Q3/latest").symlink_to("a")
    listed = list_loads(project, "tiny", project.reports).set_index("data_hash")
    assert list(listed.index) == [negotiation, discovery, proposal, solution]
    assert listed.runs.to_dict() == {negotiation: 0, discovery: 0, proposal: 0, solution: 1}
    assert list(listed.needed) == [True, True, False, True]
    answer = revops(project.root, "loads", "tiny", "--prune")
    assert answer.stdout.startswith(f"Removed {proposal}.")
    kept = {path.stem for path in (project.warehouse / "tiny").glob("*.duckdb")}
    assert kept == {negotiation, discovery, solution}
    assert prune_loads(project, "tiny", project.reports) == []


def test_the_load_that_a_gate_compared_with_stays(project: Project) -> None:
    digests = list(dict.fromkeys(load_log(project, "tiny")))
    _name(project, "questions/q", data_hash=digests[0], previous_data_hash=digests[3])
    assert prune_loads(project, "tiny", project.reports) == [digests[2]]


def test_a_manifest_that_cannot_be_read_stops_the_pruning(project: Project) -> None:
    _name(project, "x")
    (project.reports / "x" / "manifest.json").write_text("{")
    with pytest.raises(ConfigurationError, match="no rendered run"):
        prune_loads(project, "tiny", project.reports)
