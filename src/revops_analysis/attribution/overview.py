"""Everything the attribution chapter shows, computed once: figures, tables and texts are made from this and agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from revops_analysis.attribution.credit import credit
from revops_analysis.attribution.exclusions import ATTRIBUTED, OTHER_TYPE
from revops_analysis.attribution.journey_shapes import JourneyShapes, journey_shapes
from revops_analysis.attribution.journeys import Journeys, journeys
from revops_analysis.attribution.robustness import Robustness, RobustnessOptions, robustness, sensitivity
from revops_analysis.attribution.sourcing import Sourcing, sourcing
from revops_analysis.attribution.spend import SpendReturns, spend_returns
from revops_analysis.attribution.totals import Cut
from revops_analysis.attribution.verdict import CAVEAT, verdict
from revops_analysis.periods import Period, parse_period, period_containing, previous, year_to

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

MARKETING = "marketing"
QUARTERS = 4


@dataclass(frozen=True, eq=False)
class AttributionOverview:
    """Credit in a period and in the year that ends with it; amounts in the reporting currency.

    - `period`: the report's; `year`: the twelve months up to its end, on which comparisons of models and returns rest,
      because a quarter has too few wins;
    - `headline`: metric, period, value, unit, low, high, n, reason; `figures`: frames of the same shape;
    - `sourced`: who sourced the pipeline created in the period, by each side's definition; see `sourcing`;
    - `pipeline`: by team, of the pipeline created in the period under the official model: team, pipeline, deals, share;
    - `compared`, `verdict`: see `robustness` and `verdict`; `settings`: how the share of each channel changes when the
      lookback or the half-life is half or twice as long: channel, and a column a setting (differences of shares);
    - `spend`: by quarter; `year_spend`: of the year; `returns`, a row a channel with programme spend in the year:
      channel, spend, official, lowest, lowest_model, highest, highest_model (bookings per unit of spend), low, high;
    - `shapes`: the journeys of what was booked in the year;
    - `unattributed`: reason, deals, amount of deals without any touch; `gaps`: reason, touches, deals, amount;
    - `notes`: what stands beside every figure.
    """

    period: Period
    year: Period
    currency: str
    headline: pd.DataFrame
    figures: tuple[pd.DataFrame, ...]
    sourced: Sourcing
    pipeline: pd.DataFrame
    compared: Robustness
    settings: pd.DataFrame
    verdict: pd.DataFrame
    spend: SpendReturns
    year_spend: SpendReturns
    returns: pd.DataFrame
    shapes: JourneyShapes
    unattributed: pd.DataFrame
    gaps: pd.DataFrame
    notes: tuple[str, ...]


def attribution_overview(snapshot: Snapshot, period: str | Period | None = None, seed: int = 0) -> AttributionOverview:
    """Compute the attribution chapter as of the snapshot's day; the same one for the same period and seed.

    `period` is by default the quarter that contains the as-of date.
    """
    calendar = snapshot.definitions.fiscal_calendar
    if period is None:
        asked = period_containing(snapshot.as_of, calendar)
    else:
        asked = parse_period(period, calendar) if isinstance(period, str) else period
    return snapshot.once(("attribution overview", asked, seed), lambda: _overview(snapshot, asked, seed))


def sourced_in(snapshot: Snapshot, period: Period) -> Sourcing:
    """Who sourced the pipeline created in a period; see `sourcing`. Computed once a snapshot and period."""
    return snapshot.once(("sourced", period), lambda: sourcing(journeys(snapshot), period))


def _overview(snapshot: Snapshot, period: Period, seed: int) -> AttributionOverview:
    made = journeys(snapshot)
    year = year_to(period)
    compared = robustness(made, year, RobustnessOptions(seed=seed))
    year_spend = spend_returns(made, [year])
    cost = programme_spend(year_spend)
    pipeline = _pipeline(made, period)
    sourced = sourced_in(snapshot, period)
    returns = _returns(compared, cost)
    excluded = made.exclusions
    return AttributionOverview(
        period=period,
        year=year,
        currency=snapshot.definitions.reporting_currency,
        headline=_headline(made, (compared, year_spend, sourced), period, year),
        figures=(*_sourced_figures(sourced, period), *_figures(compared, returns, year)),
        sourced=sourced,
        pipeline=pipeline,
        compared=compared,
        settings=pd.DataFrame(columns=["channel"]) if compared.reason else _settings(sensitivity(made, year)),
        verdict=verdict(compared, cost),
        spend=spend_returns(made, _quarters(period, snapshot)),
        year_spend=year_spend,
        returns=returns,
        shapes=journey_shapes(made, year),
        unattributed=_unattributed(excluded),
        gaps=_of(excluded, "gap"),
        notes=(CAVEAT, *year_spend.notes),
    )


def _settings(frame: pd.DataFrame) -> pd.DataFrame:
    """Differences of shares, a row a channel and a column a setting."""
    words = {"lookback_days": "lookback {:g} days", "half_life_days": "half-life {:g} days"}
    named = frame.assign(
        column=[words[name].format(value) for name, value in zip(frame["setting"], frame["value"], strict=True)],
        channel=frame["channel"].fillna("\uffff"),
    )
    wide = named.pivot_table(index="channel", columns="column", values="difference", sort=False).sort_index()
    wide = wide.reset_index().rename_axis(columns=None)
    return wide.assign(channel=wide["channel"].where(wide["channel"] != "\uffff", None))


def _quarters(period: Period, snapshot: Snapshot) -> list[Period]:
    """The quarter in which the period ends and the three before it, the earliest first."""
    calendar = snapshot.definitions.fiscal_calendar
    found = [period_containing(period.end, calendar)]
    while len(found) < QUARTERS:
        found.append(previous(found[-1], calendar))
    return found[::-1]


def programme_spend(found: SpendReturns) -> dict[str, float]:
    """Programme spend by channel, of those for which it is known and above 0."""
    known = found.channels[found.channels["spend"].notna() & found.channels["channel"].notna()]
    return {
        str(channel): float(spend) for channel, spend in zip(known["channel"], known["spend"], strict=True) if spend > 0
    }


def _unattributed(excluded: pd.DataFrame) -> pd.DataFrame:
    deals = _of(excluded, "deal").drop(columns="touches")
    return deals[~deals["reason"].isin([ATTRIBUTED, OTHER_TYPE])].reset_index(drop=True)


def _of(excluded: pd.DataFrame, grain: str) -> pd.DataFrame:
    return excluded[excluded["grain"] == grain].drop(columns="grain").reset_index(drop=True)


def _pipeline(made: Journeys, period: Period) -> pd.DataFrame:
    """Pipeline created in the period by team under the official model; the rest is not attributed.

    A chain credits what was won only, so under `markov` W-shaped credit stands in.
    """
    official = made.snapshot.definitions.attribution.official_model
    model = "w_shaped" if official == "markov" else official
    found = credit(made, model).totals(cut=Cut(by=("team",), period=period))
    found = found.assign(team=found["team"].where(found["attributed"], "not attributed"))
    amount = found["pipeline"].astype(float)
    whole = amount.sum()
    frame = found[["team", "pipeline", "deals"]].assign(share=amount / whole if whole else np.nan)
    return frame.sort_values("share", ascending=False, kind="stable").reset_index(drop=True)


def _returns(compared: Robustness, cost: dict[str, float]) -> pd.DataFrame:
    columns = ["channel", "spend", "official", "low", "high", "lowest", "lowest_model", "highest", "highest_model"]
    rows = []
    for channel, spend in cost.items():
        mine = compared.shares[compared.shares["channel"] == channel].set_index("model")
        if mine.empty or compared.reason:
            continue
        ratio = mine["amount"] / spend
        own = mine.loc[compared.official]
        rows.append(
            {"channel": channel, "spend": spend, "official": own["amount"] / spend}
            | {"low": own["amount_low"] / spend, "high": own["amount_high"] / spend}
            | {"lowest": ratio.min(), "lowest_model": ratio.idxmin()}
            | {"highest": ratio.max(), "highest_model": ratio.idxmax()}
        )
    frame = pd.DataFrame(rows, columns=columns)
    return frame.sort_values("official", ascending=False, kind="stable").reset_index(drop=True)


_SHAPE = ("metric", "period", "value", "unit", "low", "high", "n", "reason")


def _headline(
    made: Journeys, parts: tuple[Robustness, SpendReturns, Sourcing], period: Period, year: Period
) -> pd.DataFrame:
    compared, spend, sourced = parts
    company = spend.company.iloc[0]
    rows: list[dict[str, object]] = [
        _marketing_sourced(sourced, period),
        _disputed(sourced, period),
        _team_share(made, compared, year),
        _programme_return(spend, year),
        {"metric": "booked_cac", "period": year.label, "value": company["cac"], "unit": "currency"}
        | {"n": company["new_customers"], "reason": company["reason"]},
        {"metric": "booked_payback_months", "period": year.label, "unit": "number"}
        | {"value": company["payback_months"], "n": company["new_customers"], "reason": company["payback_reason"]},
    ]
    return _told(rows)


NO_PIPELINE = "no pipeline with an amount was created in the period"


def _marketing_sourced(sourced: Sourcing, period: Period) -> dict[str, object]:
    """The official figure: marketing's share of the pipeline created."""
    row: dict[str, object] = {"metric": "marketing_sourced_pipeline", "period": period.label, "unit": "rate"}
    row |= {"n": len(sourced.deals), "reason": NO_PIPELINE}
    mine = sourced.official[sourced.official["team"] == MARKETING]
    known = bool(sourced.official["amount_share"].notna().any())
    return {**row, "value": (float(mine["amount_share"].sum()) if len(mine) else 0.0) if known else None}


def _disputed(sourced: Sourcing, period: Period) -> dict[str, object]:
    """The share of the pipeline created on which claims about one team differ."""
    row: dict[str, object] = {"metric": "disputed_pipeline", "period": period.label, "unit": "rate"}
    row |= {"n": len(sourced.disputed), "reason": NO_PIPELINE}
    whole = float(sourced.deals["amount"].dropna().astype(float).sum())
    return {**row, "value": float(sourced.disputed["amount"].dropna().astype(float).sum()) / whole if whole else None}


def _sourced_figures(sourced: Sourcing, period: Period) -> tuple[pd.DataFrame, ...]:
    """Key figures of sourcing: the official share of every team, and every claim."""
    official = [
        {"metric": "sourced_pipeline", "period": period.label, "team": row["team"], "value": row["amount_share"]}
        | {"unit": "rate", "n": row["deals"], "reason": NO_PIPELINE}
        for row in sourced.official.to_dict("records")
    ]
    claimed = [
        {"metric": "claimed_pipeline", "period": period.label, "by": row["by"], "of": row["of"]}
        | {"value": row["amount_share"], "unit": "rate", "n": row["deals"], "reason": NO_PIPELINE}
        for row in sourced.claims.to_dict("records")
    ]
    return tuple(_told(rows) for rows in (official, claimed) if rows)


def _team_share(made: Journeys, compared: Robustness, year: Period) -> dict[str, object]:
    """Marketing's share of the bookings of the year under the official model, with its interval over accounts."""
    row: dict[str, object] = {
        "metric": "marketing_credit",
        "period": year.label,
        "unit": "rate",
        "n": compared.accounts,
    }
    if compared.reason:
        return {**row, "value": None, "reason": compared.reason}
    teams = made.snapshot.definitions.channel_teams
    mine = compared.shares[compared.shares["model"] == compared.official]
    inside = np.array([teams.get(str(name)) == MARKETING for name in mine["channel"]])
    drawn = compared.drawn[compared.official]
    whole = drawn.sum(axis=1)
    shares = drawn[:, inside].sum(axis=1)[whole > 0] / whole[whole > 0]
    low, high = np.quantile(shares, [0.025, 0.975])
    return {**row, "value": float(mine["share"][inside].sum()), "low": float(low), "high": float(high)}


def _programme_return(spend: SpendReturns, year: Period) -> dict[str, object]:
    known = spend.channels[spend.channels["spend"].notna() & spend.channels["channel"].notna()]
    row: dict[str, object] = {"metric": "return_on_programme_spend", "period": year.label, "unit": "ratio"}
    cost = float(known["spend"].astype(float).sum()) if len(known) else 0.0
    if not cost:
        return {**row, "value": None, "reason": "no programme spend is recorded for the year"}
    return {**row, "value": float(known["bookings"].astype(float).sum()) / cost, "n": len(known)}


def _figures(compared: Robustness, returns: pd.DataFrame, year: Period) -> tuple[pd.DataFrame, ...]:
    """Further key figures: the official share of every channel, and its return."""
    shares = [
        {"metric": "credited_share", "period": year.label, "channel": row["channel"], "value": row["official"]}
        | {"unit": "rate", "low": row["low"], "high": row["high"], "n": compared.accounts}
        for row in compared.spread.to_dict("records")
    ]
    paid = [
        {"metric": "return_on_spend", "period": year.label, "channel": row["channel"], "value": row["official"]}
        | {"unit": "ratio", "low": row["low"], "high": row["high"], "n": compared.accounts}
        for row in returns.to_dict("records")
    ]
    return tuple(_told(rows) for rows in (shares, paid) if rows)


def _told(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows of key figures; a reason stands only beside a missing value."""
    frame = pd.DataFrame(rows)
    names = [name for name in frame.columns if name not in _SHAPE]
    frame = frame.reindex(columns=[*_SHAPE[:2], *names, *_SHAPE[2:]])
    frame = frame.astype({**dict.fromkeys(("value", "low", "high"), "float64"), "n": "Int64"})
    reason = frame["reason"].astype(object).where(frame["value"].isna() & frame["reason"].notna(), None)
    return frame.assign(reason=reason)
