"""How long the findings over many cuts take, beside the same comparisons cut by cut in plain pandas.

`python -m benchmarks.findings_speed [--scale S]`

A simulated company straight in memory; each comparing detector of pipeline and retention once, with what it reads. The
plain peer takes the closed deals as a frame and, for every cut and span of `win_rate_drop`, filters both sides and asks
scipy for Fisher's exact test; it controls nothing, weighs nothing and says nothing.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import pandas as pd

DETECTORS = (
    *("win_rate_drop", "stage_slowed", "stage_conversion_drop", "seller_stalls", "deal_size_drop"),
    *("cycle_longer", "pipeline_created_drop", "nrr_decline", "grr_decline"),
)
TARGET = 10.0
"""Seconds for more than 200 cuts, scale 1."""


def main() -> int:
    """Print the table; 1 if the target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.findings_speed", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    scale = parser.parse_args().scale
    rows = measure(scale)
    print(rows.to_string(index=False, float_format="{:.2f}".format))
    ours = rows[rows["step"].isin(DETECTORS)]
    print(f"{ours['cuts'].sum():,} cuts, {ours['comparisons'].sum():,} comparisons: {ours['wall_s'].sum():.2f} s.")
    return int(ours["wall_s"].sum() > TARGET)


def measure(scale: float) -> pd.DataFrame:
    """A row a step: cuts, comparisons, seconds of computing and by the clock."""
    from benchmarks.findings_company import company
    from revops_analysis.findings import win_rate
    from revops_analysis.findings.playbook import load_playbook
    from revops_analysis.findings.registry import Question, assess
    from revops_analysis.periods import parse_period

    snapshot = company(0, "default", scale).snapshot
    snapshot.deals.count().execute()
    playbook = load_playbook(Path(__file__).resolve().parents[1] / "params" / "playbook.yml")
    question = Question(snapshot, parse_period("2026-Q3", snapshot.definitions.fiscal_calendar), playbook)
    rows = []
    for name in DETECTORS:
        begin = time.process_time(), time.perf_counter()
        found = assess(question, name).comparisons
        rows.append(_row(name, begin, found["cut"].nunique(), len(found)))
    cases = win_rate.closed_cases(snapshot, question.end, list(win_rate.CUTS))
    frame = cases.frame.assign(won=cases.hit)
    begin = time.process_time(), time.perf_counter()
    cuts, comparisons = plain(frame)
    rows.append(_row("win_rate_drop, plain pandas and scipy", begin, cuts, comparisons))
    return pd.DataFrame(rows)


def _row(step: str, begin: tuple[float, float], cuts: int, comparisons: int) -> dict[str, Any]:
    cpu, wall = time.process_time() - begin[0], time.perf_counter() - begin[1]
    return {"step": step, "cuts": cuts, "comparisons": comparisons, "cpu_s": cpu, "wall_s": wall}


def plain(frame: pd.DataFrame) -> tuple[int, int]:
    """Every cut and span, one after the other: how many cuts and comparisons."""
    from scipy.stats import fisher_exact

    names = ["segment", "source", "product", "type"]
    wanted = [[], *([name] for name in names), *(["segment", name] for name in names[1:])]
    cuts = comparisons = 0
    for columns in wanted:
        groups = [group for _, group in frame.groupby(columns, dropna=False)] if columns else [frame]
        for group in groups:
            cuts += 1
            for span in (1, 2, 4):
                late = group[group["slice"] < span]
                early = group[(group["slice"] >= span) & (group["slice"] < span + 8)]
                table = [[side["won"].sum(), len(side) - side["won"].sum()] for side in (late, early)]
                fisher_exact(table, alternative="less")
                comparisons += 1
    return cuts, comparisons


if __name__ == "__main__":
    raise SystemExit(main())
