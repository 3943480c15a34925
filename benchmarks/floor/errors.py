"""How far the floor is from what came, quarter by quarter, and whether its ranges and chances keep their word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd

from benchmarks.floor.belief import EVIDENCE
from benchmarks.floor.forecast import Floor, make_floor
from benchmarks.floor.sampling import LEVELS
from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.options import SimulationOptions

WEEKS = (2, 5, 8, 11)
PARTS = ("booked_to_date", "open_mean", "created_mean", "reopened_mean")
INTERVALS = {50: (0.25, 0.75), 80: (0.10, 0.90), 95: (0.025, 0.975)}


def scored_quarters(count: int = 8) -> list[tuple[str, date, date]]:
    """Label, first and last day of the last quarters of history.

    >>> scored_quarters()[0], len(scored_quarters())
    (('2024-Q4', datetime.date(2024, 10, 1), datetime.date(2024, 12, 31)), 8)
    """
    through = int(tl.quarter_of(np.array(tl.THROUGH)))
    codes = range(through - count + 1, through + 1)
    days = [[(date(1970, 1, 1) + timedelta(int(tl.quarter_start(np.array(q + i))))) for i in (0, 1)] for q in codes]
    return [(tl.quarter_label(q), a, b - timedelta(1)) for q, (a, b) in zip(codes, days, strict=True)]


def quantile_column(level: float) -> str:
    """The column of a quantile.

    >>> quantile_column(0.025), quantile_column(0.5)
    ('floor_q2.5', 'floor_q50')
    """
    return f"floor_q{100 * level:g}"


def errors_of(floor: Floor, quarters: int = 8, weeks: Sequence[int] = WEEKS) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The floor's forecasts of one company beside what came; and its chances of open deals beside what came of them.

    The cutoff of week w is the last day of that week of the period: its first day + 7 w − 1.
    """
    rows, chances = [], []
    for period, start, end in scored_quarters(quarters):
        actual = floor.actual(start, end)
        for week in weeks:
            cutoff = start + timedelta(7 * week - 1)
            said = floor.forecast(cutoff, start, end)
            key = {"seed": floor.options.seed, "period": period, "week": week, "cutoff": cutoff}
            found = {quantile_column(level): said.quantiles[level] for level in LEVELS}
            parts = {name: getattr(said, name) for name in PARTS}
            means = {"floor_mean": said.mean, **found, "informed_mean": said.informed_mean}
            rows.append({**key, "actual": actual, **means, **parts})
            won = floor.won_by(said.deals["opportunity_id"].tolist(), end)
            chances.append(pd.DataFrame({**said.deals, **key, "won": won}))
    return pd.DataFrame(rows), pd.concat(chances, ignore_index=True)


def floor_errors(
    seeds: Iterable[int],
    quarters: int = 8,
    weeks: Sequence[int] = WEEKS,
    scenario: str = "default",
    evidence: tuple[str, ...] = EVIDENCE,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`errors_of` for many seeds of a scenario.

    First frame: seed, period, week, cutoff, actual, floor_mean, floor_q2.5 … floor_q97.5, informed_mean, and the parts
    of the mean. Second: an open headline deal and cutoff a row, with its chances and `won`.
    """
    options = (SimulationOptions(seed=seed, scenario=scenario) for seed in seeds)
    made = [errors_of(make_floor(each, evidence), quarters, weeks) for each in options]
    first, second = zip(*made, strict=True)
    return pd.concat(first, ignore_index=True), pd.concat(second, ignore_index=True)


def accuracy(errors: pd.DataFrame) -> pd.DataFrame:
    """By week and overall: WAPE and bias of floor and informed, coverage and relative width of each interval."""
    whole = errors.assign(week="all")
    both = pd.concat([errors.astype({"week": object}), whole])
    result = {}
    for week, part in both.groupby("week", sort=False):
        total = part["actual"].sum()
        row: dict[str, float] = {"cases": len(part)}
        for name in ("floor", "informed"):
            gap = part[f"{name}_mean"] - part["actual"]
            row |= {f"{name}_wape": gap.abs().sum() / total, f"{name}_bias": gap.sum() / total}
        for percent, (low, high) in INTERVALS.items():
            bounds = part[quantile_column(low)], part[quantile_column(high)]
            row[f"cover_{percent}"] = part["actual"].between(*bounds).mean()
            row[f"width_{percent}"] = (bounds[1] - bounds[0]).sum() / total
        result[week] = row
    return pd.DataFrame(result).T


def reliability(chances: pd.DataFrame, column: str = "win_probability") -> pd.DataFrame:
    """By tenth of the chance: deals, mean chance, share won and the difference in standard errors."""
    tenth = ((chances[column] * 10).astype(int).clip(upper=9) / 10).rename("from")
    grouped = chances.groupby(tenth)
    table = grouped.agg(deals=(column, "size"), chance=(column, "mean"), won=("won", "mean"))
    noise = np.sqrt(chances[column].mul(1 - chances[column]).groupby(tenth).mean() / table["deals"])
    return table.assign(z=(table["won"] - table["chance"]) / noise)


def brier(chances: pd.DataFrame, column: str = "win_probability") -> float:
    """Mean squared difference of chance and outcome."""
    return float(((chances[column] - chances["won"]) ** 2).mean())
