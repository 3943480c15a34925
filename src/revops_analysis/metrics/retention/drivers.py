"""Why net retention changed within a year: other customers in the base, or the same kinds retained less; who left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from revops_analysis.metrics.retention.ledger import missing_reason, month_label, require_revenue
from revops_analysis.metrics.retention.rates import YEAR, Comparison, RateOptions
from revops_analysis.metrics.where import Where, parse_where
from revops_analysis.statistics.mix_rate import split_change

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot


@dataclass(frozen=True, eq=False)
class RetentionDrivers:
    """The change of NRR between a month and the same month a year before, by one dimension.

    `frame`, a row a value of the dimension, the largest effect first: the dimension, base_share_before and base_share
    (its part of the revenue that retention is measured on), nrr_before, nrr, rate_effect, mix_effect and effect (their
    sum), all shares. The effects of all rows add up to `after` − `before`. `reason`: why there is nothing.
    """

    frame: pd.DataFrame
    by: str
    month: str
    before: float | None
    after: float | None
    reason: str | None = None


def retention_drivers(
    snapshot: Snapshot, by: str = "segment", month: int | None = None, where: str | Where | None = None
) -> RetentionDrivers:
    """Split the change of NRR over a year into rate and mix by a dimension; they add up to it.

    The split is `split_change`, of Kitagawa (1955). `month` is by default the last complete one.
    """
    columns = [by, "base_share_before", "base_share", "nrr_before", "nrr", "rate_effect", "mix_effect", "effect"]
    empty = pd.DataFrame(columns=columns)
    missing = missing_reason(snapshot)
    if missing:
        return RetentionDrivers(empty, by, "", None, None, missing)
    revenue = require_revenue(snapshot)
    number = revenue.last if month is None else month
    if number - 2 * YEAR < revenue.first or number > revenue.last:
        known = f"it is known from {month_label(revenue.first)} to {month_label(revenue.last)}"
        reason = f"needs revenue of {month_label(number - 2 * YEAR)} and {month_label(number)}, but {known}"
        return RetentionDrivers(empty, by, month_label(number), None, None, reason)
    compared = Comparison(snapshot, revenue, ((by,), parse_where(where)), RateOptions())
    then, now = (_sums(compared, each, by) for each in (number - YEAR, number))
    both = then.merge(now, on=by, how="outer", suffixes=("_before", "")).fillna(
        dict.fromkeys(("base_before", "net_before", "base", "net"), 0.0)
    )
    if not both["base_before"].sum() or not both["base"].sum():
        reason = f"no account had revenue in {month_label(number - 2 * YEAR)} or {month_label(number - YEAR)}"
        return RetentionDrivers(empty, by, month_label(number), None, None, reason)
    frame = _split(both)
    totals = [float(both[f"net{side}"].sum() / both[f"base{side}"].sum()) for side in ("_before", "")]
    frame = frame.sort_values("effect", key=lambda effect: -effect.abs(), kind="stable", ignore_index=True)
    return RetentionDrivers(frame[columns], by, month_label(number), totals[0], totals[1])


def _sums(compared: Comparison, number: int, by: str) -> pd.DataFrame:
    cells, sides = compared.cells(number), compared.sides(number)
    base, net = cells.sums(sides.base), cells.sums(np.where(sides.counts, sides.net, 0))
    return cells.labels.assign(base=base.astype(float), net=net.astype(float)).astype({by: object})


def _split(both: pd.DataFrame) -> pd.DataFrame:
    parts = split_change((both["net_before"], both["base_before"]), (both["net"], both["base"]))
    named = {"share_before": "base_share_before", "share": "base_share", "rate_before": "nrr_before", "rate": "nrr"}
    return both.reset_index(drop=True).join(parts.rename(columns=named))


@dataclass(frozen=True, eq=False)
class LostRevenue:
    """Accounts with less revenue than twelve months before, or than at the beginning of another window.

    `accounts`, the greatest loss first: account_id, name, segment, kind (churned, contracted), mrr_before, mrr_now,
    lost (reporting currency), share_of_loss, recorded_reason (with the latest notice) and notice_on (its day); the
    last two None where nothing was recorded. `reasons`: recorded_reason, accounts, lost, share_of_loss, greatest first.
    `reason`: why there is nothing.
    """

    accounts: pd.DataFrame
    reasons: pd.DataFrame
    month: str
    reason: str | None = None


_LOST = (
    "account_id",
    "name",
    "segment",
    "kind",
    "mrr_before",
    "mrr_now",
    "lost",
    "share_of_loss",
    "recorded_reason",
    "notice_on",
)


def lost_revenue(
    snapshot: Snapshot, month: int | None = None, where: str | Where | None = None, window: int = YEAR
) -> LostRevenue:
    """Rank the accounts that churned or contracted by what was lost, with the reason where it was recorded."""
    nothing = (
        pd.DataFrame(columns=[*_LOST]),
        pd.DataFrame(columns=["recorded_reason", "accounts", "lost", "share_of_loss"]),
    )
    missing = missing_reason(snapshot)
    if missing:
        return LostRevenue(*nothing, "", missing)
    revenue = require_revenue(snapshot)
    number = revenue.last if month is None else month
    if number - window < revenue.first or number > revenue.last:
        known = f"recurring revenue is known from {month_label(revenue.first)} to {month_label(revenue.last)}"
        return LostRevenue(*nothing, month_label(number), f"{window} months apart are needed; {known}")
    compared = Comparison(snapshot, revenue, ((), parse_where(where)), RateOptions(window))
    kept, rows = compared.cells(number).kept, compared.rows
    end = number - revenue.first
    before, now = rows.closing[end - window][kept], rows.closing[end][kept]
    fallen = (before > 0) & (now < before)
    owner, before, now = rows.owner[kept][fallen], before[fallen], now[fallen]
    frame = pd.DataFrame({"account_id": revenue.accounts[owner], "kind": np.where(now > 0, "contracted", "churned")})
    cents = [np.rint(side / 10_000).astype(np.int64) for side in (before, now)]
    frame = frame.assign(mrr_before=cents[0] / 100, mrr_now=cents[1] / 100, lost=(cents[0] - cents[1]) / 100)
    frame["share_of_loss"] = (before - now) / max(int((before - now).sum()), 1)
    frame = _described(snapshot, frame)
    ordered = frame.sort_values(["lost", "account_id"], ascending=[False, True], ignore_index=True)
    return LostRevenue(ordered[[*_LOST]], _by_reason(ordered), month_label(number))


def _described(snapshot: Snapshot, frame: pd.DataFrame) -> pd.DataFrame:
    """Add who the account is and why it left, as far as that is known."""
    snapshot.use_columns(["accounts.name", "accounts.segment"])
    accounts = snapshot.table("accounts").select("account_id", "name", "segment").to_pandas()
    known = frame.merge(accounts.drop_duplicates("account_id"), on="account_id", how="left")
    terms = snapshot.table("subscriptions")
    noticed = terms.filter(~terms.cancelled_at.isnull())  # noqa: PD003 - an Ibis column
    noticed = noticed.select("account_id", "subscription_id", "cancelled_at", recorded_reason=noticed.churn_reason)
    latest = (
        noticed.to_pandas().sort_values(["cancelled_at", "subscription_id"]).drop_duplicates("account_id", keep="last")
    )
    known = known.merge(latest[["account_id", "cancelled_at", "recorded_reason"]], on="account_id", how="left")
    days = pd.to_datetime(known["cancelled_at"]).dt.date.astype(object)
    texts = {
        name: known[name].astype(object).where(known[name].notna(), None)
        for name in ("name", "segment", "recorded_reason")
    }
    return known.assign(**texts, notice_on=days.where(known["cancelled_at"].notna(), None))


def _by_reason(accounts: pd.DataFrame) -> pd.DataFrame:
    grouped = accounts.groupby("recorded_reason", dropna=False, sort=True)
    sums = grouped.agg(accounts=("lost", "size"), lost=("lost", "sum"), share_of_loss=("share_of_loss", "sum"))
    frame = sums.reset_index().sort_values("lost", ascending=False, kind="stable", ignore_index=True)
    return frame.assign(
        lost=frame["lost"].round(2),
        recorded_reason=frame["recorded_reason"].astype(object).where(frame["recorded_reason"].notna(), None),
    )


@dataclass(frozen=True, eq=False)
class RetentionConcentration:
    """How much NRR hangs on the largest accounts.

    `frame`: left_out (0, 1, 3, 10: the largest by revenue at the beginning), share_of_base (theirs), accounts (that
    remain), nrr, grr, difference (NRR less that of all). Null where nothing remains. `reason`: why it is empty.
    """

    frame: pd.DataFrame
    month: str
    reason: str | None = None


def retention_concentration(
    snapshot: Snapshot,
    month: int | None = None,
    where: str | Where | None = None,
    largest: Sequence[int] = (1, 3, 10),
) -> RetentionConcentration:
    """NRR and GRR over twelve months without the largest accounts of then."""
    columns = ["left_out", "share_of_base", "accounts", "nrr", "grr", "difference"]
    missing = missing_reason(snapshot)
    revenue = None if missing else require_revenue(snapshot)
    number = (revenue.last if revenue else 0) if month is None else month
    if revenue is None or number - YEAR < revenue.first or number > revenue.last:
        why = missing or f"no revenue of {month_label(number - YEAR)} is known"
        return RetentionConcentration(pd.DataFrame(columns=columns), "", why)
    compared = Comparison(snapshot, revenue, ((), parse_where(where)), RateOptions())
    sides = compared.sides(number).of(compared.cells(number).kept)
    order = np.lexsort((np.arange(len(sides.base)), -sides.base))
    total = max(int(sides.base.sum()), 1)
    rows = []
    for count in (0, *largest):
        rest = sides.of(order[count:])
        base = int(rest.base.sum())
        shares = [int(side.sum()) / base if base else None for side in (rest.net, rest.gross)]
        rows.append((count, 1 - base / total, int((rest.base > 0).sum()), *shares))
    frame = pd.DataFrame(rows, columns=columns[:-1]).astype({"nrr": float, "grr": float})
    return RetentionConcentration(frame.assign(difference=frame["nrr"] - frame["nrr"].iloc[0]), month_label(number))
