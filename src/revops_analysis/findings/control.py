"""One control of false discovery over all cuts of all detectors, the same whichever chapters are asked.

Two tiers, each with a promise of its own. *Proven*: at most 5% of the findings of all detectors together are false in
expectation; where nothing is wrong, at most 5% of the runs raise any. *Watched*: of what is not proven, the comparisons
that come closest, at most 20% of them false in expectation; where nothing is wrong, at most 20% of the runs list any.
What is watched is said after all that is proven, says that it may be chance, and is never a warning.

Each detector that compares has a fixed share of either error, its `budget` (or `watch`) over those of all that are
registered, and controls the false discovery of its own comparisons at that share. That is enough: the share of false
findings among all is at most the sum of the shares within each detector, and so are their expectations. And because a
share depends on no other detector's answer, a chapter that is asked alone finds what the index over all chapters shows.

Within a detector: the weighted procedure of Benjamini and Hochberg, for the watch list over what was not proven: what
is proven lends nothing to what is not. `p_adjusted` is what it gives divided by the share, to be read against 5%;
`p_watched` likewise against 20%. Confidence is one minus the probability that nothing is going on (`null_probability`),
with the comparisons of the tier's whole family as prior odds. It says something else than p_adjusted: of findings just
below 5% about one in twenty would be false on average over all that are found, but the ones nearest to the limit are
less sure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from revops_analysis.findings.comparison import Comparisons, evidence_of
from revops_analysis.findings.finding import MOST

if TYPE_CHECKING:
    from revops_analysis.findings.finding import Finding
    from revops_analysis.findings.registry import Question

FALSE_DISCOVERY = 0.05
"""Share of false findings among the proven findings of all detectors that compare, in expectation."""

WATCHED = 0.20
"""Share of false ones among what is worth watching, in expectation."""

NOT_PROVEN = "Not proven: up to one in five of what is listed like this is chance."


@dataclass(frozen=True)
class Shares:
    """A detector's part of the error that is spent on all, in [0, 1]: of what is proven, and of what is watched (0: it
    has no watch list)."""

    proven: float
    watched: float = 0.0


def judged(comparisons: Comparisons, shares: Shares) -> pd.DataFrame:
    """The comparisons with what either tier makes of them.

    Adds p_adjusted (to be read against `FALSE_DISCOVERY`), confidence and among (how many were compared); and for those
    not proven that have a weight on the watch list p_watched (against `WATCHED`), watch_confidence and among_watched,
    null for all others. Rows without p_value stay without any.
    """
    frame, made = comparisons.frame, comparisons.made
    adjusted, confidence = _tier(frame, frame["weight"], shares.proven)
    frame = frame.assign(p_adjusted=adjusted, confidence=confidence, among=made)
    watched = frame[(frame["watch"] > 0) & frame["p_value"].notna() & ~(adjusted <= FALSE_DISCOVERY)]
    if not shares.watched or watched.empty:
        return frame.assign(p_watched=float("nan"), watch_confidence=float("nan"), among_watched=0)
    second, sure = _tier(watched, watched["watch"], shares.watched)
    return frame.assign(
        p_watched=second.reindex(frame.index),
        watch_confidence=sure.reindex(frame.index),
        among_watched=len(watched),
    )


def _tier(frame: pd.DataFrame, weight: pd.Series, share: float) -> tuple[pd.Series, pd.Series]:
    """Corrected p-values and confidence of a family of comparisons that has so much of the error."""
    from revops_analysis.statistics.false_discovery import benjamini_hochberg, null_probability

    p_values, weights = frame["p_value"].to_numpy(), weight.to_numpy()
    adjusted = pd.Series(benjamini_hochberg(p_values, weights), index=frame.index) / share
    made = int(frame["p_value"].notna().sum())
    chance = pd.Series(null_probability(p_values, weights, made / share), index=frame.index)
    return adjusted.clip(upper=1.0), (1 - chance).clip(upper=MOST)


def holding(frame: pd.DataFrame) -> pd.DataFrame:
    """Of judged comparisons, those that are proven: one a cut, by preference and then the clearest."""
    return _one_a_cut(frame[(frame["p_adjusted"] <= FALSE_DISCOVERY) & frame["is_reported"]])


def watching(frame: pd.DataFrame) -> pd.DataFrame:
    """Of judged comparisons, those worth watching in cuts of which nothing is proven, with their tier's figures."""
    near = frame[(frame["p_watched"] <= WATCHED) & frame["is_reported"] & ~frame["dims"].isin(holding(frame)["dims"])]
    tier = {"p_adjusted": near["p_watched"], "confidence": near["watch_confidence"], "among": near["among_watched"]}
    return _one_a_cut(near.assign(**tier))


def _one_a_cut(frame: pd.DataFrame) -> pd.DataFrame:
    order = ["preference", "p_adjusted", "confidence", "p_value"]
    ordered = frame.sort_values(order, ascending=[True, True, False, True], kind="stable")
    return ordered[~ordered["dims"].duplicated()]


def findings_of(question: Question, comparisons: Comparisons, frame: pd.DataFrame) -> list[Finding]:
    """The findings of what holds among judged comparisons: what is proven, then what is worth watching."""
    proven = _own(comparisons, holding(frame))
    both = pd.concat([proven, watching(frame)])
    watched = _own(comparisons, both).drop(proven.index, errors="ignore")
    return [
        *(comparisons.say(question, row) for row in _rows(proven, comparisons.unit)),
        *(_unproven(question, comparisons.say(question, row)) for row in _rows(watched, comparisons.unit)),
    ]


def _own(comparisons: Comparisons, rows: pd.DataFrame) -> pd.DataFrame:
    """Those that say something of their own, besides the others."""
    return rows[comparisons.narrow(rows)] if comparisons.narrow is not None and len(rows) else rows


def _rows(frame: pd.DataFrame, unit: str) -> list[dict[str, object]]:
    rows = [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
    return [{**row, "evidence": evidence_of(row, unit)} for row in rows]


def _unproven(question: Question, finding: Finding) -> Finding:
    """The finding as an entry of the watch list: it says that it may be chance, and to look again before acting."""
    fix = question.playbook.before_acting(finding.proposed_fix)
    return replace(finding, severity="watch", what=f"{finding.what} {NOT_PROVEN}", proposed_fix=fix)
