"""What sellers and managers say they will book, how far they were off in the past, and the call that results.

A submission is a commit for the period as a whole, what is booked already included. Three bases: sellers' own calls;
the same with managers' overrides, where one is later than the seller's call; and managers' calls for their teams.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from revops_analysis.models.forecast_groups import booked_deals
from revops_analysis.statistics.intervals import normal_quantile
from revops_analysis.statistics.shrinkage import shrink_normal

if TYPE_CHECKING:
    from revops_analysis.models.cutoffs import Cutoff
    from revops_analysis.models.evidence import Evidence
    from revops_analysis.models.forecast import BookingsForecast
    from revops_analysis.tables.snapshot import Snapshot

BASES: dict[str, str] = {
    "own": "Sellers' calls",
    "overridden": "Sellers' calls with managers' overrides",
    "managers": "Managers' calls for their teams",
}
"""Basis → what readers see. The second is the official one."""

SUBMITTERS = (
    *("basis", "user_id", "name", "call", "booked", "n", "raw", "ratio", "low", "high", "weight", "corrected"),
    "reason",
)
ROLLUP = ("basis", "title", "submitted", "booked_by_others", "call", "corrected", "n", "reason")

TOO_FEW = "past calls and outcomes of at least two periods are needed to measure a bias"
_SMALLEST = 1e-6  # variance of a log ratio: calls that were always right still leave some doubt


@dataclass(frozen=True, eq=False)
class SellerCalls:
    """The latest calls for the forecast's period; reporting currency.

    `submitters`: a row a basis and submitter, in that order: basis, user_id, name, call (latest), booked (so far, or
    won to be booked, by what they own), n (past periods with a call at the same week), raw (Σ past calls ÷ Σ outcomes),
    ratio (the same, shrunk towards all submitters'; above 1 is too high), its 95% interval low and high, weight (of
    their own record), corrected (call ÷ ratio, never below booked) and reason. A manager owns what the people below
    own, as known today.

    `rollup`: a row each of `BASES`: submitted (Σ calls), booked_by_others (by owners without a call), call (their sum),
    corrected (the same with corrected calls) and n (submitters). `reason` says why there are no calls at all.
    """

    submitters: pd.DataFrame
    rollup: pd.DataFrame
    reason: str | None = None

    @property
    def call(self) -> float | None:
        """The official call: sellers' latest with overrides; null without one."""
        return self._official("call")

    @property
    def corrected(self) -> float | None:
        """The official call with every submitter's bias taken out; null where none can be measured."""
        return self._official("corrected")

    def _official(self, name: str) -> float | None:
        found = self.rollup.loc[self.rollup["basis"] == "overridden", name]
        return None if found.empty or pd.isna(found.iloc[0]) else float(found.iloc[0])


def seller_calls(snapshot: Snapshot, forecast: BookingsForecast) -> SellerCalls:
    """Roll up the calls for the forecast's period, measure each submitter's bias, and correct each call by it.

    Past calls are those of past periods at the same day of the period; what later became of them is what the submitter
    owned at booking. Periods in which a submitter made no call do not count.
    """
    cutoff = forecast.cutoff
    if not snapshot.has("forecast_submissions"):
        return _none("The source has no forecast_submissions table, so no calls of sellers can be shown.")
    made = _commits(forecast.evidence, snapshot.definitions.categories_of("commit"), cutoff)
    if not (made["period"] == cutoff.period.label).any():
        return _none(f"Nobody has submitted a commit for {cutoff.period.label} by {cutoff.day.isoformat()}.")
    below = _people_below(snapshot)
    booked = _booked_by_owner(snapshot, cutoff)
    outcomes = forecast.evidence.wins.groupby(["period", "owner_id"])["amount"].sum().reset_index()
    parts = [_basis(name, made, (outcomes, booked), below, cutoff.period.label) for name in BASES]
    submitters = _with_names(snapshot, pd.concat([part for part in parts if len(part)], ignore_index=True))
    return SellerCalls(submitters[list(SUBMITTERS)], _rollup(submitters, booked, below))


def _none(reason: str) -> SellerCalls:
    return SellerCalls(pd.DataFrame(columns=list(SUBMITTERS)), pd.DataFrame(columns=list(ROLLUP)), reason)


def _commits(evidence: Evidence, commit: tuple[str, ...], cutoff: Cutoff) -> pd.DataFrame:
    """Commits for each period, past ones as of the same day of the period: period, kind, user_id, category, amount.

    In the order of submission. `kind` is own, override (`user_id` is then the seller's) or team.
    """
    periods = evidence.past.drop_duplicates("period")[["period", "first_day", "last_day"]]
    day = periods["first_day"] + pd.Timedelta(days=cutoff.offset)
    periods = periods.assign(day=day.where(day < periods["last_day"], periods["last_day"])).drop(columns="last_day")
    now = {
        "period": cutoff.period.label,
        "first_day": pd.Timestamp(cutoff.period.start),
        "day": pd.Timestamp(cutoff.day),
    }
    asked = pd.concat([periods, pd.DataFrame([now])], ignore_index=True).astype({"first_day": "datetime64[ms]"})
    said = evidence.submissions
    said = said[said["category"].isin(commit)].assign(order=lambda frame: np.arange(len(frame)))
    both = said.merge(asked, left_on="period_start", right_on="first_day").sort_values("order", kind="stable")
    known = both[both["submitted_on"] <= both["day"]]
    is_override = known["override_of"].notna()
    kind = np.select([is_override, known["scope"] == "own"], ["override", "own"], "team")
    subject = known["override_of"].where(is_override, known["user_id"])
    return known.assign(kind=kind, user_id=subject)[["period", "kind", "user_id", "category", "amount"]]


_KINDS = {"own": ("own",), "overridden": ("own", "override"), "managers": ("team",)}


def _basis(
    name: str,
    made: pd.DataFrame,
    facts: tuple[pd.DataFrame, pd.DataFrame],
    below: pd.DataFrame,
    period: str,
) -> pd.DataFrame:
    """A row a submitter with a call for the period: call, past bias and the corrected call."""
    outcomes, booked = facts
    chosen = made[made["kind"].isin(_KINDS[name])]
    latest = chosen.groupby(["period", "user_id", "category"], sort=True)["amount"].last()
    calls = latest.groupby(level=["period", "user_id"]).sum().rename("call").reset_index()
    if name == "managers":
        outcomes, booked = _of_teams(outcomes, below, ["period"]), _of_teams(booked, below, [])
    past = calls[calls["period"] != period].merge(
        outcomes.rename(columns={"owner_id": "user_id", "amount": "outcome"}), on=["period", "user_id"], how="left"
    )
    now = calls[calls["period"] == period].drop(columns="period")
    frame = now.merge(_biases(past.fillna({"outcome": 0.0}), now["user_id"]), on="user_id", how="left")
    own = frame["user_id"].map(booked.set_index("owner_id")["amount"]).fillna(0.0).astype("float64")
    corrected = (frame["call"] / frame["ratio"]).clip(lower=own)
    return frame.assign(basis=name, booked=own, corrected=corrected)


def _biases(past: pd.DataFrame, submitters: pd.Series) -> pd.DataFrame:
    """[user_id, n, raw, ratio, low, high, weight, reason] of each submitter, from calls and outcomes of past periods.

    The log of Σ calls ÷ Σ outcomes is shrunk as a normal mean; its variance is s² ÷ n, with s the spread of single
    periods around it, common to all. The interval includes the doubt about what is common.
    """
    past = past.assign(n=1)
    sums = past.groupby("user_id", sort=True)[["call", "outcome", "n"]].sum()
    usable = (sums["call"] > 0) & (sums["outcome"] > 0)
    raw = (sums["call"] / sums["outcome"]).where(usable)
    rows = past.join(sums.assign(raw=raw)[["raw", "call", "n"]], on="user_id", rsuffix="_all").dropna(subset=["raw"])
    miss = (rows["call"] - rows["raw"] * rows["outcome"]) / (rows["call_all"] / rows["n_all"])
    spare = int((sums["n"][usable] - 1).sum())
    frame = sums[["n"]].assign(raw=raw).reindex(submitters)
    frame["n"] = frame["n"].fillna(0).astype("int64")
    if spare < 1:
        return frame.assign(ratio=np.nan, low=np.nan, high=np.nan, weight=np.nan, reason=TOO_FEW).reset_index()
    variance = max(float((miss**2).sum()) / spare, _SMALLEST)
    # Everybody's record tells what is common, not only that of those who speak now.
    known = frame.reindex(frame.index.union(sums.index)).assign(
        n=lambda table: sums["n"].reindex(table.index).fillna(0), raw=lambda table: raw.reindex(table.index)
    )
    logs = np.log(known["raw"].to_numpy(dtype="float64"))
    variances = variance / np.maximum(known["n"].to_numpy(dtype="float64"), 1.0)
    return frame.join(_shrunk(logs, variances, known.index)).reset_index().assign(reason=None)


def _shrunk(logs: np.ndarray, variances: np.ndarray, index: pd.Index) -> pd.DataFrame:
    """[ratio, low, high, weight] by submitter."""
    found = shrink_normal(logs, variances)
    between = float(found.variance or 0.0)
    weight = found.frame["weight"].to_numpy()
    doubt = 1.0 / float((1.0 / (variances + between))[~np.isnan(logs)].sum())
    spread = normal_quantile(0.95) * np.sqrt(between * (1 - weight) + (1 - weight) ** 2 * doubt)
    centre = found.frame["shrunk"].to_numpy()
    columns = {"ratio": np.exp(centre), "low": np.exp(centre - spread), "high": np.exp(centre + spread)}
    return pd.DataFrame({**columns, "weight": weight}, index=index)


def _people_below(snapshot: Snapshot) -> pd.DataFrame:
    """[manager_id, owner_id]: everybody below each manager, at any depth, and the manager; as known today."""
    if not snapshot.has("users"):
        return pd.DataFrame({"manager_id": [], "owner_id": []}, dtype="object")
    snapshot.use_columns(["users.manager_id"])
    users = snapshot.table("users").select("user_id", "manager_id").to_pandas()
    direct = users.dropna(subset=["manager_id"]).rename(columns={"user_id": "owner_id"})
    whole = pd.DataFrame({"manager_id": users["user_id"], "owner_id": users["user_id"]})
    step = direct
    while len(step):  # a level a turn; a circle ends it too, because only new pairs go on
        fresh = step.merge(whole, on=["manager_id", "owner_id"], how="left", indicator=True)
        step = fresh[fresh["_merge"] == "left_only"][["manager_id", "owner_id"]]
        whole = pd.concat([whole, step], ignore_index=True)
        up = step.merge(direct.rename(columns={"owner_id": "manager_id", "manager_id": "above"}), on="manager_id")
        step = up[["above", "owner_id"]].rename(columns={"above": "manager_id"}).drop_duplicates()
    return whole


def _of_teams(amounts: pd.DataFrame, below: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Amounts of owners added up by everybody above them, under the name of `owner_id`."""
    joined = amounts.merge(below, on="owner_id").drop(columns="owner_id").rename(columns={"manager_id": "owner_id"})
    return joined.groupby([*keys, "owner_id"])["amount"].sum().reset_index()


def _booked_by_owner(snapshot: Snapshot, cutoff: Cutoff) -> pd.DataFrame:
    """[owner_id, amount]: booked so far, or won to be booked in the period."""
    owners = snapshot.deals.select("opportunity_id", "owner_id").to_pandas()
    owned = booked_deals(snapshot, cutoff).merge(owners, on="opportunity_id", how="left").fillna({"owner_id": ""})
    return owned.groupby("owner_id")["amount"].sum().reset_index()


def _with_names(snapshot: Snapshot, submitters: pd.DataFrame) -> pd.DataFrame:
    if not snapshot.has("users"):
        return submitters.assign(name=None)
    users = snapshot.table("users").select("user_id", "name").to_pandas()
    return submitters.merge(users, on="user_id", how="left")


def _rollup(submitters: pd.DataFrame, booked: pd.DataFrame, below: pd.DataFrame) -> pd.DataFrame:
    """The calls added up; of managers one above the other only the uppermost counts."""
    rows = []
    for name, title in BASES.items():
        mine = submitters[submitters["basis"] == name]
        covered = set(mine["user_id"])
        if name == "managers":
            inside = below[below["manager_id"].isin(covered) & (below["manager_id"] != below["owner_id"])]
            mine = mine[~mine["user_id"].isin(inside["owner_id"])]
            covered |= set(inside["owner_id"])
        others = float(booked.loc[~booked["owner_id"].isin(covered), "amount"].sum())
        submitted = float(mine["call"].sum()) if len(mine) else np.nan
        corrected = float(mine["corrected"].sum(skipna=False)) if len(mine) else np.nan
        reason = TOO_FEW if len(mine) else "nobody submitted one"
        rows.append(
            {"basis": name, "title": title, "submitted": submitted, "booked_by_others": others}
            | {"call": submitted + others, "corrected": corrected + others, "n": len(mine)}
            | {"reason": None if np.isfinite(corrected) else reason}
        )
    return pd.DataFrame(rows, columns=list(ROLLUP))
