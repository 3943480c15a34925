"""What marketing, sales and partners cost, month by month."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.columns import Columns, identifiers, pick
from revops_analysis.simulation.market import campaign_code
from revops_analysis.simulation.parameters import Parameters
from revops_analysis.simulation.words import CHANNELS, MARKETING_CHANNELS, PARTNER_CHANNEL

CHANNEL_MONTH = (38_000.0, 30_000.0, 14_000.0, 12_000.0, 45_000.0, 6_000.0)
"""Programme spend of each marketing channel in a month of the first year, at size 1, in dollars."""
MARKETING_MONTH, PARTNER_MONTH, SALES_MONTH = 70_000.0, 55_000.0, 520_000.0
"""People and tools of marketing, payments to partners, and all of sales."""
GROWTH = 0.14


def spend_table(parameters: Parameters, blocks: int, rng: np.random.Generator) -> Columns:
    """The table `spend` for the months of history; sales and marketing staff have no channel and no campaign."""
    first, last = (int(tl.month_of(np.array([day]))[0]) for day in (tl.START, tl.THROUGH))
    months = np.arange(first, last + 1)
    kinds = MARKETING_CHANNELS + 3
    month = np.repeat(months, kinds)
    kind = np.tile(np.arange(kinds), len(months))
    base = np.array([*CHANNEL_MONTH, MARKETING_MONTH, PARTNER_MONTH, SALES_MONTH])[kind]
    growth = (1 + GROWTH) ** ((month - first) / 12)
    noise = np.exp(0.12 * rng.normal(size=len(month)))
    channel = np.where(kind < MARKETING_CHANNELS, kind, np.where(kind == MARKETING_CHANNELS + 1, PARTNER_CHANNEL, -1))
    amount = np.rint(base * growth * noise * parameters.size * blocks)
    function = np.where(kind <= MARKETING_CHANNELS, 0, kind - MARKETING_CHANNELS)
    campaign = campaign_code(np.where(kind < MARKETING_CHANNELS, channel, -1), tl.month_start(month))
    return {
        "month": tl.month_start(month),
        "function": pick(("marketing", "partners", "sales"), function),
        "channel": pick(CHANNELS, channel),
        "campaign_id": identifiers("CMP", campaign),
        "amount": amount,
        "currency": pa.array(["USD"] * len(month)),
    }
