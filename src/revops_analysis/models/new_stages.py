"""Stages that did not exist in most of the past: the sign that deals go another way than history has recorded."""

from __future__ import annotations

from revops_analysis.models.cutoffs import Cutoff
from revops_analysis.models.evidence import Evidence

KNOWN_FROM = 3
"""Past periods in which deals stood in a stage, from which on it is no longer new."""


def new_stages_share(evidence: Evidence, cutoff: Cutoff) -> float:
    """The share of the deals open at a cutoff that stand in a new stage, from 0 to 1.

    A stage is new while deals stood in it in fewer than `KNOWN_FROM` periods that are over, and in fewer than half of
    them. 0 without open deals or past periods, and for deals whose stage is not recorded: nothing says that they are.
    """
    past = evidence.states[evidence.states["won"].notna() & evidence.states["stage"].notna()]
    stages = evidence.at(cutoff)[0]["stage"].dropna()
    if stages.empty or past.empty:
        return 0.0
    seen = past.groupby("stage")["period"].nunique()
    enough = min(KNOWN_FROM, past["period"].nunique() / 2)
    return float((stages.map(seen).fillna(0) < enough).mean())
