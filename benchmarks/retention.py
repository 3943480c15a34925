"""Retention of five million account-months, beside plain pandas and saas-metrics (from PyPI) on the same ledger.

    python -m venv /somewhere/peer && /somewhere/peer/bin/pip install saas-metrics
    python -m benchmarks.retention [--accounts N] [--peer /somewhere/peer/bin/python]

A revenue ledger of 50 months is generated (a seed, no dirt) and kept as a warehouse file and as Parquet. Each tool runs
in a process of its own and is asked for the movements of every month and for cohort triangles by month of entry; this
package also by quarter. saas-metrics is no dependency and lives in an environment of its own; without `--peer` it is
left out. It counts the first month as new and has no intervals; both are compared on what they share. Seconds are
the tool's own work from its file to its tables, without starting Python and importing; MB is the process's peak.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

MONTHS = 50
FIRST = date(2022, 8, 1)
AS_OF = "2026-09-30"
TOOLS = ("revops", "pandas", "saas-metrics")
_PEER = """
import sys, json, time
import pandas as pd
import saas_metrics as sm
begun, computed = time.perf_counter(), time.process_time()
lines = pd.read_parquet(sys.argv[1]).rename(columns={"account_id": "customer_id", "month": "period", "mrr": "revenue"})
report = sm.analyze(lines, today=pd.Timestamp("2026-09-30").date())
seconds, cpu = time.perf_counter() - begun, time.process_time() - computed
assert report.ok, [(c.level, c.name, c.detail) for c in report.checks]
w, m, r = report.waterfall, report.metrics.iloc[-1], report.retention
lines = {"new": "new_logo"} | {name: name for name in ("expansion", "reactivation", "contraction", "churn")}
told = {name: float(w[column].iloc[1:].astype(float).sum()) for name, column in lines.items()}
told |= {"nrr": float(m["nrr_12m"]), "grr": float(m["grr_12m"]), "logo": float(m["logo_retention_12m"])}
told |= {"triangle_cells": len(r), "nrr_at_12_of_cohort_2": float(r[r["age"] == 12]["ndr"].iloc[1])}
peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024
print(json.dumps({"seconds": seconds, "cpu": cpu, "mb": peak, "figures": told}))
"""


def main() -> int:
    """Generate, run every tool, print the table; return 1 when this package failed."""
    options = _options()
    if options.child:
        print(json.dumps(_CHILDREN[options.child](Path(options.folder))))
        return 0
    with tempfile.TemporaryDirectory(prefix="revops-retention-") as folder:
        rows = write_ledger(Path(folder), options.accounts)
        print(f"{rows:,} account-months of {options.accounts:,} accounts")
        commands = {name: [sys.executable, "-m", "benchmarks.retention", "--child", name] for name in _CHILDREN}
        told = {name: _run([*command, "--folder", folder]) for name, command in commands.items()}
        if options.peer:
            told["saas-metrics"] = _run([options.peer, "-c", _PEER, str(Path(folder) / "ledger.parquet")])
    print(table(told))
    return int("error" in told["revops"])


def ledger(accounts: int, seed: int = 0) -> pd.DataFrame:
    """A row an account and month: account_id, month, mrr. Prices change twice a year; some leave, some come back."""
    rng = np.random.default_rng(seed)
    start = np.where(rng.random(accounts) < 0.6, 0, rng.integers(0, MONTHS, accounts))
    end = np.where(rng.random(accounts) < 0.6, MONTHS, start + rng.integers(3, 48, accounts))
    price = np.round(rng.lognormal(6, 1, accounts), 2)
    steps = 1 + rng.integers(-8, 13, (accounts, MONTHS // 6 + 1)) / 100
    account, month = np.nonzero((np.arange(MONTHS) >= start[:, None]) & (np.arange(MONTHS) < end[:, None]))
    there = rng.random(len(account)) > 0.005
    account, month = account[there], month[there]
    days = np.array(pd.date_range(FIRST, periods=MONTHS, freq="MS").date, dtype=object)
    names = np.array([f"001A0000{number:010d}" for number in range(accounts)], dtype=object)
    mrr = np.round(price[account] * steps[account, month // 6], 2)
    frame = pd.DataFrame({"account_id": names[account], "month": days[month], "mrr": mrr})
    return frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)


def write_ledger(folder: Path, accounts: int) -> int:
    """Write the ledger as `ledger.parquet` and as `ledger.duckdb` with all canonical tables; return its rows."""
    import ibis

    from revops_analysis.tables.warehouse import create_tables

    frame = ledger(accounts)
    frame.to_parquet(folder / "ledger.parquet", index=False)
    con = ibis.duckdb.connect(folder / "ledger.duckdb")
    create_tables(con)
    con.raw_sql(f"INSERT INTO revenue_ledger BY NAME SELECT account_id, month, mrr FROM '{folder / 'ledger.parquet'}'")
    con.raw_sql("INSERT INTO accounts BY NAME SELECT DISTINCT account_id FROM revenue_ledger")
    con.disconnect()
    return len(frame)


def _revops(folder: Path) -> dict[str, Any]:
    from revops_analysis.definitions import load_definitions
    from revops_analysis.metrics.retention import cohort_triangle, mrr_movements, retention_rates
    from revops_analysis.metrics.retention.ledger import month_number
    from revops_analysis.tables.snapshot import Snapshot
    from revops_analysis.tables.store import open_store
    from revops_analysis.tables.warehouse import WarehouseInfo

    day = date.fromisoformat(AS_OF)
    info = WarehouseInfo("bench", "0" * 16, day, ("accounts", "revenue_ledger"), path=folder / "ledger.duckdb")
    definitions = load_definitions(Path(__file__).resolve().parents[1] / "params" / "definitions.yml")
    snapshot = Snapshot(open_store(info), definitions, day)
    begun, computed = time.perf_counter(), time.process_time()
    moved = mrr_movements(snapshot).frame
    movements = time.perf_counter() - begun
    triangle = cohort_triangle(snapshot, "quarter")
    seconds, cpu = time.perf_counter() - begun, time.process_time() - computed
    peak = _peak_mb()
    monthly = cohort_triangle(snapshot, "month")
    with_monthly = time.perf_counter() - begun
    rates = retention_rates(snapshot, [month_number(day)]).frame.set_index("measure")["value"]
    lines = moved.groupby("line")["cents"].sum() / 100
    figures = {name: abs(float(lines[name])) for name in ("new", "expansion", "reactivation", "contraction", "churn")}
    figures |= {name: float(rates[name]) for name in ("nrr", "grr", "logo")}
    figures |= {"triangle_cells": int(triangle.grid("nrr").notna().sum().sum())}
    figures |= {"nrr_at_12_of_cohort_2": float(monthly.grid("nrr")[12].iloc[1])}
    more = {"movements": movements, "with triangle by month": with_monthly}
    return {"seconds": seconds, "cpu": cpu, "mb": peak, "figures": figures, "more": more}


def _pandas(folder: Path) -> dict[str, Any]:
    begun, computed = time.perf_counter(), time.process_time()
    frame = pd.read_parquet(folder / "ledger.parquet")
    wide = frame.pivot_table(index="account_id", columns="month", values="mrr", aggfunc="sum", fill_value=0.0)
    change = wide.diff(axis=1).iloc[:, 1:]
    was, now = wide.iloc[:, :-1].to_numpy() > 0, wide.iloc[:, 1:].to_numpy() > 0
    seen = np.maximum.accumulate(wide.iloc[:, :-1].to_numpy() > 0, axis=1)
    kinds = {
        "new": ~was & now & ~seen,
        "reactivation": ~was & now & seen,
        "churn": was & ~now,
        "expansion": was & now & (change.to_numpy() > 0),
        "contraction": was & now & (change.to_numpy() < 0),
    }
    figures = {name: abs(float(change.to_numpy()[mask].sum())) for name, mask in kinds.items()}
    then, last = wide.iloc[:, -13], wide.iloc[:, -1]
    base = then > 0
    figures["nrr"] = float(last[base].sum() / then[base].sum())
    figures["grr"] = float(np.minimum(last[base], then[base]).sum() / then[base].sum())
    figures["logo"] = float((last[base] > 0).mean())
    first = (wide > 0).to_numpy().argmax(axis=1)
    cells = {}
    for cohort in range(MONTHS):
        part = wide.to_numpy()[first == cohort][:, cohort:]
        cells[cohort] = part.sum(axis=0) / part[:, 0].sum()
    seconds, cpu = time.perf_counter() - begun, time.process_time() - computed
    figures["triangle_cells"] = sum(len(row) for row in cells.values())
    figures["nrr_at_12_of_cohort_2"] = float(cells[1][12])
    return {"seconds": seconds, "cpu": cpu, "mb": _peak_mb(), "figures": figures}


_CHILDREN = {"revops": _revops, "pandas": _pandas}


def table(told: dict[str, dict[str, Any]]) -> str:
    """A line a tool: seconds, memory and the figures that all of them give."""
    lines = []
    for name, answer in told.items():
        if "error" in answer:
            lines.append(f"{name}: failed: {answer['error']}")
            continue
        figures = ", ".join(f"{key} {value:,.6g}" for key, value in answer["figures"].items())
        more = "".join(f"; {key} {value:.2f} s" for key, value in answer.get("more", {}).items())
        lines.append(
            f"{name}: {answer['seconds']:.2f} s, CPU {answer['cpu']:.2f} s, {answer['mb']:,.0f} MB{more}\n  {figures}"
        )
    return "\n".join(lines)


def _run(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
    if done.returncode != 0:
        return {"error": " ".join(done.stderr.strip().splitlines()[-3:])}
    told = done.stdout[done.stdout.rindex('{"seconds"') :]  # an engine may have shown its progress before
    answer: dict[str, Any] = json.loads(told)
    return answer


def _peak_mb() -> float:
    """Peak memory of this process alone; `getrusage` would start from what the parent held."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retention", description=__doc__)
    parser.add_argument("--accounts", type=int, default=145_000)
    parser.add_argument("--peer", default="", help="Python of an environment that has saas-metrics")
    parser.add_argument("--child", default="", choices=["", *_CHILDREN], help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
