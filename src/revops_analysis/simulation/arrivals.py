"""Where deals begin: outbound and partners bring new ones, leads are passed and converted, lost ones return."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.columns import Ints
from revops_analysis.simulation.dynamics import SLUMP_FROM
from revops_analysis.simulation.parameters import Parameters
from revops_analysis.simulation.people import AE, Team
from revops_analysis.simulation.words import OUTBOUND, PARTNER

WEEKS_A_MONTH = 365.25 / 7 / 12


@dataclass(frozen=True)
class Arrivals:
    """New deals about to be created: true origin, segment, day, lead and its channel (−1: none), lift of quality."""

    origin: Ints
    segment: Ints
    day: Ints
    lead: Ints
    channel: Ints
    lift: np.ndarray

    def __len__(self) -> int:
        return len(self.day)


def pace_of_arrivals(parameters: Parameters) -> np.ndarray:
    """Arrivals of each week against the last year of history: growth, season, slump."""
    mondays = tl.monday(np.arange(tl.WEEKS))
    years = (mondays - (tl.THROUGH - 182)) / 365.25
    month = tl.month_of(mondays + 2) % 12
    pace = (1 + parameters.growth) ** years * np.array(parameters.season)[month]
    return np.where(mondays >= SLUMP_FROM, 1 - parameters.slump, 1.0) * pace * parameters.size


def sold_by_sales(parameters: Parameters, rng: np.random.Generator) -> Arrivals:
    """Outbound's and partners' new deals over the whole run."""
    pace = pace_of_arrivals(parameters)
    parts = []
    for origin, month in ((OUTBOUND, parameters.outbound_month), (PARTNER, parameters.partner_month)):
        counts = rng.poisson(pace * month / WEEKS_A_MONTH)
        week = np.repeat(np.arange(tl.WEEKS), counts)
        parts.append((np.full(len(week), origin), tl.monday(week) + rng.integers(0, 5, len(week))))
    origins, day = (np.concatenate(values) for values in zip(*parts, strict=True))
    segment = rng.choice(3, len(day), p=parameters.segment_share)
    keep = day <= tl.END
    if parameters.enterprise_from is not None:
        keep &= (segment < 2) | (day >= tl.number(parameters.enterprise_from))
    none = np.full(keep.sum(), -1, dtype=np.int64)
    return Arrivals(origins[keep], segment[keep], day[keep], none, none, np.zeros(len(none)))


def seats_for(team: Team, segment: Ints, day: Ints, draws: np.ndarray) -> Ints:
    """A seat of the segment that is open on the day, each with the same chance."""
    result = np.zeros(len(segment), dtype=np.int64)
    for code in range(3):
        seats = np.flatnonzero((team.role == AE) & (team.segment == code))
        seats = seats[np.argsort(team.opened[seats], kind="stable")]
        rows = np.flatnonzero(segment == code)
        usable = np.maximum(np.searchsorted(team.opened[seats], day[rows], side="right"), 1)
        result[rows] = seats[(draws[rows] * usable).astype(np.int64)]
    return result
