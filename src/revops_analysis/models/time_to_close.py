"""Time to close: how many deals are won and lost by each age, with losing as competing risk, and what an open deal of a
given age may still hope for.

A deal that is still open is not yet known, and not lost: it counts for as long as it was watched. So young cohorts
do not look worse than old ones, and wins that take long are not missed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.models.deal_times import DealTimes
from revops_analysis.statistics.half_way import HalfWay, HalfWayOptions, half_way_time
from revops_analysis.statistics.risk_sets import risk_sets
from revops_analysis.statistics.survival import CumulativeIncidence, aalen_johansen

ALL_DEALS = "All deals"
"""Scope of the rows that hold every deal."""

Row = dict[str, Any]
Scope = tuple[str | None, pd.DataFrame]


@dataclass(frozen=True)
class TimeToCloseOptions:
    """What to read from the curves.

    `horizon_days`: by when an outcome counts (None: the definitions' conversion horizon). `ages`: days since creation
    at which open deals are looked at; `ahead`: days from there on within which they may be won. `minimum_at_age`: fewer
    deals than this at an age say nothing of those to come. `repeats` and `seed` belong to the interval of the median.
    """

    horizon_days: int | None = None
    ages: tuple[int, ...] = tuple(range(0, 361, 15))
    ahead: tuple[int, ...] = (30, 60, 90)
    minimum_at_age: int = 20
    confidence: float = 0.95
    repeats: int = 1_000
    seed: int = 0


@dataclass(frozen=True, eq=False)
class TimeToClose:
    """What became of the deals created in a period, by scope: all deals first, then each level of `by`.

    `summary`: [scope, n, won, lost, open, watched (n created at least the horizon ago), won_share, won_low, won_high,
    lost_share, lost_low, lost_high, open_share, median_days, median_low, median_high, reason, median_reason]: shares at
    the horizon (Aalen–Johansen), days by which half of the wins within the horizon had come. Null with a reason.
    `curves`: [scope, event (won, lost, open), days, at_risk, share, low, high], a row a day on which something
    happened; `open` is the Kaplan–Meier curve of not having closed, so the three add up to 1.
    `conditional`: [scope, age, ahead, until (age + ahead, in days since creation), n, open_now, value, low, high,
    reason]: chance to be won within `ahead` days of deals that are open at the end of the day on which they are `age`
    days old; `ahead` null: by the horizon. `n` deals of the cohort were open at that age; `open_now` are today's, of
    that age up to the next. A level that holds all deals has no rows of its own.
    """

    summary: pd.DataFrame
    curves: pd.DataFrame
    conditional: pd.DataFrame
    by: str | None
    horizon_days: int
    times: DealTimes
    options: TimeToCloseOptions = field(default_factory=TimeToCloseOptions)

    @property
    def units(self) -> dict[str, str]:
        """The unit of each column of `summary`."""
        shares = {name: "days" if name.startswith("median") else "rate" for name in _SHARES}
        return {**dict.fromkeys(("n", "won", "lost", "open", "watched"), "count"), **shares}

    @property
    def scopes(self) -> list[str | None]:
        """All deals, then the levels, in order."""
        return list(self.summary["scope"])


def time_to_close(
    times: DealTimes, by: str | None = "segment", options: TimeToCloseOptions = TimeToCloseOptions()
) -> TimeToClose:
    """Estimate time to close of deals, for all and by an attribute of theirs.

    Source: METRICS, "Time to close"; Aalen & Johansen (1978), Kaplan & Meier (1958). Deterministic, ties or not.
    Raises ConfigurationError for an attribute that `times` does not hold, and ages or spans below 0.
    """
    horizon = times.horizon_days if options.horizon_days is None else options.horizon_days
    if horizon <= 0 or min((0, *options.ages, *options.ahead)) < 0:
        raise ConfigurationError(
            "Ages and spans are days from 0 on, the horizon from 1 on.", found=f"{options}, horizon {horizon}"
        )
    watch = _Watch(horizon, times.as_of, options)
    scopes = _scopes(times, by)
    curves = [(scope, frame, _curve(_counted(frame), options)) for scope, frame in scopes]
    return TimeToClose(
        summary=pd.DataFrame([_summary_row(*item, watch) for item in curves]).astype(dict.fromkeys(_SHARES, "float64")),
        curves=pd.concat([_curve_rows(scope, curve) for scope, _, curve in curves], ignore_index=True),
        conditional=pd.concat([_conditional(scope, frame, watch) for scope, frame in scopes], ignore_index=True),
        by=by,
        horizon_days=horizon,
        times=times,
        options=options,
    )


@dataclass(frozen=True)
class _Watch:
    horizon: int
    as_of: Any
    options: TimeToCloseOptions


_SHARES = (
    *("won_share", "won_low", "won_high", "lost_share", "lost_low", "lost_high", "open_share"),
    *("median_days", "median_low", "median_high"),
)


def _scopes(times: DealTimes, by: str | None) -> list[Scope]:
    """All deals, and each level where there is more than one: a single level would repeat them."""
    whole: Scope = (ALL_DEALS, times.frame)
    levels = times.levels(by) if by else []
    if len(levels) < 2:
        return [whole]
    column = times.frame[by]
    return [whole, *((name, times.frame[column.isna() if name is None else column == name]) for name in levels)]


def _counted(frame: pd.DataFrame) -> pd.DataFrame:
    """Deals by days and event: curves need no more, and this is a few hundred rows however many deals there are."""
    return frame.groupby(["days", "event"], as_index=False).size()


def _curve(counted: pd.DataFrame, options: TimeToCloseOptions) -> CumulativeIncidence:
    return aalen_johansen(
        counted["days"], _closed(counted["event"]), weights=counted["size"], confidence=options.confidence
    )


def _closed(event: pd.Series) -> pd.Series:
    """The event as survival analysis has it: null while open."""
    return event.where(event != "open", None)


def _summary_row(scope: str | None, frame: pd.DataFrame, curve: CumulativeIncidence, watch: _Watch) -> Row:
    counts = frame["event"].value_counts()
    won, lost = (curve.at([watch.horizon], cause).iloc[0] for cause in ("won", "lost"))
    half, why = _median(frame, watch)
    return {
        "scope": scope,
        "n": len(frame),
        **{event: int(counts.get(event, 0)) for event in ("won", "lost", "open")},
        "watched": _watched(frame, watch),
        **{f"won_{name}": won[column] for name, column in _READ.items()},
        **{f"lost_{name}": lost[column] for name, column in _READ.items()},
        "open_share": curve.survival.at([watch.horizon])["survival"].iloc[0],
        "median_days": half.value,
        "median_low": half.low,
        "median_high": half.high,
        "reason": _why_unknown(frame, watch) if pd.isna(won["incidence"]) else None,
        "median_reason": why,
    }


_READ = {"share": "incidence", "low": "low", "high": "high"}


def _watched(frame: pd.DataFrame, watch: _Watch) -> int:
    """Deals created at least the horizon ago."""
    age = (pd.Timestamp(watch.as_of) - pd.to_datetime(frame["created_on"])).dt.days
    return int((age >= watch.horizon).sum())


def _why_unknown(frame: pd.DataFrame, watch: _Watch) -> str:
    if frame.empty:
        return "no deals"
    return f"no deal has been watched for {watch.horizon} days yet, the longest for {int(frame['days'].max())}"


def _median(frame: pd.DataFrame, watch: _Watch) -> tuple[HalfWay, str | None]:
    """Half-way time to the wins within the horizon, or why it is not known."""
    nothing, watched = HalfWay(None, None, None), _watched(frame, watch)
    if frame.empty:
        return nothing, "no deals"
    if 2 * watched < len(frame):
        return nothing, f"only {watched:,} of {len(frame):,} deals were created {watch.horizon} days ago or earlier"
    counted, options = _counted(frame), watch.options
    sets = risk_sets(counted["days"], _closed(counted["event"]), weights=counted["size"])
    resampling = HalfWayOptions(options.repeats, options.confidence, options.seed)
    half = half_way_time(sets, "won", watch.horizon, resampling)
    why = f"no deal was won within {watch.horizon} days of its creation" if half.value is None else None
    return half, why


def _curve_rows(scope: str | None, curve: CumulativeIncidence) -> pd.DataFrame:
    still = curve.survival.frame
    flat = still.assign(share=0.0, low=np.nan, high=np.nan)
    parts = []
    for cause in ("won", "lost"):
        rows = curve.frame[curve.frame["cause"] == cause].rename(columns={"incidence": "share"})
        parts.append((rows if cause in curve.causes else flat).assign(event=cause))
    parts.append(still.rename(columns={"survival": "share"}).assign(event="open"))
    columns = ["event", "time", "at_risk", "share", "low", "high"]
    rows = pd.concat([part[columns] for part in parts], ignore_index=True).rename(columns={"time": "days"})
    rows.insert(0, "scope", np.full(len(rows), scope, dtype=object))
    return rows


def _conditional(scope: str | None, frame: pd.DataFrame, watch: _Watch) -> pd.DataFrame:
    counted, ages = _counted(frame), sorted(set(watch.options.ages))
    is_open = counted[counted["event"] == "open"]
    rows = []
    for age, following in zip(ages, [*ages[1:], np.inf], strict=True):
        of_age = (is_open["days"] >= age) & (is_open["days"] < following)
        now = int(is_open.loc[of_age, "size"].sum())
        curve = _curve(_after(counted, age), watch.options)
        for ahead in (*watch.options.ahead, None):
            rows.append({"scope": scope, "open_now": now, **_chance(age, ahead, curve, watch)})
    made = pd.DataFrame(rows, columns=list(_CONDITIONAL))
    return made.astype(dict.fromkeys(("ahead", "until", "value", "low", "high"), "float64"))


_CONDITIONAL = ("scope", "age", "ahead", "until", "n", "open_now", "value", "low", "high", "reason")


def _after(counted: pd.DataFrame, age: int) -> pd.DataFrame:
    """Deals open at the end of the day on which they were `age` days old, with the days from there on."""
    rest = counted[counted["days"] > age]
    return rest.assign(days=rest["days"] - age)


def _chance(age: int, ahead: int | None, curve: CumulativeIncidence, watch: _Watch) -> Row:
    until = watch.horizon if ahead is None else age + ahead
    n = round(curve.n)
    row: Row = {"age": age, "ahead": ahead, "until": until, "n": n, "value": None, "low": None, "high": None}
    if until <= age:
        return {**row, "reason": f"the horizon of {watch.horizon} days is over at that age"}
    if n < watch.options.minimum_at_age:
        found = "no deal was" if n == 0 else f"only {n} {'deal was' if n == 1 else 'deals were'}"
        return {**row, "reason": f"{found} open at {age} days; {watch.options.minimum_at_age} are needed"}
    read = curve.at([until - age], "won").iloc[0]
    reason = f"no deal of that age has been watched up to {until} days yet" if pd.isna(read["incidence"]) else None
    return {**row, "value": read["incidence"], "low": read["low"], "high": read["high"], "reason": reason}
