"""What sellers say they will book, added up, with what no seller has spoken for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from revops_analysis.models.evidence import Evidence
from revops_analysis.models.rivals.past import Past, unpriced_note
from revops_analysis.models.rivals.rule import Replay, Rival


@dataclass(frozen=True)
class Submissions(Rival):
    """The latest committed amount of every seller for the period, and committed deals of those who submitted none.

    A submission is a seller's own call (`scope` own, no override) in a category of the kind commit, and means all
    that the seller will book in the period, what is booked already included. The sum is never less than that.
    """

    commit: tuple[str, ...]
    name: ClassVar[str] = "submissions"
    title: ClassVar[str] = "Sellers' submissions"

    def replay(self, evidence: Evidence, past: Past) -> Replay | str:
        """Add up the latest submissions."""
        calls = self._latest(evidence, past)
        sellers = np.bincount(calls["row"], minlength=len(past.rows))
        if sellers[-1] == 0:
            return "It needs the commit of at least 1 seller for this period by this day, there is none."
        said = np.bincount(calls["row"], calls["amount"], len(past.rows))
        deals = past.deals
        spoken = pd.MultiIndex.from_frame(calls[["row", "user_id"]])
        silent = ~pd.MultiIndex.from_frame(deals[["row", "owner_id"]]).isin(spoken)
        counted = silent & deals["expected"] & deals["category"].isin(self.commit)
        uncovered = past.add(deals["amount"].where(counted).to_numpy(dtype=float))
        parts = pd.DataFrame({"submitted": np.maximum(said - past.secured, 0.0), "not_submitted": uncovered})
        parts.loc[sellers == 0] = np.nan
        note = f"The latest commit of {sellers[-1]} sellers, beyond what is booked."
        return Replay(parts, (note, *unpriced_note(past)))

    def _latest(self, evidence: Evidence, past: Past) -> pd.DataFrame:
        """The last call of each seller at each row: row, user_id, amount."""
        calls = evidence.submissions
        own = (calls["scope"] == "own") & calls["override_of"].isna() & calls["category"].isin(self.commit)
        keys = past.rows[["cutoff", "first_day"]].assign(row=np.arange(len(past.rows)))
        chosen = calls.loc[own].merge(keys, left_on="period_start", right_on="first_day")
        made = chosen[chosen["submitted_on"] <= chosen["cutoff"]]
        by_seller = made.groupby(["row", "user_id", "category"], sort=True)["amount"].last()
        return by_seller.groupby(level=["row", "user_id"], sort=True).sum().reset_index()
