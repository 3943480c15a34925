"""What an account is worth over its lifetime, three ways that should agree: by its own revenue at each age, by average
revenue and lifetime, and by the churn rate. Each with its interval, and the reason where it cannot be said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ibis
import numpy as np
import numpy.typing as npt
import pandas as pd
from ibis import _

from revops_analysis.metrics.deals import missing as is_missing
from revops_analysis.metrics.retention.ledger import missing_reason, require_revenue
from revops_analysis.models.lifetime.curves import LifetimeCurves
from revops_analysis.models.lifetime.lifetimes import paying_months
from revops_analysis.statistics.intervals import normal_quantile, wilson_interval

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

Floats = npt.NDArray[np.float64]

WINDOW = 12
"""Months up to the last complete one over which churn, average revenue, spend and new customers are counted."""

_MAX_UNITS = 2_000
"""More accounts than this are dealt into so many random groups before they are drawn: the spread of a sum stays."""

METHODS = {
    "cohort": "Revenue of the account at each age",
    "mean_lifetime": "Average revenue × mean lifetime",
    "one_over_churn": "Average revenue ÷ churn rate",
}
"""The three ways, and what readers see."""


@dataclass(frozen=True)
class ValueOptions:
    """`repeats` and `seed` of the bootstrap over accounts; a scope needs `minimum_accounts` for an interval."""

    repeats: int = 1_000
    confidence: float = 0.95
    seed: int = 0
    minimum_accounts: int = 5


@dataclass(frozen=True, eq=False)
class LifetimeValue:
    """Lifetime value by scope and method.

    `frame`: [scope, method, title, value, low, high, n, reason], value in `currency` an account: margin × revenue over
    `horizon_months`, the first method discounted, the third without horizon. `arpa`: [scope, mrr (a paying account, in
    the last month), n]. `churn`: [scope, rate (a month, over the last year), low, high, churned, account_months,
    reason]. `by_age`: [scope, age, mrr (mean per original account, those that left count 0), n].
    """

    frame: pd.DataFrame
    arpa: pd.DataFrame
    churn: pd.DataFrame
    by_age: pd.DataFrame
    horizon_months: int
    margin: float
    discount_rate: float
    currency: str
    by: str | None

    def table(self) -> pd.DataFrame:
        """A row a scope: [scope, n, cohort, cohort_low, cohort_high, mean_lifetime, one_over_churn, reason]."""
        rows = []
        for scope, group in self.frame.groupby("scope", sort=False, dropna=False):
            first = group.iloc[0]
            row: dict[str, Any] = {"scope": scope if isinstance(scope, str) else None, "n": int(first["n"])}
            for found in group.to_dict("records"):
                row[found["method"]] = found["value"]
                row |= {f"{found['method']}_low": found["low"], f"{found['method']}_high": found["high"]}
            reasons = dict.fromkeys(reason for reason in group["reason"] if isinstance(reason, str))
            rows.append({**row, "reason": "; ".join(reasons) or None})
        columns = ["cohort", "cohort_low", "cohort_high", "mean_lifetime", "one_over_churn"]
        return pd.DataFrame(rows, columns=["scope", "n", *columns, "reason"])


def lifetime_value(snapshot: Snapshot, curves: LifetimeCurves, options: ValueOptions = ValueOptions()) -> LifetimeValue:
    """Lifetime value for all accounts and by the attribute of `curves`, over their horizon.

    - cohort: margin × Σ over ages ≤ H of the mean revenue per original account at that age, those that left counting 0,
      discounted monthly by the yearly rate of the definitions. Each age takes the accounts that entered at least so
      long ago; accounts first watched at a later age are survivors and take no part. Bootstrap over accounts.
    - mean_lifetime: average revenue of today's paying accounts × margin × mean lifetime within H; interval by the delta
      method. Not discounted.
    - one_over_churn: average revenue × margin ÷ monthly share of accounts that left in the last year; no horizon, so it
      rests on churn staying as it is for ever. Null with the reason 'no churn' where nobody left.

    Source: METRICS, "ltv"; Gupta, Lehmann & Stuart, Journal of Marketing Research 41 (2004) 7–18.
    """
    definitions = snapshot.definitions
    margin, rate, horizon = definitions.gross_margin, definitions.discount_rate, curves.horizon_months
    facts: dict[str, Any] = {
        "margin": margin,
        "discount_rate": rate,
        "currency": definitions.reporting_currency,
        "by": curves.by,
    }
    if missing_reason(snapshot):
        return _nothing(curves, str(missing_reason(snapshot)), facts)
    scopes = _members(snapshot, curves)
    paid, last = _by_age(snapshot, horizon), require_revenue(snapshot).last
    rows, arpa, churn, ages = [], [], [], []
    summary = dict(zip(curves.summary["scope"], curves.summary.to_dict("records"), strict=True))
    for scope, members in scopes:
        found = _arpa(scope, members)
        rate_row = _churn(scope, members, options)
        by_age = _ages(scope, members, paid, (horizon, last))
        discount = (1 + rate) ** (-np.arange(horizon + 1) / 12)
        rows.append(_row(scope, "cohort", _cohort_value(by_age, margin * discount, horizon, options)))
        rows.append(_row(scope, "mean_lifetime", _mean_value(found, summary[scope], margin, options)))
        rows.append(_row(scope, "one_over_churn", _churn_value(found, rate_row, margin)))
        arpa.append({name: found[name] for name in ("scope", "mrr", "n")})
        churn.append(rate_row)
        ages.append(by_age.frame)
    frame = pd.DataFrame(rows).astype(dict.fromkeys(("value", "low", "high"), "float64"))
    return LifetimeValue(
        frame, pd.DataFrame(arpa), pd.DataFrame(churn), pd.concat(ages, ignore_index=True), horizon, **facts
    )


def _nothing(curves: LifetimeCurves, reason: str, facts: dict[str, Any]) -> LifetimeValue:
    scope = curves.summary["scope"].iloc[0]
    nothing = {"value": np.nan, "low": np.nan, "high": np.nan, "n": 0, "reason": reason}
    frame = pd.DataFrame([_row(scope, method, nothing) for method in METHODS])
    arpa = pd.DataFrame({"scope": [scope], "mrr": [np.nan], "n": [0]})
    rate = {"scope": scope, "rate": None, "low": None, "high": None, "churned": 0, "account_months": 0}
    ages = pd.DataFrame(columns=["scope", "age", "mrr", "n"])
    return LifetimeValue(frame, arpa, pd.DataFrame([{**rate, "reason": reason}]), ages, 0, **facts)


def _row(scope: str | None, method: str, found: dict[str, Any]) -> dict[str, Any]:
    return {"scope": scope, "method": method, "title": METHODS[method], **found}


@dataclass(frozen=True, eq=False)
class _Members:
    """Accounts of a scope: their lifetimes (known starts), today's revenue of all of them, and what left last year."""

    lifetimes: pd.DataFrame
    mrr_now: Floats
    churned: int
    account_months: int


def _members(snapshot: Snapshot, curves: LifetimeCurves) -> list[tuple[str | None, _Members]]:
    """The scopes of the curves. Today's revenue and churn take in accounts whose first month is not known, too."""
    recent = _recent(snapshot)
    known = curves.lifetimes
    by = curves.by if len(curves.summary) > 1 else None
    if by is not None:
        # Accounts without a known start have the attributes of the account, not those of entry.
        label = recent["account_id"].map(known.frame.set_index("account_id")[by])
        recent = recent.assign(label=label.where(label.notna(), recent.get(by)))
    scopes = []
    for scope, frame in known.scopes(by, curves.summary["scope"].iloc[0]):
        rows = recent
        if by is not None and scope != curves.summary["scope"].iloc[0]:
            rows = recent[recent["label"].isna()] if scope is None else recent[recent["label"] == scope]
        now = rows.loc[rows["mrr_now"] > 0, "mrr_now"].to_numpy(dtype=float)
        counted = (int(rows["churned"].sum()), int(rows["months"].sum()))
        scopes.append((scope, _Members(frame, np.sort(now), *counted)))
    return scopes


def _recent(snapshot: Snapshot) -> pd.DataFrame:
    """All accounts that paid in the last year: mrr_now, months at risk of leaving, times they left, attributes."""
    from revops_analysis.metrics.retention.customers import customers

    revenue = require_revenue(snapshot)
    paid = paying_months(revenue)
    begin = max(revenue.first, revenue.last - WINDOW)
    later = paid.month.lead().over(ibis.window(group_by="account_id", order_by="month"))
    seen = paid.mutate(later=later).filter(_.month >= begin)
    at_risk = seen.month < revenue.last
    left = at_risk & (is_missing(seen.later) | (seen.later > seen.month + 1))
    counted = seen.group_by("account_id").aggregate(
        mrr_now=seen.mrr.sum(where=seen.month == revenue.last).cast("float64"),
        months=at_risk.sum(),
        churned=left.sum(),
    )
    who = customers(snapshot, revenue).select("account_id", "segment", "region", product=_.first_product)
    joined = counted.left_join(who, "account_id", rname="{name}_known").drop("account_id_known")
    return joined.order_by("account_id").to_pandas().fillna({"mrr_now": 0.0, "months": 0, "churned": 0})


def _by_age(snapshot: Snapshot, horizon: int) -> pd.DataFrame:
    """Revenue of each account by age, up to the horizon: account_id, age, mrr; months without any are not there."""
    revenue = require_revenue(snapshot)
    totals = revenue.table.group_by(["account_id", "month"]).aggregate(mrr=_.mrr.sum().cast("float64"))
    first = paying_months(revenue).group_by("account_id").aggregate(first=_.month.min())
    joined = totals.join(first, "account_id")
    aged = joined.mutate(age=joined.month - joined["first"])
    kept = aged.filter((aged.age >= 0) & (aged.age <= horizon))
    return kept.select("account_id", "age", "mrr").order_by(["account_id", "age"]).to_pandas()


@dataclass(frozen=True, eq=False)
class _Ages:
    """[account × age] revenue, and whether the account entered at least so long ago; and the means as a frame."""

    mrr: Floats
    seen: npt.NDArray[np.bool_]
    frame: pd.DataFrame


def _ages(scope: str | None, members: _Members, paid: pd.DataFrame, until: tuple[int, int]) -> _Ages:
    """`until`: the horizon in months, and the number of the last complete month."""
    horizon, last = until
    rows = members.lifetimes[members.lifetimes["entry_age"] == 0]
    place = pd.Series(np.arange(len(rows)), index=rows["account_id"])
    mrr = np.zeros((len(rows), horizon + 1))
    mine = paid[paid["account_id"].isin(place.index)]
    mrr[place[mine["account_id"]].to_numpy(dtype=int), mine["age"].to_numpy(dtype=int)] = mine["mrr"].to_numpy()
    reach = last - rows["entered_month"].to_numpy(dtype=np.int64)
    seen = np.arange(horizon + 1)[None, :] <= reach[:, None]
    counts = seen.sum(axis=0)
    means = np.divide((mrr * seen).sum(axis=0), counts, out=np.full(horizon + 1, np.nan), where=counts > 0)
    frame = pd.DataFrame({"age": np.arange(horizon + 1), "mrr": means, "n": counts})
    frame.insert(0, "scope", np.full(len(frame), scope, dtype=object))
    return _Ages(mrr, seen, frame)


def _cohort_value(ages: _Ages, weights: Floats, horizon: int, options: ValueOptions) -> dict[str, Any]:
    n = len(ages.mrr)
    nothing: dict[str, Any] = {"value": None, "low": None, "high": None, "n": n}
    if horizon == 0 or n == 0:
        return {**nothing, "reason": "no accounts" if n == 0 else "too few accounts to follow for a month"}
    reached = int(ages.seen[:, horizon].sum())
    if reached == 0:
        return {**nothing, "reason": f"no account entered {horizon} months ago or earlier"}
    value = float((ages.frame["mrr"].to_numpy() * weights).sum())
    if n < options.minimum_accounts:
        return {
            **nothing,
            "value": value,
            "reason": f"{_accounts(n)} are too few for an interval" if n > 1 else "one account has no interval",
        }
    drawn = _resampled(ages, weights, options)
    known = drawn[~np.isnan(drawn)]
    if len(known) < 0.95 * len(drawn):
        return {**nothing, "value": value, "reason": f"only {_accounts(reached)} entered {horizon} months ago"}
    low, high = np.quantile(known, [(1 - options.confidence) / 2, (1 + options.confidence) / 2])
    return {"value": value, "low": float(low), "high": float(high), "n": n, "reason": None}


def _accounts(number: int) -> str:
    return "1 account" if number == 1 else f"{number:,} accounts"


def _resampled(ages: _Ages, weights: Floats, options: ValueOptions) -> Floats:
    """Σ over ages of the weighted mean in each resample of accounts; nan where an age has nobody."""
    rng = np.random.default_rng(options.seed)
    sums, counts = ages.mrr * ages.seen, ages.seen.astype(float)
    if len(sums) > _MAX_UNITS:
        group = rng.permutation(len(sums)) % _MAX_UNITS
        order = np.argsort(group, kind="stable")
        starts = np.searchsorted(group[order], np.arange(_MAX_UNITS))
        sums, counts = (np.add.reduceat(part[order], starts, axis=0) for part in (sums, counts))
    n = len(sums)
    times = rng.multinomial(n, np.full(n, 1 / n), size=options.repeats).astype(float)
    top, bottom = times @ sums, times @ counts
    means = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)
    return np.asarray(means @ weights)


def _arpa(scope: str | None, members: _Members) -> dict[str, Any]:
    now = members.mrr_now
    mean = float(now.mean()) if len(now) else None
    variance = float(now.var(ddof=1) / len(now)) if len(now) > 1 else None
    return {"scope": scope, "mrr": mean, "n": len(now), "variance": variance}


def _mean_value(arpa: dict[str, Any], summary: dict[str, Any], margin: float, options: ValueOptions) -> dict[str, Any]:
    nothing: dict[str, Any] = {"value": None, "low": None, "high": None, "n": int(summary["n"])}
    if arpa["mrr"] is None:
        return {**nothing, "reason": "no account pays in the last month"}
    if pd.isna(summary["mean_months"]):
        return {**nothing, "reason": summary["reason"]}
    value = arpa["mrr"] * margin * summary["mean_months"]
    if arpa["variance"] is None:
        return {**nothing, "value": value, "reason": "one paying account has no interval"}
    z = normal_quantile(options.confidence)
    spread = (summary["mean_high"] - summary["mean_low"]) / (2 * z)
    variance = arpa["variance"] * summary["mean_months"] ** 2 + spread**2 * arpa["mrr"] ** 2
    half = z * margin * float(np.sqrt(variance))
    return {**nothing, "value": value, "low": max(value - half, 0.0), "high": value + half, "reason": None}


def _churn(scope: str | None, members: _Members, options: ValueOptions) -> dict[str, Any]:
    """Monthly share of paying accounts that left, over the last year, with Wilson's interval."""
    row: dict[str, Any] = {"scope": scope, "rate": None, "low": None, "high": None}
    row |= {"churned": members.churned, "account_months": members.account_months}
    if members.account_months == 0:
        return {**row, "reason": "no account was watched for a month of the last year"}
    low, high = wilson_interval([members.churned], [members.account_months], options.confidence)
    rate = members.churned / members.account_months
    return {**row, "rate": rate, "low": float(low[0]), "high": float(high[0]), "reason": None}


def _churn_value(arpa: dict[str, Any], churn: dict[str, Any], margin: float) -> dict[str, Any]:
    nothing: dict[str, Any] = {"value": None, "low": None, "high": None, "n": int(arpa["n"])}
    if arpa["mrr"] is None:
        return {**nothing, "reason": "no account pays in the last month"}
    if churn["reason"]:
        return {**nothing, "reason": churn["reason"]}
    if churn["churned"] == 0:
        return {**nothing, "reason": "no churn"}
    yearly = arpa["mrr"] * margin
    low = yearly / churn["high"]
    return {**nothing, "value": yearly / churn["rate"], "low": low, "high": yearly / churn["low"], "reason": None}
