"""What a deal is expected to bring when it is won, by what the CRM shows of its price now."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from revops_analysis.simulation.beginnings import price_index
from revops_analysis.simulation.columns import Floats, Ints
from revops_analysis.simulation.company import Block
from revops_analysis.simulation.dirt import SHARES
from revops_analysis.simulation.dynamics import SOLUTION, Draws
from revops_analysis.simulation.lifecycle import price_factors
from revops_analysis.simulation.words import EXPANSION, WON

EURO_PULL, EURO_STEP = 0.995, 0.0035
"""The logarithm of the euro's rate keeps this share of its distance from the list rate a day, plus a step."""


@cache
def final_factors(count: int = 20_000) -> Floats:
    """[stage 0…4 × equally likely case]: price when won ÷ price in the stage, from the simulation's own function.

    >>> final_factors().mean(axis=1).round(2).tolist()
    [0.94, 0.94, 0.94, 0.96, 0.99]
    """
    rng = np.random.default_rng(20_221_001)
    one = (rng.random((count, 1), np.float32) for _ in range(3))
    factors = price_factors(Draws(*one)).T
    return factors[WON] / factors[:WON]


def euro_ahead(block: Block, day: int, days: int) -> tuple[float, float]:
    """The rate of the euro expected so many days after a day, and the spread of its logarithm."""
    listed = block.parameters.euro_list_rate
    now = np.log(float(block.market.euro_on(np.array(day))) / listed)
    kept = EURO_PULL**days
    spread = EURO_STEP * np.sqrt((1 - kept**2) / (1 - EURO_PULL**2))
    return listed * float(np.exp(now * kept + spread**2 / 2)), float(spread)


def unpriced(block: Block, dirt: float) -> NDArray[np.bool_]:
    """[deal of the book]: the mess leaves its amount out until it reaches Solution (the draws of `dirt.soil_deals`)."""
    late = np.zeros(len(block.book.deals), dtype=bool)
    kept = block.ledger.kept
    late[kept] = block.streams("dirt deals").random(len(kept)) < SHARES["late_pricing"] * dirt
    return late


def usual_price(block: Block, deal: Ints) -> Floats:
    """First price expected of deals whose amount is missing, in their own currency: by segment, or by what is paid."""
    book, parameters = block.book, block.parameters
    segment, created = book.deals.segment[deal], book.deals.created[deal]
    first = np.array(parameters.deal_arr)[segment] * price_index(parameters, created)
    term = np.maximum(book.facts.term[deal], 0)
    drift = price_index(parameters, created) / price_index(parameters, book.terms.start[term])
    more = 12 * book.terms.mrr[term].sum(axis=1) * np.array(parameters.expansion_ratio)[segment] * drift
    listed = np.where(book.deals.kind[deal] == EXPANSION, more, first) * block.multiplier[book.facts.account[deal]]
    return listed / np.where(block.prices.euro[deal], parameters.euro_list_rate, 1.0)


def seen_price(block: Block, deal: Ints, stage: Ints, missing: NDArray[np.bool_]) -> Floats:
    """Price in the deal's own currency by what the CRM shows in a stage."""
    shown = block.prices.by_stage[deal, stage]
    return np.where(missing[deal] & (stage < SOLUTION), usual_price(block, deal), shown)
