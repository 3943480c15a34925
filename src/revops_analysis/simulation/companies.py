"""Companies and their people: accounts, contacts, and the copies of both that a CRM collects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.book import Accounts, Book
from revops_analysis.simulation.columns import (
    Columns,
    Floats,
    Ints,
    append_rows,
    identifiers,
    join,
    keep_rows,
    pick,
    take_rows,
)
from revops_analysis.simulation.names import (
    COMPANY_FIRST,
    COMPANY_FORMS,
    COMPANY_SECOND,
    COMPANY_THIRD,
    FIRST_NAMES,
    LAST_NAMES,
    NICKNAMES,
)
from revops_analysis.simulation.parameters import Parameters
from revops_analysis.simulation.people import AE, Team
from revops_analysis.simulation.words import COUNTRIES, INDUSTRIES, REGIONS, SEGMENTS, TITLES

_TLDS = ("com", "io", "net", "co", "org", "ai", "app", "dev", "biz", "eu", "us", "uk", "de", "fr", "nl", "ca", "tech")
NAME_STRIDE = 40_009
"""Names of one block begin this far from those of the block before it."""
_NAMES = len(COMPANY_FIRST) * len(COMPANY_SECOND) * len(COMPANY_THIRD)
DORMANT = 1500
"""Accounts at size 1 that never have a deal."""

FIRST_COPY = 500_000
"""Numbers of second accounts begin this far above their block's first."""


@dataclass(frozen=True)
class Companies:
    """Every company of a block, accounts of the book first, dormant ones after; and its people.

    `name` and `domain` are Arrow texts; people of company i are the persons `first_person[i]` … + `people[i]` − 1.
    `copy_of` [contact copy] → person; copies are numbered after all persons. `copied` [person] → its first copy or −1.
    `account_copy` lists the companies that are in the table twice.
    """

    offset: int
    contact_offset: int
    name: pa.Array
    domain: pa.Array
    segment: Ints
    region: Ints
    country: Ints
    industry: Ints
    employees: Ints
    revenue: Floats
    seat: Ints
    created: Ints
    people: Ints
    first_person: Ints
    person_company: Ints
    person_first: Ints
    person_last: Ints
    person_title: Ints
    person_phone: Ints
    person_day: Ints
    copy_of: Ints
    copy_day: Ints
    copied: Ints
    account_copy: Ints

    def __len__(self) -> int:
        return len(self.segment)

    def person(self, company: Ints, place: Ints) -> Ints:
        """The person at a place in the company's list, counted round."""
        return self.first_person[company] + place % self.people[company]

    def copied_account(self, company: Ints) -> Ints:
        """The number of a company's second account."""
        return company + self.offset + FIRST_COPY

    def contact(self, person: Ints, day: Ints, draws: Floats) -> Ints:
        """The contact row under which a person is found on a day: now and then a copy, if there is one by then."""
        if not len(self.copy_of):
            return person
        copy = self.copied[person]
        usable = (copy >= 0) & (draws < 0.4)
        usable &= np.where(copy >= 0, self.copy_day[np.maximum(copy, 0)], tl.FAR) < day
        return np.where(usable, len(self.person_company) + copy, person)


def make_companies(
    book: Book, team: Team, parameters: Parameters, rng: np.random.Generator, place: tuple[int, float]
) -> Companies:
    """Name every company and its people; `place` is the block's number and the amount of dirt."""
    block, dirt = place
    accounts = book.accounts
    dormant = max(round(DORMANT * parameters.size), 5)
    count = len(accounts) + dormant
    block_offset = block * 1_000_000
    segment = np.concatenate([accounts.segment, rng.choice(3, dormant, p=parameters.segment_share)])
    seat = np.concatenate([accounts.seat, rng.choice(team.seats(AE), dormant)])
    region = np.concatenate([accounts.region, team.region[seat[len(accounts) :]]])
    name, domain = company_names(np.arange(count) + block * NAME_STRIDE)
    employees = np.exp(rng.normal(np.array([3.6, 6.4, 8.7])[segment], 0.6))
    employees = np.clip(employees, np.array([1, 201, 2001])[segment], np.array([200, 2000, 90_000])[segment])
    created = _created(accounts, dormant, rng)
    people = 1 + rng.poisson(parameters.people_mean - 1, count)
    first_person = np.cumsum(people) - people
    person_company = np.repeat(np.arange(count), people)
    persons = len(person_company)
    day = created[person_company] + (rng.random(persons) ** 3 * 60).astype(np.int64)
    copies = _copies(persons, day, parameters.duplicate_contacts * dirt, rng)
    return Companies(
        block_offset, block_offset, name, domain, segment, region,
        np.where(region == 3, 2 + rng.integers(0, 4, count), (rng.random(count) < 0.1).astype(np.int64)),
        rng.integers(0, len(INDUSTRIES), count), employees.astype(np.int64),
        np.rint(employees * np.exp(rng.normal(11.9, 0.4, count)) / 1000) * 1000, seat, created,
        people, first_person, person_company,
        rng.integers(0, len(FIRST_NAMES), persons), rng.integers(0, len(LAST_NAMES), persons),
        rng.integers(0, len(TITLES), persons), rng.integers(2_000_000, 9_999_999, persons), day, *copies,
        np.flatnonzero((rng.random(count) < parameters.duplicate_accounts * dirt) & (created < tl.THROUGH - 400)),
    )  # fmt: skip


def _created(accounts: Accounts, dormant: int, rng: np.random.Generator) -> Ints:
    before = rng.integers(100, 300, len(accounts))
    before = np.where(accounts.opening, rng.integers(200, 1500, len(accounts)), before)
    quiet = rng.integers(tl.ZERO, tl.THROUGH - 30, dormant)
    return np.concatenate([accounts.first_day - before, quiet])


def company_names(numbers: Ints) -> tuple[pa.Array, pa.Array]:
    """A name and a domain for each number, no two alike until every combination is used."""
    mixed = (numbers * 100_003) % _NAMES
    first = mixed % len(COMPANY_FIRST)
    second = mixed // len(COMPANY_FIRST) % len(COMPANY_SECOND)
    third = mixed // (len(COMPANY_FIRST) * len(COMPANY_SECOND))
    stem = join(pick(COMPANY_FIRST, first), pick(COMPANY_SECOND, second))
    last = pick(COMPANY_THIRD, third)
    form = pick(COMPANY_FORMS, numbers % len(COMPANY_FORMS))
    domain = join(pc.utf8_lower(join(stem, last)), pick(_TLDS, numbers // _NAMES % len(_TLDS)), sep=".")
    return join(stem, last, form, sep=" "), domain


def _copies(persons: int, day: Ints, share: float, rng: np.random.Generator) -> tuple[Ints, Ints, Ints]:
    """Which persons are entered again, and when: `share` of all contact rows are such copies."""
    share = min(share, 0.6)
    wanted = rng.poisson(share / (1 - share), persons) if share > 0 else np.zeros(persons, dtype=np.int64)
    copy_of = np.repeat(np.arange(persons), wanted)
    copy_of = copy_of[day[copy_of] < tl.THROUGH - 10]
    room = np.minimum(tl.THROUGH - day[copy_of] - 1, 700)
    copy_day = day[copy_of] + 1 + (rng.random(len(copy_of)) * room).astype(np.int64)
    copied = np.full(persons, -1, dtype=np.int64)
    copied[copy_of[::-1]] = np.arange(len(copy_of))[::-1]
    return copy_of, copy_day, copied


def accounts_table(companies: Companies, team: Team, offset: int) -> Columns:
    """The table `accounts`: every company in the CRM by the end of history; the owner is today's."""
    known = companies.created <= tl.THROUGH
    today = np.int64((tl.THROUGH - tl.ZERO) // 7)
    owner = team.owner(companies.seat, np.full(len(companies), today))
    count = len(companies)
    numbers = np.arange(count)
    large = np.flatnonzero(companies.segment == 2)
    has_parent = (numbers % 29 == 7) & (len(large) > 0)
    parent = large[numbers % max(len(large), 1)] if len(large) else numbers
    has_parent &= (companies.created[parent] <= companies.created) & (parent != numbers) & (numbers[parent] % 29 != 7)
    table: Columns = {
        "account_id": identifiers("ACC", numbers + companies.offset),
        "name": companies.name,
        "domain": companies.domain,
        "parent_account_id": identifiers("ACC", np.where(has_parent, parent + companies.offset, -1)),
        "segment": pick(SEGMENTS, companies.segment),
        "industry": pick(INDUSTRIES, companies.industry),
        "region": pick(REGIONS, companies.region),
        "country": pick(COUNTRIES, companies.country),
        "employees": companies.employees,
        "annual_revenue": companies.revenue,
        "owner_id": identifiers("USR", owner + offset),
        "created_at": tl.moments(companies.created, (numbers % 97) / 97.0, late=0.01),
    }
    return _with_copies(table, known, companies)


def _with_copies(table: Columns, known: np.ndarray, companies: Companies) -> Columns:
    """The accounts that are in the CRM, and after them those entered a second time, 90 to 400 days later."""
    twice = companies.account_copy
    copies = take_rows(table, twice)
    style = twice % 3
    bare = pc.replace_substring_regex(copies["name"], " [A-Za-z]+$", "")
    copies["name"] = choose(style, {0: pc.utf8_upper(copies["name"]), 1: join("The ", bare)}, bare)
    web = pc.replace_substring_regex(copies["domain"], "[.][a-z]+$", "-hq.com")
    copies["domain"] = choose(style, {0: pa.nulls(len(twice), pa.string()), 1: web}, join("www.", copies["domain"]))
    copies["account_id"] = identifiers("ACC", companies.copied_account(twice))
    copies["created_at"] = copies["created_at"] + (90 + twice * 37 % 310) * tl.DAY_US
    return append_rows(keep_rows(table, known), copies)


def contacts_table(companies: Companies, rng: np.random.Generator) -> tuple[Columns, tuple[Ints, Ints]]:
    """The table `contacts` and, a row each, its number and the number of the person who it is.

    Half the copies of a person whose company is in the CRM twice hang on the company's copy.
    """
    persons = len(companies.person_company)
    person = np.concatenate([np.arange(persons), companies.copy_of])
    copy = np.arange(len(person)) >= persons
    company = companies.person_company[person]
    day = np.concatenate([companies.person_day, companies.copy_day])
    first, last = companies.person_first[person], companies.person_last[person]
    style = np.where(copy, rng.integers(0, 6, len(person)), -1)
    astray = copy & np.isin(company, companies.account_copy) & (style % 2 == 0)
    account = np.where(astray, companies.copied_account(company), company + companies.offset)
    table: Columns = {
        "contact_id": identifiers("CON", np.arange(len(person)) + companies.contact_offset),
        "account_id": identifiers("ACC", account),
        "name": _person_names(first, last, style),
        "email": emails(first, last, companies.domain.take(company), style),
        "phone": _phones(companies.person_phone[person], style),
        "title": pick(TITLES, companies.person_title[person]),
        "created_at": tl.moments(day, (np.arange(len(person)) % 89) / 89.0, late=0.01),
    }
    known = day <= tl.THROUGH
    return keep_rows(table, known), (np.flatnonzero(known), person[known])


def _person_names(first: Ints, last: Ints, style: Ints) -> pa.Array:
    """The name as first entered, or as a copy has it: nickname, initial, a slip in the last name, last name first."""
    plain = pick(FIRST_NAMES, first)
    surname = pick(LAST_NAMES, last)
    short = pick([NICKNAMES.get(name, name) for name in FIRST_NAMES], first)
    initial = pick([name[0] + "." for name in FIRST_NAMES], first)
    slip = pick([name[:-2] + name[-1] + name[-2] for name in LAST_NAMES], last)
    given = choose(style, {0: short, 1: initial}, plain)
    family = choose(style, {2: slip}, surname)
    return choose(style, {3: join(surname, plain, sep=", ")}, join(given, family, sep=" "))


def emails(first: Ints, last: Ints, domain: pa.Array, style: Ints) -> pa.Array:
    """first.last@domain, or as a copy has it: initial, private address, capitals, or none at all."""
    lower_first = pick([name.lower() for name in FIRST_NAMES], first)
    lower_last = pick([name.lower() for name in LAST_NAMES], last)
    initial = pick([name[0].lower() for name in FIRST_NAMES], first)
    usual = join(join(lower_first, lower_last, sep="."), domain, sep="@")
    private = join(join(lower_first, lower_last, sep="."), "postbox.example", sep="@")
    shouted = join(join(pick(FIRST_NAMES, first), pick(LAST_NAMES, last), sep="."), domain, sep="@")
    none = pa.nulls(len(first), pa.string())
    return choose(style, {0: join(join(initial, lower_last), domain, sep="@"), 1: private, 4: shouted, 5: none}, usual)


def _phones(numbers: Ints, style: Ints) -> pa.Array:
    text = pa.array(numbers).cast(pa.string())
    head, tail = pc.utf8_slice_codeunits(text, 0, 3), pc.utf8_slice_codeunits(text, 3, 7)
    none = pa.nulls(len(numbers), pa.string())
    local = join("(555) ", head, "-", tail)
    return choose(style, {2: none, 4: local, 5: local}, join("+1 555 ", head, " ", tail))


def choose(style: Ints, options: dict[int, pa.Array], usual: pa.Array) -> pa.Array:
    """The option of each element's style, else the usual text."""
    result = usual
    for code, text in options.items():
        result = pc.if_else(pa.array(style == code), text, result)
    return result
