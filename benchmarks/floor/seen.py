"""What the CRM shows of the headline deals of one block, as arrays, and what the process makes of it.

All of it is read from the same draws as the tables: activities, contacts and touches are made again from their named
streams, so that they are those of the tables before dirt.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cache
from itertools import product
from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.activities import make_activities
from revops_analysis.simulation.columns import Floats, Ints
from revops_analysis.simulation.company import Block
from revops_analysis.simulation.deals import contacts_of_deals
from revops_analysis.simulation.parameters import Parameters
from revops_analysis.simulation.record import LARGE
from revops_analysis.simulation.touches import _before, _during
from revops_analysis.simulation.words import CHANNELS, NEW, RENEWAL, WON

MOST_PEOPLE = 12
"""More people than any account has take part in no deal."""
NEW_YORK = 5 * 3_600_000_000


@dataclass(frozen=True)
class Marks:
    """What happened on deals: the row of the deal, and the day or (of contacts) the moment."""

    row: Ints
    at: Ints

    def until(self, first: int, last: int) -> Ints:
        """The rows of what happened from `first` to `last`."""
        return self.row[(self.at >= first) & (self.at <= last)]


@dataclass(frozen=True)
class Seen:
    """Headline deals of the CRM, one row each; `deal` is the row in the book. Two axes: deal × week since creation.

    `stage`, `event_day`, `changed` (the CRM recorded a change), `close`, `category`, `optimism` (of the owner),
    `pushes` (of the close date so far); `large` deals are looked into by a manager.
    `signs`: activities, answered and unanswered touches; `weekly` [sign × deal × week] counts them.
    `prior` [deal × quality]: by the touches before creation and the lead. `contacts`: those beyond each deal's first;
    `people`: of the account.
    """

    deal: Ints
    kind: Ints
    segment: Ints
    seat: Ints
    born: Ints
    created: Ints
    created_at: Ints
    stage: NDArray[np.int8]
    event_day: Ints
    changed: NDArray[np.bool_]
    close: Ints
    category: NDArray[np.int8]
    optimism: Floats
    pushes: Ints
    large: NDArray[np.bool_]
    signs: tuple[Marks, Marks, Marks]
    weekly: Floats
    prior: Floats
    contacts: Marks
    people: Ints

    def __len__(self) -> int:
        return len(self.deal)

    def by_day(self, rows: Ints, day: int) -> Floats:
        """[sign × row]: counts from the Monday of `day`'s week to `day`."""
        monday = day - (day - tl.ZERO) % 7
        counts = [np.bincount(marks.until(monday, day), minlength=len(self)) for marks in self.signs]
        return np.stack(counts)[:, rows].astype(np.float64)


def look(block: Block) -> Seen:
    """Everything that the CRM shows of the headline deals of a block."""
    book, ledger, record = block.book, block.ledger, block.record
    deal = ledger.kept[book.deals.kind[ledger.kept] != RENEWAL]
    width = int(np.flatnonzero((book.paths.stage[deal] >= 0).any(axis=0)).max()) + 1
    changed = np.zeros(book.paths.stage.shape, dtype=bool)
    changed[ledger.row_deal, ledger.row_age] = True
    deals = book.deals.take(deal)
    born = tl.week_of(deals.created)
    signs, contacts = _marks(block, deal)
    return Seen(
        deal, deals.kind, deals.segment, deals.seat, born, deals.created, ledger.created_at[deal],
        book.paths.stage[deal, :width], record.event_day[deal, :width], changed[deal, :width],
        record.close[deal, :width], record.category[deal, :width],
        block.team.optimism[record.owner[deal, :width]],
        np.cumsum(record.pushes[deal, :width], axis=1, dtype=np.int64),
        (book.facts.base > np.quantile(book.facts.base, LARGE))[deal], signs,
        np.stack([_weekly(marks, born, width) for marks in signs]), _prior(block, deal), contacts,
        block.companies.people[book.facts.account[deal]],
    )  # fmt: skip


def _marks(block: Block, deal: Ints) -> tuple[tuple[Marks, Marks, Marks], Marks]:
    """Activities, answered and unanswered touches, and contacts, by row of `deal`."""
    book, ledger, companies = block.book, block.ledger, block.companies
    row_of = np.full(len(book.deals), -1)
    row_of[deal] = np.arange(len(deal))

    def marks(deals: Ints, at: Ints) -> Marks:
        row = row_of[deals]
        return Marks(row[row >= 0], at[row >= 0])

    contacts, first, people = contacts_of_deals(book, ledger, companies, block.streams("deal contacts"))
    extra = (first, people, block.streams("activities"), block.first_user)
    activities, _ = make_activities(book, block.record, ledger, companies, extra)
    active_day = (np.asarray(activities["occurred_at"]) - NEW_YORK) // tl.DAY_US
    active = marks(_deal_of(block, activities["opportunity_id"]), active_day)
    touched, day, yes = _touches(block)
    others = np.flatnonzero(~np.asarray(contacts["is_primary"]))
    entered = _deal_of(block, contacts["opportunity_id"])[others]
    signs = active, marks(touched[yes], day[yes]), marks(touched[~yes], day[~yes])
    return signs, marks(entered, np.asarray(contacts["created_at"])[others])


def _weekly(marks: Marks, born: Ints, width: int) -> Floats:
    """[deal × week since creation]: how many."""
    age = tl.week_of(marks.at) - born[marks.row]
    inside = age < width
    cell = marks.row[inside] * width + age[inside]
    return np.bincount(cell, minlength=len(born) * width).reshape(-1, width).astype(np.float64)


def _deal_of(block: Block, keys: pa.Array) -> Ints:
    """Rows of the book by keys like OPP-000000012."""
    number = pc.cast(pc.utf8_slice_codeunits(keys, 4), pa.int64()).to_numpy(zero_copy_only=False)
    row = np.empty(len(block.ledger.number), dtype=np.int64)
    offset = int(block.ledger.number.min())
    row[block.ledger.number - offset] = np.arange(len(row))
    return row[number - offset]


def _touches(block: Block) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """Deal, day and answer of the touches on open deals, drawn as `touches.make_touches` draws them.

    The CRM knows the account of most, the forecaster here the deal: that tells him a little more than it shows.
    """
    book, ledger, rng = block.book, block.ledger, block.streams("touches")
    _before(book, block.leads, rng)
    again = copy.deepcopy(rng)
    touches = _during(book, ledger, rng)
    kept = ledger.kept[book.deals.kind[ledger.kept] != RENEWAL]
    stage, alive = book.paths.stage[kept], book.paths.alive[kept]
    counts = again.poisson(np.where((stage >= 0) & (stage < WON), np.where(alive, 0.42, 0.12), 0.0))
    row, age = np.nonzero(counts)
    deal = np.repeat(kept[row], counts[row, age])
    inside = touches.day <= tl.THROUGH
    return deal[inside], touches.day[inside], touches.responded[inside]


def _prior(block: Block, deal: Ints) -> Floats:
    """[deal × quality] from the answered touches before creation and what is known of the lead."""
    facts, parameters = block.book.facts, block.parameters
    lead = facts.lead[deal]
    good = chance_good_if_converted(block.leads.chance_good[np.maximum(lead, 0)])
    lift = facts.touched[deal] @ np.array(parameters.channel_lift)
    again = (block.book.deals.kind[deal] == NEW) & (facts.attempt[deal] > 1)
    plain = quality_shares(parameters, lift + np.where(again, 0.1, 0.0))
    led = good[:, None] * quality_shares(parameters, lift + 0.45)
    led += (1 - good)[:, None] * quality_shares(parameters, lift - 0.9)
    return np.where((lead >= 0)[:, None], led, plain)


def chance_good_if_converted(chance: Floats) -> Floats:
    """The chance that a lead is truly good, given that sales accepted and converted it (`leads._fate`)."""
    good, bad = chance * 0.92 * 0.93, (1 - chance) * 0.28 * 0.10
    return good / (good + bad)


def quality_shares(parameters: Parameters, lift: Floats) -> Floats:
    """[… × quality]: chances of weak, fair and strong when touches and lead lift the score by so much."""
    from scipy.special import ndtr

    mean = np.asarray(lift) - 0.35
    low, high = (ndtr(cut - mean) for cut in parameters.quality_cuts)
    return np.stack([low, high - low, 1 - high], axis=-1)


@cache
def origin_shares(parameters: Parameters, origin: int, lift: float, channel: int = -1) -> tuple[float, ...]:
    """Chances of the qualities of a deal not yet created, over all touches that deals of its origin may have had."""
    touch = np.array(parameters.touch_share[origin])
    if channel >= 0:
        touch[channel] = 1.0
    answers = np.array(list(product((0, 1), repeat=len(CHANNELS))))
    weight = np.where(answers == 1, touch, 1 - touch).prod(axis=1)
    return tuple(weight @ quality_shares(parameters, lift + answers @ np.array(parameters.channel_lift)))


def category_points(count: int = 25) -> tuple[Floats, Floats]:
    """A grid of standard normal belief and its weights."""
    points = np.linspace(-3, 3, count)
    weight = np.array([NormalDist().pdf(point) for point in points])
    return points, weight / weight.sum()


def contact_likelihood(seen: Seen, rows: Ints, day: int) -> Floats:
    """[row × quality]: how likely the number of contacts seen on a day is.

    A deal of quality q has 1 + Poisson(0.5 + 0.45 q) people, at most those of the account; those beyond the first are
    entered evenly within 30 days.
    """
    from scipy.stats import binom

    end = (day + 1) * tl.DAY_US + NEW_YORK
    found = np.bincount(seen.contacts.until(0, end - 1), minlength=len(seen))[rows]
    entered = np.clip((end - seen.created_at[rows]) / (30 * tl.DAY_US), 0.0, 1.0)
    room = np.minimum(seen.people[rows] - 1, MOST_PEOPLE)
    share = _contact_shares()[:, room]
    ways = [share[:, :, n].T * binom.pmf(found, n, entered)[:, None] for n in range(MOST_PEOPLE + 1)]
    return np.sum(ways, axis=0)


@cache
def _contact_shares() -> Floats:
    """[quality × people beyond the first at the account × contacts beyond the first]."""
    from scipy.stats import poisson

    numbers = np.arange(MOST_PEOPLE + 1)
    table = np.zeros((3, MOST_PEOPLE + 1, MOST_PEOPLE + 1))
    for quality in range(3):
        for room in numbers:
            table[quality, room, : room + 1] = poisson.pmf(numbers[: room + 1], 0.5 + 0.45 * quality)
            table[quality, room, room] += poisson.sf(room, 0.5 + 0.45 * quality)
    return table
