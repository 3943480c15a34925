"""What sellers did: calls, emails and meetings on open deals, fewer when the buyer has gone."""

from __future__ import annotations

import numpy as np

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.book import Book
from revops_analysis.simulation.columns import Columns, Floats, Ints, identifiers, pick
from revops_analysis.simulation.companies import Companies
from revops_analysis.simulation.deals import Ledger
from revops_analysis.simulation.record import Record
from revops_analysis.simulation.words import ACTIVITY_KINDS, WON

ALIVE_WEEK = (0.8, 0.9, 1.0, 1.05, 1.2)
"""Mean activities a week on a living deal, by stage."""
DEAD_WEEK = 0.22
"""And on a dead one: sellers keep asking."""


def make_activities(
    book: Book,
    record: Record,
    ledger: Ledger,
    companies: Companies,
    extra: tuple[Ints, Ints, np.random.Generator, int],
) -> tuple[Columns, Ints]:
    """The table `activities`, and the last activity on each deal of the book (UTC microseconds, `NO_DAY` for none).

    `extra`: by deal its first person and how many take part, the generator, and the number of the first user.
    """
    first, people, rng, offset = extra
    deal, age = _when(book, ledger, rng)
    day = tl.monday(tl.week_of(book.deals.created[deal]) + age) + rng.integers(0, 5, len(deal))
    day = np.maximum(day, book.deals.created[deal])
    keep = (day <= tl.THROUGH) & (day >= book.deals.created[deal])
    deal, age, day = deal[keep], age[keep], day[keep]
    moment = tl.moments(day, rng.random(len(deal)))
    moment = np.maximum(moment, ledger.created_at[deal] + 60_000_000)
    inside = moment < (tl.THROUGH + 1) * tl.DAY_US + 4 * 3_600_000_000
    deal, age, day, moment = deal[inside], age[inside], day[inside], moment[inside]
    order = np.argsort(moment, kind="stable")
    deal, age, day, moment = deal[order], age[order], day[order], moment[order]
    place = first[deal] + (rng.random(len(deal)) * people[deal]).astype(np.int64)
    account = book.facts.account[deal]
    person = companies.person(account, place)
    contact = companies.contact(person, day, rng.random(len(deal)))
    known = companies.person_day[person] < day
    last = np.full(len(book.deals), tl.NO_DAY, dtype=np.int64)
    np.maximum.at(last, deal, moment)
    table: Columns = {
        "activity_id": identifiers("ACT", np.arange(len(deal)) + companies.offset),
        "opportunity_id": identifiers("OPP", ledger.number[deal]),
        "account_id": identifiers("ACC", account + companies.offset),
        "contact_id": identifiers("CON", np.where(known, contact + companies.contact_offset, -1)),
        "user_id": identifiers("USR", record.owner[deal, age] + offset),
        "kind": pick(ACTIVITY_KINDS, rng.choice(3, len(deal), p=[0.35, 0.45, 0.2])),
        "occurred_at": moment,
    }
    return table, last


def _when(book: Book, ledger: Ledger, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Deal and week of every activity: more in late stages, few on deals that are dead."""
    stage = book.paths.stage[ledger.kept]
    open_ = (stage >= 0) & (stage < WON)
    mean: Floats = np.where(
        open_,
        np.where(book.paths.alive[ledger.kept], np.array(ALIVE_WEEK)[np.clip(stage, 0, 4)], DEAD_WEEK),
        0.0,
    )
    counts = rng.poisson(mean)
    row, age = np.nonzero(counts)
    repeat = counts[row, age]
    return ledger.kept[np.repeat(row, repeat)], np.repeat(age, repeat)
