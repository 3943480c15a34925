"""How far every model's shares of credit lie from the true effects of channels, on simulated companies.

`python -m benchmarks.attribution_truth [--seeds N] [--first S]`

The truth of a channel is the bookings that are lost when it is switched off and everything else stays equal
(`channel_effects`, docs/sample-company.md). Effects do not add up to the bookings, credit does; so shares are compared:
each channel's part of all effects with its part of all credit, over the whole history. `error` is half the sum of the
absolute differences: the part of a budget, handed out by credit, that would go to another channel by effect.

No model sees effects. Three rules that know no touches at all stand beside them: equal shares, shares of touches, and
the part of bookings whose CRM source names the channel's team. Touches while a deal is open follow from interest and
not from the channel, so models that count them are expected to err more than those that stop at creation; the table
shows by how much.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.forecast_accuracy import simulated_workspace

WARNING = (
    "Credit is not causal lift. A model shares out the deals there were among the touches that were recorded; it does "
    "not know which deals would have come anyway, and buyers who are interested answer more while their deal is open."
)


def main() -> int:
    """Score every seed, print the table of models and the one of channels, return 0."""
    options = _options()
    rows = []
    for seed in range(options.first, options.first + options.seeds):
        with tempfile.TemporaryDirectory(prefix="revops-truth-") as folder:
            rows.append(score(Path(folder), seed))
        print(f"seed {seed} done", file=sys.stderr)
    frame = pd.concat(rows, ignore_index=True)
    print(by_model(frame).to_string(float_format="{:.3f}".format), "\n")
    print(by_channel(frame).to_string(float_format="{:.3f}".format), "\n")
    print(WARNING)
    return 0


def score(folder: Path, seed: int) -> pd.DataFrame:
    """Shares by model and channel of one company, beside the true ones: seed, model, channel, share, truth."""
    workspace = simulated_workspace(folder / "project", "default", seed)
    truth = true_shares(folder / "company", seed)
    told = {**credited(workspace), **rules_without_models(workspace, truth.index)}
    blocks = []
    for model, amounts in told.items():
        kept = amounts.reindex(truth.index).fillna(0.0)
        share = kept / kept.sum()
        blocks.append(
            pd.DataFrame({"model": model, "channel": truth.index, "share": share.values, "truth": truth.values})
        )
    return pd.concat(blocks, ignore_index=True).assign(seed=seed)


def true_shares(folder: Path, seed: int) -> pd.Series:
    """Each channel's part of all bookings lost by switching channels off one at a time."""
    from revops_analysis.simulation import SimulationOptions, simulate

    simulate(folder, SimulationOptions(seed=seed))
    effects = pd.read_parquet(folder / "truth" / "channel_effects.parquet")
    lost = effects.groupby("channel")["bookings_lost_usd"].sum().astype(float).sort_index()
    return lost / lost.sum()


def credited(workspace: Any) -> dict[str, pd.Series]:
    """Bookings credited to each channel by every model, over the whole history."""
    from revops_analysis.attribution.credit import compare, credit
    from revops_analysis.attribution.journeys import journeys
    from revops_analysis.attribution.path_models import markov_totals
    from revops_analysis.attribution.totals import Cut

    made, cut = journeys(workspace), Cut(view="period")
    frames = [compare(made, cut=cut), *(credit(made, name).totals(cut=cut) for name in ("markov_by_deal", "shapley"))]
    frame = pd.concat(frames, ignore_index=True)
    frame = frame[frame["attributed"] & frame["channel"].notna()]
    found = {
        str(model): rows.set_index("channel")["bookings"].astype(float)
        for model, rows in frame.groupby("model", sort=False)
    }
    for order in (1, 2, 3):
        chain = markov_totals(made, order=order)
        known = chain[chain["channel"].notna()].set_index("channel")["bookings"].astype(float)
        found["markov" if order == 1 else f"markov, order {order}"] = known
    return found


def rules_without_models(workspace: Any, channels: pd.Index) -> dict[str, pd.Series]:
    """What one would say without a model: equal shares, shares of touches, and the CRM's source field by team."""
    from revops_analysis.attribution.journeys import journeys

    touches = journeys(workspace).touches
    counts = touches.group_by("channel").aggregate(n=touches.count()).to_pandas().dropna().set_index("channel")["n"]
    definitions = workspace.definitions
    deals = workspace.deals.filter((workspace.deals.status == "won") & workspace.deals.is_headline)
    booked = deals.select("source", "amount").to_pandas().dropna()
    team = booked["source"].map(dict(definitions.source_teams))
    by_team = booked["amount"].astype(float).groupby(team).sum()
    teams = pd.Series({name: definitions.channel_teams.get(name) for name in channels})
    per_channel = teams.map(by_team).fillna(0.0) / teams.map(teams.value_counts())
    return {
        "(equal shares)": pd.Series(1.0, index=channels),
        "(number of touches)": counts.astype(float),
        "(CRM source, by team)": per_channel,
    }


def by_model(frame: pd.DataFrame) -> pd.DataFrame:
    """Error and rank correlation by model: mean, smallest and largest over the seeds; the best model first."""
    scored = []
    for (model, seed), rows in frame.groupby(["model", "seed"], sort=False):
        error = float((rows["share"] - rows["truth"]).abs().sum() / 2)
        rank = float(rows["share"].corr(rows["truth"], method="spearman")) if np.ptp(rows["share"]) > 0 else np.nan
        scored.append({"model": model, "seed": seed, "error": error, "rank": rank})
    table = (
        pd.DataFrame(scored)
        .groupby("model", sort=False)
        .agg(
            error=("error", "mean"),
            least=("error", "min"),
            most=("error", "max"),
            rank_correlation=("rank", "mean"),
            seeds=("error", "size"),
        )
    )
    return table.sort_values("error", kind="stable")


def by_channel(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean share of each channel by model, and in truth."""
    shares = frame.pivot_table(index="channel", columns="model", values="share", sort=False)
    truth = frame.groupby("channel")["truth"].mean().rename("truth")
    kept = [name for name in ("w_shaped", "first_touch", "last_touch", "linear", "markov", "shapley") if name in shares]
    return pd.concat([truth, shares[kept]], axis=1).sort_values("truth", ascending=False)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attribution_truth", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
