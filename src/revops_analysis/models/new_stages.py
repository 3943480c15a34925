"""Stages that did not exist in most of the past: the sign that deals go another way than history has recorded."""

from __future__ import annotations

from revops_analysis.models.cutoffs import Cutoff
from revops_analysis.models.evidence import Evidence

KNOWN_AFTER = 3
"""Past periods since deals first stood in a stage, from which on it is no longer new."""

FEWEST = 3
"""Open deals in new stages that are a sign; one or two may stand in a stage that is seldom used."""


def new_stages_share(evidence: Evidence, cutoff: Cutoff) -> float:
    """The share of the deals open at a cutoff that stand in a new stage, from 0 to 1.

    A stage is new if deals first stood in it less than `KNOWN_AFTER` periods that are over ago, and less than half of
    them. 0 without past periods, with fewer than `FEWEST` such deals, and for deals whose stage is not recorded:
    nothing says that they are new.
    """
    past = evidence.states[evidence.states["won"].notna() & evidence.states["stage"].notna()]
    stages = evidence.at(cutoff)[0]["stage"].dropna()
    if stages.empty or past.empty:
        return 0.0
    periods = sorted(past["first_day"].unique())
    age = {first: len(periods) - place for place, first in enumerate(periods)}
    seen = past.groupby("stage")["first_day"].min().map(age)
    is_new = stages.map(seen).fillna(0) < min(KNOWN_AFTER, len(periods) / 2)
    return float(is_new.mean()) if is_new.sum() >= FEWEST else 0.0
