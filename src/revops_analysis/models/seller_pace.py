"""How fast each seller's deals advance, and are lost, against peers' in the same stage, segment and type.

Deals still in a stage count for as long as they were watched: observed advances are set against those that the seller's
own deal-days would have seen at everybody's pace (a stratified log-rank comparison), so a deal that merely sits there
tells against its seller, as it should. Deals that a seller got while still ramping are left out and counted.
Source: Peto & Peto, J. R. Statist. Soc. A 135 (1972) 185–207; the ratio as in Berry, Kitchin & Mock (1991).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm

from revops_analysis.metrics.deals import headline, within
from revops_analysis.metrics.sellers import sellers
from revops_analysis.metrics.stages import stage_visits
from revops_analysis.periods import DAYS_A_MONTH
from revops_analysis.statistics.false_discovery import benjamini_hochberg
from revops_analysis.statistics.intervals import normal_quantile
from revops_analysis.statistics.shrinkage import shrink_normal

if TYPE_CHECKING:
    from revops_analysis.periods import Period
    from revops_analysis.tables.snapshot import Snapshot

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Triple = tuple[Ints, Ints, Ints]

ALL_STAGES = "all stages"
ADVANCED, LOST = "advanced", "lost"
MINIMUM_EXPECTED = 5.0
"""Fewer expected events than this, and the normal approximation of the test does not hold: not compared."""

PACE = (
    *("owner_id", "owner", "team", "stage", "event", "deals", "observed", "expected", "pace", "low", "high"),
    *("shrunk", "p_value", "p_lower", "p_seller", "p_adjusted", "money"),
)


@dataclass(frozen=True, eq=False)
class SellerPace:
    """Each seller's pace against peers'.

    `frame`: a row a seller, stage (and all stages together) and event (advanced, lost), where enough was expected:
    deals (visits to the stage), observed and expected events (at the pace of the others in the same stage, segment and
    type), pace (their ratio: 1 is the peers'), its 95% interval low and high, shrunk (towards all sellers' paces),
    p_value (two-sided), p_lower (of a slower pace), p_seller (of the seller as a whole), p_adjusted (over all sellers
    and rows) and is_departure (at most the accepted rate), and money: expected bookings that the
    missing advances were worth (negative where there are more than expected; null for losses).

    `visits`: visits compared; `ramping`: left out because their seller was not ramped; `reason`: why there is nothing.
    """

    frame: pd.DataFrame
    visits: int
    ramping: int
    reason: str | None = None

    @property
    def departures(self) -> pd.DataFrame:
        """Rows that differ from peers' beyond what the false-discovery rate allows, the clearest first."""
        rows = self.frame[self.frame["is_departure"]] if len(self.frame) else self.frame
        return rows.sort_values(["p_value", "owner_id", "stage"], kind="stable", ignore_index=True)


def seller_pace(snapshot: Snapshot, period: Period) -> SellerPace:
    """Compare sellers over the visits to stages that began in a period. Computed once a snapshot and period.

    A deal is its present owner's. Sellers and segments as known today; see `metrics.sellers`. Needs
    `opportunity_history`.
    """
    return snapshot.once(("seller pace", period), lambda: _seller_pace(snapshot, period))


def _seller_pace(snapshot: Snapshot, period: Period) -> SellerPace:
    empty = pd.DataFrame(columns=[*PACE, "is_departure"])
    if not snapshot.has("opportunity_history") or not snapshot.has("users"):
        return SellerPace(empty, 0, 0, "stage changes (opportunity_history) and users are needed")
    visits, ramping = _visits(snapshot, period)
    if visits.empty:
        return SellerPace(empty, 0, ramping, f"no ramped seller's deal entered a stage in {period.label}")
    stages = snapshot.definitions.open_stages
    parts = [_compared(visits, event, stages) for event in (ADVANCED, LOST)]
    frame = pd.concat(parts, ignore_index=True)
    if frame.empty:
        return SellerPace(empty, len(visits), ramping, "too few deals a seller to compare them")
    people = visits[["owner_id", "owner", "team"]].drop_duplicates("owner_id")
    frame = frame.merge(people, on="owner_id", how="left")
    adjusted = _adjusted(frame, snapshot.definitions.sellers.false_discovery)
    return SellerPace(frame.join(adjusted)[[*PACE, "is_departure"]], len(visits), ramping)


def _adjusted(frame: pd.DataFrame, accepted: float) -> pd.DataFrame:
    """p_seller, p_adjusted and is_departure of each row: sellers are chosen first, then rows within those chosen.

    A seller's own p-value spends half on all stages' advances together, where a slow seller shows most, and half on
    the rest (Simes). Over sellers Benjamini–Hochberg; within a chosen seller the same halves, at the accepted rate ×
    share of sellers chosen (Benjamini & Bogomolov, J. R. Statist. Soc. B 76 (2014) 297–318), here divided out, so that
    `p_adjusted` is read against the accepted rate. Rows of sellers not chosen have the seller's own.
    """
    is_main = (frame["stage"] == ALL_STAGES) & (frame["event"] == ADVANCED)
    main = frame[is_main].set_index("owner_id")["p_value"]
    rest = frame[~is_main].groupby("owner_id")["p_value"].agg(_simes)
    both = pd.concat([main, rest], axis=1, keys=["main", "rest"])
    p_seller = (2 * both.min(axis=1)).clip(upper=1.0).where(both.notna().all(axis=1), both.min(axis=1))
    of_seller = pd.Series(benjamini_hochberg(p_seller.to_numpy()), index=p_seller.index)
    chosen = of_seller.index[of_seller <= accepted]
    share = len(chosen) / len(of_seller)
    of_rest = frame[~is_main].groupby("owner_id")["p_value"].transform(lambda p: benjamini_hochberg(p.to_numpy()))
    halves = np.where(frame["owner_id"].isin(both.index[both.notna().all(axis=1)]), 2.0, 1.0)
    within = frame["p_value"].where(is_main, of_rest) * halves
    seller = frame["owner_id"].map(of_seller)
    is_chosen = frame["owner_id"].isin(chosen)
    adjusted = (within / share).clip(upper=1.0).where(is_chosen, seller) if share else seller
    return pd.DataFrame(
        {
            "p_seller": frame["owner_id"].map(p_seller),
            "p_adjusted": adjusted,
            "is_departure": is_chosen & (adjusted <= accepted),
        }
    )


def _simes(values: pd.Series) -> float:
    """The p-value of "none of these": the least adjusted one (Simes, Biometrika 73 (1986) 751–754)."""
    return float(np.min(benjamini_hochberg(values.to_numpy())))


def _visits(snapshot: Snapshot, period: Period) -> tuple[pd.DataFrame, int]:
    """Visits of ramped sellers that began in the period, and how many of others were left out."""
    snapshot.use_columns(["segment"])
    found = headline(stage_visits(snapshot))
    begun = found.filter(within(found.entered_on, period)).select(
        "opportunity_id",
        "owner_id",
        "segment",
        "type",
        "amount",
        "stage",
        "stage_number",
        "entered_on",
        "result",
        "days",
    )
    people = sellers(snapshot)
    who = people.filter(people.is_seller).select(
        seller_id="owner_id", owner="owner", team="team", hired_on="hired_on", sells_to="segment"
    )
    joined = begun.inner_join(who, begun.owner_id == who.seller_id).order_by(["opportunity_id", "stage_number"])
    frame = joined.to_pyarrow().to_pandas(date_as_object=False)
    months = (frame["entered_on"] - pd.to_datetime(frame["hired_on"])).dt.days / DAYS_A_MONTH
    is_ramping = months < frame["sells_to"].map(snapshot.definitions.ramp_months).fillna(0)
    kept = frame[~is_ramping].reset_index(drop=True)
    kept["amount"] = kept["amount"].astype(float)
    return kept, int(is_ramping.sum())


def _compared(visits: pd.DataFrame, event: str, stages: tuple[str, ...]) -> pd.DataFrame:
    """One event's rows of `PACE`, before names and adjustment."""
    owners = np.unique(visits["owner_id"])
    group = visits[["stage", "segment", "type"]].astype(object).fillna("").groupby(["stage", "segment", "type"])
    codes: Ints = np.asarray(group.ngroup(), dtype=np.int64)
    keys = group.size().index.to_frame(index=False)
    who: Ints = np.searchsorted(owners, visits["owner_id"]).astype(np.int64)
    days: Ints = np.asarray(visits["days"], dtype=np.int64)
    seen = _log_rank((codes, who, days), (visits["result"] == event).to_numpy())
    onward = _onward_value(visits, codes, keys, stages) if event == ADVANCED else None
    counts = np.zeros(seen[0].shape)
    np.add.at(counts, (codes, who), 1)
    parts = [
        _rows(owners, stage, (keys["stage"] == stage).to_numpy() | (stage == ALL_STAGES), (*seen, counts), onward)
        for stage in (*stages, ALL_STAGES)
    ]
    return pd.concat(parts, ignore_index=True).assign(event=event)


def _log_rank(where: Triple, happened: npt.NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """[stratum × seller]: observed events, those expected at everybody's pace, and the variance of the difference.

    On each day of the stay, of the deals still there, d events fall on sellers in proportion to their deals
    (hypergeometric). `where`: stratum, seller and days of each visit. A stay of 0 days was at risk on day 0.
    """
    codes, who, days = where
    shape = (int(codes.max()) + 1, int(who.max()) + 1, int(days.max()) + 1)
    leaves, events = np.zeros(shape), np.zeros(shape)
    np.add.at(leaves, (codes, who, days), 1)
    np.add.at(events, (codes, who, days), happened)
    at_risk = leaves[:, :, ::-1].cumsum(axis=2)[:, :, ::-1]
    n, d = at_risk.sum(axis=1, keepdims=True), events.sum(axis=1, keepdims=True)
    share = np.divide(at_risk, n, out=np.zeros(shape), where=n > 0)
    spread = np.divide(d * (n - d), n - 1, out=np.zeros(n.shape), where=n > 1)
    variance = (spread * share * (1 - share)).sum(axis=2)
    return events.sum(axis=2), (share * d).sum(axis=2), variance


def _rows(
    owners: npt.NDArray[np.object_],
    stage: str,
    rows: npt.NDArray[np.bool_],
    seen: tuple[Floats, Floats, Floats, Floats],
    onward: Floats | None,
) -> pd.DataFrame:
    """A row a seller for one stage: sums over its strata."""
    observed, expected, variance, deals = (part[rows].sum(axis=0) for part in seen)
    others, others_expected = observed.sum() - observed, expected.sum() - expected
    pace_of_others = np.divide(others, others_expected, out=np.full(len(owners), np.nan), where=others_expected > 0)
    at_peers = expected * pace_of_others
    # Too few expected events, or nobody to compare with: no row, and no part in the family of tests.
    enough = (at_peers >= MINIMUM_EXPECTED) & (others_expected >= MINIMUM_EXPECTED) & (variance > 0)
    log_error = np.sqrt(1 / np.where(enough, expected, 1) + 1 / np.where(enough, others_expected, 1))
    pace = np.divide(observed, at_peers, out=np.full(len(owners), np.nan), where=enough)
    z = (observed - expected) / np.sqrt(np.where(enough, variance, 1))
    spread = np.exp(normal_quantile(0.95) * log_error)
    frame = pd.DataFrame(
        {"owner_id": owners, "stage": stage, "deals": deals.astype(int), "observed": observed.astype(int)}
        | {"expected": at_peers, "pace": pace, "low": pace / spread, "high": pace * spread}
        | {"p_value": 2 * norm.sf(np.abs(z)), "p_lower": norm.cdf(z), "log_error": log_error, "money": np.nan}
    )
    if onward is not None:
        missing = (seen[1] * pace_of_others - seen[0]) * onward
        frame["money"] = np.where(rows[:, None], missing, 0.0).sum(axis=0)
    kept = frame[enough].reset_index(drop=True)
    if kept.empty:
        return kept.assign(shrunk=kept["pace"]).drop(columns="log_error")
    logs = np.log(np.maximum(kept["observed"], 0.5) / kept["expected"])
    shrunk = shrink_normal(logs, kept["log_error"] ** 2).frame["shrunk"]
    return kept.assign(shrunk=np.exp(shrunk).to_numpy()).drop(columns="log_error")


def _onward_value(visits: pd.DataFrame, codes: Ints, keys: pd.DataFrame, stages: tuple[str, ...]) -> Floats:
    """[stratum × 1]: what one more advance from the stage is worth: peers' chance to win from there × mean amount.

    The chance is the product, over later stages of the same segment and type, of advances ÷ (advances + losses).
    """
    of_stratum = visits.groupby(codes)
    advanced = of_stratum["result"].agg(lambda results: (results == ADVANCED).sum())
    ended = of_stratum["result"].count()
    rate = (advanced / ended.where(ended > 0)).fillna(0.0)
    amount = of_stratum["amount"].mean().fillna(0.0)
    known = keys.assign(rate=rate.to_numpy(), amount=amount.to_numpy(), place=keys["stage"].map(stages.index))
    onward = [
        known.loc[
            (known["segment"] == row["segment"]) & (known["type"] == row["type"]) & (known["place"] > row["place"]),
            "rate",
        ].prod()
        for row in known.to_dict("records")
    ]
    return (np.array(onward) * known["amount"].to_numpy())[:, None]
