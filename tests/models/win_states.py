"""Weekly states of deals whose chance of winning is known, in the columns of `deal_states`."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from models.evidence_cases import make_evidence, quarters
from revops_analysis.models.evidence import Evidence

STAGES = ("Discovery", "Proposal", "Negotiation")


def win_states(periods: int, per_period: int = 120, seed: int = 0) -> pd.DataFrame:
    """Deals looked at in two weeks of each quarter; activity and stage make them win, source and amount do not."""
    rng = np.random.default_rng(seed)
    parts = [_of_period(number, per_period, rng) for number in range(periods)]
    return pd.concat(parts, ignore_index=True)


def _of_period(number: int, count: int, rng: np.random.Generator) -> pd.DataFrame:
    period = quarters(number + 1)[-1]
    stage = rng.integers(0, 3, count)
    busy = rng.integers(0, 12, count).astype(float)
    chance = 1 / (1 + np.exp(2.2 - 0.9 * stage - 0.25 * busy))
    won = (rng.random(count) < chance).astype(float)
    amount = rng.integers(10, 200, count).astype(float)
    plain = dict.fromkeys(("amount_changes", "pushes", "days_pushed", "reopenings", "stage_changes"), 0.0)
    frame = pd.DataFrame(
        {
            "opportunity_id": [f"d{number}-{place}" for place in range(count)],
            "owner_id": rng.choice(["u1", "u2"], count),
            "type": "new",
            "segment": rng.choice(["SMB", "Enterprise"], count),
            "product": "Core",
            "source": rng.choice(["Inbound", "Outbound"], count),
            "stage": np.array(STAGES, dtype=object)[stage],
            "stage_order": stage.astype(float),
            "category": "Pipeline",
            "crm_probability": np.array([0.2, 0.5, 0.9])[stage],
            "close_date": pd.Timestamp(period.end),
            "age_days": rng.integers(5, 100, count).astype(float),
            "days_in_stage": rng.integers(0, 40, count).astype(float),
            "amount": amount,
            "first_amount": amount,
            **plain,
            "days_since_activity": 12.0 - busy,
            "activities_14d": busy / 2,
            "activities_56d": busy,
            "contacts": 2.0,
            "owner_won": 10.0,
            "owner_closed": 30.0,
            "won": won,
            "won_amount": won * amount,
            "period": period.label,
            "first_day": pd.Timestamp(period.start),
            "last_day": pd.Timestamp(period.end),
        }
    )
    weeks = [frame.assign(cutoff=pd.Timestamp(period.start) + pd.Timedelta(days=days)) for days in (20, 62)]
    return pd.concat(weeks, ignore_index=True)


def win_evidence(periods: int, **options: int) -> Evidence:
    """Evidence that holds these states, and nothing else of interest."""
    known = quarters(max(periods, 1))
    empty = make_evidence([], known, date(2030, 1, 1))
    states = win_states(periods, **options) if periods else win_states(1).iloc[:0]
    return Evidence(empty.day, states, empty.cutoffs, empty.wins, empty.created, "USD")
