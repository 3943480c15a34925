"""How far the deal model's mean is from the floor's, part by part, and how near anybody comes who has to learn rates.

`python -m benchmarks.forecast_gap [--seeds N] [--first S]`

The floor knows the parameters of the company and states the mean of what the CRM leaves open. Whoever says something
else errs as the floor does and by the distance beside it: squares add up. So the distance, which is not drowned in the
luck of a quarter as WAPE is, tells what there is to gain, and where.

The last line is what counting costs. Somebody who had everything from the floor but each type and segment's rate of
winning, and learned that from the deals there were, would be off by about √((1 − rate) ÷ wins) in each.
"""

from __future__ import annotations

import argparse
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.forecast_accuracy import AS_OF, SCORED, WEEKS, simulated_workspace

GROUP = ["type", "segment"]


def main() -> int:
    """Measure, print the table, return 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forecast_gap", description=__doc__)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    print(report(pd.concat([gaps(seed) for seed in seeds], ignore_index=True)))
    return 0


def gaps(seed: int) -> pd.DataFrame:
    """A row a quarter and week of one company: outcome, the floor's miss and the distance by part, in money."""
    from threadpoolctl import threadpool_limits

    from benchmarks.floor import make_floor
    from revops_analysis.models.bookings_model import BookingsModel, BookingsOptions
    from revops_analysis.models.cutoffs import Cutoff
    from revops_analysis.models.evidence import gather_evidence
    from revops_analysis.periods import parse_period
    from revops_analysis.simulation.options import SimulationOptions

    floor, rows = make_floor(SimulationOptions(seed=seed)), []
    with threadpool_limits(limits=1), tempfile.TemporaryDirectory(prefix="revops-gap-") as folder:
        workspace = simulated_workspace(Path(folder), "default", seed)
        calendar = workspace.definitions.fiscal_calendar
        evidence = gather_evidence(workspace, [Cutoff(AS_OF, parse_period("2026-Q4", calendar))])
        for label in evidence.past.drop_duplicates("period").sort_values("first_day")["period"].tail(SCORED):
            period = parse_period(label, calendar)
            before = evidence.known_at(period.start - timedelta(days=1))
            fitted = BookingsModel(BookingsOptions(draws=10)).fit(before)
            asked = evidence.past[(evidence.past["period"] == label) & evidence.past["week"].isin(WEEKS)]
            for _, fact in asked.iterrows():
                cutoff = Cutoff(fact["cutoff"].date(), period)
                mine = fitted.expect(evidence.known_at(cutoff.day), cutoff)
                best = floor.forecast(cutoff.day, period.start, period.end, draws=10)
                rows.append({"seed": seed, "period": label, **_parts(mine, best, fact, before.states)})
    return pd.DataFrame(rows)


def _parts(mine: Any, best: Any, fact: Any, known: pd.DataFrame) -> dict[str, float]:
    """What the model says beyond the floor, by part; `counting` is the spread that learning rates by counting has."""
    both = mine.deals.merge(best.deals, on="opportunity_id")
    chances = (both["probability"] - both["win_probability"]) * both["expected_price"]
    values = (both["value"] - both["expected_price"]) * both["probability"]
    at_stake = (both["win_probability"] * both["expected_price"]).groupby([both[name] for name in GROUP]).sum()
    return {
        "outcome": float(fact["bookings"]),
        "floor_miss": best.mean - float(fact["bookings"]),
        "total": mine.mean - best.mean,
        "chances": float(chances.sum()),
        "values": float(values.sum()),
        "later": mine.later.mean - best.created_mean,
        "other": (float(mine.other.mean()) if len(mine.other) else 0.0) - best.reopened_mean,
        "counting": float(np.sqrt((at_stake**2 * _uncertainty(known)).sum())),
    }


def _uncertainty(known: pd.DataFrame) -> pd.Series:
    """(1 − rate) ÷ wins of each type and segment: the squared relative error of a rate learned from its deals."""
    deals = known[known["won"].notna()].groupby([*GROUP, "opportunity_id"])["won"].max()
    wins, count = deals.groupby(GROUP).sum(), deals.groupby(GROUP).size()
    return (1 - wins / count) / wins


def report(frame: pd.DataFrame) -> str:
    """The table: root mean square of each part as a share of bookings, and the WAPE ratio that it would lead to."""
    shares = frame.drop(columns=["seed", "period", "outcome"]).div(frame["outcome"], axis=0)
    common = shares["chances"].groupby([frame["seed"], frame["period"]]).transform("mean")
    parts = {
        "the floor's own error": shares["floor_miss"],
        "model to floor": shares["total"],
        "  chances of open deals": shares["chances"],
        "    of that common to a quarter": common,
        "  values of open deals": shares["values"],
        "  deals not yet created": shares["later"],
        "  reopened deals": shares["other"],
        "counting wins by type and segment": shares["counting"],
        "  with the model's values and later deals": np.sqrt(
            shares["counting"] ** 2 + shares["values"] ** 2 + shares["later"] ** 2
        ),
    }
    own = float(np.sqrt((shares["floor_miss"] ** 2).mean()))
    lines = [f"{len(frame)} forecasts of {frame['seed'].nunique()} companies; root mean squares, % of bookings"]
    for name, part in parts.items():
        size = float(np.sqrt((part**2).mean()))
        lines.append(f"{name:42s} {size:6.2%}   error ÷ floor's {np.sqrt(1 + (size / own) ** 2):.3f}")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
