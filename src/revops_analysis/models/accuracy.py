"""How good forecasts were: measures of a back-test's long table, a separate step from making it.

The table has a row a forecast: cutoff, period, week, method, mean, the quantiles by name, outcome (the bookings of the
period). Rows without a mean or without an outcome are left out of every measure. Tables of several companies or
simulations carry a column `seed` that tells them apart; it is then part of what a forecast is of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.statistics.bootstrap import BootstrapOptions

NO_FORECASTS = "no forecasts with an outcome"
ZERO_SUM = "the outcomes add up to zero"
ZERO_OUTCOME = "the outcome is zero"


def forecast_errors(table: pd.DataFrame) -> pd.DataFrame:
    """Accuracy and bias of each forecast: the table with error, accuracy, bias and reason.

    error = F − A; accuracy = 1 − |F − A| ÷ |A|; bias = (F − A) ÷ A. Null with a reason where the forecast or the
    outcome is missing, and where the outcome is zero (the error itself is known then).

    >>> table = pd.DataFrame({"mean": [110.0, 5.0], "outcome": [100.0, 0.0]})
    >>> forecast_errors(table)[["error", "accuracy", "bias", "reason"]].round(2).to_numpy(object).tolist()
    [[10.0, 0.9, 0.1, None], [5.0, nan, nan, 'the outcome is zero']]
    """
    error = table["mean"] - table["outcome"]
    outcome = table["outcome"].where(table["outcome"] != 0)
    missing = table["mean"].isna() | table["outcome"].isna()
    return table.assign(
        error=error,
        accuracy=1 - error.abs() / outcome.abs(),
        bias=error / outcome,
        reason=reasons(table.index, {NO_FORECASTS: missing, ZERO_OUTCOME: table["outcome"] == 0}),
    )


def errors_by(table: pd.DataFrame, by: Sequence[str] = ("method",)) -> pd.DataFrame:
    """WAPE and bias of each group, a row a group in order: [*by, n, periods, wape, bias, accuracy, reason].

    WAPE = Σ|F − A| ÷ Σ|A|, bias = Σ(F − A) ÷ Σ A, accuracy = 1 − WAPE. By week of the period:
    `errors_by(table, ("method", "week"))`. Null with a reason where the outcomes add up to zero.
    """
    known = known_forecasts(table)
    gap = known["mean"] - known["outcome"]
    cluster = known.groupby(_cluster(known), sort=True).ngroup()
    known = known.assign(size=gap.abs(), gap=gap, real=known["outcome"].abs(), cluster=cluster)
    grouped = known.groupby(list(by), sort=True)
    sums = grouped[["size", "gap", "real", "outcome"]].sum()
    real, total = sums["real"].where(sums["real"] > 0), sums["outcome"].where(sums["outcome"] != 0)
    found = pd.DataFrame(
        {
            "n": grouped.size(),
            "periods": grouped["cluster"].nunique(),
            "wape": sums["size"] / real,
            "bias": sums["gap"] / total,
            "accuracy": 1 - sums["size"] / real,
        }
    )
    found = found.reindex(groups_of(table, by))
    found[["n", "periods"]] = found[["n", "periods"]].fillna(0).astype("int64")
    said = reasons(found.index, {NO_FORECASTS: found["n"] == 0, ZERO_SUM: found["wape"].isna()})
    return found.assign(reason=said).reset_index()


def best_on_average(table: pd.DataFrame, rivals: Sequence[str]) -> str | None:
    """The rival with the smallest WAPE over the forecasts that all rivals made which made any; None without one.

    Rivals are compared on the same cutoffs: otherwise one that forecasts only late in a period would win. Rivals that
    made less than half as many forecasts as the busiest are not in the race.
    """
    made = known_forecasts(table[table["method"].isin(rivals)])
    if made.empty:
        return None
    counts = made["method"].value_counts()
    racing = [name for name in rivals if counts.get(name, 0) * 2 >= counts.max()]
    common = same_forecasts(made[made["method"].isin(racing)])
    wapes = errors_by(common).set_index("method")["wape"].dropna()
    return None if wapes.empty else str(wapes.reindex([name for name in racing if name in wapes.index]).idxmin())


def same_forecasts(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of cutoffs and periods for which every method of the table made a forecast with an outcome."""
    known = known_forecasts(table)
    methods = known.groupby(_key(known))["method"].transform("nunique")
    return known[methods == known["method"].nunique()]


def skill(table: pd.DataFrame, rivals: Sequence[str]) -> pd.DataFrame:
    """Skill of each method: [method, rival, wape, rival_wape, skill, n, reason], over the forecasts that both made.

    Skill = 1 − WAPE ÷ WAPE of the rival that is best on average. Null with a reason without such a rival, without
    common forecasts, and where the rival made no error.
    """
    best = best_on_average(table, rivals)
    rows = [_skill_row(table, str(method), best) for method in sorted(table["method"].unique())]
    return pd.DataFrame(rows, columns=["method", "rival", "wape", "rival_wape", "skill", "n", "reason"])


def _skill_row(table: pd.DataFrame, method: str, rival: str | None) -> tuple[object, ...]:
    if rival is None:
        return method, None, np.nan, np.nan, np.nan, 0, "no rival made a forecast"
    pairs = _paired(table, method, rival)
    if pairs.empty or pairs["real"].sum() == 0:
        return method, rival, np.nan, np.nan, np.nan, len(pairs), NO_FORECASTS
    own, other = (float(pairs[side].sum() / pairs["real"].sum()) for side in ("first", "second"))
    if other == 0:
        return method, rival, own, other, np.nan, len(pairs), "the rival made no error"
    return method, rival, own, other, 1 - own / other, len(pairs), None


_DEFAULT = BootstrapOptions()


@dataclass(frozen=True)
class Comparison:
    """Two methods on the same forecasts: WAPE of each, difference (first − second) and ratio, with intervals.

    Null with a reason where they cannot be computed; `n` counts forecasts, `clusters` what was resampled.
    """

    first: str
    second: str
    wape: tuple[float | None, float | None]
    difference: tuple[float | None, float | None, float | None]
    ratio: tuple[float | None, float | None, float | None]
    n: int
    clusters: int
    reason: str | None = None


def compare_methods(
    table: pd.DataFrame,
    methods: tuple[str, str],
    seed: int,
    *,
    options: BootstrapOptions = _DEFAULT,
) -> Comparison:
    """Compare the WAPE of two methods on the forecasts that both made: (value, low, high) of difference and ratio.

    Percentile bootstrap over clusters: all weeks of a period (of one `seed`) are drawn together, because they share one
    outcome. One cluster has no interval. The order of rows does not matter. Null with a reason where the outcomes add
    up to zero, and the ratio also where the second method made no error.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), ch. 13 (percentile interval, paired).
    """
    pairs = _paired(table, *methods)
    units = (
        pairs.groupby([name for name in _key(table) if name != "cutoff"], sort=True)[["first", "second", "real"]]
        .sum()
        .to_numpy()
    )
    n, clusters = len(pairs), len(units)
    none = (None, None, None)
    first, second, real = units.sum(axis=0) if clusters else (0.0, 0.0, 0.0)
    if real == 0:
        reason = NO_FORECASTS if n == 0 else ZERO_SUM
        return Comparison(*methods, (None, None), none, none, n, clusters, reason)
    wapes = float(first / real), float(second / real)
    drawn = np.random.default_rng(seed).integers(0, clusters, size=(options.repeats, clusters))
    sums = units[drawn].sum(axis=1)
    difference = _limits(wapes[0] - wapes[1], sums[:, 0] - sums[:, 1], sums[:, 2], options, clusters)
    if second == 0:
        return Comparison(*methods, wapes, difference, none, n, clusters, "the second method made no error")
    ratio = _limits(float(first / second), sums[:, 0], sums[:, 1], options, clusters)
    said = "one cluster has no interval" if clusters == 1 else None
    return Comparison(*methods, wapes, difference, ratio, n, clusters, said)


def _limits(
    value: float,
    top: npt.NDArray[np.float64],
    bottom: npt.NDArray[np.float64],
    options: BootstrapOptions,
    clusters: int,
) -> tuple[float | None, float | None, float | None]:
    """The value with its percentile limits; none where too many resamples have a denominator of zero."""
    known = bottom != 0
    if clusters == 1 or known.mean() < 0.95:
        return value, None, None
    low, high = np.quantile(top[known] / bottom[known], [(1 - options.confidence) / 2, (1 + options.confidence) / 2])
    return value, float(low), float(high)


def _paired(table: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Absolute errors of two methods on the same forecasts: key, first, second, real."""
    key = _key(table)
    known = known_forecasts(table)
    known = known.assign(size=(known["mean"] - known["outcome"]).abs(), real=known["outcome"].abs())
    sides = [known.loc[known["method"] == name, [*key, "size", "real"]] for name in (first, second)]
    for method, side in zip((first, second), sides, strict=True):
        if side.duplicated(key).any():
            raise ConfigurationError(
                "A method has two forecasts of one cutoff and period.",
                found=f"{method}: {int(side.duplicated(key).sum())} repeated",
                fix="give tables of several companies a column `seed` that tells them apart",
            )
    both = (
        sides[0]
        .rename(columns={"size": "first"})
        .merge(sides[1].rename(columns={"size": "second"}).drop(columns="real"), on=key)
    )
    return both.sort_values(key, ignore_index=True)


def _key(table: pd.DataFrame) -> list[str]:
    """The columns that say what is forecast, and when."""
    return [name for name in ("seed", "period", "cutoff") if name in table]


def _cluster(table: pd.DataFrame) -> list[str]:
    """The columns that say which outcome: forecasts of one outcome are not independent."""
    return [name for name in _key(table) if name != "cutoff"]


def known_forecasts(table: pd.DataFrame) -> pd.DataFrame:
    """The rows with a mean and an outcome."""
    return table[table["mean"].notna() & table["outcome"].notna()]


def groups_of(table: pd.DataFrame, by: Sequence[str]) -> pd.Index:
    """Every group of the table, in order, whether or not anything can be said of it."""
    return table[list(by)].drop_duplicates().sort_values(list(by)).set_index(list(by)).index


def reasons(index: pd.Index, cases: dict[str, pd.Series]) -> pd.Series:
    """The first reason of each row whose condition holds; None without one."""
    said = np.select([np.asarray(case, dtype=bool) for case in cases.values()], list(cases), "")
    return pd.Series([str(text) or None for text in said], index=index, dtype=object)
