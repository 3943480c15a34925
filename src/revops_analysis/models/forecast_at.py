"""A forecast's method at an earlier day of its period: nothing is learned again, so only what was known differs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.models.bookings_model import Expectation, FittedBookingsModel, parts_of
from revops_analysis.models.cutoffs import Cutoff, week_ends
from revops_analysis.models.forecaster import QUANTILE_NAMES, NotPossible, quantiles_of
from revops_analysis.models.rivals import rivals
from revops_analysis.models.selection import CHOSEN, apply_choice
from revops_analysis.models.simulated_bookings import simulate_bookings

if TYPE_CHECKING:
    from revops_analysis.definitions import Definitions
    from revops_analysis.models.evidence import Evidence
    from revops_analysis.models.forecast import BookingsForecast


@dataclass(frozen=True, eq=False)
class Retold:
    """The forecast as its method, learned today, would have made it on an earlier day.

    `chosen`: mean and quantiles of the published forecast by name; `expected`: what the deal model expects, part by
    part.
    """

    chosen: dict[str, float]
    expected: Expectation


def retell(forecast: BookingsForecast, definitions: Definitions, day: date) -> Retold | NotPossible:
    """Make the forecast again from what was known at the end of `day`, with the same model and the same choice.

    Not possible where the evidence has no cutoff of that day, or where the forecast looks at no deals. The model has
    learned only from periods that were over before this one began.
    """
    cutoff = Cutoff(day, forecast.cutoff.period)
    if forecast.fitted is None:
        return NotPossible("chosen", NO_MODEL)
    if not has_cutoff(forecast.evidence, cutoff):
        return NotPossible("chosen", f"The data has nothing for {day.isoformat()}.")
    known = forecast.evidence.known_at(day)
    expected = forecast.fitted.expect(known, cutoff)
    if isinstance(expected, NotPossible):
        return expected
    options = forecast.fitted.model.options
    drawn = simulate_bookings(parts_of(expected), draws=options.draws, seed=options.seed)
    own = dict(zip(QUANTILE_NAMES, quantiles_of(drawn.total), strict=True))
    rows: dict[str, dict[str, Any]] = {forecast.fitted.name: {"mean": expected.mean, **own}}
    for rival in rivals(definitions):
        if rival.name == forecast.choice.rival:
            answer = rival.forecast(known, cutoff)
            rows |= {} if isinstance(answer, NotPossible) else {rival.name: answer.as_row()}
    return Retold(apply_choice(forecast.choice, rows, expected.booked + expected.signed), expected)


def expectation(forecast: BookingsForecast, day: date) -> tuple[FittedBookingsModel, Expectation] | NotPossible:
    """The fitted deal model, and what it expects part by part from what was known at the end of `day`."""
    if forecast.fitted is None:
        return NotPossible("deal_model", NO_MODEL)
    found = forecast.fitted.expect(forecast.evidence.known_at(day), Cutoff(day, forecast.cutoff.period))
    return found if isinstance(found, NotPossible) else (forecast.fitted, found)


def has_cutoff(evidence: Evidence, cutoff: Cutoff) -> bool:
    """Whether the evidence was gathered for this cutoff, and had begun by then."""
    rows = evidence.cutoffs
    is_there = (rows["cutoff"].dt.date == cutoff.day) & (rows["period"] == cutoff.period.label)
    begun = len(evidence.created) > 0 and evidence.created["created_on"].min().date() <= cutoff.day
    return bool(is_there.any()) and begun


NO_MODEL = "The history is too short for the deal model, and without it the forecast does not look at single deals."

FAN = ("cutoff", "week", "mean", *QUANTILE_NAMES, "booked")


def forecast_fan(forecast: BookingsForecast, definitions: Definitions) -> pd.DataFrame:
    """The forecast over its period: cutoff, week, mean, p2_5 … p97_5 and booked (so far), a row a past week's end.

    The first row is the period's eve, the last today's forecast as it is; earlier ones are told by the same model and
    choice (see `retell`). Days before the data are left out; ahead of the period there is only today's.
    """
    rows = forecast.evidence.cutoffs
    inside = (rows["period"] == forecast.cutoff.period.label) & (rows["cutoff"] < pd.Timestamp(forecast.cutoff.day))
    ends = {end.day for end in week_ends(forecast.cutoff.period)}
    days = [day for day in sorted(rows.loc[inside, "cutoff"].dt.date) if day in ends]
    told = [(Cutoff(day, forecast.cutoff.period), retell(forecast, definitions, day)) for day in days]
    found = [
        {"cutoff": pd.Timestamp(cutoff.day), "week": cutoff.week, **answer.chosen, "booked": answer.expected.booked}
        for cutoff, answer in told
        if isinstance(answer, Retold)
    ]
    chosen = forecast.summary.loc[forecast.summary["method"] == CHOSEN, ["mean", *QUANTILE_NAMES]].iloc[0].to_dict()
    today = {"cutoff": pd.Timestamp(forecast.cutoff.day), "week": forecast.cutoff.week, **chosen}
    booked = float(forecast.evidence.at(forecast.cutoff)[1]["booked"])
    return pd.DataFrame([*found, today | {"booked": booked}], columns=list(FAN))
