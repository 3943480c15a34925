"""A process that imports the heavy libraries once and forks kernels from itself.

Importing takes about two seconds a kernel; a fork takes none. The process is started before the data is checked, so its
imports cost no waiting at all. It forks before any thread exists, any number is computed and any socket is opened:
what is shared are modules only.

Run as `python -m revops_analysis.reporting.kernel_server MODULE …`. Each line on standard input is a JSON object
{"arguments": [...], "cwd": "...", "environment": {...}}; each answer is {"pid": n}. It ends when its input ends.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
from typing import Any

from revops_analysis.heavy_imports import heavy_imports, keep_for_good


def preload(modules: list[str]) -> None:
    """Import what chapters will import. What cannot be imported is left for the chapter that imports it to report."""
    with heavy_imports():
        for module in modules:
            with contextlib.suppress(Exception):
                importlib.import_module(module)
    keep_for_good()


def serve() -> None:
    """Fork a kernel for each request until the input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system reaps; whoever asked watches the process id
    while line := sys.stdin.readline():
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become_kernel(request)
        sys.stdout.write(json.dumps({"pid": pid}) + "\n")
        sys.stdout.flush()


def _become_kernel(request: dict[str, Any]) -> None:
    """Turn this fork into a kernel with a process group of its own; never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.chdir(request["cwd"])
    os.environ.update(request["environment"])
    os.environ["JPY_PARENT_PID"] = str(os.getppid())  # a kernel whose server is gone ends by itself
    nowhere = os.open(os.devnull, os.O_RDWR)
    # What a cell prints travels as messages; what remains is the machinery's own chatter about kernels that were ended.
    for stream in (0, 1) if os.environ.get("REVOPS_DEBUG") else (0, 1, 2):
        os.dup2(nowhere, stream)
    status = 1
    try:
        from ipykernel.kernelapp import IPKernelApp

        sys.argv = ["ipykernel_launcher", *request["arguments"]]
        sys.path[0] = ""  # what the kernel's launcher would see: the chapter's folder
        IPKernelApp.launch_instance()
        status = 0
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else 1
    finally:
        os._exit(status)  # the server's own clean-up is not the kernel's


if __name__ == "__main__":
    preload(sys.argv[1:])
    serve()
