"""Metrics of the registry on whose pipeline it is: the share that teams sourced, and the share that they touched.

- sourced: one team a deal by `sourced_rule`; teams and the unattributed (team null) add up to 1, in every cut;
- influenced: deals with an eligible touch of the team; one deal counts for several teams: this does not add up.

`by=["team"]` and a filter on `team` choose what is counted; every other dimension chooses the deals of which it is a
share. Without a team in the question, it is the share of any team.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pandas as pd

from revops_analysis.attribution.journeys import journeys
from revops_analysis.attribution.sourcing import TEAMS, check_claims, sourced_deals, touched_columns
from revops_analysis.metrics.deals import ratio_by, share
from revops_analysis.metrics.registry import Metric, MetricRequest, nothing, register
from revops_analysis.metrics.where import check_names

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

FAMILY = "Attribution"
NO_DEALS = "no deal was created in the period"
NO_MONEY = "no deal with an amount was created in the period"
_DEAL_DIMENSIONS = ("segment", "type", "product", "source", "owner_team", "owner_id", "account_id", "status")
_DIMENSIONS = {name: name for name in ("team", *_DEAL_DIMENSIONS)}


@dataclass(frozen=True)
class _Kind:
    """Which share: of the official team or of touches, and of deals or of their money."""

    influenced: bool
    of_money: bool


def _shares(kind: _Kind, request: MetricRequest) -> pd.DataFrame:
    check_names(request.where.columns, _DIMENSIONS, "column in a filter", f"filter on metric {request.metric.name}")
    reason = _cannot_tell(kind, request.snapshot)
    if reason:
        return nothing(request, reason)
    teams = _teams_asked(request)
    keys = [name for name in request.by if name != "team"]
    deals = _deals(request)
    if kind.of_money:
        deals = deals[deals["cents"].notna()]
    if deals.empty:
        return nothing(request, NO_MONEY if kind.of_money else NO_DEALS)
    if "team" not in request.by:
        return _share(deals.assign(counted=_counted(deals, kind, _known(teams, request))), keys, kind)
    found = [
        _share(deals.assign(counted=_counted(deals, kind, [team])), keys, kind).assign(team=team) for team in teams
    ]
    told = pd.concat([frame for team, frame in zip(teams, found, strict=True) if _occurs(deals, kind, team)] or found)
    return told.reset_index(drop=True)


def _cannot_tell(kind: _Kind, snapshot: Snapshot) -> str | None:
    """Why shares cannot be known: without any touch nobody has touched, which is not the same as 0."""
    definitions = snapshot.definitions
    if not kind.influenced and definitions.attribution.sourced_rule == "crm_field":
        return None
    mapped = bool(definitions.attribution.activity_channels) and snapshot.has("activities")
    return None if snapshot.has("touchpoints") or mapped else "the source has no touchpoints table"


def _teams_asked(request: MetricRequest) -> list[str | None]:
    """The teams that the filter lets pass, of all that there are; null is the unattributed."""
    conditions = [item for item in request.where.conditions if item.column == "team"]
    table = ibis.memtable(pd.DataFrame({"team": pd.Series([*TEAMS, None], dtype="string")}))
    for item in conditions:
        table = table.filter(item.predicate(table.team))
    passed = {None if pd.isna(name) else str(name) for name in table.to_pandas()["team"]}
    return [team for team in (*TEAMS, None) if team in passed]


def _known(teams: Sequence[str | None], request: MetricRequest) -> list[str | None]:
    """Without a word about teams, the share of any team: the unattributed are nobody's."""
    asked = any(item.column == "team" for item in request.where.conditions)
    return list(teams) if asked else [team for team in teams if team is not None]


def _deals(request: MetricRequest) -> pd.DataFrame:
    """The deals created in the period that the filter's other conditions let pass."""
    made = journeys(request.snapshot)
    check_claims(made, request.snapshot.definitions)
    table = sourced_deals(made, request.period)
    request.snapshot.use_columns(["source"])
    names = [name for name in (*request.by, *request.where.columns) if name in _DEAL_DIMENSIONS]
    request.snapshot.use_columns(names)
    for item in request.where.conditions:
        if item.column != "team":
            table = table.filter(item.predicate(table[item.column]))
    columns = dict.fromkeys(["opportunity_id", "cents", "team", *touched_columns(), *names])
    return table.select(*columns).order_by("opportunity_id").to_pandas()


def _counted(deals: pd.DataFrame, kind: _Kind, teams: Sequence[str | None]) -> np.ndarray:
    """Whether each deal is that of one of the teams."""
    if not kind.influenced:
        official = deals["team"].astype(object).where(deals["team"].notna(), None)
        return np.asarray(official.isin([team for team in teams if team]) | (official.isna() & (None in teams)))
    touched = deals[touched_columns()].to_numpy(dtype=bool)
    mine = touched[:, [place for place, team in enumerate(TEAMS) if team in teams]].any(axis=1)
    nobody = ~touched.any(axis=1) & (None in teams)
    return np.asarray(mine | nobody)


def _occurs(deals: pd.DataFrame, kind: _Kind, team: str | None) -> bool:
    """Whether a team has a row: one that had no deal at all in the period is not told of; the unattributed always are,
    where teams add up."""
    return bool(_counted(deals, kind, [team]).any()) or (team is None and not kind.influenced)


def _share(deals: pd.DataFrame, keys: list[str], kind: _Kind) -> pd.DataFrame:
    """Counted ÷ all for each combination of keys: of money with a bootstrap interval, of deals with Wilson's."""
    if kind.of_money:
        cents = deals["cents"].astype("float64")
        found = ratio_by(deals.assign(all=cents, mine=cents.where(deals["counted"], 0.0)), keys, "mine", "all")
        return found.assign(reason=found["reason"].replace("the denominator is zero", "their amounts add up to 0"))
    sides = deals.assign(all=1, mine=deals["counted"].astype("int64"))
    if keys:
        counts = sides.groupby(keys, dropna=False, sort=True)[["mine", "all"]].sum().reset_index()
    else:
        counts = sides[["mine", "all"]].sum().to_frame().T
    return share(counts, "mine", "all")[[*keys, "value", "low", "high", "n", "reason"]]


def _add(name: str, title: str, kind: _Kind, description: str, formula: str) -> None:
    register(
        Metric(
            name=name,
            title=title,
            description=description,
            formula=formula,
            unit="rate",
            grain="deal",
            family=FAMILY,
            compute=partial(_shares, kind),
            dimensions=_DIMENSIONS,
        )
    )


_MEANT = "by team, or of any team. Deals by the day they were created; a filter on team does not change of what it is."
_add(
    "sourced_share",
    "Sourced share of pipeline",
    _Kind(influenced=False, of_money=True),
    f"Share of the pipeline created in the period that a team sourced by the official rule (sourced_rule), {_MEANT} "
    "Deals without amount are left out; teams and the unattributed (no team) add up to 1.",
    "Σ amount of deals that the team sourced ÷ Σ amount of deals created in P",
)
_add(
    "sourced_deals_share",
    "Sourced share of deals",
    _Kind(influenced=False, of_money=False),
    f"Share of the deals created in the period that a team sourced by the official rule (sourced_rule), {_MEANT} "
    "Teams and the unattributed (no team) add up to 1.",
    "deals that the team sourced ÷ deals created in P",
)
_add(
    "influenced_share",
    "Influenced share of deals",
    _Kind(influenced=True, of_money=False),
    f"Share of the deals created in the period with an eligible touch of the team, {_MEANT} "
    "One deal counts for several teams: shares do not add up.",
    "deals with ≥ 1 eligible touch of the team ÷ deals created in P",
)
_add(
    "influenced_pipeline_share",
    "Influenced share of pipeline",
    _Kind(influenced=True, of_money=True),
    f"Share of the pipeline created in the period in deals with an eligible touch of the team, {_MEANT} "
    "One deal counts for several teams: shares do not add up. Deals without amount are left out.",
    "Σ amount of deals with ≥ 1 eligible touch of the team ÷ Σ amount of deals created in P",
)
