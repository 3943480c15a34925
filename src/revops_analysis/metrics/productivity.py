"""Productivity: what sellers are credited with, against quota, per ramped seller, and quotas against the plan.

Source: METRICS, Productivity. Figures of sellers are cut by the seller's name, team, region, role and segment sold to.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import ibis
import ibis.expr.types as ir
import pandas as pd

from revops_analysis.metrics.coverage import targets_of
from revops_analysis.metrics.deals import grouped, ratio_by, sums
from revops_analysis.metrics.registry import Metric, MetricRequest, nothing, register
from revops_analysis.metrics.sellers import SELLER_DIMENSIONS, credited, quotas_of, seller_months, sellers

FAMILY = "Productivity"
NO_QUOTA = "no quota for the period"
_MISFIT = "some quotas are for periods that do not lie within this one"


def _credited_bookings(request: MetricRequest) -> pd.DataFrame:
    cut = request.cut(credited(request.snapshot, request.period))
    return sums(grouped(cut, request.keys, value=cut.credit.sum(), n=cut.count(), priced=cut.credit.count()))


def _quota(request: MetricRequest) -> pd.DataFrame:
    frame = _quota_sums(request)
    if frame.empty:
        return nothing(request, NO_QUOTA)
    return frame.assign(value=frame["quota"].where(frame["misfit"] == 0), reason=_why(frame))


def _quota_sums(request: MetricRequest) -> pd.DataFrame:
    """[*by, quota, misfit (quotas that do not lie within the period), n (sellers)], a row a cut with quotas."""
    cut = request.cut(quotas_of(request.snapshot, request.period))
    frame = grouped(cut, request.keys, quota=cut.quota.sum(), misfit=(~cut.fits).sum(), n=cut.quota_of.nunique())
    return frame[frame["n"] > 0].reset_index(drop=True)


def _why(frame: pd.DataFrame) -> pd.Series:
    reason = pd.Series(None, index=frame.index, dtype=object)
    return reason.mask(frame["misfit"] > 0, _MISFIT).mask(frame["quota"].astype(float) == 0, "the quota is 0")


def _attainment(request: MetricRequest) -> pd.DataFrame:
    """Credited bookings of sellers with a quota ÷ their quotas; the others count on neither side."""
    cut = request.cut(_against_quota(request))
    frame = grouped(
        cut, request.keys, quota=cut.quota.sum(), misfit=cut.misfit.sum(), credit=cut.credit.sum(), n=cut.deals.sum()
    )
    if frame.empty or frame["quota"].isna().all():
        return nothing(request, NO_QUOTA)
    reason = _why(frame.fillna({"misfit": 0}))
    value = frame["credit"].astype(float) / frame["quota"].astype(float).where(reason.isna())
    return frame.assign(value=value, reason=reason)


def _against_quota(request: MetricRequest) -> ir.Table:
    """A row a seller with a quota that touches the period: quota, misfit, credit and deals, and who it is."""
    quotas = quotas_of(request.snapshot, request.period)
    one = quotas.group_by("quota_of").aggregate(quota=quotas.quota.sum(), misfit=(~quotas.fits).sum())
    done = credited(request.snapshot, request.period)
    won = done.group_by("credited_to").aggregate(credit=done.credit.sum(), deals=done.count())
    people = sellers(request.snapshot)
    both = one.left_join(won, one.quota_of == won.credited_to).left_join(people, one.quota_of == people.owner_id)
    return both.mutate(credit=both.credit.fill_null(ibis.literal(0, "decimal(18, 2)")), deals=both.deals.fill_null(0))


def _quota_coverage(request: MetricRequest) -> pd.DataFrame:
    targets = targets_of(request)
    if isinstance(targets, str):
        return nothing(request, targets)
    quotas = _quota_sums(request)
    if quotas.empty:
        return nothing(request, NO_QUOTA)
    by = list(request.by)
    both = targets.drop(columns="n").merge(quotas, on=by, how="outer") if by else targets[["target"]].join(quotas)
    target, quota = both["target"].astype(float), both["quota"].astype(float)
    reason = pd.Series(None, index=both.index, dtype=object).mask(both["misfit"].fillna(0) > 0, _MISFIT)
    reason = reason.mask(target.isna(), "no target is set for it").mask(quota.isna(), NO_QUOTA)
    return both.assign(value=(quota / target.where(target > 0)).where(reason.isna()), reason=reason)


def _ramped_sellers(request: MetricRequest) -> pd.DataFrame:
    frame = _months(request)
    if request.by:
        found = frame.groupby(list(request.by), dropna=False)["equivalent"].agg(["sum", "size"]).reset_index()
        return found.rename(columns={"sum": "value", "size": "n"})
    if frame.empty:
        return nothing(request, "no seller was employed in the period")
    return pd.DataFrame({"value": [frame["equivalent"].sum()], "n": [len(frame)]})


def _months(request: MetricRequest) -> pd.DataFrame:
    """The rows of `seller_months` that the filter lets pass."""
    frame = seller_months(request.snapshot, request.period)
    if not request.where:
        return frame
    kept = request.cut(sellers(request.snapshot)).select("owner_id").to_pandas()["owner_id"]
    return frame[frame["owner_id"].isin(kept)].reset_index(drop=True)


def _productivity(request: MetricRequest) -> pd.DataFrame:
    months = _months(request)
    whole = replace(request, by=("owner_id",))
    cut = whole.cut(credited(request.snapshot, request.period))
    won = grouped(cut, ["owner_id"], credit=cut.credit.sum())
    rows = months.merge(won, on="owner_id", how="left")
    rows = rows.assign(credit=rows["credit"].astype(float).fillna(0.0))
    ramped = rows[rows["equivalent"] > 0]
    if ramped.empty:
        return nothing(request, "no seller was employed in the period")
    return ratio_by(ramped, list(request.by), "credit", "equivalent")


_seller_metric = partial(
    Metric, grain="seller", family=FAMILY, dimensions=dict(SELLER_DIMENSIONS), tables=("opportunities", "users")
)

register(
    _seller_metric(
        name="credited_bookings",
        title="Credited bookings",
        description="Bookings as credited to sellers: shared by revenue splits, and the owner's where there are none. "
        "Headline types.",
        formula="Σ over deals booked in P of amount × revenue share; adds up to the bookings, to the cent",
        unit="currency",
        compute=_credited_bookings,
        additive=True,
    )
)
register(
    _seller_metric(
        name="quota",
        title="Quotas",
        description="Sum of the quotas of sellers for the period, as assigned.",
        formula="Σ quotas whose period lies within P",
        unit="currency",
        compute=_quota,
        span="outlook",
        tables=("users", "quotas"),
    )
)
register(
    _seller_metric(
        name="attainment",
        title="Quota attainment",
        description="Credited bookings of the sellers with a quota for the period, per unit of their quotas; to date "
        "where the period is not over. Sellers without quota count on neither side.",
        formula="Σ credited bookings in P ÷ Σ quotas of P, sellers with a quota",
        unit="rate",
        compute=_attainment,
        tables=("opportunities", "users", "quotas"),
    )
)
register(
    _seller_metric(
        name="quota_coverage",
        title="Quota coverage",
        description="Sum of the quotas per unit of the bookings target: below 1 part of the target is nobody's.",
        formula="Σ quotas of P ÷ target of P",
        unit="ratio",
        compute=_quota_coverage,
        span="outlook",
        tables=("opportunities", "users", "quotas", "targets"),
        dimensions={name: name for name in ("segment", "team", "region")},
    )
)
register(
    _seller_metric(
        name="ramped_sellers",
        title="Ramped-seller equivalents",
        description="Sellers employed in the period, each counted by the part of it employed and by how far the ramp "
        "had come. A seller whose first day is not known counts as ramped.",
        formula="Σ over sellers of the mean over days of P of min(1, days since hire ÷ ramp length)",
        unit="ratio",
        compute=_ramped_sellers,
        additive=True,
    )
)
register(
    _seller_metric(
        name="productivity",
        title="Bookings per ramped seller",
        description="Credited bookings per ramped-seller equivalent in the period; bootstrap interval over sellers.",
        formula="Σ credited bookings in P ÷ Σ ramped-seller equivalents in P, sellers employed in P",
        unit="currency",
        compute=_productivity,
    )
)
