"""Evidence made by hand: a few deals, each with one stage and one fate, looked at week by week."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from revops_analysis.models.cutoffs import Cutoff, week_ends
from revops_analysis.models.evidence import Evidence
from revops_analysis.models.forecaster import QUANTILES, NotPossible, Outlook
from revops_analysis.periods import FiscalCalendar, Period, parse_period

FIRST_YEAR = 2023
SUBMISSION_COLUMNS = ("submitted_on", "user_id", "period_start", "category", "scope", "override_of", "amount")


@dataclass(frozen=True)
class Deal:
    """A deal that is open from `created` until the day before `ended` (None: it still is), and then won or lost."""

    key: str
    created: date
    ended: date | None
    is_won: bool = False
    amount: float | None = 100.0
    stage: str | None = "Proposal"
    category: str | None = "Commit"
    probability: float | None = 0.5
    close_date: date | None = None
    owner: str = "u1"


def quarters(count: int, first_year: int = FIRST_YEAR) -> tuple[Period, ...]:
    """Quarters one after the other, from the first of a year."""
    labels = [f"{first_year + n // 4}-Q{n % 4 + 1}" for n in range(count)]
    return tuple(parse_period(label, FiscalCalendar()) for label in labels)


def make_evidence(
    deals: Sequence[Deal], periods: Sequence[Period], day: date, submissions: Iterable[tuple[object, ...]] = ()
) -> Evidence:
    """What somebody knew of the deals at the end of `day`, at every week's end of the periods up to then."""
    cutoffs = [cutoff for period in periods for cutoff in week_ends(period) if cutoff.day <= day]
    rows = [_cutoff(cutoff, deals, day) for cutoff in cutoffs]
    states = [_state(cutoff, deal, day) for cutoff in cutoffs for deal in deals if _is_open(deal, cutoff.day)]
    wins = [_win(deal, period) for period in periods if period.end <= day for deal in deals if _wins_in(deal, period)]
    created = [
        {"opportunity_id": deal.key, "type": "new", "segment": "SMB", "created_on": pd.Timestamp(deal.created)}
        for deal in deals
        if deal.created <= day
    ]
    said = pd.DataFrame(list(submissions), columns=list(SUBMISSION_COLUMNS))
    said = said.astype({"submitted_on": "datetime64[ms]", "period_start": "datetime64[ms]", "amount": "float64"})
    evidence = Evidence(
        day,
        _frame(states, _state(week_ends(periods[0])[0], Deal("x", date(2023, 1, 1), None), day)),
        pd.DataFrame(rows),
        _frame(wins, _win(Deal("x", date(2023, 1, 1), date(2023, 1, 2), True), periods[0])),
        _frame(created, {"opportunity_id": "", "type": "", "segment": "", "created_on": pd.Timestamp(day)}),
        "USD",
    )
    return replace(evidence, submissions=said[said["submitted_on"] <= pd.Timestamp(day)])


def _frame(rows: list[dict[str, object]], pattern: dict[str, object]) -> pd.DataFrame:
    """A frame whose columns have their types even without rows."""
    return pd.DataFrame([*rows, pattern]).iloc[:-1].reset_index(drop=True)


def _is_open(deal: Deal, day: date) -> bool:
    return deal.created <= day and (deal.ended is None or day < deal.ended)


def _wins_in(deal: Deal, period: Period) -> bool:
    return deal.is_won and deal.ended is not None and deal.ended in period


def _days(period: Period) -> dict[str, object]:
    return {"period": period.label, "first_day": pd.Timestamp(period.start), "last_day": pd.Timestamp(period.end)}


def _cutoff(cutoff: Cutoff, deals: Sequence[Deal], day: date) -> dict[str, object]:
    won = [deal for deal in deals if _wins_in(deal, cutoff.period)]

    def total(chosen: Iterable[Deal]) -> float:
        return float(sum(deal.amount or 0.0 for deal in chosen))

    row = {"cutoff": pd.Timestamp(cutoff.day), **_days(cutoff.period), "week": cutoff.week, "offset": cutoff.offset}
    row |= {"booked": total(deal for deal in won if deal.ended <= cutoff.day), "signed": 0.0}
    outcomes = {
        "bookings": total(won),
        "open_won": total(deal for deal in won if _is_open(deal, cutoff.day)),
        "created_won": total(deal for deal in won if deal.created > cutoff.day),
        "other": 0.0,
    }
    return row | (outcomes if cutoff.period.end <= day else dict.fromkeys(outcomes, np.nan))


def _state(cutoff: Cutoff, deal: Deal, day: date) -> dict[str, object]:
    is_over = cutoff.period.end <= day
    won = float(_wins_in(deal, cutoff.period))
    amount = np.nan if deal.amount is None else deal.amount
    return {
        "cutoff": pd.Timestamp(cutoff.day),
        **_days(cutoff.period),
        "opportunity_id": deal.key,
        "stage": deal.stage,
        "category": deal.category,
        "crm_probability": np.nan if deal.probability is None else deal.probability,
        "close_date": pd.Timestamp(deal.close_date or deal.ended or cutoff.period.end),
        "amount": amount,
        "owner_id": deal.owner,
        "won": won if is_over else np.nan,
        "won_amount": won * (deal.amount or 0.0) if is_over else np.nan,
    }


def _win(deal: Deal, period: Period) -> dict[str, object]:
    return {
        **_days(period),
        "opportunity_id": deal.key,
        "type": "new",
        "segment": "SMB",
        "owner_id": deal.owner,
        "created_on": pd.Timestamp(deal.created),
        "booked_on": pd.Timestamp(deal.ended),
        "amount": deal.amount or 0.0,
    }


def random_deals(seed: int, periods: Sequence[Period], per_period: int = 12) -> list[Deal]:
    """Deals of all kinds, created throughout the periods."""
    rng = np.random.default_rng(seed)
    first, days = periods[0].start, (periods[-1].end - periods[0].start).days
    found = []
    for number in range(per_period * len(periods)):
        created = first + timedelta(days=int(rng.integers(0, days)))
        ended = created + timedelta(days=int(rng.integers(1, 200))) if rng.random() < 0.9 else None
        stage = int(rng.integers(0, 3))
        found.append(
            Deal(
                f"d{number}",
                created,
                ended,
                is_won=bool(ended and rng.random() < 0.2 + 0.25 * stage),
                amount=float(rng.integers(10, 200)) if rng.random() < 0.95 else None,
                stage=("Discovery", "Solution", "Proposal")[stage],
                category=("Pipeline", "Best Case", "Commit")[stage],
                probability=(0.1, 0.4, 0.6)[stage],
                close_date=created + timedelta(days=int(rng.integers(20, 150))),
                owner=f"u{int(rng.integers(0, 4))}",
            )
        )
    return found


@dataclass(frozen=True)
class Share:
    """Forecasts bookings so far × a factor; refuses cutoffs at which nothing is booked."""

    factor: float = 2.0
    name: str = "share"
    title: str = "Share"

    def forecast(self, evidence: Evidence, cutoff: Cutoff) -> Outlook | NotPossible:
        assert evidence.day == cutoff.day
        booked = float(evidence.at(cutoff)[1]["booked"])
        if booked == 0:
            return NotPossible(self.name, "It needs a booking, there is none.")
        mean = booked * self.factor
        parts = pd.DataFrame({"component": ["booked", "rest"], "mean": [booked, mean - booked]})
        return Outlook(self.name, cutoff, mean, (mean,) * len(QUANTILES), parts)


@dataclass(frozen=True)
class Learner:
    """Learns the mean bookings of past periods, and says in its name how often and from when it was fitted."""

    name: str = "learner"
    title: str = "Learner"
    fewest: int = 1

    def fit(self, evidence: Evidence) -> Learned | NotPossible:
        if evidence.past_periods < self.fewest:
            return NotPossible(self.name, f"It needs {self.fewest} past periods, there are {evidence.past_periods}.")
        totals = evidence.past.groupby("period")["bookings"].first().to_numpy()
        # A sum in another order, or by several threads, would have other last digits.
        return Learned(self.name, float(np.dot(totals, 1 / np.arange(1, len(totals) + 1))), evidence.day)

    def forecast(self, evidence: Evidence, cutoff: Cutoff) -> Outlook | NotPossible:
        raise AssertionError("it was asked before it was fitted")


@dataclass(frozen=True)
class Learned:
    """What the learner became: its mean, and as the lowest quantile the day it was fitted (as a number)."""

    name: str
    mean: float
    fitted_on: date
    title: str = "Learned"

    def forecast(self, evidence: Evidence, cutoff: Cutoff) -> Outlook:
        parts = pd.DataFrame({"component": ["all"], "mean": [self.mean]})
        return Outlook(self.name, cutoff, self.mean, (float(self.fitted_on.toordinal()),) * len(QUANTILES), parts)
