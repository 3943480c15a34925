"""`python -m benchmarks.floor [--seeds N] [--first N] [--scenario NAME] [--without KIND …]`: the floor, measured."""

from __future__ import annotations

import argparse
import time

from benchmarks.floor.belief import EVIDENCE
from benchmarks.floor.errors import accuracy, brier, floor_errors, reliability
from revops_analysis.simulation.options import MEANINGS


def main() -> None:
    """Print accuracy by week, reliability of the chances, Brier scores and CPU seconds a seed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floor", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--scenario", choices=list(MEANINGS), default="default")
    parser.add_argument("--without", nargs="*", choices=EVIDENCE, default=[], help="evidence that is not looked at")
    options = parser.parse_args()
    evidence = tuple(kind for kind in EVIDENCE if kind not in options.without)
    begun = time.process_time()
    seeds = range(options.first, options.first + options.seeds)
    errors, chances = floor_errors(seeds, scenario=options.scenario, evidence=evidence)
    spent = (time.process_time() - begun) / options.seeds
    print(accuracy(errors).round(4).to_string())
    print(reliability(chances).round(4).to_string())
    scores = {name: round(brier(chances, f"{name}_probability"), 5) for name in ("win", "informed")}
    print(f"Brier {scores}, {len(chances)} deals and cutoffs; {spent:.2f} s CPU a seed")


if __name__ == "__main__":
    main()
