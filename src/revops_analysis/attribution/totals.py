"""Credit added up: by channel, campaign, team, source, segment, owner team or quarter, in one of two views.

- cohort view: deals by the day they were created; `pipeline` is all that was created, `bookings` what of it is won;
- period view: deals by the day they closed (won deals: by booking day); `bookings` are those of the period.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import ibis
import ibis.expr.types as ir
import pandas as pd

from revops_analysis.attribution.journeys import with_campaigns, with_channels
from revops_analysis.attribution.rules import Window
from revops_analysis.metrics.deals import missing, quarter_label, within
from revops_analysis.metrics.where import Where, check_names
from revops_analysis.periods import Period

if TYPE_CHECKING:
    from revops_analysis.attribution.journeys import Journeys
    from revops_analysis.attribution.touches import Names

View = Literal["cohort", "period"]

TOUCH_DIMENSIONS = {"channel": "channel", "campaign": "campaign_id", "team": "team"}
DEAL_DIMENSIONS = ("segment", "type", "product", "source", "owner_team", "owner_id", "account_id", "status", "quarter")
DIMENSIONS = (*TOUCH_DIMENSIONS, *DEAL_DIMENSIONS)
"""What credit can be cut by. `team` runs the channel, `owner_team` is the deal owner's; `source` is the CRM's field;
`quarter` is that of creation in the cohort view and of closing in the period view."""

MEASURES = ("deals", "won_deals", "pipeline", "bookings")
UNITS = {"deals": "count", "won_deals": "count", "pipeline": "currency", "bookings": "currency"}
_NUMBERED = {"channel_number": ("channel", "team"), "campaign_number": ("campaign",)}
"""What the numbers that touches carry stand for."""

_UNIT = 2**38
"""Shares of deals are added up as whole numbers of this unit, so that the order does not matter."""


@dataclass(frozen=True)
class Cut:
    """By what to add up, in which view, and over which deals: those of a period, and those that a filter lets pass."""

    by: tuple[str, ...] = ("channel",)
    view: View = "cohort"
    period: Period | None = None
    where: Where = field(default_factory=Where)


def totals(journeys: Journeys, wide: ir.Table, windows: Mapping[str, Window], cut: Cut) -> pd.DataFrame:
    """Add up the credit of one or more models.

    `wide` has `credit.KEYS` and `<model>_share`, `<model>_cents` for each model of `windows`.

    Returns a frame with the columns model, view, attributed, the dimensions of the cut, and
    - deals, won_deals: Σ share of deals, and of those won (a deal of two channels is part of each);
    - pipeline, bookings: Σ credited amount (Decimal, reporting currency) of all deals, and of booked ones; pipeline is
      missing in the period view, because pipeline belongs to the day of creation;
    - touches: how many were credited; unpriced: Σ share of deals that have no amount, whose money nobody knows.

    Rows with attributed False are deals without any touch in the model's window: they have no channel, campaign or
    team, and together with the attributed ones they add up to all deals exactly. Raises ConfigurationError for a
    dimension or a column of the filter that is not known.
    """
    check_names(cut.by, DIMENSIONS, "dimension", "by of attribution")
    deals = _deals(journeys, cut)
    rows = _filtered(_credited(wide, deals, journeys.names, windows, cut), cut)
    found = [_added(rows, cut, {name: (f"{name}_share", f"{name}_cents") for name in windows}, journeys.names)]
    for window in sorted(set(windows.values())):
        count = deals.sourced_touches if window == "sourced" else deals.touches
        alone = _filtered(_alone(deals.filter(count == 0)), cut)
        names = {name: ("one", "cents") for name, used in windows.items() if used == window}
        found.append(_added(alone, cut, names))
    frame = pd.concat([each for each in found if len(each)] or found[:1], ignore_index=True)
    order = {name: place for place, name in enumerate(windows)}
    frame = frame.sort_values(
        ["model", "attributed", *cut.by],
        key=lambda column: column.map(order) if column.name == "model" else column,
        kind="stable",
        ascending=[True, False, *[True] * len(cut.by)],
    )
    return frame.reset_index(drop=True)


def _deals(journeys: Journeys, cut: Cut) -> ir.Table:
    """The deals of the cut, with what can be cut by and whether they are booked."""
    snapshot, deals = journeys.snapshot, journeys.counted
    snapshot.use_columns([name for name in (*cut.by, *cut.where.columns) if name in DEAL_DIMENSIONS])
    day = deals.created_on if cut.view == "cohort" else deals.closed_on
    is_booked = (deals.status == "won") & ~missing(deals.booked_on)
    kept = deals.mutate(
        quarter=quarter_label(snapshot, deals, day) if _asks(cut, "quarter") else ibis.null("string"),
        is_booked=is_booked,
        is_priced=~missing(deals.cents),
    )
    chosen = kept.filter(within(day, cut.period)) if cut.period else kept
    if cut.view == "period":
        chosen = chosen.filter(~missing(chosen.closed_on))
    return chosen


def _asks(cut: Cut, name: str) -> bool:
    return name in cut.by or name in cut.where.columns


def _credited(wide: ir.Table, deals: ir.Table, names: Names, windows: Mapping[str, Window], cut: Cut) -> ir.Table:
    """The credit of the deals of the cut, with the dimensions that it asks for."""
    asked = [name for name in DEAL_DIMENSIONS if _asks(cut, name)]
    side = deals.select("is_booked", "is_priced", of_deal="deal_number", **{f"deal_{name}": name for name in asked})
    # A name is a join of all touches, so only what is filtered by is named here, the rest once it is added up.
    known = with_channels(wide, names) if {"channel", "team"} & {*cut.where.columns} else wide
    known = with_campaigns(known, names) if "campaign" in cut.where.columns else known
    joined = known.inner_join(side, known.deal_number == side.of_deal)
    values = {name: joined[name] for model in windows for name in (f"{model}_share", f"{model}_cents")}
    touch = {name: joined[column] for name, column in TOUCH_DIMENSIONS.items() if column in joined.columns}
    dims = {name: joined[f"deal_{name}"] for name in asked}
    numbers = [name for name, named in _NUMBERED.items() if {*named} & {*cut.by} - {*touch}]
    return joined.select("is_booked", "is_priced", *numbers, **touch, **dims, **values)


def _alone(deals: ir.Table) -> ir.Table:
    """Deals without touches, as rows that look like those of credit."""
    touch = {name: ibis.null("string") for name in TOUCH_DIMENSIONS}
    return deals.select(*DEAL_DIMENSIONS, "is_booked", "is_priced", "cents", **touch, one=ibis.literal(1.0))


def _filtered(rows: ir.Table, cut: Cut) -> ir.Table:
    check_names(cut.where.columns, DIMENSIONS, "column in a filter", "filter on attribution")
    conditions = [item.predicate(rows[item.column]) for item in cut.where.conditions]
    return rows.filter(conditions) if conditions else rows


def _added(
    rows: ir.Table, cut: Cut, columns: Mapping[str, tuple[str, str]], numbered: Names | None = None
) -> pd.DataFrame:
    """Aggregate in the engine, a row a combination of the cut, booked or not, priced or not; then a block a model.

    `numbered` says what the numbers of touches stand for; without it the rows are deals without touches.
    """
    values: dict[str, ir.Value] = {}
    for name, (share, cents) in columns.items():
        part = (rows[share] * float(_UNIT) + 0.5).floor().cast("int64")
        values[f"{name}__share"] = part.sum().cast("int64")
        values[f"{name}__cents"] = rows[cents].sum().cast("int64")
        values[f"{name}__touches"] = rows[share].count()
    keys = [name for name in (*cut.by, *_NUMBERED) if name in rows.columns]
    added = rows.group_by([*keys, "is_booked", "is_priced"]).aggregate(**values)
    if numbered and "channel_number" in keys:
        added = with_channels(added, numbered)
    if numbered and "campaign_number" in keys:
        added = with_campaigns(added, numbered).rename(campaign="campaign_id")
    found = added.to_pandas()
    blocks = [_block(found, name, cut, attributed=numbered is not None) for name in columns]
    return pd.concat([block for block in blocks if len(block)] or blocks[:1], ignore_index=True)


def _block(found: pd.DataFrame, name: str, cut: Cut, *, attributed: bool) -> pd.DataFrame:
    """The rows of one model, with the columns that `totals` documents."""
    mine = found[found[f"{name}__touches"] > 0]
    share, cents = mine[f"{name}__share"].astype("int64"), mine[f"{name}__cents"].fillna(0).astype("int64")
    booked, priced = mine["is_booked"].astype(bool), mine["is_priced"].astype(bool)
    parts = mine[list(cut.by)].assign(
        deals=share,
        won_deals=share.where(booked, 0),
        pipeline=cents,
        bookings=cents.where(booked, 0),
        touches=mine[f"{name}__touches"].astype("int64") if attributed else 0,
        unpriced=share.where(~priced, 0),
    )
    grouped = parts.groupby(list(cut.by) or (lambda _: 0), dropna=False, sort=False)
    added = grouped.sum().reset_index(drop=not cut.by)
    for key in cut.by:
        added[key] = added[key].astype(object).where(added[key].notna(), None)
    counts = {key: (added[key] / _UNIT).round(6).astype("float64") for key in ("deals", "won_deals", "unpriced")}
    amounts = {key: [Decimal(int(value)).scaleb(-2) for value in added[key]] for key in ("pipeline", "bookings")}
    if cut.view == "period":
        amounts["pipeline"] = [None] * len(added)  # type: ignore[list-item]
    named = added.assign(model=name, view=cut.view, attributed=attributed, **counts)
    named = named.assign(**{key: pd.Series(value, index=added.index, dtype=object) for key, value in amounts.items()})
    return named[["model", "view", "attributed", *cut.by, *MEASURES, "touches", "unpriced"]]


def as_figures(frame: pd.DataFrame, dimensions: Sequence[str]) -> pd.DataFrame:
    """Return totals as one figure a row, in the columns that metrics have.

    `frame` has the columns of `totals` and may have others, such as period; `dimensions` are those that tell its rows
    apart (attributed: yes or no). Columns: metric (credited_deals, credited_won_deals, credited_pipeline,
    credited_bookings), the dimensions, value, unit, low and high (always missing here), n (touches credited; 0 for what
    is not attributed) and reason. Pipeline has no rows in the period view.
    """
    parts = []
    said = frame.assign(attributed=frame["attributed"].map({True: "yes", False: "no"}))
    for measure in MEASURES:
        rows = said[said[measure].notna()]
        part = rows[list(dimensions)].assign(
            metric=f"credited_{measure}", value=rows[measure], unit=UNITS[measure], low=None, high=None
        )
        parts.append(part.assign(n=rows["touches"], reason=None))
    joined = pd.concat(parts, ignore_index=True)
    return joined[["metric", *dimensions, "value", "unit", "low", "high", "n", "reason"]]
