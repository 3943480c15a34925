"""The paths of a snapshot's deals, as Markov and Shapley models need them, and their shares of every touch.

A deal's path is its touches within the influence window, in order; won deals are conversions worth their amount, lost
and open deals led to nothing. Touches without a channel are steps of a channel of their own, so that their deals stay
whole; in results that channel is missing again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from revops_analysis.attribution.markov import markov_shares
from revops_analysis.attribution.paths import FloatArray, Outcomes, Paths, paths_from_steps
from revops_analysis.attribution.shapley import shapley_shares

if TYPE_CHECKING:
    from revops_analysis.attribution.journeys import Journeys

UNKNOWN = "\uffff not recorded"
"""The channel of touches without one, last in the alphabet; never shown."""

PathShares = Callable[[Paths, int], FloatArray]

BY_DEAL: Mapping[str, PathShares] = {
    "markov_by_deal": markov_shares,
    "shapley": lambda paths, _order: shapley_shares(paths),
    "shapley_ordered": lambda paths, _order: shapley_shares(paths),
}
"""Path models that conserve each deal: the share of each step in its path's credit, by the order of the chain."""


@dataclass(frozen=True, eq=False)
class DealPaths:
    """Deals with touches, and the paths they took.

    `deals` has a row a deal, in the order of deal_number: deal_number, opportunity_id, account_id, status, cents (of
    the amount, Int64, missing where the deal has none), created_on, closed_on, booked_on. Row i took path
    `paths.path_of[i]`; `won` is 1 where it was won, `worth` what it then counts to the chain: its amount, or 0 where
    that is missing or negative (`unpriced` and `negative` count those). `order` is that of the Markov chain.
    """

    paths: Paths
    deals: pd.DataFrame
    won: FloatArray
    worth: FloatArray
    order: int

    @property
    def channels(self) -> tuple[str | None, ...]:
        """The channels of `paths`, with None for touches that have none."""
        return tuple(None if name == UNKNOWN else name for name in self.paths.channels)

    @property
    def unpriced(self) -> int:
        """Won deals without an amount: they convert, and are worth nothing to the chain."""
        return int((self.deals["cents"].isna() & (self.won == 1)).sum())

    @property
    def negative(self) -> int:
        """Won deals with an amount below 0: the same."""
        return int(((self.deals["cents"] < 0).fillna(False) & (self.won == 1)).sum())

    def weighted(self, weights: FloatArray) -> Paths:
        """The same paths with each deal counted `weights` times; those of which nothing is left weigh nothing."""
        n = len(self.paths.lengths)
        lost = 1.0 - self.won
        sides = [
            np.bincount(self.paths.path_of, weights * side, n).astype(float) for side in (self.won, self.worth, lost)
        ]
        return replace(self.paths, conversions=sides[0], value=sides[1], nulls=sides[2])

    def shares(self, model: str) -> pd.DataFrame:
        """Shares of every touch under a model of `BY_DEAL`: deal_number, touch_order, share; 1 in all for each deal."""
        by_path = BY_DEAL[model](self.paths, self.order)
        lengths = self.paths.lengths[self.paths.path_of]
        within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        step = np.repeat(self.paths.starts[self.paths.path_of], lengths) + within
        numbers = np.repeat(self.deals["deal_number"].to_numpy(), lengths)
        return pd.DataFrame({"deal_number": numbers, "touch_order": within + 1, "share": by_path[step]})


def deal_paths(journeys: Journeys, order: int | None = None) -> DealPaths:
    """Return the paths of all deals that have touches, the same ones for the same journeys.

    `order` is by default `attribution.markov_order` of the definitions. No deals with touches: no paths.
    """
    snapshot = journeys.snapshot
    asked = snapshot.definitions.attribution.markov_order if order is None else order
    return snapshot.once(("deal paths", journeys.options, asked), lambda: _deal_paths(journeys, asked))


def _deal_paths(journeys: Journeys, order: int) -> DealPaths:
    touches = journeys.touches
    steps = touches.order_by(["deal_number", "touch_order"]).select("deal_number", "channel").to_pyarrow()
    deals = _deals(journeys)
    row = np.searchsorted(deals["deal_number"].to_numpy(), steps["deal_number"].to_numpy())
    channel = steps["channel"].to_pandas().fillna(UNKNOWN).to_numpy(dtype=object)
    won = np.asarray(deals["status"] == "won", dtype=np.float64)
    worth = won * deals["cents"].fillna(0).clip(lower=0).to_numpy(dtype=float) / 100
    return DealPaths(paths_from_steps(row, channel, Outcomes(won, worth, 1.0 - won)), deals, won, worth, order)


_COLUMNS = ("deal_number", "opportunity_id", "account_id", "status", "created_on", "closed_on", "booked_on")


def _deals(journeys: Journeys) -> pd.DataFrame:
    deals = journeys.deals.filter(journeys.deals.touches > 0)
    cents = (deals.amount * 100).cast("int64")
    frame = deals.select(*_COLUMNS, cents=cents).order_by("deal_number").to_pyarrow().to_pandas(date_as_object=False)
    return frame.astype({"cents": "Int64"})
