"""What the dirt changes: pipeline, bookings, forecast and attribution as loaded, and on a repaired copy.

The forecast here is a simple rule, so that both sides cost seconds and differ by the data alone: what is booked so far
and each open deal's amount × the chance that the CRM gives it (of its stage, where it gives none), for deals expected
to close in the period or overdue. It is exact in the engine, and is no substitute for the forecast chapter.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.periods import Period, following, parse_period, period_containing
from revops_analysis.validation.repairs.apply import repaired_copy

if TYPE_CHECKING:
    from revops_analysis.sources.again import ValueMaps
    from revops_analysis.sources.profile import SourceProfile
    from revops_analysis.tables.snapshot import Snapshot

RULE = "booked so far + open amount × CRM probability"
COLUMNS = ("figure", "cut", "group", "unit", "as_loaded", "repaired", "difference")


@dataclass(frozen=True, eq=False)
class DirtEffect:
    """Figures as loaded and after repair, in the reporting currency.

    - `figures`, a row a figure, cut and group: figure, cut (whole, industry, source, segment, channel), group (null:
      not given), unit, as_loaded, repaired, difference (repaired − as loaded, to the cent; a group that one side lacks
      counts 0 there);
    - `done`: what was repaired, a row a table; `notes`: what was not; `rule`: how the forecast is made;
    - `period`: of bookings and of credited bookings; `ahead`: the period forecast.
    """

    figures: pd.DataFrame
    done: pd.DataFrame
    notes: tuple[str, ...]
    period: Period
    ahead: Period
    rule: str = RULE

    @property
    def changed(self) -> pd.DataFrame:
        """The figures that differ, wholes first, then the largest differences."""
        found = self.figures[self.figures["difference"] != 0]
        size = found["difference"].map(abs)
        order = found.assign(part=found["cut"] != "whole", size=size)
        order = order.sort_values(["part", "size", "figure", "cut"], ascending=[True, False, True, True], kind="stable")
        return order.drop(columns=["part", "size"]).reset_index(drop=True)

    @property
    def wholes(self) -> pd.DataFrame:
        """The figures of the whole company, changed or not."""
        return self.figures[self.figures["cut"] == "whole"].drop(columns=["cut", "group"]).reset_index(drop=True)


def dirt_effect(
    snapshot: Snapshot, maps: ValueMaps, profile: SourceProfile | None = None, period: str | Period | None = None
) -> DirtEffect:
    """Compute every figure on the tables as loaded and on a copy in which the words of `maps` are repaired.

    `period` is by default the quarter that contains the as-of date. The copy lies in the engine and is gone afterwards.
    """
    copy = repaired_copy(snapshot, maps, profile)
    return replace(effect_between(snapshot, copy.snapshot, period), done=copy.done, notes=copy.notes)


def effect_between(snapshot: Snapshot, other: Snapshot, period: str | Period | None = None) -> DirtEffect:
    """As `dirt_effect`, against another snapshot of the same load, as one with its duplicates resolved."""
    calendar = snapshot.definitions.fiscal_calendar
    if period is None:
        asked = period_containing(snapshot.as_of, calendar)
    else:
        asked = parse_period(period, calendar) if isinstance(period, str) else period
    ahead = following(asked, calendar) if asked.end <= snapshot.as_of else asked
    before, after = (_known_figures(side, asked, ahead) for side in (snapshot, other))
    keys = ["figure", "cut", "group", "unit"]
    both = before.merge(after, on=keys, how="outer", suffixes=("_before", "_after"), sort=False)
    both["as_loaded"] = both["value_before"].map(_or_nothing)
    both["repaired"] = both["value_after"].map(_or_nothing)
    both["difference"] = both["repaired"] - both["as_loaded"]
    order = {name: place for place, name in enumerate(_FIGURES)}
    both = both.sort_values(
        ["figure", "cut", "group"], key=lambda c: c.map(order) if c.name == "figure" else c, kind="stable"
    )
    nothing = pd.DataFrame(columns=["table", "changed", "returned"])
    return DirtEffect(both[list(COLUMNS)].reset_index(drop=True), nothing, (), asked, ahead)


def _or_nothing(value: Any) -> Decimal:
    return Decimal(0) if value is None or pd.isna(value) else Decimal(value)


def _known_figures(snapshot: Snapshot, period: Period, ahead: Period) -> pd.DataFrame:
    return snapshot.once(("figures of dirt", period, ahead), lambda: _figures(snapshot, period, ahead))


def _figures(snapshot: Snapshot, period: Period, ahead: Period) -> pd.DataFrame:
    parts = [make(snapshot, period, ahead) for make in _FIGURES.values()]
    frame = pd.concat([part for part in parts if len(part)], ignore_index=True)
    return frame[["figure", "cut", "group", "unit", "value"]]


def _cut(name: str, unit: str, cut: tuple[str, str | None], rows: pd.DataFrame) -> pd.DataFrame:
    title, column = cut
    groups = [None] * len(rows) if column is None else rows[column].where(rows[column].notna(), None)
    return pd.DataFrame({"figure": name, "cut": title, "group": groups, "unit": unit, "value": list(rows["value"])})


_CUTS: tuple[tuple[str, str | None], ...] = (
    ("whole", None),
    ("industry", "account_industry"),
    ("source", "source"),
    ("segment", "segment"),
)


def _added(name: str, unit: str, rows: Any, value: Callable[[Any], Any]) -> pd.DataFrame:
    """A sum over deals, whole and by each cut; the engine is asked once, for the finest groups."""
    columns = [column for _, column in _CUTS if column is not None]
    finest = rows.group_by(columns).aggregate(value=value(rows)).to_pandas()
    parts = []
    for title, column in _CUTS:
        groups = finest.assign(all=True).groupby(column or "all", dropna=False, sort=True)["value"]
        parts.append(_cut(name, unit, (title, column), groups.agg(_total).reset_index()))
    return pd.concat(parts, ignore_index=True)


def _total(values: pd.Series) -> Any:
    """Exact sum; None where every value is missing."""
    known = values.dropna()
    return sum(known.iloc[1:], known.iloc[0]) if len(known) else None


def _amount(rows: Any) -> Any:
    return rows.amount.sum().cast("decimal(38, 2)")


def _count(rows: Any) -> Any:
    return rows.count()


def _open(snapshot: Snapshot) -> Any:
    deals = snapshot.deals
    return deals.filter(deals.status == "open", ~deals.is_omitted.fill_null(False), deals.is_headline.fill_null(True))


def _booked(snapshot: Snapshot, start: dt.date, end: dt.date) -> Any:
    import ibis

    deals = snapshot.deals
    is_booked = (deals.status == "won") & deals.booked_on.between(ibis.literal(start), ibis.literal(end))
    return deals.filter(is_booked, deals.is_headline.fill_null(True))


def _forecast(snapshot: Snapshot, period: Period, ahead: Period) -> pd.DataFrame:
    """Booked in the period ahead, and open deals expected in it or overdue × chance, rounded once, by deal."""
    import ibis

    chances = {stage.name: stage.probability for stage in snapshot.definitions.stages if stage.probability is not None}
    deals = _open(snapshot)
    by_stage = ibis.cases(
        *((deals.stage == name, chance) for name, chance in chances.items()), else_=ibis.null("float64")
    )
    chance = ibis.coalesce(deals.probability, by_stage)
    expected = deals.filter(deals.close_date <= ibis.literal(ahead.end))
    worth = (expected.amount.cast("float64") * chance).round(2).cast("decimal(18, 2)")
    columns = [column for _, column in _CUTS if column is not None]
    booked = _booked(snapshot, ahead.start, ahead.end).select(
        *columns, amount=lambda t: t.amount.cast("decimal(18, 2)")
    )
    rows = expected.select(*columns, amount=worth).union(booked)
    return _added("Forecast", "currency", rows, _amount)


def _attribution(snapshot: Snapshot, period: Period, ahead: Period) -> pd.DataFrame:
    """Bookings of the year up to the period's end, credited to channels by the official model."""
    from revops_analysis.attribution.credit import credit
    from revops_analysis.attribution.journeys import journeys
    from revops_analysis.attribution.totals import Cut

    year = Period("year", period.end - dt.timedelta(days=364), period.end)
    totals = credit(journeys(snapshot)).totals(cut=Cut(by=("channel",), view="period", period=year))
    rows = totals.assign(value=totals["bookings"])
    rows["channel"] = rows["channel"].where(rows["attributed"], "no touch")
    return _cut("Credited bookings", "currency", ("channel", "channel"), rows)


_FIGURES: dict[str, Callable[[Snapshot, Period, Period], pd.DataFrame]] = {
    "Open pipeline": lambda s, p, a: _added("Open pipeline", "currency", _open(s), _amount),
    "Open deals": lambda s, p, a: _added("Open deals", "count", _open(s), _count),
    "Bookings": lambda s, p, a: _added("Bookings", "currency", _booked(s, p.start, p.end), _amount),
    "Deals booked": lambda s, p, a: _added("Deals booked", "count", _booked(s, p.start, p.end), _count),
    "Bookings to date": lambda s, p, a: _added(
        "Bookings to date", "currency", _booked(s, dt.date.min, s.as_of), _amount
    ),
    "Deals booked to date": lambda s, p, a: _added(
        "Deals booked to date", "count", _booked(s, dt.date.min, s.as_of), _count
    ),
    "Forecast": _forecast,
    "Credited bookings": _attribution,
}
