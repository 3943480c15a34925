"""The process one week at a time, as whoever knows its parameters can compute it; nothing here is drawn.

Arrays of chances end in the hidden quality: weak, fair, strong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.columns import Floats, Ints
from revops_analysis.simulation.dynamics import NEGOTIATION, PROPOSAL, SOLUTION, Rates
from revops_analysis.simulation.market import Market
from revops_analysis.simulation.parameters import Parameters
from revops_analysis.simulation.people import AE, MANAGER, STALL_FROM, Team
from revops_analysis.simulation.words import WON

HURRY = 0.7
"""Share of wins in the week of a quarter's end that are brought forward to before it (`lifecycle.event_days`)."""
CERTAIN_YEARS = 0.4
"""No seller leaves earlier than this (`people.make_team`)."""


def chances(advance: Floats, die: Floats, parameters: Parameters) -> tuple[Floats, Floats]:
    """The weekly chances that a living deal advances and that it dies, by quality, from rates at fair quality.

    >>> advances, dies = chances(np.array([0.2]), np.array([0.1]), Parameters())
    >>> advances.round(3).tolist(), dies.round(3).tolist()
    ([[0.129, 0.173, 0.231]], [[0.138, 0.086, 0.047]])
    """
    ahead = advance[..., None] * np.array(parameters.quality_advance)
    down = die[..., None] * np.array(parameters.quality_die)
    happens = -np.expm1(-(ahead + down))
    chance = happens * ahead / (ahead + down)
    return chance, happens - chance


def destinations(parameters: Parameters, week: int) -> Floats:
    """[from stage 0…4 × to stage 0…5]: where a deal that advances in a week arrives."""
    shares = np.zeros((WON, WON + 1))
    for stage in range(WON):
        skips = parameters.skip_share if stage <= SOLUTION else 0.0
        shares[stage, stage + 1] += 1 - skips
        shares[stage, min(stage + 2, WON)] += skips
    split = parameters.split_stage_from
    if split is not None and tl.monday(np.array(week)) < tl.number(split):
        shares[:, NEGOTIATION] += shares[:, PROPOSAL]
        shares[:, PROPOSAL] = 0.0
    return shares


def win_days(week: int) -> Floats:
    """The chance of each day, Monday to Sunday, for a win in a week.

    >>> win_days(int(tl.week_of(np.array(tl.number(tl.dt.date(2026, 9, 30)))))).round(3).tolist()
    [0.293, 0.293, 0.293, 0.06, 0.06, 0.0, 0.0]
    """
    monday = tl.monday(np.array([week]))
    left = int(tl.quarter_end(monday)[0] - monday[0])
    plain = np.array([0.2] * 5 + [0.0] * 2)
    if left >= 4:
        return plain
    early = np.zeros(7)
    early[: left + 1] = 1 / (left + 1)
    return HURRY * early + (1 - HURRY) * plain


def win_between(week: int, after: int, last: int) -> float:
    """The chance that a win of a week falls on a day later than `after` and no later than `last`."""
    days = int(tl.monday(np.array(week))) + np.arange(7)
    return float(win_days(week)[(days > after) & (days <= last)].sum())


@dataclass(frozen=True)
class Ahead:
    """What is expected of coming weeks at a cutoff: `pace` [seat × week], `calendar`, `death` [segment × stage × week].

    Week 0 is the cutoff's own. `nodes` are the log shocks of the market [node × week] with their `weights`.
    """

    first: int
    pace: Floats
    calendar: Floats
    death: Floats
    nodes: Floats
    weights: Floats

    @property
    def weeks(self) -> int:
        """How many weeks, the cutoff's own included."""
        return self.pace.shape[1]


@dataclass(frozen=True)
class Known:
    """The parameters that the forecaster knows of one block."""

    parameters: Parameters
    team: Team
    rates: Rates
    market: Market
    forget: float
    """Chance a week that a passed close date is left standing."""


def look_ahead(known: Known, first: int, last: int, felt: tuple[float, float] | None = None) -> Ahead:
    """Rates of the weeks `first` … `last` as expected in week `first`: sellers may leave, future shocks are unknown.

    `felt`: mean and spread of this quarter's log shock, as far as it can be told; None if it is known.
    """
    weeks = np.arange(first, last + 1)
    still = known.rates.calendar[:, :, weeks] / np.exp(known.market.shock[weeks])
    nodes, weights = _shocks(known, weeks, felt or (float(known.market.shock[first]), 0.0))
    return Ahead(first, expected_pace(known, weeks), still, known.rates.death[:, :, weeks], nodes, weights)


def _shocks(known: Known, weeks: Ints, felt: tuple[float, float]) -> tuple[Floats, Floats]:
    """The market's log shock: three Gauss–Hermite nodes of what it may be now and in later quarters."""
    ahead = tl.quarter_of(tl.monday(weeks))
    ahead = ahead - ahead[0]
    mean = felt[0] * 0.5**ahead
    spread = np.sqrt(0.25**ahead * felt[1] ** 2 + known.parameters.market_sd**2 * (1 - 0.25**ahead))
    if not spread.any():
        return mean[None, :], np.ones(1)
    points = np.sqrt(3.0) * np.array([-1.0, 0.0, 1.0])
    return mean + points[:, None] * spread, np.array([1, 4, 1]) / 6


def expected_pace(known: Known, weeks: Ints) -> Floats:
    """[seat × week]: pace of whoever sits there now, and, as far as they may have left by then, of a newcomer."""
    parameters, team = known.parameters, known.team
    mondays = tl.monday(weeks)
    user = team.occupant[:, weeks[0]]
    days = mondays - team.user_hired[user][:, None]
    stays = np.exp(team.skill[user])[:, None] * _ramp(parameters, team, days)
    in_seat = np.tile(7 + 7 * (weeks - weeks[0]), (len(user), 1))
    fresh = np.exp(parameters.skill_sd**2 / 2) * _ramp(parameters, team, in_seat)
    sells = (team.role == AE)[:, None]
    stays, fresh = np.where(sells, stays, stays**0.4), np.where(sells, fresh, fresh**0.4)
    leaves = _leaving(parameters, team, days[:, 0])[:, None]
    result = (1 - leaves) ** np.arange(len(weeks)) * stays
    for left in range(1, len(weeks)):
        result[:, left:] += leaves * (1 - leaves) ** (left - 1) * fresh[:, : len(weeks) - left]
    if team.stalling_seat >= 0:
        result[team.stalling_seat, mondays >= STALL_FROM] *= parameters.stalling_pace
    return result


def _leaving(parameters: Parameters, team: Team, days: Ints) -> Floats:
    """[seat]: the chance a week that who sits there leaves."""
    mean_days = max(parameters.tenure_years - CERTAIN_YEARS, 0.1) * 365.25
    leaves = np.where(days > CERTAIN_YEARS * 365.25, -np.expm1(-7 / mean_days), 0.0)
    stays = np.arange(len(leaves)) == team.stalling_seat
    return np.where(stays | (team.role >= MANAGER), 0.0, leaves)


def _ramp(parameters: Parameters, team: Team, days: Ints) -> Floats:
    months = np.where(team.segment >= 0, np.array(parameters.ramp_months)[team.segment], 3.0)
    risen = parameters.ramp_start + (1 - parameters.ramp_start) * (days / 30.44) / months[:, None]
    return np.clip(risen, parameters.ramp_start, 1.0)


def win_values(known: Known, ahead: Ahead, node: int, span: tuple[int, int]) -> Floats:
    """[week × type × segment × seat × stage × quality]: the chance of a living deal to be won in `span`.

    Wins count after the first day of `span` up to the second. Entry t is for a deal that is in the stage at the end of
    week `ahead.first` + t; types are new and expansion.
    """
    base, down, parameters = known.rates.advance[:2], known.rates.die[:2], known.parameters
    seats = ahead.pace.shape[0]
    values = np.zeros((ahead.weeks, 2, 3, seats, WON, 3))
    for t in range(ahead.weeks - 1, 0, -1):
        week = ahead.first + t
        pace = ahead.pace[None, None, :, t, None]
        calendar = ahead.calendar[None, :, None, :, t] * np.exp(ahead.nodes[node, t])
        death = ahead.death[None, :, None, :, t]
        advance, die = chances(base[:, :, None] * pace * calendar, down[:, :, None] * death / np.sqrt(pace), parameters)
        after = np.concatenate([values[t], np.full((2, 3, seats, 1, 3), win_between(week, *span))], axis=3)
        moved = np.einsum("sd,kgedq->kgesq", destinations(parameters, week), after)
        values[t - 1] = advance * moved + (1 - advance - die) * values[t]
    return values
