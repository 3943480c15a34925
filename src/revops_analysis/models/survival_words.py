"""What curves and regression of time to close say, in sentences: only differences beyond chance are called so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from revops_analysis.models.close_design import NOT_SET
from revops_analysis.models.close_regression import CloseRegression
from revops_analysis.models.time_to_close import ALL_DEALS, TimeToClose

_NAMED_RATIOS = 3
Said = tuple[str, int]


def statements(times: TimeToClose, regression: CloseRegression) -> pd.DataFrame:
    """Sentences with the number of deals each rests on, most important first: [statement, n].

    A sentence that cannot be said is replaced by the reason why not; there are always some.
    """
    said = [*_outcome(times), *_levels(times), *_ages(times), *_ratios(regression), *_trust(regression)]
    return pd.DataFrame(said, columns=["statement", "n"])


def _outcome(times: TimeToClose) -> Iterator[Said]:
    whole, horizon = times.summary.iloc[0], times.horizon_days
    n = int(whole["n"])
    if whole["reason"]:
        yield f"How deals end is not known: {whole['reason']}.", n
        return
    won = f"{whole['won_share']:.0%}{_interval(whole['won_low'], whole['won_high'])}"
    yield (
        (
            f"{won} of deals are won within {horizon} days of their creation, {whole['lost_share']:.0%} are lost, and "
            f"{whole['open_share']:.0%} are still open."
        ),
        n,
    )
    if whole["median_reason"]:
        yield f"How long wins take is not known: {whole['median_reason']}.", n
        return
    between = f" ({whole['median_low']:.0f} to {whole['median_high']:.0f})" if _differ(whole) else ""
    yield f"Half of these wins come within {_days(whole['median_days'])}{between}.", n


def _extreme(rows: pd.DataFrame, column: str, *, most: bool) -> pd.Series:
    """The first row with the largest, or smallest, value."""
    values = rows[column].to_numpy(dtype=float)
    return rows.iloc[int(values.argmax() if most else values.argmin())]


def _differ(row: pd.Series) -> bool:
    return bool(pd.notna(row["median_low"]) and row["median_low"] < row["median_high"])


def _levels(times: TimeToClose) -> Iterator[Said]:
    rows = times.summary.iloc[1:]
    n = int(rows["n"].sum())
    shares = rows[rows["won_share"].notna() & rows["won_low"].notna()]
    if len(shares) > 1:
        most, least = _extreme(shares, "won_share", most=True), _extreme(shares, "won_share", most=False)
        if most["won_low"] > least["won_high"]:
            yield (
                (
                    f"{_name(most)} deals are won most often ({most['won_share']:.0%}), {_name(least)} deals least "
                    f"({least['won_share']:.0%}); the difference is beyond chance."
                ),
                n,
            )
        else:
            yield f"No difference beyond chance in how often deals are won was found by {times.by}.", n
    medians = rows[rows["median_days"].notna()]
    if len(medians) > 1:
        fast, slow = _extreme(medians, "median_days", most=False), _extreme(medians, "median_days", most=True)
        if slow["median_low"] > fast["median_high"]:
            yield (
                (
                    f"{_name(slow)} deals take longest: half of their wins come within {_days(slow['median_days'])}, "
                    f"against {_days(fast['median_days'])} of {_name(fast)} deals."
                ),
                n,
            )
        else:
            yield f"No difference beyond chance in how long wins take was found by {times.by}.", n


def _ages(times: TimeToClose) -> Iterator[Said]:
    ahead = times.options.ahead[-1] if times.options.ahead else 0
    frame = times.conditional
    rows = frame[(frame["scope"] == ALL_DEALS) & (frame["ahead"] == ahead) & frame["value"].notna()]
    if len(rows) > 1:
        yield from _by_age(rows, ahead)
    once = frame[(frame["scope"] == ALL_DEALS) & frame["ahead"].isna()]
    old = int(once.loc[once["age"] >= times.horizon_days, "open_now"].sum())
    opened = int(times.summary.iloc[0]["open"])
    if old:
        yield f"{old:,} of today's {opened:,} open deals are {times.horizon_days} days old or older.", opened


def _by_age(rows: pd.DataFrame, ahead: int) -> Iterator[Said]:
    """The best age, and the first one after it at which the chance is lower; ages differ only beyond chance."""
    best = _extreme(rows, "value", most=True)
    lower = rows[rows["high"] < best["low"]]
    if lower.empty:
        between = f"{rows['value'].min():.0%} to {rows['value'].max():.0%}"
        yield (
            f"No difference beyond chance by age: {between} of open deals are won within {ahead} days.",
            _n(rows.iloc[0]),
        )
        return
    share = f"{best['value']:.0%}{_interval(best['low'], best['high'])}"
    at = f"Of deals still open at {_days(best['age'])}"
    yield f"{at}, {share} are won within the next {ahead} days: the best age.", _n(best)
    for found in (lower[lower["age"] < best["age"]].tail(1), lower[lower["age"] > best["age"]].head(1)):
        if len(found):
            row = found.iloc[0]
            share = f"{row['value']:.0%}{_interval(row['low'], row['high'])}"
            yield f"At {_days(row['age'])} it is clearly lower: {share}.", _n(row)


def _n(row: pd.Series) -> int:
    return int(row["n"])


def _ratios(regression: CloseRegression) -> Iterator[Said]:
    """The largest ratios that differ from 1 beyond chance; one that changes with age is not said as one number."""
    rows = regression.of("cox")
    rows = rows[(rows["low"] > 0) | (rows["high"] < 0)]
    order = rows["coefficient"].abs().sort_values(ascending=False, kind="stable").index
    tested = regression.checks.dropna(subset=["term"]).set_index("term")
    for row in rows.loc[order].head(_NAMED_RATIOS).to_dict("records"):
        pace = f"at {row['ratio']:.2f} times ({row['ratio_low']:.2f} to {row['ratio_high']:.2f}) the pace"
        finding = ""
        if row["term"] in regression.changing:
            pace, finding = (
                f"at a {'faster' if row['ratio'] > 1 else 'slower'} pace",
                tested.loc[row["term"], "finding"],
            )
        yield f"Other attributes equal, {_of(row)} {pace}. {finding}".strip(), int(row["n"])
    if regression.reason is None and rows.empty:
        yield "None of the attributes changes the pace of wins beyond chance.", regression.n


def _of(row: Any) -> str:
    if row["level"] is None:
        return f"with one more {row['attribute']} deals are won"
    return f"deals with {row['attribute']} {row['level']}, against {row['reference']}, are won"


def _trust(regression: CloseRegression) -> Iterator[Said]:
    if regression.reason:
        yield f"What makes deals win sooner is not known: {regression.reason}.", regression.n
        return
    verdicts = regression.checks["verdict"].value_counts()
    parts = [f"{int(verdicts.get(word, 0))} {word}" for word in ("PASS", "REVIEW", "FAIL")]
    yield f"Checks of the regression: {', '.join(parts)}.", regression.n


def _name(row: pd.Series) -> str:
    return NOT_SET if row["scope"] is None or pd.isna(row["scope"]) else str(row["scope"])


def _days(value: float) -> str:
    return "1 day" if value == 1 else f"{value:,.0f} days"


def _interval(low: float, high: float) -> str:
    return "" if pd.isna(low) or pd.isna(high) else f" ({low:.0%} to {high:.0%})"
