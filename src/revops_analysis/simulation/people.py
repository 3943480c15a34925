"""The company's own people: seats that open as it grows, and who sits in them week by week."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.columns import Columns, Floats, Ints, identifiers, join, pick
from revops_analysis.simulation.names import FIRST_NAMES, LAST_NAMES
from revops_analysis.simulation.parameters import Parameters
from revops_analysis.simulation.randomness import Streams
from revops_analysis.simulation.words import REGIONS, SEGMENTS

AE, SDR, CSM, MANAGER, VP = range(5)
ROLES = ("AE", "SDR", "CSM", "Manager", "VP")
TEAMS = (*SEGMENTS, "Sales Development", "Customer Success", "Leadership")
MAX_TURNS = 6
"""No seat changes hands more often."""
STALL_FROM = tl.number(tl.dt.date(2025, 9, 29))
"""The Monday from which the stalling seller stalls."""


@dataclass(frozen=True)
class Team:
    """Seats and users.

    Seats: `role`, `segment` (−1 outside sales), `region`, `opened` (day), `occupant` [seat × week] → user number.
    Users: `user_*`, one entry a person, with hidden `skill`, `optimism` and `diligence`.
    `stalling_seat` is −1 unless the scenario has one.
    """

    role: Ints
    segment: Ints
    region: Ints
    opened: Ints
    occupant: NDArray[np.int64]
    user_seat: Ints
    user_hired: Ints
    user_left: Ints
    skill: Floats
    optimism: Floats
    diligence: Floats
    stalling_seat: int

    def owner(self, seat: Ints, week: Ints) -> Ints:
        """Who sits in each seat in each week."""
        return self.occupant[seat, np.clip(week, 0, tl.WEEKS - 1)]

    def seats(self, role: int) -> Ints:
        """The seats of a role."""
        return np.flatnonzero(self.role == role)


def make_team(parameters: Parameters, streams: Streams) -> Team:
    """Seats of all roles and the people who sit in them from the first week to the last."""
    rng = streams("people")
    role, segment, region = _seats(parameters)
    opened = _opening_days(parameters, role, segment)
    tenure = (0.4 + rng.exponential(max(parameters.tenure_years - 0.4, 0.1), (len(role), MAX_TURNS))) * 365.25
    stalling = -1
    if parameters.stalling_pace != 1.0:
        stalling = int(np.flatnonzero((role == AE) & (segment == 1))[0])
        tenure[stalling] = 1e6
    steady = role >= MANAGER
    tenure[steady] = 1e6
    ends = tl.monday(tl.week_of((opened[:, None] + np.cumsum(tenure, axis=1)).astype(np.int64)))
    weeks = tl.monday(np.arange(tl.WEEKS))
    turn = np.minimum((ends[:, :, None] <= weeks).sum(axis=1), MAX_TURNS - 1)
    raw = np.arange(len(role))[:, None] * MAX_TURNS + turn
    raw_users, occupant = np.unique(raw, return_inverse=True)
    return _with_people(parameters, rng, (role, segment, region, opened, ends), (raw_users, occupant, stalling))


def _seats(parameters: Parameters) -> tuple[Ints, Ints, Ints]:
    """Role, segment and region of every seat; account executives are shared out over segments and regions."""
    counts = {
        AE: max(3, round(parameters.account_executives * parameters.size)),
        SDR: max(1, round(parameters.sales_development * parameters.size)),
        CSM: max(1, round(parameters.success_managers * parameters.size)),
        MANAGER: len(SEGMENTS) + 2,
        VP: 1,
    }
    role = np.repeat(list(counts), list(counts.values())).astype(np.int64)
    segment = np.full(len(role), -1, dtype=np.int64)
    pattern = np.array([0, 1, 2, 1, 0, 0, 1, 2])  # three of eight in SMB and Mid-Market, two in Enterprise
    segment[role == AE] = pattern[np.arange(counts[AE]) % len(pattern)]
    segment[role == MANAGER] = np.array([0, 1, 2, -1, -1])
    region = np.zeros(len(role), dtype=np.int64)
    for code in (AE, SDR, CSM):
        region[role == code] = (np.arange(counts[code]) * 3 // 2 + np.arange(counts[code]) // 8) % len(REGIONS)
    return role, segment, region


def _opening_days(parameters: Parameters, role: Ints, segment: Ints) -> Ints:
    """Just over half the seats exist at the start; the others open evenly until mid 2026."""
    opened = np.full(len(role), tl.ZERO, dtype=np.int64)
    last = tl.number(tl.dt.date(2026, 4, 1))
    for code in (AE, SDR, CSM):
        seats = np.flatnonzero(role == code)
        early = max(int(np.ceil(len(seats) * parameters.first_year_seats)), min(3, len(seats)))
        steps = np.linspace(tl.START, last, len(seats) - early, dtype=np.int64)
        opened[seats[early:]] = tl.monday(tl.week_of(steps))
    return opened


def _with_people(
    parameters: Parameters,
    rng: np.random.Generator,
    seats: tuple[Ints, Ints, Ints, Ints, Ints],
    people: tuple[Ints, Ints, int],
) -> Team:
    role, segment, region, opened, ends = seats
    raw_users, occupant, stalling = people
    seat, turn = raw_users // MAX_TURNS, raw_users % MAX_TURNS
    started = np.where(turn == 0, opened[seat], ends[seat, np.maximum(turn - 1, 0)])
    before = rng.integers(30, 1400, len(seat)) * ((turn == 0) & (opened[seat] == tl.ZERO))
    left = ends[seat, turn] - 3
    group = role[seat] * 10 + segment[seat]
    skill, optimism, diligence = (_normal_quantile(_balanced(group, rng)) for _ in range(3))
    return Team(
        role,
        segment,
        region,
        opened,
        occupant.reshape(len(role), tl.WEEKS),
        seat,
        tl.to_business_day(started - 7 - before),
        np.where(left < tl.ZERO + 7 * (tl.WEEKS - 1), left, tl.NO_DAY),
        parameters.skill_sd * skill,
        parameters.optimism_sd * optimism,
        np.exp(0.5 * parameters.heterogeneity * diligence),
        stalling,
    )


def _balanced(group: Ints, rng: np.random.Generator) -> Floats:
    """Quantiles spread evenly over each group in random order: no team is better than another by the seed alone."""
    order = np.lexsort((rng.random(len(group)), group))
    _, first, size = np.unique(group[order], return_index=True, return_counts=True)
    result = np.empty(len(group))
    result[order] = (np.arange(len(group)) - np.repeat(first, size) + 0.5) / np.repeat(size, size)
    return result


def _normal_quantile(share: Floats) -> Floats:
    inverse = NormalDist().inv_cdf
    return np.array([inverse(value) for value in share])  # as many as there are people


def pace_of_sellers(parameters: Parameters, team: Team) -> Floats:
    """[seat × week]: skill × ramp of whoever sits there; the stalling seller's is cut from `STALL_FROM` on."""
    weeks = tl.monday(np.arange(tl.WEEKS))
    tenure_months = (weeks[None, :] - team.user_hired[team.occupant]) / 30.44
    ramp_months = np.where(team.segment >= 0, np.array(parameters.ramp_months)[team.segment], 3.0)
    ramp = np.clip(
        parameters.ramp_start + (1 - parameters.ramp_start) * tenure_months / ramp_months[:, None],
        parameters.ramp_start,
        1.0,
    )
    pace = np.exp(team.skill[team.occupant]) * ramp
    pace = np.where((team.role == AE)[:, None], pace, pace**0.4)  # a renewal depends less on who looks after it
    if team.stalling_seat >= 0:
        pace[team.stalling_seat, weeks >= STALL_FROM] *= parameters.stalling_pace
    return pace


def known_users(team: Team) -> NDArray[np.bool_]:
    """Users whose first day is no later than the end of history."""
    return team.user_hired <= tl.THROUGH


def users_table(team: Team, streams: Streams, offset: int) -> Columns:
    """The table `users`: everybody hired by the end of history."""
    rng = streams("user names")
    count = len(team.user_seat)
    first = rng.integers(0, len(FIRST_NAMES), count)
    last = rng.integers(0, len(LAST_NAMES), count)
    seat = team.user_seat
    role, segment = team.role[seat], team.segment[seat]
    manager = _managers(team)
    team_code = np.where(segment >= 0, segment, np.select([role == SDR, role == CSM], [3, 4], 5))
    managers_of = np.flatnonzero(team.role[seat] == MANAGER)
    team_code[managers_of[3:5]] = (3, 4)
    keep = known_users(team)
    names = join(pick(FIRST_NAMES, first), pick(LAST_NAMES, last), sep=" ")
    email = join(pick([n.lower() for n in FIRST_NAMES], first), pick([n.lower() for n in LAST_NAMES], last), sep=".")
    numbered = join(email, identifiers("", np.arange(count) + offset), sep="")
    left = np.where(team.user_left <= tl.THROUGH, team.user_left, tl.NO_DAY)
    table: Columns = {
        "user_id": identifiers("USR", np.arange(count) + offset),
        "name": names,
        "email": join(numbered, "vendor.example", sep="@"),
        "role": pick(ROLES, role),
        "manager_id": identifiers("USR", np.where(manager >= 0, manager + offset, -1)),
        "team": pick(TEAMS, team_code),
        "region": pick(REGIONS, np.where(role < MANAGER, team.region[seat], -1)),
        "hired_on": team.user_hired,
        "left_on": left,
    }
    return {name: values.filter(keep) if hasattr(values, "filter") else values[keep] for name, values in table.items()}


def _managers(team: Team) -> Ints:
    """The manager of each user: of the segment, of sales development, of customer success; the VP of managers."""
    seat = team.user_seat
    role, segment = team.role[seat], team.segment[seat]
    managers = np.flatnonzero(role == MANAGER)
    vp = int(np.flatnonzero(role == VP)[0])
    return np.select(
        [role == AE, role == SDR, role == CSM, role == MANAGER],
        [managers[np.maximum(segment, 0)], managers[3], managers[4], np.full(len(seat), vp)],
        default=-1,
    )
