"""Terms that come to their end: what is up for renewal, and what was known of it on each of several days.

What an account has ending on one day is one decision: its terms of that day together, here called a lot. Terms without
an end come up for no renewal, and free ones (recurring revenue of 0 or less) put nothing at stake.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import pandas as pd
from ibis import _

from revops_analysis.metrics.deals import missing
from revops_analysis.metrics.retention.ledger import month_end, month_number

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

REACH_DAYS = 365
"""Lots that end later than so many days after a cutoff are not looked at."""

SETTLE_DAYS = 60
"""Days after its end within which a lot without renewal is not yet lost: renewals are signed late."""

DEAL_DAYS = 300
"""A renewal deal belongs to a lot if it was made within so many days before the lot's end."""


@dataclass(frozen=True, eq=False)
class RenewalPanel:
    """Lots as they stood on past days.

    `rows`, a row a cutoff and lot that ends after it and was not renewed by then, in that order: cutoff, account_id,
    ended_on, lead_days (to the end), mrr (reporting currency), account_mrr (all that the account pays on the day),
    terms, products, started_on, notice_on (null: none given by the cutoff), auto_renews, first_start (the account's),
    earlier_lots, segment, deal_id, deal_status (open, won, lost; null: no deal), deal_stage (order), stage_days.
    And, not known on the cutoff: renewed_on (day on which a renewal was booked; null: not by `as_of`) and settled_on
    (from which on, without renewal, the lot is lost).

    `early`: [cutoff, account_id, ended_on, mrr] of lots that were renewed before the cutoff and end after it.

    `reason`: why there are no rows. `left_out`: what was not looked at, counted in words.
    """

    rows: pd.DataFrame
    early: pd.DataFrame
    as_of: dt.date
    left_out: tuple[str, ...]
    reason: str | None = None

    def known_at(self, day: dt.date) -> pd.DataFrame:
        """Rows of cutoffs up to `day` with `lost`: 1, 0, or null where it was not yet decided then.

        A lot is decided once the time for late renewals is over, even if it was renewed before: of the lots still in
        that time only the renewed ones are known, and whoever learned from them would expect too few losses.
        """
        moment = pd.Timestamp(day)
        rows = self.rows[self.rows["cutoff"] <= moment]
        renewed, settled = rows["renewed_on"] <= moment, rows["settled_on"] <= moment
        lost = (~renewed).astype("float64").where(settled)
        return rows.assign(lost=lost, renewed_on=rows["renewed_on"].where(renewed))

    def overdue(self) -> pd.DataFrame:
        """Lots that ended, have no renewal, and are still within the time for late ones, as of `as_of`."""
        now = pd.Timestamp(self.as_of)
        last = self.rows.drop_duplicates(_LOT, keep="last")
        ended = (last["ended_on"] <= now) & (last["settled_on"] > now) & last["renewed_on"].isna()
        return last[ended].drop(columns=["renewed_on"]).reset_index(drop=True)

    def at(self, day: dt.date) -> pd.DataFrame:
        """The lots of one cutoff, without what was not known on it."""
        rows = self.rows[self.rows["cutoff"] == pd.Timestamp(day)]
        return rows.drop(columns=["renewed_on", "settled_on"]).reset_index(drop=True)


ROWS = {
    "cutoff": "datetime64[ms]",
    "account_id": "object",
    "ended_on": "datetime64[ms]",
    "lead_days": "int64",
    **dict.fromkeys(("mrr", "account_mrr"), "float64"),
    **dict.fromkeys(("terms", "products"), "int64"),
    **dict.fromkeys(("started_on", "notice_on"), "datetime64[ms]"),
    "auto_renews": "bool",
    "first_start": "datetime64[ms]",
    "earlier_lots": "int64",
    **dict.fromkeys(("segment", "deal_id", "deal_status"), "object"),
    **dict.fromkeys(("deal_stage", "stage_days"), "float64"),
    **dict.fromkeys(("renewed_on", "settled_on"), "datetime64[ms]"),
}


def quarter_cutoffs(first: int, as_of: dt.date) -> tuple[dt.date, ...]:
    """Ends of every third month back from the last complete one to month number `first`, oldest first, and `as_of`.

    >>> [str(day) for day in quarter_cutoffs(month_number(dt.date(2026, 3, 1)), dt.date(2026, 10, 5))]
    ['2026-03-31', '2026-06-30', '2026-09-30', '2026-10-05']
    """
    last = month_number(as_of + dt.timedelta(days=1)) - 1
    ends = [month_end(number) for number in range(last, first - 1, -3)]
    return tuple(sorted({*ends, as_of}))


def renewal_panel(snapshot: Snapshot, cutoffs: Sequence[dt.date]) -> RenewalPanel:
    """Lots of each cutoff as they were known then, with what became of them by the snapshot's day.

    A term was known from the day it was booked (`started_on` where that is missing). A later term of the account renews
    a lot if it says so, or, where it names no term, if it starts within `SETTLE_DAYS` after the lot's end: whatever the
    product, because a renewal may change it. Where segments may not be used for past dates they are null.
    """
    if not snapshot.has("subscriptions"):
        return _without(
            "the source has no subscription terms, and a monthly ledger does not say when they end", snapshot
        )
    terms = _terms(snapshot)
    left_out = _left_out(terms)
    priced = snapshot.keep("lifetime: terms", lambda: snapshot.in_reporting_currency(terms, ["mrr"]))
    valued = priced.filter((priced.ended_on >= priced.started_on) & (priced.mrr > 0))
    days = _cutoff_table(cutoffs)
    lots = _lots(valued, days)
    context = _context(priced, days)
    rows = lots.left_join(context, ["account_id", "cutoff"], rname="{name}_account")
    frame = rows.drop("account_id_account", "cutoff_account").to_pyarrow().to_pandas(date_as_object=False)
    renewals = _renewals(valued, priced.filter(priced.mrr > 0)).to_pyarrow().to_pandas(date_as_object=False)
    frame = frame.merge(renewals, on=_LOT, how="left")
    frame["renewed_on"] = frame["renewed_on"].astype("datetime64[ms]")
    is_early = frame["renewed_on"] <= frame["cutoff"]
    early = frame.loc[is_early, ["cutoff", *_LOT, "mrr"]].reset_index(drop=True)
    frame = frame[~is_early]
    frame = frame.merge(_segments(snapshot), on="account_id", how="left")
    frame = _with_deals(frame, _deal_states(snapshot, cutoffs))
    frame["lead_days"] = (frame["ended_on"] - frame["cutoff"]).dt.days
    frame["settled_on"] = frame["ended_on"] + pd.Timedelta(days=_settle(snapshot))
    ordered = frame.sort_values(["cutoff", "ended_on", "account_id"], ignore_index=True)
    for name in ("segment", "deal_id", "deal_status"):
        ordered[name] = ordered[name].astype(object).where(ordered[name].notna(), None)
    reason = None if len(ordered) else "no paid term with an end was running on any of the days"
    return RenewalPanel(ordered[list(ROWS)].astype(ROWS), early, snapshot.as_of, left_out, reason)


_LOT = ["account_id", "ended_on"]


def _settle(snapshot: Snapshot) -> int:
    return max(SETTLE_DAYS, snapshot.definitions.late_renewal_grace_days)


def _without(reason: str, snapshot: Snapshot) -> RenewalPanel:
    empty = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in ROWS.items()})
    return RenewalPanel(empty, empty[["cutoff", *_LOT, "mrr"]], snapshot.as_of, (), reason)


def _terms(snapshot: Snapshot) -> ir.Table:
    rows = snapshot.table("subscriptions")
    return rows.select(
        "subscription_id",
        "account_id",
        "product",
        "started_on",
        "ended_on",
        "mrr",
        "currency",
        renews="renews_subscription_id",
        booked_on=ibis.coalesce(snapshot.day_of(rows.booked_at), rows.started_on),
        notice_on=snapshot.day_of(rows.cancelled_at),
        auto_renews=rows.auto_renews.fill_null(False),
    )


def _left_out(terms: ir.Table) -> tuple[str, ...]:
    counted = terms.aggregate(
        open_ended=(missing(terms.ended_on) & (terms.mrr > 0)).sum(),
        free=(terms.mrr <= 0).sum(),
        backward=(terms.ended_on < terms.started_on).sum(),
        undated=missing(terms.started_on).sum(),
    )
    found = {name: int(value or 0) for name, value in counted.to_pyarrow().to_pylist()[0].items()}
    said = (
        ("open_ended", "without an end: they come up for no renewal."),
        ("free", "without revenue above zero: nothing is at stake when they end."),
        ("backward", "that end before they start: left out."),
        ("undated", "without a start: left out."),
    )
    return tuple(
        f"{found[name]:,} {'term' if found[name] == 1 else 'terms'} {text}" for name, text in said if found[name]
    )


def _cutoff_table(cutoffs: Sequence[dt.date]) -> ir.Table:
    return ibis.memtable({"cutoff": list(cutoffs)}, schema=ibis.schema({"cutoff": "date"}))


def _lots(terms: ir.Table, days: ir.Table) -> ir.Table:
    """What was booked by each cutoff, runs on it and ends within the reach: a row a cutoff, account and last day."""
    ahead = (days.cutoff + ibis.interval(days=REACH_DAYS)).cast("date")
    holds = [terms.booked_on <= days.cutoff, terms.started_on <= days.cutoff, terms.ended_on > days.cutoff]
    running = terms.join(days, [*holds, terms.ended_on <= ahead])
    given = ibis.ifelse(running.notice_on <= running.cutoff, running.notice_on, ibis.null("date"))
    seen = running.mutate(given=given)
    return seen.group_by(["cutoff", *_LOT]).aggregate(
        mrr=seen.mrr.sum().cast("float64"),
        terms=seen.count(),
        products=seen["product"].nunique(),
        started_on=seen.started_on.min(),
        notice_on=seen.given.min(),
        auto_renews=seen.auto_renews.any(),
    )


def _context(terms: ir.Table, days: ir.Table) -> ir.Table:
    """What an account pays on each cutoff, since when, and how many of its lots had ended."""
    seen = terms.join(days, [terms.booked_on <= days.cutoff, terms.started_on <= days.cutoff])
    runs = missing(seen.ended_on) | (seen.ended_on >= seen.cutoff)
    return seen.group_by(["account_id", "cutoff"]).aggregate(
        account_mrr=seen.mrr.sum(where=runs).cast("float64").fill_null(0.0),
        first_start=seen.started_on.min(),
        earlier_lots=seen.ended_on.nunique(where=(seen.ended_on < seen.cutoff) & (seen.mrr > 0)),
    )


def _renewals(terms: ir.Table, paid: ir.Table) -> ir.Table:
    """The day on which each lot that was renewed was: account_id, ended_on, renewed_on; any paid term can renew one."""
    later = paid.select(
        later_account=_.account_id, later_start=_.started_on, later_booked=_.booked_on, later_renews=_.renews
    )
    until = (terms.ended_on + ibis.interval(days=SETTLE_DAYS)).cast("date")
    named = later.later_renews == terms.subscription_id
    follows = (later.later_start > terms.ended_on) & (later.later_start <= until)
    pairs = terms.join(
        later, [terms.account_id == later.later_account, named | (missing(later.later_renews) & follows)]
    )
    return pairs.group_by(_LOT).aggregate(renewed_on=pairs.later_booked.min())


def _segments(snapshot: Snapshot) -> pd.DataFrame:
    if "accounts.segment" not in snapshot.definitions.allowed_current_columns:
        return pd.DataFrame({"account_id": pd.Series(dtype=object), "segment": pd.Series(dtype=object)})
    snapshot.require_dated(["accounts.segment"], "a model's feature")
    return snapshot.table("accounts").select("account_id", "segment").to_pandas()


def _deal_states(snapshot: Snapshot, cutoffs: Sequence[dt.date]) -> pd.DataFrame:
    """Each account's renewal deals as they stood on each cutoff; of deals without recorded changes nothing is known."""
    deals = snapshot.deals
    renewals = deals.filter(deals.type == "renewal").select("opportunity_id", "account_id", "created_on")
    history, days = snapshot.history, _cutoff_table(cutoffs)
    changes = history.select(
        "opportunity_id",
        "status",
        "stage_order",
        since="changed_on",
        until=snapshot.day_of(history.valid_until),
        entered_on=snapshot.day_of(history.stage_entered_at),
    )
    mine = changes.join(renewals, "opportunity_id")
    holds = [mine.since <= days.cutoff, missing(mine.until) | (mine.until > days.cutoff)]
    held = mine.join(days, holds)
    chosen = held.select("cutoff", "account_id", "opportunity_id", "created_on", "status", "stage_order", "entered_on")
    return chosen.to_pyarrow().to_pandas(date_as_object=False)


def _with_deals(frame: pd.DataFrame, states: pd.DataFrame) -> pd.DataFrame:
    """Add the latest renewal deal that belongs to each lot, as it stood on the cutoff."""
    keyed = frame.reset_index(names="row")
    pairs = keyed[["row", "cutoff", "account_id", "ended_on"]].merge(states, on=["cutoff", "account_id"])
    since = pairs["ended_on"] - pd.Timedelta(days=DEAL_DAYS)
    inside = pairs[pairs["created_on"] > since].sort_values(["row", "created_on", "opportunity_id"])
    latest = inside.drop_duplicates("row", keep="last")
    days = (latest["cutoff"] - latest["entered_on"]).dt.days
    named = latest.assign(stage_days=days.astype("float64"), deal_stage=latest["stage_order"].astype("float64"))
    named = named.rename(columns={"opportunity_id": "deal_id", "status": "deal_status"})
    wanted = ["row", "deal_id", "deal_status", "deal_stage", "stage_days"]
    return keyed.merge(named[wanted], on="row", how="left").drop(columns="row")
