"""The evidence of forecasts: past deals, past periods and what became of them, and only what was known at a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING

import ibis
import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.models.cutoffs import Cutoff, as_table, periods_before, shifted, week_ends
from revops_analysis.models.deal_states import deal_states
from revops_analysis.models.deal_stays import deal_stays
from revops_analysis.periods import period_containing
from revops_analysis.tables.days import business_day

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

KEY = ["cutoff", "period"]


def _no_submissions() -> pd.DataFrame:
    """The frame of submissions without a row."""
    kinds = dict.fromkeys(("submitted_on", "period_start"), "datetime64[ms]")
    kinds |= dict.fromkeys(("user_id", "category", "scope", "override_of"), "object") | {"amount": "float64"}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})


@dataclass(frozen=True, eq=False)
class Evidence:
    """What was known at the end of `day`, in frames; money in the reporting currency.

    states      `deal_states` of each cutoff, and what became of the deal: won (1, 0; null while its period runs) and
                won_amount, as known when the period ended.
    cutoffs     a row per cutoff and period: first_day, last_day, booked (so far in the period), signed (won, to be
                booked later in it), and once the period is over bookings, open_won, created_won (from deals created
                after the cutoff) and other (reopened, restated, deleted): they add up to it exactly.
    wins        a row per period that is over and deal booked in it: opportunity_id, type, segment, owner_id,
                created_on, booked_on, amount.
    created     a row per headline deal created: opportunity_id, type, segment, created_on.
    submissions what sellers and managers said, oldest first: submitted_on, user_id, period_start, category, scope (own,
                team), override_of, amount; no rows where the source has none.
    """

    day: date
    states: pd.DataFrame
    cutoffs: pd.DataFrame
    wins: pd.DataFrame
    created: pd.DataFrame
    currency: str
    submissions: pd.DataFrame = field(default_factory=_no_submissions)

    def known_at(self, day: date) -> Evidence:
        """The same evidence as somebody had it at the end of an earlier day; nothing later is left in it."""
        moment = pd.Timestamp(day)
        states = _blanked(self.states[self.states["cutoff"] <= moment], moment, ["won", "won_amount"])
        cutoffs = _blanked(self.cutoffs[self.cutoffs["cutoff"] <= moment], moment, list(_OUTCOMES))
        wins = self.wins[self.wins["last_day"] <= moment]
        created = self.created[self.created["created_on"] <= moment]
        said = self.submissions[self.submissions["submitted_on"] <= moment]
        return replace(self, day=day, states=states, cutoffs=cutoffs, wins=wins, created=created, submissions=said)

    @property
    def past(self) -> pd.DataFrame:
        """The rows of `cutoffs` whose period is over."""
        return self.cutoffs[self.cutoffs["bookings"].notna()]

    @property
    def past_periods(self) -> int:
        """How many periods are over."""
        return int(self.past["period"].nunique())

    def at(self, cutoff: Cutoff) -> tuple[pd.DataFrame, pd.Series]:
        """The open deals at a cutoff, and its row of `cutoffs`."""
        rows = self.cutoffs[_same(self.cutoffs, cutoff)]
        if rows.empty:
            raise ConfigurationError(
                "The evidence has no such cutoff.",
                expected="one of the cutoffs that it was gathered for",
                found=f"{cutoff.day} for {cutoff.period.label}",
                fix="gather the evidence with this cutoff among `asked`",
            )
        return self.states[_same(self.states, cutoff)], rows.iloc[0]


_OUTCOMES = ("bookings", "open_won", "created_won", "other")


def _blanked(frame: pd.DataFrame, moment: pd.Timestamp, names: list[str]) -> pd.DataFrame:
    """Outcomes of periods that are not over become null."""
    return frame.assign(**{name: frame[name].where(frame["last_day"] <= moment) for name in names})


def _same(frame: pd.DataFrame, cutoff: Cutoff) -> pd.Series:
    return (frame["cutoff"] == pd.Timestamp(cutoff.day)) & (frame["period"] == cutoff.period.label)


def gather_evidence(snapshot: Snapshot, asked: Sequence[Cutoff], *, lead_days: int = 0) -> Evidence:
    """Gather what the forecasts of `asked` rest on: their own cutoffs, and all weeks of all earlier periods.

    Earlier periods are those that begin after the first recorded day. With `lead_days` (the forecast is made so long
    before its period begins) the past cutoffs lie around the same distance from their periods instead.
    """
    first_day = _first_day(snapshot)
    cutoffs = _grid(snapshot, asked, first_day, lead_days)
    states = deal_states(snapshot, cutoffs)
    rows = _booked(snapshot, cutoffs)
    wins, sums = _wins(rows, snapshot.as_of), _sums(cutoffs, rows, snapshot.as_of)
    labelled = _labelled(states, wins, snapshot.as_of)
    return Evidence(
        snapshot.as_of,
        labelled,
        _with_outcomes(sums, labelled, wins, snapshot.as_of),
        wins,
        _created(snapshot),
        snapshot.definitions.reporting_currency,
        _submissions(snapshot),
    )


def _grid(snapshot: Snapshot, asked: Sequence[Cutoff], first_day: date | None, lead_days: int) -> tuple[Cutoff, ...]:
    """The cutoffs asked for and those of the past, without repetition, in order."""
    found = {(cutoff.day, cutoff.period.label): cutoff for cutoff in asked}
    latest = max((cutoff.period for cutoff in asked), key=lambda period: period.start)
    if first_day is None:
        return tuple(found[key] for key in sorted(found))
    for period in periods_before(latest, snapshot.definitions.fiscal_calendar, first_day, snapshot.as_of):
        offsets = [-lead_days + step for step in (-14, -7, 0, 7, 14)]
        cutoffs = shifted(period, offsets) if lead_days > 1 else week_ends(period)
        found.update({(cutoff.day, cutoff.period.label): cutoff for cutoff in cutoffs if cutoff.day >= first_day})
    return tuple(found[key] for key in sorted(found))


def _first_day(snapshot: Snapshot) -> date | None:
    """The first day from which the data can be trusted: the period of the first win, if deals existed by then.

    A CRM that was filled with the deals open on one day knows older creations, and none of the deals that had closed.
    """
    stays = deal_stays(snapshot)
    won = stays.filter(stays.status == "won")
    # A win recorded later with an earlier booking day was not known in that earlier period, so `since` counts.
    created, first_win = stays.created_on.min().to_pyarrow().as_py(), won.since.min().to_pyarrow().as_py()
    if created is None or first_win is None:
        return created
    return max(created, period_containing(first_win, snapshot.definitions.fiscal_calendar).start)


def _booked(snapshot: Snapshot, cutoffs: Sequence[Cutoff]) -> pd.DataFrame:
    """Deals won as of each cutoff, and as of the end of each period, that are booked in its period: one row each."""
    ends = {cutoff.period.label: Cutoff(cutoff.period.end, cutoff.period) for cutoff in cutoffs}
    looks = {(c.day, c.period.label): c for c in (*cutoffs, *ends.values()) if c.day <= snapshot.as_of}
    days = as_table(tuple(looks.values()), snapshot.definitions.business_time_zone)
    stays = deal_stays(snapshot)
    won = stays.filter(stays.status == "won")
    holds = [won.since <= days.cutoff, won.until > days.cutoff, won.booked_on.between(days.first_day, days.last_day)]
    found = won.inner_join(days, holds)
    at_booking = snapshot.definitions.exchange_rate_day == "booking_day"
    rated = found.mutate(rate_on=ibis.least(found.booked_on, found.cutoff) if at_booking else found.cutoff)
    priced = snapshot.in_reporting_currency(rated, ["amount"], day="rate_on")
    chosen = priced.select(*_WIN, amount=priced.amount.cast("float64")).order_by(["cutoff", "period", "opportunity_id"])
    return chosen.to_pyarrow().to_pandas(date_as_object=False)


_WIN = (
    *("cutoff", "period", "first_day", "last_day", "opportunity_id", "type", "segment", "owner_id"),
    *("created_on", "booked_on"),
)


def _wins(rows: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """The deals booked in each period that is over, as known at its end."""
    over = rows[(rows["cutoff"] == rows["last_day"]) & (rows["last_day"] <= pd.Timestamp(as_of))]
    return over.drop(columns=["cutoff"]).reset_index(drop=True)


def _sums(cutoffs: Sequence[Cutoff], rows: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Booked and signed amounts of each cutoff."""
    frame = pd.DataFrame(
        {
            "cutoff": pd.to_datetime([cutoff.day for cutoff in cutoffs]).astype("datetime64[ms]"),
            "period": [cutoff.period.label for cutoff in cutoffs],
            "first_day": pd.to_datetime([cutoff.period.start for cutoff in cutoffs]).astype("datetime64[ms]"),
            "last_day": pd.to_datetime([cutoff.period.end for cutoff in cutoffs]).astype("datetime64[ms]"),
            "week": [cutoff.week for cutoff in cutoffs],
            "offset": [cutoff.offset for cutoff in cutoffs],
        }
    )
    is_booked = rows["booked_on"] <= rows["cutoff"]
    parts = {"booked": rows[is_booked], "signed": rows[~is_booked]}
    for name, part in parts.items():
        summed = part.groupby(KEY, sort=True)["amount"].sum().rename(name).reset_index()
        frame = frame.merge(summed, on=KEY, how="left").fillna({name: 0.0})
    return frame[frame["cutoff"] <= pd.Timestamp(as_of)].reset_index(drop=True)


def _labelled(states: pd.DataFrame, wins: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Add what became of each open deal by the end of its period; null while the period runs."""
    won = wins[["period", "opportunity_id", "amount"]].rename(columns={"amount": "won_amount"}).assign(won=1.0)
    frame = states.merge(won, on=["period", "opportunity_id"], how="left")
    is_over = frame["last_day"] <= pd.Timestamp(as_of)
    return frame.assign(
        won=frame["won"].fillna(0.0).where(is_over), won_amount=frame["won_amount"].fillna(0.0).where(is_over)
    )


def _with_outcomes(sums: pd.DataFrame, states: pd.DataFrame, wins: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Add bookings of each cutoff's period, if it is over, and where they came from."""
    total = sums["period"].map(wins.groupby("period")["amount"].sum()).fillna(0.0)
    from_open = states.groupby(KEY, sort=True)["won_amount"].sum(min_count=1).rename("open_won").reset_index()
    pairs = sums[KEY].merge(wins[["period", "created_on", "amount"]], on="period")
    later = pairs[pairs["created_on"] > pairs["cutoff"]]
    made = later.groupby(KEY, sort=True)["amount"].sum().rename("created_won").reset_index()
    frame = sums.assign(bookings=total).merge(from_open, on=KEY, how="left").merge(made, on=KEY, how="left")
    frame[["open_won", "created_won"]] = frame[["open_won", "created_won"]].fillna(0.0)
    frame["other"] = frame["bookings"] - frame["booked"] - frame["signed"] - frame["open_won"] - frame["created_won"]
    frame["other"] = frame["other"].round(2)
    return _blanked(frame, pd.Timestamp(as_of), list(_OUTCOMES))


def _created(snapshot: Snapshot) -> pd.DataFrame:
    """Every headline deal and the day of its creation."""
    stays = deal_stays(snapshot)
    deals = stays.group_by("opportunity_id").aggregate(
        type=stays.type.max(), segment=stays.segment.max(), created_on=stays.created_on.min()
    )
    return deals.order_by(["created_on", "opportunity_id"]).to_pyarrow().to_pandas(date_as_object=False)


def _submissions(snapshot: Snapshot) -> pd.DataFrame:
    """What was submitted by the as-of date, converted at the rate of its day."""
    if not snapshot.has("forecast_submissions"):
        return _no_submissions()
    rows = snapshot.table("forecast_submissions")
    dated = rows.mutate(submitted_on=business_day(rows.submitted_at, snapshot.definitions.business_time_zone))
    priced = snapshot.in_reporting_currency(dated, ["amount"], day="submitted_on")
    ordered = priced.order_by(["submitted_at", "user_id", "category", "scope", "override_of"])
    names = ("submitted_on", "user_id", "period_start", "category", "scope", "override_of")
    chosen = ordered.select(*names, amount=ordered.amount.cast("float64"))
    return chosen.to_pyarrow().to_pandas(date_as_object=False)
