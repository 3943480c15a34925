"""A company as it stood at the end of August, and a month later."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dirty_company import soiled
from revops_analysis.definitions import Definitions
from revops_analysis.project import Project
from revops_analysis.tables.snapshot import Snapshot
from revops_analysis.tables.warehouse import WarehouseInfo
from revops_analysis.validation.drift import Drift, drift_between
from validation.drift.loads import BEFORE, load_as_of


@pytest.fixture(scope="package")
def company(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return soiled(tmp_path_factory.mktemp("company"), dirt=1.0, scale=0.25)


@pytest.fixture(scope="package")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("loads"))


@pytest.fixture(scope="package")
def august(company: Snapshot, project: Project) -> WarehouseInfo:
    return load_as_of(company.at(BEFORE), project)


@pytest.fixture(scope="package")
def against_august(
    company: Snapshot, project: Project, august: WarehouseInfo, definitions: Definitions
) -> Callable[..., Drift]:
    """The drift of September's load, or of those of its tables that change on the way, against August's."""

    def drift(**changes: object) -> Drift:
        return drift_between(august, load_as_of(company, project, changes), definitions)  # type: ignore[arg-type]

    return drift
