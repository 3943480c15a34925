"""What journeys look like: how many touches, people and days, which paths are common, and where they begin and end."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from revops_analysis.attribution.deal_paths import DealPaths, deal_paths
from revops_analysis.attribution.paths import distinct_channels

if TYPE_CHECKING:
    from revops_analysis.attribution.journeys import Journeys
    from revops_analysis.periods import Period

COMMON = 10
"""How many paths are listed."""

MISSING_STEP = "not recorded"
_LONGEST_TEXT = 4


@dataclass(frozen=True, eq=False)
class JourneyShapes:
    """The journeys of deals booked in a period; amounts in the reporting currency.

    - `lengths`: measure, median, p10, p90, n, of touches, people, and whole days from the first touch to the deal's
      creation and to its booking. People are counted where they are known;
    - `common`: path (its channels in the order in which they were first met, cut after four), deals_won, bookings
      (Decimal), deals_closed (all that ended in the period by that path) and win_rate, the most deals won first;
    - `flow`: first, last (channel of the first and the last touch; None: not recorded), deals_won, bookings (Decimal).
    """

    lengths: pd.DataFrame
    common: pd.DataFrame
    flow: pd.DataFrame


def journey_shapes(journeys: Journeys, period: Period) -> JourneyShapes:
    """Describe the journeys of what was booked in the period; empty frames where nothing was."""
    known = deal_paths(journeys)
    closed = known.deals["closed_on"].between(pd.Timestamp(period.start), pd.Timestamp(period.end)).to_numpy()
    rows = np.flatnonzero(closed)
    return JourneyShapes(_lengths(journeys, period), _common(known, rows), _flow(known, rows[known.won[rows] == 1]))


def _lengths(journeys: Journeys, period: Period) -> pd.DataFrame:
    deals, touches = journeys.deals, journeys.touches
    booked = deals.filter((deals.status == "won") & deals.booked_on.between(period.start, period.end))
    side = booked.select("created_on", "booked_on", booked_deal="deal_number")
    joined = touches.inner_join(side, touches.deal_number == side.booked_deal)
    found = joined.group_by("deal_number").aggregate(
        touches=joined.count(),
        people=joined.contact_id.nunique(),
        to_creation=joined.created_on.max().delta(joined.day.min(), unit="day"),
        to_booking=joined.booked_on.max().delta(joined.day.min(), unit="day"),
    )
    frame = found.order_by("deal_number").to_pyarrow().to_pandas()
    frame["people"] = frame["people"].where(frame["people"] > 0)
    words = {
        "touches": "Touches",
        "people": "People",
        "to_creation": "Days from first touch to creation",
        "to_booking": "Days from first touch to booking",
    }
    rows = []
    for column, word in words.items():
        values = frame[column].dropna().astype(float)
        spread = values.quantile([0.5, 0.1, 0.9]).tolist()
        rows.append({"measure": word, "median": spread[0], "p10": spread[1], "p90": spread[2], "n": len(values)})
    return pd.DataFrame(rows)


def _common(known: DealPaths, rows: np.ndarray) -> pd.DataFrame:
    """Deals by the channels of their path."""
    columns = ["path", "deals_won", "bookings", "deals_closed", "win_rate"]
    texts = _texts(known)
    frame = pd.DataFrame(
        {
            "path": texts[known.paths.path_of[rows]],
            "won": known.won[rows].astype("int64"),
            "cents": known.deals["cents"].iloc[rows].fillna(0).to_numpy(dtype="int64"),
        }
    )
    frame["cents"] *= frame["won"]
    found = frame.groupby("path", sort=True).agg(
        deals_won=("won", "sum"), bookings=("cents", "sum"), deals_closed=("won", "size")
    )
    top = found.sort_values(["deals_won", "bookings"], ascending=False, kind="stable").head(COMMON).reset_index()
    money = pd.Series([Decimal(int(cents)).scaleb(-2) for cents in top["bookings"]], dtype=object)
    return top.assign(bookings=money, win_rate=top["deals_won"] / top["deals_closed"])[columns]


def _texts(known: DealPaths) -> np.ndarray:
    """The text of every distinct path."""
    paths = known.paths
    pair, _times, _different = distinct_channels(paths)
    fresh = np.zeros(len(paths.steps), dtype=bool)
    fresh[np.unique(pair, return_index=True)[1]] = True
    names = np.array([name or MISSING_STEP for name in known.channels], dtype=object)
    steps = pd.DataFrame({"path": paths.path_of_step[fresh], "name": names[paths.steps[fresh]]})
    place = steps.groupby("path").cumcount()
    long = pd.Series(place.groupby(steps["path"]).transform("max").to_numpy() >= _LONGEST_TEXT)
    kept = steps[place < _LONGEST_TEXT]
    text = kept.groupby("path", sort=True)["name"].agg(" → ".join)
    is_long = long.groupby(steps["path"]).first()
    return np.asarray(text + np.where(is_long, " → …", ""), dtype=object)


def _flow(known: DealPaths, won: np.ndarray) -> pd.DataFrame:
    paths = known.paths
    mine = paths.path_of[won]
    names = np.array(known.channels, dtype=object)
    frame = pd.DataFrame(
        {
            "first": paths.steps[paths.starts[mine]],
            "last": paths.steps[paths.starts[mine] + paths.lengths[mine] - 1],
            "cents": known.deals["cents"].iloc[won].fillna(0).to_numpy(dtype="int64"),
        }
    )
    found = frame.groupby(["first", "last"], as_index=False, sort=True).agg(
        deals_won=("cents", "size"), bookings=("cents", "sum")
    )
    bookings = pd.Series([Decimal(int(cents)).scaleb(-2) for cents in found["bookings"]], dtype=object)
    ends = {side: pd.Series(names[found[side].to_numpy(dtype=np.int64)], dtype=object) for side in ("first", "last")}
    return found.assign(**ends, bookings=bookings)
