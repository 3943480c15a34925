"""Kernels for chapters: forked from a process that has the libraries loaded, talking over files instead of ports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

ALWAYS_LOADED = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "IPython.display",
    "pandas",
    "matplotlib.figure",
    "matplotlib.backends.backend_svg",
    "matplotlib.backends.backend_agg",
    "ibis.backends.duckdb",
    "jinja2",
    "revops_analysis.reporting.chapter",
    "revops_analysis.reporting.fragments",
    "revops_analysis.reporting.figures",
)

# One thread in every numeric library and a fixed hash seed: the same inputs give the same bytes.
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "SOURCE_DATE_EPOCH": "0",
    "TZ": "UTC",
    "MPLBACKEND": "agg",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}


MAIL_SECRETS = ("REVOPS_SMTP_", "REVOPS_SECRETS_FILE")


def without_mail_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment as notebooks get it: what prints its environment must not print the mail server's password.

    >>> without_mail_secrets({"REVOPS_SMTP_PASSWORD": "hunter2", "REVOPS_HOME": "/srv/revops"})
    {'REVOPS_HOME': '/srv/revops'}
    """
    return {name: value for name, value in environment.items() if not name.startswith(MAIL_SECRETS)}


class KernelServer:
    """The process that kernels are forked from. Use as a context manager; it imports while the caller goes on.

    `modules` are imported in it beside those that every chapter needs. `environment` is added to that of the kernels.
    """

    def __init__(self, modules: Sequence[str] = (), environment: dict[str, str] | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="revops-kernels-")
        self._environment = {**ENVIRONMENT, "IPYTHONDIR": f"{self.folder}/ipython", **(environment or {})}
        self._lock = threading.Lock()
        self._forked: list[ForkedProcess] = []
        self._closing = False
        command = [sys.executable, "-m", "revops_analysis.reporting.kernel_server", *ALWAYS_LOADED, *modules]
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**without_mail_secrets(os.environ), **self._environment},
        )

    def __enter__(self) -> KernelServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def folder(self) -> Path:
        """Where connection files and sockets are: short, because a socket's path may have 107 characters only."""
        return Path(self._folder.name)

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._process.pid

    def fork(self, arguments: Sequence[str], cwd: str, environment: dict[str, str]) -> ForkedProcess:
        """Start a kernel in `cwd` and return a handle to its process."""
        request = {"arguments": list(arguments), "cwd": cwd, "environment": {**environment, **self._environment}}
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None  # noqa: S101 - both are pipes, opened above
        assert stdout is not None  # noqa: S101
        with self._lock:
            if self._closing:
                raise RuntimeError("The kernel server is closing.")
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
            answer = stdout.readline()
            if not answer:
                raise RuntimeError(f"The kernel server ended with status {self._process.wait()}.")
            self._forked.append(ForkedProcess(json.loads(answer)["pid"]))
            return self._forked[-1]

    def end_kernels(self) -> None:
        """End all kernels at once and start no more: what they compute is no longer wanted."""
        with self._lock:
            self._closing = True
            for process in self._forked:
                if process.poll() is None:
                    process.kill()

    def close(self) -> None:
        """End the server at once, imported or not: it keeps nothing. Kernels that still run end by themselves."""
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()


class ForkedProcess:
    """What jupyter_client needs of a process that is not our child: is it there, and signals to it."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        """None while it runs; 0 when it is gone, for whoever is not the parent cannot know its status."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 0
        return None

    def wait(self) -> int:
        """Called only after `poll` found it gone."""
        return 0

    def send_signal(self, signum: int) -> None:
        """Send a signal to the process."""
        os.kill(self.pid, signum)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


class ForkProvisioner(LocalProvisioner):
    """Starts kernels by forking the server instead of starting an interpreter."""

    server: KernelServer
    chapter_folder: Path

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork; `cmd` is the kernel spec's command, of which the arguments after the module's name count."""
        arguments = cmd[cmd.index("ipykernel_launcher") + 1 :]
        process: Any = self.server.fork(arguments, str(self.chapter_folder), {})
        self.process = process
        self.pid = self.pgid = process.pid
        self.cwd = self.chapter_folder
        return self.connection_info


def manager_for(server: KernelServer, folder: Path, name: str) -> type[AsyncKernelManager]:
    """The kernel manager class for one chapter: forks from `server`, works in `folder`, talks over files."""

    class ForkedKernelManager(AsyncKernelManager):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.transport = "ipc"
            self.connection_file = str(server.folder / f"{name}.json")

        async def _async_pre_start_kernel(self, **kwargs: Any) -> Any:
            provisioner = ForkProvisioner(kernel_id=name, kernel_spec=self.kernel_spec, parent=self)
            provisioner.server, provisioner.chapter_folder = server, folder
            self.provisioner = provisioner
            return await super()._async_pre_start_kernel(**kwargs)

    return ForkedKernelManager
