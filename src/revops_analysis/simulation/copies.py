"""Deals that were entered twice: a second row that somebody merged away some weeks later."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.book import Book
from revops_analysis.simulation.columns import Columns, Floats, Ints, append_rows, identifiers, pick, take, take_rows
from revops_analysis.simulation.deals import Ledger
from revops_analysis.simulation.words import CATEGORIES, NEW, PIPELINE, STAGE_PROBABILITY, STAGES

FIRST_COPY = 700_000
"""Numbers of merged deals begin this far above their block's first."""


def merged_deals(book: Book, ledger: Ledger, share: float, rng: np.random.Generator) -> Ints:
    """Places in `ledger.kept` of the new deals that were entered twice."""
    created = book.deals.created[ledger.kept]
    able = (book.deals.kind[ledger.kept] == NEW) & (created >= tl.START) & (created < tl.THROUGH - 60)
    return np.flatnonzero((rng.random(len(able)) < share) & able)


def with_copies(
    tables: tuple[Columns, Columns], ledger: Ledger, places: Ints, rng: np.random.Generator, offset: int
) -> tuple[Columns, Columns, Columns]:
    """Both tables of deals with the copies appended, and the truth: each copy's key beside the deal it repeats.

    A copy has one change, its creation, and is deleted 5 to 40 days later; until then it counts as open pipeline.
    """
    deals, history = tables
    first_row = np.searchsorted(ledger.row_deal_place, places)
    count = len(places)
    created = ledger.created_at[ledger.kept[places]] + rng.integers(1, 9, count) * tl.DAY_US
    deleted = created + rng.integers(5, 40, count) * tl.DAY_US
    keys = identifiers("OPP", np.arange(count) + offset + FIRST_COPY)
    stage = pick(STAGES, np.zeros(count, dtype=np.int64))
    category = pick(CATEGORIES, np.full(count, PIPELINE))
    probability = np.full(count, STAGE_PROBABILITY[0])
    state = {"stage": stage, "forecast_category": category, "probability": probability, "opportunity_id": keys}
    change = take_rows(history, first_row) | state | {"changed_at": created}
    now = take_rows(deals, places) | state
    nothing = np.full(count, tl.NO_DAY)
    now |= {name: change[name] for name in ("amount", "close_date", "owner_id")}
    now |= {"created_at": created, "deleted_at": deleted, "closed_at": nothing, "last_activity_at": nothing}
    now |= {"loss_reason": pa.nulls(count, pa.string()), "next_step": pa.nulls(count, pa.string())}
    now |= {"arr": _numbers(change["amount"]), "one_time_amount": np.zeros(count)}
    truth: Columns = {"opportunity_id": keys, "merged_into": take(deals["opportunity_id"], places)}
    return append_rows(deals, now), append_rows(history, change), truth


def _numbers(values: Floats) -> Floats:
    return np.array(values, dtype=np.float64)
