"""Movement of the pipeline between any two days, beside plain pandas, from the same load.

    python -m benchmarks.movement [--scale N] [--folder PROJECT]

Scale 100 has about a million deals. The company is simulated and loaded first, outside the clock; `--folder` keeps the
project, and a second run finds it there. Each tool runs in a process of its own. Seconds are the work from the loaded
tables to the lines: both days' states of every deal rebuilt from history, compared, and summed; MB is the peak of the
process. Plain pandas knows created, won, lost, amount and the ends; it prices lost deals as on the first day, and has
no reopened, restored, omitted or moved deals, no split of exchange rate from amount, and no cents that are exact.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.measure import Measurement, Place, measure
from benchmarks.plain_pandas import deals_on
from benchmarks.steps import Context, make_project

START, END = "2026-06-30", "2026-09-29"
"""Neither is the as-of date, so the states of both days must be made."""

Facts = dict[str, Any]


def main() -> int:
    """Prepare, run both tools, print a line each; return 1 when this package failed."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="revops-movement-") as temporary:
        home = Path(options.folder or temporary)
        place = Place(home, options.memory_gb)
        if not (home / "warehouse" / "pandas").is_dir():
            make_project(home, options.scale)
            for step in ("simulate", "load", "pandas: load"):
                print(_line(measure(step, options.scale, place)), file=sys.stderr)
        told = [measure(step, options.scale, place) for step in ("movement", "pandas: movement")]
    print("\n".join(_line(one) for one in told))
    return int(told[0].failed is not None)


def movement(context: Context) -> Facts:
    """The movement of the whole open pipeline, and the deals of one of its lines, largest first."""
    from revops_analysis.metrics.movement import movement_between

    found = movement_between(context.workspace, START, END)
    lines = found.lines.set_index("line")
    facts = {name: round(float(lines["value"][name]), 2) for name in ("opening", "created", "won", "lost", "closing")}
    return {**facts, "deals": int(found.reasons["deals"].sum()), "drilled": len(found.moved.of("lost", 1000))}


def in_pandas(context: Context) -> Facts:
    """What an analyst would write: two states, an outer merge, and sums by what became of each deal."""
    first, last = (_pipeline(deals_on(context, day)) for day in (START, END))
    both = first.merge(last, on="opportunity_id", how="outer", suffixes=("_0", "_1"))
    was, now = both["status_0"] == "open", both["status_1"] == "open"
    a0, a1 = both["amount_0"].fillna(0), both["amount_1"].fillna(0)
    ended = both["status_1"].isin(["won", "lost"]) & (was | both["status_0"].isna())
    lines = {
        "opening": a0[was].sum(),
        "created": a1[both["status_0"].isna() & (now | ended)].sum(),
        "amount": (a1 - a0)[was & (now | ended)].sum(),
        "won": -a1[ended & (both["status_1"] == "won")].sum(),
        "lost": -a0[ended & (both["status_1"] == "lost")].sum(),
        "closing": a1[now].sum(),
    }
    return {name: round(float(value), 2) for name, value in lines.items()}


def _pipeline(state: pd.DataFrame) -> pd.DataFrame:
    kept = state[state["type"].isin(["new", "expansion"]) & (state["forecast_category"] != "Omitted")]
    return kept[["opportunity_id", "status", "amount"]]


def _line(result: Measurement) -> str:
    done = f"failed: {result.failed}"
    if result.failed is None:
        done = f"{result.seconds:8.2f} s, CPU {result.cpu_seconds:.2f} s"
    return f"×{result.scale:g}  {result.step:20s} {done}  {result.peak_mb} MB  {result.facts}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.movement", description=__doc__)
    parser.add_argument("--scale", type=float, default=100)
    parser.add_argument("--folder", default="", help="keep the project here, and use the one that is there")
    parser.add_argument("--memory-gb", type=float, default=12, help="memory a process may ask for; 0: no limit")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
