"""Fixtures that the whole suite shares."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

# One thread a process, before anything reads it: threads that wait for each other make small fits several times slower
# on a machine with as many tests running as it has cores. Reports set the same for their kernels; no digit changes.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

from revops_analysis.heavy_imports import keep_for_good  # noqa: E402

if TYPE_CHECKING:
    from revops_analysis.workspace import Workspace

ROOT = Path(__file__).resolve().parents[1]

# The same examples in every run, and no verdict that depends on how busy the machine is.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")


def pytest_collection_finish() -> None:
    """What has been imported by now stays: a fifth of the time of all tests was looking for garbage among it."""
    keep_for_good()


@pytest.fixture(scope="session")
def project_root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def very_dirty(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace on the sample company with three times the usual dirt; nothing may be changed in it."""
    from dirty_company import soiled

    return soiled(tmp_path_factory.mktemp("very_dirty"), dirt=3.0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data sets that lies beside the project, where there is one."""
    folder = Path(os.environ.get("REVOPS_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(
            f"the public data sets are not here ({folder.name} not found); set REVOPS_SHARED_DATA to their folder"
        )
    return folder


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Ibis URL of an empty database on a real PostgreSQL server that lives as long as the test session."""
    binaries = _postgres_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server here: initdb and pg_ctl are not on PATH nor in /usr/lib/postgresql")
    # The server refuses to run as root, and the socket's path must be short: a folder of its own, not pytest's.
    folder = Path(tempfile.mkdtemp(prefix="revops-pg-"))
    account = _server_account(folder)
    port = _free_port()
    cluster, options = folder / "data", f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    pg_ctl = [str(binaries / "pg_ctl"), "-D", str(cluster), "-w", "-s", "-l", str(folder / "log")]
    try:
        _run_as(account, [str(binaries / "initdb"), "-D", str(cluster), "-U", "revops", "-A", "trust", "-E", "UTF8"])
        _run_as(account, [*pg_ctl, "-o", options, "start"])
        try:
            yield f"postgres://revops@127.0.0.1:{port}/postgres"
        finally:
            _run_as(account, [*pg_ctl, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _postgres_binaries() -> Path | None:
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


def _server_account(folder: Path) -> str | None:
    """The account to run the server as, given the folder; None when this account will do."""
    if os.geteuid() != 0:
        return None
    for account in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(account)
            os.chown(folder, entry.pw_uid, entry.pw_gid)
            return account
    pytest.skip("PostgreSQL refuses to run as root, and there is no account postgres or nobody to run it as")


def _run_as(account: str | None, command: list[str]) -> None:
    # pg_ctl leaves the server behind with these streams: a pipe would never close.
    subprocess.run(command, user=account, cwd="/", check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
