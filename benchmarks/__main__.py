"""`python -m benchmarks [SCALE …] [--only TEXT] [--memory-gb N] [--no-pandas]`; scales by default 1, 10 and 100."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Measurement, Place, measure
from benchmarks.plain_pandas import PEERS
from benchmarks.steps import all_steps, make_project
from benchmarks.tables import PEER, as_markdown, write

RESULTS = Path(__file__).parent / "results"
NEEDED = ("simulate", "load")
"""Steps that every other one builds on; they run even if `--only` leaves them out."""


def main() -> int:
    """Measure, print the table and return 0, or 1 when a step of this package failed."""
    options = _options()
    results: list[Measurement] = []
    for scale in options.scales:
        with tempfile.TemporaryDirectory(prefix="revops-bench-", dir=options.folder) as folder:
            make_project(Path(folder), scale)
            for step in _plan(options):
                result = measure(step, scale, Place(Path(folder), options.memory_gb))
                print(_line(result), file=sys.stderr)
                results.append(result)
                write(results, RESULTS)
    print(as_markdown(results))
    return int(any(result.failed and not result.step.startswith(PEER) for result in results))


def _line(result: Measurement) -> str:
    done = f"failed: {result.failed}"
    if result.failed is None:
        done = f"{result.seconds:8.2f} s, CPU {result.cpu_seconds:.2f} s"
    return f"×{result.scale:g}  {result.step:30s} {done}  {result.peak_mb} MB  {result.facts}"


def _plan(options: argparse.Namespace) -> list[str]:
    """Steps in order, each with its peer after it; the last step empties the warehouse, so it stays last."""
    plan = []
    for step in all_steps():
        if step in NEEDED or options.only in step:
            plan.append(step)
        if step in PEERS and not options.no_pandas and (step == "load" or options.only in step):
            plan.append(PEER + step)
    return plan


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("scales", nargs="*", type=float, default=[1, 10, 100])
    parser.add_argument("--only", default="", help="measure only steps whose name holds this text")
    parser.add_argument("--memory-gb", type=float, default=12, help="memory a process may ask for; 0: no limit")
    parser.add_argument("--no-pandas", action="store_true", help="leave plain pandas out")
    parser.add_argument("--folder", default=None, help="where to make the projects; by default the temporary folder")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
