"""Rules that add up the pipeline by what the CRM says of it: category roll-up and CRM probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from revops_analysis.models.evidence import Evidence
from revops_analysis.models.rivals.past import Past, unpriced, unpriced_note, unusable
from revops_analysis.models.rivals.rule import Replay, Rival


@dataclass(frozen=True)
class CategoryRollUp(Rival):
    """Booked and signed, and every committed deal expected in the period or overdue, in full.

    `commit` names the forecast categories of that kind.
    """

    commit: tuple[str, ...]
    name: ClassVar[str] = "category_roll_up"
    title: ClassVar[str] = "Category roll-up"

    def replay(self, evidence: Evidence, past: Past) -> Replay | str:
        """Add up the committed deals."""
        if not self.commit:
            return "No forecast category is of the kind commit; the definitions must name at least one."
        deals = past.deals
        lacking = unusable(past, deals["category"], "a forecast category") or unpriced(past)
        if lacking:
            return lacking
        counted = deals["expected"] & deals["category"].isin(self.commit)
        sums = past.add(deals["amount"].where(counted).to_numpy(dtype=float))
        return Replay(pd.DataFrame({"open_won": sums}), unpriced_note(past))


@dataclass(frozen=True)
class CrmWeighted(Rival):
    """Booked and signed, and each deal expected in the period or overdue × the chance that the CRM gives it.

    Where a deal has none, the chance that the definitions give its stage (`chances`: stage, chance) is taken.
    """

    chances: tuple[tuple[str, float], ...] = ()
    name: ClassVar[str] = "crm_weighted"
    title: ClassVar[str] = "CRM probability-weighted"

    def replay(self, evidence: Evidence, past: Past) -> Replay | str:
        """Add up amounts × chances."""
        deals = past.deals
        by_stage = deals["stage"].map(dict(self.chances)).astype("float64")
        chance = deals["crm_probability"].fillna(by_stage)
        lacking = unusable(past, chance, "a chance of winning in the CRM") or unpriced(past)
        if lacking:
            return lacking
        weighted = np.where(deals["expected"], deals["amount"] * chance, 0.0)
        return Replay(pd.DataFrame({"open_won": past.add(weighted)}), unpriced_note(past))
