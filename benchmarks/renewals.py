"""Renewals at risk and net retention ahead, scored against what the simulated company really did afterwards.

`python -m benchmarks.renewals [--seeds N] [--first S]`

Each seed is a company of its own, simulated and loaded, looked at as of 30 September 2026. The terms booked in the two
quarters after that day are in the truth, which no workspace sees: they say which renewals came. Beside the model stand
the rate of the segment and the rate of all renewals; beside the forecast of net retention, "it stays" and the mean of
the last four quarters, over all past quarters.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.forecast_accuracy import simulated_workspace

AS_OF = date(2026, 9, 30)
DAYS = 90


def main() -> int:
    """Score every seed and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.renewals", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    options = parser.parse_args()
    rows, tables = [], []
    for seed in range(options.first, options.first + options.seeds):
        with tempfile.TemporaryDirectory(prefix="revops-renewals-") as folder:
            found, forecast = score(Path(folder), seed)
        rows.append(found.assign(seed=seed))
        tables.append(forecast.backtest.assign(seed=seed))
        print(f"seed {seed} done", file=sys.stderr)
    print(report(pd.concat(rows, ignore_index=True), pd.concat(tables, ignore_index=True)))
    return 0


def score(folder: Path, seed: int) -> tuple[pd.DataFrame, Any]:
    """The renewals of one company with each method's chance and what became of them; and its NRR forecast."""
    from revops_analysis.models.lifetime.nrr_forecast import nrr_forecast
    from revops_analysis.models.lifetime.renewal_model import SegmentRates
    from revops_analysis.models.lifetime.renewal_risk import renewal_history, renewal_risk

    workspace = simulated_workspace(folder, "default", seed)
    risk, history = renewal_risk(workspace), renewal_history(workspace)
    known = history.panel.known_at(AS_OF)
    decided = known[known["lost"].notna()]
    rates = SegmentRates().fit(decided)
    lots = history.panel.at(AS_OF)
    lots = lots[lots["lead_days"] <= DAYS].assign(segment_rates=rates.predict_proba)
    due = risk.within(DAYS).merge(
        lots[["account_id", "ended_on", "segment_rates"]],
        left_on=["account_id", "ends_on"],
        right_on=["account_id", "ended_on"],
    )
    base = decided.drop_duplicates(["account_id", "ended_on"])["lost"].mean()
    return due.assign(base_rate=base, lost=~_renewed(folder, due)), nrr_forecast(workspace)


def _renewed(folder: Path, due: pd.DataFrame) -> pd.Series:
    """Whether a term in the truth renews each lot, by the rule of the panel."""
    [path] = folder.glob("warehouse/*/_generated/*/truth/later_subscriptions.parquet")
    later = pd.read_parquet(path)
    later = later.assign(started=pd.to_datetime(later["started_on"]))
    pairs = due[["account_id", "ends_on"]].merge(later[["account_id", "started"]], on="account_id")
    within = (pairs["started"] > pairs["ends_on"]) & (pairs["started"] <= pairs["ends_on"] + pd.Timedelta(days=60))
    renewed = pairs.loc[within, ["account_id", "ends_on"]].drop_duplicates().assign(renewed=True)
    return due.merge(renewed, on=["account_id", "ends_on"], how="left")["renewed"].notna()


def report(rows: pd.DataFrame, table: pd.DataFrame) -> str:
    """Scores of the chances, expected against real loss by seed, errors and coverage of net retention."""
    from revops_analysis.models.accuracy import errors_by
    from revops_analysis.models.probability_scores import score_probabilities
    from revops_analysis.models.range_scores import interval_coverage

    lines = [f"{len(rows):,} renewals within {DAYS} days after {AS_OF}, {int(rows['lost'].sum())} lost"]
    names = ("probability", "segment_rates", "base_rate")
    lost = rows["lost"].astype(float)
    scored = {name: score_probabilities(lost, rows[name]).set_index("score")["value"] for name in names}
    lines.append(pd.DataFrame(scored).T.to_string(float_format="{:.4f}".format))
    p = rows["probability"]
    money = rows.assign(real=lost * rows["arr"], spread=p * (1 - p) * rows["arr"] ** 2)
    by_seed = money.groupby("seed")[["arr", "expected_loss", "real", "spread"]].sum()
    by_seed["sd"] = np.sqrt(by_seed.pop("spread"))
    lines.append(by_seed.to_string(float_format="{:,.0f}".format))
    lines.append(errors_by(table, ("method", "horizon")).to_string(float_format="{:.4f}".format))
    chosen = table[table["method"].isin(["chosen", "account_model"])]
    covered = interval_coverage(chosen, ("method", "horizon"))
    lines.append(covered.drop(columns=["reason"]).to_string(float_format="{:.3f}".format))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
