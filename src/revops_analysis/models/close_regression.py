"""What makes deals win sooner: Cox and Weibull regressions of the time to a win, each with its checks.

Cause-specific: deals that are lost, or still open, count for as long as they could have been won. The ratios so
describe the pace at which open deals are won, not the share that is won in the end; the curves show that.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from revops_analysis.errors import ConfigurationError
from revops_analysis.models.close_checks import Fit, Fitted, checks
from revops_analysis.models.close_design import Design, design

SHORTEST = 0.5
"""Days that a deal closed on its first day counts for in the Weibull model, whose time must be above 0."""


@dataclass(frozen=True)
class RegressionOptions:
    """`events_per_coefficient`: wins that each coefficient needs, below which nothing is fitted (Peduzzi et al., J Clin
    Epidemiol 48 (1995) 1503–1510: ten). `horizon_days`: up to when the Weibull curve is compared with the deals."""

    confidence: float = 0.95
    events_per_coefficient: int = 10
    horizon_days: int = 180


@dataclass(frozen=True, eq=False)
class CloseRegression:
    """Ratios of pace and of time, with the checks that say how far to trust them.

    `coefficients`: [model (cox, weibull), term, attribute, level, reference, n, won, coefficient, low, high, ratio,
    ratio_low, ratio_high, p_value]. Cox: log hazard ratio, above 0 (ratio above 1) is won faster. Weibull: log time
    ratio, above 0 (ratio above 1) takes longer. `checks`: [check, term, verdict (PASS, REVIEW, FAIL), statistic,
    p_value, finding, advice]. `concordance`: of two deals, how often the one with the higher predicted pace is won
    first; .5 is chance. `shape`: Weibull's; above 1, chances rise with age. `n` deals were looked at, `won` of them
    were won. Where nothing could be fitted the frame is empty and `reason` says why. `notes`: what was left out.
    """

    coefficients: pd.DataFrame
    checks: pd.DataFrame
    concordance: float | None
    shape: float | None
    n: int
    won: int
    reason: str | None = None
    notes: tuple[str, ...] = ()

    def of(self, model: str) -> pd.DataFrame:
        """The coefficients of one model, `cox` or `weibull`."""
        return self.coefficients[self.coefficients["model"] == model].reset_index(drop=True)

    @property
    def changing(self) -> frozenset[str]:
        """Terms whose Cox ratio changes so much with the age of deals that it is not one number."""
        tested = self.checks[self.checks["verdict"] == "FAIL"]
        return frozenset(tested["term"].dropna())

    @property
    def weibull_misleads(self) -> bool:
        """Whether the Weibull curve is so far off that times of this model must not be quoted."""
        return bool(((self.checks["check"] == "Weibull curve") & (self.checks["verdict"] == "FAIL")).any())


_COLUMNS = (
    *("model", "term", "attribute", "level", "reference", "n", "won", "coefficient", "low", "high"),
    *("ratio", "ratio_low", "ratio_high", "p_value"),
)


def close_regression(
    frame: pd.DataFrame, attributes: Sequence[str], options: RegressionOptions = RegressionOptions()
) -> CloseRegression:
    """Regress the time to a win on attributes of deals known when they were created.

    `frame` has a row a deal with `days` (whole, ≥ 0), `event` (won, lost, open) and the attributes, text or numbers,
    as `deal_times` gives them. Ties as Efron has them. Nothing is drawn at random: equal input, equal digits.

    >>> deals = pd.DataFrame({"days": [5, 9] * 30, "event": ["won", "lost"] * 30, "x": [0, 1, 1] * 20})
    >>> close_regression(deals, ["x"]).won, close_regression(deals.head(12), ["x"]).reason
    (30, '6 deals were won; 1 coefficient needs at least 10')

    Source: Cox (1972); Efron (1977); Kalbfleisch & Prentice (2002, ch. 3 for the accelerated failure time model).
    Raises ConfigurationError for missing columns, an unknown event and days that are missing, negative or not whole.
    """
    _check(frame, attributes)
    ordered = frame.reset_index(drop=True)
    won = ordered["event"] == "won"
    made = design(ordered, attributes, won)
    days, wins = ordered.loc[made.kept, "days"], won[made.kept]
    reason = _why_not(made, ordered, attributes, options)
    if reason is None:
        fit = Fit(made.matrix, made.terms, days.astype("float64"), wins, options)
        found = _fitted(fit)
        if isinstance(found, CloseRegression):
            return replace(found, notes=made.notes)
        reason = found
    tested = checks(reason, int(wins.sum()), len(made.terms), options)
    nothing = pd.DataFrame(columns=list(_COLUMNS))
    return CloseRegression(nothing, tested, None, None, len(ordered), int(won.sum()), reason, made.notes)


def _check(frame: pd.DataFrame, attributes: Sequence[str]) -> None:
    missing = [name for name in ("days", "event", *attributes) if name not in frame.columns]
    if missing:
        raise ConfigurationError("A column is missing.", expected="days, event, attributes", found=", ".join(missing))
    reserved = sorted({"days", "won", "event", "size", "Intercept"} & set(attributes))
    if reserved:
        raise ConfigurationError("An attribute has a name that the model itself uses.", found=", ".join(reserved))
    days = pd.to_numeric(frame["days"], errors="coerce").astype("float64")
    bad = ~(days >= 0) | (days % 1 != 0)
    if bad.any():
        raise ConfigurationError(
            "Time to close is in whole days from 0 on.",
            found=f"{int(bad.sum())} deals with other days, the first {frame.loc[bad, 'days'].iloc[0]!r}",
            fix="count days between dates; leave out deals without a date",
        )
    unknown = sorted(set(frame["event"].astype(str)) - {"won", "lost", "open"})
    if unknown:
        raise ConfigurationError("An event is not known.", expected="won, lost or open", found=", ".join(unknown))


def _why_not(made: Design, ordered: pd.DataFrame, attributes: Sequence[str], options: RegressionOptions) -> str | None:
    """Why nothing can be fitted, or None."""
    won = int((ordered.loc[made.kept, "event"] == "won").sum())
    if ordered.empty:
        return "no deals"
    if not (ordered["event"] == "won").any():
        return f"none of {len(ordered):,} deals was won"
    if made.terms.empty:
        return f"the deals do not differ in {' or '.join(attributes)}, or too few of each kind were won"
    needed = options.events_per_coefficient * len(made.terms)
    if won < needed:
        what = "1 coefficient needs" if len(made.terms) == 1 else f"{len(made.terms)} coefficients need"
        return f"{won:,} deals were won; {what} at least {needed:,}"
    return None


def _fitted(fit: Fit) -> CloseRegression | str:
    """Both models with their checks, or why they could not be fitted."""
    from lifelines.exceptions import ConvergenceError

    try:
        with warnings.catch_warnings(record=True) as said:  # what lifelines doubts becomes a check, in the page
            warnings.simplefilter("always")
            cox, weibull = _cox(fit), _weibull(fit)
    except ConvergenceError as error:
        return f"the model did not settle: {str(error).strip().splitlines()[0]}"
    rows = [_coefficients("cox", cox.summary, fit), _coefficients("weibull", weibull.summary.loc["lambda_"], fit)]
    coefficients = pd.concat(rows, ignore_index=True)
    if not np.isfinite(coefficients[["coefficient", "low", "high"]].to_numpy(dtype=float)).all():
        return "the model did not settle: a coefficient has no bounds"
    own = [warning for warning in said if warning.category.__module__.startswith("lifelines")]
    doubts = tuple(dict.fromkeys(str(warning.message).strip().splitlines()[0] for warning in own))
    tested = checks(Fitted(fit, cox, weibull, doubts), int(fit.won.sum()), len(fit.terms), fit.options)
    shape = float(np.exp(weibull.params_[("rho_", "Intercept")]))
    return CloseRegression(
        coefficients, tested, float(cox.concordance_index_), shape, len(fit.days), int(fit.won.sum())
    )


def _cox(fit: Fit) -> Any:
    from lifelines import CoxPHFitter

    model = CoxPHFitter(alpha=1 - fit.options.confidence)
    return model.fit(fit.table(), duration_col="days", event_col="won")


def _weibull(fit: Fit) -> Any:
    """Weibull on deals that are alike counted together, which is the same likelihood and far fewer rows."""
    from lifelines import WeibullAFTFitter

    table = fit.table()
    counted = table.assign(days=table["days"].clip(lower=SHORTEST)).groupby(list(table.columns), as_index=False).size()
    model = WeibullAFTFitter(alpha=1 - fit.options.confidence)
    counted["size"] = counted["size"].astype("float64")
    return model.fit(counted, duration_col="days", event_col="won", weights_col="size")


def _coefficients(model: str, summary: pd.DataFrame, fit: Fit) -> pd.DataFrame:
    rows = summary.loc[fit.terms["term"]]
    lower, upper = (
        next(str(name) for name in rows.columns if str(name).startswith(f"coef {side} ")) for side in ("lower", "upper")
    )
    values = {
        "coefficient": rows["coef"].to_numpy(),
        "low": rows[lower].to_numpy(),
        "high": rows[upper].to_numpy(),
        "p_value": rows["p"].to_numpy(),
    }
    ratios = {
        f"ratio{end}": np.exp(values[name]) for end, name in (("", "coefficient"), ("_low", "low"), ("_high", "high"))
    }
    return fit.terms.assign(model=model, **values, **ratios)[list(_COLUMNS)]
