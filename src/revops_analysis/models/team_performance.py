"""Everything the team chapter shows: sellers and teams against quota, plan and peers, with chance taken out.

Quota, bookings and attainment are of the report's period and are facts. Rates are of the last periods together, against
what the same mix of deals (segment and type) brought all sellers, and drawn towards par as far as chance could explain
them: a rank of raw rates would mostly rank luck.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from revops_analysis.metrics.deals import within
from revops_analysis.metrics.registry import MetricResult, compute_metric
from revops_analysis.metrics.sellers import credited, seller_months, sellers
from revops_analysis.models.seller_pace import SellerPace, seller_pace
from revops_analysis.models.seller_ramp import RampCurve, ramp_curve
from revops_analysis.periods import Period, begun_period, previous
from revops_analysis.statistics.shrinkage import shrink_normal
from revops_analysis.tables.days import business_day

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

SELLERS = (
    *("owner_id", "owner", "team", "segment", "tenure_months", "is_ramped", "equivalent", "quota", "bookings"),
    *("attainment", "won", "closed", "win_rate", "expected_win_rate", "against_mix", "win_rate_adjusted"),
    *("win_rate_shrunk", "win_rate_low", "win_rate_high", "equivalent_year", "bookings_year", "productivity"),
    *("productivity_ratio", "productivity_error", "productivity_shrunk", "productivity_low", "productivity_high"),
    *("cycle_days", "deal_size", "created", "activities_week", "open_pipeline", "reason"),
)
TEAMS = (
    *("team", "sellers", "equivalent", "quota", "bookings", "attainment", "win_rate", "low", "high", "closed"),
    *("cycle_days", "deal_size", "created", "productivity", "reason"),
)
WIN_ERROR = 0.5
"""Least variance of an adjusted rate's expected wins, so that a seller with next to no deals keeps a finite weight."""


@dataclass(frozen=True, eq=False)
class TeamPerformance:
    """Sellers and teams in a period. Amounts in the reporting currency; sellers are those employed in the period.

    `sellers`: a row a seller, by team and name. In the period: equivalent (ramped-seller equivalents), quota, bookings
    (credited), attainment (null without quota, with the reason). In the `year` (the periods compared): won, closed,
    win_rate, expected_win_rate (what all sellers' rates make of the same deals by segment and type), against_mix (won ÷
    expected), win_rate_adjusted (× the company's rate), the same shrunk, with 95% limits; equivalent_year,
    bookings_year, productivity (a ramped quarter), productivity_ratio (against all sellers of the segment sold to),
    its error by chance, the same shrunk with 95% limits; cycle_days, deal_size (of won deals), created (pipeline as
    first priced), activities_week (while employed; null without the table). open_pipeline at the as-of date.

    `teams`: the same by team, the company last (null team), with Wilson's interval of the win rate.
    `ramp`, `pace`: see their modules. `win_rate`: the company's in the year. `headline`, `figures`: metric results.
    """

    period: Period
    year: Period
    currency: str
    sellers: pd.DataFrame
    teams: pd.DataFrame
    ramp: RampCurve
    pace: SellerPace
    win_rate: float | None
    headline: tuple[MetricResult, ...]
    figures: tuple[MetricResult, ...]
    notes: tuple[str, ...]
    reason: str | None = None


def team_performance(snapshot: Snapshot, period: str | Period) -> TeamPerformance:
    """Compute the team chapter for a period that has begun by the as-of date. Computed once a snapshot and period.

    Raises ConfigurationError for a period that cannot be read or begins after the as-of date.
    """
    span = begun_period(period, snapshot.definitions.fiscal_calendar, snapshot.as_of)
    return snapshot.once(("team performance", span), lambda: _team_performance(snapshot, span))


def _team_performance(snapshot: Snapshot, span: Period) -> TeamPerformance:
    year = compared_periods(snapshot, span)
    ask = partial(compute_metric, snapshot)
    table = _sellers(snapshot, span, year)
    whole = ask("win_rate", year).frame.iloc[0]["value"]
    names = ("attainment", "quota", "credited_bookings", "quota_coverage", "ramped_sellers", "productivity")
    headline = tuple(ask(name, span) for name in names)
    pace = seller_pace(snapshot, year)
    figures = tuple(ask(name, span, by=["owner"]) for name in ("attainment", "productivity"))
    return TeamPerformance(
        period=span,
        year=year,
        currency=snapshot.definitions.reporting_currency,
        sellers=table,
        teams=_teams(snapshot, span, year),
        ramp=ramp_curve(snapshot),
        pace=pace,
        win_rate=None if pd.isna(whole) else float(whole),
        headline=headline,
        figures=figures,
        notes=_notes(snapshot, table, pace),
        reason=None if len(table) else f"no seller was employed in {span.label}",
    )


def compared_periods(snapshot: Snapshot, span: Period) -> Period:
    """The report's period and those before it over which sellers are compared, as one."""
    first = span
    for _ in range(snapshot.definitions.sellers.compared_periods - 1):
        first = previous(first, snapshot.definitions.fiscal_calendar)
    return Period(f"{first.start.isoformat()}..{span.end.isoformat()}", first.start, span.end)


def _sellers(snapshot: Snapshot, span: Period, year: Period) -> pd.DataFrame:
    now, before = seller_months(snapshot, span), seller_months(snapshot, year)
    quarters = snapshot.definitions.sellers.compared_periods
    table = now[["owner_id", "owner", "team", "segment", "tenure_months", "is_ramped", "equivalent"]]
    table = table.merge(before[["owner_id", "share_employed"]], on="owner_id", how="left")
    table["equivalent_year"] = (
        before.set_index("owner_id")["equivalent"].reindex(table["owner_id"]).to_numpy() * quarters
    )
    figures = {
        "quota": ("quota", span),
        "bookings": ("credited_bookings", span),
        "attainment": ("attainment", span),
        "bookings_year": ("credited_bookings", year),
        "cycle_days": ("sales_cycle_days", year),
        "deal_size": ("average_deal_size", year),
        "created": ("pipeline_created", year),
        "open_pipeline": ("open_pipeline", span),
    }
    for column, (metric, period) in figures.items():
        found = compute_metric(snapshot, metric, period, by=["owner_id"]).frame.set_index("owner_id")
        table[column] = found["value"].reindex(table["owner_id"]).to_numpy(dtype=float)
        if column == "attainment":
            table["reason"] = found["reason"].reindex(table["owner_id"]).to_numpy()
    for column in ("bookings", "bookings_year", "created", "open_pipeline"):
        table[column] = table[column].fillna(0.0)  # nothing booked, created or open is none
    no_quota = table["attainment"].isna() & table["reason"].isna()
    table["reason"] = table["reason"].astype(object).mask(no_quota, "no quota for the period")
    table["activities_week"] = _activities(snapshot, year, table)
    for part in (_win_rates(snapshot, year, table), _productivity(snapshot, year, table)):
        table = table.join(part)
    ordered = table.sort_values(["team", "owner", "owner_id"], kind="stable", na_position="last", ignore_index=True)
    return ordered[list(SELLERS)]


def _activities(snapshot: Snapshot, year: Period, table: pd.DataFrame) -> pd.Series:
    """Activities a week of each seller while employed in the year."""
    if not snapshot.has("activities"):
        return pd.Series(np.nan, index=table.index)
    acts, zone = snapshot.table("activities"), snapshot.definitions.business_time_zone
    inside = acts.filter(within(business_day(acts.occurred_at, zone), year))
    found = inside.group_by("user_id").aggregate(n=inside.count()).to_pandas().set_index("user_id")["n"]
    days = (min(year.end, snapshot.as_of) - year.start).days + 1
    weeks = table["share_employed"] * days / 7
    return found.reindex(table["owner_id"]).fillna(0.0).to_numpy(dtype=float) / weeks.where(weeks > 0)


def _win_rates(snapshot: Snapshot, year: Period, table: pd.DataFrame) -> pd.DataFrame:
    """Win rates in the year against what the same mix of segment and type brought everybody."""
    by = ["owner_id", "segment", "type"]
    cells = compute_metric(snapshot, "win_rate", year, by=by).frame
    cells = cells.assign(closed=cells["n"].fillna(0).astype(float)).fillna({"segment": "", "type": ""})
    cells["won"] = (cells["value"] * cells["closed"]).round().fillna(0.0)
    mix = cells.groupby(["segment", "type"])[["won", "closed"]].transform("sum")
    rate = mix["won"] / mix["closed"].where(mix["closed"] > 0)
    cells = cells.assign(expected=rate * cells["closed"], spread=rate * (1 - rate) * cells["closed"])
    sums = cells.groupby("owner_id")[["won", "closed", "expected", "spread"]].sum().reindex(table["owner_id"])
    sums = sums.reset_index(drop=True).fillna(0.0)
    closed, expected = sums["closed"].where(sums["closed"] > 0), sums["expected"].where(sums["expected"] > 0)
    whole = float(cells["won"].sum() / cells["closed"].sum()) if cells["closed"].sum() else np.nan
    ratio = sums["won"] / expected
    error = sums["spread"].clip(lower=WIN_ERROR) / expected**2
    shrunk = shrink_normal(ratio, error.fillna(1.0)).frame
    return pd.DataFrame(
        {
            "won": sums["won"],
            "closed": sums["closed"],
            "win_rate": sums["won"] / closed,
            "expected_win_rate": sums["expected"] / closed,
            "against_mix": ratio,
            "win_rate_adjusted": (ratio * whole).clip(0, 1),
            "win_rate_shrunk": (shrunk["shrunk"] * whole).clip(0, 1),
            "win_rate_low": (shrunk["low"] * whole).clip(0, 1),
            "win_rate_high": (shrunk["high"] * whole).clip(0, 1),
        }
    )


def _productivity(snapshot: Snapshot, year: Period, table: pd.DataFrame) -> pd.DataFrame:
    """Credited bookings a ramped quarter against all sellers of the segment, and how far chance alone moves them.

    Bookings are a sum over a chance number of deals of chance size (compound Poisson), so the variance of a seller's
    sum is his ramped quarters × the segment's Σ credit² a ramped quarter.
    """
    people = sellers(snapshot)
    rows = credited(snapshot, year)
    rows = rows.filter(rows.credited_to.isin(people.filter(people.is_seller).owner_id))
    squares = rows.credit.cast("float64")
    sums = rows.group_by("segment").aggregate(credit=squares.sum(), square=(squares * squares).sum()).to_pandas()
    whole = seller_months(snapshot, year).groupby("segment", dropna=False)["equivalent"].sum()
    quarters = snapshot.definitions.sellers.compared_periods
    of_segment = sums.set_index("segment")
    ramped = table["equivalent_year"].where(table["equivalent_year"] > 0)
    base = table["segment"].map(of_segment["credit"] / (whole * quarters)).astype(float)
    square = table["segment"].map(of_segment["square"] / (whole * quarters)).astype(float)
    ratio = table["bookings_year"] / ramped / base.where(base > 0)
    error = (square / ramped) ** 0.5 / base.where(base > 0)
    known = ratio.notna() & (error > 0)
    shrunk = shrink_normal(ratio.where(known), error.where(known, 1.0) ** 2).frame
    return pd.DataFrame(
        {
            "productivity": table["bookings_year"] / ramped,
            "productivity_ratio": ratio,
            "productivity_error": error,
            "productivity_shrunk": shrunk["shrunk"],
            "productivity_low": shrunk["low"],
            "productivity_high": shrunk["high"],
        }
    )


def _teams(snapshot: Snapshot, span: Period, year: Period) -> pd.DataFrame:
    """A row a team with a seller employed in the period, and the company last."""
    now = seller_months(snapshot, span)
    names = sorted(now["team"].dropna().unique())
    ask = partial(compute_metric, snapshot)
    sources = {
        "quota": ask("quota", span, by=["team"]),
        "bookings": ask("credited_bookings", span, by=["team"]),
        "attainment": ask("attainment", span, by=["team"]),
        "win_rate": ask("win_rate", year, by=["team"]),
        "cycle_days": ask("sales_cycle_days", year, by=["team"]),
        "deal_size": ask("average_deal_size", year, by=["team"]),
        "created": ask("pipeline_created", year, by=["team"]),
        "productivity": ask("productivity", span, by=["team"]),
    }
    table = pd.DataFrame({"team": [*names, None]})
    for column, result in sources.items():
        rows = result.frame.set_index("team").reindex(names)
        company = ask(result.metric.name, span if column in _OF_PERIOD else year).frame.iloc[0]
        table[column] = [*rows["value"], company["value"]]
        if column == "win_rate":
            table = table.assign(
                **{name: [*rows[name], company[name]] for name in ("low", "high")}, closed=[*rows["n"], company["n"]]
            )
        if column == "attainment":
            table["reason"] = [*rows["reason"], company["reason"]]
    count, ramped = now.groupby("team").size().reindex(names), now.groupby("team")["equivalent"].sum().reindex(names)
    table = table.assign(sellers=[*count, len(now)], equivalent=[*ramped, now["equivalent"].sum()])
    return table[list(TEAMS)]


_OF_PERIOD = ("quota", "bookings", "attainment", "productivity")


def _notes(snapshot: Snapshot, table: pd.DataFrame, pace: SellerPace) -> tuple[str, ...]:
    notes = []
    if pace.reason:
        notes.append(f"Pace against peers is not known: {pace.reason}.")
    if pace.ramping:
        notes.append(
            f"{pace.ramping:,} visits to stages are left out of the comparison: their seller was still ramping."
        )
    without = int(table["attainment"].isna().sum()) if len(table) else 0
    if without:
        notes.append(f"{without} of {len(table)} sellers have no attainment: no quota, or none that fits the period.")
    unset = sorted({str(name) for name in table["segment"].dropna()} - set(snapshot.definitions.ramp_months))
    if unset:
        notes.append(f"No ramp length is set for {', '.join(unset)}: its sellers count as ramped from the first day.")
    return tuple(notes)
