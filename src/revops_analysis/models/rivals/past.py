"""The same time of every past period: what a rule would have seen there, and which outcomes were known by then."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.models.cutoffs import Cutoff
from revops_analysis.models.evidence import Evidence

Floats = npt.NDArray[np.float64]

_NEAR_DAYS = 7
_DEAL = [
    *("cutoff", "period", "first_day", "last_day", "stage", "category", "crm_probability", "close_date", "amount"),
    *("owner_id", "won_amount"),
]


@dataclass(frozen=True, eq=False)
class Past:
    """A forecast's own cutoff and, of each period that is over, the one at the nearest distance from its first day.

    periods     every period up to the one asked for, oldest first: period, first_day, last_day, bookings (null if it
                is not over).
    rows        a row a period with a cutoff within a week of the same distance, the one asked for last: the columns of
                `Evidence.cutoffs`, and place, its row in `periods`.
    known       [rows × periods]: whether the period is over at the row's cutoff and lies before the row's period.
    deals       the open deals at every row: columns of `deal_states`, row, and expected: its close date lies in the
                period, or on or before the cutoff (at the end of its close date an open deal is overdue).
    """

    periods: pd.DataFrame
    rows: pd.DataFrame
    known: npt.NDArray[np.bool_]
    deals: pd.DataFrame

    @property
    def bookings(self) -> Floats:
        """Bookings of `periods`, nan where not known."""
        return self.periods["bookings"].to_numpy(dtype=float)

    @property
    def known_rows(self) -> Floats:
        """[rows × rows]: 1 where the outcome of the column's period was known at the row's cutoff."""
        return self.known[:, self.rows["place"].to_numpy()].astype(float)

    @property
    def secured(self) -> Floats:
        """Booked and signed amounts of each row."""
        return (self.rows["booked"] + self.rows["signed"]).to_numpy(dtype=float)

    def known_sum(self, values: Floats) -> Floats:
        """Of values [rows × …], the sum over the rows whose outcome was known, for each row; nan counts as nothing."""
        return self.known_rows @ np.nan_to_num(values)

    def add(self, values: Floats) -> Floats:
        """Sum values of `deals` by row; nan counts as nothing."""
        return np.bincount(self.deals["row"], np.nan_to_num(values), len(self.rows)).astype(np.float64)


def look_back(evidence: Evidence, cutoff: Cutoff) -> Past:
    """Find the same time of past periods; ConfigurationError if the evidence lacks the cutoff itself.

    All rivals look back from the same cutoffs, so each look is kept as long as its evidence lives.
    """
    looks = _LOOKS.setdefault(evidence, {})
    if cutoff not in looks:
        looks[cutoff] = _look_back(evidence, cutoff)
    return looks[cutoff]


_LOOKS: WeakKeyDictionary[Evidence, dict[Cutoff, Past]] = WeakKeyDictionary()


def _look_back(evidence: Evidence, cutoff: Cutoff) -> Past:
    asked = _asked(evidence, cutoff)
    until = evidence.cutoffs[evidence.cutoffs["first_day"] <= asked["first_day"]]
    periods = until.drop_duplicates("period").sort_values("first_day", ignore_index=True)
    places = pd.Series(periods.index, index=periods["period"])
    candidates = until[until["bookings"].notna() & (until["period"] != asked["period"])]
    ranked = candidates.assign(distance=(candidates["offset"] - asked["offset"]).abs())
    ordered = ranked.sort_values(["first_day", "distance", "offset"])
    near = ordered[ordered["distance"] <= _NEAR_DAYS].drop_duplicates("period").drop(columns="distance")
    rows = pd.concat([near, asked.to_frame().T.astype(near.dtypes)], ignore_index=True)
    rows["place"] = rows["period"].map(places).astype("int64")
    known = _known(rows, periods)
    return Past(periods[["period", "first_day", "last_day", "bookings"]], rows, known, _deals(evidence, rows))


def _deals(evidence: Evidence, rows: pd.DataFrame) -> pd.DataFrame:
    keys = rows[["cutoff", "period"]].assign(row=np.arange(len(rows)))
    states = evidence.states
    some = states.loc[states["cutoff"].isin(keys["cutoff"]), _DEAL]
    deals = some.merge(keys, on=["cutoff", "period"])
    closes = deals["close_date"]
    inside = (closes >= deals["first_day"]) & (closes <= deals["last_day"])
    return deals.assign(expected=inside | (closes <= deals["cutoff"]))


def _asked(evidence: Evidence, cutoff: Cutoff) -> pd.Series:
    """The row of `Evidence.cutoffs` asked for."""
    rows = evidence.cutoffs
    found = rows[(rows["cutoff"] == pd.Timestamp(cutoff.day)) & (rows["period"] == cutoff.period.label)]
    return evidence.at(cutoff)[1] if found.empty else found.iloc[0]


def _known(rows: pd.DataFrame, periods: pd.DataFrame) -> npt.NDArray[np.bool_]:
    last_day = periods["last_day"].to_numpy()
    over = last_day <= rows["cutoff"].to_numpy()[:, None]
    before = last_day < rows["first_day"].to_numpy()[:, None]
    return over & before & periods["bookings"].notna().to_numpy()


def unpriced_note(past: Past) -> tuple[str, ...]:
    """A sentence on open deals without an amount at the row asked for, which count as nothing."""
    asked = past.deals[past.deals["row"] == len(past.rows) - 1]
    lacking = int(asked["amount"].isna().sum())
    return (f"{lacking} of {len(asked)} open deals have no amount and count as nothing.",) if lacking else ()


def unusable(past: Past, values: pd.Series, words: str) -> str | None:
    """Say so if there are open deals at the row asked for and none of them has a value; `values` by row of deals."""
    is_asked = past.deals["row"] == len(past.rows) - 1
    if not is_asked.any() or values[is_asked].notna().any():
        return None
    return f"None of the {int(is_asked.sum())} open deals has {words}; at least one is needed."


def unpriced(past: Past) -> str | None:
    """Say so if there are open deals at the row asked for and none of them has an amount."""
    return unusable(past, past.deals["amount"], "an amount")
