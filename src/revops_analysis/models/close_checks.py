"""Whether a regression of the time to a win may be believed: each check with a verdict and a sentence of advice.

PASS needs evidence: a check that could not be made, or that had too little to go on, is at best REVIEW.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from revops_analysis.models.close_design import COLLINEAR, inflation
from revops_analysis.statistics.false_discovery import benjamini_hochberg

if TYPE_CHECKING:
    from revops_analysis.models.close_regression import RegressionOptions

AMPLE = 2
"""Times the wins that are needed from which on a test that finds nothing counts as a pass."""

ALPHA = 0.05
SMALL_CHANGE = 1.5
"""A ratio that changes by less than this factor between early and late wins may still be read as an average."""

ORDERING = (0.55, 0.60)
"""Concordance below the first tells next to nothing, from the second on enough to rank deals."""

GAP = (0.03, 0.05)
"""Largest gap of the Weibull curve: up to the first it fits, above the second, and beyond chance, it misleads."""

CLOSE_COLUMNS = 5.0
"""Variance inflation up to which a coefficient stands on its own."""

_COLUMNS = ("check", "term", "verdict", "statistic", "p_value", "finding", "advice")
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Fit:
    """What a regression was given: columns, their meaning, days, wins and options."""

    matrix: pd.DataFrame
    terms: pd.DataFrame
    days: pd.Series
    won: pd.Series
    options: RegressionOptions

    def table(self) -> pd.DataFrame:
        """The columns with `days` and `won`, as lifelines wants them."""
        return self.matrix.assign(days=self.days.to_numpy(), won=self.won.to_numpy().astype("float64"))


@dataclass(frozen=True, eq=False)
class Fitted:
    """Both models as fitted, and what lifelines doubted about them."""

    fit: Fit
    cox: Any
    weibull: Any
    doubts: tuple[str, ...]


def checks(fitted: Fitted | str, won: int, coefficients: int, options: RegressionOptions) -> pd.DataFrame:
    """All checks of a Cox and a Weibull model; given the reason why there are none, what that means for each check.

    Columns: check, term (null: the whole model), verdict, statistic, p_value, finding, advice.
    """
    rows = [_enough(won, coefficients, options)]
    if isinstance(fitted, str):
        names = ("models settled", "columns told apart", "one ratio at all ages", "order of wins", "Weibull curve")
        rows += [_row(name, "REVIEW", None, f"Not checked: {fitted}.", _WITHOUT) for name in names]
    else:
        ample = won >= AMPLE * options.events_per_coefficient * coefficients
        rows += [_settled(fitted.doubts), _told_apart(fitted.fit), *_proportional(fitted.cox, fitted.fit, ample)]
        rows += [_ordering(float(fitted.cox.concordance_index_)), _weibull_gap(fitted.weibull, fitted.fit)]
    made = pd.DataFrame(rows, columns=list(_COLUMNS))
    return made.astype({"statistic": "float64", "p_value": "float64"})


def _settled(doubts: tuple[str, ...]) -> Row:
    if not doubts:
        return _row("models settled", "PASS", None, "Both models came to rest.", "Nothing to do.")
    return _row(
        "models settled", "REVIEW", None, doubts[0], "Leave out the attribute that it names, or pool its levels."
    )


_WITHOUT = "Use the curves by attribute, which need no model."


def _row(check: str, verdict: str, statistic: float | None, finding: str, advice: str) -> Row:
    row: Row = {"check": check, "term": None, "verdict": verdict, "statistic": statistic, "p_value": None}
    return {**row, "finding": finding, "advice": advice}


def _enough(won: int, coefficients: int, options: RegressionOptions) -> Row:
    needed = options.events_per_coefficient * max(coefficients, 1)
    finding = f"{won:,} wins for {coefficients} coefficients; at least {needed:,} are needed."
    each = won / coefficients if coefficients else None
    if not coefficients or won < needed:
        advice = f"Use fewer attributes, or a longer period with at least {needed:,} wins."
        return _row("enough wins", "FAIL", each, finding, advice)
    if won < AMPLE * needed:
        return _row(
            "enough wins", "REVIEW", each, finding, "Read the intervals, not the ratios; a longer period helps."
        )
    return _row("enough wins", "PASS", each, finding, "Nothing to do.")


def _told_apart(fit: Fit) -> Row:
    found = inflation(fit.matrix)
    worst = float(found.max())
    finding = f"Variance inflation is at most {worst:.1f} ({found.idxmax()})."
    if worst <= CLOSE_COLUMNS:
        return _row("columns told apart", "PASS", worst, finding, "Nothing to do.")
    verdict = "REVIEW" if worst <= COLLINEAR else "FAIL"
    return _row("columns told apart", verdict, worst, finding, "Leave out one of the attributes that overlap with it.")


def _proportional(cox: Any, fit: Fit, ample: bool) -> list[Row]:
    """One row a term: the test of scaled Schoenfeld residuals against the rank of time, adjusted over the terms.

    Source: Grambsch & Therneau, Biometrika 81 (1994) 515–526. With many wins the test finds departures that do not
    matter, so a rejected term is fitted again on early and on late wins, and what counts is how far the two differ.
    """
    from lifelines.statistics import proportional_hazard_test

    found = proportional_hazard_test(cox, fit.table(), time_transform="rank").summary.loc[fit.terms["term"]]
    adjusted = benjamini_hochberg(found["p"].to_numpy())
    halves = _early_and_late(fit) if (adjusted < ALPHA).any() else None
    rows = []
    for place, term in enumerate(fit.terms["term"]):
        row = _one_ratio(str(term), adjusted[place] < ALPHA, ample, halves)
        rows.append({**row, "term": term, "statistic": found["test_statistic"].iloc[place], "p_value": adjusted[place]})
    return rows


def _one_ratio(term: str, rejected: bool, ample: bool, halves: _Halves | None) -> Row:
    name = "one ratio at all ages"
    if not rejected and ample:
        return _row(name, "PASS", None, "The ratio does not change with the age of deals, as far as can be seen.", _OK)
    if not rejected:
        return _row(
            name, "REVIEW", None, "No change of the ratio was found, but there are too few wins to see one.", _FEW
        )
    if halves is None or halves.early is None or halves.late is None:
        return _row(name, "FAIL", None, "The ratio changes with the age of deals.", _BY_AGE)
    early, late = float(np.exp(halves.early[term])), float(np.exp(halves.late[term]))
    finding = f"The ratio is {early:.2f} up to day {halves.split:.0f} and {late:.2f} after."
    if max(early / late, late / early) < SMALL_CHANGE:
        return _row(name, "REVIEW", None, finding, "Read the ratio as an average over ages.")
    return _row(name, "FAIL", None, finding, _BY_AGE)


_OK = "Nothing to do."
_FEW = "Compare the curves by eye; a longer period helps."
_BY_AGE = "Do not quote one ratio: use the curves, or the chances by age."


@dataclass(frozen=True, eq=False)
class _Halves:
    split: float
    early: pd.Series | None
    late: pd.Series | None


def _early_and_late(fit: Fit) -> _Halves:
    """Coefficients from wins up to the median day of a win, and from those after it among deals still open then."""
    split = float(np.median(fit.days[fit.won.to_numpy()]))
    table = fit.table()
    early = table.assign(won=table["won"].where(table["days"] <= split, 0.0), days=table["days"].clip(upper=split))
    late = table[table["days"] > split]
    late = late.assign(days=late["days"] - split)
    return _Halves(split, _part(early), _part(late))


def _part(table: pd.DataFrame) -> pd.Series | None:
    """Coefficients of a part; None where it does not hold enough to fit."""
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError, ConvergenceWarning

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            fitted = CoxPHFitter().fit(table, duration_col="days", event_col="won")
            return pd.Series(fitted.params_)
    except (ConvergenceError, ConvergenceWarning):
        return None


def _ordering(concordance: float) -> Row:
    finding = f"Concordance is {concordance:.3f}; .5 would be chance."
    if concordance >= ORDERING[1]:
        return _row("order of wins", "PASS", concordance, finding, "Nothing to do.")
    verdict = "REVIEW" if concordance >= ORDERING[0] else "FAIL"
    advice = "Do not rank single deals by it: what is known at creation says little about which are won first."
    return _row("order of wins", verdict, concordance, finding, advice)


def _weibull_gap(weibull: Any, fit: Fit) -> Row:
    """Largest gap between the mean Weibull curve and the Kaplan–Meier curve of not having won, up to the horizon."""
    from revops_analysis.statistics.survival import kaplan_meier

    days = np.arange(1, fit.options.horizon_days + 1, dtype=float)
    read = kaplan_meier(fit.days.to_numpy(), fit.won.to_numpy()).at(days)
    seen, wide = read["survival"].to_numpy(), 1.96 * np.sqrt(read["variance"].to_numpy())
    alike = fit.matrix.groupby(list(fit.matrix.columns), as_index=False).size()
    scale = weibull.params_["lambda_"]
    linear = alike[fit.matrix.columns].to_numpy() @ scale[fit.matrix.columns].to_numpy() + scale["Intercept"]
    shape = float(np.exp(weibull.params_[("rho_", "Intercept")]))
    curves = np.exp(-((days[None, :] / np.exp(linear)[:, None]) ** shape))
    mean = np.average(curves, axis=0, weights=alike["size"].to_numpy())
    known = ~np.isnan(seen)
    if not known.any():
        return _row("Weibull curve", "REVIEW", None, "Not checked: no deal was watched for a day.", _WITHOUT)
    place = int(np.where(known, np.abs(mean - seen), -1).argmax())
    gap, margin = float(abs(mean - seen)[place]), float(wide[place])
    finding = f"The curve is at most {100 * gap:.1f} points off, on day {days[place]:.0f}."
    if margin > GAP[1]:
        finding += f" There are too few deals to tell: chance alone may make it {100 * margin:.0f}."
    if gap <= GAP[0] and margin <= GAP[1]:
        return _row("Weibull curve", "PASS", gap, finding, "Nothing to do.")
    verdict = "FAIL" if gap > max(GAP[1], margin) else "REVIEW"
    return _row("Weibull curve", verdict, gap, finding, "Take times from the curves and not from this model.")
