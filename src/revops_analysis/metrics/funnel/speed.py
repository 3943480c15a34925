"""Speed to lead: how long passed leads wait for a first answer, and what waiting costs.

A lead that nobody answered has no minutes: it is counted, as late once the agreed time is over, and never as 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from revops_analysis.metrics.deals import missing, within
from revops_analysis.metrics.funnel.leads import lead_table
from revops_analysis.periods import Period, end_of_day_utc

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

NO_RESPONSES = "the source records no first response of any lead"
BAND_EDGES = (15.0, 60.0, 240.0, 1440.0)
"""Minutes at which the bands of waiting end; the agreed time is added where it is none of them."""

LANDMARKS = (1.0, 4.0, 24.0)
"""Waiting is judged at these multiples of the agreed time."""

MINIMUM_LEADS = 50
"""With fewer passed leads nothing is said of the effect of waiting."""


@dataclass(frozen=True, eq=False)
class SpeedToLead:
    """How fast passed leads are answered, and what it does to their becoming a deal.

    bands    a row a band of waiting time: band, n, deals (so far), rate, low, high (Wilson), in order, unanswered last.
    effects  a row a landmark: minutes (after passing), answered_rate and waiting_rate (share that became a deal within
             the horizon, of leads answered by then and of those still waiting), difference, low, high, p_value,
             p_adjusted, n_answered, n_waiting, reason. Leads that had left by the landmark, and those not yet watched
             to the horizon, are not in it.
    agreed_minutes, horizon_days; reason: why there is nothing.
    """

    bands: pd.DataFrame
    effects: pd.DataFrame
    agreed_minutes: int
    horizon_days: int
    period: Period
    reason: str | None = None


def records_responses(snapshot: Snapshot) -> bool:
    """Whether the source records the first response of any lead."""
    return bool(snapshot.once("responses of leads", lambda: _any_response(snapshot)))


def _any_response(snapshot: Snapshot) -> bool:
    leads = lead_table(snapshot)
    return bool(leads.filter(leads.is_answered).limit(1).count().to_pyarrow().as_py())


def judged(snapshot: Snapshot, leads: ir.Table, minutes: float) -> ir.Table:
    """Passed leads of which it is known whether they were answered within so many minutes, with in_time.

    A lead passed less than that before the end of the as-of date, and not answered, is not yet judged.
    """
    end = ibis.literal(end_of_day_utc(snapshot.as_of, snapshot.definitions.business_time_zone), "timestamp(6)")
    waited = (end.epoch_seconds() - leads.passed_at.epoch_seconds()).cast("float64") / 60.0
    in_time = (leads.minutes <= minutes).fill_null(False)
    known = (leads.is_answered & ~missing(leads.minutes)) | (~leads.is_answered & (waited > minutes))
    return leads.filter(leads.is_passed & known).mutate(in_time=in_time)


def speed_to_lead(snapshot: Snapshot, period: Period) -> SpeedToLead:
    """Waiting times of the leads passed in `period`, and the measured effect of waiting on becoming a deal.

    The effect is a landmark comparison (see `statistics.landmark`): among leads passed and neither refused nor a deal
    at the landmark, those answered by then against those still waiting, within source and quarter of passing. Comparing
    leads by the waiting time they had in the end would mislead, as a refused lead waits for nothing any more.
    """
    agreed = snapshot.definitions.speed_to_lead_minutes
    horizon = snapshot.definitions.conversion_horizon_days
    reason = _why_not(snapshot)
    frame = pd.DataFrame() if reason else _frame(snapshot, period)
    if not reason and len(frame) < MINIMUM_LEADS:
        reason = f"{len(frame)} leads were passed in {period.label}; {MINIMUM_LEADS} are needed"
    if reason:
        return SpeedToLead(
            pd.DataFrame(columns=_BANDS), pd.DataFrame(columns=_EFFECTS), agreed, horizon, period, reason
        )
    effects = _effects(frame, agreed, (horizon, snapshot.as_of))
    return SpeedToLead(_bands(frame, agreed), effects, agreed, horizon, period)


_BANDS = ["band", "n", "deals", "rate", "low", "high"]
_EFFECTS = [
    *("minutes", "answered_rate", "waiting_rate", "difference", "low", "high", "p_value", "p_adjusted"),
    *("n_answered", "n_waiting", "n_left_out", "reason"),
]


def _why_not(snapshot: Snapshot) -> str | None:
    if not snapshot.has("leads"):
        return "the source has no leads table"
    return None if records_responses(snapshot) else NO_RESPONSES


def _frame(snapshot: Snapshot, period: Period) -> pd.DataFrame:
    """A row a passed lead: what is needed to compare; at lead grain, so a frame."""
    leads = lead_table(snapshot)
    passed = leads.filter(leads.is_passed & within(leads.qualified_on, period))
    passed = passed.filter(~missing(passed.minutes) | ~passed.is_answered)
    deal_at = ibis.coalesce(passed.converted_at, passed.deal_on.cast("timestamp(6)"))
    passed = passed.mutate(deal_at=deal_at)
    columns = ["lead_id", "source", "qualified_on", "passed_at", "deal_on", "deal_at", "refused_at", "minutes"]
    return passed.select(*columns).order_by("lead_id").to_pandas()


def _bands(frame: pd.DataFrame, agreed: int) -> pd.DataFrame:
    from revops_analysis.statistics.intervals import wilson_interval

    edges = sorted({*BAND_EDGES, float(agreed)})
    names = [f"up to {_span(edge)}" for edge in edges] + [f"over {_span(edges[-1])}", "not answered"]
    place = np.searchsorted(edges, frame["minutes"].to_numpy(dtype=float), side="left")
    band = np.where(frame["minutes"].isna(), len(names) - 1, place)
    counts = pd.DataFrame({"band": band, "deal": frame["deal_on"].notna().to_numpy()})
    grouped = counts.groupby("band")["deal"].agg(["size", "sum"]).reindex(range(len(names)), fill_value=0)
    low, high = wilson_interval(grouped["sum"], grouped["size"])
    n = grouped["size"].to_numpy()
    rate = np.divide(grouped["sum"].to_numpy(float), n, out=np.full(len(n), np.nan), where=n > 0)
    return pd.DataFrame(
        {"band": names, "n": n, "deals": grouped["sum"].to_numpy(), "rate": rate, "low": low, "high": high}
    )


def _span(minutes: float) -> str:
    """A length of time in the largest unit that keeps it whole.

    >>> _span(15), _span(60), _span(1440)
    ('15 minutes', '1 hour', '1 day')
    """
    for size, unit in ((1440, "day"), (60, "hour")):
        if minutes >= size and minutes % size == 0:
            return f"{minutes / size:g} {unit}{'' if minutes == size else 's'}"
    return f"{minutes:g} minute{'' if minutes == 1 else 's'}"


def _effects(frame: pd.DataFrame, agreed: int, watched: tuple[int, object]) -> pd.DataFrame:
    """A landmark comparison at each multiple of the agreed time; false discovery controlled over them."""
    from revops_analysis.statistics.false_discovery import benjamini_hochberg
    from revops_analysis.statistics.landmark import LandmarkColumns, landmark_comparison

    columns = LandmarkColumns("lead_id", "outcome", ("source", "quarter"))
    rows = []
    for times in LANDMARKS:
        effect = landmark_comparison(_at_landmark(frame, agreed * times, watched), "answered", columns)
        rows.append(
            {
                "minutes": agreed * times,
                "answered_rate": effect.rate_flagged,
                "waiting_rate": effect.rate_unflagged,
                **{name: getattr(effect, name) for name in ("difference", "low", "high", "p_value")},
                "n_answered": effect.n_flagged,
                "n_waiting": effect.n_unflagged,
                "n_left_out": effect.n_left_out,
                "reason": effect.reason,
            }
        )
    found = pd.DataFrame(rows)
    numbers = ["answered_rate", "waiting_rate", "difference", "low", "high", "p_value"]
    found[numbers] = found[numbers].astype("float64")
    return found.assign(p_adjusted=benjamini_hochberg(found["p_value"].to_numpy()))[_EFFECTS]


def _at_landmark(frame: pd.DataFrame, minutes: float, watched: tuple[int, object]) -> pd.DataFrame:
    """Leads still there at the landmark and watched to the horizon: answered, outcome, source, quarter."""
    horizon, as_of = watched
    passed, deal, refused = (pd.to_datetime(frame[name]) for name in ("passed_at", "deal_at", "refused_at"))
    landmark = passed + pd.to_timedelta(minutes, unit="min")
    last = landmark + pd.Timedelta(days=horizon)
    stays = ~(deal <= landmark) & ~(refused <= landmark) & (last <= pd.Timestamp(as_of))  # type: ignore[arg-type]
    rows = frame[stays]
    return pd.DataFrame(
        {
            "lead_id": rows["lead_id"],
            "answered": (rows["minutes"] <= minutes).astype(bool),
            "outcome": (deal[stays] <= last[stays]).astype(float),
            "source": rows["source"].fillna("not given"),
            "quarter": pd.to_datetime(rows["qualified_on"]).dt.to_period("Q").astype(str),
        }
    )
