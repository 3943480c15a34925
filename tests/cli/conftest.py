"""A small company on which commands that change nothing are run."""

from __future__ import annotations

from pathlib import Path

import pytest

from end_to_end.commands import company_of


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a sample company a twentieth of the usual size; one for all modules of a worker."""
    return company_of(tmp_path_factory.mktemp("project"), 0.05)
