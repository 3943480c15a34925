"""What stalled and overdue deals lose: the effect of these two flags on the win rate, without measuring all others.

The same landmark comparison as in `deal_flags`, on the same past days, for the two flags that follow from the stays of
deals alone; so it is the same number at a fraction of the cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.models.deal_flags import measure_effects
from revops_analysis.models.flag_measures import ageing_states

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

MEASURED = {"stalled": "days_beyond_stalled", "overdue": "days_overdue"}
"""Flag → the measure that is above 0 where it stands."""


@dataclass(frozen=True)
class AgeingEffect:
    """What a flag went with in the past.

    `effect`: difference of the share won within `horizon_days` between deals with and without it, of the same stage
    and age, with its 95% interval; None where it cannot be measured, and `reason` says why. `past_deals`: those with
    it. `is_lower`: they were won less often, at the false discovery that the definitions accept over both flags
    (`warnings.false_discovery`).
    """

    flag: str
    effect: float | None
    low: float | None
    high: float | None
    past_deals: int
    horizon_days: int
    is_lower: bool
    reason: str | None = None


def ageing_effect(snapshot: Snapshot, flag: str) -> AgeingEffect:
    """The effect of a flag of `MEASURED`; both are measured once a snapshot. Needs `opportunity_history`."""
    return snapshot.once("ageing effects", lambda: _effects(snapshot))[flag]


def _effects(snapshot: Snapshot) -> dict[str, AgeingEffect]:
    settings = snapshot.definitions.warnings
    if not snapshot.has_history:
        return {name: _nothing(snapshot, name, "the source has no opportunity_history") for name in MEASURED}
    last = snapshot.as_of - timedelta(days=settings.horizon_days)
    days = [last - timedelta(days=7 * back) for back in range(settings.weeks)][::-1]
    states = ageing_states(snapshot, days, settings.horizon_days)
    past = states[states["outcome"].notna()]
    flags = {name: (past[of] > 0).astype("float64").where(past[of].notna()) for name, of in MEASURED.items()}
    measured = measure_effects(past.assign(**flags), list(MEASURED), snapshot.definitions).set_index("flag")
    rows = {str(name): row for name, row in measured.to_dict("index").items()}
    return {name: _effect(snapshot, name, rows[name]) for name in MEASURED}


def _effect(snapshot: Snapshot, name: str, row: Mapping[Any, Any]) -> AgeingEffect:
    settings = snapshot.definitions.warnings
    few = int(min(row["past_deals"], row["others"]))
    if few < settings.minimum_deals:
        return _nothing(snapshot, name, f"{few} past deals with or without it; {settings.minimum_deals} are needed")
    if pd.isna(row["difference"]):
        return _nothing(snapshot, name, str(row["reason"]))
    effect, low, high = (None if pd.isna(row[of]) else float(row[of]) for of in ("difference", "low", "high"))
    is_lower = row["difference"] < 0 and row["p_adjusted"] <= settings.false_discovery  # a missing p is never lower
    return AgeingEffect(name, effect, low, high, int(row["past_deals"]), settings.horizon_days, bool(is_lower))


def _nothing(snapshot: Snapshot, name: str, reason: str) -> AgeingEffect:
    return AgeingEffect(name, None, None, None, 0, snapshot.definitions.warnings.horizon_days, False, reason)
