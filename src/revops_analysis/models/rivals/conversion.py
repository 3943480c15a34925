"""The rule that serious teams use: each stage's yield at this week of the period, plus typical create-and-close."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from revops_analysis.models.evidence import Evidence
from revops_analysis.models.rivals.past import Floats, Past, unpriced, unpriced_note
from revops_analysis.models.rivals.rule import Replay, Rival

_LEVEL_DAYS = np.timedelta64(91, "D")


@dataclass(frozen=True)
class StageWeekConversion(Rival):
    """Booked and signed, each stage's open amount × its yield at the same week, and typical create-and-close.

    The yield of a stage is Σ won amount ÷ Σ open amount over past periods at the same week. What comes from deals not
    yet created, and from reopened or restated ones, is Σ of it ÷ Σ level over past periods × today's level; the level
    is the number of deals created in the 13 weeks before, because that is what create-and-close is made of. (On the
    sample company, open pipeline, bookings of a year and 26 or 52 weeks of creations do as well, to .001 of WAPE.)
    """

    name: ClassVar[str] = "stage_week_conversion"
    title: ClassVar[str] = "Stage × week-of-period conversion"

    def replay(self, evidence: Evidence, past: Past) -> Replay | str:
        """Convert the pipeline at past yields and add what is typically created and won."""
        deals = past.deals
        lacking = unpriced(past)
        if lacking:
            return lacking
        count = past.known_rows.sum(axis=1)
        if count[-1] == 0:
            return "It needs 1 past period at the same week, there is none."
        level = _level(evidence, past)
        later = {name: past.rows[name].to_numpy(dtype=float) for name in ("created_won", "other")}
        scaled = {name: _ratio(past.known_sum(values), past.known_sum(level)) * level for name, values in later.items()}
        parts = pd.DataFrame({"open_won": _converted(past, deals), **scaled})
        parts.loc[count == 0] = np.nan
        note = f"Yields of the stages, and create-and-close, of {int(count[-1])} past periods at the same week."
        return Replay(parts, (note, *unpriced_note(past)))


def _level(evidence: Evidence, past: Past) -> Floats:
    """Deals created in the weeks up to each row's cutoff."""
    created = np.sort(evidence.created["created_on"].to_numpy("datetime64[D]"))
    until = past.rows["cutoff"].to_numpy("datetime64[D]")
    upto, before = (np.searchsorted(created, days, side="right") for days in (until, until - _LEVEL_DAYS))
    return (upto - before).astype(np.float64)


def _converted(past: Past, deals: pd.DataFrame) -> Floats:
    """What the open deals yield, by row; a stage never seen takes the yield of all."""
    stage, stages = pd.factorize(deals["stage"].fillna(""), sort=True)
    shape = (len(past.rows), max(len(stages), 1))
    cell = deals["row"].to_numpy() * shape[1] + stage
    amount, won = (
        np.bincount(cell, np.nan_to_num(deals[name].to_numpy(dtype=float)), shape[0] * shape[1])
        .astype(np.float64)
        .reshape(shape)
        for name in ("amount", "won_amount")
    )
    bottom, top = past.known_sum(amount), past.known_sum(won)
    pooled = _ratio(top.sum(axis=1), bottom.sum(axis=1))
    yields = np.where(bottom > 0, _ratio(top, bottom), pooled[:, None])
    return (amount * yields).sum(axis=1)


def _ratio(top: Floats, bottom: Floats) -> Floats:
    """top ÷ bottom, 0 where there was nothing to convert."""
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)
