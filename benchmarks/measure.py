"""Run one step in a process of its own and say how long it took and how much memory it and its children held."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Measurement:
    """What a step cost.

    `seconds`: the step's own work by the wall clock, without starting Python and importing. `cpu_seconds`: what it and
    its children computed in that time, on all cores, which other work on the machine hardly changes. `peak_mb`: the
    largest memory that the process and its children held together, imports included. `facts`: what the step reports of
    its result. `failed`: why there is no time, or None.
    """

    step: str
    scale: float
    seconds: float | None
    cpu_seconds: float | None
    peak_mb: float | None
    facts: dict[str, object]
    failed: str | None = None


@dataclass(frozen=True)
class Place:
    """Where a scale's project lies, and how much memory a process may ask for (GB; 0: as much as there is)."""

    home: Path
    memory_gb: float


def measure(step: str, scale: float, place: Place) -> Measurement:
    """Run `python -m benchmarks.child STEP` on the project at `place` and collect its time, memory and facts."""
    with tempfile.NamedTemporaryFile("r", suffix=".json") as answer, tempfile.TemporaryFile("w+") as errors:
        command = [sys.executable, "-m", "benchmarks.child", step, answer.name, str(place.memory_gb)]
        environment = {**os.environ, "REVOPS_HOME": str(place.home)}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
        watcher = _Watcher(process.pid)
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        watcher.stop()
        peak = max(usage.ru_maxrss / 1024, watcher.peak_mb)
        if process.returncode != 0:
            errors.seek(0)
            lines = errors.read().strip().splitlines() or [f"exit code {process.returncode}"]
            is_full = "MemoryError" in lines[-1] or "OutOfMemory" in lines[-1] or process.returncode == -9
            reason = "out of memory" if is_full else " ".join(line.strip() for line in lines[-5:])
            return Measurement(step, scale, None, None, round(peak), {}, reason[:400])
        told = json.loads(Path(answer.name).read_text(encoding="utf-8"))
    return Measurement(step, scale, told["seconds"], told["cpu_seconds"], round(peak), told["facts"])


class _Watcher(threading.Thread):
    """Adds up the resident memory of a process and its descendants, again and again, and keeps the largest sum."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.peak_mb = 0.0
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(POLL_SECONDS):
            self.peak_mb = max(self.peak_mb, sum(_resident_mb(pid) for pid in _tree(self.pid)))

    def stop(self) -> None:
        self._done.set()
        self.join()


def _tree(pid: int) -> list[int]:
    found = [pid]
    for known in found:
        tasks = Path(f"/proc/{known}/task")
        try:
            for task in tasks.iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
        except OSError:  # ended between two looks
            continue
    return found


def _resident_mb(pid: int) -> float:
    """Proportional memory of a process, so that what a fork shares with its parent counts once; 0 once it has ended."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        return 0.0
    return 0.0
