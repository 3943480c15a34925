"""Net retention some months ahead from what each account pays now: who comes up for renewal and may be lost, how the
revenue of those that stay has changed over as many months before, and who of those that left comes back.

Mean and spread of the sum are exact; its shape is drawn where few accounts make up most of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from revops_analysis.metrics.retention.rates import YEAR
from revops_analysis.models.calibration import calibration_line, expit, log_odds
from revops_analysis.models.forecaster import QUANTILE_NAMES, QUANTILES
from revops_analysis.models.lifetime.nrr_states import STEP, NrrState

Floats = npt.NDArray[np.float64]

LINES = ("change_so_far", "lost_at_renewal", "change_of_stayers", "returns")
"""What leads from 100% to the forecast: what is known already, expected losses, growth of those that stay, returns."""


@dataclass(frozen=True)
class NrrModelOptions:
    """`pairs`: so many latest past changes are learned from; `minimum_pairs`: fewer give no forecast. A group with
    fewer than `minimum_accounts` takes the changes of all. `shock`: spread that all accounts share, as a share of
    revenue a year, before past errors are looked at. `prior_lots`: renewals by whose weight the probabilities are held
    to what the renewal model says."""

    pairs: int = 8
    minimum_pairs: int = 2
    minimum_accounts: int = 30
    shock: float = 0.01
    prior_lots: float = 100.0
    draws: int = 2_000
    seed: int = 0


@dataclass(frozen=True, eq=False)
class NrrOutlook:
    """A forecast: `mean`, `quantiles` by name, `parts` (`LINES`; they add up to mean − 1), base revenue, accounts."""

    mean: float
    quantiles: dict[str, float]
    parts: dict[str, float]
    base: float
    accounts: int


@dataclass(frozen=True, eq=False)
class NrrKnown:
    """What is known on a day: the states up to it, and each day's lots with their probability of being lost.

    `lots`, by month number: [account_id, mrr, months (until the end, counted up), probability], the probability being
    that of the last day's renewal model for all days alike, null where nothing was decided; no entry where the source
    has no terms.
    """

    states: Sequence[NrrState]
    lots: Mapping[int, pd.DataFrame]


def forecast_nrr(known: NrrKnown, horizon: int, options: NrrModelOptions = NrrModelOptions()) -> NrrOutlook | str:
    """Net retention `horizon` months (3, 6, 9 or 12) after the last state, or the reason why it cannot be said.

    Nothing but `known` is looked at: changes of accounts are learned from pairs of states `horizon` months apart.
    """
    state = known.states[-1]
    back = YEAR - horizon
    if state.month - back < state.first:
        return f"revenue is known from {state.month - state.first} months ago on; {back} are needed"
    base = state.frame[f"m{back}"].to_numpy(dtype=float)
    if not base.sum() > 0:
        return f"no account paid {back} months ago"
    changes = _changes(known, horizon, options)
    if changes is None:
        return f"needs {options.minimum_pairs} past changes over {horizon} months"
    return _outlook(state, horizon, known.lots.get(state.month), (changes, options))


@dataclass(frozen=True, eq=False)
class _Changes:
    """What was learned: ratios of those that stayed by (segment, due), of those that had left, and the calibration.

    `lost`: accounts that were lost among those with a chance. `overlap`: share of what was seen that is independent,
    because changes over a year that begin every quarter have three quarters in common.
    """

    stayed: dict[tuple[str | None, bool], Floats]
    returned: Floats
    line: tuple[float, float]
    lost: float
    overlap: float


def _changes(known: NrrKnown, horizon: int, options: NrrModelOptions) -> _Changes | None:
    by_month = {state.month: state for state in known.states}
    pairs = [(m, by_month[m + horizon]) for m in sorted(by_month) if m + horizon in by_month][-options.pairs :]
    if len(pairs) < options.minimum_pairs:
        return None
    parts = [_pair(by_month[month], later, horizon, known.lots.get(month)) for month, later in pairs]
    rows = pd.concat(parts, ignore_index=True)
    paying = rows[rows["was"]]
    today = known.lots.get(known.states[-1].month)
    has_chances = today is not None and bool(today["probability"].notna().any())
    stayed: dict[tuple[str | None, bool], Floats] = {}
    for due in (False, True):
        # Where the renewal model says who leaves, those that left must not be among the changes too.
        mine = paying[(paying["due"] == due) & ~((paying["ratio"] == 0) & due & has_chances)]
        stayed[(None, due)] = mine["ratio"].to_numpy(dtype=float)
        for segment, group in mine.groupby("segment", sort=True):
            if len(group) >= options.minimum_accounts:
                stayed[(str(segment), due)] = group["ratio"].to_numpy(dtype=float)
    left = rows[~rows["was"] & rows["ratio"].notna()]
    lost = float((paying["has_chance"] & (paying["ratio"] == 0)).sum())
    return _Changes(stayed, left["ratio"].to_numpy(dtype=float), _line(paying, options), lost, STEP / horizon)


def _line(paying: pd.DataFrame, options: NrrModelOptions) -> tuple[float, float]:
    """What today's chances must be corrected by to agree with who had left at the end of past horizons.

    Renewals that are booked late count as gone for a while: more accounts are gone at the end than are lost for good.
    """
    chances = paying[paying["has_chance"]]
    stated = log_odds(chances["chance"].to_numpy(dtype=float))
    return calibration_line(stated, np.asarray(chances["ratio"] == 0, dtype=np.float64), 1 / options.prior_lots)


def _pair(before: NrrState, later: NrrState, horizon: int, lots: pd.DataFrame | None) -> pd.DataFrame:
    """How each account's revenue changed between two states: segment, was (it paid then), ratio, due, chance."""
    rows = later.changes_since(before)
    is_due, chance = np.zeros(len(rows), dtype=bool), np.full(len(rows), np.nan)
    if lots is not None:
        mine = lots[lots["months"] <= horizon].sort_values("mrr")  # of several lots of an account the largest counts
        place = rows.index.get_indexer(pd.Index(mine["account_id"]))
        there = place >= 0
        is_due[place[there]], chance[place[there]] = True, mine["probability"].to_numpy(dtype=float)[there]
    return rows.assign(due=is_due, has_chance=is_due & ~np.isnan(chance), chance=chance)


def _outlook(
    state: NrrState, horizon: int, lots: pd.DataFrame | None, learned: tuple[_Changes, NrrModelOptions]
) -> NrrOutlook:
    changes, options = learned
    back = YEAR - horizon
    frame = state.frame.assign(now=state.now(back).to_numpy(), base=state.frame[f"m{back}"])
    frame = frame[frame["base"] > 0].reset_index(drop=True)
    total = float(frame["base"].sum())
    paying = frame[frame["now"] > 0].reset_index(drop=True)
    gone = frame[frame["now"] == 0]
    risk = _risk(paying, horizon, lots, changes.line)
    groups, pools = _pools(paying, risk["due"], changes)
    ratios = np.array([pool.mean() if len(pool) else 1.0 for pool in pools])[groups]
    squares = np.array([(pool**2).mean() if len(pool) else 1.0 for pool in pools])[groups]
    kept = paying["now"].to_numpy(dtype=float) - risk["lost"]
    stay_mean = kept * ratios
    variance = (kept**2 + risk["variance"]) * squares - stay_mean**2
    coming = _returns(gone, changes, state.counts_reactivated)
    parts = {
        "change_so_far": float(paying["now"].sum()) / total - 1,
        "lost_at_renewal": -float(risk["lost"].sum()) / total,
        "change_of_stayers": float((stay_mean - kept).sum()) / total,
        "returns": float(coming[0].sum()) / total,
    }
    mean = 1 + sum(parts.values())
    unsure = _uncertainty((kept, groups), pools, float(risk["lost"].sum()), changes)
    spread = float(np.sqrt(max(variance.sum(), 0.0) + coming[1].sum() + unsure)) / total
    shared = options.shock * float(np.sqrt(horizon / YEAR))
    shape = _shape(kept, risk, (groups, pools), options)
    width = float(np.hypot(spread, shared * mean))
    quantiles = {name: max(mean + width * point, 0.0) for name, point in zip(QUANTILE_NAMES, shape, strict=True)}
    return NrrOutlook(mean, quantiles, parts, total, len(frame))


def _risk(
    paying: pd.DataFrame, horizon: int, lots: pd.DataFrame | None, line: tuple[float, float]
) -> dict[str, Floats]:
    """Expected loss of each account at renewals, its variance, whether one is due, and the chance of losing all."""
    n = len(paying)
    nothing = {"lost": np.zeros(n), "variance": np.zeros(n), "chance": np.zeros(n), "due": np.zeros(n, dtype=bool)}
    if lots is None or lots.empty:
        return nothing
    place = pd.Series(np.arange(n), index=paying["account_id"])
    mine = lots[(lots["months"] <= horizon) & lots["account_id"].isin(place.index)]
    at = place[mine["account_id"]].to_numpy(dtype=int)
    chance = expit(line[0] + line[1] * log_odds(mine["probability"].fillna(0.0).to_numpy(dtype=float)))
    chance = np.where(mine["probability"].notna(), chance, 0.0)
    mrr = mine["mrr"].to_numpy(dtype=float)
    now = paying["now"].to_numpy(dtype=float)
    listed = np.bincount(at, mrr, minlength=n)
    scale = np.minimum(1.0, np.divide(now, listed, out=np.ones(n), where=listed > 0))[at]
    mrr = mrr * scale  # what ends cannot be more than what is paid
    due = np.zeros(n, dtype=bool)
    due[at] = True
    return {
        "lost": np.bincount(at, mrr * chance, minlength=n),
        "variance": np.bincount(at, mrr**2 * chance * (1 - chance), minlength=n),
        "chance": np.bincount(at, mrr * chance, minlength=n) / np.maximum(now, 1e-12),
        "due": due,
    }


def _pools(paying: pd.DataFrame, due: Floats, changes: _Changes) -> tuple[npt.NDArray[np.int64], list[Floats]]:
    """A code for each account, and the ratios that each code stands for."""
    keys: list[tuple[str | None, bool]] = sorted(changes.stayed, key=lambda key: (key[0] or "", key[1]))
    code = {key: number for number, key in enumerate(keys)}
    wanted = [
        code.get((segment if isinstance(segment, str) else None, bool(is_due)), code[(None, bool(is_due))])
        for segment, is_due in zip(paying["segment"], due, strict=True)
    ]
    return np.array(wanted, dtype=np.int64), [changes.stayed[key] for key in keys]


def _uncertainty(
    kept: tuple[Floats, npt.NDArray[np.int64]], pools: list[Floats], lost: float, changes: _Changes
) -> float:
    """Variance of the sum because mean changes and the level of losses are themselves known from a sample only."""
    by_group = np.bincount(kept[1], kept[0], minlength=len(pools)) if len(kept[0]) else np.zeros(len(pools))
    means = [pool.var() / (len(pool) * changes.overlap) if len(pool) > 1 else 0.0 for pool in pools]
    level = lost**2 / max(changes.lost * changes.overlap, 1.0)
    return float((by_group**2 * np.array(means)).sum() + level)


def _returns(gone: pd.DataFrame, changes: _Changes, counted: bool) -> tuple[Floats, Floats]:
    """Expected revenue of accounts that left and come back, and its variance."""
    pool = changes.returned if counted else np.zeros(0)
    base = gone["base"].to_numpy(dtype=float)
    if not len(pool):
        return np.zeros(len(base)), np.zeros(len(base))
    return base * pool.mean(), base**2 * pool.var()


_MANY = 200.0
"""From so many accounts of equal size on, the sum is as good as normal."""


def _shape(
    kept: Floats, risk: dict[str, Floats], pools: tuple[npt.NDArray[np.int64], list[Floats]], options: NrrModelOptions
) -> Floats:
    """Quantiles of the sum, standardised: normal where many accounts make it up, drawn where few do."""
    squares = float((kept**2).sum())
    if squares <= 0 or float(kept.sum()) ** 2 / squares >= _MANY:
        return norm.ppf(QUANTILES)
    order = np.argsort(-kept, kind="stable")[:2_000]
    rng = np.random.default_rng(options.seed)
    groups, ratios = pools
    chance = np.clip(risk["chance"][order], 0.0, 1.0)
    amount = np.divide(kept[order], 1 - chance, out=np.zeros(len(order)), where=chance < 1)
    stays = rng.random((options.draws, len(order))) >= chance
    drawn = np.ones((options.draws, len(order)))
    for code, pool in enumerate(ratios):
        columns = np.flatnonzero(groups[order] == code)
        if len(columns) and len(pool):
            drawn[:, columns] = pool[rng.integers(0, len(pool), (options.draws, len(columns)))]
    total = (stays * drawn) @ amount
    spread = total.std()
    if spread <= 0:
        return norm.ppf(QUANTILES)
    return np.asarray(np.quantile((total - total.mean()) / spread, QUANTILES))
