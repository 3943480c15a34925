"""The process that runs one step: `python -m benchmarks.child STEP ANSWER_FILE MEMORY_GB`."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from benchmarks.plain_pandas import PEERS
from benchmarks.steps import STEPS, prepare


def main() -> None:
    step, answer, memory_gb = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    if memory_gb:
        limit = int(memory_gb * 1024**3)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    name = step.removeprefix("pandas: ")
    run = PEERS[name] if step.startswith("pandas: ") else STEPS[name]
    context = prepare(step)
    begun, computed = time.perf_counter(), _cpu_seconds()
    facts = run(context)
    told = {"seconds": time.perf_counter() - begun, "cpu_seconds": _cpu_seconds() - computed, "facts": facts}
    answer.write_text(json.dumps(told, default=str), encoding="utf-8")


def _cpu_seconds() -> float:
    """Computing time so far of this process and of the children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    main()
