"""The plan and what sellers say of it: targets, quotas, forecast submissions."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from revops_analysis.simulation import timeline as tl
from revops_analysis.simulation.book import Book
from revops_analysis.simulation.columns import Columns, Floats, Ints, identifiers, pick
from revops_analysis.simulation.deals import Ledger, Prices
from revops_analysis.simulation.parameters import Parameters
from revops_analysis.simulation.people import AE, MANAGER, Team, known_users
from revops_analysis.simulation.record import Record
from revops_analysis.simulation.words import BEST_CASE, COMMIT, RENEWAL, SEGMENTS, WON

FIRST_QUARTER = int(tl.quarter_of(np.array([tl.START]))[0])
LAST_QUARTER = int(tl.quarter_of(np.array([tl.THROUGH]))[0]) + 1
"""Plans reach one quarter beyond history."""
BOOKINGS_TARGET = (220_000.0, 560_000.0, 590_000.0)
"""Bookings that the plan asks of each segment in the first quarter of history, at size 1."""
TARGET_GROWTH = 0.2
QUARTER_SEASON = (0.94, 1.0, 0.98, 1.08)
PIPELINE_MULTIPLE = 3.4
OVER_ASSIGNMENT = 1.2
"""Σ quotas ÷ target."""


def quarters() -> Ints:
    """Every planned quarter, counted from 1970."""
    return np.arange(FIRST_QUARTER, LAST_QUARTER + 1)


def segment_targets(parameters: Parameters) -> Floats:
    """[quarter × segment]: bookings target in dollars, rounded to thousands."""
    q = quarters()
    growth = (1 + TARGET_GROWTH) ** ((q - FIRST_QUARTER) / 4) * np.array(QUARTER_SEASON)[q % 4]
    return np.rint(np.array(BOOKINGS_TARGET) * growth[:, None] * parameters.size / 1000) * 1000


def targets_table(parameters: Parameters, blocks: int) -> Columns:
    """The table `targets`: bookings and pipeline_created for the company and each segment."""
    bookings = segment_targets(parameters) * blocks
    measures = {"bookings": bookings, "pipeline_created": bookings * PIPELINE_MULTIPLE}
    start, end = tl.quarter_start(quarters()), tl.quarter_start(quarters() + 1) - 1
    scopes = len(SEGMENTS) + 1
    count = len(start)
    with_total = [np.column_stack([values.sum(axis=1), values]) for values in measures.values()]
    scope = np.tile(np.repeat(np.arange(-1, len(SEGMENTS)), count), len(measures))
    return {
        "measure": pick(tuple(measures), np.repeat(np.arange(len(measures)), scopes * count)),
        "scope_kind": pick(("company", "segment"), (scope >= 0).astype(np.int64)),
        "scope": pick(SEGMENTS, scope),
        "period_start": np.tile(start, scopes * len(measures)),
        "period_end": np.tile(end, scopes * len(measures)),
        "target": np.concatenate([values.T.ravel() for values in with_total]),
        "currency": pa.array(["USD"] * (scopes * count * len(measures))),
    }


def quotas_table(team: Team, parameters: Parameters, offset: int) -> Columns:
    """The table `quotas`: each segment's target × over-assignment, shared by ramped capacity of its sellers."""
    q = quarters()
    start, end = tl.quarter_start(q), tl.quarter_start(q + 1) - 1
    sellers = np.flatnonzero((team.role[team.user_seat] == AE) & known_users(team))
    segment = team.segment[team.user_seat[sellers]]
    left = np.where(team.user_left[sellers] == tl.NO_DAY, tl.FAR, team.user_left[sellers])
    hired = team.user_hired[sellers]
    here = (hired[:, None] <= start + 30) & (left[:, None] >= start + 30)
    tenure = (start + 45 - hired[:, None]) / 30.44
    ramp = np.clip(0.4 + 0.6 * tenure / np.array(parameters.ramp_months)[segment][:, None], 0.4, 1.0) * here
    goal = segment_targets(parameters)[:, segment].T * OVER_ASSIGNMENT
    capacity = np.stack([ramp[segment == g].sum(axis=0) for g in range(len(SEGMENTS))])[segment]
    quota = np.rint(goal * ramp / np.maximum(capacity, 1e-9) / 1000) * 1000
    row, column = np.nonzero(here)
    return {
        "user_id": identifiers("USR", sellers[row] + offset),
        "period_start": start[column],
        "period_end": end[column],
        "quota": quota[row, column],
        "currency": pa.array(["USD"] * len(row)),
    }


def submissions_table(
    book: Book, record: Record, ledger: Ledger, prices: Prices, extra: tuple[Team, np.random.Generator, int]
) -> Columns:
    """The table `forecast_submissions`: each Monday each seller's call, each manager's, and managers' overrides."""
    team, rng, offset = extra
    users = len(team.user_seat)
    first_week = int(tl.week_of(np.array([tl.START]))[0]) + 1
    last_week = int(tl.week_of(np.array([tl.THROUGH]))[0])
    called = _called(book, record, ledger, prices, users)
    sellers = np.flatnonzero(team.role[team.user_seat] == AE)
    weeks = np.arange(first_week, last_week + 1)
    here = team.occupant[:, weeks]
    user, week = _pairs(team, here, weeks, sellers)
    bias = np.exp(0.12 * team.optimism[user] + 0.06 * rng.normal(size=len(user)))
    commit = np.rint(called[COMMIT][user, week - 1] * bias)
    best = np.rint((called[COMMIT] + called[BEST_CASE])[user, week - 1] * bias)
    own = [(user, week, np.full(len(user), code), amount) for code, amount in ((COMMIT, commit), (BEST_CASE, best))]
    return _submission_rows(team, own, (commit, best), rng, offset)


def _pairs(team: Team, here: Ints, weeks: Ints, sellers: Ints) -> tuple[Ints, Ints]:
    seats = np.flatnonzero(team.role == AE)
    open_ = team.opened[seats][:, None] <= tl.monday(weeks)
    seat, column = np.nonzero(open_)
    user = here[seats[seat], column]
    return user, weeks[column]


def _called(book: Book, record: Record, ledger: Ledger, prices: Prices, users: int) -> dict[int, Floats]:
    """[user × week]: at the week's end, the quarter's bookings so far plus commit, and the best case beside it."""
    kept = ledger.kept[book.deals.kind[ledger.kept] != RENEWAL]
    row, age = np.nonzero((book.paths.stage[kept] >= 0) & (book.paths.stage[kept] <= WON))
    deal = kept[row]
    week = tl.week_of(book.deals.created[deal]) + age
    inside = week < tl.WEEKS
    deal, age, week = deal[inside], age[inside], week[inside]
    stage = book.paths.stage[deal, age].astype(np.int64)
    amount = prices.by_stage[deal, stage] * np.where(prices.euro[deal], prices.list_rate, 1.0)
    owner, category = record.owner[deal, age], record.category[deal, age]
    quarter_ends = tl.quarter_end(tl.monday(np.arange(tl.WEEKS) + 1))
    in_quarter = (record.close[deal, age] <= quarter_ends[week]) & (stage < WON)
    result: dict[int, Floats] = {}
    for code in (COMMIT, BEST_CASE):
        cells = in_quarter & (category == code)
        result[code] = _grid(owner[cells], week[cells], amount[cells], users)
    wins = stage == WON
    won = _grid(owner[wins], week[wins], amount[wins], users)
    total = np.cumsum(won, axis=1)
    next_monday = tl.monday(np.arange(tl.WEEKS) + 1)
    opening_week = np.maximum(tl.week_of(tl.quarter_start(tl.quarter_of(next_monday))) - 1, 0)
    result[COMMIT] += total - total[:, opening_week]
    return result


def _grid(user: Ints, week: Ints, amount: Floats, users: int) -> Floats:
    """Amounts added up by user and week."""
    total = np.bincount(user * tl.WEEKS + week, amount, users * tl.WEEKS)
    return total.reshape(users, tl.WEEKS).astype(np.float64)


def _submission_rows(
    team: Team,
    own: list[tuple[Ints, Ints, Ints, Floats]],
    amounts: tuple[Floats, Floats],
    rng: np.random.Generator,
    offset: int,
) -> Columns:
    """Own calls, then managers' overrides of single sellers, then managers' calls for their teams."""
    user, week = own[0][0], own[0][1]
    managers = np.flatnonzero(team.role[team.user_seat] == MANAGER)[: len(SEGMENTS)]
    boss = managers[team.segment[team.user_seat[user]]]
    changes = np.flatnonzero((rng.random(len(user)) < 0.15) & (amounts[0] > 0))
    override = np.rint(amounts[0][changes] * (0.75 + 0.2 * rng.random(len(changes))))
    key = boss * tl.WEEKS + week
    team_keys, group = np.unique(key, return_inverse=True)
    corrected = amounts[0].copy()
    corrected[changes] = override
    totals = [np.rint(np.bincount(group, values) * 0.97) for values in (corrected, amounts[1])]
    said = np.concatenate([own[0][0], own[1][0], boss[changes], team_keys // tl.WEEKS, team_keys // tl.WEEKS])
    weeks = np.concatenate([own[0][1], own[1][1], week[changes], team_keys % tl.WEEKS, team_keys % tl.WEEKS])
    sizes = [len(user), len(user), len(changes), len(team_keys), len(team_keys)]
    code = np.repeat([COMMIT, BEST_CASE, COMMIT, COMMIT, BEST_CASE], sizes)
    scope = np.repeat([0, 0, 1, 1, 1], sizes)
    target = np.concatenate([np.full(2 * len(user), -1), user[changes], np.full(2 * len(team_keys), -1)])
    hours = np.repeat([14, 14, 18, 20, 20], sizes)
    monday = tl.monday(weeks)
    seconds = hours * 3600 + np.where(target >= 0, 1 + target % 3000, 0)
    moment = monday * tl.DAY_US + seconds * 1_000_000
    return {
        "user_id": identifiers("USR", said + offset),
        "period_start": tl.quarter_start(tl.quarter_of(monday)),
        "submitted_at": moment,
        "category": pick(("Best Case", "Commit"), (code == COMMIT).astype(np.int64)),
        "scope": pick(("own", "team"), scope),
        "override_of": identifiers("USR", np.where(target >= 0, target + offset, -1)),
        "amount": np.concatenate([own[0][3], own[1][3], override, *totals]),
        "currency": pa.array(["USD"]).take(pa.array(np.zeros(len(said), dtype=np.int64))),
    }
