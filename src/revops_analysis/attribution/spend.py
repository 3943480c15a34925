"""What channels and customers cost: credit beside the table `spend`, by month or quarter.

Spend with a channel (or of a campaign that has one) is programme spend: money that was spent on that channel. Spend
without is people, tools and the like: it belongs to no channel, and no rule here hands it out to one. So a return by
channel is a return on programme spend, and a channel run by people alone (outbound calls, say) has none.

A channel's period in which spend is not recorded for every month has no spend, with the reason; it is not 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from revops_analysis.attribution.credit import credit
from revops_analysis.attribution.journeys import with_channels
from revops_analysis.attribution.path_models import markov_totals
from revops_analysis.attribution.recorded_spend import NO_TABLE, lacking, monthly_spend, months_of
from revops_analysis.metrics.deals import missing

if TYPE_CHECKING:
    from revops_analysis.attribution.journeys import Journeys
    from revops_analysis.periods import Period
    from revops_analysis.tables.snapshot import Snapshot

NO_SPEND = "no spend is recorded for the channel"
NO_CUSTOMER = "no customer was won in the period"
NO_CHANNEL = "touches whose channel is not recorded"
WHOLE_CONTRACTS = "amounts are those of whole contracts, not of a year"

PROGRAMME_LABEL = "Programme spend per new customer; leaves out people and tools, so it is not CAC"
CAC_LABEL = "CAC: all sales and marketing spend per new customer, counted by its first booked deal"


@dataclass(frozen=True, eq=False)
class SpendReturns:
    """Cost and return by channel and period, and of the company as a whole; amounts in the reporting currency.

    `channels`, a row a period and channel (None: touches whose channel is not recorded):
    - spend: programme spend (Decimal; missing with the reason);
    - pipeline, deals: credited amount (Decimal) and number of deals created in the period (cohort view);
    - bookings_of_created: what of that pipeline is booked so far (cohort view);
    - bookings, won_deals: credited amount and number of deals booked in the period, whenever created (period view);
    - cost_per_pipeline, cost_per_booking: spend ÷ pipeline, spend ÷ bookings; return_on_spend: bookings ÷ spend;
      cohort_return: bookings_of_created ÷ spend. Missing where the divisor is 0 or missing;
    - is_complete: the period was over by the as-of date; reason: why spend is missing.

    `company`, a row a period: new_customers (accounts whose first new deal was booked in it), new_bookings (Decimal;
    of these deals), programme_spend, all_spend (Decimal), programme_cost_per_customer, cac, payback_months (months of
    gross margin on a new customer's first year that CAC takes), is_complete, reason, payback_reason.
    """

    model: str
    channels: pd.DataFrame
    company: pd.DataFrame
    notes: tuple[str, ...]


def spend_returns(journeys: Journeys, periods: Sequence[Period], model: str | None = None) -> SpendReturns:
    """Return cost and return of the periods under a model (the official one by default).

    A month of spend belongs to the period that contains its 15th day. `markov` credits bookings by period only, so its
    pipeline and cohorts are missing.
    """
    snapshot = journeys.snapshot
    name = model or snapshot.definitions.attribution.official_model
    credited = _chain_credit(journeys, periods) if name == "markov" else _credit(journeys, periods, name)
    spent = monthly_spend(snapshot)
    rows = [row for period in periods for row in _channel_rows(credited, spent, period, snapshot)]
    company = pd.DataFrame([_company_row(snapshot, spent, period) for period in periods])
    return SpendReturns(name, pd.DataFrame(rows, columns=list(_COLUMNS)), company, _notes(snapshot, spent))


_CREDITED = ("period", "channel", "pipeline", "deals", "bookings_of_created", "bookings", "won_deals")


def _credit(journeys: Journeys, periods: Sequence[Period], model: str) -> pd.DataFrame:
    """Credited cents and shares of deals by period and channel, both views; aggregated by day in the engine."""
    shared, deals = credit(journeys, model).shared, journeys.deals
    side = deals.select(
        credited_deal="deal_number",
        created_on="created_on",
        booked_on=ibis.ifelse(deals.status == "won", deals.booked_on, ibis.null("date")),
    )
    rows = with_channels(shared.inner_join(side, shared.deal_number == side.credited_deal), journeys.names)
    won = ~missing(rows.booked_on)
    created = _by_day(
        rows,
        "created_on",
        pipeline=rows.cents.sum(),
        deals=rows.share.sum(),
        bookings_of_created=rows.cents.sum(where=won),
    )
    booked_rows = rows.filter(won)
    booked = _by_day(booked_rows, "booked_on", bookings=booked_rows.cents.sum(), won_deals=booked_rows.share.sum())
    frames = [_in_periods(frame, periods) for frame in (created, booked)]
    both = frames[0].merge(frames[1], how="outer", on=["period", "channel"])
    numbers = both.columns.drop(["period", "channel"])
    return both.assign(**{column: both[column].astype(float).fillna(0.0) for column in numbers})


def _by_day(rows: ir.Table, day: str, **values: ir.Value) -> pd.DataFrame:
    table = rows.group_by(["channel", day]).aggregate(**values).order_by(["channel", day])
    frame = table.to_pyarrow().to_pandas(date_as_object=False).rename(columns={day: "day"})
    return frame.assign(
        day=pd.to_datetime(frame["day"]), channel=frame["channel"].astype(object).where(frame["channel"].notna(), None)
    )


def _in_periods(frame: pd.DataFrame, periods: Sequence[Period]) -> pd.DataFrame:
    bounds = [(pd.Timestamp(period.start), pd.Timestamp(period.end)) for period in periods]
    blocks = [
        frame[frame["day"].between(*bound)].assign(period=period.label)
        for period, bound in zip(periods, bounds, strict=True)
    ]
    kept = [block for block in blocks if len(block)] or blocks[:1]
    inside = pd.concat(kept, ignore_index=True).drop(columns="day")
    return inside.groupby(["period", "channel"], dropna=False, as_index=False, sort=True).sum()


def _chain_credit(journeys: Journeys, periods: Sequence[Period]) -> pd.DataFrame:
    blocks = []
    for period in periods:
        found = markov_totals(journeys, period)
        cents = [float(amount * 100) for amount in found["bookings"]]
        blocks.append(found[["channel", "won_deals"]].assign(period=period.label, bookings=cents))
    frame = pd.concat(blocks, ignore_index=True)
    return frame.assign(**dict.fromkeys(("pipeline", "deals", "bookings_of_created"), np.nan))[list(_CREDITED)]


_COLUMNS = (
    *("period", "channel", "spend", "pipeline", "deals", "bookings_of_created", "bookings", "won_deals"),
    *("cost_per_pipeline", "cost_per_booking", "return_on_spend", "cohort_return", "reason", "is_complete"),
)


def _channel_rows(
    credited: pd.DataFrame, spent: pd.DataFrame, period: Period, snapshot: Snapshot
) -> list[dict[str, object]]:
    mine, wanted = months_of(period, spent)
    mine = mine.dropna(subset=["channel"])
    rows = credited[credited["period"] == period.label].drop(columns="period")
    names = sorted({*rows["channel"].dropna(), *mine["channel"]})
    names = [*names, None] if rows["channel"].isna().any() else names
    found = []
    for name in names:
        costs = mine[mine["channel"] == name]
        cents, reason = _recorded(costs, wanted, spent.empty, name)
        got = rows[rows["channel"].isna() if name is None else rows["channel"] == name].drop(columns="channel")
        numbers = {column: float(got[column].iloc[0]) if len(got) else 0.0 for column in _CREDITED[2:]}
        facts = {"period": period.label, "channel": name, "reason": reason, "is_complete": period.end <= snapshot.as_of}
        found.append({**facts, **_ratios(numbers, cents)})
    return found


def _recorded(
    costs: pd.DataFrame, wanted: set[pd.Timestamp], is_empty: bool, channel: str | None
) -> tuple[int | None, str | None]:
    """Cents of the period, or why they are not known."""
    if channel is None:
        return None, NO_CHANNEL
    if is_empty:
        return None, NO_TABLE
    months = set(costs["month"])
    if not months:
        return None, NO_SPEND
    if months != wanted:
        return None, f"spend is recorded for {len(months)} of {len(wanted)} months"
    return int(costs["cents"].sum()), None


def _ratios(numbers: dict[str, float], cents: int | None) -> dict[str, object]:
    money = {name: _decimal(numbers[name]) for name in ("pipeline", "bookings_of_created", "bookings")}
    spend = np.nan if cents is None else float(cents)
    return {
        "spend": None if cents is None else Decimal(cents).scaleb(-2),
        **money,
        "deals": numbers["deals"],
        "won_deals": numbers["won_deals"],
        "cost_per_pipeline": _ratio(spend, numbers["pipeline"]),
        "cost_per_booking": _ratio(spend, numbers["bookings"]),
        "return_on_spend": _ratio(numbers["bookings"], spend),
        "cohort_return": _ratio(numbers["bookings_of_created"], spend),
    }


def _decimal(cents: float) -> Decimal | None:
    return None if np.isnan(cents) else Decimal(round(cents)).scaleb(-2)


def _ratio(top: float, bottom: float) -> float:
    return top / bottom if np.isfinite(bottom) and bottom != 0 else np.nan


def _company_row(snapshot: Snapshot, spent: pd.DataFrame, period: Period) -> dict[str, object]:
    mine, wanted = months_of(period, spent)
    customers, cents = _new_customers(snapshot, period)
    reason = lacking(mine, wanted, spent.empty)
    programme, whole = int(mine["cents"][mine["channel"].notna()].sum()), int(mine["cents"].sum())
    cac = np.nan if reason or not customers else whole / 100 / customers
    margin = cents / 100 / customers / 12 * snapshot.definitions.gross_margin if customers else np.nan
    payback_reason = None if np.isfinite(cac) else reason or NO_CUSTOMER
    if snapshot.definitions.amount_basis == "tcv":
        margin, payback_reason = np.nan, payback_reason or WHOLE_CONTRACTS
    return {
        "period": period.label,
        "new_customers": customers,
        "new_bookings": Decimal(cents).scaleb(-2),
        "programme_spend": None if reason else Decimal(programme).scaleb(-2),
        "all_spend": None if reason else Decimal(whole).scaleb(-2),
        "programme_cost_per_customer": np.nan if reason or not customers else programme / 100 / customers,
        "cac": cac,
        "payback_months": _ratio(cac, margin),
        "is_complete": period.end <= snapshot.as_of,
        "reason": reason or (None if customers else NO_CUSTOMER),
        "payback_reason": payback_reason,
    }


def _new_customers(snapshot: Snapshot, period: Period) -> tuple[int, int]:
    """How many accounts had their first new deal booked in the period, and the cents of these first deals.

    A deal without account is a customer of its own.
    """
    deals = snapshot.deals
    won = deals.filter((deals.type == "new") & (deals.status == "won") & ~missing(deals.booked_on))
    customer = ibis.coalesce(won.account_id, ibis.literal("deal ") + won.opportunity_id)
    order = ibis.window(group_by="customer", order_by=["booked_on", "opportunity_id"])
    numbered = won.mutate(customer=customer).mutate(number=ibis.row_number().over(order))
    first = numbered.filter((numbered.number == 0) & numbered.booked_on.between(period.start, period.end))
    found = first.aggregate(customers=first.count(), cents=(first.amount * 100).cast("int64").sum())
    row = found.to_pyarrow().to_pylist()[0]
    return int(row["customers"]), int(row["cents"] or 0)


def _notes(snapshot: Snapshot, spent: pd.DataFrame) -> tuple[str, ...]:
    if spent.empty:
        return (f"Cost and return cannot be shown: {NO_TABLE}. Load the table spend to see them.",)
    people = Decimal(int(spent["cents"][spent["channel"].isna()].sum())).scaleb(-2)
    currency = snapshot.definitions.reporting_currency
    if not people:
        return ()
    return (
        f"{people:,.0f} {currency} of all recorded spend is of no channel (people, tools): it is in CAC, and in no "
        "channel's return.",
    )
