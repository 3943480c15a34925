"""The ramp curve: credited bookings a month by months since hire, against those of ramped sellers of the segment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from revops_analysis.metrics.sellers import deal_credits, sellers
from revops_analysis.periods import DAYS_A_MONTH
from revops_analysis.statistics.bootstrap import bootstrap_ratio

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

BAND, LAST = 3, 24
"""Months that are taken together, and the last month shown; what comes later is `ramped` only."""

SEED = 0
_COLUMNS = ("segment", "months", "first_month", "value", "low", "high", "share", "sellers", "reason")


@dataclass(frozen=True, eq=False)
class RampCurve:
    """Bookings of sellers by tenure.

    `frame`: a row a segment sold to and band of tenure months: segment, months ('0–2'), first_month, value (credited
    bookings a seller and month, reporting currency) with its 95% bootstrap interval over sellers, low and high (null
    with fewer than five sellers), share (of the value of ramped sellers: those past the ramp length), sellers and
    reason. `ramped`: segment → bookings a month of ramped sellers. `lengths`: segment → ramp months of the definitions.
    """

    frame: pd.DataFrame
    ramped: dict[str, float]
    lengths: dict[str, int]
    reason: str | None = None


def ramp_curve(snapshot: Snapshot) -> RampCurve:
    """The ramp curve by segment over all recorded bookings up to the as-of date.

    Only time on record counts: months of a seller before the first recorded booking are no exposure. Sellers whose
    first day or segment is not known are left out.
    """
    people = sellers(snapshot)
    chosen = people.filter(people.is_seller).drop_null(["hired_on", "segment"]).order_by("owner_id")
    frame = chosen.to_pyarrow().to_pandas(date_as_object=False)
    credit = deal_credits(snapshot).drop_null(["credit"]).select("credited_to", "booked_on", "credit").to_pandas()
    lengths = dict(snapshot.definitions.ramp_months)
    if frame.empty or credit.empty:
        why = "no seller's first day is known" if frame.empty else "nothing was booked"
        return RampCurve(pd.DataFrame(columns=list(_COLUMNS)), {}, lengths, why)
    exposure = _exposure(frame, pd.to_datetime(credit["booked_on"]).min(), pd.Timestamp(snapshot.as_of))
    money = _money(frame, credit, exposure.shape[1])
    rows, ramped = [], {}
    for segment in sorted(frame["segment"].unique()):
        mine = (frame["segment"] == segment).to_numpy()
        late = slice(lengths.get(segment, 0), None)
        months = exposure[mine, late].sum()
        ramped[segment] = float(money[mine, late].sum() / months) if months > 0 else float("nan")
        rows += [_band(segment, first, (money[mine], exposure[mine]), ramped) for first in range(0, LAST, BAND)]
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    return RampCurve(table, ramped, lengths)


def _exposure(frame: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> np.ndarray:
    """[seller × tenure month]: the part of each month since hire that lies on record and in employment."""
    hired = pd.to_datetime(frame["hired_on"])
    left = pd.to_datetime(frame["left_on"])
    left = left.where(left < last, last)
    begins = (hired.where(hired > first, first) - hired).dt.days.to_numpy(dtype=float)[:, None] / DAYS_A_MONTH
    ends = ((left - hired).dt.days.to_numpy(dtype=float)[:, None] + 1) / DAYS_A_MONTH
    month = np.arange(int(np.ceil(max(float(ends.max()), 1.0))))[None, :]
    return np.clip(np.minimum(ends, month + 1) - np.maximum(begins, month), 0, None)


def _money(frame: pd.DataFrame, credit: pd.DataFrame, months: int) -> np.ndarray:
    """[seller × tenure month]: credited bookings; those booked after a seller left count in the last month."""
    rows = credit.merge(
        frame[["owner_id", "hired_on"]].reset_index(names="place"), left_on="credited_to", right_on="owner_id"
    )
    tenure = (pd.to_datetime(rows["booked_on"]) - pd.to_datetime(rows["hired_on"])).dt.days / DAYS_A_MONTH
    money = np.zeros((len(frame), months))
    at = np.clip(np.floor(tenure.to_numpy(dtype=float)).astype(np.int64), 0, months - 1)
    np.add.at(money, (rows["place"].to_numpy(), at), rows["credit"].astype(float).to_numpy())
    return money


def _band(
    segment: str, first: int, found: tuple[np.ndarray, np.ndarray], ramped: dict[str, float]
) -> dict[str, object]:
    money, exposure = (part[:, first : first + BAND].sum(axis=1) for part in found)
    seen = exposure > 0
    row: dict[str, object] = {
        "segment": segment,
        "months": f"{first}–{first + BAND - 1}",
        "first_month": first,
        "sellers": int(seen.sum()),
    }
    if not seen.any():
        return row | {"reason": "no seller was seen at that tenure"}
    result = bootstrap_ratio(money[seen], exposure[seen], SEED)
    value = float(money[seen].sum() / exposure[seen].sum())
    has_range = seen.sum() >= 5
    return row | {
        "value": value,
        "low": result.low if has_range else None,
        "high": result.high if has_range else None,
        "share": value / ramped[segment] if ramped[segment] > 0 else None,
    }
