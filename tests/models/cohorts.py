"""Cohorts of deals with known times and ends, for tests of what is estimated from them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from builders import make_definitions, make_store
from metrics.conftest import fill
from revops_analysis.models.deal_times import DealTimes
from revops_analysis.periods import Period
from revops_analysis.simulation import SimulationOptions, simulate
from revops_analysis.tables.schema import TABLES
from revops_analysis.tables.snapshot import Snapshot

AS_OF = dt.date(2026, 9, 30)


def cohort(
    days: Sequence[float], events: Sequence[str], segments: Sequence[str | None] | str = "SMB", horizon: int = 180
) -> DealTimes:
    """Deals as `deal_times` gives them; closed ones were created long enough ago to have been watched throughout."""
    n = len(days)
    watched = np.array([day if event == "open" else 1_000 for day, event in zip(days, events, strict=True)])
    created = pd.Timestamp(AS_OF) - pd.to_timedelta(watched, unit="D")
    frame = pd.DataFrame(
        {
            "opportunity_id": [f"o{place:05d}" for place in range(n)],
            "segment": np.full(n, segments, dtype=object) if isinstance(segments, str) else list(segments),
            "created_on": created,
            "days": np.array(days, dtype="int64"),
            "event": np.array(events, dtype=object),
            "is_mature": watched >= horizon,
        }
    )
    order = {"segment": ("SMB", "Mid-Market", "Enterprise")}
    span = Period("2023-01-01..2026-09-30", dt.date(2023, 1, 1), AS_OF)
    return DealTimes(frame, ("segment",), span, AS_OF, horizon, order)


def half_company(folder: Path) -> tuple[Snapshot, pd.DataFrame]:
    """Half of the sample company at the end of 2025, and how each of its deals really ended: outcome, outcome_on."""
    simulate(folder, SimulationOptions(scale=0.5, dirt=0.0))
    store = make_store({name: [] for name in TABLES})
    for path in sorted((folder / "tables").glob("*.parquet")):
        fill(store.con, path)
    sql = f"select opportunity_id, outcome, outcome_on from '{folder / 'truth' / 'deals.parquet'}'"
    return Snapshot(store, make_definitions(), dt.date(2025, 12, 31)), duckdb.sql(sql).df()
