"""All that the chapter on time to close shows, computed once: figures, tables and texts come from this and agree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from revops_analysis.models.close_design import distinct
from revops_analysis.models.close_regression import CloseRegression, RegressionOptions, close_regression
from revops_analysis.models.deal_times import DealTimes, deal_times
from revops_analysis.models.survival_words import statements
from revops_analysis.models.time_to_close import ALL_DEALS, TimeToClose, TimeToCloseOptions, time_to_close
from revops_analysis.periods import Period, begun_period, period_containing, previous

if TYPE_CHECKING:
    from revops_analysis.tables.snapshot import Snapshot

ATTRIBUTES = ("segment", "type", "source", "product")
"""What the regression looks at, in order; what those before it nearly determine is left out."""

AGES_SHOWN = (0, 30, 60, 90, 120, 180, 270)
AGE, AHEAD = 90, 90
"""The chance of an open deal that is published: at this age, within so many days."""


@dataclass(frozen=True, eq=False)
class DealSurvival:
    """How long deals take and how they end.

    `cohort`: the period in which the deals were created, two years up to the end of the report's. `times`: curves by
    segment; `regression`: what makes deals win sooner; `statements`: [statement, n], what it says in words, most
    important first; `headline` and `figures`: tidy frames of key figures; `notes`: what was decided or left out.
    """

    period: Period
    cohort: Period
    times: TimeToClose
    regression: CloseRegression
    statements: pd.DataFrame
    headline: tuple[pd.DataFrame, ...]
    figures: tuple[pd.DataFrame, ...]
    notes: tuple[str, ...]

    def chances(self) -> pd.DataFrame:
        """Chances by age, a row a scope and age: [scope, age_days, n, open_now, within_30 …, by_horizon, reason].

        `n` deals of the cohort were open at that age, `open_now` are today's of that age, up to the next one shown.
        Null where fewer deals than needed were; `reason` says why for those that no column has.
        """
        frame = self.times.conditional
        ages = [age for age in AGES_SHOWN if age in set(frame["age"])]
        rows = frame.assign(band=pd.cut(frame["age"], [*ages, float("inf")], right=False, labels=ages).astype("int64"))
        keys = ["scope", "band"]
        once = rows[rows["ahead"].isna()]
        now = once.groupby(keys, dropna=False, sort=False, as_index=False)["open_now"].sum()
        shown = frame[frame["age"].isin(ages)]
        made = shown.loc[shown["ahead"].isna(), ["scope", "age", "n"]].rename(columns={"age": "band"})
        made = made.merge(now, on=keys).rename(columns={"band": "age_days"})
        for ahead in (*self.times.options.ahead, None):
            part = shown[shown["ahead"].isna() if ahead is None else shown["ahead"] == ahead]
            made[_chance_name(ahead)] = part["value"].to_numpy()
        values = made[[_chance_name(ahead) for ahead in (*self.times.options.ahead, None)]]
        first = shown.loc[shown["ahead"] == self.times.options.ahead[0], "reason"].to_numpy()
        return made.assign(reason=pd.Series(first, dtype=object).where(values.isna().all(axis=1), None))

    @property
    def chance_units(self) -> dict[str, str]:
        """The unit of each column of `chances`."""
        names = [_chance_name(ahead) for ahead in (*self.times.options.ahead, None)]
        return {"open_now": "count", "n": "count", **dict.fromkeys(names, "rate")}

    def outcomes(self) -> pd.DataFrame:
        """Shares at the horizon and days to a win by scope: [scope, n, won_share, won_low, won_high, lost_share,
        open_share, median_days, median_low, median_high, reason]."""
        frame = self.times.summary
        reason = frame["reason"].where(frame["reason"].notna(), frame["median_reason"])
        shown = ["scope", "n", "won_share", "won_low", "won_high", "lost_share", "open_share"]
        return frame[[*shown, "median_days", "median_low", "median_high"]].assign(reason=reason)

    @property
    def outcome_units(self) -> dict[str, str]:
        """The unit of each column of `outcomes`."""
        return {name: unit for name, unit in self.times.units.items() if name in self.outcomes()}

    def checks_table(self) -> pd.DataFrame:
        """The checks as a page shows them: [check, term, verdict, finding, advice, p_value], the last one as text."""
        frame = self.regression.checks
        p_value = frame["p_value"].map(lambda p: None if pd.isna(p) else "< .001" if p < 0.001 else f"{p:.3f}"[1:])
        return frame[["check", "term", "verdict", "finding", "advice"]].assign(p_value=p_value)

    def notes_table(self) -> pd.DataFrame:
        """`notes`, a row each: [note]."""
        return pd.DataFrame({"note": list(self.notes) or ["Nothing was left out."]})

    def ratios(self) -> pd.DataFrame:
        """Both models side by side: [term, reference, n, won, pace_ratio, pace_low, pace_high, time_ratio, time_low,
        time_high, reason]. Pace above 1 is won faster, time above 1 takes longer. What failed its check is null."""
        found = self.regression
        cox, weibull = found.of("cox"), found.of("weibull")
        made = cox[["term", "reference", "n", "won"]].copy()
        changes = cox["term"].isin(found.changing)
        for end, name in (("_ratio", "ratio"), ("_low", "ratio_low"), ("_high", "ratio_high")):
            made[f"pace{end}"] = cox[name].mask(changes)
        for end, name in (("_ratio", "ratio"), ("_low", "ratio_low"), ("_high", "ratio_high")):
            made[f"time{end}"] = float("nan") if found.weibull_misleads else weibull[name]
        why = [_why_not_shown(changed, found.weibull_misleads) for changed in changes]
        return made.assign(reason=pd.Series(why, index=made.index, dtype=object))


def _why_not_shown(changed: bool, misleads: bool) -> str | None:
    reasons = [why for why, holds in ((_CHANGING, changed), (_NO_WEIBULL, misleads)) if holds]
    return "; ".join(reasons) or None


_CHANGING = "the ratio changes with the age of deals"
_NO_WEIBULL = "the Weibull curve does not fit, so its times are not shown"


def _chance_name(ahead: int | None) -> str:
    return "by_horizon" if ahead is None else f"within_{ahead}"


def deal_survival(snapshot: Snapshot, period: str | Period, seed: int = 0) -> DealSurvival:
    """Compute the chapter for the headline deals created in the two years up to the end of `period`.

    Attributes of which only today's value is known are used where the definitions allow it, and left out, with a note,
    where they do not. `seed` is that of the interval of the median.

    Raises ConfigurationError for a period that cannot be read or begins after the as-of date.
    """
    span = begun_period(period, snapshot.definitions.fiscal_calendar, snapshot.as_of)
    allowed, refused = _allowed(snapshot)
    times = deal_times(snapshot, _cohort(snapshot, span), allowed)
    found = time_to_close(times, "segment" if "segment" in allowed else None, TimeToCloseOptions(seed=seed))
    regression, left_out = _regression(times, found.horizon_days)
    return DealSurvival(
        period=span,
        cohort=times.period,
        times=found,
        regression=regression,
        statements=statements(found, regression),
        headline=_headline(found),
        figures=(*_by_scope(found), *_of_regression(regression)),
        notes=(*refused, *times.notes, *left_out, *regression.notes),
    )


def _cohort(snapshot: Snapshot, period: Period) -> Period:
    """Eight quarters up to the end of the period: enough wins, and not so old that the company was another."""
    calendar = snapshot.definitions.fiscal_calendar
    quarter = period_containing(period.end, calendar)
    for _ in range(snapshot.definitions.coverage.history_periods - 1):
        quarter = previous(quarter, calendar)
    return Period(f"{quarter.start.isoformat()}..{period.end.isoformat()}", quarter.start, period.end)


def _allowed(snapshot: Snapshot) -> tuple[tuple[str, ...], tuple[str, ...]]:
    permitted = {"type", *(name.split(".")[1] for name in snapshot.definitions.allowed_current_columns if "." in name)}
    names = tuple(name for name in ATTRIBUTES if name in permitted)
    notes = tuple(
        f"{name} is left out: only today's value is known, and allowed_current_columns does not name it."
        for name in ATTRIBUTES
        if name not in permitted
    )
    return names, notes


def _regression(times: DealTimes, horizon: int) -> tuple[CloseRegression, tuple[str, ...]]:
    known, notes = distinct(times.frame, times.attributes, times.frame["event"] == "won")
    return close_regression(times.frame, known, RegressionOptions(horizon_days=horizon)), notes


def _headline(times: TimeToClose) -> tuple[pd.DataFrame, ...]:
    whole = times.summary.iloc[0]
    rows = [_share(whole, "won", times), _share(whole, "lost", times), _median(whole), _chance(ALL_DEALS, times)]
    return _tidy(row for row in rows if row)


def _by_scope(times: TimeToClose) -> tuple[pd.DataFrame, ...]:
    """The same by level; without levels the headline has it all."""
    parts = []
    for row in times.summary.iloc[1:].to_dict("records"):
        found = [_share(row, "won", times), _share(row, "lost", times), _median(row), _chance(row["scope"], times)]
        parts += [{**one, str(times.by): row["scope"]} for one in found if one]
    return _tidy(parts)


def _share(row: Any, event: str, times: TimeToClose) -> dict[str, Any]:
    return {
        "metric": f"{event}_within_horizon",
        "horizon": f"{times.horizon_days} days",
        "value": row[f"{event}_share"],
        "unit": "rate",
        "low": row[f"{event}_low"],
        "high": row[f"{event}_high"],
        "n": row["n"],
        "reason": row["reason"],
    }


def _median(row: Any) -> dict[str, Any]:
    read = {"value": row["median_days"], "low": row["median_low"], "high": row["median_high"]}
    return {"metric": "median_days_to_win", **read, "unit": "days", "n": row["n"], "reason": row["median_reason"]}


def _chance(scope: str | None, times: TimeToClose) -> dict[str, Any]:
    frame = times.conditional
    same = frame["scope"].isna() if scope is None else frame["scope"] == scope
    rows = frame[same & (frame["age"] == AGE) & (frame["ahead"] == AHEAD)].to_dict("records")
    if not rows:
        return {}
    read = {name: rows[0][name] for name in ("value", "low", "high", "n", "reason")}
    dims = {"age": f"open at {AGE} days", "within": f"next {AHEAD} days"}
    return {"metric": "chance_to_win", **dims, "unit": "rate", **read}


def _of_regression(regression: CloseRegression) -> tuple[pd.DataFrame, ...]:
    order = {"metric": "win_order_concordance", "value": regression.concordance, "unit": "ratio", "n": regression.won}
    rows: list[dict[str, Any]] = [{**order, "reason": regression.reason}]
    for row in regression.of("cox").to_dict("records"):
        read = {"value": row["ratio"], "low": row["ratio_low"], "high": row["ratio_high"], "reason": None}
        if row["term"] in regression.changing:
            read = {"value": None, "low": None, "high": None, "reason": _CHANGING}
        dims = {"metric": "pace_ratio", "of": row["term"], "against": row["reference"]}
        rows.append({**dims, **read, "unit": "ratio", "n": row["won"]})
    verdicts = regression.checks["verdict"].value_counts()
    for verdict in ("PASS", "REVIEW", "FAIL"):
        counted = {"value": int(verdicts.get(verdict, 0)), "unit": "count", "n": len(regression.checks)}
        rows.append({"metric": "model_checks", "verdict": verdict, **counted})
    return _tidy(rows)


def _tidy(rows: Iterable[dict[str, Any]]) -> tuple[pd.DataFrame, ...]:
    """One frame a metric: each has dimensions of its own."""
    by_metric: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_metric.setdefault(row["metric"], []).append(row)
    return tuple(pd.DataFrame(found) for found in by_metric.values())
