"""The mess of a CRM: mistyped words, missing values, orphans, impossible dates, rows entered twice.

Every share below is at dirt 1 and grows with it. What makes a row unusable stays far below 1% of a table's rows and
of its money, because a company whose CRM were worse would have noticed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.columns import Columns, Ints, identifiers, pick, take_rows
from revops_analysis.simulation.words import (
    CHANNEL_SPELLINGS,
    CHANNELS,
    INDUSTRIES,
    INDUSTRY_TYPOS,
    STAGE_TYPOS,
    STAGES,
)

SHARES = {
    "stage_typo": 0.0008,
    "impossible_date": 0.0025,
    "moment_of_1970": 0.0006,
    "orphan": 0.0008,
    "exact_duplicate": 0.0010,
    "late_pricing": 0.10,
    "extra_zero": 0.0015,
    "missing_arr": 0.03,
    "services_in_amount": 0.02,
    "missing_source": 0.015,
    "missing_next_step": 0.25,
    "missing_loss_reason": 0.20,
    "industry_typo": 0.02,
    "untidy_domain": 0.03,
    "missing_segment": 0.005,
    "missing_employees": 0.04,
    "missing_email": 0.04,
    "channel_spelling": 0.06,
    "missing_channel": 0.02,
    "missing_account": 0.03,
    "repeated_touch": 0.004,
    "missing_reason": 0.08,
    "unrouted_lead": 0.02,
}
"""Share of the rows concerned that each kind of mess touches, at dirt 1."""
UNUSABLE = ("stage_typo", "impossible_date", "moment_of_1970", "orphan")
MOST_UNUSABLE = 0.003
"""No kind of mess makes a larger share of a table unusable: in a small company one row more would be one too many."""


@dataclass(frozen=True)
class Dirt:
    """How much mess, and the numbers it is drawn from."""

    amount: float
    rng: np.random.Generator

    def rows(self, kind: str, count: int, among: np.ndarray | None = None) -> np.ndarray:
        """A mask of the rows that this kind of mess touches; always draws, so that `amount` changes nothing else."""
        draws = self.rng.random(count)
        touched = draws < SHARES[kind] * self.amount
        if among is not None:
            touched &= among
        return touched & (np.cumsum(touched) <= MOST_UNUSABLE * count) if kind in UNUSABLE else touched


def _blank(values: pa.Array, rows: np.ndarray) -> pa.Array:
    return pc.if_else(pa.array(rows), pa.scalar(None, values.type), values)


def _replace(values: pa.Array, rows: np.ndarray, by: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(rows), by, values)


@dataclass(frozen=True)
class DealRows:
    """What the mess in deals needs to know: rows of each history change, small deals, and never-priced changes."""

    deal: Ints
    deals: int
    last: Ints
    early: np.ndarray
    small: np.ndarray


def soil_deals(opportunities: Columns, history: Columns, known: DealRows, dirt: Dirt) -> None:
    """Alter both tables of deals in place, so that the last change and the current state still agree."""
    count, changes = known.deals, len(known.deal)
    late = dirt.rows("late_pricing", count)
    unpriced = late[known.deal] & known.early
    zero = dirt.rows("extra_zero", changes, known.small[known.deal])
    zero[known.last] = False
    amount = np.where(zero, history["amount"] * 10, history["amount"])
    won = pc.equal(opportunities["stage"], "Closed Won").to_numpy(zero_copy_only=False)
    services = dirt.rows("services_in_amount", count, won)
    amount[known.last] += np.where(services, opportunities["one_time_amount"], 0)
    amount = np.where(unpriced, np.nan, amount)
    history["amount"] = amount
    opportunities["amount"] = amount[known.last]
    no_arr = dirt.rows("missing_arr", count, won) | np.isnan(amount[known.last])
    opportunities["arr"] = np.where(no_arr, np.nan, opportunities["arr"])
    _soil_words(opportunities, history, known, dirt)
    strange = dirt.rows("impossible_date", count, known.small & ~won)
    days = np.where(strange, opportunities["close_date"] + 365 * 178, opportunities["close_date"])
    opportunities["close_date"] = days
    history["close_date"] = history["close_date"].copy()
    history["close_date"][known.last] = days


def _soil_words(opportunities: Columns, history: Columns, known: DealRows, dirt: Dirt) -> None:
    count, changes = known.deals, len(known.deal)
    typo = dirt.rows("stage_typo", count, known.small)
    codes = pc.index_in(opportunities["stage"], pa.array(STAGES)).to_numpy(zero_copy_only=False)
    opportunities["stage"] = _replace(opportunities["stage"], typo, pick(STAGE_TYPOS, codes))
    old = dirt.rows("stage_typo", changes)
    old[known.last] = typo
    codes = pc.index_in(history["stage"], pa.array(STAGES)).to_numpy(zero_copy_only=False)
    history["stage"] = _replace(history["stage"], old, pick(STAGE_TYPOS, codes))
    for column, kind in (
        ("source", "missing_source"),
        ("next_step", "missing_next_step"),
        ("loss_reason", "missing_loss_reason"),
    ):
        opportunities[column] = _blank(opportunities[column], dirt.rows(kind, count))


def soil_accounts(accounts: Columns, dirt: Dirt) -> None:
    """Mistyped industries, untidy domains, missing facts."""
    count = len(accounts["account_id"])
    codes = pc.index_in(accounts["industry"], pa.array(INDUSTRIES)).to_numpy(zero_copy_only=False)
    typo = dirt.rows("industry_typo", count)
    accounts["industry"] = _replace(accounts["industry"], typo, pick(INDUSTRY_TYPOS, codes))
    accounts["domain"] = _untidy(accounts["domain"], dirt.rows("untidy_domain", count))
    accounts["segment"] = _blank(accounts["segment"], dirt.rows("missing_segment", count))
    missing = dirt.rows("missing_employees", count)
    accounts["employees"] = pa.array(accounts["employees"], pa.int64(), mask=missing)


def _untidy(domain: pa.Array, rows: np.ndarray) -> pa.Array:
    return _replace(domain, rows, pc.binary_join_element_wise("www", pc.utf8_capitalize(domain), "."))


def soil_leads(leads: Columns, dirt: Dirt) -> None:
    """Missing addresses, owners and reasons, untidy domains."""
    count = len(leads["lead_id"])
    leads["email"] = _blank(leads["email"], dirt.rows("missing_email", count))
    leads["domain"] = _untidy(leads["domain"], dirt.rows("untidy_domain", count))
    leads["owner_id"] = _blank(leads["owner_id"], dirt.rows("unrouted_lead", count))
    leads["disqualified_reason"] = _blank(leads["disqualified_reason"], dirt.rows("missing_reason", count))


def soil_touches(touches: Columns, dirt: Dirt) -> None:
    """Channels in many spellings or none, touches without an account."""
    count = len(touches["touchpoint_id"])
    codes = pc.index_in(touches["channel"], pa.array(CHANNELS)).to_numpy(zero_copy_only=False)
    width = max(len(words) for words in CHANNEL_SPELLINGS.values())
    spellings = [words[i % len(words)] for words in CHANNEL_SPELLINGS.values() for i in range(width)]
    other = pick(spellings, codes * width + dirt.rng.integers(0, width, count))
    touches["channel"] = _replace(touches["channel"], dirt.rows("channel_spelling", count), other)
    touches["channel"] = _blank(touches["channel"], dirt.rows("missing_channel", count))
    touches["account_id"] = _blank(touches["account_id"], dirt.rows("missing_account", count))


_ORPHANS = {
    "activities": ("opportunity_id", "OPP"),
    "subscriptions": ("account_id", "ACC"),
    "opportunity_contacts": ("contact_id", "CON"),
    "contacts": ("account_id", "ACC"),
}
_GHOST = 900_000_000


def soil_rows(name: str, columns: Columns, dirt: Dirt) -> Columns:
    """References to rows that are not there, moments in 1970, and rows that are in the table twice."""
    count = len(next(iter(columns.values())))
    if name in _ORPHANS:
        column, prefix = _ORPHANS[name]
        ghosts = identifiers(prefix, np.arange(count) + _GHOST)
        columns[column] = _replace(columns[column], dirt.rows("orphan", count), ghosts)
    if name == "activities":
        strange = dirt.rows("moment_of_1970", count)
        columns["occurred_at"] = np.where(strange, columns["occurred_at"] % tl.DAY_US, columns["occurred_at"])
    twice = dirt.rows("exact_duplicate", count)
    order = np.sort(np.concatenate([np.arange(count), np.flatnonzero(twice)]))
    return take_rows(columns, order)


TWICE = ("contacts", "leads", "touchpoints", "activities")
"""Tables in which rows are entered twice."""
