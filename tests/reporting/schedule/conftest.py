"""A scheduled project, a mail server on this machine, and the environment that points to it."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reporting.mail.servers import PASSWORD, USER, Certificates, Mailbox, make_certificates, serving
from reporting.schedule.cases import copy_of, mail_settings, make_scheduled
from revops_analysis.project import Project


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_scheduled(tmp_path_factory.mktemp("scheduled") / "project")


@pytest.fixture
def project(made: Project, tmp_path: Path) -> Project:
    return copy_of(made, tmp_path / "project")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


PRELOADED = (
    "apscheduler.executors.pool",
    "apscheduler.schedulers.blocking",
    "apscheduler.triggers.cron",
    "css_inline",
    "dotenv",
    "duckdb",
    "ibis.backends.duckdb",
    "ibis.backends.sql.compilers.duckdb",
    "nbformat",
    "pandas",
    "pyarrow.dataset",
    "pyarrow.pandas_compat",
    "pydantic_settings",
    "pytest",
    "reporting.fakes",
    "reporting.mail.servers",
    "reporting.schedule.cases",
    "reporting.watchers",
    "revops_analysis.reporting.schedule.service",
    "revops_analysis.sources.load",
    "ruamel.yaml",
    "tenacity",
)


@pytest.fixture(scope="session")
def context() -> Iterator[Any]:
    """Processes that begin with the libraries loaded: they are started by the dozen, to be killed."""
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(list(PRELOADED))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
        made.Process(target=int).start()  # the server itself starts with the first, and keeps the path
        yield made


@pytest.fixture
def mailbox(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    for name in [name for name in os.environ if name.startswith("REVOPS_")]:
        monkeypatch.delenv(name)
    box = Mailbox()
    with serving(box, certificates.good) as port:
        for name, value in mail_settings(port, certificates.ca_file, USER, PASSWORD).items():
            monkeypatch.setenv(name, value)
        yield box
