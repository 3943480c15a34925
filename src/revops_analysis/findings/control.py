"""One control of false discovery over all cuts of all detectors, the same whichever chapters are asked.

At most 5% of the findings of all detectors together are false in expectation; where nothing is wrong, at most 5% of the
runs raise any. Each detector that compares has a fixed share of these 5%, its `budget` over the budgets of all that are
registered, and controls the false discovery of its own comparisons at that share. That is enough: the share of false
findings among all is at most the sum of the shares within each detector, and so are their expectations. And because a
share depends on no other detector's answer, a chapter that is asked alone finds what the index over all chapters shows.

Within a detector: the weighted procedure of Benjamini and Hochberg. `p_adjusted` is what it gives divided by the share,
to be read against 5%. Confidence is one minus the probability that nothing is going on (`null_probability`), with the
comparisons of the whole family as prior odds. It says something else than p_adjusted: of findings just below 5% about
one in twenty would be false on average over all that are found, but the ones nearest to the limit are less sure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from revops_analysis.findings.comparison import Comparisons, evidence_of
from revops_analysis.findings.finding import MOST

if TYPE_CHECKING:
    from revops_analysis.findings.finding import Finding
    from revops_analysis.findings.registry import Question

FALSE_DISCOVERY = 0.05
"""Share of false findings among the findings of all detectors that compare, in expectation."""


def judged(comparisons: Comparisons, share: float) -> pd.DataFrame:
    """The comparisons with p_adjusted (to be read against `FALSE_DISCOVERY`), confidence, and among (how many).

    `share` is the detector's part of the error that is spent on all, in (0, 1]. Rows without p_value stay without both.
    """
    from revops_analysis.statistics.false_discovery import benjamini_hochberg, null_probability

    frame, made = comparisons.frame, comparisons.made
    p_values, weights = frame["p_value"].to_numpy(), frame["weight"].to_numpy()
    adjusted = pd.Series(benjamini_hochberg(p_values, weights), index=frame.index) / share
    chance = pd.Series(null_probability(p_values, weights, made / share), index=frame.index)
    return frame.assign(p_adjusted=adjusted.clip(upper=1.0), confidence=(1 - chance).clip(upper=MOST), among=made)


def holding(frame: pd.DataFrame) -> pd.DataFrame:
    """Of judged comparisons, those that hold: one a cut, by preference and then the clearest."""
    held = frame[(frame["p_adjusted"] <= FALSE_DISCOVERY) & frame["is_reported"]]
    order = ["preference", "p_adjusted", "confidence", "p_value"]
    held = held.sort_values(order, ascending=[True, True, False, True], kind="stable")
    return held[~held["dims"].duplicated()]


def findings_of(question: Question, comparisons: Comparisons, frame: pd.DataFrame) -> list[Finding]:
    """The findings of what holds among judged comparisons."""
    held = holding(frame)
    said = held[comparisons.narrow(held)] if comparisons.narrow is not None and len(held) else held
    rows = [{str(name): value for name, value in row.items()} for row in said.to_dict("records")]
    return [comparisons.say(question, {**row, "evidence": evidence_of(row, comparisons.unit)}) for row in rows]
