"""Sample companies that several tests look at: written once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from revops_analysis.simulation import SimulationOptions, simulate


@pytest.fixture(scope="session")
def clean_company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fifth of the default company without any dirt."""
    folder = tmp_path_factory.mktemp("clean")
    simulate(folder, SimulationOptions(seed=3, scale=0.2, dirt=0.0))
    return folder


@pytest.fixture(scope="session")
def default_company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default company."""
    folder = tmp_path_factory.mktemp("default")
    simulate(folder, SimulationOptions())
    return folder
