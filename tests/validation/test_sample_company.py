"""The sample company goes through the gate: clean without a warning, with its usual mess with warnings only."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from revops_analysis.definitions import Definitions
from revops_analysis.project import Project
from revops_analysis.sources.load import load_source
from revops_analysis.sources.profile import load_profile
from revops_analysis.validation import GateResult, validate

PROFILE = "kind: sample\ndescription: A small sample company.\nseed: 1\nscale: 0.05\ndirt: {dirt}\n"


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory, project_root: Path, definitions: Definitions):
    project = Project(tmp_path_factory.mktemp("sample"))
    (project.params / "sources").mkdir(parents=True)
    shutil.copy(project_root / "params" / "definitions.yml", project.definitions_file)

    def run(name: str, dirt: int) -> GateResult:
        (project.params / "sources" / f"{name}.yml").write_text(PROFILE.format(dirt=dirt))
        loaded = load_source(load_profile(name, project), project).warehouse
        return validate(loaded, definitions, expectations=project_root / "expectations")

    return run


def test_a_clean_company_has_no_warning(check) -> None:
    result = check("clean", 0)
    assert result.passed
    assert list(result.warnings["rule"]) == []
    assert result.counts["passed"] > 150


def test_the_usual_mess_passes_with_warnings(check) -> None:
    result = check("messy", 1)
    assert result.passed
    assert {"opportunities.lost_has_reason", "contacts.email_present"} <= set(result.warnings["rule"])
    assert not (result.results["status"] == "error").any()
