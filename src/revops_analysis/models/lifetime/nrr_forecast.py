"""Net retention four quarters ahead, with a range that past errors have corrected, and the back-test that says so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from revops_analysis.metrics.retention.ledger import missing_reason, month_end, month_label
from revops_analysis.models.accuracy import errors_by
from revops_analysis.models.forecaster import QUANTILE_NAMES
from revops_analysis.models.lifetime.nrr_model import LINES, NrrKnown, NrrModelOptions, NrrOutlook, forecast_nrr
from revops_analysis.models.lifetime.nrr_states import NrrState, nrr_states
from revops_analysis.models.lifetime.renewal_risk import RenewalHistory, renewal_history
from revops_analysis.models.range_scores import interval_coverage
from revops_analysis.models.selection import CHOSEN, Choice, SelectionOptions, apply_choice, choose

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

HORIZONS = (3, 6, 9, 12)
"""Months ahead."""

MODEL, LAST, MEAN = "account_model", "last_nrr", "mean_of_four"
METHODS = {
    CHOSEN: "Published",
    MODEL: "Account model",
    LAST: "Stays as it is",
    MEAN: "Mean of the last four quarters",
}
"""Who forecasts, and what readers see."""

ENOUGH = 39
"""Past periods from which on a 95% range is one that was observed; with fewer it is the model's."""

SELECTION = SelectionOptions(MODEL, rule=None, weight_spread=0.5, range_periods=4.0)
"""Beside the bookings forecast: retention moves little, so that rules are strong rivals and are weighed freely."""


DEFAULTS = NrrModelOptions()


@dataclass(frozen=True, eq=False)
class NrrForecast:
    """Net retention ahead.

    `frame`, a row a horizon: [horizon (months), month (YYYY-MM), month_end, mean, p2_5 … p97_5, base_mrr, accounts,
    method_weight (of the account model), rival, stretch, past_periods, label, reason]. `parts`: [horizon, part, title,
    value], from 100% to the mean. `backtest`: [cutoff, period, horizon, method, mean, quantiles, booked (0), outcome],
    every forecast of the past by every method, `chosen` being what would have been published. `errors` and `coverage`
    are measured on it, by method and horizon. `history`: [month, month_end, nrr] as published each time. `last`: net
    retention of the last month. `reason`: why there is none.
    """

    frame: pd.DataFrame
    parts: pd.DataFrame
    backtest: pd.DataFrame
    errors: pd.DataFrame
    coverage: pd.DataFrame
    history: pd.DataFrame
    last: float
    last_month: str
    notes: tuple[str, ...]
    reason: str | None = None


PART_TITLES = {
    "change_so_far": "Change of these accounts until now",
    "lost_at_renewal": "Expected losses at renewals",
    "change_of_stayers": "Expected change of those that stay",
    "returns": "Expected returns of those that left",
    "correction": "Correction by what past forecasts missed",
}


def nrr_forecast(
    snapshot: Snapshot, horizons: tuple[int, ...] = HORIZONS, options: NrrModelOptions = DEFAULTS
) -> NrrForecast:
    """Forecast net retention of the months 3, 6, 9 and 12 after the last complete one, and test that on the past.

    Each past forecast rests on what was known then, revenue as it was booked then included, and is set against the rate
    that was published when its month was over. From these errors the account model is weighed against two plain rules
    (it stays; mean of the last four quarters) and its range is stretched, as for the bookings forecast, always by
    errors known at the time. Once a snapshot.
    """
    return snapshot.once(("nrr forecast", horizons, options), lambda: _forecast(snapshot, horizons, options))


def _forecast(snapshot: Snapshot, horizons: tuple[int, ...], options: NrrModelOptions) -> NrrForecast:
    states = nrr_states(snapshot)
    if not states:
        return _nothing(str(missing_reason(snapshot)))
    history = renewal_history(snapshot)
    days = [known_on(history, states[: place + 1]) for place in range(len(states))]
    known = days[-1]
    table = _past(days, horizons, options)
    table = _with_published(table)
    rows = [_ahead(known, horizon, table, options) for horizon in horizons]
    scored = table[table["outcome"].notna()]
    frame = pd.DataFrame([row for row, _ in rows])
    parts = pd.DataFrame([part for _, found in rows for part in found], columns=["horizon", "part", "title", "value"])
    last = states[-1]
    return NrrForecast(
        frame,
        parts,
        table,
        errors_by(scored, ("method", "horizon")),
        interval_coverage(scored, ("method", "horizon")),
        _history(states),
        last.nrr,
        last.label,
        _notes(states, horizons),
        None if frame["mean"].notna().any() else str(frame["reason"].iloc[0]),
    )


def _history(states: Sequence[NrrState]) -> pd.DataFrame:
    rows = [{"month": s.label, "month_end": s.day, "nrr": s.nrr} for s in states if not np.isnan(s.nrr)]
    return pd.DataFrame(rows, columns=["month", "month_end", "nrr"])


def _notes(states: tuple[NrrState, ...], horizons: tuple[int, ...]) -> tuple[str, ...]:
    published = [state for state in states if not np.isnan(state.nrr)]
    return (
        f"{len(published)} months of net retention, three apart, are known; horizons of "
        f"{', '.join(map(str, horizons))} months overlap, so errors of neighbouring forecasts are not independent.",
        f"Ranges of net retention are the model's until {ENOUGH} past forecasts of a horizon have been checked.",
    )


_EMPTY = ("cutoff", "period", "horizon", "method", "mean", *QUANTILE_NAMES, "booked", "outcome")


def _nothing(reason: str) -> NrrForecast:
    table = pd.DataFrame(columns=list(_EMPTY)).astype(dict.fromkeys(("mean", "outcome", *QUANTILE_NAMES), "float64"))
    parts = pd.DataFrame(columns=["horizon", "part", "title", "value"])
    errors, coverage = errors_by(table, ("method", "horizon")), interval_coverage(table, ("method", "horizon"))
    return NrrForecast(pd.DataFrame(), parts, table, errors, coverage, _history(()), float("nan"), "", (), reason)


def known_on(history: RenewalHistory, states: Sequence[NrrState]) -> NrrKnown:
    """What is known on the day of the last of the states: earlier lots have the probability of its renewal model."""
    if history.panel.reason:
        return NrrKnown(states, {})
    rows = history.panel.rows
    seen = rows[rows["cutoff"].isin([pd.Timestamp(state.day) for state in states])]
    numbers = seen["cutoff"].map({pd.Timestamp(state.day): state.month for state in states})
    ends = seen["ended_on"]
    # A term counts on its last day, so one that ends with a month is gone in the figure of the next.
    months = 12 * ends.dt.year + ends.dt.month - 1 + ends.dt.is_month_end - numbers
    lots = seen[["account_id", "mrr"]].assign(
        months=months.astype("int64"), probability=history.models[states[-1].day].predict_proba(seen)
    )
    by_state = dict(iter(lots.groupby(numbers)))
    return NrrKnown(states, {state.month: by_state.get(state.month, lots.iloc[:0]) for state in states})


def _past(days: Sequence[NrrKnown], horizons: Sequence[int], options: NrrModelOptions) -> pd.DataFrame:
    """Forecasts at every state by every method, with what was published later; null while that has not come."""
    outcomes = {state.month: state.nrr for state in days[-1].states}
    rows = []
    for horizon, known in product(horizons, days[:-1]):
        state = known.states[-1]
        target = state.month + horizon
        outcome = outcomes.get(target, float("nan"))
        if np.isnan(outcome):
            continue
        facts = {"cutoff": pd.Timestamp(state.day), "period": month_label(target), "horizon": horizon}
        for method, said in _methods(known, forecast_nrr(known, horizon, options)).items():
            rows.append({**facts, "method": method, **said, "booked": 0.0, "outcome": outcome})
    made = pd.DataFrame(rows, columns=list(_EMPTY))
    return made.astype(dict.fromkeys(("mean", "outcome", *QUANTILE_NAMES), "float64"))


def _methods(known: NrrKnown, outlook: NrrOutlook | str) -> dict[str, dict[str, float]]:
    """What each method says at the last state; those that cannot say anything are left out."""
    found: dict[str, dict[str, float]] = {}
    if isinstance(outlook, NrrOutlook):
        found[MODEL] = {"mean": outlook.mean, **outlook.quantiles}
    past = [state.nrr for state in known.states if not np.isnan(state.nrr)]
    if past and not np.isnan(known.states[-1].nrr):
        found[LAST] = {"mean": past[-1]}
        found[MEAN] = {"mean": float(np.mean(past[-4:]))}
    return found


def _with_published(table: pd.DataFrame) -> pd.DataFrame:
    """Add what would have been published at each past cutoff, by errors that were known then."""
    rows = []
    for (cutoff, horizon), group in table.groupby(["cutoff", "horizon"], sort=True):
        methods = group.set_index("method").to_dict("index")
        if MODEL not in methods:
            continue
        choice = choose(_known_errors(table, horizon, cutoff), SELECTION)
        facts = {name: group.iloc[0][name] for name in ("cutoff", "period", "horizon", "booked", "outcome")}
        rows.append({**facts, "method": CHOSEN, **apply_choice(choice, methods, 0.0)})  # type: ignore[arg-type]
    if not rows:
        return table
    made = pd.DataFrame(rows, columns=list(_EMPTY))
    return pd.concat([table, made], ignore_index=True).sort_values(
        ["horizon", "cutoff"], kind="stable", ignore_index=True
    )


def _known_errors(table: pd.DataFrame, horizon: Any, cutoff: Any) -> pd.DataFrame:
    """Rows of a horizon whose outcome was published by the cutoff."""
    over = pd.to_datetime(table["period"] + "-01") + pd.offsets.MonthEnd(0)
    return table[(table["horizon"] == horizon) & (over <= cutoff) & (table["method"] != CHOSEN)]


def _ahead(
    known: NrrKnown, horizon: int, table: pd.DataFrame, options: NrrModelOptions
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The forecast of one horizon, and its parts."""
    state = known.states[-1]
    month = state.month + horizon
    row: dict[str, Any] = {"horizon": horizon, "month": month_label(month), "month_end": month_end(month)}
    outlook = forecast_nrr(known, horizon, options)
    if isinstance(outlook, str):
        blank = dict.fromkeys(("mean", *QUANTILE_NAMES, "base_mrr", "method_weight", "stretch"), float("nan"))
        return {**row, **blank, "accounts": 0, "rival": None, "past_periods": 0, "label": None, "reason": outlook}, []
    choice = choose(_known_errors(table, horizon, pd.Timestamp(state.day)), SELECTION)
    methods = _methods(known, outlook)
    said = apply_choice(choice, methods, 0.0)
    row |= {**said, "base_mrr": outlook.base, "accounts": outlook.accounts, "method_weight": choice.weight}
    row |= {"rival": None if choice.rival is None else METHODS[choice.rival], "stretch": choice.stretch}
    row |= {"past_periods": choice.periods, "label": _label(choice), "reason": None}
    parts = [
        {"horizon": horizon, "part": name, "title": PART_TITLES[name], "value": outlook.parts[name]} for name in LINES
    ]
    correction = said["mean"] - outlook.mean
    parts.append({"horizon": horizon, "part": "correction", "title": PART_TITLES["correction"], "value": correction})
    return row, parts


def _label(choice: Choice) -> str:
    """How far the range may be trusted."""
    if choice.periods >= ENOUGH:
        return f"range observed over {choice.periods} past periods"
    if choice.periods == 0:
        return "model-based range: no past forecast could be checked"
    return f"model-based range: {choice.periods} past forecasts were checked, {ENOUGH} are needed"


def day_of(month: str) -> dt.date:
    """Last day of a month given as YYYY-MM.

    >>> day_of("2026-09").isoformat()
    '2026-09-30'
    """
    year, number = (int(part) for part in month.split("-"))
    return month_end(12 * year + number - 1)
