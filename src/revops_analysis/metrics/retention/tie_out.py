"""Recurring revenue against the CRM: what new and expansion deals promised, and what the terms they started bill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from ibis import _

from revops_analysis.metrics.retention.rounding import allocate, to_cents
from revops_analysis.metrics.retention.terms import ended_terms
from revops_analysis.periods import Period, parse_period

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

TYPES = ("new", "expansion")
CAUSES = {
    "ties": "the terms bill what the deal says",
    "started later": "its terms start after the period",
    "booked earlier": "its deal was booked before the period",
    "booked later": "its deal is booked after the period, or not won",
    "no term": "no term names the deal",
    "no deal": "a first or added term that names no deal",
    "currency": "deal and terms are in different currencies",
    "arr missing": "the deal has no ARR; its amount stands in",
    "other amount": "the terms bill another amount than the deal's ARR",
}
"""Why deal and terms differ, in the order in which it is looked for."""
_CENT_NOISE = 1
"""A difference of so many cents in a year is the rounding of monthly amounts."""


@dataclass(frozen=True, eq=False)
class TieOut:
    """ARR of the new and expansion deals won in a period against 12 × MRR of the new terms begun in it.

    `deals`, the largest difference first: opportunity_id (None: terms without a deal), account_id, type, booked_on,
    started_on (of its first term), crm_arr, billed_arr, difference (billed − CRM), cause (a key of `CAUSES`), and of a
    difference of a deal without ARR its parts term, services and unexplained. `causes`: type, cause, deals, crm_arr,
    billed_arr, difference. Amounts are exact to the cent in the reporting currency at the as-of date's rate, so they
    add up: Σ crm_arr + Σ difference = Σ billed_arr. `reason`: why there is nothing.
    """

    deals: pd.DataFrame
    causes: pd.DataFrame
    period: str
    currency: str
    reason: str | None = None

    @property
    def totals(self) -> tuple[float, float, float]:
        """CRM, difference and billed, which is their sum to the cent."""
        cents = [round(float(self.deals[name].sum()) * 100) for name in ("crm_arr", "difference", "billed_arr")]
        return cents[0] / 100, cents[1] / 100, cents[2] / 100


_COLUMNS = ("opportunity_id", "account_id", "type", "booked_on", "started_on", "crm_arr", "billed_arr", "difference")
_PARTS = ("term", "services", "unexplained")


def tie_out(snapshot: Snapshot, period: str | Period) -> TieOut:
    """Compare deal by deal, and name the likely cause of each difference.

    A term belongs to the deal that it names; renewals, and terms of renewal deals, are left out. Where a deal has no
    ARR its amount stands in, and the difference is split: services (the deal's one-time amount), term (what of the
    rest a contract of other than twelve months explains, where amounts are of the whole contract) and unexplained.
    """
    span = parse_period(period, snapshot.definitions.fiscal_calendar) if isinstance(period, str) else period
    currency = snapshot.definitions.reporting_currency
    lacking = [name for name in ("subscriptions", "opportunities") if not snapshot.has(name)]
    if lacking:
        empty = pd.DataFrame(columns=[*_COLUMNS, "cause", *_PARTS])
        causes = pd.DataFrame(columns=["type", "cause", "deals", "crm_arr", "billed_arr", "difference"])
        return TieOut(empty, causes, span.label, currency, f"the source has no {' and no '.join(lacking)} table")
    both = _billed(snapshot).merge(_promised(snapshot), on="opportunity_id", how="outer", suffixes=("_term", ""))
    rows = _in_period(both, span)
    frame = _in_cents(rows.assign(account_id=rows["account_id"].fillna(rows["account_id_term"])), span)
    frame = _with_cause(frame, span, snapshot.definitions.amount_basis)
    order = (
        frame["difference"].abs().mul(-1).to_frame().assign(key=frame["opportunity_id"], account=frame["account_id"])
    )
    frame = frame.loc[order.sort_values(["difference", "key", "account"]).index].reset_index(drop=True)
    return TieOut(frame[[*_COLUMNS, "cause", *_PARTS]], _by_cause(frame), span.label, currency)


def _promised(snapshot: Snapshot) -> pd.DataFrame:
    """New and expansion deals, won or not, with their ARR (or amount) in the reporting currency at today's rate."""
    deals = snapshot.deals.filter(_.type.isin(TYPES)).select(
        *("opportunity_id", "account_id", "type", "booked_on", "currency", "arr", "one_time_amount", "term_months"),
        amount=_.amount_original,
    )
    wanted = ["arr", "amount", "one_time_amount"]
    known = _valued(snapshot, deals, wanted).to_pandas()
    known["currency"] = known["currency"].fillna(snapshot.definitions.reporting_currency)
    return known.astype(dict.fromkeys(wanted, "float64"))


def _billed(snapshot: Snapshot) -> pd.DataFrame:
    """Deal by deal the terms that it started: account, first day, currency and MRR; terms without deal one by one."""
    terms = ended_terms(snapshot)
    others = snapshot.deals.filter(~_.type.isin(TYPES)).select("opportunity_id")
    kept = terms.anti_join(others, "opportunity_id")
    kept = kept.filter(~kept.opportunity_id.isnull() | kept.renews_subscription_id.isnull())  # noqa: PD003
    kept = kept.mutate(currency=kept.currency.fill_null(snapshot.definitions.reporting_currency))
    valued = _valued(snapshot, kept, ["mrr"])
    key = valued.opportunity_id.fill_null(valued.subscription_id)
    grouped = valued.mutate(key=key).group_by(["key", "opportunity_id"])
    frame = grouped.aggregate(
        account_id=_.account_id.min(), started_on=_.started_on.min(), term_currency=_.currency.min(), mrr=_.mrr.sum()
    ).to_pandas()
    exact = [int(value.scaleb(6)) * 12 for value in frame["mrr"]]
    return frame.assign(billed=pd.Series(exact, dtype="int64")).drop(columns=["mrr", "key"])


def _valued(snapshot: Snapshot, table: ir.Table, columns: list[str]) -> ir.Table:
    return snapshot.in_reporting_currency(table, columns)


def _in_period(both: pd.DataFrame, span: Period) -> pd.DataFrame:
    """Rows whose deal was won, or whose first term began, within the period."""
    days = {name: pd.to_datetime(both[name]) for name in ("booked_on", "started_on")}
    first, last = pd.Timestamp(span.start), pd.Timestamp(span.end)
    inside = {name: day.between(first, last) for name, day in days.items()}
    has_term = both["billed"].notna()
    return both[inside["booked_on"] | (inside["started_on"] & has_term)].reset_index(drop=True)


def _in_cents(rows: pd.DataFrame, span: Period) -> pd.DataFrame:
    """Both sides of each row in whole cents, 0 where the deal or the start lies outside the period."""
    first, last = pd.Timestamp(span.start), pd.Timestamp(span.end)
    booked = pd.to_datetime(rows["booked_on"]).between(first, last).to_numpy()
    started = pd.to_datetime(rows["started_on"]).between(first, last).to_numpy()
    promised = rows["arr"].fillna(rows["amount"]).fillna(0.0)
    crm = np.where(booked, np.rint(promised * 100), 0).astype(np.int64)
    exact = np.where(started, rows["billed"].fillna(0), 0).astype(np.int64)
    billed = allocate(exact, int(to_cents(int(exact.sum())))) if len(exact) else exact
    frame = rows.assign(crm_arr=crm / 100, billed_arr=billed / 100, difference=(billed - crm) / 100)
    return frame.assign(is_booked=booked, is_started=started, has_term=rows["billed"].notna())


def _with_cause(frame: pd.DataFrame, span: Period, basis: str) -> pd.DataFrame:
    booked_on = pd.to_datetime(frame["booked_on"])
    has_deal = frame["opportunity_id"].notna() & frame["type"].notna()
    ours, theirs = frame["currency"].astype(object), frame["term_currency"].astype(object)
    conditions = [
        ~has_deal,
        ~frame["is_booked"] & (booked_on < pd.Timestamp(span.start)),
        ~frame["is_booked"],
        ~frame["has_term"],
        ~frame["is_started"],
        frame["difference"].abs() * 100 <= _CENT_NOISE,
        ours.notna() & theirs.notna() & (ours != theirs),
        frame["arr"].isna(),
    ]
    names = ["no deal", "booked earlier", "booked later", "no term", "started later", "ties", "currency", "arr missing"]
    frame = frame.assign(cause=np.select(conditions, names, default="other amount"))
    return _split(frame, basis)


def _split(frame: pd.DataFrame, basis: str) -> pd.DataFrame:
    """Parts of the difference of deals without ARR: services, term, unexplained; in whole cents they add up to it."""
    lacking = (frame["cause"] == "arr missing").to_numpy()
    services = -frame["one_time_amount"].astype(float).fillna(0.0)
    recurring = frame["amount"].astype(float) + services
    months = frame["term_months"].astype(float)
    is_whole = basis == "tcv"
    term = (recurring * (12 / months.where(months > 0) - 1)).fillna(0.0) if is_whole else recurring * 0.0
    cents = {"services": np.rint(services * 100), "term": np.rint(term.fillna(0.0) * 100)}
    if basis == "arr":
        cents["services"] = cents["services"] * 0.0
    rest = np.rint(frame["difference"] * 100) - cents["services"] - cents["term"]
    parts = {**cents, "unexplained": rest}
    return frame.assign(**{name: np.where(lacking, value / 100 + 0.0, np.nan) for name, value in parts.items()})


def _by_cause(frame: pd.DataFrame) -> pd.DataFrame:
    typed = frame.assign(type=frame["type"].astype(object).where(frame["type"].notna(), None))
    amounts = ["crm_arr", "billed_arr", "difference"]
    grouped = typed.groupby(["type", "cause"], dropna=False, sort=True)
    sums = grouped[amounts].sum().round(2).assign(deals=grouped.size()).reset_index()
    sums["type"] = sums["type"].astype(object).where(sums["type"].notna(), None)
    place = sums["cause"].map({name: number for number, name in enumerate(CAUSES)})
    ordered = sums.assign(place=place).sort_values(["type", "place"], ascending=[False, True], na_position="last")
    return ordered[["type", "cause", "deals", *amounts]].reset_index(drop=True)
