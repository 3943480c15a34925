"""Deals that do not exist yet: how many are created in what is left of a period, and how many of them are won in it.

By group (type and segment): deals arrive at the rate of the last year, moved on by the company's growth and by the
season; of a deal created so many days before the period's end a share is won in it, learned from the deals created in
past periods; and it is worth what such deals were worth when they were won.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.models.cutoffs import Cutoff
from revops_analysis.models.evidence import Evidence

Floats = npt.NDArray[np.float64]
YEAR = 364
"""Whole weeks, so that every weekday counts as often."""


@dataclass(frozen=True)
class LaterOptions:
    """How later deals are expected.

    `amount_periods`: over how many past periods won amounts are taken; `amount_trend`: growth of amounts a year, in
    logs, that is easily believed. `season_weight`: deals a month at which a season is half believed; `growth_weight`:
    deals a year at which growth is. `minimum_rows`: deals created in past periods without which nothing is said of
    later ones. `half_life` (periods): how fast the success of old periods loses weight.
    """

    amount_periods: int = 6
    amount_trend: float = 0.10
    season_weight: float = 60.0
    growth_weight: float = 300.0
    minimum_rows: int = 30
    half_life: float = 4.0


@dataclass(frozen=True, eq=False)
class LaterDeals:
    """What is expected of deals not yet created.

    `groups`: [type, segment, created (expected number), wins (expected number), mean_amount, bookings]. `pools`: for
    each of its rows the won amounts that stand for it. `note` says why nothing is expected, where history lacks.
    """

    groups: pd.DataFrame
    pools: tuple[Floats, ...]
    note: str = ""

    @property
    def mean(self) -> float:
        """Expected bookings of deals not yet created."""
        return float(self.groups["bookings"].sum())


def expect_later_deals(evidence: Evidence, cutoff: Cutoff, options: LaterOptions | None = None) -> LaterDeals:
    """Return what deals created after the cutoff are expected to bring in the cutoff's period."""
    options = options or LaterOptions()
    past = _past_creations(evidence, cutoff)
    days = pd.date_range(cutoff.day + timedelta(days=1), cutoff.period.end)
    if len(past) < options.minimum_rows or not past["won"].any() or not len(days):
        note = "" if not len(days) else f"Deals not yet created are left out: {len(past)} were created in past periods."
        return LaterDeals(pd.DataFrame(columns=_COLUMNS, dtype="float64"), (), note)
    success = _Success(past, options)
    rates = _daily_rates(evidence, days, options)
    left = (pd.Timestamp(cutoff.period.end) - days).days.to_numpy(dtype="float64")
    amounts = _won_amounts(evidence, options)
    rows, pools = [], []
    for (kind, segment), rate in rates.items():
        pool = amounts.get((kind, segment), np.zeros(0))
        wins = float((rate * success.chance(kind, segment, left)).sum())
        amount = float(pool.mean()) if len(pool) else 0.0
        rows.append((kind, segment, float(rate.sum()), wins, amount, wins * amount))
        pools.append(pool if len(pool) else np.zeros(1))
    return LaterDeals(pd.DataFrame(rows, columns=list(_COLUMNS)), tuple(pools))


_COLUMNS = ("type", "segment", "created", "wins", "mean_amount", "bookings")


def _past_creations(evidence: Evidence, cutoff: Cutoff) -> pd.DataFrame:
    """A row per past period and deal created in it, or as long before it as the cutoff is: days_left, won."""
    periods = evidence.past.drop_duplicates("period")[["period", "first_day", "last_day"]]
    lead = pd.Timedelta(days=max(0, -cutoff.offset - 1))
    parts = []
    rows = zip(periods["period"], periods["first_day"], periods["last_day"], strict=True)
    for place, (label, first, last) in enumerate(rows):
        made = evidence.created[evidence.created["created_on"].between(first - lead, last)]
        parts.append(made.assign(period=label, period_place=place, days_left=(last - made["created_on"]).dt.days))
    frame = pd.concat(parts, ignore_index=True) if parts else evidence.created.iloc[:0].assign(period="", days_left=0)
    won = evidence.wins[["period", "opportunity_id"]].assign(won=True)
    joined = frame.merge(won, on=["period", "opportunity_id"], how="left")
    joined["won"] = joined["won"].notna()
    return joined


class _Success:
    """P(won in the period | group, days left at creation): a logistic curve by group, drawn together."""

    def __init__(self, past: pd.DataFrame, options: LaterOptions) -> None:
        from sklearn.linear_model import LogisticRegression

        self.groups = sorted({*zip(past["type"].fillna(""), past["segment"].fillna(""), strict=True)})
        labels = list(zip(past["type"].fillna(""), past["segment"].fillna(""), strict=True))
        places = np.array([self.groups.index(label) for label in labels])
        self.model: Any = LogisticRegression(C=1.0, max_iter=1000)
        age = past["period_place"].max() - past["period_place"]
        weights = 0.5 ** (age.to_numpy(dtype="float64") / options.half_life)
        design = self._design(places, past["days_left"].to_numpy(dtype="float64"))
        self.model.fit(design, past["won"], sample_weight=weights)

    def chance(self, kind: str, segment: str, days_left: Floats) -> Floats:
        """The chance of deals of a group created so many days before the end."""
        places = np.full(len(days_left), self.groups.index((kind, segment)) if (kind, segment) in self.groups else -1)
        return self.model.predict_proba(self._design(places, days_left))[:, 1]

    def _design(self, places: npt.NDArray[np.int64], days_left: Floats) -> Floats:
        quarter = days_left / 91.0
        curve = np.column_stack([np.log(quarter + 0.08), quarter, quarter**2])
        member = (places[:, None] == np.arange(len(self.groups))).astype("float64")
        return np.hstack([curve, member, member * curve[:, :1], member * curve[:, 1:2]])


def _daily_rates(evidence: Evidence, days: pd.DatetimeIndex, options: LaterOptions) -> dict[tuple[str, str], Floats]:
    """Expected creations of each group on each coming day."""
    today = pd.Timestamp(evidence.day)
    created = _complete(evidence)
    known = (today - created["created_on"].min()).days + 1
    span = min(YEAR, max(1, known))
    recent = created[created["created_on"] > today - pd.Timedelta(days=span)]
    before = created[
        created["created_on"].between(today - pd.Timedelta(days=2 * span - 1), today - pd.Timedelta(days=span))
    ]
    growth = _growth(len(recent), len(before), known, options)
    season = _season(created, today, growth, options)
    ahead = ((days - today).days.to_numpy(dtype="float64") + span / 2) / YEAR
    pace = season[days.month - 1] * np.exp(growth * ahead)
    pace = pace / np.mean(season[recent["created_on"].dt.month - 1]) if len(recent) else pace
    counts = recent.fillna({"type": "", "segment": ""}).groupby(["type", "segment"], sort=True).size()
    return {(kind, segment): count / span * pace for (kind, segment), count in zip(counts.index, counts, strict=True)}


def _complete(evidence: Evidence) -> pd.DataFrame:
    """Deals created since the first past period began: of earlier ones a young CRM knows only those that lasted."""
    first = evidence.past["first_day"].min()
    return evidence.created if pd.isna(first) else evidence.created[evidence.created["created_on"] >= first]


def _growth(recent: int, before: int, known: int, options: LaterOptions) -> float:
    """Growth a year in logs, drawn towards none; none where there is no full year before the last one."""
    if known < 2 * YEAR or not before or not recent:
        return 0.0
    certainty = before / (before + options.growth_weight)
    return float(np.log(recent / before) * certainty)


def _season(created: pd.DataFrame, today: pd.Timestamp, growth: float, options: LaterOptions) -> Floats:
    """[12]: creations of each calendar month against the average of its year, over the whole years before today.

    Growth is taken out first: otherwise the months just before today would look like a season.
    """
    years = (today - created["created_on"].min()).days // YEAR
    if years < 2:
        return np.ones(12)
    ago = (today - created["created_on"]).dt.days // YEAR
    inside = created[ago < years].assign(year=ago[ago < years])
    level = np.exp(growth * (today - inside["created_on"]).dt.days / YEAR)
    counts = level.groupby([inside["year"], inside["created_on"].dt.month]).sum().unstack(fill_value=0.0)
    counts = counts.reindex(columns=range(1, 13), fill_value=0).to_numpy(dtype="float64")
    expected = counts.sum(axis=1, keepdims=True) / 12
    index = (counts.sum(axis=0) + options.season_weight) / (expected.sum(axis=0) + options.season_weight)
    return index / index.mean()


def _won_amounts(evidence: Evidence, options: LaterOptions) -> dict[tuple[str, str], Floats]:
    """Amounts of each group's deals won in the latest past periods, moved on to today by the trend of amounts."""
    wins = evidence.wins[evidence.wins["amount"] > 0].fillna({"type": "", "segment": ""})
    if wins.empty:
        return {}
    years = (wins["booked_on"] - pd.Timestamp(evidence.day)).dt.days / 365.25
    today = wins["amount"] * np.exp(-years * _trend(wins, years, options))
    latest = wins.sort_values("last_day", kind="stable")["period"].unique()[-options.amount_periods :]
    inside = wins["period"].isin(latest)
    groups = today[inside].groupby([wins.loc[inside, "type"], wins.loc[inside, "segment"]], sort=True)
    return {(str(kind), str(segment)): values.to_numpy() for (kind, segment), values in groups}


def _trend(wins: pd.DataFrame, years: pd.Series, options: LaterOptions) -> float:
    """Growth a year of the logarithm of won amounts within groups, drawn towards none."""
    groups = [wins["type"], wins["segment"]]
    logs = np.log(wins["amount"])
    level = logs - logs.groupby(groups).transform("mean")
    since = years - years.groupby(groups).transform("mean")
    squares = float((since**2).sum())
    noise = float(level.var()) if len(level) > 1 else 0.0
    prior = noise / options.amount_trend**2 if options.amount_trend else np.inf
    return float((since * level).sum()) / (squares + prior) if squares + prior > 0 else 0.0
