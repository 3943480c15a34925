"""The table of leads, and who each lead really is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.book import Book
from revops_analysis.simulation.columns import Columns, Ints, identifiers, join, keep_rows, pick
from revops_analysis.simulation.companies import NAME_STRIDE, Companies, choose, company_names, emails
from revops_analysis.simulation.deals import Ledger, leads_of_deals
from revops_analysis.simulation.leads import Leads, attributes_json
from revops_analysis.simulation.market import campaign_code
from revops_analysis.simulation.names import FIRST_NAMES, LAST_NAMES
from revops_analysis.simulation.people import SDR, Team
from revops_analysis.simulation.touches import FIRST_TOUCH
from revops_analysis.simulation.words import REFUSALS, SOURCES

KNOWN_SHARE = 0.35
"""Share of leads that never became a deal but come from a company that the CRM already has."""
_END = (tl.THROUGH + 1) * tl.DAY_US + 4 * 3_600_000_000


@dataclass(frozen=True)
class Identities:
    """Who each lead is: `company` and `person` of the block (−1: in no other table), and the deal it became (−1)."""

    company: Ints
    person: Ints
    deal: Ints
    kept: np.ndarray


def identify(
    leads: Leads, book: Book, ledger: Ledger, companies: Companies, first_person: tuple[Ints, np.random.Generator]
) -> Identities:
    """Decide who the leads are. Converted ones are the first person of their deal; `kept` marks those in the CRM."""
    first, rng = first_person
    deal = leads_of_deals(leads, book)
    has_deal = deal >= 0
    known = rng.random(len(leads)) < KNOWN_SHARE
    guess = rng.integers(0, len(companies), len(leads))
    before = companies.created[guess] * tl.DAY_US < leads.created
    company = np.where(has_deal, book.facts.account[np.maximum(deal, 0)], np.where(known & before, guess, -1))
    place = np.where(has_deal, first[np.maximum(deal, 0)], rng.integers(0, 9, len(leads)))
    person = np.where(company >= 0, companies.person(np.maximum(company, 0), place), -1)
    held = np.zeros(len(book.deals), dtype=bool)
    held[ledger.kept] = True
    gone = (leads.converted != tl.NO_DAY) & (leads.converted < _END) & ~(has_deal & held[np.maximum(deal, 0)])
    kept = (leads.created >= FIRST_TOUCH * tl.DAY_US) & (leads.created < _END) & ~gone
    return Identities(company, person, np.where(has_deal & held[np.maximum(deal, 0)], deal, -1), kept)


def leads_table(
    leads: Leads,
    who: Identities,
    companies: Companies,
    ledger: Ledger,
    extra: tuple[Team, np.random.Generator, int, int],
) -> Columns:
    """The table `leads`. `extra`: the team, the generator, the number of the first user, the block's number."""
    team, rng, offset, block = extra
    count = len(leads)
    converted = _until(leads.converted)
    real = converted != tl.NO_DAY
    deal = np.where(real, who.deal, -1)
    seats = team.seats(SDR)
    day = leads.created // tl.DAY_US
    seat = seats[rng.integers(0, len(seats), count)]
    owner = team.owner(seat, np.clip(tl.week_of(day), 0, tl.WEEKS - 1))
    name, domain, email = _identity_text(leads, who, companies, rng, block)
    refused = _until(leads.refused)
    table: Columns = {
        "lead_id": identifiers("LEA", np.arange(count) + companies.offset),
        "email": email,
        "company": name,
        "domain": domain,
        "source": pick(SOURCES, leads.source),
        "campaign_id": identifiers("CMP", campaign_code(leads.channel, day)),
        "created_at": leads.created,
        "qualified_at": _until(leads.qualified),
        "accepted_at": _until(leads.accepted),
        "converted_at": np.where(real, ledger.created_at[np.maximum(who.deal, 0)], tl.NO_DAY),
        "first_response_at": _until(leads.responded),
        "disqualified_at": refused,
        "disqualified_reason": pick(REFUSALS, np.where(refused != tl.NO_DAY, leads.reason, -1)),
        "owner_id": identifiers("USR", owner + offset),
        "account_id": identifiers("ACC", np.where(deal >= 0, who.company + companies.offset, -1)),
        "contact_id": identifiers("CON", np.where(deal >= 0, who.person + companies.contact_offset, -1)),
        "opportunity_id": identifiers("OPP", np.where(deal >= 0, ledger.number[np.maximum(deal, 0)], -1)),
        "attributes": attributes_json(leads),
    }
    return keep_rows(table, who.kept)


def _until(moments: Ints) -> Ints:
    """What has happened by the end of history."""
    return np.where(moments < _END, moments, tl.NO_DAY)


def _identity_text(
    leads: Leads, who: Identities, companies: Companies, rng: np.random.Generator, block: int
) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Company, domain and email of each lead; one in eight gives a private address."""
    count = len(leads)
    own_name, own_domain = company_names(np.arange(count) + block * NAME_STRIDE + len(companies))
    known = pa.array(who.company >= 0)
    at = np.maximum(who.company, 0)
    name = pc.if_else(known, companies.name.take(at), own_name)
    domain = pc.if_else(known, companies.domain.take(at), own_domain)
    person = np.maximum(who.person, 0)
    first = np.where(who.person >= 0, companies.person_first[person], rng.integers(0, len(FIRST_NAMES), count))
    last = np.where(who.person >= 0, companies.person_last[person], rng.integers(0, len(LAST_NAMES), count))
    style = np.where(rng.random(count) < 0.12, 1, -1)
    address = emails(first, last, domain, style)
    short = join(pc.utf8_slice_codeunits(name, 0, 40))
    return choose(np.arange(count) % 6, {0: pc.utf8_lower(short)}, short), domain, address
