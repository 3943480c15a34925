"""False alarms and power of the findings, on simulated companies whose problems are known.

`python -m benchmarks.findings_power [--null N] [--planted N] [--scale S] [--kept FOLDER] [--processes P]`

Null: companies in which nothing is wrong; the share of runs with a critical finding that is false, with any that is
proven, and with anything on the watch list. Findings that rest on comparisons are all false there; that coverage is too
thin is false where the target of the next quarter was reached after all. Planted: a seller whose deals stall, a segment
whose win rate fell ten points, a stage that slowed by half. Found is what names the planted cut, or part of it, among
all the cuts of all detectors of deals: proven, or at least on the watch list. Beside it the test that knows where to
look, and since when: the same statistic and data, the planted cut alone, at 5% one-sided without correction.

Each seed is a company of its own, three to five seconds of computing at scale 1. Results are kept as they come, a row a
company, in FOLDER/findings_power.csv, and what is there is not done again; every comparison of a company, with its
p-value and weight, is in FOLDER/comparisons/, so that another control can be tried without computing them again.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import pandas as pd

PERIOD = "2026-Q3"
NEXT = "2026-Q4"
PLANTED = {
    "stalling_seller": ("owner_id", 4),
    "segment_win_rate_drop": ("segment", 3),
    "slow_stage": ("stage", 4),
}
"""By scenario: the dimension of the planted cut, and for how many times 13 weeks it has been so."""
DEALS = (
    *("win_rate_drop", "stage_slowed", "stage_conversion_drop", "seller_stalls"),
    *("deal_size_drop", "cycle_longer", "pipeline_created_drop"),
)
COMPARING = (*DEALS, "nrr_decline", "grr_decline", "worsening_cohort")
FACTS = ("overdue_pipeline", "pipeline_concentration", "coverage_below_required")
FOUND_BY = {
    "stalling_seller": ("seller_stalls",),
    "segment_win_rate_drop": ("win_rate_drop", "stage_conversion_drop"),
    "slow_stage": ("stage_slowed",),
}
LEVEL = 0.05
MOST_FALSE, LEAST_POWER = 0.05, 0.95
FIELDS = (
    *("scenario", "seed", "scale", "seconds", "comparisons", "findings", "watched", "critical", "false_critical"),
    *("found", "watched_or_found", "oracle_p", "oracle_found", "confidence"),
)


def main() -> int:
    """Compute what is not kept yet, print the table; 1 if a target is missed."""
    options = _options()
    kept = Path(options.kept) / "findings_power.csv"
    kept.parent.mkdir(parents=True, exist_ok=True)
    jobs = [("null", seed, options.scale) for seed in range(options.null)]
    jobs += [(scenario, seed, options.scale) for scenario in PLANTED for seed in range(options.planted)]
    done = _done(kept)
    run([(*job, str(kept.parent)) for job in jobs if job not in done], kept, options.processes)
    frame = _read(kept)
    table = summary(frame[[row in set(jobs) for row in _keys(frame)]])
    print(table.to_string(index=False, float_format="{:.3f}".format))
    misses = [table.get("false_critical", pd.Series()) > MOST_FALSE, table.get("of_oracle", pd.Series()) < LEAST_POWER]
    return int(any(miss.any() for miss in misses))


def run(jobs: list[tuple[str, int, float, str]], kept: Path, processes: int) -> None:
    """Do the jobs and append a row each as it comes."""
    if not jobs:
        return
    is_new = not kept.exists()
    with kept.open("a", newline="", encoding="utf-8") as file, ProcessPoolExecutor(processes) as pool:
        writer = csv.DictWriter(file, FIELDS)
        if is_new:
            writer.writeheader()
        waiting = [pool.submit(one_company, *job) for job in jobs]
        for number, future in enumerate(as_completed(waiting), 1):
            writer.writerow(future.result())
            file.flush()
            if number % 20 == 0:
                print(f"{number} of {len(jobs)} companies", file=sys.stderr)


def one_company(scenario: str, seed: int, scale: float, folder: str) -> dict[str, Any]:
    """The findings of one company, judged: a row of `FIELDS`. Its comparisons are written to the folder."""
    from benchmarks.findings_company import company
    from revops_analysis.findings.playbook import load_playbook
    from revops_analysis.findings.registry import Question, assess
    from revops_analysis.periods import parse_period

    begin = time.process_time()
    made = company(seed, scenario, scale)
    calendar = made.snapshot.definitions.fiscal_calendar
    playbook = load_playbook(Path(__file__).resolve().parents[1] / "params" / "playbook.yml")
    question = Question(made.snapshot, parse_period(PERIOD, calendar), playbook)
    answers = {name: assess(question, name) for name in ((*COMPARING, *FACTS) if scenario == "null" else DEALS)}
    found = [finding for answer in answers.values() for finding in answer.findings]
    compared = Path(folder) / "comparisons" / f"{scenario}_{scale:g}_{seed}.parquet"
    compared.parent.mkdir(parents=True, exist_ok=True)
    tables = [answer.comparisons for answer in answers.values() if len(answer.comparisons)]
    pd.concat(tables, ignore_index=True).to_parquet(compared)
    critical = [finding.id for finding in found if finding.severity == "critical"]
    row = {
        "scenario": scenario,
        "seed": seed,
        "scale": scale,
        "comparisons": sum(len(answer.comparisons) for answer in answers.values()),
        "findings": " ".join(finding.id for finding in found if finding.is_proven),
        "watched": " ".join(finding.id for finding in found if not finding.is_proven),
        "critical": " ".join(critical),
        "false_critical": sum(_is_false(name, made, question) for name in critical) if scenario == "null" else "",
        **(_power(scenario, made, question, found) if scenario in PLANTED else {}),
    }
    return {**row, "seconds": round(time.process_time() - begin, 2)}


def _is_false(name: str, made: Any, question: Any) -> bool:
    """Whether a critical finding in a company in which nothing is wrong is false."""
    from revops_analysis.periods import parse_period

    detector = name.split(":", maxsplit=1)[0]
    if detector in COMPARING:
        return True
    if detector == "coverage_below_required":
        ahead = parse_period(NEXT, question.snapshot.definitions.fiscal_calendar)
        target = float(question.metric("target", NEXT).frame["value"].iloc[0])
        return bool(made.bookings(ahead) >= target)
    return False  # a count or a sum


def _power(scenario: str, made: Any, question: Any, found: list[Any]) -> dict[str, Any]:
    dimension, span = PLANTED[scenario]
    part = f"{dimension}={made.planted[1]}"
    named = [f for f in found if f.id.split(":")[0] in FOUND_BY[scenario] and part in f.id.split(":")[1:]]
    oracle = _oracle(scenario, question, ((dimension, made.planted[1]),), span)
    return {
        "found": int(any(finding.is_proven for finding in named)),
        "watched_or_found": int(bool(named)),
        "oracle_p": oracle,
        "oracle_found": int(oracle <= LEVEL),
        "confidence": max((finding.confidence for finding in named), default=""),
    }


def _oracle(scenario: str, question: Any, dims: Any, span: int) -> float:
    """The p-value of the planted cut alone, since the day it was planted."""
    from revops_analysis.findings import cuts, seller_pace, stage_pace, win_rate
    from revops_analysis.statistics.stratified import compare_rates, compare_shares

    names = [(name,) for name, _ in dims]
    if scenario == "segment_win_rate_drop":
        cases = win_rate.closed_cases(question.snapshot, question.end, ["segment", "source", "product", "type"])
        rows = cuts.changes(cases, names, compare_shares, (span,))
    elif scenario == "slow_stage":
        rows = cuts.changes(stage_pace.pace_cases(question), names, compare_rates, (span,))
    else:
        rows = cuts.departures(seller_pace.seller_cases(question), names, span, compare_rates)
    return float(rows.loc[rows["dims"] == dims, "p_lower"].iloc[0])


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """A row a scenario and scale: runs, false criticals or power with Wilson's interval, and the oracle's power."""
    from revops_analysis.statistics.intervals import wilson_interval

    rows = []
    for (scenario, scale), part in frame.groupby(["scenario", "scale"], sort=False):
        n, row = len(part), {"scenario": scenario, "scale": scale, "runs": len(part)}
        row |= {"cpu_s": part["seconds"].median(), "comparisons": part["comparisons"].median()}
        if scenario == "null":
            false = int((part["false_critical"] > 0).sum())
            proven, watched = (int(part[name].fillna("").map(_compared).sum()) for name in ("findings", "watched"))
            row |= {"false_critical": false / n, "high": wilson_interval([false], [n])[1][0]}
            row |= {"any_proven": proven / n, "any_watched": watched / n}
        else:
            low, high = wilson_interval([part["watched_or_found"].sum()], [n])
            row |= {"proven": part["found"].mean(), "power": part["watched_or_found"].mean()}
            row |= {"low": low[0], "high": high[0], "oracle": part["oracle_found"].mean()}
            row |= {"of_oracle": part["watched_or_found"].mean() / max(part["oracle_found"].mean(), 1e-9)}
        rows.append(row)
    return pd.DataFrame(rows)


def _compared(findings: str) -> bool:
    return any(name.split(":")[0] in COMPARING for name in findings.split())


def _keys(frame: pd.DataFrame) -> list[tuple[str, int, float]]:
    return list(zip(frame["scenario"], frame["seed"].astype(int), frame["scale"].astype(float), strict=True))


def _done(kept: Path) -> set[tuple[str, int, float]]:
    return set(_keys(_read(kept))) if kept.exists() else set()


def _read(kept: Path) -> pd.DataFrame:
    """The rows kept; "null" is the name of a scenario and no missing value."""
    frame = pd.read_csv(kept, keep_default_na=False)
    numbers = ["seconds", "comparisons", "false_critical", "found", "watched_or_found", "oracle_found"]
    return frame.assign(**{name: pd.to_numeric(frame[name]) for name in numbers})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.findings_power", description=__doc__)
    parser.add_argument("--null", type=int, default=200, help="companies in which nothing is wrong")
    parser.add_argument("--planted", type=int, default=100, help="companies a planted problem")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--kept", default=str(Path(tempfile.gettempdir()) / "revops_findings_power"))
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
