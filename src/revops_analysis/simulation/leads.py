"""Leads: who asks, what marketing sees of them, which are truly worth passing, and what sales makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.arrivals import WEEKS_A_MONTH, Arrivals
from revops_analysis.simulation.columns import Floats, Ints, join, pick
from revops_analysis.simulation.parameters import Parameters
from revops_analysis.simulation.words import EVENT, INBOUND, INDUSTRIES, PAID, TITLE_SENIORITY, TITLES

PASS_SCORE = 60
"""Marketing passes leads with this score or more: the current rule of the definitions."""
_FIT_INDUSTRIES = 4
"""The first so many industries suit the product."""


@dataclass(frozen=True)
class Leads:
    """All leads of a block; arrays of one length, days and moments as numbers, `NO_DAY` where it never happened."""

    created: Ints
    source: Ints
    channel: Ints
    employees: Ints
    industry: Ints
    title: Ints
    visited: Ints
    emails: Ints
    demo: Ints
    score: Ints
    truly_good: np.ndarray
    chance_good: Floats
    qualified: Ints
    responded: Ints
    accepted: Ints
    converted: Ints
    refused: Ints
    reason: Ints

    def __len__(self) -> int:
        return len(self.created)

    @property
    def segment(self) -> Ints:
        """Segment by employees, as the definitions say."""
        return np.searchsorted([200, 2000], self.employees, side="left")


def make_leads(parameters: Parameters, rng: np.random.Generator) -> Leads:
    """Leads of the whole run with their fate; all moments are UTC microseconds."""
    seen = _attributes(parameters, rng)
    count = len(seen["created"])
    chance = chance_good(seen)
    good = rng.random(count) < chance
    noise = rng.normal(size=count)
    score = 46 + 7.5 * np.minimum(seen["emails"], 6) + 9 * seen["visited"] + 12 * seen["demo"] + 8 * noise
    points = np.clip(np.rint(score), 0, 100).astype(np.int64)
    return Leads(
        **seen,
        score=points,
        truly_good=good,
        chance_good=chance,
        **_fate(seen["created"], points, good, rng, parameters),
    )


def _attributes(parameters: Parameters, rng: np.random.Generator) -> dict[str, Ints]:
    weekly = parameters.leads_month * parameters.size / WEEKS_A_MONTH
    season = np.array(parameters.season)[tl.month_of(tl.monday(np.arange(tl.WEEKS)) + 2) % 12]
    week = np.repeat(np.arange(tl.WEEKS), rng.poisson(weekly * season))
    count = len(week)
    source = rng.choice([INBOUND, EVENT, PAID], count, p=[0.45, 0.22, 0.33])
    inbound = rng.choice([2, 3, 5], count, p=[0.6, 0.2, 0.2])
    channel = np.select([source == EVENT, source == PAID], [np.full(count, 4), rng.integers(0, 2, count)], inbound)
    days = tl.monday(week) + rng.integers(0, 7, count)
    return {
        "created": tl.moments(days, rng.random(count)),
        "source": source,
        "channel": channel,
        "employees": np.maximum(np.exp(rng.normal(4.7, 1.6, count)), 1).astype(np.int64),
        "industry": rng.integers(0, len(INDUSTRIES), count),
        "title": rng.integers(0, len(TITLES), count),
        "visited": (rng.random(count) < 0.45).astype(np.int64),
        "emails": rng.poisson(1.9, count),
        "demo": (rng.random(count) < 0.15).astype(np.int64),
    }


def chance_good(seen: dict[str, Ints]) -> Floats:
    """The true chance that a lead is worth passing, from what is recorded of it: this is the best possible score.

    Mostly three things matter: at least 80 employees, at least a manager, and a look at the pricing page (or a
    request for a demonstration). The score that marketing uses counts opened emails instead.
    """
    senior = np.array(TITLE_SENIORITY)[seen["title"]] >= 1
    keen = (seen["visited"] + seen["demo"]) > 0
    fits = (seen["employees"] >= 80) & senior & keen
    logit = np.where(fits, -1.2, -5.4) + 0.7 * (seen["industry"] < _FIT_INDUSTRIES) + 0.5 * seen["demo"]
    return 1 / (1 + np.exp(-logit))


def _fate(
    created: Ints, score: Ints, good: np.ndarray, rng: np.random.Generator, parameters: Parameters
) -> dict[str, Ints]:
    """Passed, answered, accepted, converted or refused; slow answers cost conversions."""
    count = len(created)
    never = np.full(count, tl.NO_DAY, dtype=np.int64)
    minute = 60_000_000
    passed = score >= PASS_SCORE
    qualified = np.where(passed, created + (rng.exponential(600, count) * minute).astype(np.int64), never)
    wait = np.exp(rng.normal(4.6, 1.3, count))
    answered = passed & (rng.random(count) < 0.9)
    responded = np.where(answered, qualified + (wait * minute).astype(np.int64), never)
    accepts = answered & (rng.random(count) < np.where(good, 0.92, 0.28))
    accepted = np.where(accepts, responded + (rng.exponential(1500, count) * minute).astype(np.int64), never)
    speed = np.clip(1.12 - 0.11 * np.log10(np.maximum(wait, 1)), 0.55, 1.05)
    converts = accepts & (rng.random(count) < np.where(good, 0.93, 0.10) * speed)
    day = accepted // tl.DAY_US + 1 + rng.integers(0, 18, count)
    conversion = tl.moments(
        tl.to_business_day(np.where(converts, day, 0)) + np.where(converts, 3, 0), rng.random(count)
    )
    converted = np.where(converts, conversion, never)
    refuses = passed & ~converts & (rng.random(count) < 0.85)
    base = np.where(accepts, accepted, np.where(answered, responded, qualified))
    refused = np.where(refuses, base + (rng.exponential(9, count) * tl.DAY_US).astype(np.int64), never)
    return {
        "qualified": qualified,
        "responded": responded,
        "accepted": accepted,
        "converted": converted,
        "refused": refused,
        "reason": np.where(refuses, rng.integers(0, 6, count), -1),
    }


def arrivals_from(leads: Leads, parameters: Parameters) -> Arrivals:
    """Converted leads become new deals; truly good ones start with better quality."""
    rows = np.flatnonzero(leads.converted != tl.NO_DAY)
    day = tl.to_business_day((leads.converted[rows] - 5 * 3_600_000_000) // tl.DAY_US)
    segment = leads.segment[rows]
    keep = (day <= tl.END) & (day >= tl.ZERO)
    if parameters.enterprise_from is not None:
        keep &= (segment < 2) | (day >= tl.number(parameters.enterprise_from))
    rows, day, segment = rows[keep], day[keep], segment[keep]
    lift = np.where(leads.truly_good[rows], 0.45, -0.9)
    return Arrivals(leads.source[rows], segment, day, rows, leads.channel[rows], lift)


def attributes_json(leads: Leads) -> pa.Array:
    """The column `attributes`: a JSON object a lead.

    `calls_logged` is filled by sales after a lead was accepted: it tells the outcome, so no lead score may use it.
    """

    def whole(values: Ints) -> pa.Array:
        return pa.array(values).cast(pa.string())

    flag = ("false", "true")
    return join(
        '{"score": ', whole(leads.score),
        ', "employees": ', whole(leads.employees),
        ', "industry": "', pick(INDUSTRIES, leads.industry),
        '", "title": "', pick(TITLES, leads.title),
        '", "visited_pricing_page": ', pick(flag, leads.visited),
        ', "emails_opened": ', whole(leads.emails),
        ', "demo_requested": ', pick(flag, leads.demo),
        ', "calls_logged": ', whole(_calls(leads)),
        "}",
    )  # fmt: skip


def _calls(leads: Leads) -> Ints:
    """One to four calls on accepted leads, twice as many on those that became deals, none on others."""
    end = (tl.THROUGH + 1) * tl.DAY_US
    accepted, converted = ((moment != tl.NO_DAY) & (moment < end) for moment in (leads.accepted, leads.converted))
    return accepted * (1 + leads.emails % 4) * (1 + converted)
