"""The tables of deals: current state, history, people, splits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.book import Book
from revops_analysis.simulation.columns import Columns, Floats, Ints, identifiers, join, pick
from revops_analysis.simulation.companies import Companies
from revops_analysis.simulation.dynamics import NOTHING
from revops_analysis.simulation.leads import Leads
from revops_analysis.simulation.lifecycle import price_factors
from revops_analysis.simulation.market import campaign_code
from revops_analysis.simulation.parameters import Parameters
from revops_analysis.simulation.people import AE, Team
from revops_analysis.simulation.record import Record
from revops_analysis.simulation.words import (
    CATEGORIES,
    COMPETITORS,
    CONTACT_ROLES,
    CURRENCIES,
    CUSTOMER,
    EVENT,
    EXPANSION,
    INBOUND,
    LOSS_REASONS,
    LOST,
    MARKETING_CHANNELS,
    NEW,
    NEXT_STEPS,
    OUTBOUND,
    PAID,
    PRODUCTS,
    RENEWAL,
    SEGMENTS,
    SOURCES,
    STAGE_PROBABILITY,
    STAGES,
    TYPES,
    WON,
)


@dataclass(frozen=True)
class Prices:
    """`by_stage` [deal × stage 0…5]: price of each deal in its own currency, whole units; `euro` flags it."""

    by_stage: Floats
    euro: NDArray[np.bool_]
    list_rate: float

    @property
    def won(self) -> Floats:
        """The price at which each deal is, or would be, won."""
        return self.by_stage[:, WON]


@dataclass(frozen=True)
class Ledger:
    """Which deals the CRM holds (`kept`, in order of creation), their numbers, and the changes it recorded.

    `number` gives each deal of the book its key, also those that only the truth sees. Arrays named `row_*` have one
    entry a change.
    """

    kept: Ints
    number: Ints
    source: Ints
    created_at: Ints
    row_deal: Ints
    row_age: Ints
    row_moment: Ints
    row_change: Ints
    row_stage: Ints
    row_close: Ints
    row_category: Ints
    row_owner: Ints
    row_amount: Floats
    last_row: Ints

    @property
    def row_deal_place(self) -> Ints:
        """Place in `kept` of the deal of each change."""
        return np.searchsorted(self.last_row, np.arange(len(self.row_deal)))


def make_prices(book: Book, multiplier: Floats, parameters: Parameters) -> Prices:
    """Prices of every deal while it is in each stage, rounded to whole units of its currency."""
    account = book.facts.account
    euro = book.accounts.euro[account]
    factors = price_factors(book.draws)
    renewal = book.deals.kind == RENEWAL
    factors[renewal] = 1.0
    factors[renewal, WON] = book.facts.ratio[renewal]
    unit = multiplier[account] / np.where(euro, parameters.euro_list_rate, 1.0)
    prices = np.maximum(np.rint((book.facts.base * unit)[:, None] * factors), 1.0)
    return Prices(prices, euro, parameters.euro_list_rate)


def make_ledger(
    book: Book, record: Record, prices: Prices, rng: np.random.Generator, parameters: Parameters, offset: int
) -> Ledger:
    """Decide which deals the CRM holds and write down their changes until the end of history."""
    final, last = book.paths.outcome()
    closing = record.event_day[np.arange(len(last)), last]
    created_at = tl.moments(book.deals.created, rng.random(len(last)))
    order = np.argsort(created_at, kind="stable")
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.arange(len(order)) + offset
    seen = (book.deals.created <= tl.THROUGH) & ~((final >= WON) & (closing < tl.START))
    kept = order[seen[order]]
    rows = _changes(book, record, kept)
    return _write_rows(book, record, prices, rng, (kept, number, _crm_source(book, parameters, rng), created_at), rows)


def _changes(book: Book, record: Record, kept: Ints) -> tuple[Ints, Ints]:
    """Deal and age of every week in which something changed, creation included; by deal, then age."""
    stage, close = book.paths.stage[kept], record.close[kept]
    category, owner = record.category[kept], record.owner[kept]
    differs = np.ones(stage.shape, dtype=bool)
    differs[:, 1:] = (
        (stage[:, 1:] != stage[:, :-1])
        | (close[:, 1:] != close[:, :-1])
        | (category[:, 1:] != category[:, :-1])
        | (owner[:, 1:] != owner[:, :-1])
    )
    differs[:, 1:] &= ~((stage[:, 1:] == LOST) & (stage[:, :-1] == LOST))
    differs &= (stage != NOTHING) & (record.event_day[kept] <= tl.THROUGH)
    deal, age = np.nonzero(differs)
    return kept[deal], age


def _write_rows(
    book: Book,
    record: Record,
    prices: Prices,
    rng: np.random.Generator,
    head: tuple[Ints, Ints, Ints, Ints],
    rows: tuple[Ints, Ints],
) -> Ledger:
    kept, number, source, created_at = head
    deal, age = rows
    moment = np.where(age == 0, created_at[deal], tl.moments(record.event_day[deal, age], rng.random(len(deal))))
    stage = book.paths.stage[deal, age].astype(np.int64)
    before = np.where(age > 0, book.paths.stage[deal, age - 1], stage)
    doubled = (age > 0) & (stage != before) & (before != NOTHING) & (rng.random(len(deal)) < 0.05)
    repeat = 1 + doubled.astype(np.int64)
    index = np.repeat(np.arange(len(deal)), repeat)
    first_of_two = np.zeros(len(index), dtype=bool)
    first_of_two[1:] = index[1:] == index[:-1]
    change = 1 + first_of_two.astype(np.int64)
    early = np.zeros(len(index), dtype=bool)
    early[:-1] = first_of_two[1:]
    deal, age, moment = deal[index], age[index], moment[index]
    stage = np.where(early, before[index], stage[index])
    category = record.category[deal, age].astype(np.int64)
    category = np.where(early, record.category[deal, np.maximum(age - 1, 0)], category)
    priced = np.where(stage == LOST, _stage_before_loss(book, deal, age), stage)
    amount = prices.by_stage[deal, np.clip(priced, 0, WON)]
    ends = np.flatnonzero(np.append(deal[1:] != deal[:-1], True))
    return Ledger(
        kept, number, source, created_at, deal, age, moment, change, stage, record.close[deal, age], category,
        record.owner[deal, age], amount, ends,
    )  # fmt: skip


def _stage_before_loss(book: Book, deal: Ints, age: Ints) -> Ints:
    before = book.paths.stage[deal, np.maximum(age - 1, 0)].astype(np.int64)
    return np.where(before >= WON, 0, before)


def _crm_source(book: Book, parameters: Parameters, rng: np.random.Generator) -> Ints:
    """The origin as the CRM field says: some of marketing's deals are recorded as outbound, and the other way round."""
    origin, touched = book.facts.origin, book.facts.touched
    draws = rng.random((2, len(origin)))
    lost, claimed = parameters.crm_source_noise
    marketing = origin >= INBOUND
    result = np.where(marketing & (draws[0] < lost), OUTBOUND, origin)
    sold = (origin == OUTBOUND) & (book.deals.kind == NEW)
    channel = np.argmax(touched[:, :MARKETING_CHANNELS] * rng.random((len(origin), MARKETING_CHANNELS)), axis=1)
    as_source = np.array([PAID, PAID, INBOUND, EVENT, EVENT, INBOUND])[channel]
    claims = sold & touched[:, :MARKETING_CHANNELS].any(axis=1) & (draws[1] < claimed)
    result = np.where(claims, as_source, result)
    return np.where(book.deals.kind == NEW, result, CUSTOMER)


def history_table(ledger: Ledger, prices: Prices, offset: int) -> Columns:
    """The table `opportunity_history`."""
    deal = ledger.row_deal
    return {
        "opportunity_id": identifiers("OPP", ledger.number[deal]),
        "changed_at": ledger.row_moment,
        "change_number": ledger.row_change,
        "stage": pick(STAGES, ledger.row_stage),
        "amount": ledger.row_amount,
        "currency": pick(CURRENCIES, prices.euro[deal].astype(np.int64)),
        "close_date": ledger.row_close,
        "forecast_category": pick(CATEGORIES, ledger.row_category),
        "probability": np.array(STAGE_PROBABILITY)[ledger.row_stage],
        "owner_id": identifiers("USR", ledger.row_owner + offset),
    }


def opportunities_table(
    book: Book, ledger: Ledger, prices: Prices, companies: Companies, extra: tuple[Ints, np.random.Generator, int]
) -> Columns:
    """The table `opportunities`: the last recorded change of each deal, and what has no history."""
    last_activity, rng, offset = extra
    deal, at = ledger.kept, ledger.last_row
    stage = ledger.row_stage[at]
    closed = stage >= WON
    kind = book.deals.kind[deal]
    arr = np.where(stage == LOST, prices.by_stage[deal, 0], ledger.row_amount[at])
    draws = rng.random((5, len(deal)))
    account = book.facts.account[deal]
    campaign = _campaign(book, ledger, deal)
    services = np.where((kind == NEW) & (draws[0] < 0.3), np.rint(arr * (0.05 + 0.2 * draws[1])), 0.0)
    number = len(deal)
    product = pick(PRODUCTS, book.facts.product[deal])
    label = pick(("", " expansion", " renewal"), kind)
    return {
        "opportunity_id": identifiers("OPP", ledger.number[deal]),
        "account_id": identifiers("ACC", account + companies.offset),
        "owner_id": identifiers("USR", ledger.row_owner[at] + offset),
        "name": join(join(companies.name.take(account), product, sep=" – "), label),
        "type": pick(TYPES, kind),
        "segment": pick(SEGMENTS, book.deals.segment[deal]),
        "product": product,
        "source": pick(SOURCES, ledger.source[deal]),
        "primary_campaign_id": identifiers("CMP", campaign),
        "created_at": ledger.created_at[deal],
        "close_date": ledger.row_close[at],
        "stage": pick(STAGES, stage),
        "amount": ledger.row_amount[at],
        "currency": pick(CURRENCIES, prices.euro[deal].astype(np.int64)),
        "arr": arr,
        "renewed_arr": np.where(kind == RENEWAL, prices.by_stage[deal, 0], np.nan),
        "one_time_amount": services,
        "term_months": book.facts.months[deal],
        "forecast_category": pick(CATEGORIES, ledger.row_category[at]),
        "probability": np.array(STAGE_PROBABILITY)[stage],
        "next_step": pick(NEXT_STEPS, np.where(closed, -1, np.minimum(stage, 4))),
        "last_activity_at": last_activity[deal],
        "competitor": pick(COMPETITORS, np.where(draws[2] < 0.4, (draws[3] * 5).astype(np.int64), -1)),
        "loss_reason": pick(LOSS_REASONS, np.where(stage == LOST, (draws[4] ** 1.4 * 6).astype(np.int64), -1)),
        "closed_at": np.where(closed, ledger.row_moment[at], tl.NO_DAY),
        "deleted_at": np.full(number, tl.NO_DAY, dtype=np.int64),
    }


def _campaign(book: Book, ledger: Ledger, deal: Ints) -> Ints:
    """The campaign of one marketing channel that touched the deal, where the CRM source is marketing's."""
    touched = book.facts.touched[deal, :MARKETING_CHANNELS]
    channel = np.argmax(touched, axis=1)
    marketing = (ledger.source[deal] >= INBOUND) & touched.any(axis=1)
    return campaign_code(np.where(marketing, channel, -1), book.deals.created[deal])


def contacts_of_deals(
    book: Book, ledger: Ledger, companies: Companies, rng: np.random.Generator
) -> tuple[Columns, Ints, Ints]:
    """The table `opportunity_contacts`, and by deal of the book its first person and how many take part.

    Living deals of good quality involve more people.
    """
    deals = len(book.deals)
    account = book.facts.account
    wanted = 1 + rng.poisson(0.5 + 0.45 * book.deals.quality)
    people = np.minimum(wanted, companies.people[account])
    first = (rng.random(deals) * companies.people[account]).astype(np.int64)
    kept = ledger.kept
    deal = np.repeat(kept, people[kept])
    place = np.arange(len(deal)) - np.repeat(np.cumsum(people[kept]) - people[kept], people[kept])
    person = companies.person(account[deal], first[deal] + place)
    later = (rng.random(len(deal)) * 30 * tl.DAY_US * (place > 0)).astype(np.int64)
    moment = np.minimum(ledger.created_at[deal] + later, ledger.created_at[deal] + later)
    seen = moment < (tl.THROUGH + 1) * tl.DAY_US
    role = np.where(place == 0, (rng.random(len(deal)) < 0.35).astype(np.int64), 1 + rng.integers(0, 4, len(deal)))
    table: Columns = {
        "opportunity_id": identifiers("OPP", ledger.number[deal]).filter(seen),
        "contact_id": identifiers("CON", person + companies.contact_offset).filter(seen),
        "role": pick(CONTACT_ROLES, role).filter(seen),
        "is_primary": (place == 0)[seen],
        "created_at": moment[seen],
    }
    return table, first, people


def splits_table(book: Book, ledger: Ledger, team: Team, rng: np.random.Generator, offset: int) -> Columns:
    """The table `opportunity_splits`: the owner alone for most deals, two sellers for some, overlays beside."""
    kept = ledger.kept
    kind = book.deals.kind[kept]
    owner = ledger.row_owner[ledger.last_row]
    shared = (kind != RENEWAL) & (rng.random(len(kept)) < 0.08)
    sellers = team.seats(AE)
    week = np.minimum(tl.week_of(book.deals.created[kept]), tl.WEEKS - 1)
    other = team.owner(sellers[rng.integers(0, len(sellers), len(kept))], week)
    shared &= other != owner
    overlay = (kind == EXPANSION) & (rng.random(len(kept)) < 0.10)
    specialist = team.owner(np.full(len(kept), sellers[0]), week)
    part = np.where(rng.random(len(kept)) < 0.5, 0.5, 0.3)
    everyone = np.flatnonzero(shared)
    marked = np.flatnonzero(overlay)
    deal = np.concatenate([kept[everyone], kept[everyone], kept[marked]])
    user = np.concatenate([owner[everyone], other[everyone], specialist[marked]])
    share = np.concatenate([1 - part[everyone], part[everyone], np.ones(len(marked))])
    kinds = np.concatenate([np.zeros(2 * len(everyone), dtype=np.int64), np.ones(len(marked), dtype=np.int64)])
    return {
        "opportunity_id": identifiers("OPP", ledger.number[deal]),
        "user_id": identifiers("USR", user + offset),
        "kind": pick(("revenue", "overlay"), kinds),
        "share": share,
    }


def leads_of_deals(leads: Leads, book: Book) -> Ints:
    """[lead]: the deal of the book that it became, −1 for none."""
    result = np.full(len(leads), -1, dtype=np.int64)
    rows = np.flatnonzero(book.facts.lead >= 0)
    result[book.facts.lead[rows]] = rows
    return result
