"""What changed in a forecast since a week earlier: deal by deal, and adding up to the difference.

Both days are told by the same model and the same choice, so that nothing changes but what was known. A deal that stayed
open changes by p_then × (v_now − v_then), its amount, and by (p_now − p_then) × v_now, its probability, with p the
probability and v the value if it is won.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from revops_analysis.models.bookings_model import Expectation
from revops_analysis.models.cutoffs import Cutoff
from revops_analysis.models.forecast_at import expectation, has_cutoff, retell
from revops_analysis.models.forecast_groups import booked_deals
from revops_analysis.models.forecaster import NotPossible
from revops_analysis.tables.days import business_day

if TYPE_CHECKING:
    from revops_analysis.models.forecast import BookingsForecast
    from revops_analysis.tables.snapshot import Snapshot

LINES: dict[str, str] = {
    "won": "Won: open a week ago, booked now",
    "created": "Created since",
    "lost": "Lost, deleted or no longer in the period",
    "amount": "Amounts of open deals",
    "probability": "Probabilities of open deals",
    "booked": "Changes of booked deals",
    "reopened": "Reopened",
    "later": "Deals not yet created",
    "other": "Reopened and restated deals, as in past periods",
    "selection": "Selection: the forecast's difference from the deal model's own",
}
"""Line → what readers see, in order. The first seven are sums over deals."""

DEAL_COLUMNS = ("opportunity_id", "name", "account_name", "line", "before", "after", "change")
LINE_COLUMNS = ("line", "title", "change", "n")


@dataclass(frozen=True, eq=False)
class ForecastChanges:
    """The difference between a forecast and the same a week earlier; reporting currency.

    `lines`: line, title, change, n (deals; null where no deals are counted), a row each of `LINES`; the changes add up
    to `after` − `before`. `deals`: opportunity_id, name, account_name, line, before, after, change, largest first; a
    deal whose amount and probability both changed has a row each. Without a comparison `before` is null, the frames
    are empty and `reason` says why.
    """

    since: date
    before: float | None
    after: float
    lines: pd.DataFrame
    deals: pd.DataFrame
    reason: str | None = None

    @property
    def change(self) -> float | None:
        """`after` − `before`."""
        return None if self.before is None else self.after - self.before


def forecast_changes(snapshot: Snapshot, forecast: BookingsForecast) -> ForecastChanges:
    """Explain what changed in `forecast` since seven days earlier; see `ForecastChanges`.

    `snapshot` is the workspace that it was made from. The eve of the period counts as its beginning. A deal that
    leaves one day's sums for another period's is among the lost.

    In a notebook: `forecast_changes(ws, forecast).lines["change"].sum()`
    """
    day = forecast.cutoff.day - timedelta(days=7)
    reason = _not_comparable(forecast, day)
    if reason:
        return _none(day, forecast, reason)
    then, now = retell(forecast, snapshot.definitions, day), expectation(forecast, forecast.cutoff.day)
    if isinstance(then, NotPossible):
        return _none(day, forecast, then.reason)
    if isinstance(now, NotPossible):
        return _none(day, forecast, now.reason)
    expected = then.expected, now[1]
    deals = _deal_changes(_both_days(snapshot, expected))
    lines = _lines(deals, expected, then.chosen["mean"], forecast.mean)
    return ForecastChanges(day, then.chosen["mean"], forecast.mean, lines, _named(snapshot, deals))


def _none(day: date, forecast: BookingsForecast, reason: str) -> ForecastChanges:
    """No comparison, and why."""
    lines, deals = pd.DataFrame(columns=list(LINE_COLUMNS)), pd.DataFrame(columns=list(DEAL_COLUMNS))
    return ForecastChanges(day, None, forecast.mean, lines, deals, reason)


def _not_comparable(forecast: BookingsForecast, day: date) -> str:
    """Why the forecast cannot be compared with that of `day`; empty if it can."""
    period = forecast.cutoff.period
    cutoff = Cutoff(day, period)
    if forecast.fitted is not None and not has_cutoff(forecast.evidence, cutoff):
        return f"The data has nothing for {day.isoformat()}, a week earlier."
    if cutoff.offset < -1:
        first = period.start + timedelta(days=6)
        return (
            f"{period.label} had not begun on {day.isoformat()}, a week earlier: changes are shown from "
            f"{first.isoformat()} on."
        )
    return ""


def _both_days(snapshot: Snapshot, expected: tuple[Expectation, Expectation]) -> pd.DataFrame:
    """A row a deal that was open or booked on either day: open, p, value and booked on each, and whether it is new."""
    sides = [_one_day(snapshot, side, name) for side, name in zip(expected, ("then", "now"), strict=True)]
    both = sides[0].merge(sides[1], on="opportunity_id", how="outer", sort=True)
    flags = [name for name in both.columns if name.startswith(("is_open", "is_booked"))]
    both[flags] = both[flags].astype("boolean").fillna(False).astype(bool)
    numbers = [name for name in both.columns if name.startswith(("p_", "value_", "booked_"))]
    both[numbers] = both[numbers].astype("float64").fillna(0.0)
    deals, zone = snapshot.table("opportunities"), snapshot.definitions.business_time_zone
    created = deals.select("opportunity_id", created_on=business_day(deals.created_at, zone))
    days = created.to_pyarrow().to_pandas(date_as_object=False)
    new = both.merge(days, on="opportunity_id", how="left")["created_on"] > pd.Timestamp(expected[0].cutoff.day)
    return both.assign(is_new=new.to_numpy())


def _one_day(snapshot: Snapshot, expected: Expectation, name: str) -> pd.DataFrame:
    booked = booked_deals(snapshot.at(expected.cutoff.day), expected.cutoff)
    sure = booked.rename(columns={"amount": f"booked_{name}"}).assign(**{f"is_booked_{name}": True})
    opened = expected.deals[["opportunity_id", "probability", "value"]].assign(**{f"is_open_{name}": True})
    opened = opened.rename(columns={"probability": f"p_{name}", "value": f"value_{name}"})
    return opened.merge(sure, on="opportunity_id", how="outer")


def _deal_changes(both: pd.DataFrame) -> pd.DataFrame:
    """[opportunity_id, line, before, after, change], a row a deal and line; rows without a change are left out."""
    before = both["p_then"] * both["value_then"] + both["booked_then"]
    after = both["p_now"] * both["value_now"] + both["booked_now"]
    stayed = both["is_open_then"] & both["is_open_now"]
    cases = {
        "created": both["is_new"],
        "booked": both["is_booked_then"],
        "won": both["is_open_then"] & both["is_booked_now"],
        "lost": both["is_open_then"] & ~both["is_open_now"],
    }
    line = np.select(list(cases.values()), list(cases), "reopened")
    frame = pd.DataFrame({"opportunity_id": both["opportunity_id"], "line": line, "before": before, "after": after})
    between = both["p_then"] * both["value_now"]
    parts = (
        frame[~stayed],
        frame[stayed].assign(line="amount", after=between[stayed]),
        frame[stayed].assign(line="probability", before=between[stayed]),
    )
    whole = pd.concat(parts, ignore_index=True)
    whole = whole.assign(change=whole["after"] - whole["before"])
    return whole[whole["change"] != 0]


def _lines(deals: pd.DataFrame, expected: tuple[Expectation, Expectation], before: float, after: float) -> pd.DataFrame:
    """A row each of `LINES`. What the deals' sums miss of the days' certain amounts joins the booked line."""
    grouped = deals.groupby("line")["change"]
    sums, counts = grouped.sum().to_dict(), grouped.size().to_dict()
    old, new = expected
    other = [float(side.other.mean()) if len(side.other) else 0.0 for side in expected]
    sums |= {"later": new.later.mean - old.later.mean, "other": other[1] - other[0]}
    missed = (new.mean - old.mean) - sum(sums.values())
    moved = sums.get("booked", 0.0) + missed
    sums["booked"] = moved if abs(moved) >= 0.005 else 0.0  # less than half a cent is the noise of adding up
    sums["selection"] = (after - new.mean) - (before - old.mean)
    rows = [
        {"line": line, "title": title, "change": float(sums.get(line, 0.0))}
        | {"n": None if line in ("later", "other", "selection") else int(counts.get(line, 0))}
        for line, title in LINES.items()
    ]
    return pd.DataFrame(rows, columns=list(LINE_COLUMNS)).astype({"n": "Int64"})


def _named(snapshot: Snapshot, deals: pd.DataFrame) -> pd.DataFrame:
    """The deals with the names that readers know, largest change first; deleted deals have none."""
    snapshot.use_columns(["name", "account_name"])
    words = snapshot.deals.select("opportunity_id", "name", "account_name").to_pandas()
    named = deals.merge(words, on="opportunity_id", how="left")
    ordered = named.assign(size=-named["change"].abs()).sort_values(["size", "opportunity_id", "line"], kind="stable")
    return ordered[list(DEAL_COLUMNS)].reset_index(drop=True)
