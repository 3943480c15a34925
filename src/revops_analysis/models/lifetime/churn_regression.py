"""What makes accounts leave sooner: a Cox regression on attributes at entry, with checks of how far to trust it.

Accounts that stay count for as long as they were watched, those first watched at a later age only from there on.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.models.close_checks import AMPLE, CLOSE_COLUMNS, ORDERING, SMALL_CHANGE
from revops_analysis.models.close_design import COLLINEAR, CaseWords, Design, design, distinct, inflation
from revops_analysis.models.lifetime.lifetimes import AccountLifetimes
from revops_analysis.statistics.false_discovery import benjamini_hochberg

ALPHA = 0.05
WORDS = CaseWords("account", "accounts", "left", "departures")

REGRESSORS = ("segment", "product", "region", "channel", "size_band")
"""What the regression looks at, in order; what those before it nearly determine is left out."""


@dataclass(frozen=True)
class ChurnOptions:
    """`events_per_coefficient`: departures that each coefficient needs (Peduzzi et al., 1995: ten); with fewer, the
    attributes that come last are left out."""

    confidence: float = 0.95
    events_per_coefficient: int = 10


@dataclass(frozen=True, eq=False)
class ChurnRegression:
    """Hazard ratios of leaving, and their checks.

    `coefficients`: [term, attribute, level, reference, n, churned, coefficient, low, high, ratio, ratio_low,
    ratio_high, p_value]; a ratio above 1 leaves sooner. `checks`: [check, term, verdict (PASS, REVIEW, FAIL),
    statistic, p_value, finding, advice]. `concordance`: of two accounts, how often the one with the higher predicted
    hazard leaves first; .5 is chance. Where nothing could be fitted the frames say why, and so does `reason`.
    """

    coefficients: pd.DataFrame
    checks: pd.DataFrame
    concordance: float | None
    n: int
    churned: int
    reason: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def changing(self) -> frozenset[str]:
        """Terms whose ratio changes so much with the age of accounts that it is not one number."""
        return frozenset(self.checks.loc[self.checks["verdict"] == "FAIL", "term"].dropna())

    def ratios(self) -> pd.DataFrame:
        """For a page: [term, reference, n, churned, ratio, ratio_low, ratio_high, reason], null if it changes."""
        rows = self.coefficients
        if rows.empty:
            return pd.DataFrame(columns=list(_SHOWN))
        changes = rows["term"].isin(self.changing)
        shown = {name: rows[name].mask(changes) for name in ("ratio", "ratio_low", "ratio_high")}
        why = ["the ratio changes with the age of accounts" if changed else None for changed in changes]
        return rows.assign(**shown, reason=pd.Series(why, index=rows.index, dtype=object))[list(_SHOWN)]


_SHOWN = ("term", "reference", "n", "churned", "ratio", "ratio_low", "ratio_high", "reason")
_COLUMNS = (
    *("term", "attribute", "level", "reference", "n", "churned", "coefficient", "low", "high"),
    *("ratio", "ratio_low", "ratio_high", "p_value"),
)
_CHECKS = ("check", "term", "verdict", "statistic", "p_value", "finding", "advice")


@dataclass(frozen=True, eq=False)
class _Fit:
    matrix: pd.DataFrame
    terms: pd.DataFrame
    times: pd.DataFrame
    options: ChurnOptions

    def table(self) -> pd.DataFrame:
        return pd.concat([self.matrix.reset_index(drop=True), self.times.reset_index(drop=True)], axis=1)


def churn_regression(
    lifetimes: AccountLifetimes | pd.DataFrame,
    attributes: Sequence[str] = REGRESSORS,
    options: ChurnOptions = ChurnOptions(),
) -> ChurnRegression:
    """Regress the time to leaving on attributes at entry: Cox, ties as Efron has them, delayed entry honoured.

    `lifetimes`, or a frame with months (whole, ≥ 0), churned, entry_age and the attributes, text or numbers. Attributes
    are left out, with a note, where others nearly determine them, where levels have too few departures, and, from the
    last on, until there are `events_per_coefficient` departures for each coefficient.

    >>> accounts = pd.DataFrame({"months": [3, 9] * 40, "churned": [True, False] * 40, "entry_age": 0,
    ...     "plan": ["basic", "basic", "basic", "full"] * 20})
    >>> churn_regression(accounts, ["plan"]).reason
    'the accounts do not differ in plan, or too few of each kind left'

    Source: Cox (1972); Efron (1977); Grambsch & Therneau (1994) for the check of proportional hazards.
    Raises ConfigurationError for missing columns and for months that are missing, negative or not whole.
    """
    frame = lifetimes if isinstance(lifetimes, pd.DataFrame) else lifetimes.frame
    _check(frame, attributes)
    watched = frame[(frame["entry_age"] == 0) | (frame["months"] > frame["entry_age"])].reset_index(drop=True)
    churned = watched["churned"].astype(bool)
    known, notes = distinct(watched, attributes, churned, WORDS) if churned.any() else (tuple(attributes), ())
    made, more = _affordable(watched, known, churned, options)
    notes = (*notes, *more, *made.notes)
    left = int(churned[made.kept].sum())
    reason = _why_not(made, watched, attributes, options)
    if reason is None:
        times = pd.DataFrame(
            {
                "months": watched.loc[made.kept, "months"].astype("float64"),
                "churned": churned[made.kept].astype("float64"),
                "entry_age": watched.loc[made.kept, "entry_age"].astype("float64"),
            }
        )
        terms = made.terms.rename(columns={"won": "churned"})
        found = _fitted(_Fit(made.matrix, terms, times, options), notes)
        if isinstance(found, ChurnRegression):
            return found
        reason = found
    rows = [_enough(left, len(made.terms), options)]
    rows += [_row(name, "REVIEW", None, f"Not checked: {reason}.", _WITHOUT) for name in _NAMES]
    nothing = pd.DataFrame(columns=list(_COLUMNS))
    return ChurnRegression(nothing, _as_checks(rows), None, len(watched), int(churned.sum()), reason, notes)


_NAMES = ("model settled", "columns told apart", "one ratio at all ages", "order of departures")
_WITHOUT = "Use the curves by attribute, which need no model."


def _check(frame: pd.DataFrame, attributes: Sequence[str]) -> None:
    wanted = ("months", "churned", "entry_age", *attributes)
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        raise ConfigurationError(
            "A column is missing.", expected="months, churned, entry_age, attributes", found=", ".join(missing)
        )
    months = pd.to_numeric(frame["months"], errors="coerce").astype("float64")
    bad = ~(months >= 0) | (months % 1 != 0)
    if bad.any():
        raise ConfigurationError(
            "Lifetimes are in whole months from 0 on.",
            found=f"{int(bad.sum())} accounts with others, the first {frame.loc[bad, 'months'].iloc[0]!r}",
            fix="count months between the first one with revenue and the first one without",
        )


def _affordable(
    frame: pd.DataFrame, attributes: Sequence[str], churned: pd.Series, options: ChurnOptions
) -> tuple[Design, tuple[str, ...]]:
    """The design with as many of the attributes, from the first on, as the departures can carry."""
    names, notes = list(attributes), []
    made = design(frame, names, churned, WORDS)
    while len(names) > 1 and int(churned[made.kept].sum()) < options.events_per_coefficient * len(made.terms):
        notes.append(f"{names.pop()} is left out: there are too few departures for one more attribute.")
        made = design(frame, names, churned, WORDS)
    return made, tuple(notes)


def _why_not(made: Design, frame: pd.DataFrame, attributes: Sequence[str], options: ChurnOptions) -> str | None:
    if frame.empty:
        return "no accounts"
    if not frame["churned"].any():
        return f"none of {len(frame):,} accounts left"
    if made.terms.empty:
        return f"the accounts do not differ in {' or '.join(attributes)}, or too few of each kind left"
    left, needed = int(frame.loc[made.kept, "churned"].sum()), options.events_per_coefficient * len(made.terms)
    if left < needed:
        what = "1 coefficient needs" if len(made.terms) == 1 else f"{len(made.terms)} coefficients need"
        return f"{left:,} accounts left; {what} at least {needed:,}"
    return None


def _fitted(fit: _Fit, notes: tuple[str, ...]) -> ChurnRegression | str:
    from lifelines.exceptions import ConvergenceError

    try:
        with warnings.catch_warnings(record=True) as said:  # what lifelines doubts becomes a check, in the page
            warnings.simplefilter("always")
            cox = _cox(fit.table(), fit.options)
    except ConvergenceError as error:
        return f"the model did not settle: {str(error).strip().splitlines()[0]}"
    coefficients = _coefficients(cox, fit)
    if not np.isfinite(coefficients[["coefficient", "low", "high"]].to_numpy(dtype=float)).all():
        return "the model did not settle: a coefficient has no bounds"
    own = [warning for warning in said if warning.category.__module__.startswith("lifelines")]
    doubts = tuple(dict.fromkeys(str(warning.message).strip().splitlines()[0] for warning in own))
    left, order = int(fit.times["churned"].sum()), float(cox.concordance_index_)
    ample = left >= AMPLE * fit.options.events_per_coefficient * len(fit.terms)
    rows = [_enough(left, len(fit.terms), fit.options), _settled(doubts), _told_apart(fit)]
    rows += [*_proportional(cox, fit, ample), _ordering(order)]
    return ChurnRegression(coefficients, _as_checks(rows), order, len(fit.times), left, None, notes)


def _cox(table: pd.DataFrame, options: ChurnOptions) -> Any:
    from lifelines import CoxPHFitter

    late = (table["entry_age"] > 0).any()
    given = table if late else table.drop(columns=["entry_age"])
    model = CoxPHFitter(alpha=1 - options.confidence)
    return model.fit(given, duration_col="months", event_col="churned", entry_col="entry_age" if late else None)


def _coefficients(cox: Any, fit: _Fit) -> pd.DataFrame:
    rows = cox.summary.loc[fit.terms["term"]]
    lower, upper = (
        next(str(name) for name in rows.columns if str(name).startswith(f"coef {side} ")) for side in ("lower", "upper")
    )
    values = {"coefficient": rows["coef"].to_numpy(), "low": rows[lower].to_numpy(), "high": rows[upper].to_numpy()}
    ends = (("ratio", "coefficient"), ("ratio_low", "low"), ("ratio_high", "high"))
    ratios = {name: np.exp(values[of]) for name, of in ends}
    return fit.terms.assign(**values, **ratios, p_value=rows["p"].to_numpy())[list(_COLUMNS)]


def _row(
    check: str, verdict: str, statistic: float | None, finding: str, advice: str = "Nothing to do."
) -> dict[str, Any]:
    row: dict[str, Any] = {"check": check, "term": None, "verdict": verdict, "statistic": statistic, "p_value": None}
    return {**row, "finding": finding, "advice": advice}


def _as_checks(rows: list[dict[str, Any]]) -> pd.DataFrame:
    made = pd.DataFrame(rows, columns=list(_CHECKS))
    return made.astype({"statistic": "float64", "p_value": "float64"})


def _enough(left: int, coefficients: int, options: ChurnOptions) -> dict[str, Any]:
    needed = options.events_per_coefficient * max(coefficients, 1)
    each = left / coefficients if coefficients else None
    finding = f"{left:,} departures for {coefficients} coefficients; at least {needed:,} are needed."
    if not coefficients or left < needed:
        return _row("enough departures", "FAIL", each, finding, "Use fewer attributes, or wait for a longer history.")
    if left < AMPLE * needed:
        return _row("enough departures", "REVIEW", each, finding, "Read the intervals, not the ratios.")
    return _row("enough departures", "PASS", each, finding)


def _settled(doubts: tuple[str, ...]) -> dict[str, Any]:
    if not doubts:
        return _row("model settled", "PASS", None, "The model came to rest.")
    return _row(
        "model settled", "REVIEW", None, doubts[0], "Leave out the attribute that it names, or pool its levels."
    )


def _told_apart(fit: _Fit) -> dict[str, Any]:
    found = inflation(fit.matrix)
    worst = float(found.max())
    finding = f"Variance inflation is at most {worst:.1f} ({found.idxmax()})."
    if worst <= CLOSE_COLUMNS:
        return _row("columns told apart", "PASS", worst, finding)
    verdict = "REVIEW" if worst <= COLLINEAR else "FAIL"
    return _row("columns told apart", verdict, worst, finding, "Leave out one of the attributes that overlap with it.")


def _proportional(cox: Any, fit: _Fit, ample: bool) -> list[dict[str, Any]]:
    """One row a term: whether its ratio changes with age, adjusted over the terms.

    With many departures the test finds changes that do not matter, so a rejected term is fitted again on early and on
    late departures, and what counts is how far the two differ.
    """
    table = fit.table()
    tested = _residuals(cox, fit) if not (table["entry_age"] > 0).any() else _difference(table, fit)
    adjusted = benjamini_hochberg(tested["p"].to_numpy())
    halves = _halves(table, fit.options) if (adjusted < ALPHA).any() else None
    rows = []
    for place, term in enumerate(fit.terms["term"]):
        if np.isnan(adjusted[place]):
            few = "Not checked: early and late departures could not be told apart."
            row = _row("one ratio at all ages", "REVIEW", None, few, "Compare the curves by eye.")
        else:
            row = _one_ratio(str(term), bool(adjusted[place] < ALPHA), ample, halves)
        found = {"term": term, "statistic": tested["statistic"].iloc[place], "p_value": adjusted[place]}
        rows.append({**row, **found})
    return rows


def _residuals(cox: Any, fit: _Fit) -> pd.DataFrame:
    """Test of scaled Schoenfeld residuals: [statistic, p], a row a term."""
    from lifelines.statistics import proportional_hazard_test

    given = fit.table().drop(columns=["entry_age"])
    found = proportional_hazard_test(cox, given, time_transform="rank").summary.loc[fit.terms["term"]]
    return found.rename(columns={"test_statistic": "statistic"})[["statistic", "p"]]


def _difference(table: pd.DataFrame, fit: _Fit) -> pd.DataFrame:
    """Wald test of the coefficients of early against those of late departures: lifelines has no residuals where
    accounts enter late. Different departures, so the two are independent. Null where a half cannot be fitted."""
    from scipy.stats import chi2

    _, early, late = _halves(table, fit.options)
    terms = fit.terms["term"]
    if early is None or late is None:
        return pd.DataFrame({"statistic": np.nan, "p": np.nan}, index=terms)
    gap = early.params_[terms] - late.params_[terms]
    statistic = gap**2 / (early.standard_errors_[terms] ** 2 + late.standard_errors_[terms] ** 2)
    return pd.DataFrame({"statistic": statistic, "p": chi2.sf(statistic, 1)})


def _one_ratio(term: str, rejected: bool, ample: bool, halves: tuple[float, Any, Any] | None) -> dict[str, Any]:
    name = "one ratio at all ages"
    if not rejected and ample:
        return _row(name, "PASS", None, "The ratio does not change with age, as far as can be seen.")
    if not rejected:
        few = "No change of the ratio was found, but there are too few departures to see one."
        return _row(name, "REVIEW", None, few, "Compare the curves by eye.")
    if halves is None or halves[1] is None or halves[2] is None:
        return _row(name, "FAIL", None, "The ratio changes with the age of accounts.", _BY_AGE)
    split = halves[0]
    early, late = (float(np.exp(half.params_[term])) for half in halves[1:])
    finding = f"The ratio is {early:.2f} up to month {split:.0f} and {late:.2f} after."
    if max(early / late, late / early) < SMALL_CHANGE:
        return _row(name, "REVIEW", None, finding, "Read the ratio as an average over ages.")
    return _row(name, "FAIL", None, finding, _BY_AGE)


_BY_AGE = "Do not quote one ratio: use the curves."


def _halves(table: pd.DataFrame, options: ChurnOptions) -> tuple[float, Any, Any]:
    """Models of departures up to the median one, and of those after it among accounts still there then."""
    split = float(np.median(table.loc[table["churned"] == 1, "months"]))
    early = table.assign(
        churned=table["churned"].where(table["months"] <= split, 0.0), months=table["months"].clip(upper=split)
    )
    early = early[(early["entry_age"] == 0) | (early["entry_age"] < early["months"])]
    late = table[table["months"] > split]
    late = late.assign(months=late["months"] - split, entry_age=(late["entry_age"] - split).clip(lower=0))
    return split, _part(early, options), _part(late, options)


def _part(table: pd.DataFrame, options: ChurnOptions) -> Any:
    from lifelines.exceptions import ConvergenceError, ConvergenceWarning

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            return _cox(table, options)
    except (ConvergenceError, ConvergenceWarning):
        return None


def _ordering(concordance: float) -> dict[str, Any]:
    finding = f"Concordance is {concordance:.3f}; .5 would be chance."
    if concordance >= ORDERING[1]:
        return _row("order of departures", "PASS", concordance, finding)
    verdict = "REVIEW" if concordance >= ORDERING[0] else "FAIL"
    advice = "Do not rank single accounts by it: what is known at entry says little about who leaves first."
    return _row("order of departures", verdict, concordance, finding, advice)
