"""Who sells, what each is credited with, and how far each has come since being hired.

A deal's credit is shared by its revenue splits and adds up to the deal, to the cent; overlays are left out. A deal
without splits is its owner's alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pandas as pd
from ibis import _

from revops_analysis.metrics.deals import headline, missing, within
from revops_analysis.periods import DAYS_A_MONTH

if TYPE_CHECKING:
    from revops_analysis.periods import Period
    from revops_analysis.tables.snapshot import Snapshot

REVENUE = "revenue"
"""The kind of split that shares a deal's credit; overlays stand beside it."""

FLOAT = npt.NDArray[np.float64]

SELLER_DIMENSIONS = {
    "owner": "owner",
    "owner_id": "owner_id",
    "team": "team",
    "region": "region",
    "role": "role",
    "segment": "segment",
}
"""What figures of sellers can be cut by: the seller's name (with the key where two have the same), key, team, region
and role as known today, and the segment sold to."""


def sellers(snapshot: Snapshot) -> ir.Table:
    """Return a row a user that is known by the as-of date: whoever can be credited or carry a quota.

    Columns: owner_id, owner (name; with the key where two have the same; the key where there is none), team, region,
    role, hired_on, left_on, segment (sold to: the segment that the team is named after, or else that of most of the
    headline deals owned; null without any) and is_seller (in one of the definitions' `sellers.roles`; without roles,
    whoever has a quota). Computed once a snapshot.
    """
    return snapshot.keep("sellers", lambda: _sellers(snapshot))


def _sellers(snapshot: Snapshot) -> ir.Table:
    snapshot.use_columns([f"users.{name}" for name in ("name", "team", "region", "role")] + ["segment"])
    users, roles = snapshot.table("users"), snapshot.definitions.sellers.roles
    deals = headline(snapshot.deals).drop_null(["segment", "owner_id"])
    counts = deals.group_by(["owner_id", "segment"]).aggregate(deals=_.count())
    order = ibis.window(group_by="owner_id", order_by=[counts.deals.desc(), counts.segment])
    ranked = counts.mutate(place=ibis.row_number().over(order))
    most = ranked.filter(ranked.place == 0).select(most_of=_.owner_id, most=_.segment)
    named = users.mutate(same=_.user_id.count().over(ibis.window(group_by="name")))
    joined = named.left_join(most, named.user_id == most.most_of)
    quota_of = snapshot.table("quotas").select("user_id").distinct()
    by_role = joined.role.isin(roles).fill_null(False) if roles else joined.user_id.isin(quota_of.user_id)
    label = ibis.cases(
        (missing(joined.name), joined.user_id),
        (joined.same > 1, joined.name.concat(" (", joined.user_id, ")")),
        else_=joined.name,
    )
    own_team = ibis.ifelse(joined.team.isin(snapshot.definitions.segment_names), joined.team, ibis.null("string"))
    return joined.select(
        "team",
        "region",
        "role",
        "hired_on",
        "left_on",
        owner_id=joined.user_id,
        owner=label,
        segment=ibis.coalesce(own_team, joined.most),
        is_seller=by_role,
    )


def deal_credits(snapshot: Snapshot) -> ir.Table:
    """Return a row per booked headline deal and seller credited with it.

    Columns: opportunity_id, booked_on, type, deal_segment, credited_to (user key; null for a deal without owner),
    share (0 to 1) and credit (DECIMAL, reporting currency; null where the deal has no amount). Shares are taken in
    proportion where they do not add up to 1, and credits add up to the deal's amount to the cent. Computed once a
    snapshot.
    """
    return snapshot.keep("credits of sellers", lambda: _credits(snapshot))


def _credits(snapshot: Snapshot) -> ir.Table:
    deals = headline(snapshot.deals)
    won = deals.filter((deals.status == "won") & ~missing(deals.booked_on))
    split = snapshot.table("opportunity_splits")
    snapshot.use_columns(["opportunity_splits.share"] if snapshot.has("opportunity_splits") else [])
    shared = split.filter((split.kind.lower() == REVENUE) & (split.share > 0)).select(
        split_of=_.opportunity_id, user_id=_.user_id, part=_.share.cast("float64")
    )
    whole, so_far = (
        ibis.window(group_by="split_of"),
        ibis.window(group_by="split_of", order_by="user_id", preceding=(None, 0), following=None),
    )
    placed = shared.mutate(
        total=shared.part.sum().over(whole),
        last=shared.user_id.max().over(whole),
        upto=shared.part.sum().over(so_far),
    )
    joined = won.left_join(placed, won.opportunity_id == placed.split_of)
    is_whole = missing(joined.split_of) | (joined.user_id == joined["last"])
    before = ibis.ifelse(missing(joined.split_of), 0.0, (joined.upto - joined.part) / joined.total)
    amount = joined.amount.cast("float64")
    upper = ibis.ifelse(is_whole, joined.amount, _cents(amount * joined.upto / joined.total))
    lower = ibis.ifelse(before < 1e-9, ibis.literal(0, "decimal(18, 2)"), _cents(amount * before))
    return joined.select(
        "opportunity_id",
        "booked_on",
        "type",
        deal_segment=joined.segment,
        credited_to=ibis.ifelse(missing(joined.split_of), joined.owner_id, joined.user_id),
        share=ibis.ifelse(missing(joined.split_of), 1.0, joined.part / joined.total),
        credit=(upper - lower).cast("decimal(18, 2)"),
    )


def _cents(value: ir.Value) -> ir.Value:
    return ((value * 100 + 0.5).floor() / 100).cast("decimal(18, 2)")


def credited(snapshot: Snapshot, period: Period) -> ir.Table:
    """The credits of deals booked in a period, with the columns of `sellers`; unknown sellers have nulls there."""
    found, people = deal_credits(snapshot), sellers(snapshot)
    inside = found.filter(within(found.booked_on, period))
    return inside.left_join(people, inside.credited_to == people.owner_id)


def quotas_of(snapshot: Snapshot, period: Period) -> ir.Table:
    """Quotas that touch a period, with the columns of `sellers`: quota (reporting currency) and fits (lies within)."""
    rows, people = snapshot.table("quotas"), sellers(snapshot)
    start, end = ibis.literal(period.start), ibis.literal(period.end)
    touching = rows.filter((rows.period_start <= end) & (rows.period_end >= start))
    money = snapshot.in_reporting_currency(touching, ["quota"])
    fits = (money.period_start >= start) & (money.period_end <= end)
    named = money.select(quota_of=_.user_id, quota=_.quota, fits=fits)
    return named.left_join(people, named.quota_of == people.owner_id)


def seller_months(snapshot: Snapshot, period: Period) -> pd.DataFrame:
    """Return a row a seller employed in the part of a period that is over, in order of owner_id.

    Columns: those of `sellers`, and ramp_months (of the segment sold to; 0 where none is set), share_employed (of the
    period's days so far), equivalent (ramped-seller equivalents: the mean over those days of how far the ramp had come,
    days since hire ÷ ramp length, at most 1, and 0 on days not employed), tenure_months (at the last day) and is_ramped
    (then). A seller whose first day is not known counts as ramped.
    """
    last = min(period.end, snapshot.as_of)
    people = sellers(snapshot)
    frame = people.filter(people.is_seller).order_by("owner_id").to_pyarrow().to_pandas(date_as_object=False)
    first_day, last_day = pd.Timestamp(period.start), pd.Timestamp(last)
    days = (last_day - first_day).days + 1
    hired = pd.to_datetime(frame["hired_on"])
    begins = hired.where(hired > first_day, first_day).fillna(first_day)
    left = pd.to_datetime(frame["left_on"])
    ends = left.where(left < last_day, last_day)
    lengths = frame["segment"].map(snapshot.definitions.ramp_months).fillna(0).to_numpy(dtype=float)
    since = (begins - hired).dt.days.to_numpy(dtype=float)
    number = np.maximum((ends - begins).dt.days.to_numpy(dtype=float) + 1, 0)
    tenure = (ends - hired).dt.days.to_numpy(dtype=float) / DAYS_A_MONTH
    table = frame.assign(
        ramp_months=lengths,
        share_employed=number / days,
        equivalent=_ramped_days(since, number, lengths * DAYS_A_MONTH) / days,
        tenure_months=tenure,
        is_ramped=np.isnan(tenure) | (tenure >= lengths),
    )
    return table[table["share_employed"] > 0].reset_index(drop=True)


def _ramped_days(since: FLOAT, number: FLOAT, length: FLOAT) -> FLOAT:
    """Σ over `number` days from day `since` after hire of min(1, day ÷ length): an arithmetic series, then ones."""
    start = np.nan_to_num(since, nan=np.inf)
    ramping = np.clip(np.ceil(length) - start, 0, number)
    partly = np.where(ramping > 0, ramping * (np.where(np.isinf(start), 0, start) + (ramping - 1) / 2), 0.0)
    return np.asarray(np.divide(partly, length, out=np.zeros(len(length)), where=length > 0) + number - ramping)
