"""The rule that weights the pipeline by how many deals of a stage were ever won, whenever that was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from revops_analysis.models.evidence import Evidence
from revops_analysis.models.rivals.past import Floats, Past, unpriced, unpriced_note
from revops_analysis.models.rivals.rule import Replay, Rival


@dataclass(frozen=True)
class StageWeighted(Rival):
    """Booked and signed, and each deal expected in the period or overdue × the share won of its stage.

    The share is that of deals once seen in the stage and closed by the end of a past period; how long winning takes
    does not enter. A stage of which no deal has closed takes the share of all.
    """

    name: ClassVar[str] = "stage_weighted"
    title: ClassVar[str] = "Stage-weighted"

    def replay(self, evidence: Evidence, past: Past) -> Replay | str:
        """Add up amounts × shares won."""
        deals = past.deals
        lacking = unpriced(past)
        if lacking:
            return lacking
        won, closed, stages = _closings(evidence, past)
        known = past.known.astype(float)
        top, bottom = known @ won, known @ closed
        overall, n = top.sum(axis=1), bottom.sum(axis=1)
        if n[-1] == 0:
            return "It needs closed deals of at least 1 past period, there are none."
        pooled = np.divide(overall, n, out=np.full(len(n), np.nan), where=n > 0)
        shares = np.where(bottom > 0, np.divide(top, bottom, where=bottom > 0, out=np.zeros_like(top)), pooled[:, None])
        places = stages.get_indexer(pd.Index(deals["stage"].fillna("")))
        rows = deals["row"].to_numpy()
        weight = np.where(places >= 0, shares[rows, np.maximum(places, 0)], pooled[rows])
        sums = past.add(np.where(deals["expected"], deals["amount"] * weight, 0.0))
        note = f"Shares won of the stages come from {int(n[-1])} closings of deals in them."
        parts = pd.DataFrame({"open_won": np.where(n > 0, sums, np.nan)})
        return Replay(parts, (note, *unpriced_note(past)))


def _closings(evidence: Evidence, past: Past) -> tuple[Floats, Floats, pd.Index]:
    """Deals once seen in a stage, [period in which they closed × stage]: those won, and all; and the stages."""
    states = evidence.states
    deal, names = pd.factorize(states["opportunity_id"])
    stage, stages = pd.factorize(states["stage"].fillna(""), sort=True)
    seen = states["cutoff"].to_numpy("datetime64[D]").astype("int64")
    last_seen = pd.Series(seen).groupby(deal).max().to_numpy()
    ends = past.periods["last_day"].to_numpy("datetime64[D]").astype("int64")
    wins = evidence.wins.drop_duplicates("opportunity_id", keep="last")
    place_of = pd.Series(past.periods.index, index=past.periods["period"])
    won_in = pd.Series(wins["period"].map(place_of).to_numpy(), index=wins["opportunity_id"]).reindex(names)
    is_won = won_in.notna().to_numpy()
    closed_in = np.maximum(np.searchsorted(ends, last_seen, side="right"), won_in.fillna(0).to_numpy(dtype="int64"))
    pairs = np.unique(deal * len(stages) + stage)
    of_deal, of_stage = pairs // max(len(stages), 1), pairs % max(len(stages), 1)
    is_closed = closed_in[of_deal] < len(ends)
    shape = (len(ends), len(stages))
    cell = (closed_in[of_deal] * len(stages) + of_stage)[is_closed]
    closed = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    won = np.bincount(cell, weights=is_won[of_deal][is_closed], minlength=shape[0] * shape[1]).reshape(shape)
    return won.astype(float), closed.astype(float), pd.Index(stages)
