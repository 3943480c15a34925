"""The stage whose improvement would bring most bookings, by what-if on the chain of stages.

A deal passes the stages one after the other; from each it advances or is lost, after some days. From the deals that
entered stages in a year, the chance and the days of advancing are estimated in each segment and stage with losing as
competing risk (Aalen–Johansen), so that deals that are still there count for as long as they were watched. A deal
created is then won within the conversion horizon of the definitions with the chance that the times of all stages add
up to no more. Expected bookings of a quarter's new deals are their number × that chance × the amount of a won deal, by
segment.

Two questions follow: what if one point more of the deals advanced from a stage, and what if they spent a tenth less
time in it, either way? Resampled whole deals say how sure the answer is.

Source: competing risks as in Aalen & Johansen (1978); times that add up: a semi-Markov chain (Pyke, 1961).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.metrics.dealflow.book import cents
from revops_analysis.metrics.deals import booked, headline, within
from revops_analysis.metrics.stages import stage_visits

if TYPE_CHECKING:
    from revops_analysis.periods import Period
    from revops_analysis.tables.snapshot import Snapshot

FloatArray = npt.NDArray[np.float64]

POINT, FASTER = 0.01, 0.10
"""The what-ifs: one more deal in a hundred advances; a tenth less time is spent."""

SURE = 0.8
"""A stage is called the bottleneck when it is the best one in at least this share of resamples."""

MINIMUM = 30
"""A segment with fewer new deals in the year is taken together with the other small ones."""

_REPEATS, _GROUPS, _SEED, _QUARTERS = 200, 2_000, 0, 4


@dataclass(frozen=True, eq=False)
class StageWhatIf:
    """What improving each stage would bring a quarter, in the reporting currency.

    `frame`: a row an open stage in order: [stage, entered, conversion, days, gain, low, high, best, gain_faster,
    low_faster, high_faster, best_faster]. `conversion`: share that advances within `horizon` days, `days` the mean days
    until it does; `gain`: bookings from one point more, with 95% interval; `best`: share of resamples in which that
    stage gains most; the same for a tenth less time. `expected`, `low`, `high`: bookings of a quarter's new deals;
    `reason`: why
    there is nothing to say, else None.
    """

    frame: pd.DataFrame
    expected: float | None
    low: float | None
    high: float | None
    horizon: int
    reason: str | None

    @property
    def bottleneck(self) -> str | None:
        """The stage where one point brings most, if chance cannot be why; None where stages cannot be told apart."""
        return self._first("best")

    @property
    def slowest(self) -> str | None:
        """The stage where less time brings most, if chance cannot be why."""
        return self._first("best_faster")

    def _first(self, column: str) -> str | None:
        sure = self.frame[self.frame[column] >= SURE]
        return None if sure.empty else str(sure["stage"].iloc[0])


def stage_what_if(snapshot: Snapshot, year: Period) -> StageWhatIf:
    """Ask the chain of the deals that entered stages, and were won, in a year; see `StageWhatIf`."""
    return snapshot.once(("stage what-if", year), lambda: _answer(snapshot, year))


@dataclass(frozen=True, eq=False)
class _Evidence:
    """Resampled counts, the first resample being the data: [resample, segment, stage, day] and [resample, segment]."""

    advanced: FloatArray
    ended: FloatArray
    censored: FloatArray
    created: FloatArray
    value: FloatArray


def _answer(snapshot: Snapshot, year: Period) -> StageWhatIf:
    stages, horizon = snapshot.definitions.open_stages, snapshot.definitions.conversion_horizon_days
    visits, wins = _visits(snapshot, year), _wins(snapshot, year)
    if visits.empty or wins.empty:
        none = (
            pd.DataFrame({"stage": list(stages)})
            .reindex(columns=_COLUMNS)
            .astype({"best": float, "best_faster": float})
        )
        reason = (
            "no deal was won in the year" if len(visits) else "no deal is known to have entered a stage in the year"
        )
        return StageWhatIf(none, None, None, None, horizon, reason)
    return _told(stages, visits, _evidence(visits, wins, (len(stages), horizon)))


def _visits(snapshot: Snapshot, year: Period) -> pd.DataFrame:
    visits = headline(stage_visits(snapshot))
    chosen = visits.filter(within(visits.entered_on, year))
    frame = chosen.select("opportunity_id", "segment", "stage_number", "result", "days").to_pandas()
    return frame.sort_values(["opportunity_id", "stage_number"], ignore_index=True)


def _wins(snapshot: Snapshot, year: Period) -> pd.DataFrame:
    deals = booked(headline(snapshot.deals), year)
    frame = deals.select("opportunity_id", "segment", cents=cents(deals.amount)).to_pandas()
    priced = frame[frame["cents"].notna()].astype({"cents": "float64"})
    return priced.sort_values("opportunity_id", ignore_index=True)


def _evidence(visits: pd.DataFrame, wins: pd.DataFrame, size: tuple[int, int]) -> _Evidence:
    """Count visits by segment, stage and day, and wins by segment, in every resample of whole deals."""
    from scipy.sparse import csr_matrix

    stages, horizon = size

    names = pd.Index(sorted({*visits["opportunity_id"], *wins["opportunity_id"]}))
    unit = np.random.default_rng(_SEED).permutation(len(names)) % min(_GROUPS, len(names))
    times = _times(int(unit.max()) + 1)
    known = visits.loc[visits["stage_number"] == 1, "segment"].value_counts()
    segments = {name: place for place, name in enumerate(sorted(known[known >= MINIMUM].index))}
    other = len(segments)
    shape = (len(times), other + 1, stages)

    def counted(rows: pd.DataFrame, cell: FloatArray, cells: int, weights: FloatArray | None = None) -> FloatArray:
        given = np.ones(len(rows)) if weights is None else weights
        place = (unit[names.get_indexer(rows["opportunity_id"])], cell.astype(np.int64))
        table = csr_matrix((given, place), shape=(times.shape[1], cells))
        return np.asarray((table.T @ times.T).T, dtype=np.float64)

    def segment_of(rows: pd.DataFrame) -> FloatArray:
        return rows["segment"].map(segments).fillna(other).to_numpy(dtype=np.float64)

    day = np.clip(visits["days"].to_numpy(dtype=np.float64), 0, horizon)
    cell = (segment_of(visits) * stages + visits["stage_number"].to_numpy() - 1) * (horizon + 1) + day
    late = visits["days"].to_numpy(dtype=np.float64) > horizon
    result = visits["result"].where(~late, None)
    width = shape[1] * stages * (horizon + 1)
    parts = [
        counted(visits[mask], cell[mask.to_numpy()], width).reshape(*shape, horizon + 1)
        for mask in (result == "advanced", result == "lost", result.isna())
    ]
    first = visits[visits["stage_number"] == 1]
    won = counted(wins, segment_of(wins), shape[1])
    amount = counted(wins, segment_of(wins), shape[1], wins["cents"].to_numpy())
    value = np.divide(amount, won, out=np.zeros_like(won), where=won > 0) / 100
    created = counted(first, segment_of(first), shape[1]) / _QUARTERS
    return _Evidence(parts[0], parts[1], parts[2], created, value)


def _times(units: int) -> FloatArray:
    """How often each unit is drawn: once each in the first row, with replacement in the others."""
    drawn = np.random.default_rng(_SEED).multinomial(units, np.full(units, 1 / units), size=_REPEATS)
    return np.vstack([np.ones(units), drawn]).astype(np.float64)


def _densities(found: _Evidence) -> FloatArray:
    """The share of visits that advance on each day, losing as competing risk: [resample, segment, stage, day]."""
    leaving = found.advanced + found.ended + found.censored
    at_risk = np.cumsum(leaving[..., ::-1], axis=-1)[..., ::-1]
    safe = np.where(at_risk > 0, at_risk, 1.0)
    staying = np.cumprod(1 - (found.advanced + found.ended) / safe, axis=-1)
    before = np.concatenate([np.ones_like(staying[..., :1]), staying[..., :-1]], axis=-1)
    return before * found.advanced / safe


def _won(transforms: npt.NDArray[np.complex128], days: int) -> FloatArray:
    """The chance that all stages are passed in fewer than so many days, from the transforms of their densities."""
    product = np.fft.irfft(transforms.prod(axis=2), axis=-1)
    return np.asarray(product[..., :days].sum(axis=-1), dtype=np.float64)


def _told(stages: tuple[str, ...], visits: pd.DataFrame, found: _Evidence) -> StageWhatIf:
    densities = _densities(found)
    days = densities.shape[-1]
    size = 1 << int(np.ceil(np.log2(len(stages) * days)))
    transforms = np.fft.rfft(densities, n=size, axis=-1)
    faster = np.fft.rfft(_sooner(densities), n=size, axis=-1)
    weight: FloatArray = found.created * found.value
    chance = _won(transforms, days)
    conversion = densities.sum(axis=-1)
    gains, gains_faster = [], []
    for place in range(len(stages)):
        share = conversion[:, :, place]
        more = np.divide(np.minimum(POINT, 1 - share), share, out=np.zeros_like(share), where=share > 0)
        gains.append((weight * chance * more).sum(axis=1))
        swapped = transforms.copy()
        swapped[:, :, place] = faster[:, :, place]
        gains_faster.append((weight * (_won(swapped, days) - chance)).sum(axis=1))
    expected = (weight * chance).sum(axis=1)
    low, high = np.quantile(expected[1:], [0.025, 0.975])
    columns = {**_stage_columns(found, visits, len(stages)), **_gained(gains, ""), **_gained(gains_faster, "_faster")}
    frame = pd.DataFrame({"stage": list(stages), **columns})[_COLUMNS]
    return StageWhatIf(frame, float(expected[0]), float(low), float(high), days - 1, None)


def _sooner(densities: FloatArray) -> FloatArray:
    """The same densities with every day a tenth earlier, split between the two days it falls between."""
    days = densities.shape[-1]
    day = np.arange(days) * (1 - FASTER)
    lower = np.floor(day).astype(np.int64)
    shift = np.zeros((days, days))
    np.add.at(shift, (np.arange(days), lower), 1 - (day - lower))
    np.add.at(shift, (np.arange(days), np.minimum(lower + 1, days - 1)), day - lower)
    return densities @ shift


def _stage_columns(found: _Evidence, visits: pd.DataFrame, stages: int) -> dict[str, FloatArray]:
    """Entered, conversion and mean days to advancing of each stage, all segments together."""
    whole = [part[:1].sum(axis=1, keepdims=True) for part in (found.advanced, found.ended, found.censored)]
    pooled = _Evidence(whole[0], whole[1], whole[2], found.created, found.value)
    density = _densities(pooled)[0, 0]
    share = density.sum(axis=-1)
    days = np.divide(density @ np.arange(density.shape[-1]), share, out=np.full(stages, np.nan), where=share > 0)
    entered = visits["stage_number"].value_counts().reindex(range(1, stages + 1), fill_value=0)
    return {"entered": entered.to_numpy(), "conversion": share, "days": days}


def _gained(gains: list[FloatArray], suffix: str) -> dict[str, FloatArray]:
    """Point, interval and chance of being best of each stage."""
    table = np.stack(gains)
    drawn = table[:, 1:]
    low, high = np.quantile(drawn, [0.025, 0.975], axis=1)
    best = np.bincount(drawn.argmax(axis=0), minlength=len(table)) / drawn.shape[1]
    return {f"gain{suffix}": table[:, 0], f"low{suffix}": low, f"high{suffix}": high, f"best{suffix}": best}


_COLUMNS = [
    *("stage", "entered", "conversion", "days", "gain", "low", "high", "best"),
    *("gain_faster", "low_faster", "high_faster", "best_faster"),
]
