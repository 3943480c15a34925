"""Path models beside the rule models: `markov_by_deal`, `shapley` and `shapley_ordered` by touch, `markov` by channel.

The first three share out each deal within its path, so `credit` has them like any rule, to the cent. Removal effects
say what all conversions would lose without a channel, and nothing of a single deal; `markov` therefore has channel
totals only: `markov_totals`, of the bookings of the deals asked for. It credits what was won; pipeline has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa

from revops_analysis.attribution.credit import Credit, CreditModel, credit, register_model, shared_by_weights
from revops_analysis.attribution.deal_paths import deal_paths
from revops_analysis.attribution.markov import ORDERS, markov
from revops_analysis.attribution.paths import FloatArray
from revops_analysis.attribution.totals import Cut
from revops_analysis.errors import ConfigurationError

if TYPE_CHECKING:
    from revops_analysis.attribution.journeys import Journeys
    from revops_analysis.periods import Period

MEANINGS = {
    "markov_by_deal": "Removal effects of the chain, shared out within each deal's path.",
    "shapley": "What a channel adds to the others, over all orders: an equal part for each channel of the path.",
    "shapley_ordered": "As Shapley, split over the places at which the path meets the channel.",
}


CHAIN = "Removal effects of the chain, of all bookings; by channel and period view only."


def _by_path(name: str) -> Callable[[Journeys], ir.Table]:
    def make(journeys: Journeys) -> ir.Table:
        return journeys.snapshot.keep(f"{name} {journeys.options}", lambda: _shared(journeys, name))

    return make


def _shared(journeys: Journeys, name: str) -> ir.Table:
    shares = deal_paths(journeys).shares(name)
    told = ibis.memtable(
        pa.table(
            {
                "told_deal": pa.array(shares["deal_number"], pa.int64()),
                "told_order": pa.array(shares["touch_order"], pa.int32()),
                "weight": pa.array(shares["share"], pa.float64()),
            }
        )
    )
    touches = journeys.touches
    on = [touches.deal_number == told.told_deal, touches.touch_order == told.told_order]
    return shared_by_weights(journeys, touches.inner_join(told, on))


@dataclass(frozen=True)
class ChainModel(CreditModel):
    """The chain: a model that has no credit of single deals. `order`: its memory; None: as the definitions say."""

    order: int | None = None

    def credited(self, journeys: Journeys) -> Credit:
        """The chain's credit, which has totals only."""
        return ChainCredit(journeys, self, journeys.touches, self.order)


@dataclass(frozen=True, eq=False)
class ChainCredit(Credit):
    """The credit of the chain: totals by channel in the period view, and no table of touches."""

    order: int | None = None

    @property
    def table(self) -> ir.Table:
        """Refused: removal effects say nothing of a single deal."""
        raise _no_deals("credit of deals and touches")

    def totals(self, by: Sequence[str] = ("channel",), cut: Cut | None = None) -> pd.DataFrame:
        """Return what each channel receives of the bookings; columns as `totals.totals`.

        Only by channel, in the period view and without a filter; else ConfigurationError. Without a cut the view is the
        period's, over all time. Deals and pipeline are missing, touches are those of all walks; bookings of deals
        without a touch are a row of their own.
        """
        asked = cut or Cut(by=tuple(by), view="period")
        if not chain_fits(asked):
            raise _no_deals(f"by {', '.join(asked.by)}, {asked.view} view")
        found = markov_totals(self.journeys, asked.period, self.order)
        others = credit(self.journeys, "linear").totals(cut=asked)
        alone = others[~others["attributed"]].assign(model=self.model.name)
        credited = others[others["attributed"]]  # a channel may be missing among both
        touches = dict(zip(credited["channel"].map(_word), credited["touches"], strict=True))
        rows = found.assign(model=self.model.name, view="period", attributed=True, deals=np.nan, pipeline=None)
        rows["touches"] = [int(touches.get(_word(name), 0)) for name in rows["channel"]]
        rows["unpriced"] = 0.0
        if alone.empty:
            return rows[list(alone.columns)]
        return pd.concat([rows[list(alone.columns)].astype({"pipeline": object}), alone], ignore_index=True)


def chain_fits(cut: Cut) -> bool:
    """Whether a chain has figures for a cut: by channel, in the period view, without a filter."""
    return cut.by == ("channel",) and cut.view == "period" and not cut.where.conditions


def _word(channel: object) -> str | None:
    """A channel, or None where it is missing, whichever way that is written."""
    return channel if isinstance(channel, str) else None


def _no_deals(asked: str) -> ConfigurationError:
    return ConfigurationError(
        "The chain has totals by channel only.",
        expected="markov by channel, in the period view, without a filter",
        found=asked,
        fix="choose markov_by_deal, which shares removal effects out within each deal, or ask for channel totals",
    )


for _name, _meaning in MEANINGS.items():
    register_model(CreditModel(_name, "influence", _meaning, _by_path(_name)))
register_model(ChainModel("markov", "influence", CHAIN, lambda journeys: journeys.touches))
for _order in ORDERS:
    _remembers = f"As markov, with markov_order {_order} whatever the definitions say."
    register_model(
        ChainModel(f"markov_{_order}", "influence", _remembers, lambda journeys: journeys.touches, order=_order)
    )


def markov_totals(journeys: Journeys, period: Period | None = None, order: int | None = None) -> pd.DataFrame:
    """Return what the chain credits each channel of all bookings: a row a channel of the deals' paths.

    Columns: channel (missing: touches without one), removal_effect, won_deals (Σ), value_removal_effect, bookings
    (Decimal, reporting currency; they add up to the bookings of deals with touches, to the cent), reason. Deals won
    are shared by removal effects of conversions, bookings by those of their value.

    With a `period`, walks are the deals that closed in it and those still open. Without a conversion effects are
    missing, bookings 0 and `reason` says why; where only values are missing, bookings are shared as deals won.
    """
    known = deal_paths(journeys, order)
    counted = np.ones(len(known.deals)) if period is None else walks_of(known.deals, period)
    found = markov(known.weighted(counted), known.order)
    inside = (known.won == 1) & (counted == 1)
    cents = int(known.deals["cents"][inside].fillna(0).sum())
    frame = found.frame.assign(channel=pd.Series(known.channels, dtype=object), won_deals=found.frame["conversions"])
    worth = frame["value"] if frame["value"].sum() > 0 else frame["conversions"]
    bookings = [Decimal(part).scaleb(-2) for part in _in_cents(worth.to_numpy(dtype=float), cents)]
    frame = frame.assign(bookings=pd.Series(bookings, dtype=object), reason=found.reason)
    return frame[["channel", "removal_effect", "won_deals", "value_removal_effect", "bookings", "reason"]]


def walks_of(deals: pd.DataFrame, period: Period) -> FloatArray:
    """1 for deals that closed in the period or are still open, 0 for the others."""
    inside = deals["closed_on"].between(pd.Timestamp(period.start), pd.Timestamp(period.end))
    return np.asarray(inside | (deals["status"] == "open"), dtype=np.float64)


def _in_cents(parts: FloatArray, total: int) -> list[int]:
    """Share out whole cents in proportion, odd ones by largest remainder; nothing where the parts are all 0."""
    whole = parts.sum()
    if not whole > 0:
        return [0] * len(parts)
    exact = parts / whole * total
    cents = np.floor(exact)
    order = np.argsort(-(exact - cents), kind="stable")
    cents[order[: round(total - cents.sum())]] += 1
    return [int(part) for part in cents]
