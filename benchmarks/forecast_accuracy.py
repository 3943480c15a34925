"""How far every forecaster misses on simulated companies, beside the achievable floor.

`python -m benchmarks.forecast_accuracy [--seeds N] [--first S] [--scenario NAME]`

Each seed is a company of its own: simulated, loaded, its past quarters forecast at weeks 2, 5, 8 and 11 by the deal
model, by every rival and by what is published (`chosen`), each from what was known on the day; and by the floor, which
knows the process and its parameters but sees of the deals only what the CRM shows. Rows of a seed are kept in
`benchmarks/results/forecast/` so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.steps import FOLDERS, SOURCE

RESULTS = Path(__file__).parent / "results" / "forecast"
AS_OF = date(2026, 9, 30)
WEEKS = (2, 5, 8, 11)
SCORED = 8
"""Quarters that are judged; those before them only teach the selection."""
TRAINING = 4


def main() -> int:
    """Run what is missing, print the tables, return 0."""
    options = _options()
    RESULTS.mkdir(parents=True, exist_ok=True)
    wanted = [(options.scenario, seed) for seed in range(options.first, options.first + options.seeds)]
    missing = [job for job in wanted if not _file(*job).exists()]
    with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool:
        jobs = {pool.submit(score, scenario, seed): seed for scenario, seed in missing}
        for done in as_completed(jobs):
            done.result()
            print(f"seed {jobs[done]} done", file=sys.stderr)
    frame = pd.concat([pd.read_parquet(_file(*job)) for job in wanted], ignore_index=True)
    print(report(frame))
    return 0


def score(scenario: str, seed: int) -> None:
    """Forecast one company's quarters by every method, and keep the rows."""
    if _file(scenario, seed).exists():  # another process did it in the meantime
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1), tempfile.TemporaryDirectory(prefix="revops-forecast-") as folder:
        frame = _rows(simulated_workspace(Path(folder), scenario, seed), scenario, seed)
    frame.to_parquet(_file(scenario, seed))


def _file(scenario: str, seed: int) -> Path:
    return RESULTS / f"{scenario}-{seed}.parquet"


def simulated_workspace(home: Path, scenario: str, seed: int) -> Any:
    """A project of its own with one company, loaded."""
    from revops_analysis import open_workspace
    from revops_analysis.project import find_project
    from revops_analysis.sources.load import load_source
    from revops_analysis.sources.profile import load_profile

    root = Path(__file__).resolve().parents[1]
    for folder in FOLDERS:
        shutil.copytree(root / folder, home / folder, dirs_exist_ok=True)
    shutil.copy(root / "pyproject.toml", home)
    profile = f"kind: sample\ndescription: A company to forecast.\nseed: {seed}\nscenario: {scenario}\n"
    (home / "params" / "sources" / f"{SOURCE}.yml").write_text(profile, encoding="utf-8")
    os.environ["REVOPS_HOME"] = str(home)  # what was set for other work would win over the folder
    project = find_project(home)
    load_source(load_profile(SOURCE, project), project)
    return open_workspace(SOURCE, as_of=AS_OF, project=project)


def _rows(workspace: Any, scenario: str, seed: int) -> pd.DataFrame:
    """The long table of a company: every method, `chosen`, `floor` and `informed`; squared errors of probabilities."""
    from revops_analysis.models.backtest import BacktestOptions, backtest
    from revops_analysis.models.bookings_model import BookingsModel, BookingsOptions
    from revops_analysis.models.cutoffs import Cutoff
    from revops_analysis.models.evidence import gather_evidence
    from revops_analysis.models.rivals import rivals
    from revops_analysis.models.selection import with_choice
    from revops_analysis.periods import parse_period

    calendar = workspace.definitions.fiscal_calendar
    evidence = gather_evidence(workspace, [Cutoff(AS_OF, parse_period("2026-Q4", calendar))])
    labels = evidence.past.drop_duplicates("period").sort_values("first_day")["period"].tolist()
    periods = [parse_period(label, calendar) for label in labels[TRAINING:]]
    watched = _Watched(BookingsModel(BookingsOptions(draws=4_000)), len(labels) - SCORED)
    tested = backtest(evidence, periods, (watched, *rivals(workspace.definitions)), BacktestOptions(WEEKS, workers=1))
    frame, _choices = with_choice(tested.frame)
    frame = frame[frame["period"].isin(labels[-SCORED:])]
    floor = _floor(evidence, frame, watched.seen, scenario, seed)
    return pd.concat([frame, floor], ignore_index=True).assign(seed=seed, scenario=scenario)


class _Watched:
    """The deal model, whose probabilities are noted as it forecasts.

    It is fitted again for each period that is judged (from `refits_from` past periods on), as whoever uses it does; of
    those before, which only teach the selection, for every second, to save time.
    """

    def __init__(self, model: Any, refits_from: int) -> None:
        self.model, self.name, self.title, self.refits_from = model, model.name, model.title, refits_from
        self.seen: dict[tuple[Any, str], pd.DataFrame] = {}
        self.fitted: Any = None

    def fit(self, evidence: Any) -> _Watched:
        over = evidence.past_periods
        if self.fitted is None or over >= self.refits_from or over % 2 == 0:
            self.fitted = self.model.fit(evidence)
        return self

    def forecast(self, evidence: Any, cutoff: Any) -> Any:
        expected = self.fitted.expect(evidence, cutoff)
        if hasattr(expected, "deals"):
            key = (pd.Timestamp(cutoff.day), cutoff.period.label)
            self.seen[key] = expected.deals[["opportunity_id", "probability"]]
        return self.fitted.forecast(evidence, cutoff)


def _floor(evidence: Any, frame: pd.DataFrame, seen: dict[Any, pd.DataFrame], scenario: str, seed: int) -> pd.DataFrame:
    """Rows of the floor and the informed forecaster, with squared errors of the floor's and the model's chances."""
    from benchmarks.floor import make_floor
    from revops_analysis.models.forecaster import QUANTILE_NAMES
    from revops_analysis.simulation.options import SimulationOptions

    floor = make_floor(SimulationOptions(seed=seed, scenario=scenario))
    facts = evidence.cutoffs.set_index(["cutoff", "period"])
    rows = []
    for (cutoff, period), group in frame.groupby(["cutoff", "period"], sort=True):
        fact = facts.loc[(cutoff, period)]
        said = floor.forecast(cutoff.date(), fact["first_day"].date(), fact["last_day"].date())
        base = group.iloc[0][["cutoff", "period", "week", "booked", "outcome"]].to_dict()
        quantiles = dict(zip(QUANTILE_NAMES, said.quantiles.values(), strict=True))
        scores = _scores(evidence, (cutoff, period), seen, said.deals)
        rows.append({**base, "method": "floor", "mean": said.mean, **quantiles, **scores})
        rows.append({**base, "method": "informed", "mean": said.informed_mean})
    return pd.DataFrame(rows)


def _scores(
    evidence: Any, key: tuple[Any, str], seen: dict[Any, pd.DataFrame], floor: pd.DataFrame
) -> dict[str, float]:
    """Summed squared errors of the floor's and the model's probabilities on the deals that both have."""
    states = evidence.states
    mine = states[(states["cutoff"] == key[0]) & (states["period"] == key[1])][["opportunity_id", "won"]]
    both = mine.merge(seen[key], on="opportunity_id").merge(floor, on="opportunity_id")
    return {
        "squared": float(((both["win_probability"] - both["won"]) ** 2).sum()),
        "squared_model": float(((both["probability"] - both["won"]) ** 2).sum()),
        "deals": len(both),
    }


def report(frame: pd.DataFrame) -> str:
    """The tables: error, bias and coverage by method; against the floor and the best rival, with intervals."""
    rows = [_line(name, group) for name, group in frame.groupby("method", sort=True)]
    table = pd.DataFrame(rows).sort_values("WAPE")
    floor = frame[frame["method"] == "floor"]
    lines = [table.to_string(index=False, float_format=lambda value: f"{value:.4f}")]
    rivals = [m for m in table["method"] if m not in ("floor", "informed", "chosen", "deal_model")]
    for name in ("chosen", "deal_model"):
        for other in ("floor", rivals[0]):
            ratio, low, high = paired_ratio(frame, name, other)
            lines.append(f"WAPE of {name} ÷ {other}: {ratio:.3f} (95% {low:.3f}–{high:.3f}, by seed and quarter)")
    by_week = frame.assign(miss=(frame["mean"] - frame["outcome"]).abs()).groupby(["method", "week"])
    weekly = (by_week["miss"].sum() / by_week["outcome"].sum()).unstack()
    lines.append(weekly.loc[["floor", "chosen", "deal_model", rivals[0]]].to_string(float_format="{:.4f}".format))
    deals = floor["deals"].sum()
    lines.append(
        f"Brier on {deals:.0f} deal-cutoffs: floor {floor['squared'].sum() / deals:.5f}, "
        f"deal model {floor['squared_model'].sum() / deals:.5f}"
    )
    return "\n".join(lines)


def _line(name: Any, group: pd.DataFrame) -> dict[str, Any]:
    miss = group["mean"] - group["outcome"]
    total = group["outcome"].sum()
    bias, low, high = _clustered(group)
    inside = {
        label: float(((group["outcome"] >= group[a]) & (group["outcome"] <= group[b])).mean())
        for label, (a, b) in {"50%": ("p25", "p75"), "80%": ("p10", "p90"), "95%": ("p2_5", "p97_5")}.items()
    }
    has_range = group["p10"].notna().any()
    return {
        "method": name,
        "n": len(group),
        "WAPE": float(miss.abs().sum() / total),
        "bias": bias,
        "bias low": low,
        "bias high": high,
        **(inside if has_range else dict.fromkeys(inside, np.nan)),
        "width 80%": float((group["p90"] - group["p10"]).sum() / total) if has_range else np.nan,
    }


def _clustered(group: pd.DataFrame, repeats: int = 2_000) -> tuple[float, float, float]:
    """Bias with a 95% interval, seeds drawn with replacement."""
    sums = group.assign(miss=group["mean"] - group["outcome"]).groupby("seed")[["miss", "outcome"]].sum().to_numpy()
    drawn = np.random.default_rng(0).integers(0, len(sums), (repeats, len(sums)))
    total = sums[drawn].sum(axis=1)
    low, high = np.quantile(total[:, 0] / total[:, 1], [0.025, 0.975])
    return float(sums[:, 0].sum() / sums[:, 1].sum()), float(low), float(high)


def paired_ratio(frame: pd.DataFrame, name: str, other: str, repeats: int = 2_000) -> tuple[float, float, float]:
    """Ratio of two methods' WAPE over the cutoffs that both forecast, seed-quarters drawn with replacement."""
    keys = ["seed", "period", "cutoff"]
    two = frame[frame["method"].isin([name, other])].assign(miss=(frame["mean"] - frame["outcome"]).abs())
    wide = two.pivot_table(index=keys, columns="method", values="miss").dropna()
    sums = wide.groupby(["seed", "period"])[[name, other]].sum().to_numpy()
    drawn = np.random.default_rng(0).integers(0, len(sums), (repeats, len(sums)))
    total = sums[drawn].sum(axis=1)
    low, high = np.quantile(total[:, 0] / total[:, 1], [0.025, 0.975])
    return float(sums[:, 0].sum() / sums[:, 1].sum()), float(low), float(high)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecast_accuracy", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--scenario", default="default", help="a scenario of the sample company")
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
