"""Stages that did not exist in most of the past: the sign that deals go another way than history has recorded."""

from __future__ import annotations

import pandas as pd

from revops_analysis.models.cutoffs import Cutoff
from revops_analysis.models.evidence import Evidence

KNOWN_AFTER = 3
"""Past periods since deals first stood in a stage, from which on it is no longer new."""

FEWEST = 3
"""Open deals in new stages that are a sign; one or two may stand in a stage that is seldom used."""


def deals_in_new_stages(evidence: Evidence, cutoff: Cutoff) -> pd.DataFrame:
    """The deals open at a cutoff that stand in a new stage: rows of `Evidence.states`.

    A stage is new if deals first stood in it less than `KNOWN_AFTER` periods that are over ago, and less than half of
    them. None without past periods, with fewer than `FEWEST` such deals, and of the deals whose stage is not recorded:
    nothing says that they are new.
    """
    past = evidence.states[evidence.states["won"].notna() & evidence.states["stage"].notna()]
    states = evidence.at(cutoff)[0]
    periods = sorted(past["first_day"].unique())
    age = {first: len(periods) - place for place, first in enumerate(periods)}
    seen = past.groupby("stage")["first_day"].min().map(age)
    is_new = states["stage"].notna() & (states["stage"].map(seen).fillna(0) < min(KNOWN_AFTER, len(periods) / 2))
    return states[is_new] if is_new.sum() >= FEWEST else states.head(0)


def new_stages_share(evidence: Evidence, cutoff: Cutoff) -> float:
    """The share of the deals open at a cutoff, of those whose stage is recorded, that stand in a new stage: 0 to 1."""
    count = int(evidence.at(cutoff)[0]["stage"].notna().sum())
    return len(deals_in_new_stages(evidence, cutoff)) / count if count else 0.0
