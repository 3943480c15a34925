"""The forecast by segment, type, region, team and owner: means that add up, quantiles from the same draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.models.forecaster import QUANTILE_NAMES, quantiles_of

if TYPE_CHECKING:
    from revops_analysis.models.bookings_model import Expectation
    from revops_analysis.models.cutoffs import Cutoff
    from revops_analysis.tables.snapshot import Snapshot

Floats = npt.NDArray[np.float64]

CUTS: dict[str, str] = {
    "segment": "segment",
    "type": "type",
    "region": "owner_region",
    "team": "owner_team",
    "owner": "owner_name",
}
"""Cut → the column of `Snapshot.deals` that it groups by; owner, team and region as known today."""

NOT_CREATED, OTHER, UNKNOWN = "Deals not yet created", "Reopened and restated deals", "Not recorded"
"""Groups of what belongs to nobody yet, to no single deal, and to deals without the attribute."""


@dataclass(frozen=True)
class Adjustment:
    """How the chosen forecast departs from the deal model's own: what is not certain is multiplied by `factor`, and
    draws are moved and stretched around their mean by `stretch`."""

    factor: float
    stretch: float

    def draws(self, drawn: Floats, model_mean: float, certain: float) -> Floats:
        """Draws of a sum with this certain part, adjusted; none is below what is certain."""
        mean = certain + self.factor * (model_mean - certain)
        return np.maximum(mean + self.stretch * (drawn - model_mean), certain)


def deal_facts(snapshot: Snapshot) -> pd.DataFrame:
    """What readers see of each deal: opportunity_id, name, account_name, next_step and a column for each cut."""
    deals = snapshot.deals
    columns = {cut: deals[column] for cut, column in CUTS.items()}
    snapshot.use_columns(["segment", "owner_region", "owner_team", "owner_name", "name", "account_name"])
    shown = deals.select("opportunity_id", "name", "account_name", "next_step", **columns)
    return shown.order_by("opportunity_id").to_pandas()


def booked_deals(snapshot: Snapshot, cutoff: Cutoff) -> pd.DataFrame:
    """Headline deals won at the cutoff and booked in its period, or to be booked later in it: key and amount."""
    deals = snapshot.deals
    won = deals.filter((deals.status == "won") & deals.is_headline)
    day = won.booked_on.fill_null(won.close_date)
    inside = won.filter(day.between(cutoff.period.start, cutoff.period.end))
    rows = inside.select("opportunity_id", amount=inside.amount.cast("float64")).order_by("opportunity_id")
    return rows.to_pandas().fillna({"amount": 0.0})


@dataclass(frozen=True, eq=False)
class GroupDraws:
    """[draw × deal group], [draw × later group] and [draw], with what the groups are."""

    keys: pd.DataFrame
    open: Floats
    later: Floats
    other: Floats


def codes_of(facts: pd.DataFrame) -> tuple[npt.NDArray[np.int64], pd.DataFrame]:
    """A code for each deal by the combination of its cuts, and the combinations in the order of their codes."""
    filled = facts[list(CUTS)].astype(object).fillna(UNKNOWN)
    grouped = filled.groupby(list(CUTS), sort=True)
    codes = grouped.ngroup().to_numpy().astype(np.int64)
    return codes, grouped.size().index.to_frame(index=False)


def group_forecasts(
    expected: Expectation, facts: pd.DataFrame, certain: pd.DataFrame, draws: GroupDraws, adjustment: Adjustment
) -> pd.DataFrame:
    """Return cut, group, booked, open_deals, mean and the quantiles, for every group of every cut.

    `facts` are the open deals' (in their order), `certain` the booked deals' with their cuts and amount. Deals not yet
    created have a segment and a type; under the other cuts they are a group of their own, as is what past periods had
    from reopened and restated deals. The means of each cut add up to the forecast.
    """
    parts = [_cut(cut, expected, facts, certain, draws, adjustment) for cut in CUTS]
    return pd.concat(parts, ignore_index=True)


def _cut(
    cut: str,
    expected: Expectation,
    facts: pd.DataFrame,
    certain: pd.DataFrame,
    draws: GroupDraws,
    adjustment: Adjustment,
) -> pd.DataFrame:
    labels = facts[cut].astype(object).fillna(UNKNOWN)
    open_means = expected.deals["expected"].groupby(labels.to_numpy()).sum()
    counts = labels.value_counts()
    booked = certain.groupby(certain[cut].astype(object).fillna(UNKNOWN))["amount"].sum()
    later = _later_means(cut, expected)
    names = sorted({*open_means.index, *booked.index, *later})
    rows = []
    for name in [*names, OTHER]:
        is_other = name == OTHER
        sure = 0.0 if is_other else float(booked.get(name, 0.0))
        model = sure + (float(expected.other.mean()) if is_other and len(expected.other) else 0.0)
        model += float(open_means.get(name, 0.0)) + float(later.get(name, 0.0))
        drawn = draws.other if is_other else _drawn(cut, name, expected, draws)
        adjusted = adjustment.draws(sure + drawn, model, sure)
        rows.append(
            {"cut": cut, "group": name, "booked": sure, "open_deals": int(counts.get(name, 0))}
            | {"mean": sure + adjustment.factor * (model - sure)}
            | dict(zip(QUANTILE_NAMES, quantiles_of(adjusted), strict=True))
        )
    frame = pd.DataFrame(rows)
    return frame[(frame["mean"] != 0) | (frame["open_deals"] > 0)]


def _later_means(cut: str, expected: Expectation) -> Mapping[str, float]:
    groups = expected.later.groups
    if groups.empty:
        return {}
    if cut not in groups.columns:
        return {NOT_CREATED: float(groups["bookings"].sum())}
    sums = groups.groupby(groups[cut].replace("", UNKNOWN))["bookings"].sum()
    return {str(name): float(value) for name, value in sums.items()}


def _drawn(cut: str, name: str, expected: Expectation, draws: GroupDraws) -> Floats:
    """[draw]: what the group's open deals and its deals not yet created bring."""
    members = (draws.keys[cut] == name).to_numpy()
    total = draws.open[:, members].sum(axis=1) if members.any() else np.zeros(len(draws.other))
    groups = expected.later.groups
    if cut in groups.columns:
        return total + draws.later[:, (groups[cut].replace("", UNKNOWN) == name).to_numpy()].sum(axis=1)
    return total + draws.later.sum(axis=1) if name == NOT_CREATED else total
