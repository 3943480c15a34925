"""The bookings forecast of a period as of a day: one number, its range, what it consists of, and why to trust it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.models.backtest import Backtest, BacktestOptions
from revops_analysis.models.backtest_cache import BacktestRequest, cached_backtest
from revops_analysis.models.bookings_model import (
    COMPONENTS,
    BookingsModel,
    BookingsOptions,
    Expectation,
    FittedBookingsModel,
    parts_of,
)
from revops_analysis.models.cutoffs import Cutoff, week_ends
from revops_analysis.models.evidence import Evidence, gather_evidence
from revops_analysis.models.forecast_groups import (
    Adjustment,
    GroupDraws,
    booked_deals,
    codes_of,
    deal_facts,
    group_forecasts,
)
from revops_analysis.models.forecaster import QUANTILE_NAMES, NotPossible, Outlook
from revops_analysis.models.model_store import kept_win_model
from revops_analysis.models.new_stages import new_stages_share
from revops_analysis.models.rivals import rivals
from revops_analysis.models.selection import (
    CHOSEN,
    Choice,
    SelectionOptions,
    Situation,
    apply_choice,
    choose,
    with_choice,
)
from revops_analysis.models.simulated_bookings import Simulated, simulate_bookings
from revops_analysis.periods import Period, following, parse_period, period_containing

if TYPE_CHECKING:
    from revops_analysis.workspace import Workspace

Floats = npt.NDArray[np.float64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ForecastOptions:
    """How the forecast is made: the model's, the back-test's and the selection's options; `scored_periods` of the past
    are forecast again, the earliest of them after `training_periods` others."""

    model: BookingsOptions = field(default_factory=BookingsOptions)
    backtest: BacktestOptions = field(default_factory=BacktestOptions)
    selection: SelectionOptions = field(default_factory=SelectionOptions)
    scored_periods: int = 12
    training_periods: int = 3


@dataclass(frozen=True, eq=False)
class BookingsForecast:
    """A forecast of the bookings (new and expansion, unless the definitions say otherwise) of `cutoff.period`.

    Money in `currency`. `summary`: one row a method, `chosen` first: method, title, mean and the quantiles p2_5 …
    p97_5. `components`: component, title, mean, p10, p90; the means add up to the chosen mean, to the cent.
    `groups`: cut (segment, type, region, team, owner), group, booked, mean, quantiles; the means of each cut add up to
    the chosen mean. `deals`: the open deals with probability, value and expected amount, largest expected first.
    `draws`: simulated bookings, adjusted as the chosen range is. `target` and `chance` to reach it are null without
    one. `notes` say what was left out. `backtest.frame` has every method at past cutoffs, and `chosen`.
    """

    cutoff: Cutoff
    currency: str
    summary: pd.DataFrame
    components: pd.DataFrame
    groups: pd.DataFrame
    deals: pd.DataFrame
    draws: Floats
    target: float | None
    choice: Choice
    backtest: Backtest
    evidence: Evidence
    fitted: FittedBookingsModel | None
    notes: tuple[str, ...]

    @property
    def mean(self) -> float:
        """The forecast: expected bookings of the period."""
        return float(self.summary.loc[self.summary["method"] == CHOSEN, "mean"].iloc[0])

    @property
    def chance(self) -> float | None:
        """Probability of reaching the target; null without a target (one of zero or less is none) or range."""
        if self.target is None or not len(self.draws):
            return None
        return float(np.mean(self.draws >= self.target))

    def quantile(self, name: str) -> float:
        """A quantile of the chosen forecast by its name, as `p10`."""
        return float(self.summary.loc[self.summary["method"] == CHOSEN, name].iloc[0])


def forecast_period(workspace: Workspace, period: str | Period | None = None) -> Period:
    """The period to forecast: the one given, or the quarter of the as-of day, or the next once it is over."""
    calendar = workspace.definitions.fiscal_calendar
    if period is None:
        found = period_containing(workspace.as_of, calendar)
    else:
        found = parse_period(period, calendar) if isinstance(period, str) else period
    return following(found, calendar) if found.end <= workspace.as_of else found


def forecast_bookings(
    workspace: Workspace,
    period: str | Period | None = None,
    options: ForecastOptions | None = None,
    progress: Progress | None = None,
) -> BookingsForecast:
    """Forecast the bookings of a period as of the workspace's day; see `BookingsForecast`.

    The period may run or lie ahead; of one that is over the next is forecast, because its own bookings are a fact.
    The same inputs give the same digits. `progress` is told how many past periods were forecast again.

    Raises ConfigurationError when there is no deal to learn from, DataRefusedError for negative amounts.

    In a notebook: `forecast_bookings(ws, "2026-Q4").mean`
    """
    options = options or ForecastOptions()
    cutoff = Cutoff(workspace.as_of, forecast_period(workspace, period))
    evidence = gather_evidence(workspace, asked_cutoffs(cutoff), lead_days=lead_days(cutoff))
    methods = (BookingsModel(options.model), *rivals(workspace.definitions))
    tested = _tested(workspace, (evidence, cutoff), methods, options, progress)
    win = kept_win_model(workspace, workspace.project, evidence, options.model.win)
    fitted = BookingsModel(options.model).fit(evidence, win)
    expected = fitted.expect(evidence, cutoff)
    outlooks = _outlooks(evidence, cutoff, methods, fitted)
    can_do_without_past = options.selection.without_past in outlooks[0]
    now = Situation(float(len(evidence.wins)), new_stages_share(evidence, cutoff) if can_do_without_past else 0.0)
    choice = choose(tested.frame, options.selection, now)
    frame, _choices = with_choice(tested.frame, options.selection)
    basis = _Basis(workspace, evidence, cutoff, choice, Backtest(frame, tested.skipped))
    if isinstance(expected, NotPossible):
        return _by_rule(basis, outlooks, expected)
    return _by_model(basis, outlooks, expected, fitted)


def lead_days(cutoff: Cutoff) -> int:
    """How many days before its period a forecast is made; 0 within it."""
    return max(0, -cutoff.offset)


def asked_cutoffs(cutoff: Cutoff) -> tuple[Cutoff, ...]:
    """The cutoff itself, the same a week earlier, and the ends of the weeks of its period that are over."""
    week_ago = Cutoff(cutoff.day - timedelta(days=7), cutoff.period)
    weeks = tuple(end for end in week_ends(cutoff.period) if end.day < cutoff.day)
    return (*weeks, week_ago, cutoff)


@dataclass(frozen=True, eq=False)
class _Basis:
    """What every kind of answer rests on."""

    workspace: Workspace
    evidence: Evidence
    cutoff: Cutoff
    choice: Choice
    backtest: Backtest

    def target(self) -> float | None:
        """The company's target of the period; None without one, or when it is not above zero."""
        return bookings_target(self.workspace, self.cutoff.period)

    def certain(self) -> float:
        """Booked, and won to be booked later in the period."""
        row = self.evidence.at(self.cutoff)[1]
        return float(row["booked"] + row["signed"])


def _tested(
    workspace: Workspace,
    asked: tuple[Evidence, Cutoff],
    methods: tuple[Any, ...],
    options: ForecastOptions,
    progress: Progress | None,
) -> Backtest:
    """The back-test of the latest past periods, at the weeks of the options or, ahead of a period, at the same lead."""
    evidence, cutoff = asked
    lead = lead_days(cutoff)
    how = replace(options.backtest, lead_days=lead) if lead > 1 else options.backtest
    request = BacktestRequest(scored_periods(evidence, options), methods, how)
    return cached_backtest(workspace, workspace.project, request, evidence=lambda: evidence, progress=progress)


def scored_periods(evidence: Evidence, options: ForecastOptions) -> tuple[Period, ...]:
    """The past periods that are forecast again: the latest, those left out that only serve to learn from."""
    past = evidence.past.drop_duplicates("period").sort_values("first_day", kind="stable")
    scored = past.iloc[options.training_periods :].tail(options.scored_periods)
    days = zip(scored["period"], scored["first_day"].dt.date, scored["last_day"].dt.date, strict=True)
    return tuple(Period(label, first, last) for label, first, last in days)


def _outlooks(
    evidence: Evidence, cutoff: Cutoff, methods: tuple[Any, ...], fitted: FittedBookingsModel
) -> tuple[dict[str, Outlook], dict[str, str], list[str]]:
    """What each method says now, its title, and why some cannot."""
    made, titles, reasons = {}, {CHOSEN: "Forecast"}, []
    for method in methods:
        asked = fitted if method.name == fitted.name else method
        answer = asked.forecast(evidence, cutoff)
        titles[method.name] = method.title
        if isinstance(answer, NotPossible):
            reasons.append(f"{method.title}: {answer.reason}")
        else:
            made[method.name] = answer
    return made, titles, reasons


def _summary(outlooks: Mapping[str, Outlook], titles: Mapping[str, str], chosen: Mapping[str, float]) -> pd.DataFrame:
    rows: list[dict[str, object]] = [{"method": CHOSEN, "title": titles[CHOSEN], **chosen}]
    for name, outlook in outlooks.items():
        quantiles = dict(zip(QUANTILE_NAMES, outlook.quantiles, strict=True))
        rows.append({"method": name, "title": titles[name], "mean": outlook.mean, **quantiles})
    return pd.DataFrame(rows)


def _by_model(
    basis: _Basis,
    outlooks: tuple[dict[str, Outlook], dict[str, str], list[str]],
    expected: Expectation,
    fitted: FittedBookingsModel,
) -> BookingsForecast:
    """The answer where deals can be looked at: everything follows from one set of draws."""
    made, titles, reasons = outlooks
    options = fitted.model.options
    facts = deal_facts(basis.workspace)
    deals = expected.deals.drop(columns=["segment", "type"]).merge(facts, on="opportunity_id", how="left")
    codes, keys = codes_of(deals)
    drawn = simulate_bookings(parts_of(expected), draws=options.draws, seed=options.seed, groups=codes)
    rows = {name: outlook.as_row() for name, outlook in made.items()}
    chosen = apply_choice(basis.choice, rows, basis.certain())
    adjustment = _adjustment(chosen["mean"], expected, basis)
    booked = booked_deals(basis.workspace, basis.cutoff).merge(facts, on="opportunity_id", how="left")
    draws = GroupDraws(keys, drawn.open, drawn.later, drawn.other)
    return BookingsForecast(
        basis.cutoff,
        basis.evidence.currency,
        _summary(made, titles, chosen),
        _components(expected, drawn, adjustment),
        group_forecasts(expected, deals, booked, draws, adjustment),
        _listed(deals, adjustment),
        adjustment.draws(drawn.total, expected.mean, basis.certain()),
        basis.target(),
        basis.choice,
        basis.backtest,
        basis.evidence,
        fitted,
        (*expected.notes, basis.choice.reason, *reasons),
    )


def _adjustment(mean: float, expected: Expectation, basis: _Basis) -> Adjustment:
    certain = basis.certain()
    uncertain = expected.mean - certain
    return Adjustment((mean - certain) / uncertain if uncertain else 1.0, basis.choice.stretch)


def _components(expected: Expectation, drawn: Simulated, adjustment: Adjustment) -> pd.DataFrame:
    """The parts of the chosen forecast, with the 80% range of those that are drawn whole."""
    frame = expected.parts.set_index("component")["mean"]
    is_sure = frame.index.isin(["booked", "signed"])
    means = frame.where(is_sure, frame * adjustment.factor)
    ranges = {"later": drawn.later.sum(axis=1), "other": drawn.other}
    rows = []
    for name, mean in means.items():
        low = high = mean if name in ("booked", "signed") else np.nan
        if name in ranges:
            part = adjustment.draws(ranges[str(name)], float(frame[name]), 0.0)
            low, high = np.quantile(part, [0.1, 0.9])
        rows.append({"component": name, "title": COMPONENTS[str(name)], "mean": mean, "p10": low, "p90": high})
    return pd.DataFrame(rows)


def _listed(deals: pd.DataFrame, adjustment: Adjustment) -> pd.DataFrame:
    """The open deals, largest expected first; `expected` is their part of the chosen forecast."""
    listed = deals.assign(expected=deals["expected"] * adjustment.factor)
    return listed.sort_values(["expected", "opportunity_id"], ascending=[False, True], ignore_index=True)


def _by_rule(
    basis: _Basis, outlooks: tuple[dict[str, Outlook], dict[str, str], list[str]], why: NotPossible
) -> BookingsForecast:
    """The answer where no past period is over: the CRM's own probabilities, without a range, and it says so."""
    made, titles, reasons = outlooks
    rule = made.get(FALLBACK)
    if rule is None:
        raise ConfigurationError(
            "There is nothing to forecast from.",
            expected="a past period, or open deals with a CRM probability",
            found="; ".join(reasons),
            where=f"source {basis.workspace.source}, as of {basis.cutoff.day.isoformat()}",
            fix="load deals with their history, or choose a later as-of date",
        )
    chosen = {"mean": rule.mean, **dict(zip(QUANTILE_NAMES, rule.quantiles, strict=True))}
    certain = basis.certain()
    parts = pd.DataFrame(
        {"component": ["booked", "upside"], "title": [COMPONENTS["booked"], COMPONENTS["upside"]]}
    ).assign(mean=[certain, rule.mean - certain], p10=np.nan, p90=np.nan)
    empty = pd.DataFrame(columns=["cut", "group", "booked", "open_deals", "mean", *QUANTILE_NAMES])
    note = f"{why.reason} The CRM's probabilities are used, and no range can be stated."
    return BookingsForecast(
        basis.cutoff,
        basis.evidence.currency,
        _summary(made, titles, chosen),
        parts,
        empty,
        basis.evidence.at(basis.cutoff)[0],
        np.zeros(0),
        basis.target(),
        basis.choice,
        basis.backtest,
        basis.evidence,
        None,
        (note, *reasons),
    )


FALLBACK = "crm_weighted"
"""The rule that needs no history."""


def bookings_target(workspace: Workspace, period: Period) -> float | None:
    """The company's bookings target of a period; None without one, or when it is not above zero."""
    found = workspace.metric("target", period=period)["value"].iloc[0]
    return None if pd.isna(found) or found <= 0 else float(found)
