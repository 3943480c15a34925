"""All models beside each other over one cut: rules, path models and chains, and what of them has no such figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from revops_analysis.attribution.credit import compare, credit
from revops_analysis.attribution.markov import ORDERS
from revops_analysis.attribution.path_models import MEANINGS, chain_fits

if TYPE_CHECKING:
    from revops_analysis.attribution.journeys import Journeys
    from revops_analysis.attribution.totals import Cut

CHAINS = tuple(f"markov_{order}" for order in ORDERS)
"""The chain with each memory; `markov` is the one whose memory the definitions name, and so one of these."""

NO_CHAINS = (
    f"{', '.join(CHAINS)} are left out: a chain knows what was won by channel, and neither pipeline nor another cut. "
    "Ask by channel in the period view, without a filter, to have them too."
)


def every_model(journeys: Journeys, cut: Cut) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the totals of all models, a block a model with the columns of `totals.totals`, and what was left out.

    Chains credit bookings by channel only. Over another cut they are left out, and a sentence says so.
    """
    blocks = [compare(journeys, cut=cut), *(credit(journeys, name).totals(cut=cut) for name in MEANINGS)]
    fits = chain_fits(cut)
    if fits:
        blocks += [credit(journeys, name).totals(cut=cut) for name in CHAINS]
    frame = pd.concat([block for block in blocks if len(block)] or blocks[:1], ignore_index=True)
    return frame, () if fits else (NO_CHAINS,)
