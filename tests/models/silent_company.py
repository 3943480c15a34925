"""A company whose deals live and die by known rates: weekly states as `deal_states` has them, and the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

STAGES = 2
ADVANCE, DEATH, TOLD, CLOSED, ALIVE, DEAD = 0.22, 0.10, 0.4, 0.15, 1.0, 0.2
"""Chances a week of a live deal to advance and to die, of a death to be told, of a dead deal to be closed; activities a
week on a live and on a dead deal."""


@dataclass(frozen=True)
class SilentCompany:
    """`states` as `Evidence.states` has them, and for each of its rows whether the deal was in truth alive."""

    states: pd.DataFrame
    alive: np.ndarray


def silent_company(deals: int = 1_500, weeks: int = 52, seed: int = 0) -> SilentCompany:
    """Draw the company: deals are born evenly over the weeks, each week's end is a cutoff, quarters have 13 weeks."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2025-01-06")
    rows, lives = [], []
    won_in: dict[int, int] = {}
    for deal in range(deals):
        week, stage, alive, entered, acted = int(rng.integers(0, weeks)), 1, True, 0, []
        born = week
        while week < weeks:
            count = int(rng.poisson(ALIVE if alive else DEAD))
            acted.append(count)
            rows.append((deal, week, stage, week - born, week - born - entered, count, tuple(acted[-8:])))
            lives.append(alive)
            draw, close = rng.random(), rng.random()
            week += 1
            if alive and draw < ADVANCE:
                stage, entered = stage + 1, week - born
                if stage > STAGES:
                    won_in[deal] = week
                    break
            elif alive and draw > 1 - DEATH:
                if close < TOLD:
                    break
                alive = False
            elif not alive and close < CLOSED:
                break
    return SilentCompany(_states(rows, won_in, start), np.array(lives))


def _states(rows: list[tuple], won_in: dict[int, int], start: pd.Timestamp) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["deal", "week", "stage_order", "age", "waited", "activities_7d", "recent"])
    cutoff = start + pd.to_timedelta(7 * frame["week"] + 6, unit="D")
    quarter = (frame["week"] + 1) // 13  # the last day of a quarter is the eve of the next
    quiet = [next((n for n, count in enumerate(reversed(seen)) if count), len(seen)) for seen in frame["recent"]]
    won = frame["deal"].map(won_in)
    return pd.DataFrame(
        {
            "cutoff": cutoff,
            "period": "Q" + quarter.astype(str),
            "first_day": start + pd.to_timedelta(91 * quarter, unit="D"),
            "last_day": start + pd.to_timedelta(91 * quarter + 90, unit="D"),
            "opportunity_id": "o" + frame["deal"].astype(str),
            "type": "new",
            "segment": "SMB",
            "stage_order": frame["stage_order"].astype("float64"),
            "age_days": 7.0 * frame["age"] + 6,
            "days_in_stage": 7.0 * frame["waited"] + 6,
            "activities_7d": frame["activities_7d"].astype("float64"),
            "days_since_activity": 7.0 * np.array(quiet),
            "contacts": 1.0,
            "owner_won": 5.0,
            "owner_closed": 20.0,
            "won": ((won > frame["week"]) & (won < 13 * (quarter + 1))).astype("float64"),
        }
    )
